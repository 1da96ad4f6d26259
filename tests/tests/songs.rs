//! The whole first slice over real processes and real songs: publish, find, stream, seek, keep.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::{fs, path::PathBuf};

use serde_json::Value;
use tests::{Daemon, Folder, SONGS, arg, blake3, song};

/// Publishes the three songs in one format as one release.
fn publish(artist: &Daemon, extension: &str) -> String {
    let files: Vec<PathBuf> = SONGS.iter().map(|name| song(name, extension)).collect();
    let mut args = vec!["publish"];
    args.extend(files.iter().map(|file| arg(file)));
    let title = format!("Advanced Strategic Command, {extension}");
    args.extend(["--title", &title, "--artist", "Michael Moeller", "--license", "GPL-2.0-or-later"]);
    args.extend(["--tag", "soundtrack"]);
    let published = artist.run(&args);
    let tracks = published["tracks"].as_array().unwrap();
    assert_eq!(tracks.len(), 3);
    for (number, (track, file)) in tracks.iter().zip(&files).enumerate() {
        assert_eq!(track["number"], number + 1);
        assert_eq!(track["blob"], blake3(file));
        assert_eq!(track["size"], fs::metadata(file).unwrap().len());
    }
    published["release_id"].as_str().unwrap().to_owned()
}

fn download(listener: &Folder, release: &str) -> (Folder, Vec<Value>) {
    let to = Folder::new();
    let report = listener.run(&["download", release, "--to", arg(to.path())]);
    let files = report["files"].as_array().unwrap().clone();
    (to, files)
}

fn assert_same_bytes(files: &[Value], extension: &str) {
    assert_eq!(files.len(), 3);
    for (file, name) in files.iter().zip(SONGS) {
        let saved = PathBuf::from(file["path"].as_str().unwrap());
        assert_eq!(file["blake3"], blake3(&song(name, extension)));
        assert_eq!(blake3(&saved), blake3(&song(name, extension)), "{}", saved.display());
    }
}

#[test]
fn a_stranger_finds_hears_and_keeps_songs_in_every_format() {
    let artist = Daemon::start(&[]);
    let listener = Daemon::start(&[&artist]);
    for (extension, codec) in [
        ("mp3", "mp3"),
        ("flac", "flac"),
        ("ogg", "vorbis"),
        ("opus", "opus"),
        ("wav", "wav"),
        ("m4a", "aac"),
    ] {
        let release = publish(&artist, extension);
        listener.until("the release", |one| one.releases().contains(&release).then_some(()));
        let found = listener.run(&["search", extension]);
        assert!(found["results"].as_array().unwrap().iter().any(|one| one["release_id"] == release.as_str()));

        let sound = Folder::new();
        let wav = sound.path().join("sound.wav");
        let track = format!("{release}/2");
        let played = listener.run(&["play", &track, "--output", arg(&wav), "--from", "30", "--seconds", "5"]);
        assert_eq!((&played["codec"], &played["source"]), (&codec.into(), &"network".into()));
        assert!((4_900..=5_100).contains(&played["played_ms"].as_u64().unwrap()), "{played}");
        assert!(fs::metadata(&wav).unwrap().len() > 5 * 44_100 * 2, "{codec}");

        let (_folder, files) = download(listener.folder(), &release);
        assert_same_bytes(&files, extension);
        let again = listener.run(&["play", &track, "--output", "null", "--seconds", "1"]);
        assert_eq!(again["source"], "local");
    }
    let tagged = listener.run(&["releases", "--tag", "soundtrack"]);
    assert_eq!(tagged["releases"].as_array().unwrap().len(), 6);
    artist.stop();
    listener.stop();
}

#[test]
fn the_artist_dies_half_way_and_the_listener_does_not_notice() {
    let artist = Daemon::start(&[]);
    let keeper = Daemon::start(&[&artist]);
    let release = publish(&artist, "flac");
    keeper.until_releases(1);
    let (_folder, files) = download(keeper.folder(), &release);
    assert_same_bytes(&files, "flac");

    let listener = Daemon::start(&[&artist, &keeper]);
    listener.until_releases(1);
    // The artist uploads slowly enough to be killed in the middle of the first file.
    artist.run(&["config", "set", "upload_limit", "2000000"]);
    let folder = listener.folder();
    let (_saved, files) = std::thread::scope(|scope| {
        let downloading = scope.spawn(|| download(folder, &release));
        listener.until("the first bytes", |one| {
            let shown = one.run(&["show", &release]);
            let have = shown["tracks"][0]["have"].as_u64().unwrap();
            (have > 0).then_some(())
        });
        artist.kill();
        downloading.join().unwrap()
    });
    assert_same_bytes(&files, "flac");
}

#[test]
fn a_restart_loses_nothing() {
    let artist = Daemon::start(&[]);
    let release = publish(&artist, "mp3");
    let (id, before) = (artist.id().to_owned(), artist.run(&["show", &release]));
    let artist = artist.kill().daemon(&[]);
    assert_eq!(artist.id(), id);
    assert_eq!(artist.run(&["show", &release]), before);
    let played = artist.run(&["play", &release, "--output", "null", "--seconds", "2"]);
    assert_eq!(played["source"], "local");
}

#[test]
fn a_withdrawn_release_disappears_everywhere_and_cannot_come_back() {
    let artist = Daemon::start(&[]);
    let listener = Daemon::start(&[&artist]);
    let release = publish(&artist, "mp3");
    listener.until_releases(1);
    artist.run(&["withdraw", &release]);
    listener.until("the withdrawal", |one| one.releases().is_empty().then_some(()));
    assert_eq!(listener.fail(&["show", &release]), "release_unknown");

    let listener = listener.kill().daemon(&["--peer", &artist.invite()]);
    let late = Daemon::start(&[&listener]);
    late.until("a neighbour", |one| {
        (!one.run(&["peers"])["peers"].as_array().unwrap().is_empty()).then_some(())
    });
    assert!(listener.releases().is_empty() && late.releases().is_empty());
}
