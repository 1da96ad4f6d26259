use std::{io, path::PathBuf};

use domain::BlobHash;

/// Says why a blob could not be kept, read or completed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlobError {
    /// The disk, or the quota on it, is full.
    #[error("the disk is full: {0}")]
    DiskFull(#[source] io::Error),
    /// No part of the blob is here.
    #[error("blob {0} is not here")]
    NotFound(BlobHash),
    /// The asked bytes of a partial blob are not here yet.
    #[error("bytes {start}..{end} of blob {hash} are not here yet")]
    NotHeld {
        /// Which blob.
        hash: BlobHash,
        /// First byte asked for.
        start: u64,
        /// Byte behind the last.
        end: u64,
    },
    /// Bytes on disk no longer match the hash; the bad groups are given up and can be fetched again.
    #[error("blob {0} no longer matches its hash on disk")]
    Corrupt(BlobHash),
    /// The blob is larger than [`crate::wire::MAX_BLOB`].
    #[error("a blob of {0} bytes is too large")]
    TooLarge(u64),
    /// The file changed while it was read.
    #[error("{0} changed while it was read")]
    Changed(PathBuf),
    /// The blob was removed meanwhile.
    #[error("blob {0} was removed")]
    Removed(BlobHash),
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The program is ending.
    #[error("the program is ending")]
    Closed,
}

impl BlobError {
    /// Returns the stable code that shells match on.
    pub fn code(&self) -> &'static str {
        match self {
            Self::DiskFull(_) => "disk_full",
            Self::NotFound(_) => "blob_not_found",
            Self::NotHeld { .. } => "blob_not_held",
            Self::Corrupt(_) => "hash_mismatch",
            Self::TooLarge(_) => "too_large",
            Self::Changed(_) => "file_changed",
            Self::Removed(_) => "blob_removed",
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => "file_not_found",
                io::ErrorKind::PermissionDenied => "file_unreadable",
                _ => "file_error",
            },
            Self::Closed => "closed",
        }
    }

    /// Wraps what the system says about a file.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull(source),
            _ => Self::Io { path, source },
        }
    }
}
