//! The commands.

pub mod base;
pub mod learn;
pub mod measure;
pub mod paint;
