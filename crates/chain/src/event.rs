//! What a watcher is told, and from where on.

use std::sync::Arc;

use bitcoin::block::Header;
use bitcoin::{Block, BlockHash, Transaction};

/// A block's place and name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockId {
    /// Blocks before it.
    pub height: u32,
    /// Its name.
    pub hash: BlockHash,
}

/// From where on the blocks of a watcher are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Since {
    /// From the next block on: scripts that were never shown to anyone have no past. The first watch of all begins at the tip
    /// that the first peers tell of, so what is shown before that needs the height of its day.
    Now,
    /// The blocks above this height: a birthday, zero for everything.
    Height(u32),
    /// The blocks above the highest of these that is still in the chain: what a wallet remembers, across a reorganisation that
    /// happened while it was away.
    Known(Vec<BlockId>),
}

/// A block that was added to the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connected {
    /// Where it stands.
    pub id: BlockId,
    /// It names the block before it, which was connected just before (or is the watcher's starting point).
    pub header: Header,
    /// The whole block where its filter matched a watched script (or pretended to: one in 784,931 does so by chance), with
    /// witnesses.
    pub block: Option<Arc<Block>>,
    /// How many calls of [`crate::Chain::watch`] and [`crate::Chain::join`] counted when its filter was looked at.
    pub watches: u64,
}

impl Connected {
    /// Returns the block that this one extends.
    pub fn previous(&self) -> BlockId {
        BlockId { height: self.id.height.saturating_sub(1), hash: self.header.prev_blockhash }
    }
}

/// What happened to the chain of most work.
///
/// Blocks are connected in order, one height after the other. Scripts that are added with a past make a second pass over that
/// past: its blocks are connected again, in order, and a watcher that knows them has nothing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A block joined the chain.
    Connected(Connected),
    /// A block left the chain; the highest leaves first, and its successors follow as connected.
    Disconnected(BlockId),
    /// A peer relayed a transaction that pays a watched script. Nothing vouches for it until a block holds it, and it may come
    /// more than once.
    Unconfirmed(Arc<Transaction>),
    /// Everything up to this block was looked at.
    Synced(BlockId),
}
