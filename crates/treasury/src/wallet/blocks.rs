//! The best chain as far as the wallet needs it.

use std::{collections::BTreeMap, convert::Infallible};

use bdk_wallet::chain::{BlockId, ChainOracle};
use domain::{
    Network,
    bitcoin::{BlockHash, blockdata::constants::genesis_block},
};

/// Blocks below the tip that are always kept, so that a fork of any plausible depth is found.
pub(crate) const KEPT: u32 = 1_000;

/// Hashes of the best chain by height. They may have gaps; the genesis block is always there.
#[derive(Clone, Debug)]
pub(crate) struct Blocks(BTreeMap<u32, BlockHash>);

/// Changes of the chain: blocks that joined it and heights that left it.
pub(crate) type Changes = BTreeMap<u32, Option<BlockHash>>;

impl Blocks {
    pub(crate) fn new(network: Network, blocks: &Changes) -> Self {
        let genesis = (0, genesis_block(network.bitcoin()).block_hash());
        let known = blocks.iter().filter_map(|(height, hash)| Some((*height, (*hash)?)));
        Self(known.chain([genesis]).collect())
    }

    pub(crate) fn tip(&self) -> BlockId {
        let (height, hash) = self.0.last_key_value().expect("the genesis block is always there");
        BlockId { height: *height, hash: *hash }
    }

    pub(crate) fn hash(&self, height: u32) -> Option<BlockHash> {
        self.0.get(&height).copied()
    }

    /// Newest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = BlockId> {
        self.0.iter().rev().map(|(height, hash)| BlockId { height: *height, hash: *hash })
    }

    /// Adds a block, and drops those that it contradicts. `None` says that it contradicts the genesis block.
    pub(crate) fn connect(&mut self, block: BlockId, prev: BlockHash) -> Option<Changes> {
        let below =
            block.height.checked_sub(1).filter(|height| self.hash(*height).is_some_and(|hash| hash != prev));
        let here = self.hash(block.height).is_some_and(|hash| hash != block.hash).then_some(block.height);
        let mut changes = match below.or(here) {
            Some(0) => return None,
            Some(height) => self.cut(height),
            None => Changes::new(),
        };
        if self.0.insert(block.height, block.hash) != Some(block.hash) {
            changes.insert(block.height, Some(block.hash));
        }
        Some(changes)
    }

    /// Drops a block and all above it, if it is in the chain.
    pub(crate) fn disconnect(&mut self, block: BlockId) -> Changes {
        match self.hash(block.height) {
            Some(hash) if hash == block.hash && block.height > 0 => self.cut(block.height),
            _ => Changes::new(),
        }
    }

    /// Forgets all but the blocks that matter and those near the tip.
    pub(crate) fn thinned(&self, matters: impl Fn(u32) -> bool) -> Changes {
        let recent = self.tip().height.saturating_sub(KEPT);
        let kept = self.0.iter().filter(|(height, _)| **height >= recent || matters(**height));
        kept.map(|(height, hash)| (*height, Some(*hash))).collect()
    }

    fn cut(&mut self, height: u32) -> Changes {
        self.0.split_off(&height).into_keys().map(|height| (height, None)).collect()
    }
}

impl ChainOracle for Blocks {
    type Error = Infallible;

    fn is_block_in_chain(&self, block: BlockId, tip: BlockId) -> Result<Option<bool>, Infallible> {
        if self.hash(tip.height) != Some(tip.hash) || block.height > tip.height {
            return Ok(None);
        }
        Ok(self.hash(block.height).map(|hash| hash == block.hash))
    }

    fn get_chain_tip(&self) -> Result<BlockId, Infallible> {
        Ok(self.tip())
    }
}

#[cfg(test)]
mod tests {
    use domain::bitcoin::hashes::Hash;

    use super::*;

    fn hash(seed: u8) -> BlockHash {
        BlockHash::from_byte_array([seed; 32])
    }

    fn at(height: u32, seed: u8) -> BlockId {
        BlockId { height, hash: hash(seed) }
    }

    #[test]
    fn a_contradiction_drops_what_it_contradicts() {
        let mut blocks = Blocks::new(Network::Regtest, &Changes::new());
        let genesis = blocks.tip().hash;
        assert_eq!(blocks.connect(at(1, 1), genesis), Some(Changes::from([(1, Some(hash(1)))])));
        assert_eq!(blocks.connect(at(2, 2), hash(1)), Some(Changes::from([(2, Some(hash(2)))])));
        assert_eq!(blocks.connect(at(2, 2), hash(1)), Some(Changes::new()));
        // Another block of the same height, then one whose parent is unknown here.
        assert_eq!(blocks.connect(at(2, 22), hash(1)), Some(Changes::from([(2, Some(hash(22)))])));
        let reorganised = Changes::from([(2, None), (3, Some(hash(3)))]);
        assert_eq!(blocks.connect(at(3, 3), hash(2)), Some(reorganised));
        assert_eq!(blocks.tip(), at(3, 3));
        assert_eq!(blocks.disconnect(at(1, 9)), Changes::new());
        assert_eq!(blocks.disconnect(at(1, 1)), Changes::from([(1, None), (3, None)]));
        assert_eq!(blocks.connect(at(1, 1), hash(9)), None);
    }

    #[test]
    fn a_block_of_the_past_fits_into_a_gap() {
        let mut blocks = Blocks::new(Network::Regtest, &Changes::new());
        blocks.connect(at(9, 9), hash(8)).unwrap();
        assert_eq!(blocks.connect(at(5, 5), hash(4)), Some(Changes::from([(5, Some(hash(5)))])));
        assert_eq!(blocks.tip(), at(9, 9));
        assert_eq!(blocks.is_block_in_chain(at(5, 5), at(9, 9)), Ok(Some(true)));
        assert_eq!(blocks.is_block_in_chain(at(5, 6), at(9, 9)), Ok(Some(false)));
        assert_eq!(blocks.is_block_in_chain(at(6, 6), at(9, 9)), Ok(None));
    }

    #[test]
    fn thinning_keeps_what_matters() {
        let mut blocks = Blocks::new(Network::Regtest, &Changes::new());
        for height in 1..=KEPT + 100 {
            blocks.connect(at(height, height as u8), hash((height as u8).wrapping_sub(1)));
        }
        let kept = blocks.thinned(|height| height == 7);
        assert!(kept.contains_key(&7) && !kept.contains_key(&8) && kept.contains_key(&100));
    }
}
