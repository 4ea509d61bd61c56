//! Pairs become clusters as long as whole clusters agree.
//!
//! Joining every two records that a chain of likely pairs connects would let one doubtful pair merge
//! two people. Here the likeliest pairs join first, and two groups join only if their members agree
//! on average, whether or not blocking had compared them, and next to none of them contradict.

use std::collections::{HashMap, HashSet};

use super::reasons::Evidence;
use super::score::Scored;
use super::weights::probability;
use super::{Band, Cluster, Settings};

/// The clusters of a list.
pub(crate) fn clusters(scored: &Scored<'_>, settings: &Settings) -> Vec<Cluster> {
    let (propose, review) = (log_odds(settings.propose), log_odds(settings.review));
    let mut edges: Vec<(u32, u32, f64)> =
        scored.pairs.iter().copied().filter(|(.., odds)| *odds >= propose.min(review)).collect();
    edges.sort_by(|x, y| y.2.total_cmp(&x.2).then((x.0, x.1).cmp(&(y.0, y.1))));
    let mut groups = Groups::new(scored);
    let mut links = Vec::new();
    let mut open = Vec::new();
    for (a, b, odds) in edges {
        if odds >= propose && groups.join(a, b, 0.0) {
            links.push((a, b, odds));
        } else {
            open.push((a, b, odds));
        }
    }
    let mut clusters = collect(scored, &groups, &links, Band::Propose);
    let proposed = groups.survivors();
    let mut doubts = Groups::new(scored);
    let mut links = Vec::new();
    for (a, b, odds) in open {
        let (x, y) = (proposed[a as usize], proposed[b as usize]);
        // What the groups as a whole refuse is not worth anybody's time either.
        let worth = odds >= review && x != y && groups.agree(a, b, review);
        if worth && doubts.join(x, y, review) {
            links.push((a, b, odds.min(propose.next_down())));
        }
    }
    let owners: Vec<_> = links.iter().map(|(a, ..)| proposed[*a as usize]).collect();
    clusters.extend(collect_by(scored, &doubts, links.iter().copied().zip(owners), Band::Review));
    clusters.sort_by(|x, y| y.score.total_cmp(&x.score).then(x.survivor_id.cmp(&y.survivor_id)));
    clusters
}

fn log_odds(probability: f64) -> f64 {
    let p = probability.clamp(1e-9, 1.0 - 1e-9);
    (p / (1.0 - p)).ln()
}

type Link = (u32, u32, f64);

fn collect(scored: &Scored<'_>, groups: &Groups<'_, '_>, links: &[Link], band: Band) -> Vec<Cluster> {
    collect_by(scored, groups, links.iter().map(|link| (*link, link.0)), band)
}

/// The clusters of `groups`; each link comes with a member of the group that it holds together.
fn collect_by(
    scored: &Scored<'_>,
    groups: &Groups<'_, '_>,
    links: impl Iterator<Item = (Link, u32)>,
    band: Band,
) -> Vec<Cluster> {
    let mut by_group: HashMap<u32, Vec<Link>> = HashMap::new();
    for (link, member) in links {
        by_group.entry(groups.root(member)).or_default().push(link);
    }
    let cluster = |(root, links): (u32, Vec<Link>)| {
        let records = &scored.list.records;
        let members = &groups.members[root as usize];
        let survivor = survivor(scored, members);
        let survivor_id = records[survivor as usize].id;
        let mut contact_ids: Vec<_> = members.iter().map(|m| records[*m as usize].id).collect();
        contact_ids.sort_unstable_by_key(|id| (*id != survivor_id, *id));
        let mut evidence = Evidence::default();
        for (a, b, _) in &links {
            evidence.add(scored, *a, *b);
        }
        let weakest = links.iter().map(|(.., odds)| *odds).fold(f64::INFINITY, f64::min);
        Cluster { contact_ids, survivor_id, score: probability(weakest), band, reasons: evidence.reasons() }
    };
    // The order of the map does not matter: the caller sorts the clusters.
    by_group.into_iter().map(cluster).collect()
}

fn survivor(scored: &Scored<'_>, members: &[u32]) -> u32 {
    let rank = |m: &u32| {
        let record = &scored.list.records[*m as usize];
        (std::cmp::Reverse(record.completeness()), record.created_at, record.id)
    };
    members.iter().copied().min_by_key(rank).unwrap_or(0)
}

/// Records in disjoint groups.
struct Groups<'s, 'a> {
    scored: &'s Scored<'a>,
    root: Vec<u32>,
    members: Vec<Vec<u32>>,
    /// Pairs of groups, as large as they were, that did not agree.
    refused: HashSet<(u32, u32, usize)>,
}

impl<'s, 'a> Groups<'s, 'a> {
    fn new(scored: &'s Scored<'a>) -> Self {
        let count = u32::try_from(scored.list.records.len()).unwrap_or(u32::MAX);
        let root: Vec<u32> = (0..count).collect();
        let members = root.iter().map(|n| vec![*n]).collect();
        Self { scored, root, members, refused: HashSet::new() }
    }

    fn root(&self, record: u32) -> u32 {
        self.root[record as usize]
    }

    /// Joins the groups of two records if they agree; whether it did.
    fn join(&mut self, a: u32, b: u32, least: f64) -> bool {
        let (a, b) = (self.root(a), self.root(b));
        if a == b {
            return false;
        }
        let sizes = self.members[a as usize].len() + self.members[b as usize].len();
        let attempt = (a.min(b), a.max(b), sizes);
        if self.refused.contains(&attempt) {
            return false;
        }
        if !self.agree(a, b, least) {
            self.refused.insert(attempt);
            return false;
        }
        let (keep, gone) =
            if self.members[a as usize].len() >= self.members[b as usize].len() { (a, b) } else { (b, a) };
        let moved = std::mem::take(&mut self.members[gone as usize]);
        for member in &moved {
            self.root[*member as usize] = keep;
        }
        self.members[keep as usize].extend(moved);
        true
    }

    /// Whether the pairs between the groups of two records agree on average by `least` log odds, and
    /// no more than one in six contradicts.
    fn agree(&self, a: u32, b: u32, least: f64) -> bool {
        let (a, b) = (&self.members[self.root(a) as usize], &self.members[self.root(b) as usize]);
        let mut sum = 0.0;
        let mut count = 0.0;
        let mut conflicts = 0.0;
        for x in spread(a) {
            for y in spread(b) {
                let verdict = self.scored.verdict(x, y);
                // Who knows too little to agree does not disagree either.
                let odds = if verdict.contradicts { verdict.log_odds } else { verdict.log_odds.max(0.0) };
                sum += odds.clamp(-BOUND, BOUND);
                count += 1.0;
                conflicts += if verdict.comparison.conflict.is_some() { 1.0 } else { 0.0 };
            }
        }
        sum >= least * count && conflicts * 6.0 <= count
    }

    /// The survivor of each record's group.
    fn survivors(&self) -> Vec<u32> {
        let mut survivors = self.root.clone();
        for members in self.members.iter().filter(|m| m.len() > 1) {
            let survivor = survivor(self.scored, members);
            for member in members {
                survivors[*member as usize] = survivor;
            }
        }
        survivors
    }
}

/// As far as one pair may sway the average of two groups.
const BOUND: f64 = 8.0;

/// At most a dozen members, evenly spread.
fn spread(members: &[u32]) -> impl Iterator<Item = u32> + '_ {
    members.iter().copied().step_by(members.len().div_ceil(12))
}

#[cfg(test)]
mod tests;
