use serde_json::Value;

use crate::Period;

/// What an entity is over the valid axis, at one moment of system time.
///
/// The parts are in order, and neighbours that touch differ; between parts the entity does not
/// exist.
#[derive(Debug, Default)]
pub(super) struct Cover(Vec<(Period, Value)>);

impl Cover {
    /// Makes the entity `value` over `range`.
    pub(super) fn set(&mut self, range: Period, value: Option<Value>) {
        let mut parts = Vec::with_capacity(self.0.len() + 2);
        for (valid, value) in std::mem::take(&mut self.0) {
            match (valid.part_before(range), valid.part_after(range)) {
                (Some(before), Some(after)) => parts.extend([(before, value.clone()), (after, value)]),
                (Some(rest), None) | (None, Some(rest)) => parts.push((rest, value)),
                (None, None) => {}
            }
        }
        parts.extend(value.map(|value| (range, value)));
        parts.sort_by_key(|(valid, _)| *valid);
        parts.dedup_by(|(next, value), (last, last_value)| {
            let seam = last.to();
            let joined = seam == next.from() && (seam == range.from() || seam == range.to()) && value == last_value;
            joined && Period::new(last.from(), next.to()).map(|whole| *last = whole).is_ok()
        });
        self.0 = parts;
    }

    /// What the entity is over `range`, stretch by stretch, those without it included.
    pub(super) fn stretches(&self, range: Period) -> Vec<(Period, Option<&Value>)> {
        let mut stretches = Vec::new();
        let mut at = range.from();
        for (valid, value) in &self.0 {
            let Some(valid) = valid.intersect(range) else { continue };
            stretches.extend(Period::new(at, valid.from()).ok().map(|gap| (gap, None)));
            stretches.push((valid, Some(value)));
            at = valid.to();
        }
        stretches.extend(Period::new(at, range.to()).ok().map(|gap| (gap, None)));
        stretches
    }

    pub(super) fn into_parts(self) -> Vec<(Period, Value)> {
        self.0
    }
}
