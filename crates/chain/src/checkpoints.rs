//! Blocks that are known to be in the chain, so that nobody has to begin at its first.

use bitcoin::BlockHash;
use bitcoin::constants::genesis_block;
use domain::Network;

use crate::event::BlockId;

/// Heights and hashes of `m_assumeutxo_data` in `src/kernel/chainparams.cpp` of Bitcoin Core 31.99 (as carried by the package
/// libbitcoinkernel-sys 0.4.1), and before them the last block without taproot, from bip157 0.8.1's
/// `HashCheckpoint::taproot_activation`: no wallet of ours can own an older coin.
const MAINNET: &[(u32, &str)] = &[
    (709_631, "000000000000000000013712fc242ee6dd28476d0e9c931c75f83e6974c6bccc"),
    (840_000, "0000000000000000000320283a032748cef8227873ff4872689bf23f1cda83a5"),
    (880_000, "000000000000000000010b17283c3c400507969a9c2afd1dcf2082ec5cca2880"),
    (910_000, "0000000000000000000108970acb9522ffd516eae17acddcb1bd16469194a821"),
    (935_000, "0000000000000000000147034958af1652b2b91bba607beacc5e72a56f0fb5ee"),
];

/// From the same `m_assumeutxo_data`.
const SIGNET: &[(u32, &str)] = &[
    (160_000, "0000003ca3c99aff040f2563c2ad8f8ec88bd0fd6b8f0895cfaf1ef90353a62c"),
    (290_000, "0000000577f2741bb30cd9d39d6d71b023afbeb9764f6260786a97969d5c9ac0"),
];

/// From the same `m_assumeutxo_data`.
const TESTNET4: &[(u32, &str)] = &[
    (90_000, "0000000002ebe8bcda020e0dd6ccfbdfac531d2f6a81457191b99fc2df2dbe3b"),
    (120_000, "000000000bd2317e51b3c5794981c35ba894ce27d3e772d5c39ecd9cbce01dc8"),
];

/// Returns the newest block that this program knows by heart: the birthday of a wallet that is made before any peer answered.
pub fn newest_checkpoint(network: Network) -> BlockId {
    checkpoint_below(network, u32::MAX)
}

/// The highest known block that is not above `height`; the first block of the chain where there is none.
pub(crate) fn checkpoint_below(network: Network, height: u32) -> BlockId {
    let known = match network {
        Network::Mainnet => MAINNET,
        Network::Signet => SIGNET,
        Network::Testnet4 => TESTNET4,
        Network::Regtest => &[],
    };
    match known.iter().rev().find(|it| it.0 <= height) {
        Some(&(height, hash)) => {
            BlockId { height, hash: hash.parse().expect("the hashes are constant and tested") }
        }
        None => genesis(network),
    }
}

fn genesis(network: Network) -> BlockId {
    let hash: BlockHash = genesis_block(network.bitcoin()).block_hash();
    BlockId { height: 0, hash }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hash_parses_and_has_the_work_of_its_network() {
        for network in [Network::Mainnet, Network::Signet, Network::Testnet4] {
            let newest = newest_checkpoint(network);
            assert_eq!(checkpoint_below(network, newest.height), newest);
            let mut height = newest.height;
            while height > 0 {
                let below = checkpoint_below(network, height - 1);
                assert!(below.height < height);
                assert!(below.height == 0 || below.hash.to_string().starts_with("000000"));
                height = below.height;
            }
        }
        assert_eq!(newest_checkpoint(Network::Regtest).height, 0);
    }

    #[test]
    fn the_oldest_of_bip157_is_the_same() {
        let theirs = bip157::HashCheckpoint::taproot_activation();
        let ours = checkpoint_below(Network::Mainnet, theirs.height);
        assert_eq!((ours.height, ours.hash), (theirs.height, theirs.hash));
    }
}
