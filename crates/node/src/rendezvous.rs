//! Meeting strangers through the Mainline DHT: the swarm, who has a file, where somebody is.

use std::{net::SocketAddr, sync::Arc, time::Duration};

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

/// Meets the swarm whenever there are too few peers, until the node ends.
pub(crate) async fn run(node: Arc<Inner>) {
    let Some(dht) = node.network.dht() else { return };
    dht.keep(Topic::swarm(SWARM));
    for hash in node.cache.kept() {
        dht.keep(Topic::blob(&hash));
    }
    let mut ticks = tokio::time::interval(PAUSE);
    while node.ending.run_until_cancelled(ticks.tick()).await.is_some() {
        tell_where(&node, &dht).await;
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

/// Publishes this node's addresses where the user or an own release asks for it.
async fn tell_where(node: &Inner, dht: &Dht) {
    let own = node.identity.id();
    let published = node.store.records_of(&own, kinds::id::RELEASE, 1).await.is_ok_and(|own| !own.is_empty());
    let told = node.settings().announce_addresses || published;
    dht.keep_contact(told.then(|| node.contact()));
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
