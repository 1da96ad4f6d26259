//! The identity's file, its export and import.

use std::{
    fs,
    io::{self, Read, Write},
    path::Path,
};

use age::{
    armor::{ArmoredReader, ArmoredWriter, Format},
    secrecy::SecretString,
};
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
/// How one as text begins.
const ARMOR: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";
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
    let text = plain(identity);
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

/// Encrypts the identity's words as text.
pub(crate) fn backup(identity: &Identity, passphrase: String) -> Result<String, ApiError> {
    if passphrase.is_empty() {
        return Err(ApiError::new("passphrase_needed", "a backup needs a passphrase"));
    }
    let mut text = Vec::new();
    let mut armor = ArmoredWriter::wrap_output(&mut text, Format::AsciiArmor)?;
    armor.write_all(&encrypt(plain(identity).as_bytes(), passphrase)?)?;
    armor.finish()?;
    Ok(String::from_utf8(text).expect("an armor is ASCII"))
}

/// Reads a backup, an exported file's content, or bare words.
pub(crate) fn read_text(text: &str, passphrase: Option<String>) -> Result<Identity, ApiError> {
    let unlike = || ApiError::new("identity_file", "this is neither a backup nor the words of an identity");
    let (text, mut content) = (text.trim(), Zeroizing::new(Vec::new()));
    if text.len() as u64 > MAX_EXPORT_LEN {
        return Err(unlike());
    }
    if text.as_bytes().starts_with(ARMOR) {
        ArmoredReader::new(text.as_bytes()).read_to_end(&mut content).map_err(|_| unlike())?;
    } else {
        content.extend_from_slice(text.as_bytes());
    }
    let content = opened(content, passphrase)?;
    let text = std::str::from_utf8(&content).map_err(|_| unlike())?;
    let words = text.trim().strip_prefix(HEADING).unwrap_or(text);
    // As people write them down.
    let words = Zeroizing::new(words.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" "));
    Identity::from_words(&words).map_err(|error| ApiError::new("identity_words", error.to_string()))
}

/// Reads an exported file.
pub(crate) fn read_export(file: &Path, passphrase: Option<String>) -> Result<Identity, ApiError> {
    let mut content = Zeroizing::new(Vec::new());
    fs::File::open(file)?.take(MAX_EXPORT_LEN).read_to_end(&mut content)?;
    if content.starts_with(ARMOR) {
        return read_text(std::str::from_utf8(&content).map_err(|_| not_an_export(file))?, passphrase);
    }
    let content = opened(content, passphrase)?;
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

fn plain(identity: &Identity) -> Zeroizing<String> {
    Zeroizing::new(format!("{HEADING}\n{}\n", *identity.words()))
}

/// Decrypts what is encrypted.
fn opened(content: Zeroizing<Vec<u8>>, passphrase: Option<String>) -> Result<Zeroizing<Vec<u8>>, ApiError> {
    if !content.starts_with(AGE) {
        return Ok(content);
    }
    let needed = || ApiError::new("passphrase_needed", "the file is encrypted: give its passphrase");
    Ok(Zeroizing::new(decrypt(&content, passphrase.ok_or_else(needed)?)?))
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

    #[test]
    fn a_backup_is_text_that_only_its_passphrase_opens() {
        let folder = tempfile::tempdir().unwrap();
        let identity = load_or_create(folder.path()).unwrap();
        let text = backup(&identity, "correct horse".into()).unwrap();
        assert!(text.starts_with("-----BEGIN AGE") && !text.contains(identity.words().as_str()));
        let pasted = format!("\n  {} \n", text.replace('\n', "\r\n"));
        assert_eq!(read_text(&pasted, Some("correct horse".into())).unwrap().id(), identity.id());
        assert_eq!(read_text(&text, Some("wrong".into())).unwrap_err().code, "passphrase_wrong");
        assert_eq!(read_text(&text, None).unwrap_err().code, "passphrase_needed");
        assert_eq!(backup(&identity, String::new()).unwrap_err().code, "passphrase_needed");
        // The words alone do, too; and a saved backup is a file to import.
        assert_eq!(
            read_text(&identity.words().to_uppercase().replace(' ', "\n"), None).unwrap().id(),
            identity.id()
        );
        assert_eq!(read_text("a shopping list", None).unwrap_err().code, "identity_words");
        let file = folder.path().join("backup.txt");
        fs::write(&file, text).unwrap();
        assert_eq!(read_export(&file, Some("correct horse".into())).unwrap().id(), identity.id());
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
