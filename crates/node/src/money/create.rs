//! Makes wallets: new ones, from words, from backups; and says whether words or a backup would.

use std::{collections::BTreeMap, io::Read, io::Write, sync::Arc};

use age::armor::{ArmoredReader, ArmoredWriter, Format};
use domain::{Network, bitcoin::constants::genesis_block};
use store::PaymentRow;
use time::{Date, Month};
use treasury::wallet::{self as purse, Passphrase, Restored, Seed, Wallet, WordCount};
use zeroize::Zeroizing;

use super::{Money, pay::now, vault::Guess};
use crate::{
    api::{ApiError, Backup, Drill, Event, NewWallet, Words},
    calls::blocking,
    node::{Inner, random_bytes},
};

/// Longest backup in bytes, as text.
const MAX_BACKUP: usize = 64 << 20;
/// Seconds between blocks as the networks aim at; all of them have been somewhat quicker so far.
const SPACING: i64 = 600;
/// Blocks that a birthday is moved back, two weeks: clocks and days are inexact, and looking too far back is harmless.
const BIRTHDAY_MARGIN: i64 = 2016;
/// The part of a backup that says what payments were for.
const PAYMENTS: &str = "payments";
/// How an armored backup begins.
const ARMOR: &str = "-----BEGIN AGE ENCRYPTED FILE-----";

impl Money {
    /// Makes a wallet of fresh words.
    pub(super) async fn create(
        &self,
        node: &Arc<Inner>,
        passphrase: String,
        extension: Option<String>,
        words: Option<u8>,
    ) -> Result<NewWallet, ApiError> {
        let count = match words {
            None | Some(24) => WordCount::TwentyFour,
            Some(12) => WordCount::Twelve,
            Some(other) => return Err(words_count(other)),
        };
        let entropy = Zeroizing::new(random_bytes()?);
        let seed = Arc::new(extended(Seed::generate(&entropy, count), extension)?);
        let birthday = self.newest_height();
        let wallet = Wallet::create(accounts(&seed, self.network), birthday);
        self.adopt(node, seed.clone(), passphrase, wallet, &[]).await?;
        Ok(NewWallet { words: seed.words().map(str::to_owned).collect(), network: self.network })
    }

    /// Makes the wallet of words.
    pub(super) async fn restore(
        &self,
        node: &Arc<Inner>,
        words: String,
        extension: Option<String>,
        passphrase: String,
        birthday: Option<String>,
    ) -> Result<(), ApiError> {
        let birthday = birthday.map_or(Ok(0), |day| height_of(&day, self.network))?;
        let seed = Arc::new(extended(Seed::parse(&Zeroizing::new(words))?, extension)?);
        let wallet = Wallet::create(accounts(&seed, self.network), birthday);
        self.adopt(node, seed, passphrase, wallet, &[]).await?;
        self.set_words_confirmed().await
    }

    /// Makes the wallet of a backup.
    pub(super) async fn restore_backup(
        &self,
        node: &Arc<Inner>,
        text: String,
        passphrase: String,
    ) -> Result<(), ApiError> {
        let restored = opened(text, Passphrase::new(passphrase.clone())?).await?;
        let Restored { seed, wallet, parts, .. } = restored;
        if wallet.network() != self.network {
            return Err(crate::config::network_mismatch(wallet.network(), self.network));
        }
        self.adopt(node, Arc::new(seed), passphrase, wallet, &payments(&parts)?).await?;
        node.dao.restore(node, &parts).await
    }

    /// Writes seed, wallet and what its payments were for, and goes to work with them, unlocked.
    async fn adopt(
        &self,
        node: &Arc<Inner>,
        seed: Arc<Seed>,
        passphrase: String,
        wallet: Wallet,
        payments: &[PaymentRow],
    ) -> Result<(), ApiError> {
        let passphrase = Passphrase::new(passphrase)?;
        self.allowed(node)?;
        let mut purse = self.purse.lock().await;
        if self.vault.exists() {
            let message = "there is a wallet here already; `--data DIR` names another folder";
            return Err(ApiError::new("wallet_exists", message));
        }
        // The seed comes last: where there is one, there is a wallet.
        purse.put(wallet, payments).await?;
        if let Err(error) = self.vault.write(seed.clone(), passphrase).await {
            purse.take_back().await?;
            return Err(error);
        }
        drop(purse);
        self.vault.unlock(Arc::new(seed.keys(self.network)), None);
        node.dao.wallet_changed();
        self.connect(node).await?;
        super::announce(node).await;
        self.hub.tell(&Event::WalletChanged);
        Ok(())
    }

    /// Opens the seed. A database that was lost gets its wallet back, to be looked for from the first block on.
    pub(super) async fn open_seed(&self, passphrase: Passphrase) -> Result<Seed, ApiError> {
        let seed = self.vault.open(passphrase).await?;
        let mut purse = self.purse.lock().await;
        if purse.is_empty() {
            purse.put(Wallet::create(accounts(&seed, self.network), 0), &[]).await?;
        }
        Ok(seed)
    }

    /// Unlocks the wallet.
    pub(super) async fn unlock(
        &self,
        node: &Arc<Inner>,
        passphrase: String,
        minutes: Option<u32>,
    ) -> Result<(), ApiError> {
        let seed = self.open_seed(Passphrase::new(passphrase)?).await?;
        self.vault.unlock(Arc::new(seed.keys(self.network)), minutes);
        node.dao.wallet_changed();
        self.connect(node).await?;
        super::announce(node).await;
        self.hub.tell(&Event::WalletChanged);
        Ok(())
    }

    /// Gives the words.
    pub(super) async fn words(&self, passphrase: String) -> Result<Words, ApiError> {
        let seed = self.open_seed(Passphrase::new(passphrase)?).await?;
        Ok(Words { words: seed.words().map(str::to_owned).collect() })
    }

    /// Writes all that has to outlive this disk, encrypted.
    pub(super) async fn backup(&self, node: &Inner, passphrase: String) -> Result<Backup, ApiError> {
        let seed = self.open_seed(Passphrase::new(passphrase.clone())?).await?;
        let mut parts = self.parts().await?;
        node.dao.back_up(node, &mut parts).await?;
        let mut purse = self.purse.lock().await;
        // What is not on the disk yet is not told, to a backup either.
        purse.keep().await?;
        let sealed = purse::backup(purse.wallet()?, &seed, parts, &Passphrase::new(passphrase)?, now());
        drop(purse);
        let mut text = Vec::new();
        let mut armor = ArmoredWriter::wrap_output(&mut text, Format::AsciiArmor)?;
        armor.write_all(&sealed)?;
        armor.finish()?;
        let text = String::from_utf8(text).expect("an armor is ASCII");
        Ok(Backup { name: format!("musicdao-wallet-{}.age.txt", self.network), text })
    }

    /// Says whether words or a backup are of this wallet.
    pub(super) async fn drill(&self, text: String, passphrase: Option<String>) -> Result<Drill, ApiError> {
        let own = self.purse.lock().await.wallet()?.accounts().clone();
        if !text.trim_start().starts_with(ARMOR) {
            let seed = extended(Seed::parse(&Zeroizing::new(text))?, passphrase)?;
            let network = self.network;
            let derive = move || Ok(accounts(&seed, network) == own);
            let restores = self.vault.try_one(derive, |restores| Guess::of(*restores)).await?;
            return Ok(Drill { restores, extras: None });
        }
        let passphrase = Passphrase::new(passphrase.unwrap_or_default())?;
        let sealed = dearmored(&text)?;
        let open = move || Ok(purse::restore(&sealed, &passphrase)?);
        // Another wallet's backup that opens was no guess at this one's passphrase, and proves nothing.
        let judge = |it: &Restored| if *it.wallet.accounts() == own { Guess::Right } else { Guess::None };
        let restored = self.vault.try_one(open, judge).await?;
        let extras = restored.wallet.export_labels().lines().count() + restored.parts.len();
        Ok(Drill {
            restores: *restored.wallet.accounts() == own,
            extras: Some(u32::try_from(extras).unwrap_or(u32::MAX)),
        })
    }

    /// What other parts keep with the wallet: which payment was for what.
    async fn parts(&self) -> Result<BTreeMap<String, String>, ApiError> {
        let rows = self.store.payments(self.network.word(), false).await?;
        let rows = serde_json::to_string(&rows).expect("rows are plain data");
        Ok(BTreeMap::from([(PAYMENTS.to_owned(), rows)]))
    }
}

/// What payments were for, as a backup has it. Records that went out before it was made may have reached nobody: they are
/// published again where they are not known.
fn payments(parts: &BTreeMap<String, String>) -> Result<Vec<PaymentRow>, ApiError> {
    let unreadable =
        |_| ApiError::new("backup_unreadable", "what the backup's payments were for cannot be read");
    let rows = parts.get(PAYMENTS).map(|text| serde_json::from_str::<Vec<PaymentRow>>(text));
    let rows = rows.transpose().map_err(unreadable)?.unwrap_or_default();
    Ok(rows.into_iter().map(|row| PaymentRow { published: row.records.is_empty(), ..row }).collect())
}

fn accounts(seed: &Seed, network: Network) -> purse::Accounts {
    seed.keys(network).accounts()
}

fn extended(seed: Seed, extension: Option<String>) -> Result<Seed, ApiError> {
    let extension = Zeroizing::new(extension.unwrap_or_default());
    Ok(seed.with_passphrase(&extension)?)
}

async fn opened(text: String, passphrase: Passphrase) -> Result<Restored, ApiError> {
    let sealed = dearmored(&text)?;
    blocking(move || Ok(purse::restore(&sealed, &passphrase)?)).await
}

fn dearmored(text: &str) -> Result<Vec<u8>, ApiError> {
    let unlike = || ApiError::new("backup_unreadable", "this is no backup of a wallet");
    if text.len() > MAX_BACKUP {
        return Err(unlike());
    }
    let mut sealed = Vec::new();
    ArmoredReader::new(text.trim().as_bytes()).read_to_end(&mut sealed).map_err(|_| unlike())?;
    Ok(sealed)
}

/// Returns a height below which nothing of that day can be.
fn height_of(day: &str, network: Network) -> Result<u32, ApiError> {
    if network == Network::Regtest {
        return Ok(0);
    }
    let date = parse_date(day).ok_or_else(|| {
        ApiError::new("date_malformed", format!("`{day:.40}` is no day such as 2026-01-31"))
    })?;
    let genesis = i64::from(genesis_block(network.bitcoin()).header.time);
    let age = date.midnight().assume_utc().unix_timestamp() - genesis;
    Ok(u32::try_from((age / SPACING - BIRTHDAY_MARGIN).max(0)).unwrap_or(u32::MAX))
}

fn parse_date(day: &str) -> Option<Date> {
    let mut parts = day.trim().splitn(3, '-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let month = Month::try_from(month.parse::<u8>().ok()?).ok()?;
    Date::from_calendar_date(year.parse().ok()?, month, day.parse().ok()?).ok()
}

fn words_count(count: u8) -> ApiError {
    ApiError::new("words_count", format!("a wallet has 12 or 24 words, not {count}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_birthday_is_looked_for_somewhat_earlier() {
        // 2024-04-20, the day of block 840,000.
        let height = height_of("2024-04-20", Network::Mainnet).unwrap();
        assert!((780_000..840_000).contains(&height), "{height}");
        assert_eq!(height_of("2009-01-04", Network::Mainnet).unwrap(), 0);
        assert_eq!(height_of("2024-04-20", Network::Regtest).unwrap(), 0);
        for wrong in ["", "2024", "2024-13-01", "2024-02-30", "yesterday"] {
            assert_eq!(height_of(wrong, Network::Signet).unwrap_err().code, "date_malformed", "{wrong}");
        }
    }
}
