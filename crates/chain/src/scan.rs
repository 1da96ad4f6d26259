//! A look through the past for scripts that nobody watches, with a light client of its own: an auditor's.

use std::sync::Arc;

use bip157::Event;
use bitcoin::{Block, ScriptBuf};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::error::Error;
use crate::event::BlockId;
use crate::handle::Chain;
use crate::order::received;
use crate::session::{Plan, Session};

/// Blocks that wait for a slow reader.
const WAITING: usize = 4;

/// Lives of a light client that are spent on one scan before it counts as failed.
const ATTEMPTS: usize = 8;

/// A block in which a script was found (or seemed to be: filters err in one of 784,931).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it stands.
    pub id: BlockId,
    /// The whole block, with witnesses.
    pub block: Arc<Block>,
}

/// A scan under way; dropped, it ends.
#[derive(Debug)]
pub struct Scan {
    found: mpsc::Receiver<Result<Found, Error>>,
    upto: BlockId,
    task: JoinHandle<()>,
}

impl Scan {
    /// Returns the next block, in order; `None` after the last.
    ///
    /// # Errors
    /// When peers give no answer, or a reorganisation took away blocks that were looked at: then the scan has to be begun anew.
    pub async fn next(&mut self) -> Option<Result<Found, Error>> {
        self.found.recv().await
    }

    /// Returns the block up to which, with it, everything is looked at.
    pub fn upto(&self) -> BlockId {
        self.upto
    }
}

impl Drop for Scan {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn start(chain: Chain, scripts: Vec<ScriptBuf>, from: u32) -> Scan {
    let (sender, found) = mpsc::channel(WAITING);
    let upto = chain.tip();
    let mut scanner = Scanner { chain, scripts, done: from, upto, found: sender };
    let task = tokio::spawn(async move {
        if let Err(error) = scanner.run().await {
            // A reader that is gone does not mind.
            let _ = scanner.found.send(Err(error)).await;
        }
    });
    Scan { found, upto, task }
}

struct Scanner {
    chain: Chain,
    scripts: Vec<ScriptBuf>,
    /// Every block up to this height was looked at.
    done: u32,
    upto: BlockId,
    found: mpsc::Sender<Result<Found, Error>>,
}

impl Scanner {
    async fn run(&mut self) -> Result<(), Error> {
        for attempt in 0..ATTEMPTS {
            if self.done >= self.upto.height {
                return Ok(());
            }
            self.one_life(attempt).await?;
            if self.chain.height_of(&self.upto.hash).is_none() {
                return Err(Error::UnknownBlock(self.upto.hash));
            }
        }
        Err(Error::NoPeer)
    }

    /// Looks through filters until all is done or the light client ends or stalls.
    async fn one_life(&mut self, attempt: usize) -> Result<(), Error> {
        let plan = Plan { attempt, from: self.done, depth: 0, headers_first: false };
        let mut session = Session::open(&self.chain.config, &self.chain.read(), plan);
        let patience = self.chain.patience().stall;
        while self.done < self.upto.height {
            let Ok(Some(event)) = timeout(patience, session.events.recv()).await else { return Ok(()) };
            let Event::IndexedFilter(filter) = event else { continue };
            let id = BlockId { height: filter.height(), hash: filter.block_hash() };
            if id.height != self.done + 1 {
                continue;
            }
            if self.chain.block_id(id.height) != Some(id) {
                return Ok(());
            }
            let (_, filter) = filter.into_parts();
            if matches(&filter, id, &self.scripts) && !self.hand_over(&session, id).await? {
                return Ok(());
            }
            self.done = id.height;
        }
        Ok(())
    }

    async fn hand_over(&self, session: &Session, id: BlockId) -> Result<bool, Error> {
        let Some(mut fetched) = session.fetch(id.hash) else { return Ok(false) };
        let patience = self.chain.patience().stall;
        let Ok(Some(block)) = timeout(patience, received(&mut fetched, id.hash)).await else {
            return Ok(false);
        };
        self.found.send(Ok(Found { id, block })).await.map_err(|_| Error::Closed)?;
        Ok(true)
    }
}

/// Whether a filter holds any of the scripts; one in 784,931 times by chance (BIP 158).
pub(crate) fn matches(filter: &bip157::BlockFilter, id: BlockId, scripts: &[ScriptBuf]) -> bool {
    !scripts.is_empty()
        // A filter that cannot be read may hold anything.
        && filter.match_any(&id.hash, scripts.iter().map(|it| it.as_bytes())).unwrap_or(true)
}
