//! Prints how releases spread, what catching up costs and what a million records weigh:
//! `cargo run --release -p sim --example measure [members] [seeds]`.

use std::time::{Duration, Instant};

use domain::{Identity, Key, Kinds, PeerId, RecordId, SlotId};
use peer::{Config, Entry, Input, Loaded, Now, Peer};
use sim::{Missing, catch_up, discovery};

fn main() {
    // First, while the process has no freed memory to fill.
    a_million();
    let number = |nth: usize| std::env::args().nth(nth).and_then(|text| text.parse().ok());
    let (members, seeds) = (number(1).unwrap_or(1000), number(2).unwrap_or(5));
    for seed in 1..=seeds as u64 {
        let report = discovery(members, seed, (Duration::from_millis(10), Duration::from_millis(50)));
        println!("seed {seed}: {report:?}");
    }
    for which in [Missing::Newest, Missing::Random] {
        println!("100,000 records, 200 missing, {which:?}: {:?}", catch_up(100_000, 200, which));
    }
}

/// What the index of a million records by 20,000 authors takes, and how long one comparison of all of it.
#[expect(clippy::disallowed_methods, reason = "this measures the machine")]
fn a_million() {
    let before = resident();
    let entries: Vec<Entry> = (0..1_000_000).map(entry).collect();
    let began = Instant::now();
    let loaded = Loaded { entries, ..Loaded::default() };
    let now = Now { elapsed: Duration::ZERO, unix_ms: 1_760_000_000_000 };
    let mut peer =
        Peer::new(Config::default(), Identity::from_secret(&[1; 32]), Kinds::default(), loaded, 1, now);
    let loading = began.elapsed();
    let open = peer::wire::Message::Open(peer::wire::Open {
        session: 1,
        since: 0,
        from: (0, RecordId::from_bytes([0; 32])),
        until: 0,
        ids: Vec::new(),
        rest: [[0; 16]; 2],
        turned: false,
    });
    let other = PeerId::from_bytes([2; 32]);
    peer.handle(Input::Up { peer: other, addrs: Vec::new() }, now);
    let compare = |peer: &mut Peer| {
        let began = Instant::now();
        peer.handle(Input::Message(other, open.encode()), now);
        began.elapsed()
    };
    let (first, second) = (compare(&mut peer), compare(&mut peer));
    println!(
        "{} records: loaded in {loading:?}, {} MiB, sorted and compared in {first:?}, compared again in {second:?}",
        peer.len(),
        resident().saturating_sub(before) / 1024,
    );
}

fn entry(number: u64) -> Entry {
    let name = *Key::of(&[&number.to_le_bytes()]).as_bytes();
    let author = PeerId::from_bytes(*Key::of(&[&(number % 20_000).to_le_bytes()]).as_bytes());
    let created_at = 1_700_000_000_000 + number;
    let (slot, id) = (SlotId::from_bytes(name), RecordId::from_bytes(name));
    Entry { slot, id, author, kind: 2, seq: created_at, created_at, len: 350, withdrawn: false }
}

/// Resident memory in KiB, where the system says.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
}
