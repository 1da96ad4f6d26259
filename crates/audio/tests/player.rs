//! The player against files and outputs that need no sound card.

mod common;

use audio::{Event, Output, Playback, Player};
use common::*;

#[test]
fn a_file_is_played_to_its_last_sample() {
    let dir = tempfile::tempdir().unwrap();
    let original = sweep(44_100, 44_100 * 3 + 17);
    let path = encode(dir.path(), "tone.flac", 44_100, &original);
    let (rate, played, events) = record(dir.path(), Files, vec![path], |_| {});
    assert_eq!(rate, 44_100);
    assert_eq!(played, original);
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
        assert!(!seen.iter().any(|event| matches!(event, Event::Problem { .. })), "{seen:?}");
        let state = player.state();
        assert_eq!((state.playback, state.underruns), (Playback::Stopped, 0));
        assert!(state.heard.as_secs() > 60, "{:?}", state.heard);
    }
}
