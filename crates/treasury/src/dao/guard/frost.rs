//! `tr(FROST, multi_a(t, …))`: any t of the group sign as one (RFC 9591 in the form of BIP-340), or each by the leaf.
//!
//! Nobody ever holds the group's secret: [`dkg`](super::dkg) makes the shares. Signers are numbered from 1 in the order of
//! their sorted keys. The library is experimental: its taproot suite is not covered by the audit of its core.

use std::collections::BTreeMap;

use domain::bitcoin::{TapNodeHash, XOnlyPublicKey, hashes::Hash, secp256k1::Message};
use frost_secp256k1_tr::{
    Identifier, SigningPackage,
    keys::{KeyPackage, PublicKeyPackage, Tweak},
    round1::{self, NonceCommitment, SigningCommitments, SigningNonces},
    round2::{self, SignatureShare},
};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use zeroize::Zeroizing;

use super::{Commitment, GuardError, MAX_FROST_KEYS, Partial};

/// The bytes of a point.
const POINT: usize = 33;

/// The largest group or share in bytes: a point and a number for each member, and some more.
const MAX_BYTES: usize = 80 * (MAX_FROST_KEYS + 4);

/// What everyone knows of a group: its key, and by which key each member's part is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group(pub(super) PublicKeyPackage);

/// A member's share of the group's secret. It is as secret as a key, and kept like one.
pub struct KeyShare {
    pub(super) key: XOnlyPublicKey,
    pub(super) package: KeyPackage,
}

/// A group whose key is moved by the leaf (BIP-341).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frost {
    keys: Vec<XOnlyPublicKey>,
    root: [u8; 32],
    moved: PublicKeyPackage,
}

/// A pair of secret nonces, which the library erases when it is dropped.
pub(super) struct SecretNonce(SigningNonces);

/// Round two.
#[derive(Clone)]
pub(super) struct Opened(SigningPackage);

impl Group {
    /// Returns the group's key, which is the internal key of its output.
    ///
    /// # Errors
    /// When the library cannot write it, which it can for every group that was made.
    pub fn key(&self) -> Result<XOnlyPublicKey, GuardError> {
        let bytes = self.0.verifying_key().serialize().map_err(|_| GuardError::Group)?;
        let x = bytes.get(1..POINT).ok_or(GuardError::Group)?;
        XOnlyPublicKey::from_slice(x).map_err(|_| GuardError::Group)
    }

    /// Returns how many members it has, and how many must sign.
    pub fn size(&self) -> (usize, usize) {
        (self.0.max_signers().into(), self.0.min_signers().unwrap_or(0).into())
    }

    /// Writes it.
    ///
    /// # Errors
    /// When the library cannot.
    pub fn to_bytes(&self) -> Result<Vec<u8>, GuardError> {
        self.0.serialize().map_err(|_| GuardError::Group)
    }

    /// Reads one.
    ///
    /// # Errors
    /// When the bytes are too many or no group.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, GuardError> {
        let malformed = GuardError::Malformed("group");
        let bytes = Some(bytes).filter(|bytes| bytes.len() <= MAX_BYTES).ok_or(malformed.clone())?;
        PublicKeyPackage::deserialize(bytes).map(Self).map_err(|_| malformed)
    }
}

impl KeyShare {
    /// Returns whose share it is.
    pub fn key(&self) -> XOnlyPublicKey {
        self.key
    }

    /// Writes it, to be kept encrypted.
    ///
    /// # Errors
    /// When the library cannot.
    pub fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, GuardError> {
        let package = Zeroizing::new(self.package.serialize().map_err(|_| GuardError::Group)?);
        Ok(Zeroizing::new([&self.key.serialize()[..], &package].concat()))
    }

    /// Reads what [`Self::to_bytes`] has written.
    ///
    /// # Errors
    /// When the bytes are no share.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, GuardError> {
        let malformed = || GuardError::Malformed("share of a group's key");
        let (key, package) = bytes.split_at_checked(32).ok_or_else(malformed)?;
        let key = XOnlyPublicKey::from_slice(key).map_err(|_| malformed())?;
        let package = KeyPackage::deserialize(package).map_err(|_| malformed())?;
        Ok(Self { key, package })
    }
}

impl Frost {
    pub(super) fn new(keys: &[XOnlyPublicKey], group: &Group, root: TapNodeHash) -> Self {
        let root = root.to_byte_array();
        Self { keys: keys.to_vec(), root, moved: group.0.clone().tweak(Some(root)) }
    }

    pub(super) fn verify(&self, opened: &Opened, key: &XOnlyPublicKey, partial: &Partial) -> bool {
        let Some(id) = identifier(&self.keys, key) else { return false };
        let Some(verifier) = self.moved.verifying_shares().get(&id) else { return false };
        SignatureShare::deserialize(partial.as_bytes()).is_ok_and(|share| {
            let group = self.moved.verifying_key();
            frost_core::verify_signature_share(id, verifier, &share, &opened.0, group).is_ok()
        })
    }

    pub(super) fn aggregate(
        &self,
        opened: &Opened,
        partials: &BTreeMap<XOnlyPublicKey, Partial>,
    ) -> Option<[u8; 64]> {
        let read = |(key, partial): (&XOnlyPublicKey, &Partial)| {
            Some((identifier(&self.keys, key)?, SignatureShare::deserialize(partial.as_bytes()).ok()?))
        };
        let shares = partials.iter().map(read).collect::<Option<BTreeMap<_, _>>>()?;
        let signature = frost_secp256k1_tr::aggregate(&opened.0, &shares, &self.moved).ok()?;
        signature.serialize().ok()?.try_into().ok()
    }
}

/// Round one.
pub(super) fn commit(
    share: &KeyShare,
    seed: &Zeroizing<[u8; 32]>,
) -> Result<(SecretNonce, Commitment), GuardError> {
    let mut random = ChaCha20Rng::from_seed(**seed);
    let (nonces, published) = round1::commit(share.package.signing_share(), &mut random);
    let point = |commitment: &NonceCommitment| commitment.serialize().map_err(|_| GuardError::Group);
    let points = [point(published.hiding())?, point(published.binding())?].concat();
    Ok((SecretNonce(nonces), Commitment::try_from(points)?))
}

impl SecretNonce {
    /// Signs and is gone.
    pub(super) fn sign(
        self,
        group: &Frost,
        opened: &Opened,
        share: &KeyShare,
    ) -> Result<Partial, GuardError> {
        let signed = round2::sign_with_tweak(&opened.0, &self.0, &share.package, Some(&group.root));
        Partial::try_from(signed.map_err(|_| GuardError::Group)?.serialize())
    }
}

impl Opened {
    pub(super) fn new(
        keys: &[XOnlyPublicKey],
        message: &Message,
        commitments: &BTreeMap<XOnlyPublicKey, Commitment>,
    ) -> Result<Self, GuardError> {
        let read = |(key, commitment): (&XOnlyPublicKey, &Commitment)| {
            let id = identifier(keys, key).ok_or(GuardError::NotHolder(*key))?;
            let (hiding, binding) = commitment.as_bytes().split_at(POINT);
            let point = |bytes| NonceCommitment::deserialize(bytes).map_err(|_| GuardError::Commitment(*key));
            Ok((id, SigningCommitments::new(point(hiding)?, point(binding)?)))
        };
        let commitments = commitments.iter().map(read).collect::<Result<BTreeMap<_, _>, GuardError>>()?;
        Ok(Self(SigningPackage::new(commitments, message.as_ref())))
    }
}

/// Numbers the members from 1 in the order of their keys.
pub(super) fn identifier(keys: &[XOnlyPublicKey], key: &XOnlyPublicKey) -> Option<Identifier> {
    let at = keys.binary_search(key).ok()?;
    Identifier::try_from(u16::try_from(at + 1).ok()?).ok()
}
