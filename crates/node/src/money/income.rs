//! Where the own income comes in, and what came.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use domain::{
    PeerId, ReleaseId,
    bitcoin::{Address, Amount, ScriptBuf, bip32::Xpub, secp256k1::Secp256k1},
    kinds::{self, MAX_WINDOWS, WINDOW},
};
use time::OffsetDateTime;
use treasury::{
    paying::{Book, Receipt, Series, receipts},
    wallet::{Chain, taproot_script},
};

use super::{
    ledgers::{self, Account},
    records,
};
use crate::{
    api::{ApiError, Income, IncomeOf},
    node::{Inner, random},
};

/// Addresses of the last window that were paid before the next window is published.
const CROWDED: usize = WINDOW as usize / 2;

/// Publishes where this node's artist is paid, where there is an artist: somebody who gave themselves a name or
/// published music. Who only listens publishes nothing. What is published already stays as it is, and is watched.
///
/// # Errors
/// Those of [`ensure`].
pub(super) async fn announce(node: &Arc<Inner>) -> Result<(), ApiError> {
    let me = node.identity.id();
    let mut known = false;
    for kind in [kinds::id::PROFILE, kinds::id::RELEASE, kinds::id::INCOME] {
        known |= !node.store.records_of(&me, kind, 1).await?.is_empty();
    }
    // The purse is free again before anything is published out of it.
    let exists = node.money.purse.lock().await.wallet().is_ok();
    if known && exists { ensure(node).await } else { Ok(()) }
}

/// Publishes where this node's artist is paid, unless that is published already.
///
/// # Errors
/// `wallet_none`, and those of publishing.
pub(super) async fn ensure(node: &Arc<Inner>) -> Result<(), ApiError> {
    let me = node.identity.id();
    let book = records::book(node, me).await?;
    let (income, principal, birthday) = keys(node).await?;
    let last = book.income().filter(|last| last.income == income && last.principal == principal);
    let Some(last) = last else { return publish(node, &book, vec![0], birthday).await };
    let base = last.windows.last().copied().unwrap_or_default();
    if last.windows.len() >= MAX_WINDOWS || ledgers::used(node, me, base).await? < CROWDED {
        return open(node, &last.windows).await;
    }
    let next = base + WINDOW;
    let windows = last.windows.iter().copied().chain([next]).collect();
    publish(node, &book, windows, last.birthday).await
}

async fn publish(node: &Arc<Inner>, book: &Book, windows: Vec<u32>, birthday: u32) -> Result<(), ApiError> {
    let (income, principal, _) = keys(node).await?;
    // Whatever was published of these keys before is looked at for ever.
    let of_keys = book.windows().filter(|(record, _)| record.income == income).map(|(_, base)| base);
    let windows: BTreeSet<u32> = windows.into_iter().chain(of_keys).collect();
    let windows: Vec<u32> = windows.into_iter().collect();
    open(node, &windows).await?;
    let network = node.money.network;
    records::publish(node, kinds::Income { network, income, principal, windows, birthday }).await.map(drop)
}

/// Watches every window before anybody can pay into it.
async fn open(node: &Arc<Inner>, windows: &[u32]) -> Result<(), ApiError> {
    let known = node.money.purse.lock().await.wallet()?.windows().collect::<BTreeSet<u32>>();
    if windows.iter().all(|base| known.contains(base)) {
        return Ok(());
    }
    let scripts = node
        .money
        .change(|wallet| {
            for base in windows {
                wallet.open_window(*base)?;
            }
            Ok(wallet.take_new_scripts())
        })
        .await?;
    let since = node.money.purse.lock().await.wallet()?.birthday();
    let chain = node.money.connect(node).await?;
    Ok(chain.watch(scripts, chain::Since::Height(since)).await?)
}

async fn keys(node: &Inner) -> Result<(Xpub, Xpub, u32), ApiError> {
    let purse = node.money.purse.lock().await;
    let wallet = purse.wallet()?;
    let accounts = wallet.accounts();
    Ok((accounts.xpub(Chain::Income), accounts.xpub(Chain::Principal), wallet.birthday()))
}

/// One of an artist's addresses, drawn at random in the window that is paid into.
///
/// # Errors
/// `artist_not_payable` where none is known, `income_birthday_ahead` where nothing that is paid now would count, and
/// `bitcoin_no_peer` where that cannot be told.
pub(super) async fn draw(node: &Arc<Inner>, book: &Book, chain: Chain) -> Result<ScriptBuf, ApiError> {
    let income = payable(node, book).await?;
    let base = income.windows.last().copied().unwrap_or_default();
    let index = base + u32::try_from(random()? % u64::from(WINDOW)).expect("a window is small");
    let key = if chain == Chain::Principal { &income.principal } else { &income.income };
    Ok(taproot_script(&Secp256k1::verification_only(), key, index))
}

/// Where an artist is paid now.
///
/// # Errors
/// Those of [`draw`].
pub(super) async fn payable<'a>(node: &Arc<Inner>, book: &'a Book) -> Result<&'a kinds::Income, ApiError> {
    let income = book.income().ok_or_else(|| not_payable(book))?;
    born(node, book, income.birthday).await?;
    Ok(income)
}

/// Fails where income counts from a block on that is not there yet: nobody would look for what was paid before.
async fn born(node: &Arc<Inner>, book: &Book, birthday: u32) -> Result<(), ApiError> {
    let chain = node.money.connect(node).await?;
    if chain.tip().height < birthday {
        ledgers::synced(&chain, node.money.network).await?;
    }
    let tip = chain.tip().height;
    if birthday <= tip {
        return Ok(());
    }
    let message = format!(
        "what is paid to {} counts from block {birthday} on, and the newest one is {tip}",
        book.artist.short()
    );
    Err(ApiError::new("income_birthday_ahead", message))
}

/// The address of a script that is one.
pub(super) fn address(node: &Inner, script: &ScriptBuf) -> Result<Address, ApiError> {
    let network = node.money.network;
    Address::from_script(script, network.bitcoin()).map_err(|_| {
        ApiError::new("address_invalid", format!("{} is no address of {network}", script.to_hex_string()))
    })
}

/// What came in, over time.
pub(super) async fn income(node: &Arc<Inner>) -> Result<Income, ApiError> {
    let pending = pending(node).await?;
    let (account, waiting) = ledgers::account_or_last(node, node.identity.id()).await?;
    let waiting = waiting.map(|error| error.message);
    let Some(account) = account else {
        return Ok(Income { pending_sat: pending.to_sat(), waiting, ..Income::default() });
    };
    let receipts = receipts(&account.book, account.watch(), account.facts());
    let owed = account.ledger.notes.values().map(|note| note.owed().to_sat()).sum();
    let sums = Sums::of(&account, &receipts);
    Ok(Income {
        confirmed_sat: account.ledger.income.to_sat(),
        pending_sat: pending.to_sat(),
        owed_sat: owed,
        days: sums.days(),
        releases: sums.releases(node).await?,
        supporters: sums.supporters(node).await?,
        waiting,
    })
}

async fn pending(node: &Inner) -> Result<Amount, ApiError> {
    let purse = node.money.purse.lock().await;
    let Ok(wallet) = purse.wallet() else { return Ok(Amount::ZERO) };
    let coins = wallet.coins();
    let waiting = coins.iter().filter(|coin| coin.height.is_none() && coin.chain == Chain::Income);
    Ok(waiting.map(|coin| coin.amount).sum())
}

/// Amounts, each with how many payments they are of.
#[derive(Default)]
struct Sums {
    days: BTreeMap<u32, (u64, u64)>,
    releases: BTreeMap<Option<ReleaseId>, (u64, u64)>,
    supporters: BTreeMap<Option<PeerId>, (u64, u64)>,
}

impl Sums {
    fn of(account: &Account, receipts: &[Receipt]) -> Self {
        let series = Series::of(&account.book, receipts);
        let mut sums = Self::default();
        for (day, amount) in series.days {
            sums.days.insert(day, (amount.to_sat(), 0));
        }
        for (release, amount) in series.releases {
            sums.releases.insert(release, (amount.to_sat(), 0));
        }
        for (supporter, amount) in series.supporters {
            sums.supporters.insert(supporter, (amount.to_sat(), 0));
        }
        receipts.iter().for_each(|receipt| sums.count(account, receipt));
        sums
    }

    fn count(&mut self, account: &Account, receipt: &Receipt) {
        let payments: Vec<_> =
            receipt.payments.iter().filter_map(|id| account.book.payments().get(id)).collect();
        let named = payments.iter().map(|it| (it.body.release, Some(it.author)));
        let named: Vec<_> = if payments.is_empty() { vec![(None, None)] } else { named.collect() };
        if let Some((_, (_, count))) = self.days.range_mut(..=receipt.time).next_back() {
            *count += named.len() as u64;
        }
        for (release, supporter) in named {
            self.releases.entry(release).or_default().1 += 1;
            self.supporters.entry(supporter).or_default().1 += 1;
        }
    }

    fn days(&self) -> Vec<IncomeOf> {
        let day = |(second, (sat, count)): (&u32, &(u64, u64))| {
            let day = day(u64::from(*second));
            IncomeOf { id: day.clone(), name: day, sat: *sat, count: *count }
        };
        self.days.iter().map(day).collect()
    }

    async fn releases(&self, node: &Inner) -> Result<Vec<IncomeOf>, ApiError> {
        let mut named = Vec::new();
        for (release, (sat, count)) in &self.releases {
            let row = match release {
                Some(release) => node.store.release(release).await?.map(|details| details.row.title),
                None => None,
            };
            let id = release.map(|release| release.to_string()).unwrap_or_default();
            named.push(IncomeOf { name: row.unwrap_or_default(), id, sat: *sat, count: *count });
        }
        Ok(most_first(named))
    }

    async fn supporters(&self, node: &Inner) -> Result<Vec<IncomeOf>, ApiError> {
        let mut named = Vec::new();
        for (supporter, (sat, count)) in &self.supporters {
            let name = match supporter {
                Some(peer) => records::name(node, *peer).await?,
                None => String::new(),
            };
            let id = supporter.map(|peer| peer.to_string()).unwrap_or_default();
            named.push(IncomeOf { id, name, sat: *sat, count: *count });
        }
        Ok(most_first(named))
    }
}

fn most_first(mut sums: Vec<IncomeOf>) -> Vec<IncomeOf> {
    sums.sort_by(|one, other| other.sat.cmp(&one.sat).then(one.id.cmp(&other.id)));
    sums
}

/// A day as `2026-01-31`, in UTC.
pub(super) fn day(unix: u64) -> String {
    let time = i64::try_from(unix).ok().and_then(|unix| OffsetDateTime::from_unix_timestamp(unix).ok());
    time.map(|time| time.date().to_string()).unwrap_or_default()
}

fn not_payable(book: &Book) -> ApiError {
    let message = format!(
        "nothing can be paid to {} on {}: no address of theirs is known here, or they have no wallet yet",
        book.artist.short(),
        book.network
    );
    ApiError::new("artist_not_payable", message)
}
