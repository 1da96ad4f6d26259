//! What a member must not forget, as changes that are appended and read again in their order.

use domain::{
    bitcoin::{BlockHash, OutPoint, Transaction, TxOut, Txid, Witness, consensus, hashes::Hash},
    kinds::JoinId,
};
use minicbor::{Decode, Encode, bytes::ByteArray, bytes::ByteVec};

use super::{
    super::{Confirmed, TurnId, guard::Share},
    message::Secret,
};

/// Changes that are stored together, in the clear but for those of which [`Self::is_secret`] says otherwise. Stored one after another and handed back in that order, they restore a member.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct ChangeSet(#[n(0)] pub(super) Vec<Change>);

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) enum Change {
    /// A turn that was found to be right.
    #[n(0)]
    Turn(#[n(0)] ByteVec),
    /// A coin seen on the chain.
    #[n(1)]
    Coin(#[n(0)] ByteVec, #[n(1)] ByteVec, #[n(2)] u32, #[n(3)] ByteArray<32>),
    /// A complete refund: of each node as many signatures as it takes, each with its holder's place.
    #[n(2)]
    Refund(#[n(0)] TurnId, #[n(1)] Vec<Vec<Held>>),
    /// A signature on T leaves this node: from now on T may be sent by others.
    #[n(3)]
    Released(#[n(0)] TurnId),
    /// A joiner's own signatures on T.
    #[n(4)]
    Witness(#[n(0)] TurnId, #[n(1)] u16, #[n(2)] Vec<ByteVec>),
    /// A complete T.
    #[n(5)]
    Finished(#[n(0)] TurnId, #[n(1)] ByteVec),
    /// A watched coin was spent in a block.
    #[n(6)]
    Spent(#[n(0)] ByteVec, #[n(1)] ByteArray<32>, #[n(2)] u32, #[n(3)] ByteArray<32>),
    /// The blocks above a height are no more.
    #[n(7)]
    Reorg(#[n(0)] u32),
    /// The owner closed the set of founders.
    #[n(8)]
    Started,
    /// Nonces for a round of an attempt were committed to: its number is used up.
    #[n(9)]
    Committed(#[n(0)] TurnId, #[n(1)] u32),
    /// A group's key was begun by an epoch's holders: the number is used up.
    #[n(10)]
    Dealt(#[n(0)] ByteArray<32>, #[n(1)] u32),
    /// The script that a group's key guards, the group, and the own share of its key, which is secret.
    #[n(11)]
    Share(#[n(0)] ByteVec, #[n(1)] ByteVec, #[n(2)] Secret),
    /// Whoever wished to join so killed an attempt, and is left out up to a height.
    #[n(12)]
    Failed(#[n(0)] TurnId, #[n(1)] JoinId, #[n(2)] u32),
    /// The owner sends the refund of the coin that a turn made.
    #[n(13)]
    Recovering(#[n(0)] TurnId),
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Held {
    #[n(0)]
    pub holder: u16,
    #[n(1)]
    pub share: ByteArray<{ Share::LEN }>,
}

/// Says that stored bytes are no change set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored bytes are no change of a DAO's member")]
pub struct ChangeSetError;

impl ChangeSetError {
    /// Returns the stable code for scripts and screens.
    pub fn code(self) -> &'static str {
        "dao_changes_malformed"
    }
}

impl ChangeSet {
    /// Returns the bytes to store.
    pub fn encode(&self) -> Vec<u8> {
        minicbor::to_vec(self).expect("encoding into memory does not fail")
    }

    /// Reads what was stored.
    ///
    /// # Errors
    /// Other bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, ChangeSetError> {
        minicbor::decode(bytes).map_err(|_| ChangeSetError)
    }

    /// Says whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Says whether it holds a share of a key, which is as secret as the key. It is to be kept encrypted, and then handed back
    /// by [`Input::Stored`](super::Input::Stored) as soon as it can be read.
    pub fn is_secret(&self) -> bool {
        self.0.iter().any(|change| matches!(change, Change::Share(..)))
    }

    /// Lists the turns whose complete refund it stores.
    pub fn refunds(&self) -> impl Iterator<Item = TurnId> {
        self.0.iter().filter_map(|change| match change {
            Change::Refund(turn, _) => Some(*turn),
            _ => None,
        })
    }

    /// Lists the rounds of signing by the key path, each of a turn, whose number it uses up.
    pub fn committed(&self) -> impl Iterator<Item = (TurnId, u32)> {
        self.0.iter().filter_map(|change| match change {
            Change::Committed(turn, number) => Some((*turn, *number)),
            _ => None,
        })
    }

    /// Lists the turns on whose transaction it says that a signature leaves.
    pub fn released(&self) -> impl Iterator<Item = TurnId> {
        self.0.iter().filter_map(|change| match change {
            Change::Released(turn) | Change::Witness(turn, _, _) => Some(*turn),
            _ => None,
        })
    }
}

impl Change {
    pub(super) fn coin(outpoint: &OutPoint, coin: &Confirmed) -> Self {
        let block = ByteArray::from(*coin.block.as_byte_array());
        Self::Coin(serialized(outpoint), serialized(&coin.output), coin.height, block)
    }

    pub(super) fn spent(outpoint: &OutPoint, by: Txid, height: u32, block: BlockHash) -> Self {
        let (by, block) = (ByteArray::from(by.to_byte_array()), ByteArray::from(*block.as_byte_array()));
        Self::Spent(serialized(outpoint), by, height, block)
    }

    pub(super) fn witness(turn: TurnId, input: u16, witness: &Witness) -> Self {
        Self::Witness(turn, input, elements(witness))
    }

    pub(super) fn finished(turn: TurnId, transaction: &Transaction) -> Self {
        Self::Finished(turn, serialized(transaction))
    }
}

pub(super) fn elements(witness: &Witness) -> Vec<ByteVec> {
    witness.iter().map(|element| ByteVec::from(element.to_vec())).collect()
}

pub(super) fn witness_of(elements: &[ByteVec]) -> Witness {
    Witness::from_slice(&elements.iter().map(|element| element.as_slice()).collect::<Vec<_>>())
}

pub(super) fn outpoint(bytes: &ByteVec) -> Option<OutPoint> {
    consensus::deserialize(bytes).ok()
}

pub(super) fn confirmed(output: &ByteVec, height: u32, block: &ByteArray<32>) -> Option<Confirmed> {
    let output: TxOut = consensus::deserialize(output).ok()?;
    Some(Confirmed { output, height, block: block_of(block) })
}

pub(super) fn transaction(bytes: &ByteVec) -> Option<Transaction> {
    consensus::deserialize(bytes).ok()
}

pub(super) fn txid_of(bytes: &ByteArray<32>) -> Txid {
    Txid::from_byte_array(**bytes)
}

pub(super) fn block_of(bytes: &ByteArray<32>) -> BlockHash {
    BlockHash::from_byte_array(**bytes)
}

fn serialized<T: consensus::Encodable>(value: &T) -> ByteVec {
    ByteVec::from(consensus::serialize(value))
}
