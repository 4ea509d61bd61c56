//! Reads on standard input what the first example prints with `--json`, and fails unless it is one
//! object that tells of a run which succeeded.

use std::io::Read as _;
use std::process::ExitCode;

use serde_json::Value;

#[expect(clippy::print_stderr, reason = "a command tells on standard error why it fails")]
fn main() -> ExitCode {
    let mut text = String::new();
    let read = std::io::stdin().read_to_string(&mut text).map_err(|e| e.to_string());
    match read.and_then(|_| check(&text)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn check(text: &str) -> Result<(), String> {
    let report: Value = serde_json::from_str(text).map_err(|e| format!("not one JSON value: {e}"))?;
    if report["status"] != "succeeded" {
        return Err(format!("the run is {}", report["status"]));
    }
    for count in ["steps", "contacts"] {
        if report[count].as_u64().is_none_or(|n| n == 0) {
            return Err(format!("{count} is {}", report[count]));
        }
    }
    let clusters = report["clusters"].as_array().ok_or("clusters are no list")?;
    let is_whole = |cluster: &Value| {
        let uids = cluster["uids"].as_array().map_or(&[][..], Vec::as_slice);
        uids.len() >= 2 && uids.contains(&cluster["survivor_uid"]) && cluster["reasons"][0].is_string()
    };
    match clusters.iter().find(|cluster| !is_whole(cluster)) {
        None if clusters.is_empty() => Err("nothing was found".to_owned()),
        None => Ok(()),
        Some(cluster) => Err(format!("a cluster is not whole: {cluster}")),
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn a_report_is_told_from_what_is_none() {
        let good = r#"{"status":"succeeded","steps":3,"contacts":2,"clusters":[{"uids":["a","b"],"survivor_uid":"a","reasons":["r"]}]}"#;
        assert_eq!(check(good), Ok(()));
        assert!(check("").is_err());
        assert!(check(&format!("{good}{good}")).is_err());
        assert!(check(&good.replace("succeeded", "failed")).is_err());
        assert!(check(&good.replace(r#""survivor_uid":"a""#, r#""survivor_uid":"c""#)).is_err());
        assert!(check(r#"{"status":"succeeded","steps":3,"contacts":2,"clusters":[]}"#).is_err());
    }
}
