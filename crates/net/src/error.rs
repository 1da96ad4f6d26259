use std::{io, net::SocketAddr};

use domain::{BlobHash, PeerId};

use crate::BlobError;

/// Says why something with a peer or with the network did not work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetError {
    /// The socket could not be opened.
    #[error("cannot listen on {addr}: {source}")]
    Listen {
        /// Where it should have listened.
        addr: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// No address of the peer answers, and no mutual peer reaches it.
    #[error("peer {} cannot be reached", .0.short())]
    PeerUnreachable(PeerId),
    /// Nobody of this network answers at the address.
    #[error("nobody answers at {0}")]
    NobodyThere(SocketAddr),
    /// There is no session with the peer.
    #[error("peer {} is not connected", .0.short())]
    NotConnected(PeerId),
    /// The peer is blocked here.
    #[error("peer {} is blocked", .0.short())]
    Blocked(PeerId),
    /// A node does not dial itself.
    #[error("a node cannot connect to itself")]
    SelfConnection,
    /// The other side ended it.
    #[error("peer {} refused", .0.short())]
    Refused(PeerId),
    /// The peer is at a limit.
    #[error("peer {} is busy", .0.short())]
    Busy(PeerId),
    /// It took too long.
    #[error("{0} took too long")]
    Timeout(&'static str),
    /// Something is above a limit.
    #[error("{what} of {len} bytes is above the limit of {max}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size in bytes.
        len: u64,
        /// The limit in bytes.
        max: u64,
    },
    /// The peer does not drain what is sent to it.
    #[error("peer {} does not keep up", .0.short())]
    Slow(PeerId),
    /// The peer broke the protocol.
    #[error("peer {} broke the protocol: {reason}", .peer.short())]
    Protocol {
        /// Which peer.
        peer: PeerId,
        /// How.
        reason: String,
    },
    /// Bytes from the peer are not what the hash says; the peer is no longer asked for this blob.
    #[error("peer {} sent wrong bytes for blob {hash}", .peer.short())]
    HashMismatch {
        /// Which peer.
        peer: PeerId,
        /// Which blob.
        hash: BlobHash,
    },
    /// The connection broke.
    #[error("the connection to peer {} was lost: {reason}", .peer.short())]
    Lost {
        /// Which peer.
        peer: PeerId,
        /// What the transport says.
        reason: String,
    },
    /// The caller gave it up, or nobody waits for it any more.
    #[error("cancelled")]
    Cancelled,
    /// The network is shut down.
    #[error("the network is shut down")]
    Closed,
    /// A service beside the peers failed: discovery, the DHT or the router.
    #[error("{service} failed: {reason}")]
    Service {
        /// Which.
        service: &'static str,
        /// What it says.
        reason: String,
    },
    /// The disk side of a transfer failed.
    #[error(transparent)]
    Blob(#[from] BlobError),
}

impl NetError {
    /// Returns the stable code that shells match on.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Listen { .. } => "listen_failed",
            Self::PeerUnreachable(_) => "peer_unreachable",
            Self::NobodyThere(_) => "address_unreachable",
            Self::NotConnected(_) => "not_connected",
            Self::Blocked(_) => "peer_blocked",
            Self::SelfConnection => "self_connection",
            Self::Refused(_) => "peer_refused",
            Self::Busy(_) => "peer_busy",
            Self::Timeout(_) => "timeout",
            Self::TooLarge { .. } => "too_large",
            Self::Slow(_) => "peer_slow",
            Self::Protocol { .. } => "protocol_error",
            Self::HashMismatch { .. } => "hash_mismatch",
            Self::Lost { .. } => "connection_lost",
            Self::Cancelled => "cancelled",
            Self::Closed => "closed",
            Self::Service { .. } => "service_failed",
            Self::Blob(error) => error.code(),
        }
    }

    /// Says that the peer's bytes were wrong.
    pub(crate) fn protocol(peer: PeerId, reason: impl ToString) -> Self {
        Self::Protocol { peer, reason: reason.to_string() }
    }

    /// Says that the transport failed under a session.
    pub(crate) fn lost(peer: PeerId, reason: impl ToString) -> Self {
        Self::Lost { peer, reason: reason.to_string() }
    }
}
