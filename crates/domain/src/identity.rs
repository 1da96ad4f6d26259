use std::fmt;

use bip39::Mnemonic;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use zeroize::{Zeroize, Zeroizing};

use crate::PeerId;

/// Bytes of an identity's secret seed.
pub const SECRET_LEN: usize = 32;

/// Says why an identity could not be restored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The words are not 24 words of the BIP-39 English list, or their checksum is wrong.
    #[error("these are not the 24 words of an identity: {0}")]
    Words(String),
}

/// An Ed25519 key pair (RFC 8032). It signs records and proves a node's name to its peers.
#[derive(Clone)]
pub struct Identity(SigningKey);

impl Identity {
    /// Makes the identity of a secret seed; the caller brings the randomness.
    pub fn from_secret(secret: &[u8; SECRET_LEN]) -> Self {
        Self(SigningKey::from_bytes(secret))
    }

    /// Restores the identity from its 24 words.
    ///
    /// # Errors
    /// [`IdentityError::Words`] when the words or their checksum (BIP-39) are wrong.
    pub fn from_words(words: &str) -> Result<Self, IdentityError> {
        let mnemonic = Mnemonic::parse_normalized(words.trim())
            .map_err(|error| IdentityError::Words(error.to_string()))?;
        let mut entropy = Zeroizing::new(mnemonic.to_entropy());
        let secret = <[u8; SECRET_LEN]>::try_from(entropy.as_slice())
            .map_err(|_| IdentityError::Words(format!("{} words", mnemonic.word_count())));
        entropy.zeroize();
        Ok(Self::from_secret(&Zeroizing::new(secret?)))
    }

    /// Returns the 24 words (BIP-39, English) that restore this identity.
    pub fn words(&self) -> Zeroizing<String> {
        let mnemonic =
            Mnemonic::from_entropy(self.0.as_bytes()).expect("32 bytes are an entropy length of BIP-39");
        Zeroizing::new(mnemonic.to_string())
    }

    /// Returns the secret seed, for the encrypted store and the transport's key only.
    pub fn secret(&self) -> Zeroizing<[u8; SECRET_LEN]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// Returns the public name.
    pub fn id(&self) -> PeerId {
        PeerId::from_bytes(self.0.verifying_key().to_bytes())
    }

    /// Signs the bytes.
    pub fn sign(&self, bytes: &[u8]) -> [u8; 64] {
        self.0.sign(bytes).to_bytes()
    }
}

/// The secret never shows.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.id().short())
    }
}

impl PeerId {
    /// Says whether this key signed the bytes; strict as in RFC 8032 with small-order keys refused.
    pub fn verify(&self, bytes: &[u8], signature: &[u8; 64]) -> bool {
        VerifyingKey::from_bytes(self.as_bytes())
            .is_ok_and(|key| key.verify_strict(bytes, &Signature::from_bytes(signature)).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_restore_the_same_identity() {
        let identity = Identity::from_secret(&[7; 32]);
        let restored = Identity::from_words(&identity.words()).unwrap();
        assert_eq!(restored.id(), identity.id());
    }

    #[test]
    fn wrong_words_are_named() {
        let words = Identity::from_secret(&[7; 32]).words();
        let mut swapped: Vec<&str> = words.split(' ').collect();
        swapped.swap(0, 23);
        assert!(matches!(Identity::from_words(&swapped.join(" ")), Err(IdentityError::Words(_))));
        assert!(matches!(Identity::from_words("abandon"), Err(IdentityError::Words(_))));
    }

    #[test]
    fn a_signature_binds_bytes_and_key() {
        let (one, two) = (Identity::from_secret(&[1; 32]), Identity::from_secret(&[2; 32]));
        let signature = one.sign(b"music");
        assert!(one.id().verify(b"music", &signature));
        assert!(!one.id().verify(b"noise", &signature));
        assert!(!two.id().verify(b"music", &signature));
    }

    #[test]
    fn debug_shows_no_secret() {
        let identity = Identity::from_secret(&[7; 32]);
        assert_eq!(format!("{identity:?}"), format!("Identity({})", identity.id().short()));
    }
}
