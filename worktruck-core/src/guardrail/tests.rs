use chrono_tz::Tz;
use proptest::prelude::*;
use serde_json::{Value, from_value, json};

use super::*;
use crate::Timestamp;

fn rules(json: &Value) -> Vec<Rule> {
    from_value(json.clone()).unwrap()
}

/// What the rules say of the first call of a run.
fn evaluate(rules: &[Rule], tool: &str, input: &Value) -> Verdict {
    let (now, zone, history) = (Timestamp::EPOCH, Tz::UTC, History::default());
    RuleSet::new(rules.to_vec()).evaluate(&Call { tool, input, now, zone, history: &history })
}

fn is_offerable(rules: &[Rule], tool: &str) -> bool {
    RuleSet::new(rules.to_vec()).is_offerable(tool)
}

/// `{outcome} | {decisions}`: what happens and by which rule, and one letter per rule.
fn decided(rules_json: &Value, tool: &str, input: &Value) -> String {
    let verdict = evaluate(&rules(rules_json), tool, input);
    let outcome = match verdict.outcome {
        Outcome::Allow => "allow".to_owned(),
        Outcome::Suspend { rule, .. } => format!("suspend by {}", rule.rule_index),
        Outcome::Block { rule: None, on_block: OnBlock::FailRun, .. } => "default deny".to_owned(),
        Outcome::Block { rule, on_block, reason } => {
            assert!(!reason.is_empty());
            let verb = if on_block == OnBlock::FailRun { "fail" } else { "refuse" };
            format!("{verb} by {}", rule.unwrap().rule_index)
        }
    };
    let decisions = verdict.decisions.iter().map(|decision| {
        assert_eq!(decision.reason.is_some(), decision.decision == Decided::Block);
        match decision.decision {
            Decided::Allow => 'A',
            Decided::Suspend => 'S',
            Decided::Block => 'B',
            Decided::NotApplicable => '-',
        }
    });
    format!("{outcome} | {}", decisions.collect::<String>())
}

fn rule(rule_type: &str, mode: &str, tools: &[&str], on_block: &str) -> Value {
    json!({"type": rule_type, "mode": mode, "tools": tools, "on_block": on_block})
}

#[test]
fn rules_without_conditions_decide() {
    let allow = |tools: &[&str]| rule("allowlist", "enforce", tools, "fail_run");
    let deny = |tools: &[&str]| rule("denylist", "enforce", tools, "fail_run");
    let soft_allow = |tools: &[&str]| rule("allowlist", "enforce", tools, "refuse_call");
    let soft_deny = |tools: &[&str]| rule("denylist", "enforce", tools, "refuse_call");
    let shadow_allow = |tools: &[&str]| rule("allowlist", "shadow", tools, "fail_run");
    let shadow_deny = |tools: &[&str]| rule("denylist", "shadow", tools, "fail_run");
    let table = [
        (json!([]), "a", "default deny | "),
        (json!([shadow_allow(&["*"])]), "a", "default deny | A"),
        (json!([shadow_deny(&["*"])]), "a", "default deny | B"),
        (json!([allow(&["a"])]), "a", "allow | A"),
        (json!([allow(&["a"])]), "b", "fail by 0 | B"),
        (json!([soft_allow(&["a"])]), "b", "refuse by 0 | B"),
        (json!([deny(&["a"])]), "a", "fail by 0 | B"),
        (json!([soft_deny(&["a"])]), "a", "refuse by 0 | B"),
        (json!([deny(&["a"])]), "b", "allow | -"),
        (json!([allow(&["a", "b"]), deny(&["b"])]), "a", "allow | A-"),
        (json!([allow(&["a", "b"]), deny(&["b"])]), "b", "fail by 1 | AB"),
        (json!([allow(&["a", "b"]), deny(&["b"])]), "c", "fail by 0 | B-"),
        (json!([allow(&["a"]), allow(&["a", "b"])]), "b", "fail by 0 | BA"),
        (json!([soft_deny(&["a"]), deny(&["a"])]), "a", "fail by 1 | BB"),
        (json!([deny(&["a"]), soft_deny(&["a"])]), "a", "fail by 0 | BB"),
        (json!([deny(&["a"]), deny(&["a"])]), "a", "fail by 0 | BB"),
        (json!([allow(&["a"]), shadow_deny(&["a"])]), "a", "allow | AB"),
        (json!([shadow_deny(&["a"]), soft_deny(&["a"])]), "a", "refuse by 1 | BB"),
        (json!([deny(&["b"]), shadow_allow(&["b"])]), "a", "allow | -B"),
        (json!([allow(&["contacts_*"])]), "contacts_get", "allow | A"),
        (json!([allow(&["contacts_*"])]), "contacts_", "allow | A"),
        (json!([allow(&["contacts_*"])]), "contact", "fail by 0 | B"),
        (json!([allow(&["*_get"])]), "contacts_get", "allow | A"),
        (json!([allow(&["c*t*_get"])]), "contacts_get", "allow | A"),
        (json!([allow(&["contacts"])]), "contacts_get", "fail by 0 | B"),
        (json!([allow(&["contacts_ge?"])]), "contacts_get", "fail by 0 | B"),
        (json!([allow(&["contacts_[a-z]*"])]), "contacts_get", "fail by 0 | B"),
        (json!([allow(&["Contacts_get"])]), "contacts_get", "fail by 0 | B"),
        (json!([{"type": "allowlist", "mode": "enforce"}]), "a", "allow | A"),
        (json!([{"type": "denylist", "mode": "enforce"}]), "a", "fail by 0 | B"),
    ];
    for (rules, tool, expected) in table {
        assert_eq!(decided(&rules, tool, &json!({})), expected, "{tool} under {rules}");
    }
}

#[test]
fn conditions_hold_or_do_not() {
    let input = json!({
        "n": 5, "f": 5.5, "big": 9_007_199_254_740_993_u64, "s": "Zoe", "null": null, "yes": true,
        "list": [1, {"x": 2}], "a/b": "slash", "m~n": "tilde", "": "empty", "o": {"k": 1},
    });
    // H holds, F does not, U cannot be evaluated.
    let table = [
        ("/n", "eq", json!(5), 'H'),
        ("/n", "eq", json!(5.0), 'H'),
        ("/n", "eq", json!("5"), 'F'),
        ("/n", "eq", json!(6), 'F'),
        ("/big", "eq", json!(9_007_199_254_740_992_u64), 'F'),
        ("/big", "gt", json!(9_007_199_254_740_992.0), 'H'),
        ("/list", "eq", json!([1.0, {"x": 2.0}]), 'H'),
        ("/list", "eq", json!([1.0]), 'F'),
        ("/o", "eq", json!({"k": 1.0}), 'H'),
        ("/o", "eq", json!({"k": 1, "l": 1}), 'F'),
        ("/null", "eq", json!(null), 'H'),
        ("/gone", "eq", json!(null), 'F'),
        ("/n", "ne", json!(5.0), 'F'),
        ("/n", "ne", json!("5"), 'H'),
        ("/gone", "ne", json!(5), 'H'),
        ("/n", "gt", json!(4.9), 'H'),
        ("/n", "gt", json!(5), 'F'),
        ("/n", "gte", json!(5), 'H'),
        ("/n", "lt", json!(5.1), 'H'),
        ("/n", "lte", json!(4), 'F'),
        ("/n", "lte", json!(1e300), 'H'),
        ("/f", "gt", json!(5), 'H'),
        ("/f", "lt", json!(-6), 'F'),
        ("/s", "gt", json!("Anna"), 'H'),
        ("/s", "lt", json!("Anna"), 'F'),
        ("/s", "gt", json!(1), 'U'),
        ("/yes", "gte", json!(1), 'U'),
        ("/null", "lt", json!(1), 'U'),
        ("/gone", "gt", json!(1), 'F'),
        ("/n", "in", json!([1, 5.0]), 'H'),
        ("/n", "in", json!([]), 'F'),
        ("/gone", "in", json!([null]), 'F'),
        ("/n", "in", json!(5), 'U'),
        ("/s", "matches", json!("^Z"), 'H'),
        ("/s", "matches", json!("oe"), 'H'),
        ("/s", "matches", json!("^oe"), 'F'),
        ("/s", "matches", json!("("), 'U'),
        ("/n", "matches", json!("5"), 'U'),
        ("/gone", "matches", json!("."), 'F'),
        ("/null", "exists", json!(true), 'H'),
        ("/null", "exists", json!(null), 'H'),
        ("/null", "exists", json!(false), 'F'),
        ("/gone", "exists", json!(false), 'H'),
        ("/gone", "exists", json!(true), 'F'),
        ("/n", "exists", json!(1), 'U'),
        ("/a~1b", "eq", json!("slash"), 'H'),
        ("/m~0n", "eq", json!("tilde"), 'H'),
        ("/", "eq", json!("empty"), 'H'),
        ("", "exists", json!(true), 'H'),
        ("/list/1/x", "eq", json!(2), 'H'),
        ("/list/-", "exists", json!(true), 'F'),
        ("/list/01", "exists", json!(true), 'F'),
        ("/n/x", "exists", json!(true), 'F'),
        ("n", "exists", json!(true), 'U'),
        ("/m~2", "exists", json!(true), 'U'),
    ];
    for (pointer, op, value, expected) in table {
        let when = json!([{"pointer": pointer, "op": op, "value": value}]);
        // A denylist blocks where its conditions hold, an allowlist allows; both block what they
        // cannot evaluate.
        for (rule_type, holds) in [("denylist", "fail by 0 | B"), ("allowlist", "allow | A")] {
            let expected = match expected {
                'H' => holds,
                'F' => "allow | -",
                _ => "fail by 0 | B",
            };
            let rules = json!([{"type": rule_type, "mode": "enforce", "when": when}]);
            assert_eq!(decided(&rules, "t", &input), expected, "{rules}");
        }
    }
}

#[test]
fn all_conditions_must_hold_and_one_that_fails_decides() {
    let holds = json!({"pointer": "/n", "op": "eq", "value": 1});
    let fails = json!({"pointer": "/n", "op": "eq", "value": 2});
    let unknown = json!({"pointer": "/n", "op": "matches", "value": "1"});
    let table = [
        (json!([holds, holds]), "fail by 0 | B"),
        (json!([holds, fails]), "allow | -"),
        (json!([fails, holds]), "allow | -"),
        (json!([holds, unknown]), "fail by 0 | B"),
        (json!([unknown, fails]), "allow | -"),
        (json!([fails, unknown]), "allow | -"),
    ];
    for (when, expected) in table {
        let rules = json!([{"type": "denylist", "mode": "enforce", "tools": ["t"], "when": when}]);
        assert_eq!(decided(&rules, "t", &json!({"n": 1})), expected, "{when}");
        assert_eq!(decided(&rules, "another", &json!({"n": 1})), "allow | -", "{when}");
    }
}

#[test]
fn a_reason_names_the_place_and_the_types() {
    let rules = rules(&json!([{"id": "cap", "type": "denylist", "mode": "enforce", "on_block": "refuse_call",
        "when": [{"pointer": "/amount", "op": "gt", "value": 100}]}]));
    let verdict = evaluate(&rules, "pay", &json!({"amount": "90"}));
    let reason = "the rule cannot be evaluated: /amount is a string, which does not compare with a number";
    assert_eq!(
        verdict.outcome,
        Outcome::Block {
            on_block: OnBlock::RefuseCall,
            rule: Some(RuleRef { rule_index: 0, rule_id: Some("cap".to_owned()) }),
            reason: reason.to_owned(),
        }
    );
    let recorded = serde_json::to_value(&verdict.decisions).unwrap();
    let expected = json!([{"rule_index": 0, "rule_id": "cap", "rule_type": "denylist", "mode": "enforce",
        "decision": "block", "reason": reason}]);
    assert_eq!(recorded, expected);
    assert_eq!(from_value::<Vec<Decision>>(recorded).unwrap(), verdict.decisions);
}

#[test]
fn a_mistake_in_a_rule_is_refused_at_its_place() {
    let fine = rule("allowlist", "enforce", &["a*"], "fail_run");
    let with = |name: &str, value: Value| {
        let mut rule = fine.clone();
        rule[name] = value;
        json!([fine, rule])
    };
    let when = |pointer: &str, op: &str, value: Value| {
        with("when", json!([{"pointer": "/x", "op": "exists"}, {"pointer": pointer, "op": op, "value": value}]))
    };
    let table = [
        (json!([]), None),
        (json!([fine, fine]), None),
        (with("id", json!("one")), None),
        (with("id", json!("")), Some("/guardrails/1/id")),
        (with("tools", json!([])), Some("/guardrails/1/tools")),
        (with("tools", json!(["a", ""])), Some("/guardrails/1/tools/1")),
        (with("tools", json!(["a\0"])), Some("/guardrails/1/tools/0")),
        (when("", "eq", json!(1)), None),
        (when("/a~0~1b/", "eq", json!(1)), None),
        (when("a", "eq", json!(1)), Some("/guardrails/1/when/1/pointer")),
        (when("/a~", "eq", json!(1)), Some("/guardrails/1/when/1/pointer")),
        (when("/a~2", "eq", json!(1)), Some("/guardrails/1/when/1/pointer")),
        (when("/a", "in", json!([])), None),
        (when("/a", "in", json!("b")), Some("/guardrails/1/when/1/value")),
        (when("/a", "matches", json!("^a+$")), None),
        (when("/a", "matches", json!("(")), Some("/guardrails/1/when/1/value")),
        (when("/a", "matches", json!("(a{1000}){1000}")), Some("/guardrails/1/when/1/value")),
        (when("/a", "matches", json!(1)), Some("/guardrails/1/when/1/value")),
        (when("/a", "exists", json!(null)), None),
        (when("/a", "exists", json!("yes")), Some("/guardrails/1/when/1/value")),
        (when("/a", "gt", json!("2026")), None),
        (when("/a", "lte", json!(1.5)), None),
        (when("/a", "gt", json!(null)), Some("/guardrails/1/when/1/value")),
        (when("/a", "lt", json!([1])), Some("/guardrails/1/when/1/value")),
    ];
    for (json, expected) in table {
        let found = check(&rules(&json));
        assert_eq!(found.as_ref().err().and_then(crate::Error::pointer), expected, "{json}");
    }
    let twice = json!([{"id": "x", "type": "allowlist", "mode": "shadow"}, fine, {"id": "x", "type": "denylist", "mode": "shadow"}]);
    let error = check(&rules(&twice)).unwrap_err();
    assert_eq!(error.pointer(), Some("/guardrails/2/id"));
    assert!(error.to_string().starts_with("rule 0 has the id \"x\" already"), "{error}");
}

#[test]
fn a_tool_is_offered_unless_it_can_never_run() {
    let conditional = |rule_type: &str| {
        json!({"type": rule_type, "mode": "enforce", "tools": ["a"],
        "when": [{"pointer": "/x", "op": "exists"}]})
    };
    let table = [
        (json!([]), "a", false),
        (json!([rule("allowlist", "shadow", &["a"], "fail_run")]), "a", false),
        (json!([rule("allowlist", "enforce", &["a"], "fail_run")]), "a", true),
        (json!([rule("allowlist", "enforce", &["a"], "refuse_call")]), "b", false),
        (json!([rule("denylist", "enforce", &["a"], "fail_run")]), "a", false),
        (json!([rule("denylist", "enforce", &["a"], "fail_run")]), "b", true),
        (json!([conditional("denylist")]), "a", true),
        (json!([conditional("allowlist")]), "b", true),
        (json!([conditional("allowlist"), rule("denylist", "shadow", &["*"], "fail_run")]), "b", true),
    ];
    for (json, tool, expected) in table {
        assert_eq!(is_offerable(&rules(&json), tool), expected, "{tool} under {json}");
    }
}

/// What happens to a call of a run with a history, at a moment.
fn outcome_at(rules: &Value, (tool, input): (&str, &Value), at: &str, history: &History) -> String {
    let rules = RuleSet::new(self::rules(rules));
    let now = at.parse().unwrap();
    match rules.evaluate(&Call { tool, input, now, zone: chrono_tz::Europe::London, history }).outcome {
        Outcome::Allow => "allow".to_owned(),
        Outcome::Suspend { rule, .. } => format!("suspend by {}", rule.rule_index),
        Outcome::Block { reason, .. } => reason,
    }
}

#[test]
fn a_rate_is_that_of_one_tool_in_a_sliding_stretch() {
    let rules =
        json!([{"type": "rate_limit", "mode": "enforce", "tools": ["mail_*"], "max_calls": 2, "window_secs": 60}]);
    let mut history = History::default();
    let at = |seconds: u32| format!("2026-06-06T12:00:{seconds:02}Z");
    let ask =
        |tool: &str, seconds: u32, history: &History| outcome_at(&rules, (tool, &json!({})), &at(seconds), history);
    for second in [0, 10] {
        assert_eq!(ask("mail_send", second, &history), "allow");
        history.record("mail_send", at(second).parse().unwrap());
    }
    assert_eq!(ask("mail_send", 59, &history), "mail_send may be called 2 times in 60 seconds");
    assert_eq!(ask("mail_draft", 59, &history), "allow", "another tool has its own");
    assert_eq!(ask("page_publish", 59, &history), "allow", "the rule is about other tools");
    let next_minute = "2026-06-06T12:01:00Z";
    assert_eq!(
        outcome_at(&rules, ("mail_send", &json!({})), next_minute, &history),
        "allow",
        "the first is a minute old"
    );
    let never = json!([{"type": "rate_limit", "mode": "enforce", "max_calls": 0, "window_secs": 1}]);
    assert!(!is_offerable(&self::rules(&never), "mail_send"));
    assert_eq!(
        outcome_at(&never, ("mail_send", &json!({})), next_minute, &History::default()),
        "mail_send may be called 0 times in 1 seconds"
    );
}

#[test]
fn calls_are_made_at_certain_hours() {
    let hours = |block: &str| json!([{"type": "quiet_hours", "mode": "enforce", "from": "07:00", "to": "22:00", "block": block}]);
    let ask = |block: &str, at: &str| outcome_at(&hours(block), ("a", &json!({})), at, &History::default());
    // It is summer in London.
    assert_eq!(ask("outside", "2026-06-06T06:00:00Z"), "allow");
    assert_eq!(ask("outside", "2026-06-06T05:59:59Z"), "a may be called from 07:00 to 22:00 only");
    assert_eq!(ask("outside", "2026-06-06T21:00:00Z"), "a may be called from 07:00 to 22:00 only");
    assert_eq!(ask("inside", "2026-06-06T06:00:00Z"), "a may not be called from 07:00 to 22:00");
    assert_eq!(ask("inside", "2026-06-06T21:00:00Z"), "allow");
}

#[test]
fn people_decide_where_nothing_is_blocked() {
    let gate = json!({"type": "approval_gate", "mode": "enforce", "tools": ["mail_*"]});
    let (deny, soft) = (
        rule("denylist", "enforce", &["mail_send"], "fail_run"),
        rule("denylist", "enforce", &["mail_send"], "refuse_call"),
    );
    let table = [
        (json!([gate]), "mail_send", "suspend by 0 | S"),
        (json!([gate]), "page_publish", "allow | -"),
        (json!([gate, deny]), "mail_send", "fail by 1 | SB"),
        (json!([soft, gate]), "mail_send", "refuse by 0 | BS"),
        (json!([gate, gate]), "mail_send", "suspend by 0 | SS"),
        (
            json!([{"type": "approval_gate", "mode": "shadow"}, rule("allowlist", "enforce", &["*"], "fail_run")]),
            "a",
            "allow | SA",
        ),
    ];
    for (rules, tool, expected) in table {
        assert_eq!(decided(&rules, tool, &json!({})), expected, "{rules}");
    }
}

#[test]
fn what_goes_in_and_what_comes_out_fits_a_schema() {
    let schema = json!({"properties": {"to": {"type": "string", "pattern": "@example\\.org$"}}, "required": ["to"]});
    let rules = json!([
        {"type": "io_validation", "mode": "enforce", "tools": ["mail_*"], "schema": schema},
        {"type": "io_validation", "mode": "enforce", "tools": ["mail_*"], "schema": {"type": "object"}, "target": "output"},
    ]);
    let ask = |input: Value| outcome_at(&rules, ("mail_send", &input), "2026-06-06T12:00:00Z", &History::default());
    assert_eq!(ask(json!({"to": "ada@example.org"})), "allow");
    assert!(ask(json!({"to": "ada@example.com"})).starts_with("the input does not fit the rule's schema: "));
    assert!(ask(json!({})).contains("\"to\" is a required property"));
    let set = RuleSet::new(self::rules(&rules));
    let (input, history) = (json!({}), History::default());
    let call = Call { tool: "mail_send", input: &input, now: Timestamp::EPOCH, zone: Tz::UTC, history: &history };
    assert!(set.evaluate_output(&call, &json!({"sent": true})).outcome.is_allow());
    assert!(!set.evaluate_output(&call, &json!("sent")).outcome.is_allow());
    assert!(set.evaluate_output(&Call { tool: "a", ..call }, &json!("sent")).outcome.is_allow());
}

#[test]
fn conditions_ask_for_what_the_run_did() {
    let rules = json!([{"type": "approval_gate", "mode": "enforce", "tools": ["mail_*"],
        "when": [{"context": "untrusted", "op": "eq", "value": true}]}]);
    let often =
        json!([{"type": "denylist", "mode": "enforce", "when": [{"context": "calls", "op": "gte", "value": 2}]}]);
    let (mut history, at, mail) = (History::default(), "2026-06-06T12:00:00Z", ("mail_send", &json!({})));
    assert_eq!(outcome_at(&rules, mail, at, &history), "allow");
    history.taint();
    assert_eq!(outcome_at(&rules, mail, at, &history), "suspend by 0");
    for _ in 0..2 {
        assert_eq!(outcome_at(&often, mail, at, &history), "allow");
        history.record("mail_send", at.parse().unwrap());
    }
    assert_eq!(outcome_at(&often, mail, at, &history), "mail_send is on the denylist for calls like this one");
    assert_eq!(outcome_at(&often, ("page_publish", &json!({})), at, &history), "allow");
}

#[test]
fn a_rule_of_each_type_is_read_written_and_checked() {
    let at = |field: &str| Some(format!("/guardrails/0/{field}"));
    let gate = |more: Value| merged(json!({"type": "approval_gate", "mode": "enforce"}), &more);
    let rate =
        |more: Value| merged(json!({"type": "rate_limit", "mode": "enforce", "max_calls": 1, "window_secs": 1}), &more);
    let hours =
        |more: Value| merged(json!({"type": "quiet_hours", "mode": "enforce", "from": "07:00", "to": "22:00"}), &more);
    let schema = |schema: Value| json!({"type": "io_validation", "mode": "enforce", "schema": schema});
    let when = |condition: Value| json!({"type": "denylist", "mode": "enforce", "when": [condition]});
    let table = [
        (gate(json!({})), None),
        (gate(json!({"expires_secs": 0})), at("expires_secs")),
        (gate(json!({"summary": ""})), at("summary")),
        (gate(json!({"summary": "x".repeat(513)})), at("summary")),
        (gate(json!({"on_expiry": "approve", "summary": "é".repeat(512)})), None),
        (rate(json!({"max_calls": 0})), None),
        (rate(json!({"window_secs": 0})), at("window_secs")),
        (hours(json!({"days": ["mon", "sun"], "timezone": "Europe/Berlin", "block": "inside"})), None),
        (hours(json!({"to": "07:00"})), at("to")),
        (hours(json!({"days": []})), at("days")),
        (hours(json!({"timezone": "Berlin"})), at("timezone")),
        (schema(json!({"type": "object"})), None),
        (schema(json!({"$ref": "https://example.org"})), at("schema/$ref")),
        (schema(json!({"type": 1})), at("schema/type")),
        (when(json!({"context": "untrusted", "op": "eq", "value": true})), None),
        (when(json!({"context": "untrusted", "op": "gt", "value": true})), at("when/0/op")),
        (when(json!({"context": "untrusted", "op": "eq", "value": 1})), at("when/0/value")),
        (when(json!({"context": "calls", "op": "gte", "value": 3})), None),
        (when(json!({"context": "calls", "op": "gte", "value": "3"})), at("when/0/value")),
        (when(json!({"context": "calls", "op": "exists"})), at("when/0/op")),
    ];
    for (json, expected) in table {
        let rules = rules(&json!([json]));
        let found = check(&rules).err().and_then(|error| error.pointer().map(str::to_owned));
        assert_eq!(found, expected, "{json}");
        assert_eq!(from_value::<Vec<Rule>>(json!(rules)).unwrap(), rules, "{json}");
    }
    let wrong = [
        (gate(json!({"max_calls": 1})), "max_calls belongs to rules of type rate_limit"),
        (json!({"type": "rate_limit", "mode": "enforce", "max_calls": 1}), "needs the field window_secs"),
        (json!({"type": "io_validation", "mode": "enforce"}), "needs the field schema"),
        (hours(json!({"from": "7:00"})), "HH:MM"),
        (hours(json!({"days": ["monday"]})), "monday"),
        (when(json!({"op": "eq", "value": 1})), "either a pointer or a context"),
        (when(json!({"pointer": "", "context": "calls", "op": "eq", "value": 1})), "either a pointer or a context"),
        (when(json!({"context": "calls", "op": "eq", "value": 1, "x": 1})), "unknown field `x`"),
    ];
    for (json, expected) in wrong {
        let error = from_value::<Rule>(json.clone()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error} for {json}");
    }
}

fn merged(mut rule: Value, more: &Value) -> Value {
    rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    rule
}

#[test]
fn hostile_calls_are_decided_without_harm() {
    let deep = (0..120).fold(json!(1), |inner, _| json!([inner]));
    let long = json!({"text": "a".repeat(1 << 20)});
    let rules = json!([
        {"type": "allowlist", "mode": "enforce", "tools": ["*a*a*a*a*a*a*a*a*b", "mail_send"]},
        {"type": "denylist", "mode": "enforce", "tools": ["mail_send"],
         "when": [{"pointer": "/text", "op": "matches", "value": "^(a+)+$"}, {"pointer": "/text", "op": "ne", "value": deep}]},
    ]);
    assert_eq!(decided(&rules, "mail_send", &long), "fail by 1 | AB");
    assert_eq!(decided(&rules, "mail_send", &deep), "allow | A-");
    assert_eq!(decided(&rules, &"a".repeat(100_000), &json!({})), "fail by 0 | B-");
    // The letter is Cyrillic.
    assert_eq!(decided(&rules, "m\u{430}il_send", &json!({})), "fail by 0 | B-");
    let unusable = json!([{"type": "io_validation", "mode": "enforce", "schema": {"$ref": "file:///etc/passwd"}}]);
    assert_eq!(decided(&unusable, "a", &json!({})), "fail by 0 | B", "what cannot be evaluated blocks");
}

fn any_condition() -> impl Strategy<Value = Condition> {
    let op = prop_oneof![
        Just(ConditionOp::Eq),
        Just(ConditionOp::Ne),
        Just(ConditionOp::Gt),
        Just(ConditionOp::Lte),
        Just(ConditionOp::In),
        Just(ConditionOp::Matches),
        Just(ConditionOp::Exists),
    ];
    let value = prop_oneof![Just(json!(1)), Just(json!("b")), Just(json!([1, "b"])), Just(json!(true))];
    (prop_oneof![Just("/x"), Just("/y"), Just("broken")], op, value).prop_map(|(pointer, op, value)| Condition {
        subject: Subject::Pointer(pointer.to_owned()),
        op,
        value,
    })
}

fn any_rule() -> impl Strategy<Value = Rule> {
    (
        prop_oneof![Just(RuleKind::Allowlist), Just(RuleKind::Denylist)],
        prop_oneof![Just(Mode::Shadow), Just(Mode::Enforce)],
        proptest::collection::vec(prop_oneof![Just("a"), Just("b"), Just("a*"), Just("*")], 1..3),
        proptest::collection::vec(any_condition(), 0..3),
        prop_oneof![Just(OnBlock::FailRun), Just(OnBlock::RefuseCall)],
    )
        .prop_map(|(kind, mode, tools, when, on_block)| Rule {
            id: None,
            kind,
            mode,
            tools: tools.into_iter().map(str::to_owned).collect(),
            when,
            on_block,
        })
}

fn any_rules() -> impl Strategy<Value = Vec<Rule>> {
    proptest::collection::vec(any_rule(), 0..5)
}

fn any_input() -> impl Strategy<Value = Value> {
    let value = || prop_oneof![Just(json!(0)), Just(json!(1)), Just(json!(2.5)), Just(json!("abc")), Just(json!(null))];
    prop_oneof![
        Just(json!({})),
        value().prop_map(|x| json!({"x": x})),
        (value(), value()).prop_map(|(x, y)| json!({"x": x, "y": y})),
    ]
}

fn any_tool() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("a"), Just("ab"), Just("b"), Just("c")]
}

/// The outcome without the place of the rule, which moves when another rule is put before it.
fn effect(rules: &[Rule], tool: &str, input: &Value) -> Option<(OnBlock, bool, String)> {
    match evaluate(rules, tool, input).outcome {
        Outcome::Allow | Outcome::Suspend { .. } => None,
        Outcome::Block { on_block, rule, reason } => Some((on_block, rule.is_some(), reason)),
    }
}

proptest! {
    #[test]
    fn shadow_rules_change_nothing(all in any_rules(), tool in any_tool(), input in any_input()) {
        let enforced: Vec<_> = all.iter().filter(|rule| rule.mode == Mode::Enforce).cloned().collect();
        prop_assert_eq!(effect(&all, tool, &input), effect(&enforced, tool, &input));
        prop_assert_eq!(is_offerable(&all, tool), is_offerable(&enforced, tool));
    }

    #[test]
    fn without_an_enforced_rule_nothing_runs(mut all in any_rules(), tool in any_tool(), input in any_input()) {
        for rule in &mut all {
            rule.mode = Mode::Shadow;
        }
        let verdict = evaluate(&all, tool, &input);
        let denied = matches!(verdict.outcome, Outcome::Block { on_block: OnBlock::FailRun, rule: None, .. });
        prop_assert!(denied);
        prop_assert_eq!(verdict.decisions.len(), all.len());
        prop_assert!(!is_offerable(&all, tool));
    }

    #[test]
    fn a_further_rule_never_makes_the_outcome_milder(all in any_rules(), more in any_rule(), tool in any_tool(),
        input in any_input()) {
        prop_assume!(all.iter().any(|rule| rule.mode == Mode::Enforce));
        let before = effect(&all, tool, &input);
        let mut longer = all;
        longer.push(more);
        match (before, effect(&longer, tool, &input)) {
            (None, _) => {}
            (Some(_), None) => prop_assert!(false, "a block went away"),
            (Some((before, ..)), Some((after, ..))) => {
                prop_assert!(before != OnBlock::FailRun || after == OnBlock::FailRun);
            }
        }
    }

    #[test]
    fn a_tool_that_can_run_is_offered(all in any_rules(), tool in any_tool(), input in any_input()) {
        let runs = evaluate(&all, tool, &input).outcome.is_allow();
        prop_assert!(!runs || is_offerable(&all, tool));
        if all.iter().all(|rule| rule.when.is_empty()) {
            prop_assert_eq!(runs, is_offerable(&all, tool));
        }
    }
}
