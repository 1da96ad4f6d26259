//! The DAOs: one task for each that this node takes part in or watches, around the pure member.
//!
//! What the member asks for is done in its order: what must not be forgotten is on the disk before anything that depends
//! on it is sent. Records come from the peer and its store, messages from other members' nodes, blocks from the Bitcoin
//! client, signatures from the wallet while it is unlocked.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use chain::Chain;
use domain::{
    Record,
    kinds::{Charter, DaoId},
};
use tokio::time::timeout;
use treasury::paying::{DaoPayee, DaoPays};

use crate::{
    api::{ApiError, DaoCommand, Event, Response},
    node::{Inner, unix_ms},
};

mod answers;
mod backup;
mod bump;
mod driven;
mod join;
mod payback;
mod post;
mod proposals;
mod propose;
mod records;
mod running;
mod show;
mod sight;

pub(crate) use post::{Inbox, MAX_REQUEST, TAG};

use post::Outbox;
use running::Running;

/// How long a DAO is given until its turns and the newest block are known, where somebody is to be paid.
const FIRST_TURNS: Duration = Duration::from_secs(15);
/// How often that is looked at without an event.
const STEP: Duration = Duration::from_millis(500);
/// Most DAOs that one node follows at a time.
const MAX_RUNNING: usize = 64;

/// The DAOs of a node.
pub(crate) struct Daos {
    inbox: Arc<Inbox>,
    outbox: Outbox,
    running: Mutex<BTreeMap<DaoId, Arc<Running>>>,
    /// Held while one is opened, so that one is.
    opening: tokio::sync::Mutex<()>,
}

/// Answers a command about DAOs.
pub(crate) async fn answer(node: &Arc<Inner>, command: DaoCommand) -> Result<Response, ApiError> {
    answers::answer(node, command).await
}

impl Daos {
    pub(crate) fn new(inbox: Arc<Inbox>) -> Self {
        Self {
            inbox,
            outbox: Outbox::default(),
            running: Mutex::default(),
            opening: tokio::sync::Mutex::default(),
        }
    }

    /// Goes on where the last run ended. What keeps a DAO from it keeps nobody from listening.
    pub(crate) async fn resume(&self, node: &Arc<Inner>) {
        let daos = match node.store.daos(node.money.network()).await {
            Ok(daos) => daos,
            Err(error) => return warn(node, error.into()),
        };
        for dao in daos {
            if let Err(error) = self.open(node, &dao).await {
                warn(node, error);
            }
        }
    }

    /// Returns the DAO's task, begun where it does not run yet.
    ///
    /// # Errors
    /// `dao_unknown`, `dao_too_many`, those of Bitcoin's client and of the database.
    pub(super) async fn open(&self, node: &Arc<Inner>, dao: &DaoId) -> Result<Arc<Running>, ApiError> {
        let _one = self.opening.lock().await;
        if let Some(running) = self.running(dao) {
            return Ok(running);
        }
        if self.all().len() >= MAX_RUNNING {
            let message = format!("this node follows {MAX_RUNNING} DAOs already");
            return Err(ApiError::new("dao_too_many", message));
        }
        let (creator, charter) = records::charter(node, dao).await?;
        node.store.open_dao(dao, node.money.network(), unix_ms()).await?;
        let running = running::begin(node, *dao, creator, charter).await?;
        self.running.lock().expect("no holder panics").insert(*dao, running.clone());
        Ok(running)
    }

    /// Returns the DAO's task where it runs.
    pub(super) fn running(&self, dao: &DaoId) -> Option<Arc<Running>> {
        self.running.lock().expect("no holder panics").get(dao).cloned()
    }

    /// Says where a DAO is paid as of the newest block, and since which height; opened where it is not. `None` where its
    /// turns are not known here.
    pub(crate) async fn payee(&self, node: &Arc<Inner>, dao: &DaoId) -> Option<(DaoPayee, u32)> {
        let is_new = self.running(dao).is_none();
        let running = Box::pin(self.open(node, dao)).await.ok()?;
        let newest = chain(node).await.ok()?;
        let mut events = node.hub.listen();
        let known = async {
            while {
                let driven = running.driven().await;
                let is_of_now = driven.member.tip().is_some_and(|tip| tip.hash == newest.tip().hash);
                match driven.payee() {
                    Some((payee, _)) => !is_of_now || payee.pays == DaoPays::Nobody,
                    None => is_new,
                }
            } {
                let _ = timeout(STEP, events.recv()).await;
            }
        };
        let is_of_now = timeout(FIRST_TURNS, known).await.is_ok();
        let (payee, from) = running.driven().await.payee()?;
        // Who does not see the newest block does not know whether the coin is still there.
        let pays = if is_of_now { payee.pays } else { DaoPays::Nobody };
        Some((DaoPayee { pays, ..payee }, from))
    }

    /// Says whether this node takes part in any DAO, and so is to be found.
    pub(crate) fn is_any(&self) -> bool {
        !self.running.lock().expect("no holder panics").is_empty()
    }

    fn all(&self) -> Vec<Arc<Running>> {
        self.running.lock().expect("no holder panics").values().cloned().collect()
    }

    /// Adds the owner's DAOs to the parts of a backup.
    pub(crate) async fn back_up(
        &self,
        node: &Inner,
        parts: &mut BTreeMap<String, String>,
    ) -> Result<(), ApiError> {
        backup::add(node, parts).await
    }

    /// Takes the DAOs of a backup in.
    pub(crate) async fn restore(
        &self,
        node: &Arc<Inner>,
        parts: &BTreeMap<String, String>,
    ) -> Result<(), ApiError> {
        backup::restore(node, parts).await
    }

    /// Hands a record on that was stored just now.
    pub(crate) fn record(&self, node: &Inner, record: &Record) {
        if record.kind == domain::kinds::id::CHARTER {
            node.hub.tell(&Event::DaoChanged { dao_id: record.slot });
        }
        self.all().iter().for_each(|running| running.record(record));
    }

    /// Hands on what the Bitcoin client with this number tells.
    pub(crate) fn hear(&self, client: u64, events: &[chain::Event]) {
        let all = self.all();
        if all.is_empty() {
            return;
        }
        let events: Arc<[chain::Event]> = events.into();
        all.iter().for_each(|running| running.hear(client, &events));
    }

    /// Has every DAO look whether the wallet is locked.
    pub(crate) fn wallet_changed(&self) {
        self.all().iter().for_each(|running| running.poke());
    }
}

/// The Bitcoin client, started where it does not run.
async fn chain(node: &Arc<Inner>) -> Result<Chain, ApiError> {
    node.money.connect(node).await
}

fn warn(node: &Inner, error: ApiError) {
    tracing::warn!(code = error.code, message = error.message, "a DAO does not go on");
    node.hub.tell(&Event::Warning(error));
}

fn unknown(dao: &DaoId) -> ApiError {
    let message =
        format!("no DAO {dao} is known here: open its link first, and wait until its charter has come");
    ApiError::new("dao_unknown", message)
}

/// Reads a charter, where it is one of this network's.
fn charter_of(record: &Record, network: domain::Network) -> Option<Charter> {
    record.read::<Charter>().ok().flatten().filter(|charter| charter.network == network)
}
