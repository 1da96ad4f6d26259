//! What goes into a peer and what comes out of it.

use std::{fmt, net::SocketAddr, time::Duration};

use bytes::Bytes;
use domain::{BlobHash, PeerId, Record, RecordError, RecordId, SlotId, Topic, kinds::BlockEntry};

use crate::{ChangeSet, Equivocation, Limits, gossip};

/// The two clocks of whoever drives a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Monotonic, since any fixed moment before the peer was made. Everything that waits or counts uses this one.
    pub elapsed: Duration,
    /// The wall clock; it only stamps records, and may be wrong.
    pub unix_ms: u64,
}

/// What a peer is told once.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The swarm it belongs to; records of other topics are refused.
    pub topic: Topic,
    /// Whether the identity was imported or restored: nothing is published before the first [`Event::Synced`].
    pub imported: bool,
    /// Whether the identity was seen in use elsewhere and the user has not taken it over since.
    pub in_use_elsewhere: bool,
    /// How much it keeps.
    pub limits: Limits,
}

/// Distinguishes the searches of one asker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueryId(pub u32);

/// Something that happened outside.
#[derive(Clone, Debug)]
pub enum Input {
    /// A connection to a peer stands, whoever dialled. A second one to the same peer only adds addresses.
    Up {
        /// Who is at the other end, proven by the transport.
        peer: PeerId,
        /// Where it can be dialled, as far as is known.
        addrs: Vec<SocketAddr>,
    },
    /// The last connection to a peer is gone, or it could not be made after [`Output::Connect`].
    Down(PeerId),
    /// A message from a connected peer.
    Message(PeerId, Bytes),
    /// A timer ran out.
    Timer(Timer),
    /// Members of the swarm that the driver knows how to reach: join through them.
    Join(Vec<PeerId>),
    /// Where this node can be dialled, most useful first; it travels with the membership protocol.
    Addresses(Vec<SocketAddr>),
    /// The user blocks something.
    Block(BlockEntry),
    /// The user does not block it any more.
    Unblock(BlockEntry),
    /// The user follows an artist, publicly or not: keep their records first.
    Follow(PeerId),
    /// The user does not follow the artist any more.
    Unfollow(PeerId),
    /// This node serves a blob from now on, or no more.
    Holding(BlobHash, bool),
    /// Ask the swarm who serves a blob; answers are [`Event::Provider`].
    FindProviders(BlobHash),
    /// Ask connected peers; answers are [`Event::Found`].
    Search {
        /// The driver's name for it.
        query: QueryId,
        /// What to look for.
        text: String,
        /// Most records that one peer should answer with.
        limit: u16,
    },
    /// What the local search found for an [`Output::Query`]: the exact bytes of records, best first.
    Answer {
        /// Who asked.
        to: PeerId,
        /// The asker's name for the search.
        query: QueryId,
        /// What was found.
        records: Vec<Bytes>,
    },
    /// The user wants a record that an [`Event::Found`] brought: it enters the catalogue if there is room.
    Adopt(Box<Record>),
    /// What came of an [`Output::Prove`].
    Proof(Box<Equivocation>),
    /// Compare the catalogue with every neighbour now: the device slept, or the network changed.
    Reconcile,
    /// The user says that no other node uses this identity: publish again.
    TakeOver,
}

/// Something to be done outside, in the order given; messages to one peer stay in order.
#[derive(Clone, Debug)]
pub enum Output {
    /// Write this, and have it on disk before any later output is carried out.
    Persist(ChangeSet),
    /// Send a message. The peer is connected, or an [`Output::Connect`] came before and [`Input::Up`] since.
    Send(PeerId, Bytes),
    /// Load these records and send what [`crate::encode_records`] makes of them; skip those that are gone.
    SendRecords(PeerId, Vec<RecordId>),
    /// Load the proofs against these authors and send what [`crate::encode_proof`] makes of each.
    SendProofs(PeerId, Vec<PeerId>),
    /// Load our record before the next [`Output::Persist`] replaces it, and hand both back as [`Input::Proof`].
    Prove {
        /// The id of the record in the store.
        ours: RecordId,
        /// The record that contradicts it.
        theirs: Record,
    },
    /// Hand the timer back after the delay.
    SetTimer(Duration, Timer),
    /// Connect to a peer at these addresses or any other known; then [`Input::Up`], or [`Input::Down`] on failure.
    Connect(PeerId, Vec<SocketAddr>),
    /// The swarm does not want this connection.
    Disconnect(PeerId, Reason),
    /// Search locally for a peer and hand the result back as [`Input::Answer`].
    Query {
        /// Who asks.
        from: PeerId,
        /// The asker's name for the search.
        query: QueryId,
        /// What to look for.
        text: String,
        /// Most records to answer with.
        limit: u16,
    },
    /// Tell the user's side.
    Emit(Event),
}

/// Why the swarm does not want a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// There are enough neighbours: close it unless something else uses it.
    Unneeded,
    /// The peer broke the rules: close it and take no connection from it for this long.
    Misbehaved(Duration),
    /// The user blocks this author: close it and take no connection from it while that lasts.
    Blocked,
}

/// What the user's side may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A slot that was empty has a record.
    Added(Record),
    /// A later version took the slot.
    Replaced(Record),
    /// The author withdrew the slot: its words and blobs go, its id stays.
    Withdrawn(Record),
    /// A slot was dropped for want of room or because it is blocked.
    Forgotten(SlotId),
    /// An author signed two things for one version of one slot.
    Equivocated(Box<Equivocation>),
    /// A comparison with a neighbour ended.
    Synced {
        /// The neighbour.
        peer: PeerId,
        /// How many records it taught this node.
        received: usize,
    },
    /// A peer became a neighbour in the swarm.
    NeighborUp(PeerId),
    /// A peer is no neighbour any more.
    NeighborDown(PeerId),
    /// Somebody serves a blob that was asked for.
    Provider {
        /// The blob.
        blob: BlobHash,
        /// Who serves it.
        peer: PeerId,
        /// Where to dial; may be empty where the peer is connected.
        addrs: Vec<SocketAddr>,
    },
    /// A peer answered a search. The records are checked, and are not in the catalogue unless they came otherwise.
    Found {
        /// The search.
        query: QueryId,
        /// Who answered.
        from: PeerId,
        /// Best first.
        records: Vec<Record>,
    },
    /// Another node signed with this identity: nothing is published until [`Input::TakeOver`].
    IdentityInUseElsewhere(Record),
    /// What a peer sent was refused.
    Refused {
        /// The peer.
        peer: PeerId,
        /// The stable code of the reason.
        code: &'static str,
    },
}

/// A timer of a peer; the driver only hands it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timer(pub(crate) TimerKind);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TimerKind {
    /// HyParView's and PlumTree's own.
    Gossip(gossip::Timer),
    /// Compare with some neighbour, as every so often.
    Reconcile,
    /// Compare with neighbours that had to wait.
    Resume,
    /// Look for more neighbours.
    Mingle,
    /// The comparison of this number took too long.
    SyncTimeout(u32),
    /// Drop what is out of date.
    Sweep,
}

/// Says why nothing was published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The record itself cannot be made.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Another node signed with this identity.
    #[error("another node uses this identity; close it, then take the identity over here")]
    IdentityInUseElsewhere,
    /// The identity was imported and its newest records are not known yet.
    #[error(
        "what this identity has signed before is not known here yet, as after an import or with a new database: it \
         comes from the swarm once somebody is connected, or `musicdao identity take-over` goes on without"
    )]
    IdentitySyncing,
    /// Nothing of this node's fills the slot.
    #[error("this identity has published nothing at {0}")]
    UnknownSlot(SlotId),
}

impl PublishError {
    /// Returns the stable code for scripts and screens.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Record(error) => error.code(),
            Self::IdentityInUseElsewhere => "identity_in_use_elsewhere",
            Self::IdentitySyncing => "identity_syncing",
            Self::UnknownSlot(_) => "unknown_slot",
        }
    }
}

impl fmt::Display for QueryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
