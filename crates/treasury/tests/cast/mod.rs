//! Members with keys, and groups that they make.

use std::collections::BTreeMap;

use domain::bitcoin::{
    Transaction, TxOut, Witness, XOnlyPublicKey,
    hashes::{Hash, sha256},
    secp256k1::{Keypair, Message, Secp256k1, SecretKey},
};
use treasury::dao::guard::{
    Attempt, Construction, Gathering, Group, Guard, KeyShare, Nonces, Path, Session, Signer, dkg::Round1,
};
use zeroize::Zeroizing;

/// A guard and all who hold its keys, in their order.
pub(crate) struct Cast {
    pub(crate) guard: Guard,
    pub(crate) pairs: Vec<Keypair>,
    pub(crate) shares: Vec<KeyShare>,
}

impl Cast {
    pub(crate) fn new(construction: Construction, keys: usize, threshold: usize) -> Self {
        let mut pairs: Vec<_> = (0..keys).map(keypair).collect();
        pairs.sort_by_key(key);
        let names: Vec<_> = pairs.iter().map(key).collect();
        if construction != Construction::Frost {
            let guard = Guard::new(construction, names, threshold).unwrap();
            return Self { guard, pairs, shares: Vec::new() };
        }
        let (group, shares) = generate(&names, threshold);
        Self { guard: Guard::frost(names, threshold, &group).unwrap(), pairs, shares }
    }

    /// Signs by the script with as many as are needed.
    pub(crate) fn by_script(&self, tx: &Transaction, spent: &[TxOut]) -> Gathering {
        let mut gathering = self.guard.gather(tx, 0, spent).unwrap();
        for pair in self.pairs.iter().rev().take(self.guard.threshold()) {
            let share = self.guard.sign(gathering.message(), pair, &[8; 32]).unwrap();
            gathering.add(key(pair), share).unwrap();
        }
        gathering
    }

    /// Commits with as many as are needed.
    pub(crate) fn commit(&self, message: &Message, attempt: Attempt) -> (Vec<Nonces>, Session) {
        let mut commitments = BTreeMap::new();
        let commit = |at: usize| {
            let (mut nonces, entropy) = (Nonces::default(), Zeroizing::new([at as u8; 32]));
            let signer = self.signer(at);
            let commitment = nonces.commit(attempt, &self.guard, message, signer, &entropy).unwrap();
            commitments.insert(signer.key(), commitment);
            nonces
        };
        let nonces = (0..self.guard.cosigners()).map(commit).collect();
        (nonces, Session::new(&self.guard, *message, commitments).unwrap())
    }

    /// Signs by the key, all together.
    pub(crate) fn by_key(&self, tx: &Transaction, spent: &[TxOut]) -> Witness {
        let attempt = Attempt { txid: tx.compute_txid(), input: 0, number: 0 };
        let message = self.guard.message(tx, 0, spent, Path::Key).unwrap();
        let (nonces, mut session) = self.commit(&message, attempt);
        for (at, mut nonces) in nonces.into_iter().enumerate() {
            let partial = nonces.sign(attempt, &session, self.signer(at)).unwrap();
            session.add(key(&self.pairs[at]), partial).unwrap();
        }
        session.finish().unwrap()
    }

    pub(crate) fn signer(&self, at: usize) -> Signer<'_> {
        self.shares.get(at).map_or(Signer::Key(&self.pairs[at]), Signer::Share)
    }
}

pub(crate) fn key(pair: &Keypair) -> XOnlyPublicKey {
    pair.x_only_public_key().0
}

fn keypair(number: usize) -> Keypair {
    let secret = sha256::Hash::hash(&number.to_le_bytes()).to_byte_array();
    Keypair::from_secret_key(&Secp256k1::new(), &SecretKey::from_slice(&secret).unwrap())
}

/// All rounds of the key generation.
pub(crate) fn generate(keys: &[XOnlyPublicKey], threshold: usize) -> (Group, Vec<KeyShare>) {
    let begin = |own: &XOnlyPublicKey| {
        Round1::begin(keys.to_vec(), threshold, *own, &Zeroizing::new([6; 32])).unwrap()
    };
    let (members, broadcasts): (Vec<_>, Vec<_>) = keys.iter().map(begin).unzip();
    let broadcasts: BTreeMap<_, _> = keys.iter().copied().zip(broadcasts).collect();
    let mut inboxes: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    let mut proceeded = Vec::new();
    for (own, member) in keys.iter().zip(members) {
        let (next, parcels) = member.proceed(&broadcasts).unwrap();
        proceeded.push(next);
        for (to, parcel) in parcels {
            inboxes.entry(to).or_default().insert(*own, parcel);
        }
    }
    let done = keys.iter().zip(proceeded).map(|(own, member)| member.finish(&inboxes[own]).unwrap());
    let (mut groups, shares): (Vec<_>, Vec<_>) = done.unzip();
    (groups.remove(0), shares)
}
