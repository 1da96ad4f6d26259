//! Reads in the first packet (0-RTT, RFC 9001 section 4.6). Early data can be recorded and repeated by
//! anybody, so only what changes nothing is asked and answered in it: ranges of blobs.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use domain::PeerId;
use quinn::{Connecting, Connection, ConnectionError};
use tracing::debug;

use crate::{error::NetError, lock::lock, network::Shared, streams::Asked, tls};

/// Reads answered before the handshake of one connection ends.
const READS: usize = 16;

/// Connections whose handshake is under way and over which reads can go out.
#[derive(Debug, Default)]
pub(crate) struct Early(Mutex<HashMap<PeerId, Connection>>);

impl Early {
    pub(crate) fn connection(&self, peer: &PeerId) -> Option<Connection> {
        self.table().get(peer).cloned()
    }

    fn table(&self) -> MutexGuard<'_, HashMap<PeerId, Connection>> {
        lock(&self.0)
    }
}

/// Lists a connection as early while its handshake is under way.
struct Listed<'a> {
    shared: &'a Shared,
    peer: PeerId,
    connection: Connection,
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        let mut table = self.shared.early.table();
        if table.get(&self.peer).is_some_and(|listed| listed.stable_id() == self.connection.stable_id()) {
            table.remove(&self.peer);
        }
    }
}

/// Waits for a dialled connection's handshake, and lends the connection to readers meanwhile if it resumes.
pub(crate) async fn establish(
    shared: &Shared,
    peer: PeerId,
    connecting: Connecting,
) -> Result<Connection, NetError> {
    let (connection, accepted) = match connecting.into_0rtt() {
        Ok(early) => early,
        Err(connecting) => return connecting.await.map_err(|error| NetError::lost(peer, error)),
    };
    shared.early.table().insert(peer, connection.clone());
    let listed = Listed { shared, peer, connection: connection.clone() };
    shared.sessions_changed();
    accepted.await;
    drop(listed);
    established(connection).map_err(|error| NetError::lost(peer, error))
}

/// Waits for the handshake of a connection from elsewhere, and answers the reads that came with it.
pub(crate) async fn accept(
    shared: &Arc<Shared>,
    connecting: Connecting,
) -> Result<Connection, ConnectionError> {
    let (connection, done) = match connecting.into_0rtt() {
        Ok(early) => early,
        Err(connecting) => return connecting.await,
    };
    tokio::select! {
        biased;
        _ = done => {}
        () = answer_reads(shared, &connection) => {}
    }
    established(connection)
}

/// Never ends while the connection lives. A stream that is not early waits in the connection's queue, because
/// the handshake's end, which precedes it, ends this first.
async fn answer_reads(shared: &Arc<Shared>, connection: &Connection) {
    for _ in 0..READS {
        let Ok((send, recv)) = connection.accept_bi().await else { return };
        let Some(peer) = tls::peer_of(connection).filter(|_| recv.is_0rtt()) else { continue };
        if shared.sessions().is_blocked(&peer) {
            continue;
        }
        let asked = Asked { shared: shared.clone(), peer, connection: connection.clone(), send, recv };
        tokio::spawn(async move {
            if let Err(error) = asked.answer_early().await {
                debug!(peer = peer.short(), %error, "early read not answered");
            }
        });
    }
    std::future::pending().await
}

/// Tells a finished handshake from a failed one.
fn established(connection: Connection) -> Result<Connection, ConnectionError> {
    match connection.close_reason() {
        Some(error) => Err(error),
        None => Ok(connection),
    }
}
