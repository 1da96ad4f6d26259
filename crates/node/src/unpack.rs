//! Archives that somebody drops on the Studio: only music and pictures come out, within limits, whatever is inside.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use crate::{
    api::ApiError,
    drafts::{Drafts, Room},
    picture, publish,
};

/// Most entries of an archive that are looked at.
const MAX_ENTRIES: usize = 10_000;

/// The kinds of archives that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Archive {
    Zip,
    Tar,
    TarGz,
}

/// What came out of an archive.
#[derive(Debug, Default)]
pub(crate) struct Unpacked {
    /// Files in the drafts' folder, in the archive's order.
    pub(crate) files: Vec<PathBuf>,
    /// Entries that did not come out, and why.
    pub(crate) skipped: Vec<(String, ApiError)>,
}

/// Says whether a file is an archive by its name.
pub(crate) fn kind(path: &Path) -> Option<Archive> {
    let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
    let ends = |ending: &str| name.ends_with(ending);
    if ends(".zip") {
        Some(Archive::Zip)
    } else if ends(".tar") {
        Some(Archive::Tar)
    } else if ends(".tar.gz") || ends(".tgz") {
        Some(Archive::TarGz)
    } else {
        None
    }
}

/// Takes music and pictures out of an archive.
///
/// # Errors
/// `archive_damaged`, `archive_too_long`, `upload_too_large`, `drafts_full`, `cancelled`; what came out before is
/// discarded then.
pub(crate) fn unpack(
    drafts: &Drafts,
    path: &Path,
    kind: Archive,
    told: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<Unpacked, ApiError> {
    let file = BufReader::new(File::open(path)?);
    let mut taking =
        Taking { drafts, room: drafts.room()?, unpacked: Unpacked::default(), looked: 0, told, bytes: 0 };
    let done = match kind {
        Archive::Zip => unzip(file, &mut taking),
        Archive::Tar => untar(file, &mut taking),
        Archive::TarGz => untar(flate2::read::MultiGzDecoder::new(file), &mut taking),
    };
    if let Err(error) = done {
        drafts.discard(taking.unpacked.files.iter().map(PathBuf::as_path));
        return Err(error);
    }
    Ok(taking.unpacked)
}

struct Taking<'a> {
    drafts: &'a Drafts,
    room: Room,
    unpacked: Unpacked,
    looked: usize,
    told: &'a mut dyn FnMut(u64) -> ControlFlow<()>,
    bytes: u64,
}

impl Taking<'_> {
    /// Counts an entry; says whether it is one to take.
    fn wants(&mut self, name: &str) -> Result<bool, ApiError> {
        self.looked += 1;
        if self.looked > MAX_ENTRIES {
            return Err(ApiError::new(
                "archive_too_long",
                format!("the archive has more than {MAX_ENTRIES} entries"),
            ));
        }
        let path = Path::new(name);
        // What a Mac adds to every file is not one.
        let shadow = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with("._"));
        Ok(!shadow && (publish::looks_like_audio(path) || picture::looks_like_one(path)))
    }

    fn take(&mut self, name: &str, content: impl Read) -> Result<(), ApiError> {
        self.room.file()?;
        let place = self.drafts.place(name)?;
        match self.room.copy(content, &place) {
            Ok(copied) => self.bytes += copied,
            Err(error) => {
                self.drafts.discard([place.as_path()]);
                return Err(error);
            }
        }
        self.unpacked.files.push(place);
        match (self.told)(self.bytes) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(ApiError::new("cancelled", "it was cancelled")),
        }
    }

    fn skip(&mut self, name: String, why: &str) {
        let error = ApiError::new("archive_entry", format!("this entry of the archive {why}"));
        self.unpacked.skipped.push((name, error));
    }
}

fn unzip(file: impl Read + io::Seek, taking: &mut Taking<'_>) -> Result<(), ApiError> {
    let mut archive = zip::ZipArchive::new(file).map_err(|error| damaged(&error))?;
    for index in 0..archive.len() {
        let name = archive.name_for_index(index).and_then(Result::ok).unwrap_or_default().into_owned();
        if !taking.wants(&name)? {
            continue;
        }
        match archive.by_index(index) {
            Ok(entry) if entry.is_file() => taking.take(&name, Honest(entry))?,
            Ok(_) => {}
            Err(error) => taking.skip(name, &format!("cannot be read: {error}")),
        }
    }
    Ok(())
}

fn untar(file: impl Read, taking: &mut Taking<'_>) -> Result<(), ApiError> {
    let mut archive = tar::Archive::new(file);
    for entry in archive.entries().map_err(|error| damaged(&error))? {
        let entry = entry.map_err(|error| damaged(&error))?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        // Links lead out of the archive.
        if taking.wants(&name)? && entry.header().entry_type().is_file() {
            taking.take(&name, Honest(entry))?;
        }
    }
    Ok(())
}

/// Tells an archive that cannot be read from a disk that cannot be written.
struct Honest<R>(R);

impl<R: Read> Read for Honest<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error,
            _ => io::Error::new(io::ErrorKind::InvalidData, error),
        })
    }
}

fn damaged(error: &dyn std::fmt::Display) -> ApiError {
    ApiError::new("archive_damaged", format!("the archive cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn zipped(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        for (name, content) in entries {
            zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(content).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    fn tarred(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut tar =
            tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
        for (name, content) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            // Set without a check: a hostile archive has any name.
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            tar.append(&header, *content).unwrap();
        }
        tar.into_inner().unwrap().finish().unwrap()
    }

    fn run(name: &str, bytes: &[u8]) -> (tempfile::TempDir, Result<Unpacked, ApiError>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let drafts = Drafts::new(folder.path());
        let kind = kind(&path).unwrap();
        let unpacked = unpack(&drafts, &path, kind, &mut |_| ControlFlow::Continue(()));
        (folder, unpacked)
    }

    #[test]
    fn only_music_and_pictures_come_out_and_never_elsewhere() {
        let entries: &[(&str, &[u8])] = &[
            ("album/01 One.mp3", b"one"),
            ("album/cover.JPG", b"cover"),
            ("../../../escaped.mp3", b"two"),
            ("album/._01 One.mp3", b"shadow"),
            ("album/run.exe", b"no"),
            ("notes.txt", b"no"),
        ];
        for (name, bytes) in [("a.zip", zipped(entries)), ("a.tar.gz", tarred(entries))] {
            let (folder, unpacked) = run(name, &bytes);
            let files = unpacked.unwrap().files;
            let names: Vec<_> =
                files.iter().map(|file| file.file_name().unwrap().to_str().unwrap()).collect();
            assert_eq!(names, ["01 One.mp3", "cover.JPG", "escaped.mp3"], "{name}");
            assert!(files.iter().all(|file| file.starts_with(folder.path().join("drafts"))), "{name}");
        }
    }

    #[test]
    fn a_broken_archive_leaves_nothing_behind() {
        let whole = zipped(&[("one.mp3", &[7; 4000]), ("two.mp3", &[8; 4000])]);
        let tar = tarred(&[("one.mp3", &[7; 4000]), ("two.mp3", &[8; 4000])]);
        for (name, bytes) in [
            ("a.zip", &b"PK\x03\x04 not really"[..]),
            ("a.zip", &whole[..whole.len() - 30]),
            ("a.tgz", &tar[..tar.len() - 20]),
            ("a.tgz", b"nonsense"),
        ] {
            let (folder, unpacked) = run(name, bytes);
            let code = unpacked.unwrap_err().code;
            assert!(["archive_damaged", "io"].contains(&code.as_str()), "{code}");
            assert_eq!(Drafts::new(folder.path()).room().unwrap().bytes(), crate::drafts::MAX_FILE);
        }
    }

    #[test]
    fn an_archive_of_countless_entries_is_refused() {
        let names: Vec<String> = (0..=MAX_ENTRIES).map(|number| format!("{number}.txt")).collect();
        let entries: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
        let (_folder, unpacked) = run("a.zip", &zipped(&entries));
        assert_eq!(unpacked.unwrap_err().code, "archive_too_long");
    }
}
