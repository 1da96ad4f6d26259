//! How a group makes its key without anybody ever holding it: the distributed key generation of FROST.
//!
//! Round one: each sends every other the same [`Broadcast`] and proves that it knows what it put in, so that nobody can choose
//! its part after the others'. Round two: each sends every other one [`Parcel`], *over a connection that is private to the
//! two*: whoever reads t parcels of one recipient knows its share. Parcels say which broadcasts their sender has
//! seen, so that two versions of a broadcast are noticed before there is a key. Each round consumes the state of the one before, and
//! what a bad message spoils is attributed to its sender.

use std::collections::BTreeMap;

use domain::bitcoin::XOnlyPublicKey;
use frost_secp256k1_tr::{
    Error, Identifier,
    keys::dkg::{self, round1, round2},
};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use zeroize::{Zeroize, Zeroizing};

use super::{Construction, Group, GuardError, KeyShare, MAX_FROST_KEYS, frost::identifier, sorted};

/// The most bytes of a broadcast: a point for each that must sign, a proof, and some more.
pub const MAX_BROADCAST: usize = 33 * MAX_FROST_KEYS + 128;

/// The most bytes of a parcel: the digest, a number, and some more.
pub const MAX_PARCEL: usize = DIGEST + 64;

const DIGEST: usize = 32;
const SEED: &str = "musicdao 2026 key generation v1";
const TRANSCRIPT: &str = "musicdao 2026 key generation transcript v1";

/// What a member sends to all in round one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broadcast(Vec<u8>);

/// What a member sends to one other in round two. It is secret.
#[derive(PartialEq, Eq)]
pub struct Parcel(Zeroizing<Vec<u8>>);

/// A member after it has sent its broadcast.
pub struct Round1 {
    members: Members,
    own: Broadcast,
    secret: round1::SecretPackage,
}

/// A member after it has sent its parcels.
pub struct Round2 {
    members: Members,
    seen: [u8; DIGEST],
    broadcasts: BTreeMap<Identifier, round1::Package>,
    secret: round2::SecretPackage,
}

struct Members {
    keys: Vec<XOnlyPublicKey>,
    threshold: usize,
    own: XOnlyPublicKey,
}

impl Broadcast {
    /// Reads one.
    ///
    /// # Errors
    /// When it is too long.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, GuardError> {
        let fits = bytes.len() <= MAX_BROADCAST;
        fits.then_some(Self(bytes)).ok_or(GuardError::Malformed("broadcast of a key generation"))
    }

    /// Returns its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Parcel {
    /// Reads one.
    ///
    /// # Errors
    /// When it is too long or too short.
    pub fn from_bytes(mut bytes: Vec<u8>) -> Result<Self, GuardError> {
        if (DIGEST..=MAX_PARCEL).contains(&bytes.len()) {
            return Ok(Self(Zeroizing::new(bytes)));
        }
        bytes.zeroize();
        Err(GuardError::Malformed("parcel of a key generation"))
    }

    /// Returns its bytes, which only the recipient may see.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Round1 {
    /// Begins: draws a member's part and returns what it sends to all others.
    ///
    /// # Errors
    /// When there are too few or too many keys, one twice, the member's own is not there, or the threshold is not from 2 to
    /// their number.
    pub fn begin(
        keys: impl IntoIterator<Item = XOnlyPublicKey>,
        threshold: usize,
        own: XOnlyPublicKey,
        entropy: &Zeroizing<[u8; 32]>,
    ) -> Result<(Self, Broadcast), GuardError> {
        let keys = sorted(Construction::Frost, keys)?;
        let id = identifier(&keys, &own).ok_or(GuardError::NotHolder(own))?;
        let refused = GuardError::Threshold { threshold, keys: keys.len() };
        if !(2..=keys.len()).contains(&threshold) {
            return Err(refused);
        }
        let (max, min) = (small(keys.len())?, small(threshold)?);
        let members = Members { keys, threshold, own };
        let random = ChaCha20Rng::from_seed(*members.seed(entropy));
        let (secret, package) = dkg::part1(id, max, min, random).map_err(|_| refused)?;
        let own = Broadcast(package.serialize().map_err(|_| GuardError::Group)?);
        Ok((Self { members, own: own.clone(), secret }, own))
    }

    /// Takes the broadcasts of all others and returns what goes to each.
    ///
    /// # Errors
    /// When one is missing, or is malformed or unproven, which names its sender. The generation then begins anew without it.
    pub fn proceed(
        self,
        broadcasts: &BTreeMap<XOnlyPublicKey, Broadcast>,
    ) -> Result<(Round2, BTreeMap<XOnlyPublicKey, Parcel>), GuardError> {
        let seen = self.members.transcript(&self.own, broadcasts)?;
        let read = |(key, id)| self.members.broadcast(key, id, broadcasts);
        let packages: BTreeMap<_, _> = self.members.others().map(read).collect::<Result<_, _>>()?;
        let (secret, parcels) =
            dkg::part2(self.secret, &packages).map_err(|error| self.members.blame(&error))?;
        let wrap = |(key, id)| Ok((key, parcel(&seen, parcels.get(&id).ok_or(GuardError::Group)?)?));
        let sent = self.members.others().map(wrap).collect::<Result<_, GuardError>>()?;
        Ok((Round2 { members: self.members, seen, broadcasts: packages, secret }, sent))
    }
}

impl Round2 {
    /// Takes the parcels of all others and returns the group and the member's share.
    ///
    /// # Errors
    /// When one is missing, was made of other broadcasts, or does not fit its sender's broadcast, which names the sender.
    pub fn finish(self, parcels: &BTreeMap<XOnlyPublicKey, Parcel>) -> Result<(Group, KeyShare), GuardError> {
        let read = |(key, id)| {
            let parcel = parcels.get(&key).ok_or(GuardError::DkgMissing(key))?;
            open(&self.seen, key, parcel).map(|package| (id, package))
        };
        let packages: BTreeMap<_, _> = self.members.others().map(read).collect::<Result<_, _>>()?;
        let made = dkg::part3(&self.secret, &self.broadcasts, &packages);
        let (package, group) = made.map_err(|error| self.members.blame(&error))?;
        Ok((Group(group), KeyShare { key: self.members.own, package }))
    }
}

impl Members {
    fn others(&self) -> impl Iterator<Item = (XOnlyPublicKey, Identifier)> {
        let numbered = |key: &XOnlyPublicKey| Some((*key, identifier(&self.keys, key)?));
        self.keys.iter().filter(|key| **key != self.own).filter_map(numbered)
    }

    /// A seed that the same entropy does not make for other members.
    fn seed(&self, entropy: &Zeroizing<[u8; 32]>) -> Zeroizing<[u8; 32]> {
        let mut hasher = blake3::Hasher::new_derive_key(SEED);
        hasher.update(entropy.as_ref()).update(&self.own.serialize());
        self.describe(&mut hasher);
        Zeroizing::new(*hasher.finalize().as_bytes())
    }

    fn describe(&self, hasher: &mut blake3::Hasher) {
        hasher.update(&(self.threshold as u64).to_le_bytes());
        for key in &self.keys {
            hasher.update(&key.serialize());
        }
    }

    /// Digests what all have broadcast.
    fn transcript(
        &self,
        own: &Broadcast,
        broadcasts: &BTreeMap<XOnlyPublicKey, Broadcast>,
    ) -> Result<[u8; DIGEST], GuardError> {
        let mut hasher = blake3::Hasher::new_derive_key(TRANSCRIPT);
        self.describe(&mut hasher);
        for key in &self.keys {
            let sent = if *key == self.own { Some(own) } else { broadcasts.get(key) };
            let sent = sent.ok_or(GuardError::DkgMissing(*key))?.as_bytes();
            hasher.update(&(sent.len() as u64).to_le_bytes()).update(sent);
        }
        Ok(*hasher.finalize().as_bytes())
    }

    fn broadcast(
        &self,
        key: XOnlyPublicKey,
        id: Identifier,
        broadcasts: &BTreeMap<XOnlyPublicKey, Broadcast>,
    ) -> Result<(Identifier, round1::Package), GuardError> {
        let sent = broadcasts.get(&key).ok_or(GuardError::DkgMissing(key))?;
        let package = round1::Package::deserialize(sent.as_bytes()).ok();
        let package = package.filter(|it| it.commitment().coefficients().len() == self.threshold);
        package.map(|package| (id, package)).ok_or(GuardError::Dkg(key))
    }

    /// Finds whose message the library could not use.
    fn blame(&self, error: &Error) -> GuardError {
        let culprits = error.culprits();
        let found = self.others().find(|(_, id)| culprits.contains(id));
        found.map_or(GuardError::Group, |(key, _)| GuardError::Dkg(key))
    }
}

fn parcel(seen: &[u8; DIGEST], package: &round2::Package) -> Result<Parcel, GuardError> {
    let package = Zeroizing::new(package.serialize().map_err(|_| GuardError::Group)?);
    Ok(Parcel(Zeroizing::new([&seen[..], &package].concat())))
}

fn open(seen: &[u8; DIGEST], key: XOnlyPublicKey, parcel: &Parcel) -> Result<round2::Package, GuardError> {
    let (theirs, package) = parcel.0.split_at_checked(DIGEST).ok_or(GuardError::Dkg(key))?;
    if theirs != seen {
        return Err(GuardError::DkgTranscript(key));
    }
    round2::Package::deserialize(package).map_err(|_| GuardError::Dkg(key))
}

fn small(number: usize) -> Result<u16, GuardError> {
    u16::try_from(number).map_err(|_| GuardError::Group)
}
