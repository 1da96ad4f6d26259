use std::{
    fs::{self, File, OpenOptions},
    io,
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use bao_tree::{
    TreeNode,
    io::{EncodeError, sync::ReadAt},
};
use bytes::{Bytes, BytesMut};
use domain::BlobHash;
use tokio::sync::watch;

use super::{
    BlobError,
    groups::Groups,
    map,
    tree::{TreeFile, write_all_at},
};
use crate::{
    lock::lock,
    wire::{GROUP, MAX_BLOB, group_count},
};

/// Most bytes of one [`Blob::read`]: what is held in memory at once.
pub const MAX_READ: u64 = 4 * 1024 * 1024;

/// One blob on disk, whole or in part. Cheap to clone; the files stay open while a clone lives.
#[derive(Clone, Debug)]
pub struct Blob(Arc<Inner>);

/// The weak form of [`Blob`] that the index of open blobs keeps.
#[derive(Debug, Default)]
pub(crate) struct WeakBlob(std::sync::Weak<Inner>);

/// Where a blob's files are.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    /// The whole content; exists only when all of it was verified.
    pub(crate) whole: PathBuf,
    /// The content with holes.
    pub(crate) part: PathBuf,
    /// The verification tree.
    pub(crate) tree: PathBuf,
    /// Which groups of the part are verified; exists only while that is exactly true.
    pub(crate) map: PathBuf,
}

/// Verified content that came from elsewhere, ready to be written.
#[derive(Debug, Default)]
pub(crate) struct Verified {
    pub(crate) pairs: Vec<(TreeNode, (blake3::Hash, blake3::Hash))>,
    pub(crate) leaves: Vec<(u64, Bytes)>,
}

#[derive(Debug)]
struct Inner {
    hash: BlobHash,
    paths: Paths,
    state: RwLock<State>,
    /// Held while files get their final names.
    sealing: Mutex<()>,
    /// Counts changes of `state`, so that readers can wait for them.
    changes: watch::Sender<u64>,
}

#[derive(Clone, Debug)]
struct State {
    data: Arc<File>,
    tree: TreeFile,
    groups: Groups,
    /// The content lies under its final name.
    sealed: bool,
    /// The map on disk says what `groups` says.
    mapped: bool,
    removed: bool,
}

impl Blob {
    /// Returns the blob's name.
    pub fn hash(&self) -> BlobHash {
        self.0.hash
    }

    /// Says whether both are the same open blob.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Returns the size of the whole blob in bytes.
    pub fn size(&self) -> u64 {
        self.state().tree.size()
    }

    /// Says whether the last group was verified, which proves the size.
    pub fn is_size_proven(&self) -> bool {
        let state = self.state();
        state.groups.has(state.groups.len() - 1)
    }

    /// Says whether every byte is here and verified.
    pub fn is_complete(&self) -> bool {
        self.state().groups.is_full()
    }

    /// Returns how many verified bytes are here, rounded up to whole groups.
    pub fn held_bytes(&self) -> u64 {
        let state = self.state();
        (state.groups.count() * GROUP).min(state.tree.size())
    }

    /// Says whether these bytes are here and verified; what lies beyond the end counts as here.
    pub fn holds(&self, range: &Range<u64>) -> bool {
        self.state().groups.has_all(groups_of(range))
    }

    /// Reads verified bytes, fewer than asked at the end of the blob; blocks on the disk.
    ///
    /// # Errors
    /// [`BlobError::NotHeld`] when bytes are missing, [`BlobError::Corrupt`] when the disk lost them,
    /// [`BlobError::TooLarge`] above [`MAX_READ`].
    pub fn read_blocking(&self, range: Range<u64>) -> Result<Bytes, BlobError> {
        let (start, end) = (range.start, range.end.min(self.size()));
        if start >= end {
            return Ok(Bytes::new());
        }
        if end - start > MAX_READ {
            return Err(BlobError::TooLarge(end - start));
        }
        let state = self.present_state()?;
        let groups = groups_of(&(start..end));
        if !state.groups.has_all(groups.clone()) {
            return Err(BlobError::NotHeld { hash: self.0.hash, start, end });
        }
        if !state.tree.verifies(&state.data, groups).map_err(self.io())? {
            return Err(self.lose_corrupt());
        }
        let mut bytes = BytesMut::zeroed((end - start) as usize);
        state.data.read_exact_at(start, &mut bytes).map_err(self.io())?;
        Ok(bytes.freeze())
    }

    /// Reads verified bytes like [`Self::read_blocking`], on a thread for blocking work.
    ///
    /// # Errors
    /// As [`Self::read_blocking`].
    pub async fn read(&self, range: Range<u64>) -> Result<Bytes, BlobError> {
        let blob = self.clone();
        super::blocking(move || blob.read_blocking(range)).await
    }

    /// Waits until these bytes are here and verified, however they come.
    ///
    /// # Errors
    /// [`BlobError::Removed`] when the blob is removed meanwhile.
    pub async fn wait(&self, range: Range<u64>) -> Result<(), BlobError> {
        let mut changes = self.0.changes.subscribe();
        loop {
            if self.state().removed {
                return Err(BlobError::Removed(self.0.hash));
            }
            if self.holds(&range) {
                return Ok(());
            }
            changes.changed().await.map_err(|_| BlobError::Removed(self.0.hash))?;
        }
    }

    pub(crate) fn create(hash: BlobHash, size: u64, paths: Paths) -> Result<Self, BlobError> {
        if size > MAX_BLOB {
            return Err(BlobError::TooLarge(size));
        }
        paths.delete();
        let data = fresh(&paths.part)?;
        data.set_len(size).map_err(BlobError::io(&paths.part))?;
        let tree = fresh(&paths.tree)?;
        let tree = TreeFile::create(tree, hash, size).map_err(BlobError::io(&paths.tree))?;
        let (data, groups) = (Arc::new(data), Groups::new(group_count(size)));
        let state = State { data, tree, groups, sealed: false, mapped: false, removed: false };
        Ok(Self::over(hash, paths, state))
    }

    /// Opens what is on disk, re-verifying a part whose map is not there; `None` when nothing is.
    pub(crate) fn open(hash: BlobHash, paths: Paths) -> Result<Option<Self>, BlobError> {
        let Some(tree) = existing(&paths.tree)? else { return Ok(None) };
        let Ok(tree) = TreeFile::open(tree, hash) else { return Ok(None) };
        let (path, sealed) = if paths.whole.exists() { (&paths.whole, true) } else { (&paths.part, false) };
        let Some(data) = existing(path)? else { return Ok(None) };
        if tree.size() > MAX_BLOB {
            return Ok(None);
        }
        let known = if sealed { whole_groups(&tree, &data) } else { map::read(&paths.map, &tree) };
        let mapped = known.is_some();
        let groups = match known {
            Some(groups) => groups,
            None => tree.verified(&data).map_err(BlobError::io(path))?,
        };
        let state = State { data: Arc::new(data), tree, groups, sealed, mapped, removed: false };
        Ok(Some(Self::over(hash, paths, state)))
    }

    fn over(hash: BlobHash, paths: Paths, state: State) -> Self {
        let changes = watch::Sender::new(0);
        Self(Arc::new(Inner { hash, paths, state: RwLock::new(state), sealing: Mutex::new(()), changes }))
    }

    /// Writes verified content; readers see it when this returns. Blocks on the disk.
    pub(crate) fn write(&self, verified: &Verified) -> Result<(), BlobError> {
        self.unmap()?;
        let State { data, tree, .. } = self.present_state()?;
        for (node, pair) in &verified.pairs {
            tree.save_pair(*node, pair).map_err(self.io())?;
        }
        for (offset, leaf) in &verified.leaves {
            write_all_at(&data, leaf, *offset).map_err(self.io())?;
        }
        let size = tree.size();
        self.change(|state| {
            for (offset, leaf) in &verified.leaves {
                state.groups.insert(whole_groups_in(*offset, leaf.len() as u64, size));
            }
        });
        Ok(())
    }

    /// Gives a complete blob its final name, after its bytes are on the disk.
    pub(crate) fn seal(&self) -> Result<(), BlobError> {
        let _sealing = lock(&self.0.sealing);
        let state = self.state().clone();
        if state.sealed || state.removed || !state.groups.is_full() {
            return Ok(());
        }
        self.sync(&state)?;
        fs::rename(&self.0.paths.part, &self.0.paths.whole).map_err(self.io())?;
        let _ = fs::remove_file(&self.0.paths.map);
        self.change(|state| state.sealed = true);
        Ok(())
    }

    /// Writes down which groups are verified, so that the next start need not hash them again.
    pub(crate) fn checkpoint(&self) -> Result<(), BlobError> {
        let state = self.state().clone();
        if state.sealed || state.mapped || state.removed {
            return Ok(());
        }
        self.sync(&state)?;
        map::write(&self.0.paths.map, state.tree.size(), &state.groups).map_err(self.io())?;
        let mut current = false;
        self.change(|now| {
            current = now.groups == state.groups;
            now.mapped = current;
        });
        if current { Ok(()) } else { fs::remove_file(&self.0.paths.map).map_err(self.io()) }
    }

    /// Encodes those of the groups that are here, with proofs; blocks on the disk.
    pub(crate) fn encode(&self, groups: &[Range<u64>]) -> Result<Bytes, BlobError> {
        let state = self.present_state()?;
        match state.tree.encode(&state.data, groups) {
            Ok(bytes) => Ok(bytes),
            Err(EncodeError::Io(error)) => Err(self.io()(error)),
            Err(_) => Err(self.lose_corrupt()),
        }
    }

    /// Returns those of the groups that are here, as at most `most` ranges.
    pub(crate) fn present(&self, groups: &[Range<u64>], most: usize) -> Vec<Range<u64>> {
        let state = self.state();
        groups.iter().flat_map(|range| state.groups.present(range.clone())).take(most).collect()
    }

    /// Returns a copy of the set of verified groups.
    pub(crate) fn groups(&self) -> Groups {
        self.state().groups.clone()
    }

    /// Deletes the files and wakes who waits. Open files are emptied, as their room is wanted now.
    pub(crate) fn remove(&self) {
        self.change(|state| state.removed = true);
        let state = self.state();
        let _ = state.data.set_len(0);
        state.tree.clear();
        self.0.paths.delete();
    }

    /// Takes over files that were completed elsewhere under the final names.
    pub(crate) fn replace_with_whole(&self) -> Result<(), BlobError> {
        let Some(whole) = Self::open(self.0.hash, self.0.paths.clone())? else { return Ok(()) };
        let state = whole.state().clone();
        self.change(|own| *own = state);
        Ok(())
    }

    pub(crate) fn downgrade(&self) -> WeakBlob {
        WeakBlob(Arc::downgrade(&self.0))
    }

    /// Re-verifies everything after a mismatch and goes on with what is still good.
    fn lose_corrupt(&self) -> BlobError {
        let state = match self.present_state() {
            Ok(state) => state,
            Err(removed) => return removed,
        };
        let verified = state.tree.verified(&state.data);
        let _ = fs::remove_file(&self.0.paths.map);
        if state.sealed {
            let _ = fs::rename(&self.0.paths.whole, &self.0.paths.part);
        }
        self.change(|own| {
            own.groups = verified.unwrap_or_else(|_| Groups::new(own.groups.len()));
            own.sealed = false;
            own.mapped = false;
        });
        BlobError::Corrupt(self.0.hash)
    }

    /// Takes the map away before the first write that it does not know of.
    fn unmap(&self) -> Result<(), BlobError> {
        if !self.state().mapped {
            return Ok(());
        }
        match fs::remove_file(&self.0.paths.map) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(self.io()(error)),
            _ => {}
        }
        self.change(|state| state.mapped = false);
        Ok(())
    }

    fn present_state(&self) -> Result<State, BlobError> {
        let state = self.state();
        if state.removed { Err(BlobError::Removed(self.0.hash)) } else { Ok(state.clone()) }
    }

    fn sync(&self, state: &State) -> Result<(), BlobError> {
        state.tree.sync().map_err(self.io())?;
        state.data.sync_data().map_err(self.io())
    }

    fn io(&self) -> impl FnOnce(io::Error) -> BlobError {
        BlobError::io(&self.0.paths.part)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state_mut());
        self.0.changes.send_modify(|count| *count += 1);
    }

    /// No code panics while it holds the lock with the state half changed, so poison means nothing.
    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.0.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.0.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WeakBlob {
    pub(crate) fn upgrade(&self) -> Option<Blob> {
        self.0.upgrade().map(Blob)
    }
}

impl Paths {
    pub(crate) fn new(dir: &Path, hash: &BlobHash) -> Self {
        let with = |extension: &str| dir.join(format!("{hash}.{extension}"));
        Self { whole: with("blob"), part: with("part"), tree: with("tree"), map: with("map") }
    }

    pub(crate) fn delete(&self) {
        for path in [&self.whole, &self.part, &self.map, &self.tree] {
            let _ = fs::remove_file(path);
        }
    }
}

/// Returns the groups that bytes lie in.
pub(crate) fn groups_of(range: &Range<u64>) -> Range<u64> {
    range.start / GROUP..range.end.div_ceil(GROUP)
}

/// Returns the groups that a leaf fills: bao sends whole groups, so only the blob's end may be short.
fn whole_groups_in(offset: u64, len: u64, size: u64) -> Range<u64> {
    let end = offset + len;
    let end = if end == size { group_count(size) } else { end / GROUP };
    offset.div_ceil(GROUP)..end
}

/// A sealed file of the right length is whole; reading verifies again anyway.
fn whole_groups(tree: &TreeFile, data: &File) -> Option<Groups> {
    let len = data.metadata().ok()?.len();
    (len == tree.size()).then(|| Groups::full(group_count(len)))
}

fn fresh(path: &Path) -> Result<File, BlobError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(true).open(path).map_err(BlobError::io(path))
}

fn existing(path: &Path) -> Result<Option<File>, BlobError> {
    match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(BlobError::io(path)(error)),
    }
}
