//! A chain of blocks, and what was sent to it.

use std::collections::BTreeMap;

use domain::bitcoin::{
    Amount, BlockHash, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness,
    absolute::LockTime, hashes::Hash, transaction::Version,
};

use super::super::{super::Confirmed, Block};

#[derive(Clone)]
pub(super) struct Mined {
    pub block: Block,
    pub transactions: Vec<Transaction>,
}

/// Blocks and what waits for the next one.
#[derive(Default)]
pub(super) struct Chain {
    pub blocks: Vec<Mined>,
    pub pending: BTreeMap<Txid, Transaction>,
    made: u32,
}

impl Chain {
    pub(super) fn tip(&self) -> Block {
        self.blocks.last().unwrap().block
    }

    fn transactions(&self) -> impl Iterator<Item = (&Block, &Transaction)> {
        self.blocks.iter().flat_map(|mined| mined.transactions.iter().map(|it| (&mined.block, it)))
    }

    pub(super) fn coin(&self, outpoint: &OutPoint) -> Option<Confirmed> {
        let made = |(block, transaction): (&Block, &Transaction)| {
            let output = transaction.output.get(usize::try_from(outpoint.vout).unwrap())?;
            let output = (transaction.compute_txid() == outpoint.txid).then(|| output.clone())?;
            Some(Confirmed { output, height: block.height, block: block.hash })
        };
        self.transactions().find_map(made)
    }

    pub(super) fn spender(&self, outpoint: &OutPoint) -> Option<(Txid, Block)> {
        let spends = |transaction: &Transaction| spends(transaction, outpoint);
        self.transactions().find(|(_, it)| spends(it)).map(|(block, it)| (it.compute_txid(), *block))
    }

    pub(super) fn pending_spender(&self, outpoint: &OutPoint) -> Option<Txid> {
        self.pending.iter().find(|(_, it)| spends(it, outpoint)).map(|(txid, _)| *txid)
    }

    /// Says whether a transaction's coins are there and unspent.
    fn fits(&self, transaction: &Transaction) -> bool {
        transaction.input.iter().all(|input| {
            let (coin, age) = (self.coin(&input.previous_output), input.sequence);
            let is_old = |coin: Confirmed| {
                !age.is_relative_lock_time() || self.tip().height >= coin.height + age.to_consensus_u32()
            };
            coin.is_some_and(is_old) && self.spender(&input.previous_output).is_none()
        })
    }

    /// Mines what waits, rivals in an order of the caller's choice.
    pub(super) fn mine(&mut self, mut order: impl FnMut(usize) -> usize) {
        self.made += 1;
        let height = self.blocks.last().map_or(100, |mined| mined.block.height + 1);
        let hash = BlockHash::hash(&[height.to_le_bytes(), self.made.to_le_bytes()].concat());
        self.blocks.push(Mined { block: Block { height, hash }, transactions: Vec::new() });
        let mut waiting: Vec<Transaction> = self.pending.values().cloned().collect();
        while !waiting.is_empty() {
            let transaction = waiting.swap_remove(order(waiting.len()));
            if self.fits(&transaction) {
                self.pending.remove(&transaction.compute_txid());
                self.blocks.last_mut().unwrap().transactions.push(transaction);
            }
        }
    }

    /// Undoes blocks; their transactions wait again.
    pub(super) fn undo(&mut self, depth: usize) {
        for _ in 0..depth.min(self.blocks.len() - 1) {
            let mined = self.blocks.pop().unwrap();
            let coins = mined.transactions.into_iter().filter(|it| !it.input.is_empty());
            self.pending.extend(coins.map(|it| (it.compute_txid(), it)));
        }
    }

    /// A coin out of nothing, in the last block.
    pub(super) fn give(&mut self, script_pubkey: ScriptBuf, sat: u64) -> (OutPoint, Confirmed) {
        self.made += 1;
        let lock_time = LockTime::from_consensus(self.made);
        let output = vec![TxOut { value: Amount::from_sat(sat), script_pubkey }];
        let transaction = Transaction { version: Version(2), lock_time, input: Vec::new(), output };
        let outpoint = OutPoint { txid: transaction.compute_txid(), vout: 0 };
        self.blocks.last_mut().unwrap().transactions.push(transaction);
        (outpoint, self.coin(&outpoint).unwrap())
    }

    /// Spends a coin to nowhere in particular.
    pub(super) fn spend(&mut self, outpoint: OutPoint) {
        let input = TxIn {
            previous_output: outpoint,
            script_sig: ScriptBuf::new(),
            sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
            witness: Witness::new(),
        };
        let output = vec![TxOut { value: Amount::from_sat(1_000), script_pubkey: ScriptBuf::new() }];
        let transaction =
            Transaction { version: Version(2), lock_time: LockTime::ZERO, input: vec![input], output };
        self.pending.insert(transaction.compute_txid(), transaction);
    }

    /// How many outputs on the chain pay a script.
    pub(super) fn paid(&self, script: &ScriptBuf) -> usize {
        let outputs = self.transactions().flat_map(|(_, it)| &it.output);
        outputs.filter(|output| output.script_pubkey == *script).count()
    }

    pub(super) fn find(&self, txid: &Txid) -> Option<&Transaction> {
        self.transactions().map(|(_, it)| it).find(|it| it.compute_txid() == *txid)
    }
}

fn spends(transaction: &Transaction, outpoint: &OutPoint) -> bool {
    transaction.input.iter().any(|input| input.previous_output == *outpoint)
}
