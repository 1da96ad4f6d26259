use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use bytes::Bytes;
use domain::{Identity, Kind, Kinds, PeerId, Record, RecordId};
use peer::{Config, Equivocation, Event, Input, Now, Output, Peer, PublishError, Reason, Timer};
use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::{
    disk::Disk,
    queue::{Queue, Scheduled},
};

/// The wall clock where every simulation begins, in Unix milliseconds.
const DAWN: u64 = 1_760_000_000_000;
/// How long a member that cannot be reached keeps the caller waiting.
const DIAL_TIMEOUT: Duration = Duration::from_secs(1);
/// How long it takes to notice that the other end of a connection is gone without a word.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);
/// How often [`Swarm::run_until`] looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What a simulated swarm is like.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How many members it begins with.
    pub members: usize,
    /// Decides everything.
    pub seed: u64,
    /// The least and most time a message is under way; every pair of members has its own.
    pub latency: (Duration, Duration),
    /// How many of a thousand messages are lost with the connection they are on.
    pub loss: u32,
    /// What every member is told at its start.
    pub config: Config,
    /// The kinds that every member knows.
    pub kinds: Kinds,
}

/// What went over the wire so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Messages.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Messages of records in answer to a comparison, and their bytes; part of the above.
    pub records: (u64, u64),
}

/// Many peers, a clock and a network.
pub struct Swarm {
    settings: Settings,
    rng: StdRng,
    now: Duration,
    /// By time, what happens to whom.
    queue: Queue<Duration, (usize, What)>,
    members: Vec<Member>,
    index: HashMap<PeerId, usize>,
    records: HashMap<RecordId, Bytes>,
    links: HashMap<(usize, usize), u64>,
    connections: u64,
    parts: Vec<u32>,
    arrivals: HashMap<RecordId, (Duration, Vec<Duration>)>,
    events: Vec<(usize, Event)>,
    traffic: Traffic,
    trace: DefaultHasher,
}

struct Member {
    identity: Identity,
    kinds: Kinds,
    config: Config,
    /// Whether it can be reached. A reachable member without a peer is one that a test speaks for.
    alive: bool,
    peer: Option<Peer>,
    /// Which of its lives this is: timers of an earlier one mean nothing.
    life: u32,
    disk: Disk,
    /// Milliseconds by which its wall clock is off.
    skew: i64,
    refused: BTreeMap<PeerId, Duration>,
}

enum What {
    Dialled { by: usize },
    Message { from: usize, link: u64, bytes: Bytes },
    Closed { by: usize, link: u64 },
    Timer { life: u32, timer: Timer },
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            members: 2,
            seed: 0,
            latency: (Duration::from_millis(10), Duration::from_millis(50)),
            loss: 0,
            config: Config::default(),
            kinds: Kinds::default(),
        }
    }
}

impl Swarm {
    /// Makes a swarm of members that do not know each other yet, on links of 10 to 50 ms.
    pub fn new(members: usize, seed: u64) -> Self {
        Self::with(Settings { members, seed, ..Settings::default() })
    }

    /// Makes a swarm to measure.
    pub fn with(settings: Settings) -> Self {
        let mut swarm = Self {
            rng: StdRng::seed_from_u64(settings.seed),
            now: Duration::ZERO,
            queue: Queue::default(),
            members: Vec::new(),
            index: HashMap::new(),
            records: HashMap::new(),
            links: HashMap::new(),
            connections: 0,
            parts: Vec::new(),
            arrivals: HashMap::new(),
            events: Vec::new(),
            traffic: Traffic::default(),
            trace: DefaultHasher::new(),
            settings,
        };
        for _ in 0..swarm.settings.members {
            swarm.add();
        }
        swarm
    }

    /// Adds a member that knows nobody.
    pub fn add(&mut self) -> usize {
        let (config, kinds) = (self.settings.config.clone(), self.settings.kinds.clone());
        let secret: [u8; 32] = self.rng.random();
        self.add_as(Identity::from_secret(&secret), config, kinds)
    }

    /// Adds a member with an identity, a configuration and kinds of its own.
    pub fn add_as(&mut self, identity: Identity, config: Config, kinds: Kinds) -> usize {
        let at = self.members.len();
        self.index.insert(identity.id(), at);
        let member = Member {
            identity,
            kinds,
            config,
            alive: true,
            peer: None,
            life: 0,
            disk: Disk::default(),
            skew: 0,
            refused: BTreeMap::new(),
        };
        self.members.push(member);
        self.parts.push(0);
        self.revive(at);
        at
    }

    /// Lets every member join through a random earlier one, a few milliseconds apart, and waits until all have
    /// neighbours and comparisons have ended.
    #[must_use]
    pub fn join_all(mut self) -> Self {
        for newcomer in 1..self.members.len() {
            let through = self.rng.random_range(0..newcomer);
            self.join(newcomer, through);
            self.run_for(Duration::from_millis(2));
        }
        self.run_for(Duration::from_secs(10));
        self
    }

    /// Lets a member join through another.
    pub fn join(&mut self, newcomer: usize, through: usize) {
        let through = self.id(through);
        self.input(newcomer, Input::Join(vec![through]));
    }

    /// Publishes a record and begins to note when it arrives where.
    ///
    /// # Errors
    /// What [`Peer::publish`] refuses.
    pub fn publish<K: Kind>(&mut self, at: usize, body: &K) -> Result<Record, PublishError> {
        let now = self.clock(at);
        let peer = self.members[at].peer.as_mut().expect("the member is alive");
        let (record, outputs) = peer.publish(body, Vec::new(), now)?;
        self.arrivals.insert(record.id, (self.now, Vec::new()));
        self.carry_out(at, outputs);
        Ok(record)
    }

    /// Withdraws a record of the member's own.
    ///
    /// # Errors
    /// What [`Peer::withdraw`] refuses.
    pub fn withdraw(&mut self, at: usize, record: &Record) -> Result<Record, PublishError> {
        let now = self.clock(at);
        let peer = self.members[at].peer.as_mut().expect("the member is alive");
        let (record, outputs) = peer.withdraw(record.slot, record.key, now)?;
        self.arrivals.insert(record.id, (self.now, Vec::new()));
        self.carry_out(at, outputs);
        Ok(record)
    }

    /// Hands a member an input.
    pub fn input(&mut self, at: usize, input: Input) {
        let now = self.clock(at);
        let Some(peer) = &mut self.members[at].peer else { return };
        let outputs = peer.handle(input, now);
        self.carry_out(at, outputs);
    }

    /// Puts a record on a member's disk and into its peer as though it had always been there.
    pub fn seed_records(&mut self, at: usize, records: &[Record]) {
        let change = peer::ChangeSet { put: records.to_vec(), ..Default::default() };
        self.persist(at, &change);
        self.revive(at);
    }

    /// Lets time pass.
    pub fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(next) = self.queue.pop(end) {
            self.now = next.at;
            self.happen(next);
        }
        self.now = end;
    }

    /// Lets time pass until something is true, at most so long; says whether it is.
    pub fn run_until(&mut self, most: Duration, mut done: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now + most;
        while !done(self) {
            if self.now >= end {
                return false;
            }
            self.run_for(LOOK_EVERY);
        }
        true
    }

    /// Ends a member's process; its disk stays.
    pub fn kill(&mut self, at: usize) {
        let member = &mut self.members[at];
        (member.alive, member.peer) = (false, None);
        member.life += 1;
        self.cut(|one, _| one == at);
        self.links.retain(|(one, _), _| *one != at);
    }

    /// Starts a member again with what it had persisted.
    pub fn restart(&mut self, at: usize) {
        self.kill(at);
        self.revive(at);
    }

    /// Starts a member again with another configuration.
    pub fn restart_as(&mut self, at: usize, config: Config) {
        self.members[at].config = config;
        self.restart(at);
    }

    /// Makes a reachable member that says nothing by itself: a test speaks for it through [`Swarm::say`].
    pub fn puppet(&mut self, at: usize) {
        self.kill(at);
        self.members[at].alive = true;
    }

    /// Connects two members.
    pub fn connect(&mut self, by: usize, to: usize) {
        let delay = self.latency(by, to) * 2;
        self.schedule(delay, to, What::Dialled { by });
    }

    /// Sends bytes in a member's name, if it is connected.
    pub fn say(&mut self, from: usize, to: usize, bytes: Bytes) {
        self.send(from, to, bytes);
    }

    /// Parts the members by what the function says of each: no message passes between different numbers.
    pub fn part(&mut self, number: impl Fn(usize) -> u32) {
        self.parts = (0..self.members.len()).map(number).collect();
        let parts = self.parts.clone();
        self.cut(|one, two| parts[one] != parts[two]);
    }

    /// Ends a [`Swarm::part`].
    pub fn heal(&mut self) {
        self.parts.fill(0);
    }

    /// Sets a member's wall clock off by so many milliseconds.
    pub fn skew(&mut self, at: usize, millis: i64) {
        self.members[at].skew = millis;
    }

    /// Returns a member's name.
    pub fn id(&self, at: usize) -> PeerId {
        self.members[at].identity.id()
    }

    /// Returns a member's identity.
    pub fn identity(&self, at: usize) -> &Identity {
        &self.members[at].identity
    }

    /// Returns a member's peer.
    ///
    /// # Panics
    /// Where the member is not alive.
    pub fn peer(&self, at: usize) -> &Peer {
        self.members[at].peer.as_ref().expect("the member is alive")
    }

    /// Returns every living peer.
    pub fn peers(&self) -> impl Iterator<Item = &Peer> {
        self.members.iter().filter_map(|member| member.peer.as_ref())
    }

    /// Returns the proof a member has against an author.
    pub fn proof(&self, at: usize, author: &PeerId) -> Option<&Equivocation> {
        self.members[at].disk.proofs.get(author)
    }

    /// Says whether every living member has the record.
    pub fn all_hold(&self, id: &RecordId) -> bool {
        self.peers().all(|peer| peer.holds(id))
    }

    /// Says whether all living members hold exactly the same records.
    pub fn converged(&self) -> bool {
        let living = || self.members.iter().filter(|member| member.peer.is_some());
        let Some(first) = living().next() else { return true };
        let ids = |member: &Member| member.disk.entries.values().map(|entry| entry.id).collect::<Vec<_>>();
        let expected = ids(first);
        living().all(|member| member.disk.entries.len() == expected.len() && ids(member) == expected)
    }

    /// Returns how long a published record took to every member it reached, in order of arrival.
    pub fn arrivals(&self, id: &RecordId) -> &[Duration] {
        self.arrivals.get(id).map_or(&[], |(_, arrivals)| arrivals)
    }

    /// Returns what peers emitted, except arrivals, neighbours and comparisons.
    pub fn events(&self) -> &[(usize, Event)] {
        &self.events
    }

    /// Returns what went over the wire so far.
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// Returns the time since the beginning.
    pub fn elapsed(&self) -> Duration {
        self.now
    }

    /// Returns a member's clocks.
    pub fn clock(&self, at: usize) -> Now {
        let wall = DAWN + u64::try_from(self.now.as_millis()).expect("a simulation ends within an age");
        Now { elapsed: self.now, unix_ms: wall.saturating_add_signed(self.members[at].skew) }
    }

    /// Returns a number that stands for everything that happened so far, in order.
    pub fn trace(&self) -> u64 {
        self.trace.finish()
    }

    fn revive(&mut self, at: usize) {
        let (seed, now) = (self.rng.random(), self.clock(at));
        let member = &mut self.members[at];
        let (config, kinds) = (member.config.clone(), member.kinds.clone());
        let peer = Peer::new(config, member.identity.clone(), kinds, member.disk.load(), seed, now);
        (member.alive, member.peer) = (true, Some(peer));
    }

    fn happen(&mut self, scheduled: Scheduled<Duration, (usize, What)>) {
        let Scheduled { at, number, what: (to, what) } = scheduled;
        (at, number, to).hash(&mut self.trace);
        match what {
            What::Dialled { by } => self.on_dialled(by, to),
            What::Message { from, link, bytes } => {
                bytes.hash(&mut self.trace);
                if self.links.get(&(to, from)) == Some(&link) {
                    let from = self.id(from);
                    self.input(to, Input::Message(from, bytes));
                }
            }
            What::Closed { by, link } => {
                if self.links.get(&(to, by)) == Some(&link) {
                    self.links.remove(&(to, by));
                    let by = self.id(by);
                    self.input(to, Input::Down(by));
                }
            }
            What::Timer { life, timer } => {
                if self.members[to].life == life {
                    self.input(to, Input::Timer(timer));
                }
            }
        }
    }

    fn on_dialled(&mut self, by: usize, to: usize) {
        let reachable = self.members[by].alive && self.members[to].alive && self.parts[by] == self.parts[to];
        if !reachable || self.refuses(to, by) || self.refuses(by, to) {
            let to = self.id(to);
            return self.input(by, Input::Down(to));
        }
        let stands = self.links.contains_key(&(by, to)) && self.links.contains_key(&(to, by));
        if !stands {
            self.connections += 1;
            self.links.insert((by, to), self.connections);
            self.links.insert((to, by), self.connections);
        }
        for (one, other) in [(to, by), (by, to)] {
            let peer = self.id(other);
            self.input(one, Input::Up { peer, addrs: Vec::new() });
        }
    }

    fn refuses(&self, one: usize, other: usize) -> bool {
        self.members[one]
            .refused
            .get(&self.members[other].identity.id())
            .is_some_and(|until| self.now < *until)
    }

    fn carry_out(&mut self, at: usize, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Persist(change) => self.persist(at, &change),
                Output::Send(to, bytes) => self.send_to(at, to, bytes),
                Output::SendRecords(to, ids) => self.send_records(at, to, &ids),
                Output::SendProofs(to, authors) => self.send_proofs(at, to, &authors),
                Output::Prove { ours, theirs } => self.prove(at, &ours, theirs),
                Output::SetTimer(delay, timer) => {
                    let life = self.members[at].life;
                    self.schedule(delay, at, What::Timer { life, timer });
                }
                Output::Connect(to, _) => self.dial(at, to),
                Output::Disconnect(to, reason) => self.disconnect(at, to, reason),
                Output::Query { from, query, text, limit } => {
                    let records = self.find(at, &text, usize::from(limit));
                    self.input(at, Input::Answer { to: from, query, records });
                }
                Output::Emit(event) => self.note(at, event),
            }
        }
    }

    fn persist(&mut self, at: usize, change: &peer::ChangeSet) {
        for record in &change.put {
            self.records.entry(record.id).or_insert_with(|| record.bytes().clone());
        }
        self.members[at].disk.apply(change);
    }

    fn send_to(&mut self, from: usize, to: PeerId, bytes: Bytes) {
        if let Some(&to) = self.index.get(&to) {
            self.send(from, to, bytes);
        }
    }

    fn send(&mut self, from: usize, to: usize, bytes: Bytes) {
        let Some(&link) = self.links.get(&(from, to)) else { return };
        self.traffic.messages += 1;
        self.traffic.bytes += bytes.len() as u64;
        if self.parts[from] != self.parts[to] {
            return;
        }
        if self.settings.loss > 0 && self.rng.random_range(0..1000) < self.settings.loss {
            return self.cut(|one, two| (one, two) == (from, to));
        }
        let delay = self.latency(from, to);
        self.schedule(delay, to, What::Message { from, link, bytes });
    }

    fn send_records(&mut self, at: usize, to: PeerId, ids: &[RecordId]) {
        let held = ids.iter().filter(|id| self.members[at].disk.holds(id));
        let bytes: Vec<Bytes> = held.filter_map(|id| self.records.get(id).cloned()).collect();
        for message in peer::encode_records(bytes) {
            self.traffic.records.0 += 1;
            self.traffic.records.1 += message.len() as u64;
            self.send_to(at, to, message);
        }
    }

    fn send_proofs(&mut self, at: usize, to: PeerId, authors: &[PeerId]) {
        let proofs = authors.iter().filter_map(|author| self.members[at].disk.proofs.get(author));
        let messages: Vec<Bytes> = proofs.map(peer::encode_proof).collect();
        messages.into_iter().for_each(|message| self.send_to(at, to, message));
    }

    fn prove(&mut self, at: usize, ours: &RecordId, theirs: Record) {
        assert!(self.members[at].disk.holds(ours), "what is to be proven is on disk");
        let ours = self.records.get(ours).cloned().and_then(|bytes| Record::parse(bytes).ok());
        if let Some(proof) = ours.and_then(|ours| Equivocation::of(ours, theirs)) {
            self.input(at, Input::Proof(Box::new(proof)));
        }
    }

    fn dial(&mut self, by: usize, to: PeerId) {
        match self.index.get(&to) {
            Some(&to) if self.members[to].alive && self.parts[by] == self.parts[to] => self.connect(by, to),
            // Nobody answers: the same event after a while, when it will still fail or succeed.
            Some(&to) => self.schedule(DIAL_TIMEOUT, to, What::Dialled { by }),
            None => self.input(by, Input::Down(to)),
        }
    }

    fn disconnect(&mut self, at: usize, to: PeerId, reason: Reason) {
        let Some(&other) = self.index.get(&to) else { return };
        if let Reason::Misbehaved(time) = reason {
            self.members[at].refused.insert(to, self.now + time);
        }
        if let Some(link) = self.links.remove(&(at, other)) {
            let delay = self.latency(at, other);
            self.schedule(delay, other, What::Closed { by: at, link });
            self.input(at, Input::Down(to));
        }
    }

    /// Breaks the links of some pairs; both ends notice after a while.
    fn cut(&mut self, broken: impl Fn(usize, usize) -> bool) {
        let links = self.links.iter().filter(|((one, two), _)| broken(*one, *two) || broken(*two, *one));
        let links: BTreeSet<((usize, usize), u64)> = links.map(|(pair, link)| (*pair, *link)).collect();
        for ((one, two), link) in links {
            self.schedule(IDLE_TIMEOUT, one, What::Closed { by: two, link });
        }
    }

    fn find(&self, at: usize, text: &str, limit: usize) -> Vec<Bytes> {
        let entries = self.members[at].disk.entries.values();
        let bytes = entries.filter_map(|entry| self.records.get(&entry.id));
        let found = bytes.filter(|bytes| bytes.windows(text.len()).any(|part| part == text.as_bytes()));
        found.take(limit).cloned().collect()
    }

    fn note(&mut self, at: usize, event: Event) {
        match &event {
            Event::Added(record) | Event::Replaced(record) | Event::Withdrawn(record) => {
                if let Some((published, arrivals)) = self.arrivals.get_mut(&record.id) {
                    arrivals.push(self.now - *published);
                }
            }
            Event::NeighborUp(_) | Event::NeighborDown(_) | Event::Synced { .. } => {}
            _ => self.events.push((at, event)),
        }
    }

    /// The latency of a pair, the same in both directions and always.
    fn latency(&self, one: usize, two: usize) -> Duration {
        let mut hasher = DefaultHasher::new();
        (self.settings.seed, one.min(two), one.max(two)).hash(&mut hasher);
        let (least, most) = self.settings.latency;
        let spread = u64::try_from((most - least).as_micros()).expect("a latency is short");
        least + Duration::from_micros(hasher.finish() % (spread + 1))
    }

    fn schedule(&mut self, delay: Duration, to: usize, what: What) {
        self.queue.push(self.now + delay, (to, what));
    }
}
