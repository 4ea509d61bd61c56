//! What is believed before any data is seen; a few dozen pairs outweigh it.

use crate::dedupe::levels::Field;

/// How the records of one person agree on `field`, from DIFFERENT upwards.
pub(super) const fn of_matches(field: Field) -> &'static [f64] {
    match field {
        Field::Given => &[0.07, 0.03, 0.03, 0.08, 0.05, 0.02, 0.72],
        Field::Middle => &[0.10, 0.20, 0.05, 0.65],
        Field::Family => &[0.07, 0.02, 0.03, 0.08, 0.02, 0.78],
        Field::Birth => &[0.04, 0.02, 0.02, 0.05, 0.02, 0.10, 0.75],
        Field::Email => &[0.20, 0.08, 0.05, 0.67],
        Field::Phone => &[0.30, 0.05, 0.65],
        Field::Identifier => &[0.05, 0.02, 0.10, 0.83],
        Field::Street => &[0.25, 0.05, 0.08, 0.10, 0.52],
        Field::Place => &[0.12, 0.08, 0.15, 0.10, 0.10, 0.45],
        Field::Organization => &[0.30, 0.10, 0.60],
        Field::Title => &[0.40, 0.10, 0.50],
    }
}

/// What a household has in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shared {
    /// How much of the agreement of matches kin have too; the rest is as among strangers.
    pub(super) share: f64,
    /// Whether the data may change that: only for what a household shares by nature. Names and birth
    /// dates are a person's own, and learning otherwise would take mistyped duplicates for relatives.
    pub(super) learned: bool,
}

/// How far kin agree on `field`.
pub(super) const fn of_kin(field: Field) -> Shared {
    let (share, learned) = match field {
        Field::Given => (0.03, false),
        Field::Middle => (0.08, false),
        // Twins, and dates copied from one family member to another.
        Field::Birth => (0.04, false),
        Field::Identifier => (0.02, false),
        Field::Family => (0.8, true),
        Field::Street => (0.9, true),
        Field::Place => (0.9, true),
        Field::Phone => (0.5, true),
        Field::Email => (0.15, true),
        Field::Organization | Field::Title => (0.05, false),
    };
    Shared { share, learned }
}

/// How many pairs the beliefs count for.
pub(super) const STRENGTH: f64 = 30.0;
