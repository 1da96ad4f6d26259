//! Nodes on loopback that meet nobody but whom they are told to, and sound to publish.

use std::{path::PathBuf, sync::Arc, time::Duration};

use node::{
    Api, Config, Node, NodeHandle,
    api::{ApiError, Event, Publish, Published, Request, Response},
};
use tempfile::TempDir;
use tokio::sync::mpsc::Receiver;

/// Longest wait for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A node in a folder of its own.
pub(crate) struct Local {
    pub(crate) node: Arc<NodeHandle>,
    pub(crate) folder: TempDir,
}

impl Local {
    pub(crate) async fn start(peers: Vec<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        std::fs::write(data.join("config.toml"), "port_mapping = false\n").unwrap();
        let node = open(data, peers).await;
        Self { node, folder }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Ends the node and starts it again on its folder.
    pub(crate) async fn restart(self) -> Self {
        self.node.shutdown().await;
        let data = self.data();
        drop(self.node);
        Self { node: open(data, Vec::new()).await, folder: self.folder }
    }

    pub(crate) async fn ask(&self, request: Request) -> Response {
        self.node.call(request.clone()).await.unwrap_or_else(|error| panic!("{request:?}: {error:?}"))
    }

    pub(crate) async fn fail(&self, request: Request) -> ApiError {
        match self.node.call(request.clone()).await {
            Err(error) => error,
            Ok(response) => panic!("{request:?}: {response:?}"),
        }
    }

    /// Writes a second of a tone that differs by the name.
    pub(crate) fn song(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(format!("{name}.wav"));
        std::fs::write(&path, wav(name)).unwrap();
        path
    }

    pub(crate) async fn publish(&self, publish: Publish) -> Published {
        let publish = Publish { license: Some("CC0-1.0".into()), rights_declared: true, ..publish };
        let Response::Published(published) = self.ask(Request::Publish(publish)).await else { panic!() };
        published
    }
}

async fn open(data: PathBuf, peers: Vec<String>) -> Arc<NodeHandle> {
    let listen = Some(([127, 0, 0, 1], 0).into());
    Node::start(Config { data, listen, peers, no_dht: true, no_mdns: true }).await.unwrap()
}

/// Waits for an event.
pub(crate) async fn until<T>(events: &mut Receiver<Event>, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
    let waiting = async {
        loop {
            if let Some(found) = wanted(events.recv().await.unwrap()) {
                return found;
            }
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("the event comes in time")
}

/// A second of 8-bit mono PCM in RIFF WAVE: a square wave whose pitch comes from the name.
pub(crate) fn wav(name: &str) -> Vec<u8> {
    let period = 20 + name.bytes().map(usize::from).sum::<usize>() % 60;
    let mut samples: Vec<u8> = (0..8000).map(|at| if at % period < period / 2 { 90 } else { 166 }).collect();
    samples.extend(name.bytes());
    samples.extend(vec![128; samples.len() % 2]);
    let mut wav = Vec::new();
    wav.extend(b"RIFF");
    wav.extend((36 + samples.len() as u32).to_le_bytes());
    wav.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend(8000_u32.to_le_bytes());
    wav.extend(8000_u32.to_le_bytes());
    wav.extend(b"\x01\0\x08\0data");
    wav.extend((samples.len() as u32).to_le_bytes());
    wav.extend(samples);
    wav
}

/// A PNG of one red pixel.
pub(crate) const PNG: &[u8] = &[
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52, 0x00,
    0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x02, 0x00, 0x00, 0x00, 0x90, 0x77, 0x53, 0xde, 0x00,
    0x00, 0x00, 0x0c, 0x49, 0x44, 0x41, 0x54, 0x78, 0x9c, 0x63, 0x78, 0x60, 0xa0, 0x00, 0x00, 0x03, 0x24,
    0x01, 0x31, 0x38, 0x28, 0xaf, 0x54, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60,
    0x82,
];
