//! What fits into a turn's transaction, what it weighs, and who pays for it.

use domain::{
    PeerId,
    bitcoin::{
        Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness, absolute::LockTime,
        transaction::Version,
    },
    kinds::{Join, JoinId, MIN_OUTPUT, Note},
};

use super::{
    advance::{Owner, Unsigned, Work},
    epoch::successor,
    refund::reserve,
    refusal::{JoinProblem, Refusal},
    state::Spend,
    weights::{
        ANCHOR, ANCHOR_OUTPUT, COMMITMENT, INPUT, LARGEST_OUTPUT, MAX_WEIGHT, anchor, fee, joiner_input,
        output, overhead, refund_fee,
    },
};
use crate::paying::{Tree, id_of};

/// A coin that is spent besides those of joiners.
pub(super) struct Merged {
    pub outpoint: OutPoint,
    pub output: TxOut,
    pub owner: Owner,
}

/// Somebody who joins.
pub(super) struct Joiner<'a> {
    pub id: JoinId,
    pub peer: PeerId,
    pub join: &'a Join,
    /// What its coins leave after deposit and fees, if that makes an output.
    pub change: Option<u64>,
    /// What it pays in.
    pub claim: u64,
}

/// What a turn's transaction consists of, and its fees.
pub(super) struct Plan<'a> {
    /// The pooled coin, then what is merged.
    pub coins: Vec<Merged>,
    pub leavers: Vec<PeerId>,
    pub joiners: Vec<Joiner<'a>>,
    /// How many of the queue are paid.
    pub executed: usize,
    /// The transaction's fee.
    pub fee: u64,
    /// What the transaction costs whatever it does, with its anchor.
    pub base: u64,
    /// One member's part of that.
    pub share: u64,
    is_last: bool,
}

impl<'a> Plan<'a> {
    pub(super) fn of(
        work: &Work<'a>,
        coins: Vec<Merged>,
        mut leavers: Vec<PeerId>,
        joiners: Vec<Joiner<'a>>,
    ) -> Result<Self, Refusal> {
        let is_last = joiners.is_empty() && work.state.members().all(|(peer, _)| leavers.contains(peer));
        if is_last {
            let owed = work.state.accounts.iter().filter(|(_, account)| account.claim > Amount::ZERO);
            leavers = owed.map(|(peer, _)| *peer).collect();
        }
        let mut plan = Self { coins, leavers, joiners, executed: 0, fee: 0, base: 0, share: 0, is_last };
        let rate = work.turn.rate;
        let fixed = plan.fixed_weight(work);
        plan.executed = work.fitting(MAX_WEIGHT.checked_sub(fixed).ok_or(Refusal::Weight(fixed))?);
        if is_last && plan.executed < work.state.queue.len() {
            return Err(Refusal::Weight(fixed));
        }
        plan.base = fee(plan.base_weight(work), rate) + ANCHOR + plan.founding_reserve(work)?;
        let heads = work.before.members().count() + plan.joiners.len();
        plan.share = plan.base.div_ceil(heads.max(1) as u64);
        let share = plan.share;
        plan.joiners.iter_mut().try_for_each(|joiner| joiner.pay(rate, share))?;
        let spends = work.state.queue.iter().take(plan.executed).map(spend_weight).sum::<u64>();
        plan.fee = fee(plan.fixed_weight(work) + spends, rate);
        Ok(plan)
    }

    /// Says whether nobody is a member afterwards.
    pub(super) fn is_last(&self) -> bool {
        self.is_last
    }

    /// What the transaction spends beyond these outputs and its anchor.
    pub(super) fn left(&self, outputs: &[TxOut]) -> Result<u64, Refusal> {
        let pool = self.coins.iter().map(|coin| coin.output.value.to_sat());
        let joiners = self.joiners.iter().flat_map(|joiner| &joiner.join.inputs);
        let spent: u64 = pool.chain(joiners.map(|input| input.value.to_sat())).sum();
        let paid = outputs.iter().map(|output| output.value.to_sat()).sum::<u64>() + ANCHOR;
        spent.checked_sub(paid).ok_or(Refusal::Funds(paid))
    }

    /// Builds the transaction of these outputs, and sets the notes' places in its commitment.
    pub(super) fn transaction(
        &self,
        work: &Work<'_>,
        outputs: Vec<TxOut>,
        mut notes: Vec<Note>,
    ) -> (Unsigned, Vec<Note>) {
        let builder = &work.turn.builder;
        let ids = notes.iter().map(|note| id_of(builder, note));
        let tree =
            Tree::of(ids.chain([work.turn.id().leaf()])).expect("fewer than a transaction has outputs");
        for note in &mut notes {
            note.place = tree.place(&id_of(builder, note));
        }
        let commitment = TxOut { value: Amount::ZERO, script_pubkey: tree.root().script() };
        let mut output = outputs;
        output.extend([anchor(), commitment]);
        let (spent, owners) = self.spent();
        let input = self.outpoints().map(unsigned).collect();
        let lock_time = LockTime::from_height(work.turn.height).unwrap_or(LockTime::ZERO);
        let transaction = Transaction { version: Version(3), lock_time, input, output };
        (Unsigned { transaction, spent, owners }, notes)
    }

    fn outpoints(&self) -> impl Iterator<Item = OutPoint> {
        let joiners = self.joiners.iter().flat_map(|joiner| &joiner.join.inputs);
        self.coins.iter().map(|coin| coin.outpoint).chain(joiners.map(|input| input.outpoint))
    }

    fn spent(&self) -> (Vec<TxOut>, Vec<Owner>) {
        let pool = self.coins.iter().map(|coin| (coin.output.clone(), coin.owner.clone()));
        let joiners = self.joiners.iter().flat_map(|joiner| {
            let spent = |input: &domain::kinds::JoinInput| TxOut {
                value: input.value,
                script_pubkey: input.script.clone(),
            };
            joiner.join.inputs.iter().map(move |input| (spent(input), Owner::Joiner(joiner.peer)))
        });
        pool.chain(joiners).unzip()
    }

    /// Weight of all but the spends.
    fn fixed_weight(&self, work: &Work<'_>) -> u64 {
        let merged = self.coins.iter().skip(1).map(|coin| coin_weight(&coin.owner)).sum::<u64>();
        let leavers = self.leavers.iter().filter_map(|peer| work.state.accounts.get(peer));
        let leavers = leavers.map(|account| output(&account.leave)).sum::<u64>();
        self.base_weight(work) + merged + leavers + self.joiners.iter().map(Joiner::weight).sum::<u64>()
    }

    /// Weight of what every turn has: the pooled coin and its successor, the anchor, the commitment.
    fn base_weight(&self, work: &Work<'_>) -> u64 {
        let inputs =
            self.coins.len() + self.joiners.iter().map(|joiner| joiner.join.inputs.len()).sum::<usize>();
        let spends = work.state.queue.iter().map(|spend| spend.outputs.len()).sum::<usize>();
        let outputs = spends + self.leavers.len() + self.joiners.len() + 3;
        let pool = self.coins.first().map_or(0, |coin| coin_weight(&coin.owner));
        let successor = if self.is_last { 0 } else { LARGEST_OUTPUT };
        overhead(inputs, outputs) + pool + successor + ANCHOR_OUTPUT + COMMITMENT
    }

    /// What the first refund costs beyond everybody's own output: founders pay it with the transaction.
    fn founding_reserve(&self, work: &Work<'_>) -> Result<u64, Refusal> {
        if !work.before.is_unfounded() {
            return Ok(0);
        }
        let mut founded = work.state.clone();
        self.joiners.iter().for_each(|joiner| founded.enter(joiner, work.now));
        let whole = reserve(&founded, &*successor(&founded, work.turn.group.as_deref())?).to_sat();
        let own = self.joiners.iter().map(|joiner| refund_fee(output(&joiner.join.leave))).sum::<u64>();
        Ok(whole.saturating_sub(own))
    }
}

impl Joiner<'_> {
    /// Weight of its inputs and its change.
    fn weight(&self) -> u64 {
        let inputs = self.join.inputs.iter().map(|input| joiner_input(&input.script)).sum::<u64>();
        inputs + self.change.map_or(0, |_| output(&self.join.change))
    }

    /// Settles change and claim: it pays its own weight, its own part of the refund, and one member's part of the base.
    fn pay(&mut self, rate: u32, share: u64) -> Result<(), Refusal> {
        let paid: u64 = self.join.inputs.iter().map(|input| input.value.to_sat()).sum();
        let deposit = self.join.deposit.to_sat();
        let fees = |weight| fee(weight, rate) + share + refund_fee(output(&self.join.leave));
        let left = |weight| paid.checked_sub(deposit.saturating_add(fees(weight)));
        let with_change = left(self.weight()).filter(|left| *left >= MIN_OUTPUT);
        if let Some(change) = with_change {
            (self.change, self.claim) = (Some(change), deposit);
            return Ok(());
        }
        let rest = left(self.weight() - output(&self.join.change)).ok_or(self.refused(JoinProblem::Funds))?;
        (self.change, self.claim) = (None, deposit + rest);
        Ok(())
    }

    pub(super) fn refused(&self, problem: JoinProblem) -> Refusal {
        Refusal::Join { join: self.id, member: self.peer, problem }
    }
}

impl Work<'_> {
    /// Counts how many of the queue, from its head, fit a weight and what may be spent in a fortnight. The first of a
    /// fortnight always may: nothing waits for ever.
    fn fitting(&self, mut room: u64) -> usize {
        let mut spent: u64 = self.state.spent.iter().map(|(_, sat)| sat).sum();
        let most = self.state.may_spend();
        let fits = |spend: &&Spend| {
            let (weight, amount) = (spend_weight(spend), spend.amount().to_sat());
            let fits = weight <= room && (spent == 0 || spent + amount <= most);
            if fits {
                room -= weight;
                spent += amount;
            }
            fits
        };
        self.state.queue.iter().take_while(fits).count()
    }
}

/// Weight of what spends one of the DAO's coins.
pub(super) fn coin_weight(owner: &Owner) -> u64 {
    match owner {
        Owner::Epoch(epoch) => INPUT + epoch.witness_weight().to_wu(),
        Owner::Joiner(_) => 0,
    }
}

fn spend_weight(spend: &Spend) -> u64 {
    spend.outputs.iter().map(|paid| output(&paid.script_pubkey)).sum()
}

fn unsigned(previous_output: OutPoint) -> TxIn {
    let sequence = Sequence::ENABLE_RBF_NO_LOCKTIME;
    TxIn { previous_output, script_sig: ScriptBuf::new(), sequence, witness: Witness::new() }
}
