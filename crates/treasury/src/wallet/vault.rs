//! What only a passphrase opens: age files (age-encryption.org/v1) with its scrypt recipient.

use std::io::Write;

use age::{DecryptError, scrypt, secrecy::SecretString};
use zeroize::Zeroizing;

/// Logarithm of scrypt's N when sealing: 128 MiB and a few tenths of a second for each guess (OWASP's recommendation).
pub(crate) const WORK_FACTOR: u8 = 17;
/// Highest factor that is tried when opening, 1 GiB: a hostile file must not exhaust the machine.
const MAX_WORK_FACTOR: u8 = 20;

/// Says why a sealed file did not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// There is none.
    #[error("a passphrase is needed")]
    Missing,
    /// It is another one.
    #[error("the passphrase is wrong")]
    Wrong,
    /// The file is damaged, or no such file.
    #[error("the encrypted file is damaged: {0}")]
    Damaged(String),
}

impl VaultError {
    /// Returns the stable code for scripts and screens.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "passphrase_needed",
            Self::Wrong => "passphrase_wrong",
            Self::Damaged(_) => "wallet_damaged",
        }
    }
}

/// A passphrase; it is wiped when dropped and never shown.
pub struct Passphrase(SecretString);

impl Passphrase {
    /// Takes a passphrase as it was typed; the line's end, as a file has it, is not part of it.
    ///
    /// # Errors
    /// [`VaultError::Missing`] where it is empty.
    pub fn new(text: impl Into<String>) -> Result<Self, VaultError> {
        let text = Zeroizing::new(text.into());
        match text.trim_end_matches(['\r', '\n']) {
            "" => Err(VaultError::Missing),
            text => Ok(Self(SecretString::from(text.to_owned()))),
        }
    }
}

/// Encrypts the content. The file's key and salt are drawn from the system's generator by the format itself.
pub(crate) fn seal(content: &[u8], passphrase: &Passphrase, work_factor: u8) -> Vec<u8> {
    let mut recipient = scrypt::Recipient::new(passphrase.0.clone());
    recipient.set_work_factor(work_factor);
    let recipients = std::iter::once(&recipient as &dyn age::Recipient);
    let encryptor = age::Encryptor::with_recipients(recipients).expect("one scrypt recipient is allowed");
    let mut sealed = Vec::new();
    let mut writer = encryptor.wrap_output(&mut sealed).expect("writing to memory does not fail");
    writer.write_all(content).expect("writing to memory does not fail");
    writer.finish().expect("writing to memory does not fail");
    sealed
}

/// Decrypts what [`seal`] made.
pub(crate) fn open(sealed: &[u8], passphrase: &Passphrase) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let mut identity = scrypt::Identity::new(passphrase.0.clone());
    identity.set_max_work_factor(MAX_WORK_FACTOR);
    match age::decrypt(&identity, sealed) {
        Ok(content) => Ok(Zeroizing::new(content)),
        Err(
            DecryptError::DecryptionFailed | DecryptError::NoMatchingKeys | DecryptError::KeyDecryptionFailed,
        ) => Err(VaultError::Wrong),
        Err(error) => Err(VaultError::Damaged(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_passphrase_opens_it() {
        let passphrase = Passphrase::new("correct horse\n").unwrap();
        let sealed = seal(b"seed", &passphrase, 2);
        assert_eq!(open(&sealed, &Passphrase::new("correct horse").unwrap()).unwrap().as_slice(), b"seed");
        assert_eq!(open(&sealed, &Passphrase::new("wrong").unwrap()).unwrap_err().code(), "passphrase_wrong");
        assert!(!sealed.windows(4).any(|window| window == b"seed"));
        assert_eq!(Passphrase::new("\n").err().map(|error| error.code()), Some("passphrase_needed"));
    }

    #[test]
    fn a_damaged_file_is_not_a_wrong_passphrase() {
        let passphrase = Passphrase::new("correct horse").unwrap();
        let sealed = seal(b"seed", &passphrase, 2);
        for damaged in [&sealed[..20], b"a shopping list".as_slice(), b""] {
            assert_eq!(open(damaged, &passphrase).unwrap_err().code(), "wallet_damaged");
        }
        let greedy = String::from_utf8_lossy(&seal(b"seed", &passphrase, 2)).replace(" 2\n", " 40\n");
        assert_eq!(open(greedy.as_bytes(), &passphrase).unwrap_err().code(), "wallet_damaged");
    }
}
