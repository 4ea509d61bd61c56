use super::{Point, Slice};

/// The slice that a reader sees at `point`, if the entity exists there.
///
/// Slices may come in any order, open and closed; those of one entity never overlap in both times,
/// so there is at most one. Neither a gap nor a tombstone is seen.
///
/// # Examples
///
/// ```
/// use serde_json::json;
/// use worktruck_core::temporal::{Point, Slice, visible};
/// use worktruck_core::{Period, Timestamp};
///
/// let at = Timestamp::from_micros;
/// let ada = Slice {
///     version: 1,
///     body: Some(json!({"display_name": "Ada"})),
///     sys: Period::starting(at(5)),
///     valid: Period::new(at(2), at(8))?,
///     carried: false,
///     tx_id: 1,
/// };
/// let slices = [ada];
/// assert!(visible(&slices, Point { sys: at(5), valid: at(2) }).is_some());
/// assert_eq!(visible(&slices, Point { sys: at(4), valid: at(2) }), None, "not known yet");
/// assert_eq!(visible(&slices, Point { sys: at(5), valid: at(8) }), None, "no longer so");
/// # Ok::<(), worktruck_core::Error>(())
/// ```
pub fn visible<'a>(slices: impl IntoIterator<Item = &'a Slice>, point: Point) -> Option<&'a Slice> {
    slices
        .into_iter()
        .find(|slice| slice.sys.contains(point.sys) && slice.valid.contains(point.valid))
        .filter(|slice| slice.body.is_some())
}
