//! `05_own_tool` as a program: the schema that the model is shown, and what its mistakes are answered with.

use std::process::Command;

const SCHEMA: &str = r#"{
  "additionalProperties": false,
  "properties": {
    "nights": {
      "description": "How many nights.",
      "format": "uint32",
      "minimum": 0,
      "type": "integer"
    },
    "room": {
      "description": "The kind of room.",
      "enum": [
        "single",
        "double"
      ],
      "type": "string"
    }
  },
  "required": [
    "nights",
    "room"
  ],
  "type": "object"
}
"#;

const ANSWERS: &str = r#"
  {"nights":0,"room":"double"} -> error: {"error":"nights must be at least 1"}
  {"nights":3,"room":"double"} -> ok: {"euros":360}

Three nights in a double room are 360 euros.
"#;

#[test]
fn its_tool_is_described_called_and_answers() {
    let here = std::env::current_exe().unwrap();
    let program = here.parent().unwrap().parent().unwrap().join("examples/05_own_tool");
    let output = Command::new(&program).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    for part in [SCHEMA, "\n  {\"nights\":3,\"room\":\"suite\"} -> error: ", ANSWERS] {
        assert!(text.contains(part), "{part}\nis missing in\n{text}");
    }
}

/// The promise of the documentation: a whole tool is short.
#[test]
fn whole_tool_has_fewer_than_15_lines() {
    let source = include_str!("../05_own_tool.rs");
    let tool = source.split("fn stay_price() -> FnTool {").nth(1).and_then(|rest| rest.split("\n}\n").next());
    assert!((3..15).contains(&tool.map_or(0, |tool| tool.lines().count())), "{tool:?}");
}
