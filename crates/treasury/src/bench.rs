//! Worlds to measure in: an artist with a large income, and plain `bdk_wallet` beside the wallet.

use bdk_wallet::{KeychainKind, chain::BlockId};
use domain::{
    Identity, Kind, Network, Record, Stamp,
    bitcoin::{
        Address, Amount, Block, BlockHash, FeeRate, OutPoint, ScriptBuf, TxOut, Txid, WPubkeyHash,
        bip32::{ChildNumber, DerivationPath, Xpriv, Xpub},
        hashes::Hash,
        secp256k1::Secp256k1,
    },
    kinds::{Income, Note, Offer, Payee, Payment},
};

use crate::{
    paying::{Audit, BlockFacts, Book, Facts, Ledger, Tree, TxFacts, Watch},
    wallet::{Accounts, Chain, taproot_script},
};

/// The chain of [`world`].
pub const NETWORK: Network = Network::Regtest;

/// An artist's money, read and looked for.
pub struct Earned {
    book: Book,
    watch: Watch,
    facts: Facts,
}

impl Earned {
    /// Reads a world.
    pub fn new(payments: u32, notes: u32) -> Self {
        let (records, facts) = world(payments, notes);
        let book = Book::read(artist().id(), NETWORK, &records);
        let mut watch = Watch::default();
        watch.follow(&book, &facts);
        Self { book, watch, facts }
    }

    /// Recomputes who is owed what and writes it down; returns how long that is.
    pub fn audit(&self) -> usize {
        Audit::of(&Ledger::of(&self.book, &self.watch, &self.facts)).to_json().len()
    }
}

/// A wallet as `bdk_wallet` has it, of the same keys.
pub struct Plain(bdk_wallet::Wallet);

impl Plain {
    /// Makes one that knows so many addresses beyond the last one that was paid.
    pub fn new(accounts: &Accounts, lookahead: u32) -> Self {
        let descriptor = |chain| format!("tr({}/*)", accounts.xpub(chain));
        let wallet = bdk_wallet::Wallet::create(descriptor(Chain::Receive), descriptor(Chain::Change))
            .network(accounts.network.bitcoin())
            .lookahead(lookahead)
            .create_wallet_no_persist();
        Self(wallet.expect("the keys make descriptors"))
    }

    /// Takes a block that comes somewhere after the last one.
    pub fn connect(&mut self, height: u32, block: &Block) {
        let BlockId { height: below, hash } = self.0.latest_checkpoint().block_id();
        self.0
            .apply_block_connected_to(block, height, BlockId { height: below, hash })
            .expect("blocks come in order");
    }

    /// Returns what it holds.
    pub fn balance(&self) -> Amount {
        self.0.balance().total()
    }

    /// Returns how many of its newest transactions there are, at most so many.
    pub fn page(&self, limit: usize) -> usize {
        let newest = self.0.transactions_sort_by(|one, other| other.chain_position.cmp(&one.chain_position));
        newest.into_iter().take(limit).count()
    }

    /// Prepares a payment; returns its fee.
    pub fn prepare(&mut self, to: &Address, amount: Amount, rate: FeeRate) -> Option<Amount> {
        let mut builder = self.0.build_tx();
        builder.add_recipient(to.script_pubkey(), amount).fee_rate(rate);
        let paid = builder.finish().ok()?;
        paid.fee().ok()
    }

    /// Returns how many addresses were paid.
    pub fn used(&self) -> Option<u32> {
        self.0.derivation_index(KeychainKind::External)
    }
}

/// Makes the records and the chain of an artist with so many payments and notes on one offer: notes first, then payments,
/// ten a block.
pub fn world(payments: u32, notes: u32) -> (Vec<Record>, Facts) {
    let (tips, principal) = (chain_key(0), chain_key(1));
    let secp = Secp256k1::verification_only();
    let scripts: Vec<ScriptBuf> = (0..100).map(|index| taproot_script(&secp, &tips, index)).collect();
    let income = Income { network: NETWORK, income: tips, principal, windows: vec![0], birthday: 0 };
    let income = sign(&artist(), 1, Vec::new(), &income);
    let offer = sign(&artist(), 2, vec![income.id], &offer());
    let mut facts = Facts::new(NETWORK, block(0));
    let mut records = vec![income, offer.clone()];
    for number in 0..notes {
        let (note, paid) = invest(number, &offer, taproot_script(&secp, &principal, number));
        records.push(note);
        facts.insert(paid);
    }
    for number in 0..payments {
        let value = Amount::from_sat(1_000 + u64::from(number % 5_000));
        let output = TxOut { value, script_pubkey: scripts[number as usize % scripts.len()].clone() };
        let paid = transaction(1_000 + number, [(0, output)]);
        let outpoint = OutPoint::new(paid.txid, 0);
        let payment = Payment {
            network: NETWORK,
            salt: salt(number),
            artist: artist().id(),
            outpoint,
            amount: value,
            memo: None,
            release: None,
            place: None,
        };
        records.push(sign(&fan(number), 1, Vec::new(), &payment));
        facts.insert(paid);
    }
    facts.tip = block(1_000 + payments);
    (records, facts)
}

fn offer() -> Offer {
    Offer {
        network: NETWORK,
        salt: [1; 16],
        goal: Amount::from_sat(1_000_000_000),
        share: 5_000,
        cap: 10_000,
        floor: Amount::from_sat(10_000),
        expiry: u32::MAX,
        splits: None,
        title: None,
        release: None,
    }
}

fn invest(number: u32, offer: &Record, to: ScriptBuf) -> (Record, TxFacts) {
    let principal = Amount::from_sat(1_000_000);
    let payee = Payee::Script(ScriptBuf::new_p2wpkh(&WPubkeyHash::hash(&number.to_le_bytes())));
    let note = Note {
        network: NETWORK,
        salt: salt(number),
        artist: artist().id(),
        offer: offer.slot,
        principal,
        vout: 0,
        payee,
        place: None,
    };
    let note = sign(&fan(number), 1, Vec::new(), &note);
    let root = Tree::of([note.slot]).expect("there is one note").root();
    let commitment = TxOut { value: Amount::ZERO, script_pubkey: root.script() };
    let output = TxOut { value: principal, script_pubkey: to };
    (note, TxFacts { root: Some(root), ..transaction(number, [(0, output), (1, commitment)]) })
}

fn transaction<const N: usize>(number: u32, outputs: [(u32, TxOut); N]) -> TxFacts {
    let txid = Txid::hash(&number.to_le_bytes());
    TxFacts {
        txid,
        block: block(1 + number / 10),
        position: number % 10,
        root: None,
        outputs: outputs.into(),
    }
}

fn block(height: u32) -> BlockFacts {
    let hash = BlockHash::hash(&height.to_le_bytes());
    BlockFacts { height, hash, median_time_past: 1_600_000_000 + height * 600 }
}

fn sign<K: Kind>(author: &Identity, seq: u64, refs: Vec<domain::RecordId>, body: &K) -> Record {
    let stamp = Stamp { seq, refs, ..Stamp::default() };
    Record::sign(author, stamp, body).expect("the body is a good one")
}

/// Returns whose money it is.
pub fn artist() -> Identity {
    Identity::from_secret(&[255; 32])
}

/// One of a thousand.
fn fan(number: u32) -> Identity {
    let mut secret = [1; 32];
    secret[..4].copy_from_slice(&(number % 1_000).to_le_bytes());
    Identity::from_secret(&secret)
}

fn salt(number: u32) -> [u8; 16] {
    let mut salt = [0; 16];
    salt[..4].copy_from_slice(&number.to_le_bytes());
    salt
}

fn chain_key(chain: u32) -> Xpub {
    let secp = Secp256k1::new();
    let path: DerivationPath = "86'/1'/1'".parse().expect("it is a path");
    let child = path.child(ChildNumber::from_normal_idx(chain).expect("it is a small number"));
    let master = Xpriv::new_master(NETWORK.bitcoin(), &[7; 32]).expect("it is a seed");
    Xpub::from_priv(&secp, &master.derive_priv(&secp, &child).expect("it derives"))
}
