//! Remote search: who asked what, and what came back.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use domain::{
    BlobHash, PeerId, Record, SlotId, kinds,
    kinds::{BlobRef, Release},
};
use peer::QueryId;
use tokio::sync::mpsc;

use crate::{
    api::{Event, SearchResult, Source},
    node::Inner,
};

/// Results of one search that wait to be read.
const BACKLOG: usize = 1024;
/// Records of other peers' answers that are remembered, so that a result can be opened.
const MAX_REMEMBERED: usize = 1000;

/// Searches under way.
#[derive(Debug, Default)]
pub(crate) struct Finds {
    next: AtomicU32,
    searches: Mutex<HashMap<QueryId, Search>>,
    remembered: Mutex<Remembered>,
}

#[derive(Debug)]
struct Search {
    text: String,
    results: mpsc::Sender<SearchResult>,
}

#[derive(Debug, Default)]
struct Remembered {
    records: HashMap<SlotId, Record>,
    order: VecDeque<SlotId>,
}

impl Finds {
    /// Begins a search; the results come through the receiver.
    pub(crate) fn begin(&self, text: String) -> (QueryId, mpsc::Receiver<SearchResult>) {
        let query = QueryId(self.next.fetch_add(1, Ordering::Relaxed));
        let (results, receiver) = mpsc::channel(BACKLOG);
        self.searches.lock().expect("no holder panics").insert(query, Search { text, results });
        (query, receiver)
    }

    /// Ends a search; later answers are dropped.
    pub(crate) fn end(&self, query: QueryId) {
        self.searches.lock().expect("no holder panics").remove(&query);
    }

    /// Takes a peer's answer.
    pub(crate) fn found(&self, node: &Inner, query: QueryId, _from: PeerId, records: &[Record]) {
        let searches = self.searches.lock().expect("no holder panics");
        let Some(search) = searches.get(&query) else { return };
        for record in records {
            let Some(result) = result(record) else { continue };
            self.remembered.lock().expect("no holder panics").add(record.clone());
            node.hub.tell(&Event::Found { query: search.text.clone(), result: result.clone() });
            // A search that reads no further misses the rest.
            let _ = search.results.try_send(result);
        }
    }

    /// Finds the release that some answer brought and that has this cover.
    pub(crate) fn cover(&self, hash: &BlobHash) -> Option<(BlobRef, PeerId)> {
        let remembered = self.remembered.lock().expect("no holder panics");
        remembered.records.values().find_map(|record| {
            let cover = record.read::<Release>().ok()??.cover?;
            (cover.hash == *hash).then_some((cover, record.author))
        })
    }

    /// Takes out a record that some answer brought.
    pub(crate) fn recall(&self, slot: &SlotId) -> Option<Record> {
        self.remembered.lock().expect("no holder panics").records.remove(slot)
    }
}

impl Remembered {
    fn add(&mut self, record: Record) {
        if self.records.insert(record.slot, record.clone()).is_some() {
            return;
        }
        self.order.push_back(record.slot);
        while self.order.len() > MAX_REMEMBERED {
            let Some(oldest) = self.order.pop_front() else { return };
            self.records.remove(&oldest);
        }
    }
}

fn result(record: &Record) -> Option<SearchResult> {
    if record.kind != kinds::id::RELEASE {
        return None;
    }
    let release = record.read::<Release>().ok()??;
    Some(SearchResult {
        kind: "release".to_owned(),
        release_id: Some(record.slot),
        track: None,
        title: release.title,
        artist: release.artist,
        artist_id: Some(record.author),
        release_title: None,
        cover: release.cover.map(|cover| cover.hash),
        accent: release.accent,
        duration_ms: None,
        source: Source::Remote,
    })
}
