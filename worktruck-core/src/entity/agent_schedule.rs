//! Agent schedules: when runs of a blueprint are due.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::schedule::{CatchUp, Overlap, Policy, Timetable};
use crate::{Error, Result, RunId, Timestamp};

use super::text::{check_name, check_object, check_optional_text};
use super::{Entity, Index, Kind, Locale};

/// The longest jitter, in seconds.
const LONGEST_JITTER: u32 = 3_600;

/// When runs of a blueprint are due, and how far its scheduler is.
///
/// From `next_run_at` on, fields are the scheduler's: whoever writes a schedule leaves them out, or sends them as they
/// are.
///
/// # Examples
///
/// ```
/// use worktruck_core::entity::agent_schedule::AgentSchedule;
///
/// let schedule = AgentSchedule::new("daily_briefing", "0 7 * * *", "Europe/Berlin");
/// schedule.check()?;
///
/// let wrong = AgentSchedule { cron_expression: "0 25 * * *".into(), ..schedule };
/// assert_eq!(wrong.check().unwrap_err().pointer(), Some("/cron_expression"));
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AgentSchedule {
    /// The blueprint.
    pub blueprint: String,
    /// Five fields, or six with seconds.
    pub cron_expression: String,
    /// The zone whose clocks the expression is read on.
    #[serde(default = "utc")]
    pub timezone: String,
    /// What runs are asked for; texts in it have the due time in the place of `{{due_at}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_template: Option<Value>,
    /// Whether runs are enqueued.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// What becomes of a due time while the run before it has not ended.
    #[serde(default)]
    pub overlap: Overlap,
    /// What becomes of due times that no scheduler was there for.
    #[serde(default)]
    pub catch_up: CatchUp,
    /// How long after its due time a run is enqueued at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter_secs: Option<u32>,
    /// Whatever the application keeps with it.
    #[serde(default)]
    pub metadata: Map<String, Value>,
    /// The due time that comes next; none while it is not enabled.
    #[serde(default)]
    pub next_run_at: Option<Timestamp>,
    /// When a run was last enqueued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_enqueued_at: Option<Timestamp>,
    /// That run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_run_id: Option<RunId>,
    /// How many due times in a row came to a run that failed or was refused, as far as it was known when the next one
    /// came.
    #[serde(default)]
    pub consecutive_failures: u32,
    /// Why a scheduler has disabled it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_reason: Option<String>,
}

fn utc() -> String {
    "UTC".to_owned()
}

const fn yes() -> bool {
    true
}

impl AgentSchedule {
    /// The sort key of the due time that comes next: empty while there is none.
    pub const NEXT_RUN_AT: &'static str = "next_run_at";

    /// The fields that are the scheduler's.
    pub const READ_ONLY: [&'static str; 5] =
        [Self::NEXT_RUN_AT, "last_enqueued_at", "last_run_id", "consecutive_failures", "disabled_reason"];

    /// A schedule that is enabled, passes over what overlaps and what is missed, and has no jitter.
    pub fn new(blueprint: impl Into<String>, cron_expression: impl Into<String>, timezone: impl Into<String>) -> Self {
        Self {
            blueprint: blueprint.into(),
            cron_expression: cron_expression.into(),
            timezone: timezone.into(),
            input_template: None,
            enabled: true,
            overlap: Overlap::default(),
            catch_up: CatchUp::default(),
            jitter_secs: None,
            metadata: Map::new(),
            next_run_at: None,
            last_enqueued_at: None,
            last_run_id: None,
            consecutive_failures: 0,
            disabled_reason: None,
        }
    }

    /// Its due times.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` at `/cron_expression` or `/timezone`.
    pub fn timetable(&self) -> Result<Timetable> {
        Timetable::parse(&self.cron_expression, &self.timezone)
    }

    /// How it treats its due times.
    #[must_use]
    pub fn policy(&self) -> Policy {
        Policy { overlap: self.overlap, catch_up: self.catch_up, jitter_secs: self.jitter_secs.unwrap_or(0) }
    }

    /// Checks every field.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` naming the field.
    pub fn check(&self) -> Result<()> {
        check_name("/blueprint", &self.blueprint)?;
        self.timetable()?;
        if let Some(template) = &self.input_template {
            let Some(object) = template.as_object() else {
                return Err(Error::invalid("input_template must be an object").at("/input_template"));
            };
            check_object("/input_template", object)?;
        }
        if self.jitter_secs.is_some_and(|secs| secs > LONGEST_JITTER) {
            return Err(Error::invalid(format!("jitter_secs must be at most {LONGEST_JITTER}")).at("/jitter_secs"));
        }
        check_object("/metadata", &self.metadata)?;
        check_optional_text("/disabled_reason", self.disabled_reason.as_deref())
    }
}

impl Entity for AgentSchedule {
    const KIND: Kind = Kind::AgentSchedule;
    const SORT_KEYS: &'static [&'static str] = &[Self::NEXT_RUN_AT];

    fn normalise(&mut self, _: &Locale) -> Result<()> {
        self.check()
    }

    fn index(&self) -> Result<Index> {
        self.check()?;
        let next = self.next_run_at.map(|at| at.to_string()).unwrap_or_default();
        Ok(Index::default().term("blueprint", &self.blueprint).key(Self::NEXT_RUN_AT, next))
    }
}
