//! How fast a new release is known to all, and what catching up costs: on the simulator's clock, and among real nodes.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use node::{Api, api::Event, domain::ReleaseId};
use sim::Missing;
use tempfile::TempDir;
use tokio::{sync::mpsc, time::timeout};

use super::{
    Figure, Rows, songs,
    stream::millis,
    swarm::{Local, failed, until_peers},
};
use crate::failure::Failure;

/// Members of the simulated swarm.
const MEMBERS: usize = 1000;
/// Swarms, each of another seed.
const SWARMS: u64 = 10;
/// Shortest and longest one-way delay of a link.
const LATENCY: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(50));
/// Records of the one that is asked.
const RECORDS: usize = 100_000;
/// How many of them the asker lacks.
const LACKING: usize = 200;

/// Real nodes in this process.
const NODES: usize = 100;
/// Releases that they publish, one after another; the first warms up and does not count.
const RELEASES: usize = 21;
/// Longest wait for a release to reach everybody.
const PATIENCE: Duration = Duration::from_secs(120);

/// A node that has just shown a release.
type Shown = (usize, ReleaseId, Instant);

/// Measures on virtual time, where the figures are the same on every machine, then among real nodes.
///
/// # Errors
/// Those of nodes, disk and standard output.
pub(super) async fn run(rows: &mut Rows) -> Result<(), Failure> {
    spreading(rows)?;
    for (which, word) in [(Missing::Newest, "newest"), (Missing::Random, "random")] {
        catching_up(rows, which, word)?;
    }
    really_spreading(rows).await
}

fn spreading(rows: &mut Rows) -> Result<(), Failure> {
    let swarms = (1..=SWARMS).map(|seed| sim::discovery(MEMBERS, seed, LATENCY)).collect::<Vec<_>>();
    let releases = swarms.first().map_or(0, |swarm| swarm.releases);
    let figure = |name: &str, unit, baseline| Figure {
        name: name.to_owned(),
        unit,
        method: format!(
            "{MEMBERS} simulated nodes, virtual time, links of 10-50 ms; per swarm the median of {releases} releases"
        ),
        baseline,
    };
    let values = |value: fn(&sim::Discovery) -> f64| swarms.iter().map(value).collect();
    rows.add(figure("half of the nodes know a release", "ms", "-"), values(|swarm| swarm.p50_ms))?;
    rows.add(figure("all nodes know a release", "ms", "<= 400"), values(|swarm| swarm.last_ms))?;
    rows.add(figure("all nodes know the slowest release", "ms", "-"), values(|swarm| swarm.worst_ms))?;
    rows.add(figure("reached by gossip alone", "%", "-"), values(|swarm| swarm.reached * 100.0))?;
    rows.add(figure("sent per node and release", "messages", "-"), values(|swarm| swarm.messages))?;
    rows.add(figure("sent per node and release", "bytes", "-"), values(|swarm| swarm.bytes))
}

fn catching_up(rows: &mut Rows, which: Missing, word: &str) -> Result<(), Failure> {
    let cost = sim::catch_up(RECORDS, LACKING, which);
    let figure = |unit, baseline| Figure {
        name: format!("catching up on {LACKING} {word} records"),
        unit,
        method: format!("two peers in turns, {RECORDS} records; {} arrived", cost.received),
        baseline,
    };
    rows.add(figure("round trips", "<= 3"), vec![cost.round_trips as f64])?;
    rows.add(figure("bytes beside them", "<= 10240"), vec![cost.bytes as f64])
}

async fn really_spreading(rows: &mut Rows) -> Result<(), Failure> {
    let (nodes, mut shown) = real_nodes().await?;
    let folder = TempDir::with_prefix("musicdao-bench-")?;
    let file = folder.path().join("tone.wav");
    let (mut spread, mut whole) = (Vec::new(), Vec::new());
    for number in 0..RELEASES {
        songs::tone(&file, 1, number as u32)?;
        // Steps of a number that shares no divisor with theirs: every release is of another node.
        let author = number * 37 % NODES;
        let began = Instant::now();
        let release = nodes[author].publish(vec![file.clone()]).await?.release_id;
        let (own, last) = until_all(&mut shown, release, author).await?;
        if number > 0 {
            spread.push(millis(last.saturating_duration_since(own)));
            whole.push(millis(last.duration_since(began)));
        }
    }
    for node in &nodes {
        node.node.shutdown().await;
    }
    let figure = |name: &str, from: &str| Figure {
        name: format!("all of {NODES} real nodes {name}"),
        unit: "ms",
        method: format!(
            "nodes in one process over QUIC on loopback, each with its database on the same disk; from {from} to the \
             last node's event"
        ),
        baseline: "-",
    };
    rows.add(figure("know a release", "the author's own event"), spread)?;
    rows.add(figure("know a release, from the command", "the publish command"), whole)
}

/// Starts nodes, each joined through one of those before it, whose events come to one place.
async fn real_nodes() -> Result<(Vec<Local>, mpsc::UnboundedReceiver<Shown>), Failure> {
    let (told, shown) = mpsc::unbounded_channel();
    let mut nodes: Vec<Local> = Vec::with_capacity(NODES);
    for number in 0..NODES {
        let friend = match number.checked_sub(1) {
            Some(last) => vec![nodes[last / 2].invite().await?],
            None => Vec::new(),
        };
        let node = Local::start(friend).await?;
        let mut events = node.node.events().await?;
        let told = told.clone();
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                if let Event::Release { release_id, .. } = event {
                    // Nobody listens any more once all was measured.
                    let _ = told.send((number, release_id, Instant::now()));
                }
            }
        });
        nodes.push(node);
    }
    for node in &nodes {
        until_peers(node.node.as_ref(), 1).await?;
    }
    Ok((nodes, shown))
}

/// Waits until every node has shown the release; returns when its author did, and when the last did.
async fn until_all(
    shown: &mut mpsc::UnboundedReceiver<Shown>,
    release: ReleaseId,
    author: usize,
) -> Result<(Instant, Instant), Failure> {
    let (mut know, mut own, mut last) = (HashSet::new(), None, None);
    let all = async {
        while know.len() < NODES {
            let Some((node, of, at)) = shown.recv().await else { return };
            if of == release && know.insert(node) {
                own = own.or((node == author).then_some(at));
                last = last.max(Some(at));
            }
        }
    };
    timeout(PATIENCE, all).await.map_err(|_| failed("a release did not reach everybody"))?;
    Ok(own.zip(last).ok_or_else(|| failed("the nodes ended"))?)
}
