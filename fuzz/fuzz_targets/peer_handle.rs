//! A member of the swarm beside two honest ones and one that says whatever the fuzzer likes: it never panics, keeps its
//! bounds, and its store holds at every moment what it believes to hold.
#![no_main]

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::LazyLock,
    time::Duration,
};

use arbitrary::Arbitrary;
use bytes::Bytes;
use domain::{
    BlobHash, Identity, Key, Kind, Kinds, PeerId, Record, RecordId, SlotId, Stamp, Topic,
    kinds::{BlockEntry, Like, Playlist, Profile, Tag},
};
use libfuzzer_sys::fuzz_target;
use peer::{
    Config, Equivocation, Input, Limits, Loaded, MAX_MESSAGE_LEN, Now, Output, Peer, QueryId, Timer,
    encode_proof, encode_records,
    wire::{Find, Frame, Hello, Message, Open, Opened, Provided, Search, Want},
};

/// Members that are peers; the one after the last is the fuzzer's.
const HONEST: usize = 3;
/// Identities that sign the records of the pool: the members', the fuzzer's, and a stranger's.
const AUTHORS: usize = HONEST + 2;
const DAWN: u64 = 1_760_000_000_000;
const LIMITS: Limits = Limits {
    records: 40,
    bytes: 40_000,
    author_records: 12,
    author_bytes: 9_000,
    unknown_records: 2,
    followed_factor: 2,
};
/// Most steps of one run.
const MOST_STEPS: usize = 200;

static POOL: LazyLock<Vec<Record>> = LazyLock::new(pool);

#[derive(Arbitrary, Debug)]
enum Step {
    Deliver { from: u8, to: u8 },
    Alter { from: u8, to: u8, at: u16, byte: u8 },
    Settle { rounds: u8 },
    Say(u8, Word),
    Raw(u8, Vec<u8>),
    Up { at: u8, peer: u8, addrs: Vec<SocketAddr> },
    Down { at: u8, peer: u8 },
    Timer { at: u8, which: u8 },
    Pass { millis: u32, clock: bool },
    Publish { at: u8, which: u8 },
    Withdraw { at: u8, which: u8 },
    Do(u8, Wish),
}

/// What the user or the driver of a member wants.
#[derive(Arbitrary, Debug)]
enum Wish {
    Join(u8),
    Addresses(Vec<SocketAddr>),
    Block(u8, u8),
    Unblock(u8, u8),
    Follow(u8),
    Unfollow(u8),
    Hold(u8, bool),
    Find(u8),
    Search(u8, String, u16),
    Reconcile,
    TakeOver,
}

/// A well-formed message of the fuzzer's; numbers choose records, peers and blobs.
#[derive(Arbitrary, Debug)]
enum Word {
    Hello(u64, u64, u64),
    Gossip(Vec<u8>),
    Join(Option<Vec<u8>>),
    ForwardJoin(u8, Vec<u8>, u16),
    Shuffle(u8, Vec<u8>, u16),
    Neighbor(bool, Option<Vec<u8>>),
    Disconnect(bool, bool),
    Content(u8, u16),
    Prune,
    Graft(Option<u8>, u16),
    IHave(Vec<(u8, u16)>),
    Open { session: u8, since: u8, from: (u8, u8), until: u8, ids: Vec<u8>, rest: [u8; 2], turned: bool },
    Opened { session: u8, since: u8, want: Vec<u8>, pushed: u32, more: Option<(u8, u8)>, differs: bool },
    Range(u8, u8, Vec<u8>),
    Ranged(u8, u8, Vec<u8>),
    Want(u8, Vec<u8>),
    Records(Vec<u8>),
    RawRecord(Vec<u8>),
    Pushed(u8),
    Busy(u8),
    Caught(Vec<u8>),
    WantProofs(Vec<u8>),
    Proof(u8, u8),
    Find(u64, u8, u8),
    Provided(u64, u8, Vec<SocketAddr>),
    Search(u32, String, u16),
    Found(u32, Vec<u8>),
}

fuzz_target!(|steps: Vec<Step>| {
    let mut swarm = Swarm::new();
    for step in steps.into_iter().take(MOST_STEPS) {
        swarm.step(step);
    }
});

struct Swarm {
    members: Vec<Member>,
    now: Now,
    /// Messages on their way, by sender and receiver.
    queues: BTreeMap<(usize, usize), VecDeque<Bytes>>,
}

struct Member {
    peer: Peer,
    store: BTreeMap<SlotId, Record>,
    proofs: Vec<Equivocation>,
    timers: Vec<Timer>,
}

impl Swarm {
    fn new() -> Self {
        let now = Now { elapsed: Duration::from_secs(1), unix_ms: DAWN };
        let member = |at| {
            let config = Config { limits: LIMITS, ..Config::default() };
            let peer = Peer::new(config, identity(at), Kinds::default(), Loaded::default(), at as u64, now);
            Member { peer, store: BTreeMap::new(), proofs: Vec::new(), timers: Vec::new() }
        };
        let mut swarm = Self { members: (0..HONEST).map(member).collect(), now, queues: BTreeMap::new() };
        for (at, peer) in [(0, 1), (1, 0), (1, 2), (2, 1), (0, HONEST), (1, HONEST), (2, HONEST)] {
            swarm.give(at, Input::Up { peer: id(peer), addrs: Vec::new() });
        }
        swarm.give(0, Input::Join(vec![id(1)]));
        swarm.give(2, Input::Join(vec![id(1)]));
        swarm.settle(32);
        swarm
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Deliver { from, to } => self.deliver(from, to, |_| {}),
            Step::Alter { from, to, at, byte } => self.deliver(from, to, |bytes| {
                let at = usize::from(at) % bytes.len().max(1);
                if let Some(place) = bytes.get_mut(at) {
                    *place = byte;
                }
            }),
            Step::Settle { rounds } => self.settle(rounds % 32),
            Step::Say(to, word) => {
                self.give(honest(to), Input::Message(id(HONEST), word.message().encode()));
            }
            Step::Raw(from, bytes) => self.give(0, Input::Message(id(from.into()), bytes.into())),
            Step::Up { at, peer, addrs } => self.give(honest(at), Input::Up { peer: id(peer.into()), addrs }),
            Step::Down { at, peer } => self.give(honest(at), Input::Down(id(peer.into()))),
            Step::Timer { at, which } => self.ring(honest(at), which.into()),
            Step::Pass { millis, clock } => {
                self.now.elapsed += Duration::from_millis(millis.into());
                self.now.unix_ms =
                    if clock { DAWN.wrapping_add(millis.into()) } else { self.now.unix_ms + 1 };
            }
            Step::Publish { at, which } => self.publish(honest(at), which),
            Step::Withdraw { at, which } => self.withdraw(honest(at), which.into()),
            Step::Do(at, wish) => self.give(honest(at), wish.input()),
        }
    }

    fn deliver(&mut self, from: u8, to: u8, alter: impl FnOnce(&mut Vec<u8>)) {
        let (from, to) = (honest(from), honest(to));
        let Some(message) = self.queues.get_mut(&(from, to)).and_then(VecDeque::pop_front) else { return };
        let mut message = message.to_vec();
        alter(&mut message);
        self.give(to, Input::Message(id(from), message.into()));
    }

    /// Delivers what is on its way, and what that leads to.
    fn settle(&mut self, rounds: u8) {
        for _ in 0..rounds {
            for pair in 0..(HONEST * HONEST) as u8 {
                self.deliver(pair / HONEST as u8, pair, |_| {});
            }
        }
    }

    fn ring(&mut self, at: usize, which: usize) {
        let timers = &mut self.members[at].timers;
        if !timers.is_empty() {
            let timer = timers.remove(which % timers.len());
            self.give(at, Input::Timer(timer));
        }
    }

    fn publish(&mut self, at: usize, which: u8) {
        let (now, peer) = (self.now, &mut self.members[at].peer);
        let done = match which % 3 {
            0 => peer.publish(&profile(which), Vec::new(), now),
            1 => peer.publish(&like(which), vec![record(which).id], now),
            _ => peer.publish(&playlist(which), Vec::new(), now),
        };
        if let Ok((_, outputs)) = done {
            self.carry_out(at, outputs);
        }
    }

    fn withdraw(&mut self, at: usize, which: usize) {
        let Member { peer, store, .. } = &mut self.members[at];
        let mut own = store.values().filter(|record| record.author == peer.id());
        let Some(record) = own.nth(which % 8) else { return };
        if let Ok((_, outputs)) = peer.withdraw(record.slot, record.key, self.now) {
            self.carry_out(at, outputs);
        }
    }

    fn give(&mut self, at: usize, input: Input) {
        let outputs = self.members[at].peer.handle(input, self.now);
        self.carry_out(at, outputs);
    }

    fn carry_out(&mut self, at: usize, outputs: Vec<Output>) {
        let mut inputs = Vec::new();
        for output in outputs {
            match output {
                Output::Persist(change) => self.members[at].persist(change),
                Output::Send(to, bytes) => self.send(at, to, bytes),
                Output::SendRecords(to, ids) => {
                    let held =
                        |id: &RecordId| self.members[at].by_id(id).map(|record| record.bytes().clone());
                    let records: Vec<Bytes> = ids.iter().filter_map(held).collect();
                    encode_records(records).into_iter().for_each(|message| self.send(at, to, message));
                }
                Output::SendProofs(to, authors) => {
                    let proofs =
                        self.members[at].proofs.iter().filter(|proof| authors.contains(&proof.author()));
                    let messages: Vec<Bytes> = proofs.map(encode_proof).collect();
                    messages.into_iter().for_each(|message| self.send(at, to, message));
                }
                Output::Prove { ours, theirs } => {
                    let ours = self.members[at].by_id(&ours).expect("the store still has it").clone();
                    inputs.extend(Equivocation::of(ours, theirs).map(|proof| Input::Proof(Box::new(proof))));
                }
                Output::SetTimer(_, timer) => self.members[at].timers.push(timer),
                Output::Connect(peer, addrs) => inputs.push(match number(peer) {
                    Some(_) => Input::Up { peer, addrs },
                    None => Input::Down(peer),
                }),
                Output::Disconnect(peer, _) => inputs.push(Input::Down(peer)),
                Output::Query { from, query, limit, .. } => {
                    let records =
                        POOL.iter().take(limit.into()).map(|record| record.bytes().clone()).collect();
                    inputs.push(Input::Answer { to: from, query, records });
                }
                Output::Emit(_) => {}
            }
        }
        self.members[at].check();
        inputs.into_iter().for_each(|input| self.give(at, input));
    }

    fn send(&mut self, from: usize, to: PeerId, bytes: Bytes) {
        assert!(bytes.len() <= MAX_MESSAGE_LEN && Message::decode(&bytes).is_ok());
        if let Some(to) = number(to).filter(|to| *to < HONEST) {
            self.queues.entry((from, to)).or_default().push_back(bytes);
        }
    }
}

impl Member {
    fn persist(&mut self, change: peer::ChangeSet) {
        for record in change.put {
            self.store.insert(record.slot, record);
        }
        for slot in change.forget {
            self.store.remove(&slot);
        }
        self.proofs.extend(change.proofs);
    }

    fn by_id(&self, id: &RecordId) -> Option<&Record> {
        self.store.values().find(|record| record.id == *id)
    }

    fn check(&self) {
        assert_eq!(self.peer.len(), self.store.len());
        assert!(self.store.values().all(|record| self.peer.holds(&record.id)));
        let own = self.store.values().filter(|record| record.author == self.peer.id());
        let (count, bytes) = own.fold((0, 0), |sum, record| (sum.0 + 1, sum.1 + record.bytes().len() as u64));
        assert!(self.peer.len() <= LIMITS.records + count && self.peer.bytes() <= LIMITS.bytes + bytes);
    }
}

impl Wish {
    fn input(self) -> Input {
        match self {
            Self::Join(peer) => Input::Join(vec![id(peer.into())]),
            Self::Addresses(addrs) => Input::Addresses(addrs),
            Self::Block(what, which) => Input::Block(entry(what, which)),
            Self::Unblock(what, which) => Input::Unblock(entry(what, which)),
            Self::Follow(author) => Input::Follow(id(author.into())),
            Self::Unfollow(author) => Input::Unfollow(id(author.into())),
            Self::Hold(which, holding) => Input::Holding(blob(which), holding),
            Self::Find(which) => Input::FindProviders(blob(which)),
            Self::Search(query, text, limit) => Input::Search { query: QueryId(query.into()), text, limit },
            Self::Reconcile => Input::Reconcile,
            Self::TakeOver => Input::TakeOver,
        }
    }
}

impl Word {
    fn message(self) -> Message {
        match self {
            Self::Hello(features, since, life) => Message::Hello(Hello { features, since, life }),
            Self::Open { session, since, from, until, ids, rest, turned } => Message::Open(Open {
                session: session.into(),
                since: moment(since),
                from: (moment(from.0), record(from.1).id),
                until: moment(until),
                ids: record_ids(&ids),
                rest: rest.map(|byte| [byte; 16]),
                turned,
            }),
            Self::Opened { session, since, want, pushed, more, differs } => Message::Opened(Opened {
                session: session.into(),
                since: moment(since),
                want: record_ids(&want),
                pushed,
                more: more.map(|(at, which)| (moment(at), record(which).id)),
                differs,
            }),
            Self::Range(session, since, frame) => Message::Range(range(session, since, frame)),
            Self::Ranged(session, since, frame) => Message::Ranged(range(session, since, frame)),
            Self::Want(session, ids) => {
                Message::Want(Want { session: session.into(), ids: record_ids(&ids) })
            }
            Self::Records(which) => Message::Records(record_bytes(&which)),
            Self::RawRecord(bytes) => Message::Records(vec![bytes.into()]),
            Self::Pushed(session) => Message::Pushed(session.into()),
            Self::Busy(session) => Message::Busy(session.into()),
            Self::Caught(authors) => Message::Caught(ids(&authors)),
            Self::WantProofs(authors) => Message::WantProofs(ids(&authors)),
            Self::Proof(one, two) => Message::Proof(record(one).bytes().clone(), record(two).bytes().clone()),
            Self::Find(id, which, hops) => Message::Find(Find { id, blob: blob(which), hops }),
            Self::Provided(question, peer, addrs) => {
                Message::Provided(Provided { id: question, peer: id(peer.into()), addrs })
            }
            Self::Search(query, text, limit) => Message::Search(Search { query, text, limit }),
            Self::Found(query, which) => Message::Found(query, record_bytes(&which)),
            gossip => Message::Gossip(gossip.frame()),
        }
    }

    /// Writes a frame of HyParView (first byte 0) or PlumTree (first byte 1).
    fn frame(self) -> Bytes {
        let contact = |peer: u8, data: &[u8]| (id(peer.into()), Some(data.to_vec()));
        let written = match self {
            Self::Gossip(bytes) => Ok(bytes),
            Self::Join(data) => postcard::to_stdvec(&(0u8, 0u8, data)),
            Self::ForwardJoin(peer, data, hops) => {
                postcard::to_stdvec(&(0u8, 1u8, contact(peer, &data), hops))
            }
            Self::Shuffle(origin, peers, hops) => {
                let peers: Vec<_> = peers.iter().map(|peer| contact(*peer, &[])).collect();
                postcard::to_stdvec(&(0u8, 2u8, id(origin.into()), peers, hops))
            }
            Self::Neighbor(low, data) => postcard::to_stdvec(&(0u8, 4u8, u8::from(low), data)),
            Self::Disconnect(alive, respond) => postcard::to_stdvec(&(0u8, 5u8, alive, respond)),
            Self::Content(which, hops) => {
                let content = record(which).bytes().to_vec();
                postcard::to_stdvec(&(1u8, 0u8, name(which), content, 0u8, hops))
            }
            Self::Prune => postcard::to_stdvec(&(1u8, 1u8)),
            Self::Graft(which, hops) => postcard::to_stdvec(&(1u8, 2u8, which.map(name), hops)),
            Self::IHave(announced) => {
                let announced: Vec<_> = announced.iter().map(|(which, hops)| (name(*which), *hops)).collect();
                postcard::to_stdvec(&(1u8, 3u8, announced))
            }
            other => unreachable!("{other:?} is no gossip"),
        };
        written.expect("encoding into memory does not fail").into()
    }
}

/// Good records of every author and some that contradict each other, are withdrawn, unknown, foreign or broken.
fn pool() -> Vec<Record> {
    let mut pool = Vec::new();
    for author in (0..AUTHORS).map(identity) {
        for number in 0..6u8 {
            let at = |seq: u64| Stamp { seq, created_at: DAWN + seq, ..Stamp::default() };
            let seq = u64::from(number) + 1;
            let tag = Tag { release: SlotId::from_bytes([number; 32]), track: None, text: "ambient".into() };
            pool.extend(Record::sign(&author, at(seq), &profile(number)));
            pool.extend(Record::sign(&author, at(3), &profile(number)));
            pool.extend(Record::sign(&author, at(seq), &tag));
            pool.extend(Record::sign(&author, at(u64::MAX - seq), &playlist(number)));
            pool.extend(Record::withdraw(&author, at(seq + 2), Tag::ID, tag.key()));
            pool.extend(Record::withdraw(&author, at(seq), 4_000, Key::of(&[&[number]])));
        }
        let elsewhere = Stamp { topic: Topic::Community([1; 32]), seq: 9, ..Stamp::default() };
        pool.extend(Record::sign(&author, elsewhere, &profile(9)));
        let future = Stamp { seq: 10, created_at: u64::MAX, ..Stamp::default() };
        pool.extend(Record::sign(&author, future, &like(10)));
        pool.extend(Record::sign(&author, Stamp { seq: 11, created_at: DAWN, ..Stamp::default() }, &Broken));
    }
    pool
}

/// Passes for a tag with a body that no tag has.
#[derive(minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
struct Broken;

impl Kind for Broken {
    const ID: u16 = Tag::ID;
    const NAME: &'static str = "broken";

    fn key(&self) -> Key {
        Key::of(&[])
    }

    fn check(&self) -> Result<(), domain::RecordError> {
        Ok(())
    }
}

fn profile(number: u8) -> Profile {
    Profile { name: format!("name {number}"), ..Profile::default() }
}

fn like(number: u8) -> Like {
    Like { release: SlotId::from_bytes([number; 32]), track: None }
}

fn playlist(number: u8) -> Playlist {
    Playlist {
        nonce: [number; 16],
        title: "x".repeat(300),
        description: Some("y".repeat(900)),
        items: Vec::new(),
    }
}

fn identity(number: usize) -> Identity {
    Identity::from_secret(&[number as u8 + 1; 32])
}

fn id(number: usize) -> PeerId {
    static IDS: LazyLock<Vec<PeerId>> = LazyLock::new(|| (0..AUTHORS).map(|at| identity(at).id()).collect());
    IDS.get(number).copied().unwrap_or(PeerId::from_bytes([number as u8; 32]))
}

fn number(peer: PeerId) -> Option<usize> {
    (0..=HONEST).find(|at| id(*at) == peer)
}

fn honest(number: u8) -> usize {
    usize::from(number) % HONEST
}

fn ids(numbers: &[u8]) -> Vec<PeerId> {
    numbers.iter().map(|number| id((*number).into())).collect()
}

fn record(which: u8) -> &'static Record {
    &POOL[usize::from(which) % POOL.len()]
}

fn record_ids(which: &[u8]) -> Vec<RecordId> {
    which.iter().map(|which| record(*which).id).collect()
}

fn record_bytes(which: &[u8]) -> Vec<Bytes> {
    which.iter().map(|which| record(*which).bytes().clone()).collect()
}

fn name(which: u8) -> [u8; 32] {
    *BlobHash::of(record(which).bytes()).as_bytes()
}

fn range(session: u8, since: u8, frame: Vec<u8>) -> Frame {
    Frame { session: session.into(), since: moment(since), frame: frame.into() }
}

/// The ends of time and what lies around the pool's records.
fn moment(which: u8) -> u64 {
    match which {
        0 => 0,
        u8::MAX => u64::MAX,
        which => DAWN + u64::from(which / 8),
    }
}

fn blob(which: u8) -> BlobHash {
    BlobHash::from_bytes([which % 4; 32])
}

fn entry(what: u8, which: u8) -> BlockEntry {
    match what % 3 {
        0 => BlockEntry::Author(id(which.into())),
        1 => BlockEntry::Release(record(which).slot),
        _ => BlockEntry::Blob(blob(which)),
    }
}
