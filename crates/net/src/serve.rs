//! Blobs for peers: what the node allows, of what is here, at the rate that is set.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use domain::PeerId;
use quinn::SendStream;
use tokio::{sync::Mutex, time::timeout};

use crate::{
    BlobError,
    blobs::Blob,
    error::NetError,
    network::Shared,
    streams::{finished, reply},
    wire::{BlobReply, BlobRequest, MAX_RANGES, Reply, group_count},
};

/// Bytes paid for at a time when the rate is limited, so that small answers slip between large ones.
const SLICE: usize = 64 * 1024;
/// How long a burst may be saved up.
const BURST: Duration = Duration::from_millis(250);

/// A token bucket: bytes per second, all peers together, first come first served.
#[derive(Debug)]
pub(crate) struct Bucket {
    rate: u64,
    /// When the bytes promised so far will have been paid for.
    paid: Mutex<Instant>,
}

impl Bucket {
    pub(crate) fn new(rate: u64, now: Instant) -> Self {
        Self { rate: rate.max(1), paid: Mutex::new(now) }
    }

    /// Waits until these bytes may be sent.
    async fn pay(&self, bytes: usize) {
        let mut paid = self.paid.lock().await;
        let now = Instant::now();
        let from = (*paid).max(now.checked_sub(BURST).unwrap_or(now));
        *paid = from + Duration::from_secs_f64(bytes as f64 / self.rate as f64);
        let wait = paid.saturating_duration_since(now);
        tokio::time::sleep(wait).await;
    }
}

/// Answers a request for a part of a blob.
pub(crate) async fn blob(
    shared: &Arc<Shared>,
    peer: PeerId,
    request: BlobRequest,
    mut send: SendStream,
) -> Result<(), NetError> {
    if !shared.config.handler.may_serve(peer, &request.hash) {
        return reply(peer, &mut send, &Reply::Refused).await;
    }
    let blob = match shared.config.blobs.find(request.hash).await {
        Ok(blob) => blob,
        Err(BlobError::NotFound(_)) => return reply(peer, &mut send, &Reply::NotFound).await,
        Err(error) => return Err(error.into()),
    };
    let groups = granted(&blob, request);
    let head = BlobReply { size: blob.size(), complete: blob.is_complete(), groups: groups.clone() };
    let encoded = crate::blobs::blocking(move || blob.encode(&groups)).await?;
    let sent = async {
        send.write_chunk(Reply::Blob(head).encode()).await?;
        let Some(bucket) = &shared.bucket else { return send.write_chunk(encoded).await };
        for at in (0..encoded.len()).step_by(SLICE) {
            let slice = encoded.slice(at..encoded.len().min(at + SLICE));
            bucket.pay(slice.len()).await;
            send.write_chunk(slice).await?;
        }
        Ok(())
    };
    let sent = timeout(shared.config.limits.request_time, sent).await;
    finished(peer, sent, &mut send)
}

/// What of the request is here; the last group is added for an asker that needs the size proven.
fn granted(blob: &Blob, request: BlobRequest) -> Vec<std::ops::Range<u64>> {
    let last = group_count(blob.size()) - 1;
    let mut groups = request.groups;
    groups.retain(|range| range.start <= last);
    if request.tail && groups.last().is_none_or(|range| range.end <= last) {
        groups.push(last..last + 1);
    }
    if let Some(range) = groups.last_mut() {
        range.end = range.end.min(last + 1);
    }
    blob.present(&groups, MAX_RANGES)
}
