//! What a member that breaks the rules can do: nothing lasting.

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::{minutes, playlist, playlists, profile, settle};
use domain::{
    Identity, Key, Kind, Record, RecordId, Stamp,
    kinds::{BlockEntry, Profile},
};
use peer::{
    Config, Event, Input, Limits, PublishError, encode_records,
    wire::{self, Message},
};
use proptest::prelude::*;
use sim::{Settings, Swarm};

const DAWN: u64 = 1_760_000_000_000;

/// Ten members and a puppet, the last one, connected to the first.
fn besieged(seed: u64, limits: Limits) -> (Swarm, usize) {
    let config = Config { limits, ..Config::default() };
    let mut swarm = Swarm::with(Settings { members: 10, seed, config, ..Settings::default() }).join_all();
    let hostile = swarm.add();
    swarm.puppet(hostile);
    swarm.connect(hostile, 0);
    swarm.run_for(Duration::from_secs(1));
    (swarm, hostile)
}

fn stamp(seq: u64) -> Stamp {
    Stamp { seq, created_at: DAWN, ..Stamp::default() }
}

/// Says records to the first member, no faster than it takes them unasked.
fn feed(swarm: &mut Swarm, hostile: usize, records: &[Record]) {
    for records in records.chunks(400) {
        let messages = encode_records(records.iter().map(|record| record.bytes().clone()));
        messages.into_iter().for_each(|message| swarm.say(hostile, 0, message));
        swarm.run_for(Duration::from_secs(10));
    }
}

/// Somebody that was made up a moment ago, one for each number.
fn anybody(number: u32) -> Identity {
    Identity::from_secret(Key::of(&[&number.to_le_bytes()]).as_bytes())
}

/// Makes its sender a neighbour, by HyParView's own words.
fn join() -> Bytes {
    Message::Gossip(Bytes::from_static(&[0, 0, 0])).encode()
}

/// Two records that say two things for one version.
fn contradiction(author: &Identity) -> (Record, Record) {
    let one = Record::sign(author, stamp(5), &profile("one")).expect("it is well-formed");
    let two = Record::sign(author, stamp(5), &profile("two")).expect("it is well-formed");
    if one.id < two.id { (one, two) } else { (two, one) }
}

fn proof(one: &Record, two: &Record) -> Bytes {
    Message::Proof(one.bytes().clone(), two.bytes().clone()).encode()
}

fn refusals(swarm: &Swarm, at: usize) -> Vec<&'static str> {
    let refused = swarm.events().iter().filter_map(|(member, event)| match event {
        Event::Refused { code, .. } if *member == at => Some(*code),
        _ => None,
    });
    refused.collect()
}

fn is_connected(swarm: &Swarm, at: usize, to: usize) -> bool {
    swarm.peer(at).connected().any(|peer| peer == swarm.id(to))
}

/// The swarm still works: something published reaches everybody.
fn assert_alive(swarm: &mut Swarm) {
    let record = swarm.publish(4, &profile("still here")).expect("it is well-formed");
    assert!(swarm.run_until(minutes(1), |swarm| swarm.all_hold(&record.id)));
}

#[test]
fn garbage_ends_the_connection() {
    let (mut swarm, hostile) = besieged(1, Limits::default());
    for byte in 0..20u8 {
        swarm.say(hostile, 0, Bytes::from(vec![byte.wrapping_mul(37); 50]));
        swarm.run_for(Duration::from_millis(100));
    }
    assert!(!is_connected(&swarm, 0, hostile));
    swarm.connect(hostile, 0);
    swarm.run_for(Duration::from_secs(1));
    assert!(!is_connected(&swarm, 0, hostile), "it is refused for a while");
    assert_alive(&mut swarm);
}

#[test]
fn oversize_messages_and_records_are_refused() {
    let (mut swarm, hostile) = besieged(2, Limits::default());
    swarm.say(hostile, 0, Bytes::from(vec![1; peer::MAX_MESSAGE_LEN + 1]));
    swarm.say(hostile, 0, Message::Records(vec![Bytes::from(vec![0; 5000])]).encode());
    swarm.run_for(Duration::from_secs(1));
    assert_eq!(refusals(&swarm, 0), ["message_too_long", "record_too_long"]);
    assert_alive(&mut swarm);
}

#[test]
fn forged_records_end_the_connection_and_are_not_passed_on() {
    let (mut swarm, hostile) = besieged(3, Limits::default());
    for number in 0..5 {
        let record =
            Record::sign(&Identity::from_secret(&[9; 32]), stamp(number), &playlist(number as u32)).unwrap();
        let mut bytes = record.bytes().to_vec();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        swarm.say(hostile, 0, encode_records([Bytes::from(bytes)]).remove(0));
    }
    swarm.run_for(Duration::from_secs(1));
    assert_eq!(refusals(&swarm, 0), ["record_signature"; 3]);
    assert!(!is_connected(&swarm, 0, hostile));
    assert!(swarm.peers().all(peer::Peer::is_empty));
    assert_alive(&mut swarm);
}

#[test]
fn a_body_that_breaks_its_kinds_rules_does_not_spread() {
    let (mut swarm, hostile) = besieged(4, Limits::default());
    // The kind's number is a profile's, the body is not.
    #[derive(minicbor::Encode, minicbor::Decode)]
    #[cbor(map)]
    struct Fake(#[n(0)] u8);
    impl Kind for Fake {
        const ID: u16 = Profile::ID;
        const NAME: &'static str = "fake";
        fn key(&self) -> Key {
            Key::of(&[])
        }
        fn check(&self) -> Result<(), domain::RecordError> {
            Ok(())
        }
    }
    let fake = Record::sign(&Identity::from_secret(&[9; 32]), stamp(1), &Fake(1)).unwrap();
    swarm.say(hostile, 0, encode_records([fake.bytes().clone()]).remove(0));
    swarm.run_for(Duration::from_secs(1));
    assert_eq!(refusals(&swarm, 0), ["record_body"]);
    assert!(swarm.peers().all(peer::Peer::is_empty));
    assert!(is_connected(&swarm, 0, hostile), "a later version may know better");
}

#[test]
fn a_flood_is_cut_off_and_costs_the_others_nothing() {
    let (mut swarm, hostile) = besieged(5, Limits::default());
    let message = Message::Pushed(1).encode();
    for _ in 0..4_000 {
        swarm.say(hostile, 0, message.clone());
    }
    swarm.run_for(Duration::from_secs(1));
    assert_eq!(refusals(&swarm, 0), ["flood"]);
    assert!(!is_connected(&swarm, 0, hostile));
    assert_alive(&mut swarm);
}

#[test]
fn records_of_one_author_without_end_are_bounded_everywhere() {
    let (mut swarm, hostile) = besieged(6, Limits { author_records: 100, ..Limits::default() });
    let author = Identity::from_secret(&[9; 32]);
    let records = playlists(&author, 0..3_000, DAWN);
    feed(&mut swarm, hostile, &records);
    settle(&mut swarm);
    assert!(swarm.peers().all(|peer| peer.len() == 100));
    let newest = &records[2_999];
    assert!(swarm.all_hold(&newest.id));
    assert_alive(&mut swarm);
}

#[test]
fn unknown_kinds_of_one_author_are_bounded() {
    #[derive(minicbor::Encode, minicbor::Decode)]
    #[cbor(map)]
    struct Odd(#[n(0)] u64);
    impl Kind for Odd {
        const ID: u16 = 3000;
        const NAME: &'static str = "odd";
        fn key(&self) -> Key {
            Key::of(&[&self.0.to_le_bytes()])
        }
        fn check(&self) -> Result<(), domain::RecordError> {
            Ok(())
        }
    }
    let (mut swarm, hostile) = besieged(7, Limits { unknown_records: 10, ..Limits::default() });
    let author = Identity::from_secret(&[9; 32]);
    let odd = (1..200).map(|number| Record::sign(&author, stamp(number), &Odd(number)).unwrap());
    encode_records(odd.map(|record| record.bytes().clone()))
        .into_iter()
        .for_each(|message| swarm.say(hostile, 0, message));
    swarm.run_for(Duration::from_secs(1));
    settle(&mut swarm);
    assert!(swarm.peers().all(|peer| peer.len() == 10));
}

#[test]
fn old_records_replayed_change_nothing_and_are_not_passed_on() {
    let (mut swarm, hostile) = besieged(8, Limits::default());
    let old = swarm.publish(1, &profile("old")).unwrap();
    swarm.run_for(Duration::from_secs(2));
    let new = swarm.publish(1, &profile("new")).unwrap();
    let withdrawn = swarm.withdraw(1, &new).unwrap();
    swarm.run_for(Duration::from_secs(1));
    settle(&mut swarm);
    swarm.run_for(minutes(3));
    let before = swarm.traffic();
    for record in [&old, &new, &withdrawn].repeat(50) {
        swarm.say(hostile, 0, encode_records([record.bytes().clone()]).remove(0));
    }
    swarm.run_for(Duration::from_secs(2));
    assert!(swarm.all_hold(&withdrawn.id));
    assert!(is_connected(&swarm, 0, hostile));
    let messages = swarm.traffic().messages - before.messages;
    assert!(messages < 150 + 50, "{messages} messages, 150 of them the replay itself");
}

#[test]
fn references_in_circles_or_chains_are_only_names() {
    let (mut swarm, hostile) = besieged(9, Limits::default());
    let author = Identity::from_secret(&[9; 32]);
    let mut refs = vec![RecordId::from_bytes([1; 32])];
    let mut chain = Vec::new();
    for number in 0..1_000 {
        let stamp = Stamp { refs: refs.clone(), ..stamp(number) };
        let record = Record::sign(&author, stamp, &playlist(number as u32)).unwrap();
        refs = vec![record.id; 8];
        chain.push(record);
    }
    feed(&mut swarm, hostile, &chain);
    settle(&mut swarm);
    assert_eq!(swarm.peer(5).len(), 1_000);
    assert_alive(&mut swarm);
}

#[test]
fn an_author_that_says_two_things_is_found_out_by_everybody() {
    let (mut swarm, hostile) = besieged(10, Limits::default());
    let author = Identity::from_secret(&[9; 32]);
    let one = Record::sign(&author, stamp(5), &profile("to some")).unwrap();
    let two = Record::sign(&author, stamp(5), &profile("to others")).unwrap();
    swarm.connect(hostile, 7);
    swarm.run_for(Duration::from_secs(1));
    swarm.say(hostile, 0, encode_records([one.bytes().clone()]).remove(0));
    swarm.say(hostile, 7, encode_records([two.bytes().clone()]).remove(0));
    swarm.run_for(Duration::from_secs(1));
    settle(&mut swarm);
    let everybody = |swarm: &Swarm| swarm.peers().all(|peer| peer.is_equivocator(&author.id()));
    assert!(swarm.run_until(minutes(1), everybody));
    let winner = if one.id > two.id { &one } else { &two };
    assert!(swarm.all_hold(&winner.id));
    let proofs: Vec<_> = (0..10).map(|at| swarm.proof(at, &author.id()).unwrap().clone()).collect();
    assert!(proofs.iter().all(|proof| *proof == proofs[0]));
    let told = swarm.events().iter().filter(|(_, event)| matches!(event, Event::Equivocated(_))).count();
    assert_eq!(told, 10, "everybody is told once");
    // Whoever comes later learns of it too, and after a restart it is still known.
    let late = swarm.add();
    swarm.join(late, 2);
    assert!(swarm.run_until(minutes(2), |swarm| swarm.peer(late).is_equivocator(&author.id())));
    swarm.restart(3);
    assert!(swarm.peer(3).is_equivocator(&author.id()));
}

#[test]
fn a_proof_that_proves_nothing_is_a_fault() {
    let (mut swarm, hostile) = besieged(11, Limits::default());
    let author = Identity::from_secret(&[9; 32]);
    let one = Record::sign(&author, stamp(5), &profile("one")).unwrap();
    let two = Record::sign(&author, stamp(6), &profile("two")).unwrap();
    feed(&mut swarm, hostile, std::slice::from_ref(&one));
    swarm.say(hostile, 0, proof(&one, &two));
    swarm.run_for(Duration::from_secs(1));
    assert_eq!(refusals(&swarm, 0), ["record_malformed"]);
    assert!(!swarm.peer(0).is_equivocator(&author.id()));
}

#[test]
fn proofs_against_authors_of_nothing_take_no_room() {
    let (mut swarm, hostile) = besieged(16, Limits::default());
    let authors: Vec<Identity> = (0..50).map(anybody).collect();
    for author in &authors {
        let (one, two) = contradiction(author);
        swarm.say(hostile, 0, proof(&one, &two));
    }
    swarm.run_for(minutes(1));
    assert!((0..10).all(|at| authors.iter().all(|author| swarm.proof(at, &author.id()).is_none())));
    assert!(swarm.peers().all(peer::Peer::is_empty));
    assert_alive(&mut swarm);
}

#[test]
fn proofs_are_taken_slowly_of_each_peer() {
    const BURST: usize = 512;
    const SECONDS: usize = 10;
    let mut swarm = Swarm::new(2, 17);
    let authors: Vec<Identity> = (0..1_000).map(anybody).collect();
    let pairs: Vec<(Record, Record)> = authors.iter().map(contradiction).collect();
    let known: Vec<Record> = pairs.iter().map(|(one, _)| one.clone()).collect();
    swarm.seed_records(0, &known);
    let hostile = swarm.add();
    swarm.puppet(hostile);
    swarm.connect(hostile, 0);
    swarm.run_for(Duration::from_secs(1));
    pairs.iter().for_each(|(one, two)| swarm.say(hostile, 0, proof(one, two)));
    swarm.run_for(Duration::from_secs(SECONDS as u64));
    let proven = authors.iter().filter(|author| swarm.proof(0, &author.id()).is_some()).count();
    assert!((BURST..=BURST + SECONDS).contains(&proven), "{proven} proofs");
    assert!(is_connected(&swarm, 0, hostile), "an honest peer may know many");
}

#[test]
fn records_that_nobody_asked_for_are_taken_slowly() {
    const BURST: usize = 500;
    const SECONDS: usize = 2;
    let (mut swarm, hostile) = besieged(18, Limits::default());
    let records = playlists(&anybody(1), 0..2_000, DAWN);
    encode_records(records.iter().map(|record| record.bytes().clone()))
        .into_iter()
        .for_each(|message| swarm.say(hostile, 0, message));
    swarm.run_for(Duration::from_secs(SECONDS as u64));
    let taken = swarm.peer(0).len();
    assert!((BURST..=BURST + 50 * SECONDS).contains(&taken), "{taken} records");
    assert_alive(&mut swarm);
}

#[test]
fn authors_without_end_are_taken_slowly_even_in_a_comparison() {
    const BURST: usize = 20_000;
    let (mut swarm, hostile) = besieged(19, Limits::default());
    swarm.say(hostile, 0, join());
    swarm.run_for(Duration::from_secs(1));
    // The first member compares with its new neighbour and waits for an answer.
    let records =
        (0..BURST as u32 + 1_000).map(|number| Record::sign(&anybody(number), stamp(1), &profile("new")));
    for message in encode_records(records.map(|record| record.unwrap().bytes().clone())) {
        swarm.say(hostile, 0, message);
    }
    swarm.run_for(Duration::from_millis(500));
    let taken = swarm.peer(0).len();
    assert!((BURST..BURST + 100).contains(&taken), "{taken} authors");
}

#[test]
fn nobody_is_made_to_block_or_drop_what_is_its_own() {
    let mut swarm = Swarm::new(3, 21).join_all();
    let mine = swarm.publish(1, &profile("mine")).unwrap();
    swarm.run_for(Duration::from_secs(1));
    settle(&mut swarm);
    for entry in [BlockEntry::Author(swarm.id(1)), BlockEntry::Release(mine.slot)] {
        swarm.input(1, Input::Block(entry));
        assert!(!swarm.peer(1).is_blocked(&entry));
    }
    swarm.run_for(minutes(3));
    assert!(swarm.peer(1).holds(&mine.id));
    swarm.restart(1);
    assert!(swarm.peer(1).holds(&mine.id));
    swarm.publish(1, &profile("and more")).unwrap();
}

#[test]
fn an_own_release_that_was_blocked_before_it_was_known_comes_home() {
    let mut swarm = Swarm::new(3, 22).join_all();
    let mine = swarm.publish(1, &profile("mine")).unwrap();
    swarm.run_for(Duration::from_secs(1));
    let identity = Identity::from_secret(&swarm.identity(1).secret());
    swarm.kill(1);
    let config = Config { imported: true, ..Config::default() };
    let restored = swarm.add_as(identity, config, domain::Kinds::default());
    swarm.input(restored, Input::Block(BlockEntry::Release(mine.slot)));
    swarm.join(restored, 2);
    assert!(swarm.run_until(minutes(1), |swarm| swarm.peer(restored).holds(&mine.id)));
}

#[test]
fn a_comparison_that_is_never_answered_keeps_nobody_waiting() {
    let (mut swarm, hostile) = besieged(12, Limits::default());
    // It becomes a neighbour, then answers nothing.
    swarm.say(hostile, 0, join());
    swarm.run_for(Duration::from_secs(1));
    assert!(swarm.peer(0).neighbors().any(|peer| peer == swarm.id(hostile)));
    swarm.kill(6);
    swarm.publish(2, &profile("meanwhile")).unwrap();
    swarm.restart(6);
    swarm.join(6, 0);
    swarm.run_for(Duration::from_secs(1));
    settle(&mut swarm);
    assert_alive(&mut swarm);
}

#[test]
fn an_identity_in_use_elsewhere_stops_publishing_until_it_is_taken_over() {
    let mut swarm = Swarm::new(10, 13).join_all();
    let mine = swarm.publish(1, &profile("mine")).unwrap();
    let twin = Identity::from_secret(&swarm.identity(1).secret());
    let theirs = Record::sign(&twin, stamp(mine.seq + 1), &profile("theirs")).unwrap();
    let hostile = swarm.add();
    swarm.puppet(hostile);
    swarm.connect(hostile, 0);
    swarm.run_for(Duration::from_secs(1));
    swarm.say(hostile, 0, encode_records([theirs.bytes().clone()]).remove(0));
    swarm.run_for(Duration::from_secs(1));
    settle(&mut swarm);
    let noticed = swarm
        .events()
        .iter()
        .filter(|(at, event)| *at == 1 && matches!(event, Event::IdentityInUseElsewhere(_)));
    assert_eq!(noticed.count(), 1);
    let error = swarm.publish(1, &profile("again")).unwrap_err();
    assert_eq!(
        (error.clone(), error.code()),
        (PublishError::IdentityInUseElsewhere, "identity_in_use_elsewhere")
    );
    swarm.input(1, Input::TakeOver);
    let again = swarm.publish(1, &profile("again")).unwrap();
    assert!(again.seq > theirs.seq);
    swarm.run_for(Duration::from_secs(1));
    settle(&mut swarm);
    assert!(swarm.all_hold(&again.id));
}

#[test]
fn an_imported_identity_learns_its_own_records_before_it_publishes() {
    let mut swarm = Swarm::new(10, 14).join_all();
    let published = swarm.publish(1, &profile("before")).unwrap();
    swarm.run_for(Duration::from_secs(2));
    let identity = Identity::from_secret(&swarm.identity(1).secret());
    swarm.kill(1);
    let config = Config { imported: true, ..Config::default() };
    let restored = swarm.add_as(identity, config, domain::Kinds::default());
    let error = swarm.publish(restored, &profile("too early")).unwrap_err();
    assert_eq!(error.code(), "identity_syncing");
    swarm.join(restored, 2);
    assert!(swarm.run_until(minutes(1), |swarm| swarm.peer(restored).holds(&published.id)));
    swarm.run_for(Duration::from_secs(5));
    assert!(swarm.peer(restored).own_seq() >= published.seq);
    let after = swarm.publish(restored, &profile("after")).unwrap();
    assert!(after.wins_over(&published));
    swarm.run_for(Duration::from_secs(1));
    settle(&mut swarm);
    assert!(swarm.all_hold(&after.id));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever arrives, in whatever state, a peer answers and goes on.
    #[test]
    fn any_words_from_anybody_are_survived(
        messages in proptest::collection::vec((0u8..18, proptest::collection::vec(any::<u8>(), 0..200)), 1..40),
    ) {
        let mut swarm = Swarm::new(2, 15).join_all();
        swarm.publish(0, &profile("something to compare")).unwrap();
        swarm.puppet(1);
        for (variant, body) in messages {
            swarm.connect(1, 0);
            swarm.run_for(Duration::from_millis(300));
            let bytes = [&[wire::VERSION, variant], &body[..]].concat();
            swarm.say(1, 0, bytes.into());
            swarm.run_for(Duration::from_millis(100));
        }
        swarm.run_for(minutes(2));
        prop_assert_eq!(swarm.peer(0).len(), 1);
    }
}
