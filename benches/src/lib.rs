//! What the measurements and their tests share: labelled people, scores of clusters, the work of
//! stores, figures and what they depend on.

pub mod cluster;
pub mod machine;
pub mod people;
pub mod report;
pub mod samples;
pub mod score;
pub mod workload;

/// What a measurement gives, or why it cannot be made.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;
