//! The player on a session bus of its own, operated as a desktop would.
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    env,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use audio::{
    Event, Output, Playback, Player,
    keys::{MediaKeys, NowPlaying},
};
use common::*;

/// Set in the process that runs under the private bus.
const INSIDE: &str = "MUSICDAO_TEST_BUS";

/// Runs this test again under `dbus-run-session`. Says whether this is that run.
fn under_a_bus(test: &str) -> bool {
    if env::var_os(INSIDE).is_some() {
        return true;
    }
    let this = env::current_exe().unwrap();
    let run = Command::new("dbus-run-session")
        .args(["--", this.to_str().unwrap(), "--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .stdin(Stdio::null())
        .output();
    match run {
        Err(_) => println!("skipped: no dbus-run-session"),
        Ok(output) => assert!(
            output.status.success(),
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ),
    }
    false
}

fn bus(args: &[&str]) -> String {
    let name = format!("org.mpris.MediaPlayer2.MusicDAO.instance{}", std::process::id());
    let output = Command::new("dbus-send")
        .args(["--session", "--print-reply", &format!("--dest={name}"), "/org/mpris/MediaPlayer2"])
        .args(args)
        .output()
        .expect("dbus-send comes with dbus-run-session");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn property(name: &str) -> String {
    let interface = "string:org.mpris.MediaPlayer2.Player";
    bus(&["org.freedesktop.DBus.Properties.Get", interface, &format!("string:{name}")])
}

fn paused() -> NowPlaying {
    NowPlaying {
        entry: 7,
        title: "A Song".into(),
        artist: "Someone".into(),
        duration: Some(Duration::from_secs(10)),
        playback: Playback::Paused,
        position: Duration::from_secs(4),
        volume: 0.5,
        ..NowPlaying::default()
    }
}

#[test]
fn the_desktop_sees_and_operates_the_player() {
    if !under_a_bus("the_desktop_sees_and_operates_the_player") {
        return;
    }
    let slow = Song::new("slow", wav(44_100, &sweep(44_100, 441_000))).arriving(882_000);
    let arrival = slow.arrival.clone();
    let (player, events) = Player::new(Songs, Output::Null);
    let player = Arc::new(player);
    let keys = {
        let player = player.clone();
        MediaKeys::new("MusicDAO", move |command| command.apply(&player))
    };
    assert!(keys.is_connected());
    player.edit(|queue| queue.play_later([slow.clone(), slow]));

    bus(&["org.mpris.MediaPlayer2.Player.Play"]);
    events_until(&events, |event| matches!(event, Event::Track { .. }));
    arrival.until_waiting();
    keys.show(&paused());
    assert!(property("PlaybackStatus").contains("\"Paused\""));
    assert!(property("Position").contains("int64 4000000"));
    assert!(property("Volume").contains("double 0.5"));
    let metadata = property("Metadata");
    for part in ["\"A Song\"", "\"Someone\"", "int64 10000000", "/org/musicdao/entry/7"] {
        assert!(metadata.contains(part), "{part} in {metadata}");
    }

    bus(&["org.mpris.MediaPlayer2.Player.Pause"]);
    events_until(&events, |event| *event == Event::Playback(Playback::Paused));
    let to = |path: &str, micros: &str| {
        bus(&[
            "org.mpris.MediaPlayer2.Player.SetPosition",
            &format!("objpath:{path}"),
            &format!("int64:{micros}"),
        ]);
    };
    to("/org/musicdao/entry/6", "3000000");
    to("/org/musicdao/entry/7", "99000000");
    to("/org/musicdao/entry/7", "2000000");
    let seen = events_until(&events, |event| matches!(event, Event::Track { .. }));
    assert!(
        matches!(seen.last(), Some(Event::Track { position, .. }) if position.as_secs() == 2),
        "{seen:?}"
    );
    bus(&["org.mpris.MediaPlayer2.Player.Seek", "int64:-500000"]);
    let seen = events_until(&events, |event| matches!(event, Event::Track { .. }));
    assert!(
        matches!(seen.last(), Some(Event::Track { position, .. }) if position.as_millis() == 1_500),
        "{seen:?}"
    );
    bus(&["org.mpris.MediaPlayer2.Player.Next"]);
    let seen = events_until(&events, |event| matches!(event, Event::Track { .. }));
    assert!(matches!(seen.last(), Some(Event::Track { entry, .. }) if entry.id.0 == 1), "{seen:?}");
    bus(&["org.mpris.MediaPlayer2.Player.Stop"]);
    events_until(&events, |event| *event == Event::Playback(Playback::Stopped));
}

#[test]
fn without_a_bus_there_are_no_keys_and_no_harm() {
    if env::var_os(INSIDE).is_none() {
        let this = env::current_exe().unwrap();
        let status = Command::new(this)
            .args(["--exact", "without_a_bus_there_are_no_keys_and_no_harm"])
            .env(INSIDE, "1")
            .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere/at/all")
            .status();
        assert!(status.unwrap().success());
        return;
    }
    let keys = MediaKeys::new("MusicDAO", |_| ());
    assert!(!keys.is_connected());
    keys.show(&NowPlaying::default());
}
