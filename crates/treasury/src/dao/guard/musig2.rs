//! `tr(MuSig2, multi_a(t, …))`: all keys sign as one (BIP-327), and any t by the leaf when one is away.
//!
//! The aggregate stands in the descriptor itself: nothing is derived from it, so it needs no synthetic extended key
//! (BIP-328). `tr(musig(…), multi_a(…))` of the same keys (BIP-390) is the same output.

use std::collections::BTreeMap;

use domain::bitcoin::{
    TapNodeHash, TapTweakHash, XOnlyPublicKey,
    hashes::Hash,
    secp256k1::{Keypair, Message, Parity, SecretKey},
};
use musig::{
    PublicKey, Scalar,
    musig::{
        AggregatedNonce, KeyAggCache, PartialSignature, PublicNonce, SecretNonce as Nonce, Session,
        SessionSecretRand, new_nonce_pair,
    },
};
use zeroize::Zeroizing;

use super::{Commitment, GuardError, Partial, sorted_multi::even};

/// The aggregate of all keys, moved by the leaf (BIP-341).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MuSig2 {
    cache: KeyAggCache,
}

/// A pair of secret nonces, erased when it is dropped.
pub(super) struct SecretNonce(Option<Nonce>);

/// Round two.
#[derive(Clone)]
pub(super) struct Opened {
    session: Session,
    nonces: BTreeMap<XOnlyPublicKey, PublicNonce>,
}

/// Returns the aggregate of the sorted keys.
pub(super) fn aggregate(keys: &[XOnlyPublicKey]) -> XOnlyPublicKey {
    let internal = cache(keys).agg_pk().to_byte_array();
    XOnlyPublicKey::from_slice(&internal).expect("one library's key is the other's")
}

impl MuSig2 {
    pub(super) fn new(keys: &[XOnlyPublicKey], root: TapNodeHash) -> Self {
        let mut cache = cache(keys);
        let tweak = TapTweakHash::from_key_and_tweak(aggregate(keys), Some(root)).to_byte_array();
        let tweak = Scalar::from_be_bytes(tweak).expect("a hash above the order has a chance below 2^-127");
        cache.pubkey_xonly_tweak_add(&tweak).expect("a tweak that makes no key has a chance below 2^-127");
        Self { cache }
    }

    /// Round one. The library mixes the key, the aggregate and the message into the nonces beside the seed.
    pub(super) fn commit(
        &self,
        keypair: &Keypair,
        message: &Message,
        seed: &Zeroizing<[u8; 32]>,
    ) -> (SecretNonce, Commitment) {
        let mut secret = signing_key(&even(keypair));
        let public = point(&keypair.x_only_public_key().0);
        let random = SessionSecretRand::assume_uniformly_random(**seed);
        let (nonce, published) =
            new_nonce_pair(random, Some(&self.cache), Some(secret), public, Some(message.as_ref()), None);
        secret.non_secure_erase();
        (SecretNonce(Some(nonce)), Commitment::from_bytes(published.serialize()))
    }

    /// Round two begins when all have committed.
    pub(super) fn open(
        &self,
        message: &Message,
        commitments: &BTreeMap<XOnlyPublicKey, Commitment>,
    ) -> Result<Opened, GuardError> {
        let read = |(key, commitment): (&XOnlyPublicKey, &Commitment)| {
            let nonce = PublicNonce::from_byte_array(commitment.as_bytes());
            nonce.map(|nonce| (*key, nonce)).map_err(|_| GuardError::Commitment(*key))
        };
        let nonces: BTreeMap<_, _> = commitments.iter().map(read).collect::<Result<_, _>>()?;
        let aggregate = AggregatedNonce::new(&nonces.values().collect::<Vec<_>>());
        Ok(Opened { session: Session::new(&self.cache, aggregate, message.as_ref()), nonces })
    }

    pub(super) fn verify(&self, opened: &Opened, key: &XOnlyPublicKey, partial: &Partial) -> bool {
        let Some(nonce) = opened.nonces.get(key) else { return false };
        PartialSignature::from_byte_array(partial.as_bytes())
            .is_ok_and(|partial| opened.session.partial_verify(&self.cache, &partial, nonce, point(key)))
    }
}

impl SecretNonce {
    /// Signs and is gone.
    pub(super) fn sign(
        mut self,
        musig: &MuSig2,
        opened: &Opened,
        keypair: &Keypair,
    ) -> Result<Partial, GuardError> {
        let nonce = self.0.take().ok_or(GuardError::NonceSpent)?;
        let mut secret = signing_key(&even(keypair));
        let mut keypair = musig::Keypair::from_secret_key(&secret);
        let partial = opened.session.partial_sign(nonce, &keypair, &musig.cache);
        keypair.non_secure_erase();
        secret.non_secure_erase();
        Ok(Partial::from_bytes(partial.serialize()))
    }
}

impl Drop for SecretNonce {
    fn drop(&mut self) {
        if let Some(nonce) = &mut self.0 {
            nonce.non_secure_erase();
        }
    }
}

impl Opened {
    /// Adds the parts up to the signature.
    pub(super) fn aggregate<'a>(&self, partials: impl Iterator<Item = &'a Partial>) -> Option<[u8; 64]> {
        let read = |partial: &Partial| PartialSignature::from_byte_array(partial.as_bytes()).ok();
        let partials: Vec<_> = partials.map(read).collect::<Option<_>>()?;
        let parts: Vec<_> = partials.iter().collect();
        (!parts.is_empty()).then(|| self.session.partial_sig_agg(&parts).assume_valid().to_byte_array())
    }
}

fn cache(keys: &[XOnlyPublicKey]) -> KeyAggCache {
    let points: Vec<_> = keys.iter().map(point).collect();
    KeyAggCache::new(&points.iter().collect::<Vec<_>>())
}

fn point(key: &XOnlyPublicKey) -> PublicKey {
    let bytes = key.public_key(Parity::Even).serialize();
    PublicKey::from_byte_array_compressed(bytes).expect("one library's point is the other's")
}

fn signing_key(secret: &SecretKey) -> musig::SecretKey {
    musig::SecretKey::from_secret_bytes(secret.secret_bytes()).expect("one library's secret is the other's")
}
