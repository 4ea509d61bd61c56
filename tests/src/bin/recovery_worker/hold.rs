use std::io::Write as _;

use worktruck_tests::{Announcement, Beside};

/// Writes a line for the test to read.
pub(crate) fn announce(announcement: &Announcement) {
    // A test that has gone reads nothing, and kills this process.
    if let Ok(line) = serde_json::to_string(announcement) {
        let _ = writeln!(std::io::stdout().lock(), "{line}");
    }
}

/// Stays here until a line comes on standard input.
///
/// It does not wait as other futures do: the task that polls it stands still. So nothing else of the
/// run moves on, nobody drops it, and a test that stops the process meanwhile knows where it is.
pub(crate) async fn hold(beside: Beside) {
    announce(&Announcement::Held { beside });
    let read = tokio::task::block_in_place(|| std::io::stdin().read_line(&mut String::new()));
    if !matches!(read, Ok(1..)) {
        std::future::pending::<()>().await;
    }
    announce(&Announcement::GoesOn);
}

/// Returns when a line comes on standard input.
pub(crate) async fn told() {
    let read = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await;
    if !matches!(read, Ok(Ok(1..))) {
        std::future::pending::<()>().await;
    }
}
