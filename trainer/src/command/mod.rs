//! The commands.

pub mod base;
pub mod draw;
pub mod finetune;
pub mod learn;
mod material;
pub mod measure;
pub mod paint;
