//! The wallet's output scripts, and which of its outputs they found.

use std::{collections::BTreeMap, ops::Range};

use bdk_wallet::chain::spk_txout::SpkTxOutIndex;
use domain::{
    bitcoin::{OutPoint, ScriptBuf, Transaction, bip32::Xpub, key::Secp256k1, secp256k1::VerifyOnly},
    kinds::WINDOW,
};

use super::{Accounts, Chain, MAX_INDEX, taproot_script};

/// Addresses beyond the last known one that are watched as well: a restored wallet finds its coins as long as it never
/// handed out more than this in a row without being paid.
pub const LOOKAHEAD: u32 = 100;

pub(crate) struct Scripts {
    chains: BTreeMap<Chain, Xpub>,
    index: SpkTxOutIndex<(Chain, u32)>,
    secp: Secp256k1<VerifyOnly>,
    fresh: Vec<ScriptBuf>,
}

impl Scripts {
    pub(crate) fn new(accounts: &Accounts) -> Self {
        Self {
            chains: Chain::ALL.into_iter().map(|chain| (chain, accounts.xpub(chain))).collect(),
            index: SpkTxOutIndex::default(),
            secp: Secp256k1::verification_only(),
            fresh: Vec::new(),
        }
    }

    /// Watches the addresses handed out and those that may be next.
    pub(crate) fn reveal(&mut self, chain: Chain, count: u32) {
        self.watch(chain, 0..count.saturating_add(LOOKAHEAD));
    }

    /// Watches a window of both published chains.
    pub(crate) fn open(&mut self, base: u32) {
        for chain in [Chain::Income, Chain::Principal] {
            self.watch(chain, base..base.saturating_add(WINDOW));
        }
    }

    /// Every script that is watched.
    pub(crate) fn all(&self) -> impl Iterator<Item = &ScriptBuf> {
        self.index.all_spks().values()
    }

    /// The scripts that are watched since this was asked last.
    pub(crate) fn take_fresh(&mut self) -> Vec<ScriptBuf> {
        std::mem::take(&mut self.fresh)
    }

    pub(crate) fn script(&self, chain: Chain, index: u32) -> ScriptBuf {
        let known = self.index.spk_at_index(&(chain, index));
        known.unwrap_or_else(|| taproot_script(&self.secp, &self.chains[&chain], index))
    }

    pub(crate) fn find(&self, script: &ScriptBuf) -> Option<(Chain, u32)> {
        self.index.index_of_spk(script.clone()).copied()
    }

    /// Where the output stands, if it is the wallet's.
    pub(crate) fn of(&self, outpoint: OutPoint) -> Option<(Chain, u32)> {
        self.index.txout(outpoint).map(|(place, _)| *place)
    }

    /// Every output that was ever the wallet's.
    pub(crate) fn outputs(&self) -> impl Iterator<Item = (Chain, u32, OutPoint)> {
        self.index.outpoints().iter().map(|((chain, index), outpoint)| (*chain, *index, *outpoint))
    }

    /// Says whether the transaction pays the wallet or spends its coins.
    pub(crate) fn concern(&self, tx: &Transaction) -> bool {
        self.index.is_relevant(tx)
    }

    /// Takes note of the transaction's outputs and returns the places that they paid.
    pub(crate) fn scan(&mut self, tx: &Transaction) -> impl Iterator<Item = (Chain, u32)> {
        self.index.scan(tx).into_iter()
    }

    fn watch(&mut self, chain: Chain, range: Range<u32>) {
        let key = self.chains[&chain];
        for index in range.start..range.end.min(MAX_INDEX) {
            if self.index.all_spks().contains_key(&(chain, index)) {
                continue;
            }
            let script = derive(&self.secp, &key, index);
            self.index.insert_spk((chain, index), script.clone());
            self.fresh.push(script);
        }
    }
}

#[cfg(not(test))]
use super::taproot_script as derive;

/// Remembers what it derived: without optimisation that takes long, and the wallets of all tests have the same keys.
#[cfg(test)]
fn derive(secp: &Secp256k1<VerifyOnly>, key: &Xpub, index: u32) -> ScriptBuf {
    use std::sync::Mutex;

    static KNOWN: Mutex<BTreeMap<(Xpub, u32), ScriptBuf>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap();
    known.entry((*key, index)).or_insert_with(|| taproot_script(secp, key, index)).clone()
}
