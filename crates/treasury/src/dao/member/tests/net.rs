//! Members over a network and a chain that do what the test says, in virtual time: the same seed gives the same run.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    Identity, Kind, Network, PeerId, Record, Stamp,
    bitcoin::{
        Amount, CompressedPublicKey, EcdsaSighashType, FeeRate, OutPoint, PrivateKey, ScriptBuf, Transaction,
        TxOut, Witness, ecdsa,
        hashes::{Hash, sha256},
        secp256k1::{Keypair, Message as Digest, Secp256k1},
        sighash::SighashCache,
    },
    kinds::{
        Ballot, Charter, Choice, Construction, DaoId, Intent, Join, JoinId, JoinInput, Leave, Output as Paid,
        Proposal, ProposalId, Rules, Vouch,
    },
};

use super::{
    super::{
        super::{State, TurnId},
        ChangeSet, Command, Config, Entropy, Event, Fetch, Input, MAX_MESSAGE, MAX_SIGNATURE_MESSAGE, Member,
        Output,
        message::{Message, Part, Round},
    },
    chain::Chain,
};
use crate::paying::id_of;

/// What goes wrong, each as one of so many times; never where it is 0.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Faults {
    pub lost: u64,
    pub twice: u64,
    pub forged: u64,
    pub crash: u64,
}

pub(super) struct Net {
    pub now: u64,
    pub chain: Chain,
    pub nodes: Vec<Node>,
    pub faults: Faults,
    pub dao: DaoId,
    pub charter: Charter,
    pub records: Vec<Record>,
    pub joins: BTreeMap<u16, (JoinId, OutPoint)>,
    /// Who is with whom.
    pub sides: Vec<u8>,
    pub messages: u64,
    pub bytes: u64,
    pub events: BTreeMap<&'static str, u32>,
    pub blamed: BTreeSet<(PeerId, &'static str)>,
    /// Who withholds its signatures of the refund.
    pub withheld: Vec<usize>,
    /// Whose parts of signatures are spoilt on their way.
    pub spoils: Option<usize>,
    /// Who commits and never signs.
    pub silent: Option<usize>,
    /// Who crashes after how many more things that it does.
    pub crash_at: Option<(usize, u64)>,
    queue: BTreeMap<(u64, u64), Happening>,
    seq: u64,
    random: u64,
    starts: u64,
    alarms: u64,
    /// What was committed to, in which round; and what was signed with it.
    commitments: BTreeMap<[u8; 66], (usize, Round)>,
    partials: BTreeMap<(usize, Round), [u8; 32]>,
}

pub(super) struct Node {
    pub number: u16,
    pub member: Option<Member>,
    pub stored: Vec<Vec<u8>>,
    /// Turns whose complete refund is stored.
    pub safe: BTreeSet<TurnId>,
    /// Turns on which a signature left.
    pub released: BTreeSet<TurnId>,
    /// Whether its wallet signs.
    pub signs: bool,
    pub online: bool,
    /// How many shares of groups' keys it stored.
    pub secrets: usize,
    /// The last timer that it set.
    alarm: u64,
    records: usize,
    pub held: Vec<Record>,
    watched: BTreeSet<OutPoint>,
    /// Blocks as it was told.
    view: Vec<super::super::Block>,
}

#[derive(Clone)]
enum Happening {
    Message {
        to: usize,
        from: usize,
        bytes: Vec<u8>,
    },
    Input {
        to: usize,
        input: Box<Input>,
    },
    /// A timer, unless it was replaced.
    Alarm {
        to: usize,
        alarm: u64,
    },
    Restart {
        node: usize,
    },
}

pub(super) fn identity(number: u16) -> Identity {
    let mut secret = [7; 32];
    secret[..2].copy_from_slice(&number.to_le_bytes());
    Identity::from_secret(&secret)
}

pub(super) fn peer(number: u16) -> PeerId {
    identity(number).id()
}

/// A key of somebody's for a use: 0 for the DAO, 1 for the coin that pays, 2 for the change, 3 to be paid out, 4 to be paid.
pub(super) fn keypair(number: u16, usage: u8) -> Keypair {
    let [low, high] = number.to_le_bytes();
    let secret = sha256::Hash::hash(&[low, high, usage, 77]).to_byte_array();
    Keypair::from_seckey_slice(&Secp256k1::new(), &secret).unwrap()
}

pub(super) fn script(number: u16, usage: u8) -> ScriptBuf {
    let key = CompressedPublicKey(keypair(number, usage).public_key());
    ScriptBuf::new_p2wpkh(&key.wpubkey_hash())
}

pub(super) fn charter(construction: Construction, vouches: u8) -> Charter {
    let mut rules = Rules::with_fee(Amount::from_sat(20_000));
    rules.vouches = vouches;
    Charter {
        network: Network::Regtest,
        salt: [1; 16],
        name: "Zaal 100".into(),
        purpose: "Records of the neighbourhood".into(),
        construction,
        founders: 3,
        recovery: 1_000,
        depth: 1,
        confirmations: 1,
        rules,
    }
}

impl Net {
    pub(super) fn new(charter: Charter, nodes: u16, seed: u64) -> Self {
        let dao = id_of(&peer(0), &charter);
        let mut chain = Chain::default();
        chain.mine(|_| 0);
        let mut net = Self {
            now: 1_000,
            chain,
            nodes: Vec::new(),
            faults: Faults::default(),
            dao,
            charter,
            records: Vec::new(),
            joins: BTreeMap::new(),
            sides: vec![0; nodes.into()],
            messages: 0,
            bytes: 0,
            events: BTreeMap::new(),
            blamed: BTreeSet::new(),
            withheld: Vec::new(),
            spoils: None,
            silent: None,
            crash_at: None,
            queue: BTreeMap::new(),
            seq: 0,
            random: seed,
            starts: 0,
            alarms: 0,
            commitments: BTreeMap::new(),
            partials: BTreeMap::new(),
        };
        for number in 0..nodes {
            net.nodes.push(Node {
                number,
                member: None,
                stored: Vec::new(),
                safe: BTreeSet::new(),
                released: BTreeSet::new(),
                signs: true,
                online: true,
                secrets: 0,
                alarm: 0,
                records: 0,
                held: Vec::new(),
                watched: BTreeSet::new(),
                view: Vec::new(),
            });
            net.start(number.into());
        }
        net
    }

    /// A number below another (SplitMix64).
    pub(super) fn draw(&mut self, below: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut it = self.random;
        it = (it ^ (it >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        it = (it ^ (it >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (it ^ (it >> 31)) % below.max(1)
    }

    pub(super) fn reseed(&mut self, seed: u64) {
        self.random = seed;
    }

    fn strikes(&mut self, one_of: u64) -> bool {
        one_of > 0 && self.draw(one_of) == 0
    }

    /// Begins a member, or goes on from what it stored.
    pub(super) fn start(&mut self, node: usize) {
        let config = Config {
            me: peer(self.nodes[node].number),
            dao: self.dao,
            creator: peer(0),
            charter: self.charter.clone(),
            rate: FeeRate::from_sat_per_vb_u32(2),
            highest_rate: FeeRate::from_sat_per_vb_u32(50),
        };
        let stored = self.nodes[node].stored.iter().map(|bytes| ChangeSet::decode(bytes).unwrap());
        let member = Member::new(config, stored.collect::<Vec<_>>(), self.now).unwrap();
        let it = &mut self.nodes[node];
        (it.member, it.watched, it.view) = (Some(member), BTreeSet::new(), Vec::new());
        let key = keypair(it.number, 0);
        let held = it.held.clone();
        self.starts += 1;
        let entropy = [&self.starts.to_le_bytes()[..], &[9; 24]].concat();
        self.input(node, Input::Entropy(Entropy::new(entropy.try_into().unwrap())));
        self.input(node, Input::Command(Command::Unlock(Box::new(key))));
        held.into_iter().for_each(|record| self.input(node, Input::Record(Box::new(record))));
        self.catch_up(node);
    }

    /// Tells a node of records and blocks that it does not know.
    pub(super) fn catch_up(&mut self, node: usize) {
        let it = &self.nodes[node];
        if !it.online || it.member.is_none() {
            return;
        }
        for at in it.records..self.records.len() {
            let record = self.records[at].clone();
            self.nodes[node].held.push(record.clone());
            self.input(node, Input::Record(Box::new(record)));
        }
        self.nodes[node].records = self.records.len();
        self.tell_blocks(node);
    }

    fn tell_blocks(&mut self, node: usize) {
        let blocks: Vec<_> = self.chain.blocks.iter().map(|mined| mined.block).collect();
        let view = &mut self.nodes[node].view;
        let same = view.iter().zip(&blocks).take_while(|(one, other)| one == other).count();
        if same < view.len() {
            view.truncate(same);
            let height = blocks[same - 1].height;
            self.input(node, Input::Reorg { height });
        }
        let is_new = self.nodes[node].view.len() < blocks.len();
        self.nodes[node].view = blocks;
        if is_new {
            let tip = self.chain.tip();
            let watched: Vec<_> = self.nodes[node].watched.iter().copied().collect();
            watched.into_iter().for_each(|outpoint| self.tell_spend(node, outpoint));
            self.input(node, Input::Tip(tip));
        }
    }

    fn tell_spend(&mut self, node: usize, outpoint: OutPoint) {
        let spend = match self.chain.spender(&outpoint) {
            Some((by, block)) => Some((by, Some(block))),
            None => self.chain.pending_spender(&outpoint).map(|by| (by, None)),
        };
        if let Some((by, block)) = spend {
            self.input(node, Input::Spent { outpoint, by, block });
        }
    }

    fn input(&mut self, to: usize, input: Input) {
        self.later(0, Happening::Input { to, input: Box::new(input) });
    }

    fn later(&mut self, delay: u64, what: Happening) {
        self.seq += 1;
        self.queue.insert((self.now + delay, self.seq), what);
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, millis: u64) {
        let until = self.now + millis;
        while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= until) {
            let ((time, _), what) = entry.remove_entry();
            self.now = time.max(self.now);
            self.happen(what);
        }
        self.now = until;
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::Message { to, from, bytes } => {
                if self.sides[to] == self.sides[from] && self.nodes[to].online {
                    let from = peer(self.nodes[from].number);
                    self.handle(to, Input::Message { from, bytes });
                }
            }
            Happening::Input { to, input } => self.handle(to, *input),
            Happening::Alarm { to, alarm } => {
                if self.nodes[to].alarm == alarm {
                    self.handle(to, Input::Timer);
                }
            }
            Happening::Restart { node } => {
                if self.nodes[node].member.is_none() {
                    self.start(node);
                }
            }
        }
    }

    fn handle(&mut self, node: usize, input: Input) {
        let now = self.now;
        let Some(member) = self.nodes[node].member.as_mut() else { return };
        let outputs = member.handle(input, now);
        super::properties::check_state(member);
        for output in outputs {
            if let Some((_, left)) = self.crash_at.as_mut().filter(|(it, _)| *it == node) {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    self.crash_at = None;
                    self.crash(node);
                    return;
                }
            }
            let is_write = matches!(output, Output::Persist(_));
            if is_write && self.strikes(self.faults.crash) {
                let is_before = self.draw(2) == 0;
                if !is_before {
                    self.carry_out(node, output);
                }
                self.crash(node);
                return;
            }
            self.carry_out(node, output);
        }
    }

    pub(super) fn crash(&mut self, node: usize) {
        self.nodes[node].member = None;
        let delay = 100 + self.draw(20_000);
        self.later(delay, Happening::Restart { node });
    }

    fn carry_out(&mut self, node: usize, output: Output) {
        match output {
            Output::Persist(changes) => self.persist(node, &changes),
            Output::Send { to, bytes } => {
                self.check_message(node, &bytes, false);
                let to = self.nodes.iter().position(|it| peer(it.number) == to);
                to.into_iter().for_each(|to| self.post(node, to, &bytes));
            }
            Output::Spread(bytes) => {
                self.check_message(node, &bytes, true);
                let others: Vec<usize> = (0..self.nodes.len()).filter(|to| *to != node).collect();
                others.into_iter().for_each(|to| self.post(node, to, &bytes));
            }
            Output::Watch { outpoint, .. } => {
                self.nodes[node].watched.insert(outpoint);
                self.tell_spend(node, outpoint);
            }
            Output::Fetch(Fetch::Coin { outpoint, block }) => {
                let coin = self.chain.coin(&outpoint).filter(|coin| coin.block == block);
                coin.into_iter().for_each(|coin| self.input(node, Input::Coin { outpoint, coin }));
            }
            Output::Fetch(Fetch::Block(height)) => {
                let block = self.chain.blocks.iter().map(|it| it.block).find(|it| it.height == height);
                block.into_iter().for_each(|block| self.input(node, Input::Block(block)));
            }
            Output::Sign { turn, transaction, spent, inputs } => {
                self.sign(node, turn, &transaction, &spent, &inputs);
            }
            Output::SignNotes(notes) => {
                notes.iter().for_each(|note| drop(self.record(self.nodes[node].number, note)));
            }
            Output::Vote { proposal, choice } => {
                self.vote(self.nodes[node].number, proposal, choice);
            }
            Output::Broadcast(transaction) => self.broadcast(transaction),
            Output::SetTimer(at) => {
                let delay = at.saturating_sub(self.now);
                self.alarms += 1;
                self.nodes[node].alarm = self.alarms;
                self.later(delay, Happening::Alarm { to: node, alarm: self.alarms });
            }
            Output::Event(event) => self.note(event),
        }
    }

    fn persist(&mut self, node: usize, changes: &ChangeSet) {
        let it = &mut self.nodes[node];
        assert!(!changes.is_secret() || changes.0.len() == 1, "what is secret is stored by itself");
        it.secrets += usize::from(changes.is_secret());
        it.stored.push(changes.encode());
        it.safe.extend(changes.refunds());
        it.released.extend(changes.released());
    }

    /// Bounds, and the order of release: no own signature on T before its complete refund is stored (property 1).
    fn check_message(&mut self, node: usize, bytes: &[u8], is_own: bool) {
        assert!(bytes.len() <= MAX_MESSAGE);
        let message = Message::decode(bytes).expect("a member's own message");
        let signs = match &message {
            Message::Share(share) => matches!(share.part, Part::Input(_)).then_some(share.turn),
            Message::Witness(witness) => Some(witness.turn),
            Message::Partial(part) => Some(part.round.turn),
            Message::Commit(_) | Message::Signers(_) => None,
            Message::Parcel(_) => {
                assert!(!is_own, "what is secret is spread");
                return;
            }
            _ => return,
        };
        assert!(bytes.len() <= MAX_SIGNATURE_MESSAGE);
        self.check_nonces(node, &message);
        let (it, Some(turn)) = (&self.nodes[node], signs) else { return };
        let ends = it.member.as_ref().is_some_and(|member| {
            member.attempts.get(&turn).is_some_and(|attempt| attempt.step.refund.is_none())
        });
        assert!(!is_own || ends || it.safe.contains(&turn), "a signature left before its refund");
        assert!(!is_own || it.released.contains(&turn), "a signature left before it was stored that it does");
    }

    /// No nonces serve two rounds, and no round is signed in two ways (property 6).
    fn check_nonces(&mut self, node: usize, message: &Message) {
        match message {
            Message::Commit(commit) => {
                let its = *self.commitments.entry(*commit.commitment).or_insert((node, commit.round));
                assert_eq!(its, (node, commit.round), "nonces were drawn twice");
            }
            Message::Partial(part) => {
                let first = *self.partials.entry((node, part.round)).or_insert(*part.partial);
                assert_eq!(first, *part.partial, "nonces have signed twice");
            }
            _ => {}
        }
    }

    /// How many transactions spent a coin by one signature of many.
    pub(super) fn by_key(&self) -> usize {
        let all = self.chain.blocks.iter().flat_map(|mined| &mined.transactions);
        all.filter(|it| it.input.first().is_some_and(|input| input.witness.len() == 1)).count()
    }

    /// Tells a node something.
    pub(super) fn tell_one(&mut self, node: usize, input: Input) {
        self.handle(node, input);
    }

    /// What a node keeps encrypted.
    pub(super) fn secrets_of(&self, node: usize) -> Vec<ChangeSet> {
        let stored = self.nodes[node].stored.iter().map(|bytes| ChangeSet::decode(bytes).unwrap());
        stored.filter(ChangeSet::is_secret).collect()
    }

    /// Somebody sends what no member would.
    pub(super) fn forge(&mut self, from: u16, to: u16, message: &Message) {
        let from = peer(from);
        self.handle(to.into(), Input::Message { from, bytes: message.encode() });
    }

    fn post(&mut self, from: usize, to: usize, bytes: &[u8]) {
        self.messages += 1;
        self.bytes += bytes.len() as u64;
        if self.strikes(self.faults.lost) {
            return;
        }
        let mut bytes = bytes.to_vec();
        match Message::decode(&bytes) {
            Some(Message::Partial(mut part)) if self.spoils == Some(from) => {
                part.partial[31] ^= 1;
                bytes = Message::Partial(part).encode();
            }
            Some(Message::Partial(_)) if self.silent == Some(from) => return,
            Some(Message::Share(share)) if matches!(share.part, Part::Node(_)) => {
                let own = self.nodes[from].member.as_ref().and_then(|it| it.attempts.get(&share.turn));
                let own = own.and_then(|it| it.step.state.epoch().cloned()).map(|epoch| {
                    let key = epoch.guard.keys()[usize::from(share.holder)];
                    epoch.holders[&key] == peer(self.nodes[from].number)
                });
                if own == Some(true) && self.withheld.contains(&from) {
                    return;
                }
            }
            _ => {}
        }
        if self.strikes(self.faults.forged) {
            let at = usize::try_from(self.draw(bytes.len() as u64)).unwrap();
            bytes[at] ^= 1 << self.draw(8);
        }
        let copies = if self.strikes(self.faults.twice) { 2 } else { 1 };
        for _ in 0..copies {
            let delay = 10 + self.draw(40);
            self.later(delay, Happening::Message { to, from, bytes: bytes.clone() });
        }
    }

    /// A wallet's signatures, as the owner's would make them. It looks at what it signs (property 10).
    fn sign(
        &mut self,
        node: usize,
        turn: TurnId,
        transaction: &Transaction,
        spent: &[TxOut],
        inputs: &[usize],
    ) {
        let it = &self.nodes[node];
        if !it.signs {
            return;
        }
        let attempt = &it.member.as_ref().unwrap().attempts[&turn];
        assert!(attempt.step.state.member(&peer(it.number)).is_some(), "it would pay and be no member");
        assert!(it.safe.contains(&turn), "it would pay without a refund");
        let witnesses = inputs.iter().map(|input| witness(it.number, transaction, spent, *input)).collect();
        self.input(node, Input::Signed { turn, witnesses });
    }

    fn broadcast(&mut self, transaction: Transaction) {
        let txid = transaction.compute_txid();
        if self.chain.find(&txid).is_some() || self.chain.pending.contains_key(&txid) {
            return;
        }
        let inputs: Vec<_> = transaction.input.iter().map(|input| input.previous_output).collect();
        self.chain.pending.insert(txid, transaction);
        self.tell_watchers(&inputs);
    }

    /// A joiner spends its coin otherwise.
    pub(super) fn double_spend(&mut self, outpoint: OutPoint) {
        self.chain.spend(outpoint);
        self.tell_watchers(&[outpoint]);
    }

    fn tell_watchers(&mut self, outpoints: &[OutPoint]) {
        for node in 0..self.nodes.len() {
            for outpoint in outpoints {
                if self.nodes[node].online && self.nodes[node].watched.contains(outpoint) {
                    self.tell_spend(node, *outpoint);
                }
            }
        }
    }

    fn note(&mut self, event: Event) {
        let name = match event {
            Event::Attempt(_) => "attempt",
            Event::Refused { code, .. } => code,
            Event::Done { .. } => "done",
            Event::Undone(_) => "undone",
            Event::JoinerFailed { .. } => "joiner_failed",
            Event::Blamed { peer, code } => {
                self.blamed.insert((peer, code));
                code
            }
            Event::VotedTwice { .. } => "voted_twice",
            Event::Refunded(_) => "refunded",
            Event::TooEarly(_) => "too_early",
            Event::Unknown(_) => "unknown",
            Event::Deep(_) => "deep",
            _ => return,
        };
        *self.events.entry(name).or_default() += 1;
    }

    /// A block, and everybody hears of it.
    pub(super) fn mine(&mut self) {
        let mut random = self.random;
        self.chain.mine(|len| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(random >> 33).unwrap() % len
        });
        self.random = random;
        (0..self.nodes.len()).for_each(|node| self.catch_up(node));
        self.run(100);
    }

    pub(super) fn reorg(&mut self, depth: usize) {
        self.chain.undo(depth);
        for _ in 0..=depth {
            self.chain.mine(|_| 0);
        }
        (0..self.nodes.len()).for_each(|node| self.catch_up(node));
        self.run(100);
    }

    /// Signs a record, and everybody online gets it.
    pub(super) fn record<K: Kind>(&mut self, author: u16, body: &K) -> Record {
        let stamp = Stamp { seq: self.records.len() as u64 + 1, ..Stamp::default() };
        let record = Record::sign(&identity(author), stamp, body).unwrap();
        let is_same = |other: &Record| other.slot == record.slot && other.body == record.body;
        if !self.records.iter().any(is_same) {
            self.records.push(record.clone());
        }
        (0..self.nodes.len()).for_each(|node| self.catch_up(node));
        record
    }

    /// Somebody wishes to join with a coin of its own.
    pub(super) fn wish(&mut self, number: u16) {
        let script = script(number, 1);
        let (outpoint, coin) = self.chain.give(script.clone(), 150_000);
        let input = JoinInput { outpoint, value: coin.output.value, script, block: coin.block };
        let join = Join {
            network: self.charter.network,
            dao: self.dao,
            key: keypair(number, 0).x_only_public_key().0,
            leave: super::net::script(number, 3),
            inputs: vec![input],
            change: super::net::script(number, 2),
            deposit: Amount::from_sat(100_000),
        };
        let id = self.record(number, &join).slot;
        self.joins.insert(number, (id, outpoint));
    }

    pub(super) fn leave(&mut self, number: u16) {
        let leave = Leave { network: self.charter.network, dao: self.dao, join: self.joins[&number].0 };
        self.record(number, &leave);
    }

    /// A proposal to pay somebody, made when `by` knew of this state.
    pub(super) fn propose(&mut self, by: u16, payee: u16, sat: u64) -> ProposalId {
        let outputs = vec![Paid { script: script(payee, 4), amount: Amount::from_sat(sat) }];
        self.propose_to(by, format!("Number {payee}"), Intent::Pay { outputs })
    }

    pub(super) fn propose_to(&mut self, by: u16, title: String, intent: Intent) -> ProposalId {
        let view = usize::from(by).min(self.nodes.len() - 1);
        let snapshot = *self.state(u16::try_from(view).unwrap()).turn().as_bytes();
        let proposal = Proposal {
            network: self.charter.network,
            dao: self.dao,
            snapshot,
            title,
            words: None,
            intent,
            expiry: self.chain.tip().height + 2_000,
        };
        self.record(by, &proposal).slot
    }

    pub(super) fn vote(&mut self, number: u16, proposal: ProposalId, choice: Choice) {
        let network = self.charter.network;
        self.record(number, &Ballot { network, proposal, choice });
    }

    /// Somebody vouches for somebody.
    pub(super) fn vouch(&mut self, voucher: u16, number: u16) {
        let (network, dao) = (self.charter.network, self.dao);
        self.record(voucher, &Vouch { network, dao, member: peer(number) });
    }

    /// Everybody is told something of the chain.
    pub(super) fn tell(&mut self, input: &Input) {
        (0..self.nodes.len()).for_each(|node| self.input(node, input.clone()));
    }

    pub(super) fn command(&mut self, number: u16, command: Command) {
        self.input(number.into(), Input::Command(command));
    }

    pub(super) fn member(&self, number: u16) -> &Member {
        self.nodes[usize::from(number)].member.as_ref().expect("it runs")
    }

    pub(super) fn state(&self, number: u16) -> &State {
        self.member(number).state()
    }

    /// Who has founded when this returns.
    pub(super) fn found(charter: Charter, nodes: u16, founders: u16, seed: u64) -> Self {
        let mut net = Self::new(charter, nodes, seed);
        (0..founders).for_each(|number| net.wish(number));
        net.mine();
        net.command(0, Command::Start);
        net.run(2_000);
        net.mine();
        net
    }

    /// Says whether everybody online agrees on the last turn.
    pub(super) fn agrees(&self) -> bool {
        let running = self.nodes.iter().filter(|it| it.online).map(|it| it.member.as_ref());
        let heads: BTreeSet<_> = running.map(|it| it.map(|member| member.state().turn())).collect();
        heads.len() == 1 && !heads.contains(&None)
    }
}

/// A joiner's signature (BIP 143).
fn witness(number: u16, transaction: &Transaction, spent: &[TxOut], input: usize) -> Witness {
    let pair = keypair(number, 1);
    let secp = Secp256k1::new();
    let coin = &spent[input];
    assert_eq!(coin.script_pubkey, script(number, 1), "the coin is another's");
    let digest = SighashCache::new(transaction)
        .p2wpkh_signature_hash(input, &coin.script_pubkey, coin.value, EcdsaSighashType::All)
        .unwrap();
    let signature = secp.sign_ecdsa(&Digest::from(digest), &pair.secret_key());
    let key = PrivateKey::new(pair.secret_key(), domain::bitcoin::NetworkKind::Test).public_key(&secp);
    Witness::p2wpkh(&ecdsa::Signature::sighash_all(signature), &key.inner)
}
