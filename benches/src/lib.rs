//! What the measurements and their tests share: labelled people, scores of clusters, and the work of
//! stores.

pub mod people;
pub mod score;
pub mod workload;
