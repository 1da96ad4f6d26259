//! A joiner's signatures on T: one key's, on a coin of segwit version 0 or 1 (BIP 141, BIP 143, BIP 341).

use domain::bitcoin::{
    CompressedPublicKey, EcdsaSighashType, Witness, XOnlyPublicKey, ecdsa,
    secp256k1::{Message, Secp256k1, schnorr},
    sighash::{Prevouts, SighashCache, TapSighashType},
};

use super::super::Unsigned;

/// Says whether a witness spends a joiner's input, with the whole transaction signed and nothing that a relaying node could
/// change.
pub(super) fn spends(unsigned: &Unsigned, input: usize, witness: &Witness) -> bool {
    let script = unsigned.spent.get(input).map(|spent| &spent.script_pubkey);
    match script {
        Some(script) if script.is_p2tr() => by_key_path(unsigned, input, witness).is_some(),
        Some(script) if script.is_p2wpkh() => by_key_hash(unsigned, input, witness).is_some(),
        _ => false,
    }
}

fn by_key_path(unsigned: &Unsigned, input: usize, witness: &Witness) -> Option<()> {
    let signature = witness.nth(0).filter(|_| witness.len() == 1)?;
    let signature = schnorr::Signature::from_slice(signature).ok()?;
    let key = unsigned.spent.get(input)?.script_pubkey.as_bytes().get(2..)?;
    let key = XOnlyPublicKey::from_slice(key).ok()?;
    let prevouts = Prevouts::All(&unsigned.spent);
    let mut cache = SighashCache::new(&unsigned.transaction);
    let digest = cache.taproot_key_spend_signature_hash(input, &prevouts, TapSighashType::Default).ok()?;
    Secp256k1::verification_only().verify_schnorr(&signature, &Message::from(digest), &key).ok()
}

fn by_key_hash(unsigned: &Unsigned, input: usize, witness: &Witness) -> Option<()> {
    let (signature, key) = (witness.nth(0)?, witness.nth(1).filter(|_| witness.len() == 2)?);
    let signature = ecdsa::Signature::from_slice(signature).ok()?;
    let key = CompressedPublicKey::from_slice(key).ok()?;
    let spent = unsigned.spent.get(input)?;
    let mut low = signature.signature;
    low.normalize_s();
    let is_strict = signature.sighash_type == EcdsaSighashType::All && low == signature.signature;
    let is_owner = domain::bitcoin::ScriptBuf::new_p2wpkh(&key.wpubkey_hash()) == spent.script_pubkey;
    if !is_strict || !is_owner {
        return None;
    }
    let mut cache = SighashCache::new(&unsigned.transaction);
    let digest =
        cache.p2wpkh_signature_hash(input, &spent.script_pubkey, spent.value, EcdsaSighashType::All).ok()?;
    Secp256k1::verification_only().verify_ecdsa(&Message::from(digest), &signature.signature, &key.0).ok()
}
