//! What the owner of a chain can ask of it.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use bitcoin::block::Header;
use bitcoin::{Block, BlockHash, FeeRate, ScriptBuf, Transaction};
use tokio::sync::{mpsc, oneshot, watch};

use crate::broadcast::{self, Offered};
use crate::error::Error;
use crate::event::{BlockId, Since};
use crate::fees::{FeeRates, Fees};
use crate::headers::Headers;
use crate::peer::PeerAddress;
use crate::scan::{self, Scan};
use crate::status::Status;
use crate::{Config, Patience};

/// What the task that follows the chain is asked.
#[derive(Debug)]
pub(crate) enum Command {
    Watch { scripts: Vec<ScriptBuf>, since: Since, number: Option<oneshot::Sender<u64>> },
    Reach { height: u32, reached: oneshot::Sender<()> },
    Block { hash: BlockHash, block: oneshot::Sender<Result<Arc<Block>, Error>> },
    Submit { transaction: Transaction, parent: Option<Transaction>, sent: oneshot::Sender<bool> },
}

/// A handle to the chain; clones share it.
#[derive(Clone, Debug)]
pub struct Chain {
    pub(crate) config: Arc<Config>,
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) headers: Arc<RwLock<Headers>>,
    pub(crate) status: watch::Receiver<Status>,
    pub(crate) found: watch::Receiver<Vec<PeerAddress>>,
    pub(crate) floor: watch::Receiver<FeeRate>,
    pub(crate) fees: Arc<Fees>,
}

impl Chain {
    /// Adds scripts whose transactions are wanted. Where the past of a script is asked for, blocks are connected again from
    /// there on.
    ///
    /// # Errors
    /// When the chain is closed.
    pub async fn watch(&self, scripts: Vec<ScriptBuf>, since: Since) -> Result<(), Error> {
        self.ask(Command::Watch { scripts, since, number: None }).await
    }

    /// Adds scripts whose transactions are wanted in blocks to come, and returns a number: a block whose
    /// [`crate::Connected::watches`] is at least that was looked through for them. What is wanted of the past is for a
    /// [`Self::scan`] to find.
    ///
    /// # Errors
    /// When the chain is closed.
    pub async fn join(&self, scripts: Vec<ScriptBuf>) -> Result<u64, Error> {
        let (number, reply) = oneshot::channel();
        self.ask(Command::Watch { scripts, since: Since::Now, number: Some(number) }).await?;
        reply.await.map_err(|_| Error::Closed)
    }

    /// Looks through the blocks above `from` up to the tip of now for any of the scripts, beside what is watched. Waits until
    /// the chain is known that far.
    ///
    /// # Errors
    /// When the chain is closed.
    pub async fn scan(&self, scripts: Vec<ScriptBuf>, from: u32) -> Result<Scan, Error> {
        self.reach(from).await?;
        Ok(scan::start(self.clone(), scripts, from))
    }

    /// Fetches a block of the chain of most work, with witnesses.
    ///
    /// # Errors
    /// When the chain of most work has no such block, no peer gives it, or the chain is closed.
    pub async fn block(&self, hash: BlockHash) -> Result<Arc<Block>, Error> {
        let (block, reply) = oneshot::channel();
        self.ask(Command::Block { hash, block }).await?;
        reply.await.map_err(|_| Error::Closed)?
    }

    /// Waits until all headers above `height` are known, from further below than before where that is needed. Heights below the
    /// newest known checkpoint are unknown otherwise.
    ///
    /// # Errors
    /// When the chain is closed.
    pub async fn reach(&self, height: u32) -> Result<(), Error> {
        let (reached, reply) = oneshot::channel();
        self.ask(Command::Reach { height, reached }).await?;
        reply.await.map_err(|_| Error::Closed)
    }

    /// Sends a transaction to peers by two ways: through the light client, and to others directly. That it was sent does not
    /// mean that it is valid: peers do not say. Only a block confirms it, see [`crate::rebroadcast`].
    ///
    /// # Errors
    /// When no peer could be reached.
    pub async fn broadcast(&self, transaction: &Transaction) -> Result<Offered, Error> {
        broadcast::offer(self, None, transaction).await
    }

    /// Sends a transaction together with one that it spends an output of and pays for: peers that would refuse the parent
    /// alone, since it pays too little, take the two (BIP 431).
    ///
    /// # Errors
    /// When no peer could be reached.
    pub async fn broadcast_package(
        &self,
        parent: &Transaction,
        child: &Transaction,
    ) -> Result<Offered, Error> {
        broadcast::offer(self, Some(parent), child).await
    }

    /// Estimates the fee rates for three speeds, from the last blocks and from what peers demand.
    ///
    /// # Errors
    /// When no peer gives a block, or the chain is closed.
    pub async fn fee_rates(&self) -> Result<FeeRates, Error> {
        self.fees.estimate(self).await
    }

    /// Waits until all that followed the chain has ended and writes no more, after its events' receiver was dropped.
    pub async fn ended(&self) {
        self.commands.closed().await;
    }

    /// Returns the header at a height, where it is known.
    pub fn header(&self, height: u32) -> Option<Header> {
        self.read().header(height)
    }

    /// Returns the name of the block at a height, where it is known.
    pub fn block_id(&self, height: u32) -> Option<BlockId> {
        self.read().id(height)
    }

    /// Returns the height of a block of the chain of most work, where it is known.
    pub fn height_of(&self, hash: &BlockHash) -> Option<u32> {
        self.read().height_of(hash)
    }

    /// Returns the median time of a block and the ten before it, in seconds since 1970 (BIP 113), where they are known.
    pub fn median_time_past(&self, height: u32) -> Option<u32> {
        self.read().median_time_past(height)
    }

    /// Returns the highest known block.
    pub fn tip(&self) -> BlockId {
        self.read().tip()
    }

    /// Returns how far the chain is, and what it waits for.
    pub fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// Returns the status as it changes.
    pub fn status_changes(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    pub(crate) fn patience(&self) -> Patience {
        self.config.patience()
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Headers> {
        self.headers.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) async fn ask(&self, command: Command) -> Result<(), Error> {
        self.commands.send(command).await.map_err(|_| Error::Closed)
    }
}
