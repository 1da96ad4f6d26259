//! The wallet's promises, on a chain made by hand.

mod anchored;
mod backups;
mod big;
mod following;
mod paying;
mod secrets;
mod speeding;

use std::sync::Arc;

use domain::{
    Network,
    bitcoin::{
        Address, Amount, Block, BlockHash, CompactTarget, FeeRate, OutPoint, ScriptBuf, Sequence,
        Transaction, TxIn, TxMerkleNode, TxOut, Txid, Witness,
        absolute::LockTime,
        block::{Header, Version as BlockVersion},
        constants::genesis_block,
        hashes::Hash,
        transaction::Version,
    },
};

use super::*;

/// When everything begins, in unix seconds.
const NOW: u64 = 1_760_000_000;
const WORDS: &str =
    "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";

fn rate(sat_per_vb: u32) -> FeeRate {
    FeeRate::from_sat_per_vb_u32(sat_per_vb)
}

fn sats(amount: u64) -> Amount {
    Amount::from_sat(amount)
}

/// A wallet with its keys, the chain that it follows, and what was kept of it.
struct World {
    wallet: Wallet,
    keys: Keys,
    chain: Vec<Block>,
    kept: ChangeSet,
    now: u64,
    salt: u32,
}

impl World {
    fn new(network: Network) -> Self {
        let keys = Seed::parse(WORDS).unwrap().keys(network);
        let wallet = Wallet::create(keys.accounts(), 0);
        let chain = vec![genesis_block(network.bitcoin())];
        let mut world = Self { wallet, keys, chain, kept: ChangeSet::default(), now: NOW, salt: 0 };
        world.keep();
        world
    }

    /// One with confirmed coins of these amounts on its private account.
    fn with_coins(network: Network, amounts: &[u64]) -> Self {
        let mut world = Self::new(network);
        let coins: Vec<Transaction> = amounts
            .iter()
            .map(|amount| {
                let (_, address) = world.wallet.fresh_address();
                world.foreign(&[(address.script_pubkey(), *amount)])
            })
            .collect();
        world.mine(&coins);
        world.keep();
        world
    }

    fn keep(&mut self) {
        if let Some(change) = self.wallet.staged() {
            self.kept.merge(change.clone());
            self.wallet.mark_persisted();
        }
    }

    /// What a start after a crash finds.
    fn reloaded(&self) -> Wallet {
        let json = serde_json::to_string(&self.kept).unwrap();
        Wallet::load(serde_json::from_str(&json).unwrap()).unwrap()
    }

    fn height(&self) -> u32 {
        self.chain.len() as u32 - 1
    }

    fn mine(&mut self, txs: &[Transaction]) -> Vec<Txid> {
        self.salt += 1;
        self.now += 600;
        let block = block(self.chain.last().unwrap().block_hash(), self.salt, self.now, txs);
        self.chain.push(block.clone());
        let height = self.height();
        self.wallet.connect(height, &block.header, Some(&block)).unwrap()
    }

    fn mine_empty(&mut self, count: usize) {
        for _ in 0..count {
            self.mine(&[]);
        }
    }

    /// Undoes the newest blocks, as a chain's client tells it: the highest first.
    fn undo(&mut self, count: usize) -> Vec<Block> {
        let mut undone = Vec::new();
        for _ in 0..count {
            let (height, block) = (self.height(), self.chain.pop().unwrap());
            self.wallet.disconnect(height, block.block_hash());
            undone.push(block);
        }
        undone
    }

    /// A transaction of somebody unknown.
    fn foreign(&mut self, outputs: &[(ScriptBuf, u64)]) -> Transaction {
        self.salt += 1;
        let outpoint = OutPoint::new(Txid::from_byte_array([0xaa; 32]), self.salt);
        transaction(&[outpoint], outputs)
    }

    fn prepare(&self, spend: &Spend) -> Result<Draft, SpendError> {
        self.wallet.prepare(spend, [7; 32], self.now)
    }

    fn sign(&mut self, draft: &Draft) -> Txid {
        self.now += 1;
        self.wallet.sign(draft, &self.keys, self.now).unwrap()
    }

    /// Signs, keeps, and hands out what other nodes get.
    fn send(&mut self, draft: &Draft) -> Transaction {
        let txid = self.sign(draft);
        self.keep();
        let tx = self.wallet.outbox().into_iter().find(|tx| tx.compute_txid() == txid).unwrap();
        self.wallet.mark_broadcast(txid);
        self.keep();
        Arc::unwrap_or_clone(tx)
    }

    fn state(&self, txid: Txid) -> TxState {
        self.wallet.entry(txid).unwrap().state
    }
}

fn transaction(inputs: &[OutPoint], outputs: &[(ScriptBuf, u64)]) -> Transaction {
    let input = |outpoint: &OutPoint| TxIn {
        previous_output: *outpoint,
        sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
        witness: Witness::from_slice(&[[1_u8; 64]]),
        ..TxIn::default()
    };
    let output =
        |(script, amount): &(ScriptBuf, u64)| TxOut { value: sats(*amount), script_pubkey: script.clone() };
    Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: inputs.iter().map(input).collect(),
        output: outputs.iter().map(output).collect(),
    }
}

fn coinbase(script: ScriptBuf, amount: u64, salt: u32) -> Transaction {
    let mut tx = transaction(&[OutPoint::null()], &[(script, amount)]);
    tx.input[0].script_sig = ScriptBuf::from_bytes(salt.to_le_bytes().to_vec());
    tx
}

fn block(prev: BlockHash, salt: u32, time: u64, txs: &[Transaction]) -> Block {
    let first = coinbase(ScriptBuf::new(), 0, salt);
    let txdata = std::iter::once(first).chain(txs.iter().cloned()).collect();
    let header = Header {
        version: BlockVersion::TWO,
        prev_blockhash: prev,
        merkle_root: TxMerkleNode::all_zeros(),
        time: time as u32,
        bits: CompactTarget::from_consensus(0x207f_ffff),
        nonce: salt,
    };
    let mut block = Block { header, txdata };
    block.header.merkle_root = block.compute_merkle_root().unwrap();
    block
}

/// An address of somebody else's.
fn other(network: Network) -> Address {
    let seed = Seed::generate(&zeroize::Zeroizing::new([9; 32]), WordCount::TwentyFour);
    seed.keys(network).accounts().address(Chain::Receive, 0)
}

fn pay(network: Network, amount: u64) -> Spend {
    Spend {
        payees: vec![Payee { address: other(network), amount: sats(amount) }],
        rest_to: None,
        rate: rate(2),
        coins: Coins::default(),
        data: None,
        label: None,
    }
}

/// All that a screen shows of a wallet.
fn shown(wallet: &Wallet) -> (Balance, Vec<Coin>, Page, BlockId, String, Vec<u32>) {
    let windows = wallet.windows().collect();
    (
        wallet.balance(),
        wallet.coins(),
        wallet.history(0, MAX_PAGE),
        wallet.tip(),
        wallet.export_labels(),
        windows,
    )
}
