//! Files of a release that is being published: nobody deletes them before it is signed, and what a crash leaves of them
//! is known at the next start by a list on the disk.

use std::{
    collections::HashMap,
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use domain::BlobHash;
use net::BlobInfo;

use crate::{
    api::ApiError,
    node::{self, Inner},
};

/// How the lists' names begin, in the data folder.
const LIST: &str = "publishing-";
/// Longest list that is read: a release has fewer files than that many lines.
const MAX_LIST: u64 = 64 << 10;

/// Between those who want a file and those who delete one.
#[derive(Debug, Default)]
pub(crate) struct Removal {
    /// Held while somebody decides on a file and acts upon it.
    pub(crate) deciding: tokio::sync::Mutex<()>,
    unsigned: Mutex<HashMap<BlobHash, usize>>,
}

impl Removal {
    /// Says whether a release that is not signed yet needs the file.
    pub(crate) fn spares(&self, hash: &BlobHash) -> bool {
        self.unsigned.lock().expect("no holder panics").contains_key(hash)
    }
}

/// The files of one release until it is signed.
pub(crate) struct Unsigned {
    pub(crate) node: Arc<Inner>,
    list: PathBuf,
    hashes: Vec<BlobHash>,
}

impl Unsigned {
    /// Begins a release without files.
    pub(crate) fn begin(node: &Arc<Inner>) -> Result<Self, ApiError> {
        let list = node.data.join(format!("{LIST}{:016x}", node::random()?));
        Ok(Self { node: node.clone(), list, hashes: Vec::new() })
    }

    /// Copies a file in.
    pub(crate) async fn add_file(&mut self, path: &Path) -> Result<BlobInfo, ApiError> {
        let info = self.node.blobs.add_file(path).await?;
        if !self.hold(info.hash).await? {
            self.node.blobs.add_file(path).await?;
        }
        Ok(info)
    }

    /// Adds bytes in memory.
    pub(crate) async fn add_bytes(&mut self, bytes: Bytes) -> Result<BlobInfo, ApiError> {
        let info = self.node.blobs.add_bytes(bytes.clone()).await?;
        if !self.hold(info.hash).await? {
            self.node.blobs.add_bytes(bytes).await?;
        }
        Ok(info)
    }

    /// The release is signed and on the disk: its record names the files from now on.
    pub(crate) fn signed(self) {
        if !self.hashes.is_empty()
            && let Err(error) = fs::remove_file(&self.list)
        {
            // The next start sees that a record names the files.
            tracing::warn!(%error, "a list of files to publish is left");
        }
    }

    /// Keeps a file from being deleted; `false` where that came too late.
    async fn hold(&mut self, hash: BlobHash) -> Result<bool, ApiError> {
        let node = self.node.clone();
        let _deciding = node.removal.deciding.lock().await;
        *node.removal.unsigned.lock().expect("no holder panics").entry(hash).or_default() += 1;
        self.hashes.push(hash);
        let mut list = fs::File::options().append(true).create(true).open(&self.list)?;
        list.write_all(format!("{hash}\n").as_bytes())?;
        Ok(node.blobs.find(hash).await.is_ok_and(|blob| blob.is_complete()))
    }
}

impl Drop for Unsigned {
    fn drop(&mut self) {
        let mut unsigned = self.node.removal.unsigned.lock().expect("no holder panics");
        for hash in &self.hashes {
            if let Some(count) = unsigned.get_mut(hash) {
                *count -= 1;
                if *count == 0 {
                    unsigned.remove(hash);
                }
            }
        }
    }
}

/// The lists that ended without a signature, and what they name.
pub(crate) fn left(data: &Path) -> Result<Vec<(PathBuf, Vec<BlobHash>)>, ApiError> {
    let mut left = Vec::new();
    for entry in fs::read_dir(data)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(LIST) {
            let mut text = String::new();
            fs::File::open(entry.path())?.take(MAX_LIST).read_to_string(&mut text)?;
            // A line that the crash cut names nothing.
            left.push((entry.path(), text.lines().filter_map(|line| line.parse().ok()).collect()));
        }
    }
    Ok(left)
}
