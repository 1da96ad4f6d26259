//! What a person published, downloaded or seeded stays, and what is blocked is gone, whatever happens in between.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use domain::{
    Kind, PeerId, SlotId,
    kinds::{BlockList, id},
};
use serde_json::Value;
use tests::{Daemon, Folder, SONGS, arg, blake3, musicdao, small_disk, song};

/// A second of 8-bit mono PCM in RIFF WAVE whose last samples differ by the name.
fn quiet(folder: &Folder, name: &str) -> PathBuf {
    let mut samples = vec![128_u8; 8000];
    samples.extend(name.bytes());
    samples.extend(vec![0; samples.len() % 2]);
    let mut wav = Vec::new();
    wav.extend(b"RIFF");
    wav.extend((36 + samples.len() as u32).to_le_bytes());
    wav.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend(8000_u32.to_le_bytes());
    wav.extend(8000_u32.to_le_bytes());
    wav.extend(b"\x01\0\x08\0data");
    wav.extend((samples.len() as u32).to_le_bytes());
    wav.extend(samples);
    let path = folder.path().join(format!("{name}.wav"));
    fs::write(&path, wav).unwrap();
    path
}

/// More files than fit into a record, so that their release has a list of tracks.
fn many(folder: &Folder, count: usize) -> Vec<PathBuf> {
    (0..count)
        .map(|number| quiet(folder, &format!("{} of a long release, {number:03}", folder_name(folder))))
        .collect()
}

fn folder_name(folder: &Folder) -> String {
    folder.path().file_name().unwrap().to_str().unwrap().to_owned()
}

fn publish(daemon: &Daemon, files: &[PathBuf], title: &str) -> String {
    let mut args = vec!["publish", "--title", title, "--license", "CC0-1.0"];
    args.extend(files.iter().map(|file| arg(file)));
    daemon.run(&args)["release_id"].as_str().unwrap().to_owned()
}

/// Starts a command without waiting for its end.
fn begin(folder: &Folder, args: &[&str]) -> Child {
    let mut command = Command::new(musicdao());
    command.arg("--data").arg(folder.path()).arg("--json").args(args);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn tracks(daemon: &Daemon, release: &str) -> Vec<Value> {
    daemon.run(&["show", release])["tracks"].as_array().unwrap().clone()
}

fn whole(track: &Value) -> bool {
    track["have"] == track["size"]
}

fn plays(daemon: &Daemon, release: &str) -> Value {
    daemon.run(&["play", release, "--output", "null", "--seconds", "1"])["source"].clone()
}

/// Where a daemon keeps the bytes of a file.
fn stored(folder: &Folder, file: &Path) -> PathBuf {
    folder.path().join("blobs").join(format!("{}.blob", blake3(file)))
}

fn blocks(daemon: &Daemon, id: &str) {
    daemon.run(&["block", "add", id]);
}

#[test]
fn a_lost_database_loses_no_file_and_the_swarm_gives_the_records_back() {
    let (artist, friend, music) = (Daemon::start(&[]), Folder::new(), Folder::new());
    let friend = friend.daemon(&["--peer", &artist.invite()]);
    let file = song(SONGS[0], "mp3");
    let short = publish(&artist, std::slice::from_ref(&file), "Short");
    let files = many(&music, 60);
    let long = publish(&artist, &files, "Long");
    friend.until_releases(2);
    friend.until("the list of tracks", |one| (tracks(one, &long).len() == 60).then_some(()));

    let folder = artist.stop();
    for name in ["musicdao.db", "musicdao.db-wal", "musicdao.db-shm"] {
        let _ = fs::rename(folder.path().join(name), folder.path().join(format!("lost-{name}")));
    }
    let artist = folder.daemon(&[]);
    assert!(artist.releases().is_empty(), "nobody is there to give it back");
    for file in files.iter().chain([&file]) {
        assert!(stored(artist.folder(), file).exists(), "{}", file.display());
    }
    // Not even a second start forgets what the first one found.
    let artist = artist.stop().daemon(&["--peer", &friend.invite()]);
    artist.until_releases(2);
    artist.until("its own list of tracks", |one| (tracks(one, &long).len() == 60).then_some(()));
    for release in [&short, &long] {
        assert_eq!(plays(&artist, release), "local");
    }
    // Served as before: the friend never had it.
    let to = Folder::new();
    let saved = friend.run(&["download", &short, "--to", arg(to.path())]);
    assert_eq!(saved["files"][0]["blake3"], blake3(&file));
}

#[test]
fn what_is_blocked_is_gone_and_served_to_nobody() {
    let artist = Daemon::start(&[]);
    let file = song(SONGS[0], "mp3");
    let release = publish(&artist, std::slice::from_ref(&file), "Blocked");
    let listeners = [Daemon::start(&[&artist]), Daemon::start(&[&artist])];
    let to = Folder::new();
    for (listener, command) in listeners.iter().zip(["download", "seed"]) {
        listener.until_releases(1);
        match command {
            "download" => listener.run(&["download", &release, "--to", arg(to.path())]),
            _ => listener.run(&["seed", &release]),
        };
        assert!(stored(listener.folder(), &file).exists());
    }
    let stranger = Daemon::start(&[&listeners[0], &listeners[1]]);
    stranger.until_releases(1);
    let id = artist.id().to_owned();
    drop(artist.stop());

    let [one, other] = listeners;
    blocks(&one, &id);
    one.until("the file to go", |one| (!stored(one.folder(), &file).exists()).then_some(()));
    // A crash at once does not keep it either.
    blocks(&other, &release);
    let other = other.kill().daemon(&["--peer", &stranger.invite()]);
    assert!(!stored(other.folder(), &file).exists());
    for listener in [&one, &other] {
        assert!(listener.releases().is_empty());
    }
    assert_eq!(stranger.fail(&["download", &release, "--to", arg(to.path())]), "blob_not_found");
}

#[test]
fn a_block_list_has_no_say_in_the_subscribers_own_releases() {
    let artist = Daemon::start(&[]);
    let other = Daemon::start(&[&artist]);
    let file = song(SONGS[0], "mp3");
    let release = publish(&artist, std::slice::from_ref(&file), "Mine");
    let rest = publish(&other, &[song(SONGS[1], "mp3")], "Yours");
    let rival = Daemon::start(&[&other]);
    rival.until_releases(2);
    let list = |name: &str| {
        let key = BlockList { name: name.to_owned(), entries: Vec::new() }.key();
        let author: PeerId = rival.id().parse().unwrap();
        SlotId::of(&author, id::BLOCK_LIST, &key).to_string()
    };
    let artist_id = artist.id().to_owned();
    let [blob, release_id, author] = [blake3(&file), release.clone(), artist_id];
    for (name, ids) in
        [("files", [&rest, &blob]), ("releases", [&rest, &release_id]), ("artists", [&rest, &author])]
    {
        ids.iter().for_each(|id| blocks(&rival, id));
        rival.run(&["block", "share", name]);
        let subscribing = ["block", "subscribe", &list(name)];
        artist.until("the list", |one| one.folder().output(&subscribing).status.success().then_some(()));
        artist.until("the list to work", |one| (one.releases() == [release.clone()]).then_some(()));
        assert_eq!(tracks(&artist, &release).len(), 1, "{name}");
        assert_eq!(plays(&artist, &release), "local", "{name}");
    }
    publish(&artist, &[song(SONGS[2], "mp3")], "Also mine");
    let artist = artist.kill().daemon(&["--peer", &other.invite()]);
    assert_eq!(artist.releases().len(), 2);
    assert!(stored(artist.folder(), &file).exists());
    let to = Folder::new();
    let saved = other.run(&["download", &release, "--to", arg(to.path())]);
    assert_eq!(saved["files"][0]["blake3"], blake3(&file), "it is served as before");
}

#[test]
fn tracks_behind_one_that_nobody_has_now_are_seeded_too() {
    let artist = Daemon::start(&[]);
    let files: Vec<PathBuf> = SONGS.iter().map(|name| song(name, "mp3")).collect();
    let release = publish(&artist, &files, "Three");
    artist.run(&["config", "set", "metered", "true"]);
    let fan = Daemon::start(&[&artist]);
    fan.until_releases(1);
    assert_eq!(fan.fail(&["seed", &release]), "blob_not_found");
    let folder = fan.kill();
    artist.run(&["config", "set", "metered", "false"]);
    let fan = folder.daemon(&["--peer", &artist.invite()]);
    fan.until("all three", |one| tracks(one, &release).iter().all(whole).then_some(()));
    assert_eq!(fan.run(&["seed"])["seeds"][0]["release_id"], release.as_str());
}

#[test]
fn the_tracks_of_a_long_release_come_when_it_is_opened_later() {
    let (artist, music) = (Daemon::start(&[]), Folder::new());
    artist.run(&["config", "set", "metered", "true"]);
    let long = publish(&artist, &many(&music, 60), "Long");
    let short = publish(&artist, &[song(SONGS[0], "mp3")], "Short");
    let listener = Daemon::start(&[&artist]);
    listener.until_releases(2);
    assert_eq!(listener.fail(&["play", &long, "--output", "null"]), "tracks_pending");
    let to = Folder::new();
    assert_eq!(listener.fail(&["download", &long, "--to", arg(to.path())]), "tracks_pending");
    assert_eq!(listener.fail(&["seed", &long]), "tracks_pending");
    let folder = artist.stop();
    // It hopes as long for this as for the list, which it began to look for before.
    assert_eq!(listener.fail(&["download", &short, "--to", arg(to.path())]), "blob_not_found");
    folder.run(&["config", "set", "metered", "false"]);
    let artist = folder.daemon(&["--peer", &listener.invite()]);
    listener.until("the tracks", |one| (tracks(one, &long).len() == 60).then_some(()));
    let found = listener.run(&["search", "059"]);
    assert_eq!(found["results"][0]["release_id"], long.as_str());
    drop(artist);
}

#[test]
fn a_file_of_a_release_under_way_outlives_the_release_that_is_withdrawn() {
    let (artist, music) = (Daemon::start(&[]), Folder::new());
    let files = many(&music, 150);
    // The withdrawal must fall between the first file and the signature; a fast machine may need more than one go.
    for round in 0..10 {
        let shared = quiet(&music, &format!("shared {round}"));
        let old = publish(&artist, std::slice::from_ref(&shared), "Old");
        let before = artist.releases();
        let mut args = vec!["publish", "--title", "New", arg(&shared)];
        let fresh: Vec<PathBuf> = files
            .iter()
            .map(|file| quiet(&music, &format!("{} {round}", file.file_stem().unwrap().to_str().unwrap())))
            .collect();
        args.extend(fresh.iter().map(|file| arg(file)));
        let mut publishing = begin(artist.folder(), &args);
        let first = stored(artist.folder(), &fresh[0]);
        while !first.exists() {
            assert!(publishing.try_wait().unwrap().is_none_or(|status| status.success()));
            std::thread::yield_now();
        }
        artist.run(&["withdraw", &old]);
        let between = artist.releases().len() < before.len();
        assert!(publishing.wait().unwrap().success());
        assert!(stored(artist.folder(), &shared).exists(), "round {round}");
        let new = artist.releases().into_iter().find(|release| !before.contains(release)).unwrap();
        assert_eq!(plays(&artist, &new), "local");
        artist.run(&["withdraw", &new]);
        if between {
            return;
        }
    }
    panic!("no withdrawal came in between");
}

#[test]
fn a_seed_that_met_a_full_disk_goes_on_when_there_is_room() {
    let Some(disk) = small_disk("a_seed_that_met_a_full_disk_goes_on_when_there_is_room", 96) else { return };
    let artist = Daemon::start(&[]);
    let file = song(SONGS[0], "wav");
    let size = fs::metadata(&file).unwrap().len() as usize;
    let release = publish(&artist, std::slice::from_ref(&file), "Large");
    let fan = Folder::within(&disk).daemon(&["--peer", &artist.invite()]);
    fan.until_releases(1);
    // Room for half of it.
    let ballast = disk.join("ballast");
    fs::write(&ballast, vec![1_u8; (96 << 20) - size / 2 - (6 << 20)]).unwrap();
    assert_eq!(fan.fail(&["seed", &release]), "disk_full");
    assert_eq!(fan.fail(&["seed", &release]), "disk_full");
    fs::remove_file(&ballast).unwrap();
    fan.run(&["seed", &release]);
    assert!(tracks(&fan, &release).iter().all(whole));
    assert_eq!(plays(&fan, &release), "local");
}
