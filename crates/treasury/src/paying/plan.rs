//! What an artist pays next: who gets how much, and the outputs and records that make it so.

use domain::{
    Network, PeerId,
    bitcoin::{Amount, ScriptBuf},
    kinds::{Due, MAX_LINES, NoteId, OfferId, PaymentId, Payout, PayoutLine},
};

use super::{
    Ledger, NoteOwner, NoteState, Root, Tree, Watch, add,
    facts::PaidAt,
    id_of,
    owners::{DUST, divide},
    total,
    waterfall::pro_rata,
};

/// Most payees of one transaction; whoever is over waits for the next.
pub const MAX_PAYEES: usize = 1_000;

/// What the artist wishes to pay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// One offer's notes and collaborators; every offer's where it is not said.
    pub offer: Option<OfferId>,
    /// Exactly so much to notes, ahead of what is owed if need be, instead of all that is owed.
    pub amount: Option<Amount>,
    /// Notes whose principal goes back before they earn.
    pub declines: Vec<NoteId>,
    /// Presents.
    pub rewards: Vec<Reward>,
}

/// A present to a fan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reward {
    /// The fan's address.
    pub script: ScriptBuf,
    /// How much.
    pub amount: Amount,
    /// What it is for.
    pub payment: Option<PaymentId>,
}

/// Who gets how much. The network's fee is on top.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Payees, one output each.
    pub lines: Vec<PlanLine>,
    /// What is owed and is not paid now: dust, DAOs whose address is not known, and whoever is over [`MAX_PAYEES`].
    pub carried: Vec<(Due, Amount)>,
}

/// A payee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanLine {
    /// What is paid for.
    pub due: Due,
    /// Where.
    pub script: ScriptBuf,
    /// How much.
    pub amount: Amount,
    /// Who it is that owns a part of a DAO's note, where that person is paid instead of the DAO.
    pub owner: Option<PeerId>,
}

/// A plan as records to sign, and what their transaction says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// To sign and store before the transaction is sent.
    pub payouts: Vec<Payout>,
    /// What the transaction says, behind the plan's lines: they are its first outputs, in their order.
    pub root: Root,
}

/// Says why something cannot be paid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// There is no such offer.
    #[error("there is no offer {0} of this artist")]
    UnknownOffer(OfferId),
    /// There is no such note.
    #[error("there is no paid note {0}")]
    UnknownNote(NoteId),
    /// The note has earned or was paid already.
    #[error("the note {0} has earned already and cannot be declined")]
    HasEarned(NoteId),
    /// An amount is above what may be paid.
    #[error("{} sat are more than the {} sat that the notes' caps leave", .asked.to_sat(), .room.to_sat())]
    AboveCaps {
        /// The amount asked for.
        asked: Amount,
        /// What the caps leave.
        room: Amount,
    },
    /// Nobody is owed anything that can be paid.
    #[error("nothing is owed that can be paid: what is below the dust limit waits")]
    NothingOwed,
    /// Where a DAO is paid is not known.
    #[error(
        "where the DAO of the note {0} is paid is not known here yet: its newest transactions are on their way"
    )]
    PayeeUnknown(NoteId),
    /// An amount cannot be divided without dust.
    #[error("{} sat cannot be divided without outputs below the dust limit", .0.to_sat())]
    Dust(Amount),
    /// Too many payees.
    #[error("{0} payees are more than {MAX_PAYEES}")]
    TooMany(usize),
}

impl PlanError {
    /// Returns the stable code for scripts and screens.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownOffer(_) => "unknown_offer",
            Self::UnknownNote(_) => "unknown_note",
            Self::HasEarned(_) => "note_has_earned",
            Self::AboveCaps { .. } => "amount_above_caps",
            Self::NothingOwed => "nothing_owed",
            Self::PayeeUnknown(_) => "payee_unknown",
            Self::Dust(_) => "amount_dust",
            Self::TooMany(_) => "too_many_payees",
        }
    }
}

impl Ledger {
    /// Plans a payout. What is not confirmed yet does not count: let an earlier payout confirm before the next.
    ///
    /// # Errors
    /// Every [`PlanError`].
    pub fn plan(&self, watch: &Watch, wish: &Wish) -> Result<Plan, PlanError> {
        if let Some(offer) = wish.offer.filter(|offer| !self.offers.contains_key(offer)) {
            return Err(PlanError::UnknownOffer(offer));
        }
        let mut plan = Plan::default();
        for note in &wish.declines {
            self.plan_decline(watch, note, &mut plan)?;
        }
        match wish.amount {
            Some(amount) => self.plan_exactly(watch, wish, amount, &mut plan)?,
            // Who only declines or rewards pays nobody else.
            None if wish.declines.is_empty() && wish.rewards.is_empty() => {
                self.plan_owed(watch, wish, &mut plan)
            }
            None => {}
        }
        for reward in &wish.rewards {
            if reward.amount < reward.script.minimal_non_dust() {
                return Err(PlanError::Dust(reward.amount));
            }
            let Reward { script, amount, payment } = reward.clone();
            plan.lines.push(PlanLine { due: Due::Reward(payment), script, amount, owner: None });
        }
        match plan.lines.len() {
            0 => Err(self.unknown_payee(watch, wish).unwrap_or(PlanError::NothingOwed)),
            count if count > MAX_PAYEES => Err(PlanError::TooMany(count)),
            _ => Ok(plan),
        }
    }

    /// Plans to give back what of an investment came beyond the goal or too late, else all of one that has not earned yet.
    ///
    /// # Errors
    /// Every [`PlanError`].
    pub fn plan_refund(&self, watch: &Watch, id: NoteId) -> Result<Plan, PlanError> {
        let note = self.notes.get(&id).ok_or(PlanError::UnknownNote(id))?;
        let due = note.owed_refund();
        if due == Amount::ZERO {
            return self.plan(watch, &Wish { declines: vec![id], ..Wish::default() });
        }
        let mut plan = Plan::default();
        plan.owe(Due::Refund(id), watch.paid_at(&id, &note.payee), due);
        match plan.lines.is_empty() {
            true if watch.paid_at(&id, &note.payee).is_none() => Err(PlanError::PayeeUnknown(id)),
            true => Err(PlanError::Dust(due)),
            false => Ok(plan),
        }
    }

    /// Every debt that the wish covers, in the order of the chain, refunds before earnings before collaborators.
    fn plan_owed(&self, watch: &Watch, wish: &Wish, plan: &mut Plan) {
        let notes = self.wished(wish);
        for (id, note) in &notes {
            plan.owe(Due::Refund(*id), watch.paid_at(id, &note.payee), note.owed_refund());
        }
        for (id, note) in &notes {
            let owed = note.owed_earned().min(note.headroom());
            plan.owe(Due::Earned(*id), watch.paid_at(id, &note.payee), owed);
        }
        for (id, state) in self.offers.iter().filter(|(id, _)| wish.offer.is_none_or(|it| it == **id)) {
            for (number, (split, state)) in (0..).zip(state.offer.splits().iter().zip(&state.splits)) {
                let script = PaidAt::Script(split.script.clone());
                plan.owe(Due::Split(*id, number), Some(script), state.owed());
            }
        }
    }

    fn plan_decline(&self, watch: &Watch, id: &NoteId, plan: &mut Plan) -> Result<(), PlanError> {
        let note = self.notes.get(id).ok_or(PlanError::UnknownNote(*id))?;
        let untouched = note.earned == Amount::ZERO && note.paid == Amount::ZERO;
        if !untouched || note.accepted == Amount::ZERO {
            return Err(PlanError::HasEarned(*id));
        }
        let whole = add(note.owed_refund(), note.accepted);
        plan.owe(Due::Refund(*id), watch.paid_at(id, &note.payee), whole);
        Ok(())
    }

    /// Pays notes exactly so much, whoever is owed something first. A part that would be dust goes to the others.
    fn plan_exactly(
        &self,
        watch: &Watch,
        wish: &Wish,
        amount: Amount,
        plan: &mut Plan,
    ) -> Result<(), PlanError> {
        let notes = self.wished(wish).into_iter().filter_map(|(id, note)| {
            let to = watch.paid_at(&id, &note.payee)?;
            let can = note.accepted > Amount::ZERO && note.headroom() >= to.least();
            can.then_some((id, note, to))
        });
        let mut notes: Vec<(NoteId, &NoteState, PaidAt<'_>)> = notes.collect();
        let room = total(notes.iter().map(|(_, note, _)| note.headroom()));
        if amount > room {
            let unknown = self.unknown_payee(watch, wish);
            return Err(unknown.unwrap_or(PlanError::AboveCaps { asked: amount, room }));
        }
        loop {
            let parts = by_notes(amount, &notes);
            let dust = |at: &usize| !notes[*at].2.takes(parts[*at]);
            let smallest =
                (0..notes.len()).filter(dust).min_by_key(|at| (parts[*at], std::cmp::Reverse(*at)));
            let Some(smallest) = smallest else {
                for ((id, _, to), amount) in notes.into_iter().zip(parts) {
                    plan.lines.extend(to.lines(Due::Earned(id), amount));
                }
                return Ok(());
            };
            notes.remove(smallest);
            let room = total(notes.iter().map(|(_, note, _)| note.headroom()));
            if amount > room {
                return Err(PlanError::Dust(amount));
            }
        }
    }

    /// A note with room whose payee is not known.
    fn unknown_payee(&self, watch: &Watch, wish: &Wish) -> Option<PlanError> {
        let is_unknown = |(id, note): &(NoteId, &NoteState)| {
            note.headroom() > Amount::ZERO && watch.paid_at(id, &note.payee).is_none()
        };
        self.wished(wish).into_iter().find(is_unknown).map(|(id, _)| PlanError::PayeeUnknown(id))
    }

    fn wished(&self, wish: &Wish) -> Vec<(NoteId, &NoteState)> {
        let offers = self.offers.keys().filter(|id| wish.offer.is_none_or(|it| it == **id));
        offers.flat_map(|offer| self.notes_of(offer)).collect()
    }
}

impl Plan {
    /// Returns the sum of the lines.
    pub fn total(&self) -> Amount {
        total(self.lines.iter().map(|line| line.amount))
    }

    /// Makes the records to sign. `salt` gives sixteen random bytes for each. `None` where nobody is paid.
    pub fn batch(
        &self,
        artist: &PeerId,
        network: Network,
        mut salt: impl FnMut() -> [u8; 16],
    ) -> Option<Batch> {
        let line = |(vout, line): (u32, &PlanLine)| PayoutLine { due: line.due, vout, amount: line.amount };
        let lines: Vec<PayoutLine> = (0..).zip(&self.lines).map(line).collect();
        let payout =
            |lines: &[PayoutLine]| Payout { network, salt: salt(), lines: lines.to_vec(), place: None };
        let mut payouts: Vec<Payout> = lines.chunks(MAX_LINES).map(payout).collect();
        let tree = Tree::of(payouts.iter().map(|payout| id_of(artist, payout)))?;
        for payout in &mut payouts {
            payout.place = tree.place(&id_of(artist, payout));
        }
        Some(Batch { payouts, root: tree.root() })
    }

    fn owe(&mut self, due: Due, to: Option<PaidAt<'_>>, amount: Amount) {
        if amount == Amount::ZERO {
            return;
        }
        let lines = to.map(|to| to.lines(due, amount)).unwrap_or_default();
        match !lines.is_empty() && self.lines.len() + lines.len() <= MAX_PAYEES {
            true => self.lines.extend(lines),
            false => self.carried.push((due, amount)),
        }
    }
}

impl PaidAt<'_> {
    /// The least that can be paid.
    fn least(&self) -> Amount {
        match self {
            Self::Script(script) => script.minimal_non_dust(),
            Self::Owners(_) => DUST,
        }
    }

    /// Says whether an amount can be paid.
    fn takes(&self, amount: Amount) -> bool {
        match self {
            Self::Script(_) => amount >= self.least(),
            Self::Owners(owners) => !divide(amount, owners).is_empty(),
        }
    }

    /// The outputs that pay an amount; none where it would be dust.
    fn lines(&self, due: Due, amount: Amount) -> Vec<PlanLine> {
        match self {
            Self::Script(script) if self.takes(amount) => {
                vec![PlanLine { due, script: script.clone(), amount, owner: None }]
            }
            Self::Script(_) => Vec::new(),
            Self::Owners(owners) => {
                let line = |(owner, amount): (&NoteOwner, Amount)| {
                    let (script, owner) = (owner.script.clone(), Some(owner.peer));
                    PlanLine { due, script, amount, owner }
                };
                divide(amount, owners).into_iter().map(line).collect()
            }
        }
    }
}

/// Divides an amount that the caps leave room for: what is owed first, then by principal.
fn by_notes(amount: Amount, notes: &[(NoteId, &NoteState, PaidAt<'_>)]) -> Vec<Amount> {
    let rooms: Vec<u64> = notes.iter().map(|(_, note, _)| note.headroom().to_sat()).collect();
    let principals: Vec<u64> = notes.iter().map(|(_, note, _)| note.accepted.to_sat()).collect();
    let owed = notes.iter().zip(&rooms).map(|((_, note, _), room)| note.owed_earned().to_sat().min(*room));
    let owed: Vec<u64> = owed.collect();
    let amount = amount.to_sat();
    let straight = fill(amount, &principals, &rooms);
    let parts = if straight.iter().zip(&owed).all(|(part, owed)| part >= owed) {
        straight
    } else if amount <= owed.iter().sum() {
        fill(amount, &owed, &owed)
    } else {
        let left: Vec<u64> = rooms.iter().zip(&owed).map(|(room, owed)| room - owed).collect();
        let ahead = fill(amount - owed.iter().sum::<u64>(), &principals, &left);
        owed.iter().zip(&ahead).map(|(owed, ahead)| owed + ahead).collect()
    };
    parts.into_iter().map(Amount::from_sat).collect()
}

/// Divides by weights, never above the room of each: what is over goes to the others. The rooms hold the amount.
fn fill(amount: u64, weights: &[u64], rooms: &[u64]) -> Vec<u64> {
    let mut parts = vec![0; rooms.len()];
    let mut left = amount;
    while left > 0 {
        let open = |at: usize| if parts[at] < rooms[at] { weights[at] } else { 0 };
        let open: Vec<u64> = (0..rooms.len()).map(open).collect();
        if open.iter().all(|weight| *weight == 0) {
            break;
        }
        let shares = pro_rata(left, &open);
        for ((part, share), room) in parts.iter_mut().zip(shares).zip(rooms) {
            let granted = share.min(room - *part);
            *part += granted;
            left -= granted;
        }
    }
    parts
}
