//! Spans around runs, turns and calls, with the names of OpenTelemetry's conventions for generative AI (as of 1.41).
//!
//! No span has a field for what goes into a model or a tool, or for what comes out. `otel.name`, `otel.kind` and
//! `otel.status_code` are what the bridge from `tracing` to OpenTelemetry reads.

use tracing::field::{Empty, display};
use tracing::{Span, info_span};
use worktruck_core::executor::ToolCall;
use worktruck_core::model::{ModelError, ModelReply, ModelRequest};
use worktruck_core::run::{Run, RunStatus};
use worktruck_core::tool::{ToolError, ToolOutput};
use worktruck_core::{ErrorKind, Result};

/// A worker has a run, from its claim until it ends, waits or is given back.
pub(crate) fn run(run: &Run) -> Span {
    info_span!(
        "invoke_agent",
        otel.name = format!("invoke_agent {}", run.agent_blueprint),
        otel.kind = "internal",
        otel.status_code = Empty,
        gen_ai.operation.name = "invoke_agent",
        gen_ai.agent.name = run.agent_blueprint,
        gen_ai.conversation.id = %run.id,
        worktruck.tenant.id = %run.tenant_id,
        worktruck.run.attempt = run.attempt,
        worktruck.run.status = Empty,
        "error.type" = Empty,
    )
}

/// How a worker left a run.
pub(crate) fn left(span: &Span, left: &Result<RunStatus>) {
    match left {
        Ok(status) => {
            span.record("worktruck.run.status", status.as_str());
            if *status == RunStatus::Failed {
                failed(span, "run_failed");
            }
        }
        Err(error) if error.kind() == ErrorKind::LeaseLost => failed(span, "lease_lost"),
        Err(error) => failed(span, error.kind().as_str()),
    }
}

/// A model is asked for a turn; `model` is its full name.
pub(crate) fn turn(model: &str, request: &ModelRequest) -> Span {
    let provider = model.split_once('/').map_or(model, |(provider, _)| provider);
    info_span!(
        "chat",
        otel.name = format!("chat {}", request.model),
        otel.kind = "client",
        otel.status_code = Empty,
        gen_ai.operation.name = "chat",
        gen_ai.provider.name = provider,
        gen_ai.request.model = request.model,
        gen_ai.request.max_tokens = request.max_tokens,
        gen_ai.response.model = Empty,
        gen_ai.usage.input_tokens = Empty,
        gen_ai.usage.output_tokens = Empty,
        gen_ai.usage.cache_read.input_tokens = Empty,
        "error.type" = Empty,
    )
}

/// What a model was heard of.
pub(crate) fn replied(span: &Span, reply: &Result<ModelReply, ModelError>) {
    match reply {
        Ok(ModelReply { model, usage, .. }) => {
            span.record("gen_ai.response.model", display(model));
            span.record("gen_ai.usage.input_tokens", usage.prompt_tokens());
            span.record("gen_ai.usage.output_tokens", usage.output_tokens);
            if usage.cache_read_tokens > 0 {
                span.record("gen_ai.usage.cache_read.input_tokens", usage.cache_read_tokens);
            }
        }
        Err(error) => failed(span, error.category.as_str()),
    }
}

/// A tool is called.
pub(crate) fn call(call: &ToolCall) -> Span {
    info_span!(
        "execute_tool",
        otel.name = format!("execute_tool {}", call.name),
        otel.kind = "internal",
        otel.status_code = Empty,
        gen_ai.operation.name = "execute_tool",
        gen_ai.tool.name = call.name,
        gen_ai.tool.call.id = call.call_id,
        "gen_ai.tool.type" = "function",
        worktruck.step.seq = call.seq,
        "error.type" = Empty,
    )
}

/// What a tool came back with.
pub(crate) fn returned(span: &Span, result: &Result<ToolOutput, ToolError>) {
    if let Err(error) = result {
        failed(span, error.fatal.map_or("tool_error", |category| category.as_str()));
    }
}

fn failed(span: &Span, why: &'static str) {
    span.record("otel.status_code", "ERROR");
    span.record("error.type", why);
}
