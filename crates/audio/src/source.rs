//! Where encoded bytes come from: a file, or a blob that is still arriving.

use std::{
    fs::File,
    io::{self, Cursor, Read, Seek, SeekFrom},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use symphonia::core::io::MediaSource;

use crate::Error;

/// Encoded bytes of one track.
///
/// Reads may block while bytes arrive, each for a bounded time. They end with `TimedOut` when that time is over, with
/// `NotFound` when nobody has the bytes, and with `Interrupted` while [`Control::interrupt`] is on.
pub trait Source: Read + Seek + Send + Sync {
    /// Returns the full size in bytes, known from the start.
    fn size(&self) -> u64;

    /// Says whether every byte is at hand, so that reading far ahead costs no waiting.
    fn is_complete(&self) -> bool {
        true
    }

    /// Returns the handle through which other threads see and end a wait.
    fn control(&self) -> Arc<dyn Control> {
        Arc::new(Immediate)
    }
}

/// The outside of one [`Source`] that is being read on another thread.
pub trait Control: Send + Sync {
    /// While on, every read, also one that waits already, fails with `Interrupted` at once.
    fn interrupt(&self, on: bool);

    /// Says whether a read waits for bytes now.
    fn is_waiting(&self) -> bool;
}

/// The control of sources that never wait.
#[derive(Clone, Copy, Debug, Default)]
pub struct Immediate;

impl Control for Immediate {
    fn interrupt(&self, _on: bool) {}

    fn is_waiting(&self) -> bool {
        false
    }
}

/// A file on this machine.
#[derive(Debug)]
pub struct FileSource {
    file: File,
    size: u64,
}

impl FileSource {
    /// Opens a file for reading.
    ///
    /// # Errors
    /// [`Error::Vanished`], [`Error::Unreadable`], or [`Error::Empty`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(file_error)?;
        let meta = file.metadata().map_err(file_error)?;
        if !meta.is_file() {
            return Err(Error::Unreadable(format!("{} is not a file", path.display())));
        }
        if meta.len() == 0 {
            return Err(Error::Empty);
        }
        Ok(Self { file, size: meta.len() })
    }
}

impl Read for FileSource {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.file.read(buf)
    }
}

impl Seek for FileSource {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

impl Source for FileSource {
    fn size(&self) -> u64 {
        self.size
    }
}

impl<T: AsRef<[u8]> + Send + Sync> Source for Cursor<T> {
    fn size(&self) -> u64 {
        self.get_ref().as_ref().len() as u64
    }
}

impl Source for Box<dyn Source> {
    fn size(&self) -> u64 {
        (**self).size()
    }

    fn is_complete(&self) -> bool {
        (**self).is_complete()
    }

    fn control(&self) -> Arc<dyn Control> {
        (**self).control()
    }
}

pub(crate) fn file_error(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound => Error::Vanished,
        _ => Error::Unreadable(error.to_string()),
    }
}

/// The first failure of a source, kept because demuxers turn some into an end of stream and retry others.
#[derive(Clone, Debug, Default)]
struct Fault(Arc<Mutex<Option<Error>>>);

impl Fault {
    fn take(&self) -> Option<Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn keep(&self, error: &io::Error) -> io::Error {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| Error::from(error));
        io::Error::other(error.to_string())
    }
}

/// A source as the demuxers want it: an interrupted read is not retried, as the standard library would. The decoder keeps a second handle, to start over with.
#[derive(Clone)]
pub(crate) struct Intake {
    source: Arc<Mutex<Box<dyn Source>>>,
    size: u64,
    fault: Fault,
}

impl Intake {
    pub(crate) fn new(source: Box<dyn Source>) -> Self {
        Self { size: source.size(), source: Arc::new(Mutex::new(source)), fault: Fault::default() }
    }

    /// Returns the size in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Returns the failure since the last call, if any.
    pub(crate) fn fault(&self) -> Option<Error> {
        self.fault.take()
    }

    fn with<T>(&self, act: impl FnOnce(&mut dyn Source) -> T) -> T {
        act(&mut **self.source.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Read for Intake {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.with(|source| source.read(buf)).map_err(|error| self.fault.keep(&error))
    }
}

impl Seek for Intake {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.with(|source| source.seek(to)).map_err(|error| self.fault.keep(&error))
    }
}

impl MediaSource for Intake {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.size)
    }
}
