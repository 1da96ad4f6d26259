use std::time::Duration;

use bytes::Bytes;
use domain::{
    BlobHash, Identity, Kinds, PeerId, Record, Stamp,
    kinds::{BlobRef, Codec, Release, Track},
};
use peer::{ChangeSet, Config, Entry, Input, Loaded, Now, Output, Peer};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};

use crate::{Settings, Swarm, Traffic};

/// Records that go ahead so that PlumTree has found its tree.
const WARM_UP: usize = 10;
/// Records that are measured.
const MEASURED: usize = 21;
/// Time for one record to reach everybody it can reach by gossip alone.
const PATIENCE: Duration = Duration::from_secs(3);

/// How fast and at what price new releases spread.
#[derive(Clone, Debug)]
pub struct Discovery {
    /// How many members there were.
    pub members: usize,
    /// How many releases were measured after a warm-up; each by a random member.
    pub releases: usize,
    /// The least share of members that gossip alone reached with one of them.
    pub reached: f64,
    /// Median over releases: milliseconds until half of the members knew.
    pub p50_ms: f64,
    /// Until 99 of 100 knew.
    pub p99_ms: f64,
    /// Until the last one knew.
    pub last_ms: f64,
    /// The slowest release: until the last one knew.
    pub worst_ms: f64,
    /// Messages per member and release, comparisons and membership included.
    pub messages: f64,
    /// Bytes per member and release, comparisons and membership included.
    pub bytes: f64,
}

/// Which records the asker lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The newest: the asker was away.
    Newest,
    /// Any.
    Random,
}

/// What catching up costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Catching {
    /// How many records arrived.
    pub received: usize,
    /// How many times the asker spoke and waited before it had the last one.
    pub round_trips: usize,
    /// Bytes in both directions beside the messages of records.
    pub bytes: u64,
    /// Bytes of the messages of records.
    pub record_bytes: u64,
}

/// Measures how new releases spread through a swarm of `members`, with links of `latency`.
pub fn discovery(members: usize, seed: u64, latency: (Duration, Duration)) -> Discovery {
    let mut swarm = Swarm::with(Settings { members, seed, latency, ..Settings::default() }).join_all();
    let mut rng = StdRng::seed_from_u64(seed);
    let mut nonce = 0;
    let mut spread = |swarm: &mut Swarm| {
        nonce += 1;
        let body = release(nonce);
        let record = swarm.publish(rng.random_range(0..members), &body).expect("the release is well-formed");
        swarm.run_until(PATIENCE, |swarm| swarm.arrivals(&record.id).len() == members);
        record.id
    };
    for _ in 0..WARM_UP {
        spread(&mut swarm);
    }
    let before = swarm.traffic();
    let ids: Vec<_> = (0..MEASURED).map(|_| spread(&mut swarm)).collect();
    let times: Vec<&[Duration]> = ids.iter().map(|id| swarm.arrivals(id)).collect();
    summary(members, &times, before, swarm.traffic())
}

/// Measures what one comparison costs where `total` records are known and the asker lacks `missing` of them.
pub fn catch_up(total: usize, missing: usize, which: Missing) -> Catching {
    let records = records(total);
    let lacking = lacking(total, missing, which);
    let asker_has = |at: &usize| lacking.binary_search(at).is_err();
    let entries = |at: usize| Entry::from(&records[at]);
    let now = Now { elapsed: Duration::ZERO, unix_ms: records[total - 1].created_at + 1000 };
    let make = |secret: u8, entries: Vec<Entry>| {
        let loaded = Loaded { entries, ..Loaded::default() };
        let identity = Identity::from_secret(&[secret; 32]);
        Peer::new(Config::default(), identity, Kinds::default(), loaded, secret.into(), now)
    };
    let asker = make(1, (0..total).filter(asker_has).map(entries).collect());
    let answerer = make(2, (0..total).map(entries).collect());
    Exchange::new(asker, answerer, &records, now).run(missing)
}

/// Two peers that talk in turns, so that every answer is one more trip.
struct Exchange<'a> {
    peers: [Peer; 2],
    records: std::collections::HashMap<domain::RecordId, &'a Record>,
    now: Now,
    report: Catching,
}

impl<'a> Exchange<'a> {
    fn new(asker: Peer, answerer: Peer, records: &'a [Record], now: Now) -> Self {
        let records = records.iter().map(|record| (record.id, record)).collect();
        let report = Catching { received: 0, round_trips: 0, bytes: 0, record_bytes: 0 };
        Self { peers: [asker, answerer], records, now, report }
    }

    fn run(mut self, missing: usize) -> Catching {
        let ids: [PeerId; 2] = [self.peers[0].id(), self.peers[1].id()];
        let mut mail = [Vec::new(), Vec::new()];
        for at in [1, 0] {
            let up = Input::Up { peer: ids[1 - at], addrs: Vec::new() };
            let outputs = self.peers[at].handle(up, self.now);
            mail[1 - at].extend(self.messages(outputs));
        }
        let outputs = self.peers[0].handle(Input::Join(vec![ids[1]]), self.now);
        mail[1].extend(self.messages(outputs));
        // Becoming neighbours is not part of it: the count begins with the first message of the comparison.
        let mut counting = false;
        while self.report.received < missing && mail.iter().any(|mail| !mail.is_empty()) {
            for at in [1, 0] {
                let received = std::mem::take(&mut mail[at]);
                let compares = received.iter().any(|bytes: &Bytes| is_comparison(bytes));
                counting |= compares;
                self.report.round_trips += usize::from(counting && at == 1);
                for bytes in received {
                    let input = Input::Message(ids[1 - at], bytes);
                    let outputs = self.peers[at].handle(input, self.now);
                    mail[1 - at].extend(self.messages(outputs));
                }
            }
        }
        self.report
    }

    fn messages(&mut self, outputs: Vec<Output>) -> Vec<Bytes> {
        let mut messages = Vec::new();
        for output in outputs {
            match output {
                Output::Send(_, bytes) => {
                    if is_comparison(&bytes) {
                        self.report.bytes += bytes.len() as u64;
                    }
                    messages.push(bytes);
                }
                Output::SendRecords(_, ids) => {
                    let records = ids.iter().filter_map(|id| self.records.get(id));
                    let encoded = peer::encode_records(records.map(|record| record.bytes().clone()));
                    self.report.record_bytes += encoded.iter().map(|bytes| bytes.len() as u64).sum::<u64>();
                    messages.extend(encoded);
                }
                Output::Persist(ChangeSet { put, .. }) => self.report.received += put.len(),
                _ => {}
            }
        }
        messages
    }
}

fn is_comparison(bytes: &Bytes) -> bool {
    use peer::wire::Message;
    let message = Message::decode(bytes);
    !matches!(message, Ok(Message::Hello(_) | Message::Gossip(_) | Message::Records(_)) | Err(_))
}

fn lacking(total: usize, missing: usize, which: Missing) -> Vec<usize> {
    let mut all: Vec<usize> = (0..total).collect();
    if which == Missing::Random {
        all.shuffle(&mut StdRng::seed_from_u64(1));
    }
    let mut lacking = all.split_off(total - missing);
    lacking.sort_unstable();
    lacking
}

/// Releases by a thousand artists, one a second.
fn records(total: usize) -> Vec<Record> {
    let artists: Vec<Identity> = (0..1000u32).map(artist).collect();
    let sign = |at: usize| {
        let created_at = 1_700_000_000_000 + at as u64 * 1000;
        let stamp = Stamp { seq: created_at, created_at, ..Stamp::default() };
        Record::sign(&artists[at % artists.len()], stamp, &release(at as u64)).expect("it is well-formed")
    };
    (0..total).map(sign).collect()
}

fn artist(number: u32) -> Identity {
    let mut secret = [9; 32];
    secret[..4].copy_from_slice(&number.to_le_bytes());
    Identity::from_secret(&secret)
}

/// A single with all that a usual one says.
pub(crate) fn release(number: u64) -> Release {
    let mut nonce = [0; 16];
    nonce[..8].copy_from_slice(&number.to_le_bytes());
    let track = Track {
        title: format!("Track of release {number}"),
        blob: BlobRef { hash: BlobHash::of(&nonce), size: 4_000_000 },
        duration_ms: 215_000,
        codec: Codec::Mp3,
        sample_rate: 44_100,
        channels: 2,
        loudness: Some(-1_400),
        peak: None,
        artist: None,
    };
    Release {
        nonce,
        title: format!("Release {number}"),
        artist: "An artist".into(),
        date: Some("2026".into()),
        license: "CC-BY-4.0".parse().expect("it is on the list"),
        cover: None,
        tracks: Some(vec![track]),
        track_list: None,
        track_count: 1,
        collaborators: None,
        description: None,
        tags: None,
        waveforms: None,
        accent: None,
    }
}

fn summary(members: usize, times: &[&[Duration]], before: Traffic, after: Traffic) -> Discovery {
    let at = |share: f64| {
        let nth = |times: &&[Duration]| {
            let nth = ((members as f64 * share).ceil() as usize).clamp(1, members) - 1;
            times.get(nth).map_or(f64::INFINITY, |time| time.as_secs_f64() * 1000.0)
        };
        let mut sorted: Vec<f64> = times.iter().map(nth).collect();
        sorted.sort_by(f64::total_cmp);
        sorted
    };
    let median = |sorted: Vec<f64>| sorted[sorted.len() / 2];
    let last = at(1.0);
    let per = (members * times.len()) as f64;
    let least = times.iter().map(|times| times.len()).min().unwrap_or_default();
    Discovery {
        members,
        releases: times.len(),
        reached: least as f64 / members as f64,
        p50_ms: median(at(0.5)),
        p99_ms: median(at(0.99)),
        worst_ms: last.last().copied().unwrap_or(f64::INFINITY),
        last_ms: median(last),
        messages: (after.messages - before.messages) as f64 / per,
        bytes: (after.bytes - before.bytes) as f64 / per,
    }
}
