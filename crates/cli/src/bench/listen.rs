//! What a listener notices: from the click to the sound, seeking, the first foreign release, and what an idle daemon
//! costs.

use std::{fs, time::Duration};

use node::{
    api::{Play, Played, Request},
    bench,
};
use tempfile::TempDir;
use tokio::time::sleep;

use super::{
    Figure, Rows, lan,
    songs::{self, Songs},
    stream::seeks,
    swarm::{Daemon, Local, Pair, alone, failed, peers, until_peers},
};
use crate::failure::Failure;

/// Clicks per format.
const CLICKS: usize = 10;
/// Seeks.
const SEEKS: usize = 40;
/// Seconds of the tone that is sought in: long enough that its middle has not arrived when the seek begins.
const LONG: u32 = 600;
/// Seconds that are listened to after a click.
const HEARD: f64 = 0.2;
/// Peers of the idle daemon.
const PEERS: usize = 20;
/// How long a daemon is watched at a time.
const WATCH: Duration = Duration::from_secs(20);
/// How often.
const WATCHES: usize = 3;
/// What Linux counts a process's time in, per second, on every architecture that it tells programs about.
const TICKS: f64 = 100.0;

/// Measures.
///
/// # Errors
/// Those of nodes, disk and standard output.
pub(super) async fn run(rows: &mut Rows) -> Result<(), Failure> {
    clicks(rows).await?;
    long_seeks(rows).await?;
    lan::run(rows).await?;
    idle(rows).await
}

async fn clicks(rows: &mut Rows) -> Result<(), Failure> {
    let folder = TempDir::with_prefix("musicdao-bench-")?;
    let songs = Songs::find(folder.path())?;
    let pair = Pair::start(songs.files.clone(), None).await?;
    let mut taken = Vec::new();
    for _ in 0..CLICKS {
        for (track, item) in (1..).zip(pair.items()) {
            bench::forget(&pair.listener.node, item).await?;
            let play = Play {
                release: pair.release(),
                track: Some(track),
                output: "null".to_owned(),
                from: None,
                seconds: Some(HEARD),
                job: None,
            };
            taken.push(pair.listener.ask::<Played>(Request::Play(play)).await?.first_sound_ms);
        }
    }
    pair.end().await;
    let formats = songs.formats().collect::<Vec<_>>().join(" ");
    rows.add(
        Figure {
            name: "click to first sound, loopback, not cached".to_owned(),
            unit: "ms",
            method: format!(
                "two nodes in one process over QUIC, connected; {} as {formats}; from the play command to the first \
                 sample at a null output",
                songs.what
            ),
            baseline: "p95 <= 100; Spotify's P2P client 265 median, cached ones among them",
        },
        taken,
    )
}

async fn long_seeks(rows: &mut Rows) -> Result<(), Failure> {
    let folder = TempDir::with_prefix("musicdao-bench-")?;
    let file = folder.path().join("long.wav");
    songs::tone(&file, LONG, 0)?;
    let pair = Pair::start(vec![file], None).await?;
    let item = pair.items().next().ok_or_else(|| failed("the release has no track"))?;
    let taken = seeks(&pair, item, SEEKS).await?;
    pair.end().await;
    rows.add(
        Figure {
            name: "seek to an unbuffered place, loopback".to_owned(),
            unit: "ms",
            method: format!(
                "two nodes in one process over QUIC; wav of {LONG} s, right after its first sample, while all of it is \
                 being fetched; only seeks whose place was not here count; until the first sample of there"
            ),
            baseline: "p95 <= 100",
        },
        taken,
    )
}

async fn idle(rows: &mut Rows) -> Result<(), Failure> {
    let folder = TempDir::with_prefix("musicdao-bench-")?;
    alone().save(folder.path())?;
    let args = ["--no-mdns", "--listen", "127.0.0.1:0"];
    let daemon = Daemon::start(folder.path().to_owned(), &args).await?;
    let mut others = Vec::with_capacity(PEERS);
    for _ in 0..PEERS {
        others.push(Local::start(vec![daemon.invite.clone()]).await?);
    }
    until_peers(&daemon.remote().await?, PEERS).await?;
    let pid = daemon.pid()?;
    let (mut memory, mut cpu) = (Vec::new(), Vec::new());
    let mut before = None;
    for _ in 0..=WATCHES {
        if let Some(before) = before {
            sleep(WATCH).await;
            cpu.push((ticks(pid)? - before) / TICKS / WATCH.as_secs_f64() * 100.0);
            memory.push(resident(pid)?);
        }
        before = Some(ticks(pid)?);
    }
    let still = peers(&daemon.remote().await?).await?;
    for other in &others {
        other.node.shutdown().await;
    }
    let method = format!(
        "a daemon process on loopback, {still} peers connected at the end, {WATCHES} times {} s, from /proc",
        WATCH.as_secs()
    );
    let figure =
        |name: &str, unit, baseline| Figure { name: name.to_owned(), unit, method: method.clone(), baseline };
    rows.add(figure("idle daemon, resident memory", "MB", "<= 60"), memory)?;
    rows.add(figure("idle daemon, processor", "% of a core", "<= 1"), cpu)
}

/// Resident memory in megabytes.
fn resident(pid: u32) -> Result<f64, Failure> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
    let kib = line.and_then(|kib| kib.trim().parse::<f64>().ok());
    Ok(kib.map(|kib| kib * 1024.0 / 1e6).ok_or_else(|| failed("/proc does not tell the memory"))?)
}

/// Processor time in user and kernel mode since the start.
fn ticks(pid: u32) -> Result<f64, Failure> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The program's name, in parentheses, may have spaces; the times are the 12th and 13th field behind it.
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields).split(' ');
    let times: Vec<f64> = fields.skip(11).take(2).filter_map(|time| time.parse().ok()).collect();
    match times[..] {
        [user, system] => Ok(user + system),
        _ => Err(failed("/proc does not tell the time").into()),
    }
}
