//! The DAO's coins signed by the key path: one signature that holders make together, in two rounds.
//!
//! It is tried first wherever a guard has a key path, for [`KEY_TIMEOUT`]; whoever is not done by then signs by the leaf.
//! Both sign the same T, so that it does not matter which of the two is complete first. In round one every holder commits to
//! nonces. Then it is said who signs: everybody by MuSig2; by FROST as many as it takes, whom one of the holders names,
//! another one in every round. In round two these sign.
//!
//! Nonces live in RAM. Before a commitment leaves, the round's number is stored; after a restart the next one is used, and
//! everybody goes on to the highest number that a holder uses. So no stored state ever leads back to a nonce.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use domain::{
    PeerId,
    bitcoin::{Txid, Witness, XOnlyPublicKey, secp256k1::Message as Digest},
};
use minicbor::bytes::ByteArray;
use zeroize::Zeroizing;

use super::{
    super::{
        Epoch, GuardError, Members, Owner, Path, Step, TurnId,
        guard::{self, Commitment, Construction, Nonces, Partial, Session, Signer},
    },
    Attempt, Change, Member,
    attempt::place,
    message::{Commit, Message, PartPartial, Round as Named, Signers},
};

/// How many milliseconds a round with FROST has before the next one begins, with whoever answers.
pub const ROUND_TIMEOUT: u64 = 2_000;
/// How many milliseconds the key path is tried before holders sign by the leaf.
pub const KEY_TIMEOUT: u64 = 6_000;
/// The highest number of a round of one attempt.
pub const MAX_ROUNDS: u32 = 8;

const DRAW: &str = "musicdao 2026 dao member entropy v1";
const SESSION: &str = "musicdao 2026 dao signing session v1";

/// Randomness of the system, of which a member makes nonces. Nothing else may be made of it, and the same is never handed in
/// twice.
#[derive(Clone)]
pub struct Entropy(Zeroizing<[u8; 32]>);

/// Makes as many draws of it as are asked for.
pub(super) struct Random {
    seed: Zeroizing<[u8; 32]>,
    drawn: u64,
}

/// The rounds of an attempt's inputs that have a key path. Nothing in them is secret.
#[derive(Clone)]
pub(super) struct Rounds {
    pub number: u32,
    /// The highest number that is stored.
    stored: Option<u32>,
    since: u64,
    begun: Option<u64>,
    /// Whether the leaf is used from now on.
    over: bool,
    /// Who committed and did not sign: chosen last in later rounds.
    absent: BTreeSet<XOnlyPublicKey>,
    inputs: BTreeMap<u16, Round>,
}

#[derive(Clone)]
struct Round {
    epoch: Arc<Epoch>,
    digest: Digest,
    commitments: BTreeMap<XOnlyPublicKey, Commitment>,
    /// Who signs, and the name of what they committed to.
    set: Option<(BTreeSet<XOnlyPublicKey>, [u8; 32])>,
    session: Option<Session>,
    /// Parts that came before the session could be opened.
    early: BTreeMap<XOnlyPublicKey, ([u8; 32], Partial)>,
    witness: Option<Witness>,
}

impl Entropy {
    /// Takes 32 bytes of the system's generator.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

/// It never shows.
impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy")
    }
}

impl Random {
    pub(super) fn new(entropy: &Entropy) -> Self {
        Self { seed: entropy.0.clone(), drawn: 0 }
    }

    pub(super) fn draw(&mut self) -> Zeroizing<[u8; 32]> {
        self.drawn += 1;
        let mut hasher = blake3::Hasher::new_derive_key(DRAW);
        hasher.update(self.seed.as_ref()).update(&self.drawn.to_le_bytes());
        Zeroizing::new(*hasher.finalize().as_bytes())
    }
}

impl Rounds {
    pub(super) fn of(step: &Step) -> Result<Self, GuardError> {
        let unsigned = &step.transaction;
        let mut inputs = BTreeMap::new();
        for (at, owner) in (0u16..).zip(&unsigned.owners) {
            let Owner::Epoch(epoch) = owner else { continue };
            if epoch.guard.paths().contains(&Path::Key) {
                let (transaction, spent) = (&unsigned.transaction, &unsigned.spent);
                let digest = epoch.guard.message(transaction, at.into(), spent, Path::Key)?;
                inputs.insert(at, Round::new(epoch.clone(), digest));
            }
        }
        Ok(Self {
            number: 0,
            stored: None,
            since: 0,
            begun: None,
            over: false,
            absent: BTreeSet::new(),
            inputs,
        })
    }

    /// Whether holders sign an input by the leaf.
    pub(super) fn is_by_leaf(&self, input: u16) -> bool {
        self.over || !self.inputs.contains_key(&input)
    }

    pub(super) fn witness(&self, input: u16) -> Option<Witness> {
        self.inputs.get(&input)?.witness.clone()
    }

    /// How many have signed the first input in this round and how many do.
    pub(super) fn signed(&self) -> Option<(usize, usize)> {
        let round = self.inputs.get(&0)?;
        let needed = round.epoch.guard.cosigners();
        let missing = round.session.as_ref()?.missing().count();
        Some((needed.saturating_sub(missing), needed))
    }

    /// What was stored: the number is never used again.
    pub(super) fn restore(&mut self, number: u32) {
        self.number = self.number.max(number.saturating_add(1));
        self.over |= self.number > MAX_ROUNDS;
    }

    /// When something is to be done that nobody's message brings about.
    pub(super) fn due(&self) -> Option<u64> {
        let begun = self.begun.filter(|_| !self.over && self.waiting().next().is_some())?;
        let end = begun.saturating_add(KEY_TIMEOUT);
        let is_frost = self.inputs.values().any(Round::is_frost);
        Some(if is_frost { end.min(self.since.saturating_add(ROUND_TIMEOUT)) } else { end })
    }

    /// The inputs that are not signed.
    fn waiting(&self) -> impl Iterator<Item = u16> {
        self.inputs.iter().filter(|(_, round)| round.witness.is_none()).map(|(at, _)| *at)
    }

    /// Goes on to a later round: what was committed to before never signs.
    fn go_on(&mut self, nonces: &mut Nonces, txid: Txid, number: u32, now: u64) {
        self.inputs.keys().for_each(|at| nonces.abandon(label(txid, *at, self.number)));
        (self.number, self.since) = (number, now);
        let sessions = self.inputs.values().filter_map(|round| round.session.as_ref());
        self.absent.extend(sessions.flat_map(Session::missing));
        for round in self.inputs.values_mut() {
            let witness = round.witness.take();
            *round = Round { witness, ..Round::new(round.epoch.clone(), round.digest) };
        }
    }
}

impl Round {
    fn new(epoch: Arc<Epoch>, digest: Digest) -> Self {
        let (commitments, early) = (BTreeMap::new(), BTreeMap::new());
        Self { epoch, digest, commitments, set: None, session: None, early, witness: None }
    }

    fn is_frost(&self) -> bool {
        self.epoch.guard.construction() == Construction::Frost
    }

    /// Who says which holders sign.
    fn leader(&self, turn: &TurnId, number: u32) -> Option<PeerId> {
        let first = u64::from_le_bytes(*turn.as_bytes().first_chunk()?);
        let holders = u64::try_from(self.epoch.holders.len()).ok().filter(|holders| *holders > 0)?;
        let at = usize::try_from(first.wrapping_add(number.into()) % holders).ok()?;
        self.epoch.holders.values().nth(at).copied()
    }

    /// Names what signers committed to, so that a part is held against the same session that it was made in.
    fn name(&self, signers: &BTreeSet<XOnlyPublicKey>) -> Option<[u8; 32]> {
        let mut hasher = blake3::Hasher::new_derive_key(SESSION);
        hasher.update(self.digest.as_ref());
        for key in signers {
            hasher.update(&key.serialize()).update(self.commitments.get(key)?.as_bytes());
        }
        Some(*hasher.finalize().as_bytes())
    }

    /// Chooses who signs, where enough have committed.
    fn choose(&mut self, absent: &BTreeSet<XOnlyPublicKey>) -> bool {
        let needed = self.epoch.guard.cosigners();
        if self.set.is_some() || self.commitments.len() < needed {
            return false;
        }
        let (last, first): (Vec<_>, Vec<_>) = self.commitments.keys().partition(|key| absent.contains(*key));
        let signers: BTreeSet<_> = first.into_iter().chain(last).take(needed).copied().collect();
        self.set = self.name(&signers).map(|name| (signers, name));
        self.set.is_some()
    }

    /// Opens the session once everybody's commitment is here. Commitments that are not those named come of somebody who sent
    /// different ones: the session never opens.
    fn open(&mut self) -> Result<(), GuardError> {
        let Some((signers, name)) = self.set.as_ref().filter(|_| self.session.is_none()) else {
            return Ok(());
        };
        if self.name(signers) != Some(*name) {
            return Ok(());
        }
        let its = |(key, commitment): (&XOnlyPublicKey, &Commitment)| {
            signers.contains(key).then_some((*key, *commitment))
        };
        let commitments = self.commitments.iter().filter_map(its).collect();
        self.session = Some(Session::new(&self.epoch.guard, self.digest, commitments)?);
        Ok(())
    }

    /// Takes a part; one of another session is left.
    fn take(&mut self, key: XOnlyPublicKey, name: [u8; 32], partial: Partial) -> Result<(), GuardError> {
        let Some(session) = &mut self.session else {
            self.early.insert(key, (name, partial));
            return Ok(());
        };
        if self.set.as_ref().is_none_or(|(signers, its)| *its != name || !signers.contains(&key)) {
            return Ok(());
        }
        session.add(key, partial)?;
        self.witness = session.finish();
        Ok(())
    }
}

impl Member {
    /// Takes the coins' signatures by the key path as far as they go.
    pub(super) fn sign_together(&mut self, attempt: &mut Attempt) {
        if self.random.is_none() || attempt.rounds.number > MAX_ROUNDS {
            attempt.rounds.over = true;
        }
        self.keep_time(attempt);
        for at in attempt.rounds.waiting().collect::<Vec<_>>() {
            if !attempt.rounds.over {
                self.commit(attempt, at);
                self.choose(attempt, at);
            }
            let opened = attempt.rounds.inputs.get_mut(&at).map_or(Ok(()), Round::open);
            let ended = opened.and_then(|()| self.sign_part(attempt, at));
            if let Err((error, epoch)) = ended.map_err(|error| (error, attempt.epoch(at))) {
                let culprit = error.culprit().and_then(|key| epoch?.holders.get(&key).copied());
                culprit.into_iter().for_each(|culprit| self.blame(culprit, error.code()));
                attempt.rounds.over = true;
            }
        }
    }

    fn keep_time(&mut self, attempt: &mut Attempt) {
        if attempt.rounds.begun.is_none() {
            (attempt.rounds.begun, attempt.rounds.since) = (Some(self.now), self.now);
        }
        let is_end = attempt.rounds.begun.is_some_and(|begun| self.now >= begun.saturating_add(KEY_TIMEOUT));
        attempt.rounds.over |= is_end;
        if attempt.rounds.due().is_some_and(|due| self.now >= due) {
            let number = attempt.rounds.number.saturating_add(1);
            attempt.rounds.over |= number > MAX_ROUNDS;
            attempt.rounds.go_on(&mut self.nonces, attempt.txid, number, self.now);
        }
    }

    fn commit(&mut self, attempt: &mut Attempt, at: u16) {
        let Some(keypair) = self.key else { return };
        let (turn, txid, number) = (attempt.id(), attempt.txid, attempt.rounds.number);
        let Some(round) = attempt.rounds.inputs.get_mut(&at) else { return };
        let (own, guard) = (keypair.x_only_public_key().0, &round.epoch.guard);
        let Some(holder) = place(guard, &own).filter(|_| !round.commitments.contains_key(&own)) else {
            return;
        };
        let Some(entropy) = self.random.as_mut().map(Random::draw) else { return };
        let signer = self.shares.get(&guard.script_pubkey());
        let signer = signer.map_or(Signer::Key(&keypair), |made| Signer::Share(&made.share));
        let drawn = self.nonces.commit(label(txid, at, number), guard, &round.digest, signer, &entropy);
        let Ok(commitment) = drawn else {
            attempt.rounds.over = true;
            return;
        };
        round.commitments.insert(own, commitment);
        if attempt.rounds.stored.is_none_or(|stored| stored < number) {
            attempt.rounds.stored = Some(number);
            self.changes.push(Change::Committed(turn, number));
        }
        let commitment = ByteArray::from(*commitment.as_bytes());
        self.spread(&Message::Commit(Commit {
            round: Named { turn, input: at, number },
            holder,
            commitment,
        }));
    }

    fn choose(&mut self, attempt: &mut Attempt, at: u16) {
        let (turn, number) = (attempt.id(), attempt.rounds.number);
        let Some(round) = attempt.rounds.inputs.get_mut(&at) else { return };
        let is_frost = round.is_frost();
        if is_frost && round.leader(&turn, number) != Some(self.config.me)
            || !round.choose(&attempt.rounds.absent)
        {
            return;
        }
        if let (true, Some((signers, name))) = (is_frost, &round.set) {
            let places = signers.iter().filter_map(|key| place(&round.epoch.guard, key));
            let holders = Members::of(places.map(usize::from));
            let (round, name) = (Named { turn, input: at, number }, ByteArray::from(*name));
            self.spread(&Message::Signers(Signers { round, holders, name }));
        }
    }

    /// Signs in an open session, once.
    fn sign_part(&mut self, attempt: &mut Attempt, at: u16) -> Result<(), GuardError> {
        let (turn, txid, number) = (attempt.id(), attempt.txid, attempt.rounds.number);
        let is_over = attempt.rounds.over;
        let Some(round) = attempt.rounds.inputs.get_mut(&at) else { return Ok(()) };
        let Some((signers, name)) = round.set.clone().filter(|_| round.session.is_some()) else {
            return Ok(());
        };
        for (key, (name, partial)) in std::mem::take(&mut round.early) {
            round.take(key, name, partial)?;
        }
        let Some(keypair) = self.key.filter(|_| !is_over) else { return Ok(()) };
        let own = keypair.x_only_public_key().0;
        let Some(holder) = place(&round.epoch.guard, &own).filter(|_| signers.contains(&own)) else {
            return Ok(());
        };
        let Some(session) = round.session.as_ref().filter(|it| it.missing().any(|key| key == own)) else {
            return Ok(());
        };
        let script = round.epoch.guard.script_pubkey();
        let signer =
            self.shares.get(&script).map_or(Signer::Key(&keypair), |made| Signer::Share(&made.share));
        let partial = self.nonces.sign(label(txid, at, number), session, signer)?;
        round.take(own, name, partial)?;
        self.release(attempt);
        self.spread(&Message::Partial(PartPartial {
            round: Named { turn, input: at, number },
            holder,
            name: ByteArray::from(name),
            partial: ByteArray::from(*partial.as_bytes()),
        }));
        Ok(())
    }

    pub(super) fn take_commit(&mut self, from: PeerId, commit: Commit) {
        if !self.attempts.contains_key(&commit.round.turn) {
            return self.keep_early(from, commit.round.turn, Message::Commit(commit));
        }
        let taken = self.enter(&commit.round).and_then(|round| match round {
            Some(round) => round.hold(&from, commit.holder, Commitment::from_bytes(*commit.commitment)),
            None => Ok(()),
        });
        taken.unwrap_or_else(|error| self.blame(from, error.code()));
    }

    pub(super) fn take_signers(&mut self, from: PeerId, signers: Signers) {
        let Named { turn, number, .. } = signers.round;
        if !self.attempts.contains_key(&turn) {
            return self.keep_early(from, turn, Message::Signers(signers));
        }
        let taken = self.enter(&signers.round).and_then(|round| match round {
            Some(round) if round.leader(&turn, number) != Some(from) => {
                Err(GuardError::Malformed("choice of signers"))
            }
            Some(round) => round.follow(&signers),
            None => Ok(()),
        });
        taken.unwrap_or_else(|error| self.blame(from, error.code()));
    }

    pub(super) fn take_partial(&mut self, from: PeerId, part: PartPartial) {
        let turn = part.round.turn;
        if !self.attempts.contains_key(&turn) {
            return self.keep_early(from, turn, Message::Partial(part));
        }
        let taken = self.enter(&part.round).and_then(|round| match round {
            Some(round) => {
                let key = round.key_of(&from, part.holder)?;
                round.take(key, *part.name, Partial::from_bytes(*part.partial))
            }
            None => Ok(()),
        });
        if let Err(error) = taken {
            self.blame(from, error.code());
            // What is spoilt once may be spoilt again: the leaf takes any who do sign.
            self.attempts.get_mut(&turn).into_iter().for_each(|attempt| attempt.rounds.over = true);
        }
    }

    /// Finds the round that a message is of; none of one that is over.
    fn enter(&mut self, named: &Named) -> Result<Option<&mut Round>, GuardError> {
        let Some(attempt) = self.attempts.get_mut(&named.turn) else { return Ok(None) };
        if named.number > MAX_ROUNDS {
            return Err(GuardError::TooManyAttempts);
        }
        let rounds = &mut attempt.rounds;
        if !rounds.inputs.contains_key(&named.input) {
            return Err(GuardError::Malformed("round of this turn"));
        }
        if named.number > rounds.number {
            rounds.go_on(&mut self.nonces, attempt.txid, named.number, self.now);
        }
        Ok(rounds.inputs.get_mut(&named.input).filter(|_| named.number == rounds.number))
    }
}

impl Round {
    /// Finds a holder's key, if it is the sender's: nobody commits or signs in another's name.
    fn key_of(&self, from: &PeerId, holder: u16) -> Result<XOnlyPublicKey, GuardError> {
        let key = self.epoch.guard.keys().get(usize::from(holder)).copied();
        let key = key.ok_or(GuardError::Malformed("holder of this coin"))?;
        match self.epoch.holders.get(&key) == Some(from) {
            true => Ok(key),
            false => Err(GuardError::NotHolder(key)),
        }
    }

    fn hold(&mut self, from: &PeerId, holder: u16, commitment: Commitment) -> Result<(), GuardError> {
        let key = self.key_of(from, holder)?;
        match *self.commitments.entry(key).or_insert(commitment) == commitment {
            true => Ok(()),
            false => Err(GuardError::Commitment(key)),
        }
    }

    fn follow(&mut self, signers: &Signers) -> Result<(), GuardError> {
        let malformed = || GuardError::Malformed("choice of signers");
        let keys = self.epoch.guard.keys();
        let chosen = signers.holders.places().map(|place| keys.get(place).copied());
        let chosen = chosen.collect::<Option<BTreeSet<_>>>().ok_or_else(malformed)?;
        if !self.is_frost() || chosen.len() < self.epoch.guard.cosigners() {
            return Err(malformed());
        }
        self.set.get_or_insert((chosen, *signers.name));
        Ok(())
    }
}

fn label(txid: Txid, input: u16, number: u32) -> guard::Attempt {
    guard::Attempt { txid, input: input.into(), number }
}
