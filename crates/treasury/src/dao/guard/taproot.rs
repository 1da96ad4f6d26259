//! `tr(internal, multi_a(t, …))`: one leaf in which each key checks its own signature (BIP-341, BIP-342, BIP-387).

use std::sync::Arc;

use bdk_wallet::miniscript::{
    Descriptor, Miniscript, MiniscriptKey, Tap, Terminal, Threshold,
    descriptor::{DescriptorPublicKey, SinglePub, SinglePubKey, TapTree, Tr},
};
use domain::bitcoin::{
    ScriptBuf, TapLeafHash, TapNodeHash, Transaction, TxOut, Witness, XOnlyPublicKey,
    secp256k1::{Keypair, Message, Secp256k1, schnorr::Signature},
    sighash::{Prevouts, SighashCache, TapSighashType},
    taproot::{LeafVersion, TaprootSpendInfo},
};

use super::Share;

/// A taproot output with one leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Taproot {
    info: Arc<TaprootSpendInfo>,
    leaf: ScriptBuf,
    control: Vec<u8>,
}

impl Taproot {
    /// Makes the output of an internal key and a leaf for the sorted keys.
    pub(super) fn new(internal: XOnlyPublicKey, keys: &[XOnlyPublicKey], threshold: usize) -> Self {
        let leaf = multi_a(keys.to_vec(), threshold);
        let script = leaf.encode();
        let tr = Tr::new(internal, Some(TapTree::Leaf(Arc::new(leaf)))).expect("one leaf is not deep");
        let info = tr.spend_info();
        let control = info.control_block(&(script.clone(), LeafVersion::TapScript));
        let control = control.expect("the leaf is in its own tree").serialize();
        Self { info, leaf: script, control }
    }

    pub(super) fn script_pubkey(&self) -> ScriptBuf {
        ScriptBuf::new_p2tr_tweaked(self.info.output_key())
    }

    pub(super) fn internal(&self) -> XOnlyPublicKey {
        self.info.internal_key()
    }

    pub(super) fn output_key(&self) -> XOnlyPublicKey {
        self.info.output_key().to_x_only_public_key()
    }

    /// The root of the tree, by which the internal key is moved.
    pub(super) fn root(&self) -> TapNodeHash {
        TapNodeHash::from_script(&self.leaf, LeafVersion::TapScript)
    }

    /// The digest that the leaf checks.
    pub(super) fn message(&self, transaction: &Transaction, input: usize, prevouts: &[TxOut]) -> Message {
        let leaf = TapLeafHash::from_script(&self.leaf, LeafVersion::TapScript);
        let sighash = SighashCache::new(transaction).taproot_script_spend_signature_hash(
            input,
            &Prevouts::All(prevouts),
            leaf,
            TapSighashType::Default,
        );
        sighash.expect("the caller has checked the input and its coins").into()
    }

    /// The witness of shares: one element a key, the last key's first, empty where it did not sign.
    pub(super) fn witness(&self, keys: &[XOnlyPublicKey], shares: &[(XOnlyPublicKey, Share)]) -> Witness {
        let share = |key| {
            let place = shares.binary_search_by(|(holder, _)| holder.cmp(key));
            place.ok().and_then(|at| shares.get(at)).map_or(&[][..], |(_, share)| share.as_bytes())
        };
        self.stack(keys.iter().rev().map(share))
    }

    pub(super) fn worst_witness(&self, keys: usize, threshold: usize) -> Witness {
        let share = [0; Share::LEN];
        self.stack((0..keys).map(|at| if at < threshold { &share[..] } else { &[] }))
    }

    fn stack<'a>(&'a self, shares: impl Iterator<Item = &'a [u8]>) -> Witness {
        shares.chain([self.leaf.as_bytes(), &self.control]).collect::<Vec<_>>().into()
    }
}

/// The digest of the key path.
pub(super) fn key_message(transaction: &Transaction, input: usize, prevouts: &[TxOut]) -> Message {
    let sighash = SighashCache::new(transaction).taproot_key_spend_signature_hash(
        input,
        &Prevouts::All(prevouts),
        TapSighashType::Default,
    );
    sighash.expect("the caller has checked the input and its coins").into()
}

/// Signs as BIP-340 says.
pub(super) fn sign(message: &Message, keypair: &Keypair, aux: &[u8; 32]) -> Share {
    let signature = Secp256k1::signing_only().sign_schnorr_with_aux_rand(message, keypair, aux);
    Share::from_bytes(signature.serialize())
}

/// Verifies as BIP-340 says.
pub(super) fn verify(message: &Message, key: &XOnlyPublicKey, share: &Share) -> bool {
    let secp = Secp256k1::verification_only();
    Signature::from_slice(share.as_bytes())
        .is_ok_and(|signature| secp.verify_schnorr(&signature, message, key).is_ok())
}

/// Writes the descriptor.
pub(super) fn descriptor(internal: DescriptorPublicKey, keys: &[XOnlyPublicKey], threshold: usize) -> String {
    let leaf = multi_a(keys.iter().map(single).collect(), threshold);
    let tr = Descriptor::new_tr(internal, Some(TapTree::Leaf(Arc::new(leaf))));
    tr.expect("one leaf is not deep").to_string()
}

/// Writes an x-only key.
pub(super) fn single(key: &XOnlyPublicKey) -> DescriptorPublicKey {
    DescriptorPublicKey::Single(SinglePub { origin: None, key: SinglePubKey::XOnly(*key) })
}

fn multi_a<Pk: MiniscriptKey>(keys: Vec<Pk>, threshold: usize) -> Miniscript<Pk, Tap> {
    let threshold = Threshold::new(threshold, keys).expect("the guard has checked the threshold");
    Miniscript::from_ast(Terminal::MultiA(threshold)).expect("the guard has checked the number of keys")
}
