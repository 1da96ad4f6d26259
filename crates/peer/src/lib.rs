//! One member of the swarm as a pure state machine: inputs in, outputs out; time and randomness are handed in.
//!
//! [`Peer::handle`] takes whatever happened and says what is to be done, in order. It does no I/O, reads no clock and
//! never panics on what a peer sent; whatever others can make it keep or compute is bounded by `limits`.
//!
//! What is inside:
//! - the catalogue: which record holds which slot. The higher `(seq, id)` wins, so that any order of arrival ends the
//!   same; two records of one version are a proof against their author;
//! - gossip: HyParView and PlumTree (Leitão et al. 2007) spread a new record within moments; a record is checked
//!   before it is passed on;
//! - reconciliation: neighbours compare their catalogues when they meet and every minute, the newest ids first and the
//!   rest by range (negentropy), so that what gossip missed arrives too;
//! - questions to the swarm: who serves a blob, and who finds something.
//!
//! # Adding a kind of record
//! Nothing here knows what a record is about. Write a struct, implement [`domain::Kind`] for it, and hand
//! `Kinds::default().with::<YourKind>()` to [`Peer::new`]. [`Peer::publish`] then signs, stores and spreads it,
//! [`Peer::withdraw`] takes it back, and it arrives as [`Event::Added`] at every node that knows the kind; a node that
//! does not keeps and relays it unread, a few per author. `crates/sim/examples/concert_dates.rs` is a whole one.
#![warn(missing_docs)]

mod bounded;
mod catalogue;
mod change;
mod gossip;
mod io;
mod limits;
mod peer;
pub mod wire;

pub use change::{ChangeSet, Entry, Equivocation, Loaded};
pub use io::{Config, Event, Input, Now, Output, PublishError, QueryId, Reason, Timer};
pub use limits::{Limits, MAX_MESSAGE_LEN};
pub use peer::Peer;
pub use wire::{encode_proof, encode_records};
