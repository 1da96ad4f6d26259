//! Images and waveforms as bytes.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use domain::{BlobHash, PeerId, kinds::BlobRef};
use store::Reason;

use crate::{api::ApiError, node::Inner};

/// Longest asset that is handed out: a page of a hundred covers fits the memory of a phone.
pub(crate) const MAX_ASSET: u64 = 2 << 20;
/// Assets that are loaded at once; further ones wait.
pub(crate) const AT_ONCE: usize = 16;
/// Longest that one is waited for, in the line and on the network.
const PATIENCE: Duration = Duration::from_secs(20);

/// An image, a waveform or the like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Its content.
    pub bytes: Bytes,
    /// Its media type, judged by its first bytes: an image that browsers show, else `application/octet-stream`.
    pub mime: &'static str,
}

impl Asset {
    pub(crate) fn of(bytes: Bytes) -> Self {
        Self { mime: mime(&bytes), bytes }
    }
}

/// Loads an asset.
pub(crate) async fn load(node: &Arc<Inner>, hash: BlobHash) -> Result<Asset, ApiError> {
    let loading = async {
        // The semaphore is never closed.
        let _turn = node.assets.acquire().await;
        bytes(node, hash).await
    };
    let slow = |_| ApiError::new("asset_timed_out", "the image did not arrive in time");
    let bytes = tokio::time::timeout(PATIENCE, loading).await.map_err(slow)??;
    Ok(Asset::of(bytes))
}

async fn bytes(node: &Arc<Inner>, hash: BlobHash) -> Result<Bytes, ApiError> {
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
        _ => "application/octet-stream",
    }
}
