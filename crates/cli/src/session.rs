//! The node that a command talks to: the data folder's daemon, else one of its own for its duration.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use node::{
    Api, Config, Node, NodeHandle, Remote,
    api::{self, ApiError, Event, Request, Response},
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout, timeout_at},
};

use crate::{
    logs::{self, Logs},
    output::Output,
};

/// What the node answers where another process has the data folder.
const ALREADY_RUNNING: &str = "already_running";
/// What the node answers about a release that has not arrived here.
pub(crate) const RELEASE_UNKNOWN: &str = "release_unknown";
/// How often a busy data folder is tried again: its lock tells nobody when it is free.
const BUSY_INTERVAL: Duration = Duration::from_millis(100);
/// A wait that people notice.
const WORTH_TELLING: Duration = Duration::from_secs(1);
/// Longest that an embedded node may take to end.
const CLOSING: Duration = Duration::from_secs(5);

/// A node to talk to.
pub(crate) struct Session {
    api: Arc<dyn Api>,
    embedded: Option<Embedded>,
    deadline: Instant,
}

struct Embedded {
    node: Arc<NodeHandle>,
    output: Output,
    told: AtomicBool,
    _logs: Logs,
}

/// What a request is answered with.
pub(crate) trait Answer: Sized {
    /// Takes the answer out, where it is one to that request.
    fn take(response: Response) -> Option<Self>;
}

macro_rules! answers {
    ($($variant:ident($body:ident)),+ $(,)?) => {$(
        impl Answer for api::$body {
            fn take(response: Response) -> Option<Self> {
                match response {
                    Response::$variant(body) => Some(body),
                    _ => None,
                }
            }
        }
    )+};
}

answers! {
    Status(Status), Invite(Invite), Peers(Peers), Profile(Profile), Published(Published),
    Releases(Releases), Search(SearchResults), Release(ReleaseDetail), Played(Played),
    Player(PlayerState), Downloaded(Downloaded), Tags(Tags), ReleaseRef(ReleaseRef), Blocked(Blocked),
    Follows(Follows), Library(Library), Playlists(Playlists), Seeds(Seeds), Stats(Stats),
    Doctor(Doctor), Config(ConfigValues), Identity(IdentityRef), Done(Done), Queue(Queue), Devices(Devices),
    Hidden(Hidden), TagsTop(TagsTop), Link(Link), Opened(Opened), Downloads(Downloads), Lyrics(Lyrics),
    Tipped(Tipped), Payments(Payments), Offer(Offer), Offers(Offers), Invested(Invested), Notes(Notes),
    PaidOut(PaidOut), Income(Income), Audit(Audit),
    Wallet(WalletStatus), NewWallet(NewWallet), Drill(Drill), Receive(Receive), PayTo(PayTo), Sent(Sent),
    WalletHistory(WalletHistory), File(TextFile), Coins(Coins), Labels(Labels), Chain(ChainStatus), Backup(Backup),
    Words(Words),
    DaoCreated(DaoCreated), Daos(Daos), DaoMembership(DaoMembership), DaoStarted(DaoStarted),
    DaoProposal(DaoProposal), DaoProposals(DaoProposals), DaoRefunds(DaoRefunds), DaoRecovered(DaoRecovered),
    DaoAudit(DaoAudit),
}

impl Answer for api::Dao {
    fn take(response: Response) -> Option<Self> {
        match response {
            Response::Dao(dao) => Some(*dao),
            _ => None,
        }
    }
}

impl Session {
    /// Connects to the data folder's daemon, else starts a node that may wait so long for the network.
    ///
    /// # Errors
    /// Those of starting a node; `already_running` where another command kept the data folder all the while.
    pub(crate) async fn open(
        data: &Path,
        wait: Duration,
        output: Output,
        verbose: u8,
    ) -> Result<Self, ApiError> {
        let deadline = Instant::now() + wait;
        let mut logs = None;
        loop {
            if let Some(daemon) = Remote::connect(data).await {
                if logs.is_none() {
                    logs::start_stderr(verbose);
                }
                return Ok(Self { api: Arc::new(daemon), embedded: None, deadline });
            }
            if logs.is_none() {
                logs = Some(Logs::start(data, verbose)?);
            }
            let config = Config { data: data.to_owned(), ..Config::default() };
            match Node::start(config).await {
                Ok(node) => {
                    let _logs = logs.take().expect("started above");
                    let told = AtomicBool::new(false);
                    let embedded = Embedded { node: node.clone(), output, told, _logs };
                    return Ok(Self { api: node, embedded: Some(embedded), deadline });
                }
                Err(error) if error.code == ALREADY_RUNNING && Instant::now() < deadline => {
                    sleep(BUSY_INTERVAL).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Connects to the data folder's daemon.
    ///
    /// # Errors
    /// `daemon_absent`.
    pub(crate) async fn daemon(data: &Path, verbose: u8) -> Result<Self, ApiError> {
        logs::start_stderr(verbose);
        let daemon = Remote::connect(data).await.ok_or_else(|| {
            let message = "no daemon runs on this data folder; start one with `musicdao daemon`";
            ApiError::new("daemon_absent", message)
        })?;
        Ok(Self { api: Arc::new(daemon), embedded: None, deadline: Instant::now() })
    }

    /// Says whether the node ends with this command.
    pub(crate) fn is_embedded(&self) -> bool {
        self.embedded.is_some()
    }

    /// Returns how much longer the network may be waited for; a daemon is not waited for.
    pub(crate) fn left(&self) -> Option<Duration> {
        self.is_embedded().then(|| self.deadline.saturating_duration_since(Instant::now()))
    }

    /// Asks.
    ///
    /// # Errors
    /// What the node says.
    pub(crate) async fn ask<T: Answer>(&self, request: Request) -> Result<T, ApiError> {
        T::take(self.api.call(request).await?).ok_or_else(|| {
            ApiError::new(
                "daemon_version",
                "the daemon is of another version; restart it with `musicdao stop`",
            )
        })
    }

    /// Asks; an embedded node is asked again as things arrive, until the answer is enough or time is up.
    ///
    /// # Errors
    /// What the node says last.
    pub(crate) async fn ask_until<T: Answer>(
        &self,
        request: Request,
        enough: impl Fn(&Result<T, ApiError>) -> bool,
    ) -> Result<T, ApiError> {
        match self.is_embedded() {
            true => self.ask_in_time(request, enough).await,
            false => self.ask(request).await,
        }
    }

    /// Asks, of a daemon, too, again as things arrive, until the answer is enough or time is up.
    ///
    /// # Errors
    /// What the node says last.
    pub(crate) async fn ask_in_time<T: Answer>(
        &self,
        request: Request,
        enough: impl Fn(&Result<T, ApiError>) -> bool,
    ) -> Result<T, ApiError> {
        let mut events = self.events().await?;
        loop {
            let answer = self.ask(request.clone()).await;
            if enough(&answer) {
                return answer;
            }
            if let Some(embedded) = &self.embedded {
                embedded.tell_waiting(self.deadline);
            }
            if !arrival(&mut events, self.deadline).await {
                return answer;
            }
        }
    }

    /// Listens to events from now on.
    ///
    /// # Errors
    /// What the node says.
    pub(crate) async fn events(&self) -> Result<mpsc::Receiver<Event>, ApiError> {
        self.api.events().await
    }

    /// Ends the embedded node, where there is one.
    pub(crate) async fn close(self) {
        let Some(embedded) = self.embedded else { return };
        if timeout(CLOSING, embedded.node.shutdown()).await.is_err() {
            tracing::warn!(after = ?CLOSING, "the node did not end in time");
        }
    }
}

impl Embedded {
    /// Says once why nothing happens.
    fn tell_waiting(&self, deadline: Instant) {
        let left = deadline.saturating_duration_since(Instant::now());
        if left >= WORTH_TELLING && !self.told.swap(true, Ordering::Relaxed) {
            let left = left.as_secs_f32().round();
            self.output.note(&format!(
                "Not here yet: waiting up to {left} s for what others send. `--wait 0` does not wait; with \
                 `musicdao daemon` running nothing does."
            ));
        }
    }
}

/// Waits until the catalogue or the peers have changed. False when time is up.
async fn arrival(events: &mut mpsc::Receiver<Event>, deadline: Instant) -> bool {
    loop {
        match timeout_at(deadline, events.recv()).await {
            Ok(Some(event)) if is_arrival(&event) => break,
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => return false,
        }
    }
    // Releases arrive in crowds: one question for all that are here.
    while events.try_recv().is_ok() {}
    true
}

fn is_arrival(event: &Event) -> bool {
    matches!(
        event,
        Event::Release { .. }
            | Event::CatalogueChanged
            | Event::PeerUp { .. }
            | Event::WalletChanged
            | Event::DaoChanged { .. }
            | Event::Chain { .. }
            | Event::Dropped { .. }
    )
}
