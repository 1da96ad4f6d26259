//! Who builds the next turn, and of what.

use std::{collections::BTreeSet, sync::Arc};

use domain::{
    PeerId, Record,
    bitcoin::OutPoint,
    kinds::{Ballot, Delegation, Join, JoinId, JoinPolicy},
};

use super::{
    super::{Evidence, Scope, Step, Turn},
    Attempt, BATCH_DELAY, BUILDER_TIMEOUT, CAREFUL, Event, MAX_BALLOTS, MAX_PROPOSALS, Member, Output, Tally,
    message::Message,
};

impl Member {
    /// There may be something to do.
    pub(super) fn need(&mut self) {
        self.need.get_or_insert(self.now);
    }

    /// When this node builds, if nobody else has.
    pub(super) fn build_due(&self) -> Option<u64> {
        let since = self.need?;
        // A coin that a block spends makes no successor any more.
        if self.state().coin.is_some_and(|coin| self.is_spent_in_block(&coin.outpoint)) {
            return None;
        }
        if self.open().any(is_alive) || self.tip.is_none() {
            return None;
        }
        Some(since.saturating_add(self.delay()?))
    }

    /// How long others come first. Before the founding only the creator builds.
    fn delay(&self) -> Option<u64> {
        let (state, me) = (self.state(), &self.config.me);
        if state.is_unfounded() {
            return (self.started && *me == self.config.creator).then_some(BATCH_DELAY);
        }
        state.member(me)?;
        let (epoch, tip) = (state.epoch()?, self.tip?);
        let hash = |peer: &PeerId| {
            *blake3::hash(&[AsRef::<[u8]>::as_ref(&tip.hash), peer.as_bytes()].concat()).as_bytes()
        };
        let mine = hash(me);
        let first = epoch.holders.values().filter(|holder| hash(holder) < mine).count();
        let rank = match epoch.is_held_by(me) {
            true => first,
            false => epoch.holders.len() + usize::from(mine[0]),
        };
        Some(BATCH_DELAY + BUILDER_TIMEOUT * rank as u64)
    }

    /// Builds and offers a turn, if it is this node's time; says whether it did.
    pub(super) fn build(&mut self) -> bool {
        if self.build_due().is_none_or(|due| self.now < due) {
            return false;
        }
        self.need = None;
        let Some((turn, step)) = self.draft() else { return false };
        if self.open().any(|attempt| !attempt.failed && is_same(&attempt.turn, &turn)) {
            return false;
        }
        let message = Message::Turn(turn.encode());
        self.accept(turn, step);
        self.spread(&message);
        true
    }

    /// A turn that does all that is due, and what it makes.
    fn draft(&mut self) -> Option<(Turn, Step)> {
        let evidence = self.unspent();
        let mut scope = Scope { refused: self.left_out(), group: self.group(), ..Scope::default() };
        let (me, rate) = (self.config.me, self.config.rate);
        let is_made = |(turn, step): &(Turn, Step)| {
            let own = step.state.epoch().is_some_and(|epoch| self.shares.contains_key(&epoch.script()));
            turn.group.is_none() || own
        };
        let draft = match self.state().gather(me, rate, &evidence, &scope).filter(is_made) {
            Some(draft) => draft,
            None => {
                // Where the keys change in this turn the group is of those before.
                scope.group.take()?;
                self.state().gather(me, rate, &evidence, &scope)?
            }
        };
        if self.may_join(&draft.0) {
            return Some(draft);
        }
        scope.without_joins = true;
        self.state().gather(me, rate, &evidence, &scope)
    }

    /// What is known, without coins that were spent, nor those of the DAO that nobody said came in.
    fn unspent(&self) -> Evidence {
        let (mut evidence, state) = (self.evidence.clone(), self.state());
        let pooled = state.coin.map(|coin| coin.outpoint);
        let scripts: BTreeSet<_> = state.epochs.iter().map(|epoch| epoch.script()).collect();
        let is_spent = |outpoint: &OutPoint| {
            let spend = self.spends.get(outpoint);
            spend.is_some_and(|(by, block)| block.is_some() || self.open().all(|attempt| attempt.txid != *by))
        };
        evidence.coins.retain(|outpoint, coin| {
            let came =
                !scripts.contains(&coin.output.script_pubkey) || evidence.paybacks.contains_key(outpoint);
            Some(*outpoint) == pooled || came && !is_spent(outpoint)
        });
        evidence
    }

    /// Joins that are left out for a while: those of whoever failed, with other names or the same coins, and those for whom
    /// too few vouch who did not vouch for somebody who failed.
    fn left_out(&self) -> BTreeSet<JoinId> {
        let (state, joins, vouches) = (self.state(), &self.evidence.joins, &self.evidence.vouches);
        let failed: Vec<_> = self.failed.keys().filter_map(|id| Some((id, joins.get(id)?))).collect();
        if failed.is_empty() {
            return BTreeSet::new();
        }
        let ids: BTreeSet<&JoinId> = failed.iter().map(|(id, _)| *id).collect();
        let authors: BTreeSet<&PeerId> = failed.iter().map(|(_, (author, _))| author).collect();
        let coins = failed.iter().flat_map(|(_, (_, join))| join.inputs.iter().map(|input| input.outpoint));
        let coins: BTreeSet<OutPoint> = coins.collect();
        let vouchers = vouches.iter().filter(|(_, member)| authors.contains(member));
        let vouchers: BTreeSet<&PeerId> = vouchers.map(|(voucher, _)| voucher).collect();
        let needed = match state.rules.policy {
            JoinPolicy::Vouched => usize::from(state.rules.vouches),
            _ => 0,
        };
        let is_left = |(id, (author, join)): &(&JoinId, &(PeerId, Join))| {
            let is_again = !state.is_unfounded() && authors.contains(author);
            let others = state
                .counted()
                .filter(|(_, voucher)| !vouchers.contains(voucher) && vouches.contains(&(*voucher, *author)));
            ids.contains(*id)
                || is_again
                || join.inputs.iter().any(|input| coins.contains(&input.outpoint))
                || others.take(needed).count() < needed
        };
        joins.iter().filter(is_left).map(|(id, _)| *id).collect()
    }

    /// Says whether a turn is well as it is: nobody joins beside a leave or in a refresh that is due, since a joiner can
    /// kill it; nor beside payments while somebody lately did.
    fn may_join(&self, turn: &Turn) -> bool {
        let state = self.state();
        if turn.joins.is_empty() || state.is_unfounded() {
            return true;
        }
        let since = state.coin.and_then(|coin| self.evidence.coins.get(&coin.outpoint));
        let age = since.map_or(0, |coin| self.height().saturating_sub(coin.height));
        let is_old = age >= u32::from(self.config.charter.recovery) / 2;
        let careful = self.last_failure.is_some_and(|at| at.saturating_add(CAREFUL) > self.height());
        let pays = !turn.approvals.is_empty() || !turn.merges.is_empty() || !state.queue.is_empty();
        turn.leaves.is_empty() && !is_old && !(careful && pays)
    }

    pub(super) fn take_ballot(&mut self, record: &Record) -> bool {
        let Ok(Some(ballot)) = record.read::<Ballot>() else { return false };
        let (proposal, member) = (ballot.proposal, record.author);
        let is_full = match self.ballots.get(&proposal) {
            Some(cast) => cast.len() >= MAX_BALLOTS,
            None => self.ballots.len() >= 2 * MAX_PROPOSALS.0,
        };
        if is_full && self.state().member(&member).is_none() {
            return false;
        }
        let cast = Arc::make_mut(self.ballots.entry(proposal).or_default());
        let first = *cast.entry(member).or_insert(ballot.choice);
        if first != ballot.choice {
            self.event(Event::VotedTwice { member, proposal });
        }
        self.to_follow.extend((self.following == Some(member)).then_some(proposal));
        true
    }

    /// Takes many members' ballots at once, as [`Self::take_ballot`] takes one.
    pub(super) fn take_tally(&mut self, tally: Tally) {
        let Tally { proposal, first, yes } = tally;
        self.to_follow.extend(self.following.filter(|leader| first.contains_key(leader)).map(|_| proposal));
        let cast = self.ballots.entry(proposal).or_default();
        if cast.is_empty() {
            *cast = first;
        } else {
            let cast = Arc::make_mut(cast);
            first.iter().for_each(|(member, choice)| _ = cast.entry(*member).or_insert(*choice));
        }
        let known = self.evidence.yes.entry(proposal).or_default();
        if known.is_empty() {
            *known = yes;
        } else {
            Arc::make_mut(known).extend(yes.iter().copied());
        }
        self.dirty = true;
        self.need();
    }

    pub(super) fn take_delegation(&mut self, record: &Record) -> bool {
        let Ok(delegation) = record.read::<Delegation>() else { return false };
        let is_other = delegation.as_ref().is_some_and(|it| it.dao != self.config.dao);
        if record.author != self.config.me || is_other || record.seq < self.delegated {
            return false;
        }
        self.delegated = record.seq;
        self.following = delegation.and_then(|it| it.to);
        let Some(leader) = self.following else { return true };
        let votes = self.ballots.iter().filter(|(_, cast)| cast.contains_key(&leader));
        self.to_follow.extend(votes.map(|(proposal, _)| *proposal));
        true
    }

    /// Votes as whoever the owner follows, on what is still open and the owner has not voted on. After a restart this waits
    /// for all records, among which the owner's own votes are.
    pub(super) fn follow_votes(&mut self) {
        let (Some(leader), Some(tip)) = (self.following, self.tip) else { return };
        for proposal in std::mem::take(&mut self.to_follow) {
            let Some((_, body)) = self.evidence.proposals.get(&proposal) else {
                self.to_follow.insert(proposal);
                continue;
            };
            let cast = self.ballots.get(&proposal);
            let is_own = cast.is_some_and(|cast| cast.contains_key(&self.config.me));
            let choice = cast.and_then(|cast| cast.get(&leader)).copied();
            if let Some(choice) = choice.filter(|_| !is_own && body.expiry >= tip.height) {
                self.out.push(Output::Vote { proposal, choice });
            }
        }
    }
}

/// Whether there is hope that an attempt is completed without doing anything else.
fn is_alive(attempt: &Attempt) -> bool {
    !attempt.failed && !attempt.stale
}

/// Whether two turns do the same.
fn is_same(one: &Turn, other: &Turn) -> bool {
    let Turn { height, rate, builder, .. } = *other;
    Turn { height, rate, builder, ..one.clone() } == *other
}
