//! What members' nodes say to each other: requests on the connections that are there, in order for each of them.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use domain::{PeerId, kinds::DaoId};
use tokio::sync::mpsc;
use treasury::dao::member::MAX_MESSAGE;

use super::running::Work;
use crate::node::Inner;

/// The first byte of a request that is a DAO's message; its id follows, then the message.
pub(crate) const TAG: u8 = 1;
/// Bytes before the message.
const HEADER: usize = 1 + 32;
/// Longest request.
pub(crate) const MAX_REQUEST: usize = HEADER + MAX_MESSAGE;

/// Messages that wait for one peer; further ones are not sent, and are asked for.
const MAX_WAITING: usize = 2_048;
/// Bytes that wait for one peer.
const MAX_WAITING_BYTES: usize = 4 << 20;
/// Peers for whom messages wait.
const MAX_PEERS: usize = 1_024;
/// How long a message may take to be taken.
const WITHIN: Duration = Duration::from_secs(10);
/// Pause before a peer is dialled again that was not reached.
const PAUSE: Duration = Duration::from_secs(2);
/// What one peer may send, as (per second, at once).
const MESSAGES: (f64, f64) = (200.0, 4_000.0);
/// Peers whose rate is remembered.
const MAX_RATES: usize = 4_096;

/// Takes what other nodes send to members here.
#[derive(Default)]
pub(crate) struct Inbox {
    daos: Mutex<BTreeMap<DaoId, mpsc::Sender<Work>>>,
    rates: Mutex<BTreeMap<PeerId, (f64, Instant)>>,
}

impl Inbox {
    pub(super) fn add(&self, dao: DaoId, work: mpsc::Sender<Work>) {
        self.daos.lock().expect("no holder panics").insert(dao, work);
    }

    /// Takes a request of a peer; refuses what is none of a DAO here, or too much.
    pub(crate) fn take(&self, from: PeerId, body: &[u8]) -> Option<()> {
        let rest = body.strip_prefix(&[TAG])?;
        let (dao, bytes) = rest.split_first_chunk::<32>()?;
        let work = self.daos.lock().expect("no holder panics").get(&DaoId::from_bytes(*dao)).cloned()?;
        if bytes.len() > MAX_MESSAGE || !self.may(from) {
            return None;
        }
        work.try_send(Work::Message { from, bytes: bytes.to_vec() }).ok()
    }

    fn may(&self, from: PeerId) -> bool {
        let now = Instant::now();
        let (rate, most) = MESSAGES;
        let mut rates = self.rates.lock().expect("no holder panics");
        if rates.len() >= MAX_RATES && !rates.contains_key(&from) {
            rates.retain(|_, (_, at)| now.duration_since(*at).as_secs_f64() < most / rate);
            if rates.len() >= MAX_RATES {
                return false;
            }
        }
        let (level, at) = rates.entry(from).or_insert((most, now));
        *level = (*level + now.duration_since(*at).as_secs_f64() * rate).min(most);
        *at = now;
        let may = *level >= 1.0;
        *level -= if may { 1.0 } else { 0.0 };
        may
    }
}

/// What waits to be sent.
#[derive(Default)]
pub(super) struct Outbox(Arc<Mutex<BTreeMap<PeerId, Queue>>>);

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Bytes>,
    bytes: usize,
}

impl Outbox {
    /// Queues a message for a peer. What finds no room is lost: members ask for what they miss.
    pub(super) fn send(&self, node: &Arc<Inner>, to: PeerId, dao: &DaoId, message: &[u8]) {
        let body: Bytes = [&[TAG][..], dao.as_bytes(), message].concat().into();
        let mut queues = self.0.lock().expect("no holder panics");
        let is_new = !queues.contains_key(&to);
        if is_new && queues.len() >= MAX_PEERS {
            return;
        }
        let queue = queues.entry(to).or_default();
        if queue.waiting.len() >= MAX_WAITING || queue.bytes + body.len() > MAX_WAITING_BYTES {
            return;
        }
        queue.bytes += body.len();
        queue.waiting.push_back(body);
        if is_new {
            node.tasks.spawn(deliver(node.clone(), self.0.clone(), to));
        }
    }
}

/// Sends what waits for one peer, until nothing does.
async fn deliver(node: Arc<Inner>, queues: Arc<Mutex<BTreeMap<PeerId, Queue>>>, to: PeerId) {
    let sending = async {
        while let Some(body) = next(&queues, to) {
            if !send(&node, to, body).await {
                // Whoever comes back is asked, or asks: what waited is old by then.
                tokio::time::sleep(PAUSE).await;
                if let Some(queue) = queues.lock().expect("no holder panics").get_mut(&to) {
                    *queue = Queue::default();
                }
            }
        }
    };
    if node.ending.run_until_cancelled(sending).await.is_none() {
        queues.lock().expect("no holder panics").remove(&to);
    }
}

fn next(queues: &Mutex<BTreeMap<PeerId, Queue>>, to: PeerId) -> Option<Bytes> {
    let mut queues = queues.lock().expect("no holder panics");
    let body = queues.get_mut(&to).and_then(|queue| queue.waiting.pop_front());
    match &body {
        Some(body) => queues.get_mut(&to)?.bytes -= body.len(),
        None => drop(queues.remove(&to)),
    }
    body
}

/// Says whether the peer was reached. What it refuses it did not want.
async fn send(node: &Inner, to: PeerId, body: Bytes) -> bool {
    if !node.find_and_connect(to).await {
        tracing::debug!(peer = to.short(), "a member is not reached");
        return false;
    }
    // The connection is of use, whatever the swarm thinks of it.
    node.idle.take_back(&to);
    match node.network.request(to, body, 0, WITHIN).await {
        Ok(_) | Err(net::NetError::Refused(_)) => true,
        Err(error) => {
            tracing::debug!(peer = to.short(), code = error.code(), "a message was not taken");
            false
        }
    }
}
