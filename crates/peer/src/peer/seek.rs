//! Questions to the swarm: who serves a blob, and who finds something.

use std::time::Duration;

use super::*;
use crate::{
    QueryId,
    limits::{
        FIND_FANOUT, FIND_HOPS, FIND_MEMORY, MAX_FINDS, MAX_FOUND, MAX_PROVIDERS, MAX_QUERY_LEN,
        MAX_RECORDS_LEN, MAX_SEARCHES, SEARCH_MEMORY, SEARCH_PEERS,
    },
    wire::{Find, Provided, Search},
};

/// What this node serves, and the questions under way.
#[derive(Debug, Default)]
pub(super) struct Seek {
    held: BTreeSet<BlobHash>,
    finds: BTreeMap<u64, Question>,
    searches: BTreeMap<QueryId, Asked>,
}

/// A question for providers and its way back.
#[derive(Debug)]
struct Question {
    blob: BlobHash,
    /// Who passed it on; `None` for this node's own.
    back: Option<PeerId>,
    asked_at: Duration,
    answers: Vec<PeerId>,
}

#[derive(Debug)]
struct Asked {
    at: Duration,
    awaited: BTreeSet<PeerId>,
}

impl Seek {
    pub(super) fn hold(&mut self, blob: BlobHash, holding: bool) {
        if holding {
            self.held.insert(blob);
        } else {
            self.held.remove(&blob);
        }
    }

    pub(super) fn lost(&mut self, peer: PeerId) {
        for asked in self.searches.values_mut() {
            asked.awaited.remove(&peer);
        }
    }

    pub(super) fn sweep(&mut self, now: Duration) {
        self.finds.retain(|_, question| now.saturating_sub(question.asked_at) < FIND_MEMORY);
        self.searches.retain(|_, asked| now.saturating_sub(asked.at) < SEARCH_MEMORY);
    }

    /// Remembers a question; says whether it is new and there is room for it.
    fn ask(&mut self, find: &Find, back: Option<PeerId>, now: Duration) -> bool {
        if self.finds.len() >= MAX_FINDS {
            self.sweep(now);
        }
        if self.finds.contains_key(&find.id) || self.finds.len() >= MAX_FINDS {
            return false;
        }
        let question = Question { blob: find.blob, back, asked_at: now, answers: Vec::new() };
        self.finds.insert(find.id, question);
        true
    }
}

impl Peer {
    pub(super) fn find_providers(&mut self, blob: BlobHash) {
        let find = Find { id: self.rng.random(), blob, hops: FIND_HOPS };
        let blocked = self.blocked.contains(&BlockEntry::Blob(blob));
        if !blocked && self.seek.ask(&find, None, self.now.elapsed) {
            self.pass_find(&find, None);
        }
    }

    pub(super) fn on_find(&mut self, from: PeerId, mut find: Find) {
        let blocked = self.blocked.contains(&BlockEntry::Blob(find.blob));
        if blocked || !self.afford(from) || !self.seek.ask(&find, Some(from), self.now.elapsed) {
            return;
        }
        if self.seek.held.contains(&find.blob) {
            let addrs = self.addrs.clone();
            return self.say(from, &Message::Provided(Provided { id: find.id, peer: self.me, addrs }));
        }
        find.hops = find.hops.min(FIND_HOPS).saturating_sub(1);
        if find.hops > 0 {
            self.pass_find(&find, Some(from));
        }
    }

    fn pass_find(&mut self, find: &Find, from: Option<PeerId>) {
        let message = Message::Find(find.clone()).encode();
        let neighbors = self.gossip.neighbors().iter().copied().filter(|peer| Some(*peer) != from);
        let neighbors: Vec<PeerId> = neighbors.take(FIND_FANOUT).collect();
        for neighbor in neighbors {
            self.send(neighbor, message.clone());
        }
    }

    pub(super) fn on_provided(&mut self, from: PeerId, mut provided: Provided) {
        provided.addrs.truncate(MAX_ADDRS);
        let peer = provided.peer;
        if peer == self.me || self.blocked.contains(&BlockEntry::Author(peer)) {
            return;
        }
        let Some(question) = self.seek.finds.get_mut(&provided.id) else { return };
        if question.answers.contains(&peer) || question.answers.len() >= MAX_PROVIDERS {
            return;
        }
        question.answers.push(peer);
        let (blob, back) = (question.blob, question.back);
        if provided.addrs.is_empty() && peer == from {
            provided.addrs = self.links.get(&from).map(|link| link.addrs.clone()).unwrap_or_default();
        }
        match back {
            None => self.events.push(Event::Provider { blob, peer, addrs: provided.addrs }),
            Some(back) if self.links.contains_key(&back) => self.say(back, &Message::Provided(provided)),
            Some(_) => {}
        }
    }

    pub(super) fn search(&mut self, query: QueryId, text: &str, limit: u16) {
        if self.seek.searches.len() >= MAX_SEARCHES {
            self.seek.sweep(self.now.elapsed);
        }
        if text.len() > MAX_QUERY_LEN || self.seek.searches.len() >= MAX_SEARCHES {
            return;
        }
        let known = self.acquaintances.iter().map(|(peer, _)| *peer);
        let mut asked: Vec<PeerId> = self.gossip.neighbors().iter().copied().collect();
        for peer in self.links.keys().copied().chain(known) {
            if asked.len() < SEARCH_PEERS && peer != self.me && !asked.contains(&peer) {
                asked.push(peer);
            }
        }
        let awaited = asked.iter().copied().collect();
        self.seek.searches.insert(query, Asked { at: self.now.elapsed, awaited });
        let message = Message::Search(Search { query: query.into(), text: text.to_owned(), limit }).encode();
        asked.into_iter().for_each(|peer| self.send(peer, message.clone()));
    }

    pub(super) fn on_search(&mut self, from: PeerId, search: Search) {
        if search.text.len() > MAX_QUERY_LEN {
            return self.fault(from, "search_too_long");
        }
        if self.afford(from) {
            let limit = search.limit.min(MAX_FOUND as u16);
            let query = QueryId(search.query);
            self.out.push(Output::Query { from, query, text: search.text, limit });
        }
    }

    pub(super) fn answer(&mut self, to: PeerId, query: QueryId, records: Vec<Bytes>) {
        if !self.links.contains_key(&to) {
            return;
        }
        let mut len = 0;
        let fits = |record: &Bytes| {
            len += record.len() + 3;
            len <= MAX_RECORDS_LEN
        };
        let records = records.into_iter().take(MAX_FOUND).take_while(fits).collect();
        self.say(to, &Message::Found(query.into(), records));
    }

    pub(super) fn on_found(&mut self, from: PeerId, query: u32, records: Vec<Bytes>) {
        let query = QueryId(query);
        let now = self.now.elapsed;
        let Some(asked) = self.seek.searches.get_mut(&query) else { return };
        if !asked.awaited.remove(&from) || now.saturating_sub(asked.at) >= SEARCH_MEMORY {
            return;
        }
        let mut found = Vec::new();
        for bytes in records.into_iter().take(MAX_FOUND) {
            match self.checked_record(from, bytes) {
                Ok(record) => found.extend(record),
                Err(error) => return self.fault(from, error.code()),
            }
        }
        self.events.push(Event::Found { query, from, records: found });
    }

    /// Reads a record that is shown but not stored; `None` where it is not for this node.
    fn checked_record(&mut self, from: PeerId, bytes: Bytes) -> Result<Option<Record>, domain::RecordError> {
        let record = Record::parse(bytes)?;
        let shown = record.body.is_some() && record.topic == self.config.topic && !self.blocks(&record);
        if !shown || !self.kinds.knows(record.kind) || self.kinds.check(&record).is_err() {
            return Ok(None);
        }
        // What is in the catalogue was checked when it came.
        if !self.catalogue.holds(&record.id) {
            if !self.has_checks(from, 1) {
                return Ok(None);
            }
            return Record::decode(record.bytes().clone()).map(Some);
        }
        Ok(Some(record))
    }
}
