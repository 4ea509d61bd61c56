//! Progress on a terminal, and nothing elsewhere.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use worktruck_agents::Runtime;
use worktruck_core::TenantId;
use worktruck_core::run::Run;

/// A bar of `length`, or a spinner where the length is not known; hidden if `quiet` or if nobody
/// looks.
#[must_use]
pub fn bar(quiet: bool, length: Option<usize>, message: &'static str) -> ProgressBar {
    if quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match length {
        None => (ProgressBar::new_spinner(), "{spinner} {msg} {elapsed}"),
        Some(length) => (ProgressBar::new(length as u64), "{msg} {bar:40} {pos}/{len} {eta}"),
    };
    bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_message(message)
}

/// Completes when the run has ended, or somebody presses Ctrl-C.
pub async fn until_ended(runtime: &Runtime, tenant: TenantId, run: &Run, bar: &ProgressBar) {
    let ended = async {
        while !matches!(runtime.store().run(tenant, run.id).await, Ok(Some(run)) if run.status.is_terminal()) {
            bar.tick();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = ended => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
