//! Blobs on disk: content-addressed files, whole or in part, each with the tree that verifies it.
//!
//! A blob `H` is `H.blob` (whole) or `H.part` (sparse), `H.tree` (its size and hash pairs) and, for a part,
//! `H.map` (which groups are verified). `H.map` exists only while it is true, so a part that has none, after
//! a kill at any moment, is hashed again when it is first used. One rename makes a part whole.

mod blob;
mod error;
mod groups;
mod map;
mod tree;

use std::{
    collections::{HashMap, VecDeque},
    fs::{self, File},
    io::{self, Read, Write},
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use domain::BlobHash;

use blob::WeakBlob;
pub use blob::{Blob, MAX_READ};
pub(crate) use blob::{Paths, Verified, groups_of};
pub use error::BlobError;
pub(crate) use groups::Groups;
use tree::TreeFile;
pub(crate) use tree::{chunks, geometry};

use crate::{lock::lock, wire::MAX_BLOB};

/// Blobs whose files stay open after their last use: two descriptors each.
const RECENT: usize = 64;
/// Slots of blobs no longer in use are swept when there are this many.
const SWEEP: usize = 1024;
/// Bytes copied at a time.
const COPY: usize = 256 * 1024;

/// The folder of blobs. Cheap to clone; one process at a time (the data folder's lock sees to that).
#[derive(Clone, Debug)]
pub struct Blobs(Arc<Inner>);

/// What is on disk of one blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobInfo {
    /// Its name.
    pub hash: BlobHash,
    /// Bytes of the whole blob; of a part, as its provider claims until the last group is verified.
    pub size: u64,
    /// Bytes on disk.
    pub stored: u64,
    /// Whether all of it is here.
    pub complete: bool,
}

#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    /// One lock per blob, so that hashing one never blocks another.
    slots: Mutex<HashMap<BlobHash, Arc<Slot>>>,
    recent: Mutex<VecDeque<Blob>>,
    temporary: AtomicU64,
}

type Slot = Mutex<WeakBlob>;

impl Blobs {
    /// Opens the folder, makes it if need be, and clears what a killed copy left.
    ///
    /// # Errors
    /// [`BlobError::Io`] when the folder cannot be made or read.
    pub async fn open(dir: impl Into<PathBuf>) -> Result<Self, BlobError> {
        let dir = dir.into();
        blocking(move || {
            fs::create_dir_all(&dir).map_err(BlobError::io(&dir))?;
            clear_temporary(&dir)?;
            let (slots, recent, temporary) = Default::default();
            Ok(Self(Arc::new(Inner { dir, slots, recent, temporary })))
        })
        .await
    }

    /// Copies a file in, hashing on the way; a blob that is already whole stays as it is.
    ///
    /// # Errors
    /// [`BlobError::DiskFull`], [`BlobError::Changed`] when the file changes meanwhile,
    /// [`BlobError::TooLarge`], [`BlobError::Io`].
    pub async fn add_file(&self, path: impl Into<PathBuf>) -> Result<BlobInfo, BlobError> {
        let (this, path) = (self.clone(), path.into());
        blocking(move || {
            let file = File::open(&path).map_err(BlobError::io(&path))?;
            let size = file.metadata().map_err(BlobError::io(&path))?.len();
            this.add(file, size, &path)
        })
        .await
    }

    /// Adds bytes that are in memory, such as a cover.
    ///
    /// # Errors
    /// As [`Self::add_file`].
    pub async fn add_bytes(&self, bytes: Bytes) -> Result<BlobInfo, BlobError> {
        let this = self.clone();
        blocking(move || {
            let size = bytes.len() as u64;
            this.add(bytes.as_ref(), size, Path::new("bytes in memory"))
        })
        .await
    }

    /// Opens a blob that is here, whole or in part.
    ///
    /// # Errors
    /// [`BlobError::NotFound`] when no part of it is here.
    pub async fn find(&self, hash: BlobHash) -> Result<Blob, BlobError> {
        let this = self.clone();
        blocking(move || this.find_blocking(hash)?.ok_or(BlobError::NotFound(hash))).await
    }

    /// Reads verified bytes of a blob; see [`Blob::read`].
    ///
    /// # Errors
    /// As [`Self::find`] and [`Blob::read_blocking`].
    pub async fn read_verified(&self, hash: BlobHash, range: Range<u64>) -> Result<Bytes, BlobError> {
        let this = self.clone();
        blocking(move || this.find_blocking(hash)?.ok_or(BlobError::NotFound(hash))?.read_blocking(range))
            .await
    }

    /// Copies a whole blob to a file, verified, appearing under its name only when it is all there.
    ///
    /// # Errors
    /// [`BlobError::NotHeld`] for a part; [`BlobError::DiskFull`]; [`BlobError::Io`].
    pub async fn export(&self, hash: BlobHash, to: impl Into<PathBuf>) -> Result<u64, BlobError> {
        let (this, to) = (self.clone(), to.into());
        blocking(move || {
            let blob = this.find_blocking(hash)?.ok_or(BlobError::NotFound(hash))?;
            export(&blob, &to)
        })
        .await
    }

    /// Deletes a blob at once; waits on it end with [`BlobError::Removed`].
    ///
    /// # Errors
    /// [`BlobError::Closed`] when the program is ending.
    pub async fn remove(&self, hash: BlobHash) -> Result<(), BlobError> {
        let this = self.clone();
        blocking(move || {
            let slot = this.slot(hash);
            let mut slot = lock(&slot);
            lock(&this.0.recent).retain(|blob| blob.hash() != hash);
            match std::mem::take(&mut *slot).upgrade() {
                Some(blob) => blob.remove(),
                None => Paths::new(&this.0.dir, &hash).delete(),
            }
            Ok(())
        })
        .await
    }

    /// Lists what is on disk, in no order.
    ///
    /// # Errors
    /// [`BlobError::Io`] when the folder cannot be read.
    pub async fn list(&self) -> Result<Vec<BlobInfo>, BlobError> {
        let this = self.clone();
        blocking(move || {
            let entries = fs::read_dir(&this.0.dir).map_err(BlobError::io(&this.0.dir))?;
            Ok(entries.flatten().filter_map(|entry| info_of(&entry)).collect())
        })
        .await
    }

    /// Opens the part of a blob, or begins it with the size that somebody claims.
    pub(crate) async fn begin(&self, hash: BlobHash, size: u64) -> Result<Blob, BlobError> {
        let this = self.clone();
        blocking(move || {
            let slot = this.slot(hash);
            let mut slot = lock(&slot);
            let blob = match this.open_in(&mut slot, hash)? {
                Some(blob) if blob.is_size_proven() || blob.size() == size => blob,
                other => {
                    other.inspect(Blob::remove);
                    Blob::create(hash, size, Paths::new(&this.0.dir, &hash))?
                }
            };
            this.keep(&mut slot, &blob);
            Ok(blob)
        })
        .await
    }

    pub(crate) fn find_blocking(&self, hash: BlobHash) -> Result<Option<Blob>, BlobError> {
        let slot = self.slot(hash);
        let mut slot = lock(&slot);
        self.open_in(&mut slot, hash)
    }

    fn open_in(&self, slot: &mut WeakBlob, hash: BlobHash) -> Result<Option<Blob>, BlobError> {
        if let Some(blob) = slot.upgrade() {
            return Ok(Some(blob));
        }
        let opened = Blob::open(hash, Paths::new(&self.0.dir, &hash))?;
        if let Some(blob) = &opened {
            self.keep(slot, blob);
        }
        Ok(opened)
    }

    fn keep(&self, slot: &mut WeakBlob, blob: &Blob) {
        *slot = blob.downgrade();
        let mut recent = lock(&self.0.recent);
        recent.retain(|other| other.hash() != blob.hash());
        recent.push_back(blob.clone());
        if recent.len() > RECENT {
            recent.pop_front();
        }
    }

    fn slot(&self, hash: BlobHash) -> Arc<Slot> {
        let mut slots = lock(&self.0.slots);
        if slots.len() >= SWEEP {
            slots.retain(|_, slot| Arc::strong_count(slot) > 1 || lock(slot).upgrade().is_some());
        }
        slots.entry(hash).or_default().clone()
    }

    fn add(&self, data: impl Read, size: u64, path: &Path) -> Result<BlobInfo, BlobError> {
        if size > MAX_BLOB {
            return Err(BlobError::TooLarge(size));
        }
        let number = self.0.temporary.fetch_add(1, Ordering::Relaxed);
        let copy = Temporary(self.0.dir.join(format!("{TEMPORARY}{number}.data")));
        let tree = Temporary(self.0.dir.join(format!("{TEMPORARY}{number}.tree")));
        let hash = copy_and_hash(data, size, &copy.0, &tree.0).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => BlobError::Changed(path.to_owned()),
            _ => BlobError::io(path)(error),
        })?;
        self.adopt(hash, &copy.0, &tree.0)?;
        Ok(BlobInfo { hash, size, stored: size, complete: true })
    }

    /// Gives copied files their final names; the data's rename is the last step and makes it whole.
    fn adopt(&self, hash: BlobHash, copy: &Path, tree: &Path) -> Result<(), BlobError> {
        let slot = self.slot(hash);
        let mut slot = lock(&slot);
        let open = self.open_in(&mut slot, hash)?;
        if open.as_ref().is_some_and(Blob::is_complete) {
            return open.map_or(Ok(()), |blob| blob.seal());
        }
        let paths = Paths::new(&self.0.dir, &hash);
        fs::rename(tree, &paths.tree).map_err(BlobError::io(&paths.tree))?;
        fs::rename(copy, &paths.whole).map_err(BlobError::io(&paths.whole))?;
        let _ = fs::remove_file(&paths.part);
        let _ = fs::remove_file(&paths.map);
        sync_dir(&self.0.dir);
        open.map_or(Ok(()), |blob| blob.replace_with_whole())
    }
}

const TEMPORARY: &str = "adding-";

/// A file that goes away with this value, unless it was renamed.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Reads what it passes on into a second file.
struct Tee<R> {
    data: R,
    copy: File,
}

impl<R: Read> Read for Tee<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.data.read(buffer)?;
        self.copy.write_all(&buffer[..read])?;
        Ok(read)
    }
}

/// Runs blocking work off the runtime's threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BlobError> + Send + 'static,
) -> Result<T, BlobError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(BlobError::Closed),
    }
}

fn copy_and_hash(data: impl Read, size: u64, copy: &Path, tree: &Path) -> io::Result<BlobHash> {
    let mut options = File::options();
    let options = options.read(true).write(true).create(true).truncate(true);
    let copy = options.open(copy)?;
    let tee = Tee { data, copy: copy.try_clone()? };
    let mut buffered = io::BufReader::with_capacity(COPY, tee);
    let hash = TreeFile::hash(&mut buffered, options.open(tree)?, size)?;
    if buffered.read(&mut [0])? != 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    copy.sync_data()?;
    Ok(hash)
}

fn export(blob: &Blob, to: &Path) -> Result<u64, BlobError> {
    let mut name = to.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    let temporary = Temporary(to.with_file_name(name));
    let mut file = File::create(&temporary.0).map_err(BlobError::io(to))?;
    let size = blob.size();
    for start in (0..size).step_by(COPY) {
        let bytes = blob.read_blocking(start..start + COPY as u64)?;
        file.write_all(&bytes).map_err(BlobError::io(to))?;
    }
    file.sync_data().map_err(BlobError::io(to))?;
    fs::rename(&temporary.0, to).map_err(BlobError::io(to))?;
    Ok(size)
}

fn clear_temporary(dir: &Path) -> Result<(), BlobError> {
    for entry in fs::read_dir(dir).map_err(BlobError::io(dir))?.flatten() {
        let name = entry.file_name();
        if name.to_string_lossy().starts_with(TEMPORARY) || name.to_string_lossy().ends_with(".map-new") {
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

fn info_of(entry: &fs::DirEntry) -> Option<BlobInfo> {
    let path = entry.path();
    let complete = match path.extension()?.to_str()? {
        "blob" => true,
        "part" => false,
        _ => return None,
    };
    let hash = path.file_stem()?.to_str()?.parse().ok()?;
    let metadata = entry.metadata().ok()?;
    Some(BlobInfo { hash, size: metadata.len(), stored: stored(&metadata), complete })
}

/// A part's holes take no room.
#[cfg(unix)]
fn stored(metadata: &fs::Metadata) -> u64 {
    /// Unit of `st_blocks`, whatever the file system's block size (POSIX `sys/stat.h`).
    const STAT_BLOCK: u64 = 512;
    std::os::unix::fs::MetadataExt::blocks(metadata) * STAT_BLOCK
}

#[cfg(not(unix))]
fn stored(metadata: &fs::Metadata) -> u64 {
    metadata.len()
}

/// Makes renames last through a loss of power, where the system can.
fn sync_dir(dir: &Path) {
    if let Ok(dir) = File::open(dir) {
        let _ = dir.sync_all();
    }
}
