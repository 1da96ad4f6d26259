//! What is as secret as a key and comes up while the wallet is unlocked, encrypted for the disk (XChaCha20-Poly1305).
//!
//! The key comes from the seed, so whoever unlocks the wallet reads it and nobody else. It is not part of a backup: the
//! words alone do without.

use std::fmt;

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use zeroize::Zeroizing;

use super::VaultError;

/// Version of the form, its first byte, which is authenticated with the content.
const VERSION: u8 = 1;
/// Bytes of a nonce, which follow it.
const NONCE: usize = 24;

/// Encrypts and decrypts the secrets of one DAO's member. It is wiped when dropped and never shown.
pub struct SealingKey(Zeroizing<[u8; 32]>);

impl SealingKey {
    pub(crate) fn new(key: Zeroizing<[u8; 32]>) -> Self {
        Self(key)
    }

    /// Encrypts the content with bytes of the system's generator that were never used before.
    pub fn seal(&self, content: &[u8], nonce: &[u8; NONCE]) -> Vec<u8> {
        let payload = Payload { msg: content, aad: &[VERSION] };
        let sealed = self.cipher().encrypt(XNonce::from_slice(nonce), payload);
        let sealed = sealed.expect("what fits into memory is not too long");
        [&[VERSION][..], nonce, &sealed].concat()
    }

    /// Decrypts what [`Self::seal`] made.
    ///
    /// # Errors
    /// [`VaultError::Damaged`] for other bytes, and those of another key.
    pub fn open(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let damaged = || VaultError::Damaged("a secret of a DAO is not as this wallet wrote it".into());
        let body = sealed.strip_prefix(&[VERSION]).ok_or_else(damaged)?;
        let (nonce, content) = body.split_at_checked(NONCE).ok_or_else(damaged)?;
        let payload = Payload { msg: content, aad: &[VERSION] };
        let opened = self.cipher().decrypt(XNonce::from_slice(nonce), payload);
        opened.map(Zeroizing::new).map_err(|_| damaged())
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.0).into())
    }
}

/// It never shows.
impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey")
    }
}

#[cfg(test)]
mod tests {
    use domain::{Network, kinds::DaoId};

    use super::*;
    use crate::wallet::{Seed, WordCount};

    fn key(entropy: u8, dao: u8) -> SealingKey {
        let seed = Seed::generate(&Zeroizing::new([entropy; 32]), WordCount::TwentyFour);
        seed.keys(Network::Regtest).sealing(&DaoId::from_bytes([dao; 32]))
    }

    #[test]
    fn only_the_same_wallet_reads_it_and_only_for_the_same_dao() {
        let sealed = key(1, 1).seal(b"share", &[7; 24]);
        assert_eq!(key(1, 1).open(&sealed).unwrap().as_slice(), b"share");
        assert!(!sealed.windows(5).any(|window| window == b"share"));
        for other in [key(2, 1), key(1, 2)] {
            assert_eq!(other.open(&sealed).unwrap_err().code(), "wallet_damaged");
        }
        assert_ne!(sealed, key(1, 1).seal(b"share", &[8; 24]));
    }

    #[test]
    fn no_byte_of_it_can_be_another() {
        let sealed = key(1, 1).seal(b"share", &[7; 24]);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key(1, 1).open(&changed).is_err(), "byte {at}");
            assert!(key(1, 1).open(&sealed[..at]).is_err(), "{at} bytes");
        }
    }

    #[test]
    fn it_is_no_key_that_signs() {
        let seed = Seed::generate(&Zeroizing::new([1; 32]), WordCount::TwentyFour);
        let (keys, dao) = (seed.keys(Network::Regtest), DaoId::from_bytes([1; 32]));
        assert_ne!(keys.member(&dao).secret_bytes(), *keys.sealing(&dao).0);
        assert_eq!(format!("{:?}", keys.sealing(&dao)), "SealingKey");
    }
}
