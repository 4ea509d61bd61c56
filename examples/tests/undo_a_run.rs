//! `08_undo_a_run` as a program: what it prints is what became of the contacts.

use std::process::Command;

const TEXT: &str = "\
There are: ada lovelace, BOB SMITH, test test

An agent tidies them up:

  step 2: ada lovelace became Ada Lovelace
  step 3: BOB SMITH became Bob Smith
  step 4: test test was deleted

There are: Ada Lovelace, Bob Smith

Mira goes on with what the agent left: Ada Lovelace is Ada King. Then the run is to be undone.

It is refused:

  Ada King was edited since, by mira, which is version 3

Nothing was written. There are: Ada King, Bob Smith

Forced for her, it is undone: 3 contacts are as before, in one commit.
There are: ada lovelace, BOB SMITH, test test
Undone again: 0 contacts to give back.

As a document the run has 5 steps. Its chain is valid: true. This software would do the same: 5 of 5.
";

#[test]
fn it_tells_what_was_undone() {
    let here = std::env::current_exe().unwrap();
    let program = here.parent().unwrap().parent().unwrap().join("examples/08_undo_a_run");
    let output = Command::new(&program).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), TEXT);
}
