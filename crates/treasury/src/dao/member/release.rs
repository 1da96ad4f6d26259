//! What is signed, and when.

use domain::bitcoin::Witness;

use super::{
    super::{TurnId, guard::Share},
    Attempt, Change, Event, Member, Output, RESEND,
    change_set::{Held, elements, transaction, witness_of},
    message::{JoinerWitness, Message, Part, PartShare},
};

impl Member {
    /// Takes every attempt as far as it goes.
    pub(super) fn progress(&mut self) {
        let head = self.links.last().map(|link| link.turn);
        for id in head.into_iter().chain(self.open_ids()) {
            // Out of the map while it is worked on, since outputs are gathered beside it.
            let Some(mut attempt) = self.attempts.remove(&id) else { continue };
            self.progress_refund(&mut attempt);
            if Some(id) != head && !attempt.failed {
                self.progress_transaction(&mut attempt);
            }
            self.attempts.insert(id, attempt);
        }
    }

    fn progress_refund(&mut self, attempt: &mut Attempt) {
        if attempt.safe {
            return;
        }
        let key = self.key.as_ref().filter(|_| self.trusts(attempt));
        let made = key.map(|key| attempt.sign(key, true));
        self.spread_shares(made.unwrap_or_default());
        if attempt.is_refund_complete() {
            self.changes.push(Change::Refund(attempt.id(), attempt.refund_shares()));
            attempt.safe = true;
            attempt.safe_since = self.now;
            self.event(Event::Safe(attempt.id()));
        }
    }

    fn progress_transaction(&mut self, attempt: &mut Attempt) {
        if !attempt.safe || !self.has_coins(attempt) {
            return;
        }
        self.ask_wallet(attempt);
        self.sign_coin(attempt);
        self.finish(attempt);
    }

    /// Whether every coin that T spends is confirmed as far as it is known, and no block spends it otherwise. What was
    /// only relayed decides nothing: a rival that can never be in a block must not stop the others.
    pub(super) fn has_coins(&self, attempt: &Attempt) -> bool {
        attempt.step.transaction.transaction.input.iter().all(|input| {
            let spend = self.spends.get(&input.previous_output);
            self.evidence.coins.contains_key(&input.previous_output)
                && spend.is_none_or(|(by, block)| *by == attempt.txid || block.is_none())
        })
    }

    /// Asks the owner's wallet for its signatures: T makes the owner a member and R is stored.
    fn ask_wallet(&mut self, attempt: &mut Attempt) {
        let me = self.config.me;
        let lacks = attempt.lacks_joiners().any(|joiner| joiner == me);
        if attempt.asked || !lacks || attempt.step.state.member(&me).is_none() {
            return;
        }
        attempt.asked = true;
        self.persist();
        let unsigned = &attempt.step.transaction;
        self.out.push(Output::Sign {
            turn: attempt.id(),
            transaction: Box::new(unsigned.transaction.clone()),
            spent: unsigned.spent.clone(),
            inputs: attempt.inputs_of(&me).into_iter().map(usize::from).collect(),
        });
    }

    /// The owner's wallet has signed: stored, then sent.
    pub(super) fn take_signed(&mut self, turn: TurnId, witnesses: Vec<Witness>) {
        let me = self.config.me;
        let Some(mut attempt) = self.attempts.remove(&turn) else { return };
        let inputs = if attempt.safe { attempt.inputs_of(&me) } else { Vec::new() };
        for (input, witness) in inputs.into_iter().zip(witnesses) {
            match attempt.take_witness(input, witness.clone()) {
                Ok(true) => self.spread_witness(turn, input, &witness),
                Ok(false) => {}
                Err(error) => self.blame(me, error.code()),
            }
        }
        self.attempts.insert(turn, attempt);
    }

    fn spread_witness(&mut self, turn: TurnId, input: u16, witness: &Witness) {
        self.changes.push(Change::witness(turn, input, witness));
        let witness = JoinerWitness { turn, input, elements: elements(witness) };
        self.spread(&Message::Witness(witness));
    }

    /// Signs the DAO's coins: R is stored, every joiner has signed, every note is signed.
    fn sign_coin(&mut self, attempt: &mut Attempt) {
        if !self.may_release(attempt) || !self.trusts(attempt) {
            return;
        }
        self.sign_together(attempt);
        let Some(key) = self.key.as_ref() else { return };
        let made = attempt.sign(key, false);
        if !made.is_empty() {
            self.release(attempt);
            self.spread_shares(made);
        }
    }

    /// A signature on T leaves: what it does may happen from now on.
    pub(super) fn release(&mut self, attempt: &mut Attempt) {
        if !attempt.released {
            attempt.released = true;
            self.changes.push(Change::Released(attempt.id()));
        }
    }

    fn may_release(&self, attempt: &Attempt) -> bool {
        attempt.safe
            && attempt.lacks_joiners().next().is_none()
            && attempt.notes().all(|note| self.notes.contains(&note))
    }

    fn finish(&mut self, attempt: &mut Attempt) {
        if attempt.finished.is_none() && self.may_release(attempt) {
            attempt.finished = attempt.finish();
            let finished = attempt.finished.as_ref();
            self.changes.extend(finished.map(|finished| Change::finished(attempt.id(), finished)));
        }
        let due = attempt.sent.is_none_or(|sent| self.now >= sent.saturating_add(RESEND));
        if let Some(transaction) = attempt.finished.clone().filter(|_| due) {
            self.persist();
            self.out.push(Output::Broadcast(transaction));
            if attempt.sent.is_none() {
                self.event(Event::Sent { turn: attempt.id(), txid: attempt.txid });
            }
            attempt.sent = Some(self.now);
        }
    }

    /// Gives an attempt what was stored of it.
    pub(super) fn restore(&mut self, attempt: &mut Attempt) {
        let id = attempt.id();
        let is_its = |change: &Change| match change {
            Change::Refund(turn, _) | Change::Released(turn) => *turn == id,
            Change::Witness(turn, _, _) | Change::Finished(turn, _) => *turn == id,
            Change::Committed(turn, _) | Change::Failed(turn, _, _) => *turn == id,
            _ => false,
        };
        let (its, others) = std::mem::take(&mut self.stored).into_iter().partition::<Vec<_>, _>(is_its);
        self.stored = others;
        for change in its {
            match change {
                Change::Refund(_, nodes) => restore_refund(attempt, nodes),
                Change::Released(_) => attempt.released = true,
                // It is not waited for again.
                Change::Failed(..) => attempt.failed = true,
                Change::Committed(_, number) => attempt.rounds.restore(number),
                Change::Witness(_, input, elements) => {
                    let _ = attempt.take_witness(input, witness_of(&elements));
                }
                Change::Finished(_, bytes) => attempt.finished = transaction(&bytes),
                _ => {}
            }
        }
    }

    pub(super) fn spread_shares(&mut self, shares: Vec<PartShare>) {
        for share in shares {
            self.spread(&Message::Share(share));
        }
    }

    /// Sends the refund of the pooled coin, if it was silent for long enough, from now on until it is in a block.
    pub(super) fn recover(&mut self) {
        let Some(least) = self.refund_height() else { return };
        if self.height().saturating_add(1) < least {
            return self.event(Event::TooEarly(least));
        }
        let turn = self.state().turn();
        if self.recovering.replace(turn) != Some(turn) {
            self.changes.push(Change::Recovering(turn));
        }
        self.refund_sent = None;
        self.send_refund();
    }

    /// Sends the refund again that the owner wanted to be sent, while no block has it or another spend of the coin.
    pub(super) fn send_refund(&mut self) {
        let is_wanted = self.recovering == Some(self.state().turn()) && self.tip.is_some();
        let coin = self.state().coin.map(|coin| coin.outpoint);
        let is_due = self.refund_sent.is_none_or(|sent| self.now >= sent.saturating_add(RESEND));
        if !is_wanted || !is_due || coin.is_none_or(|coin| self.is_spent_in_block(&coin)) {
            return;
        }
        self.refund_sent = Some(self.now);
        self.persist();
        let root = self.refund().and_then(|nodes| nodes.into_iter().next());
        self.out.extend(root.map(Output::Broadcast));
    }

    /// Sends the refund's other nodes after the root: those whose parent is confirmed are taken.
    pub(super) fn send_refund_on(&mut self) {
        if self.refunded.is_some() {
            let nodes = self.refund().into_iter().flatten().skip(1);
            self.out.extend(nodes.map(Output::Broadcast));
        }
    }
}

/// Puts stored shares of a refund back, each verified again.
fn restore_refund(attempt: &mut Attempt, nodes: Vec<Vec<Held>>) {
    for (at, held) in (0u16..).zip(nodes) {
        for Held { holder, share } in held {
            let _ = attempt.take(Part::Node(at), holder, Share::from_bytes(*share), None);
        }
    }
    attempt.safe = attempt.is_refund_complete();
}
