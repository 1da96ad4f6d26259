//! Which record holds which slot: an index in memory, about a hundred bytes a record; the records are in the store.

use std::{
    collections::BTreeSet,
    hash::{BuildHasher, RandomState},
};

use domain::{Kinds, MAX_AHEAD_MS, PeerId, RecordId, SlotId};
use hashbrown::HashTable;
use negentropy::{Bound, Error, Id, Item, NegentropyStorageBase};

use crate::{Entry, Limits, limits::PERMANENT_PART};

/// Where a record stands among all others when catalogues are compared.
pub(crate) type Place = (u64, RecordId);

/// Rows that may wait to be used again before the order is brought up to date for them.
const MAX_DEAD: usize = 1_024;

/// What becomes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Fills an empty slot.
    Add,
    /// Takes the slot from an earlier version.
    Replace,
    /// Is here already.
    Held,
    /// A later version is here.
    Stale,
    /// There is no room for it.
    NoRoom,
}

/// How hard a record is to replace once it is lost. The lower go first where there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// Of a kind that this version does not know.
    Unknown,
    /// Of a kind whose author can say it again.
    Known,
    /// Of a kind that others rely on for good, such as what is owed to them.
    Permanent,
}

impl Standing {
    pub(crate) fn of(kinds: &Kinds, kind: u16) -> Self {
        match (kinds.knows(kind), kinds.is_permanent(kind)) {
            (false, _) => Self::Unknown,
            (true, false) => Self::Known,
            (true, true) => Self::Permanent,
        }
    }
}

/// The fate of a record, and the record here that contradicts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) fate: Fate,
    pub(crate) contradicts: Option<RecordId>,
}

/// A slot that lost its record for want of room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Evicted {
    pub(crate) slot: SlotId,
    pub(crate) id: RecordId,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    slot: SlotId,
    id: RecordId,
    seq: u64,
    created_at: u64,
    author: u32,
    kind: u16,
    len: u16,
    withdrawn: bool,
    standing: Standing,
    live: bool,
}

#[derive(Debug)]
struct Author {
    id: PeerId,
    /// By standing and `seq`, the first to go first.
    rows: Vec<u32>,
    bytes: u64,
    unknown: u32,
}

#[derive(Debug)]
pub(crate) struct Catalogue {
    me: PeerId,
    limits: Limits,
    followed: BTreeSet<PeerId>,
    hasher: RandomState,
    rows: Vec<Row>,
    by_slot: HashTable<u32>,
    by_id: HashTable<u32>,
    authors: Vec<Author>,
    by_author: HashTable<u32>,
    idle_authors: Vec<u32>,
    bytes: u64,
    permanent: usize,
    since: u64,
    /// Rows by place, as of the last [`Catalogue::seal`].
    order: Vec<u32>,
    /// Rows that came since.
    added: Vec<u32>,
    /// Rows that went since; they are used again after the next seal.
    dead: Vec<u32>,
    free: Vec<u32>,
}

impl Catalogue {
    pub(crate) fn new(me: PeerId, limits: Limits, followed: BTreeSet<PeerId>) -> Self {
        Self {
            me,
            limits,
            followed,
            hasher: RandomState::new(),
            rows: Vec::new(),
            by_slot: HashTable::new(),
            by_id: HashTable::new(),
            authors: Vec::new(),
            by_author: HashTable::new(),
            idle_authors: Vec::new(),
            bytes: 0,
            permanent: 0,
            since: 0,
            order: Vec::new(),
            added: Vec::new(),
            dead: Vec::new(),
            free: Vec::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_slot.len()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Records before this moment were dropped for want of room.
    pub(crate) fn since(&self) -> u64 {
        self.since
    }

    pub(crate) fn follow(&mut self, author: PeerId) {
        self.followed.insert(author);
    }

    pub(crate) fn unfollow(&mut self, author: &PeerId) {
        self.followed.remove(author);
    }

    pub(crate) fn holds(&self, id: &RecordId) -> bool {
        self.row_of_id(id).is_some()
    }

    pub(crate) fn by_id(&self, id: &RecordId) -> Option<Entry> {
        self.row_of_id(id).map(|row| self.entry_at(row))
    }

    pub(crate) fn entry(&self, slot: &SlotId) -> Option<Entry> {
        self.row_of_slot(slot).map(|row| self.entry_at(row))
    }

    /// Every entry of an author.
    pub(crate) fn of_author(&self, author: &PeerId) -> Vec<Entry> {
        let Some(author) = self.author_of(author) else { return Vec::new() };
        self.authors[author as usize].rows.iter().map(|&row| self.entry_at(row)).collect()
    }

    /// Says whether anything of an author is here.
    pub(crate) fn has_author(&self, author: &PeerId) -> bool {
        self.author_of(author).is_some()
    }

    /// Says what would become of a record, without taking it.
    pub(crate) fn judge(&self, entry: &Entry, standing: Standing) -> Verdict {
        let held = self.row_of_slot(&entry.slot).map(|row| &self.rows[row as usize]);
        let contradicts =
            held.filter(|held| held.seq == entry.seq && held.id != entry.id).map(|held| held.id);
        let fate = match held {
            Some(held) if held.id == entry.id => Fate::Held,
            Some(held) if (held.seq, held.id) > (entry.seq, entry.id) => Fate::Stale,
            _ if !self.has_room(entry, standing) => Fate::NoRoom,
            Some(_) => Fate::Replace,
            None => Fate::Add,
        };
        Verdict { fate, contradicts }
    }

    /// Takes a record whose fate is [`Fate::Add`] or [`Fate::Replace`], and says what had to go for it.
    pub(crate) fn put(&mut self, entry: &Entry, standing: Standing, now_ms: u64) -> Vec<Evicted> {
        self.remove(&entry.slot);
        if self.dead.len() > MAX_DEAD.max(self.rows.len() / 8) {
            self.seal();
        }
        self.insert(entry, standing);
        let mut evicted = self.shrink_author(&entry.author);
        evicted.extend(self.shrink(now_ms));
        evicted
    }

    /// Drops what holds a slot.
    pub(crate) fn remove(&mut self, slot: &SlotId) -> Option<Entry> {
        let row = self.row_of_slot(slot)?;
        let entry = self.entry_at(row);
        self.unlink(row);
        Some(entry)
    }

    /// Brings the order up to date; cheap when nothing changed.
    pub(crate) fn seal(&mut self) {
        if self.added.is_empty() && self.dead.is_empty() {
            return;
        }
        let rows = &self.rows;
        let place = |row: &u32| (rows[*row as usize].created_at, rows[*row as usize].id);
        let mut added: Vec<u32> = self.added.drain(..).filter(|row| rows[*row as usize].live).collect();
        added.sort_unstable_by_key(place);
        let kept = self.order.drain(..).filter(|row| rows[*row as usize].live);
        let kept: Vec<u32> = kept.collect();
        self.order = merge(kept, added, place);
        self.free.append(&mut self.dead);
    }

    /// Everything from one place up to another, in order. [`Catalogue::seal`] comes first.
    pub(crate) fn between(&self, from: Place, until: Place) -> Range<'_> {
        let lower = self.rank(from);
        let upper = self.rank(until).max(lower);
        Range { rows: &self.rows, order: &self.order[lower..upper] }
    }

    fn rank(&self, place: Place) -> usize {
        self.order.partition_point(|&row| self.place(row) < place)
    }

    fn place(&self, row: u32) -> Place {
        let row = &self.rows[row as usize];
        (row.created_at, row.id)
    }

    fn entry_at(&self, row: u32) -> Entry {
        let row = &self.rows[row as usize];
        Entry {
            slot: row.slot,
            id: row.id,
            author: self.authors[row.author as usize].id,
            kind: row.kind,
            seq: row.seq,
            created_at: row.created_at,
            len: row.len,
            withdrawn: row.withdrawn,
        }
    }

    fn row_of_slot(&self, slot: &SlotId) -> Option<u32> {
        let hash = self.hasher.hash_one(slot);
        self.by_slot.find(hash, |&row| self.rows[row as usize].slot == *slot).copied()
    }

    fn row_of_id(&self, id: &RecordId) -> Option<u32> {
        self.by_id.find(self.hasher.hash_one(id), |&row| self.rows[row as usize].id == *id).copied()
    }

    fn author_of(&self, id: &PeerId) -> Option<u32> {
        let hash = self.hasher.hash_one(id);
        self.by_author.find(hash, |&author| self.authors[author as usize].id == *id).copied()
    }

    /// A full quota takes only what is to stay longer than the first to go.
    fn has_room(&self, entry: &Entry, standing: Standing) -> bool {
        let followed = self.followed.contains(&entry.author);
        if entry.author == self.me {
            return true;
        }
        let spared = standing == Standing::Permanent && self.spares_permanent();
        if entry.created_at < self.since && !followed && !spared {
            return false;
        }
        let Some(author) = self.author_of(&entry.author) else { return true };
        let author = &self.authors[author as usize];
        let quota = self.quota(&author.id);
        let full = author.rows.len() >= quota.0 || author.bytes + u64::from(entry.len) > quota.1;
        let crowded = standing == Standing::Unknown && author.unknown as usize >= self.limits.unknown_records;
        let stays = |row: Option<u32>| {
            row.is_none_or(|row| {
                let row = &self.rows[row as usize];
                (row.standing, row.seq, row.id) < (standing, entry.seq, entry.id)
            })
        };
        (!full || stays(self.first_to_go(author, |_| true)))
            && (!crowded || stays(self.first_to_go(author, |row| row.standing == Standing::Unknown)))
    }

    fn quota(&self, author: &PeerId) -> (usize, u64) {
        let factor = if self.followed.contains(author) { self.limits.followed_factor } else { 1 };
        (self.limits.author_records * factor, self.limits.author_bytes * factor as u64)
    }

    /// An author's row with the lowest standing, and of those the lowest `seq`: which ones are kept does not depend on
    /// the order they came in.
    fn first_to_go(&self, author: &Author, among: impl Fn(&Row) -> bool) -> Option<u32> {
        author.rows.iter().copied().find(|&row| among(&self.rows[row as usize]))
    }

    fn insert(&mut self, entry: &Entry, standing: Standing) {
        let author = self.author_row(entry.author);
        let row = Row {
            slot: entry.slot,
            id: entry.id,
            seq: entry.seq,
            created_at: entry.created_at,
            author,
            kind: entry.kind,
            len: entry.len,
            withdrawn: entry.withdrawn,
            standing,
            live: true,
        };
        let at = match self.free.pop() {
            Some(at) => {
                self.rows[at as usize] = row;
                at
            }
            None => {
                self.rows.push(row);
                u32::try_from(self.rows.len() - 1).expect("the cap is far below four billion rows")
            }
        };
        let (rows, hasher) = (&self.rows, &self.hasher);
        let slot_hash = |&row: &u32| hasher.hash_one(rows[row as usize].slot);
        self.by_slot.insert_unique(slot_hash(&at), at, slot_hash);
        let id_hash = |&row: &u32| hasher.hash_one(rows[row as usize].id);
        self.by_id.insert_unique(id_hash(&at), at, id_hash);
        let author = &mut self.authors[author as usize];
        author.rows.insert(rank_of(&self.rows, &author.rows, at), at);
        author.bytes += u64::from(entry.len);
        author.unknown += u32::from(standing == Standing::Unknown);
        self.bytes += u64::from(entry.len);
        self.permanent += usize::from(standing == Standing::Permanent);
        self.added.push(at);
    }

    fn author_row(&mut self, id: PeerId) -> u32 {
        if let Some(author) = self.author_of(&id) {
            return author;
        }
        let author = Author { id, rows: Vec::new(), bytes: 0, unknown: 0 };
        let at = match self.idle_authors.pop() {
            Some(at) => {
                self.authors[at as usize] = author;
                at
            }
            None => {
                self.authors.push(author);
                u32::try_from(self.authors.len() - 1).expect("there are not more authors than rows")
            }
        };
        let (authors, hasher) = (&self.authors, &self.hasher);
        let hash = |&author: &u32| hasher.hash_one(authors[author as usize].id);
        self.by_author.insert_unique(hash(&at), at, hash);
        at
    }

    fn unlink(&mut self, at: u32) {
        let row = self.rows[at as usize];
        self.rows[at as usize].live = false;
        if let Ok(found) = self.by_slot.find_entry(self.hasher.hash_one(row.slot), |&other| other == at) {
            found.remove();
        }
        if let Ok(found) = self.by_id.find_entry(self.hasher.hash_one(row.id), |&other| other == at) {
            found.remove();
        }
        self.bytes -= u64::from(row.len);
        self.permanent -= usize::from(row.standing == Standing::Permanent);
        let author = &mut self.authors[row.author as usize];
        author.bytes -= u64::from(row.len);
        author.unknown -= u32::from(row.standing == Standing::Unknown);
        author.rows.remove(rank_of(&self.rows, &author.rows, at));
        if author.rows.is_empty() {
            let hash = self.hasher.hash_one(author.id);
            if let Ok(found) = self.by_author.find_entry(hash, |&other| other == row.author) {
                found.remove();
            }
            self.idle_authors.push(row.author);
        }
        self.dead.push(at);
    }

    fn evict(&mut self, at: u32) -> Evicted {
        let Row { slot, id, .. } = self.rows[at as usize];
        self.unlink(at);
        Evicted { slot, id }
    }

    /// Brings an author back within the quotas.
    fn shrink_author(&mut self, id: &PeerId) -> Vec<Evicted> {
        let mut evicted = Vec::new();
        if *id == self.me {
            return evicted;
        }
        let quota = self.quota(id);
        while let Some(author) = self.author_of(id) {
            let author = &self.authors[author as usize];
            let victim = if author.rows.len() > quota.0 || author.bytes > quota.1 {
                self.first_to_go(author, |_| true)
            } else if author.unknown as usize > self.limits.unknown_records {
                self.first_to_go(author, |row| row.standing == Standing::Unknown)
            } else {
                None
            };
            let Some(victim) = victim else { break };
            evicted.push(self.evict(victim));
        }
        evicted
    }

    /// Brings the whole back within the cap, a hundredth further than needed so that it is not sorted every time.
    fn shrink(&mut self, now_ms: u64) -> Vec<Evicted> {
        if self.len() <= self.limits.records && self.bytes <= self.limits.bytes {
            return Vec::new();
        }
        self.seal();
        let keep = self.limits.records - self.limits.records / 100;
        let keep_bytes = self.limits.bytes - self.limits.bytes / 100;
        let mut evicted = Vec::new();
        for at in self.victims(now_ms) {
            if self.len() <= keep && self.bytes <= keep_bytes {
                break;
            }
            let Row { created_at, author, .. } = self.rows[at as usize];
            let author = self.authors[author as usize].id;
            if created_at <= now_ms.saturating_add(MAX_AHEAD_MS) && !self.followed.contains(&author) {
                self.since = self.since.max(created_at.saturating_add(1));
            }
            evicted.push(self.evict(at));
        }
        evicted
    }

    /// Says whether what others rely on goes last: identities are free, so only while it is a part of the whole.
    fn spares_permanent(&self) -> bool {
        self.permanent <= self.limits.records / PERMANENT_PART
    }

    /// Rows in the order in which they go: those of the future, then the oldest, then the oldest of followed authors,
    /// then what others rely on.
    fn victims(&self, now_ms: u64) -> Vec<u32> {
        let horizon = now_ms.saturating_add(MAX_AHEAD_MS);
        let author = |row: u32| self.authors[self.rows[row as usize].author as usize].id;
        let foreign = self.order.iter().copied().filter(|&row| author(row) != self.me);
        let mut victims: Vec<u32> = foreign.collect();
        let spared = self.spares_permanent();
        victims.sort_by_key(|&row| {
            let followed = self.followed.contains(&author(row));
            let row = &self.rows[row as usize];
            (spared && row.standing == Standing::Permanent, followed, row.created_at <= horizon)
        });
        victims
    }
}

/// Part of the catalogue in order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Range<'a> {
    rows: &'a [Row],
    order: &'a [u32],
}

impl Range<'_> {
    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    /// Place and length of every record.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (Place, usize)> {
        self.order.iter().map(|&row| {
            let row = &self.rows[row as usize];
            ((row.created_at, row.id), usize::from(row.len))
        })
    }

    /// Tells two ranges apart.
    pub(crate) fn print(&self) -> [u8; negentropy::FINGERPRINT_SIZE] {
        self.fingerprint(0, self.len()).expect("the bounds are the range's own").to_bytes()
    }

    fn item(&self, at: usize) -> Item {
        let row = &self.rows[self.order[at] as usize];
        Item::with_timestamp_and_id(row.created_at, Id::from_byte_array(*row.id.as_bytes()))
    }
}

impl NegentropyStorageBase for Range<'_> {
    fn size(&self) -> Result<usize, Error> {
        Ok(self.len())
    }

    fn get_item(&self, at: usize) -> Result<Option<Item>, Error> {
        Ok((at < self.len()).then(|| self.item(at)))
    }

    fn iterate(
        &self,
        begin: usize,
        end: usize,
        visit: &mut dyn FnMut(Item, usize) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        if begin > end || end > self.len() {
            return Err(Error::BadRange);
        }
        for at in begin..end {
            if !visit(self.item(at), at)? {
                break;
            }
        }
        Ok(())
    }

    fn find_lower_bound(&self, first: usize, last: usize, value: &Bound) -> usize {
        let last = last.min(self.len());
        let first = first.min(last);
        let bound = (value.item.timestamp, *value.item.id.as_bytes());
        first
            + self.order[first..last].partition_point(|&row| {
                let row = &self.rows[row as usize];
                (row.created_at, *row.id.as_bytes()) < bound
            })
    }
}

/// Where a row stands, or would stand, among its author's.
fn rank_of(rows: &[Row], among: &[u32], row: u32) -> usize {
    let stays = |row: u32| (rows[row as usize].standing, rows[row as usize].seq, rows[row as usize].id);
    among.partition_point(|&other| stays(other) < stays(row))
}

fn merge(left: Vec<u32>, right: Vec<u32>, place: impl Fn(&u32) -> Place) -> Vec<u32> {
    if right.is_empty() {
        return left;
    }
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let mut right = right.into_iter().peekable();
    for row in left {
        while let Some(earlier) = right.next_if(|other| place(other) < place(&row)) {
            merged.push(earlier);
        }
        merged.push(row);
    }
    merged.extend(right);
    merged
}

#[cfg(test)]
mod tests {
    use domain::Key;
    use proptest::prelude::*;

    use super::*;

    fn peer(byte: u8) -> PeerId {
        PeerId::from_bytes([byte; 32])
    }

    fn entry(author: u8, key: u8, seq: u64, variant: u8) -> Entry {
        let author = peer(author);
        let slot = SlotId::of(&author, 2, &Key::of(&[&[key]]));
        let id = RecordId::from_bytes(
            *SlotId::of(&author, key.into(), &Key::of(&[&seq.to_le_bytes(), &[variant]])).as_bytes(),
        );
        Entry { slot, id, author, kind: 2, seq, created_at: seq * 10, len: 300, withdrawn: false }
    }

    fn catalogue(limits: Limits) -> Catalogue {
        Catalogue::new(peer(0), limits, BTreeSet::new())
    }

    fn offer(catalogue: &mut Catalogue, entry: &Entry) -> Verdict {
        let standing = match entry.kind {
            99 => Standing::Unknown,
            98 => Standing::Permanent,
            _ => Standing::Known,
        };
        let verdict = catalogue.judge(entry, standing);
        if matches!(verdict.fate, Fate::Add | Fate::Replace) {
            catalogue.put(entry, standing, 1_000_000);
        }
        verdict
    }

    fn offer_all(catalogue: &mut Catalogue, seqs: std::ops::RangeInclusive<u64>) {
        for seq in seqs {
            offer(catalogue, &entry(1, seq as u8, seq, 0));
        }
    }

    fn ids(catalogue: &mut Catalogue) -> Vec<RecordId> {
        catalogue.seal();
        let end = (u64::MAX, RecordId::from_bytes([255; 32]));
        catalogue.between((0, RecordId::from_bytes([0; 32])), end).iter().map(|((_, id), _)| id).collect()
    }

    #[test]
    fn the_higher_version_holds_the_slot() {
        let mut catalogue = catalogue(Limits::default());
        assert_eq!(offer(&mut catalogue, &entry(1, 1, 5, 0)).fate, Fate::Add);
        assert_eq!(offer(&mut catalogue, &entry(1, 1, 5, 0)).fate, Fate::Held);
        assert_eq!(offer(&mut catalogue, &entry(1, 1, 4, 0)).fate, Fate::Stale);
        assert_eq!(offer(&mut catalogue, &entry(1, 1, 6, 0)).fate, Fate::Replace);
        assert!(!catalogue.holds(&entry(1, 1, 5, 0).id));
        assert_eq!((catalogue.len(), catalogue.bytes()), (1, 300));
    }

    #[test]
    fn what_others_rely_on_goes_last_of_an_authors() {
        let mut catalogue = catalogue(Limits { author_records: 3, ..Limits::default() });
        let permanent = |key, seq| Entry { kind: 98, ..entry(1, key, seq, 0) };
        offer(&mut catalogue, &permanent(1, 1));
        offer_all(&mut catalogue, 2..=9);
        assert!(catalogue.holds(&permanent(1, 1).id), "eight later ones did not push it out");
        assert_eq!(catalogue.len(), 3);
        offer(&mut catalogue, &permanent(10, 10));
        offer(&mut catalogue, &permanent(11, 11));
        assert_eq!(offer(&mut catalogue, &entry(1, 12, 12, 0)).fate, Fate::NoRoom);
        offer(&mut catalogue, &permanent(13, 13));
        assert!(!catalogue.holds(&permanent(1, 1).id), "among themselves the oldest goes");
    }

    #[test]
    fn what_others_rely_on_goes_last_of_all_while_it_is_a_part() {
        let limits = Limits { records: 100, ..Limits::default() };
        let permanent = |seq: u64| Entry { kind: 98, ..entry(2, seq as u8, seq, 0) };
        let kept = |count: u64| {
            let mut catalogue = catalogue(limits);
            for seq in 1..=count {
                offer(&mut catalogue, &permanent(seq));
            }
            offer_all(&mut catalogue, 101..=220);
            (1..=count).filter(|seq| catalogue.holds(&permanent(*seq).id)).count()
        };
        assert_eq!(kept(20), 20);
        assert!(kept(60) <= 25, "one flood of promises does not drive out all music");
    }

    #[test]
    fn two_records_of_one_version_contradict_each_other() {
        let mut catalogue = catalogue(Limits::default());
        let (one, two) = (entry(1, 1, 5, 0), entry(1, 1, 5, 1));
        offer(&mut catalogue, &one);
        assert_eq!(offer(&mut catalogue, &two).contradicts, Some(one.id));
        assert_eq!(catalogue.entry(&one.slot).unwrap().id, one.id.max(two.id));
    }

    #[test]
    fn an_author_keeps_the_newest_within_the_quota() {
        let mut catalogue = catalogue(Limits { author_records: 3, ..Limits::default() });
        for seq in [5, 1, 4, 2, 3] {
            offer(&mut catalogue, &entry(1, seq as u8, seq, 0));
        }
        assert_eq!(ids(&mut catalogue), [3, 4, 5].map(|seq| entry(1, seq as u8, seq, 0).id));
        assert_eq!(offer(&mut catalogue, &entry(1, 1, 1, 0)).fate, Fate::NoRoom);
    }

    #[test]
    fn one_author_without_end_stays_within_the_quota() {
        let mut catalogue = catalogue(Limits { author_records: 1_000, ..Limits::default() });
        for seq in 0..200_000u64 {
            let id = RecordId::from_bytes(*Key::of(&[&seq.to_le_bytes()]).as_bytes());
            let slot = SlotId::from_bytes(*id.as_bytes());
            offer(&mut catalogue, &Entry { slot, id, ..entry(1, 0, seq, 0) });
        }
        assert_eq!(catalogue.len(), 1_000);
        assert!(catalogue.rows.len() <= 1_000 + MAX_DEAD + 2 && catalogue.authors.len() == 1);
    }

    #[test]
    fn bytes_are_a_quota_too() {
        let mut catalogue = catalogue(Limits { author_bytes: 700, ..Limits::default() });
        offer_all(&mut catalogue, 1..=5);
        assert_eq!((catalogue.len(), catalogue.bytes()), (2, 600));
    }

    #[test]
    fn kinds_nobody_knows_have_their_own_small_quota() {
        let mut catalogue = catalogue(Limits { unknown_records: 2, ..Limits::default() });
        offer(&mut catalogue, &entry(1, 100, 1, 0));
        for seq in 2..=9 {
            offer(&mut catalogue, &Entry { kind: 99, ..entry(1, seq as u8, seq, 0) });
        }
        assert_eq!(catalogue.len(), 3);
        assert!(catalogue.holds(&entry(1, 100, 1, 0).id));
    }

    #[test]
    fn the_cap_takes_the_oldest_of_strangers_first_and_never_our_own() {
        let limits = Limits { records: 10, ..Limits::default() };
        let mut catalogue = Catalogue::new(peer(0), limits, BTreeSet::from([peer(1)]));
        offer(&mut catalogue, &entry(0, 1, 1, 0));
        offer(&mut catalogue, &entry(1, 2, 2, 0));
        for seq in 3..=20 {
            offer(&mut catalogue, &entry(2, seq as u8, seq, 0));
        }
        assert!(catalogue.len() <= 10);
        assert!(catalogue.holds(&entry(0, 1, 1, 0).id) && catalogue.holds(&entry(1, 2, 2, 0).id));
        assert!(catalogue.holds(&entry(2, 20, 20, 0).id) && !catalogue.holds(&entry(2, 3, 3, 0).id));
        assert!(catalogue.since() > 30);
        assert_eq!(offer(&mut catalogue, &entry(3, 9, 3, 0)).fate, Fate::NoRoom);
        assert_eq!(offer(&mut catalogue, &entry(1, 9, 3, 0)).fate, Fate::Add);
    }

    #[test]
    fn a_date_in_the_future_does_not_save_a_record() {
        let mut catalogue = catalogue(Limits { records: 5, ..Limits::default() });
        let future = Entry { created_at: u64::MAX, ..entry(9, 1, 1, 0) };
        offer(&mut catalogue, &future);
        offer_all(&mut catalogue, 1..=5);
        assert!(!catalogue.holds(&future.id));
        assert_eq!(catalogue.len(), 5);
        assert_eq!(catalogue.since(), 0);
    }

    #[test]
    fn rows_and_authors_are_used_again() {
        let mut catalogue = catalogue(Limits::default());
        for round in 0..100 {
            for author in 1..=20 {
                offer(&mut catalogue, &entry(author, 1, round + 1, 0));
            }
            for author in 1..=20 {
                catalogue.remove(&entry(author, 1, 1, 0).slot);
            }
            catalogue.seal();
        }
        assert_eq!((catalogue.len(), catalogue.bytes()), (0, 0));
        assert!(catalogue.rows.len() <= 40 && catalogue.authors.len() <= 40);
    }

    proptest! {
        /// Commutative, associative and idempotent: any order with any repetition ends the same.
        #[test]
        fn the_end_does_not_depend_on_order_or_repetition(
            offers in proptest::collection::vec((1u8..4, 0u8..6, 1u64..6, 0u8..2), 1..40),
            swaps in proptest::collection::vec((0usize..40, 0usize..40), 0..80),
        ) {
            let limits = Limits { author_records: 4, ..Limits::default() };
            let entries: Vec<Entry> = offers.iter().map(|&(author, key, seq, variant)| entry(author, key, seq, variant)).collect();
            let mut other = [entries.clone(), entries.clone()].concat();
            for (left, right) in swaps {
                let len = other.len();
                other.swap(left % len, right % len);
            }
            let (mut one, mut two) = (catalogue(limits), catalogue(limits));
            for entry in &entries { offer(&mut one, entry); }
            for entry in &other { offer(&mut two, entry); }
            prop_assert_eq!(ids(&mut one), ids(&mut two));
        }

        /// The order is right after any mixture of changes.
        #[test]
        fn sealing_in_between_changes_nothing(
            offers in proptest::collection::vec((1u8..4, 0u8..6, 1u64..60, any::<bool>()), 1..60),
        ) {
            let (mut often, mut once) = (catalogue(Limits::default()), catalogue(Limits::default()));
            for (author, key, seq, seal) in offers {
                let entry = entry(author, key, seq, 0);
                offer(&mut often, &entry);
                offer(&mut once, &entry);
                if seal { often.seal() }
            }
            let sorted = ids(&mut once);
            prop_assert_eq!(&ids(&mut often), &sorted);
            prop_assert_eq!(sorted.len(), once.len());
        }
    }
}
