use std::collections::{BTreeMap, BTreeSet};

use domain::{PeerId, RecordId, SlotId, kinds::BlockEntry};
use peer::{ChangeSet, Entry, Equivocation, Loaded};

/// What one member has persisted. The records' bytes are shared by the whole swarm, by id.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    pub(crate) entries: BTreeMap<SlotId, Entry>,
    pub(crate) proofs: BTreeMap<PeerId, Equivocation>,
    ids: BTreeSet<RecordId>,
    evicted: Vec<RecordId>,
    own_seq: u64,
    blocked: BTreeSet<BlockEntry>,
}

impl Disk {
    pub(crate) fn apply(&mut self, change: &ChangeSet) {
        for record in &change.put {
            self.remove(&record.slot);
            self.ids.insert(record.id);
            self.entries.insert(record.slot, Entry::from(record));
        }
        change.forget.iter().for_each(|slot| self.remove(slot));
        self.evicted.extend(&change.evicted);
        self.proofs.extend(change.proofs.iter().map(|proof| (proof.author(), proof.clone())));
        self.own_seq = change.own_seq.unwrap_or_default().max(self.own_seq);
        self.blocked.extend(&change.block);
        self.blocked.retain(|entry| !change.unblock.contains(entry));
    }

    pub(crate) fn holds(&self, id: &RecordId) -> bool {
        self.ids.contains(id)
    }

    pub(crate) fn load(&self) -> Loaded {
        Loaded {
            entries: self.entries.values().copied().collect(),
            evicted: self.evicted.clone(),
            equivocators: self.proofs.keys().copied().collect(),
            own_seq: self.own_seq,
            blocked: self.blocked.iter().copied().collect(),
            followed: Vec::new(),
        }
    }

    fn remove(&mut self, slot: &SlotId) {
        if let Some(entry) = self.entries.remove(slot) {
            self.ids.remove(&entry.id);
        }
    }
}
