//! What members say to each other, and how whoever missed something gets it.

use std::collections::{BTreeMap, BTreeSet};

use domain::{PeerId, bitcoin::Txid};

use super::{
    super::{Members, Turn, TurnId, guard::Share},
    ATTEMPT_TIMEOUT, Attempt, BUSY_TICK, IDLE_TICK, JOINER_TIMEOUT, MAX_OFFERS, Member, Output,
    change_set::{elements, txid_of, witness_of},
    generation::Generation,
    message::{JoinerWitness, MAX_PROGRESS, Message, PartShare, Progress, Status, Want},
};

/// Most messages kept that came before their turn.
pub(super) const MAX_EARLY: usize = 2_048;
/// Most of them of one sender.
pub(super) const MAX_EARLY_OF_ONE: usize = 128;
/// Most turns kept that nothing is known to come before.
pub(super) const MAX_WAITING: usize = 64;
/// Most of them of one sender that nobody asked for.
const MAX_WAITING_OF_ONE: usize = MAX_HISTORY + MAX_OFFERS;
/// Most turns sent at once to somebody who is behind.
const MAX_HISTORY: usize = 8;

impl Member {
    pub(super) fn spread(&mut self, message: &Message) {
        self.persist();
        self.out.push(Output::Spread(message.encode()));
    }

    pub(super) fn send(&mut self, to: PeerId, message: &Message) {
        self.persist();
        self.out.push(Output::Send { to, bytes: message.encode() });
    }

    pub(super) fn take_message(&mut self, from: PeerId, bytes: &[u8]) {
        match Message::decode(bytes) {
            Some(Message::Turn(turn)) => match Turn::decode(&turn) {
                Ok(turn) => self.take_turn(from, turn),
                Err(error) => self.blame(from, error.code()),
            },
            Some(Message::Share(share)) => self.take_share(from, share),
            Some(Message::Witness(witness)) => self.take_witness(from, witness),
            Some(Message::Commit(commit)) => self.take_commit(from, commit),
            Some(Message::Signers(signers)) => self.take_signers(from, signers),
            Some(Message::Partial(partial)) => self.take_partial(from, partial),
            Some(Message::Deal(deal)) => self.take_deal(from, deal),
            Some(Message::Parcel(parcel)) => self.take_parcel(from, parcel),
            Some(Message::Status(status)) => self.answer(from, &status),
            Some(Message::Want(want)) => self.give(from, &want),
            None => self.blame(from, "dao_message_malformed"),
        }
    }

    fn take_turn(&mut self, from: PeerId, turn: Turn) {
        let id = turn.id();
        if self.turns.contains_key(&id) {
            return;
        }
        let asked = self.wanted.remove(&id);
        let alike = |(sender, other): &&(PeerId, Turn)| *sender == from && other.previous == turn.previous;
        let offered = self.turns.values().filter(alike).count();
        let waiting = self.waiting().filter(|(_, sender)| *sender == from).count();
        let is_flood = !asked && (offered >= MAX_OFFERS || waiting >= MAX_WAITING_OF_ONE);
        if is_flood || !self.make_place(&from) {
            return self.blame(from, "dao_turn_flood");
        }
        self.turns.insert(id, (from, turn));
        self.dirty = true;
    }

    /// The turns that were not computed, each with its sender.
    fn waiting(&self) -> impl Iterator<Item = (TurnId, PeerId)> {
        self.turns.iter().filter(|(id, _)| !self.is_known(id)).map(|(id, (sender, _))| (*id, *sender))
    }

    /// Makes place for a turn of somebody's: one that was refused goes, or one of whoever sent most.
    fn make_place(&mut self, from: &PeerId) -> bool {
        let waiting: Vec<_> = self.waiting().collect();
        if waiting.len() < MAX_WAITING {
            return true;
        }
        let mut counts: BTreeMap<PeerId, usize> = BTreeMap::new();
        waiting.iter().for_each(|(_, sender)| *counts.entry(*sender).or_default() += 1);
        let most = counts.iter().max_by_key(|(_, count)| **count).map(|(sender, _)| *sender);
        let refused = waiting.iter().find(|(id, _)| self.refused.contains(id));
        let others = waiting.iter().find(|(_, sender)| Some(*sender) == most && sender != from);
        let Some((id, _)) = refused.or(others) else { return false };
        self.refused.remove(id);
        self.turns.remove(id).is_some()
    }

    /// Says whether a turn was computed.
    fn is_known(&self, turn: &TurnId) -> bool {
        self.attempts.contains_key(turn) || self.state().number_of(turn).is_some()
    }

    fn take_share(&mut self, from: PeerId, share: PartShare) {
        let Some(attempt) = self.attempts.get_mut(&share.turn) else {
            let turn = share.turn;
            return self.keep_early(from, turn, Message::Share(share));
        };
        let before = attempt.signed().0;
        let known = self.shared.as_ref().and_then(|shared| shared.share(&share));
        let is_new = known.is_none();
        let taken = attempt.take(share.part, share.holder, Share::from_bytes(*share.share), known);
        let (signed, needed) = attempt.signed();
        if let Some(shared) = self.shared.as_ref().filter(|_| taken.is_ok() && is_new) {
            shared.keep(&share);
        }
        match taken {
            Ok(_) if signed > before => {
                self.event(super::Event::Signing { turn: share.turn, signed, needed });
            }
            Ok(_) => {}
            Err(error) => self.blame(from, error.code()),
        }
    }

    fn take_witness(&mut self, from: PeerId, witness: JoinerWitness) {
        let Some(attempt) = self.attempts.get_mut(&witness.turn) else {
            let turn = witness.turn;
            return self.keep_early(from, turn, Message::Witness(witness));
        };
        if let Err(error) = attempt.take_witness(witness.input, witness_of(&witness.elements)) {
            self.blame(from, error.code());
        }
    }

    /// Keeps what came before its turn, and asks for the turn.
    pub(super) fn keep_early(&mut self, from: PeerId, turn: TurnId, message: Message) {
        if self.is_known(&turn) {
            return;
        }
        let its = self.early.iter().filter(|(sender, _, _)| *sender == from).count();
        if self.early.len() < MAX_EARLY && its < MAX_EARLY_OF_ONE {
            self.early.push((from, turn, message));
        }
        if !self.turns.contains_key(&turn) {
            self.want(from, turn);
        }
    }

    fn want(&mut self, from: PeerId, turn: TurnId) {
        if self.wanted.len() < MAX_WAITING && self.wanted.insert(turn) {
            self.send(from, &Message::Want(Want::Turn(turn)));
        }
    }

    pub(super) fn take_early(&mut self, turn: TurnId) {
        let early = std::mem::take(&mut self.early);
        let (its, others) = early.into_iter().partition::<Vec<_>, _>(|(_, other, _)| *other == turn);
        self.early = others;
        for (from, _, message) in its {
            match message {
                Message::Share(share) => self.take_share(from, share),
                Message::Witness(witness) => self.take_witness(from, witness),
                Message::Commit(commit) => self.take_commit(from, commit),
                Message::Signers(signers) => self.take_signers(from, signers),
                Message::Partial(partial) => self.take_partial(from, partial),
                _ => {}
            }
        }
    }

    fn give(&mut self, to: PeerId, want: &Want) {
        let turn = match want {
            Want::Turn(turn) => self.turns.get(turn).map(|(_, turn)| turn.clone()),
            Want::Spending(txid) => self.spending(&txid_of(txid)).map(|attempt| attempt.turn.clone()),
        };
        if let Some(turn) = turn {
            self.send(to, &Message::Turn(turn.encode()));
        }
    }

    fn spending(&self, txid: &Txid) -> Option<&Attempt> {
        self.attempts.values().find(|attempt| attempt.txid == *txid)
    }

    fn status(&self, is_answer: bool) -> Status {
        let head = self.links.last().and_then(|link| self.attempts.get(&link.turn));
        let mut open: Vec<&Attempt> = self.open().filter(|attempt| !attempt.failed).collect();
        open.sort_by_key(|attempt| (std::cmp::Reverse(attempt.opened), attempt.id()));
        Status {
            number: self.state().number(),
            head: self.state().turn(),
            safe: head.is_none_or(|attempt| attempt.safe),
            attempts: open.into_iter().take(MAX_PROGRESS).map(Attempt::progress).collect(),
            is_answer,
        }
    }

    /// Sends somebody what they lack, and says what is lacking here.
    fn answer(&mut self, from: PeerId, theirs: &Status) {
        let (number, head) = (self.state().number(), self.state().turn());
        if theirs.head == head {
            self.complete(from, theirs);
        } else if let Some(at) = self.state().number_of(&theirs.head) {
            self.catch_up(from, at);
        }
        let is_behind = theirs.number > number || theirs.head == head && self.lacks(theirs);
        if is_behind && !theirs.is_answer {
            let status = self.status(true);
            self.send(from, &Message::Status(status));
        }
    }

    /// Says whether somebody has something of the open attempts that is not here.
    fn lacks(&self, theirs: &Status) -> bool {
        let more = |theirs: &Members, mine: &Members| {
            let mine: BTreeSet<usize> = mine.places().collect();
            theirs.places().any(|place| !mine.contains(&place))
        };
        theirs.attempts.iter().any(|theirs| {
            self.attempts.get(&theirs.turn).is_none_or(|attempt| {
                let mine = attempt.progress();
                more(&theirs.joiners, &mine.joiners)
                    || more(&theirs.coin, &mine.coin)
                    || !mine.safe && (theirs.safe || more(&theirs.refund, &mine.refund))
            })
        })
    }

    fn complete(&mut self, to: PeerId, theirs: &Status) {
        let head = self.links.last().map(|link| link.turn);
        let mut messages = Vec::new();
        if let Some(attempt) = head.filter(|_| !theirs.safe).and_then(|head| self.attempts.get(&head)) {
            messages.extend(attempt.refund_for(&nothing_of(attempt.id())).into_iter().map(Message::Share));
        }
        for attempt in self.open().filter(|attempt| !attempt.failed) {
            messages.extend(missing(attempt, theirs));
        }
        messages.iter().for_each(|message| self.send(to, message));
        for unknown in theirs.attempts.iter().map(|progress| progress.turn) {
            if !self.turns.contains_key(&unknown) {
                self.want(to, unknown);
            }
        }
    }

    /// Sends the turns after somebody's last.
    fn catch_up(&mut self, to: PeerId, number: u32) {
        let at = usize::try_from(number).unwrap_or(usize::MAX).saturating_add(1);
        let next = self.state().turns.get(at..).unwrap_or_default().iter().take(MAX_HISTORY);
        let turns: Vec<_> = next.filter_map(|id| self.turns.get(id)).map(|(_, turn)| turn.encode()).collect();
        turns.into_iter().for_each(|turn| self.send(to, &Message::Turn(turn)));
    }

    /// What is done every now and then.
    pub(super) fn take_tick(&mut self) {
        if self.now < self.tick {
            return;
        }
        self.round += 1;
        self.tick = self.now + if self.is_busy() { BUSY_TICK } else { IDLE_TICK };
        self.wanted.clear();
        self.give_up();
        self.send_refund();
        let Some(peer) = self.partner() else { return };
        let status = self.status(false);
        self.send(peer, &Message::Status(status));
        if let Some(txid) = self.unknown_spender() {
            self.send(peer, &Message::Want(Want::spending(txid)));
        }
    }

    fn is_busy(&self) -> bool {
        let head = self.links.last().and_then(|link| self.attempts.get(&link.turn));
        let is_open = |attempt: &Attempt| !attempt.failed && attempt.finished.is_none();
        head.is_some_and(|attempt| !attempt.safe)
            || self.open().any(is_open)
            || self.unknown_spender().is_some()
    }

    /// Gives up joiners that do not sign, and attempts that nobody completes or whose coins are no more.
    fn give_up(&mut self) {
        for id in self.open_ids() {
            let Some(attempt) = self.attempts.get(&id).filter(|attempt| !attempt.failed) else { continue };
            let is_finished = attempt.finished.is_some();
            let absent = if is_finished { Vec::new() } else { attempt.absent() };
            let is_old = self.now >= attempt.opened.saturating_add(ATTEMPT_TIMEOUT);
            let is_stuck = is_old && !attempt.stale && !(is_finished && self.has_coins(attempt));
            if self.now >= attempt.safe_since.saturating_add(JOINER_TIMEOUT) && !absent.is_empty() {
                self.fail(id, &absent);
            } else if is_stuck && let Some(attempt) = self.attempts.get_mut(&id) {
                attempt.stale = true;
                self.need = Some(self.now);
            }
        }
    }

    /// Whom to ask this time: everybody in turn, each member beginning elsewhere.
    fn partner(&self) -> Option<PeerId> {
        let me = &self.config.me;
        let bytes = [&me.as_bytes()[..], &self.round.to_le_bytes()].concat();
        let hash = blake3::hash(&bytes);
        let number = u64::from_le_bytes(*hash.as_bytes().first_chunk()?);
        let joiners = self.evidence.joins.values().map(|(author, _)| *author);
        let joiners = joiners.filter(|_| self.state().is_unfounded());
        let mine = self.open().flat_map(Attempt::joiners);
        let is_member = |peer: &PeerId| self.state().member(peer).is_some();
        let others = joiners.chain(mine).chain([self.config.creator]);
        let others: BTreeSet<PeerId> = others.filter(|peer| !is_member(peer)).collect();
        // Nobody is listed twice, and the members, who may be many, are not copied.
        let members = || self.state().members().map(|(peer, _)| peer).filter(|peer| *peer != me);
        let others: Vec<&PeerId> = others.iter().filter(|peer| *peer != me).collect();
        let count = members().count() + others.len();
        let place = usize::try_from(number % u64::try_from(count).ok().filter(|n| *n > 0)?).ok()?;
        members().chain(others).nth(place).copied()
    }

    pub(super) fn set_timer(&mut self) {
        let rounds = self.open().filter(|attempt| !attempt.failed).filter_map(|attempt| attempt.rounds.due());
        let generation = self.generation.iter().filter_map(Generation::due);
        // What is late already waits for something else than the time.
        let rounds = rounds.chain(generation).filter(|due| *due > self.now);
        let due = self.build_due().into_iter().chain(rounds).chain([self.tick]);
        let due = due.min().unwrap_or(self.tick);
        if self.timer.is_none_or(|timer| due < timer) {
            self.timer = Some(due);
            self.out.push(Output::SetTimer(due));
        }
    }
}

fn nothing_of(turn: TurnId) -> Progress {
    let (refund, joiners, coin) = Default::default();
    Progress { turn, safe: false, refund, joiners, coin }
}

/// What somebody lacks of an attempt, the turn first.
fn missing(attempt: &Attempt, theirs: &Status) -> Vec<Message> {
    let id = attempt.id();
    let known = theirs.attempts.iter().find(|progress| progress.turn == id).cloned();
    let is_full = theirs.attempts.len() == MAX_PROGRESS;
    if known.is_none() && is_full {
        return Vec::new();
    }
    let mut messages = Vec::new();
    if known.is_none() {
        messages.push(Message::Turn(attempt.turn.encode()));
    }
    let theirs = known.unwrap_or_else(|| nothing_of(id));
    messages.extend(attempt.refund_for(&theirs).into_iter().map(Message::Share));
    let witness = |(input, witness): (u16, _)| {
        Message::Witness(JoinerWitness { turn: id, input, elements: elements(&witness) })
    };
    messages.extend(attempt.witnesses_for(&theirs).into_iter().map(witness));
    messages.extend(attempt.coin_for(&theirs).into_iter().map(Message::Share));
    messages
}
