//! Rendezvous through the BitTorrent Mainline DHT (BEP 5, BEP 44): who else is here, who has a blob, and
//! where an identity may be reached. Its socket is not the endpoint's, so ports are always explicit.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, Weak},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use domain::{BlobHash, Identity, PeerId};
use futures_lite::StreamExt;
use mainline::{Id, MutableItem, SigningKey, async_dht::AsyncDht};
use tokio::{sync::Notify, time::timeout};
use tracing::debug;

use crate::{
    contact::{Contact, is_dialable},
    error::NetError,
    lock::lock,
    network::Shared,
};

/// Most topics that are kept announced; each costs a lookup per round of announcements.
pub const MAX_TOPICS: usize = 1024;
/// DHT nodes forget an announcement after about half an hour.
const AGAIN: Duration = Duration::from_secs(20 * 60);
/// DHT nodes forget a signed item after about two hours.
const CONTACT_AGAIN: Duration = Duration::from_secs(45 * 60);
/// Pause before an announcement that failed is tried again.
const RETRY: Duration = Duration::from_secs(60);
/// Pause between two announcements, so that many topics make a trickle and no flood.
const PACE: Duration = Duration::from_millis(250);
/// Most addresses taken of one lookup.
const MAX_FOUND: usize = 256;
/// Salt of the signed item with an identity's contact.
const SALT: &[u8] = b"musicdao/1 contact";
/// Largest value of a signed item (BEP 44).
const MAX_VALUE: usize = 1000;

/// Whether and how to take part in the DHT.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DhtConfig {
    /// `HOST:PORT` of the first nodes to ask; `None` takes the well-known public routers.
    pub bootstrap: Option<Vec<String>>,
    /// Where the DHT's own socket listens; `None` is every interface.
    pub bind: Option<Ipv4Addr>,
    /// Whether to store and answer for others, as nodes that strangers can reach should.
    pub server: bool,
}

/// What announcements are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic([u8; 20]);

/// The DHT as one node takes part in it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Dht(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    node: AsyncDht,
    identity: Identity,
    kept: Mutex<Kept>,
    poke: Notify,
}

/// What is announced again and again.
#[derive(Debug, Default)]
struct Kept {
    topics: BTreeMap<Topic, Instant>,
    contact: Option<(Contact, Instant)>,
}

/// The next thing to announce.
#[derive(Debug)]
enum Due {
    Topic(Topic),
    Contact(Contact),
}

impl Topic {
    /// Returns the place where the members of a swarm meet.
    pub fn swarm(name: &str) -> Self {
        Self::derive("musicdao 2026 swarm rendezvous", name.as_bytes())
    }

    /// Returns the place where the providers of a blob meet. It does not tell the blob's hash.
    pub fn blob(hash: &BlobHash) -> Self {
        Self::derive("musicdao 2026 blob providers", hash.as_bytes())
    }

    fn derive(context: &str, name: &[u8]) -> Self {
        let key = blake3::derive_key(context, name);
        Self(*key.first_chunk().expect("32 bytes begin with 20"))
    }

    fn id(&self) -> Id {
        Id::from(self.0)
    }
}

impl Dht {
    /// Starts the DHT's own socket and thread, without waiting for the first answers.
    pub(crate) async fn start(config: DhtConfig, identity: Identity) -> Result<Self, NetError> {
        let build = move || {
            let mut builder = mainline::Dht::builder();
            if let Some(bootstrap) = &config.bootstrap {
                builder.bootstrap(bootstrap);
            }
            if let Some(bind) = config.bind {
                builder.bind_address(bind);
            }
            if config.server {
                builder.server_mode();
            }
            builder.build()
        };
        let built = tokio::task::spawn_blocking(build).await.map_err(failed)?;
        let node = built.map_err(failed)?.as_async();
        let (kept, poke) = (Mutex::default(), Notify::new());
        Ok(Self(Arc::new(Inner { node, identity, kept, poke })))
    }

    /// Waits until the first nodes answered; `false` when none does.
    pub async fn ready(&self) -> bool {
        self.0.node.bootstrapped().await
    }

    /// Looks up who announced a topic; takes what comes within the time.
    pub async fn find(&self, topic: Topic, within: Duration) -> Vec<SocketAddr> {
        let mut found = BTreeSet::new();
        let mut answers = self.0.node.get_peers(topic.id());
        let collect = async {
            while let Some(addrs) = answers.next().await {
                found.extend(addrs.into_iter().map(SocketAddr::V4).filter(is_dialable));
                if found.len() >= MAX_FOUND {
                    return;
                }
            }
        };
        let _ = timeout(within, collect).await;
        found.into_iter().take(MAX_FOUND).collect()
    }

    /// Announces this node under a topic, once, with the port at which its endpoint is reached.
    ///
    /// # Errors
    /// [`NetError::Service`] when no DHT node took it.
    pub async fn announce(&self, topic: Topic, port: u16) -> Result<(), NetError> {
        self.0.node.announce_peer(topic.id(), Some(port)).await.map(drop).map_err(failed)
    }

    /// Keeps a topic announced from now on; `false` when there are [`MAX_TOPICS`] already.
    pub fn keep(&self, topic: Topic) -> bool {
        let mut kept = self.kept();
        let fits = kept.topics.len() < MAX_TOPICS || kept.topics.contains_key(&topic);
        if fits {
            kept.topics.entry(topic).or_insert_with(Instant::now);
            self.0.poke.notify_one();
        }
        fits
    }

    /// Stops announcing a topic; the DHT forgets it within about half an hour.
    pub fn forget(&self, topic: &Topic) {
        self.kept().topics.remove(topic);
    }

    /// Publishes where this identity may be reached, once, signed by it.
    ///
    /// # Errors
    /// [`NetError::Service`] when no DHT node took it; [`NetError::TooLarge`].
    pub async fn publish(&self, contact: &Contact) -> Result<(), NetError> {
        let value = contact.encode();
        if value.len() > MAX_VALUE {
            let len = value.len() as u64;
            return Err(NetError::TooLarge { what: "contact", len, max: MAX_VALUE as u64 });
        }
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let seq = i64::try_from(seconds).unwrap_or(i64::MAX);
        let key = SigningKey::from_bytes(&self.0.identity.secret());
        let item = MutableItem::new(key, &value, seq, Some(SALT));
        self.0.node.put_mutable(item, None).await.map(drop).map_err(failed)
    }

    /// Keeps this identity's contact published from now on; `None` stops it.
    pub fn keep_contact(&self, contact: Option<Contact>) {
        self.kept().contact = contact.map(|contact| (contact, Instant::now()));
        self.0.poke.notify_one();
    }

    /// Looks up where an identity may be reached: the newest of what comes within the time and is signed by
    /// its own key.
    pub async fn resolve(&self, peer: PeerId, within: Duration) -> Option<Contact> {
        let mut newest: Option<MutableItem> = None;
        let mut answers = self.0.node.get_mutable(peer.as_bytes(), Some(SALT), None);
        let collect = async {
            while let Some(item) = answers.next().await {
                if newest.as_ref().is_none_or(|newest| newest.seq() < item.seq()) {
                    newest = Some(item);
                }
            }
        };
        let _ = timeout(within, collect).await;
        Contact::decode(newest?.value()).ok()
    }

    /// Announces what is kept until the network ends.
    pub(crate) async fn keep_announcing(self, shared: Weak<Shared>) {
        loop {
            let Some(port) = shared.upgrade().map(|shared| shared.external_port()) else { return };
            let (due, wake) = self.next(Instant::now());
            let pause = match due {
                Some(due) => {
                    let result = match &due {
                        Due::Topic(topic) => self.announce(*topic, port).await,
                        Due::Contact(contact) => self.publish(contact).await,
                    };
                    if let Err(error) = result {
                        debug!(?due, %error, "announcement failed");
                        self.retry(&due, Instant::now());
                    }
                    PACE
                }
                None => wake.saturating_duration_since(Instant::now()),
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.0.poke.notified() => {}
            }
        }
    }

    /// Takes the next thing that is due, or says when to look again.
    fn next(&self, now: Instant) -> (Option<Due>, Instant) {
        let mut kept = self.kept();
        if let Some((contact, at)) = kept.contact.as_mut().filter(|(_, at)| *at <= now) {
            *at = now + CONTACT_AGAIN;
            return (Some(Due::Contact(contact.clone())), now);
        }
        if let Some((topic, at)) = kept.topics.iter_mut().find(|(_, at)| **at <= now) {
            *at = now + AGAIN;
            return (Some(Due::Topic(*topic)), now);
        }
        let times = kept.topics.values().copied().chain(kept.contact.iter().map(|(_, at)| *at));
        (None, times.min().unwrap_or(now + AGAIN))
    }

    fn retry(&self, due: &Due, now: Instant) {
        let mut kept = self.kept();
        let at = match due {
            Due::Topic(topic) => kept.topics.get_mut(topic),
            Due::Contact(_) => kept.contact.as_mut().map(|(_, at)| at),
        };
        if let Some(at) = at {
            *at = now + RETRY;
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        lock(&self.0.kept)
    }
}

fn failed(reason: impl ToString) -> NetError {
    NetError::Service { service: "the DHT", reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_apart() {
        let hash = BlobHash::from_bytes([7; 32]);
        assert_ne!(Topic::swarm("a"), Topic::swarm("b"));
        assert_ne!(Topic::blob(&hash).0[..], hash.as_bytes()[..20]);
    }
}
