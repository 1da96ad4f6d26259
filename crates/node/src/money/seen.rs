//! What was seen of the chain for one artist: looked for once, kept on the disk, and from then on followed block by
//! block with the node's own client.

use std::{collections::BTreeMap, sync::Arc};

use chain::{BlockId, Chain, Connected, Event};
use domain::{Network, PeerId, bitcoin::ScriptBuf};
use store::Store;
use treasury::paying::{BlockFacts, Book, DaoPayee, Facts, Ledger, Watch};

use super::ledgers::PaidDao;
use crate::api::ApiError;

/// Blocks before a block that its median time is of (BIP 113).
const MEDIAN_SPAN: u32 = 11;
/// Passes over the chain in one look: windows, then payees of notes, then payees of notes found by those.
const MAX_PASSES: usize = 64;
/// Blocks by which a reorganisation is followed to where it began.
const MAX_BLOCKS: usize = 48;
/// Blocks below one that was searched up to which are remembered, too.
const BLOCKS_BELOW: u32 = 12;
/// Blocks without anything new that may be looked through again after a restart.
const UNKEPT: u32 = 6;

/// By what a block is known to have been looked through for an artist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Joined {
    /// The client's number in this run.
    pub(super) client: u64,
    /// The client's number for the scripts.
    pub(super) watch: u64,
}

/// What was seen of the chain for one artist.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) watch: Watch,
    pub(super) facts: Option<Facts>,
    pub(super) joined: Option<Joined>,
    /// What was recomputed last, of which book and up to which block.
    ledger: Option<(Arc<Book>, BlockFacts, Arc<Ledger>)>,
    /// Blocks up to which all was seen, the newest last.
    blocks: Vec<BlockFacts>,
    /// What is above this height is not on the disk.
    kept: Option<u32>,
    loaded: bool,
    /// Where DAOs are paid, as far as that was looked for.
    daos: BTreeMap<[u8; 32], DaoPayee>,
    /// From which height on blocks have to be looked through for DAOs' new scripts.
    again: Option<u32>,
    /// Above which heights the chain was searched.
    #[cfg(test)]
    pub(super) searched: Vec<u32>,
}

impl Seen {
    /// Reads what earlier runs saw, once.
    pub(super) async fn load(
        &mut self,
        store: &Store,
        artist: PeerId,
        network: Network,
    ) -> Result<(), ApiError> {
        if std::mem::replace(&mut self.loaded, true) {
            return Ok(());
        }
        let Some(seen) = store.seen(&artist, network).await? else { return Ok(()) };
        let Some(tip) = seen.blocks.last() else { return Ok(()) };
        let mut facts = Facts::new(network, *tip);
        seen.transactions.into_iter().for_each(|transaction| facts.insert(transaction));
        self.kept = Some(tip.height);
        (self.watch, self.facts, self.blocks) = (Watch::of(seen.covered), Some(facts), seen.blocks);
        Ok(())
    }

    /// Keeps what is new. It is no harm where the disk takes nothing: the chain says it again.
    pub(super) async fn keep(&mut self, store: &Store, artist: PeerId, network: Network) {
        let Some(facts) = self.facts.as_ref().filter(|facts| self.kept != Some(facts.tip.height)) else {
            return;
        };
        let (covered, transactions) = (self.watch.covered(), facts.transactions());
        let above = self.kept.unwrap_or_default();
        let kept = store.keep_seen(&artist, network, covered, &self.blocks, above, transactions).await;
        match kept {
            Ok(()) => self.kept = Some(facts.tip.height),
            Err(error) => tracing::warn!(%error, "what was seen of the chain is not kept"),
        }
    }

    /// Takes where DAOs are paid, each from a height on. Says whether any of it is new.
    pub(super) fn pay_daos(&mut self, daos: &[PaidDao]) -> bool {
        for (dao, payee, from) in daos {
            let before = self.daos.insert(*dao, payee.clone());
            let is_same =
                |before: &DaoPayee| before.scripts == payee.scripts && before.owners == payee.owners;
            if before.as_ref() != Some(payee) {
                self.watch.pay_dao(*dao, payee.clone());
            }
            if !before.as_ref().is_some_and(is_same) {
                // What was counted before did not know of these.
                self.ledger = None;
                self.again = self.again.into_iter().chain([*from]).min();
            }
        }
        self.again.is_some()
    }

    /// Says whether so much is new that it is worth keeping at once.
    pub(super) fn is_worth_keeping(&self) -> bool {
        let Some(facts) = &self.facts else { return false };
        let newest = facts.transactions().last().map_or(0, |it| it.block.height);
        self.kept.is_none_or(|kept| newest > kept || facts.tip.height >= kept + UNKEPT)
    }

    /// Forgets all, to look anew.
    pub(super) fn forget(&mut self) {
        *self = Self { loaded: true, ..Self::default() };
    }

    /// Looks through the blocks since the last time, and again from where new scripts matter. Where that ends early, all
    /// is forgotten but what is on the disk.
    pub(super) async fn look(&mut self, chain: &Chain, book: &Book) -> Result<(), ApiError> {
        let mut seen = std::mem::take(self);
        seen.look_through(chain, book).await?;
        *self = seen;
        Ok(())
    }

    /// Recomputes an artist's money up to the block up to which all was seen; `None` where nothing was.
    pub(super) fn ledger(&mut self, book: &Arc<Book>) -> Option<Arc<Ledger>> {
        let facts = self.facts.as_ref()?;
        if let Some((of, tip, ledger)) = &self.ledger
            && Arc::ptr_eq(of, book)
            && *tip == facts.tip
        {
            return Some(ledger.clone());
        }
        let ledger = Arc::new(Ledger::of(book, &self.watch, facts));
        self.ledger = Some((book.clone(), facts.tip, ledger.clone()));
        Some(ledger)
    }

    async fn look_through(&mut self, chain: &Chain, book: &Book) -> Result<(), ApiError> {
        let born = book.birthday().map_or_else(|| chain.tip().height, |height| height.saturating_sub(1));
        let known = self.facts.as_ref().map_or(born, |facts| facts.tip.height);
        chain.reach(born.min(known).saturating_sub(MEDIAN_SPAN)).await?;
        if self.facts.is_none() {
            self.facts = Some(Facts::new(book.network, block(chain, born)?));
        }
        for _ in 0..MAX_PASSES {
            // Blocks may have been taken away since the last pass.
            self.unwind(chain, born)?;
            let facts = self.facts.as_ref().expect("there are facts by now");
            let (tip, again) = (facts.tip.height, self.watch.follow(book, facts));
            let again = again.into_iter().chain(self.again.take()).min();
            if again.is_none() && tip == chain.tip().height {
                return Ok(());
            }
            if again.is_some() {
                self.joined = None;
            }
            let from = again.map_or(tip, |height| height.saturating_sub(1).min(tip));
            self.search(chain, from).await?;
        }
        Err(ApiError::new("chain_restless", "the chain goes on faster than it can be looked through"))
    }

    /// Takes what the node's own client tells, where that goes on from what was seen.
    pub(super) fn hear(&mut self, chain: &Chain, client: u64, event: &Event) {
        let Some(joined) = self.joined.filter(|joined| joined.client == client) else { return };
        match event {
            Event::Connected(it) if it.watches >= joined.watch => self.connect(chain, it),
            Event::Disconnected(id) => self.disconnect(*id),
            _ => {}
        }
    }

    fn connect(&mut self, chain: &Chain, connected: &Connected) {
        let Some(facts) = &mut self.facts else { return };
        let below = connected.previous();
        if (below.height, below.hash) != (facts.tip.height, facts.tip.hash) {
            return;
        }
        // A block that has left the chain meanwhile is followed by news of that.
        let Ok(at) = block_of(chain, connected.id) else { return };
        if let Some(block) = &connected.block {
            facts.connect(at, block, &self.watch);
        }
        facts.tip = at;
        self.remember([at]);
    }

    fn disconnect(&mut self, id: BlockId) {
        if self.facts.as_ref().is_none_or(|facts| facts.tip.hash != id.hash) {
            return;
        }
        let below = self.blocks.iter().rev().find(|block| block.height + 1 == id.height).copied();
        // Where that is not known, the next look finds it out.
        if let Some(below) = below {
            self.cut(below);
        }
    }

    /// Forgets what a reorganisation took away.
    fn unwind(&mut self, chain: &Chain, born: u32) -> Result<(), ApiError> {
        let facts = self.facts.as_ref().expect("there are facts by now");
        let stands =
            |block: &&BlockFacts| chain.block_id(block.height).is_some_and(|id| id.hash == block.hash);
        if stands(&&facts.tip) {
            return Ok(());
        }
        let of_transactions = facts.transactions().iter().map(|it| &it.block);
        let last = self.blocks.iter().chain(of_transactions).filter(stands).max_by_key(|block| block.height);
        let last = match last {
            Some(block) => *block,
            None => block(chain, born.min(chain.tip().height))?,
        };
        self.cut(last);
        Ok(())
    }

    fn cut(&mut self, tip: BlockFacts) {
        self.kept = self.kept.map(|kept| kept.min(tip.height));
        if let Some(facts) = &mut self.facts {
            facts.disconnect(tip);
        }
        self.blocks.retain(|block| block.height < tip.height);
        self.remember([tip]);
    }

    /// Looks for the scripts above a height up to the newest block, with a client of its own.
    async fn search(&mut self, chain: &Chain, from: u32) -> Result<(), ApiError> {
        #[cfg(test)]
        self.searched.push(from);
        let facts = self.facts.as_mut().expect("there are facts by now");
        self.kept = self.kept.map(|kept| kept.min(from));
        self.ledger = None;
        let scripts: Vec<ScriptBuf> = self.watch.scripts().cloned().collect();
        let mut scan = chain.scan(scripts, from).await?;
        while let Some(found) = scan.next().await {
            let found = found?;
            facts.connect(block_of(chain, found.id)?, &found.block, &self.watch);
        }
        let upto = scan.upto();
        facts.tip = block_of(chain, upto)?;
        let below = (upto.height.saturating_sub(BLOCKS_BELOW).max(from + 1)..upto.height)
            .map_while(|height| block(chain, height).ok())
            .collect::<Vec<_>>();
        let tip = facts.tip;
        self.remember(below.into_iter().chain([tip]));
        Ok(())
    }

    /// Adds blocks up to which all was seen.
    fn remember(&mut self, blocks: impl IntoIterator<Item = BlockFacts>) {
        for block in blocks {
            self.blocks.retain(|known| known.height != block.height);
            self.blocks.push(block);
        }
        self.blocks.sort_by_key(|block| block.height);
        let excess = self.blocks.len().saturating_sub(MAX_BLOCKS);
        self.blocks.drain(..excess);
    }
}

fn block_of(chain: &Chain, id: BlockId) -> Result<BlockFacts, ApiError> {
    let found = block(chain, id.height)?;
    match found.hash == id.hash {
        true => Ok(found),
        false => Err(ApiError::new("chain_moved", format!("block {} is not of the chain any more", id.hash))),
    }
}

fn block(chain: &Chain, height: u32) -> Result<BlockFacts, ApiError> {
    let unknown = || ApiError::new("chain_moved", format!("the block at height {height} is not known"));
    let id = chain.block_id(height).ok_or_else(unknown)?;
    let median_time_past = chain.median_time_past(height).ok_or_else(unknown)?;
    // Both are of one chain where the block is there still: its hash names the ten before it.
    match chain.block_id(height) == Some(id) {
        true => Ok(BlockFacts { height, hash: id.hash, median_time_past }),
        false => Err(unknown()),
    }
}
