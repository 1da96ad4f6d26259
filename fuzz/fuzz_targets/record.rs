//! Records, their bodies and the words of an identity: total over all bytes, and what is accepted reads back the same.
#![no_main]

use bytes::Bytes;
use domain::{
    Identity, Kind, Kinds, Network, Record, Stamp,
    kinds::{
        BlockList, Follow, Income, Like, Note, Offer, Payment, Payout, Playlist, Profile, Release, Tag, Thanks,
        TrackList,
    },
    normalize_tag, parse_amount,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = Record::decode(Bytes::copy_from_slice(data));
    if let Ok(record) = Record::parse(Bytes::copy_from_slice(data)) {
        body(&record);
    }
    track_list(data);
    if let Ok(text) = std::str::from_utf8(data) {
        tag(text);
        let _ = parse_amount(text);
        let _ = Identity::from_words(text);
    }
});

/// The signature of what the fuzzer makes is wrong, so bodies are reached by the way that skips it.
fn body(record: &Record) {
    let accepted = Network::ALL.into_iter().any(|it| Kinds::default().on(it).check(record).is_ok());
    match record.kind {
        Profile::ID => again::<Profile>(record, accepted),
        Release::ID => again::<Release>(record, accepted),
        Tag::ID => again::<Tag>(record, accepted),
        Like::ID => again::<Like>(record, accepted),
        Playlist::ID => again::<Playlist>(record, accepted),
        Follow::ID => again::<Follow>(record, accepted),
        BlockList::ID => again::<BlockList>(record, accepted),
        Income::ID => again::<Income>(record, accepted),
        Offer::ID => again::<Offer>(record, accepted),
        Note::ID => again::<Note>(record, accepted),
        Payment::ID => again::<Payment>(record, accepted),
        Payout::ID => again::<Payout>(record, accepted),
        Thanks::ID => again::<Thanks>(record, accepted),
        _ => assert!(accepted, "a kind that is not known has no rules"),
    }
}

/// A body that was accepted can be signed again and keeps its slot's key, unless it then needs more room.
fn again<K: Kind + PartialEq + std::fmt::Debug>(record: &Record, accepted: bool) {
    let read = record.read::<K>();
    let refused = K::PERMANENT && record.body.is_none();
    assert_eq!(read.is_ok() && !refused, accepted);
    let Ok(Some(read)) = read else { return };
    if let Ok(signed) = Record::sign(&Identity::from_secret(&[1; 32]), Stamp::default(), &read) {
        assert_eq!(signed.key, record.key);
        assert_eq!(signed.read::<K>().expect("it was just signed"), Some(read));
    }
}

fn track_list(data: &[u8]) {
    let Some((&count, content)) = data.split_first() else { return };
    if let Ok(list) = TrackList::from_bytes(content, count.into()) {
        assert_eq!(TrackList::from_bytes(&list.to_bytes(), count.into()), Ok(list));
    }
}

fn tag(text: &str) {
    if let Ok(tag) = normalize_tag(text) {
        assert_eq!(normalize_tag(&tag).as_ref(), Ok(&tag), "a normal spelling stays as it is");
    }
}
