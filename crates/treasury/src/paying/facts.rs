//! What the chain says, as it is handed in: confirmed transactions that pay somebody who matters here.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::{
    Network,
    bitcoin::{
        Amount, Block, BlockHash, ScriptBuf, Transaction, TxOut, Txid, bip32::Xpub, secp256k1::Secp256k1,
    },
    kinds::{Income, NoteId, Payee, WINDOW},
};
use serde::{Deserialize, Serialize};

use super::{Book, DaoPayee, DaoPays, NoteOwner, Root};
use crate::wallet::{Chain, taproot_script};

/// A block of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockFacts {
    /// Blocks below it.
    pub height: u32,
    /// Its hash.
    pub hash: BlockHash,
    /// Median of its own time and those of the ten blocks before (BIP 113), Unix seconds.
    pub median_time_past: u32,
}

/// A confirmed transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxFacts {
    /// Its id.
    pub txid: Txid,
    /// The block that confirms it.
    pub block: BlockFacts,
    /// Its number in the block.
    pub position: u32,
    /// What it says that it pays.
    pub root: Option<Root>,
    /// The outputs that matter here, by number; all of them where there is a root.
    pub outputs: BTreeMap<u32, TxOut>,
}

/// Every transaction up to a block that pays somebody who matters here, in the order of the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The chain.
    pub network: Network,
    /// The block up to which all is known.
    pub tip: BlockFacts,
    transactions: Vec<TxFacts>,
}

/// The scripts that matter for one artist: every address of every window, and those of whoever is to be paid.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    windows: HashMap<ScriptBuf, (Chain, u32)>,
    covered: Covered,
    daos: BTreeMap<[u8; 32], DaoPayee>,
    /// Every script of DAOs, and of the owners of their notes.
    of_daos: BTreeSet<ScriptBuf>,
}

/// What a [`Watch`] looks for, in short: kept beside [`Facts`], it makes the same one again. DAOs are not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Covered {
    /// Those of the book, in its order.
    windows: Vec<(Chain, Xpub, u32)>,
    birthday: Option<u32>,
    payees: BTreeSet<ScriptBuf>,
}

/// Where a note is paid.
pub(super) enum PaidAt<'a> {
    Script(ScriptBuf),
    Owners(&'a [NoteOwner]),
}

impl Facts {
    /// Begins with no transaction.
    pub fn new(network: Network, tip: BlockFacts) -> Self {
        Self { network, tip, transactions: Vec::new() }
    }

    /// Takes the next block, or one that was skipped since it matched no script.
    pub fn connect(&mut self, at: BlockFacts, block: &Block, watch: &Watch) {
        for (position, transaction) in (0..).zip(&block.txdata) {
            if let Some(facts) = watch.facts(transaction, at, position) {
                self.insert(facts);
            }
        }
        if at.height >= self.tip.height {
            self.tip = at;
        }
    }

    /// Takes a transaction at its place in the chain; one that is there already is replaced.
    pub fn insert(&mut self, facts: TxFacts) {
        let place = |facts: &TxFacts| (facts.block.height, facts.position);
        match self.transactions.binary_search_by_key(&place(&facts), place) {
            Ok(at) => self.transactions[at] = facts,
            Err(at) => self.transactions.insert(at, facts),
        }
    }

    /// Forgets every block above `tip`, which becomes the last one.
    pub fn disconnect(&mut self, tip: BlockFacts) {
        self.transactions.retain(|it| it.block.height <= tip.height);
        self.tip = tip;
    }

    /// Returns the transactions in the order of the chain.
    pub fn transactions(&self) -> &[TxFacts] {
        &self.transactions
    }
}

impl Watch {
    /// Looks for what was looked for before.
    pub fn of(covered: Covered) -> Self {
        let mut watch = Self { covered, ..Self::default() };
        watch.derive();
        watch
    }

    /// Returns what is looked for, apart from DAOs.
    pub fn covered(&self) -> &Covered {
        &self.covered
    }

    /// Follows what a book and the chain have more than before: windows, collaborators, and the payees of notes that
    /// were paid. Returns the height from which blocks have to be looked through for what is new, `None` where nothing
    /// is. The windows are the book's, whatever it had before.
    pub fn follow(&mut self, book: &Book, facts: &Facts) -> Option<u32> {
        let before = std::mem::replace(&mut self.covered.birthday, book.birthday());
        let mut from = book.birthday().filter(|birthday| before.is_none_or(|before| *birthday < before));
        let chains = |(income, base): (&Income, u32)| {
            [(Chain::Income, income.income, base), (Chain::Principal, income.principal, base)]
        };
        let windows: Vec<_> = book.windows().flat_map(chains).collect();
        if windows != self.covered.windows {
            let before = std::mem::replace(&mut self.covered.windows, windows);
            let fresh = self.covered.windows.iter().any(|window| !before.contains(window));
            from = from.or(book.birthday().filter(|_| fresh));
            self.derive();
        }
        for (script, height) in book.payees(facts) {
            let fresh = self.covered.payees.insert(script).then_some(height);
            from = from.into_iter().chain(fresh).min();
        }
        from
    }

    /// Says where a DAO is paid: at the last of its scripts, and at the others what was sent before; at the addresses of
    /// its notes' owners once it has none of its own.
    pub fn pay_dao(&mut self, dao: [u8; 32], payee: DaoPayee) {
        let owners = payee.owners.values().flatten().map(|owner| &owner.script);
        self.of_daos.extend(payee.scripts.iter().chain(owners).cloned());
        let known = self.daos.entry(dao).or_default();
        for script in payee.scripts {
            known.scripts.retain(|it| *it != script);
            known.scripts.push(script);
        }
        (known.owners, known.pays) = (payee.owners, payee.pays);
    }

    /// Returns every script, in order.
    pub fn scripts(&self) -> impl Iterator<Item = &ScriptBuf> {
        let windows: BTreeSet<&ScriptBuf> = self.windows.keys().collect();
        windows.into_iter().chain(&self.covered.payees).chain(&self.of_daos)
    }

    /// Says how many scripts there are.
    pub fn len(&self) -> usize {
        self.windows.len() + self.covered.payees.len() + self.of_daos.len()
    }

    /// Says whether there is no script.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Says which address of the artist's windows a script is.
    pub fn address(&self, script: &ScriptBuf) -> Option<(Chain, u32)> {
        self.windows.get(script).copied()
    }

    /// Takes of a transaction what matters here.
    pub fn facts(&self, transaction: &Transaction, block: BlockFacts, position: u32) -> Option<TxFacts> {
        // No true block has such an output; one that lies may not make a sum overflow.
        let real = |output: &TxOut| output.value <= Amount::MAX_MONEY;
        let numbered = || (0..).zip(&transaction.output).filter(|(_, output)| real(output));
        numbered().find(|(_, output)| self.matters(&output.script_pubkey))?;
        let root = Root::of(transaction);
        let kept = numbered().filter(|(_, output)| root.is_some() || self.matters(&output.script_pubkey));
        let outputs = kept.map(|(vout, output)| (vout, output.clone())).collect();
        Some(TxFacts { txid: transaction.compute_txid(), block, position, root, outputs })
    }

    /// Says whether a script is one of a payee's own.
    pub(super) fn pays(&self, payee: &Payee, script: &ScriptBuf) -> bool {
        match payee {
            Payee::Script(own) => own == script,
            Payee::Dao(dao) => self.daos.get(dao).is_some_and(|dao| dao.scripts.contains(script)),
        }
    }

    /// Returns where a note's payee is paid now, where that is known.
    pub(super) fn paid_at(&self, note: &NoteId, payee: &Payee) -> Option<PaidAt<'_>> {
        match payee {
            Payee::Script(script) => Some(PaidAt::Script(script.clone())),
            Payee::Dao(dao) => {
                let dao = self.daos.get(dao)?;
                match dao.pays {
                    DaoPays::Nobody => None,
                    DaoPays::Coin => dao.scripts.last().cloned().map(PaidAt::Script),
                    DaoPays::Owners => dao.owners.get(note).map(|owners| PaidAt::Owners(owners)),
                }
            }
        }
    }

    /// Returns whose a DAO's note is, where that is known.
    pub(super) fn owners(&self, note: &NoteId, payee: &Payee) -> Option<&[NoteOwner]> {
        match payee {
            Payee::Script(_) => None,
            Payee::Dao(dao) => self.daos.get(dao)?.owners.get(note).map(Vec::as_slice),
        }
    }

    fn matters(&self, script: &ScriptBuf) -> bool {
        self.windows.contains_key(script)
            || self.covered.payees.contains(script)
            || self.of_daos.contains(script)
    }

    /// Derives every address of the windows. Of two windows that share one the first has it.
    fn derive(&mut self) {
        let secp = Secp256k1::verification_only();
        self.windows.clear();
        for (chain, key, base) in &self.covered.windows {
            for index in *base..base.saturating_add(WINDOW) {
                self.windows.entry(taproot_script(&secp, key, index)).or_insert((*chain, index));
            }
        }
    }
}
