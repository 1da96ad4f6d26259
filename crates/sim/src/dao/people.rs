//! Members as people: an identity, a key for the DAO, and a wallet of one coin.

use domain::{
    Identity, PeerId,
    bitcoin::{
        Amount, CompressedPublicKey, EcdsaSighashType, ScriptBuf, Transaction, TxOut, Witness, ecdsa,
        hashes::{Hash, HashEngine, sha256},
        secp256k1::{All, Keypair, Message, Secp256k1},
        sighash::SighashCache,
    },
};

/// Whoever signs, with what signing needs.
pub(super) struct Wallets {
    secp: Secp256k1<All>,
    seed: u64,
}

/// What somebody has a key for.
#[derive(Clone, Copy)]
pub(super) enum Usage {
    Member,
    Purse,
    Change,
    Leave,
    Payee,
}

impl Wallets {
    pub(super) fn new(seed: u64) -> Self {
        Self { secp: Secp256k1::new(), seed }
    }

    fn secret(&self, number: u32, usage: u8) -> [u8; 32] {
        let mut engine = sha256::Hash::engine();
        engine.input(&self.seed.to_le_bytes());
        engine.input(&number.to_le_bytes());
        engine.input(&[usage]);
        sha256::Hash::from_engine(engine).to_byte_array()
    }

    pub(super) fn identity(&self, number: u32) -> Identity {
        Identity::from_secret(&self.secret(number, u8::MAX))
    }

    pub(super) fn peer(&self, number: u32) -> PeerId {
        self.identity(number).id()
    }

    pub(super) fn key(&self, number: u32, usage: Usage) -> Keypair {
        let secret = self.secret(number, usage as u8);
        Keypair::from_seckey_slice(&self.secp, &secret).expect("a hash is a key but once in 2^128")
    }

    pub(super) fn script(&self, number: u32, usage: Usage) -> ScriptBuf {
        let key = CompressedPublicKey(self.key(number, usage).public_key());
        ScriptBuf::new_p2wpkh(&key.wpubkey_hash())
    }

    /// A wallet's signature of its coin (BIP 143).
    pub(super) fn spend(&self, number: u32, transaction: &Transaction, at: usize, spent: &TxOut) -> Witness {
        let pair = self.key(number, Usage::Purse);
        let digest = digest(transaction, at, &spent.script_pubkey, spent.value);
        let signature = self.secp.sign_ecdsa(&digest, &pair.secret_key());
        Witness::p2wpkh(&ecdsa::Signature::sighash_all(signature), &pair.public_key())
    }
}

/// What is signed of a P2WPKH coin.
pub(super) fn digest(transaction: &Transaction, at: usize, script: &ScriptBuf, value: Amount) -> Message {
    let hash = SighashCache::new(transaction).p2wpkh_signature_hash(at, script, value, EcdsaSighashType::All);
    hash.expect("the input is there and its coin is P2WPKH").into()
}
