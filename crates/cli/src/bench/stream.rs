//! How long a request takes to become sound: every format, over loopback and over a home's link.

use std::time::Duration;

use node::{api::QueueItem, bench};
use tempfile::TempDir;

use super::{
    Figure, Rows,
    shaper::Link,
    songs::Songs,
    swarm::{Pair, failed},
};
use crate::failure::Failure;

/// Requests per format and link.
const RUNS: usize = 20;
/// Seeks are tried so often at most for every one that finds its place unbuffered.
const TRIES: usize = 3;
/// How much of the next track is there when it is asked for.
const PREFETCHED: u64 = 1 << 20;
/// Where in the track is sought to: before a place that the player wants at once, and far behind the start.
const PLACE: f64 = 0.7;
/// A home's link.
pub(super) const HOME: Link = Link { delay: Duration::from_millis(25), rate: 20_000_000, loses_one_in: 100 };

/// One link between an artist and a listener.
struct Course<'a> {
    pair: Pair,
    songs: &'a Songs,
    link: &'static str,
    goal: &'static str,
}

/// Measures.
///
/// # Errors
/// Those of nodes, disk and standard output.
pub(super) async fn run(rows: &mut Rows) -> Result<(), Failure> {
    let folder = TempDir::with_prefix("musicdao-bench-")?;
    let songs = Songs::find(folder.path())?;
    let loopback = "loopback";
    let home = "50 ms round trip, 20 Mbit/s, 1 % loss";
    for (link, shape, goal) in [(loopback, None, "p95 <= 100"), (home, Some(HOME), "p50 <= 250")] {
        let pair = Pair::start(songs.files.clone(), shape).await?;
        let course = Course { pair, songs: &songs, link, goal };
        course.first_samples(rows).await?;
        if shape.is_some() {
            course.seeks(rows).await?;
        }
        course.pair.end().await;
    }
    Ok(())
}

impl Course<'_> {
    async fn first_samples(&self, rows: &mut Rows) -> Result<(), Failure> {
        let mut all = Vec::new();
        for (item, format) in self.pair.items().zip(self.songs.formats()) {
            let cold = self.cold(item).await?;
            all.extend(&cold);
            rows.add(self.figure(&format!("first sample, {format}, cold"), "no byte is here"), cold)?;
            let name = format!("first sample, {format}, prefetched");
            rows.add(self.figure(&name, "the first MiB and the end are here"), self.prefetched(item).await?)?;
        }
        rows.add(self.figure("first sample, all formats, cold", "no byte is here"), all)
    }

    async fn cold(&self, item: QueueItem) -> Result<Vec<f64>, Failure> {
        let node = &self.pair.listener.node;
        let mut taken = Vec::with_capacity(RUNS);
        for _ in 0..RUNS {
            bench::forget(node, item).await?;
            taken.push(millis(bench::first_sample(node, item).await?));
        }
        Ok(taken)
    }

    async fn prefetched(&self, item: QueueItem) -> Result<Vec<f64>, Failure> {
        let node = &self.pair.listener.node;
        let mut taken = Vec::with_capacity(RUNS);
        bench::prefetch(node, item, PREFETCHED).await?;
        for _ in 0..RUNS {
            taken.push(millis(bench::first_sample(node, item).await?));
        }
        bench::forget(node, item).await?;
        Ok(taken)
    }

    async fn seeks(&self, rows: &mut Rows) -> Result<(), Failure> {
        for (item, format) in self.pair.items().zip(self.songs.formats()) {
            let figure = self
                .figure(&format!("seek, {format}"), "right after the first sample; the place is not here");
            rows.add(Figure { baseline: "-", ..figure }, seeks(&self.pair, item, RUNS).await?)?;
        }
        Ok(())
    }

    fn figure(&self, name: &str, state: &str) -> Figure {
        Figure {
            name: format!("{name}, {}", self.link),
            unit: "ms",
            method: format!(
                "two nodes in one process over QUIC, connected, link: {}; {}; {state}; from the request to the first \
                 sample out of the decoder",
                self.link, self.songs.what
            ),
            baseline: self.goal,
        }
    }
}

/// Seeks to a place that is not here, so many times.
pub(super) async fn seeks(pair: &Pair, item: QueueItem, runs: usize) -> Result<Vec<f64>, Failure> {
    let node = &pair.listener.node;
    let mut taken = Vec::with_capacity(runs);
    for _ in 0..runs * TRIES {
        bench::forget(node, item).await?;
        taken.extend(bench::seek(node, item, PLACE).await?.map(millis));
        if taken.len() == runs {
            break;
        }
    }
    bench::forget(node, item).await?;
    if taken.is_empty() {
        return Err(failed("every place had arrived before it was sought").into());
    }
    Ok(taken)
}

pub(super) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
