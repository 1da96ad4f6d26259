//! From one state to the next.

use std::{collections::BTreeSet, sync::Arc};

use domain::{
    PeerId,
    bitcoin::{Amount, FeeRate, OutPoint, Transaction, TxOut},
    kinds::{Note, ProposalId},
};

use super::{
    Epoch, Evidence, Refund, Turn, TurnId,
    epoch::successor,
    plan::Plan,
    refund::{refund, reserve},
    refusal::Refusal,
    state::{FORTNIGHT, Moment, Pooled, Shares, State},
};
use crate::wallet::{Limits, MAX_FEE_RATE, MIN_FEE_RATE};

/// Most coins that one turn merges.
pub const MAX_MERGES: usize = 4;

/// What a turn makes of a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The turn.
    pub turn: TurnId,
    /// The state once the transaction is confirmed.
    pub state: State,
    /// The transaction T.
    pub transaction: Unsigned,
    /// The refund R of the successor; none where everybody is paid out.
    pub refund: Option<Refund>,
    /// The notes that T pays and commits to, for the turn's builder to sign before anybody signs T.
    pub notes: Vec<Note>,
    /// The proposals whose spends T pays, in the order of its outputs.
    pub executed: Vec<ProposalId>,
    /// Who pays for each of them.
    pub payers: Vec<Shares>,
    /// Who is paid out, and how much.
    pub paid_out: Vec<(PeerId, Amount)>,
    /// Who becomes a member, ascending.
    pub joined: Vec<PeerId>,
    /// Whose membership ends, ascending.
    pub left: Vec<PeerId>,
}

/// A transaction and what its signers need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsigned {
    /// The transaction.
    pub transaction: Transaction,
    /// The outputs that it spends, in the order of its inputs.
    pub spent: Vec<TxOut>,
    /// Who signs which input.
    pub owners: Vec<Owner>,
}

/// Who signs an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The holders of an epoch's keys.
    Epoch(Arc<Epoch>),
    /// Whoever joins with it.
    Joiner(PeerId),
}

/// A turn being applied.
pub(super) struct Work<'a> {
    pub before: &'a State,
    pub state: State,
    pub turn: &'a Turn,
    pub evidence: &'a Evidence,
    pub now: Moment,
    /// Who is removed by vote.
    pub removed: BTreeSet<PeerId>,
}

impl State {
    /// Applies a turn: computes the transaction, its refund and the state after. A signer signs what this returns and
    /// nothing else, so whatever the rules ask for holds by construction, or the turn is refused.
    ///
    /// # Errors
    /// A [`Refusal`]; the state stays as it was.
    pub fn advance(&self, turn: &Turn, evidence: &Evidence) -> Result<Step, Refusal> {
        let mut work = Work::begin(self, turn, evidence)?;
        let merged = work.merge()?;
        work.approve()?;
        let leavers = work.leavers()?;
        let joiners = work.joiners(&leavers)?;
        let plan = Plan::of(&work, merged, leavers, joiners)?;
        let executed = work.execute(&plan);
        match plan.is_last() {
            true => work.end(plan, executed),
            false => work.go_on(plan, executed),
        }
    }
}

impl<'a> Work<'a> {
    fn begin(before: &'a State, turn: &'a Turn, evidence: &'a Evidence) -> Result<Self, Refusal> {
        if before.has_ended() {
            return Err(Refusal::Ended);
        }
        if turn.previous != before.turn() {
            return Err(Refusal::Previous(before.turn()));
        }
        check_height(before, turn, evidence)?;
        check_rate(turn, evidence)?;
        let now = Moment { turn: before.number() + 1, height: turn.height };
        let mut state = before.clone();
        state.turns.push(turn.id());
        state.height = turn.height;
        state.forget();
        let work = Self { before, state, turn, evidence, now, removed: BTreeSet::new() };
        work.check_order()?;
        work.check_builder()?;
        work.check_coin()?;
        Ok(work)
    }

    fn check_order(&self) -> Result<(), Refusal> {
        let turn = self.turn;
        let ascending = |name, is: bool| if is { Ok(()) } else { Err(Refusal::Order(name)) };
        let few = turn.merges.len() <= MAX_MERGES;
        ascending("merges", few && turn.merges.is_sorted_by(|one, two| one.outpoint < two.outpoint))?;
        ascending("leaves", turn.leaves.is_sorted_by(|one, two| one < two))?;
        ascending("joins", turn.joins.is_sorted_by(|one, two| one < two))?;
        ascending("promotions", turn.counted.is_sorted_by(|one, two| one.member < two.member))
    }

    fn check_builder(&self) -> Result<(), Refusal> {
        let builder = self.turn.builder;
        let founds = |join| self.evidence.joins.get(join).is_some_and(|(author, _)| *author == builder);
        let may = match self.before.is_unfounded() {
            true => self.turn.joins.iter().any(founds),
            false => self.before.member(&builder).is_some(),
        };
        may.then_some(()).ok_or(Refusal::Builder(builder))
    }

    /// The pooled coin is spent only once it is confirmed, as the chain is now, and not for nothing.
    fn check_coin(&self) -> Result<(), Refusal> {
        let Some(coin) = self.before.coin else { return self.check_founding() };
        let confirmed = self.evidence.coins.get(&coin.outpoint).ok_or(Refusal::MissingCoin(coin.outpoint))?;
        let depth = u32::from(self.before.charter.confirmations);
        let tip = self.evidence.tip;
        if tip.saturating_add(1) < confirmed.height.saturating_add(depth) {
            return Err(Refusal::Unconfirmed(coin.outpoint));
        }
        let age = tip.saturating_sub(confirmed.height);
        let is_old = age >= u32::from(self.before.charter.recovery) / 2;
        let turn = self.turn;
        let is_idle = turn.merges.is_empty() && turn.approvals.is_empty() && turn.leaves.is_empty();
        let is_idle =
            is_idle && turn.joins.is_empty() && turn.counted.is_empty() && self.before.queue.is_empty();
        match is_idle && !is_old && !self.has_new_keys() {
            true => Err(Refusal::Empty),
            false => Ok(()),
        }
    }

    /// Says whether somebody is counted and has no key yet, or a seat changes hands.
    fn has_new_keys(&self) -> bool {
        let mut state = self.before.clone();
        let drawn = state.draw(self.now.height, &self.evidence.blocks).is_ok();
        drawn
            && successor(&state, self.turn.group.as_deref())
                .is_ok_and(|epoch| Some(&epoch) != self.before.epochs.last())
    }

    fn check_founding(&self) -> Result<(), Refusal> {
        let (turn, least) = (self.turn, self.before.charter.founders);
        let founders = turn.joins.len();
        let only = turn.merges.is_empty() && turn.approvals.is_empty() && turn.leaves.is_empty();
        let most = usize::from(self.before.charter.construction.most_keys());
        match only && turn.counted.is_empty() && (usize::from(least)..=most).contains(&founders) {
            true => Ok(()),
            false => Err(Refusal::Founding { founders, least }),
        }
    }

    /// Ends a turn that leaves members.
    fn go_on(mut self, plan: Plan<'a>, executed: Executed) -> Result<Step, Refusal> {
        let paid_out = self.pay_leavers(&plan);
        let changes = self.admit(&plan);
        self.promote()?;
        self.state.draw(self.now.height, &self.evidence.blocks)?;
        let epoch = successor(&self.state, self.turn.group.as_deref())?;
        let reserved = reserve(&self.state, &epoch);
        if self.state.epochs.last() != Some(&epoch) {
            self.state.epochs.push(epoch.clone());
        }
        let mut outputs = executed.outputs;
        outputs.extend(paid_out.iter().map(|(_, output)| output.clone()));
        outputs.extend(changes);
        let value = plan.left(&outputs)?;
        let value = value.checked_sub(plan.fee).ok_or(Refusal::Funds(plan.fee))?;
        self.settle(value, reserved)?;
        let at = outputs.len();
        outputs.push(TxOut { value: Amount::from_sat(value), script_pubkey: epoch.script() });
        let done = (executed.proposals, executed.payers);
        let (transaction, notes) = plan.transaction(&self, outputs, executed.notes);
        let txid = transaction.transaction.compute_txid();
        let vout = u32::try_from(at).expect("a few hundred outputs");
        let coin = Pooled { outpoint: OutPoint { txid, vout }, value: Amount::from_sat(value) };
        self.state.coin = Some(coin);
        check_caps(self.before, plan.fee, value)?;
        let refund = refund(&self.state, &coin);
        self.finish(transaction, refund, notes, done, paid_out)
    }

    /// Ends the DAO: everybody is paid out.
    fn end(mut self, plan: Plan<'a>, executed: Executed) -> Result<Step, Refusal> {
        let left = plan.left(&executed.outputs)?;
        let left = left.checked_sub(plan.fee).ok_or(Refusal::Funds(plan.fee))?;
        let paid_out = self.pay_everybody(left);
        let mut outputs = executed.outputs;
        outputs.extend(paid_out.iter().map(|(_, output)| output.clone()));
        let done = (executed.proposals, executed.payers);
        let (transaction, notes) = plan.transaction(&self, outputs, executed.notes);
        self.state.coin = None;
        self.finish(transaction, None, notes, done, paid_out)
    }

    fn finish(
        mut self,
        transaction: Unsigned,
        refund: Option<Refund>,
        notes: Vec<Note>,
        (executed, payers): (Vec<ProposalId>, Vec<Shares>),
        paid_out: Vec<(PeerId, TxOut)>,
    ) -> Result<Step, Refusal> {
        self.state.tidy();
        self.state.audit()?;
        let is_gone = |peer: &&PeerId| self.state.member(peer).is_none();
        let joined = self.state.members().filter(|(_, member)| member.joined == self.now);
        Ok(Step {
            turn: self.state.turn(),
            joined: joined.map(|(peer, _)| *peer).collect(),
            left: self.before.members().map(|(peer, _)| peer).filter(is_gone).copied().collect(),
            state: self.state,
            transaction,
            refund,
            notes,
            executed,
            payers,
            paid_out: paid_out.into_iter().map(|(peer, output)| (peer, output.value)).collect(),
        })
    }
}

/// What the spends of a turn make.
#[derive(Default)]
pub(super) struct Executed {
    pub outputs: Vec<TxOut>,
    pub notes: Vec<Note>,
    pub proposals: Vec<ProposalId>,
    pub payers: Vec<Shares>,
}

impl State {
    /// Forgets what no rule asks for any more.
    fn forget(&mut self) {
        let height = self.height;
        let recent = |at: u32| at.saturating_add(FORTNIGHT) > height;
        self.spent.retain(|(at, _)| recent(*at));
        self.promoted.retain(|(at, _)| recent(*at));
        self.decided.retain(|_, expiry| *expiry >= height);
    }
}

fn check_height(before: &State, turn: &Turn, evidence: &Evidence) -> Result<(), Refusal> {
    let (height, tip) = (turn.height, evidence.tip);
    let least = before.height.max(evidence.lowest_height.unwrap_or(0));
    match (least..=tip).contains(&height) {
        true => Ok(()),
        false => Err(Refusal::Height { height, least, tip }),
    }
}

fn check_rate(turn: &Turn, evidence: &Evidence) -> Result<(), Refusal> {
    let highest = evidence.highest_rate.unwrap_or(FeeRate::MAX).min(MAX_FEE_RATE);
    match (MIN_FEE_RATE..=highest).contains(&turn.fee_rate()) {
        true => Ok(()),
        false => Err(Refusal::Rate(turn.rate)),
    }
}

/// Holds real money to its caps. A coin that grew past them by what artists paid back may still shrink.
fn check_caps(before: &State, fee: u64, coin: u64) -> Result<(), Refusal> {
    let limits = Limits::of(before.charter.network);
    let was = before.coin.map_or(0, |coin| coin.value.to_sat());
    if limits.amount.is_some_and(|most| coin > most.to_sat().max(was)) {
        return Err(Refusal::Cap(coin));
    }
    let most = limits.highest_fee(Amount::from_sat(coin.max(was)));
    match most.is_some_and(|most| fee > most.to_sat()) {
        true => Err(Refusal::Fee(fee)),
        false => Ok(()),
    }
}
