//! The identity's file, its export and import.

use std::{
    fs,
    io::{self, Read, Write},
    path::Path,
};

use age::secrecy::SecretString;
use data_encoding::HEXLOWER_PERMISSIVE;
use domain::{Identity, SECRET_LEN};
use zeroize::Zeroizing;

use crate::{api::ApiError, folder};

/// The secret seed in hexadecimal digits; readable by its owner only.
const FILE: &str = "identity.key";
/// Marks that the identity came from elsewhere and must first learn from the swarm what it has signed.
const IMPORTED: &str = "identity.imported";
/// First line of an exported file; what follows are the 24 words.
const HEADING: &str = "MusicDAO identity";
/// How an age file (age-encryption.org/v1) begins.
const AGE: &[u8] = b"age-encryption.org/";
/// Longest file that can be an export.
const MAX_EXPORT_LEN: u64 = 64 << 10;

/// Reads the data folder's identity, or makes one.
pub(crate) fn load_or_create(data: &Path) -> Result<Identity, ApiError> {
    let path = data.join(FILE);
    match fs::read_to_string(&path).map(Zeroizing::new) {
        Ok(text) => parse_secret(&text).ok_or_else(|| {
            let message = format!("{} is damaged; restore it from an export", path.display());
            ApiError::new("identity_damaged", message)
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => create(data),
        Err(error) => Err(error.into()),
    }
}

/// Says whether the identity came from elsewhere and has not met the swarm since.
pub(crate) fn is_imported(data: &Path) -> bool {
    data.join(IMPORTED).exists()
}

/// Notes that the database of an identity that has been in use is gone: what it has signed is learnt from the swarm.
pub(crate) fn note_lost_database(data: &Path) -> io::Result<()> {
    match data.join(FILE).exists() {
        true => fs::write(data.join(IMPORTED), b""),
        false => Ok(()),
    }
}

/// Notes that the imported identity has learnt from the swarm.
pub(crate) fn settle_import(data: &Path) -> io::Result<()> {
    match fs::remove_file(data.join(IMPORTED)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Writes the identity's words to a new file that only its owner may read, encrypted where there is a passphrase.
pub(crate) fn export(identity: &Identity, file: &Path, passphrase: Option<String>) -> Result<bool, ApiError> {
    let text = Zeroizing::new(format!("{HEADING}\n{}\n", *identity.words()));
    let encrypted = passphrase.is_some();
    let content = match passphrase {
        Some(passphrase) => Zeroizing::new(encrypt(text.as_bytes(), passphrase)?),
        None => Zeroizing::new(text.as_bytes().to_vec()),
    };
    folder::create_private(file, &content).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            ApiError::new("file_exists", format!("{} exists already; choose another name", file.display()))
        }
        _ => error.into(),
    })?;
    Ok(encrypted)
}

/// Reads an exported file.
pub(crate) fn read_export(file: &Path, passphrase: Option<String>) -> Result<Identity, ApiError> {
    let mut content = Zeroizing::new(Vec::new());
    fs::File::open(file)?.take(MAX_EXPORT_LEN).read_to_end(&mut content)?;
    if content.starts_with(AGE) {
        let passphrase = passphrase.ok_or_else(|| {
            ApiError::new("passphrase_needed", "the file is encrypted: give its passphrase")
        })?;
        content = Zeroizing::new(decrypt(&content, passphrase)?);
    }
    let text = std::str::from_utf8(&content).map_err(|_| not_an_export(file))?;
    let words = text.strip_prefix(HEADING).ok_or_else(|| not_an_export(file))?;
    Identity::from_words(words).map_err(|error| ApiError::new("identity_words", error.to_string()))
}

/// Makes the identity the data folder's own. It takes effect at the next start.
pub(crate) fn replace(data: &Path, identity: &Identity) -> Result<(), ApiError> {
    fs::write(data.join(IMPORTED), b"")?;
    Ok(write(data, identity)?)
}

fn create(data: &Path) -> Result<Identity, ApiError> {
    let mut secret = Zeroizing::new([0; SECRET_LEN]);
    getrandom::fill(&mut *secret).map_err(io::Error::other)?;
    let identity = Identity::from_secret(&secret);
    write(data, &identity)?;
    Ok(identity)
}

fn write(data: &Path, identity: &Identity) -> io::Result<()> {
    let text = Zeroizing::new(HEXLOWER_PERMISSIVE.encode(&*identity.secret()));
    folder::write_private(&data.join(FILE), text.as_bytes())
}

fn parse_secret(text: &str) -> Option<Identity> {
    let bytes = Zeroizing::new(HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes()).ok()?);
    let secret = Zeroizing::new(<[u8; SECRET_LEN]>::try_from(bytes.as_slice()).ok()?);
    Some(Identity::from_secret(&secret))
}

fn encrypt(content: &[u8], passphrase: String) -> Result<Vec<u8>, ApiError> {
    let encryptor = age::Encryptor::with_user_passphrase(SecretString::from(passphrase));
    let mut encrypted = Vec::new();
    let mut writer = encryptor.wrap_output(&mut encrypted)?;
    writer.write_all(content)?;
    writer.finish()?;
    Ok(encrypted)
}

fn decrypt(content: &[u8], passphrase: String) -> Result<Vec<u8>, ApiError> {
    let wrong = |_| ApiError::new("passphrase_wrong", "the passphrase does not open this file");
    let identity = age::scrypt::Identity::new(SecretString::from(passphrase));
    age::decrypt(&identity, content).map_err(wrong)
}

fn not_an_export(file: &Path) -> ApiError {
    ApiError::new("identity_file", format!("{} is not an exported identity", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_stays_over_restarts_and_moves_by_its_file() {
        let (home, away) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let identity = load_or_create(home.path()).unwrap();
        assert_eq!(load_or_create(home.path()).unwrap().id(), identity.id());

        for passphrase in [None, Some("correct horse".to_owned())] {
            let file = away.path().join(format!("export-{}", passphrase.is_some()));
            export(&identity, &file, passphrase.clone()).unwrap();
            assert_eq!(read_export(&file, passphrase).unwrap().id(), identity.id());
            assert_eq!(export(&identity, &file, None).unwrap_err().code, "file_exists");
        }
        replace(away.path(), &identity).unwrap();
        assert!(is_imported(away.path()));
        assert_eq!(load_or_create(away.path()).unwrap().id(), identity.id());
        settle_import(away.path()).unwrap();
        assert!(!is_imported(away.path()));
    }

    #[test]
    fn a_wrong_file_or_passphrase_is_said_so() {
        let folder = tempfile::tempdir().unwrap();
        let identity = load_or_create(folder.path()).unwrap();
        let (sealed, other) = (folder.path().join("sealed"), folder.path().join("other"));
        export(&identity, &sealed, Some("right".into())).unwrap();
        fs::write(&other, "a shopping list").unwrap();
        assert_eq!(read_export(&sealed, Some("wrong".into())).unwrap_err().code, "passphrase_wrong");
        assert_eq!(read_export(&sealed, None).unwrap_err().code, "passphrase_needed");
        assert_eq!(read_export(&other, None).unwrap_err().code, "identity_file");
        fs::write(folder.path().join(FILE), "garbage").unwrap();
        assert_eq!(load_or_create(folder.path()).unwrap_err().code, "identity_damaged");
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        load_or_create(folder.path()).unwrap();
        let mode = fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
