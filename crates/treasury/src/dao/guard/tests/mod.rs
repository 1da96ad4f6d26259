mod generation;
mod rounds;
mod scripts;
mod shares;

use domain::bitcoin::{
    Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness, XOnlyPublicKey,
    absolute::LockTime,
    hashes::{Hash, sha256},
    secp256k1::{Keypair, Secp256k1, SecretKey},
    transaction::Version,
};

use frost_secp256k1_tr::keys::{IdentifierList, KeyPackage, generate_with_dealer};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

use super::{Construction, Group, Guard, KeyShare, frost::identifier};

/// The sizes that everything is tried with: keys and threshold.
const SIZES: [(usize, usize); 4] = [(3, 2), (10, 6), (20, 11), (100, 51)];

/// A member's keys, about half of them with odd y.
fn keypair(number: usize) -> Keypair {
    let secret = sha256::Hash::hash(&number.to_le_bytes()).to_byte_array();
    Keypair::from_secret_key(&Secp256k1::new(), &SecretKey::from_slice(&secret).unwrap())
}

/// Keys in the order of the guard's.
fn keypairs(count: usize) -> Vec<Keypair> {
    let mut pairs: Vec<_> = (0..count).map(keypair).collect();
    pairs.sort_by_key(key);
    pairs
}

fn key(pair: &Keypair) -> XOnlyPublicKey {
    pair.x_only_public_key().0
}

fn guard(construction: Construction, keys: usize, threshold: usize) -> Guard {
    match construction {
        Construction::Frost => frost(keys, threshold.max(2)).0,
        _ => Guard::new(construction, keypairs(keys).iter().map(key), threshold).unwrap(),
    }
}

/// A group and its shares in the order of the keys, from a dealer: quick, and nothing a DAO would do.
fn frost(count: usize, threshold: usize) -> (Guard, Vec<KeyShare>) {
    let keys: Vec<_> = keypairs(count).iter().map(key).collect();
    let (max, min) = (count as u16, threshold as u16);
    let random = ChaCha20Rng::from_seed([3; 32]);
    let (mut shares, group) = generate_with_dealer(max, min, IdentifierList::Default, random).unwrap();
    let own = |key: &XOnlyPublicKey| {
        let share = shares.remove(&identifier(&keys, key).unwrap()).unwrap();
        KeyShare { key: *key, package: KeyPackage::try_from(share).unwrap() }
    };
    let shares = keys.iter().map(own).collect();
    (Guard::frost(keys.clone(), threshold, &Group(group)).unwrap(), shares)
}

/// A transaction whose second input spends the guard's coin, and what it spends.
fn spend(guard: &Guard) -> (Transaction, Vec<TxOut>) {
    let output = |sats, script_pubkey| TxOut { value: Amount::from_sat(sats), script_pubkey };
    let foreign = ScriptBuf::from_bytes([&[0, 20][..], &[7; 20]].concat());
    let input = |vout| TxIn {
        previous_output: OutPoint::new(Txid::from_byte_array([9; 32]), vout),
        script_sig: ScriptBuf::new(),
        sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
        witness: Witness::new(),
    };
    let transaction = Transaction {
        version: Version(3),
        lock_time: LockTime::ZERO,
        input: vec![input(0), input(1)],
        output: vec![output(90_000, guard.script_pubkey()), output(10_000, foreign.clone())],
    };
    (transaction, vec![output(20_000, foreign), output(100_000, guard.script_pubkey())])
}
