use serde_json::{Value, json};
use worktruck_benches::samples::{Part, median, quantile};
use worktruck_core::entity::Kind;

/// Which page of a list.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Which {
    /// The first.
    First,
    /// One that begins up to two thousand entities later.
    Deep,
    /// The first, as of the middle of all commits.
    AsOf,
}

/// A list that is measured.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) kind: Kind,
    pub(super) filter: String,
    pub(super) sort: &'static str,
    pub(super) is_down: bool,
    pub(super) which: Which,
}

/// How long a list took.
#[derive(Debug)]
pub(super) struct Timed {
    pub(super) shape: Shape,
    /// How many entities it has, of the value in the middle.
    pub(super) hits: usize,
    /// Milliseconds of each page of the store, and of the plain table.
    pub(super) ours: Vec<f64>,
    pub(super) plain: Vec<f64>,
}

impl Shape {
    /// Everything but what is asked for in a few words.
    pub(super) fn name(&self) -> String {
        let direction = if self.is_down { " down" } else { "" };
        let which = match self.which {
            Which::First => "",
            Which::Deep => ", deep",
            Which::AsOf => ", as of the middle",
        };
        format!("{} {} by {}{direction}{which}", self.kind, self.filter, self.sort)
    }
}

impl Timed {
    pub(super) fn median(&self) -> f64 {
        median(&self.ours)
    }

    fn ratio(&self) -> f64 {
        self.median() / median(&self.plain)
    }

    /// A line of the table.
    pub(super) fn line(&self, limit: f64) -> String {
        let above = if self.median() > limit { "ABOVE" } else { "" };
        let line = format!(
            "  {:<78} {:>8.2} {:>8.2} {:>8.2} {:>7.1} {:>6} {:>4} {above}",
            self.shape.name(),
            self.median(),
            quantile(&self.ours, Part::All95),
            median(&self.plain),
            self.ratio(),
            self.hits,
            self.ours.len(),
        );
        line.trim_end().to_owned()
    }

    /// The same for programs.
    pub(super) fn json(&self, limit: f64) -> Value {
        json!({
            "name": self.shape.name(), "unit": "ms", "median": self.median(), "p95": quantile(&self.ours, Part::All95),
            "plain_median": median(&self.plain), "plain_p95": quantile(&self.plain, Part::All95),
            "ratio": self.ratio(), "hits": self.hits, "reads": self.ours.len(), "met": self.median() <= limit,
        })
    }
}

/// The heading of the lines.
pub(super) fn heading() -> String {
    let [list, median, p95, plain, ratio, hits, reads] = ["list", "median", "p95", "plain", "ratio", "hits", "reads"];
    format!("  {list:<78} {median:>8} {p95:>8} {plain:>8} {ratio:>7} {hits:>6} {reads:>4}")
}

/// The table: what takes longest first.
pub(super) fn table(timed: &mut [Timed], limit: f64) -> Vec<String> {
    timed.sort_by(|a, b| b.median().total_cmp(&a.median()));
    let lines = timed.iter().map(|timed| timed.line(limit));
    std::iter::once(heading()).chain(lines).chain(summary(timed, limit)).collect()
}

/// How many lists are above the limit, and how they compare with the plain tables.
fn summary(timed: &[Timed], limit: f64) -> Vec<String> {
    let whiches = [(Which::First, "first pages"), (Which::Deep, "deep pages"), (Which::AsOf, "pages as of the middle")];
    let of = |(which, name)| {
        let of: Vec<&Timed> = timed.iter().filter(|timed| timed.shape.which == which).collect();
        let above = of.iter().filter(|timed| timed.median() > limit).count();
        let medians: Vec<f64> = of.iter().map(|timed| timed.median()).collect();
        let ratios: Vec<f64> = of.iter().map(|timed| timed.ratio()).collect();
        format!(
            "  {name}: {above} of {} lists above {limit} ms; median {:.2} ms, 95 of 100 {:.2} ms, the slowest {:.2} ms; {:.1} x plain",
            of.len(),
            median(&medians),
            quantile(&medians, Part::All95),
            quantile(&medians, Part::All),
            median(&ratios),
        )
    };
    whiches.into_iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timed(which: Which, ours: f64) -> Timed {
        let shape = Shape { kind: Kind::Note, filter: "tag".to_owned(), sort: "title", is_down: true, which };
        Timed { shape, hits: 7, ours: vec![ours; 3], plain: vec![2.0; 3] }
    }

    #[test]
    fn the_slowest_list_comes_first_and_says_that_it_is_above_the_limit() {
        let lines = table(&mut [timed(Which::Deep, 4.0), timed(Which::First, 6.0)], 5.0);
        let words: Vec<&str> = lines[1].split_whitespace().collect();
        assert_eq!(words, ["note", "tag", "by", "title", "down", "6.00", "6.00", "2.00", "3.0", "7", "3", "ABOVE"]);
        assert!(lines[2].contains("deep") && !lines[2].contains("ABOVE"));
        assert!(lines[3].contains("first pages: 1 of 1 lists above 5 ms"), "{}", lines[3]);
        assert!(lines[4].contains("deep pages: 0 of 1 lists"), "{}", lines[4]);
    }
}
