//! What went wrong outside, and the ways back: a damaged database, a disk that fails or is full, a clock that is off;
//! and what one may change one's mind about.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use tests::{Daemon, Folder, SONGS, arg, musicdao, small_disk, song};

/// Seconds in a day.
const DAY: i64 = 24 * 3600;
/// Where Debian's package `libfaketime` is.
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

#[test]
fn a_damaged_database_is_set_aside_by_the_command_that_the_error_names() {
    let friend = Daemon::start(&[]);
    let artist = Daemon::start(&[&friend]);
    assert_eq!(artist.fail(&["doctor", "--set-aside-database"]), "already_running");
    let release = publish(&artist, SONGS[0]);
    assert_eq!(friend.until_releases(1), std::slice::from_ref(&release));
    let id = artist.id().to_owned();
    let folder = artist.stop();
    let database = folder.path().join("musicdao.db");
    fs::write(&database, b"this was a database once").unwrap();

    let refused = folder.output(&["status"]);
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(error.contains("database_corrupt"), "{error}");
    assert!(error.contains("musicdao doctor --set-aside-database"), "{error}");
    assert_eq!(fs::read(&database).unwrap(), b"this was a database once");

    let aside = folder.run(&["doctor", "--set-aside-database"])["aside"].as_str().unwrap().to_owned();
    assert_eq!(fs::read(aside).unwrap(), b"this was a database once");
    assert_eq!(folder.fail(&["doctor", "--set-aside-database"]), "database_unreadable");

    // What is public comes back from the swarm, and until then nothing is signed that could contradict it.
    let artist = folder.daemon(&[]);
    assert_eq!(artist.id(), id);
    assert_eq!(artist.fail(&["profile", "set", "--name", "Per"]), "identity_syncing");
    artist.run(&["join", &friend.invite()]);
    assert_eq!(artist.until_releases(1), std::slice::from_ref(&release));
    let played = artist.run(&["play", &release, "--output", "null", "--seconds", "1"]);
    assert_eq!(played["source"], "local", "the music was never gone");
    artist.until("the right to publish", |artist| {
        artist.run(&["status"])["can_publish"].as_bool().unwrap().then_some(())
    });
    publish(&artist, SONGS[1]);
    friend.until_releases(2);
}

#[test]
fn a_daemon_whose_disk_takes_nothing_ends_with_a_failure() {
    if Command::new("prlimit").arg("--version").stdout(Stdio::null()).status().is_err() {
        println!("skipped: no prlimit");
        return;
    }
    // A write beyond the limit is an error of the disk to whoever ignores the signal.
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", arg(&musicdao())]);
    let alone = ["--no-dht", "--no-mdns", "--listen", "127.0.0.1:0"];
    let daemon = Folder::new().daemon_with(shell, &alone);
    let limited = Command::new("prlimit").args(["--fsize=1", "--pid", &daemon.pid().to_string()]).status();
    assert!(limited.unwrap().success());
    assert_eq!(daemon.fail(&["profile", "set", "--name", "Per"]), "database_unreadable");
    let (code, folder) = daemon.ended();
    assert_eq!(code, Some(1), "a service manager starts it again");
    folder.daemon(&[]).run(&["profile", "set", "--name", "Per"]);
}

#[test]
fn a_full_disk_does_not_end_a_daemon_that_others_tell_of_releases() {
    let Some(disk) = small_disk("a_full_disk_does_not_end_a_daemon_that_others_tell_of_releases", 24) else {
        return;
    };
    let artist = Daemon::start(&[]);
    let listener = Folder::within(&disk).daemon(&[]);
    let filler = disk.join("filler");
    std::io::copy(&mut std::io::repeat(1), &mut fs::File::create(&filler).unwrap()).unwrap_err();
    assert_eq!(listener.fail(&["profile", "set", "--name", "Per"]), "disk_full");

    let mp3 = song(SONGS[0], "mp3");
    let mut releases: Vec<String> = (0..10)
        .map(|number| {
            let title = format!("{number} {}", "long words ".repeat(18));
            let published = artist.run(&["publish", arg(&mp3), "--title", &title]);
            published["release_id"].as_str().unwrap().to_owned()
        })
        .collect();
    releases.sort();
    listener.run(&["join", &artist.invite()]);
    listener.until_event("the warning", |event| event["event"] == "warning" && event["code"] == "disk_full");
    assert_ne!(listener.releases(), releases);
    fs::remove_file(&filler).unwrap();
    assert_eq!(listener.until_releases(10), releases);
    listener.run(&["profile", "set", "--name", "Per"]);
}

#[test]
fn clocks_that_are_off_by_a_day_disturb_nobody() {
    if !Path::new(FAKETIME).exists() {
        println!("skipped: no libfaketime");
        return;
    }
    let now = Daemon::start(&[]);
    let ahead = with_clock(DAY, &now);
    let behind = with_clock(-DAY, &now);
    let mut releases = vec![publish(&now, SONGS[0]), publish(&ahead, SONGS[1]), publish(&behind, SONGS[2])];
    releases.sort();
    for daemon in [&now, &ahead, &behind] {
        daemon.until("all releases", |daemon| (known(daemon) == releases).then_some(()));
    }
    assert_eq!(now.releases().len(), 2, "what claims to be of tomorrow is not the newest today");
    for name in ["first", "second"] {
        for daemon in [&ahead, &behind] {
            daemon.run(&["profile", "set", "--name", name]);
            for other in [&now, &ahead, &behind] {
                other.until("the profile", |other| {
                    let profile = other.run(&["profile", "show", daemon.id()]);
                    (profile["name"] == name).then_some(())
                });
            }
        }
    }
    // Set right again, and set back: the next version still is the newest.
    let id = ahead.id().to_owned();
    let ahead = with_clock_in(ahead.stop(), -DAY, &now);
    ahead.run(&["profile", "set", "--name", "third"]);
    for daemon in [&now, &behind] {
        daemon.until("the third profile", |daemon| {
            (daemon.run(&["profile", "show", &id])["name"] == "third").then_some(())
        });
    }
    let doomed = behind.run(&["releases", "--artist", behind.id()])["releases"][0]["release_id"].clone();
    behind.run(&["withdraw", doomed.as_str().unwrap()]);
    for daemon in [&now, &ahead] {
        daemon.until("the withdrawal", |daemon| (known(daemon).len() == 2).then_some(()));
    }
}

/// The ids of all releases, whenever they claim to be from.
fn known(daemon: &Daemon) -> Vec<String> {
    let list = daemon.run(&["releases", "--sort", "title"]);
    let mut ids: Vec<String> = list["releases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["release_id"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    ids
}

#[test]
fn somebody_who_is_unblocked_is_let_in_again() {
    let artist = Daemon::start(&[]);
    let listener = Daemon::start(&[&artist]);
    let release = publish(&artist, SONGS[0]);
    listener.until_releases(1);
    listener.run(&["block", "add", artist.id()]);
    listener.until("nobody", |one| one.run(&["peers"])["peers"].as_array().unwrap().is_empty().then_some(()));
    assert!(listener.releases().is_empty());
    assert_eq!(listener.fail(&["join", &artist.invite()]), "peer_blocked");
    listener.run(&["block", "remove", artist.id()]);
    listener.run(&["join", &artist.invite()]);
    assert_eq!(listener.until_releases(1), [release]);
}

#[test]
fn lists_of_others_neither_undo_ones_own_blocks_nor_last_for_ever() {
    let (one, two) = (Daemon::start(&[]), Daemon::start(&[]));
    let listener = Daemon::start(&[&one, &two]);
    let blocked = |daemon: &Daemon| -> Vec<String> {
        let list = daemon.run(&["block", "list"]);
        list["blocked"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    let until = |wanted: &[&str]| {
        listener.until("other blocks", |listener| {
            let ids = blocked(listener);
            (wanted.iter().all(|id| ids.iter().any(|other| other == id))
                && ids.iter().all(|id| wanted.contains(&id.as_str())))
            .then_some(())
        });
    };
    let [a, b, c] = ["a", "b", "c"].map(|digit| digit.repeat(64));
    let share = |daemon: &Daemon| -> String {
        daemon.run(&["block", "share", "spam"])["shared"].as_str().unwrap().to_owned()
    };
    for (daemon, ids) in [(&one, [&a, &b]), (&two, [&b, &c])] {
        for id in ids {
            daemon.run(&["block", "add", id]);
        }
    }
    listener.run(&["block", "add", &a]);
    let (first, second) = (share(&one), share(&two));
    for list in [&first, &second] {
        let known =
            |listener: &Daemon| listener.folder().output(&["block", "subscribe", list]).status.success();
        listener.until("the list", |listener| known(listener).then_some(()));
    }
    // What was subscribed to is carried out when the answer comes.
    assert_eq!(blocked(&listener).iter().filter(|id| **id == c).count(), 3);
    until(&[&a, &b, &c]);
    assert_eq!(listener.fail(&["block", "remove", &c]), "blocked_by_list");

    // What one list drops stays where the user or another list names it.
    one.run(&["block", "remove", &a]);
    one.run(&["block", "remove", &b]);
    two.run(&["block", "remove", &c]);
    share(&one);
    share(&two);
    until(&[&a, &b]);
    listener.run(&["block", "unsubscribe", &second]);
    assert_eq!(listener.fail(&["block", "unsubscribe", &second]), "list_unknown");
    until(&[&a]);
    one.run(&["block", "add", &c]);
    share(&one);
    until(&[&a, &c]);
    let listener = listener.kill().daemon(&[]);
    listener.run(&["block", "unsubscribe", &first]);
    listener.run(&["block", "remove", &a]);
    assert!(blocked(&listener).is_empty());
}

#[test]
fn what_is_served_is_decided_by_the_settings_of_now() {
    let artist = Daemon::start(&[]);
    let listener = Daemon::start(&[&artist]);
    let release = publish(&artist, SONGS[0]);
    listener.until_releases(1);
    listener.run(&["play", &release, "--output", "null"]);
    listener.run(&["config", "set", "serve_played", "true"]);
    let artist = artist.stop();

    let plays = |daemon: &Daemon| {
        daemon.until_releases(1);
        daemon.folder().output(&["play", &release, "--output", "null", "--seconds", "1"]).status.success()
    };
    assert!(plays(&Daemon::start(&[&listener])), "what was played is served");
    listener.run(&["config", "set", "serve_played", "false"]);
    assert!(!plays(&Daemon::start(&[&listener])), "and no more");

    // That the network costs is remembered over a restart.
    artist.run(&["config", "set", "metered", "true"]);
    let artist = artist.daemon(&[]);
    let other = Daemon::start(&[&artist]);
    assert!(!plays(&other));
    artist.run(&["config", "set", "metered", "false"]);
    assert!(plays(&other));
}

fn publish(daemon: &Daemon, name: &str) -> String {
    let published = daemon.run(&["publish", arg(&song(name, "mp3"))]);
    published["release_id"].as_str().unwrap().to_owned()
}

/// Starts a daemon whose clock is off by so many seconds, joined to another.
fn with_clock(seconds: i64, friend: &Daemon) -> Daemon {
    with_clock_in(Folder::new(), seconds, friend)
}

fn with_clock_in(folder: Folder, seconds: i64, friend: &Daemon) -> Daemon {
    let mut command = Command::new(musicdao());
    command.env("LD_PRELOAD", FAKETIME).env("FAKETIME", format!("{seconds:+}"));
    // Time goes on as it does; only what the wall says is wrong.
    command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    let link = friend.invite();
    folder.daemon_with(command, &["--no-dht", "--no-mdns", "--listen", "127.0.0.1:0", "--peer", &link])
}
