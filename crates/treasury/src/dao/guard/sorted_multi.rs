//! `wsh(sortedmulti(t, …))`: `OP_CHECKMULTISIG` in a witness script (BIP-67, BIP-143, BIP-383).
//!
//! The keys are the x-only ones with even y. A signature travels as its two numbers; both are below 2^255, so that it has at
//! most 70 bytes of DER and the largest witness is known to the byte.

use bdk_wallet::miniscript::Descriptor;
use domain::bitcoin::{
    Amount, EcdsaSighashType, PublicKey, ScriptBuf, Transaction, Witness, XOnlyPublicKey, ecdsa,
    secp256k1::{self, Keypair, Message, Parity, Secp256k1, SecretKey},
    sighash::SighashCache,
};

use super::Share;

/// DER of two numbers below 2^255 (2 + 2 + 32 + 2 + 32) and the byte of the sighash type.
const SIGNATURE_LEN: usize = 71;

/// A P2WSH output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SortedMulti {
    script: ScriptBuf,
}

impl SortedMulti {
    pub(super) fn new(keys: &[XOnlyPublicKey], threshold: usize) -> Self {
        let script = multi(keys, threshold).explicit_script().expect("P2WSH has a script");
        Self { script }
    }

    pub(super) fn script_pubkey(&self) -> ScriptBuf {
        self.script.to_p2wsh()
    }

    pub(super) fn message(&self, transaction: &Transaction, input: usize, value: Amount) -> Message {
        let sighash = SighashCache::new(transaction).p2wsh_signature_hash(
            input,
            &self.script,
            value,
            EcdsaSighashType::All,
        );
        sighash.expect("the caller has checked the input").into()
    }

    /// The witness of shares in the order of their keys, after the element that `OP_CHECKMULTISIG` drops.
    pub(super) fn witness(&self, shares: &[(XOnlyPublicKey, Share)]) -> Witness {
        let signatures = shares.iter().filter_map(|(_, share)| read(share));
        self.stack(signatures.map(|signature| ecdsa::Signature::sighash_all(signature).to_vec()))
    }

    pub(super) fn worst_witness(&self, threshold: usize) -> Witness {
        self.stack((0..threshold).map(|_| vec![0; SIGNATURE_LEN]))
    }

    fn stack(&self, signatures: impl Iterator<Item = Vec<u8>>) -> Witness {
        let signatures = [Vec::new()].into_iter().chain(signatures);
        signatures.chain([self.script.to_bytes()]).collect::<Vec<_>>().into()
    }
}

/// Signs as RFC 6979 says, again with a counter until the first number is below 2^255.
pub(super) fn sign(message: &Message, keypair: &Keypair) -> Share {
    let secret = even(keypair);
    let signature = Secp256k1::signing_only().sign_ecdsa_low_r(message, &secret);
    Share::from_bytes(signature.serialize_compact())
}

pub(super) fn verify(message: &Message, key: &XOnlyPublicKey, share: &Share) -> bool {
    let secp = Secp256k1::verification_only();
    let key = key.public_key(Parity::Even);
    read(share).is_some_and(|signature| secp.verify_ecdsa(message, &signature, &key).is_ok())
}

pub(super) fn descriptor(keys: &[XOnlyPublicKey], threshold: usize) -> String {
    multi(keys, threshold).to_string()
}

fn multi(keys: &[XOnlyPublicKey], threshold: usize) -> Descriptor<PublicKey> {
    let keys = keys.iter().map(|key| PublicKey::new(key.public_key(Parity::Even))).collect();
    Descriptor::new_wsh_sortedmulti(threshold, keys).expect("the guard has checked keys and threshold")
}

/// Reads a share whose numbers are both below 2^255.
fn read(share: &Share) -> Option<secp256k1::ecdsa::Signature> {
    let bytes = share.as_bytes();
    let low = bytes[0] < 0x80 && bytes[32] < 0x80;
    secp256k1::ecdsa::Signature::from_compact(bytes).ok().filter(|_| low)
}

/// The secret of the point with even y.
pub(super) fn even(keypair: &Keypair) -> SecretKey {
    match keypair.x_only_public_key().1 {
        Parity::Even => keypair.secret_key(),
        Parity::Odd => keypair.secret_key().negate(),
    }
}
