//! An internal key that nobody can sign with, and everyone can see that nobody can.
//!
//! BIP-341 proposes the point H whose x-coordinate is the SHA-256 of the generator's uncompressed encoding: whoever knew its
//! secret would have broken discrete logarithms. Descriptors want an extended key, so H becomes one with the SHA-256 of
//! the sorted keys as its chain code, which is what wallets with unspendable keys agreed on; its child `/0/0` is used.
//! Two treasuries have two internal keys, and each is shown to be H moved by a public amount.

use bdk_wallet::miniscript::descriptor::{DescriptorPublicKey, DescriptorXKey, Wildcard};
use domain::{
    Network,
    bitcoin::{
        NetworkKind, XOnlyPublicKey,
        bip32::{ChainCode, ChildNumber, DerivationPath, Fingerprint, Xpub},
        hashes::{Hash, HashEngine, sha256},
        secp256k1::{
            Parity, PublicKey, Secp256k1,
            constants::{GENERATOR_X, GENERATOR_Y},
        },
    },
};

/// Returns BIP-341's point H.
pub(super) fn point() -> XOnlyPublicKey {
    let uncompressed = [&[0x04][..], &GENERATOR_X, &GENERATOR_Y].concat();
    let x = sha256::Hash::hash(&uncompressed).to_byte_array();
    XOnlyPublicKey::from_slice(&x).expect("BIP-341 found a point there")
}

/// Returns the internal key of a treasury that is spent by its script alone.
pub(super) fn internal_key(keys: &[XOnlyPublicKey]) -> XOnlyPublicKey {
    let secp = Secp256k1::verification_only();
    let child = xpub(keys, NetworkKind::Main).derive_pub(&secp, &path());
    child.expect("an index that makes no key has a chance below 2^-127").to_x_only_pub()
}

/// Returns it as descriptors write it.
pub(super) fn descriptor_key(keys: &[XOnlyPublicKey], network: Network) -> DescriptorPublicKey {
    DescriptorPublicKey::XPub(DescriptorXKey {
        origin: None,
        xkey: xpub(keys, network.bitcoin().into()),
        derivation_path: path(),
        wildcard: Wildcard::None,
    })
}

fn path() -> DerivationPath {
    DerivationPath::from(vec![ChildNumber::Normal { index: 0 }; 2])
}

fn xpub(keys: &[XOnlyPublicKey], network: NetworkKind) -> Xpub {
    Xpub {
        network,
        depth: 0,
        parent_fingerprint: Fingerprint::default(),
        child_number: ChildNumber::Normal { index: 0 },
        public_key: compressed(&point()),
        chain_code: chain_code(keys),
    }
}

fn chain_code(keys: &[XOnlyPublicKey]) -> ChainCode {
    let mut engine = sha256::Hash::engine();
    for key in keys {
        engine.input(&compressed(key).serialize());
    }
    ChainCode::from(sha256::Hash::from_engine(engine).to_byte_array())
}

fn compressed(key: &XOnlyPublicKey) -> PublicKey {
    key.public_key(Parity::Even)
}
