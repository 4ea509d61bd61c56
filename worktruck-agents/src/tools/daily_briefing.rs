use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};
use worktruck_core::entity::task::Task;
use worktruck_core::pim::calendar::{EventFilter, occurrences};
use worktruck_core::pim::tasks::{TaskFilter, TaskSort};
use worktruck_core::pim::{Filter as _, Operation, Stored};
use worktruck_core::recurrence::{Moment, Zone};
use worktruck_core::store::Sort;
use worktruck_core::tool::{Tool, ToolContext, ToolEffect, ToolError, ToolOutput, ToolSpec};
use worktruck_core::{PageRequest, Result as CoreResult};

use super::parse;

/// How many of each are told.
const MOST: u16 = 50;

/// `daily_briefing`: what a day holds: its events, what is due on it, and what is late.
#[derive(Debug)]
pub struct DailyBriefing {
    spec: Arc<ToolSpec>,
}

impl Default for DailyBriefing {
    fn default() -> Self {
        let spec = ToolSpec {
            name: "daily_briefing".to_owned(),
            title: "Daily briefing".to_owned(),
            description: "What today holds, at most 50 of each: events in order of time with series written out, \
                          open tasks that are due today, and open tasks that are late, the one that is late for longest first. The counts \
                          are of all. Say the time zone of the person, or days are those of UTC."
                .to_owned(),
            input_schema: json!({
                "type": "object",
                "properties": {
                    "timezone": { "type": "string", "description": "An IANA name such as Europe/Berlin." }
                },
                "additionalProperties": false
            }),
            effect: ToolEffect::Read,
            is_untrusted: false,
        };
        Self { spec: Arc::new(spec) }
    }
}

#[derive(Debug, Deserialize)]
struct Input {
    timezone: Option<String>,
}

#[async_trait]
impl Tool for DailyBriefing {
    fn spec(&self) -> Arc<ToolSpec> {
        Arc::clone(&self.spec)
    }

    async fn call(&self, context: ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
        let Input { timezone } = parse(input)?;
        let name = timezone.as_deref().unwrap_or("UTC");
        let zone = Zone::parse(name)?;
        let mut operation = Operation::new(context.view, Arc::new(context.ids), "agent");
        operation.locale.timezone =
            zone.name().parse().map_err(|_| ToolError::new(format!("{name:?} is not the name of a time zone")))?;
        let operation = operation.fixed().await?;
        let around = zone.wall(context.now).map(|wall| wall.date()).and_then(|today| {
            let (yesterday, tomorrow) = (today.pred_opt()?, today.succ_opt()?);
            Some((yesterday, today, tomorrow))
        });
        let (yesterday, today, tomorrow) = around.ok_or_else(|| ToolError::new("today is not in the calendar"))?;

        let day =
            EventFilter { from: Some(Moment::Date(today)), to: Some(Moment::Date(tomorrow)), ..EventFilter::default() };
        let events = occurrences(&operation, &day, None, &PageRequest::new(MOST, None)?).await?;
        let late = tasks(&operation, TaskFilter { overdue: Some(true), ..TaskFilter::default() }).await?;
        let due = TaskFilter {
            overdue: Some(false),
            due_after: Some(Moment::Date(yesterday)),
            due_before: Some(Moment::Date(tomorrow)),
            ..TaskFilter::default()
        };
        let due = tasks(&operation, due).await?;
        Ok(ToolOutput::new(json!({
            "date": today,
            "timezone": zone.name(),
            "events": events.data,
            "has_more_events": events.has_more,
            "due": told(&due),
            "due_count": due.len(),
            "late": told(&late),
            "late_count": late.len(),
        })))
    }
}

/// The tasks of the filter that are still to be done, in the order in which they are due.
async fn tasks(operation: &Operation, filter: TaskFilter) -> CoreResult<Vec<Stored<Task>>> {
    let mut query = filter.apply(operation.query::<Task>(), operation).await?;
    query.sort = Sort { field: TaskSort::Due.into(), descending: false };
    let mut found = operation.all::<Task>(query).await?;
    found.retain(|task| task.data.completed_at.is_none() && task.data.canceled_at.is_none());
    Ok(found)
}

fn told(tasks: &[Stored<Task>]) -> Vec<Value> {
    tasks.iter().take(MOST.into()).filter_map(|task| serde_json::to_value(task).ok()).collect()
}
