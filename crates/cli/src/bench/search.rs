//! How fast a catalogue of a million tracks answers while somebody types.

use std::time::Instant;

use node::{
    api::{Request, SearchQuery, SearchResults},
    bench,
};

use super::{Figure, Rows, stream::millis, swarm::Local};
use crate::failure::Failure;

/// Tracks in the catalogue.
const TRACKS: u32 = 1_000_000;
/// Queries.
const QUERIES: u64 = 2_000;
/// Results that a screen shows.
const SHOWN: u32 = 20;
/// What the catalogue and the queries are made from.
const SEED: u64 = 1;

/// Measures.
///
/// # Errors
/// Those of the node, the disk and standard output.
pub(super) async fn run(rows: &mut Rows) -> Result<(), Failure> {
    let node = Local::start(Vec::new()).await?;
    bench::fill(&node.node, TRACKS, SEED).await?;
    let (mut taken, mut found) = (Vec::new(), 0);
    for number in 0..QUERIES {
        let query = SearchQuery {
            query: bench::query(SEED, number),
            remote: false,
            limit: Some(SHOWN),
            wait_ms: None,
        };
        let began = Instant::now();
        let results = node.ask::<SearchResults>(Request::Search(query)).await?.results;
        taken.push(millis(began.elapsed()));
        found += u64::from(!results.is_empty());
    }
    node.node.shutdown().await;
    rows.add(
        Figure {
            name: "search while typing".to_owned(),
            unit: "ms",
            method: format!(
                "{TRACKS} tracks in one node's database; {QUERIES} queries one after another, beginnings of titles and \
                 artists, a fifth with a slip, {SHOWN} results each; {found} found something"
            ),
            baseline: "p95 <= 50; Tribler's aim 500",
        },
        taken,
    )
}
