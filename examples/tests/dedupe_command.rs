//! `01_dedupe_contacts` as a program: what it prints, and what it says of bad input.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use axum::http::StatusCode;
use serde_json::{Value, json};
use tempfile::TempDir;

const HEADER: &str = "uid,given_name,family_name,email,phone,birthday\n";
const ADA: &str = "1,Ada,Okonkwo,ada@example.org,+1 415 555 2671,1990-05-17\n";
const ADA_AGAIN: &str = "2,Ada,Okonkwo,ada@example.org,+1 415 555 2671,1990-05-17\n";

/// Cargo builds the examples of a package before it runs the package's tests.
fn program() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    let program = here.parent().unwrap().parent().unwrap().join("examples/01_dedupe_contacts");
    assert!(program.exists(), "{} is not built; run the tests of the whole package", program.display());
    program
}

fn run(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    Command::new(program())
        .current_dir(folder)
        .env_remove("ANTHROPIC_API_KEY")
        .env_remove("ANTHROPIC_BASE_URL")
        .env("TMPDIR", folder)
        .envs(environment.iter().copied())
        .args(arguments)
        .output()
        .unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn one_object(output: &Output) -> Value {
    assert!(output.status.success(), "{}", stderr(output));
    serde_json::from_slice(&output.stdout).expect("one JSON object and nothing else on stdout")
}

/// Runs the program on a file with this content; it must fail and say all of `said`.
fn refused(name: &str, content: &[u8], said: &[&str]) {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join(name), content).unwrap();
    let output = run(folder.path(), &["--input", name, "--json"], &[]);
    let text = stderr(&output);
    assert!(!output.status.success(), "{name} was accepted");
    assert!(output.stdout.is_empty(), "something was printed on stdout");
    for part in said {
        assert!(text.contains(part), "{part:?} is missing in {text:?}");
    }
    assert!(!text.contains("panicked"), "{text}");
}

#[test]
fn json_is_one_object_with_the_clusters_of_the_file() {
    let folder = TempDir::new().unwrap();
    let other = "3,Jonas,Lindqvist,jonas@example.org,+46 8 123 456 78,1991-07-30\n";
    fs::write(folder.path().join("people.csv"), [HEADER, ADA, ADA_AGAIN, other].concat()).unwrap();
    let report = one_object(&run(folder.path(), &["--input", "people.csv", "--json"], &[]));

    let members: Vec<&str> = report.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = ["clusters", "contacts", "cost_usd_cents", "model", "run_id", "status", "steps"];
    assert_eq!(members, expected);
    assert_eq!(report["status"], "succeeded");
    assert_eq!(report["model"], "local/rules");
    assert_eq!(report["contacts"], 3);
    assert_eq!(report["steps"], 5);
    assert_eq!(report["cost_usd_cents"], 0);
    let clusters = report["clusters"].as_array().unwrap();
    assert_eq!(clusters.len(), 1);
    let mut uids: Vec<&str> = clusters[0]["uids"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    uids.sort_unstable();
    assert_eq!(uids, ["1", "2"]);
    assert!(uids.contains(&clusters[0]["survivor_uid"].as_str().unwrap()));
    assert!(clusters[0]["score"].as_f64().unwrap() > 0.5);
    assert!(!clusters[0]["reasons"].as_array().unwrap().is_empty());
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".db")), "{left:?}");
}

#[test]
fn the_sample_file_is_the_default_and_a_person_sees_steps_proposals_and_totals() {
    let folder = TempDir::new().unwrap();
    let output = run(folder.path(), &[], &[]);
    assert!(output.status.success(), "{}", stderr(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("contacts_find_duplicates"), "{text}");
    assert!(text.contains("same birth date"), "{text}");
    assert!(text.lines().last().unwrap().contains("1000 contacts"), "{text}");
}

#[test]
fn the_people_of_the_sample_are_told_apart() {
    let folder = TempDir::new().unwrap();
    let report = one_object(&run(folder.path(), &["--json"], &[]));
    let mut proposed = BTreeSet::new();
    for cluster in report["clusters"].as_array().unwrap() {
        let uids: Vec<&str> = cluster["uids"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        for (at, one) in uids.iter().enumerate() {
            proposed.extend(uids[at + 1..].iter().map(|other| pair(one, other)));
        }
    }
    let truth = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("data/people_truth.csv")).unwrap();
    let truth: BTreeSet<_> =
        truth.lines().skip(1).filter_map(|line| line.split_once(',')).map(|(one, other)| pair(one, other)).collect();
    let right = proposed.intersection(&truth).count() as f64;
    let f1 = 2.0 * right / (proposed.len() + truth.len()) as f64;
    assert!(f1 >= 0.97, "F1 of pairs is {f1}");
}

fn pair(one: &str, other: &str) -> (String, String) {
    if one < other { (one.to_owned(), other.to_owned()) } else { (other.to_owned(), one.to_owned()) }
}

#[test]
fn a_vcard_file_is_read_too() {
    let folder = TempDir::new().unwrap();
    let card = |uid: u8| {
        format!(
            "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}\r\nFN:Ada Okonkwo\r\nN:Okonkwo;Ada;;;\r\nEMAIL:ada@example.org\r\n\
             TEL:+14155552671\r\nBDAY:1990-05-17\r\nEND:VCARD\r\n"
        )
    };
    fs::write(folder.path().join("people.vcf"), card(1) + &card(2)).unwrap();
    let report = one_object(&run(folder.path(), &["--input", "people.vcf", "--json"], &[]));
    assert_eq!(report["clusters"].as_array().unwrap().len(), 1);
}

#[test]
fn a_named_store_keeps_everything_and_the_same_file_again_changes_nothing() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("people.csv"), [HEADER, ADA, ADA_AGAIN].concat()).unwrap();
    let arguments = ["--input", "people.csv", "--store", "sqlite://kept.db", "--json"];
    let first = one_object(&run(folder.path(), &arguments, &[]));
    let second = one_object(&run(folder.path(), &arguments, &[]));
    assert!(folder.path().join("kept.db").exists());
    assert_ne!(first["run_id"], second["run_id"]);
    assert_eq!(second["contacts"], 2);
    assert_eq!(second["clusters"], first["clusters"]);
}

#[test]
fn files_without_anything_usable_are_refused_by_name_line_and_reason() {
    refused("empty.csv", b"", &["empty.csv:1", "empty"]);
    refused("binary.csv", b"\x00\x01\x02\x03\xff\xfe\x00\x00\x10\x11\x12\x13", &["binary.csv:1"]);
    refused("header.csv", HEADER.as_bytes(), &["header.csv"]);
    refused("unknown.csv", b"colour,shape\nred,round\n", &["unknown.csv:1", "colour"]);
    refused("broken.vcf", b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ada\r\n", &["broken.vcf"]);
    let folder = TempDir::new().unwrap();
    let output = run(folder.path(), &["--input", "missing.csv"], &[]);
    assert!(!output.status.success());
    assert!(stderr(&output).contains("missing.csv"), "{}", stderr(&output));
}

#[test]
fn what_is_broken_in_a_file_is_told_and_the_rest_is_used() {
    let folder = TempDir::new().unwrap();
    let torn = "3,Bob,\"Unclosed,bob@example.org,,\n";
    let odd = "4,Cleo,Duarte,cleo@example.org,+1 415 555 2672,1990-02-31\n";
    let short = "5,Dan\n";
    fs::write(folder.path().join("people.csv"), [HEADER, ADA, ADA_AGAIN, odd, short, torn].concat()).unwrap();
    let output = run(folder.path(), &["--input", "people.csv", "--json"], &[]);
    let report = one_object(&output);
    assert_eq!(report["contacts"], 3);
    let text = stderr(&output);
    assert!(text.contains("people.csv:4:") && text.contains("1990-02-31"), "{text}");
    assert!(text.contains("people.csv:5:") && text.contains("people.csv:6:"), "{text}");
    assert!(text.contains("people.csv: 2 rows skipped"), "{text}");
}

#[test]
fn a_store_that_cannot_be_used_is_named() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("people.csv"), [HEADER, ADA].concat()).unwrap();
    fs::write(
        folder.path().join("note.txt"),
        "this is no database, but long enough to look like a file of some kind".repeat(20),
    )
    .unwrap();
    for (url, said) in [
        ("sqlite://nowhere/at/all.db", "nowhere/at/all.db"),
        ("sqlite://note.txt", "note.txt"),
        ("mysql://x", "sqlite://"),
    ] {
        let output = run(folder.path(), &["--input", "people.csv", "--store", url], &[]);
        assert!(!output.status.success(), "{url} was accepted");
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
        assert!(!stderr(&output).contains("panicked"), "{}", stderr(&output));
    }
}

#[test]
fn a_model_that_cannot_be_asked_is_named() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("people.csv"), [HEADER, ADA].concat()).unwrap();
    let ask = |model: &str, environment: &[(&str, &str)]| {
        let output = run(folder.path(), &["--input", "people.csv", "--model", model], environment);
        assert!(!output.status.success(), "{model} was accepted");
        stderr(&output) + &String::from_utf8_lossy(&output.stdout)
    };
    assert!(ask("claude-haiku-5-5", &[]).contains("ANTHROPIC_API_KEY"));
    assert!(ask("perceptron", &[]).contains("perceptron"));
    let key = [("ANTHROPIC_API_KEY", "sk-ant-api03-not-a-real-key"), ("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")];
    assert!(ask("claude-of-tomorrow-9", &key).contains("price"));
    assert!(ask("nobody/knows", &key).contains("nobody"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_refused_ends_the_run_and_is_not_shown() {
    let refuse = || async {
        let error =
            json!({ "type": "error", "error": { "type": "authentication_error", "message": "invalid x-api-key" } });
        (StatusCode::UNAUTHORIZED, axum::Json(error))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(refuse)).await });
    let output = tokio::task::spawn_blocking(move || {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("people.csv"), [HEADER, ADA].concat()).unwrap();
        let key = [("ANTHROPIC_API_KEY", "sk-ant-api03-not-a-real-key"), ("ANTHROPIC_BASE_URL", url.as_str())];
        run(folder.path(), &["--input", "people.csv", "--model", "claude-haiku-5-5", "--json"], &key)
    });
    let output = output.await.unwrap();
    assert!(!output.status.success());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["status"], "failed");
    assert!(stderr(&output).contains("invalid_key"), "{}", stderr(&output));
    let shown = stderr(&output) + &String::from_utf8_lossy(&output.stdout);
    assert!(!shown.contains("not-a-real-key"), "{shown}");
}
