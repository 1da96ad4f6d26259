//! What guards the pooled coin: the constructions behind one interface.
//!
//! A [`Guard`] is a set of keys, how many of them must sign, and the script that says so to Bitcoin. It knows its output
//! script and its descriptor, the exact size of its worst witness, and what is signed: the digest is computed from the
//! transaction and the coins it spends, never taken from what somebody sent. Shares are gathered in a [`Gathering`], which
//! verifies each when it arrives, so that an invalid one has an author and never reaches a witness.
//!
//! Taproot's key path is one signature that several make together, in two rounds: see [`Nonces`] and [`Session`]. Where it
//! does not come about, the same keys spend by the leaf.

pub mod dkg;
mod error;
mod frost;
mod gathering;
mod musig2;
mod nums;
mod rounds;
mod sorted_multi;
mod taproot;
#[cfg(test)]
mod tests;

use std::{fmt, str::FromStr, sync::Arc};

use domain::{
    Network,
    bitcoin::{
        Address, ScriptBuf, Transaction, TxOut, Weight, Witness, XOnlyPublicKey,
        secp256k1::{Keypair, Message, Secp256k1, schnorr::Signature},
    },
};
use serde::{Deserialize, Serialize};

pub use error::GuardError;
pub use frost::{Group, KeyShare};
pub use gathering::{Gathering, Share};
pub use rounds::{Attempt, Commitment, MAX_ATTEMPTS, Nonces, Partial, Session, Signer};

use frost::Frost;
use musig2::MuSig2;
use sorted_multi::SortedMulti;
use taproot::Taproot;

/// The most keys of a leaf: with one more its signatures and their checking pass the 1,000 elements of Bitcoin's stack.
pub const MAX_LEAF_KEYS: usize = 998;

/// The most keys of `OP_CHECKMULTISIG`.
pub const MAX_MULTISIG_KEYS: usize = 20;

/// The most keys of a FROST group: the work of making its key grows with the cube of their number.
pub const MAX_FROST_KEYS: usize = 100;

/// How a coin is guarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Construction {
    /// `tr(NUMS, multi_a(t, …))`: any t sign, each when it likes.
    MultiA,
    /// `wsh(sortedmulti(t, …))`: the same before taproot.
    SortedMulti,
    /// `tr(MuSig2, multi_a(t, …))`: all sign as one, or any t by the leaf.
    #[serde(rename = "musig2")]
    MuSig2,
    /// `tr(FROST, multi_a(t, …))`: any t sign as one, or each by the leaf.
    Frost,
}

/// Which way a taproot output is spent (BIP-341).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Path {
    /// By one signature of all or of a group together.
    Key,
    /// By the script and a signature of each.
    Script,
}

/// What guards one coin. Copies share what they are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    construction: Construction,
    /// Ascending.
    keys: Arc<[XOnlyPublicKey]>,
    threshold: usize,
    lock: Lock,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Lock {
    Taproot(Arc<Taproot>, KeyPath),
    SortedMulti(Arc<SortedMulti>),
}

/// Who can spend by taproot's key path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum KeyPath {
    Nobody,
    MuSig2(Arc<MuSig2>),
    Frost(Arc<Frost>),
}

impl Construction {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::MultiA, Self::SortedMulti, Self::MuSig2, Self::Frost];

    /// Returns its name in charters and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MultiA => "multi_a",
            Self::SortedMulti => "sorted_multi",
            Self::MuSig2 => "musig2",
            Self::Frost => "frost",
        }
    }

    /// Returns the most keys it can have.
    pub fn max_keys(self) -> usize {
        match self {
            Self::MultiA | Self::MuSig2 => MAX_LEAF_KEYS,
            Self::SortedMulti => MAX_MULTISIG_KEYS,
            Self::Frost => MAX_FROST_KEYS,
        }
    }
}

impl fmt::Display for Construction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Construction {
    type Err = GuardError;

    fn from_str(name: &str) -> Result<Self, GuardError> {
        Self::ALL
            .into_iter()
            .find(|construction| construction.as_str() == name)
            .ok_or_else(|| GuardError::Construction(name.to_owned()))
    }
}

impl Guard {
    /// Makes the guard of a set of keys, `threshold` of which must sign.
    ///
    /// # Errors
    /// When the construction cannot have so many keys, a key comes twice, the threshold is 0 or above their number, or the
    /// construction is FROST, whose group must be made first: see [`Self::frost`].
    pub fn new(
        construction: Construction,
        keys: impl IntoIterator<Item = XOnlyPublicKey>,
        threshold: usize,
    ) -> Result<Self, GuardError> {
        let keys = checked(construction, keys, threshold)?;
        let lock = match construction {
            Construction::MultiA => {
                let taproot = Taproot::new(nums::internal_key(&keys), &keys, threshold);
                Lock::Taproot(Arc::new(taproot), KeyPath::Nobody)
            }
            Construction::MuSig2 => {
                let taproot = Taproot::new(musig2::aggregate(&keys), &keys, threshold);
                let musig = MuSig2::new(&keys, taproot.root());
                Lock::Taproot(Arc::new(taproot), KeyPath::MuSig2(Arc::new(musig)))
            }
            Construction::SortedMulti => Lock::SortedMulti(Arc::new(SortedMulti::new(&keys, threshold))),
            Construction::Frost => return Err(GuardError::Group),
        };
        Ok(Self { construction, keys: keys.into(), threshold, lock })
    }

    /// Makes the guard of a FROST group.
    ///
    /// # Errors
    /// Those of [`Self::new`], and when the group is not one of so many keys and that threshold.
    pub fn frost(
        keys: impl IntoIterator<Item = XOnlyPublicKey>,
        threshold: usize,
        group: &Group,
    ) -> Result<Self, GuardError> {
        let keys = checked(Construction::Frost, keys, threshold)?;
        if group.size() != (keys.len(), threshold) {
            return Err(GuardError::Group);
        }
        let taproot = Taproot::new(group.key()?, &keys, threshold);
        let frost = Frost::new(&keys, group, taproot.root());
        let lock = Lock::Taproot(Arc::new(taproot), KeyPath::Frost(Arc::new(frost)));
        Ok(Self { construction: Construction::Frost, keys: keys.into(), threshold, lock })
    }

    /// Returns the construction.
    pub fn construction(&self) -> Construction {
        self.construction
    }

    /// Returns the keys, ascending.
    pub fn keys(&self) -> &[XOnlyPublicKey] {
        &self.keys
    }

    /// Returns how many must sign.
    pub fn threshold(&self) -> usize {
        self.threshold
    }

    /// Says whether a key is one of the guard's.
    pub fn has(&self, key: &XOnlyPublicKey) -> bool {
        self.keys.binary_search(key).is_ok()
    }

    /// Returns the ways to spend, the preferred first.
    pub fn paths(&self) -> &'static [Path] {
        match self.lock {
            Lock::Taproot(_, KeyPath::MuSig2(_) | KeyPath::Frost(_)) => &[Path::Key, Path::Script],
            _ => &[Path::Script],
        }
    }

    /// Returns how many sign at least, by the key path: all by MuSig2, the threshold by FROST.
    pub fn cosigners(&self) -> usize {
        match self.construction {
            Construction::MuSig2 => self.keys.len(),
            _ => self.threshold,
        }
    }

    /// Returns the output script of the coin.
    pub fn script_pubkey(&self) -> ScriptBuf {
        match &self.lock {
            Lock::Taproot(taproot, _) => taproot.script_pubkey(),
            Lock::SortedMulti(multi) => multi.script_pubkey(),
        }
    }

    /// Returns the coin's address.
    pub fn address(&self, network: Network) -> Address {
        Address::from_script(&self.script_pubkey(), network.bitcoin())
            .expect("every guard's script has an address")
    }

    /// Returns the descriptor with its checksum, as other wallets read it (BIP-380, BIP-386, BIP-387).
    pub fn descriptor(&self, network: Network) -> String {
        match &self.lock {
            Lock::Taproot(taproot, path) => {
                let internal = match path {
                    KeyPath::Nobody => nums::descriptor_key(&self.keys, network),
                    KeyPath::MuSig2(_) | KeyPath::Frost(_) => taproot::single(&taproot.internal()),
                };
                taproot::descriptor(internal, &self.keys, self.threshold)
            }
            Lock::SortedMulti(_) => sorted_multi::descriptor(&self.keys, self.threshold),
        }
    }

    /// Returns a witness without meaning that is as large as one of this guard can be.
    ///
    /// Put into an unsigned transaction it gives the weight to pay for. By taproot every witness has exactly this size; by
    /// `OP_CHECKMULTISIG` one may be a few bytes smaller.
    ///
    /// # Errors
    /// When the coin cannot be spent that way.
    pub fn worst_witness(&self, path: Path) -> Result<Witness, GuardError> {
        match (&self.lock, path) {
            (Lock::Taproot(taproot, _), Path::Script) => {
                Ok(taproot.worst_witness(self.keys.len(), self.threshold))
            }
            (Lock::SortedMulti(multi), Path::Script) => Ok(multi.worst_witness(self.threshold)),
            (_, Path::Key) => self.key_path().map(|_| Witness::from_slice(&[[0; Share::LEN]])),
        }
    }

    /// Returns the weight of the largest witness, its count of elements included.
    ///
    /// # Errors
    /// When the coin cannot be spent that way.
    pub fn satisfaction_weight(&self, path: Path) -> Result<Weight, GuardError> {
        let bytes = u64::try_from(self.worst_witness(path)?.size()).expect("a witness fits a block");
        Ok(Weight::from_wu(bytes))
    }

    /// Computes what is signed: the digest of a transaction whose input spends this guard's coin, with SIGHASH_DEFAULT
    /// (BIP-341, BIP-342), or SIGHASH_ALL before taproot (BIP-143).
    ///
    /// `prevouts` are the outputs that the transaction spends, in the order of its inputs.
    ///
    /// # Errors
    /// When there is no such input, an output is missing, or the input spends a coin of another guard.
    pub fn message(
        &self,
        transaction: &Transaction,
        input: usize,
        prevouts: &[TxOut],
        path: Path,
    ) -> Result<Message, GuardError> {
        let coin = prevouts.get(input).filter(|_| prevouts.len() == transaction.input.len());
        let coin = coin.ok_or(GuardError::Input { input, inputs: transaction.input.len() })?;
        if coin.script_pubkey != self.script_pubkey() {
            return Err(GuardError::OtherCoin(input));
        }
        match (&self.lock, path) {
            (Lock::Taproot(taproot, _), Path::Script) => Ok(taproot.message(transaction, input, prevouts)),
            (Lock::SortedMulti(multi), Path::Script) => Ok(multi.message(transaction, input, coin.value)),
            (_, Path::Key) => self.key_path().map(|_| taproot::key_message(transaction, input, prevouts)),
        }
    }

    /// Signs by the script. `aux` is fresh randomness that BIP-340 mixes into the nonce; without any, zeroes are safe, too.
    ///
    /// # Errors
    /// When the key is none of the guard's.
    pub fn sign(&self, message: &Message, keypair: &Keypair, aux: &[u8; 32]) -> Result<Share, GuardError> {
        let key = keypair.x_only_public_key().0;
        if !self.has(&key) {
            return Err(GuardError::NotHolder(key));
        }
        Ok(match &self.lock {
            Lock::Taproot(..) => taproot::sign(message, keypair, aux),
            Lock::SortedMulti(_) => sorted_multi::sign(message, keypair),
        })
    }

    /// Verifies a share that is said to be of a key.
    ///
    /// # Errors
    /// When the key is none of the guard's or the share is not its signature. Both name the key.
    pub fn verify(&self, message: &Message, key: &XOnlyPublicKey, share: &Share) -> Result<(), GuardError> {
        if !self.has(key) {
            return Err(GuardError::NotHolder(*key));
        }
        let valid = match &self.lock {
            Lock::Taproot(..) => taproot::verify(message, key, share),
            Lock::SortedMulti(_) => sorted_multi::verify(message, key, share),
        };
        valid.then_some(()).ok_or(GuardError::Share(*key))
    }

    /// Begins to gather shares of an input.
    ///
    /// # Errors
    /// Those of [`Self::message`].
    pub fn gather(
        &self,
        transaction: &Transaction,
        input: usize,
        prevouts: &[TxOut],
    ) -> Result<Gathering, GuardError> {
        let message = self.message(transaction, input, prevouts, Path::Script)?;
        Ok(Gathering::new(self.clone(), message))
    }

    /// Builds the witness of the script path from verified shares, of which it takes as many as are needed.
    fn script_witness(&self, held: &[(XOnlyPublicKey, Share)]) -> Option<Witness> {
        let used = held.get(..self.threshold)?;
        Some(match &self.lock {
            Lock::Taproot(taproot, _) => taproot.witness(&self.keys, used),
            Lock::SortedMulti(multi) => multi.witness(used),
        })
    }

    fn key_path(&self) -> Result<&KeyPath, GuardError> {
        match &self.lock {
            Lock::Taproot(_, path @ (KeyPath::MuSig2(_) | KeyPath::Frost(_))) => Ok(path),
            _ => Err(GuardError::Path(self.construction)),
        }
    }

    /// Builds the witness of the key path from a signature, if it is the output key's.
    fn key_witness(&self, message: &Message, signature: [u8; 64]) -> Option<Witness> {
        let Lock::Taproot(taproot, _) = &self.lock else { return None };
        let parsed = Signature::from_slice(&signature).ok()?;
        let secp = Secp256k1::verification_only();
        secp.verify_schnorr(&parsed, message, &taproot.output_key()).ok()?;
        Some(Witness::from_slice(&[signature]))
    }
}

fn checked(
    construction: Construction,
    keys: impl IntoIterator<Item = XOnlyPublicKey>,
    threshold: usize,
) -> Result<Vec<XOnlyPublicKey>, GuardError> {
    let keys = sorted(construction, keys)?;
    let possible = (1..=keys.len()).contains(&threshold);
    possible.then_some(()).ok_or(GuardError::Threshold { threshold, keys: keys.len() })?;
    Ok(keys)
}

fn sorted(
    construction: Construction,
    keys: impl IntoIterator<Item = XOnlyPublicKey>,
) -> Result<Vec<XOnlyPublicKey>, GuardError> {
    let max = construction.max_keys();
    let mut keys: Vec<_> = keys.into_iter().take(max + 1).collect();
    if keys.is_empty() || keys.len() > max {
        return Err(GuardError::Keys { construction, keys: keys.len() });
    }
    keys.sort_unstable();
    match keys.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(twice) => Err(GuardError::Twice(twice[0])),
        None => Ok(keys),
    }
}
