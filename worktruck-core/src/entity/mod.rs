//! Everything a store keeps in versions: its data, its validation, its index terms.

pub mod contact;
