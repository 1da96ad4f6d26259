//! How fast a new release is known to all, and what catching up costs, on the simulator's clock.

use std::time::Duration;

use sim::Missing;

use super::{Figure, Rows};
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

/// Measures on virtual time: the figures are the same on every machine.
///
/// # Errors
/// Those of standard output.
pub(super) fn run(rows: &mut Rows) -> Result<(), Failure> {
    spreading(rows)?;
    for (which, word) in [(Missing::Newest, "newest"), (Missing::Random, "random")] {
        catching_up(rows, which, word)?;
    }
    Ok(())
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
