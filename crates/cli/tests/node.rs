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

/// Writes a second of a tone that differs by the name.
fn song(path: &Path) {
    let pitch =
        path.as_os_str().as_encoded_bytes().iter().map(|byte| i32::from(*byte)).sum::<i32>() % 90 + 10;
    let samples = (0..8_000).flat_map(|at| ((at % pitch * 200) as i16).to_le_bytes());
    let data: Vec<u8> = samples.collect();
    let mut wav = b"RIFF".to_vec();
    wav.extend((36 + data.len() as u32).to_le_bytes());
    wav.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend([8_000_u32.to_le_bytes(), 16_000_u32.to_le_bytes()].concat());
    wav.extend(b"\x02\0\x10\0data");
    wav.extend((data.len() as u32).to_le_bytes());
    wav.extend(data);
    fs::write(path, wav).unwrap();
}

/// Runs a command as people do, and returns what it says on standard output and standard error.
fn said(data: &Path, args: &[&str]) -> (String, String) {
    let output = command(data).args(["--wait", "0.2"]).args(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (words, notes) = (text(output.stdout), text(output.stderr));
    assert!(output.status.success(), "{args:?}: {notes}");
    (words, notes)
}

#[test]
fn a_folder_is_published_played_and_kept_by_name() {
    let (folder, data) = folder();
    let daemon = Daemon::start(&data);
    let album = folder.path().join("Night Train");
    fs::create_dir(&album).unwrap();
    for name in ["one", "two"] {
        song(&album.join(format!("{name}.wav")));
    }
    answer(&data, &["profile", "set", "--name", "Ada L."]);
    assert_eq!(error(&data, &["publish", "nowhere/at all.wav"]), "file_not_found");
    assert_eq!(error(&data, &["publish", "Night Train", "--license", "MIT"]), "license_unknown");
    let (words, notes) = said(&data, &["publish", "Night Train"]);
    assert!(notes.contains("else CC-BY-4.0"), "told before it is signed: {notes}");
    assert!(words.contains("no licence was named: published under CC-BY-4.0"), "{words}");
    let id = words.lines().last().unwrap().rsplit(' ').next().unwrap().to_owned();
    let shown = answer(&data, &["show", &id]);
    assert_eq!(
        (&shown["title"], &shown["artist"]),
        (&json!("Night Train"), &json!("Ada L.")),
        "no tags: the folder's name"
    );

    let track = format!("{id}/1");
    let sound = folder.path().join("sound.wav");
    fs::write(&sound, b"mine").unwrap();
    assert_eq!(error(&data, &["play", &track, "--output", sound.to_str().unwrap()]), "file_exists");
    assert_eq!(fs::read(&sound).unwrap(), b"mine");
    assert_eq!(error(&data, &["play", &track, "--output", "null", "--from", "90"]), "seek_past_end");
    assert_eq!(error(&data, &["play", &track, "--output", "sound.mp3"]), "output_format");
    let (words, notes) = said(&data, &["play", &track, "--output", "null"]);
    assert!(
        words.starts_with("Played 0:01 from here (wav)") && notes.contains("Playing one by Ada L."),
        "{words}{notes}"
    );

    assert_eq!(error(&data, &["block", "add", &id]), "block_own");
    let nothing = "0".repeat(64);
    assert_eq!(error(&data, &["block", "remove", &nothing]), "not_blocked");
    assert_eq!(error(&data, &["block", "unsubscribe", &nothing]), "list_unknown");
    assert_eq!(error(&data, &["block", "remove", "00000000"]), "id_unknown");

    assert_eq!(error(&data, &["follow", "ada l."]), "follow_self", "who is meant is found by name");
    assert_eq!(error(&data, &["follow", "nobody at all"]), "artist_unknown");
    answer(&data, &["playlist", "create", "Sunday"]);
    assert_eq!(answer(&data, &["playlist", "add", "sunday", &id])["playlists"][0]["count"], 2);
    assert_eq!(error(&data, &["playlist", "add", "Monday", &id]), "playlist_unknown");
    let missing = musicdao(&data, &["playlist", "remove", "Sunday", "3"]);
    let missing: Value = serde_json::from_slice(&missing.stderr).unwrap();
    assert_eq!(missing["error"]["message"], "the playlist has no place 3; it has 2");
    answer(&data, &["playlist", "create", "SUNDAY"]);
    assert_eq!(error(&data, &["playlist", "list", "Sunday"]), "playlist_ambiguous");

    let seeds = answer(&data, &["seed", &id]);
    assert_eq!(seeds["seeds"], json!([{ "release_id": id, "title": "Night Train", "artist": "Ada L." }]));
    assert!(said(&data, &["seed"]).0.contains("Night Train"));
    answer(&data, &["stop"]);
    assert_eq!(daemon.end(), Some(0));
}

#[test]
fn an_invite_that_was_cut_or_mistyped_is_refused() {
    let (_folder, data) = folder();
    let daemon = Daemon::start(&data);
    let invite = daemon.ready["invite"].as_str().unwrap();
    assert_eq!(error(&data, &["join", invite]), "invite_own");
    assert_eq!(error(&data, &["join", &invite[..invite.len() - 1]]), "invite_damaged");
    assert_eq!(error(&data, &["join", &invite.replacen("127.0.0.1", "127.0.0.2", 1)]), "invite_damaged");
    assert_eq!(error(&data, &["open", &invite[..40]]), "invite_damaged");
    assert_eq!(error(&data, &["join", "https://example.org"]), "invite_malformed");
    assert_eq!(answer(&data, &["invite"])["ways"], 0, "nobody else reaches this machine's own address");
    assert!(said(&data, &["invite"]).1.contains("no address"));
    answer(&data, &["stop"]);
    assert_eq!(daemon.end(), Some(0));
}

#[test]
fn people_are_told_what_is_waited_for_and_where_else_to_look() {
    let (_folder, data) = folder();
    let output = command(&data).args(["--wait", "4", "releases"]).output().unwrap();
    let notes = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && notes.contains("waiting up to"), "{notes}");
    assert!(said(&data, &["releases", "--tag", "jazz"]).0.contains("No release known here fits"));
    let (words, _) = said(&data, &["search", "--remote", "night"]);
    assert!(!words.contains("--remote"), "who has done so is not told to: {words}");
    assert_eq!(error(&data, &["search", " "]), "query_empty");
    assert_eq!(error(&data, &["config", "set", "cache_bytes", "1G"]), "config_bad_value");
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
    assert_eq!(
        error(&from, &["identity", "export", "identity"]),
        "passphrase_needed",
        "never plain in silence"
    );
    assert!(!file.exists());
    assert_eq!(answer(&from, &["identity", "export", "words", "--plain"])["encrypted"], false);
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
    let checks = self::checks(&data, &["doctor", "--bundle", bundle.to_str().unwrap()]);
    assert_eq!(keys(&checks["checks"][0]), BTreeSet::from(["message", "name", "ok"]));
    let held = entries(&bundle);
    for name in ["README.txt", "checks.txt", "config.json", "logs/musicdao.log"] {
        assert!(held.contains(&format!("musicdao-doctor/{name}")), "{held:?}");
    }
    assert_eq!(error(&data, &["doctor", "--bundle", bundle.to_str().unwrap()]), "file_exists");
    fs::write(data.join("config.toml"), "dht = ").unwrap();
    let ill = folder.path().join("ill.tar.gz");
    let checks = self::checks(&data, &["doctor", "--bundle", ill.to_str().unwrap()]);
    assert_eq!(checks["checks"][0]["ok"], false);
    assert!(checks["checks"][0]["message"].as_str().unwrap().contains("config_malformed"), "{checks}");
    assert!(entries(&ill).contains("musicdao-doctor/checks.txt"));
}

/// Runs a doctor who finds something wrong: the answer is whole, and the exit code tells.
fn checks(data: &Path, args: &[&str]) -> Value {
    let output = musicdao(data, args);
    assert_eq!(output.status.code(), Some(1));
    let error: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(error["error"]["code"], "checks_failed");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_doctor_finds_no_network_where_there_is_none() {
    let (_folder, data) = folder();
    let config = "mdns = true\nport_mapping = false\nlisten = \"127.0.0.1:0\"\ndht_bootstrap = [\"127.0.0.1:9\"]\n\
                  mdns_suffix = \"doctor\"\n";
    fs::write(data.join("config.toml"), config).unwrap();
    let found = checks(&data, &["doctor"]);
    let ok = |name: &str| {
        let checks = found["checks"].as_array().unwrap();
        checks.iter().find(|check| check["name"] == name).unwrap()["ok"].as_bool().unwrap()
    };
    for (name, expected) in
        [("data folder", true), ("database", true), ("network", false), ("lan", false), ("dht", false)]
    {
        assert_eq!(ok(name), expected, "{name}: {found}");
    }
}

/// Lists what a bundle holds.
fn entries(bundle: &Path) -> BTreeSet<String> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(fs::File::open(bundle).unwrap()));
    let paths = archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().display().to_string());
    paths.collect()
}
