use bitcoin::{Amount, BlockHash, OutPoint, ScriptBuf, XOnlyPublicKey};
use minicbor::{Decode, Encode};

use super::{DaoId, charter::MIN_ENTRANCE_FEE, proposal::MIN_OUTPUT};
use crate::{
    Key, Kind, Network, PeerId, RecordError, SlotId,
    kinds::{
        cbor, id,
        money::{check_amount, check_script, content_key},
    },
    text,
};

/// Names a wish to join.
pub type JoinId = SlotId;

/// Most coins that a joiner may pay with.
pub const MAX_JOIN_INPUTS: usize = 3;

/// A wish to join or to found, with the coins that pay for it. They move only in a transaction that makes the author a
/// member, and only with signatures given then: the record itself spends nothing.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Join {
    /// The chain that it is on.
    #[n(0)]
    pub network: Network,
    /// What is joined.
    #[n(1)]
    pub dao: DaoId,
    /// The member's key, used for nothing else.
    #[cbor(n(2), with = "cbor::key")]
    pub key: XOnlyPublicKey,
    /// Where the claim is paid when the member leaves.
    #[cbor(n(3), with = "cbor::script")]
    pub leave: ScriptBuf,
    /// The coins that pay.
    #[n(4)]
    pub inputs: Vec<JoinInput>,
    /// Where what is left of them goes; a rest too small for an output adds to the claim.
    #[cbor(n(5), with = "cbor::script")]
    pub change: ScriptBuf,
    /// What is paid in: the claim to begin with.
    #[cbor(n(6), with = "cbor::sats")]
    pub deposit: Amount,
}

/// A coin that pays for joining, with what a signer needs to look it up.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct JoinInput {
    /// Which one.
    #[cbor(n(0), with = "cbor::outpoint")]
    pub outpoint: OutPoint,
    /// Its value.
    #[cbor(n(1), with = "cbor::sats")]
    pub value: Amount,
    /// Its script.
    #[cbor(n(2), with = "cbor::script")]
    pub script: ScriptBuf,
    /// The block that confirmed it.
    #[cbor(n(3), with = "cbor::block")]
    pub block: BlockHash,
}

impl Kind for Join {
    const ID: u16 = id::JOIN;
    const NAME: &'static str = "join";
    const PERMANENT: bool = true;

    fn key(&self) -> Key {
        content_key(self)
    }

    fn check(&self) -> Result<(), RecordError> {
        check_amount("deposit", self.deposit, MIN_ENTRANCE_FEE)?;
        check_script("leave script", &self.leave)?;
        check_script("change", &self.change)?;
        text::at_most("inputs", &self.inputs, MAX_JOIN_INPUTS)?;
        for (at, input) in self.inputs.iter().enumerate() {
            check_amount("input", input.value, MIN_OUTPUT)?;
            check_input_script(&input.script)?;
            if self.inputs[..at].iter().any(|other| other.outpoint == input.outpoint) {
                return Err(RecordError::body("inputs", "name a coin twice"));
            }
        }
        let paid: u64 = self.inputs.iter().map(|input| input.value.to_sat()).sum();
        match paid > self.deposit.to_sat() {
            true => Ok(()),
            false => Err(RecordError::body("inputs", "do not pay the deposit")),
        }
    }

    fn network(&self) -> Option<Network> {
        Some(self.network)
    }
}

/// A member has met a person and says that it is one, and another than all whom it vouched for before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Vouch {
    /// The chain that it is on.
    #[n(0)]
    pub network: Network,
    /// Where it counts.
    #[n(1)]
    pub dao: DaoId,
    /// Who was met.
    #[n(2)]
    pub member: PeerId,
}

impl Kind for Vouch {
    const ID: u16 = id::VOUCH;
    const NAME: &'static str = "vouch";
    const PERMANENT: bool = true;

    fn key(&self) -> Key {
        Key::of(&[self.dao.as_bytes(), self.member.as_bytes()])
    }

    fn check(&self) -> Result<(), RecordError> {
        Ok(())
    }

    fn network(&self) -> Option<Network> {
        Some(self.network)
    }
}

/// A member's node votes as another member does, until this is signed anew or withdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Delegation {
    /// The chain that it is on.
    #[n(0)]
    pub network: Network,
    /// Where it counts.
    #[n(1)]
    pub dao: DaoId,
    /// Who is followed; nobody where it is left out.
    #[n(2)]
    pub to: Option<PeerId>,
}

impl Kind for Delegation {
    const ID: u16 = id::DELEGATION;
    const NAME: &'static str = "delegation";

    fn key(&self) -> Key {
        Key::of(&[self.dao.as_bytes()])
    }

    fn check(&self) -> Result<(), RecordError> {
        Ok(())
    }

    fn network(&self) -> Option<Network> {
        Some(self.network)
    }
}

/// A member goes, with its claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Leave {
    /// The chain that it is on.
    #[n(0)]
    pub network: Network,
    /// What is left.
    #[n(1)]
    pub dao: DaoId,
    /// The join that it ends: whoever joins again is not sent away by an old wish.
    #[n(2)]
    pub join: JoinId,
}

impl Kind for Leave {
    const ID: u16 = id::LEAVE;
    const NAME: &'static str = "leave";
    const PERMANENT: bool = true;

    fn key(&self) -> Key {
        Key::of(&[self.dao.as_bytes(), self.join.as_bytes()])
    }

    fn check(&self) -> Result<(), RecordError> {
        Ok(())
    }

    fn network(&self) -> Option<Network> {
        Some(self.network)
    }
}

/// Accepts coins whose spending never changes a transaction's id and whose witness has a known weight.
fn check_input_script(script: &ScriptBuf) -> Result<(), RecordError> {
    match script.is_p2wpkh() || script.is_p2tr() {
        true => Ok(()),
        false => Err(RecordError::body("input", "is not a coin of one key at a segwit address")),
    }
}
