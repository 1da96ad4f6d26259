//! Moves one file between two processes with librqbit, for `musicdao bench blob` to measure beside our own network.
//!
//! `bittorrent seed FILE` prints one line of JSON and serves until its standard input ends.
//! `bittorrent fetch TORRENT ADDR FOLDER` fetches from that one peer and prints how long it took.
//! Both listen on loopback only; there is no DHT, no tracker and no local discovery.

use std::{
    env, fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use anyhow::{Context, Result, bail};
use librqbit::{
    AddTorrent, AddTorrentOptions, CreateTorrentOptions, ListenerMode, ListenerOptions, ManagedTorrent, Session,
    SessionOptions, create_torrent, spawn_utils::BlockingSpawner,
};
use tokio::io::{AsyncReadExt, stdin};

/// Threads that may hash and write at a time.
const BLOCKING: usize = 4;

#[tokio::main]
async fn main() -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["seed", file] => seed(Path::new(file)).await,
        ["fetch", torrent, addr, folder] => fetch(torrent, addr.parse()?, folder).await,
        _ => bail!("usage: bittorrent seed FILE | bittorrent fetch TORRENT ADDR FOLDER"),
    }
}

async fn seed(file: &Path) -> Result<()> {
    let folder = file.parent().context("a file lies in a folder")?;
    let options = CreateTorrentOptions::default();
    let created = create_torrent(file, options, &BlockingSpawner::new(BLOCKING)).await?;
    let torrent: PathBuf = file.with_extension("torrent");
    fs::write(&torrent, created.as_bytes()?)?;
    let listen = Some(ListenerOptions {
        mode: ListenerMode::TcpOnly,
        listen_addr: (Ipv4Addr::LOCALHOST, 0).into(),
        ..Default::default()
    });
    let session = session(folder, listen).await?;
    let served = add(&session, &fs::read(&torrent)?, folder, None).await?;
    served.wait_until_completed().await?;
    let addr = session.listen_addr().context("the session listens")?;
    println!("{}", serde_json::json!({ "torrent": torrent, "addr": addr }));
    // Whoever started this process ends it by closing its standard input.
    stdin().read_to_end(&mut Vec::new()).await?;
    session.stop().await;
    Ok(())
}

async fn fetch(torrent: &str, addr: SocketAddr, folder: &str) -> Result<()> {
    let torrent = fs::read(torrent)?;
    let session = session(Path::new(folder), None).await?;
    let began = Instant::now();
    let fetched = add(&session, &torrent, Path::new(folder), Some(vec![addr])).await?;
    fetched.wait_until_completed().await?;
    println!("{}", serde_json::json!({ "seconds": began.elapsed().as_secs_f64() }));
    session.stop().await;
    Ok(())
}

async fn session(folder: &Path, listen: Option<ListenerOptions>) -> Result<Arc<Session>> {
    let options = SessionOptions {
        dht: None,
        disable_trackers: true,
        disable_local_service_discovery: true,
        listen,
        ..Default::default()
    };
    Session::new_with_opts(folder.to_owned(), options).await
}

async fn add(
    session: &Arc<Session>,
    torrent: &[u8],
    folder: &Path,
    initial_peers: Option<Vec<SocketAddr>>,
) -> Result<Arc<ManagedTorrent>> {
    let options = AddTorrentOptions {
        overwrite: true,
        output_folder: Some(folder.to_string_lossy().into_owned()),
        initial_peers,
        ..Default::default()
    };
    let added = session.add_torrent(AddTorrent::from_bytes(torrent.to_vec()), Some(options)).await?;
    added.into_handle().context("the torrent is managed")
}
