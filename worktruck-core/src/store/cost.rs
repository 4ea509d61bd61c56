use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, NaiveTime};
use serde::{Deserialize, Serialize};

use crate::run::Cost;
use crate::{Error, NanoUsd, Result, Timestamp};

/// What the runs of a blueprint that ended on a day, in UTC, have cost.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct AgentCost {
    /// The day.
    pub date: NaiveDate,
    /// What kind of agent.
    pub agent_blueprint: String,
    /// How many runs ended.
    pub runs: u64,
    /// How many of them failed.
    pub failed_runs: u64,
    /// Prompt tokens that no cache served, of all their steps.
    pub input_tokens: u64,
    /// Tokens of the answers, of all their steps.
    pub output_tokens: u64,
    /// What they cost: the exact sum of their steps.
    #[serde(flatten)]
    pub cost: Cost,
}

/// The most days that are asked about at once.
pub const MOST_COST_DAYS: u32 = 366;

/// Which costs are wanted: of runs that ended on `from`, on `to` or between, days in UTC.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AgentCostQuery {
    /// The first day.
    pub from: NaiveDate,
    /// The last day.
    pub to: NaiveDate,
    /// Of this blueprint alone.
    pub blueprint: Option<String>,
}

impl AgentCostQuery {
    /// The first moment that is asked about, and the first one after it that is not.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` if the last day is before the first one, or the days are more than [`MOST_COST_DAYS`].
    ///
    /// # Examples
    ///
    /// ```
    /// use worktruck_core::store::AgentCostQuery;
    ///
    /// let day = |text: &str| text.parse().map_err(|_| worktruck_core::Error::invalid("not a day"));
    /// let query = AgentCostQuery { from: day("2026-02-01")?, to: day("2026-02-28")?, blueprint: None };
    /// assert_eq!(query.span()?, ("2026-02-01T00:00:00Z".parse()?, "2026-03-01T00:00:00Z".parse()?));
    ///
    /// let backwards = AgentCostQuery { to: day("2026-01-31")?, ..query };
    /// assert_eq!(backwards.span().unwrap_err().pointer(), Some("/to"));
    /// # Ok::<(), worktruck_core::Error>(())
    /// ```
    pub fn span(&self) -> Result<(Timestamp, Timestamp)> {
        let days = self.to.signed_duration_since(self.from).num_days();
        if days < 0 {
            return Err(Error::invalid("to must not be before from").at("/to"));
        }
        if days >= i64::from(MOST_COST_DAYS) {
            return Err(Error::invalid(format!("at most {MOST_COST_DAYS} days can be asked about at once")).at("/to"));
        }
        let after = self.to.succ_opt().ok_or_else(|| Error::invalid("to is not in the calendar").at("/to"))?;
        Ok((midnight(self.from), midnight(after)))
    }
}

fn midnight(date: NaiveDate) -> Timestamp {
    Timestamp::from_micros(date.and_time(NaiveTime::MIN).and_utc().timestamp_micros())
}

/// Sums what runs have cost by day and blueprint, for a backend that answers
/// [`agent_costs`](super::RunStore::agent_costs). Sums stop at `i64::MAX`.
#[derive(Debug, Default)]
pub struct CostTable(BTreeMap<(NaiveDate, String), Costs>);

/// A part of what the runs of one day and blueprint come to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Costs {
    /// How many runs ended.
    pub runs: u64,
    /// How many of them failed.
    pub failed_runs: u64,
    /// Their prompt tokens that no cache served.
    pub input_tokens: u64,
    /// The tokens of their answers.
    pub output_tokens: u64,
    /// What they cost.
    pub cost: NanoUsd,
}

impl CostTable {
    /// Adds a part of what runs of `blueprint` come to that ended at `ended`.
    ///
    /// # Errors
    ///
    /// `Internal` if `ended` is not in the calendar: no run can have ended then.
    pub fn add(&mut self, ended: Timestamp, blueprint: &str, part: Costs) -> Result<()> {
        let date = DateTime::from_timestamp_micros(ended.as_micros())
            .ok_or_else(|| Error::internal("a run has ended at a moment that is not in the calendar"))?
            .date_naive();
        let sum = self.0.entry((date, blueprint.to_owned())).or_default();
        sum.runs = most(sum.runs, part.runs);
        sum.failed_runs = most(sum.failed_runs, part.failed_runs);
        sum.input_tokens = most(sum.input_tokens, part.input_tokens);
        sum.output_tokens = most(sum.output_tokens, part.output_tokens);
        sum.cost += part.cost;
        Ok(())
    }

    /// The sums, by day and then by blueprint.
    #[must_use]
    pub fn into_rows(self) -> Vec<AgentCost> {
        let row = |((date, agent_blueprint), sum): ((NaiveDate, String), Costs)| AgentCost {
            date,
            agent_blueprint,
            runs: sum.runs,
            failed_runs: sum.failed_runs,
            input_tokens: sum.input_tokens,
            output_tokens: sum.output_tokens,
            cost: Cost(sum.cost),
        };
        self.0.into_iter().map(row).collect()
    }
}

/// The sum, or the most that a column of a database can hold.
fn most(one: u64, other: u64) -> u64 {
    one.saturating_add(other).min(i64::MAX.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_year_can_be_asked_about_and_no_more() {
        let day = |text: &str| text.parse::<NaiveDate>().expect("a day");
        let query = AgentCostQuery { from: day("2024-01-01"), to: day("2024-12-31"), blueprint: None };
        assert!(query.span().is_ok(), "a leap year");
        let error = AgentCostQuery { to: day("2025-01-01"), ..query }.span().expect_err("too many days");
        assert_eq!(error.pointer(), Some("/to"));
        let last = AgentCostQuery { from: NaiveDate::MAX, to: NaiveDate::MAX, blueprint: None };
        assert!(last.span().is_err(), "there is no day after the last one");
    }

    #[test]
    fn sums_stop_at_what_a_column_can_hold() {
        let mut table = CostTable::default();
        for _ in 0..2 {
            let part = Costs { input_tokens: u64::MAX, cost: NanoUsd::MAX, ..Costs::default() };
            table.add(Timestamp::EPOCH, "a", part).expect("the epoch is a day");
        }
        let rows = table.into_rows();
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].input_tokens, rows[0].cost.0), (i64::MAX.unsigned_abs(), NanoUsd::MAX));
    }
}
