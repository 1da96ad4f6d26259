//! From what is known of a peer to a session with it: directly, else introduced, else relayed.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, Weak},
    time::Duration,
};

use domain::PeerId;
use quinn::Connection;
use tokio::{
    sync::OwnedMutexGuard,
    task::JoinSet,
    time::{sleep, timeout},
};
use tracing::debug;

use crate::{
    contact::{Contact, Relay},
    error::NetError,
    event::Path,
    greet::{Greeted, Greeting, greet},
    link::Link,
    lock::lock,
    network::Shared,
    punch,
    relay::{self, OpenCircuit},
    sessions::{Purpose, Unwanted},
    wire::MAX_ADDRESSES,
};

/// Head start of each address before the next is tried beside it.
const STAGGER: Duration = Duration::from_millis(100);
/// How long one set of direct attempts may take.
const DIAL: Duration = Duration::from_secs(10);
/// How long everything together may take.
const REACH: Duration = Duration::from_secs(20);
/// Head start of a peer's own addresses before others are asked for help.
const HEAD_START: Duration = Duration::from_millis(750);
/// Most peers asked for help with one peer.
const HELPERS: usize = 5;
/// Head start of a direct way before a circuit is opened beside it.
const PUNCH_HEAD_START: Duration = Duration::from_millis(600);
/// How long a circuit and the session over it may take.
const CIRCUIT: Duration = Duration::from_secs(8);
/// How long a peer may take to answer at its last address.
const RENEWAL: Duration = Duration::from_secs(3);
/// When a relayed session looks for a direct way, after it began.
const UPGRADES: [u64; 6] = [1, 5, 20, 60, 300, 1800];

pub(crate) async fn connect(shared: &Arc<Shared>, peer: PeerId, contact: &Contact) -> Result<(), NetError> {
    if peer == shared.id {
        return Err(NetError::SelfConnection);
    }
    if shared.link(&peer).is_some() {
        return Ok(());
    }
    if let Err(Unwanted::Blocked) = shared.sessions().admit(&peer, None, &shared.config.limits) {
        return Err(NetError::Blocked(peer));
    }
    let _dialling = Dialling::new(shared, peer);
    tokio::select! {
        biased;
        () = linked(shared, peer) => Ok(()),
        result = timeout(REACH, reach(shared, peer, contact)) => {
            result.unwrap_or(Err(NetError::PeerUnreachable(peer)))
        }
    }
}

/// Makes a session with whoever answers.
pub(crate) async fn meet(shared: &Arc<Shared>, addr: SocketAddr) -> Result<PeerId, NetError> {
    shared.reach().dialled(addr);
    let met = timeout(DIAL, shared.endpoint.meet(addr)).await;
    let connection = met.unwrap_or(Err(NetError::NobodyThere(addr)))?;
    let peer = crate::tls::peer_of(&connection).ok_or(NetError::NobodyThere(addr))?;
    establish(shared, peer, connection, Path::Direct).await?;
    Ok(peer)
}

/// Waits for a session with the peer, whoever dialled.
async fn linked(shared: &Arc<Shared>, peer: PeerId) {
    let mut changes = shared.changes.subscribe();
    while shared.link(&peer).is_none() {
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// Tries its own addresses, and after a head start, or as soon as they fail, with the help of others.
async fn reach(shared: &Arc<Shared>, peer: PeerId, contact: &Contact) -> Result<(), NetError> {
    let direct = timeout(DIAL, direct(shared, peer, &contact.addrs));
    tokio::pin!(direct);
    let early = timeout(HEAD_START, &mut direct).await;
    let refused = match early {
        Ok(Ok(Ok(()))) => return Ok(()),
        Ok(Ok(Err(error @ (NetError::Refused(_) | NetError::Busy(_))))) => return Err(error),
        Ok(_) => true,
        Err(_) => false,
    };
    if refused {
        return helped(shared, peer, &contact.relays).await;
    }
    let helped = helped(shared, peer, &contact.relays);
    tokio::pin!(helped);
    tokio::select! {
        result = &mut direct => match result {
            Ok(Ok(())) => Ok(()),
            _ => helped.await,
        },
        result = &mut helped => match result {
            Ok(()) => Ok(()),
            Err(error) => direct.await.unwrap_or(Err(error)),
        },
    }
}

async fn direct(shared: &Arc<Shared>, peer: PeerId, addrs: &[SocketAddr]) -> Result<(), NetError> {
    let connection = dial(shared, peer, addrs).await?;
    establish(shared, peer, connection, Path::Direct).await
}

/// Tries the addresses side by side, each with a head start; the first that answers wins.
async fn dial(shared: &Arc<Shared>, peer: PeerId, addrs: &[SocketAddr]) -> Result<Connection, NetError> {
    let mut attempts = JoinSet::new();
    for (number, addr) in addrs.iter().copied().take(MAX_ADDRESSES).enumerate() {
        let shared = shared.clone();
        attempts.spawn(async move {
            sleep(STAGGER * number as u32).await;
            shared.dial(peer, addr).await
        });
    }
    while let Some(attempt) = attempts.join_next().await {
        if let Ok(Ok(connection)) = attempt {
            return Ok(connection);
        }
    }
    Err(NetError::PeerUnreachable(peer))
}

/// Makes a session of a connection that this side dialled, or waits for the one that came between.
async fn establish(
    shared: &Arc<Shared>,
    peer: PeerId,
    connection: Connection,
    path: Path,
) -> Result<(), NetError> {
    let greeting = Greeting { connection, path, dialled: true, purpose: Purpose::Connect };
    let _turn = shared.turns.turn(peer).await;
    let within = shared.config.limits.greeting;
    match timeout(within, greet(shared, greeting)).await.unwrap_or(Err(NetError::Timeout("the greeting"))) {
        Ok(Greeted::Session) => Ok(()),
        Ok(Greeted::Elsewhere) => {
            let waited = timeout(within, linked(shared, peer)).await;
            waited.map_err(|_| NetError::PeerUnreachable(peer))
        }
        Err(error) => Err(error),
    }
}

/// Asks those who may know the peer, all at once: an introduction first, a circuit where that fails.
async fn helped(shared: &Arc<Shared>, peer: PeerId, relays: &[Relay]) -> Result<(), NetError> {
    let mut attempts = JoinSet::new();
    for relay in relays.iter().copied().filter(|relay| relay.peer != shared.id && relay.peer != peer) {
        let shared = shared.clone();
        attempts.spawn(async move {
            if shared.link(&relay.peer).is_none() {
                timeout(DIAL, direct(&shared, relay.peer, &[relay.addr])).await.ok();
            }
            let helper = shared.link(&relay.peer).ok_or(NetError::NotConnected(relay.peer))?;
            through(&shared, &helper, peer).await
        });
    }
    for helper in helpers(shared, relays) {
        let shared = shared.clone();
        attempts.spawn(async move { through(&shared, &helper, peer).await });
    }
    while let Some(attempt) = attempts.join_next().await {
        match attempt {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => debug!(peer = peer.short(), %error, "no help"),
            Err(_) => {}
        }
    }
    Err(NetError::PeerUnreachable(peer))
}

/// Returns direct sessions other than with the named relays, which are asked anyway.
fn helpers(shared: &Shared, relays: &[Relay]) -> Vec<Arc<Link>> {
    let sessions = shared.sessions();
    let named = |link: &&Arc<Link>| relays.iter().any(|relay| relay.peer == link.peer());
    let direct = sessions.links().filter(|link| link.path() == Path::Direct && !named(link));
    direct.take(HELPERS).cloned().collect()
}

/// Looks for a direct way, and after a head start for a circuit beside it; the first that is there wins.
async fn through(shared: &Arc<Shared>, helper: &Link, peer: PeerId) -> Result<(), NetError> {
    let punched = async {
        let connection = punch::punch(shared, helper, peer).await?;
        establish(shared, peer, connection, Path::Direct).await
    };
    tokio::pin!(punched);
    match timeout(PUNCH_HEAD_START, &mut punched).await {
        Ok(Ok(())) => return Ok(()),
        // The helper does not know the peer, or the peer does not want to.
        Ok(Err(error @ NetError::Refused(_))) => return Err(error),
        Ok(Err(_)) => return relayed(shared, helper, peer).await,
        Err(_) => {}
    }
    let relayed = relayed(shared, helper, peer);
    tokio::pin!(relayed);
    tokio::select! {
        result = &mut punched => if result.is_ok() { result } else { relayed.await },
        result = &mut relayed => if result.is_ok() { result } else { punched.await },
    }
}

async fn relayed(shared: &Arc<Shared>, helper: &Link, peer: PeerId) -> Result<(), NetError> {
    let made = timeout(CIRCUIT, over_circuit(shared, helper, peer)).await;
    made.unwrap_or(Err(NetError::PeerUnreachable(peer)))
}

/// Makes a session over a circuit, which stays open as long as it is used.
async fn over_circuit(shared: &Arc<Shared>, helper: &Link, peer: PeerId) -> Result<(), NetError> {
    let circuit = relay::open(shared, helper, peer).await?;
    let connection = shared.endpoint.dial(peer, circuit.addr)?;
    let connection = connection.await.map_err(|error| NetError::lost(peer, error))?;
    establish(shared, peer, connection.clone(), Path::Relayed).await?;
    tokio::spawn(keep(connection, circuit));
    if let Some(link) = shared.link(&peer) {
        tokio::spawn(upgrade(Arc::downgrade(shared), helper.peer(), Arc::downgrade(&link)));
    }
    Ok(())
}

async fn keep(connection: Connection, mut circuit: OpenCircuit) {
    tokio::select! {
        _ = connection.closed() => {}
        () = circuit.ended() => {}
    }
}

/// Looks for a direct way for a relayed session, less and less often.
async fn upgrade(shared: Weak<Shared>, helper: PeerId, link: Weak<Link>) {
    for seconds in UPGRADES {
        sleep(Duration::from_secs(seconds)).await;
        let (Some(shared), Some(link)) = (shared.upgrade(), link.upgrade()) else { return };
        if link.path() == Path::Direct || link.connection().close_reason().is_some() {
            return;
        }
        let Some(helper) = shared.link(&helper) else { continue };
        let Ok(connection) = punch::punch(&shared, &helper, link.peer()).await else { continue };
        let result = establish(&shared, link.peer(), connection, Path::Direct).await;
        if let Err(error) = result {
            debug!(peer = link.peer().short(), %error, "no upgrade");
        }
    }
}

/// Begins a session anew where its peer was last seen, as the way there may be another one now.
pub(crate) async fn renew(shared: &Arc<Shared>, link: &Link) -> Result<(), NetError> {
    let peer = link.peer();
    let connection = timeout(RENEWAL, shared.dial(peer, link.addr())).await;
    let connection = connection.unwrap_or(Err(NetError::PeerUnreachable(peer)))?;
    let greeting = Greeting { connection, path: Path::Direct, dialled: true, purpose: Purpose::Renew };
    let _turn = shared.turns.turn(peer).await;
    let greeted = timeout(shared.config.limits.greeting, greet(shared, greeting)).await;
    greeted.unwrap_or(Err(NetError::Timeout("the greeting"))).map(drop)
}

/// Lets the dials of one peer greet one after the other, so that a second one betters the first one's session
/// instead of displacing it; and knows who is being dialled.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    greeting: Mutex<HashMap<PeerId, Arc<tokio::sync::Mutex<()>>>>,
    dialling: Mutex<HashMap<PeerId, usize>>,
}

impl Turns {
    pub(crate) fn is_dialling(&self, peer: &PeerId) -> bool {
        self.dialling().contains_key(peer)
    }

    async fn turn(&self, peer: PeerId) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = lock(&self.greeting);
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            turns.entry(peer).or_default().clone()
        };
        turn.lock_owned().await
    }

    fn dialling(&self) -> MutexGuard<'_, HashMap<PeerId, usize>> {
        lock(&self.dialling)
    }
}

/// Counts a dial while it lasts.
struct Dialling<'a> {
    shared: &'a Shared,
    peer: PeerId,
}

impl<'a> Dialling<'a> {
    fn new(shared: &'a Shared, peer: PeerId) -> Self {
        *shared.turns.dialling().entry(peer).or_default() += 1;
        Self { shared, peer }
    }
}

impl Drop for Dialling<'_> {
    fn drop(&mut self) {
        let mut dialling = self.shared.turns.dialling();
        if let Some(count) = dialling.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                dialling.remove(&self.peer);
            }
        }
        drop(dialling);
        self.shared.sessions_changed();
    }
}
