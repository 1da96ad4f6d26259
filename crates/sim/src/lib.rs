//! Many peers in one process over a virtual clock and network: no sockets, threads or files, and one seed decides all.
//!
//! A [`Swarm`] drives [`peer::Peer`]s from one queue of what happens next. Links have a latency each, can lose
//! messages, break and be parted; members can be killed and restarted with what they had persisted. The same seed gives
//! the same [`Swarm::trace`].
#![warn(missing_docs)]

pub mod dao;
mod disk;
mod queue;
mod report;
mod swarm;

pub use report::{Catching, Discovery, Missing, catch_up, discovery};
pub use swarm::{Settings, Swarm, Traffic};
