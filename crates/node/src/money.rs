//! Money: the own wallet, and what is paid for music.
//!
//! [`Money`] owns the wallet of the node's network (its private account and the public income account) and the Bitcoin
//! client. The client runs while there is a wallet, and from the first question that needs the chain. Whatever changes
//! the wallet is on the disk before it is told to anybody or sent anywhere.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use chain::{Chain, PeerAddress, Since};
use domain::Network;
use store::Store;
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use treasury::wallet::{Accounts, Wallet};

use crate::{
    Settings,
    api::{ApiError, Event, MoneyCommand, Response, WalletCommand},
    hub::Hub,
    node::Inner,
};

mod answers;
mod create;
mod daos;
mod fault;
mod follow;
mod income;
mod ledgers;
mod music;
mod notes;
mod offers;
mod outbox;
mod pay;
mod payments;
mod payouts;
mod purse;
mod records;
mod seen;
mod tips;
mod vault;

pub(crate) use daos::{fault as fault_point, investment, name, publish_note, shown_script, until_synced};
pub(crate) use pay::{Terms, pay_for};

use ledgers::Ledgers;
use purse::Purse;
use vault::Vault;

/// The money of a node, on one network.
pub(crate) struct Money {
    network: Network,
    folder: PathBuf,
    store: Store,
    hub: Arc<Hub>,
    vault: Vault,
    purse: tokio::sync::Mutex<Purse>,
    /// Held while the client is started, so that one is.
    connecting: tokio::sync::Mutex<()>,
    link: Mutex<Option<Link>>,
    /// Whether the client was told of the wallet.
    watching: AtomicBool,
    /// Whether every block of the past was looked through since the start.
    caught_up: AtomicBool,
    /// There is something to send.
    wake: Notify,
    /// What is known of artists' money.
    ledgers: Ledgers,
}

/// The Bitcoin client while it runs.
struct Link {
    chain: Chain,
    ending: CancellationToken,
    tasks: TaskTracker,
}

impl Link {
    /// Ends the client, and waits until it has ended.
    async fn end(self) {
        self.ending.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.chain.ended().await;
    }
}

/// Answers a command to the wallet.
pub(crate) async fn wallet(node: &Arc<Inner>, command: WalletCommand) -> Result<Response, ApiError> {
    node.money.wallet(node, command).await
}

/// Answers a command about money for music.
pub(crate) async fn money(node: &Arc<Inner>, command: MoneyCommand) -> Result<Response, ApiError> {
    music::answer(node, command).await
}

/// Publishes where this node's artist is paid, where there is an artist and a wallet. What keeps it from that is told,
/// and it is tried again at the next occasion.
pub(crate) async fn announce(node: &Arc<Inner>) {
    match income::announce(node).await {
        Ok(()) => {}
        // It waits for the swarm to tell what was signed elsewhere.
        Err(error) if error.code == "cannot_publish" => {}
        Err(error) => {
            tracing::warn!(
                code = error.code,
                message = error.message,
                "it is not published where income goes"
            );
            node.hub.tell(&Event::Warning(error));
        }
    }
}

impl Money {
    /// Reads the wallet of the settings' network, where there is one.
    pub(crate) async fn open(
        data: &Path,
        settings: &Settings,
        store: &Store,
        hub: &Arc<Hub>,
    ) -> Result<Self, ApiError> {
        let network = settings.network;
        let folder = data.join(network.word());
        Ok(Self {
            network,
            vault: Vault::new(folder.clone(), network, store.clone()),
            purse: tokio::sync::Mutex::new(Purse::open(store.clone(), network).await?),
            folder,
            store: store.clone(),
            hub: hub.clone(),
            connecting: tokio::sync::Mutex::default(),
            link: Mutex::default(),
            watching: AtomicBool::default(),
            caught_up: AtomicBool::default(),
            wake: Notify::new(),
            ledgers: Ledgers::default(),
        })
    }

    /// Goes on where the last run ended: a wallet follows its chain. What keeps it from doing so keeps nobody from
    /// listening.
    pub(crate) async fn resume(&self, node: &Arc<Inner>) {
        if !self.vault.exists() || self.purse.lock().await.wallet().is_err() {
            return;
        }
        if let Err(error) = self.connect(node).await {
            tracing::warn!(
                code = error.code,
                message = error.message,
                "the wallet does not follow its chain"
            );
            self.hub.tell(&Event::Warning(error));
        }
        announce(node).await;
    }

    /// Begins anew with other Bitcoin nodes, where the client runs. The old client has ended before the new one starts:
    /// both write to the same files.
    pub(crate) async fn reconnect(&self, node: &Arc<Inner>) -> Result<(), ApiError> {
        let one = self.connecting.lock().await;
        let link = self.link.lock().expect("no holder panics").take();
        let Some(link) = link else { return Ok(()) };
        link.end().await;
        self.connect_alone(node, &one).await.map(drop)
    }

    /// Returns the Bitcoin client, started where it does not run yet.
    pub(crate) async fn connect(&self, node: &Arc<Inner>) -> Result<Chain, ApiError> {
        let one = self.connecting.lock().await;
        self.connect_alone(node, &one).await
    }

    async fn connect_alone(
        &self,
        node: &Arc<Inner>,
        _one: &tokio::sync::MutexGuard<'_, ()>,
    ) -> Result<Chain, ApiError> {
        self.allowed(node)?;
        if let Some(chain) = self.link() {
            self.watch(&chain).await?;
            return Ok(chain);
        }
        let config = self.client(&node.settings()).await?;
        let (chain, events) = chain::start(config)?;
        let client = self.ledgers.begin();
        let (ending, tasks) = (node.ending.child_token(), TaskTracker::new());
        let followed = follow::run(node.clone(), chain.clone(), client, events, ending.clone());
        let told = follow::tell(node.clone(), chain.clone(), ending.clone());
        let sent = outbox::run(node.clone(), chain.clone(), ending.clone());
        *self.link.lock().expect("no holder panics") =
            Some(Link { chain: chain.clone(), ending, tasks: tasks.clone() });
        self.watching.store(false, Ordering::Relaxed);
        self.watch(&chain).await?;
        node.tasks.spawn(tasks.track_future(followed));
        node.tasks.spawn(tasks.track_future(told));
        node.tasks.spawn(tasks.track_future(sent));
        Ok(chain)
    }

    /// Returns the Bitcoin client where it runs.
    pub(crate) fn link(&self) -> Option<Chain> {
        self.link.lock().expect("no holder panics").as_ref().map(|link| link.chain.clone())
    }

    /// The wallet's public keys.
    pub(crate) async fn accounts(&self) -> Result<Accounts, ApiError> {
        Ok(self.purse.lock().await.wallet()?.accounts().clone())
    }

    /// Tells the client of the wallet, once.
    async fn watch(&self, chain: &Chain) -> Result<(), ApiError> {
        let mut purse = self.purse.lock().await;
        if purse.wallet().is_err() || self.watching.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        let known = purse.known()?;
        let wallet = purse.wallet_mut()?;
        wallet.take_new_scripts();
        let scripts = wallet.scripts().cloned().collect();
        let since = match known.is_empty() {
            true => Since::Height(wallet.birthday().saturating_sub(1)),
            false => Since::Known(known),
        };
        Ok(chain.watch(scripts, since).await?)
    }

    /// How the client reaches the network.
    async fn client(&self, settings: &Settings) -> Result<chain::Config, ApiError> {
        let peers = settings.bitcoin_peers.iter().map(|peer| PeerAddress::parse(peer, self.network));
        let peers = peers.collect::<Result<Vec<_>, _>>()?;
        let mut config = chain::Config::new(self.network, self.folder.join("chain"));
        config.only_these_peers = !peers.is_empty();
        config.peers = peers;
        config.proxy = settings.bitcoin_proxy;
        config.birthday = self.purse.lock().await.wallet().ok().map(Wallet::birthday);
        Ok(config)
    }

    /// The newest block that is known, for a wallet that nobody has paid before.
    fn newest_height(&self) -> u32 {
        let checkpoint = chain::newest_checkpoint(self.network).height;
        self.link().map_or(checkpoint, |chain| chain.tip().height.max(checkpoint))
    }

    /// Fails where the network is that of real money and the user has not said so in words.
    fn allowed(&self, node: &Inner) -> Result<(), ApiError> {
        node.settings().money_allowed()
    }

    async fn words_confirmed(&self) -> Result<bool, ApiError> {
        Ok(self.store.setting(&self.words_setting()).await?.unwrap_or_default())
    }

    async fn set_words_confirmed(&self) -> Result<(), ApiError> {
        self.store.set_setting(&self.words_setting(), &true).await?;
        self.hub.tell(&Event::WalletChanged);
        Ok(())
    }

    fn words_setting(&self) -> String {
        format!("wallet_words_confirmed_{}", self.network)
    }
}

fn no_wallet() -> ApiError {
    ApiError::new("wallet_none", "there is no wallet here yet: `musicdao wallet create` makes one")
}

macro_rules! coded {
    ($($error:path),+ $(,)?) => {$(
        impl From<$error> for ApiError {
            fn from(error: $error) -> Self {
                Self::new(error.code(), error.to_string())
            }
        }
    )+};
}

coded! {
    chain::Error,
    treasury::wallet::AddressError,
    treasury::wallet::LabelError,
    treasury::wallet::SeedError,
    treasury::wallet::SpendError,
    treasury::wallet::TooManyAttempts,
    treasury::wallet::VaultError,
    treasury::wallet::WalletError,
}
