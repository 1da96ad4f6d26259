//! What was signed: an artist's money log, the notes on its offers, and what fans say that they paid.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    Kind, Network, PeerId, Record, RecordId, SlotId,
    bitcoin::ScriptBuf,
    kinds::{
        Income, MAX_WINDOWS, Note, NoteId, Offer, OfferId, Payee, Payment, PaymentId, Payout, in_money_log,
    },
};

use super::{Facts, Root, TxFacts};

/// Most windows that are looked through for one artist, of all its records together; deriving one takes a tenth of a
/// second.
pub const MAX_BOOK_WINDOWS: usize = 2 * MAX_WINDOWS;

/// Blocks before a note's in which it can have been paid out to: a reorganisation may turn the two around, and an investor
/// who is away sends the investment again only a while later. These are a day's.
pub(super) const TURNED_AROUND: u32 = 144;

/// A body and who signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed<T> {
    /// Who signed.
    pub author: PeerId,
    /// What was signed.
    pub body: T,
}

/// A record of the artist's log, without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    id: RecordId,
    seq: u64,
    before: Option<RecordId>,
}

/// Everything signed that concerns one artist's money on one chain. Two books of the same records are the same,
/// whatever the order they came in and however often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Book {
    /// Whose book it is.
    pub artist: PeerId,
    /// The chain.
    pub network: Network,
    log: BTreeMap<SlotId, Entry>,
    incomes: BTreeMap<SlotId, Income>,
    offers: BTreeMap<OfferId, Offer>,
    notes: BTreeMap<NoteId, Signed<Note>>,
    payouts: BTreeMap<SlotId, Payout>,
    payments: BTreeMap<PaymentId, Signed<Payment>>,
}

impl Book {
    /// Reads records whose signatures were checked. What is of another artist or chain, or not about money, is passed
    /// over; of several versions of one record the latest counts.
    pub fn read<'r>(artist: PeerId, network: Network, records: impl IntoIterator<Item = &'r Record>) -> Self {
        let mut latest: BTreeMap<SlotId, &Record> = BTreeMap::new();
        for record in records {
            let held = latest.entry(record.slot).or_insert(record);
            if record.wins_over(held) {
                *held = record;
            }
        }
        let mut book = Self {
            artist,
            network,
            log: BTreeMap::new(),
            incomes: BTreeMap::new(),
            offers: BTreeMap::new(),
            notes: BTreeMap::new(),
            payouts: BTreeMap::new(),
            payments: BTreeMap::new(),
        };
        latest.values().for_each(|record| book.enter(record));
        book
    }

    /// Returns where the artist is to be paid now: the last income record of the log.
    pub fn income(&self) -> Option<&Income> {
        self.incomes().last()
    }

    /// Returns every window ever published, up to [`MAX_BOOK_WINDOWS`], the oldest record's first.
    pub fn windows(&self) -> impl Iterator<Item = (&Income, u32)> {
        self.all_windows().into_iter().take(MAX_BOOK_WINDOWS)
    }

    /// Returns the height below which nothing counts: the lowest of all income records.
    pub fn birthday(&self) -> Option<u32> {
        self.incomes.values().map(|income| income.birthday).min()
    }

    /// Returns the transactions that count, in the order of the chain, however far back others were looked for.
    pub(super) fn counted<'f>(&self, facts: &'f Facts) -> impl Iterator<Item = &'f TxFacts> + use<'f> {
        let birthday = self.birthday().unwrap_or_default();
        facts.transactions().iter().filter(move |it| it.block.height >= birthday)
    }

    /// Returns the offers by id.
    pub fn offers(&self) -> &BTreeMap<OfferId, Offer> {
        &self.offers
    }

    /// Returns the notes by id, paid or not.
    pub fn notes(&self) -> &BTreeMap<NoteId, Signed<Note>> {
        &self.notes
    }

    /// Returns the payouts by id, paid or not.
    pub fn payouts(&self) -> &BTreeMap<SlotId, Payout> {
        &self.payouts
    }

    /// Returns the payments by id, true or not.
    pub fn payments(&self) -> &BTreeMap<PaymentId, Signed<Payment>> {
        &self.payments
    }

    /// Returns the record that the next one of the artist's log has to name.
    pub fn head(&self) -> Option<RecordId> {
        self.log.values().max_by_key(|entry| (entry.seq, entry.id)).map(|entry| entry.id)
    }

    /// Returns records of the log that others name and that are not here.
    pub fn missing(&self) -> BTreeSet<RecordId> {
        let here: BTreeSet<RecordId> = self.log_ids();
        self.log.values().filter_map(|entry| entry.before).filter(|id| !here.contains(id)).collect()
    }

    /// Returns records that two others name as the one before, as after an old backup came back into use.
    pub fn forks(&self) -> BTreeSet<RecordId> {
        let mut seen = BTreeSet::new();
        self.log.values().filter_map(|entry| entry.before).filter(|id| !seen.insert(*id)).collect()
    }

    /// Says whether windows had to be left out.
    pub fn is_crowded(&self) -> bool {
        self.all_windows().len() > MAX_BOOK_WINDOWS
    }

    /// Returns the ids of the log's records.
    pub(super) fn log_ids(&self) -> BTreeSet<RecordId> {
        self.log.values().map(|entry| entry.id).collect()
    }

    /// Returns the scripts of collaborators, and of notes that a transaction commits to, each with the height from
    /// which it can have been paid.
    pub(super) fn payees(&self, facts: &Facts) -> Vec<(ScriptBuf, u32)> {
        let mut paid: BTreeMap<Root, u32> = BTreeMap::new();
        for transaction in self.counted(facts) {
            if let Some(root) = transaction.root {
                paid.entry(root).or_insert(transaction.block.height);
            }
        }
        let notes = self.notes.iter().filter_map(|(id, note)| {
            let height = *paid.get(&Root::above(id, note.body.place.as_ref())?)?;
            match &note.body.payee {
                Payee::Script(script) => Some((script.clone(), height.saturating_sub(TURNED_AROUND))),
                Payee::Dao(_) => None,
            }
        });
        let born = self.birthday().unwrap_or_default();
        let splits = self.offers.values().flat_map(Offer::splits);
        splits.map(|split| (split.script.clone(), born)).chain(notes).collect()
    }

    /// Returns income records in the order of the log.
    fn incomes(&self) -> impl Iterator<Item = &Income> {
        let mut incomes: Vec<(u64, RecordId, &Income)> = Vec::new();
        for (slot, income) in &self.incomes {
            let entry = &self.log[slot];
            incomes.push((entry.seq, entry.id, income));
        }
        incomes.sort_by_key(|(seq, id, _)| (*seq, *id));
        incomes.into_iter().map(|(_, _, income)| income)
    }

    fn all_windows(&self) -> Vec<(&Income, u32)> {
        let mut seen = BTreeSet::new();
        let windows =
            self.incomes().flat_map(|income| income.windows.iter().map(move |&base| (income, base)));
        windows.filter(|(income, base)| seen.insert((income.income, income.principal, *base))).collect()
    }

    fn enter(&mut self, record: &Record) {
        if in_money_log(record.kind) && record.author != self.artist {
            return;
        }
        let entered = match record.kind {
            Income::ID => self.body(record).map(|body| drop(self.incomes.insert(record.slot, body))),
            Offer::ID => self.body(record).map(|body| drop(self.offers.insert(record.slot, body))),
            Payout::ID => self.body(record).map(|body| drop(self.payouts.insert(record.slot, body))),
            Note::ID => self.note(record),
            Payment::ID => self.payment(record),
            _ => None,
        };
        if entered.is_some() && in_money_log(record.kind) {
            let entry = Entry { id: record.id, seq: record.seq, before: record.refs.first().copied() };
            self.log.insert(record.slot, entry);
        }
    }

    fn note(&mut self, record: &Record) -> Option<()> {
        let body: Note = self.body(record)?;
        let mine = body.artist == self.artist;
        mine.then(|| drop(self.notes.insert(record.slot, Signed { author: record.author, body })))
    }

    fn payment(&mut self, record: &Record) -> Option<()> {
        let body: Payment = self.body(record)?;
        let mine = body.artist == self.artist;
        mine.then(|| drop(self.payments.insert(record.slot, Signed { author: record.author, body })))
    }

    fn body<K: Kind>(&self, record: &Record) -> Option<K> {
        let body = record.read::<K>().ok().flatten()?;
        (body.network() == Some(self.network)).then_some(body)
    }
}
