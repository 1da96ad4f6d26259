//! A chain of blocks without work, which takes what the network would.

use std::collections::{BTreeMap, HashMap};

use domain::bitcoin::{
    Amount, BlockHash, OutPoint, ScriptBuf, Transaction, TxOut, Txid, absolute::LockTime, hashes::Hash,
    transaction::Version,
};
use treasury::dao::{Confirmed, member::Block};

use super::consensus;

/// The height at which every simulation begins.
const FIRST: u32 = 100;

/// Blocks, coins, and what waits for the next block.
#[derive(Default)]
pub(super) struct Chain {
    blocks: Vec<Block>,
    coins: HashMap<OutPoint, Confirmed>,
    spends: HashMap<OutPoint, (Txid, Block)>,
    mined: BTreeMap<u32, Vec<Transaction>>,
    pending: Vec<Transaction>,
    given: u32,
}

impl Chain {
    pub(super) fn new() -> Self {
        let mut chain = Self::default();
        chain.mine();
        chain
    }

    pub(super) fn tip(&self) -> Block {
        *self.blocks.last().expect("there is a first block")
    }

    pub(super) fn block(&self, height: u32) -> Option<Block> {
        let at = usize::try_from(height.checked_sub(FIRST)?).ok()?;
        self.blocks.get(at).copied()
    }

    pub(super) fn coin(&self, outpoint: &OutPoint) -> Option<&Confirmed> {
        self.coins.get(outpoint)
    }

    pub(super) fn spender(&self, outpoint: &OutPoint) -> Option<(Txid, Block)> {
        self.spends.get(outpoint).copied()
    }

    /// The transactions in the blocks after a height, in their order.
    pub(super) fn after(&self, height: u32) -> impl Iterator<Item = &Transaction> {
        self.mined.range(height + 1..).flat_map(|(_, transactions)| transactions)
    }

    /// Takes a transaction if the network would; says whether it is new.
    pub(super) fn submit(&mut self, transaction: &Transaction) -> Result<bool, String> {
        let txid = transaction.compute_txid();
        let is_mined = self.spends.get(&transaction.input[0].previous_output).is_some_and(|it| it.0 == txid);
        if is_mined || self.pending.iter().any(|other| other.compute_txid() == txid) {
            return Ok(false);
        }
        self.check(transaction, true)?;
        self.pending.push(transaction.clone());
        Ok(true)
    }

    /// Checks everything that the network does; whether the coins have been silent for long enough, too, if `aged`.
    pub(super) fn check(&self, transaction: &Transaction, aged: bool) -> Result<(), String> {
        let mut spent = Vec::new();
        for input in &transaction.input {
            let coin = self.coins.get(&input.previous_output).ok_or("it spends a coin that is not there")?;
            if self.spends.contains_key(&input.previous_output) {
                return Err("it spends a spent coin".into());
            }
            let silence = if input.sequence.is_relative_lock_time() { input.sequence.0 } else { 0 };
            if aged && self.tip().height + 1 < coin.height + silence {
                return Err("it comes too early".into());
            }
            spent.push(coin.output.clone());
        }
        if transaction.lock_time.to_consensus_u32() > self.tip().height {
            return Err("its lock time is to come".into());
        }
        consensus::check(transaction, &spent)
    }

    /// Mines what waits; of rivals the one that came first.
    pub(super) fn mine(&mut self) -> Block {
        let height = self.blocks.last().map_or(FIRST, |block| block.height + 1);
        let block = Block { height, hash: BlockHash::hash(&height.to_le_bytes()) };
        self.blocks.push(block);
        for transaction in std::mem::take(&mut self.pending) {
            let is_spent = |outpoint: &OutPoint| self.spends.contains_key(outpoint);
            if transaction.input.iter().any(|input| is_spent(&input.previous_output)) {
                continue;
            }
            let txid = transaction.compute_txid();
            let inputs = transaction.input.iter().map(|input| (input.previous_output, (txid, block)));
            self.spends.extend(inputs);
            self.add(txid, &transaction.output, block);
            self.mined.entry(height).or_default().push(transaction);
        }
        block
    }

    fn add(&mut self, txid: Txid, outputs: &[TxOut], block: Block) {
        for (vout, output) in (0..).zip(outputs) {
            let coin = Confirmed { output: output.clone(), height: block.height, block: block.hash };
            self.coins.insert(OutPoint { txid, vout }, coin);
        }
    }

    /// A coin out of nothing, in the last block.
    pub(super) fn give(&mut self, script_pubkey: ScriptBuf, value: Amount) -> (OutPoint, Confirmed) {
        self.given += 1;
        let lock_time = LockTime::from_consensus(self.given);
        let output = vec![TxOut { value, script_pubkey }];
        let transaction = Transaction { version: Version(2), lock_time, input: Vec::new(), output };
        let (txid, tip) = (transaction.compute_txid(), self.tip());
        self.add(txid, &transaction.output, tip);
        let outpoint = OutPoint { txid, vout: 0 };
        (outpoint, self.coins[&outpoint].clone())
    }
}
