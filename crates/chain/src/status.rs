//! How far the chain is, and what it waits for.

use std::fmt;

use domain::Network;

use crate::event::BlockId;
use crate::peer::PeerAddress;

/// How far the chain is, and what it waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Which Bitcoin.
    pub network: Network,
    /// What is being done.
    pub phase: Phase,
    /// The highest block of most work that is known.
    pub tip: Option<BlockId>,
    /// Every block up to this height was looked at for what is watched; `None` while nothing is watched.
    pub scanned: Option<u32>,
    /// Peers of the light client.
    pub peers: usize,
    /// How many of them must agree.
    pub required: usize,
    /// What is wrong with the named peers that were tried in vain.
    pub faults: Vec<PeerFault>,
}

/// What the chain is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Looking for peers.
    Connecting,
    /// No peer, or too few of them: the next attempt follows by itself.
    Waiting,
    /// Learning the chain of headers.
    Headers,
    /// Looking through the filters of its blocks.
    Filters,
    /// All known blocks were looked at.
    Synced,
}

/// A named peer that is of no use now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerFault {
    /// Which.
    pub peer: PeerAddress,
    /// Why.
    pub fault: Fault,
}

/// Why a peer is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing answers there.
    Unreachable,
    /// Something answers that is no node of this network.
    OtherNetwork,
    /// A node of this network that serves no compact filters.
    NoFilters,
    /// It answers, yet what it told of the chain was late, wrong or contradicted.
    Unhelpful,
}

impl Fault {
    /// Returns the stable code for scripts and screens.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unreachable => "peer_unreachable",
            Self::OtherNetwork => "peer_other_network",
            Self::NoFilters => "peer_no_filters",
            Self::Unhelpful => "peer_unhelpful",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreachable => "does not answer",
            Self::OtherNetwork => "is no bitcoin node of this network",
            Self::NoFilters => "serves no compact block filters",
            Self::Unhelpful => "told nothing that could be used",
        })
    }
}

impl Phase {
    /// Returns the stable code for scripts and screens.
    pub fn code(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Waiting => "waiting",
            Self::Headers => "headers",
            Self::Filters => "filters",
            Self::Synced => "synced",
        }
    }
}

impl Status {
    pub(crate) fn new(network: Network, tip: Option<BlockId>, required: usize) -> Self {
        Self { network, phase: Phase::Connecting, tip, scanned: None, peers: 0, required, faults: Vec::new() }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.network)?;
        match (self.phase, self.tip) {
            (Phase::Waiting, _) => {
                write!(f, "waits for {} bitcoin peers, has {}", self.required, self.peers)?
            }
            (Phase::Connecting, _) => write!(f, "looks for bitcoin peers")?,
            (Phase::Headers, _) => write!(f, "learns the chain")?,
            (Phase::Filters, Some(tip)) => {
                write!(f, "block {} of {}", self.scanned.unwrap_or_default(), tip.height)?;
            }
            (_, Some(tip)) => write!(f, "block {}", tip.height)?,
            (_, None) => write!(f, "no block yet")?,
        }
        for it in &self.faults {
            write!(f, "; {} {}", it.peer, it.fault)?;
        }
        Ok(())
    }
}
