use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::journal::{Snapshot, StepOutcome};
use crate::model::Usage;
use crate::run::Cost;
use crate::{NanoUsd, StepId, Timestamp};

fn tenant() -> TenantId {
    "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d".parse().unwrap()
}

fn run() -> RunId {
    "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5e".parse().unwrap()
}

fn step_id(n: u64) -> StepId {
    format!("0194a8b3-7e5a-77c1-9d0f-{n:012x}").parse().unwrap()
}

fn snapshot(max_steps: u32) -> Snapshot {
    Snapshot {
        blueprint: "contact_deduper".to_owned(),
        blueprint_version: 1,
        config_version: None,
        model: "local/rules".to_owned(),
        system_prompt: "Find duplicates.".to_owned(),
        first_message: "Begin.".to_owned(),
        tools: Vec::new(),
        guardrails: Vec::new(),
        prices: Vec::new(),
        budget_usd_cents: None,
        deadline_at: Timestamp::from_micros(1_000_000),
        max_steps,
        max_tokens: 4_096,
        max_repeats: 5,
        fallback_models: Vec::new(),
        on_budget: Vec::new(),
        timezone: None,
        trial: None,
    }
}

/// A step with its digest and hash still to be computed.
fn blank(kind: StepKind, name: &str, input: Value) -> Step {
    Step {
        id: step_id(0),
        seq: 0,
        kind,
        name: name.to_owned(),
        call_digest: Digest::of_bytes(b""),
        hash: Digest::of_bytes(b""),
        input,
        output: None,
        outcome: StepOutcome::Ok,
        model: None,
        usage: None,
        cost: Cost::default(),
        started_at: Timestamp::from_micros(10),
        completed_at: None,
        payload_ref: None,
        tried: None,
    }
}

/// The journal of these steps: numbered, digested and chained.
fn recorded(steps: Vec<Step>, input: &Value) -> Journal {
    let mut journal = Journal { snapshot: Some(snapshot(50)), ..Journal::default() };
    for (seq, mut step) in (1..).zip(steps) {
        step.id = step_id(u64::from(seq));
        step.seq = seq;
        step.call_digest = call_digest(run(), seq, step.kind, &step.name, &step.input).unwrap();
        step.hash = step_hash(journal.head(tenant(), run(), input).unwrap(), &step).unwrap();
        journal.steps.push(step);
    }
    journal
}

fn checked(input: &Value, journal: &Journal) -> Verification {
    verify(tenant(), run(), input, journal).unwrap()
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-1_000_000_i64..1_000_000).prop_map(Value::from),
        (-1_000..1_000_i32).prop_map(|n| json!(f64::from(n) / 8.0)),
        "[a-z\"\\\\é/~]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::btree_map("[a-z/~]{1,3}", inner, 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn any_step() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![Just(StepKind::Llm), Just(StepKind::Tool)];
    let outcome = prop_oneof![Just(StepOutcome::Ok), Just(StepOutcome::Error), Just(StepOutcome::Blocked)];
    let usage = proptest::option::of((0_u64..1_000_000, 0_u64..10_000, 0_u64..1_000_000, 0_u64..1_000_000));
    (
        (kind, "[a-z_]{1,8}", any_json(), proptest::option::of(any_json()), outcome),
        (proptest::option::of("[a-z]{1,5}/[a-z]{1,5}"), usage, 0_i64..10_000_000_000),
        (0_i64..1_000_000_000_000, proptest::option::of(0_i64..1_000_000_000_000), any::<bool>()),
    )
        .prop_map(|((kind, name, input, output, outcome), (model, usage, cost), (start, end, out_of_line))| Step {
            payload_ref: output.as_ref().filter(|_| out_of_line).map(|output| Digest::of_json(output).unwrap()),
            output,
            outcome,
            model,
            usage: usage.map(|(input_tokens, output_tokens, cache_read_tokens, cache_write_tokens)| Usage {
                input_tokens,
                output_tokens,
                cache_read_tokens,
                cache_write_tokens,
            }),
            cost: Cost(NanoUsd::new(cost)),
            started_at: Timestamp::from_micros(start),
            completed_at: end.map(Timestamp::from_micros),
            ..blank(kind, &name, input)
        })
}

fn any_run() -> impl Strategy<Value = (Value, Journal)> {
    (any_json(), proptest::collection::vec(any_step(), 1..6)).prop_map(|(input, steps)| {
        let journal = recorded(steps, &input);
        (input, journal)
    })
}

fn other_digest(digest: Digest, byte: usize) -> Digest {
    let mut bytes = *digest.as_bytes();
    bytes[byte % 32] ^= 1 << (byte % 8);
    Digest::from_bytes(bytes)
}

type Mutation = fn(&mut Step, usize);

/// Every way to change one recorded thing, each certain to change it.
const MUTATIONS: [(&str, Mutation); 20] = [
    ("id", |step, _| step.id = step_id(0xffff)),
    ("seq", |step, _| step.seq += 1),
    ("kind", |step, _| {
        step.kind = if step.kind == StepKind::Llm { StepKind::Tool } else { StepKind::Llm };
    }),
    ("name", |step, _| step.name.push('x')),
    ("call_digest", |step, n| step.call_digest = other_digest(step.call_digest, n)),
    ("hash", |step, n| step.hash = other_digest(step.hash, n)),
    ("input wrapped", |step, _| step.input = json!([step.input])),
    ("input byte", |step, n| step.input = other_text(&step.input, n)),
    ("output", |step, _| {
        // With its digest left, it would be one that was erased.
        step.payload_ref = None;
        step.output = if step.output.is_some() { None } else { Some(Value::Null) };
    }),
    ("output byte", |step, n| {
        step.payload_ref = None;
        step.output = Some(step.output.as_ref().map_or_else(|| json!(0), |output| other_text(output, n)));
    }),
    ("outcome", |step, _| {
        step.outcome = if step.outcome == StepOutcome::Ok { StepOutcome::Error } else { StepOutcome::Ok };
    }),
    ("model", |step, _| step.model = step.model.take().map_or(Some(String::new()), |model| Some(model + "x"))),
    ("usage", |step, _| step.usage = if step.usage.is_some() { None } else { Some(Usage::default()) }),
    ("input_tokens", |step, _| step.usage.get_or_insert_default().input_tokens += 1),
    ("cache_read_tokens", |step, _| step.usage.get_or_insert_default().cache_read_tokens += 1),
    ("cost", |step, _| step.cost.0 += NanoUsd::new(1)),
    ("started_at", |step, _| step.started_at = step.started_at.next()),
    ("completed_at", |step, _| {
        step.completed_at = Some(step.completed_at.map_or(Timestamp::EPOCH, Timestamp::next));
    }),
    ("tried", |step, _| step.tried = if step.tried.is_some() { None } else { Some(Value::Null) }),
    ("payload_ref", |step, n| {
        step.payload_ref = Some(other_digest(step.payload_ref.unwrap_or_else(|| Digest::of_bytes(b"")), n));
    }),
];

/// The value with something small in it changed; `n` says where.
fn other_text(value: &Value, n: usize) -> Value {
    match value {
        Value::String(text) => {
            let mut chars: Vec<_> = text.chars().collect();
            match chars.len() {
                0 => chars.push('x'),
                len => chars[n % len] = if chars[n % len] == 'x' { 'y' } else { 'x' },
            }
            chars.into_iter().collect::<String>().into()
        }
        Value::Number(number) => json!(number.as_f64().unwrap() + 1.0),
        Value::Bool(yes) => json!(!yes),
        Value::Null => json!(false),
        Value::Array(list) if !list.is_empty() => {
            let mut list = list.clone();
            let at = n % list.len();
            list[at] = other_text(&list[at], n);
            list.into()
        }
        Value::Object(members) if !members.is_empty() => {
            let mut members = members.clone();
            let at = n % members.len();
            if let Some(member) = members.values_mut().nth(at) {
                *member = other_text(member, n);
            }
            members.into()
        }
        Value::Array(_) | Value::Object(_) => Value::Null,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_recorded_is_valid((input, journal) in any_run()) {
        let steps = u32::try_from(journal.steps.len()).unwrap();
        let head_hash = journal.steps.last().unwrap().hash;
        let expected = Verification { valid: true, steps, first_bad_seq: None, head_hash, erased: 0 };
        prop_assert_eq!(checked(&input, &journal), expected);
        // Stores keep text: what is read back must verify too.
        let read: Journal = serde_json::from_str(&serde_json::to_string(&journal).unwrap()).unwrap();
        prop_assert_eq!(checked(&input, &read), expected);
    }

    #[test]
    fn a_changed_step_is_found_at_its_place((input, journal) in any_run(), at in 0_usize..6, byte in 0_usize..64) {
        let at = at % journal.steps.len();
        for (what, mutate) in MUTATIONS {
            let mut changed = journal.clone();
            mutate(&mut changed.steps[at], byte);
            prop_assert_ne!(&changed, &journal, "{} must change something", what);
            let found = checked(&input, &changed);
            prop_assert_eq!(found.first_bad_seq, u32::try_from(at + 1).ok(), "{}", what);
            prop_assert!(!found.valid);
        }
    }

    #[test]
    fn a_forged_hash_is_found_at_the_next_step((input, mut journal) in any_run()) {
        prop_assume!(journal.steps.len() > 1);
        journal.steps[0].name.push('x');
        let genesis = genesis(tenant(), run(), &input, journal.snapshot.as_ref()).unwrap();
        let step = &mut journal.steps[0];
        step.call_digest = call_digest(run(), 1, step.kind, &step.name, &step.input).unwrap();
        step.hash = step_hash(genesis, step).unwrap();
        prop_assert_eq!(checked(&input, &journal).first_bad_seq, Some(2));
    }

    #[test]
    fn the_same_call_agrees_and_another_differs((_, journal) in any_run(), at in 0_usize..6, byte in 0_usize..64) {
        let step = &journal.steps[at % journal.steps.len()];
        prop_assert_eq!(Divergence::between(run(), step, step.kind, &step.name, &step.input).unwrap(), None);
        let input = other_text(&step.input, byte);
        let divergence = Divergence::between(run(), step, step.kind, &step.name, &input).unwrap().unwrap();
        prop_assert_eq!(divergence.seq, step.seq);
        prop_assert!(!divergence.differences.is_empty());
        for difference in &divergence.differences {
            let pointer = difference.pointer.strip_prefix("/input").unwrap();
            prop_assert_eq!(difference.recorded.as_ref(), step.input.pointer(pointer));
            prop_assert_eq!(difference.attempted.as_ref(), input.pointer(pointer));
        }
        let event = serde_json::to_value(&divergence).unwrap();
        prop_assert_eq!(serde_json::from_value::<Divergence>(event).unwrap(), divergence);
    }
}

#[test]
fn the_chain_begins_with_tenant_run_input_and_snapshot() {
    let input = json!({"max_candidates": 10});
    let journal = recorded(vec![blank(StepKind::Llm, "local/rules", json!({}))], &input);
    assert!(checked(&input, &journal).valid);

    let other_tenant: TenantId = "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c00".parse().unwrap();
    let other_run: RunId = "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c00".parse().unwrap();
    let other_snapshot = Journal { snapshot: Some(snapshot(51)), ..journal.clone() };
    let no_snapshot = Journal { snapshot: None, ..journal.clone() };
    let found = [
        verify(other_tenant, run(), &input, &journal),
        verify(tenant(), other_run, &input, &journal),
        verify(tenant(), run(), &json!({"max_candidates": 11}), &journal),
        verify(tenant(), run(), &input, &other_snapshot),
        verify(tenant(), run(), &input, &no_snapshot),
    ];
    assert_eq!(found.map(|found| found.unwrap().first_bad_seq), [Some(1); 5]);
}

#[test]
fn steps_that_are_moved_left_out_or_doubled_are_found() {
    let input = json!({});
    let names = ["a", "b", "c"];
    let journal = recorded(names.map(|name| blank(StepKind::Tool, name, json!({}))).into(), &input);
    let rearranged = |order: &[usize]| {
        let steps = order.iter().map(|at| journal.steps[*at].clone()).collect();
        checked(&input, &Journal { steps, ..journal.clone() }).first_bad_seq
    };
    assert_eq!(rearranged(&[0, 1, 2]), None);
    assert_eq!(rearranged(&[1, 0, 2]), Some(1));
    assert_eq!(rearranged(&[0, 2]), Some(2));
    assert_eq!(rearranged(&[0, 1, 1, 2]), Some(3));
    assert_eq!(rearranged(&[1, 2]), Some(1));
}

#[test]
fn an_output_of_null_is_not_nothing() {
    let input = json!({});
    let step = Step { output: Some(Value::Null), ..blank(StepKind::Tool, "t", json!({})) };
    let mut journal = recorded(vec![step], &input);
    let read: Journal = serde_json::from_str(&serde_json::to_string(&journal).unwrap()).unwrap();
    assert_eq!(read, journal);
    journal.steps[0].output = None;
    assert_eq!(checked(&input, &journal).first_bad_seq, Some(1));
}

#[test]
fn an_empty_journal_has_the_head_that_its_first_step_will_follow() {
    let input = json!({});
    let journal = recorded(Vec::new(), &input);
    let found = serde_json::to_value(checked(&input, &journal)).unwrap();
    let head = journal.head(tenant(), run(), &input).unwrap();
    assert_eq!(found, json!({"valid": true, "steps": 0, "head_hash": head}));
}

#[test]
fn a_divergence_explains_itself() {
    let input = json!({"query": "Anna", "limit": 50, "tags": ["vip", "old"], "a/b": {"deep": null}});
    let journal = recorded(vec![blank(StepKind::Tool, "contacts_search", input)], &json!({}));
    let attempted = json!({"query": "Bob", "limit": 50, "tags": ["vip"], "a/b": {"deep": 1}, "sort": "x".repeat(200)});
    let divergence =
        Divergence::between(run(), &journal.steps[0], StepKind::Llm, "contacts_get", &attempted).unwrap().unwrap();
    let expected = format!(
        r#"step 1 of the journal is another call than the one that replay arrived at
  recorded:  a call of the tool contacts_search (digest {:.12})
  attempted: a turn of the model contacts_get (digest {:.12})
  differences:
    /kind: recorded "tool", attempted "llm"
    /name: recorded "contacts_search", attempted "contacts_get"
    /input/a~1b/deep: recorded null, attempted 1
    /input/query: recorded "Anna", attempted "Bob"
    /input/tags/1: recorded "old", attempted nothing
    /input/sort: recorded nothing, attempted "{}… (202 characters)"#,
        journal.steps[0].call_digest.to_string(),
        divergence.attempted.call_digest.to_string(),
        "x".repeat(119),
    );
    assert_eq!(divergence.to_string(), expected);
}

#[test]
fn a_long_list_of_differences_is_cut_and_a_damaged_digest_is_named() {
    let numbers = |from: u32| json!((from..from + 30).collect::<Vec<_>>());
    let mut journal = recorded(vec![blank(StepKind::Tool, "t", numbers(0))], &json!({}));
    let step = &mut journal.steps[0];
    let divergence = Divergence::between(run(), step, StepKind::Tool, "t", &numbers(1)).unwrap().unwrap();
    assert_eq!(divergence.differences.len(), 30);
    assert!(divergence.to_string().ends_with("recorded 19, attempted 20\n    and 10 more"), "{divergence}");

    step.call_digest = Digest::of_bytes(b"damaged");
    let divergence = Divergence::between(run(), step, StepKind::Tool, "t", &numbers(0)).unwrap().unwrap();
    let pointers: Vec<_> = divergence.differences.iter().map(|difference| difference.pointer.as_str()).collect();
    assert_eq!(pointers, ["/call_digest"]);
}
