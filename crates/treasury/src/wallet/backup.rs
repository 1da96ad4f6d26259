//! The whole wallet in one encrypted file: what the words alone cannot bring back.

use std::collections::BTreeMap;

use domain::{
    Network,
    bitcoin::{
        Transaction,
        consensus::encode::{deserialize_hex, serialize_hex},
    },
};
use serde::{Deserialize, Serialize};

use super::{
    Account, Chain, MAX_INDEX, Passphrase, Seed, SeedError, VaultError, Wallet, anchor::is_treasurys, vault,
};

/// Version of the file's content.
const VERSION: u32 = 1;
/// Addresses of the private account that a restored wallet passes over: some were handed out since the backup was made,
/// and nothing in the chain tells of those that nobody has paid yet.
pub const PASSED_OVER: u32 = 20;

/// Most addresses of a chain that were handed out.
const MAX_REVEALED: u32 = 100_000;
/// Most windows of published addresses.
const MAX_WINDOWS: usize = crate::paying::MAX_BOOK_WINDOWS;

/// What the file holds beside the seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Body {
    version: u32,
    network: Network,
    made_at: u64,
    birthday: u32,
    /// For other programs and other times: everything here can be had from the words, too.
    descriptors: BTreeMap<Chain, String>,
    revealed: BTreeMap<Chain, u32>,
    windows: Vec<u32>,
    labels: String,
    /// Payments that were signed and are in no block, parents first, as hexadecimal digits.
    unconfirmed: Vec<String>,
    /// What other parts of the program keep with the wallet.
    #[serde(default)]
    parts: BTreeMap<String, String>,
}

/// What a backup's file held.
pub struct Restored {
    /// The seed.
    pub seed: Seed,
    /// The wallet, as it was but for the chain: that is searched from the birthday on, and [`Wallet::take_up`] is called
    /// then.
    pub wallet: Wallet,
    /// What other parts of the program kept with it.
    pub parts: BTreeMap<String, String>,
    /// When the backup was made, in unix seconds.
    pub made_at: u64,
}

/// Encrypts all that has to outlive this device: seed, descriptors, windows, labels and what other parts add.
pub fn backup(
    wallet: &Wallet,
    seed: &Seed,
    parts: BTreeMap<String, String>,
    passphrase: &Passphrase,
    now: u64,
) -> Vec<u8> {
    backup_with(wallet, seed, parts, passphrase, now, vault::WORK_FACTOR)
}

/// Opens a backup and makes its wallet. The wallet is new to this device: all of it is staged.
///
/// # Errors
/// [`SeedError::Vault`] for another passphrase or a damaged file.
pub fn restore(sealed: &[u8], passphrase: &Passphrase) -> Result<Restored, SeedError> {
    let content = vault::open(sealed, passphrase)?;
    let (seed, rest) = Seed::of_text(&content)?;
    let body: Body = serde_json::from_slice(rest).map_err(|error| damaged(&error.to_string()))?;
    if body.version != VERSION {
        return Err(damaged(&format!("it has version {}, this program knows {VERSION}", body.version)));
    }
    check_size(&body)?;
    let mut wallet = Wallet::create(seed.keys(body.network).accounts(), body.birthday);
    let known = |(chain, text): (&Chain, &String)| wallet.accounts().descriptor(*chain) == *text;
    if !body.descriptors.iter().all(known) {
        return Err(damaged("its descriptors are not those of its words"));
    }
    for (chain, count) in body.revealed {
        let passed_over = if chain.account() == Account::Private { PASSED_OVER } else { 0 };
        wallet.reveal(chain, count.saturating_add(passed_over).min(MAX_INDEX));
    }
    for base in body.windows {
        wallet.open_window(base).map_err(|error| damaged(&error.to_string()))?;
    }
    wallet.import_labels(&body.labels).map_err(|error| damaged(&error.to_string()))?;
    for hex in &body.unconfirmed {
        wallet.keep_returning(transaction(hex)?);
    }
    Ok(Restored { seed, wallet, parts: body.parts, made_at: body.made_at })
}

pub(crate) fn backup_with(
    wallet: &Wallet,
    seed: &Seed,
    parts: BTreeMap<String, String>,
    passphrase: &Passphrase,
    now: u64,
    work_factor: u8,
) -> Vec<u8> {
    let body = Body {
        version: VERSION,
        network: wallet.network(),
        made_at: now,
        birthday: wallet.birthday(),
        descriptors: Chain::ALL
            .into_iter()
            .map(|chain| (chain, wallet.accounts().descriptor(chain)))
            .collect(),
        revealed: Chain::ALL.into_iter().map(|chain| (chain, wallet.revealed(chain))).collect(),
        windows: wallet.windows().collect(),
        labels: wallet.export_labels(),
        unconfirmed: wallet
            .outbox()
            .iter()
            .map(|tx| &**tx)
            // What pays for a treasury's transaction is nothing without it.
            .filter(|tx| !is_treasurys(tx))
            .chain(wallet.returning())
            .map(serialize_hex)
            .collect(),
        parts,
    };
    let body = serde_json::to_vec(&body).expect("the body has a JSON form");
    vault::seal(&seed.text(&body), passphrase, work_factor)
}

/// Each address and window takes a moment to derive, and a file says whatever it likes.
fn check_size(body: &Body) -> Result<(), SeedError> {
    let most = body.revealed.values().copied().max().unwrap_or_default();
    if most > MAX_REVEALED {
        return Err(damaged(&format!("it names {most} addresses, more than {MAX_REVEALED}")));
    }
    match body.windows.len() {
        0..=MAX_WINDOWS => Ok(()),
        count => Err(damaged(&format!("it names {count} windows, more than {MAX_WINDOWS}"))),
    }
}

fn transaction(hex: &str) -> Result<Transaction, SeedError> {
    deserialize_hex(hex).map_err(|error| damaged(&error.to_string()))
}

fn damaged(problem: &str) -> SeedError {
    VaultError::Damaged(problem.into()).into()
}
