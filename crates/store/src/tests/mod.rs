//! The store's promises, each on a real database in a folder of its own.

mod app;
mod catalogue;
mod dao;
mod faults;
mod library;
mod money_records;
mod opening;
mod payments;
mod queries;
mod records;
mod search;
mod seen;
mod state;
mod wallet;

use domain::{
    BlobHash, Identity, Kind, PeerId, Record, ReleaseId, Stamp,
    kinds::{BlobRef, Codec, Like, Release, Tag, Track},
};
use peer::ChangeSet;
use tempfile::TempDir;

use crate::{Applied, Store};

/// The time at which everything happens unless a test says otherwise.
const NOW: u64 = 1_760_000_000_000;

fn person(number: u8) -> Identity {
    Identity::from_secret(&[number; 32])
}

fn owner() -> Identity {
    person(200)
}

async fn store() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), owner().id()).await.unwrap();
    (folder, store)
}

/// The version number is also the age in milliseconds after `NOW`.
fn sign(who: &Identity, version: u64, body: &impl Kind) -> Record {
    Record::sign(who, stamp(version), body).unwrap()
}

fn withdraw(who: &Identity, version: u64, record: &Record) -> Record {
    Record::withdraw(who, stamp(version), record.kind, record.key).unwrap()
}

fn stamp(version: u64) -> Stamp {
    Stamp { seq: NOW + version, created_at: NOW + version, ..Stamp::default() }
}

fn blob(name: &str) -> BlobRef {
    BlobRef { hash: BlobHash::of(name.as_bytes()), size: 1_000 }
}

fn track(title: &str) -> Track {
    Track {
        title: title.into(),
        blob: blob(title),
        duration_ms: 215_000,
        codec: Codec::Opus,
        sample_rate: 48_000,
        channels: 2,
        loudness: Some(-1_420),
        peak: None,
        artist: None,
    }
}

/// Every title has its own release, and every track's title its own blob.
fn album(title: &str, artist: &str, tracks: &[&str]) -> Release {
    let mut nonce = [0; 16];
    nonce.copy_from_slice(&BlobHash::of(title.as_bytes()).as_bytes()[..16]);
    Release {
        nonce,
        title: title.into(),
        artist: artist.into(),
        date: None,
        license: "CC-BY-4.0".parse().unwrap(),
        cover: Some(blob(&format!("cover of {title}"))),
        tracks: Some(tracks.iter().map(|title| track(title)).collect()),
        track_list: None,
        track_count: tracks.len() as u16,
        collaborators: None,
        description: None,
        tags: None,
        waveforms: None,
        accent: None,
    }
}

fn tag(who: u8, release: ReleaseId, text: &str) -> Record {
    sign(&person(who), 0, &Tag { release, track: None, text: text.into() })
}

fn like(who: u8, release: ReleaseId, age: u64) -> Record {
    let stamp = Stamp { seq: NOW, created_at: NOW - age, ..Stamp::default() };
    Record::sign(&person(who), stamp, &Like { release, track: None }).unwrap()
}

async fn put(store: &Store, records: &[&Record]) -> Applied {
    let put = records.iter().map(|record| (*record).clone()).collect();
    store.apply(&ChangeSet { put, ..ChangeSet::default() }).await.unwrap()
}

fn ids(people: &[u8]) -> Vec<PeerId> {
    people.iter().map(|number| person(*number).id()).collect()
}
