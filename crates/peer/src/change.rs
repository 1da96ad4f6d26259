use domain::{PeerId, Record, RecordId, SlotId, kinds::BlockEntry};

/// What must be on disk before anything that follows it leaves the node. Change sets merge by appending; a store
/// applies one in a single transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeSet {
    /// Records that now hold their slot; each replaces whatever held it.
    pub put: Vec<Record>,
    /// Slots to drop with all that was derived from them.
    pub forget: Vec<SlotId>,
    /// Ids of records dropped for want of room, so that they are not fetched again.
    pub evicted: Vec<RecordId>,
    /// Proofs that an author signed two things for one version of one slot.
    pub proofs: Vec<Equivocation>,
    /// The highest `seq` this node has signed with.
    pub own_seq: Option<u64>,
    /// What the user blocked, from now on.
    pub block: Vec<BlockEntry>,
    /// What the user does not block any more.
    pub unblock: Vec<BlockEntry>,
}

/// Two records of one author, slot and `seq` with different bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Equivocation {
    /// The record with the lower id.
    pub one: Record,
    /// The record with the higher id, which holds the slot.
    pub two: Record,
}

/// What a store keeps of a record in memory: enough to merge, reconcile and evict, not the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The slot it holds.
    pub slot: SlotId,
    /// The record.
    pub id: RecordId,
    /// Its author.
    pub author: PeerId,
    /// Its kind.
    pub kind: u16,
    /// Its version.
    pub seq: u64,
    /// Unix milliseconds by the author's clock.
    pub created_at: u64,
    /// Length in bytes.
    pub len: u16,
    /// Whether it is a withdrawal.
    pub withdrawn: bool,
}

/// What a peer starts from: what its change sets added up to.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The record of every slot.
    pub entries: Vec<Entry>,
    /// Records dropped for want of room.
    pub evicted: Vec<RecordId>,
    /// Authors caught equivocating.
    pub equivocators: Vec<PeerId>,
    /// The highest `seq` this node has signed with.
    pub own_seq: u64,
    /// What the user blocked.
    pub blocked: Vec<BlockEntry>,
    /// Whom the user follows, publicly or not: their records are kept first.
    pub followed: Vec<PeerId>,
}

impl ChangeSet {
    /// Says whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Appends a later change. What it takes back of this one is dropped, because a store carries out each list whole:
    /// first what is put, then what is forgotten.
    pub fn merge(&mut self, later: Self) {
        self.put.retain(|record| !later.forget.contains(&record.slot));
        self.forget.retain(|slot| !later.put.iter().any(|record| record.slot == *slot));
        self.block.retain(|entry| !later.unblock.contains(entry));
        self.unblock.retain(|entry| !later.block.contains(entry));
        self.put.extend(later.put);
        self.forget.extend(later.forget);
        self.evicted.extend(later.evicted);
        self.proofs.extend(later.proofs);
        self.own_seq = later.own_seq.max(self.own_seq);
        self.block.extend(later.block);
        self.unblock.extend(later.unblock);
    }
}

impl Equivocation {
    /// Makes the proof of two records, if they are one. Their signatures were checked when they were read.
    pub fn of(one: Record, two: Record) -> Option<Self> {
        let proves = one.contradicts(&two);
        let (one, two) = if one.id < two.id { (one, two) } else { (two, one) };
        proves.then_some(Self { one, two })
    }

    /// Returns who signed both.
    pub fn author(&self) -> PeerId {
        self.two.author
    }
}

impl From<&Record> for Entry {
    fn from(record: &Record) -> Self {
        Self {
            slot: record.slot,
            id: record.id,
            author: record.author,
            kind: record.kind,
            seq: record.seq,
            created_at: record.created_at,
            len: u16::try_from(record.bytes().len()).expect("a record has at most 4096 bytes"),
            withdrawn: record.body.is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::{Identity, Stamp, kinds::Follow};

    use super::*;

    #[test]
    fn the_later_word_on_a_slot_or_a_block_is_the_one_that_stays() {
        let identity = Identity::from_secret(&[1; 32]);
        let record = Record::sign(&identity, Stamp::default(), &Follow { artist: identity.id() }).unwrap();
        let put = || ChangeSet { put: vec![record.clone()], ..ChangeSet::default() };
        let forget = || ChangeSet { forget: vec![record.slot], ..ChangeSet::default() };
        let entry = BlockEntry::Author(identity.id());
        let block = || ChangeSet { block: vec![entry], ..ChangeSet::default() };
        let unblock = || ChangeSet { unblock: vec![entry], ..ChangeSet::default() };
        for (one, two) in [(put(), forget()), (forget(), put()), (block(), unblock()), (unblock(), block())] {
            let mut merged = one;
            merged.merge(two.clone());
            assert_eq!(merged, two);
        }
    }
}
