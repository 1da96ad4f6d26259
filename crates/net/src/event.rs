use std::net::SocketAddr;

use bytes::Bytes;
use domain::{BlobHash, PeerId};
use tokio::sync::mpsc;

use crate::contact::Contact;

/// Events that wait for the node; beyond them a peer's stream is no longer read, so it slows down.
pub(crate) const EVENT_QUEUE: usize = 256;

/// What the network tells the node. The events of one peer come in the order in which they happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A session with a peer began.
    Up {
        /// Who.
        peer: PeerId,
        /// How it is reached.
        path: Path,
        /// Where it is; of a relayed session, the relay.
        addr: SocketAddr,
    },
    /// A session ended; what was on the way is lost.
    Down {
        /// Who.
        peer: PeerId,
        /// Why.
        reason: DownReason,
    },
    /// A peer sent a message.
    Message {
        /// Who.
        peer: PeerId,
        /// At most [`crate::wire::MAX_MESSAGE`] bytes.
        bytes: Bytes,
    },
    /// A session goes on over another path; nothing is lost.
    PathChanged {
        /// Who.
        peer: PeerId,
        /// How it is reached now.
        path: Path,
        /// Where it is now.
        addr: SocketAddr,
    },
    /// A peer was found that is not connected; the node decides whether to connect.
    Found {
        /// Who.
        peer: PeerId,
        /// Where it says it is.
        contact: Contact,
        /// How it was found.
        via: Via,
    },
    /// Where the Internet sees this node became known, or changed.
    ExternalAddress {
        /// The address.
        addr: SocketAddr,
    },
    /// The network was begun anew: other interfaces, a sleep, or [`crate::Network::network_changed`]. Peers that were
    /// lost are to be dialled again.
    NetworkChanged,
    /// Something that helps to find peers could not be started; all else goes on without it.
    ServiceFailed {
        /// Which.
        service: &'static str,
        /// What it says.
        reason: String,
    },
    /// A peer sent bytes that are not what the blob's hash says, and is no longer asked for it.
    BadProvider {
        /// Who.
        peer: PeerId,
        /// Which blob.
        hash: BlobHash,
    },
}

/// How a peer is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// From socket to socket.
    Direct,
    /// Through another peer, which sees only sealed datagrams.
    Relayed,
}

/// How a peer was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Via {
    /// It announces itself in the local network.
    Lan,
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DownReason {
    /// This node ended it.
    Disconnected,
    /// The peer ended it.
    Left,
    /// The peer began a new session and does not know of this one any more.
    Replaced,
    /// The peer is blocked here.
    Blocked,
    /// The peer did not drain what was sent to it.
    Slow,
    /// Nothing came from the peer for too long.
    TimedOut,
    /// The peer broke the protocol.
    Protocol,
    /// The transport failed.
    Lost,
}

/// Receives the events of one network.
#[derive(Debug)]
pub struct EventReceiver(pub(crate) mpsc::Receiver<Event>);

impl EventReceiver {
    /// Waits for the next event; `None` after the network is shut down.
    pub async fn recv(&mut self) -> Option<Event> {
        self.0.recv().await
    }

    /// Takes an event that is already there.
    pub fn try_recv(&mut self) -> Option<Event> {
        self.0.try_recv().ok()
    }
}
