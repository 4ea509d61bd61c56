//! `04_time_travel` as a program: what it prints is what was known, and when.

use std::process::Command;

const TABLE: &str = "
              2026-01-15        2026-02-15        2026-03-15        2026-04-15        2026-05-15
  2026-01-20  Byron, London     Byron, London     Byron, London     Byron, London     Byron, London
  2026-03-10  Byron, London     Byron, London     Byron, Paris      Byron, Paris      Byron, Paris
  2026-04-10  Byron, London     King, London      King, Paris       King, Paris       King, Paris
  2026-05-10  Byron, Leeds      King, Leeds       King, Paris       King, Paris       King, Paris
  2026-05-20  Byron, Leeds      King, Leeds       King, Paris       King, Paris       King, Paris
";

const DAYS: &str = "
  2026-02-01  Ada Byron
  2026-05-10  Ada King, A. King
  2026-05-20  Ada King

Asked for A. King now: Ada King, +44 20 7946 0958
";

const CHANGES: &str = "
  2026-01-10  /addresses     London      mira: user_edit
  2026-01-10  /display_name  Ada Byron   mira: user_edit
  2026-03-01  /addresses     Paris       mira: user_edit
  2026-04-01  /display_name  Ada King    mira: she told us
  2026-05-01  /addresses     Leeds       mira: correction

The merge undone: Ada King, A. King
";

#[test]
fn it_tells_what_was_known_when() {
    let here = std::env::current_exe().unwrap();
    let program = here.parent().unwrap().parent().unwrap().join("examples/04_time_travel");
    let output = Command::new(&program).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    for part in [TABLE, DAYS, CHANGES] {
        assert!(text.contains(part), "{part}\nis missing in\n{text}");
    }
}
