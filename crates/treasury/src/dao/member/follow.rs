//! The chain decides: which attempt won, and which blocks are no more.

use std::collections::BTreeSet;

use domain::{
    PeerId,
    bitcoin::{OutPoint, TxOut, Txid},
    kinds::{JoinId, JoinInput},
};

use super::{
    super::{Confirmed, Evidence, GuardError, Refusal, Step, Turn, TurnId},
    Attempt, BACKOFF, Base, Block, Change, Done, Event, FINAL, Fetch, Link, MAX_ATTEMPTS, Member, Output,
    change_set::{block_of, confirmed, outpoint, txid_of},
};

/// Blocks under which nothing that was stored is doubted.
pub(super) const DOUBT: u32 = 100;

impl Member {
    /// Reads a change that was stored.
    pub(super) fn load(&mut self, change: Change) {
        match change {
            Change::Turn(bytes) => {
                if let Ok(turn) = Turn::decode(&bytes) {
                    self.turns.insert(turn.id(), (self.config.me, turn));
                }
            }
            Change::Coin(at, output, height, block) => {
                let coin = outpoint(&at).zip(confirmed(&output, height, &block));
                self.evidence.coins.extend(coin);
            }
            Change::Spent(at, by, height, hash) => {
                let block = Block { height, hash: block_of(&hash) };
                self.spends.extend(outpoint(&at).map(|at| (at, (txid_of(&by), Some(block)))));
            }
            Change::Reorg(height) => self.forget_above(height),
            Change::Started => self.started = true,
            Change::Dealt(epoch, number) => self.dealt = Some((*epoch, number)),
            Change::Share(script, group, share) => self.load_share(&script, &group, &share),
            Change::Failed(turn, join, until) => {
                self.failed.insert(join, until);
                self.last_failure = self.last_failure.max(Some(until.saturating_sub(BACKOFF)));
                self.stored.push(Change::Failed(turn, join, until));
            }
            Change::Recovering(turn) => self.recovering = Some(turn),
            other => self.stored.push(other),
        }
    }

    pub(super) fn take_tip(&mut self, block: Block) {
        self.asked.clear();
        if self.tip.is_none() {
            self.doubt(block.height);
        }
        self.evidence.tip = block.height;
        self.evidence.blocks.insert(block.height, block.hash);
        self.tip = Some(block);
        self.failed.retain(|_, until| *until > block.height);
        let joins: Vec<JoinId> = self.open().flat_map(|attempt| attempt.turn.joins.clone()).collect();
        joins.into_iter().for_each(|join| self.fetch_joins(join));
        self.dirty = true;
        self.need();
        self.send_refund_on();
    }

    /// What was stored may be of blocks that are no more: asks for the block of every coin that is not final.
    fn doubt(&mut self, height: u32) {
        self.evidence.coins.retain(|_, coin| coin.height <= height);
        let young = |coin: &&Confirmed| coin.height.saturating_add(DOUBT) > height;
        let heights: BTreeSet<u32> =
            self.evidence.coins.values().filter(young).map(|coin| coin.height).collect();
        heights.into_iter().for_each(|height| self.fetch(Fetch::Block(height)));
    }

    /// A block that is not the one in which something was seen: the chain changed while nobody watched.
    pub(super) fn take_block(&mut self, block: Block) {
        let other = self.links.iter().find(|link| link.block.height == block.height);
        if other.is_some_and(|link| link.block.hash != block.hash) {
            return self.take_reorg(block.height.saturating_sub(1));
        }
        self.evidence.coins.retain(|_, coin| coin.height != block.height || coin.block == block.hash);
        self.evidence.blocks.insert(block.height, block.hash);
        self.dirty = true;
    }

    pub(super) fn take_reorg(&mut self, height: u32) {
        self.changes.push(Change::Reorg(height));
        if self.settled.is_some_and(|settled| settled > height) {
            self.event(Event::Deep(height));
        }
        while let Some(link) = self.links.pop_if(|link| link.block.height > height) {
            if let Some(attempt) = self.attempts.get_mut(&link.turn) {
                attempt.sent = None;
            }
            self.history.pop();
            self.event(Event::Undone(link.turn));
        }
        self.forget_above(height);
        self.asked.clear();
        (self.refunded, self.unknown) = (None, None);
        self.dirty = true;
        self.need = Some(self.now);
    }

    fn forget_above(&mut self, height: u32) {
        self.evidence.tip = self.evidence.tip.min(height);
        self.evidence.coins.retain(|_, coin| coin.height <= height);
        self.evidence.blocks.retain(|at, _| *at <= height);
        self.spends.retain(|_, (_, block)| block.is_none_or(|block| block.height <= height));
        if self.tip.is_some_and(|tip| tip.height > height) {
            self.tip = None;
        }
    }

    pub(super) fn take_coin(&mut self, outpoint: OutPoint, coin: Confirmed) {
        self.evidence.coins.insert(outpoint, coin);
        self.dirty = true;
        self.need();
    }

    pub(super) fn take_spend(&mut self, outpoint: OutPoint, by: Txid, block: Option<Block>) {
        let known = self.spends.get(&outpoint);
        if known == Some(&(by, block)) || block.is_none() && known.is_some_and(|(_, block)| block.is_some()) {
            return;
        }
        self.spends.insert(outpoint, (by, block));
        if let Some(block) = block {
            self.changes.push(Change::spent(&outpoint, by, block.height, block.hash));
        }
        self.dirty = true;
        if !self.attempts.values().any(|attempt| attempt.txid == by) {
            self.fail_spender(&outpoint);
        }
    }

    /// Somebody who joins spent a coin otherwise: the attempts with it can never be.
    fn fail_spender(&mut self, outpoint: &OutPoint) {
        for id in self.open_ids() {
            let Some(attempt) = self.attempts.get(&id) else { continue };
            let inputs = &attempt.step.transaction.transaction.input;
            let at = inputs.iter().position(|input| input.previous_output == *outpoint);
            let joiner = at.and_then(|at| attempt.joiner_at(at));
            if let Some(joiner) = joiner {
                self.fail(id, &[joiner]);
            }
        }
    }

    /// Leaves joiners out for a while, and goes on without them.
    pub(super) fn fail(&mut self, id: TurnId, joiners: &[PeerId]) {
        let (until, height) = (self.height().saturating_add(BACKOFF), self.height());
        let Some(attempt) = self.attempts.get_mut(&id) else { return };
        attempt.failed = true;
        let joins = attempt.turn.joins.clone();
        for join in joins {
            let author = self.evidence.joins.get(&join).map(|(author, _)| *author);
            let Some(joiner) = author.filter(|author| joiners.contains(author)) else { continue };
            self.failed.insert(join, until);
            self.changes.push(Change::Failed(id, join, until));
            self.event(Event::JoinerFailed { joiner, join });
        }
        self.last_failure = Some(height);
        self.need = Some(self.now);
    }

    /// Goes on to the attempts that the chain has.
    pub(super) fn follow(&mut self) {
        while let Some(link) = self.next_link() {
            self.note_done(&link);
            self.links.push(link);
            self.take_successor(&link);
            self.event(Event::Done { turn: link.turn, block: link.block });
            self.fetch(Fetch::Block(link.block.height));
            self.dirty = true;
            self.need = Some(self.now);
        }
        self.prune();
        self.see_again();
        self.see_unknown();
    }

    fn next_link(&self) -> Option<Link> {
        let won = |attempt: &Attempt| {
            let (by, block) = self.spends.get(&attempt.first_input())?;
            let block = block.filter(|_| *by == attempt.txid)?;
            Some(Link { turn: attempt.id(), block })
        };
        self.open().find_map(won)
    }

    fn note_done(&mut self, link: &Link) {
        let done = self.attempts.get(&link.turn);
        let done = done.map(|attempt| Done::of(attempt, link.block, &self.evidence));
        self.history.extend(done);
    }

    /// The pooled coin is now the successor.
    fn take_successor(&mut self, link: &Link) {
        let Some(attempt) = self.attempts.get(&link.turn) else { return };
        let state = &attempt.step.state;
        let (Some(coin), Some(epoch)) = (state.coin, state.epoch()) else { return };
        let output = TxOut { value: coin.value, script_pubkey: epoch.script() };
        let confirmed =
            Confirmed { output: output.clone(), height: link.block.height, block: link.block.hash };
        self.evidence.coins.insert(coin.outpoint, confirmed);
        self.watch(coin.outpoint, output, link.block.height);
    }

    /// Forgets what can no longer be undone.
    fn prune(&mut self) {
        let is_final =
            |link: &Link| link.block.height.saturating_add(FINAL) <= self.evidence.tip.saturating_add(1);
        while self.links.len() > 1 && self.links.get(1).is_some_and(is_final) {
            let link = self.links.remove(0);
            let before = self.base.state().turn();
            let gone = self.attempts.values().filter(|attempt| attempt.turn.previous == before);
            gone.for_each(|attempt| self.nonces.forget(attempt.txid));
            if let Some(attempt) = self.attempts.remove(&link.turn) {
                self.base = Base::After(attempt.step);
                self.settled = Some(link.block.height);
            }
            self.attempts.retain(|_, attempt| attempt.turn.previous != before);
            self.turns.retain(|id, (_, turn)| *id == link.turn || turn.previous != before);
        }
        let turns = &self.turns;
        self.refused.retain(|id| turns.contains_key(id));
    }

    /// After more blocks were undone than a transaction needs to be final: the last turn's transaction is in a block again.
    fn see_again(&mut self) {
        let Some(coin) = self.state().coin.filter(|_| self.links.is_empty() && self.settled.is_some()) else {
            return;
        };
        if self.evidence.coins.contains_key(&coin.outpoint) {
            return;
        }
        let made = self.spends.values().find(|(by, _)| *by == coin.outpoint.txid);
        let (Some(block), Some(epoch)) = (made.and_then(|(_, block)| *block), self.state().epoch()) else {
            return;
        };
        let output = TxOut { value: coin.value, script_pubkey: epoch.script() };
        self.settled = Some(block.height);
        self.take_coin(coin.outpoint, Confirmed { output, height: block.height, block: block.hash });
    }

    /// The pooled coin was spent by the refund, or by a turn that has not arrived.
    fn see_unknown(&mut self) {
        let Some((by, block)) = self.state().coin.and_then(|coin| self.spends.get(&coin.outpoint)).copied()
        else {
            return;
        };
        let last = self.links.last().and_then(|link| self.attempts.get(&link.turn));
        let is_refund = last.and_then(Attempt::refund_txid) == Some(by);
        if is_refund && block.is_some() && self.refunded != Some(by) {
            self.refunded = Some(by);
            self.event(Event::Refunded(by));
        }
        let unknown = self.unknown_spender().filter(|_| block.is_some());
        if unknown.is_some() && self.unknown != unknown {
            self.unknown = unknown;
            self.event(Event::Unknown(by));
        }
    }

    /// The spender of the pooled coin where no known turn makes it.
    pub(super) fn unknown_spender(&self) -> Option<Txid> {
        let (by, _) = self.spends.get(&self.state().coin?.outpoint)?;
        let is_known = self.refunded == Some(*by) || self.open().any(|attempt| attempt.txid == *by);
        (!is_known).then_some(*by)
    }

    /// Computes the turns that follow the last one and were not computed yet.
    pub(super) fn review(&mut self) {
        let head = self.state().turn();
        let new = |(id, (_, turn)): &(&TurnId, &(PeerId, Turn))| {
            turn.previous == head && !self.attempts.contains_key(*id)
        };
        let turns: Vec<Turn> = self.turns.iter().filter(new).map(|(_, (_, turn))| turn.clone()).collect();
        for turn in turns {
            let known = self.shared.as_ref().filter(|_| self.evidence.covers(&turn));
            if let Some(attempt) = known.and_then(|shared| shared.attempt(&turn.id(), self.now)) {
                self.open_attempt(attempt);
                continue;
            }
            match self.state().advance(&turn, &self.evidence) {
                Ok(step) => self.accept(turn, step),
                Err(refusal) => match self.done_already(&turn) {
                    Some(step) => self.accept(turn, step),
                    None => self.refuse(&turn, &refusal),
                },
            }
        }
    }

    /// What a turn makes whose transaction is in a block: what this node would sign no more, such as a rate that is high
    /// for today, was signed by others.
    fn done_already(&self, turn: &Turn) -> Option<Step> {
        let (by, block) = self.spends.get(&self.state().coin?.outpoint)?;
        let evidence =
            block.map(|_| Evidence { highest_rate: None, lowest_height: None, ..self.evidence.clone() })?;
        let step = self.state().advance(turn, &evidence).ok()?;
        (step.transaction.transaction.compute_txid() == *by).then_some(step)
    }

    fn refuse(&mut self, turn: &Turn, refusal: &Refusal) {
        self.look_up(refusal, &turn.joins);
        if !refusal.is_for_lack() && self.refused.insert(turn.id()) {
            let (turn, code, culprit) = (turn.id(), refusal.code(), refusal.culprit());
            self.event(Event::Refused { turn, code, culprit });
        }
    }

    /// Asks the chain for what a turn is refused without.
    pub(super) fn look_up(&mut self, refusal: &Refusal, joins: &[JoinId]) {
        match refusal {
            Refusal::MissingCoin(_) => joins.iter().for_each(|join| self.fetch_joins(*join)),
            Refusal::MissingBlock(height) => self.fetch(Fetch::Block(*height)),
            _ => {}
        }
    }

    /// Asks for the coins of a join that are not known.
    pub(super) fn fetch_joins(&mut self, join: JoinId) {
        let inputs = self.evidence.joins.get(&join).map(|(_, join)| join.inputs.clone());
        let is_new = |input: &JoinInput| !self.evidence.coins.contains_key(&input.outpoint);
        let inputs: Vec<_> = inputs.into_iter().flatten().filter(is_new).collect();
        for input in inputs {
            self.fetch(Fetch::Coin { outpoint: input.outpoint, block: input.block });
        }
    }

    pub(super) fn fetch(&mut self, fetch: Fetch) {
        if self.asked.insert(fetch) {
            self.out.push(Output::Fetch(fetch));
        }
    }

    /// Takes a turn that is right: from now on its signatures are gathered.
    pub(super) fn accept(&mut self, turn: Turn, step: Step) {
        let Ok(attempt) = Attempt::open(turn, step, self.now) else { return };
        if let Some(shared) = &self.shared {
            shared.keep_attempt(&attempt);
        }
        self.open_attempt(attempt);
    }

    fn open_attempt(&mut self, mut attempt: Attempt) {
        if !self.make_room() {
            return;
        }
        let id = attempt.id();
        self.changes.push(Change::Turn(attempt.turn.encode().into()));
        self.watch_inputs(&attempt);
        self.restore(&mut attempt);
        if attempt.turn.builder == self.config.me && !attempt.step.notes.is_empty() {
            self.persist();
            self.out.push(Output::SignNotes(attempt.step.notes.clone()));
        }
        self.turns.entry(id).or_insert((self.config.me, attempt.turn.clone()));
        let (is_foreign, culprit) = (self.is_foreign(&attempt), attempt.turn.builder);
        self.attempts.insert(id, attempt);
        self.event(Event::Attempt(id));
        if is_foreign {
            self.event(Event::Refused { turn: id, code: GuardError::Group.code(), culprit: Some(culprit) });
        }
        self.take_early(id);
        self.need = None;
        self.dirty = true;
    }

    fn make_room(&mut self) -> bool {
        if self.open().count() < MAX_ATTEMPTS {
            return true;
        }
        let idle = self.open().filter(|attempt| !attempt.released && attempt.finished.is_none());
        let oldest = idle.min_by_key(|attempt| attempt.opened).map(Attempt::id);
        oldest.is_some_and(|id| {
            self.turns.remove(&id);
            self.attempts.remove(&id).is_some()
        })
    }

    fn watch_inputs(&mut self, attempt: &Attempt) {
        let unsigned = &attempt.step.transaction;
        for (input, spent) in unsigned.transaction.input.iter().zip(&unsigned.spent) {
            let outpoint = input.previous_output;
            if let Some(coin) = self.evidence.coins.get(&outpoint).cloned() {
                self.changes.push(Change::coin(&outpoint, &coin));
                self.watch(outpoint, spent.clone(), coin.height);
            }
        }
    }

    pub(super) fn watch(&mut self, outpoint: OutPoint, output: TxOut, from: u32) {
        if self.watched.insert(outpoint) {
            self.out.push(Output::Watch { outpoint, script: output.script_pubkey, from });
        }
    }
}
