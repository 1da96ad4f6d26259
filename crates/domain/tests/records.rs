//! What every record promises, whatever its kind.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use bytes::Bytes;
use domain::{
    BlobHash, Identity, Kinds, PeerId, Record, RecordError, SlotId, Stamp,
    kinds::{
        BlobRef, BlockEntry, BlockList, Codec, Collaborator, Follow, Like, Playlist, PlaylistItem, Profile,
        Release, Report, ReportReason, Tag, Track, TrackList,
    },
};
use proptest::prelude::*;

fn artist() -> Identity {
    Identity::from_secret(&[1; 32])
}

fn stamp(seq: u64) -> Stamp {
    Stamp { seq, created_at: 1_760_000_000_000, ..Stamp::default() }
}

fn track(number: u8) -> Track {
    Track {
        title: format!("Track {number}"),
        blob: BlobRef { hash: BlobHash::of(&[number]), size: 4_000_000 },
        duration_ms: 215_000,
        codec: Codec::Mp3,
        sample_rate: 44_100,
        channels: 2,
        loudness: Some(-1_420),
        peak: Some(-90),
        artist: None,
    }
}

fn release(tracks: u8) -> Release {
    Release {
        nonce: [9; 16],
        title: "Frontiers".into(),
        artist: "Per Ångström".into(),
        date: Some("2026-11".into()),
        license: "cc-by-4.0".parse().unwrap(),
        cover: Some(BlobRef { hash: BlobHash::of(b"cover"), size: 5 }),
        tracks: Some((1..=tracks).map(track).collect()),
        track_list: None,
        track_count: u16::from(tracks),
        collaborators: Some(vec![Collaborator { name: "Mira".into(), role: "cello".into(), peer: None }]),
        description: Some("Two\nlines".into()),
        tags: Some(vec!["ambient".into()]),
        waveforms: None,
        accent: None,
    }
}

/// One record of every kind of version 1, always the same bytes.
fn golden() -> Vec<(&'static str, Record)> {
    let (artist, slot) = (artist(), SlotId::from_bytes([5; 32]));
    let profile = Profile { name: "Per".into(), bio: Some("Cello".into()), ..Profile::default() };
    let tag = Tag { release: slot, track: Some(2), text: "ambient".into() };
    let playlist = Playlist {
        nonce: [3; 16],
        title: "Sunday".into(),
        description: None,
        items: vec![PlaylistItem { release: slot, track: 1 }],
    };
    let blocks = BlockList {
        name: "spam".into(),
        entries: vec![BlockEntry::Author(artist.id()), BlockEntry::Blob(BlobHash::of(b"x"))],
    };
    let report = Report {
        entry: BlockEntry::Release(slot),
        reason: ReportReason::Mislabelled,
        note: Some("Not by Per".into()),
    };
    let coloured = Release { accent: Some(0xF2_A3_3A), ..release(1) };
    let withdrawn = Record::read::<Tag>(&Record::sign(&artist, stamp(3), &tag).unwrap()).unwrap().unwrap();
    vec![
        ("profile", Record::sign(&artist, stamp(1), &profile).unwrap()),
        ("release", Record::sign(&artist, stamp(2), &release(2)).unwrap()),
        ("tag", Record::sign(&artist, stamp(3), &tag).unwrap()),
        ("like", Record::sign(&artist, stamp(4), &Like { release: slot, track: None }).unwrap()),
        ("playlist", Record::sign(&artist, stamp(5), &playlist).unwrap()),
        ("follow", Record::sign(&artist, stamp(6), &Follow { artist: PeerId::from_bytes([6; 32]) }).unwrap()),
        ("block list", Record::sign(&artist, stamp(7), &blocks).unwrap()),
        ("report", Record::sign(&artist, stamp(9), &report).unwrap()),
        ("release with an accent", Record::sign(&artist, stamp(10), &coloured).unwrap()),
        (
            "withdrawn tag",
            Record::withdraw(&artist, stamp(8), <Tag as domain::Kind>::ID, domain::Kind::key(&withdrawn))
                .unwrap(),
        ),
    ]
}

#[test]
fn golden_bytes_of_version_1_never_change() {
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    let lines: Vec<String> = golden()
        .iter()
        .map(|(name, record)| format!("{name}: {} {}", record.id, hex(record.bytes())))
        .collect();
    insta::assert_snapshot!("golden_v1", lines.join("\n"));
}

#[test]
fn every_kind_reads_back_and_passes_its_own_check() {
    for (name, record) in golden() {
        let read = Record::decode(record.bytes().clone()).unwrap();
        assert_eq!(read, record, "{name}");
        Kinds::default().check(&read).unwrap();
    }
}

#[test]
fn a_withdrawal_takes_the_slot_and_leaves_no_words() {
    let records = golden();
    let (tag, withdrawn) = (&records[2].1, &records[9].1);
    assert_eq!(tag.slot, withdrawn.slot);
    assert!(withdrawn.wins_over(tag) && !tag.wins_over(withdrawn));
    assert_eq!(withdrawn.read::<Tag>().unwrap(), None);
}

#[test]
fn somebody_elses_signature_is_refused() {
    let mut bytes = golden()[0].1.bytes().to_vec();
    let forged = Identity::from_secret(&[2; 32]).sign(b"anything");
    let at = bytes.len() - forged.len();
    bytes[at..].copy_from_slice(&forged);
    assert_eq!(Record::decode(bytes.into()), Err(RecordError::Signature));
}

#[test]
fn bodies_that_must_not_spread_are_refused_with_the_field() {
    type Spoil = fn(&mut Release);
    let broken: [(&str, Spoil); 9] = [
        ("accent", |release| release.accent = Some(0x1_00_00_00)),
        ("title", |release| release.title = "x".repeat(10_000)),
        ("title", |release| release.title = "bell\u{7}".into()),
        ("artist", |release| release.artist = "  ".into()),
        ("date", |release| release.date = Some("yesterday".into())),
        ("tracks", |release| release.track_count = 3),
        ("tracks", |release| release.tracks = None),
        ("tag", |release| release.tags = Some(vec!["Not Normal".into()])),
        ("track", |release| release.tracks.as_mut().unwrap()[0].blob.size = 0),
    ];
    for (field, spoil) in broken {
        let mut release = release(2);
        spoil(&mut release);
        match Record::sign(&artist(), stamp(1), &release) {
            Err(RecordError::Body { field: named, .. }) => assert_eq!(named, field),
            other => panic!("{field}: {other:?}"),
        }
    }
}

#[test]
fn a_key_that_is_not_the_bodys_is_refused() {
    let one = Record::sign(&artist(), stamp(1), &release(1)).unwrap();
    let two = Record::sign(&artist(), stamp(1), &Release { nonce: [8; 16], ..release(1) }).unwrap();
    // The key stands in clear in the payload: exchange it and sign again, as a hostile author would.
    let payload = &one.bytes()[..one.bytes().len() - 64];
    let at = payload.windows(32).position(|window| window == one.key.as_bytes()).unwrap();
    let mut forged = payload.to_vec();
    forged[at..at + 32].copy_from_slice(two.key.as_bytes());
    let signature = artist().sign(&[b"musicdao record v1\n", &forged[..]].concat());
    forged.extend_from_slice(&signature);
    let record = Record::decode(forged.into()).unwrap();
    assert_eq!(Kinds::default().check(&record), Err(RecordError::Key));
}

#[test]
fn the_tracks_of_a_long_release_travel_as_a_blob() {
    for count in 1..=200 {
        let mut release = release(1);
        let tracks: Vec<Track> = (1..=count).map(track).collect();
        let list = release.place(tracks.clone());
        let record = Record::sign(&artist(), stamp(1), &release).unwrap();
        let read: Release = record.read().unwrap().unwrap();
        match list {
            None => assert_eq!(read.tracks, Some(tracks)),
            Some(content) => {
                assert_eq!(read.track_list.unwrap().hash, BlobHash::of(&content));
                assert_eq!(TrackList::from_bytes(&content, u16::from(count)).unwrap().tracks, tracks);
                assert!(TrackList::from_bytes(&content, u16::from(count) - 1).is_err());
            }
        }
    }
    assert!(matches!(Record::sign(&artist(), stamp(1), &release(100)), Err(RecordError::TooLong(_))));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..6000)) {
        let _ = Record::decode(Bytes::from(bytes));
    }

    #[test]
    fn a_changed_byte_is_never_the_same_record(at in 0usize..400, bit in 0u8..8) {
        let record = &golden()[1].1;
        let mut bytes = record.bytes().to_vec();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        prop_assert!(Record::decode(bytes.into()).is_err());
    }

    #[test]
    fn the_winner_does_not_depend_on_the_order(seqs in proptest::collection::vec(0u64..4, 1..8)) {
        let records: Vec<Record> = seqs.iter().enumerate().map(|(index, seq)| {
            let profile = Profile { name: format!("Per {index}"), ..Profile::default() };
            Record::sign(&artist(), stamp(*seq), &profile).unwrap()
        }).collect();
        let merge = |mut best: Record, next: &Record| { if next.wins_over(&best) { best = next.clone() } best };
        let forward = records.iter().fold(records[0].clone(), merge);
        let backward = records.iter().rev().fold(records[0].clone(), merge);
        prop_assert_eq!(forward, backward);
    }
}
