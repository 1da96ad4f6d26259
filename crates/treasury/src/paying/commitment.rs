//! How a transaction says what it pays: one OP_RETURN output with the root of a tree over the ids of signed records.
//!
//! The ids do not depend on the transaction, so the records are signed and stored before it is sent; and nobody can
//! claim a transaction for a record that its payer had not signed. The tree has the shape of RFC 6962 over the ids in
//! ascending order. It hashes with BLAKE3's key derivation mode, as every other id here does: no Bitcoin script ever
//! evaluates it, so a second hash function would only be one more to get wrong.

use std::collections::BTreeSet;

use domain::{
    Kind, PeerId, SlotId,
    bitcoin::{
        ScriptBuf, Transaction, TxOut,
        opcodes::all::OP_RETURN,
        script::{Instruction, PushBytesBuf},
    },
    kinds::{MAX_PLACES, Place},
};

/// What every commitment begins with: `MD` and the version.
const MAGIC: [u8; 4] = *b"MD\x00\x01";
const LEAF: &str = "musicdao 2026 commitment leaf v1";
const NODE: &str = "musicdao 2026 commitment node v1";
const ROOT: &str = "musicdao 2026 commitment root v1";

/// The root of a transaction's commitments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Root([u8; 32]);

/// The tree over the ids of all records that one transaction pays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    ids: Vec<SlotId>,
}

impl Root {
    /// Finds the commitment of a transaction. One with several says nothing, since none of them is *the* one.
    pub fn of(transaction: &Transaction) -> Option<Self> {
        let mut found = transaction.output.iter().filter_map(Self::read);
        found.next().filter(|_| found.next().is_none())
    }

    /// Computes the root from a record's id and its place; `None` where there is no such place.
    pub fn above(id: &SlotId, place: Option<&Place>) -> Option<Self> {
        let Some(place) = place else { return Some(Self::top(1, &leaf(id))) };
        if place.count > MAX_PLACES || place.position >= place.count {
            return None;
        }
        let hash = climb(leaf(id), place.position, place.count, &place.path)?;
        Some(Self::top(place.count, &hash))
    }

    /// Returns the data of the OP_RETURN output that carries it.
    pub fn payload(&self) -> Vec<u8> {
        [&MAGIC[..], &self.0].concat()
    }

    /// Returns the script of that output.
    pub fn script(&self) -> ScriptBuf {
        let payload = PushBytesBuf::try_from(self.payload()).expect("36 bytes can be pushed");
        ScriptBuf::new_op_return(payload)
    }

    fn read(output: &TxOut) -> Option<Self> {
        let mut words = output.script_pubkey.instructions();
        let opens = matches!(words.next()?.ok()?, Instruction::Op(OP_RETURN));
        let Instruction::PushBytes(payload) = words.next()?.ok()? else { return None };
        let root = payload.as_bytes().strip_prefix(&MAGIC)?;
        let root = <[u8; 32]>::try_from(root).ok().map(Self)?;
        (opens && words.next().is_none()).then_some(root)
    }

    fn top(count: u16, hash: &[u8; 32]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(ROOT);
        hasher.update(&count.to_le_bytes()).update(hash);
        Self(*hasher.finalize().as_bytes())
    }
}

impl Tree {
    /// Makes the tree; `None` of no record, or of more than [`MAX_PLACES`]. A repeated id counts once.
    pub fn of(ids: impl IntoIterator<Item = SlotId>) -> Option<Self> {
        let ids: Vec<SlotId> = ids.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        let fits = !ids.is_empty() && ids.len() <= usize::from(MAX_PLACES);
        fits.then_some(Self { ids })
    }

    /// Returns the root.
    pub fn root(&self) -> Root {
        let count = u16::try_from(self.ids.len()).expect("there are at most MAX_PLACES");
        Root::top(count, &subtree(&self.ids))
    }

    /// Says where a record stands; `None` where it is alone, or not in the tree.
    pub fn place(&self, id: &SlotId) -> Option<Place> {
        let at = self.ids.binary_search(id).ok().filter(|_| self.ids.len() > 1)?;
        let mut path = Vec::new();
        walk(&self.ids, at, &mut path);
        let small = |number: usize| u16::try_from(number).expect("there are at most MAX_PLACES");
        Some(Place { position: small(at), count: small(self.ids.len()), path })
    }
}

/// Names the record that an author makes of a body.
pub fn id_of<K: Kind>(author: &PeerId, body: &K) -> SlotId {
    SlotId::of(author, K::ID, &body.key())
}

fn leaf(id: &SlotId) -> [u8; 32] {
    blake3::derive_key(LEAF, id.as_bytes())
}

fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key(NODE);
    hasher.update(left).update(right);
    *hasher.finalize().as_bytes()
}

/// Hashes a tree of at least one id.
fn subtree(ids: &[SlotId]) -> [u8; 32] {
    match ids {
        [] => [0; 32],
        [id] => leaf(id),
        ids => {
            let (left, right) = ids.split_at(split(ids.len()));
            node(&subtree(left), &subtree(right))
        }
    }
}

/// Collects the hashes beside the way to a leaf, the lowest first.
fn walk(ids: &[SlotId], at: usize, path: &mut Vec<[u8; 32]>) {
    if ids.len() < 2 {
        return;
    }
    let (left, right) = ids.split_at(split(ids.len()));
    if at < left.len() {
        walk(left, at, path);
        path.push(subtree(right));
    } else {
        walk(right, at - left.len(), path);
        path.push(subtree(left));
    }
}

/// Hashes from a leaf up to the top; `None` where the path is not as long as the way.
fn climb(hash: [u8; 32], position: u16, count: u16, path: &[[u8; 32]]) -> Option<[u8; 32]> {
    if count == 1 {
        return path.is_empty().then_some(hash);
    }
    let left = u16::try_from(split(count.into())).expect("it is less than the count");
    let (beside, below) = path.split_last()?;
    if position < left {
        Some(node(&climb(hash, position, left, below)?, beside))
    } else {
        Some(node(beside, &climb(hash, position - left, count - left, below)?))
    }
}

/// The largest power of two below a count of at least two.
fn split(count: usize) -> usize {
    count.next_power_of_two() / 2
}

#[cfg(test)]
mod tests {
    use domain::bitcoin::{Amount, absolute::LockTime, transaction::Version};
    use proptest::prelude::*;

    use super::*;

    fn ids(count: u16) -> Vec<SlotId> {
        (0..count).map(|number| SlotId::from_bytes(*blake3::hash(&number.to_le_bytes()).as_bytes())).collect()
    }

    fn paying(scripts: Vec<ScriptBuf>) -> Transaction {
        let output = |script_pubkey| TxOut { value: Amount::ZERO, script_pubkey };
        Transaction {
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            input: Vec::new(),
            output: scripts.into_iter().map(output).collect(),
        }
    }

    #[test]
    fn every_place_of_every_size_leads_to_the_root_and_to_no_other() {
        for count in (1..40).chain([64, 100, MAX_PLACES]) {
            let ids = ids(count);
            let tree = Tree::of(ids.clone()).unwrap();
            for id in &ids {
                let place = tree.place(id);
                assert_eq!(place.is_some(), count > 1);
                assert_eq!(Root::above(id, place.as_ref()), Some(tree.root()), "{count}");
                let Some(place) = place else { continue };
                let moved = Place { position: (place.position + 1) % count, ..place.clone() };
                assert_ne!(Root::above(id, Some(&moved)), Some(tree.root()));
                let shorter = Place { path: place.path[1..].to_vec(), ..place.clone() };
                assert_ne!(Root::above(id, Some(&shorter)), Some(tree.root()));
                let other = Place { count: count + 1, ..place };
                assert_ne!(Root::above(id, Some(&other)), Some(tree.root()));
            }
        }
        assert_eq!(Tree::of(Vec::new()), None);
        assert_eq!(Tree::of(ids(MAX_PLACES + 1)), None);
    }

    #[test]
    fn the_root_does_not_depend_on_the_order_of_the_records() {
        let mut ids = ids(9);
        let root = Tree::of(ids.clone()).unwrap().root();
        ids.reverse();
        ids.push(ids[3]);
        assert_eq!(Tree::of(ids).unwrap().root(), root);
    }

    #[test]
    fn a_transaction_carries_one_commitment_or_none() {
        let root = |count| Tree::of(ids(count)).unwrap().root();
        let script = root(1).script();
        assert_eq!(script.len(), 38);
        assert!(script.is_op_return());
        assert_eq!(Root::of(&paying(vec![script.clone()])), Some(root(1)));
        let foreign = ScriptBuf::new_op_return([7; 36]);
        assert_eq!(Root::of(&paying(vec![foreign.clone(), script.clone()])), Some(root(1)));
        assert_eq!(Root::of(&paying(vec![foreign])), None);
        assert_eq!(Root::of(&paying(vec![script.clone(), root(2).script()])), None);
        let longer = ScriptBuf::from_bytes([script.as_bytes(), &[0x51]].concat());
        assert_eq!(Root::of(&paying(vec![longer])), None);
    }

    #[test]
    fn golden_roots_never_change() {
        let hex = |count| data_encoding::HEXLOWER.encode(&Tree::of(ids(count)).unwrap().root().0);
        insta::assert_snapshot!([1, 2, 3, 7].map(hex).join("\n"));
    }

    proptest! {
        #[test]
        fn any_script_is_read_or_not(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Root::of(&paying(vec![ScriptBuf::from_bytes(bytes)]));
        }
    }
}
