//! Sound from a blob that may still be arriving.

use std::{
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use net::Blob;
use tokio::{runtime::Handle, sync::Notify};

use crate::fetch::{Fetch, PlayHead};

/// Longest that one read waits for bytes.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes asked for ahead of the play head.
const READ_AHEAD: u64 = 1 << 20;
/// The most that one read returns, so that waiting stays short.
const MAX_READ: u64 = 64 << 10;

/// A blob as the decoder reads it.
pub(crate) struct BlobSource {
    fetch: Fetch,
    head: PlayHead,
    blob: Option<Blob>,
    position: u64,
    control: Arc<Control>,
    runtime: Handle,
}

/// Sees and ends the waits of a [`BlobSource`].
#[derive(Debug, Default)]
pub(crate) struct Control {
    interrupted: AtomicBool,
    waiting: AtomicBool,
    changed: Notify,
}

impl BlobSource {
    /// Reads a blob that is here or on its way; asks for its ends at once.
    pub(crate) fn new(fetch: Fetch, runtime: Handle) -> Self {
        fetch.want_to_play();
        Self {
            blob: fetch.blob(),
            head: fetch.play_head(),
            fetch,
            position: 0,
            control: Arc::default(),
            runtime,
        }
    }

    /// Returns the blob with the bytes in it, waiting for a bounded time.
    fn wait(&mut self, range: Range<u64>) -> io::Result<Blob> {
        self.control.check()?;
        if let Some(blob) = self.blob.as_ref().filter(|blob| blob.holds(&range)) {
            return Ok(blob.clone());
        }
        self.head.at(range.start..(range.start + READ_AHEAD).min(self.fetch.size()));
        self.control.waiting.store(true, Ordering::Relaxed);
        let waited = self.runtime.block_on(async {
            tokio::select! {
                arrived = self.head.wait(range) => arrived.map_err(|error| io::Error::other(error.message)),
                () = self.control.interrupted() => Err(io::ErrorKind::Interrupted.into()),
                () = self.fetch.hopeless() => Err(io::ErrorKind::NotFound.into()),
                () = tokio::time::sleep(PATIENCE) => Err(io::ErrorKind::TimedOut.into()),
            }
        });
        self.control.waiting.store(false, Ordering::Relaxed);
        self.blob = Some(waited?);
        self.blob.clone().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Read for BlobSource {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let end = (self.position + (buf.len() as u64).min(MAX_READ)).min(self.fetch.size());
        if self.position >= end {
            return Ok(0);
        }
        // The first byte is enough to go on with; what is here beyond it comes along.
        let blob = self.wait(self.position..self.position + 1)?;
        let group = (self.position / net::wire::GROUP + 1) * net::wire::GROUP;
        let end = if blob.holds(&(self.position..end)) { end } else { end.min(group) };
        let bytes = blob.read_blocking(self.position..end).map_err(io::Error::other)?;
        buf[..bytes.len()].copy_from_slice(&bytes);
        self.position += bytes.len() as u64;
        Ok(bytes.len())
    }
}

impl Seek for BlobSource {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(by) => self.fetch.size().checked_add_signed(by),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

impl audio::Source for BlobSource {
    fn size(&self) -> u64 {
        self.fetch.size()
    }

    fn is_complete(&self) -> bool {
        self.fetch.blob().is_some_and(|blob| blob.is_complete())
    }

    fn control(&self) -> Arc<dyn audio::Control> {
        self.control.clone()
    }
}

impl audio::Control for Control {
    fn interrupt(&self, on: bool) {
        self.interrupted.store(on, Ordering::Relaxed);
        self.changed.notify_waiters();
    }

    fn is_waiting(&self) -> bool {
        self.waiting.load(Ordering::Relaxed)
    }
}

impl Control {
    fn check(&self) -> io::Result<()> {
        if self.interrupted.load(Ordering::Relaxed) { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
    }

    async fn interrupted(&self) {
        loop {
            let changed = self.changed.notified();
            if self.check().is_err() {
                return;
            }
            changed.await;
        }
    }
}
