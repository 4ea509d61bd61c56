//! What the measurements and their tests share: labelled people and scores of clusters.

pub mod people;
pub mod score;
