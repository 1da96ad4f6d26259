//! What guards the pooled coin: the constructions behind one interface.
//!
//! A [`Guard`] is a set of keys, how many of them must sign, and the script that says so to Bitcoin. It knows its output
//! script and its descriptor, the exact size of its worst witness, and what is signed: the digest is computed from the
//! transaction and the coins it spends, never taken from what somebody sent. Shares are gathered in a [`Gathering`], which
//! verifies each when it arrives, so that an invalid one has an author and never reaches a witness.

mod error;
mod gathering;
mod nums;
mod sorted_multi;
mod taproot;
#[cfg(test)]
mod tests;

use std::{fmt, str::FromStr};

use domain::{
    Network,
    bitcoin::{
        Address, ScriptBuf, Transaction, TxOut, Weight, Witness, XOnlyPublicKey,
        secp256k1::{Keypair, Message},
    },
};
use serde::{Deserialize, Serialize};

pub use error::GuardError;
pub use gathering::{Gathering, Share};

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

/// What guards one coin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    construction: Construction,
    /// Ascending.
    keys: Vec<XOnlyPublicKey>,
    threshold: usize,
    lock: Lock,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Lock {
    Taproot(Box<Taproot>),
    SortedMulti(SortedMulti),
}

impl Construction {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::MultiA, Self::SortedMulti];

    /// Returns its name in charters and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MultiA => "multi_a",
            Self::SortedMulti => "sorted_multi",
        }
    }

    /// Returns the most keys it can have.
    pub fn max_keys(self) -> usize {
        match self {
            Self::MultiA => MAX_LEAF_KEYS,
            Self::SortedMulti => MAX_MULTISIG_KEYS,
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
    /// When the construction cannot have so many keys, a key comes twice, or the threshold is 0 or above their number.
    pub fn new(
        construction: Construction,
        keys: impl IntoIterator<Item = XOnlyPublicKey>,
        threshold: usize,
    ) -> Result<Self, GuardError> {
        let keys = sorted(construction, keys)?;
        if !(1..=keys.len()).contains(&threshold) {
            return Err(GuardError::Threshold { threshold, keys: keys.len() });
        }
        let lock = match construction {
            Construction::MultiA => {
                Lock::Taproot(Box::new(Taproot::new(nums::internal_key(&keys), &keys, threshold)))
            }
            Construction::SortedMulti => Lock::SortedMulti(SortedMulti::new(&keys, threshold)),
        };
        Ok(Self { construction, keys, threshold, lock })
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
        &[Path::Script]
    }

    /// Returns the output script of the coin.
    pub fn script_pubkey(&self) -> ScriptBuf {
        match &self.lock {
            Lock::Taproot(taproot) => taproot.script_pubkey(),
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
            Lock::Taproot(_) => {
                taproot::descriptor(nums::descriptor_key(&self.keys, network), &self.keys, self.threshold)
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
            (Lock::Taproot(taproot), Path::Script) => {
                Ok(taproot.worst_witness(self.keys.len(), self.threshold))
            }
            (Lock::SortedMulti(multi), Path::Script) => Ok(multi.worst_witness(self.threshold)),
            (_, Path::Key) => Err(GuardError::Path(self.construction)),
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
            (Lock::Taproot(taproot), Path::Script) => Ok(taproot.message(transaction, input, prevouts)),
            (Lock::SortedMulti(multi), Path::Script) => Ok(multi.message(transaction, input, coin.value)),
            (_, Path::Key) => Err(GuardError::Path(self.construction)),
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
            Lock::Taproot(_) => taproot::sign(message, keypair, aux),
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
            Lock::Taproot(_) => taproot::verify(message, key, share),
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
            Lock::Taproot(taproot) => taproot.witness(&self.keys, used),
            Lock::SortedMulti(multi) => multi.witness(used),
        })
    }
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
