//! From a peer's addresses to a session with it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use domain::PeerId;
use quinn::Connection;
use tokio::{task::JoinSet, time::timeout};

use crate::{
    error::NetError,
    event::Path,
    greet::{GREETING, Greeted, Greeting, greet},
    network::Shared,
    sessions::Unwanted,
    wire::MAX_ADDRESSES,
};

/// Head start of each address before the next is tried beside it.
const STAGGER: Duration = Duration::from_millis(100);
/// How long all addresses together may take.
const DIAL: Duration = Duration::from_secs(10);

pub(crate) async fn connect(
    shared: &Arc<Shared>,
    peer: PeerId,
    addrs: &[SocketAddr],
) -> Result<(), NetError> {
    if peer == shared.id {
        return Err(NetError::SelfConnection);
    }
    if shared.link(&peer).is_some() {
        return Ok(());
    }
    if let Err(Unwanted::Blocked) = shared.sessions().admit(&peer, true, usize::MAX) {
        return Err(NetError::Blocked(peer));
    }
    tokio::select! {
        biased;
        () = linked(shared, peer) => Ok(()),
        result = timeout(DIAL, dial_and_greet(shared, peer, addrs)) => {
            result.unwrap_or(Err(NetError::PeerUnreachable(peer)))
        }
    }
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

async fn dial_and_greet(shared: &Arc<Shared>, peer: PeerId, addrs: &[SocketAddr]) -> Result<(), NetError> {
    let connection = dial(shared, peer, addrs).await?;
    let greeting = Greeting { connection, path: Path::Direct, dialled: true, upgrade: false };
    match greet(shared, greeting).await {
        Ok(Greeted::Session) => Ok(()),
        Ok(Greeted::Elsewhere) => {
            let waited = timeout(GREETING, linked(shared, peer)).await;
            waited.map_err(|_| NetError::PeerUnreachable(peer))
        }
        Err(error) => Err(error),
    }
}

/// Tries the addresses side by side, each with a head start; the first that answers wins.
pub(crate) async fn dial(
    shared: &Arc<Shared>,
    peer: PeerId,
    addrs: &[SocketAddr],
) -> Result<Connection, NetError> {
    let mut attempts = JoinSet::new();
    for (number, addr) in addrs.iter().copied().take(MAX_ADDRESSES).enumerate() {
        let shared = shared.clone();
        attempts.spawn(async move {
            tokio::time::sleep(STAGGER * number as u32).await;
            shared.endpoint.dial(peer, addr).await
        });
    }
    while let Some(attempt) = attempts.join_next().await {
        if let Ok(Ok(connection)) = attempt {
            return Ok(connection);
        }
    }
    Err(NetError::PeerUnreachable(peer))
}
