//! Fills a database with synthetic tracks and times starts, synced writes and searches: `search [TRACKS] [FILE]`.

use std::time::{Duration, Instant};

use domain::PeerId;
use peer::ChangeSet;
use store::{Store, StoreError, bench};

#[tokio::main]
async fn main() -> Result<(), StoreError> {
    let mut args = std::env::args().skip(1);
    let tracks = args.next().and_then(|tracks| tracks.parse().ok()).unwrap_or(1_000_000);
    let file = args.next().unwrap_or_else(|| "search-bench.db".into());
    let store = Store::open(&file, PeerId::from_bytes([1; 32])).await?;
    if store.counts().await?.tracks == 0 {
        let start = Instant::now();
        bench::fill(&store, tracks, 1).await?;
        println!("filled in {:.1} s", start.elapsed().as_secs_f64());
    }
    store.checkpoint().await?;
    time_writes(&store).await?;
    println!("{} MB", std::fs::metadata(&file).map_or(0, |file| file.len() >> 20));
    let start = Instant::now();
    let entries = store.load().await?.entries.len();
    println!("loaded {entries} entries in {:.2} s", start.elapsed().as_secs_f64());
    let mut times = Vec::new();
    for n in 0..2_000 {
        let query = bench::query(1, n);
        let start = Instant::now();
        let hits = store.search(&query, 20).await?.len();
        times.push((start.elapsed(), query, hits));
    }
    times.sort();
    let at = |part: f64| times[(times.len() as f64 * part) as usize].0;
    let found = times.iter().filter(|(_, _, hits)| *hits > 0).count();
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    println!(
        "p50 {:.2} ms, p95 {:.2} ms, p99 {:.2} ms, {found} found",
        ms(at(0.5)),
        ms(at(0.95)),
        ms(at(0.99))
    );
    for (time, query, hits) in times.iter().rev().take(10) {
        println!("{:.1} ms {hits} {query:?}", ms(*time));
    }
    Ok(())
}

/// Times change sets that only raise the number that this node signed with: each waits for the disk.
async fn time_writes(store: &Store) -> Result<(), StoreError> {
    let mut times = Vec::new();
    for seq in 0..200 {
        let start = Instant::now();
        store.apply(&ChangeSet { own_seq: Some(seq), ..ChangeSet::default() }).await?;
        times.push(start.elapsed());
    }
    times.sort();
    println!("synced write p50 {:?}, p95 {:?}", times[100], times[190]);
    Ok(())
}
