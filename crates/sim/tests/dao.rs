//! A DAO's members over a simulated chain and network.

use std::time::Duration;

use sim::dao::{Construction, Emulation, Figures, Meter, Partition, Settings, emulate};

/// A machine on which nothing takes time.
struct Nothing;

impl Meter for Nothing {
    fn time(&self) -> Duration {
        Duration::ZERO
    }

    fn memory(&self) -> u64 {
        0
    }

    fn peak(&self) -> u64 {
        0
    }
}

fn settings(members: usize) -> Settings {
    Settings { members, seed: 7, joins: 2, together: 2, payments: 2, ..Settings::default() }
}

fn figures(settings: &Settings) -> Figures {
    let Emulation { outcome, .. } = emulate(settings, &Nothing);
    outcome.unwrap_or_else(|reason| panic!("{settings:?}: {reason}"))
}

fn is_whole(figures: &Figures) {
    assert_eq!(figures.failures, 0, "{figures:?}");
    assert!(figures.refused.is_empty(), "{figures:?}");
    assert_eq!((figures.join_ms.len(), figures.propose_to_signed_ms.len()), (2, 2), "{figures:?}");
}

#[test]
fn everybody_who_wishes_joins_and_everything_approved_is_paid() {
    for construction in [Construction::MultiA, Construction::SortedMulti, Construction::MuSig2] {
        let figures = figures(&Settings { construction, ..settings(5) });
        is_whole(&figures);
        assert!(figures.bytes_per_join > 1_000 && figures.messages_per_join > 10, "{figures:?}");
        let keys = figures.keys.unwrap();
        assert_eq!(keys.keys, 5);
        // Those who joined have keys, too: where all sign as one, the size does not show them.
        let sent = figures.vbytes_sent.unwrap();
        match construction {
            Construction::MuSig2 => assert_eq!(keys.vbytes, sent, "{figures:?}"),
            _ => assert!(keys.vbytes < sent, "{figures:?}"),
        }
    }
}

#[test]
fn those_who_joined_vote_with_the_others() {
    let settings = Settings { joins: 10, together: 5, payments: 5, ..settings(10) };
    let figures = figures(&settings);
    assert_eq!((figures.failures, figures.propose_to_signed_ms.len()), (0, 5), "{figures:?}");
}

#[test]
fn a_frost_groups_key_is_made_and_signs() {
    // Of ten, keys come to a few in each turn, and to all of them before a group moves the coin.
    for (members, signers) in [(4, 3), (10, 6)] {
        let figures = figures(&Settings { construction: Construction::Frost, ..settings(members) });
        is_whole(&figures);
        let keys = figures.keys.unwrap();
        assert_eq!((keys.signers, Some(keys.vbytes)), (signers, figures.vbytes_sent), "{figures:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_another() {
    for construction in [Construction::MultiA, Construction::MuSig2, Construction::Frost] {
        let churn = Settings { churn: 0.2, construction, ..settings(6) };
        let (first, again) = (figures(&churn), figures(&churn));
        assert_eq!(first, again);
        let other = figures(&Settings { seed: 8, ..churn });
        assert_ne!(first.trace, other.trace);
    }
}

#[test]
fn joins_take_as_long_as_links_do() {
    let near = figures(&Settings { latency: (1, 1), ..settings(5) });
    let far = figures(&Settings { latency: (300, 300), ..settings(5) });
    is_whole(&near);
    is_whole(&far);
    assert!(near.join_ms[0] < 1_000, "{near:?}");
    assert!(far.join_ms[0] > near.join_ms[1] + 600, "{near:?} {far:?}");
}

#[test]
fn a_share_that_is_offline_stops_nobody() {
    let figures = figures(&Settings { churn: 0.25, ..settings(8) });
    assert_eq!(figures.failures, 0, "{figures:?}");
}

#[test]
fn the_larger_side_goes_on_and_all_agree_once_a_partition_ends() {
    let partition = Some(Partition { share: 0.25, millis: 30_000 });
    let figures = figures(&Settings { partition, ..settings(8) });
    assert_eq!(figures.failures, 0, "{figures:?}");
    assert!(figures.healed_ms.unwrap() <= 30_000, "{figures:?}");
}

#[test]
fn a_committee_signs_for_more_members_than_there_are_keys() {
    let settings = Settings {
        members: 110,
        construction: Construction::Committee,
        joins: 1,
        payments: 1,
        ..settings(110)
    };
    let figures = figures(&settings);
    assert_eq!(figures.failures, 0, "{figures:?}");
    assert_eq!(figures.keys.unwrap().signers, 67);
    assert!(figures.turns > 4, "{figures:?}");
}

#[test]
fn what_cannot_be_says_why() {
    for (members, construction) in [
        (2, Construction::MultiA),
        (21, Construction::SortedMulti),
        (101, Construction::Frost),
        (100, Construction::Committee),
    ] {
        let outcome = emulate(&Settings { construction, ..settings(members) }, &Nothing).outcome;
        assert!(outcome.unwrap_err().len() > 10, "{construction} {members}");
    }
}
