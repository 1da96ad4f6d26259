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
/// Shortest time between two different contacts in the DHT: relays come and go.
const CONTACT_PAUSE: Duration = Duration::from_secs(2 * 60);
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
    /// When a contact was last due.
    published: Option<Instant>,
}

/// The next thing to announce.
#[derive(Debug, PartialEq, Eq)]
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
        let fits = self.kept().keep(topic, Instant::now());
        self.0.poke.notify_one();
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
        self.kept().keep_contact(contact, Instant::now());
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
            let (due, wake) = self.kept().next(Instant::now());
            let pause = match due {
                Some(due) => {
                    let result = match &due {
                        Due::Topic(topic) => self.announce(*topic, port).await,
                        Due::Contact(contact) => self.publish(contact).await,
                    };
                    if let Err(error) = result {
                        debug!(?due, %error, "announcement failed");
                        self.kept().retry(&due, Instant::now());
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

    fn kept(&self) -> MutexGuard<'_, Kept> {
        lock(&self.0.kept)
    }
}

impl Kept {
    fn keep(&mut self, topic: Topic, now: Instant) -> bool {
        let fits = self.topics.len() < MAX_TOPICS || self.topics.contains_key(&topic);
        if fits {
            self.topics.entry(topic).or_insert(now);
        } else {
            debug!(most = MAX_TOPICS, "no room for another topic");
        }
        fits
    }

    /// The same contact stays due when it was.
    fn keep_contact(&mut self, contact: Option<Contact>, now: Instant) {
        let same = self.contact.as_ref().map(|(contact, _)| contact) == contact.as_ref();
        if same {
            return;
        }
        let due = self.published.map_or(now, |published| now.max(published + CONTACT_PAUSE));
        self.contact = contact.map(|contact| (contact, due));
    }

    /// Takes what has been due the longest, or says when to look again.
    fn next(&mut self, now: Instant) -> (Option<Due>, Instant) {
        if let Some((contact, at)) = self.contact.as_mut().filter(|(_, at)| *at <= now) {
            *at = now + CONTACT_AGAIN;
            self.published = Some(now);
            return (Some(Due::Contact(contact.clone())), now);
        }
        let longest = self.topics.iter_mut().min_by_key(|(_, at)| **at);
        if let Some((topic, at)) = longest.filter(|(_, at)| **at <= now) {
            *at = now + AGAIN;
            return (Some(Due::Topic(*topic)), now);
        }
        let times = self.topics.values().copied().chain(self.contact.iter().map(|(_, at)| *at));
        (None, times.min().unwrap_or(now + AGAIN))
    }

    fn retry(&mut self, due: &Due, now: Instant) {
        let at = match due {
            Due::Topic(topic) => self.topics.get_mut(topic),
            Due::Contact(_) => self.contact.as_mut().map(|(_, at)| at),
        };
        if let Some(at) = at {
            *at = now + RETRY;
        }
    }
}

fn failed(reason: impl ToString) -> NetError {
    NetError::Service { service: "the DHT", reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact(port: u16) -> Contact {
        Contact::of(&[([5, 6, 7, 8], port).into()])
    }

    #[test]
    fn a_contact_that_stays_the_same_is_published_again_when_it_would_be_forgotten() {
        let (mut kept, begin) = (Kept::default(), Instant::now());
        let mut published = Vec::new();
        for round in 0..200 {
            let now = begin + Duration::from_secs(20) * round;
            kept.keep_contact(Some(contact(1)), now);
            if kept.next(now).0.is_some() {
                published.push(now - begin);
            }
        }
        assert_eq!(published, [Duration::ZERO, CONTACT_AGAIN]);
    }

    #[test]
    fn a_new_contact_is_published_soon_but_not_each_time_it_changes() {
        let (mut kept, begin) = (Kept::default(), Instant::now());
        kept.keep_contact(Some(contact(1)), begin);
        assert_eq!(kept.next(begin).0, Some(Due::Contact(contact(1))));
        let changed = begin + Duration::from_secs(20);
        kept.keep_contact(Some(contact(2)), changed);
        kept.keep_contact(Some(contact(3)), changed);
        let (nothing, wake) = kept.next(changed);
        assert_eq!((nothing, wake), (None, begin + CONTACT_PAUSE));
        assert_eq!(kept.next(wake).0, Some(Due::Contact(contact(3))));
    }

    #[test]
    fn of_many_topics_none_is_forgotten() {
        let (mut kept, mut now) = (Kept::default(), Instant::now());
        let topics: Vec<Topic> = (0..MAX_TOPICS).map(|number| Topic::swarm(&number.to_string())).collect();
        assert!(topics.iter().all(|topic| kept.keep(*topic, now)));
        assert!(!kept.keep(Topic::swarm("one more"), now));
        // Announcing takes so long that some are due again before all had their turn.
        let mut announced = BTreeSet::new();
        for _ in 0..MAX_TOPICS {
            if let Some(Due::Topic(topic)) = kept.next(now).0 {
                announced.insert(topic);
            }
            now += AGAIN / 100;
        }
        assert_eq!(announced.len(), MAX_TOPICS);
    }

    #[test]
    fn topics_are_apart() {
        let hash = BlobHash::from_bytes([7; 32]);
        assert_ne!(Topic::swarm("a"), Topic::swarm("b"));
        assert_ne!(Topic::blob(&hash).0[..], hash.as_bytes()[..20]);
    }
}
