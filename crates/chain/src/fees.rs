//! Fee rates without a vendor, and without a mempool.
//!
//! A light client sees no mempool, so it cannot know what waits. It knows what the last blocks were paid on average (the
//! coinbase takes what exceeds the subsidy) and the least that a peer relays. An average lies above what the cheapest
//! transaction of a block paid, so these estimates are rather too high than too low while demand is even, and too low for a
//! while when demand rises suddenly: then the owner speeds a payment up. A block that its miner filled with its own
//! transactions, or that holds one extreme fee, moves one of the [`SAMPLE`] samples.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bitcoin::{Amount, Block, BlockHash, FeeRate};
use domain::Network;

use crate::error::Error;
use crate::handle::Chain;

/// Blocks that an estimate is made of; each is fetched whole, once.
pub(crate) const SAMPLE: u32 = 3;

/// Averages that are remembered.
const REMEMBERED: usize = 100;

/// The lowest rate that nodes relay by default: 1 sat/vB. (Newer nodes relay less; older ones do not.)
const LEAST: FeeRate = FeeRate::BROADCAST_MIN;

/// What a block pays its miner before the first halving.
const FIRST_SUBSIDY: Amount = Amount::from_int_btc(50);

/// Blocks between halvings, and on regtest.
const HALVING: u32 = 210_000;
const REGTEST_HALVING: u32 = 150;

/// Estimated fee rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeeRates {
    /// The lowest average of the last blocks: within hours.
    pub slow: FeeRate,
    /// The median: within some blocks.
    pub normal: FeeRate,
    /// The highest: the next block, most likely.
    pub fast: FeeRate,
    /// Below this a peer relays nothing.
    pub floor: FeeRate,
    /// Blocks that the estimate was made of.
    pub blocks: u32,
}

/// The averages of blocks that were looked at.
#[derive(Debug, Default)]
pub(crate) struct Fees {
    averages: Mutex<HashMap<BlockHash, FeeRate>>,
}

impl Fees {
    pub(crate) async fn estimate(&self, chain: &Chain) -> Result<FeeRates, Error> {
        let tip = chain.tip().height;
        let mut averages = Vec::new();
        for height in tip.saturating_sub(SAMPLE - 1).max(1)..=tip {
            let Some(id) = chain.block_id(height) else { continue };
            averages.push(self.average(chain, height, id.hash).await?);
        }
        Ok(rates(averages, *chain.floor.borrow()))
    }

    async fn average(&self, chain: &Chain, height: u32, hash: BlockHash) -> Result<FeeRate, Error> {
        let known = self.averages.lock().unwrap_or_else(PoisonError::into_inner).get(&hash).copied();
        if let Some(known) = known {
            return Ok(known);
        }
        let block = chain.block(hash).await?;
        let average = average_of(&block, subsidy(chain.config.network, height));
        let mut averages = self.averages.lock().unwrap_or_else(PoisonError::into_inner);
        if averages.len() >= REMEMBERED {
            averages.clear();
        }
        averages.insert(hash, average);
        Ok(average)
    }
}

fn rates(mut averages: Vec<FeeRate>, floor: FeeRate) -> FeeRates {
    averages.sort_unstable();
    let floor = floor.max(LEAST);
    let at =
        |index: Option<usize>| index.and_then(|it| averages.get(it)).map_or(floor, |it| (*it).max(floor));
    FeeRates {
        slow: at(Some(0)),
        normal: at(Some(averages.len() / 2)),
        fast: at(averages.len().checked_sub(1)),
        floor,
        blocks: u32::try_from(averages.len()).unwrap_or(u32::MAX),
    }
}

/// What the transactions of a block paid per weight on average, the coinbase aside.
fn average_of(block: &Block, subsidy: Amount) -> FeeRate {
    let Some(coinbase) = block.coinbase() else { return FeeRate::ZERO };
    let revenue = coinbase.output.iter().fold(0_u64, |sum, it| sum.saturating_add(it.value.to_sat()));
    let fees = revenue.saturating_sub(subsidy.to_sat());
    let weight: u64 = block.txdata.iter().skip(1).map(|it| it.weight().to_wu()).sum();
    FeeRate::from_sat_per_kwu(fees.saturating_mul(1_000).checked_div(weight).unwrap_or_default())
}

fn subsidy(network: Network, height: u32) -> Amount {
    let interval = if network == Network::Regtest { REGTEST_HALVING } else { HALVING };
    let halvings = height / interval;
    Amount::from_sat(FIRST_SUBSIDY.to_sat().checked_shr(halvings).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subsidy_halves_until_nothing_is_left() {
        assert_eq!(subsidy(Network::Mainnet, 209_999), Amount::from_sat(5_000_000_000));
        assert_eq!(subsidy(Network::Mainnet, 840_000), Amount::from_sat(312_500_000));
        assert_eq!(subsidy(Network::Regtest, 150), Amount::from_sat(2_500_000_000));
        assert_eq!(subsidy(Network::Regtest, u32::MAX), Amount::ZERO);
    }

    #[test]
    fn three_speeds_are_the_lowest_the_middle_and_the_highest_and_none_is_below_the_floor() {
        let rate = FeeRate::from_sat_per_kwu;
        let some = rates(vec![rate(900), rate(2_000), rate(10)], rate(300));
        assert_eq!((some.slow, some.normal, some.fast), (rate(300), rate(900), rate(2_000)));
        let none = rates(Vec::new(), FeeRate::ZERO);
        assert_eq!((none.slow, none.fast, none.floor, none.blocks), (LEAST, LEAST, LEAST, 0));
    }
}
