//! Comparing catalogues with neighbours.
//!
//! Records are in order of their date. Whoever begins sends its newest ids in full and a fingerprint of the rest; the
//! other side answers with the records that are missing among the newest, which is all there is to do for a node that
//! was away. Only where the rest differs, negentropy looks for the difference range by range. A node begins one
//! comparison at a time, so that a newcomer is not told everything by every neighbour, and keeps nothing of those it
//! answers.

use std::time::Duration;

use domain::MAX_AHEAD_MS;
use negentropy::{Id, Negentropy};

use super::*;
use crate::{
    catalogue::{Place, Range},
    limits::{
        FRAME_LEN, MAX_LISTED, MAX_NEEDED, MAX_PUSHED, MAX_PUSHED_BYTES, MAX_ROUNDS, MAX_WANT,
        RECONCILE_PAUSE, SYNC_DEADLINE, SYNC_TIMEOUT, TAIL,
    },
    wire::{Open, Opened, Want},
};

const FIRST_ID: RecordId = RecordId::from_bytes([0; 32]);
const LAST: Place = (u64::MAX, RecordId::from_bytes([255; 32]));

/// The comparisons this node begins.
#[derive(Debug, Default)]
pub(super) struct Sync {
    session: Option<Session>,
    last: u32,
    waiting: BTreeSet<PeerId>,
    /// Neighbours that gave this node their turn.
    turned: BTreeSet<PeerId>,
    /// How far the records are known that a comparison began to send.
    cursor: Option<Place>,
    resuming: bool,
}

#[derive(Debug)]
struct Session {
    id: u32,
    peer: PeerId,
    began: Duration,
    /// The last sign of life.
    heard: Duration,
    received: usize,
    turned: bool,
    /// Answers of [`Message::Pushed`] that are still to come.
    pushes: u32,
    differs: bool,
    more: Option<Place>,
    range: RangePhase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RangePhase {
    Ahead,
    Running { since: u64, rounds: u32, needed: usize },
    Over,
}

impl Sync {
    pub(super) fn wait(&mut self, peer: PeerId) {
        self.waiting.insert(peer);
    }

    pub(super) fn resumed(&mut self) {
        self.resuming = false;
    }
}

impl Peer {
    pub(super) fn reconcile_all(&mut self) {
        for neighbor in self.gossip.neighbors().clone() {
            self.sync.wait(neighbor);
            if let Some(link) = self.links.get_mut(&neighbor) {
                link.synced_at = None;
            }
        }
    }

    /// Puts the neighbour in line whose last comparison is the longest ago.
    pub(super) fn sync_stalest(&mut self) {
        let neighbors = self.gossip.neighbors().iter().filter_map(|peer| Some((self.links.get(peer)?, peer)));
        if let Some((_, peer)) = neighbors.min_by_key(|(link, peer)| (link.synced_at, **peer)) {
            self.sync.waiting.insert(*peer);
        }
    }

    /// Begins the next comparison, if it is time.
    pub(super) fn sync_next(&mut self) {
        if self.sync.session.is_some() || self.sync.waiting.is_empty() {
            return;
        }
        let links = &self.links;
        self.sync.waiting.retain(|peer| links.contains_key(peer));
        let now = self.now.elapsed;
        let rested = |peer: &PeerId| {
            let synced_at = links.get(peer).and_then(|link| link.synced_at);
            synced_at.is_none_or(|at| now.saturating_sub(at) >= RECONCILE_PAUSE)
        };
        let synced_at = |peer: &&PeerId| (links.get(*peer).and_then(|link| link.synced_at), **peer);
        let ready = self.sync.waiting.iter().filter(|peer| rested(peer) || self.sync.turned.contains(*peer));
        match ready.min_by_key(synced_at).copied() {
            Some(peer) => self.sync_begin(peer),
            None => self.sync_resume(),
        }
    }

    pub(super) fn sync_lost(&mut self, peer: PeerId) {
        self.sync.waiting.remove(&peer);
        self.sync.turned.remove(&peer);
        if self.sync.session.as_ref().is_some_and(|session| session.peer == peer) {
            self.sync.session = None;
        }
    }

    pub(super) fn on_sync_timeout(&mut self, id: u32) {
        let Some(session) = self.sync.session.as_ref().filter(|session| session.id == id) else { return };
        let quiet = self.now.elapsed.saturating_sub(session.heard);
        if quiet >= SYNC_TIMEOUT {
            return self.sync_finish(false);
        }
        self.set_timer(SYNC_TIMEOUT - quiet, TimerKind::SyncTimeout(id));
    }

    fn sync_begin(&mut self, peer: PeerId) {
        self.sync.waiting.remove(&peer);
        let turned = self.sync.turned.remove(&peer);
        self.sync.last = self.sync.last.wrapping_add(1);
        let id = self.sync.last;
        let (began, heard) = (self.now.elapsed, self.now.elapsed);
        let session = Session {
            id,
            peer,
            began,
            heard,
            received: 0,
            turned,
            pushes: 0,
            differs: false,
            more: None,
            range: RangePhase::Ahead,
        };
        self.sync.session = Some(session);
        self.set_timer(SYNC_TIMEOUT, TimerKind::SyncTimeout(id));
        self.sync_open(id, peer, turned);
    }

    fn sync_open(&mut self, session: u32, peer: PeerId, turned: bool) {
        self.catalogue.seal();
        let since = self.since_of(peer);
        let until = self.now.unix_ms.saturating_add(MAX_AHEAD_MS);
        let from = self.listed_from(since, until);
        let ids = self.catalogue.between(from, (until, FIRST_ID)).iter().map(|((_, id), _)| id).collect();
        let rest = self.rest(since, from, until);
        self.say(peer, &Message::Open(Open { session, since, from, until, ids, rest, turned }));
    }

    /// Where the ids begin that a comparison lists.
    fn listed_from(&self, since: u64, until: u64) -> Place {
        let listed = |from: Place| self.catalogue.between(from, (until, FIRST_ID));
        if let Some(cursor) = self.sync.cursor
            && cursor.0 >= since
            && listed(cursor).len() <= MAX_LISTED
        {
            return cursor;
        }
        let newest = listed((since, FIRST_ID)).iter().rev().nth(TAIL - 1);
        newest.map_or((since, FIRST_ID), |(place, _)| place)
    }

    /// Tells apart what two sides have outside the part whose ids are listed.
    fn rest(&self, since: u64, from: Place, until: u64) -> [[u8; 16]; 2] {
        let before = self.catalogue.between((since, FIRST_ID), from);
        let after = self.catalogue.between((until, FIRST_ID), LAST);
        [before.print(), after.print()]
    }

    fn since_of(&self, peer: PeerId) -> u64 {
        let theirs = self.links.get(&peer).map_or(0, |link| link.since);
        theirs.max(self.catalogue.since())
    }

    /// Compares at most once in a while, spread so that two that wait for each other do not meet again.
    fn sync_resume(&mut self) {
        if !self.sync.resuming && !self.sync.waiting.is_empty() {
            self.sync.resuming = true;
            let delay = RECONCILE_PAUSE.mul_f64(self.rng.random_range(0.5..1.5));
            self.set_timer(delay, TimerKind::Resume);
        }
    }

    fn sync_finish(&mut self, complete: bool) {
        let Some(session) = self.sync.session.take() else { return };
        if let Some(link) = self.links.get_mut(&session.peer) {
            link.synced_at = Some(self.now.elapsed);
        }
        // The records are here now whose authors it has proofs against.
        self.want_proofs(session.peer);
        if complete {
            self.sync.cursor = None;
            self.config.imported = false;
            self.events.push(Event::Synced { peer: session.peer, received: session.received });
        }
    }

    fn session_with(&mut self, peer: PeerId, id: u32) -> Option<&mut Session> {
        let heard = self.now.elapsed;
        let session = self.sync.session.as_mut();
        let session = session.filter(|session| session.peer == peer && session.id == id)?;
        session.heard = heard;
        Some(session)
    }

    /// Takes the next step of this node's comparison.
    fn sync_advance(&mut self) {
        let now = self.now.elapsed;
        let Some(session) = &mut self.sync.session else { return };
        if session.pushes > 0 {
            return;
        }
        let (id, peer, turned) = (session.id, session.peer, session.turned);
        let late = now.saturating_sub(session.began) > SYNC_DEADLINE;
        if let Some(more) = session.more.take() {
            if late || self.sync.cursor.is_some_and(|cursor| more <= cursor) {
                return self.sync_finish(false);
            }
            self.sync.cursor = Some(more);
            return self.sync_open(id, peer, turned);
        }
        match session.range {
            RangePhase::Ahead if session.differs => self.range_begin(id, peer),
            RangePhase::Running { .. } if !late => {}
            _ => self.sync_finish(!late),
        }
    }

    fn range_begin(&mut self, session: u32, peer: PeerId) {
        let since = self.since_of(peer);
        self.catalogue.seal();
        let range = self.catalogue.between((since, FIRST_ID), LAST);
        let frame = Negentropy::borrowed(&range, FRAME_LEN).and_then(|mut negentropy| negentropy.initiate());
        let Ok(frame) = frame else { return self.sync_finish(false) };
        if let Some(running) = &mut self.sync.session {
            running.range = RangePhase::Running { since, rounds: 0, needed: 0 };
        }
        self.say(peer, &Message::Range(wire::Frame { session, since, frame: frame.into() }));
    }

    pub(super) fn on_opened(&mut self, from: PeerId, opened: Opened) {
        if let Some(link) = self.links.get_mut(&from) {
            link.since = opened.since;
        }
        let Some(session) = self.session_with(from, opened.session) else { return };
        session.differs |= opened.differs;
        session.more = opened.more;
        session.pushes = u32::from(opened.pushed > 0);
        let mut want = opened.want;
        want.truncate(MAX_WANT);
        self.serve(from, want);
        self.sync_advance();
    }

    pub(super) fn on_pushed(&mut self, from: PeerId, session: u32) {
        let Some(session) = self.session_with(from, session) else { return };
        session.pushes = session.pushes.saturating_sub(1);
        self.sync_advance();
    }

    pub(super) fn on_busy(&mut self, from: PeerId, session: u32) {
        if self.session_with(from, session).is_some() {
            self.sync_finish(false);
            self.sync.wait(from);
        }
    }

    pub(super) fn on_ranged(&mut self, from: PeerId, answer: &wire::Frame) {
        let Some(session) = self.session_with(from, answer.session) else { return };
        let RangePhase::Running { since, rounds, needed } = session.range else { return };
        let (mut have, mut need) = (Vec::new(), Vec::new());
        let range = self.catalogue.between((since, FIRST_ID), LAST);
        let Ok(next) = range_step(&range, &answer.frame, &mut have, &mut need) else {
            self.fault(from, "range_malformed");
            return self.sync_finish(false);
        };
        have.truncate(MAX_PUSHED);
        self.serve(from, have);
        need.retain(|id| self.lacks(id));
        need.truncate(MAX_NEEDED - needed);
        let needed = needed + need.len();
        self.want(from, answer.session, &need);
        let rounds = rounds + 1;
        let phase = match next {
            Some(frame) if rounds < MAX_ROUNDS && needed < MAX_NEEDED => {
                self.say(from, &Message::Range(wire::Frame { session: answer.session, since, frame }));
                RangePhase::Running { since, rounds, needed }
            }
            _ => RangePhase::Over,
        };
        if let Some(session) = &mut self.sync.session {
            session.range = phase;
        }
        self.sync_advance();
    }

    fn want(&mut self, from: PeerId, session: u32, ids: &[RecordId]) {
        for ids in ids.chunks(MAX_WANT) {
            self.say(from, &Message::Want(Want { session, ids: ids.to_vec() }));
            if let Some(session) = &mut self.sync.session {
                session.pushes += 1;
            }
        }
    }

    /// Sends what a peer lacks, as far as it may cost; says how many.
    fn serve(&mut self, to: PeerId, ids: Vec<RecordId>) -> usize {
        let now = self.now.elapsed;
        let Some(link) = self.links.get_mut(&to) else { return 0 };
        let catalogue = &self.catalogue;
        let fits = |id: &RecordId| {
            catalogue.by_id(id).is_some_and(|entry| link.served.take(usize::from(entry.len), now))
        };
        let ids: Vec<RecordId> = ids.into_iter().filter(fits).collect();
        let count = ids.len();
        if count > 0 {
            self.out.push(Output::SendRecords(to, ids));
        }
        count
    }

    pub(super) fn on_records(&mut self, from: PeerId, records: Vec<Bytes>) {
        let now = self.now.elapsed;
        let asked = self.sync.session.as_ref().is_some_and(|session| session.peer == from);
        let mut taught = 0;
        for record in records {
            // A fault on the way may have ended the connection.
            let Some(link) = self.links.get_mut(&from) else { break };
            let bucket = if asked { &mut link.taught } else { &mut link.gossiped };
            if !bucket.take(1, now) {
                break;
            }
            taught += usize::from(self.admit(from, record));
        }
        self.flush();
        if taught > 0 {
            self.learned(from, taught);
        }
    }

    /// What one neighbour taught this node, others may not know either.
    fn learned(&mut self, from: PeerId, taught: usize) {
        let heard = self.now.elapsed;
        let mut teacher = None;
        if let Some(session) = self.sync.session.as_mut().filter(|session| session.peer == from) {
            session.received += taught;
            session.heard = heard;
            teacher = Some(from);
        }
        let others = self.gossip.neighbors().iter().filter(|peer| Some(**peer) != teacher);
        self.sync.waiting.extend(others.copied());
    }

    /// Says whether a peer's comparison is answered at all.
    pub(super) fn has_time(&mut self, peer: PeerId) -> bool {
        let now = self.now.elapsed;
        let own = |link: &mut Link| link.comparisons.take(1, now);
        self.afford(peer) && (self.neighbor(peer).is_some_and(own) || self.comparisons.take(1, now))
    }

    pub(super) fn on_open(&mut self, from: PeerId, open: Open) {
        let session = open.session;
        if !self.has_time(from) {
            return self.say(from, &Message::Busy(session));
        }
        self.catalogue.seal();
        let since = open.since.max(self.catalogue.since());
        let lacking: Vec<RecordId> = open.ids.iter().filter(|id| self.lacks(id)).copied().collect();
        let behind = !open.turned && open.ids.len() >= TAIL && lacking.len() == open.ids.len();
        if behind {
            // All its newest are new here: this node asks, and is sent what it lacks in order.
            self.sync.turned.insert(from);
            self.sync.wait(from);
            return self.say(from, &Message::Busy(session));
        }
        let differs = self.rest(since, open.from, open.until) != open.rest;
        if differs && self.yields_to_own(from) {
            return self.say(from, &Message::Busy(session));
        }
        self.answer_open(from, &open, since, lacking, differs);
    }

    /// Of two that begin with each other the lower id goes on, and who compares with a third answers only the simple.
    fn yields_to_own(&self, from: PeerId) -> bool {
        self.sync.session.as_ref().is_some_and(|session| session.peer != from || self.me < from)
    }

    fn answer_open(&mut self, to: PeerId, open: &Open, since: u64, mut want: Vec<RecordId>, differs: bool) {
        let (missing, more) = self.missing(open, since);
        let (ids, more) = self.affordable(to, &missing, more);
        want.truncate(MAX_WANT);
        let same = want.is_empty() && !differs && more.is_none();
        let count = u32::try_from(ids.len()).expect("bounded by MAX_PUSHED");
        let session = open.session;
        let since = self.catalogue.since();
        self.say(to, &Message::Opened(Opened { session, since, want, pushed: count, more, differs }));
        if count > 0 {
            self.out.push(Output::SendRecords(to, ids));
            self.say(to, &Message::Pushed(session));
        }
        if same {
            self.sync.waiting.remove(&to);
            if let Some(link) = self.links.get_mut(&to) {
                link.synced_at = Some(self.now.elapsed);
            }
        }
    }

    /// What the asker did not list between the places it named, and where to continue if that is too much.
    fn missing(&self, open: &Open, since: u64) -> (Vec<(Place, usize)>, Option<Place>) {
        let listed: BTreeSet<&RecordId> = open.ids.iter().collect();
        let from = open.from.max((since, FIRST_ID));
        let range = self.catalogue.between(from, (open.until, FIRST_ID));
        let mut missing = range.iter().filter(|((_, id), _)| !listed.contains(id));
        let mut bytes = 0;
        let mut taken = Vec::new();
        for (place, len) in missing.by_ref() {
            bytes += len;
            if taken.len() == MAX_PUSHED || bytes > MAX_PUSHED_BYTES {
                return (taken, Some(place));
            }
            taken.push((place, len));
        }
        (taken, None)
    }

    /// Cuts what would be sent to what the peer may cost.
    fn affordable(
        &mut self,
        to: PeerId,
        missing: &[(Place, usize)],
        more: Option<Place>,
    ) -> (Vec<RecordId>, Option<Place>) {
        let now = self.now.elapsed;
        let Some(link) = self.links.get_mut(&to) else { return (Vec::new(), None) };
        let fits = missing.iter().take_while(|(_, len)| link.served.take(*len, now)).count();
        let more = missing.get(fits).map(|(place, _)| *place).or(more);
        (missing[..fits].iter().map(|((_, id), _)| *id).collect(), more)
    }

    pub(super) fn on_range(&mut self, from: PeerId, question: &wire::Frame) {
        let session = question.session;
        if !self.has_time(from) {
            return self.say(from, &Message::Busy(session));
        }
        self.catalogue.seal();
        let range = self.catalogue.between((question.since, FIRST_ID), LAST);
        let answer = Negentropy::borrowed(&range, FRAME_LEN)
            .and_then(|mut negentropy| negentropy.reconcile(&question.frame));
        match answer {
            Ok(frame) => {
                let answer = wire::Frame { session, since: question.since, frame: frame.into() };
                self.say(from, &Message::Ranged(answer));
            }
            Err(_) => self.fault(from, "range_malformed"),
        }
    }

    pub(super) fn on_want(&mut self, from: PeerId, want: Want) {
        if want.ids.len() > MAX_WANT {
            return self.fault(from, "want_too_long");
        }
        self.serve(from, want.ids);
        self.say(from, &Message::Pushed(want.session));
    }
}

/// One step of the side that began; the next frame, or `None` at the end.
fn range_step(
    range: &Range<'_>,
    frame: &Bytes,
    have: &mut Vec<RecordId>,
    need: &mut Vec<RecordId>,
) -> Result<Option<Bytes>, negentropy::Error> {
    let mut negentropy = Negentropy::borrowed(range, FRAME_LEN)?;
    negentropy.set_initiator();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let next = negentropy.reconcile_with_ids(frame, &mut ours, &mut theirs)?;
    let id = |id: Id| RecordId::from_bytes(id.to_bytes());
    have.extend(ours.into_iter().map(id));
    need.extend(theirs.into_iter().map(id));
    // The library collects them without an order.
    need.sort_unstable();
    need.dedup();
    Ok(next.map(Bytes::from))
}
