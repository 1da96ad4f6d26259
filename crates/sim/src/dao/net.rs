//! Members over a network that delays, loses sight of some and parts others, one event after another.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use domain::{
    Kind, PeerId, Record, Stamp,
    bitcoin::{OutPoint, Transaction, Txid},
    kinds::{Charter, DaoId},
};
use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};
use treasury::dao::{
    State,
    member::{Command, Config, Entropy, Event, Fetch, Input, Member, Output, Shared, Tally},
};

use super::{Meter, Settings, chain::Chain, keys, people::Usage, people::Wallets};
use crate::queue::Queue;

/// How many neighbours pass on what is for everybody.
const FANOUT: u64 = 7;
/// A light client's answer, in milliseconds.
const LOOK_UP: u64 = 5;
/// How often others go offline.
const CHURN: u64 = 60_000;
/// Milliseconds between blocks where nothing else makes one.
const BLOCK: u64 = 600_000;
/// Members begin so many milliseconds apart at most, so that their clocks do not tick together.
pub(super) const BEGIN: u64 = 10_000;

/// What went over the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Traffic {
    pub messages: u64,
    pub bytes: u64,
}

pub(super) struct Net<'a> {
    pub settings: &'a Settings,
    pub wallets: Wallets,
    pub now: u64,
    pub chain: Chain,
    pub nodes: Vec<Node>,
    pub dao: DaoId,
    pub charter: Charter,
    pub traffic: Traffic,
    pub shared: Arc<Shared>,
    pub random: StdRng,
    /// Whether the members that are split off hear nobody else.
    pub parted: bool,
    /// Who is there and lacks a complete T.
    pub waiting: BTreeSet<usize>,
    /// What was refused or blamed, by code.
    pub refused: BTreeMap<&'static str, u64>,
    /// Transactions that the network refused.
    pub invalid: Vec<String>,
    /// What the one member that shares nothing took to think and to check records.
    pub thought: Duration,
    pub probe: Option<usize>,
    /// How many members have begun.
    starts: u64,
    meter: &'a dyn Meter,
    index: HashMap<PeerId, usize>,
    news: Vec<News>,
    queue: Queue<u64, What>,
    trace: DefaultHasher,
    seq: u64,
}

pub(super) struct Node {
    pub number: u32,
    pub id: PeerId,
    pub member: Member,
    pub online: bool,
    /// Whether it is of those that are split off.
    pub apart: bool,
    /// The complete transactions that it has sent since the last one was mined.
    pub complete: BTreeSet<Txid>,
    watched: BTreeSet<OutPoint>,
    timer: Option<u64>,
    begins: u64,
    /// The last block that it was told.
    told: u32,
    missed: Vec<usize>,
}

/// What members publish.
#[derive(Clone)]
struct News {
    from: usize,
    input: Input,
}

enum What {
    Messages { from: usize, to: Vec<usize>, batch: Arc<[Vec<u8>]> },
    News { to: Vec<usize>, at: usize },
    Input { to: usize, input: Box<Input> },
    Timer { to: usize },
    Churn,
    Block,
    Heal,
}

impl<'a> Net<'a> {
    pub(super) fn new(
        settings: &'a Settings,
        wallets: Wallets,
        chain: Chain,
        (dao, charter): (DaoId, Charter),
        meter: &'a dyn Meter,
    ) -> Self {
        Self {
            settings,
            wallets,
            now: 1_000,
            chain,
            nodes: Vec::new(),
            dao,
            charter,
            traffic: Traffic::default(),
            shared: Arc::default(),
            random: StdRng::seed_from_u64(settings.seed),
            parted: false,
            waiting: BTreeSet::new(),
            refused: BTreeMap::new(),
            invalid: Vec::new(),
            thought: Duration::ZERO,
            probe: None,
            starts: 0,
            meter,
            index: HashMap::new(),
            news: Vec::new(),
            queue: Queue::default(),
            trace: DefaultHasher::new(),
            seq: 0,
        }
    }

    /// Adds somebody who knows the charter alone, or a state of the DAO.
    pub(super) fn add(&mut self, number: u32, state: Option<&Arc<State>>) -> usize {
        let (at, id) = (self.nodes.len(), self.wallets.peer(number));
        let config = Config {
            me: id,
            dao: self.dao,
            creator: self.wallets.peer(0),
            charter: self.charter.clone(),
            rate: super::RATE,
            highest_rate: super::HIGHEST_RATE,
        };
        let coin = state.and_then(|state| state.coin).and_then(|coin| self.chain.coin(&coin.outpoint));
        let member = match state {
            Some(state) => Member::resume(config, state.clone(), coin.cloned(), self.now),
            None => Member::new(config, [], self.now),
        };
        let mut member = member.expect("the charter was checked");
        member.share(self.shared.clone());
        let begins = self.now + self.hash(at, at, u64::MAX) % BEGIN;
        self.index.insert(id, at);
        self.nodes.push(Node {
            number,
            id,
            member,
            online: true,
            apart: false,
            complete: BTreeSet::new(),
            watched: BTreeSet::new(),
            timer: None,
            begins,
            told: 0,
            missed: (0..self.news.len()).collect(),
        });
        let key = self.wallets.key(number, Usage::Member);
        self.starts += 1;
        let entropy = keys::entropy(self.settings.seed, number, self.starts);
        let unlock = Command::Unlock(Box::new(key));
        self.input(at, [Input::Entropy(Entropy::new(entropy)), Input::Command(unlock)]);
        self.catch_up(at);
        at
    }

    /// Everything that happened so far, as one number.
    pub(super) fn trace(&self) -> u64 {
        self.trace.finish()
    }

    /// Begins with what happens by itself.
    pub(super) fn begin(&mut self) {
        if self.settings.churn > 0.0 {
            self.churn();
        }
        self.later(BLOCK, What::Block);
        if let Some(partition) = self.settings.partition {
            let apart = share(self.nodes.len(), partition.share);
            let from = self.nodes.len() - apart;
            self.nodes.iter_mut().skip(from).for_each(|node| node.apart = true);
            self.parted = true;
            self.later(partition.millis, What::Heal);
        }
    }

    /// Whether somebody is there to be reached by most.
    pub(super) fn is_there(&self, at: usize) -> bool {
        let node = &self.nodes[at];
        node.online && !(self.parted && node.apart)
    }

    /// Signs a record and publishes it.
    pub(super) fn publish<K: Kind>(&mut self, from: usize, body: &K) -> Record {
        let record = self.sign(from, body);
        let length = record.bytes().len();
        self.tell(from, Input::Record(Box::new(record.clone())), 1, length, 0);
        record
    }

    pub(super) fn sign<K: Kind>(&mut self, from: usize, body: &K) -> Record {
        self.seq += 1;
        let stamp = Stamp { seq: self.seq, ..Stamp::default() };
        let identity = self.wallets.identity(self.nodes[from].number);
        Record::sign(&identity, stamp, body).expect("it is well-formed")
    }

    /// Publishes many members' ballots, each of which everybody gets; they are taken once the last one is there.
    pub(super) fn publish_tally(&mut self, from: usize, tally: Tally, ballots: usize, bytes: usize) {
        let farthest = self.farthest(from);
        self.tell(from, Input::Tally(tally), ballots, bytes, farthest);
    }

    /// How long what somebody publishes is under way at most.
    fn farthest(&self, from: usize) -> u64 {
        (0..self.nodes.len()).map(|to| self.spread_delay(from, to)).max().unwrap_or_default()
    }

    fn tell(&mut self, from: usize, input: Input, messages: usize, bytes: usize, after: u64) {
        let at = self.news.len();
        self.news.push(News { from, input });
        let others = self.nodes.len() as u64 - 1;
        self.traffic.messages += messages as u64 * others;
        self.traffic.bytes += bytes as u64 * others;
        for (delay, to) in self.by_delay(from) {
            self.later(after + delay, What::News { to, at });
        }
        match after {
            0 => self.news(from, at),
            _ => self.later(after, What::News { to: vec![from], at }),
        }
    }

    /// Has somebody think alone.
    pub(super) fn unshare(&mut self, at: usize) {
        self.nodes[at].member.share(Arc::default());
    }

    /// Everybody else, by how long what this one says is under way.
    fn by_delay(&self, from: usize) -> BTreeMap<u64, Vec<usize>> {
        let mut groups: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for to in (0..self.nodes.len()).filter(|to| *to != from) {
            groups.entry(self.spread_delay(from, to)).or_default().push(to);
        }
        groups
    }

    /// What is for everybody is passed on by neighbours: every hop is as long as a link.
    fn spread_delay(&self, from: usize, to: usize) -> u64 {
        let count = self.nodes.len() as u64;
        let mut rank = 1 + self.hash(from, to, 0) % count.max(1);
        let mut delay = self.delay(from, to, 1);
        let mut hop = 1;
        while rank > FANOUT {
            rank /= FANOUT;
            hop += 1;
            delay += self.delay(from, to, hop);
        }
        delay
    }

    /// The latency of a link, the same always.
    fn delay(&self, one: usize, two: usize, hop: u64) -> u64 {
        let (least, most) = self.settings.latency;
        least + self.hash(one.min(two), one.max(two), hop) % (most - least + 1)
    }

    fn hash(&self, one: usize, two: usize, salt: u64) -> u64 {
        let mut it = self.settings.seed;
        for part in [one as u64, two as u64, salt] {
            it = (it ^ part).wrapping_add(0x9E37_79B9_7F4A_7C15);
            it = (it ^ (it >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            it = (it ^ (it >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            it ^= it >> 31;
        }
        it
    }

    fn later(&mut self, delay: u64, what: What) {
        self.queue.push(self.now + delay, what);
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, millis: u64) {
        let until = self.now + millis;
        while self.step(until) {}
        self.now = until;
    }

    /// Lets time pass until nobody waits for a complete T, or a block has one; says whether it came to that.
    pub(super) fn wait(&mut self, most: u64) -> bool {
        let (until, begun) = (self.now + most, self.chain.tip().height);
        while !self.waiting.is_empty() && self.chain.after(begun).next().is_none() {
            if !self.step(until) {
                self.now = until;
                return false;
            }
        }
        true
    }

    /// Does what is next, if it is before a time.
    fn step(&mut self, until: u64) -> bool {
        let Some(next) = self.queue.pop(until) else { return false };
        self.now = next.at.max(self.now);
        (self.now, next.number).hash(&mut self.trace);
        self.happen(next.what);
        true
    }

    fn happen(&mut self, what: What) {
        match what {
            What::Messages { from, to, batch } => {
                batch.hash(&mut self.trace);
                let sender = self.nodes[from].id;
                for to in to {
                    if self.reaches(from, to) {
                        let inputs = batch
                            .iter()
                            .map(|bytes| Input::Message { from: sender, bytes: bytes.clone() })
                            .collect::<Vec<_>>();
                        self.input(to, inputs);
                    }
                }
            }
            What::News { to, at } => to.into_iter().for_each(|to| self.news(to, at)),
            What::Input { to, input } => self.input(to, [*input]),
            What::Timer { to } => {
                if self.nodes[to].timer == Some(self.now) && self.nodes[to].online {
                    self.nodes[to].timer = None;
                    self.input(to, [Input::Timer]);
                }
            }
            What::Churn => self.churn(),
            What::Block => {
                self.mine();
                self.later(BLOCK, What::Block);
            }
            What::Heal => {
                self.parted = false;
                (0..self.nodes.len()).for_each(|at| self.catch_up(at));
            }
        }
    }

    fn reaches(&self, from: usize, to: usize) -> bool {
        self.nodes[to].online && (!self.parted || self.nodes[from].apart == self.nodes[to].apart)
    }

    fn news(&mut self, to: usize, at: usize) {
        let News { from, input } = self.news[at].clone();
        if !self.reaches(from, to) {
            return self.nodes[to].missed.push(at);
        }
        if let Input::Record(record) = &input
            && self.probe == Some(to)
        {
            self.check(std::slice::from_ref(&**record));
        }
        self.input(to, [input]);
    }

    /// The one member that shares nothing checks records, as whoever stores them does.
    pub(super) fn check(&mut self, records: &[Record]) {
        if self.probe.is_some() {
            let begun = self.meter.time();
            let is_valid = |record: &Record| Record::decode(record.bytes().clone()).is_ok();
            assert!(records.iter().all(is_valid), "they were just signed");
            self.thought += self.meter.time().saturating_sub(begun);
        }
    }

    /// Others go offline, those who were come back.
    fn churn(&mut self) {
        let mut all: Vec<usize> = (0..self.nodes.len()).collect();
        all.shuffle(&mut self.random);
        let gone = all.split_off(all.len() - share(all.len(), self.settings.churn));
        for at in gone {
            self.nodes[at].online = false;
            self.waiting.remove(&at);
        }
        for at in all {
            if !std::mem::replace(&mut self.nodes[at].online, true) {
                if self.is_there(at) && self.nodes[at].complete.is_empty() {
                    self.waiting.insert(at);
                }
                self.catch_up(at);
                self.input(at, [Input::Timer]);
            }
        }
        self.later(CHURN, What::Churn);
    }

    /// Tells somebody of the blocks and records that it missed.
    fn catch_up(&mut self, at: usize) {
        if !self.nodes[at].online {
            return;
        }
        let missed = std::mem::take(&mut self.nodes[at].missed);
        missed.into_iter().for_each(|it| self.news(at, it));
        self.tell_blocks(at);
    }

    fn tell_blocks(&mut self, at: usize) {
        let (node, tip) = (&self.nodes[at], self.chain.tip());
        if node.told == tip.height {
            return;
        }
        let spent = self.chain.after(node.told).flat_map(|transaction| &transaction.input);
        let spent = spent.map(|input| input.previous_output).filter(|coin| node.watched.contains(coin));
        let tell = |outpoint: OutPoint| {
            let (by, block) = self.chain.spender(&outpoint)?;
            Some(Input::Spent { outpoint, by, block: Some(block) })
        };
        let inputs: Vec<_> = spent.filter_map(tell).chain([Input::Tip(tip)]).collect();
        self.nodes[at].told = tip.height;
        self.input(at, inputs);
    }

    /// A block, of which everybody hears who is there.
    pub(super) fn mine(&mut self) {
        self.chain.mine();
        self.tell_tip();
    }

    /// Several blocks at once.
    pub(super) fn mine_on(&mut self, blocks: u32) {
        (0..blocks).for_each(|_| _ = self.chain.mine());
        self.tell_tip();
    }

    fn tell_tip(&mut self) {
        for at in 0..self.nodes.len() {
            if self.nodes[at].online {
                self.tell_blocks(at);
            }
        }
    }

    /// The owner does something.
    pub(super) fn command(&mut self, at: usize, command: Command) {
        self.input(at, [Input::Command(command)]);
    }

    fn input(&mut self, at: usize, inputs: impl IntoIterator<Item = Input>) {
        let now = self.now;
        let begun = (self.probe == Some(at)).then(|| self.meter.time());
        let outputs = self.nodes[at].member.handle_all(inputs, now);
        if let Some(begun) = begun {
            self.thought += self.meter.time().saturating_sub(begun);
        }
        self.carry_out(at, outputs);
    }

    fn carry_out(&mut self, at: usize, outputs: Vec<Output>) {
        let mut spread = Vec::new();
        let mut sent: BTreeMap<usize, Vec<Vec<u8>>> = BTreeMap::new();
        for output in outputs {
            match output {
                Output::Spread(bytes) => spread.push(bytes),
                Output::Send { to, bytes } => {
                    if let Some(to) = self.index.get(&to) {
                        sent.entry(*to).or_default().push(bytes);
                    }
                }
                other => self.do_one(at, other),
            }
        }
        self.post(at, spread);
        for (to, batch) in sent {
            self.count(&batch, 1);
            let delay = self.delay(at, to, 0);
            self.later(delay, What::Messages { from: at, to: vec![to], batch: batch.into() });
        }
    }

    /// Spreads messages that leave together.
    fn post(&mut self, from: usize, batch: Vec<Vec<u8>>) {
        if batch.is_empty() {
            return;
        }
        self.count(&batch, self.nodes.len() as u64 - 1);
        let batch: Arc<[Vec<u8>]> = batch.into();
        for (delay, to) in self.by_delay(from) {
            self.later(delay, What::Messages { from, to, batch: batch.clone() });
        }
    }

    fn count(&mut self, batch: &[Vec<u8>], receivers: u64) {
        self.traffic.messages += batch.len() as u64 * receivers;
        self.traffic.bytes += batch.iter().map(|bytes| bytes.len() as u64).sum::<u64>() * receivers;
    }

    fn do_one(&mut self, at: usize, output: Output) {
        match output {
            Output::Watch { outpoint, .. } => {
                self.nodes[at].watched.insert(outpoint);
                if let Some((by, block)) = self.chain.spender(&outpoint) {
                    let input = Box::new(Input::Spent { outpoint, by, block: Some(block) });
                    self.later(LOOK_UP, What::Input { to: at, input });
                }
            }
            Output::Fetch(Fetch::Coin { outpoint, block }) => {
                let coin = self.chain.coin(&outpoint).filter(|coin| coin.block == block).cloned();
                let input = coin.map(|coin| Box::new(Input::Coin { outpoint, coin }));
                input.into_iter().for_each(|input| self.later(LOOK_UP, What::Input { to: at, input }));
            }
            Output::Fetch(Fetch::Block(height)) => {
                let input = self.chain.block(height).map(|block| Box::new(Input::Block(block)));
                input.into_iter().for_each(|input| self.later(LOOK_UP, What::Input { to: at, input }));
            }
            Output::Sign { turn, transaction, spent, inputs } => {
                let number = self.nodes[at].number;
                let sign = |input: &usize| self.wallets.spend(number, &transaction, *input, &spent[*input]);
                let witnesses = inputs.iter().map(sign).collect();
                let input = Box::new(Input::Signed { turn, witnesses });
                self.later(1, What::Input { to: at, input });
            }
            Output::Broadcast(transaction) => self.broadcast(at, &transaction),
            Output::SetTimer(time) => {
                let node = &mut self.nodes[at];
                let time = time.max(node.begins).max(self.now);
                node.timer = Some(time);
                self.later(time - self.now, What::Timer { to: at });
            }
            Output::Event(event) => self.note(event),
            // Nothing is stored, invested or delegated here.
            _ => {}
        }
    }

    fn broadcast(&mut self, at: usize, transaction: &Transaction) {
        self.nodes[at].complete.insert(transaction.compute_txid());
        self.waiting.remove(&at);
        if let Err(problem) = self.chain.submit(transaction) {
            self.invalid.push(problem);
        }
    }

    fn note(&mut self, event: Event) {
        let code = match event {
            Event::Refused { code, .. } | Event::Blamed { code, .. } => code,
            Event::JoinerFailed { .. } => "joiner_failed",
            _ => return,
        };
        *self.refused.entry(code).or_default() += 1;
    }
}

/// How many of so many a share is, at least one less than all.
fn share(count: usize, share: f64) -> usize {
    ((count as f64 * share).round() as usize).min(count.saturating_sub(1))
}
