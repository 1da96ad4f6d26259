//! Why the chain could not answer.

use std::io;
use std::path::PathBuf;

use bitcoin::BlockHash;

/// Says why the chain could not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is no `host:port`.
    #[error("{0:?} is not the address of a Bitcoin peer: host, or host:port")]
    Peer(String),
    /// Only named peers were allowed and none was named.
    #[error("only the named bitcoin peers are allowed, and none is named")]
    NoPeerNamed,
    /// The folder cannot be used.
    #[error("cannot use {}: {source}", path.display())]
    Folder {
        /// Which folder or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No peer could be asked, so nothing was learnt or sent.
    #[error("no bitcoin peer answers")]
    NoPeer,
    /// The chain of most work has no such block.
    #[error("no block {0} in the chain of most work")]
    UnknownBlock(BlockHash),
    /// The chain is not that high yet.
    #[error("the chain has no block {0} yet")]
    Height(u32),
    /// The chain has been closed.
    #[error("the chain is closed")]
    Closed,
}

impl Error {
    /// Returns the stable code for scripts and screens.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Peer(_) => "bitcoin_peer_invalid",
            Self::NoPeerNamed => "bitcoin_peer_missing",
            Self::Folder { .. } => "chain_folder",
            Self::NoPeer => "bitcoin_no_peer",
            Self::UnknownBlock(_) => "block_unknown",
            Self::Height(_) => "block_not_yet",
            Self::Closed => "chain_closed",
        }
    }
}
