//! The member itself: connections, and the way from each input to its outputs.

mod admit;
mod link;
mod seek;
mod sync;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use domain::{
    BlobHash, Identity, Key, Kind, Kinds, PeerId, Record, RecordError, RecordId, SlotId, Stamp,
    kinds::BlockEntry,
};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IteratorRandom};

use self::{link::Link, seek::Seek, sync::Sync};
use crate::{
    ChangeSet, Config, Entry, Event, Input, Loaded, Now, Output, PublishError, Reason, Timer,
    bounded::Newest,
    catalogue::{Catalogue, Fate, Standing, Verdict},
    gossip::{self, Effect, Frame, Gossip},
    io::TimerKind,
    limits::{
        Bucket, CHECKS, COMPARISONS, FEW_NEIGHBORS, MAX_ADDRS, MAX_CAUGHT, MAX_CHECKED, MAX_CONNECTIONS,
        MAX_DECLINED, MAX_DIALS, MAX_EQUIVOCATORS, MAX_INTRODUCED, MAX_OVERFLOWS, MAX_PEER_DATA, MAX_STRIKES,
        MAX_WAITING, MINGLE_INTERVAL, MINGLE_ONE_IN, RECONCILE_INTERVAL, REFUSE_FOR, SWEEP_INTERVAL,
    },
    wire::{self, FEATURES, Hello, Message, WireError},
};

type Addrs = Vec<std::net::SocketAddr>;

/// One member of the swarm.
pub struct Peer {
    config: Config,
    identity: Identity,
    me: PeerId,
    kinds: Kinds,
    rng: StdRng,
    now: Now,
    started: bool,

    catalogue: Catalogue,
    own_seq: u64,
    blocked: BTreeSet<BlockEntry>,
    equivocators: Newest<PeerId>,
    /// Ids not wanted again: dropped for want of room.
    evicted: Newest<RecordId>,
    /// Ids not wanted again as long as this node runs: they broke a rule or are blocked.
    refused: Newest<RecordId>,
    /// PlumTree's names of records that were checked lately.
    checked: Newest<[u8; 32]>,
    checks: Bucket,
    comparisons: Bucket,

    gossip: Gossip,
    links: BTreeMap<PeerId, Link>,
    dials: BTreeMap<PeerId, Vec<Bytes>>,
    /// Members the swarm told of and where they can be dialled, the oldest first.
    acquaintances: VecDeque<(PeerId, Addrs)>,
    /// Distinguishes this start from others.
    life: u64,
    bootstrap: Vec<PeerId>,
    /// Whether none of them has been a neighbour yet.
    unmet: bool,
    addrs: Addrs,
    sync: Sync,
    seek: Seek,

    change: ChangeSet,
    events: Vec<Event>,
    out: Vec<Output>,
}

impl Peer {
    /// Makes a peer of what its store holds. `seed` drives every random choice; timers start with the first input.
    pub fn new(
        config: Config,
        identity: Identity,
        kinds: Kinds,
        loaded: Loaded,
        seed: u64,
        now: Now,
    ) -> Self {
        let me = identity.id();
        let mut catalogue = Catalogue::new(me, config.limits, loaded.followed.into_iter().collect());
        let mut own_seq = loaded.own_seq;
        for entry in &loaded.entries {
            if entry.author == me {
                own_seq = own_seq.max(entry.seq);
            }
            catalogue.put(entry, Standing::of(&kinds, entry.kind), now.unix_ms);
        }
        let mut evicted = Newest::new(MAX_DECLINED);
        evicted.extend(loaded.evicted);
        let mut equivocators = Newest::new(MAX_EQUIVOCATORS);
        equivocators.extend(loaded.equivocators);
        let mut rng = StdRng::seed_from_u64(seed);
        let gossip = Gossip::new(me, rng.random());
        let life = rng.random();
        Self {
            config,
            identity,
            me,
            kinds,
            rng,
            now,
            started: false,
            catalogue,
            own_seq,
            blocked: loaded.blocked.into_iter().collect(),
            equivocators,
            evicted,
            refused: Newest::new(MAX_DECLINED),
            checked: Newest::new(MAX_CHECKED),
            checks: Bucket::new(CHECKS, now.elapsed),
            comparisons: Bucket::new(COMPARISONS, now.elapsed),
            gossip,
            links: BTreeMap::new(),
            dials: BTreeMap::new(),
            acquaintances: VecDeque::new(),
            life,
            bootstrap: Vec::new(),
            unmet: false,
            addrs: Vec::new(),
            sync: Sync::default(),
            seek: Seek::default(),
            change: ChangeSet::default(),
            events: Vec::new(),
            out: Vec::new(),
        }
    }

    /// Takes one input and returns what is to be done, in order.
    pub fn handle(&mut self, input: Input, now: Now) -> Vec<Output> {
        self.begin(now);
        match input {
            Input::Up { peer, addrs } => self.up(peer, addrs),
            Input::Down(peer) => self.down(peer),
            Input::Message(from, bytes) => self.message(from, &bytes),
            Input::Timer(Timer(timer)) => self.timer(timer),
            Input::Join(peers) => self.join(peers),
            Input::Addresses(addrs) => self.addresses(addrs),
            Input::Block(entry) => self.block(entry),
            Input::Unblock(entry) => self.unblock(entry),
            Input::Follow(author) => self.follow(author),
            Input::Unfollow(author) => self.catalogue.unfollow(&author),
            Input::Holding(blob, holding) => self.seek.hold(blob, holding),
            Input::FindProviders(blob) => self.find_providers(blob),
            Input::Search { query, text, limit } => self.search(query, &text, limit),
            Input::Answer { to, query, records } => self.answer(to, query, records),
            Input::Adopt(record) => self.demand(*record),
            Input::Proof(proof) => self.prove(*proof, None),
            Input::Reconcile => self.reconcile_all(),
            Input::TakeOver => (self.config.imported, self.config.in_use_elsewhere) = (false, false),
        }
        self.end()
    }

    /// Signs a record, stores it and spreads it.
    ///
    /// # Errors
    /// Every [`PublishError`] but [`PublishError::UnknownSlot`].
    pub fn publish<K: Kind>(
        &mut self,
        body: &K,
        refs: Vec<RecordId>,
        now: Now,
    ) -> Result<(Record, Vec<Output>), PublishError> {
        let stamp = self.stamp(refs, now)?;
        let record = Record::sign(&self.identity, stamp, body)?;
        Ok((record.clone(), self.issue(record, now)))
    }

    /// Withdraws what this identity published at a slot; `key` is that record's.
    ///
    /// # Errors
    /// Every [`PublishError`].
    pub fn withdraw(
        &mut self,
        slot: SlotId,
        key: Key,
        now: Now,
    ) -> Result<(Record, Vec<Output>), PublishError> {
        let stamp = self.stamp(Vec::new(), now)?;
        let entry = self.catalogue.entry(&slot).filter(|entry| !entry.withdrawn);
        let entry = entry.filter(|entry| SlotId::of(&self.me, entry.kind, &key) == slot);
        let kind = entry.ok_or(PublishError::UnknownSlot(slot))?.kind;
        if self.kinds.is_permanent(kind) {
            return Err(RecordError::Permanent.into());
        }
        let record = Record::withdraw(&self.identity, stamp, kind, key)?;
        Ok((record.clone(), self.issue(record, now)))
    }

    /// Returns this member's name.
    pub fn id(&self) -> PeerId {
        self.me
    }

    /// Returns how many records the catalogue has.
    pub fn len(&self) -> usize {
        self.catalogue.len()
    }

    /// Says whether the catalogue is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns how many bytes the catalogue's records have.
    pub fn bytes(&self) -> u64 {
        self.catalogue.bytes()
    }

    /// Says whether a record holds its slot here.
    pub fn holds(&self, id: &RecordId) -> bool {
        self.catalogue.holds(id)
    }

    /// Returns what holds a slot.
    pub fn entry(&self, slot: &SlotId) -> Option<Entry> {
        self.catalogue.entry(slot)
    }

    /// Returns the highest `seq` this identity signed with, as far as is known.
    pub fn own_seq(&self) -> u64 {
        self.own_seq
    }

    /// Says whether there is a proof that the author signed two things for one version of one slot.
    pub fn is_equivocator(&self, author: &PeerId) -> bool {
        self.equivocators.contains(author)
    }

    /// Says whether the user blocks something.
    pub fn is_blocked(&self, entry: &BlockEntry) -> bool {
        self.blocked.contains(entry)
    }

    /// Returns the neighbours in the swarm.
    pub fn neighbors(&self) -> impl Iterator<Item = PeerId> {
        self.gossip.neighbors().iter().copied()
    }

    /// Returns everybody connected.
    pub fn connected(&self) -> impl Iterator<Item = PeerId> {
        self.links.keys().copied()
    }

    fn begin(&mut self, now: Now) {
        self.now = now;
        if !self.started {
            self.started = true;
            self.schedule_reconcile();
            self.schedule_mingle();
            self.set_timer(SWEEP_INTERVAL, TimerKind::Sweep);
        }
    }

    fn end(&mut self) -> Vec<Output> {
        self.sync_next();
        self.flush();
        std::mem::take(&mut self.out)
    }

    fn stamp(&self, refs: Vec<RecordId>, now: Now) -> Result<Stamp, PublishError> {
        if self.config.in_use_elsewhere {
            return Err(PublishError::IdentityInUseElsewhere);
        }
        if self.config.imported {
            return Err(PublishError::IdentitySyncing);
        }
        let seq = now.unix_ms.max(self.own_seq.saturating_add(1));
        Ok(Stamp { topic: self.config.topic, seq, created_at: now.unix_ms, refs })
    }

    fn issue(&mut self, record: Record, now: Now) -> Vec<Output> {
        self.begin(now);
        self.own_seq = record.seq;
        self.change.own_seq = Some(record.seq);
        self.checked.insert(gossip::message_id(record.bytes()));
        let verdict = self.catalogue.judge(&Entry::from(&record), Standing::of(&self.kinds, record.kind));
        self.take(record.clone(), verdict);
        self.flush();
        let effects = self.gossip.broadcast(record.bytes().clone(), now);
        self.perform(effects);
        self.end()
    }

    fn up(&mut self, peer: PeerId, addrs: Addrs) {
        if peer == self.me {
            return self.out.push(Output::Disconnect(peer, Reason::Unneeded));
        }
        if self.blocked.contains(&BlockEntry::Author(peer)) {
            return self.out.push(Output::Disconnect(peer, Reason::Blocked));
        }
        if let Some(link) = self.links.get_mut(&peer) {
            link.learn(addrs);
            return self.greet(peer);
        }
        let waiting = self.dials.remove(&peer).unwrap_or_default();
        if self.links.len() >= MAX_CONNECTIONS {
            return self.out.push(Output::Disconnect(peer, Reason::Unneeded));
        }
        self.links.insert(peer, Link::new(addrs, self.now.elapsed));
        self.meet(peer);
        self.greet(peer);
        self.out.extend(waiting.into_iter().map(|bytes| Output::Send(peer, bytes)));
    }

    fn greet(&mut self, peer: PeerId) {
        let hello = Hello { features: FEATURES, since: self.catalogue.since(), life: self.life };
        self.say(peer, &Message::Hello(hello));
    }

    fn down(&mut self, peer: PeerId) {
        self.links.remove(&peer);
        if self.dials.remove(&peer).is_some() {
            self.acquaintances.retain(|(known, _)| *known != peer);
        }
        let effects = self.gossip.disconnected(peer, self.now);
        self.parted(peer, effects);
    }

    /// The other end is a new process on what looks like the same connection.
    fn restarted(&mut self, peer: PeerId) {
        let mut effects = self.gossip.disconnected(peer, self.now);
        effects.retain(|effect| !matches!(effect, Effect::Release(released) if *released == peer));
        self.parted(peer, effects);
    }

    /// Forgets what stood between this node and a peer.
    fn parted(&mut self, peer: PeerId, effects: Vec<Effect>) {
        self.perform(effects);
        self.sync_lost(peer);
        self.seek.lost(peer);
    }

    fn join(&mut self, peers: Vec<PeerId>) {
        let mut peers = peers;
        peers.truncate(MAX_DIALS);
        peers.retain(|peer| *peer != self.me && !self.blocked.contains(&BlockEntry::Author(*peer)));
        if !peers.is_empty() {
            self.bootstrap.clone_from(&peers);
            self.unmet = !peers.iter().any(|peer| self.gossip.neighbors().contains(peer));
        }
        peers.retain(|peer| !self.gossip.neighbors().contains(peer));
        let effects = self.gossip.join(peers, self.now);
        self.perform(effects);
    }

    fn addresses(&mut self, mut addrs: Addrs) {
        addrs.truncate(MAX_ADDRS);
        let data = wire::write_addrs(&addrs);
        debug_assert!(data.len() <= MAX_PEER_DATA, "{MAX_ADDRS} addresses fit");
        self.addrs = addrs;
        let effects = self.gossip.contact_data(data, self.now);
        self.perform(effects);
    }

    fn follow(&mut self, author: PeerId) {
        self.catalogue.follow(author);
        // What a stranger's quota had no room for may have some now.
        self.refused.clear();
        self.evicted.clear();
        self.reconcile_all();
    }

    fn message(&mut self, from: PeerId, bytes: &Bytes) {
        let now = self.now.elapsed;
        let Some(link) = self.links.get_mut(&from) else { return };
        if !link.messages.take(1, now) || !link.bytes.take(bytes.len(), now) {
            return self.overflow(from);
        }
        link.overflows = 0;
        let features = link.features;
        match Message::decode(bytes) {
            Ok(message) => self.heed(from, message),
            // It is of a later version and may say what this one does not know.
            Err(WireError::Malformed) if features & !FEATURES != 0 => {}
            Err(error) => self.fault(from, error.code()),
        }
    }

    fn heed(&mut self, from: PeerId, message: Message) {
        match message {
            Message::Hello(hello) => self.hello(from, &hello),
            Message::Gossip(frame) => self.frame(from, &frame),
            Message::Open(open) => self.on_open(from, open),
            Message::Opened(opened) => self.on_opened(from, opened),
            Message::Range(frame) => self.on_range(from, &frame),
            Message::Ranged(frame) => self.on_ranged(from, &frame),
            Message::Want(want) => self.on_want(from, want),
            Message::Records(records) => self.on_records(from, records),
            Message::Pushed(session) => self.on_pushed(from, session),
            Message::Busy(session) => self.on_busy(from, session),
            Message::Caught(authors) => self.on_caught(from, authors),
            Message::WantProofs(authors) => self.on_want_proofs(from, authors),
            Message::Proof(one, two) => self.on_proof(from, one, two),
            Message::Find(find) => self.on_find(from, find),
            Message::Provided(provided) => self.on_provided(from, provided),
            Message::Search(search) => self.on_search(from, search),
            Message::Found(query, records) => self.on_found(from, query, records),
        }
    }

    fn hello(&mut self, from: PeerId, hello: &Hello) {
        let Some(link) = self.links.get_mut(&from) else { return };
        (link.features, link.since) = (hello.features, hello.since);
        let earlier = link.life.replace(hello.life);
        if earlier.is_some_and(|life| life != hello.life) {
            link.synced_at = None;
            self.restarted(from);
        }
    }

    fn frame(&mut self, from: PeerId, bytes: &Bytes) {
        let now = self.now.elapsed;
        let neighbor = self.gossip.neighbors().contains(&from);
        let Some(link) = self.links.get_mut(&from) else { return };
        match Frame::read(bytes) {
            None => self.fault(from, "gossip_malformed"),
            Some(Frame::Membership(named)) => {
                if link.introduced.take(named.len() + 1, now) {
                    self.pass(from, bytes, &named);
                }
            }
            // One side forgot the other: say so, or it would count on this node.
            Some(_) if !neighbor => {
                self.say(from, &Message::Gossip(Bytes::from_static(&gossip::NO_NEIGHBOR)));
            }
            Some(Frame::Content(id, content)) => self.on_content(from, bytes, id, content),
            Some(Frame::Announcement(ids)) => {
                if link.announced.take(ids, now) {
                    self.pass(from, bytes, &[]);
                }
            }
            Some(Frame::Tree) => self.pass(from, bytes, &[]),
        }
    }

    /// Passes a record on only when it was checked.
    fn on_content(&mut self, from: PeerId, frame: &Bytes, id: [u8; 32], content: Bytes) {
        let known = self.checked.contains(&id);
        let now = self.now.elapsed;
        if !known {
            let Some(link) = self.links.get_mut(&from) else { return };
            if !link.gossiped.take(1, now) || !self.admit(from, content) {
                return self.flush();
            }
            self.flush();
        }
        self.pass(from, frame, &[]);
    }

    fn pass(&mut self, from: PeerId, frame: &Bytes, named: &[PeerId]) {
        named.iter().for_each(|peer| self.meet(*peer));
        let effects = self.gossip.frame(from, frame, named, self.now);
        self.perform(effects);
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send(to, frame) => self.send(to, Message::Gossip(frame).encode()),
                Effect::SetTimer(delay, timer) => self.set_timer(delay, TimerKind::Gossip(timer)),
                Effect::Release(peer) => self.release(peer),
                Effect::Contact(peer, data) => self.contact(peer, &data),
                Effect::NeighborUp(peer) => self.neighbor_up(peer),
                Effect::NeighborDown(peer) => self.events.push(Event::NeighborDown(peer)),
            }
        }
    }

    fn neighbor_up(&mut self, peer: PeerId) {
        self.events.push(Event::NeighborUp(peer));
        self.unmet &= !self.bootstrap.contains(&peer);
        self.sync.wait(peer);
        let caught: Vec<PeerId> = self.equivocators.iter().take(MAX_CAUGHT).collect();
        if !caught.is_empty() {
            self.say(peer, &Message::Caught(caught));
        }
    }

    fn release(&mut self, peer: PeerId) {
        if self.links.contains_key(&peer) {
            self.out.push(Output::Disconnect(peer, Reason::Unneeded));
        }
    }

    /// Remembers where a peer can be dialled.
    fn contact(&mut self, peer: PeerId, data: &[u8]) {
        let mut addrs = wire::read_addrs(data);
        addrs.truncate(MAX_ADDRS);
        self.meet(peer);
        if let Some(known) = self.acquaintances.iter_mut().find(|(known, _)| *known == peer) {
            known.1 = addrs;
        }
    }

    /// Remembers a member of the swarm.
    fn meet(&mut self, peer: PeerId) {
        if peer == self.me || self.acquaintances.iter().any(|(known, _)| *known == peer) {
            return;
        }
        self.acquaintances.push_back((peer, Vec::new()));
        if self.acquaintances.len() > MAX_INTRODUCED {
            self.acquaintances.pop_front();
        }
    }

    fn say(&mut self, to: PeerId, message: &Message) {
        self.send(to, message.encode());
    }

    /// Sends to whoever is connected, and connects whoever is not.
    fn send(&mut self, to: PeerId, bytes: Bytes) {
        if self.links.contains_key(&to) {
            return self.out.push(Output::Send(to, bytes));
        }
        if let Some(waiting) = self.dials.get_mut(&to) {
            if waiting.len() < MAX_WAITING {
                waiting.push(bytes);
            }
            return;
        }
        let blocked = self.blocked.contains(&BlockEntry::Author(to));
        if blocked || to == self.me || self.dials.len() >= MAX_DIALS {
            let effects = self.gossip.disconnected(to, self.now);
            return self.perform(effects);
        }
        self.dials.insert(to, vec![bytes]);
        let known = self.acquaintances.iter().find(|(peer, _)| *peer == to);
        let addrs = known.map(|(_, addrs)| addrs.clone()).unwrap_or_default();
        self.out.push(Output::Connect(to, addrs));
    }

    /// Does what must not be undone by a crash before anybody hears of it.
    fn flush(&mut self) {
        if !self.change.is_empty() {
            self.out.push(Output::Persist(std::mem::take(&mut self.change)));
        }
        self.out.extend(self.events.drain(..).map(Output::Emit));
    }

    /// A peer did what no honest one does.
    fn fault(&mut self, peer: PeerId, code: &'static str) {
        let Some(link) = self.links.get_mut(&peer) else { return };
        link.strikes += 1;
        let enough = link.strikes >= MAX_STRIKES;
        self.events.push(Event::Refused { peer, code });
        if enough {
            self.banish(peer);
        }
    }

    fn overflow(&mut self, peer: PeerId) {
        let Some(link) = self.links.get_mut(&peer) else { return };
        link.overflows += 1;
        if link.overflows > MAX_OVERFLOWS {
            self.events.push(Event::Refused { peer, code: "flood" });
            self.banish(peer);
        }
    }

    fn banish(&mut self, peer: PeerId) {
        self.down(peer);
        self.out.push(Output::Disconnect(peer, Reason::Misbehaved(REFUSE_FOR)));
    }

    fn timer(&mut self, timer: TimerKind) {
        match timer {
            TimerKind::Gossip(timer) => {
                let effects = self.gossip.timer(timer, self.now);
                self.perform(effects);
            }
            TimerKind::Reconcile => self.on_reconcile_timer(),
            TimerKind::Resume => self.sync.resumed(),
            TimerKind::Mingle => self.on_mingle_timer(),
            TimerKind::SyncTimeout(session) => self.on_sync_timeout(session),
            TimerKind::Sweep => self.sweep(),
        }
    }

    fn on_reconcile_timer(&mut self) {
        self.schedule_reconcile();
        self.sync_stalest();
        if self.unmet {
            let effects = self.gossip.join(self.bootstrap.clone(), self.now);
            self.perform(effects);
        } else if self.rng.random_ratio(1, MINGLE_ONE_IN) {
            self.mingle();
        }
    }

    fn on_mingle_timer(&mut self) {
        self.schedule_mingle();
        if self.gossip.neighbors().len() < FEW_NEIGHBORS {
            self.mingle();
        }
    }

    /// Joins anew through a random member that is no neighbour.
    fn mingle(&mut self) {
        let known = self.acquaintances.iter().map(|(peer, _)| *peer).chain(self.bootstrap.iter().copied());
        let stranger = |peer: &PeerId| {
            !self.gossip.neighbors().contains(peer) && !self.blocked.contains(&BlockEntry::Author(*peer))
        };
        if let Some(peer) = known.filter(stranger).choose(&mut self.rng) {
            let effects = self.gossip.join(vec![peer], self.now);
            self.perform(effects);
        }
    }

    fn sweep(&mut self) {
        self.set_timer(SWEEP_INTERVAL, TimerKind::Sweep);
        self.seek.sweep(self.now.elapsed);
        let effects = self.gossip.sweep(self.now);
        self.perform(effects);
    }

    /// Spread over the time around the interval, so that a swarm that started together does not act together.
    fn schedule_reconcile(&mut self) {
        let delay = RECONCILE_INTERVAL.mul_f64(self.rng.random_range(0.5..1.5));
        self.set_timer(delay, TimerKind::Reconcile);
    }

    fn schedule_mingle(&mut self) {
        let delay = MINGLE_INTERVAL.mul_f64(self.rng.random_range(0.5..1.5));
        self.set_timer(delay, TimerKind::Mingle);
    }

    fn set_timer(&mut self, delay: std::time::Duration, timer: TimerKind) {
        self.out.push(Output::SetTimer(delay, Timer(timer)));
    }
}
