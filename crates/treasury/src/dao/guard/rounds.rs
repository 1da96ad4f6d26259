//! The key path: one signature that several make together, in two rounds.
//!
//! In round one each signer draws secret nonces and publishes a [`Commitment`] to them; in round two each signs what all have
//! committed to, with a [`Partial`]. Whoever signs twice with the same nonces has published its key. So nonces are born in
//! [`Nonces`], which lives in RAM alone: it can be neither copied nor written down, holds one pair for each [`Attempt`],
//! and signing takes the pair out and erases it. A restart loses it, which ends the attempt.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use domain::bitcoin::{
    Txid, Witness, XOnlyPublicKey,
    secp256k1::{Keypair, Message},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Guard, GuardError, KeyPath, Lock, frost, frost::KeyShare, musig2};

/// The most attempts that a signer remembers until their transactions are forgotten.
pub const MAX_ATTEMPTS: usize = 4_096;

/// Makes the seed of nonces, so that even a seed drawn twice serves no two messages.
const SEED: &str = "musicdao 2026 signing nonces v1";

/// One try to sign an input together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Attempt {
    /// The transaction, which signatures do not change.
    pub txid: Txid,
    /// Its input.
    pub input: u32,
    /// Counts the tries.
    pub number: u32,
}

/// A signer's public nonces: two points, of BIP-327 or RFC 9591.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<u8>", into = "Vec<u8>")]
pub struct Commitment([u8; Commitment::LEN]);

/// A signer's part of the signature: one number.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<u8>", into = "Vec<u8>")]
pub struct Partial([u8; Partial::LEN]);

/// With what a member signs together with others.
#[derive(Clone, Copy)]
pub enum Signer<'a> {
    /// Its key, by MuSig2.
    Key(&'a Keypair),
    /// Its share of the group's key, by FROST.
    Share(&'a KeyShare),
}

/// The secret nonces of a signer, one pair for each attempt.
#[derive(Default)]
pub struct Nonces {
    live: BTreeMap<Attempt, Round1>,
    spent: BTreeSet<Attempt>,
}

/// Round two: what signers have committed to, and their verified parts.
#[derive(Clone)]
pub struct Session {
    guard: Guard,
    message: Message,
    commitments: BTreeMap<XOnlyPublicKey, Commitment>,
    partials: BTreeMap<XOnlyPublicKey, Partial>,
    opened: Opened,
}

struct Round1 {
    key: XOnlyPublicKey,
    message: Message,
    commitment: Commitment,
    secret: Secret,
}

enum Secret {
    MuSig2(musig2::SecretNonce),
    Frost(Box<frost::SecretNonce>),
}

#[derive(Clone)]
enum Opened {
    MuSig2(Box<musig2::Opened>),
    Frost(frost::Opened),
}

macro_rules! bytes {
    ($name:ident, $len:literal, $what:literal) => {
        impl $name {
            /// The bytes of one.
            pub const LEN: usize = $len;

            /// Reads one, which says nothing of whether it is valid.
            pub fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
                Self(bytes)
            }

            /// Returns its bytes.
            pub fn as_bytes(&self) -> &[u8; Self::LEN] {
                &self.0
            }
        }

        impl TryFrom<Vec<u8>> for $name {
            type Error = GuardError;

            fn try_from(bytes: Vec<u8>) -> Result<Self, GuardError> {
                bytes.try_into().map(Self).map_err(|_| GuardError::Malformed($what))
            }
        }

        impl From<$name> for Vec<u8> {
            fn from(value: $name) -> Self {
                value.0.to_vec()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))?;
                f.write_str("…")
            }
        }
    };
}

bytes!(Commitment, 66, "commitment to nonces");
bytes!(Partial, 32, "partial signature");

impl Signer<'_> {
    /// Returns the member's key.
    pub fn key(&self) -> XOnlyPublicKey {
        match self {
            Self::Key(keypair) => keypair.x_only_public_key().0,
            Self::Share(share) => share.key(),
        }
    }
}

impl Nonces {
    /// Draws the nonces of an attempt and returns the commitment to send; asked again, the same one.
    ///
    /// `entropy` is 32 bytes from the system's generator that nothing else is made of.
    ///
    /// # Errors
    /// When the attempt has signed already or was begun for another message, there are too many, or the signer is none of
    /// the guard's.
    pub fn commit(
        &mut self,
        attempt: Attempt,
        guard: &Guard,
        message: &Message,
        signer: Signer<'_>,
        entropy: &Zeroizing<[u8; 32]>,
    ) -> Result<Commitment, GuardError> {
        if self.spent.contains(&attempt) {
            return Err(GuardError::NonceSpent);
        }
        if let Some(round) = self.live.get(&attempt) {
            let same = round.message == *message && round.key == signer.key();
            return same.then_some(round.commitment).ok_or(GuardError::NonceBound);
        }
        if self.live.len() + self.spent.len() >= MAX_ATTEMPTS {
            return Err(GuardError::TooManyAttempts);
        }
        let round = Round1::draw(guard, message, signer, &seed(entropy, attempt, message))?;
        let commitment = round.commitment;
        self.live.insert(attempt, round);
        Ok(commitment)
    }

    /// Signs once, and erases the nonces.
    ///
    /// # Errors
    /// When there are no nonces, or no more, or the session is not about what they were drawn for: then they are kept.
    pub fn sign(
        &mut self,
        attempt: Attempt,
        session: &Session,
        signer: Signer<'_>,
    ) -> Result<Partial, GuardError> {
        if self.spent.contains(&attempt) {
            return Err(GuardError::NonceSpent);
        }
        let round = self.live.get(&attempt).ok_or(GuardError::NoNonce)?;
        if !round.fits(session, &signer) {
            return Err(GuardError::NonceBound);
        }
        let round = self.live.remove(&attempt).ok_or(GuardError::NoNonce)?;
        self.spent.insert(attempt);
        round.sign(session, signer)
    }

    /// Gives an attempt up: its nonces are erased, and it never signs.
    pub fn abandon(&mut self, attempt: Attempt) {
        self.live.remove(&attempt);
        self.spent.insert(attempt);
    }

    /// Forgets a transaction, once what it spends is spent for good.
    pub fn forget(&mut self, txid: Txid) {
        self.live.retain(|attempt, _| attempt.txid != txid);
        self.spent.retain(|attempt| attempt.txid != txid);
    }
}

impl Round1 {
    fn draw(
        guard: &Guard,
        message: &Message,
        signer: Signer<'_>,
        seed: &Zeroizing<[u8; 32]>,
    ) -> Result<Self, GuardError> {
        let key = signer.key();
        if !guard.has(&key) {
            return Err(GuardError::NotHolder(key));
        }
        let (secret, commitment) = match (guard.key_path()?, signer) {
            (KeyPath::MuSig2(musig), Signer::Key(keypair)) => {
                let (secret, commitment) = musig.commit(keypair, message, seed);
                (Secret::MuSig2(secret), commitment)
            }
            (KeyPath::Frost(_), Signer::Share(share)) => {
                let (secret, commitment) = frost::commit(share, seed)?;
                (Secret::Frost(Box::new(secret)), commitment)
            }
            _ => return Err(GuardError::Path(guard.construction())),
        };
        Ok(Self { key, message: *message, commitment, secret })
    }

    fn fits(&self, session: &Session, signer: &Signer<'_>) -> bool {
        self.message == session.message
            && self.key == signer.key()
            && session.commitments.get(&self.key) == Some(&self.commitment)
    }

    fn sign(self, session: &Session, signer: Signer<'_>) -> Result<Partial, GuardError> {
        match (self.secret, &session.opened, session.guard.key_path()?, signer) {
            (
                Secret::MuSig2(secret),
                Opened::MuSig2(opened),
                KeyPath::MuSig2(musig),
                Signer::Key(keypair),
            ) => secret.sign(musig, opened, keypair),
            (Secret::Frost(secret), Opened::Frost(opened), KeyPath::Frost(group), Signer::Share(share)) => {
                secret.sign(group, opened, share)
            }
            _ => Err(GuardError::Path(session.guard.construction())),
        }
    }
}

impl Session {
    /// Opens round two for a message by what signers have committed to: all keys by MuSig2, at least the threshold by FROST.
    ///
    /// # Errors
    /// When the guard has no key path, too few have committed, or one is none of the guard's or has sent no valid points.
    pub fn new(
        guard: &Guard,
        message: Message,
        commitments: BTreeMap<XOnlyPublicKey, Commitment>,
    ) -> Result<Self, GuardError> {
        if let Some(stranger) = commitments.keys().find(|key| !guard.has(key)) {
            return Err(GuardError::NotHolder(*stranger));
        }
        let needed = guard.cosigners();
        if commitments.len() < needed {
            return Err(GuardError::Commitments { needed, held: commitments.len() });
        }
        let opened = match guard.key_path()? {
            KeyPath::MuSig2(musig) => Opened::MuSig2(Box::new(musig.open(&message, &commitments)?)),
            KeyPath::Frost(_) => Opened::Frost(frost::Opened::new(guard.keys(), &message, &commitments)?),
            KeyPath::Nobody => return Err(GuardError::Path(guard.construction())),
        };
        Ok(Self { guard: guard.clone(), message, commitments, partials: BTreeMap::new(), opened })
    }

    /// Returns what is signed.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// Takes a signer's part, verified; says whether it is new.
    ///
    /// # Errors
    /// When the signer has committed to nothing, or the part is not what it committed to. Both name the key.
    pub fn add(&mut self, key: XOnlyPublicKey, partial: Partial) -> Result<bool, GuardError> {
        if self.partials.get(&key) == Some(&partial) {
            return Ok(false);
        }
        if !self.commitments.contains_key(&key) {
            return Err(GuardError::NotHolder(key));
        }
        let valid = match (&self.opened, self.guard.key_path()?) {
            (Opened::MuSig2(opened), KeyPath::MuSig2(musig)) => musig.verify(opened, &key, &partial),
            (Opened::Frost(opened), KeyPath::Frost(group)) => group.verify(opened, &key, &partial),
            _ => false,
        };
        if !valid {
            return Err(GuardError::Partial(key));
        }
        self.partials.insert(key, partial);
        Ok(true)
    }

    /// Returns the signers whose parts are missing.
    pub fn missing(&self) -> impl Iterator<Item = XOnlyPublicKey> {
        self.commitments.keys().copied().filter(|key| !self.partials.contains_key(key))
    }

    /// Returns the input's witness once every signer of the session has sent its part.
    pub fn finish(&self) -> Option<Witness> {
        if self.partials.len() < self.commitments.len() {
            return None;
        }
        let signature = match (&self.opened, &self.guard.lock) {
            (Opened::MuSig2(opened), Lock::Taproot(_, KeyPath::MuSig2(_))) => {
                opened.aggregate(self.partials.values())
            }
            (Opened::Frost(opened), Lock::Taproot(_, KeyPath::Frost(group))) => {
                group.aggregate(opened, &self.partials)
            }
            _ => None,
        }?;
        self.guard.key_witness(&self.message, signature)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({} of {} parts)", self.partials.len(), self.commitments.len())
    }
}

fn seed(entropy: &Zeroizing<[u8; 32]>, attempt: Attempt, message: &Message) -> Zeroizing<[u8; 32]> {
    let mut hasher = blake3::Hasher::new_derive_key(SEED);
    hasher.update(entropy.as_ref()).update(attempt.txid.as_ref());
    hasher.update(&attempt.input.to_le_bytes()).update(&attempt.number.to_le_bytes());
    hasher.update(message.as_ref());
    Zeroizing::new(*hasher.finalize().as_bytes())
}
