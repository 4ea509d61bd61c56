//! `06_approval` as a program: the question, the answer, and what was done instead of what the model wanted.

use std::process::Command;

const ASKED: &str = r#"The run is waiting. A person is asked:

  mail_send {"discount_percent":50,"subject":"Your offer","to":"ada@example.com"}
  Mail to customers is read by somebody before it goes out.

A typing error is refused (invalid_request), and the question stays open.
Mira approves it with a discount of 10 percent.

  {"discount_percent":10,"subject":"Your offer","to":"ada@example.com"} -> {"discount_percent":10,"sent_to":"ada@example.com","subject":"Your offer"}
"#;

const STORY: [&str; 8] = [
    "It was accepted.",
    "A worker began it.",
    "Step 1: scripted/model answered",
    "A person is asked about the call of mail_send",
    "It waits for a person to decide.",
    "user:mira approved the call of mail_send with another input: 10 percent is enough.",
    "Step 2: mail_send answered",
    "It succeeded.",
];

#[test]
fn person_is_asked_and_the_run_goes_on_with_their_input() {
    let here = std::env::current_exe().unwrap();
    let program = here.parent().unwrap().parent().unwrap().join("examples/06_approval");
    let output = Command::new(&program).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains(ASKED), "{ASKED}\nis missing in\n{text}");
    let mut rest = text.split_once("The story of the run:").unwrap().1;
    for sentence in STORY {
        rest = rest.split_once(sentence).unwrap_or_else(|| panic!("{sentence}\nis missing in\n{text}")).1;
    }
}
