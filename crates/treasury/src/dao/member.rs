//! One member of a DAO as a state machine: what arrives goes in, what is to be done comes out.
//!
//! It reads no clock, opens no socket and stores nothing itself. Whoever drives it does the [`Output`]s of a call in their
//! order and none after a [`Output::Persist`] that failed: what must not be forgotten is stored before whatever depends on
//! it is sent.
//!
//! The order of release, for every attempt at a transaction T with its refund R:
//! 1. a member builds a turn, everyone computes T and R of it (the one whose hash with the last block is lowest begins,
//!    the next one after [`BUILDER_TIMEOUT`], and so on: anyone may);
//! 2. the holders of the successor's keys sign R;
//! 3. whoever has R complete stores it, and signs nothing of T before;
//! 4. joiners sign their inputs of T;
//! 5. the holders of the pooled coin sign T once R is stored and every joiner's signature is verified: together by the key
//!    path where there is one and they answer in time, else each by the leaf;
//! 6. whoever has all of it sends T to the chain, again and again until it is in a block.
//!
//! The chain decides between rival attempts. A member that missed something asks one other member at a time, by turns:
//! each says what it has, and is sent what it lacks.

mod attempt;
mod build;
mod change_set;
mod follow;
mod generation;
mod history;
mod joiner;
mod message;
mod release;
mod rounds;
mod shared;
mod sync;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use domain::{
    PeerId, Record,
    bitcoin::{
        BlockHash, FeeRate, OutPoint, ScriptBuf, Transaction, TxOut, Txid, Witness, secp256k1::Keypair,
    },
    kinds::{Charter, Choice, DaoId, JoinId, Note, NoteId, ProposalId, id},
};

use super::{Confirmed, Evidence, Payback, Refusal, State, Step, Turn, TurnId, guard::Nonces};

pub use change_set::{ChangeSet, ChangeSetError};
pub use generation::{GENERATION_TIMEOUT, MAX_GENERATIONS};
pub use history::Done;
pub use message::{MAX_MESSAGE, MAX_SIGNATURE_MESSAGE, MAX_SMALL_MESSAGE};
pub use rounds::{Entropy, KEY_TIMEOUT, MAX_ROUNDS, ROUND_TIMEOUT};
pub use shared::Shared;

use attempt::Attempt;
use change_set::Change;
use generation::{Generation, Made};
use message::Message;
use rounds::Random;

/// After how many milliseconds the next in rank builds a turn.
pub const BUILDER_TIMEOUT: u64 = 10_000;
/// How many milliseconds the first in rank waits for more to do.
pub const BATCH_DELAY: u64 = 200;
/// How many milliseconds joiners have for their signatures once the refund is complete.
pub const JOINER_TIMEOUT: u64 = 30_000;
/// After how many milliseconds an attempt that lacks signatures may be replaced by one that does something else.
pub const ATTEMPT_TIMEOUT: u64 = 120_000;
/// How often a member that waits for something asks another one.
pub const BUSY_TICK: u64 = 1_000;
/// How often it does otherwise.
pub const IDLE_TICK: u64 = 10_000;
/// How often a complete transaction is sent to the chain again.
pub const RESEND: u64 = 30_000;
/// Blocks for which a joiner that killed an attempt is left out.
pub const BACKOFF: u32 = 144;
/// Blocks after such a failure in which nobody joins in a transaction that pays something.
pub const CAREFUL: u32 = 10;
/// Confirmations after which a transaction is never undone.
pub const FINAL: u32 = 7;
/// Most attempts at one transaction.
pub const MAX_ATTEMPTS: usize = 32;
/// Most turns of one sender that are kept for one transaction.
pub const MAX_OFFERS: usize = 4;
/// Most wishes to join that are kept, and most of one author.
pub const MAX_JOINS: (usize, u32) = (32_768, 16);
/// Most proposals that are kept, and most of one author.
pub const MAX_PROPOSALS: (usize, u32) = (8_192, 256);
/// Most vouches of strangers that are kept.
pub const MAX_VOUCHES: usize = 262_144;
/// Most ballots of strangers on one proposal that are kept.
pub const MAX_BALLOTS: usize = 32_768;

/// Who this is, and in what.
#[derive(Clone, Debug)]
pub struct Config {
    /// This node's owner.
    pub me: PeerId,
    /// The DAO.
    pub dao: DaoId,
    /// Whose charter it is: no founding goes without them, so that there are never two.
    pub creator: PeerId,
    /// Its charter.
    pub charter: Charter,
    /// What this node pays when it builds.
    pub rate: FeeRate,
    /// What it signs at most.
    pub highest_rate: FeeRate,
}

/// What happens to a member.
#[derive(Clone, Debug)]
pub enum Input {
    /// A record of the DAO, checked by whoever stores it.
    Record(Box<Record>),
    /// Many members' ballots on one proposal at once, from records that were checked.
    Tally(Tally),
    /// Bytes of another member, whom the transport vouches for.
    Message {
        /// Whose.
        from: PeerId,
        /// What.
        bytes: Vec<u8>,
    },
    /// The chain has a new last block.
    Tip(Block),
    /// A block that was asked for.
    Block(Block),
    /// The blocks above a height are no more; what the new ones hold is told again.
    Reorg {
        /// The last that stays.
        height: u32,
    },
    /// A confirmed coin that was asked for.
    Coin {
        /// Which.
        outpoint: OutPoint,
        /// What it is.
        coin: Confirmed,
    },
    /// A confirmed coin that came in at one of the DAO's scripts.
    Income {
        /// Which.
        outpoint: OutPoint,
        /// What it is.
        coin: Confirmed,
        /// What artists' records say that it pays back.
        paybacks: Vec<Payback>,
    },
    /// A watched coin was spent.
    Spent {
        /// Which.
        outpoint: OutPoint,
        /// By what.
        by: Txid,
        /// In which block; in none yet where it was only relayed.
        block: Option<Block>,
    },
    /// The owner's wallet signed what [`Output::Sign`] asked for.
    Signed {
        /// In which attempt.
        turn: TurnId,
        /// A witness for each input asked for.
        witnesses: Vec<Witness>,
    },
    /// The owner does something.
    Command(Command),
    /// Randomness for whatever is signed by the key path; without any, a member signs by the leaf.
    Entropy(Entropy),
    /// A stored change set that was kept encrypted, since it [is secret](ChangeSet::is_secret), and can be read now.
    Stored(ChangeSet),
    /// The time that [`Output::SetTimer`] named has come.
    Timer,
}

/// Ballots on one proposal. Members in one process can have the same ones.
#[derive(Clone, Debug)]
pub struct Tally {
    /// On what.
    pub proposal: ProposalId,
    /// What each said first.
    pub first: Arc<BTreeMap<PeerId, Choice>>,
    /// Who ever said yes.
    pub yes: Arc<BTreeSet<PeerId>>,
}

/// A block of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its height.
    pub height: u32,
    /// Its hash.
    pub hash: BlockHash,
}

/// What the owner does.
#[derive(Clone)]
pub enum Command {
    /// Lends the member's key, so that the node signs by itself. What is kept encrypted is handed in by [`Input::Stored`]
    /// before.
    Unlock(Box<Keypair>),
    /// Takes it back, and all that was handed in by [`Input::Stored`].
    Lock,
    /// Closes the set of founders.
    Start,
    /// Sends the refund.
    Recover,
}

/// A key never shows.
impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unlock(_) => "Unlock",
            Self::Lock => "Lock",
            Self::Start => "Start",
            Self::Recover => "Recover",
        })
    }
}

/// What is to be done.
#[derive(Clone, Debug)]
pub enum Output {
    /// Store this before anything below is done.
    Persist(ChangeSet),
    /// Send to one member.
    Send {
        /// Whom.
        to: PeerId,
        /// What.
        bytes: Vec<u8>,
    },
    /// Send to every member.
    Spread(Vec<u8>),
    /// Tell of whatever spends a coin, from a height on.
    Watch {
        /// Which.
        outpoint: OutPoint,
        /// Its script, by which filters find it.
        script: ScriptBuf,
        /// The first block that may spend it.
        from: u32,
    },
    /// Look something up.
    Fetch(Fetch),
    /// Ask the owner's wallet to sign its inputs of T, which makes it a member and whose refund is stored.
    Sign {
        /// In which attempt.
        turn: TurnId,
        /// What.
        transaction: Box<Transaction>,
        /// The outputs that it spends.
        spent: Vec<TxOut>,
        /// Which inputs are the owner's.
        inputs: Vec<usize>,
    },
    /// Sign and publish these notes, which T pays.
    SignNotes(Vec<Note>),
    /// Sign a ballot, since the owner follows somebody's votes.
    Vote {
        /// On what.
        proposal: ProposalId,
        /// As whom it follows.
        choice: Choice,
    },
    /// Send a transaction to the chain.
    Broadcast(Transaction),
    /// Come back with [`Input::Timer`] at this time; an earlier one is replaced.
    SetTimer(u64),
    /// Something to show.
    Event(Event),
}

/// What is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fetch {
    /// A coin in the block that is said to have it.
    Coin {
        /// Which.
        outpoint: OutPoint,
        /// Where.
        block: BlockHash,
    },
    /// The block at a height.
    Block(u32),
}

/// Something to show.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A turn was found to be right.
    Attempt(TurnId),
    /// A turn was refused; its builder is to blame, or the one named.
    Refused {
        /// Which.
        turn: TurnId,
        /// Why.
        code: &'static str,
        /// By whose fault, where it is known.
        culprit: Option<PeerId>,
    },
    /// The refund of an attempt is complete and stored.
    Safe(TurnId),
    /// The pooled coin is being signed.
    Signing {
        /// In which attempt.
        turn: TurnId,
        /// How many have signed.
        signed: usize,
        /// How many it takes.
        needed: usize,
    },
    /// T was sent to the chain.
    Sent {
        /// By which turn.
        turn: TurnId,
        /// Which transaction.
        txid: Txid,
    },
    /// T is in a block, its turn done.
    Done {
        /// Which turn.
        turn: TurnId,
        /// In which block.
        block: Block,
    },
    /// The block of T is no more.
    Undone(TurnId),
    /// A joiner did not sign, or spent its coin otherwise.
    JoinerFailed {
        /// Who.
        joiner: PeerId,
        /// Its wish.
        join: JoinId,
    },
    /// Somebody sent something wrong.
    Blamed {
        /// Who.
        peer: PeerId,
        /// What was wrong.
        code: &'static str,
    },
    /// Somebody signed two differing votes.
    VotedTwice {
        /// Who.
        member: PeerId,
        /// On what.
        proposal: ProposalId,
    },
    /// The pooled coin was spent by a transaction that no known turn makes.
    Unknown(Txid),
    /// The refund is on the chain: the DAO ends, everybody has its claim.
    Refunded(Txid),
    /// The refund may not be sent before this height.
    TooEarly(u32),
    /// More blocks were undone than a transaction needs to be final, down to this height. Nothing is signed until the chain has
    /// the last transaction again.
    Deep(u32),
}

/// A member of a DAO, or somebody who joins it or watches it.
pub struct Member {
    config: Config,
    key: Option<Keypair>,
    random: Option<Random>,
    nonces: Nonces,
    /// This member's shares of FROST groups' keys, by the scripts that they guard.
    shares: BTreeMap<ScriptBuf, Made>,
    generation: Option<Generation>,
    /// The last number of a generation that was used up, and the epoch of it.
    dealt: Option<([u8; 32], u32)>,
    evidence: Evidence,
    ballots: BTreeMap<ProposalId, Arc<BTreeMap<PeerId, Choice>>>,
    following: Option<PeerId>,
    /// The version of the record that says so.
    delegated: u64,
    /// Proposals on which whoever the owner follows has voted.
    to_follow: BTreeSet<ProposalId>,
    /// How many joins and proposals of an author are kept.
    authored: BTreeMap<(u16, PeerId), u32>,
    notes: BTreeSet<NoteId>,
    tip: Option<Block>,
    /// The state before the first link.
    base: Base,
    /// The turns since then, as far as they can be undone.
    links: Vec<Link>,
    /// The height of the last turn that is never undone.
    settled: Option<u32>,
    /// The spender of the pooled coin that no known turn makes.
    unknown: Option<Txid>,
    /// All turns in a block, as they are shown.
    history: Vec<Done>,
    /// Turns that are known, with whoever sent them.
    turns: BTreeMap<TurnId, (PeerId, Turn)>,
    refused: BTreeSet<TurnId>,
    attempts: BTreeMap<TurnId, Attempt>,
    spends: BTreeMap<OutPoint, (Txid, Option<Block>)>,
    watched: BTreeSet<OutPoint>,
    asked: BTreeSet<Fetch>,
    wanted: BTreeSet<TurnId>,
    /// What came before its turn.
    early: Vec<(PeerId, TurnId, Message)>,
    /// What was stored of attempts that cannot be computed yet.
    stored: Vec<Change>,
    /// Joins that killed an attempt, with the height until which they are left out.
    failed: BTreeMap<JoinId, u32>,
    last_failure: Option<u32>,
    started: bool,
    /// Since when there may be something to do.
    need: Option<u64>,
    /// Whether what turns are judged by has changed.
    dirty: bool,
    refunded: Option<Txid>,
    /// The turn whose coin's refund the owner sends, and when that was done last.
    recovering: Option<TurnId>,
    refund_sent: Option<u64>,
    now: u64,
    tick: u64,
    round: u64,
    timer: Option<u64>,
    changes: Vec<Change>,
    out: Vec<Output>,
    shared: Option<Arc<Shared>>,
}

/// The state that is never undone.
enum Base {
    Given(Arc<State>),
    After(Arc<Step>),
}

/// A turn whose transaction is in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Link {
    turn: TurnId,
    block: Block,
}

impl Member {
    /// Begins, or goes on where it was: with every change set stored before, in their order. Records are handed in
    /// again by whoever stores them, as [`Input::Record`].
    ///
    /// # Errors
    /// A charter that cannot be kept.
    pub fn new(
        config: Config,
        stored: impl IntoIterator<Item = ChangeSet>,
        now: u64,
    ) -> Result<Self, Refusal> {
        let base = State::new(config.dao, config.charter.clone())?;
        let mut evidence = Evidence::new(config.dao);
        evidence.highest_rate = Some(config.highest_rate);
        let mut member = Self {
            config,
            key: None,
            random: None,
            nonces: Nonces::default(),
            shares: BTreeMap::new(),
            generation: None,
            dealt: None,
            evidence,
            ballots: BTreeMap::new(),
            following: None,
            delegated: 0,
            to_follow: BTreeSet::new(),
            authored: BTreeMap::new(),
            notes: BTreeSet::new(),
            tip: None,
            base: Base::Given(Arc::new(base)),
            links: Vec::new(),
            settled: None,
            unknown: None,
            history: Vec::new(),
            turns: BTreeMap::new(),
            refused: BTreeSet::new(),
            attempts: BTreeMap::new(),
            spends: BTreeMap::new(),
            watched: BTreeSet::new(),
            asked: BTreeSet::new(),
            wanted: BTreeSet::new(),
            early: Vec::new(),
            stored: Vec::new(),
            failed: BTreeMap::new(),
            last_failure: None,
            started: false,
            need: None,
            dirty: true,
            refunded: None,
            recovering: None,
            refund_sent: None,
            now,
            tick: now,
            round: 0,
            timer: None,
            changes: Vec::new(),
            out: Vec::new(),
            shared: None,
        };
        stored.into_iter().flat_map(|set| set.0).for_each(|change| member.load(change));
        Ok(member)
    }

    /// Begins after the last turn of a state that was computed from its turns and whose coin is confirmed.
    ///
    /// # Errors
    /// A charter that cannot be kept.
    pub fn resume(
        config: Config,
        state: Arc<State>,
        coin: Option<Confirmed>,
        now: u64,
    ) -> Result<Self, Refusal> {
        let mut member = Self::new(config, [], now)?;
        if let (Some(pooled), Some(coin)) = (state.coin, coin) {
            member.evidence.coins.insert(pooled.outpoint, coin.clone());
            member.watch(pooled.outpoint, coin.output, coin.height);
        }
        member.base = Base::Given(state);
        Ok(member)
    }

    /// Has it share with others in this process what each would compute alike: the steps of turns, and which signatures
    /// are valid. What it lacks the records or coins for it still does not know.
    pub fn share(&mut self, shared: Arc<Shared>) {
        self.shared = Some(shared);
    }

    /// Takes what happens at a time in milliseconds; returns what is to be done, in this order.
    pub fn handle(&mut self, input: Input, now: u64) -> Vec<Output> {
        self.handle_all([input], now)
    }

    /// Takes what happens at once.
    pub fn handle_all(&mut self, inputs: impl IntoIterator<Item = Input>, now: u64) -> Vec<Output> {
        self.now = self.now.max(now);
        inputs.into_iter().for_each(|input| self.take(input));
        self.go_on();
        std::mem::take(&mut self.out)
    }

    /// Returns what the DAO is after the last turn in a block.
    pub fn state(&self) -> &State {
        let last = self.links.last().and_then(|link| self.attempts.get(&link.turn));
        last.map_or_else(|| self.base.state(), |attempt| &attempt.step.state)
    }

    /// Returns what is known of records and the chain.
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// Returns the last block as far as it was told.
    pub fn tip(&self) -> Option<Block> {
        self.tip
    }

    /// Returns the last turn in a block and that block.
    pub fn head(&self) -> Option<(TurnId, Block)> {
        self.links.last().map(|link| (link.turn, link.block))
    }

    /// Lists the attempts at the next transaction: how many signed the pooled coin, how many must, and whether a signature
    /// was released here, so that what the attempt does may still happen until the coin is spent otherwise.
    pub fn attempts(&self) -> Vec<Attempted> {
        let shown = |attempt: &Attempt| {
            let (signed, needed) = attempt.signed();
            Attempted {
                turn: attempt.id(),
                txid: attempt.txid,
                is_safe: attempt.safe,
                is_revocable: attempt.released,
                is_complete: attempt.finished.is_some(),
                signed,
                needed,
            }
        };
        self.open().map(shown).collect()
    }

    /// Returns the refund of the pooled coin, the root first, as it is sent once the coin has been silent for long enough.
    pub fn refund(&self) -> Option<Vec<Transaction>> {
        self.attempts.get(&self.links.last()?.turn)?.refund()
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Record(record) => self.take_record(&record),
            Input::Tally(tally) => self.take_tally(tally),
            Input::Message { from, bytes } => self.take_message(from, &bytes),
            Input::Tip(block) => self.take_tip(block),
            Input::Block(block) => self.take_block(block),
            Input::Reorg { height } => self.take_reorg(height),
            Input::Coin { outpoint, coin } => self.take_coin(outpoint, coin),
            Input::Income { outpoint, coin, paybacks } => {
                self.evidence.paybacks.insert(outpoint, paybacks);
                self.take_coin(outpoint, coin);
            }
            Input::Spent { outpoint, by, block } => self.take_spend(outpoint, by, block),
            Input::Signed { turn, witnesses } => self.take_signed(turn, witnesses),
            Input::Command(command) => self.take_command(command),
            Input::Stored(set) => self.take_stored(set),
            Input::Entropy(entropy) => self.random = Some(Random::new(&entropy)),
            Input::Timer => {
                self.timer = None;
                self.take_tick();
            }
        }
    }

    fn take_command(&mut self, command: Command) {
        match command {
            Command::Unlock(key) => self.key = Some(*key),
            Command::Lock => {
                self.key = None;
                self.shares.clear();
            }
            Command::Start => {
                self.started = true;
                self.changes.push(Change::Started);
                self.need();
            }
            Command::Recover => self.recover(),
        }
    }

    fn take_stored(&mut self, set: ChangeSet) {
        let secret = set.0.into_iter().filter(|change| matches!(change, Change::Share(..)));
        secret.for_each(|change| self.load(change));
        self.dirty = true;
        self.need();
    }

    fn take_record(&mut self, record: &Record) {
        if !self.has_room(record) {
            return self.blame(record.author, "dao_record_flood");
        }
        let kept = match record.kind {
            id::NOTE => self.notes.insert(record.slot),
            id::BALLOT => self.take_ballot(record) && self.evidence.take(record).unwrap_or(false),
            id::DELEGATION => self.take_delegation(record),
            id::JOIN => {
                let kept = self.evidence.take(record).unwrap_or(false);
                self.fetch_joins(record.slot);
                kept
            }
            id::LEAVE => {
                let kept = self.evidence.take(record).unwrap_or(false);
                self.withdraw(&record.author);
                kept
            }
            _ => self.evidence.take(record).unwrap_or(false),
        };
        if kept {
            self.dirty = true;
            self.need();
        }
    }

    /// Goes on without somebody who takes a wish to join back: no signature of theirs is waited for.
    fn withdraw(&mut self, author: &PeerId) {
        for id in self.open_ids() {
            let Some(attempt) = self.attempts.get_mut(&id) else { continue };
            let is_over = |join: &JoinId| self.evidence.leaves.contains(&(*author, *join));
            attempt.failed |= attempt.finished.is_none() && attempt.turn.joins.iter().any(is_over);
        }
    }

    /// Counts what authors wish for and propose; says whether there is room for more. Names cost nothing, so that there are
    /// bounds for all strangers together, too.
    fn has_room(&mut self, record: &Record) -> bool {
        let (author, id) = (record.author, &record.slot);
        let is_member = self.state().member(&author).is_some();
        let (is_known, kept, (most, of_one)) = match record.kind {
            id::JOIN => (self.evidence.joins.contains_key(id), self.evidence.joins.len(), MAX_JOINS),
            id::PROPOSAL => {
                let proposals = &self.evidence.proposals;
                (proposals.contains_key(id), proposals.len(), MAX_PROPOSALS)
            }
            id::VOUCH => return is_member || self.evidence.vouches.len() < MAX_VOUCHES,
            _ => return true,
        };
        let its = self.authored.get(&(record.kind, author)).copied().unwrap_or(0);
        if is_known || its >= of_one || kept >= most && !is_member {
            return is_known;
        }
        self.authored.insert((record.kind, author), its + 1);
        true
    }

    /// Does what follows from what was taken.
    fn go_on(&mut self) {
        while std::mem::take(&mut self.dirty) {
            self.review();
            self.follow();
        }
        self.follow_votes();
        self.generate();
        self.progress();
        if self.build() {
            self.progress();
        }
        self.persist();
        self.set_timer();
    }

    /// Stores what was gathered; comes before whatever depends on it.
    fn persist(&mut self) {
        if !self.changes.is_empty() {
            let changes = std::mem::take(&mut self.changes);
            self.out.push(Output::Persist(ChangeSet(changes)));
        }
    }

    fn event(&mut self, event: Event) {
        self.out.push(Output::Event(event));
    }

    fn blame(&mut self, peer: PeerId, code: &'static str) {
        self.event(Event::Blamed { peer, code });
    }

    /// The attempts at the next transaction.
    fn open(&self) -> impl Iterator<Item = &Attempt> {
        let head = self.state().turn();
        self.attempts.values().filter(move |attempt| attempt.turn.previous == head)
    }

    fn open_ids(&self) -> Vec<TurnId> {
        self.open().map(Attempt::id).collect()
    }

    fn height(&self) -> u32 {
        self.evidence.tip
    }
}

impl Base {
    fn state(&self) -> &State {
        match self {
            Self::Given(state) => state,
            Self::After(step) => &step.state,
        }
    }
}

/// An attempt at the next transaction, to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempted {
    /// Its turn.
    pub turn: TurnId,
    /// Its transaction.
    pub txid: Txid,
    /// Whether its refund is complete.
    pub is_safe: bool,
    /// Whether this node has released a signature on it.
    pub is_revocable: bool,
    /// Whether all signatures are here.
    pub is_complete: bool,
    /// How many have signed the pooled coin.
    pub signed: usize,
    /// How many must.
    pub needed: usize,
}
