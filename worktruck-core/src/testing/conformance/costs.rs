//! What sums over what runs have cost promise.

use chrono::NaiveDate;
use serde_json::json;

use crate::model::Usage;
use crate::run::{FailureCategory, NewRun, Transition};
use crate::store::{AgentCost, AgentCostQuery};
use crate::{ErrorKind, NanoUsd, TenantId};

use super::Stage;
use super::build::*;

const DAY: i64 = 86_400;

fn date(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, day).expect("a day of January")
}

fn days(from: u32, to: u32) -> AgentCostQuery {
    AgentCostQuery { from: date(from), to: date(to), blueprint: None }
}

fn tokens(input_tokens: u64, output_tokens: u64) -> Usage {
    Usage { input_tokens, output_tokens, cache_read_tokens: 7, cache_write_tokens: 9 }
}

/// Takes the next run of `blueprint`, makes a step with and one without tokens, and ends it at `seconds`.
async fn end(stage: &Stage, blueprint: &str, usage: Usage, seconds: i64, transition: Transition) {
    let mut claimed =
        stage.store.claim(worker_with(1, blueprint, 1), at(seconds - 1)).await.expect("a claim is answered");
    let mut held = stage.hold(claimed.pop().expect("there is a run to take")).await;
    let commit = held.commit(vec![Done::using(usage), Done::nothing("read")], transition);
    held.send(stage, commit, at(seconds)).await;
}

async fn costs(stage: &Stage, tenant: TenantId, query: AgentCostQuery) -> Vec<AgentCost> {
    stage.store.agent_costs(tenant, query).await.expect("costs are summed")
}

/// What ended on a day is summed by blueprint: runs, failures, tokens and cost. What has not ended is not counted.
pub async fn costs_are_summed_by_day_and_blueprint(stage: Stage) {
    let tenant = stage.tenant(1).await;
    for n in 1..=6 {
        let agent_blueprint = if n == 4 { "another" } else { BLUEPRINT }.to_owned();
        stage.accept(tenant, NewRun { agent_blueprint, ..new_run(n) }, at(i64::from(n))).await;
    }
    let succeed = || Transition::Succeed { output: json!("done") };
    let fail = Transition::Fail { category: FailureCategory::ToolFailed, detail: "broke".to_owned() };
    end(&stage, BLUEPRINT, tokens(100, 10), 100, succeed()).await;
    // The last moment of the first day, and the first one of the second.
    end(&stage, BLUEPRINT, tokens(1 << 62, 20), DAY - 1, fail).await;
    end(&stage, BLUEPRINT, tokens(u64::MAX, 30), DAY, succeed()).await;
    end(&stage, "another", tokens(400, 40), DAY + 5, Transition::Cancel).await;
    end(&stage, BLUEPRINT, tokens(500, 50), DAY + 6, Transition::Continue).await;

    // Two steps cost 1001 and 1002.
    let row = |day, blueprint: &str, runs, failed_runs, input_tokens, output_tokens| AgentCost {
        date: date(day),
        agent_blueprint: blueprint.to_owned(),
        runs,
        failed_runs,
        input_tokens,
        output_tokens,
        cost: crate::run::Cost(NanoUsd::new(2_003).times(runs)),
    };
    let first = row(1, BLUEPRINT, 2, 1, (1 << 62) + 100, 30);
    let another = row(2, "another", 1, 0, 400, 40);
    let second = row(2, BLUEPRINT, 1, 0, i64::MAX.unsigned_abs(), 30);
    assert_eq!(costs(&stage, tenant, days(1, 2)).await, [first.clone(), another.clone(), second.clone()]);
    assert_eq!(costs(&stage, tenant, days(1, 1)).await, [first]);
    assert_eq!(costs(&stage, tenant, days(2, 31)).await, [another.clone(), second]);
    assert_eq!(costs(&stage, tenant, days(3, 31)).await, []);
    let of = |blueprint: &str| AgentCostQuery { blueprint: Some(blueprint.to_owned()), ..days(1, 31) };
    assert_eq!(costs(&stage, tenant, of("another")).await, [another]);
    assert_eq!(costs(&stage, tenant, of("anoth\0er")).await, [], "what no store keeps is no blueprint");
    assert_refused(stage.store.agent_costs(tenant, days(2, 1)).await, ErrorKind::InvalidRequest, "days backwards");
}

/// `agent_costs` tells nothing of another tenant.
pub async fn costs_show_nothing_of_another_tenant(stage: Stage) {
    let [rich, poor] = stage.tenants().await;
    stage.enqueue(rich, 1, at(0)).await;
    end(&stage, BLUEPRINT, tokens(1, 1), 100, Transition::Succeed { output: json!("done") }).await;
    assert_eq!(costs(&stage, rich, days(1, 1)).await.len(), 1);
    assert_eq!(costs(&stage, poor, days(1, 1)).await, []);
}
