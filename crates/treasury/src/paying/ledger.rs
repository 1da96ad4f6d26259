//! Who is owed what and was paid: one walk along the chain.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    Network, PeerId, RecordId, SlotId,
    bitcoin::{Amount, OutPoint, ScriptBuf, Txid},
    kinds::{Due, Note, NoteId, Offer, OfferId, Payee, Payout, PayoutLine},
};

use super::{
    BlockFacts, Book, Facts, NoteOwner, Root, Signed, Terms, TxFacts, Watch,
    book::TURNED_AROUND,
    owners::{DUST, is_divided},
    waterfall::{Flow, Part},
    {add, less},
};
use crate::wallet::Chain;

/// How long after it was earned something may wait to be paid before it is late: thirty days of median time.
pub const LATE_AFTER: u32 = 30 * 24 * 60 * 60;

/// What is owed to whom, as of one block and one set of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// Whose it is.
    pub artist: PeerId,
    /// The chain.
    pub network: Network,
    /// The block up to which it is.
    pub tip: BlockFacts,
    /// All that came in at the income addresses.
    pub income: Amount,
    /// What of it is the artist's: the income less what notes and collaborators earned.
    pub kept: Amount,
    /// Offers by id.
    pub offers: BTreeMap<OfferId, OfferState>,
    /// Notes that were paid, by id.
    pub notes: BTreeMap<NoteId, NoteState>,
    /// Payouts of which something was paid, by id, with the transactions that paid it.
    pub payouts: BTreeMap<SlotId, BTreeSet<Txid>>,
    /// Given to fans.
    pub rewards: Amount,
    /// Why the ledger cannot be whole.
    pub problems: BTreeSet<Problem>,
    /// Records of the artist's log that it is made of.
    pub(super) log: BTreeSet<RecordId>,
}

/// An offer and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferState {
    /// Its terms.
    pub offer: Offer,
    /// Principal that counts towards the goal.
    pub raised: Amount,
    /// The collaborators, in the order of the splits.
    pub splits: Vec<SplitState>,
    /// Whether its time is over.
    pub is_expired: bool,
}

/// A collaborator of an offer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SplitState {
    /// Part of the income so far.
    pub earned: Amount,
    /// Paid so far.
    pub paid: Amount,
    /// Earned longer ago than [`LATE_AFTER`].
    pub matured: Amount,
}

/// A note that a transaction paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteState {
    /// Who signed it.
    pub investor: PeerId,
    /// Its offer.
    pub offer: OfferId,
    /// Who is paid back.
    pub payee: Payee,
    /// The output that paid it.
    pub outpoint: OutPoint,
    /// The block that confirmed it.
    pub block: BlockFacts,
    /// What was invested.
    pub principal: Amount,
    /// What of it counts towards the goal; the rest is refunded.
    pub accepted: Amount,
    /// What it gets back at most.
    pub cap: Amount,
    /// What it has earned.
    pub earned: Amount,
    /// What it was paid, without refunds.
    pub paid: Amount,
    /// What of the principal goes back.
    pub refund: Amount,
    /// What of that went back.
    pub refunded: Amount,
    /// Whether the artist gave the principal back before it earned anything.
    pub declined: bool,
    /// Earned longer ago than [`LATE_AFTER`].
    matured: Amount,
    /// Of the refund, what was due longer ago than [`LATE_AFTER`].
    refund_matured: Amount,
    expired: bool,
}

/// How a note stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NoteStatus {
    /// It earns, and what it earned was paid or is not due for long.
    Live,
    /// Something has been owed for longer than [`LATE_AFTER`].
    Late,
    /// It was paid its cap.
    Repaid,
    /// It earns no more: its offer's time is over.
    Expired,
    /// The principal is to go back.
    RefundDue,
    /// The principal went back.
    Refunded,
    /// The artist did not want it: the principal went back before anything was earned.
    Declined,
}

/// Why a ledger cannot be whole.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(tag = "code", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Problem {
    /// The artist published no income addresses, or their record is not here.
    NoIncomeRecord,
    /// The artist's log names a record that is not here.
    RecordMissing {
        /// The record.
        record: RecordId,
    },
    /// The artist's log goes on in two ways after a record.
    LogForked {
        /// The record.
        record: RecordId,
    },
    /// The artist published more windows of addresses than are looked through.
    TooManyWindows,
    /// An investment came whose notes are not here, or do not sum to it.
    PrincipalWithoutNote {
        /// The output that pays it.
        outpoint: OutPoint,
        /// Its value.
        sat: u64,
    },
    /// A note was paid whose offer is not here.
    OfferMissing {
        /// The note.
        note: NoteId,
        /// The offer.
        offer: OfferId,
    },
}

impl Problem {
    /// Returns the stable code for scripts and screens.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoIncomeRecord => "no_income_record",
            Self::RecordMissing { .. } => "record_missing",
            Self::LogForked { .. } => "log_forked",
            Self::TooManyWindows => "too_many_windows",
            Self::PrincipalWithoutNote { .. } => "principal_without_note",
            Self::OfferMissing { .. } => "offer_missing",
        }
    }
}

impl NoteState {
    /// Returns what is owed of the income: earned and not paid yet.
    pub fn owed_earned(&self) -> Amount {
        less(self.earned, self.paid)
    }

    /// Returns what is owed of the principal.
    pub fn owed_refund(&self) -> Amount {
        less(self.refund, self.refunded)
    }

    /// Returns all that is owed.
    pub fn owed(&self) -> Amount {
        add(self.owed_earned(), self.owed_refund())
    }

    /// Returns what has been owed for longer than [`LATE_AFTER`].
    pub fn overdue(&self) -> Amount {
        add(less(self.matured, self.paid), less(self.refund_matured, self.refunded))
    }

    /// Returns what may still be paid before the cap.
    pub fn headroom(&self) -> Amount {
        less(self.cap, self.paid)
    }

    /// Says how the note stands. Dust cannot be paid, so it is never late.
    pub fn status(&self) -> NoteStatus {
        if self.overdue() >= self.payee_dust() {
            NoteStatus::Late
        } else if self.declined && self.owed_refund() == Amount::ZERO {
            NoteStatus::Declined
        } else if self.accepted == Amount::ZERO {
            match self.owed_refund() {
                Amount::ZERO => NoteStatus::Refunded,
                _ => NoteStatus::RefundDue,
            }
        } else if self.paid >= self.cap {
            NoteStatus::Repaid
        } else if self.expired {
            NoteStatus::Expired
        } else {
            NoteStatus::Live
        }
    }

    fn payee_dust(&self) -> Amount {
        match &self.payee {
            Payee::Script(script) => script.minimal_non_dust(),
            Payee::Dao(_) => DUST,
        }
    }
}

impl SplitState {
    /// Returns what is owed.
    pub fn owed(&self) -> Amount {
        less(self.earned, self.paid)
    }
}

impl Ledger {
    /// Walks along the chain. The result depends on what is handed in alone: on no clock, and on no order of records.
    pub fn of(book: &Book, watch: &Watch, facts: &Facts) -> Self {
        let mut walk = Walk::new(book, watch, facts);
        for transaction in book.counted(facts) {
            walk.receive(transaction);
            walk.pay_out(transaction);
            walk.invest(transaction);
            walk.pay_out_early();
        }
        walk.finish(book)
    }

    /// Says whether nothing is known to be lacking.
    pub fn is_complete(&self) -> bool {
        self.problems.is_empty()
    }

    /// Returns the notes of an offer in the order of the chain.
    pub fn notes_of(&self, offer: &OfferId) -> Vec<(NoteId, &NoteState)> {
        let of = self.notes.iter().filter(|(_, note)| note.offer == *offer);
        let mut notes: Vec<_> = of.map(|(id, note)| (*id, note)).collect();
        notes.sort_by_key(|(id, note)| (note.block.height, note.outpoint, *id));
        notes
    }
}

/// The state between two transactions.
struct Walk<'a> {
    watch: &'a Watch,
    ledger: Ledger,
    /// Notes that were paid, in the order of the chain.
    paid: Vec<(NoteId, NoteState)>,
    numbers: BTreeMap<NoteId, usize>,
    /// Offers with a note, in the order of their first one: an earlier one is served first.
    flows: Vec<(OfferId, u32, Flow)>,
    notes_by_root: BTreeMap<Root, Vec<(NoteId, &'a Signed<Note>)>>,
    payouts_by_root: BTreeMap<Root, Vec<(SlotId, &'a Payout)>>,
    /// Payouts and their outputs that were counted.
    credited: BTreeSet<(SlotId, u32)>,
    /// What was paid out to a note that comes later in the chain: a reorganisation may turn the two around.
    early: BTreeMap<NoteId, Vec<&'a TxFacts>>,
    /// Notes of this transaction that something was paid out to before.
    awaited: Vec<NoteId>,
}

impl<'a> Walk<'a> {
    fn new(book: &'a Book, watch: &'a Watch, facts: &'a Facts) -> Self {
        let wanted: BTreeSet<Root> = book.counted(facts).filter_map(|it| it.root).collect();
        let mut notes_by_root: BTreeMap<Root, Vec<_>> = BTreeMap::new();
        for (id, note) in book.notes() {
            if let Some(root) = Root::above(id, note.body.place.as_ref()).filter(|it| wanted.contains(it)) {
                notes_by_root.entry(root).or_default().push((*id, note));
            }
        }
        let mut payouts_by_root: BTreeMap<Root, Vec<_>> = BTreeMap::new();
        for (id, payout) in book.payouts() {
            if let Some(root) = Root::above(id, payout.place.as_ref()).filter(|it| wanted.contains(it)) {
                payouts_by_root.entry(root).or_default().push((*id, payout));
            }
        }
        let ledger = Ledger {
            artist: book.artist,
            network: book.network,
            tip: facts.tip,
            income: Amount::ZERO,
            kept: Amount::ZERO,
            offers: offers(book, facts.tip.median_time_past),
            notes: BTreeMap::new(),
            payouts: BTreeMap::new(),
            rewards: Amount::ZERO,
            problems: BTreeSet::new(),
            log: book.log_ids(),
        };
        let (paid, numbers, flows) = (Vec::new(), BTreeMap::new(), Vec::new());
        let (credited, early, awaited) = (BTreeSet::new(), BTreeMap::new(), Vec::new());
        Self { watch, ledger, paid, numbers, flows, notes_by_root, payouts_by_root, credited, early, awaited }
    }

    /// Lets every output at an income address flow through the offers.
    fn receive(&mut self, transaction: &TxFacts) {
        for output in transaction.outputs.values() {
            if self.watch.address(&output.script_pubkey).is_some_and(|(chain, _)| chain == Chain::Income) {
                self.pour(output.value, transaction.block.median_time_past);
            }
        }
    }

    fn pour(&mut self, value: Amount, time: u32) {
        let matured = is_mature(time, self.ledger.tip);
        let mut left = value.to_sat();
        for (offer, expiry, flow) in &mut self.flows {
            if time >= *expiry || left == 0 {
                continue;
            }
            let splits = &mut self.ledger.offers.get_mut(offer).expect("a flow is of an offer").splits;
            let paid = &mut self.paid;
            left = flow.pour(left, |part| match part {
                Part::Split(number, sat) => {
                    let split = &mut splits[number];
                    grow(&mut split.earned, &mut split.matured, sat, matured);
                }
                Part::Note(number, sat) => {
                    let note = &mut paid[number].1;
                    grow(&mut note.earned, &mut note.matured, sat, matured);
                }
            });
        }
        self.ledger.income = add(self.ledger.income, value);
        self.ledger.kept = add(self.ledger.kept, Amount::from_sat(left));
    }

    /// Counts what a payout's transaction pays. A line counts where the lines on its output sum to the output's value
    /// and the output is its payee's; and once, so that whoever copies a commitment to pay one line takes no other.
    fn pay_out(&mut self, transaction: &'a TxFacts) {
        let Some(payouts) = transaction.root.and_then(|root| self.payouts_by_root.get(&root)) else { return };
        let mut lines: BTreeMap<u32, Vec<(SlotId, PayoutLine)>> = BTreeMap::new();
        for (id, payout) in payouts {
            payout.lines.iter().for_each(|line| lines.entry(line.vout).or_default().push((*id, *line)));
        }
        let divided = self.divided(&lines, transaction);
        for (vout, lines) in lines {
            let Some(output) = transaction.outputs.get(&vout) else { continue };
            if let Some(note) = lines.iter().find_map(|(_, line)| self.unknown_note(line)) {
                self.early.entry(note).or_default().push(transaction);
                continue;
            }
            let sum = lines.iter().fold(Amount::ZERO, |sum, (_, line)| add(sum, line.amount));
            let is_due = |line: &PayoutLine| divided.contains(&line.due) || self.is_payee(line, output);
            if sum != output.value || !lines.iter().all(|(_, line)| is_due(line)) {
                continue;
            }
            let ids: BTreeSet<SlotId> = lines.iter().map(|(id, _)| *id).collect();
            for id in ids.into_iter().filter(|id| self.credited.insert((*id, vout))).collect::<Vec<_>>() {
                let own = lines.iter().filter(|(of, _)| *of == id);
                own.for_each(|(_, line)| self.credit(line, transaction.block));
                self.ledger.payouts.entry(id).or_default().insert(transaction.txid);
            }
        }
    }

    /// What is due to a DAO and divided among the owners of its note: all of it exactly as it divides, or it does not count.
    fn divided(
        &self,
        lines: &BTreeMap<u32, Vec<(SlotId, PayoutLine)>>,
        transaction: &TxFacts,
    ) -> BTreeSet<Due> {
        let mut paid: BTreeMap<Due, Vec<(&ScriptBuf, Amount)>> = BTreeMap::new();
        for (vout, lines) in lines {
            let Some(output) = transaction.outputs.get(vout) else { continue };
            for (_, line) in lines {
                paid.entry(line.due).or_default().push((&output.script_pubkey, line.amount));
            }
        }
        paid.retain(|due, paid| self.owners(due).is_some_and(|owners| is_divided(paid, owners)));
        paid.into_keys().collect()
    }

    fn owners(&self, due: &Due) -> Option<&'a [NoteOwner]> {
        let (Due::Earned(id) | Due::Refund(id)) = due else { return None };
        let (_, note) = &self.paid[*self.numbers.get(id)?];
        self.watch.owners(id, &note.payee)
    }

    /// Counts what was paid out to the notes that this transaction paid, as far back as everybody looks.
    fn pay_out_early(&mut self) {
        for note in std::mem::take(&mut self.awaited) {
            let since = self.paid[self.numbers[&note]].1.block.height.saturating_sub(TURNED_AROUND);
            let early = self.early.remove(&note).unwrap_or_default();
            let near = early.into_iter().filter(|transaction| transaction.block.height >= since);
            near.for_each(|transaction| self.pay_out(transaction));
        }
    }

    /// The note that a line pays, where the chain has not come to it.
    fn unknown_note(&self, line: &PayoutLine) -> Option<NoteId> {
        match line.due {
            Due::Earned(note) | Due::Refund(note) if !self.numbers.contains_key(&note) => Some(note),
            _ => None,
        }
    }

    fn is_payee(&self, line: &PayoutLine, output: &domain::bitcoin::TxOut) -> bool {
        match line.due {
            Due::Earned(note) | Due::Refund(note) => {
                let note = self.numbers.get(&note).map(|number| &self.paid[*number].1);
                note.is_some_and(|note| self.watch.pays(&note.payee, &output.script_pubkey))
            }
            Due::Split(offer, number) => {
                let offer = self.ledger.offers.get(&offer);
                let split = offer.and_then(|it| it.offer.splits().get(usize::from(number)));
                split.is_some_and(|split| split.script == output.script_pubkey)
            }
            Due::Reward(_) => self.watch.address(&output.script_pubkey).is_none(),
        }
    }

    fn credit(&mut self, line: &PayoutLine, block: BlockFacts) {
        match line.due {
            Due::Earned(note) => {
                let note = &mut self.paid[self.numbers[&note]].1;
                note.paid = add(note.paid, line.amount);
            }
            Due::Refund(note) => self.refund(self.numbers[&note], line.amount, block),
            Due::Split(offer, number) => {
                let offer = self.ledger.offers.get_mut(&offer).expect("a line's payee was found");
                let split = &mut offer.splits[usize::from(number)];
                split.paid = add(split.paid, line.amount);
            }
            Due::Reward(_) => self.ledger.rewards = add(self.ledger.rewards, line.amount),
        }
    }

    /// Gives principal back. All of it, before anything was earned or paid, ends the note; otherwise what is more than
    /// was due counts like any other payment, so that nobody can buy a note back once it pays.
    fn refund(&mut self, number: usize, amount: Amount, block: BlockFacts) {
        let note = &mut self.paid[number].1;
        let due = note.owed_refund();
        let untouched = note.earned == Amount::ZERO && note.paid == Amount::ZERO;
        let whole = add(due, note.accepted);
        if untouched && note.accepted > Amount::ZERO && amount >= whole {
            let offer = self.ledger.offers.get_mut(&note.offer).expect("a note is of an offer");
            offer.raised = less(offer.raised, note.accepted);
            for (_, _, flow) in self.flows.iter_mut().filter(|(offer, _, _)| *offer == note.offer) {
                flow.end(number);
            }
            let gone = std::mem::take(&mut note.accepted);
            grow(
                &mut note.refund,
                &mut note.refund_matured,
                gone.to_sat(),
                is_mature_at(block, self.ledger.tip),
            );
            note.cap = Amount::ZERO;
            note.declined = true;
        }
        let due = note.owed_refund();
        note.refunded = add(note.refunded, amount.min(due));
        note.paid = add(note.paid, less(amount, due));
    }

    /// Takes the notes that a transaction commits to. They count where they sum to the output that pays them.
    fn invest(&mut self, transaction: &TxFacts) {
        let notes =
            transaction.root.and_then(|root| self.notes_by_root.get(&root)).cloned().unwrap_or_default();
        let fresh = notes.into_iter().filter(|(id, _)| !self.numbers.contains_key(id));
        let mut by_vout: BTreeMap<u32, Vec<(NoteId, &Signed<Note>)>> = BTreeMap::new();
        fresh.for_each(|(id, note)| by_vout.entry(note.body.vout).or_default().push((id, note)));
        for (&vout, output) in &transaction.outputs {
            let principal = self.watch.address(&output.script_pubkey);
            if principal.is_none_or(|(chain, _)| chain != Chain::Principal) {
                continue;
            }
            let outpoint = OutPoint::new(transaction.txid, vout);
            let notes = by_vout.remove(&vout).unwrap_or_default();
            let sum = notes.iter().fold(Amount::ZERO, |sum, (_, note)| add(sum, note.body.principal));
            if sum != output.value {
                let sat = output.value.to_sat();
                self.ledger.problems.insert(Problem::PrincipalWithoutNote { outpoint, sat });
                continue;
            }
            notes.into_iter().for_each(|(id, note)| self.accept(id, note, outpoint, transaction.block));
        }
    }

    /// Lets a note earn, as far as there is room below the goal and time before the end; the rest is refunded.
    fn accept(&mut self, id: NoteId, note: &Signed<Note>, outpoint: OutPoint, block: BlockFacts) {
        let Note { offer, principal, payee, .. } = &note.body;
        let Some(state) = self.ledger.offers.get_mut(offer) else {
            self.ledger.problems.insert(Problem::OfferMissing { note: id, offer: *offer });
            return;
        };
        let in_time = block.median_time_past < state.offer.expiry;
        let room = if in_time { less(state.offer.goal, state.raised) } else { Amount::ZERO };
        let accepted = room.min(*principal);
        state.raised = add(state.raised, accepted);
        let mut cap = Amount::ZERO;
        let number = self.paid.len();
        if accepted > Amount::ZERO {
            let at = self.flows.iter().position(|(flow, _, _)| flow == offer).unwrap_or_else(|| {
                self.flows.push((*offer, state.offer.expiry, Flow::new(&Terms::from(&state.offer))));
                self.flows.len() - 1
            });
            cap = Amount::from_sat(self.flows[at].2.invest(number, accepted.to_sat()));
        }
        let refund = *principal - accepted;
        let refund_matured = if is_mature_at(block, self.ledger.tip) { refund } else { Amount::ZERO };
        let state = NoteState {
            investor: note.author,
            offer: *offer,
            payee: payee.clone(),
            outpoint,
            block,
            principal: *principal,
            accepted,
            cap,
            earned: Amount::ZERO,
            paid: Amount::ZERO,
            refund,
            refunded: Amount::ZERO,
            declined: false,
            matured: Amount::ZERO,
            refund_matured,
            expired: state.is_expired,
        };
        self.numbers.insert(id, number);
        self.paid.push((id, state));
        self.awaited.extend(self.early.contains_key(&id).then_some(id));
    }

    fn finish(mut self, book: &Book) -> Ledger {
        let problems = &mut self.ledger.problems;
        problems.extend(book.income().is_none().then_some(Problem::NoIncomeRecord));
        problems.extend(book.missing().into_iter().map(|record| Problem::RecordMissing { record }));
        problems.extend(book.forks().into_iter().map(|record| Problem::LogForked { record }));
        problems.extend(book.is_crowded().then_some(Problem::TooManyWindows));
        self.ledger.notes = self.paid.into_iter().collect();
        self.ledger
    }
}

fn offers(book: &Book, now: u32) -> BTreeMap<OfferId, OfferState> {
    let state = |offer: &Offer| OfferState {
        raised: Amount::ZERO,
        splits: vec![SplitState::default(); offer.splits().len()],
        is_expired: now >= offer.expiry,
        offer: offer.clone(),
    };
    book.offers().iter().map(|(id, offer)| (*id, state(offer))).collect()
}

fn is_mature_at(block: BlockFacts, tip: BlockFacts) -> bool {
    is_mature(block.median_time_past, tip)
}

fn is_mature(time: u32, tip: BlockFacts) -> bool {
    time.saturating_add(LATE_AFTER) <= tip.median_time_past
}

fn grow(total: &mut Amount, matured: &mut Amount, sat: u64, is_mature: bool) {
    *total = add(*total, Amount::from_sat(sat));
    if is_mature {
        *matured = add(*matured, Amount::from_sat(sat));
    }
}
