//! HyParView and PlumTree: `iroh-gossip`'s state machine, with a guard in front of it.
//!
//! The state machine trusts its input: it keeps whatever is announced or introduced to it and adds up hops without a
//! check. So every frame is read here first, by types that mirror its encoding, and only what is within bounds, comes
//! from a neighbour where it has to, and holds a record that was checked goes on.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Instant,
};

use bytes::Bytes;
use domain::{BlobHash, PeerId};
use iroh_gossip::proto::{
    Command, Config, Event, HyparviewConfig, PeerData, PlumtreeConfig, Scope,
    topic::{self, InEvent, OutEvent},
};
use rand::{SeedableRng, rngs::StdRng};
use serde::Deserialize;

use crate::{
    Now,
    limits::{
        ACTIVE_VIEW, GOSSIP_CACHE, GOSSIP_MEMORY, MAX_ANNOUNCED, MAX_GOSSIP_LEN, MAX_HOPS, MAX_INTRODUCED,
        MAX_PEER_DATA, MAX_SHUFFLED, NEIGHBOR_TIMEOUT, PASSIVE_VIEW, SHUFFLE_INTERVAL,
    },
};

/// HyParView's word that the sender is no neighbour, but alive.
pub(crate) const NO_NEIGHBOR: [u8; 4] = [0, 5, 1, 0];

pub(crate) type Timer = topic::Timer<PeerId>;

/// What the state machine wants.
#[derive(Debug)]
pub(crate) enum Effect {
    Send(PeerId, Bytes),
    SetTimer(std::time::Duration, Timer),
    Release(PeerId),
    Contact(PeerId, Bytes),
    NeighborUp(PeerId),
    NeighborDown(PeerId),
}

/// What a frame is about, as far as the guard cares.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// A record's bytes and their hash, by which PlumTree knows them.
    Content([u8; 32], Bytes),
    /// PlumTree's announcement of this many records.
    Announcement(usize),
    /// Another word of PlumTree's.
    Tree,
    /// A word of HyParView's that names these peers besides the sender.
    Membership(Vec<PeerId>),
}

pub(crate) struct Gossip {
    state: topic::State<PeerId, StdRng>,
    /// Stands for zero on the state machine's clock, of which only differences count.
    epoch: Instant,
    neighbors: BTreeSet<PeerId>,
    introduced: VecDeque<PeerId>,
}

#[derive(Deserialize)]
enum Mirror<'a> {
    #[serde(borrow)]
    Swarm(Swarm<'a>),
    #[serde(borrow)]
    Tree(Tree<'a>),
}

#[derive(Deserialize)]
enum Swarm<'a> {
    Join(#[serde(borrow)] Option<&'a [u8]>),
    ForwardJoin(#[serde(borrow)] Contact<'a>, u16),
    Shuffle(PeerId, #[serde(borrow)] Vec<Contact<'a>>, u16),
    ShuffleReply(#[serde(borrow)] Vec<Contact<'a>>),
    Neighbor(Priority, #[serde(borrow)] Option<&'a [u8]>),
    #[expect(dead_code, reason = "the fields stand for bytes on the wire")]
    Disconnect(bool, bool),
}

#[derive(Deserialize)]
struct Contact<'a> {
    id: PeerId,
    #[serde(borrow)]
    data: Option<&'a [u8]>,
}

#[derive(Deserialize)]
enum Priority {
    High,
    Low,
}

#[derive(Deserialize)]
enum Tree<'a> {
    Gossip([u8; 32], #[serde(borrow)] &'a [u8], Delivery),
    Prune,
    #[expect(dead_code, reason = "the field stands for bytes on the wire")]
    Graft(Option<[u8; 32]>, u16),
    IHave(Vec<([u8; 32], u16)>),
}

#[derive(Deserialize)]
enum Delivery {
    Swarm(u16),
    Neighbors,
}

impl Frame {
    /// Reads a frame; `None` where no honest peer would have sent it.
    pub(crate) fn read(bytes: &Bytes) -> Option<Self> {
        if bytes.len() > MAX_GOSSIP_LEN.max(MAX_SHUFFLED * (MAX_PEER_DATA + 64)) {
            return None;
        }
        match postcard::take_from_bytes(bytes).ok()? {
            (Mirror::Swarm(swarm), []) => swarm.named().map(Self::Membership),
            (Mirror::Tree(tree), []) => tree.read(bytes),
            _ => None,
        }
    }
}

impl Swarm<'_> {
    fn named(self) -> Option<Vec<PeerId>> {
        let short = |data: &Option<&[u8]>| data.is_none_or(|data| data.len() <= MAX_PEER_DATA);
        let contacts = match self {
            Self::Join(data) | Self::Neighbor(Priority::High | Priority::Low, data) => {
                return short(&data).then(Vec::new);
            }
            Self::Disconnect(_, _) => return Some(Vec::new()),
            Self::ForwardJoin(contact, hops) => (vec![contact], hops, None),
            Self::Shuffle(origin, contacts, hops) => (contacts, hops, Some(origin)),
            Self::ShuffleReply(contacts) => (contacts, 0, None),
        };
        let (contacts, hops, origin) = contacts;
        let fits = contacts.len() <= MAX_SHUFFLED && hops <= MAX_HOPS;
        let fits = fits && contacts.iter().all(|contact| short(&contact.data));
        fits.then(|| contacts.iter().map(|contact| contact.id).chain(origin).collect())
    }
}

impl Tree<'_> {
    fn read(self, bytes: &Bytes) -> Option<Frame> {
        match self {
            Self::Gossip(id, content, Delivery::Swarm(hops)) => {
                let right = hops <= MAX_HOPS && message_id(content) == id;
                right.then(|| Frame::Content(id, bytes.slice_ref(content)))
            }
            // This node's kind never limits a record to neighbours.
            Self::Gossip(_, _, Delivery::Neighbors) => None,
            Self::Prune => Some(Frame::Tree),
            Self::Graft(_, hops) => (hops <= MAX_HOPS).then_some(Frame::Tree),
            Self::IHave(ids) => {
                let right = ids.len() <= MAX_ANNOUNCED && ids.iter().all(|(_, hops)| *hops <= MAX_HOPS);
                right.then_some(Frame::Announcement(ids.len()))
            }
        }
    }
}

impl Gossip {
    pub(crate) fn new(me: PeerId, seed: u64) -> Self {
        let rng = StdRng::seed_from_u64(seed);
        #[expect(
            clippy::disallowed_methods,
            reason = "an origin for differences; what it shows is never read"
        )]
        let epoch = Instant::now();
        let state = topic::State::with_rng(me, None, config(), rng);
        Self { state, epoch, neighbors: BTreeSet::new(), introduced: VecDeque::new() }
    }

    pub(crate) fn neighbors(&self) -> &BTreeSet<PeerId> {
        &self.neighbors
    }

    pub(crate) fn join(&mut self, peers: Vec<PeerId>, now: Now) -> Vec<Effect> {
        self.drive(InEvent::Command(Command::Join(peers)), now)
    }

    pub(crate) fn broadcast(&mut self, record: Bytes, now: Now) -> Vec<Effect> {
        self.drive(InEvent::Command(Command::Broadcast(record, Scope::Swarm)), now)
    }

    pub(crate) fn contact_data(&mut self, data: Vec<u8>, now: Now) -> Vec<Effect> {
        self.drive(InEvent::UpdatePeerData(PeerData::new(data)), now)
    }

    pub(crate) fn timer(&mut self, timer: Timer, now: Now) -> Vec<Effect> {
        self.drive(InEvent::TimerExpired(timer), now)
    }

    /// Takes a frame that [`Frame::read`] let through; a frame's record has been checked.
    pub(crate) fn frame(&mut self, from: PeerId, bytes: &Bytes, named: &[PeerId], now: Now) -> Vec<Effect> {
        let Ok(message) = postcard::from_bytes(bytes) else { return Vec::new() };
        let mut effects = self.introduce(from, named, now);
        effects.extend(self.drive(InEvent::RecvMessage(from, message), now));
        effects
    }

    /// Forgets a peer that is not connected, or not any more.
    pub(crate) fn disconnected(&mut self, peer: PeerId, now: Now) -> Vec<Effect> {
        self.drive(InEvent::PeerDisconnected(peer), now)
    }

    /// Drops what the state machine keeps of announcements that nothing came of.
    pub(crate) fn sweep(&mut self, now: Now) -> Vec<Effect> {
        let me = *self.state.endpoint();
        self.drive(InEvent::PeerDisconnected(me), now)
    }

    /// Keeps the number of peers bounded that the state machine holds contact data of: it forgets a peer only when
    /// that one disconnects.
    fn introduce(&mut self, from: PeerId, named: &[PeerId], now: Now) -> Vec<Effect> {
        for peer in named.iter().copied().chain([from]) {
            if !self.introduced.contains(&peer) {
                self.introduced.push_back(peer);
            }
        }
        let mut effects = Vec::new();
        while self.introduced.len() > MAX_INTRODUCED {
            let Some(peer) = self.introduced.pop_front() else { break };
            if self.neighbors.contains(&peer) {
                self.introduced.push_back(peer);
            } else {
                // The first report only clears the mark of a peer that said it stays alive.
                effects.extend(self.disconnected(peer, now));
                effects.extend(self.disconnected(peer, now));
            }
        }
        effects
    }

    fn drive(&mut self, event: InEvent<PeerId>, now: Now) -> Vec<Effect> {
        let at = self.epoch + now.elapsed;
        let outs: Vec<_> = self.state.handle(event, at.into()).collect();
        outs.into_iter().filter_map(|out| self.effect(out)).collect()
    }

    fn effect(&mut self, out: OutEvent<PeerId>) -> Option<Effect> {
        Some(match out {
            OutEvent::SendMessage(to, message) => {
                let bytes = postcard::to_stdvec(&message).expect("encoding into memory does not fail");
                Effect::Send(to, bytes.into())
            }
            OutEvent::ScheduleTimer(delay, timer) => Effect::SetTimer(delay, timer),
            OutEvent::DisconnectPeer(peer) => Effect::Release(peer),
            OutEvent::PeerData(peer, data) => Effect::Contact(peer, data.inner().clone()),
            OutEvent::EmitEvent(Event::NeighborUp(peer)) => {
                self.neighbors.insert(peer);
                Effect::NeighborUp(peer)
            }
            OutEvent::EmitEvent(Event::NeighborDown(peer)) => {
                self.neighbors.remove(&peer);
                Effect::NeighborDown(peer)
            }
            // The record was taken before its frame went in.
            OutEvent::EmitEvent(Event::Received(_)) => return None,
        })
    }
}

fn config() -> Config {
    let membership = HyparviewConfig {
        active_view_capacity: ACTIVE_VIEW,
        passive_view_capacity: PASSIVE_VIEW,
        shuffle_interval: SHUFFLE_INTERVAL,
        neighbor_request_timeout: NEIGHBOR_TIMEOUT,
        ..HyparviewConfig::default()
    };
    let broadcast = PlumtreeConfig {
        optimization_threshold: 2.into(),
        message_cache_retention: GOSSIP_CACHE,
        message_id_retention: GOSSIP_MEMORY,
        ..PlumtreeConfig::default()
    };
    Config { membership, broadcast, max_message_size: MAX_GOSSIP_LEN }
}

/// PlumTree names a message by the BLAKE3 hash of its bytes.
pub(crate) fn message_id(content: &[u8]) -> [u8; 32] {
    *BlobHash::of(content).as_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn peer(byte: u8) -> PeerId {
        PeerId::from_bytes([byte; 32])
    }

    /// Two members that talk until nothing is left to say; returns the frames that passed.
    fn converse(members: &mut [Gossip; 2], mut effects: Vec<(usize, Effect)>) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some((from, effect)) = effects.pop() {
            if let Effect::Send(_, bytes) = effect {
                let frame = Frame::read(&bytes).expect("the state machine's own frames pass");
                let named = if let Frame::Membership(named) = &frame { named.clone() } else { Vec::new() };
                frames.push(frame);
                let more = members[1 - from].frame(peer(from as u8), &bytes, &named, Now::default());
                effects.extend(more.into_iter().map(|effect| (1 - from, effect)));
            }
        }
        frames
    }

    fn pair() -> [Gossip; 2] {
        let mut members = [Gossip::new(peer(0), 1), Gossip::new(peer(1), 2)];
        members[0].contact_data(vec![1; 20], Now::default());
        let effects = members[0].join(vec![peer(1)], Now::default());
        converse(&mut members, effects.into_iter().map(|effect| (0, effect)).collect());
        members
    }

    #[test]
    fn the_guard_reads_what_the_state_machine_writes() {
        let mut members = pair();
        assert!(members[0].neighbors().contains(&peer(1)) && members[1].neighbors().contains(&peer(0)));
        let effects = members[0].broadcast(Bytes::from_static(b"record"), Now::default());
        let frames = converse(&mut members, effects.into_iter().map(|effect| (0, effect)).collect());
        assert!(frames.contains(&Frame::Content(message_id(b"record"), Bytes::from_static(b"record"))));
    }

    #[test]
    fn who_is_told_that_it_is_no_neighbor_drops_the_teller() {
        let mut members = pair();
        let bytes = Bytes::from_static(&NO_NEIGHBOR);
        assert_eq!(Frame::read(&bytes), Some(Frame::Membership(Vec::new())));
        members[0].frame(peer(1), &bytes, &[], Now::default());
        assert!(members[0].neighbors().is_empty());
    }

    #[test]
    fn frames_that_would_break_the_state_machine_do_not_pass() {
        let id = message_id(b"x");
        let hops = |hops: u16| {
            Bytes::from(postcard::to_stdvec(&(1u8, (0u8, id, &b"x"[..].to_vec(), 0u8, hops))).unwrap())
        };
        assert_eq!(Frame::read(&hops(3)), Some(Frame::Content(id, Bytes::from_static(b"x"))));
        assert_eq!(Frame::read(&hops(u16::MAX)), None);
        let many: Vec<([u8; 32], u16)> = vec![([0; 32], 0); MAX_ANNOUNCED + 1];
        let many = postcard::to_stdvec(&(1u8, 3u8, many)).unwrap();
        assert_eq!(Frame::read(&many.into()), None);
        let long = postcard::to_stdvec(&(0u8, 0u8, Some(vec![0u8; MAX_PEER_DATA + 1]))).unwrap();
        assert_eq!(Frame::read(&long.into()), None);
    }

    #[test]
    fn introductions_without_end_are_forgotten() {
        let mut members = pair();
        for round in 0..5_000u32 {
            let mut id = [7; 32];
            id[..4].copy_from_slice(&round.to_le_bytes());
            let stranger = PeerId::from_bytes(id);
            let reply = (0u8, 3u8, vec![(stranger, Some(vec![9u8; MAX_PEER_DATA]))]);
            let bytes = Bytes::from(postcard::to_stdvec(&reply).unwrap());
            let Some(Frame::Membership(named)) = Frame::read(&bytes) else { panic!("a reply passes") };
            members[0].frame(peer(1), &bytes, &named, Now::default());
        }
        assert!(members[0].introduced.len() <= MAX_INTRODUCED);
        // What the state machine holds has no other measure from outside.
        assert!(format!("{:?}", members[0].state).len() < 400_000);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_and_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut members = pair();
            let bytes = Bytes::from(bytes);
            if let Some(frame) = Frame::read(&bytes) {
                let named = if let Frame::Membership(named) = &frame { named.clone() } else { Vec::new() };
                members[0].frame(peer(1), &bytes, &named, Now::default());
            }
        }
    }
}
