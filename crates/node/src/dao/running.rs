//! The task of one DAO.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use domain::{
    PeerId, Record,
    bitcoin::FeeRate,
    kinds::{Charter, DaoId},
};
use tokio::{
    sync::{Mutex, mpsc},
    time::{Instant, sleep_until},
};
use treasury::dao::member::Input;

use super::{driven::Driven, sight::Look};
use crate::{
    api::{ApiError, Event},
    node::Inner,
};

/// What waits for a DAO; beyond it messages are not taken, and records are read again from the disk.
const BACKLOG: usize = 4_096;
/// Longest time without a look at what changed meanwhile, such as the wallet's lock.
const TICK: Duration = Duration::from_secs(2);
/// Pause before a DAO goes on whose change the disk did not take.
const DISK_PAUSE: Duration = Duration::from_secs(5);

/// What happens to a DAO.
pub(crate) enum Work {
    /// A record was stored.
    Record(Box<Record>),
    /// A member's node says something.
    Message { from: PeerId, bytes: Vec<u8> },
    /// The Bitcoin client tells.
    Chain { client: u64, events: Arc<[chain::Event]> },
    /// A look through blocks has ended.
    Looked(Box<Result<Look, ApiError>>),
    /// What a transaction costs now.
    Rate(FeeRate),
    /// Something was looked up.
    Input(Box<Input>),
    /// Something may have changed.
    Poke,
}

/// A DAO that runs.
pub(crate) struct Running {
    pub(super) dao: DaoId,
    pub(super) creator: PeerId,
    pub(super) charter: Charter,
    pub(super) work: mpsc::Sender<Work>,
    /// Held while coins are set aside to join with, so that one wish is made.
    pub(super) joining: Mutex<()>,
    /// Whether records went past.
    behind: AtomicBool,
    driven: Mutex<Driven>,
}

/// Begins the task of a DAO.
pub(super) async fn begin(
    node: &Arc<Inner>,
    dao: DaoId,
    creator: PeerId,
    charter: Charter,
) -> Result<Arc<Running>, ApiError> {
    let (work, queue) = mpsc::channel(BACKLOG);
    let driven = Driven::load(node, dao, creator, &charter, work.clone()).await?;
    let running = Arc::new(Running {
        dao,
        creator,
        charter,
        work: work.clone(),
        joining: Mutex::default(),
        behind: AtomicBool::new(true),
        driven: Mutex::new(driven),
    });
    running.settle(node).await;
    // Where that fails the coins stay locked until the next wish.
    running.note(node, super::join::forget_unpublished(node, &dao).await);
    node.dao.inbox.add(dao, work);
    node.tasks.spawn(run(node.clone(), running.clone(), queue));
    Ok(running)
}

async fn run(node: Arc<Inner>, running: Arc<Running>, mut queue: mpsc::Receiver<Work>) {
    loop {
        let due = running.due(&node).await;
        tokio::select! {
            () = node.ending.cancelled() => return,
            Some(work) = queue.recv() => running.take(&node, work).await,
            () = sleep_until(due) => running.tick(&node).await,
        }
        running.settle(&node).await;
    }
}

impl Running {
    /// Looks at the DAO, or changes it.
    pub(super) async fn driven(&self) -> tokio::sync::MutexGuard<'_, Driven> {
        self.driven.lock().await
    }

    pub(super) fn record(&self, record: &Record) {
        if self.work.try_send(Work::Record(Box::new(record.clone()))).is_err() {
            self.behind.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn hear(&self, client: u64, events: &Arc<[chain::Event]>) {
        // What is missed is looked for.
        let _ = self.work.try_send(Work::Chain { client, events: events.clone() });
    }

    pub(super) fn poke(&self) {
        let _ = self.work.try_send(Work::Poke);
    }

    async fn due(&self, node: &Inner) -> Instant {
        let timer = self.driven.lock().await.timer();
        let (now, timer) = (elapsed(node), timer.unwrap_or(u64::MAX));
        Instant::now() + Duration::from_millis(timer.saturating_sub(now)).min(TICK)
    }

    async fn tick(&self, node: &Arc<Inner>) {
        let mut driven = self.driven.lock().await;
        if driven.timer().is_some_and(|due| due <= elapsed(node)) {
            self.note(node, driven.handle(node, Input::Timer).await);
        }
    }

    async fn take(&self, node: &Arc<Inner>, work: Work) {
        let mut driven = self.driven.lock().await;
        let done = match work {
            Work::Record(record) => driven.record(node, &record).await,
            Work::Message { from, bytes } => driven.handle(node, Input::Message { from, bytes }).await,
            Work::Chain { client, events } => driven.hear(node, client, &events).await,
            Work::Looked(look) => driven.looked(node, *look).await,
            Work::Input(input) => driven.handle(node, *input).await,
            Work::Rate(rate) => {
                driven.set_rate(rate);
                Ok(())
            }
            Work::Poke => Ok(()),
        };
        self.note(node, done);
    }

    /// Does what is due whatever happened: what was missed, the wallet's lock, the chain.
    async fn settle(&self, node: &Arc<Inner>) {
        let mut driven = self.driven.lock().await;
        if driven.is_broken() {
            drop(driven);
            tokio::time::sleep(DISK_PAUSE).await;
            let loaded = Driven::load(node, self.dao, self.creator, &self.charter, self.work.clone()).await;
            driven = self.driven.lock().await;
            match loaded {
                Ok(loaded) => *driven = loaded,
                Err(error) => return super::warn(node, error),
            }
            self.behind.store(true, Ordering::Relaxed);
        }
        self.note(node, driven.seed(node).await);
        if self.behind.swap(false, Ordering::Relaxed) {
            self.note(node, driven.records(node).await);
        }
        self.note(node, driven.settle(node).await);
    }

    fn note(&self, node: &Inner, done: Result<(), ApiError>) {
        if let Err(error) = done {
            tracing::warn!(dao = %self.dao, code = error.code, message = error.message, "a DAO waits");
            node.hub.tell(&Event::Warning(error));
        }
    }
}

/// Milliseconds since the node started.
pub(super) fn elapsed(node: &Inner) -> u64 {
    u64::try_from(node.started.elapsed().as_millis()).unwrap_or(u64::MAX)
}
