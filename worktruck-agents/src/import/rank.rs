//! Which channel of a kind comes first.

use worktruck_core::entity::contact::{Channel, ChannelKind};

/// The least preference that a format can state, plus one: what states none comes last.
const NO_PREFERENCE: u32 = 101;

/// What a file says of a channel's place among those of its kind.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rank {
    /// 1 most, 100 least.
    pub(crate) preference: Option<u32>,
    /// The place, where it is not that of the preference.
    pub(crate) order: Option<u32>,
}

/// Gives channels of one kind the order of their preference, and makes the most preferred one the primary.
pub(crate) fn rank(channels: &mut [Channel], ranks: &[Rank]) {
    let mut order: Vec<(ChannelKind, u32, usize)> = channels
        .iter()
        .zip(ranks)
        .enumerate()
        .map(|(at, (channel, rank))| (channel.kind, rank.preference.unwrap_or(NO_PREFERENCE), at))
        .collect();
    order.sort_unstable();
    let (mut of, mut place) = (None, 0);
    // Custom channels are of one kind if their label is the same.
    let mut labels: Vec<Option<String>> = Vec::new();
    for (kind, preference, at) in order {
        if of != Some(kind) {
            (of, place) = (Some(kind), 0);
            labels.clear();
        }
        let (Some(channel), Some(rank)) = (channels.get_mut(at), ranks.get(at)) else { continue };
        let is_first = match kind {
            ChannelKind::Custom if preference < NO_PREFERENCE => {
                let is_new = !labels.contains(&channel.label);
                labels.push(channel.label.clone());
                is_new
            }
            _ => place == 0,
        };
        channel.preference_order = rank.order.unwrap_or(place);
        channel.is_primary = is_first && preference < NO_PREFERENCE;
        place += 1;
    }
}
