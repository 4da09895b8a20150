//! How steady painted video is: scenes with known motion, painted frame by frame and stabilised, and measured.
//!
//! ```text
//! folder, synthetic → Scene → studio → measure → findings → table, JSON
//! ```
//!
//! What is measured is defined in `ruler`, and nowhere else. `survey` holds it all together; `probe` asks
//! what needs no known motion, `flow_error` judges the stabilizer's own flow.

mod findings;
mod flo;
mod flow_error;
mod folder;
mod gram;
mod kept;
mod likeness;
mod mean;
mod measure;
mod probe;
mod ruler;
mod scene;
mod sheet;
mod source;
mod splat;
mod studio;
mod survey;
mod synthetic;
mod table;

pub use findings::Report;
pub use folder::rgb;
pub use gram::GramDistance;
pub use kept::draw;
pub use source::Source;
pub use studio::Studio;
pub use survey::Survey;
