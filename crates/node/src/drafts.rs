//! The private folder for what is on its way to being published: uploads, unpacked archives, covers. It is emptied at
//! every start, and of each draft when that is published or discarded.

use std::{
    fs,
    io::{self, Read, Write},
    path::{Component, Path, PathBuf},
};

use data_encoding::HEXLOWER;

use crate::{
    api::ApiError,
    folder,
    node::{NodeHandle, random_bytes},
};

/// The folder in the data folder.
const FOLDER: &str = "drafts";
/// Largest file that is uploaded or unpacked: two hours of uncompressed stereo at the highest usual rate fit.
pub(crate) const MAX_FILE: u64 = 2 << 30;
/// Most bytes of all drafts together.
pub(crate) const MAX_TOTAL: u64 = 8 << 30;
/// Most files of all drafts together.
pub(crate) const MAX_FILES: usize = 2_000;
/// First bytes by which a file's kind is judged.
const HEAD: u64 = 16;
/// Longest name of a file, in bytes, that every file system takes.
const MAX_NAME: usize = 200;

/// Where drafts are kept.
#[derive(Clone, Debug)]
pub(crate) struct Drafts(PathBuf);

/// What is left of the limits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    bytes: u64,
    files: usize,
}

impl Drafts {
    pub(crate) fn new(data: &Path) -> Self {
        Self(data.join(FOLDER))
    }

    /// Forgets every draft.
    pub(crate) fn clear(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Makes the place for a file of this name that nobody can foretell.
    pub(crate) fn place(&self, name: &str) -> Result<PathBuf, ApiError> {
        let place = self.0.join(HEXLOWER.encode(&random_bytes::<16>()?));
        folder::create(&place)?;
        Ok(place.join(safe(name)))
    }

    /// Keeps a picture under its hash, by which the app can show it.
    pub(crate) fn keep_picture(&self, bytes: &[u8]) -> Result<(PathBuf, domain::BlobHash), ApiError> {
        let hash = domain::BlobHash::of(bytes);
        let path = self.picture(&hash);
        folder::create(path.parent().unwrap_or(&self.0))?;
        folder::write_private(&path, bytes)?;
        Ok((path, hash))
    }

    /// Where a picture of a draft is kept.
    pub(crate) fn picture(&self, hash: &domain::BlobHash) -> PathBuf {
        self.0.join("pictures").join(hash.to_string())
    }

    /// Deletes those of the files that are in the folder, and what becomes empty by that; others are left alone.
    pub(crate) fn discard<'a>(&self, paths: impl IntoIterator<Item = &'a Path>) {
        for path in paths {
            let inside = path
                .strip_prefix(&self.0)
                .is_ok_and(|rest| rest.components().all(|part| matches!(part, Component::Normal(_))));
            if !inside {
                continue;
            }
            // What cannot be deleted now goes at the next start.
            let _ = fs::remove_file(path);
            let folders = path.ancestors().skip(1).take_while(|folder| *folder != self.0);
            for folder in folders {
                if fs::remove_dir(folder).is_err() {
                    break;
                }
            }
        }
    }

    /// Says how much more the folder takes.
    pub(crate) fn room(&self) -> io::Result<Room> {
        let mut room = Room { bytes: MAX_TOTAL, files: MAX_FILES };
        let mut folders = vec![self.0.clone()];
        while let Some(folder) = folders.pop() {
            let entries = match fs::read_dir(&folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries?,
            };
            for entry in entries {
                let entry = entry?;
                match entry.metadata()? {
                    meta if meta.is_dir() => folders.push(entry.path()),
                    meta => {
                        room.bytes = room.bytes.saturating_sub(meta.len());
                        room.files = room.files.saturating_sub(1);
                    }
                }
            }
        }
        Ok(room)
    }
}

impl NodeHandle {
    /// Copies a file that the system only lends to where it can be looked into and published. Without an ending its name
    /// gets one by its first bytes. It goes as uploads do.
    ///
    /// # Errors
    /// `drafts_full`, `upload_too_large` and those of the disk.
    pub async fn bring(&self, name: &str, from: fs::File) -> Result<PathBuf, ApiError> {
        let (drafts, name) = (self.inner.drafts.clone(), name.to_owned());
        let copying = tokio::task::spawn_blocking(move || {
            let mut room = drafts.room()?;
            room.file()?;
            let mut head = Vec::new();
            (&from).take(HEAD).read_to_end(&mut head)?;
            let named = match Path::new(&name).extension() {
                Some(_) => name,
                None => format!("{name}.{}", ending(&head)),
            };
            let place = drafts.place(&named)?;
            let copied = room.copy(head.as_slice().chain(from), &place);
            if copied.is_err() {
                drafts.discard([place.as_path()]);
            }
            copied.map(|_| place)
        });
        copying
            .await
            .map_err(|error| ApiError::new("internal", format!("the copying failed inside: {error}")))?
    }
}

/// Judges by the first bytes how a file's name would end.
fn ending(head: &[u8]) -> &'static str {
    match head {
        [b'f', b'L', b'a', b'C', ..] => "flac",
        [b'O', b'g', b'g', b'S', ..] => "ogg",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "webp",
        [b'R', b'I', b'F', b'F', ..] => "wav",
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => "m4a",
        [b'P', b'K', 3, 4, ..] => "zip",
        [0x1f, 0x8b, ..] => "tar.gz",
        [0xff, 0xd8, 0xff, ..] => "jpg",
        [0x89, b'P', b'N', b'G', ..] => "png",
        [b'G', b'I', b'F', b'8', ..] => "gif",
        _ => "mp3",
    }
}

impl Room {
    /// Takes a file's place, or says that there is none.
    pub(crate) fn file(&mut self) -> Result<(), ApiError> {
        self.files = self.files.checked_sub(1).ok_or_else(|| {
            ApiError::new(
                "drafts_full",
                format!("at most {MAX_FILES} files wait to be published; discard some"),
            )
        })?;
        Ok(())
    }

    /// Says how many bytes of the next file fit, at most [`MAX_FILE`].
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.min(MAX_FILE)
    }

    /// Copies all of a reader, or fails where it is longer than fits: what it says of its length is not believed.
    pub(crate) fn copy(&mut self, from: impl Read, to: &Path) -> Result<u64, ApiError> {
        let most = self.bytes();
        let mut file = fs::File::create_new(to)?;
        let copied = io::copy(&mut from.take(most + 1), &mut file)?;
        if copied > most {
            drop(file);
            fs::remove_file(to)?;
            return Err(too_large(most));
        }
        file.flush()?;
        self.bytes -= copied;
        Ok(copied)
    }
}

/// What is said of a file that does not fit.
pub(crate) fn too_large(most: u64) -> ApiError {
    let message = format!("the file is too large: there is room for {} MB more", most >> 20);
    ApiError::new("upload_too_large", message)
}

/// A name without folders and without what file systems refuse.
fn safe(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let harmless = |c: char| if c.is_control() || ":*?\"<>|".contains(c) { '_' } else { c };
    let name: String = last.chars().map(harmless).collect();
    let name = name.trim().trim_matches('.');
    // The end tells what it is; the beginning is what may be cut.
    let mut from = name.len().saturating_sub(MAX_NAME);
    while !name.is_char_boundary(from) {
        from += 1;
    }
    match &name[from..] {
        "" => "file".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_nowhere_else() {
        for (name, safe_name) in [
            ("../../etc/passwd", "passwd"),
            ("C:\\music\\a.mp3", "a.mp3"),
            ("a:b?.flac", "a_b_.flac"),
            ("..", "file"),
            ("", "file"),
            ("Ünï ♥.ogg", "Ünï ♥.ogg"),
            ("nul\0l.wav", "nul_l.wav"),
        ] {
            assert_eq!(safe(name), safe_name, "{name:?}");
        }
        let long = safe(&format!("{}.mp3", "ü".repeat(400)));
        assert!(long.len() <= MAX_NAME && long.ends_with(".mp3"));
    }

    #[test]
    fn only_what_is_in_the_folder_is_discarded() {
        let folder = tempfile::tempdir().unwrap();
        let drafts = Drafts::new(folder.path());
        let (one, other) = (drafts.place("a.mp3").unwrap(), folder.path().join("mine.mp3"));
        fs::write(&one, b"a").unwrap();
        fs::write(&other, b"b").unwrap();
        let sneaky = one.parent().unwrap().join("../../mine.mp3");
        drafts.discard([one.as_path(), other.as_path(), sneaky.as_path()]);
        assert!(!one.exists() && !one.parent().unwrap().exists() && other.exists());
        drafts.clear().unwrap();
        drafts.clear().unwrap();
    }

    #[test]
    fn what_is_longer_than_the_room_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let drafts = Drafts::new(folder.path());
        let place = drafts.place("a.wav").unwrap();
        let mut room = Room { bytes: 10, files: 1 };
        assert_eq!(room.copy(&[0; 11][..], &place).unwrap_err().code, "upload_too_large");
        assert!(!place.exists());
        assert_eq!(room.copy(&[0; 10][..], &place).unwrap(), 10);
        assert_eq!(room.bytes(), 0);
        room.file().unwrap();
        assert_eq!(room.file().unwrap_err().code, "drafts_full");
        assert_eq!(drafts.room().unwrap().files, MAX_FILES - 1);
    }
}
