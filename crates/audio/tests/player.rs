//! The player against outputs that need no sound card, and sources that arrive when the test says so.
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    io::ErrorKind,
    path::PathBuf,
    time::{Duration, Instant},
};

use audio::{Event, Gain, Output, Playback, Player, Repeat, ReplayGain, Sleep};
use common::*;

const RATE: u32 = 44_100;

fn song(name: &'static str, frames: usize) -> Song {
    Song::new(name, wav(RATE, &sweep(RATE, frames)))
}

/// A tone of constant power.
fn tone(frames: usize, hertz: f32) -> Vec<i16> {
    let sine = |at: usize| (at as f32 * hertz * std::f32::consts::TAU / RATE as f32).sin();
    (0..frames).flat_map(|at| [(sine(at) * 10_000.0) as i16; 2]).collect()
}

fn start(songs: Vec<Song>) -> (Player<Song>, std::sync::mpsc::Receiver<Event<Song>>) {
    let (player, events) = Player::new(Songs, Output::Null);
    player.play_all(songs, 0);
    (player, events)
}

#[test]
fn a_file_is_played_to_its_last_sample() {
    let dir = tempfile::tempdir().unwrap();
    let original = sweep(RATE, 44_100 * 3 + 17);
    let path = encode(dir.path(), "tone.flac", RATE, &original);
    let (rate, played, events) = record(dir.path(), Files, vec![path], |_| {});
    assert_eq!(rate, RATE);
    assert_same(&played, &original);
    assert!(events.iter().any(|event| matches!(event, Event::FirstSound(_))), "{events:?}");
    assert!(matches!(&events[..], [.., Event::Finished]), "{events:?}");
}

#[test]
fn the_songs_of_a_real_game_play() {
    let songs = std::path::Path::new("/usr/share/games/asc/music");
    if !songs.is_dir() {
        println!("skipped: asc-music is not installed");
        return;
    }
    for song in ["frontiers.mp3", "machine_wars.mp3", "time_to_strike.mp3"] {
        let (player, events) = Player::new(Files, Output::Null);
        player.play_all([songs.join(song)], 0);
        let seen = events_until(&events, |event| matches!(event, Event::Finished));
        assert_eq!(problems(&seen), [""; 0], "{seen:?}");
        let state = player.state();
        assert_eq!((state.playback, state.underruns), (Playback::Stopped, 0));
        assert!(state.heard.as_secs() > 60, "{:?}", state.heard);
    }
}

#[test]
fn a_part_is_played_from_and_for_exactly_as_long_as_asked() {
    let dir = tempfile::tempdir().unwrap();
    let original = sweep(RATE, 44_100 * 4);
    let path = dir.path().join("part.wav");
    let (player, events) = Player::new(Songs, Output::Wav(path.clone()));
    player.edit(|queue| queue.play_later([Song::new("song", wav(RATE, &original))]));
    player.set_sleep(Sleep::After { sound: Duration::from_millis(1_500), fade: Duration::ZERO });
    player.play_from(Duration::from_secs(1));
    let seen = events_until(&events, |event| matches!(event, Event::Slept));
    assert!(
        seen.iter().any(|event| matches!(event, Event::Track { position, .. } if position.as_secs() == 1))
    );
    assert_eq!(player.state().position, Duration::from_millis(2_500));
    assert_eq!(player.close().heard, Duration::from_millis(1_500));
    assert_same(&read_wav(&path).1, &original[44_100 * 2..44_100 * 5]);
}

#[test]
fn after_sleep_playing_goes_on_where_it_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let original = sweep(RATE, 44_100 * 2);
    let path = dir.path().join("slept.wav");
    let (player, events) = Player::new(Songs, Output::Wav(path.clone()));
    player.set_sleep(Sleep::After { sound: Duration::from_millis(700), fade: Duration::ZERO });
    player.play_all([Song::new("song", wav(RATE, &original))], 0);
    events_until(&events, |event| matches!(event, Event::Slept));
    assert_eq!(player.state().playback, Playback::Paused);
    player.play();
    events_until(&events, |event| matches!(event, Event::Finished));
    player.close();
    assert_same(&read_wav(&path).1, &original);
}

#[test]
fn the_sleep_timer_fades_or_waits_for_the_end_of_the_track() {
    let dir = tempfile::tempdir().unwrap();
    let steady = Song::new("steady", wav(RATE, &tone(RATE as usize * 3, 441.0)));
    let fade = Sleep::After { sound: Duration::from_secs(2), fade: Duration::from_secs(1) };
    let (_, played, _) = record(dir.path(), Songs, vec![steady.clone()], |player| player.set_sleep(fade));
    let second = |from: f32, to: f32| {
        let at = |seconds: f32| (seconds * RATE as f32) as usize * 2;
        rms(floats(&played[at(from)..at(to)]))
    };
    assert!((second(1.45, 1.55) / second(0.0, 1.0) - 0.5).abs() < 0.05);
    assert!(second(1.95, 2.0) / second(0.0, 1.0) < 0.05);

    let end = |player: &Player<_>| player.set_sleep(Sleep::EndOfTrack);
    let (_, played, events) = record(dir.path(), Songs, vec![steady.clone(), steady], end);
    assert_eq!(played.len(), RATE as usize * 3 * 2);
    assert_eq!(heard(&events), ["steady", "steady"], "the second one is ready to go on with");
}

#[test]
fn a_crossfade_overlaps_tracks_at_constant_power() {
    let dir = tempfile::tempdir().unwrap();
    let second = RATE as usize;
    let songs = [441.0, 1_234.0].map(|hertz| Song::new("tone", wav(RATE, &tone(second * 4, hertz))));
    let overlap = |player: &Player<_>| player.set_crossfade(Duration::from_secs(2));
    let (_, played, _) = record(dir.path(), Songs, songs.to_vec(), overlap);
    assert_eq!(played.len(), second * 6 * 2);
    let steady = rms(floats(&played[..second * 2]));
    for window in played.chunks(second / 5) {
        let power = rms(floats(window)) / steady;
        assert!((power - 1.0).abs() < 0.06, "{power} of the power");
    }
    // At the middle both are there, before and after only one.
    let share = |hertz: f32, at: usize| {
        correlation(&played[at * 2..(at + second / 5) * 2], &tone(second * 6, hertz)[at * 2..])
    };
    assert!(share(441.0, 0) > 0.99);
    assert!(share(441.0, second * 5).abs() < 0.1);
}

fn correlation(one: &[i16], other: &[i16]) -> f32 {
    let (one, other) = (floats(one), floats(&other[..one.len()]));
    let dot: f32 = one.iter().zip(&other).map(|(one, other)| one * other).sum();
    dot / (rms(one.iter().copied()) * rms(other.iter().copied()) * one.len() as f32)
}

#[test]
fn replay_gain_and_volume_scale_the_samples() {
    let dir = tempfile::tempdir().unwrap();
    let original = sweep(RATE, 20_000);
    let gain = Gain { track_db: Some(-6.020_6), album_db: Some(-12.041_2), ..Gain::default() };
    let song = Song { gain, ..Song::new("loud", wav(RATE, &original)) };
    for (mode, volume, factor) in [
        (ReplayGain::Track, 1.0, 0.5),
        (ReplayGain::Album, 1.0, 0.25),
        (ReplayGain::Track, 0.5, 0.25),
        (ReplayGain::Off, 1.0, 1.0),
    ] {
        let (_, played, _) = record(dir.path(), Songs, vec![song.clone()], |player| {
            player.set_replay_gain(mode);
            player.set_volume(volume);
        });
        let expected: Vec<f32> = floats(&original).iter().map(|sample| sample * factor).collect();
        assert!(difference(&floats(&played), &expected) < 1e-4, "{mode:?} at {volume}");
    }
}

#[test]
fn what_cannot_be_played_is_told_and_passed_over() {
    let whole = wav(RATE, &sweep(RATE, 30_000));
    let cut = whole[..60_000].to_vec();
    let songs = vec![
        Song::new("words", b"no sound at all".repeat(1_000)),
        song("one", 10_000),
        Song::new("cut", cut),
        Song::new("nothing", Vec::new()),
        Song::new("words", b"no sound at all".repeat(1_000)),
        song("two", 10_000),
    ];
    let (player, events) = start(songs);
    let seen = events_until(&events, |event| matches!(event, Event::Finished));
    assert_eq!(heard(&seen), ["one", "cut", "two"]);
    assert_eq!(problems(&seen), ["not_audio", "file_truncated", "file_empty", "not_audio"]);
    assert_eq!(player.state().playback, Playback::Stopped);
}

#[test]
fn a_queue_of_nothing_playable_ends_even_when_repeated() {
    let (player, events) = Player::new(Songs, Output::Null);
    player.edit(|queue| queue.set_repeat(Repeat::All));
    player.play_all((0..5).map(|_| Song::new("words", b"no sound at all".repeat(99))), 0);
    let seen = events_until(&events, |event| matches!(event, Event::Finished));
    assert!((5..=6).contains(&problems(&seen).len()), "{seen:?}");
}

#[test]
fn repeat_plays_again() {
    let (player, events) = Player::new(Songs, Output::Null);
    player.edit(|queue| queue.set_repeat(Repeat::All));
    player.play_all([song("one", 5_000), song("two", 5_000)], 0);
    let mut seen = Vec::new();
    while heard(&seen).len() < 5 {
        seen.extend(events_until(&events, |event| matches!(event, Event::Track { .. })));
    }
    assert_eq!(heard(&seen), ["one", "two", "one", "two", "one"]);
    drop(player);
}

#[test]
fn a_wait_shows_as_buffering_and_ends_when_bytes_arrive() {
    let song = song("slow", 200_000).arriving(100_000);
    let arrival = song.arrival.clone();
    let (player, events) = start(vec![song]);
    arrival.until_waiting();
    let deadline = Instant::now() + PATIENCE;
    while player.state().playback != Playback::Buffering {
        assert!(Instant::now() < deadline, "{:?}", player.state());
        std::thread::yield_now();
    }
    arrival.up_to(usize::MAX);
    let seen = events_until(&events, |event| matches!(event, Event::Finished));
    assert!(seen.contains(&Event::Playback(Playback::Buffering)), "{seen:?}");
    assert!(player.state().heard > Duration::from_secs(4));
}

#[test]
fn a_blocked_read_does_not_block_the_player() {
    let slow = song("slow", 400_000).arriving(200_000);
    let arrival = slow.arrival.clone();
    let (player, events) = start(vec![slow, song("quick", 1_000), song("last", 1_000)]);
    events_until(&events, |event| matches!(event, Event::Track { .. }));
    arrival.until_waiting();
    // Back to what is there, in mid-wait: the sound goes on from exactly there.
    player.seek(Duration::from_millis(100));
    events_until(
        &events,
        |event| matches!(event, Event::Track { position, .. } if position.as_millis() == 100),
    );
    arrival.until_waiting();
    player.seek(Duration::from_secs(8));
    arrival.until_waiting();
    player.next();
    let seen = events_until(&events, |event| matches!(event, Event::Finished));
    assert_eq!(heard(&seen).last_chunk(), Some(&["quick", "last"]));
    assert_eq!(problems(&seen), [""; 0]);
}

#[test]
fn a_wait_for_the_first_bytes_can_be_left_too() {
    let never = song("never", 100_000).arriving(0);
    let arrival = never.arrival.clone();
    let (player, events) = start(vec![never]);
    arrival.until_waiting();
    events_until(&events, |event| *event == Event::Playback(Playback::Buffering));
    player.stop();
    events_until(&events, |event| *event == Event::Playback(Playback::Stopped));
    player.play();
    arrival.until_waiting();
    drop(player);
}

#[test]
fn a_source_that_gives_up_is_an_error_and_no_silent_end() {
    for (kind, code) in [(ErrorKind::TimedOut, "track_timed_out"), (ErrorKind::NotFound, "track_not_found")] {
        let half = song("half", 200_000).arriving(400_000);
        let arrival = half.arrival.clone();
        let (player, events) = start(vec![half, song("next", 1_000)]);
        arrival.until_waiting();
        arrival.fail(kind);
        let seen = events_until(&events, |event| matches!(event, Event::Finished));
        assert_eq!(problems(&seen), [code]);
        assert_eq!(heard(&seen).last(), Some(&"next"));
        drop(player);
    }
}

#[test]
fn an_interrupted_read_loses_no_sample() {
    let dir = tempfile::tempdir().unwrap();
    for (extension, _, lossless) in FORMATS {
        let original = sweep(48_000, 48_000 * 3);
        let bytes =
            std::fs::read(encode(dir.path(), &format!("tone.{extension}"), 48_000, &original)).unwrap();
        // The head and, for those that need it, the tail are there: what is awaited is in the middle.
        let half = Song::new("half", bytes).arriving(usize::MAX);
        let arrival = half.arrival.clone();
        let path = dir.path().join(format!("played.{extension}.wav"));
        let (player, events) = Player::new(Songs, Output::Wav(path.clone()));
        player.play_all([half], 0);
        for _ in 0..20 {
            audio::Control::interrupt(&arrival, true);
            player.set_volume(1.0);
            audio::Control::interrupt(&arrival, false);
        }
        events_until(&events, |event| matches!(event, Event::Finished));
        player.close();
        let played = floats(&read_wav(&path).1);
        let error = difference(&played, &floats(&original));
        assert!(error <= if lossless { 0.0 } else { 0.01 }, "{extension} is off by {error}");
    }
}

#[test]
fn editing_the_queue_is_heard() {
    let slow = song("slow", 400_000).arriving(200_000);
    let arrival = slow.arrival.clone();
    let (player, events) = start(vec![slow, song("removed", 1_000), song("last", 1_000)]);
    arrival.until_waiting();
    player.edit(|queue| {
        let id = queue.entries()[1].id;
        queue.remove(id);
        queue.play_next([song("inserted", 1_000)]);
    });
    arrival.up_to(usize::MAX);
    let seen = events_until(&events, |event| matches!(event, Event::Finished));
    assert_eq!(heard(&seen).last_chunk(), Some(&["inserted", "last"]));

    let slow = song("slow", 400_000).arriving(200_000);
    let arrival = slow.arrival.clone();
    player.play_all([slow, song("rest", 1_000)], 0);
    arrival.until_waiting();
    player.edit(|queue| queue.current().map(|entry| entry.id).map(|id| queue.remove(id)));
    let seen = events_until(&events, |event| matches!(event, Event::Finished));
    assert_eq!(heard(&seen).last(), Some(&"rest"), "removing what plays plays what is next");
}

#[test]
fn pause_holds_the_place() {
    let slow = song("slow", 400_000).arriving(200_000);
    let arrival = slow.arrival.clone();
    let (player, events) = start(vec![slow]);
    arrival.until_waiting();
    player.pause();
    events_until(&events, |event| *event == Event::Playback(Playback::Paused));
    let held = player.state().position;
    arrival.up_to(usize::MAX);
    player.seek(Duration::from_secs(2));
    events_until(&events, |event| matches!(event, Event::Track { position, .. } if position.as_secs() == 2));
    let state = player.state();
    assert_eq!(
        (state.playback, state.position),
        (Playback::Paused, Duration::from_secs(2)),
        "held at {held:?}"
    );
    player.toggle();
    events_until(&events, |event| matches!(event, Event::Finished));
}

#[test]
fn moving_to_another_output_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let original = sweep(RATE, 400_000);
    let moved = Song::new("moved", wav(RATE, &original)).arriving(800_044);
    let arrival = moved.arrival.clone();
    let files = ["one.wav", "two.wav"].map(|name| dir.path().join(name));
    let (player, events) = Player::new(Songs, Output::Wav(files[0].clone()));
    player.play_all([moved], 0);
    arrival.until_waiting();
    player.set_output(Output::Wav(files[1].clone()));
    arrival.up_to(usize::MAX);
    events_until(&events, |event| matches!(event, Event::Finished));
    player.close();
    let mut joined = read_wav(&files[0]).1;
    assert!(!joined.is_empty() && joined.len() < original.len());
    joined.extend(read_wav(&files[1]).1);
    assert_same(&joined, &original);
}

#[test]
fn an_output_that_fails_pauses_and_says_so() {
    let (player, events) = Player::new(Songs, Output::Wav(PathBuf::from("/nowhere/at/all.wav")));
    player.play_all([song("one", 50_000)], 0);
    let seen = events_until(&events, |event| *event == Event::Playback(Playback::Paused));
    assert_eq!(problems(&seen), ["output_unwritable"]);
    player.set_output(Output::Device("no such card".into()));
    player.play();
    let seen = events_until(&events, |event| matches!(event, Event::Problem { .. }));
    assert!(["unknown_sound_device", "no_sound_device"].contains(&problems(&seen)[0]));
    player.set_output(Output::Null);
    player.play();
    let seen = events_until(&events, |event| matches!(event, Event::Finished));
    assert_eq!(heard(&seen).last(), Some(&"one"));
}

#[test]
fn a_file_that_is_there_is_not_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mine.wav");
    std::fs::write(&path, b"mine").unwrap();
    let (player, events) = Player::new(Songs, Output::Wav(path.clone()));
    player.play_all([song("one", 50_000)], 0);
    let seen = events_until(&events, |event| *event == Event::Playback(Playback::Paused));
    assert_eq!(problems(&seen), ["file_exists"]);
    assert_eq!(std::fs::read(&path).unwrap(), b"mine");
}

#[test]
fn a_full_disk_is_told() {
    let full = std::path::Path::new("/dev/full");
    if !full.exists() {
        println!("skipped: no /dev/full");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("full.wav");
    std::os::unix::fs::symlink(full, &path).unwrap();
    let (player, events) = Player::new(Songs, Output::Wav(path));
    player.play_all([song("one", 400_000)], 0);
    let seen = events_until(&events, |event| matches!(event, Event::Problem { .. }));
    assert_eq!(problems(&seen), ["output_unwritable"]);
}

#[test]
fn events_nobody_reads_are_dropped_and_counted() {
    let (player, events) = Player::new(Songs, Output::Null);
    let songs = (0..audio::MOST_EVENTS + 100).map(|_| song("short", 300));
    player.play_all(songs, 0);
    let deadline = Instant::now() + PATIENCE;
    while player.state().lost_events == 0 || player.state().playback != Playback::Stopped {
        assert!(Instant::now() < deadline, "{:?}", player.state());
        std::thread::yield_now();
    }
    assert_eq!(events.try_iter().count(), audio::MOST_EVENTS);
}
