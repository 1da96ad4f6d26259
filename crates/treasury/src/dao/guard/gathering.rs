//! Shares of the script path: whoever holds a key signs alone, in any order.

use std::{collections::BTreeMap, fmt, sync::Arc};

use domain::bitcoin::{Witness, XOnlyPublicKey, secp256k1::Message};
use serde::{Deserialize, Serialize};

use super::{Guard, GuardError};

/// One key's signature of an input, as it is sent: 64 bytes, of BIP-340 or compact ECDSA.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<u8>", into = "Vec<u8>")]
pub struct Share([u8; Share::LEN]);

/// The valid shares of an input so far.
#[derive(Clone, Debug)]
pub struct Gathering {
    guard: Guard,
    message: Message,
    /// By the places of their keys among the guard's.
    held: BTreeMap<u16, Arc<Share>>,
}

impl Share {
    /// The bytes of one.
    pub const LEN: usize = 64;

    /// Reads one, which says nothing of whether it is valid.
    pub fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// Returns its bytes.
    pub fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl TryFrom<Vec<u8>> for Share {
    type Error = GuardError;

    fn try_from(bytes: Vec<u8>) -> Result<Self, GuardError> {
        bytes.try_into().map(Self).map_err(|_| GuardError::Malformed("signature share"))
    }
}

impl From<Share> for Vec<u8> {
    fn from(share: Share) -> Self {
        share.0.to_vec()
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("…")
    }
}

impl Gathering {
    pub(super) fn new(guard: Guard, message: Message) -> Self {
        Self { guard, message, held: BTreeMap::new() }
    }

    /// Returns what is signed.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// Takes a key's share, verified; says whether it is the key's first. Another one, valid too, changes nothing.
    ///
    /// # Errors
    /// Those of [`Guard::verify`].
    pub fn add(&mut self, key: XOnlyPublicKey, share: Share) -> Result<bool, GuardError> {
        let place = self.place(&key).ok_or(GuardError::NotHolder(key))?;
        if self.held.get(&place).is_some_and(|held| **held == share) {
            return Ok(false);
        }
        self.guard.verify(&self.message, &key, &share)?;
        Ok(self.add_verified(place, Arc::new(share)))
    }

    /// Verifies a key's share without taking it.
    ///
    /// # Errors
    /// Those of [`Guard::verify`].
    pub fn verify(&self, key: &XOnlyPublicKey, share: &Share) -> Result<(), GuardError> {
        self.guard.verify(&self.message, key, share)
    }

    /// Takes a share that was verified as that of the key at this place; says whether it is the key's first.
    pub(in crate::dao) fn add_verified(&mut self, place: u16, share: Arc<Share>) -> bool {
        let first = !self.held.contains_key(&place);
        self.held.entry(place).or_insert(share);
        first
    }

    /// Lists the shares that are held, by key.
    pub fn held(&self) -> impl ExactSizeIterator<Item = (&XOnlyPublicKey, &Share)> {
        self.held.iter().map(|(place, share)| (&self.guard.keys()[usize::from(*place)], &**share))
    }

    /// Says whether a key has signed.
    pub fn holds(&self, key: &XOnlyPublicKey) -> bool {
        self.place(key).is_some_and(|place| self.held.contains_key(&place))
    }

    fn place(&self, key: &XOnlyPublicKey) -> Option<u16> {
        u16::try_from(self.guard.keys().binary_search(key).ok()?).ok()
    }

    /// Returns the keys that have not signed.
    pub fn missing(&self) -> impl Iterator<Item = XOnlyPublicKey> {
        self.guard.keys().iter().copied().filter(|key| !self.holds(key))
    }

    /// Says whether enough have signed.
    pub fn is_complete(&self) -> bool {
        self.held.len() >= self.guard.threshold()
    }

    /// Returns the input's witness once enough have signed. It takes the lowest keys' shares: equal sets give equal bytes.
    pub fn finish(&self) -> Option<Witness> {
        let held: Vec<_> = self.held().map(|(key, share)| (*key, *share)).collect();
        self.guard.script_witness(&held)
    }
}
