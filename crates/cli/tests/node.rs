//! The binary with real nodes: a daemon, commands that talk to it, and commands without one. Each node keeps to itself.
#![allow(clippy::unwrap_used, reason = "helpers of tests, beside the tests themselves")]

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, ChildStdout, Command, Output, Stdio},
};

use serde_json::{Value, json};

/// A running daemon, ended with the test whatever happens.
struct Daemon {
    child: Child,
    lines: BufReader<ChildStdout>,
    ready: Value,
}

impl Daemon {
    fn start(data: &Path) -> Self {
        Self::start_with(data, &[])
    }

    fn start_with(data: &Path, args: &[&str]) -> Self {
        let mut daemon = command(data);
        daemon.args(["--json", "daemon", "--listen", "127.0.0.1:0", "--no-dht", "--no-mdns"]).args(args);
        let mut child = daemon.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let ready = line(&mut lines);
        Self { child, lines, ready }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Reads standard output to its end and returns the exit code.
    fn end(mut self) -> Option<i32> {
        self.lines.read_to_end(&mut Vec::new()).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It has ended already where the test went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn line(lines: &mut impl BufRead) -> Value {
    let mut text = String::new();
    lines.read_line(&mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn command(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_musicdao"));
    command.env("MUSICDAO_DATA", data).stdin(Stdio::null()).current_dir(data.parent().unwrap());
    command
}

fn musicdao(data: &Path, args: &[&str]) -> Output {
    command(data).args(["--json", "--wait", "0.2"]).args(args).output().unwrap()
}

/// Returns a data folder whose node meets nobody.
fn folder() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    let quiet = "dht = false\nmdns = false\nport_mapping = false\nlisten = \"127.0.0.1:0\"\n";
    fs::write(data.join("config.toml"), quiet).unwrap();
    (folder, data)
}

fn answer(data: &Path, args: &[&str]) -> Value {
    let output = musicdao(data, args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn error(data: &Path, args: &[&str]) -> Value {
    let output = musicdao(data, args);
    assert_eq!(output.status.code(), Some(1), "{args:?}");
    serde_json::from_slice::<Value>(&output.stderr).unwrap()["error"]["code"].clone()
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn commands_do_without_a_daemon() {
    let (_folder, data) = folder();
    let status = answer(&data, &["status"]);
    assert_eq!(status["data"].as_str(), data.to_str());
    assert_eq!(answer(&data, &["releases"]), json!({ "releases": [], "total": 0 }));
    assert_eq!(answer(&data, &["search", "night"]), json!({ "results": [] }));
    assert_eq!(answer(&data, &["peers"]), json!({ "peers": [] }));
    assert_eq!(answer(&data, &["follow"]), json!({ "follows": [] }));
    assert_eq!(answer(&data, &["block", "list"]), json!({ "blocked": [], "lists": [] }));
    assert_eq!(
        answer(&data, &["hide", "add", "--tag", "#Spam"])["hidden"][0]["what"],
        json!({ "tag": "spam" })
    );
    assert_eq!(answer(&data, &["hide", "remove", "--tag", "spam"]), json!({ "hidden": [] }));
    assert!(answer(&data, &["player", "devices"])["devices"].is_array());
    let profile = answer(&data, &["profile", "set", "--name", "Ada"]);
    assert_eq!((&profile["peer_id"], &profile["name"]), (&status["peer_id"], &json!("Ada")));
    assert_eq!(answer(&data, &["profile", "show"])["name"], "Ada");
    let unknown = "0".repeat(64);
    assert_eq!(error(&data, &["show", &unknown]), "release_unknown");
    assert_eq!(error(&data, &["play", &unknown, "--output", "null"]), "release_unknown");
    assert_eq!(error(&data, &["show", "00000000"]), "id_unknown");
    assert_eq!(error(&data, &["player", "state"]), "daemon_absent");
}

#[test]
fn a_daemon_tells_that_it_is_ready_and_ends_on_request() {
    let (_folder, data) = folder();
    let daemon = Daemon::start(&data);
    assert_eq!(keys(&daemon.ready), BTreeSet::from(["event", "invite", "peer_id", "pid", "web"]));
    assert_eq!(daemon.ready["event"], "ready");
    assert_eq!(daemon.ready["pid"], daemon.child.id());
    assert_eq!(daemon.ready["web"], Value::Null);
    assert!(daemon.ready["invite"].as_str().unwrap().starts_with("musicdao:"));
    assert_eq!(answer(&data, &["status"])["peer_id"], daemon.ready["peer_id"]);
    assert!(keys(&answer(&data, &["player", "state"])).contains("queue"));
    assert_eq!(error(&data, &["daemon"]), "already_running");
    answer(&data, &["stop"]);
    assert_eq!(answer(&data, &["status"])["peer_id"], daemon.ready["peer_id"], "the folder is free at once");
    assert_eq!(daemon.end(), Some(0));
}

#[test]
fn a_daemon_serves_the_app_to_this_machine_only() {
    let (_folder, data) = folder();
    let daemon = Daemon::start_with(&data, &["--web"]);
    let link = daemon.ready["web"].as_str().unwrap().to_owned();
    assert!(link.starts_with("http://127.0.0.1:") && link.contains("/#token="), "{link}");
    answer(&data, &["stop"]);
    assert_eq!(daemon.end(), Some(0));
    let again = Daemon::start_with(&data, &["--web"]);
    assert_eq!(again.ready["web"], link, "a page that is open finds its daemon again");
    answer(&data, &["stop"]);
    assert_eq!(again.end(), Some(0));
    let output = musicdao(&data, &["daemon", "--web", "0.0.0.0:8080"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("loopback"));
}

#[test]
fn signals_end_a_daemon_cleanly() {
    let (_folder, data) = folder();
    for signal in ["TERM", "INT", "HUP"] {
        let daemon = Daemon::start(&data);
        daemon.signal(signal);
        assert_eq!(daemon.end(), Some(0), "{signal}");
    }
}

#[test]
fn a_daemon_survives_its_reader() {
    let (_folder, data) = folder();
    let mut daemon = Daemon::start(&data);
    daemon.lines = BufReader::new(
        command(&data).arg("--version").stdout(Stdio::piped()).spawn().unwrap().stdout.take().unwrap(),
    );
    answer(&data, &["profile", "set", "--name", "Ada"]);
    assert_eq!(answer(&data, &["profile", "show"])["name"], "Ada");
    answer(&data, &["stop"]);
    assert_eq!(daemon.end(), Some(0));
}

#[test]
fn an_identity_moves_with_its_passphrase() {
    let (folder, from) = folder();
    let to = folder.path().join("other");
    fs::create_dir(&to).unwrap();
    fs::copy(from.join("config.toml"), to.join("config.toml")).unwrap();
    let passphrase = folder.path().join("passphrase");
    fs::write(&passphrase, "correct horse\n").unwrap();
    let passphrase = passphrase.to_str().unwrap();
    let file = folder.path().join("identity");
    // A relative path means the caller's folder, whoever writes the file.
    let exported = answer(&from, &["identity", "export", "identity", "--passphrase-file", passphrase]);
    assert_eq!(exported["encrypted"], true);
    let file = file.to_str().unwrap();
    assert_eq!(error(&to, &["identity", "import", file]), "passphrase_needed");
    let daemon = Daemon::start(&to);
    assert_ne!(daemon.ready["peer_id"], exported["peer_id"]);
    let imported = answer(&to, &["identity", "import", file, "--passphrase-file", passphrase]);
    assert_eq!(imported["peer_id"], exported["peer_id"]);
    // The daemon starts anew and says so.
    let mut daemon = daemon;
    let again =
        std::iter::from_fn(|| Some(line(&mut daemon.lines))).find(|line| line["event"] == "ready").unwrap();
    assert_eq!(again["peer_id"], exported["peer_id"]);
    answer(&to, &["stop"]);
    assert_eq!(daemon.end(), Some(0));
}

#[test]
fn the_doctor_bundles_even_what_does_not_start() {
    let (folder, data) = folder();
    let bundle = folder.path().join("well.tar.gz");
    let checks = answer(&data, &["doctor", "--bundle", bundle.to_str().unwrap()]);
    assert_eq!(keys(&checks["checks"][0]), BTreeSet::from(["message", "name", "ok"]));
    let held = entries(&bundle);
    for name in ["README.txt", "checks.txt", "config.json", "logs/musicdao.log"] {
        assert!(held.contains(&format!("musicdao-doctor/{name}")), "{held:?}");
    }
    assert_eq!(error(&data, &["doctor", "--bundle", bundle.to_str().unwrap()]), "file_exists");
    fs::write(data.join("config.toml"), "dht = ").unwrap();
    let ill = folder.path().join("ill.tar.gz");
    let checks = answer(&data, &["doctor", "--bundle", ill.to_str().unwrap()]);
    assert_eq!(checks["checks"][0]["ok"], false);
    assert!(checks["checks"][0]["message"].as_str().unwrap().contains("config_malformed"), "{checks}");
    assert!(entries(&ill).contains("musicdao-doctor/checks.txt"));
}

/// Lists what a bundle holds.
fn entries(bundle: &Path) -> BTreeSet<String> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(fs::File::open(bundle).unwrap()));
    let paths = archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().display().to_string());
    paths.collect()
}
