//! Bad input and faults: a clear error with a stable code, and nothing lost.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tests::{Daemon, Folder, SONGS, arg, musicdao, small_disk, song};

#[test]
fn files_that_cannot_be_published_are_named_with_a_code() {
    let (daemon, files) = (Daemon::start(&[]), Folder::new());
    let path = |name: &str| files.path().join(name);
    let write = |name: &str, content: &[u8]| {
        fs::write(path(name), content).unwrap();
        path(name)
    };
    let mp3 = fs::read(song(SONGS[0], "mp3")).unwrap();
    let wav = fs::read(song(SONGS[0], "wav")).unwrap();
    let cases = [
        (write("letter.mp3", b"Dear listener, this is not music."), "not_audio"),
        (write("empty.flac", b""), "file_empty"),
        (write("half.wav", &wav[..wav.len() / 2]), "file_truncated"),
        (path("never-there.ogg"), "file_not_found"),
    ];
    for (file, code) in &cases {
        assert_eq!(daemon.fail(&["publish", arg(file)]), *code, "{}", file.display());
    }
    let good = write("good.mp3", &mp3);
    let title = "x".repeat(10_000);
    for args in [["--title", title.as_str()], ["--title", "bell\u{7}"], ["--date", "yesterday"]] {
        let args = [&["publish", arg(&good)][..], &args].concat();
        assert_eq!(daemon.fail(&args), "record_body", "{:.60}", args.join(" "));
    }
    assert_eq!(daemon.fail(&["publish", arg(&good), "--license", "MIT"]), "license_unknown");
    assert_eq!(daemon.fail(&["publish", arg(&good), "--cover", arg(&good)]), "not_an_image");
    // Nothing of all that is left behind, and one bad file keeps a whole release from coming out.
    assert_eq!(daemon.fail(&["publish", arg(&good), arg(&cases[0].0)]), "not_audio");
    assert!(daemon.releases().is_empty());
    daemon.run(&["publish", arg(&good)]);
    assert_eq!(daemon.releases().len(), 1);
}

#[test]
fn two_daemons_do_not_share_a_folder() {
    let daemon = Daemon::start(&[]);
    assert_eq!(daemon.fail(&["daemon", "--no-dht", "--no-mdns", "--wait", "1"]), "already_running");
    daemon.run(&["status"]);
}

#[test]
fn what_is_not_known_is_said_so() {
    let daemon = Daemon::start(&[]);
    let nothing = "0".repeat(64);
    for args in [
        &["show", &nothing][..],
        &["play", &nothing, "--output", "null"],
        &["download", &nothing, "--to", arg(Folder::new().path())],
        &["tag", "add", &nothing, "rock"],
        &["withdraw", &nothing],
    ] {
        assert_eq!(daemon.fail(args), "release_unknown", "{args:?}");
    }
    assert_eq!(daemon.fail(&["join", "https://example.org"]), "invite_malformed");
    assert_eq!(daemon.fail(&["join", &daemon.invite()]), "invite_own");
    assert_eq!(daemon.fail(&["config", "set", "dhd", "false"]), "config_unknown_key");
}

#[test]
fn a_killed_publish_leaves_all_or_nothing() {
    killed_publish(&[song(SONGS[0], "mp3")], 400_000);
}

#[test]
fn a_killed_publish_of_a_long_release_leaves_all_or_nothing() {
    let music = Folder::new();
    let mp3 = fs::read(song(SONGS[0], "mp3")).unwrap();
    let files: Vec<PathBuf> = (0..60_usize)
        .map(|number| {
            let path = music.path().join(format!("track {number}.mp3"));
            // A little of it, and at the end something that is no sound but makes each file its own.
            fs::write(&path, [&mp3[..40_000], format!("{number:0100}").as_bytes()].concat()).unwrap();
            path
        })
        .collect();
    killed_publish(&files, 240_000);
}

/// Publishes the files again and again, and kills the daemon a little later each time, from before the first byte to
/// after the end.
fn killed_publish(files: &[PathBuf], step: u64) {
    let mut folder = Folder::new();
    // Where the daemon dies before the command reaches it, the command's own node publishes: it is to meet nobody either.
    fs::write(folder.path().join("config.toml"), "dht = false\nmdns = false\n").unwrap();
    let mut published = 0;
    for round in 0..12_u64 {
        let daemon = folder.daemon(&[]);
        let mut publishing = Command::new(musicdao())
            .arg("--data")
            .arg(daemon.folder().path())
            .args(["--json", "publish", "--title", &format!("round {round}")])
            .args(files)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        daemon.wait_for_stored(round * step);
        folder = daemon.kill();
        let done = publishing.wait().unwrap().success();
        published += usize::from(done);
        let daemon = folder.daemon(&[]);
        let releases = daemon.releases();
        assert!((published..=published + 1).contains(&releases.len()), "round {round}: {releases:?}");
        published = releases.len();
        for release in &releases {
            let played = daemon.run(&["play", release, "--output", "null", "--seconds", "1"]);
            assert_eq!(played["source"], "local");
            let tracks = daemon.run(&["show", release])["tracks"].as_array().unwrap().clone();
            assert_eq!(tracks.len(), files.len());
            assert!(tracks.iter().all(|track| track["have"] == track["size"]), "round {round}: {release}");
        }
        folder = daemon.kill();
    }
}

#[test]
fn a_killed_download_goes_on_where_it_was() {
    let artist = Daemon::start(&[]);
    let file = song(SONGS[0], "wav");
    let release = artist.run(&["publish", arg(&file)])["release_id"].as_str().unwrap().to_owned();
    artist.run(&["config", "set", "upload_limit", "4000000"]);
    let mut listener = Daemon::start(&[&artist]);
    listener.until_releases(1);
    let to = Folder::new();
    for _ in 0..2 {
        let mut downloading = Command::new(musicdao())
            .arg("--data")
            .arg(listener.folder().path())
            .args(["--json", "download", &release, "--to", arg(to.path())])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let before = have(&listener, &release);
        listener.until("more bytes", |one| (have(one, &release) > before).then_some(()));
        let fetched = listener.run(&["stats"])["fetched_bytes"].as_u64().unwrap();
        assert!(fetched > 0, "what is on its way counts already");
        let link = artist.invite();
        listener = listener.kill().daemon(&["--peer", &link]);
        let after = listener.run(&["stats"])["fetched_bytes"].as_u64().unwrap();
        assert!(after >= fetched, "a kill took {fetched} bytes to {after}");
        downloading.wait().unwrap();
    }
    artist.run(&["config", "set", "upload_limit", "0"]);
    let saved = listener.run(&["download", &release, "--to", arg(to.path())]);
    assert_eq!(saved["files"][0]["blake3"], tests::blake3(&file));
    assert_eq!(tests::blake3(Path::new(saved["files"][0]["path"].as_str().unwrap())), tests::blake3(&file));
}

fn have(daemon: &Daemon, release: &str) -> u64 {
    daemon.run(&["show", release])["tracks"][0]["have"].as_u64().unwrap()
}

#[test]
fn a_full_disk_is_said_so_and_nothing_is_lost() {
    let Some(disk) = small_disk("a_full_disk_is_said_so_and_nothing_is_lost", 24) else { return };
    let daemon = Folder::within(&disk).daemon(&[]);
    let small = song(SONGS[0], "mp3");
    let release = daemon.run(&["publish", arg(&small)])["release_id"].as_str().unwrap().to_owned();
    assert_eq!(daemon.fail(&["publish", arg(&song(SONGS[0], "wav"))]), "disk_full");
    let played = daemon.run(&["play", &release, "--output", "null", "--seconds", "1"]);
    assert_eq!(played["source"], "local");
    assert_eq!(daemon.releases(), [release]);
}
