use serde_json::json;
use worktruck_core::model::ModelErrorCategory;
use worktruck_core::run::RunStatus;
use worktruck_core::testing::script::Reply;

use super::capture::{Seen, listen};
use super::stage::{Stage, tenant};

const NEVER: &str = "never-in-a-span";

fn fields(seen: &Seen, names: &[&str]) -> Vec<Option<String>> {
    names.iter().map(|name| seen.is(name).map(str::to_owned)).collect()
}

fn expect(seen: &Seen, expected: &[(&str, &str)]) {
    for (name, value) in expected {
        assert_eq!(seen.is(name), Some(*value), "{name} of {seen:?}");
    }
}

#[tokio::test]
async fn run_turns_and_calls_have_spans_with_the_names_of_the_conventions() {
    let capture = listen();
    let stage = Stage::new([
        Reply::calls([("contacts_write", json!({ "name": NEVER })), ("contacts_search", json!({ "fail": NEVER }))]),
        Reply::text(NEVER).using(7, 5),
    ])
    .await;
    let run = stage.enqueue().await;
    assert_eq!(stage.work(run).await.status, RunStatus::Succeeded);

    let runs = capture.named("invoke_agent");
    assert_eq!(runs.len(), 1, "{runs:?}");
    expect(
        &runs[0],
        &[
            ("otel.name", "invoke_agent agent"),
            ("otel.kind", "internal"),
            ("gen_ai.operation.name", "invoke_agent"),
            ("gen_ai.agent.name", "agent"),
            ("gen_ai.conversation.id", &run.to_string()),
            ("worktruck.tenant.id", &tenant().to_string()),
            ("worktruck.run.attempt", "1"),
            ("worktruck.run.status", "succeeded"),
        ],
    );
    assert_eq!((runs[0].parent, runs[0].is("error.type")), (None, None));

    let turns = capture.named("chat");
    let usage = ["gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"];
    let used: Vec<_> = turns.iter().map(|turn| fields(turn, &usage)).collect();
    assert_eq!(used, [["1000", "100"], ["7", "5"]].map(|pair| pair.map(|n| Some(n.to_owned())).to_vec()));
    for turn in &turns {
        expect(
            turn,
            &[
                ("otel.name", "chat model"),
                ("otel.kind", "client"),
                ("gen_ai.operation.name", "chat"),
                ("gen_ai.provider.name", "scripted"),
                ("gen_ai.request.model", "model"),
                ("gen_ai.request.max_tokens", "1000"),
                ("gen_ai.response.model", "scripted-1"),
            ],
        );
        assert_eq!((turn.parent, turn.is("error.type")), (Some("invoke_agent"), None));
    }

    let calls = capture.named("execute_tool");
    let about = ["otel.name", "gen_ai.tool.name", "gen_ai.tool.call.id", "worktruck.step.seq", "error.type"];
    let mut told: Vec<_> = calls.iter().map(|call| fields(call, &about)).collect();
    told.sort();
    let text = |texts: [Option<&str>; 5]| texts.map(|text| text.map(str::to_owned)).to_vec();
    assert_eq!(
        told,
        [
            text([
                Some("execute_tool contacts_search"),
                Some("contacts_search"),
                Some("call-2"),
                Some("3"),
                Some("tool_error")
            ]),
            text([Some("execute_tool contacts_write"), Some("contacts_write"), Some("call-1"), Some("2"), None]),
        ]
    );
    for call in &calls {
        expect(call, &[("gen_ai.operation.name", "execute_tool"), ("gen_ai.tool.type", "function")]);
        assert_eq!(call.parent, Some("invoke_agent"));
    }
    assert!(!capture.text().contains(NEVER), "{}", capture.text());
    assert!(capture.text().contains("run left"), "what is logged is captured too");
}

#[tokio::test]
async fn failures_of_models_name_their_type() {
    let capture = listen();
    let stage = Stage::new([Reply::error(ModelErrorCategory::InvalidKey)]).await;
    let run = stage.enqueue().await;
    assert_eq!(stage.work(run).await.status, RunStatus::Failed);
    expect(&capture.named("chat")[0], &[("error.type", "invalid_key"), ("otel.status_code", "ERROR")]);
    let failed = [("worktruck.run.status", "failed"), ("error.type", "run_failed"), ("otel.status_code", "ERROR")];
    expect(&capture.named("invoke_agent")[0], &failed);
}

#[tokio::test]
async fn failures_of_tools_name_their_type() {
    let capture = listen();
    let stage = Stage::new([Reply::calls([("contacts_search", json!({ "fatal": NEVER }))])]).await;
    let run = stage.enqueue().await;
    assert_eq!(stage.work(run).await.status, RunStatus::Failed);
    expect(&capture.named("execute_tool")[0], &[("error.type", "tool_failed"), ("otel.status_code", "ERROR")]);
    assert!(!capture.text().contains(NEVER), "{}", capture.text());
}
