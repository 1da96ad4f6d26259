//! Real nodes over loopback, and bytes to move between them.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use domain::{BlobHash, Identity, PeerId};
use net::{Answer, Blobs, Config, DownReason, Event, EventReceiver, Handler, Network};
use tempfile::TempDir;
use tokio::time::timeout;

/// No test waits longer for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Node {
    pub(crate) net: Network,
    pub(crate) events: EventReceiver,
    pub(crate) blobs: Blobs,
    pub(crate) dir: TempDir,
}

/// Echoes requests and serves every blob.
#[derive(Debug)]
pub(crate) struct Open;

impl Handler for Open {
    fn request(&self, _peer: PeerId, body: Bytes) -> Answer {
        Box::pin(async move { Some(body) })
    }

    fn may_serve(&self, _peer: PeerId, _hash: &BlobHash) -> bool {
        true
    }
}

pub(crate) fn identity(seed: u8) -> Identity {
    Identity::from_secret(&[seed; 32])
}

/// Two seeds, the one whose id is lower first.
pub(crate) fn ordered(one: u8, two: u8) -> (u8, u8) {
    if identity(one).id() < identity(two).id() { (one, two) } else { (two, one) }
}

impl Node {
    pub(crate) async fn start(seed: u8) -> Self {
        Self::with(seed, |_| {}).await
    }

    pub(crate) async fn with(seed: u8, adjust: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path().join("blobs")).await.unwrap();
        let mut config = Config::new(identity(seed), blobs.clone());
        config.listen = "127.0.0.1:0".parse().unwrap();
        config.handler = Arc::new(Open);
        adjust(&mut config);
        let (net, events) = Network::start(config).await.unwrap();
        Self { net, events, blobs, dir }
    }

    pub(crate) fn id(&self) -> PeerId {
        self.net.id()
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.net.local_addr()
    }

    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) async fn dial(&self, other: &Node) {
        self.net.connect(other.id(), &[other.addr()]).await.unwrap();
    }

    pub(crate) async fn event(&mut self) -> Event {
        timeout(PATIENCE, self.events.recv()).await.expect("an event in time").expect("a running network")
    }

    /// Waits for the first event that `pick` takes, skipping others.
    pub(crate) async fn until<T>(&mut self, mut pick: impl FnMut(Event) -> Option<T>) -> T {
        loop {
            if let Some(picked) = pick(self.event().await) {
                return picked;
            }
        }
    }

    pub(crate) async fn up(&mut self, other: PeerId) {
        self.until(|event| matches!(event, Event::Up { peer, .. } if peer == other).then_some(())).await;
    }

    pub(crate) async fn down(&mut self, other: PeerId) -> DownReason {
        self.until(|event| match event {
            Event::Down { peer, reason } if peer == other => Some(reason),
            _ => None,
        })
        .await
    }

    pub(crate) async fn message(&mut self) -> Bytes {
        self.until(|event| match event {
            Event::Message { bytes, .. } => Some(bytes),
            _ => None,
        })
        .await
    }
}

/// Bytes without repetition, the same for the same seed.
pub(crate) fn noise(seed: u8, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new_keyed(&[seed; 32]).finalize_xof().fill(&mut bytes);
    bytes
}

/// Waits for a future, but not forever.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("it happens in time")
}
