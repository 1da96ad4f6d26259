//! Blobs for peers: what the node allows, of what is here, at the rate that is set.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
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
    streams::{reply, written},
    wire::{BlobReply, BlobRequest, MAX_RANGES, Reply, group_count},
};

/// Bytes paid for and written at a time, so that small answers slip between large ones.
const SLICE: usize = 64 * 1024;
/// Answers held in memory at a time, each of at most [`crate::wire::MAX_REQUESTED`] and its proof: about 64 MiB in all.
pub(crate) const ANSWERS: usize = 64;
/// How many times [`crate::Limits::request_time`] a peer may take for one whole answer: 9 kB a second is enough.
const PATIENCE: u32 = 4;
/// How long a burst may be saved up.
const BURST: Duration = Duration::from_millis(250);

/// A token bucket: bytes per second, all peers together, first come first served.
#[derive(Debug)]
pub(crate) struct Bucket {
    /// Zero is no limit.
    rate: AtomicU64,
    /// When the bytes promised so far will have been paid for.
    paid: Mutex<Instant>,
}

impl Bucket {
    pub(crate) fn new(rate: Option<u64>, now: Instant) -> Self {
        Self { rate: AtomicU64::new(rate.unwrap_or(0)), paid: Mutex::new(now) }
    }

    /// Sets the rate from now on.
    pub(crate) fn set_rate(&self, rate: Option<u64>) {
        self.rate.store(rate.unwrap_or(0), Relaxed);
    }

    /// Waits until these bytes may be sent.
    async fn pay(&self, bytes: usize) {
        let rate = self.rate.load(Relaxed);
        if rate == 0 {
            return;
        }
        let mut paid = self.paid.lock().await;
        let now = Instant::now();
        let from = (*paid).max(now.checked_sub(BURST).unwrap_or(now));
        *paid = from + Duration::from_secs_f64(bytes as f64 / rate as f64);
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
    let (hash, urgent) = (request.hash, request.urgent);
    let _ = send.set_priority(i32::from(urgent));
    let groups = granted(&blob, request);
    let within = shared.config.limits.request_time;
    let Ok(Ok(_memory)) = timeout(within, shared.answers.acquire()).await else {
        return reply(peer, &mut send, &Reply::Busy).await;
    };
    let head = BlobReply { size: blob.size(), complete: blob.is_complete(), groups: groups.clone() };
    let encoded = crate::blobs::blocking(move || blob.encode(&groups)).await?;
    let begun = timeout(within, send.write_chunk(Reply::Blob(head).encode())).await;
    written(peer, begun, &mut send)?;
    let mut patience = within * PATIENCE;
    for at in (0..encoded.len()).step_by(SLICE) {
        let slice = encoded.slice(at..encoded.len().min(at + SLICE));
        let bytes = slice.len();
        shared.bucket.pay(bytes).await;
        let began = Instant::now();
        let taken = timeout(within.min(patience), send.write_chunk(slice)).await;
        written(peer, taken, &mut send)?;
        patience = patience.saturating_sub(began.elapsed());
        shared.config.handler.served(peer, &hash, bytes as u64);
    }
    let _ = send.finish();
    Ok(())
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
