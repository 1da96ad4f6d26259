//! What `musicdao bench` needs beyond the [`Api`](crate::Api): the ways that listening takes, with a clock beside them.

use std::{
    fs::File,
    io::Write,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use audio::Decoder;
use domain::{BlobHash, Identity, PeerId, kinds::BlobRef};
use net::{Answer, Blobs, EventReceiver, Handler, Network};
use serde::{Deserialize, Serialize};
use store::Reason;
use tokio::runtime::Handle;

use crate::{
    api::{ApiError, QueueItem},
    catalogue,
    fetch::Fetch,
    node::{Inner, NodeHandle},
    stream::BlobSource,
};

pub mod money;

/// Bytes that a decoder reads at once after a seek, about a second of uncompressed sound.
const NEEDED: u64 = 64 << 10;
/// Random bytes made at a time.
const NOISE: usize = 1 << 20;

/// Where a blob is to be had: the line that one process tells the other.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Source {
    /// Who serves it.
    pub peer: PeerId,
    /// Where.
    pub addr: SocketAddr,
    /// Its name.
    pub hash: BlobHash,
    /// Its bytes.
    pub size: u64,
}

/// Serves a blob to everybody until it is dropped.
pub struct Serving {
    /// What is served.
    pub source: Source,
    _network: Network,
    _events: EventReceiver,
}

/// How long a transfer took.
#[derive(Clone, Copy, Debug)]
pub struct Transfer {
    /// Until every byte was verified and readable.
    pub verified: Duration,
    /// Until it was safe on the disk, too.
    pub synced: Duration,
}

/// Answers nothing and serves whatever is here.
struct Everything;

struct Opened {
    decoder: Decoder,
    fetch: Fetch,
    took: Duration,
}

/// Times a track from the request to the first sample out of the decoder, and stops fetching it.
///
/// # Errors
/// Those of playing.
pub async fn first_sample(node: &NodeHandle, item: QueueItem) -> Result<Duration, ApiError> {
    Ok(open(&node.inner, item).await?.took)
}

/// Starts a track and times a seek to a part of its length, from 0 to 1, until the first sample of there. `None` where
/// the bytes of that place had arrived before.
///
/// # Errors
/// Those of playing.
pub async fn seek(node: &NodeHandle, item: QueueItem, part: f64) -> Result<Option<Duration>, ApiError> {
    let Opened { mut decoder, fetch, .. } = open(&node.inner, item).await?;
    let frames = decoder.format().frames.ok_or_else(|| failed("the track does not tell its length"))?;
    let place = (fetch.size() as f64 * part) as u64;
    let needed = place..(place + NEEDED).min(fetch.size());
    if fetch.blob().is_some_and(|blob| blob.holds(&needed)) {
        return Ok(None);
    }
    let began = Instant::now();
    blocking(move || {
        decoder.seek((frames as f64 * part) as u64)?;
        sample(&mut decoder)
    })
    .await?;
    Ok(Some(began.elapsed()))
}

/// Fetches a track's beginning as the player does for the one that comes next.
///
/// # Errors
/// Those of fetching.
pub async fn prefetch(node: &NodeHandle, item: QueueItem, bytes: u64) -> Result<(), ApiError> {
    let fetch = fetch(&node.inner, item).await?;
    fetch.want_to_play();
    let (size, tail) = (fetch.size(), fetch.size().saturating_sub(NEEDED));
    fetch.wait(0..bytes.min(size)).await?;
    fetch.wait(tail..size).await?;
    Ok(())
}

/// Deletes a track's bytes, so that it has to be fetched again.
///
/// # Errors
/// Those of the disk.
pub async fn forget(node: &NodeHandle, item: QueueItem) -> Result<(), ApiError> {
    let (blob, _) = track(&node.inner, item).await?;
    node.inner.fetches.cancel(&blob.hash);
    node.inner.blobs.remove(blob.hash).await?;
    node.inner.store.remove_blob(&blob.hash).await?;
    Ok(())
}

/// Fills the catalogue with so many synthetic tracks.
///
/// # Errors
/// Those of the database.
pub async fn fill(node: &NodeHandle, tracks: u32, seed: u64) -> Result<(), ApiError> {
    store::bench::fill(&node.inner.store, tracks, seed).await?;
    node.inner.store.checkpoint().await?;
    Ok(())
}

/// Lists so many private files that are nowhere on the disk: rows to scroll through.
///
/// # Errors
/// Those of the database.
pub async fn list_files(node: &NodeHandle, count: u32) -> Result<(), ApiError> {
    for number in 0..count {
        let file = store::LocalFile {
            path: format!("/music/{number}.flac"),
            size: 30_000_000,
            modified: 0,
            title: format!("Song {number}"),
            artist: format!("Artist {}", number / 100),
            album: format!("Album {}", number / 10),
            number: u16::try_from(number % 10).ok(),
            duration_ms: 200_000,
            codec: None,
            sample_rate: 44_100,
            channels: 2,
            loudness: None,
            peak: None,
        };
        node.inner.store.add_file(&file, u64::from(number)).await?;
    }
    Ok(())
}

/// The n-th query, as typed so far, that fits a catalogue filled with the seed.
pub fn query(seed: u64, n: u64) -> String {
    store::bench::query(seed, n)
}

/// Writes a file that no program can shrink.
///
/// # Errors
/// Those of the disk and of the system's randomness.
pub fn noise(file: &Path, size: u64) -> Result<(), ApiError> {
    let mut file = File::create_new(file)?;
    let mut bytes = vec![0; NOISE];
    let mut left = size;
    while left > 0 {
        let now = left.min(NOISE as u64) as usize;
        getrandom::fill(&mut bytes[..now]).map_err(|error| failed(&error.to_string()))?;
        file.write_all(&bytes[..now])?;
        left -= now as u64;
    }
    Ok(file.sync_all()?)
}

/// Serves a file on loopback, with a new identity.
///
/// # Errors
/// Those of the disk and of the network.
pub async fn serve(folder: &Path, file: &Path) -> Result<Serving, ApiError> {
    let (network, events, blobs) = network(folder).await?;
    let added = blobs.add_file(file).await?;
    let source =
        Source { peer: network.id(), addr: network.local_addr(), hash: added.hash, size: added.size };
    Ok(Serving { source, _network: network, _events: events })
}

/// Fetches a blob from one peer into an empty folder, with a new identity. The connection is made before the clock runs.
///
/// # Errors
/// Those of the disk and of the network.
pub async fn take(folder: &Path, source: &Source) -> Result<Transfer, ApiError> {
    let (network, _events, _blobs) = network(folder).await?;
    network.connect(source.peer, &[source.addr]).await?;
    let began = Instant::now();
    let download = network.fetch(source.hash, Some(source.size));
    download.add_provider(source.peer);
    download.want_all();
    download.wait(0..source.size).await?;
    let verified = began.elapsed();
    download.complete().await?;
    let synced = began.elapsed();
    network.shutdown().await;
    Ok(Transfer { verified, synced })
}

impl Handler for Everything {
    fn request(&self, _peer: PeerId, _body: bytes::Bytes) -> Answer {
        Box::pin(std::future::ready(None))
    }

    fn may_serve(&self, _peer: PeerId, _hash: &BlobHash) -> bool {
        true
    }
}

async fn network(folder: &Path) -> Result<(Network, EventReceiver, Blobs), ApiError> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|error| failed(&error.to_string()))?;
    let blobs = Blobs::open(folder).await?;
    let mut config = net::Config::new(Identity::from_secret(&secret), blobs.clone());
    config.listen = (Ipv4Addr::LOCALHOST, 0).into();
    config.handler = Arc::new(Everything);
    let (network, events) = Network::start(config).await?;
    Ok((network, events, blobs))
}

/// Opens a track the way the player's threads do, and decodes its first samples.
async fn open(node: &Arc<Inner>, item: QueueItem) -> Result<Opened, ApiError> {
    let began = Instant::now();
    let fetch = fetch(node, item).await?;
    let source = BlobSource::new(fetch.clone(), Handle::current());
    let decoder = blocking(move || {
        let mut decoder = Decoder::open(Box::new(source))?;
        sample(&mut decoder)?;
        Ok(decoder)
    });
    Ok(Opened { decoder: decoder.await?, fetch, took: began.elapsed() })
}

async fn fetch(node: &Arc<Inner>, item: QueueItem) -> Result<Fetch, ApiError> {
    let (blob, artist) = track(node, item).await?;
    node.fetch(blob, Reason::Played, Some(artist)).await
}

async fn track(node: &Arc<Inner>, item: QueueItem) -> Result<(BlobRef, PeerId), ApiError> {
    let QueueItem::Track { release, track: number } = item else {
        return Err(failed("a private file is not fetched"));
    };
    let details = catalogue::details(&node.store, &release).await?;
    let track = details.tracks.iter().find(|track| track.number == number);
    let track = track.ok_or_else(|| failed("the release has no such track"))?;
    Ok((track.track.blob, details.row.artist_id))
}

fn sample(decoder: &mut Decoder) -> Result<(), ApiError> {
    let block = decoder.next_block()?;
    block.map(drop).ok_or_else(|| failed("the track is silent: it has no samples"))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| failed("the decoder panicked"))?
}

fn failed(words: &str) -> ApiError {
    ApiError::new("bench_failed", words)
}
