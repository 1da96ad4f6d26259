//! Who is owed what, from records and the chain: looked up when it is asked for, and kept up to date from then on.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chain::{BlockId, Chain, Event, Phase};
use domain::{
    Network, PeerId, SlotId,
    kinds::{Payee, WINDOW},
};
use tokio::{
    sync::{Mutex, MutexGuard, OwnedMutexGuard, watch},
    time::timeout,
};
use treasury::paying::{Book, DaoPayee, Facts, Ledger, Watch};

use super::{
    records,
    seen::{Joined, Seen},
};
use crate::{api::ApiError, node::Inner};

/// Artists whose part of the chain is kept in memory; a few hundred kilobytes each.
const MAX_KEPT: usize = 64;
/// Artists whose scripts the node's own client looks for in every block, 200 KB each: those that are asked about first.
const MAX_FOLLOWED: usize = 32;
/// Blocks that wait while an artist's money is in use.
const MAX_HEARD: usize = 16;
/// Looks through the chain that a reorganisation may cut off before the question fails.
const ATTEMPTS: usize = 4;
/// How long it may take until a block that is known was taken in.
const TAKING_IN: Duration = Duration::from_secs(2);
/// How long the newest block is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// The same on a private chain.
const PATIENCE_NEAR: Duration = Duration::from_secs(20);

/// What is known of artists' money.
pub(super) struct Ledgers {
    kept: Mutex<BTreeMap<PeerId, Arc<Kept>>>,
    books: std::sync::Mutex<BTreeMap<PeerId, (u64, Arc<Book>)>>,
    /// How many clients there were in this run.
    clients: AtomicU64,
    /// Whose scripts the present client looks for.
    followed: std::sync::Mutex<BTreeSet<PeerId>>,
    /// The last block that was heard of.
    heard: watch::Sender<Option<BlockId>>,
    log: Mutex<()>,
    tips: Mutex<()>,
}

/// What is kept in memory of one artist's money.
#[derive(Default)]
struct Kept {
    seen: Arc<Mutex<Seen>>,
    /// What the client with this number told while it was in use.
    heard: std::sync::Mutex<VecDeque<(u64, Event)>>,
}

/// An artist's money as of one block.
pub(super) struct Account {
    pub(super) book: Arc<Book>,
    pub(super) ledger: Arc<Ledger>,
    seen: OwnedMutexGuard<Seen>,
}

impl Account {
    /// The scripts that matter.
    pub(super) fn watch(&self) -> &Watch {
        &self.seen.watch
    }

    /// What the chain confirmed.
    pub(super) fn facts(&self) -> &Facts {
        self.seen.facts.as_ref().expect("an account is made of facts")
    }
}

impl Default for Ledgers {
    fn default() -> Self {
        Self {
            kept: Mutex::default(),
            books: std::sync::Mutex::default(),
            clients: AtomicU64::default(),
            followed: std::sync::Mutex::default(),
            heard: watch::Sender::new(None),
            log: Mutex::default(),
            tips: Mutex::default(),
        }
    }
}

impl Ledgers {
    /// Lets one record after the other join the own log.
    pub(super) async fn log(&self) -> MutexGuard<'_, ()> {
        self.log.lock().await
    }

    /// Lets one look at the tips that wait at a time.
    pub(super) async fn tips(&self) -> MutexGuard<'_, ()> {
        self.tips.lock().await
    }

    /// Returns a book that was read when the records had this revision, where one is kept.
    pub(super) fn book(&self, artist: PeerId, revision: u64) -> Option<Arc<Book>> {
        let books = self.books.lock().expect("no holder panics");
        books.get(&artist).filter(|(of, _)| *of == revision).map(|(_, book)| book.clone())
    }

    /// Keeps a book that was read when the records had this revision, or a later one.
    pub(super) fn keep_book(&self, revision: u64, book: Arc<Book>) {
        let mut books = self.books.lock().expect("no holder panics");
        if books.len() >= MAX_KEPT && !books.contains_key(&book.artist) {
            books.clear();
        }
        books.insert(book.artist, (revision, book));
    }

    /// Returns the number of the client that runs.
    pub(super) fn client(&self) -> u64 {
        self.clients.load(Ordering::Relaxed)
    }

    /// Begins to hear another client; returns its number.
    pub(super) fn begin(&self) -> u64 {
        self.followed.lock().expect("no holder panics").clear();
        self.heard.send_replace(None);
        self.clients.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Takes in what the client with this number tells.
    pub(super) async fn hear(&self, node: &Inner, chain: &Chain, client: u64, events: &[Event]) {
        let all: Vec<(PeerId, Arc<Kept>)> =
            self.kept.lock().await.iter().map(|(artist, kept)| (*artist, kept.clone())).collect();
        for (artist, kept) in all {
            kept.hear(client, events);
            let Ok(mut seen) = kept.seen.clone().try_lock_owned() else { continue };
            kept.take_in(&mut seen, chain);
            if seen.is_worth_keeping() {
                seen.keep(&node.store, artist, node.money.network).await;
            }
        }
        let last = events.iter().rev().find_map(|event| match event {
            Event::Connected(connected) => Some(connected.id),
            Event::Synced(id) => Some(*id),
            Event::Disconnected(_) | Event::Unconfirmed(_) => None,
        });
        if last.is_some() {
            self.heard.send_replace(last);
        }
    }

    /// Waits a little until the newest block was heard of, where the client looks for the artist's scripts.
    async fn hear_of_newest(&self, chain: &Chain, seen: &Seen) {
        if seen.joined.is_some_and(|joined| joined.client == self.clients.load(Ordering::Relaxed)) {
            let mut heard = self.heard.subscribe();
            // Whoever hears nothing looks for it.
            let _ = timeout(TAKING_IN, heard.wait_for(|id| *id == Some(chain.tip()))).await;
        }
    }

    /// Has the client look for an artist's scripts in every block to come.
    async fn follow(&self, chain: &Chain, artist: PeerId, seen: &mut Seen) {
        let client = self.clients.load(Ordering::Relaxed);
        if seen.watch.is_empty() || seen.joined.is_some_and(|joined| joined.client == client) {
            return;
        }
        let is_followed = {
            let mut followed = self.followed.lock().expect("no holder panics");
            followed.contains(&artist) || followed.len() < MAX_FOLLOWED && followed.insert(artist)
        };
        if is_followed {
            // A client that has ended is followed by another.
            let joined = chain.join(seen.watch.scripts().cloned().collect()).await;
            seen.joined = joined.ok().map(|watch| Joined { client, watch });
        }
    }

    async fn kept(&self, artist: PeerId) -> Arc<Kept> {
        let mut all = self.kept.lock().await;
        if all.len() >= MAX_KEPT && !all.contains_key(&artist) {
            all.retain(|_, kept| Arc::strong_count(kept) > 1 || kept.seen.try_lock().is_err());
        }
        all.entry(artist).or_default().clone()
    }
}

impl Kept {
    fn hear(&self, client: u64, events: &[Event]) {
        let mut heard = self.heard.lock().expect("no holder panics");
        let blocks = events.iter().filter(|it| matches!(it, Event::Connected(_) | Event::Disconnected(_)));
        heard.extend(blocks.map(|event| (client, event.clone())));
        let excess = heard.len().saturating_sub(MAX_HEARD.max(events.len()));
        heard.drain(..excess);
    }

    fn take_in(&self, seen: &mut Seen, chain: &Chain) {
        let heard = std::mem::take(&mut *self.heard.lock().expect("no holder panics"));
        heard.iter().for_each(|(client, event)| seen.hear(chain, *client, event));
    }
}

/// Recomputes an artist's money up to the newest block.
///
/// # Errors
/// `bitcoin_no_peer` where the chain cannot be asked, and those of the database.
pub(super) async fn account(node: &Arc<Inner>, artist: PeerId) -> Result<Account, ApiError> {
    let (chain, ledgers) = (node.money.connect(node).await?, &node.money.ledgers);
    synced(&chain, node.money.network).await?;
    let kept = ledgers.kept(artist).await;
    let mut seen = kept.seen.clone().lock_owned().await;
    ledgers.hear_of_newest(&chain, &seen).await;
    kept.take_in(&mut seen, &chain);
    let book = records::book(node, artist).await?;
    let (mut attempts, mut daos) = (1, Vec::new());
    seen.load(&node.store, artist, node.money.network).await?;
    while let Err(error) = look(node, &chain, &book, &mut seen, &mut daos).await {
        if attempts == ATTEMPTS {
            return Err(error);
        }
        match attempts {
            1 => seen.load(&node.store, artist, node.money.network).await?,
            // What the disk has may be of no use either.
            _ => seen.forget(),
        }
        attempts += 1;
    }
    ledgers.follow(&chain, artist, &mut seen).await;
    seen.keep(&node.store, artist, node.money.network).await;
    Ok(of(book, seen).expect("a look brings facts"))
}

/// Looks through the blocks since the last time; where DAOs paid notes, for their scripts too.
async fn look(
    node: &Arc<Inner>,
    chain: &Chain,
    book: &Arc<Book>,
    seen: &mut Seen,
    daos: &mut Vec<PaidDao>,
) -> Result<(), ApiError> {
    seen.pay_daos(daos);
    seen.look(chain, book).await?;
    *daos = paid_daos(node, seen.ledger(book).as_deref()).await;
    match seen.pay_daos(daos) {
        true => seen.look(chain, book).await,
        false => Ok(()),
    }
}

/// A DAO, where it is paid, and since which height.
pub(super) type PaidDao = ([u8; 32], DaoPayee, u32);

/// Finds where the DAOs are paid that have notes, as far as their turns are known here.
async fn paid_daos(node: &Arc<Inner>, ledger: Option<&Ledger>) -> Vec<PaidDao> {
    let notes = ledger.into_iter().flat_map(|ledger| ledger.notes.values());
    let dao = |payee: &Payee| match payee {
        Payee::Dao(dao) => Some(*dao),
        Payee::Script(_) => None,
    };
    let named: BTreeSet<[u8; 32]> = notes.filter_map(|note| dao(&note.payee)).collect();
    let mut daos = Vec::new();
    for dao in named {
        let payee = node.dao.payee(node, &SlotId::from_bytes(dao)).await;
        daos.extend(payee.map(|(payee, from)| (dao, payee, from)));
    }
    daos
}

/// The same by what was seen last, where the chain cannot be asked; without any money where nothing was.
pub(super) async fn account_or_last(
    node: &Arc<Inner>,
    artist: PeerId,
) -> Result<(Option<Account>, Option<ApiError>), ApiError> {
    match account(node, artist).await {
        Ok(account) => Ok((Some(account), None)),
        Err(error) => Ok((last(node, artist).await?, Some(error))),
    }
}

/// The same for one artist of many: where the chain did not answer for an earlier one, which `waiting` tells of, it is
/// not asked again.
pub(super) async fn account_unless(
    node: &Arc<Inner>,
    artist: PeerId,
    waiting: &mut Option<ApiError>,
) -> Result<Option<Account>, ApiError> {
    if waiting.is_some() {
        return last(node, artist).await;
    }
    let (account, error) = account_or_last(node, artist).await?;
    *waiting = error;
    Ok(account)
}

/// What was seen last of an artist's money, if anything was.
pub(super) async fn last(node: &Inner, artist: PeerId) -> Result<Option<Account>, ApiError> {
    let seen = last_seen(node, artist).await?;
    let book = records::book(node, artist).await?;
    Ok(of(book, seen))
}

/// Says how many addresses of a window were paid, as far as that was seen.
pub(super) async fn used(node: &Inner, artist: PeerId, base: u32) -> Result<usize, ApiError> {
    let seen = last_seen(node, artist).await?;
    let Some(facts) = &seen.facts else { return Ok(0) };
    let outputs = facts.transactions().iter().flat_map(|transaction| transaction.outputs.values());
    let paid = outputs.filter_map(|output| seen.watch.address(&output.script_pubkey));
    let of_window = paid.filter(|(_, index)| (base..base + WINDOW).contains(index));
    Ok(of_window.collect::<BTreeSet<_>>().len())
}

async fn last_seen(node: &Inner, artist: PeerId) -> Result<OwnedMutexGuard<Seen>, ApiError> {
    let mut seen = node.money.ledgers.kept(artist).await.seen.clone().lock_owned().await;
    seen.load(&node.store, artist, node.money.network).await?;
    Ok(seen)
}

fn of(book: Arc<Book>, mut seen: OwnedMutexGuard<Seen>) -> Option<Account> {
    let ledger = seen.ledger(&book)?;
    Some(Account { book, ledger, seen })
}

/// Waits until the newest block is known.
///
/// # Errors
/// `bitcoin_no_peer` where nobody tells of it.
pub(super) async fn synced(chain: &Chain, network: Network) -> Result<(), ApiError> {
    let patience = if network == Network::Regtest { PATIENCE_NEAR } else { PATIENCE };
    let mut status = chain.status_changes();
    let synced = timeout(patience, status.wait_for(|status| status.phase == Phase::Synced)).await;
    match synced {
        Ok(Ok(_)) => Ok(()),
        _ => Err(ApiError::new(
            "bitcoin_no_peer",
            format!("what the chain says is not known now: {}", chain.status()),
        )),
    }
}

#[cfg(test)]
mod tests;
