//! `07_schedule_and_webhook` as a program: each due time has one run, and each run one signed message.

use std::process::Command;

const TOLD: &str = "\
It is 2026-04-14T08:00:00.000000Z, and a schedule makes a run due every full hour.

2026-04-14T09:00:00.000000Z  1 run enqueued, it succeeded, 1 message delivered
                             run.succeeded of this run, its signature is genuine, that of a forged copy is wrong
2026-04-14T10:00:00.000000Z  1 run enqueued, it succeeded, 1 message delivered
                             run.succeeded of this run, its signature is genuine, that of a forged copy is wrong
2026-04-14T11:00:00.000000Z  1 run enqueued, it succeeded, 1 message delivered
                             run.succeeded of this run, its signature is genuine, that of a forged copy is wrong

Asked again, the scheduler enqueues 0 runs: each due time has one.
";

#[test]
fn what_is_due_is_done_and_told() {
    let here = std::env::current_exe().unwrap();
    let program = here.parent().unwrap().parent().unwrap().join("examples/07_schedule_and_webhook");
    let output = Command::new(&program).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(text, TOLD);
}
