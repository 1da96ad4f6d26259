//! Records reach everybody, whatever happens on the way.

mod common;

use std::time::Duration;

use common::{blob, minutes, offer, playlist, playlists, profile, settle};
use domain::{Identity, Kinds, kinds::BlockEntry};
use peer::{Config, Event, Input, QueryId};
use sim::{Missing, Settings, Swarm, catch_up, discovery};

#[test]
fn a_thousand_members_all_learn_of_a_release() {
    let mut swarm = Swarm::new(1000, 3).join_all();
    let records: Vec<_> = (0..10)
        .map(|at| {
            let record = swarm.publish(at * 97, &profile(&format!("Artist {at}"))).unwrap();
            swarm.run_for(Duration::from_millis(500));
            record
        })
        .collect();
    settle(&mut swarm);
    assert!(records.iter().all(|record| swarm.all_hold(&record.id)));
    for record in &records {
        let arrivals = swarm.arrivals(&record.id);
        assert_eq!(arrivals.len(), 1000);
        println!("the last of 1000 knew after {:?}", arrivals[999]);
    }
}

#[test]
fn what_is_published_while_everybody_joins_is_not_lost() {
    let mut swarm = Swarm::new(100, 4);
    for newcomer in 1..100 {
        swarm.join(newcomer, newcomer / 2);
        swarm.publish(newcomer, &profile("early")).unwrap();
    }
    settle(&mut swarm);
    assert_eq!(swarm.peer(0).len(), 99);
}

#[test]
fn a_third_of_the_members_is_killed_and_restarted() {
    let mut swarm = Swarm::new(90, 5).join_all();
    for round in 0..5u32 {
        let victims: Vec<usize> = (0..30).map(|at| (at * 3 + round as usize) % 90).collect();
        victims.iter().for_each(|&at| swarm.kill(at));
        for at in (0..90).filter(|at| !victims.contains(at)).take(10) {
            swarm.publish(at, &playlist(round)).unwrap();
        }
        swarm.run_for(Duration::from_secs(5));
        for &at in &victims {
            swarm.restart(at);
            swarm.join(at, (at + 1) % 90);
            swarm.publish(at, &playlist(100 + round)).unwrap();
        }
        swarm.run_for(Duration::from_secs(5));
    }
    settle(&mut swarm);
    assert_eq!(swarm.peer(0).len(), 5 * (10 + 30));
}

#[test]
fn halves_that_were_parted_agree_after_the_healing() {
    let mut swarm = Swarm::new(60, 6).join_all();
    swarm.part(|at| u32::from(at >= 30));
    swarm.run_for(minutes(1));
    for at in 0..60 {
        swarm.publish(at, &profile(&format!("half {}", at / 30))).unwrap();
    }
    swarm.run_for(minutes(1));
    assert_eq!((swarm.peer(0).len(), swarm.peer(59).len()), (30, 30));
    swarm.heal();
    swarm.join(7, 45);
    settle(&mut swarm);
    assert_eq!(swarm.peer(0).len(), 60);
}

#[test]
fn messages_that_get_lost_are_made_up_for() {
    let settings = Settings { members: 40, seed: 8, loss: 30, ..Settings::default() };
    let mut swarm = Swarm::with(settings).join_all();
    for at in 0..40 {
        swarm.publish(at, &profile("lossy")).unwrap();
        swarm.run_for(Duration::from_millis(200));
    }
    settle(&mut swarm);
    assert_eq!(swarm.peer(0).len(), 40);
}

#[test]
fn a_latecomer_learns_everything_once() {
    let mut swarm = Swarm::new(10, 9);
    let author = Identity::from_secret(&[1; 32]);
    let records = playlists(&author, 0..5_000, 1_750_000_000_000);
    (0..10).for_each(|at| swarm.seed_records(at, &records));
    let mut swarm = swarm.join_all();
    let before = swarm.traffic();
    let late = swarm.add();
    swarm.join(late, 0);
    settle(&mut swarm);
    assert_eq!(swarm.peer(late).len(), 5_000);
    let bytes: u64 = records.iter().map(|record| record.bytes().len() as u64).sum();
    let sent = swarm.traffic().records.1 - before.records.1;
    assert!(sent < bytes * 11 / 10, "{sent} bytes were sent for {bytes}");
}

#[test]
fn a_withdrawal_reaches_everybody_and_wins_in_any_order() {
    let mut swarm = Swarm::new(30, 10).join_all();
    let record = swarm.publish(0, &playlist(1)).unwrap();
    swarm.run_for(Duration::from_secs(2));
    // One member is away while the playlist is withdrawn and must not bring it back.
    swarm.kill(20);
    let withdrawal = swarm.withdraw(0, &record).unwrap();
    swarm.run_for(Duration::from_secs(2));
    swarm.restart(20);
    swarm.join(20, 3);
    settle(&mut swarm);
    assert!(swarm.all_hold(&withdrawal.id));
    assert!(swarm.peers().all(|peer| peer.entry(&record.slot).unwrap().withdrawn));
    let error = swarm.withdraw(0, &record).unwrap_err();
    assert_eq!(error.code(), "unknown_slot");
}

#[test]
fn what_is_blocked_is_dropped_at_once_refused_later_and_can_come_back() {
    let mut swarm = Swarm::new(10, 11).join_all();
    let record = swarm.publish(1, &playlist(1)).unwrap();
    swarm.run_for(Duration::from_secs(2));
    let author = BlockEntry::Author(swarm.id(1));
    swarm.input(5, Input::Block(author));
    assert!(!swarm.peer(5).holds(&record.id));
    assert!(swarm.events().iter().any(|(at, event)| *at == 5 && *event == Event::Forgotten(record.slot)));
    let later = swarm.publish(1, &playlist(2)).unwrap();
    swarm.run_for(minutes(5));
    assert!(!swarm.peer(5).holds(&later.id) && !swarm.peer(5).holds(&record.id));
    assert!(!swarm.peer(5).connected().any(|peer| peer == swarm.id(1)));
    // A restart forgets nothing of it.
    swarm.restart(5);
    swarm.join(5, 2);
    swarm.run_for(minutes(5));
    assert_eq!(swarm.peer(5).len(), 0);
    swarm.input(5, Input::Unblock(author));
    settle(&mut swarm);
    assert!(swarm.peer(5).holds(&later.id));
}

#[test]
fn what_others_rely_on_for_good_is_known_to_whoever_blocks_its_author() {
    let mut swarm = Swarm::new(10, 14).join_all();
    let earlier = swarm.publish(1, &offer(1)).unwrap();
    swarm.run_for(Duration::from_secs(2));
    swarm.input(5, Input::Block(BlockEntry::Author(swarm.id(1))));
    let later = swarm.publish(1, &offer(2)).unwrap();
    settle(&mut swarm);
    assert!(swarm.peer(5).holds(&earlier.id) && swarm.peer(5).holds(&later.id));
    assert!(!swarm.peer(5).connected().any(|peer| peer == swarm.id(1)));
}

#[test]
fn a_blocked_release_is_dropped_without_its_author() {
    let mut swarm = Swarm::new(5, 12).join_all();
    let one = swarm.publish(1, &playlist(1)).unwrap();
    let two = swarm.publish(1, &playlist(2)).unwrap();
    swarm.run_for(Duration::from_secs(2));
    swarm.input(3, Input::Block(BlockEntry::Release(one.slot)));
    let edited =
        swarm.publish(1, &domain::kinds::Playlist { title: "Edited".into(), ..playlist(1) }).unwrap();
    swarm.run_for(minutes(3));
    assert!(!swarm.peer(3).holds(&edited.id) && swarm.peer(3).holds(&two.id));
}

#[test]
fn kinds_that_some_do_not_know_pass_through_them() {
    let blank = || Kinds::default();
    let mut swarm = Swarm::with(Settings { members: 0, seed: 13, ..Settings::default() });
    let knowing = blank().with::<Setlist>();
    for at in 0..9u8 {
        let kinds = if at % 8 == 0 { knowing.clone() } else { blank() };
        swarm.add_as(Identity::from_secret(&[at + 1; 32]), Config::default(), kinds);
    }
    let mut swarm = swarm.join_all();
    let record = swarm.publish(0, &Setlist { words: "unheard of".into() }).unwrap();
    settle(&mut swarm);
    assert!(swarm.all_hold(&record.id));
}

/// A kind of whoever extends the project.
#[derive(minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
struct Setlist {
    #[n(0)]
    words: String,
}

impl domain::Kind for Setlist {
    const ID: u16 = 2000;
    const NAME: &'static str = "setlist";

    fn key(&self) -> domain::Key {
        domain::Key::of(&[])
    }

    fn check(&self) -> Result<(), domain::RecordError> {
        Ok(())
    }
}

#[test]
fn clocks_that_are_off_by_a_day_disturb_nobody() {
    let mut swarm = Swarm::new(20, 14);
    let day = 24 * 3600 * 1000;
    swarm.skew(3, day);
    swarm.skew(4, -day);
    let mut swarm = swarm.join_all();
    for at in 0..20 {
        swarm.publish(at, &profile("on time")).unwrap();
    }
    let edited = swarm.publish(4, &profile("edited")).unwrap();
    settle(&mut swarm);
    assert!(swarm.all_hold(&edited.id));
    // A clock set back does not make an older version win: the sequence goes on.
    swarm.skew(3, -day);
    let edited = swarm.publish(3, &profile("edited")).unwrap();
    settle(&mut swarm);
    assert!(swarm.all_hold(&edited.id));
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let story = |seed| {
        let mut swarm =
            Swarm::with(Settings { members: 40, seed, loss: 10, ..Settings::default() }).join_all();
        (0..10).for_each(|at| drop(swarm.publish(at, &profile("again")).unwrap()));
        swarm.kill(3);
        swarm.run_for(minutes(2));
        swarm.trace()
    };
    assert_eq!(story(15), story(15));
    assert_ne!(story(15), story(16));
}

#[test]
fn providers_are_found_through_others() {
    let mut swarm = Swarm::new(50, 17).join_all();
    for at in [11, 31] {
        swarm.input(at, Input::Addresses(vec![format!("192.0.2.{at}:4000").parse().unwrap()]));
        swarm.input(at, Input::Holding(blob(), true));
    }
    swarm.input(0, Input::FindProviders(blob()));
    swarm.run_for(Duration::from_secs(2));
    let found: Vec<_> = swarm
        .events()
        .iter()
        .filter_map(|(at, event)| match event {
            Event::Provider { blob, peer, addrs } if *at == 0 => Some((*blob, *peer, addrs.clone())),
            _ => None,
        })
        .collect();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.contains(&(blob(), swarm.id(31), vec!["192.0.2.31:4000".parse().unwrap()])));
    let before = swarm.events().len();
    swarm.input(0, Input::Block(BlockEntry::Blob(blob())));
    swarm.input(0, Input::FindProviders(blob()));
    swarm.run_for(Duration::from_secs(2));
    assert_eq!(swarm.events().len(), before);
}

#[test]
fn a_search_asks_connected_peers_and_checks_what_they_say() {
    let mut swarm = Swarm::new(30, 18).join_all();
    let record = swarm.publish(9, &profile("Quite Findable")).unwrap();
    swarm.run_for(Duration::from_secs(2));
    swarm.input(0, Input::Search { query: QueryId(4), text: "Findable".into(), limit: 10 });
    swarm.run_for(Duration::from_secs(2));
    let answers: Vec<_> = swarm
        .events()
        .iter()
        .filter_map(|(at, event)| match event {
            Event::Found { query: QueryId(4), records, .. } if *at == 0 => Some(records.clone()),
            _ => None,
        })
        .collect();
    assert!(answers.len() >= 5, "{}", answers.len());
    assert!(answers.iter().all(|records| *records == [record.clone()]));
}

#[test]
fn the_reports_measure_what_they_say() {
    let latency = (Duration::from_millis(10), Duration::from_millis(50));
    let report = discovery(60, 19, latency);
    println!("{report:?}");
    assert_eq!((report.members, report.reached), (60, 1.0));
    assert!(report.p50_ms <= report.p99_ms && report.p99_ms <= report.last_ms);
    let newest = catch_up(3_000, 200, Missing::Newest);
    println!("{newest:?}");
    assert_eq!(newest.received, 200);
    assert!(newest.round_trips <= 3 && newest.bytes <= 10 * 1024, "{newest:?}");
    let random = catch_up(3_000, 200, Missing::Random);
    println!("{random:?}");
    assert_eq!(random.received, 200);
}
