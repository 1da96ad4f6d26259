//! Images and waveforms as bytes.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    path::Path,
    str::FromStr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use domain::{BlobHash, PeerId, kinds::BlobRef};
use serde::{Deserialize, Serialize};
use store::Reason;
use tokio::sync::Semaphore;

use crate::{api::ApiError, node::Inner, picture};

/// Longest asset that is handed out: a page of a hundred covers fits the memory of a phone.
pub(crate) const MAX_ASSET: u64 = 2 << 20;
/// Assets that are loaded at once; further ones wait.
pub(crate) const AT_ONCE: usize = 16;
/// Small pictures that are made at once: each may take some memory and all of a core.
const SMALL_AT_ONCE: usize = 2;
/// Bytes of small pictures that are kept ready; some hundreds. They are in memory only, so that what is withdrawn or
/// blocked leaves nothing on the disk.
const SMALL_KEPT: usize = 16 << 20;
/// The media type of what no browser shows.
const NO_PICTURE: &str = "application/octet-stream";
/// What a private file's number stands behind.
const FILE: &str = "file-";
/// Longest that one is waited for, in the line and on the network.
const PATIENCE: Duration = Duration::from_secs(20);

/// What an asset is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AssetName {
    /// What a record names: a cover, an avatar, waveforms.
    Blob(BlobHash),
    /// The cover within a private file of the library, by the file's number: `file-7`.
    File(i64),
}

/// How large a picture is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AssetSize {
    /// As it is.
    #[default]
    Whole,
    /// As lists show it.
    Small,
}

/// An image, a waveform or the like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Its content.
    pub bytes: Bytes,
    /// Its media type, judged by its first bytes: an image that browsers show, else `application/octet-stream`.
    pub mime: &'static str,
}

/// Small pictures that were made lately, the oldest first to go.
#[derive(Debug)]
pub(crate) struct SmallPictures {
    kept: Mutex<Kept>,
    permits: Semaphore,
}

#[derive(Debug, Default)]
struct Kept {
    pictures: HashMap<AssetName, Bytes>,
    order: VecDeque<AssetName>,
    bytes: usize,
}

impl Asset {
    pub(crate) fn of(bytes: Bytes) -> Self {
        Self { mime: mime(&bytes), bytes }
    }
}

impl From<BlobHash> for AssetName {
    fn from(hash: BlobHash) -> Self {
        Self::Blob(hash)
    }
}

impl fmt::Display for AssetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blob(hash) => hash.fmt(f),
            Self::File(file) => write!(f, "{FILE}{file}"),
        }
    }
}

impl FromStr for AssetName {
    type Err = ApiError;

    fn from_str(text: &str) -> Result<Self, ApiError> {
        let bad = || {
            ApiError::new("bad_id", "an image is named by 64 hexadecimal digits, or by file- and a number")
        };
        match text.strip_prefix(FILE) {
            Some(file) => file.parse().map(Self::File).map_err(|_| bad()),
            None => text.parse().map(Self::Blob).map_err(|_| bad()),
        }
    }
}

impl Default for SmallPictures {
    fn default() -> Self {
        Self { kept: Mutex::default(), permits: Semaphore::new(SMALL_AT_ONCE) }
    }
}

impl SmallPictures {
    fn find(&self, name: &AssetName) -> Option<Bytes> {
        self.kept.lock().expect("no holder panics").pictures.get(name).cloned()
    }

    fn keep(&self, name: AssetName, picture: &Bytes) {
        self.kept.lock().expect("no holder panics").add(name, picture.clone());
    }
}

impl Kept {
    fn add(&mut self, name: AssetName, picture: Bytes) {
        if picture.len() > SMALL_KEPT || self.pictures.contains_key(&name) {
            return;
        }
        self.bytes += picture.len();
        self.pictures.insert(name, picture);
        self.order.push_back(name);
        while self.bytes > SMALL_KEPT {
            let Some(oldest) = self.order.pop_front() else { break };
            self.bytes -= self.pictures.remove(&oldest).map_or(0, |picture| picture.len());
        }
    }
}

/// Loads an asset.
pub(crate) async fn load(node: &Arc<Inner>, name: AssetName, size: AssetSize) -> Result<Asset, ApiError> {
    let loading = async {
        // The semaphore is never closed.
        let _turn = node.assets.acquire().await;
        match size {
            AssetSize::Whole => whole(node, name).await,
            AssetSize::Small => small(node, name).await,
        }
    };
    let slow = |_| ApiError::new("asset_timed_out", "the image did not arrive in time");
    let bytes = tokio::time::timeout(PATIENCE, loading).await.map_err(slow)??;
    Ok(Asset::of(bytes))
}

async fn whole(node: &Arc<Inner>, name: AssetName) -> Result<Bytes, ApiError> {
    let bytes = bytes(node, name).await?;
    // Waveforms are no pictures.
    if mime(&bytes) == NO_PICTURE {
        return Ok(bytes);
    }
    blocking(move || picture::shown(&bytes).map(|()| bytes)).await
}

async fn small(node: &Arc<Inner>, name: AssetName) -> Result<Bytes, ApiError> {
    if let Some(kept) = node.small_pictures.find(&name) {
        // What nothing shown names any more is not shown, either.
        check(node, name).await?;
        return Ok(kept);
    }
    let whole = bytes(node, name).await?;
    // Never closed.
    let _turn = node.small_pictures.permits.acquire().await;
    let small = blocking(move || picture::small(whole)).await?;
    node.small_pictures.keep(name, &small);
    Ok(small)
}

async fn check(node: &Inner, name: AssetName) -> Result<(), ApiError> {
    match name {
        AssetName::Blob(hash) if node.drafts.picture(&hash).exists() => Ok(()),
        AssetName::Blob(hash) => named(node, hash).await.map(drop),
        AssetName::File(file) => local_file(node, file).await.map(drop),
    }
}

async fn bytes(node: &Arc<Inner>, name: AssetName) -> Result<Bytes, ApiError> {
    match name {
        AssetName::Blob(hash) => blob(node, hash).await,
        AssetName::File(file) => {
            let path = local_file(node, file).await?;
            blocking(move || embedded(Path::new(&path))).await
        }
    }
}

async fn local_file(node: &Inner, file: i64) -> Result<String, ApiError> {
    let known = node.store.local_file(file).await?;
    let unknown = || ApiError::new("file_unknown", format!("there is no file {file} in the library"));
    known.map(|known| known.path).ok_or_else(unknown)
}

/// Reads the cover within a file.
fn embedded(path: &Path) -> Result<Bytes, ApiError> {
    let (_, cover) = audio::tags::read(std::fs::File::open(path)?, &mut Vec::new());
    let none = || ApiError::new("asset_unknown", "the file has no cover");
    Ok(picture::cover(cover.ok_or_else(none)?.data.into())?.bytes)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| ApiError::new("not_an_image", "the picture cannot be decoded"))?
}

async fn blob(node: &Arc<Inner>, hash: BlobHash) -> Result<Bytes, ApiError> {
    if let Ok(picture) = tokio::fs::read(node.drafts.picture(&hash)).await {
        return Ok(picture.into());
    }
    let (blob, author) = named(node, hash).await?;
    if blob.size > MAX_ASSET {
        let message = format!("the image has {} bytes, more than {MAX_ASSET}", blob.size);
        return Err(ApiError::new("asset_too_large", message));
    }
    let here = match node.blobs.find(hash).await {
        Ok(here) if here.is_complete() => here,
        _ => node.fetch(blob, Reason::Played, Some(author)).await?.complete(|_| ()).await?,
    };
    Ok(here.read(0..here.size().min(MAX_ASSET)).await?)
}

/// What names an asset: a record that is shown, or a release that a search brought.
async fn named(node: &Inner, hash: BlobHash) -> Result<(BlobRef, PeerId), ApiError> {
    let known = match node.store.asset(&hash).await? {
        Some(known) => Some(known),
        None => node.finds.cover(&hash),
    };
    known.ok_or_else(|| {
        ApiError::new("asset_unknown", format!("nothing shown here names the image {}", hash.short()))
    })
}

/// Believes the first bytes and no name: nothing that is handed out is taken for a page or a script.
fn mime(bytes: &[u8]) -> &'static str {
    match bytes {
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [b'G', b'I', b'F', b'8', ..] => "image/gif",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
        _ => NO_PICTURE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assets_are_named_by_hash_or_by_file() {
        let hash = AssetName::Blob(BlobHash::of(b"cover"));
        for name in [hash, AssetName::File(12)] {
            assert_eq!(name.to_string().parse::<AssetName>().unwrap(), name);
        }
        for bad in ["", "file-", "file-x", "../web.json", "abc"] {
            assert_eq!(bad.parse::<AssetName>().unwrap_err().code, "bad_id", "{bad}");
        }
    }

    #[test]
    fn small_pictures_are_bounded() {
        let mut kept = Kept::default();
        let picture = Bytes::from(vec![0; SMALL_KEPT / 4]);
        for file in 0..10 {
            kept.add(AssetName::File(file), picture.clone());
            kept.add(AssetName::File(file), picture.clone());
        }
        assert_eq!((kept.pictures.len(), kept.order.len(), kept.bytes), (4, 4, SMALL_KEPT));
        assert!(
            kept.pictures.contains_key(&AssetName::File(9))
                && !kept.pictures.contains_key(&AssetName::File(5))
        );
        kept.add(AssetName::File(99), Bytes::from(vec![0; SMALL_KEPT + 1]));
        assert_eq!(kept.pictures.len(), 4, "what is larger than all room is not kept");
    }
}
