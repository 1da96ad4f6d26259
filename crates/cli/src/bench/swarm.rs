//! Real nodes for measuring: in this process over loopback QUIC, or a daemon in a process of its own.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use node::{
    Api, Config, Node, NodeHandle, Remote, Settings,
    api::{
        ApiError, Done, Event, Invite, Peers, Publish, Published, QueueItem, ReleaseDetail, Request, Status,
    },
    domain::{PeerId, ReleaseId},
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    sync::mpsc,
    time::timeout,
};

use super::shaper::{Link, Shaper};
use crate::{failure::Failure, session::Answer};

/// Longest that anything is waited for before a figure is given up.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// A link with less delay than this part of its nominal round trip goes around the shaper.
const HONEST: f64 = 0.8;

/// A node in this process, with a data folder of its own.
pub(super) struct Local {
    pub(super) node: Arc<NodeHandle>,
    _folder: TempDir,
}

/// An artist and a listener who is connected and knows the artist's release.
pub(super) struct Pair {
    artist: Local,
    pub(super) listener: Local,
    release: ReleaseId,
    tracks: u16,
    _shaper: Option<Shaper>,
}

/// A daemon in a process of its own; killed when dropped.
pub(super) struct Daemon {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    data: PathBuf,
    pub(super) invite: String,
}

impl Local {
    /// Starts a node on loopback that looks for nobody but those whose links are given.
    pub(super) async fn start(peers: Vec<String>) -> Result<Self, Failure> {
        Self::with(&alone(), peers).await
    }

    /// The same with settings of its own.
    pub(super) async fn with(settings: &Settings, peers: Vec<String>) -> Result<Self, Failure> {
        let folder = TempDir::with_prefix("musicdao-bench-")?;
        settings.save(folder.path())?;
        let listen = Some((Ipv4Addr::LOCALHOST, 0).into());
        let config = Config { data: folder.path().to_owned(), listen, peers, no_dht: true, no_mdns: true };
        Ok(Self { node: Node::start(config).await?, _folder: folder })
    }

    /// Asks.
    pub(super) async fn ask<T: Answer>(&self, request: Request) -> Result<T, ApiError> {
        ask(self.node.as_ref(), request).await
    }

    /// Returns a link to this node.
    pub(super) async fn invite(&self) -> Result<String, ApiError> {
        Ok(self.ask::<Invite>(Request::Invite).await?.invite)
    }

    /// Publishes files as one release.
    pub(super) async fn publish(&self, paths: Vec<PathBuf>) -> Result<Published, ApiError> {
        let license = Some("CC0-1.0".to_owned());
        self.ask(Request::Publish(Publish { paths, license, rights_declared: true, ..Publish::default() }))
            .await
    }

    async fn listens_at(&self) -> Result<SocketAddr, Failure> {
        let status = self.ask::<Status>(Request::Status).await?;
        let addr = status.listen.first().and_then(|addr| addr.parse().ok());
        Ok(addr.ok_or_else(|| failed("the node listens nowhere"))?)
    }

    async fn peer(&self, peer: PeerId) -> Result<Option<f64>, ApiError> {
        let peers = self.ask::<Peers>(Request::Peers).await?.peers;
        Ok(peers.into_iter().find(|info| info.peer_id == peer).map(|info| info.rtt_ms))
    }
}

impl Pair {
    /// Publishes the files and waits until the listener knows of it; over a worse link where one is given.
    pub(super) async fn start(files: Vec<PathBuf>, link: Option<Link>) -> Result<Self, Failure> {
        let artist = Local::start(Vec::new()).await?;
        let published = artist.publish(files).await?;
        let (tracks, release) = (published.tracks.len() as u16, published.release_id);
        let (invite, shaper) = match link {
            None => (artist.invite().await?, None),
            Some(link) => {
                let shaper = Shaper::start(artist.listens_at().await?, link).await?;
                (format!("musicdao:{}?at={}", artist.node.id(), shaper.addr()), Some(shaper))
            }
        };
        let listener = Local::start(vec![invite]).await?;
        let pair = Self { artist, listener, release, tracks, _shaper: shaper };
        pair.until_known().await?;
        pair.check(link).await?;
        Ok(pair)
    }

    /// What was published.
    pub(super) fn release(&self) -> ReleaseId {
        self.release
    }

    /// The tracks, in the order of the files.
    pub(super) fn items(&self) -> impl Iterator<Item = QueueItem> + use<> {
        let release = self.release;
        (1..=self.tracks).map(move |track| QueueItem::Track { release, track })
    }

    /// Ends both.
    pub(super) async fn end(self) {
        self.listener.node.shutdown().await;
        self.artist.node.shutdown().await;
    }

    async fn until_known(&self) -> Result<(), Failure> {
        let mut events = self.listener.node.events().await?;
        let known = async {
            loop {
                let shown = self.listener.ask::<ReleaseDetail>(Request::Show { release: self.release }).await;
                if shown.is_ok_and(|shown| !shown.tracks.is_empty()) || events.recv().await.is_none() {
                    return;
                }
            }
        };
        Ok(timeout(PATIENCE, known).await.map_err(|_| failed("the listener did not hear of the release"))?)
    }

    /// Makes sure that the packets go through the shaper.
    async fn check(&self, link: Option<Link>) -> Result<(), Failure> {
        let rtt = self.listener.peer(self.artist.node.id()).await?;
        let rtt = rtt.ok_or_else(|| failed("the listener is not connected"))?;
        match link {
            Some(link) if rtt < link.rtt().as_secs_f64() * 1000.0 * HONEST => {
                Err(failed("the link is not the shaped one").into())
            }
            _ => Ok(()),
        }
    }
}

impl Daemon {
    /// Starts a daemon and waits for its first line.
    pub(super) async fn start(data: PathBuf, args: &[&str]) -> Result<Self, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--data").arg(&data).args(["--json", "daemon", "--no-dht"]).args(args);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut process = command.spawn()?;
        let stdout = process.stdout.take().ok_or_else(|| failed("the daemon has no output"))?;
        let mut daemon = Self { process, lines: BufReader::new(stdout).lines(), data, invite: String::new() };
        let ready = daemon.until("ready").await?;
        daemon.invite = ready["invite"].as_str().unwrap_or_default().to_owned();
        Ok(daemon)
    }

    /// Waits for an event by its name.
    pub(super) async fn until(&mut self, event: &str) -> Result<Value, Failure> {
        let found = async {
            while let Some(line) = self.lines.next_line().await? {
                let told = serde_json::from_str::<Value>(&line).unwrap_or_default();
                if told["event"] == event {
                    return Ok(told);
                }
            }
            Err(failed("the daemon ended").into())
        };
        timeout(PATIENCE, found).await.map_err(|_| failed(&format!("the daemon told no `{event}`")))?
    }

    /// Connects as a shell does.
    pub(super) async fn remote(&self) -> Result<Remote, Failure> {
        let remote = Remote::connect(&self.data).await;
        Ok(remote.ok_or_else(|| failed("the daemon cannot be reached"))?)
    }

    /// Asks it to end, and waits for that.
    pub(super) async fn end(mut self) -> Result<(), Failure> {
        let asked = ask::<Done>(&self.remote().await?, Request::Shutdown).await;
        asked.map(drop).or_else(|error| if error.code == "daemon_gone" { Ok(()) } else { Err(error) })?;
        timeout(PATIENCE, self.process.wait()).await.map_err(|_| failed("the daemon did not end"))??;
        Ok(())
    }

    /// Its process, where it still runs.
    pub(super) fn pid(&self) -> Result<u32, Failure> {
        Ok(self.process.id().ok_or_else(|| failed("the daemon ended"))?)
    }
}

/// The settings of a node that meets nobody by chance.
pub(super) fn alone() -> Settings {
    Settings { dht: false, mdns: false, port_mapping: false, ..Settings::default() }
}

/// Asks any node.
pub(super) async fn ask<T: Answer>(api: &dyn Api, request: Request) -> Result<T, ApiError> {
    T::take(api.call(request).await?).ok_or_else(|| failed("the node answers another question"))
}

/// Counts a node's peers.
pub(super) async fn peers(api: &dyn Api) -> Result<usize, ApiError> {
    Ok(ask::<Peers>(api, Request::Peers).await?.peers.len())
}

/// Waits until a node has so many peers.
pub(super) async fn until_peers(api: &dyn Api, count: usize) -> Result<(), Failure> {
    let mut events = api.events().await?;
    let enough = async {
        while peers(api).await? < count {
            next(&mut events).await?;
        }
        Ok(())
    };
    timeout(PATIENCE, enough).await.map_err(|_| failed("the peers did not come"))?
}

pub(super) async fn next(events: &mut mpsc::Receiver<Event>) -> Result<Event, Failure> {
    let event = timeout(PATIENCE, events.recv()).await.ok().flatten();
    Ok(event.ok_or_else(|| failed("the node told nothing"))?)
}

pub(super) fn failed(words: &str) -> ApiError {
    ApiError::new("bench_failed", words)
}
