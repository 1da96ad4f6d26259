//! A look through the past for scripts that nobody watches, with a light client of its own: an auditor's.

use std::sync::Arc;

use bip157::{Event as Event157, IndexedFilter};
use bitcoin::{Block, ScriptBuf};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::error::Error;
use crate::event::{BlockId, Connected, Event};
use crate::handle::Chain;
use crate::order::{Order, Turn};
use crate::session::{Plan, Session};

/// Blocks that wait for a slow reader.
const WAITING: usize = 4;

/// Lives of a light client in a row that may bring nothing before a scan counts as failed.
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
    found: mpsc::Receiver<Event>,
    upto: BlockId,
    task: JoinHandle<Result<(), Error>>,
    ended: bool,
}

impl Scan {
    /// Returns the next block, in order; `None` after the last.
    ///
    /// # Errors
    /// When peers give no answer, or a reorganisation took away blocks that were looked at: then the scan has to be begun anew.
    pub async fn next(&mut self) -> Option<Result<Found, Error>> {
        while let Some(event) = self.found.recv().await {
            if let Event::Connected(Connected { id, block: Some(block), .. }) = event {
                return Some(Ok(Found { id, block }));
            }
        }
        if std::mem::replace(&mut self.ended, true) {
            return None;
        }
        (&mut self.task).await.unwrap_or(Err(Error::Closed)).err().map(Err)
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
    let scanner = Scanner { chain, scripts, done: from, upto, found: sender, order: Order::default() };
    Scan { found, upto, task: tokio::spawn(scanner.run()), ended: false }
}

struct Scanner {
    chain: Chain,
    scripts: Vec<ScriptBuf>,
    /// Every block up to this height was looked at.
    done: u32,
    upto: BlockId,
    found: mpsc::Sender<Event>,
    order: Order,
}

impl Scanner {
    async fn run(mut self) -> Result<(), Error> {
        let (mut attempt, mut vain) = (0, 0);
        while !self.is_done() {
            if vain == ATTEMPTS {
                return Err(Error::NoPeer);
            }
            let moved = self.one_life(attempt).await?;
            if !self.chain.read().contains(self.upto) {
                return Err(Error::UnknownBlock(self.upto.hash));
            }
            self.order.ask_again();
            attempt += 1;
            vain = if moved { 0 } else { vain + 1 };
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.done >= self.upto.height && self.order.is_empty()
    }

    /// Looks through filters and fetches what matches until all is done or the light client ends or stalls. Says whether
    /// anything came of it.
    async fn one_life(&mut self, attempt: usize) -> Result<bool, Error> {
        let plan = Plan { attempt, from: self.done, depth: 0, headers_first: false };
        let mut session = Session::open(&self.chain.config, &self.chain.read(), plan);
        let patience = self.chain.patience().stall;
        let mut moved = false;
        while !self.is_done() {
            self.order.fetch(&session);
            tokio::select! {
                event = session.events.recv() => match event {
                    Some(Event157::IndexedFilter(filter)) => moved |= self.look(filter),
                    Some(_) => (),
                    None => return Ok(moved),
                },
                turn = self.order.turn(&self.found) => match turn {
                    Turn::Sent(_) => moved = true,
                    Turn::Missed => (),
                    Turn::Unwanted => return Err(Error::Closed),
                },
                // A reader that takes its time is no stall.
                () = sleep(patience), if self.found.capacity() > 0 => return Ok(moved),
            }
        }
        Ok(moved)
    }

    fn look(&mut self, filter: IndexedFilter) -> bool {
        let id = BlockId { height: filter.height(), hash: filter.block_hash() };
        let is_next = id.height == self.done + 1 && id.height <= self.upto.height;
        if !is_next || !self.chain.read().contains(id) {
            return false;
        }
        let (header, filter) = filter.into_parts();
        if matches(&filter, id, &self.scripts) {
            self.order.connect(id, header, true, 0);
        }
        self.done = id.height;
        true
    }
}

/// Whether a filter holds any of the scripts; one in 784,931 times by chance (BIP 158).
pub(crate) fn matches(filter: &bip157::BlockFilter, id: BlockId, scripts: &[ScriptBuf]) -> bool {
    !scripts.is_empty()
        // A filter that cannot be read may hold anything.
        && filter.match_any(&id.hash, scripts.iter().map(|it| it.as_bytes())).unwrap_or(true)
}
