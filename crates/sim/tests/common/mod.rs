//! Bodies to publish, and waiting.
#![allow(dead_code, reason = "every test file uses its own part")]

use std::time::Duration;

use domain::{
    BlobHash, Identity, Network, Record, Stamp,
    bitcoin::Amount,
    kinds::{Offer, Playlist, Profile},
};
use sim::Swarm;

pub(crate) fn profile(name: &str) -> Profile {
    Profile { name: name.into(), ..Profile::default() }
}

pub(crate) fn playlist(number: u32) -> Playlist {
    let mut nonce = [0; 16];
    nonce[..4].copy_from_slice(&number.to_le_bytes());
    Playlist { nonce, title: format!("Playlist {number}"), description: None, items: Vec::new() }
}

/// Something that others rely on for good.
pub(crate) fn offer(number: u8) -> Offer {
    Offer {
        network: Network::default(),
        salt: [number; 16],
        goal: Amount::from_sat(1_000_000),
        share: 2_500,
        cap: 150,
        floor: Amount::ZERO,
        expiry: 1_800_000_000,
        splits: None,
        title: None,
        release: None,
    }
}

pub(crate) fn blob() -> BlobHash {
    BlobHash::of(b"a track")
}

/// Playlists of one author, as though published one a second.
pub(crate) fn playlists(author: &Identity, numbers: std::ops::Range<u32>, from_ms: u64) -> Vec<Record> {
    let sign = |number: u32| {
        let at = from_ms + u64::from(number) * 1000;
        let stamp = Stamp { seq: at, created_at: at, ..Stamp::default() };
        Record::sign(author, stamp, &playlist(number)).expect("a playlist is well-formed")
    };
    numbers.map(sign).collect()
}

pub(crate) fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

/// Waits until all living members hold the same, at most ten minutes of virtual time.
pub(crate) fn settle(swarm: &mut Swarm) {
    let settled = swarm.run_until(minutes(10), Swarm::converged);
    assert!(
        settled,
        "members still differ after ten minutes: {:?}",
        swarm.peers().map(peer::Peer::len).collect::<Vec<_>>()
    );
}
