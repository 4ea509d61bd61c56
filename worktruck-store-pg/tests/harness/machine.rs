use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;

use worktruck_core::ErrorKind;
use worktruck_store_pg::testing::{Cluster, ClusterOptions, Database};

use crate::{one_test, own_home, user_of};

/// The user of this process, and somebody who is not root.
fn users() -> [u32; 2] {
    let this = fs::metadata("/proc/self").unwrap().uid();
    [this, if this == 0 { 65_534 } else { this }]
}

#[tokio::test]
async fn root_and_others_can_run_servers() {
    let [this, other] = users();
    let mut test = one_test("databases::fresh_databases_are_separate");
    test.env_remove("WORKTRUCK_TEST_DATABASE_URL");
    if other != this {
        test.uid(other).gid(other);
    }
    let output = test.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{output:?}");

    let cluster = Cluster::start(&ClusterOptions::new()).unwrap();
    let runs_as = user_of(cluster.postmaster().unwrap());
    assert!(if this == 0 { runs_as != 0 } else { runs_as == this });
    // Whoever can connect may do everything.
    assert_eq!(fs::metadata(cluster.socket_folder()).unwrap().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn without_programs_the_error_says_what_to_do() {
    let (folder, home) = own_home();
    let error = Database::fresh_in(&home.with_programs(folder.path())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    let text = error.to_string();
    assert!(text.contains("initdb, pg_ctl, postgres") && text.contains("WORKTRUCK_TEST_PG_BIN"), "{text}");
}

#[tokio::test]
async fn a_folder_that_others_could_have_prepared_is_refused() {
    let (folder, home) = own_home();
    let prepared = folder.path().join(format!("worktruck-pg-{}", users()[0]));
    fs::create_dir(&prepared).unwrap();
    fs::set_permissions(&prepared, fs::Permissions::from_mode(0o777)).unwrap();
    let error = Database::fresh_in(&home).await.unwrap_err().to_string();
    assert!(error.contains(prepared.to_str().unwrap()), "{error}");
}

#[tokio::test]
async fn a_folder_whose_path_is_too_long_for_a_socket_is_passed_over_or_refused() {
    let (folder, home) = own_home();
    let long = folder.path().join("x".repeat(90));
    fs::create_dir(&long).unwrap();
    let error = Database::fresh_in(&home.with_folder(&long)).await.unwrap_err().to_string();
    assert!(error.contains("bytes"), "{error}");

    let mut test = one_test("databases::fresh_databases_are_separate");
    let output = test.env_remove("WORKTRUCK_TEST_DATABASE_URL").env("TMPDIR", &long).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}
