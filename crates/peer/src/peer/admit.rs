//! What may enter the catalogue, and what has to leave it.

use super::*;
use crate::{Equivocation, limits::MAX_EQUIVOCATORS};

impl Peer {
    /// Takes a record from a peer if it belongs here; says whether it is worth passing on. [`Peer::flush`] follows.
    pub(super) fn admit(&mut self, from: PeerId, bytes: Bytes) -> bool {
        let record = match Record::parse(bytes) {
            Ok(record) => record,
            Err(error) => {
                self.refuse(from, None, &error);
                return false;
            }
        };
        let Some(mut verdict) = self.interest(&record) else { return false };
        if !self.may_introduce(from, &record.author) || !self.has_checks(from, 1) {
            return false;
        }
        let checked = Record::decode(record.bytes().clone()).and_then(|record| self.kinds.check(&record));
        if let Err(error) = checked {
            self.refuse(from, Some(record.id), &error);
            return false;
        }
        self.checked.insert(gossip::message_id(record.bytes()));
        if record.author == self.me {
            self.adopt(&record);
        }
        let proves = verdict.contradicts.is_some() && !self.equivocators.contains(&record.author);
        if proves && !self.may_prove(from) {
            verdict.contradicts = None;
        }
        let taken = matches!(verdict.fate, Fate::Add | Fate::Replace);
        self.take(record, verdict);
        taken
    }

    /// Takes a checked record that the user asks for.
    pub(super) fn demand(&mut self, record: Record) {
        if let Some(verdict) = self.interest(&record) {
            self.take(record, verdict);
        }
    }

    /// Says whether an id is worth asking for.
    pub(super) fn lacks(&self, id: &RecordId) -> bool {
        !self.catalogue.holds(id) && !self.evicted.contains(id) && !self.refused.contains(id)
    }

    /// Judges a record by what it says of itself, before its signature is worth checking.
    fn interest(&mut self, record: &Record) -> Option<Verdict> {
        if self.refused.contains(&record.id) {
            return None;
        }
        if record.topic != self.config.topic || self.blocks(record) {
            self.refused.insert(record.id);
            return None;
        }
        let verdict = self.catalogue.judge(&Entry::from(record), Standing::of(&self.kinds, record.kind));
        let taken = matches!(verdict.fate, Fate::Add | Fate::Replace);
        if verdict.fate == Fate::NoRoom {
            self.refused.insert(record.id);
        }
        let proves = verdict.contradicts.is_some() && !self.equivocators.contains(&record.author);
        (taken || proves).then_some(verdict)
    }

    /// What is this identity's own is never blocked, whatever a list says, nor what others rely on for good: a debt to
    /// somebody who is blocked stays one.
    pub(super) fn blocks(&self, record: &Record) -> bool {
        let blocked = self.blocked.contains(&BlockEntry::Author(record.author))
            || self.blocked.contains(&BlockEntry::Release(record.slot));
        blocked && record.author != self.me && !self.kinds.is_permanent(record.kind)
    }

    /// Another version may understand a body that this one does not, and another node be on another chain: only what
    /// nobody relays is a fault.
    fn refuse(&mut self, from: PeerId, id: Option<RecordId>, error: &RecordError) {
        match error {
            RecordError::Body { .. }
            | RecordError::Key
            | RecordError::Version(_)
            | RecordError::Network(_)
            | RecordError::Permanent => {
                self.refused.extend(id);
                self.events.push(Event::Refused { peer: from, code: error.code() });
            }
            error => self.fault(from, error.code()),
        }
    }

    /// A record of this identity that this node did not write, or lost.
    fn adopt(&mut self, record: &Record) {
        self.own_seq = self.own_seq.max(record.seq);
        self.change.own_seq = Some(self.own_seq);
        if !self.config.imported && !self.config.in_use_elsewhere {
            self.config.in_use_elsewhere = true;
            self.events.push(Event::IdentityInUseElsewhere(record.clone()));
        }
    }

    /// Carries out a verdict on a checked record.
    pub(super) fn take(&mut self, record: Record, verdict: Verdict) {
        if let Some(ours) = verdict.contradicts
            && !self.equivocators.contains(&record.author)
        {
            // The store has our record once what waits is written, and has it no more once this one is.
            self.flush();
            self.out.push(Output::Prove { ours, theirs: record.clone() });
        }
        if self.change.forget.contains(&record.slot) {
            self.flush();
        }
        let event = match verdict.fate {
            Fate::Add | Fate::Replace if record.body.is_none() => Event::Withdrawn(record.clone()),
            Fate::Add => Event::Added(record.clone()),
            Fate::Replace => Event::Replaced(record.clone()),
            Fate::Held | Fate::Stale | Fate::NoRoom => return,
        };
        let standing = Standing::of(&self.kinds, record.kind);
        let gone = self.catalogue.put(&Entry::from(&record), standing, self.now.unix_ms);
        self.change.put.push(record);
        self.events.push(event);
        for evicted in gone {
            self.evicted.insert(evicted.id);
            self.change.evicted.push(evicted.id);
            self.forget(evicted.slot);
        }
    }

    fn forget(&mut self, slot: SlotId) {
        self.change.put.retain(|record| record.slot != slot);
        self.change.forget.push(slot);
        self.events.push(Event::Forgotten(slot));
    }

    pub(super) fn block(&mut self, entry: BlockEntry) {
        if self.is_own(&entry) || !self.blocked.insert(entry) {
            return;
        }
        self.change.block.push(entry);
        let mut entries = match &entry {
            BlockEntry::Author(author) => self.catalogue.of_author(author),
            BlockEntry::Release(slot) => self.catalogue.entry(slot).into_iter().collect(),
            BlockEntry::Blob(_) => Vec::new(),
        };
        entries.retain(|entry| !self.kinds.is_permanent(entry.kind));
        for entry in entries {
            self.catalogue.remove(&entry.slot);
            self.refused.insert(entry.id);
            self.forget(entry.slot);
        }
        self.flush();
        if let BlockEntry::Author(author) = entry
            && self.links.contains_key(&author)
        {
            self.down(author);
            self.out.push(Output::Disconnect(author, Reason::Blocked));
        }
    }

    fn is_own(&self, entry: &BlockEntry) -> bool {
        match entry {
            BlockEntry::Author(author) => *author == self.me,
            BlockEntry::Release(slot) => {
                self.catalogue.entry(slot).is_some_and(|entry| entry.author == self.me)
            }
            BlockEntry::Blob(_) => false,
        }
    }

    pub(super) fn unblock(&mut self, entry: BlockEntry) {
        if self.blocked.remove(&entry) {
            self.change.unblock.push(entry);
            self.refused.clear();
            self.reconcile_all();
        }
    }

    /// Keeps a proof and passes it on; one proof against an author is enough.
    pub(super) fn prove(&mut self, proof: Equivocation, from: Option<PeerId>) {
        let author = proof.author();
        if !proof.one.contradicts(&proof.two) || !self.equivocators.insert(author) {
            return;
        }
        let message = wire::encode_proof(&proof);
        self.change.proofs.push(proof.clone());
        self.events.push(Event::Equivocated(Box::new(proof)));
        self.flush();
        for neighbor in self.gossip.neighbors().clone() {
            if Some(neighbor) != from {
                self.send(neighbor, message.clone());
            }
        }
    }

    pub(super) fn on_caught(&mut self, from: PeerId, authors: Vec<PeerId>) {
        authors.into_iter().take(MAX_CAUGHT).for_each(|author| self.remember_caught(from, author));
        self.want_proofs(from);
    }

    fn remember_caught(&mut self, from: PeerId, author: PeerId) {
        if let Some(link) = self.links.get_mut(&from)
            && link.caught.len() < MAX_CAUGHT
        {
            link.caught.insert(author);
        }
    }

    /// Asks for the proofs that a peer told of. Those against authors without a record here wait: a key that signed
    /// nothing but a contradiction is worth no room.
    pub(super) fn want_proofs(&mut self, from: PeerId) {
        let Some(link) = self.links.get_mut(&from) else { return };
        let caught = std::mem::take(&mut link.caught);
        let unknown = caught.into_iter().filter(|author| !self.is_settled(author));
        let (want, later): (BTreeSet<_>, _) = unknown.partition(|author| self.catalogue.has_author(author));
        if let Some(link) = self.links.get_mut(&from) {
            link.caught = later;
        }
        if !want.is_empty() && self.afford(from) {
            self.say(from, &Message::WantProofs(want.into_iter().collect()));
        }
    }

    /// Says whether no proof against an author is of use any more.
    fn is_settled(&self, author: &PeerId) -> bool {
        self.equivocators.contains(author) || self.blocked.contains(&BlockEntry::Author(*author))
    }

    pub(super) fn on_want_proofs(&mut self, from: PeerId, authors: Vec<PeerId>) {
        let known = authors.into_iter().take(MAX_CAUGHT).filter(|author| self.equivocators.contains(author));
        let known: Vec<PeerId> = known.collect();
        if !known.is_empty() && self.afford(from) {
            self.out.push(Output::SendProofs(from, known));
        }
    }

    pub(super) fn on_proof(&mut self, from: PeerId, one: Bytes, two: Bytes) {
        let Ok(Record { author, .. }) = Record::parse(two.clone()) else {
            return self.fault(from, "proof_malformed");
        };
        if self.is_settled(&author) {
            return;
        }
        if !self.catalogue.has_author(&author) {
            return self.remember_caught(from, author);
        }
        if !self.may_prove(from) || !self.has_checks(from, 2) {
            return;
        }
        match wire::read_proof(one, two.clone()) {
            Ok(proof) => {
                self.prove(proof, Some(from));
                self.admit(from, two);
            }
            Err(error) => self.fault(from, error.code()),
        }
    }

    /// Says whether a peer may bring a record of this author: new ones are free to make.
    fn may_introduce(&mut self, from: PeerId, author: &PeerId) -> bool {
        let now = self.now.elapsed;
        self.catalogue.has_author(author)
            || self.links.get_mut(&from).is_some_and(|link| link.authors.take(1, now))
    }

    /// Says whether another proof is taken of a peer.
    fn may_prove(&mut self, from: PeerId) -> bool {
        let now = self.now.elapsed;
        self.links.get_mut(&from).is_some_and(|link| link.proofs.take(1, now))
    }

    /// Says whether there is time for so many signature checks of what a peer sent.
    pub(super) fn has_checks(&mut self, from: PeerId, checks: usize) -> bool {
        let now = self.now.elapsed;
        let own = self.neighbor(from).is_some_and(|link| link.checks.take(checks, now));
        own || self.checks.take(checks, now)
    }

    /// Returns a peer's link if it is a neighbour's: those have a part of what all share for themselves, so that
    /// strangers cannot use it up.
    pub(super) fn neighbor(&mut self, peer: PeerId) -> Option<&mut Link> {
        self.links.get_mut(&peer).filter(|_| self.gossip.neighbors().contains(&peer))
    }

    /// Says whether a peer may ask for something that costs far more than the asking.
    pub(super) fn afford(&mut self, peer: PeerId) -> bool {
        let now = self.now.elapsed;
        self.links.get_mut(&peer).is_some_and(|link| link.expensive.take(1, now))
    }
}

const _: () = assert!(MAX_CAUGHT <= MAX_EQUIVOCATORS);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_do_not_use_up_what_neighbours_have_for_themselves() {
        let identity = Identity::from_secret(&[1; 32]);
        let now = Now::default();
        let mut peer = Peer::new(Config::default(), identity, Kinds::default(), Loaded::default(), 1, now);
        let [neighbor, stranger, more @ ..] = [2, 3, 4, 5, 6].map(|number| PeerId::from_bytes([number; 32]));
        for id in more.into_iter().chain([neighbor, stranger]) {
            peer.handle(Input::Up { peer: id, addrs: Vec::new() }, now);
        }
        let join = Message::Gossip(Bytes::from_static(&[0, 0, 0])).encode();
        peer.handle(Input::Message(neighbor, join), now);
        assert_eq!(peer.neighbors().collect::<Vec<_>>(), [neighbor]);
        while peer.has_checks(stranger, 1) {}
        assert!(peer.has_checks(neighbor, 1));
        assert!(!peer.has_checks(stranger, 1));
        for id in more {
            while peer.has_time(id) {}
        }
        assert!(!peer.has_time(stranger));
        assert!(peer.has_time(neighbor));
    }
}
