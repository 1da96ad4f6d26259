//! An artist, investors, fans and a chain that confirms what they do.

use std::sync::LazyLock;

use domain::{
    Identity, Kind, Network, PeerId, Record, RecordId, ReleaseId, Stamp,
    bitcoin::{
        Amount, Block, BlockHash, OutPoint, ScriptBuf, Transaction, TxMerkleNode, TxOut, WPubkeyHash,
        absolute::LockTime,
        bip32::{ChildNumber, DerivationPath, Xpriv, Xpub},
        block::{Header, Version},
        hashes::Hash,
        pow::CompactTarget,
        secp256k1::Secp256k1,
        transaction,
    },
    kinds::{Income, Note, NoteId, Offer, OfferId, Payee, Payment, PaymentId, Payout, Split},
};

use super::super::*;
use crate::wallet::taproot_script;

pub(super) const NETWORK: Network = Network::Regtest;
pub(super) const DAY: u32 = 24 * 60 * 60;
pub(super) const BEGIN: u32 = 1_700_000_000;
/// When the usual offer ends.
pub(super) const EXPIRY: u32 = BEGIN + 1_000 * DAY;

/// The artist's addresses take a while to derive, so all tests share them.
static WINDOWS: LazyLock<Watch> = LazyLock::new(|| {
    let mut watch = Watch::default();
    let income = Record::sign(&person(1), Stamp::default(), &income(&[0])).unwrap();
    let book = Book::read(person(1).id(), NETWORK, [&income]);
    watch.follow(&book, &Facts::new(NETWORK, block(0, BEGIN)));
    watch
});

pub(super) fn sat(sat: u64) -> Amount {
    Amount::from_sat(sat)
}

pub(super) fn person(number: u8) -> Identity {
    Identity::from_secret(&[number; 32])
}

pub(super) fn address(number: u16) -> ScriptBuf {
    ScriptBuf::new_p2wpkh(&WPubkeyHash::hash(&number.to_le_bytes()))
}

pub(super) fn block(height: u32, time: u32) -> BlockFacts {
    let hash = BlockHash::hash(&[height.to_le_bytes(), time.to_le_bytes()].concat());
    BlockFacts { height, hash, median_time_past: time }
}

/// The public key of a chain of an account of which only the tests know the seed.
pub(super) fn chain_key(chain: u32) -> Xpub {
    let secp = Secp256k1::new();
    let path: DerivationPath = "86'/1'/1'".parse().unwrap();
    let master = Xpriv::new_master(NETWORK.bitcoin(), &[7; 32]).unwrap();
    let child = path.child(ChildNumber::from_normal_idx(chain).unwrap());
    Xpub::from_priv(&secp, &master.derive_priv(&secp, &child).unwrap())
}

pub(super) fn income(windows: &[u32]) -> Income {
    Income {
        network: NETWORK,
        income: chain_key(0),
        principal: chain_key(1),
        windows: windows.to_vec(),
        birthday: 0,
    }
}

pub(super) fn offer(number: u8) -> Offer {
    Offer {
        network: NETWORK,
        salt: [number; 16],
        goal: sat(1_000_000),
        share: 5_000,
        cap: 150,
        floor: Amount::ZERO,
        expiry: EXPIRY,
        splits: None,
        title: None,
        release: None,
    }
}

pub(super) fn split(name: &str, share: u16, script: ScriptBuf) -> Split {
    Split { name: name.into(), share, script, peer: None }
}

/// Everything signed and everything confirmed so far.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) records: Vec<Record>,
    pub(super) facts: Facts,
    pub(super) watch: Watch,
    pub(super) blocks: Vec<(BlockFacts, Block)>,
    head: Option<RecordId>,
    seq: u64,
    salt: u64,
}

impl World {
    /// An artist with an income record and nothing else.
    pub(super) fn new() -> Self {
        let facts = Facts::new(NETWORK, block(0, BEGIN));
        let mut world = Self {
            records: Vec::new(),
            facts,
            watch: WINDOWS.clone(),
            blocks: Vec::new(),
            head: None,
            seq: 0,
            salt: 0,
        };
        world.log(&income(&[0]));
        world
    }

    pub(super) fn sign<K: Kind>(&mut self, author: u8, refs: Vec<RecordId>, body: &K) -> Record {
        self.seq += 1;
        let stamp = Stamp { seq: self.seq, refs, ..Stamp::default() };
        let record = Record::sign(&person(author), stamp, body).unwrap();
        self.records.push(record.clone());
        record
    }

    /// Signs a record of the artist's log.
    pub(super) fn log<K: Kind>(&mut self, body: &K) -> Record {
        let record = self.sign(1, self.head.into_iter().collect(), body);
        self.head = Some(record.id);
        record
    }

    pub(super) fn offer(&mut self, offer: &Offer) -> OfferId {
        self.log(offer).slot
    }

    pub(super) fn book(&self) -> Book {
        Book::read(self.artist(), NETWORK, &self.records)
    }

    pub(super) fn artist(&self) -> PeerId {
        person(1).id()
    }

    pub(super) fn ledger(&self) -> Ledger {
        Ledger::of(&self.book(), &self.watch, &self.facts)
    }

    pub(super) fn audit(&self) -> String {
        Audit::of(&self.ledger()).to_json()
    }

    pub(super) fn now(&self) -> u32 {
        self.facts.tip.median_time_past
    }

    pub(super) fn fresh(&mut self) -> [u8; 16] {
        self.salt += 1;
        let mut salt = [0; 16];
        salt[..8].copy_from_slice(&self.salt.to_le_bytes());
        salt
    }

    /// An address of the artist's: 0 for income, 1 for principal.
    pub(super) fn at(&self, chain: u32, index: u32) -> ScriptBuf {
        taproot_script(&Secp256k1::verification_only(), &chain_key(chain), index)
    }

    /// Confirms a transaction in a block of its own and returns its outputs' names.
    pub(super) fn confirm(&mut self, outputs: Vec<(ScriptBuf, u64)>) -> Vec<OutPoint> {
        let transaction = self.transaction(outputs);
        let txid = transaction.compute_txid();
        let names = (0..transaction.output.len() as u32).map(|vout| OutPoint::new(txid, vout)).collect();
        self.mine(600, vec![transaction]);
        names
    }

    pub(super) fn transaction(&mut self, outputs: Vec<(ScriptBuf, u64)>) -> Transaction {
        self.salt += 1;
        let output = |(script_pubkey, value)| TxOut { value: sat(value), script_pubkey };
        Transaction {
            version: transaction::Version::TWO,
            lock_time: LockTime::from_consensus(self.salt as u32),
            input: Vec::new(),
            output: outputs.into_iter().map(output).collect(),
        }
    }

    /// Adds a block so many seconds after the last, and looks again at all blocks where new scripts ask for it.
    pub(super) fn mine(&mut self, seconds: u32, txdata: Vec<Transaction>) {
        let at = block(self.facts.tip.height + 1, self.now() + seconds);
        let header = Header {
            version: Version::TWO,
            prev_blockhash: self.facts.tip.hash,
            merkle_root: TxMerkleNode::all_zeros(),
            time: at.median_time_past,
            bits: CompactTarget::from_consensus(0),
            nonce: 0,
        };
        let block = Block { header, txdata };
        self.facts.connect(at, &block, &self.watch);
        self.blocks.push((at, block));
        self.follow();
    }

    pub(super) fn follow(&mut self) {
        while let Some(from) = self.watch.follow(&self.book(), &self.facts) {
            for (at, block) in self.blocks.iter().filter(|(at, _)| at.height >= from) {
                self.facts.connect(*at, block, &self.watch);
            }
        }
    }

    pub(super) fn wait(&mut self, seconds: u32) {
        self.mine(seconds, Vec::new());
    }

    pub(super) fn tip(&mut self, sat: u64) -> OutPoint {
        let to = self.at(0, sat as u32 % 1_000);
        self.confirm(vec![(to, sat)])[0]
    }

    /// A note as an investor signs it, without its transaction.
    pub(super) fn note(&mut self, offer: OfferId, principal: u64) -> Note {
        let salt = self.fresh();
        let payee = Payee::Script(address(1_000 + u16::from_le_bytes([salt[0], salt[1]])));
        let (artist, principal) = (self.artist(), sat(principal));
        Note { network: NETWORK, salt, artist, offer, principal, vout: 0, payee, place: None }
    }

    /// Invests in one transaction of one note.
    pub(super) fn invest(&mut self, investor: u8, offer: OfferId, principal: u64) -> NoteId {
        let note = self.note(offer, principal);
        let id = self.sign(investor, Vec::new(), &note).slot;
        let root = Tree::of([id]).unwrap().root();
        let to = self.at(1, principal as u32 % 1_000);
        self.confirm(vec![(to, principal), (root.script(), 0)]);
        id
    }

    /// Tips with a transaction that names its payment, which says that it is of so much.
    pub(super) fn give(&mut self, who: u8, value: u64, said: u64, release: Option<ReleaseId>) -> OutPoint {
        let payment = Payment { release, ..self.payment(OutPoint::null(), said) };
        let root = Tree::of([id_of(&person(who).id(), &payment)]).unwrap().root().script();
        let to = self.at(0, value as u32 % 1_000);
        let outpoint = self.confirm(vec![(to, value), (root, 0)])[0];
        self.sign(who, Vec::new(), &Payment { outpoint, ..payment });
        outpoint
    }

    pub(super) fn claim(&mut self, author: u8, outpoint: OutPoint, amount: u64) -> PaymentId {
        let payment = self.payment(outpoint, amount);
        self.sign(author, Vec::new(), &payment).slot
    }

    pub(super) fn payment(&mut self, outpoint: OutPoint, amount: u64) -> Payment {
        let (salt, artist, amount) = (self.fresh(), self.artist(), sat(amount));
        Payment { network: NETWORK, salt, artist, outpoint, amount, memo: None, release: None, place: None }
    }

    /// Carries a plan out in one transaction.
    pub(super) fn pay(&mut self, plan: &Plan) -> Vec<Payout> {
        let mut number = self.salt;
        let salt = || {
            number += 1;
            let mut salt = [9; 16];
            salt[..8].copy_from_slice(&number.to_le_bytes());
            salt
        };
        let batch = plan.batch(&self.artist(), NETWORK, salt).unwrap();
        self.salt = number;
        batch.payouts.iter().for_each(|payout| drop(self.log(payout)));
        let lines = plan.lines.iter().map(|line| (line.script.clone(), line.amount.to_sat()));
        self.confirm(lines.chain([(batch.root.script(), 0)]).collect());
        batch.payouts
    }

    pub(super) fn pay_owed(&mut self) -> Result<Plan, PlanError> {
        let plan = self.ledger().plan(&self.watch, &Wish::default())?;
        self.pay(&plan);
        Ok(plan)
    }
}
