use std::fmt::Write as _;

use crate::model::{ModelError, ModelReply};
use crate::run::{Commit, Transition};
use crate::tool::{ToolError, ToolOutput};

/// A commit in one line: its number, what it adds to the journal, where it leaves the run.
pub(super) fn commit(commit: &Commit) -> String {
    let mut line = format!("commit {}:", commit.number);
    if commit.snapshot.is_some() {
        line.push_str(" snapshot,");
    }
    let seqs: Vec<u32> = commit.steps.iter().map(|step| step.step.seq).collect();
    let _ = match seqs.as_slice() {
        [] => Ok(()),
        [seq] => write!(line, " step {seq},"),
        [first, .., last] => write!(line, " steps {first}..{last},"),
    };
    for (what, has_receipt) in [("opens", false), ("receipts", true)] {
        let calls = commit.calls.iter().filter(|call| call.receipt.is_some() == has_receipt);
        let seqs: Vec<u32> = calls.map(|call| call.seq).collect();
        if !seqs.is_empty() {
            let _ = write!(line, " {what} {seqs:?},");
        }
    }
    let end = match &commit.transition {
        Transition::Continue => "continue".to_owned(),
        Transition::Succeed { .. } => "succeed".to_owned(),
        Transition::Fail { category, .. } => format!("fail {category}"),
        Transition::Cancel => "cancel".to_owned(),
        Transition::Wait { .. } => "wait".to_owned(),
        Transition::Release => "release".to_owned(),
    };
    line + " " + &end
}

pub(super) fn replied(turn: usize, reply: &Result<ModelReply, ModelError>) -> String {
    match reply {
        Ok(_) => format!("<- answer #{turn}"),
        Err(error) => format!("<- {} #{turn}", error.category.as_str()),
    }
}

pub(super) fn returned(seq: u32, result: &Result<ToolOutput, ToolError>) -> String {
    match result {
        Ok(_) => format!("<- call {seq} ok"),
        Err(ToolError { fatal: None, .. }) => format!("<- call {seq} error"),
        Err(ToolError { fatal: Some(_), .. }) => format!("<- call {seq} fatal"),
    }
}
