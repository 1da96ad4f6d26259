//! Meeting strangers through the Mainline DHT: the swarm, who has a file, where somebody is.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use domain::{BlobHash, PeerId, kinds};
use net::{Contact, Dht, Topic};
use peer::Input;

use crate::node::Inner;

/// Where everybody's swarm meets.
const SWARM: &str = "music";
/// Peers above which the swarm is not looked up: it has this node already.
const ENOUGH: usize = 6;
/// Strangers dialled after one lookup.
const DIALLED: usize = 12;
/// How long a lookup may take.
const LOOKUP: Duration = Duration::from_secs(10);
/// Pause between lookups while there are too few peers.
const PAUSE: Duration = Duration::from_secs(20);
/// Files announced at a time. The rest of the topics is for the swarm and for what the user comes to keep meanwhile.
const ANNOUNCED: usize = net::MAX_TOPICS - 128;
/// How long files are announced before others have their turn, where there are more. The DHT remembers each for about
/// half an hour; whoever asks the swarm instead finds all of them at any time.
const TURN: Duration = Duration::from_secs(20 * 60);

/// Meets the swarm whenever there are too few peers, until the node ends.
pub(crate) async fn run(node: Arc<Inner>) {
    let Some(dht) = node.network.dht() else { return };
    dht.keep(Topic::swarm(SWARM));
    let (mut turn, mut turned) = (0, None::<Instant>);
    let mut told = None;
    let mut ticks = tokio::time::interval(PAUSE);
    while node.ending.run_until_cancelled(ticks.tick()).await.is_some() {
        if turned.is_none_or(|turned| turned.elapsed() >= TURN) {
            announce_kept(&node, &dht, turn);
            (turn, turned) = (turn + 1, Some(Instant::now()));
        }
        tell_where(&node, &dht, &mut told).await;
        if node.network.peers().len() < ENOUGH {
            let meeting = meet(&node, &dht, Topic::swarm(SWARM));
            let met = node.ending.run_until_cancelled(meeting).await.unwrap_or_default();
            if !met.is_empty() {
                node.driver.input(Input::Join(met)).await;
            }
        }
    }
}

impl Inner {
    /// Announces a file that the user keeps.
    pub(crate) fn announce(&self, hash: &BlobHash) {
        if let Some(dht) = self.network.dht() {
            dht.keep(Topic::blob(hash));
        }
    }

    /// Announces a file no more.
    pub(crate) fn renounce(&self, hash: &BlobHash) {
        if let Some(dht) = self.network.dht() {
            dht.forget(&Topic::blob(hash));
        }
    }

    /// Finds strangers who announced a file, and connects to them.
    pub(crate) async fn strangers_with(&self, hash: &BlobHash) -> Vec<PeerId> {
        match self.network.dht() {
            Some(dht) => meet(self, &dht, Topic::blob(hash)).await,
            None => Vec::new(),
        }
    }

    /// Connects to somebody by what is known of their addresses, else by what they published themselves.
    pub(crate) async fn find_and_connect(&self, peer: PeerId) -> bool {
        let known = Contact::of(&self.book.addresses(&peer));
        if self.network.reach(peer, &known).await.is_ok() {
            return true;
        }
        let Some(dht) = self.network.dht() else { return false };
        let Some(contact) = dht.resolve(peer, LOOKUP).await else { return false };
        self.network.reach(peer, &contact).await.is_ok()
    }
}

/// Announces what is kept, by turns where it is too much at a time.
fn announce_kept(node: &Inner, dht: &Dht, turn: usize) {
    let (now, later) = take_turns(node.cache.kept(), turn);
    for hash in &later {
        dht.forget(&Topic::blob(hash));
    }
    for hash in &now {
        dht.keep(Topic::blob(hash));
    }
}

/// Parts files into those whose turn it is and the rest.
fn take_turns(mut files: Vec<BlobHash>, turn: usize) -> (Vec<BlobHash>, Vec<BlobHash>) {
    files.sort_unstable();
    let turns = files.len().div_ceil(ANNOUNCED).max(1);
    files.rotate_left(turn % turns * ANNOUNCED);
    let later = files.split_off(files.len().min(ANNOUNCED));
    (files, later)
}

/// Publishes this node's addresses where the user, an own release or a DAO asks for it, whenever they have changed.
async fn tell_where(node: &Inner, dht: &Dht, told: &mut Option<Contact>) {
    let own = node.identity.id();
    let published = node.store.records_of(&own, kinds::id::RELEASE, 1).await.is_ok_and(|own| !own.is_empty());
    let contact =
        (node.settings().announce_addresses || published || node.dao.is_any()).then(|| node.contact());
    if *told != contact {
        dht.keep_contact(contact.clone());
        *told = contact;
    }
}

async fn meet(node: &Inner, dht: &Dht, topic: Topic) -> Vec<PeerId> {
    let found: Vec<SocketAddr> = dht.find(topic, LOOKUP).await;
    let own = node.network.candidates();
    let mut met = Vec::new();
    for addr in found.into_iter().filter(|addr| !own.contains(addr)).take(DIALLED) {
        if let Ok(peer) = node.network.meet(addr).await {
            node.book.learn(peer, &[addr]);
            met.push(peer);
        }
    }
    met
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn files(count: u64) -> Vec<BlobHash> {
        (0..count).map(|number| BlobHash::of(&number.to_be_bytes())).collect()
    }

    #[test]
    fn each_of_too_many_files_has_its_turn() {
        let mut announced = HashSet::new();
        for turn in 5..9 {
            let (now, later) = take_turns(files(3_000), turn);
            assert!(now.len() == ANNOUNCED && later.len() == 3_000 - ANNOUNCED);
            announced.extend(now);
        }
        assert_eq!(announced.len(), 3_000);
    }

    #[test]
    fn few_files_are_always_announced() {
        for count in [0, 1, ANNOUNCED as u64] {
            let (now, later) = take_turns(files(count), 7);
            assert!(now.len() as u64 == count && later.is_empty());
        }
    }
}
