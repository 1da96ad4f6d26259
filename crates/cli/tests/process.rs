//! The binary as scripts meet it: exit codes, the shape of errors, and pipes that close. No test needs a network.
#![allow(clippy::unwrap_used, reason = "helpers of tests, beside the tests themselves")]

use std::{
    fs,
    io::Read,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};

/// Runs the binary on a data folder.
fn musicdao(data: &Path, args: &[&str]) -> Output {
    command(data).args(args).output().unwrap()
}

fn command(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_musicdao"));
    command.env("MUSICDAO_DATA", data).env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

/// Checks that a command fails as scripts expect, and returns its error.
fn refused(output: &Output, exit: i32) -> Value {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(exit), "{stderr}");
    assert!(output.stdout.is_empty());
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    let error = serde_json::from_str::<Value>(&stderr).unwrap()["error"].clone();
    let keys = error.as_object().unwrap().keys().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(keys, ["code", "message"]);
    error
}

/// Checks that a command answers with one line of JSON, and returns it.
fn answer(output: &Output) -> Value {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    let stdout = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(stdout.lines().count(), 1, "{stdout}");
    serde_json::from_str(&stdout).unwrap()
}

#[test]
fn what_cannot_be_understood_exits_with_2() {
    let data = tempfile::tempdir().unwrap();
    let wrong: [&[&str]; 14] = [
        &[],
        &["sing"],
        &["show"],
        &["show", "abc"],
        &["show", "xyzxyzxyz"],
        &["play", "abcdef01/0"],
        &["play", "abcdef01", "--from", "-1"],
        &["play", "abcdef01", "--seconds", "nan"],
        &["publish"],
        &["profile", "set"],
        &["daemon", "--listen", "nowhere"],
        &["releases", "--sort", "best"],
        &["like", "abcdef01", "--wait", "soon"],
        &["follow", "--public"],
    ];
    for args in wrong {
        let output = musicdao(data.path(), args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let error = refused(&musicdao(data.path(), &[&["--json"], args].concat()), 2);
        assert_eq!(error["code"], "usage", "{args:?}");
    }
    assert_eq!(fs::read_dir(data.path()).unwrap().count(), 0, "nothing was written");
}

#[test]
fn a_negative_number_is_a_wrong_value_not_an_unknown_option() {
    let data = tempfile::tempdir().unwrap();
    for args in
        [&["releases", "--limit", "-5"][..], &["player", "seek", "-5"], &["play", "abcdef01", "--from", "-5"]]
    {
        let error = refused(&musicdao(data.path(), &[&["--json"], args].concat()), 2);
        let message = error["message"].as_str().unwrap();
        assert!(message.starts_with("invalid value '-5'"), "{message}");
    }
    let error = refused(&musicdao(data.path(), &["--json", "config", "set", "cache_bytes", "-5"]), 1);
    assert_eq!(error["code"], "config_bad_value");
    assert!(error["message"].as_str().unwrap().contains("a whole number without a unit"), "{error}");
}

#[test]
fn errors_are_json_for_programs_and_words_for_people() {
    let data = tempfile::tempdir().unwrap();
    let error = refused(&musicdao(data.path(), &["--json", "stop"]), 1);
    assert_eq!(error["code"], "daemon_absent");
    let output = musicdao(data.path(), &["stop"]);
    assert_eq!(output.status.code(), Some(1));
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        words,
        "musicdao: no daemon runs on this data folder; start one with `musicdao daemon` [daemon_absent]\n"
    );
}

#[test]
fn settings_are_kept_without_starting_a_node() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().join("new");
    let set = answer(&musicdao(&folder, &["--json", "config", "set", "cache_bytes", "1000"]));
    assert_eq!(set, json!({ "config": { "cache_bytes": 1000 } }));
    let got = answer(&musicdao(&folder, &["config", "get", "--json"]));
    assert_eq!((&got["config"]["cache_bytes"], &got["config"]["dht"]), (&json!(1000), &json!(true)));
    let one = musicdao(&folder, &["config", "get", "cache_bytes"]);
    assert_eq!(String::from_utf8(one.stdout).unwrap(), "cache_bytes = 1000\n");
    let error = refused(&musicdao(&folder, &["--json", "config", "set", "dht", "maybe"]), 1);
    assert_eq!(error["code"], "config_bad_value");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "only the settings");
}

#[test]
fn a_data_folder_that_is_named_goes_before_the_environment() {
    let (named, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let data = named.path().to_str().unwrap();
    answer(&musicdao(other.path(), &["--json", "--data", data, "config", "set", "dht", "false"]));
    assert!(named.path().join("config.toml").exists());
    assert!(!other.path().join("config.toml").exists());
}

#[test]
fn help_version_completions_and_pages_are_on_standard_output() {
    let data = tempfile::tempdir().unwrap();
    let check = |args: &[&str], part: &str| {
        let output = musicdao(data.path(), args);
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert!(stdout.contains(part), "{args:?}: {stdout}");
    };
    check(&["--help"], "playlist add PLAYLIST RELEASE[/N]...");
    check(&["help", "play"], "--output");
    check(&["play", "--help", "--json"], "--output");
    check(&["--version"], env!("CARGO_PKG_VERSION"));
    for (shell, part) in [("bash", "complete -F"), ("zsh", "#compdef musicdao"), ("fish", "complete -c")] {
        check(&["completions", shell], part);
    }
    check(&["man"], ".TH musicdao 1");
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let data = tempfile::tempdir().unwrap();
    let mut child = command(data.path())
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut words = String::new();
    child.stderr.take().unwrap().read_to_string(&mut words).unwrap();
    assert_eq!(words, "");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_dao_is_emulated_alike_by_the_same_seed_and_reported() {
    let data = tempfile::tempdir().unwrap();
    let report = data.path().join("report");
    let emulate = |more: &[&str]| {
        let args = ["--json", "emulate", "--members", "4", "--seed", "9", "--joins", "1", "--payments", "1"];
        answer(&musicdao(data.path(), &[&args[..], more].concat()))
    };
    let (first, again) = (emulate(&["--report", report.to_str().unwrap()]), emulate(&[]));
    assert_eq!(first["trace_hash"], again["trace_hash"]);
    assert_eq!((&first["members"], &first["construction"]), (&json!(4), &json!("multi_a")));
    assert_eq!(first["failures"], 0);
    for key in ["join_ms_p50", "join_ms_p95", "bytes_per_join", "propose_to_signed_ms", "vbytes"] {
        assert!(first[key].as_u64().unwrap() > 0, "{key}: {first}");
    }
    assert!(fs::read_to_string(report.join("report.html")).unwrap().contains("<svg"));
    let table = fs::read_to_string(report.join("results.csv")).unwrap();
    assert!(table.contains(first["trace_hash"].as_str().unwrap()));

    let many = answer(&musicdao(
        data.path(),
        &["--json", "emulate", "--members", "21", "--construction", "sortedmulti"],
    ));
    assert_eq!((&many["join_ms_p50"], &many["trace_hash"]), (&Value::Null, &Value::Null));
    assert!(many["reason"].as_str().unwrap().contains("20 keys"));
}
