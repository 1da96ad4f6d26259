//! How a shell reaches a node: the trait that the node in the same process and the daemon's client share.

use std::{io, sync::Arc};

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::{
    Asset, AssetName, AssetSize,
    api::{ApiError, Event, Request, Response},
};

/// Events that wait for a slow reader before further ones are dropped and counted.
pub const EVENT_BACKLOG: usize = 1024;

/// A node, wherever it runs.
#[async_trait]
pub trait Api: Send + Sync {
    /// Asks and waits for the answer; long work tells its progress as events meanwhile.
    ///
    /// # Errors
    /// An [`ApiError`] with a stable code.
    async fn call(&self, request: Request) -> Result<Response, ApiError>;

    /// Listens to events from now on. Dropping the receiver ends it.
    async fn events(&self) -> Result<mpsc::Receiver<Event>, ApiError>;

    /// Loads an image or a waveform that something shown names, from the disk or from whoever has it; or the cover
    /// within a private file.
    ///
    /// # Errors
    /// `asset_unknown` where nothing shown names it, `asset_too_large`, `asset_timed_out`, `not_an_image` where a small
    /// picture cannot be made, and those of fetching.
    async fn asset(&self, name: AssetName, size: AssetSize) -> Result<Asset, ApiError>;
}

impl ApiError {
    /// Makes an error of a stable code and a sentence for people.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }
}

impl From<io::Error> for ApiError {
    fn from(error: io::Error) -> Self {
        let code = match error.kind() {
            io::ErrorKind::NotFound => "file_not_found",
            io::ErrorKind::PermissionDenied => "permission_denied",
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "disk_full",
            io::ErrorKind::TimedOut => "timeout",
            _ => "io",
        };
        Self::new(code, error.to_string())
    }
}

impl From<domain::RecordError> for ApiError {
    fn from(error: domain::RecordError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<store::StoreError> for ApiError {
    fn from(error: store::StoreError) -> Self {
        let way_out = match error {
            store::StoreError::Corrupt { .. } => {
                "; `musicdao doctor --set-aside-database` renames it, and the node begins anew"
            }
            _ => "",
        };
        Self::new(error.code(), format!("{error}{way_out}"))
    }
}

impl From<net::NetError> for ApiError {
    fn from(error: net::NetError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<Arc<net::NetError>> for ApiError {
    fn from(error: Arc<net::NetError>) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<net::BlobError> for ApiError {
    fn from(error: net::BlobError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<audio::Error> for ApiError {
    fn from(error: audio::Error) -> Self {
        Self::new(error.code(), error.to_string())
    }
}
