//! The wallet and its place on the disk: what changed is kept before anybody hears of it.

use chain::BlockId;
use domain::{
    Network,
    bitcoin::{ScriptBuf, Txid},
};
use store::{PaymentRow, Store};
use treasury::wallet::{ChangeSet, Wallet};

use super::{no_wallet, pay::now};
use crate::api::ApiError;

/// Changes of a wallet that may lie on the disk before they are put together: each is read at every start.
const MAX_CHANGES: u64 = 2_000;

/// Scripts that may wait before the chain is asked for them; far fewer than a wallet looks ahead, so that what pays one
/// of them is always found.
const SCRIPTS_WAITING: usize = 50;

/// The wallet of one network.
pub(super) struct Purse {
    store: Store,
    network: Network,
    wallet: Option<Wallet>,
    /// Why the wallet cannot be read.
    broken: Option<ApiError>,
    /// Scripts that joined while blocks were looked through, and the height from which they are wanted.
    joined: Vec<ScriptBuf>,
    joined_at: u32,
}

impl Purse {
    /// Reads the wallet. One that cannot be read keeps nobody from listening.
    pub(super) async fn open(store: Store, network: Network) -> Result<Self, ApiError> {
        let (wallet, broken) = match load(&store, network).await {
            Ok(wallet) => (wallet, None),
            Err(error) => (None, Some(error)),
        };
        if let Some(wallet) = &wallet
            && store.wallet_changes(network.word()).await? > MAX_CHANGES
        {
            store.compact_wallet(network.word(), &wallet.snapshot()).await?;
        }
        Ok(Self { store, network, wallet, broken, joined: Vec::new(), joined_at: 0 })
    }

    /// Looks at the wallet.
    ///
    /// # Errors
    /// `wallet_none`, `wallet_damaged`.
    pub(super) fn wallet(&self) -> Result<&Wallet, ApiError> {
        self.wallet.as_ref().ok_or_else(|| self.absent())
    }

    /// Lets the wallet be changed; [`Self::keep`] has to follow.
    ///
    /// # Errors
    /// `wallet_none`, `wallet_damaged`.
    pub(super) fn wallet_mut(&mut self) -> Result<&mut Wallet, ApiError> {
        let absent = self.absent();
        self.wallet.as_mut().ok_or(absent)
    }

    /// Says whether nothing is known of a wallet here.
    pub(super) fn is_empty(&self) -> bool {
        self.wallet.is_none() && self.broken.is_none()
    }

    fn absent(&self) -> ApiError {
        self.broken.clone().unwrap_or_else(no_wallet)
    }

    /// Takes a new wallet in, with what its payments were for; what a creation that was cut off left behind goes.
    pub(super) async fn put(&mut self, mut wallet: Wallet, payments: &[PaymentRow]) -> Result<(), ApiError> {
        if let Some(broken) = &self.broken {
            return Err(broken.clone());
        }
        self.take_back().await?;
        let first = wallet.staged().cloned().unwrap_or_default();
        self.store.restore_wallet(self.network.word(), &first, payments, now()).await?;
        wallet.mark_persisted();
        self.wallet = Some(wallet);
        Ok(())
    }

    /// Forgets a wallet whose seed could not be written.
    pub(super) async fn take_back(&mut self) -> Result<(), ApiError> {
        self.wallet = None;
        let name = self.network.word();
        if self.store.wallets().await?.iter().any(|wallet| wallet == name) {
            self.store.delete_wallet(name).await?;
        }
        Ok(())
    }

    /// Has all changes on the disk. After a failure they wait for the next time, and nothing leaves meanwhile.
    pub(super) async fn keep(&mut self) -> Result<(), ApiError> {
        let Some(wallet) = &mut self.wallet else { return Ok(()) };
        if let Some(changes) = wallet.staged() {
            self.store.append_wallet(self.network.word(), changes).await?;
            wallet.mark_persisted();
        }
        Ok(())
    }

    /// Has a signed payment on the disk with all that belongs to it, or none of it.
    pub(super) async fn keep_payment(&mut self, row: &PaymentRow) -> Result<(), ApiError> {
        let nothing = ChangeSet::default();
        let changes = self.wallet()?.staged().unwrap_or(&nothing);
        if let Err(error) = self.store.keep_payment(self.network.word(), changes, row).await {
            // The payment in memory is not on the disk, so it was never made.
            self.wallet = load(&self.store, self.network).await?;
            return Err(error.into());
        }
        self.wallet_mut()?.mark_persisted();
        Ok(())
    }

    /// Reads what belongs to a payment.
    pub(super) async fn payment(&self, txid: Txid) -> Result<Option<PaymentRow>, ApiError> {
        Ok(self.store.payment(self.network.word(), &txid.to_string()).await?)
    }

    /// Collects the scripts that a block at this height brought. Returns those that the chain has to be asked for now,
    /// and the height above which.
    pub(super) fn joined(&mut self, height: u32, all: bool) -> Option<(Vec<ScriptBuf>, u32)> {
        let scripts = self.wallet.as_mut().map(Wallet::take_new_scripts).unwrap_or_default();
        if self.joined.is_empty() {
            self.joined_at = height.saturating_sub(1);
        }
        self.joined_at = self.joined_at.min(height.saturating_sub(1));
        self.joined.extend(scripts);
        let due = !self.joined.is_empty() && (all || self.joined.len() >= SCRIPTS_WAITING);
        due.then(|| (std::mem::take(&mut self.joined), self.joined_at))
    }

    /// Says whether a block was looked at before.
    pub(super) fn has_seen(&self, block: BlockId) -> Result<bool, ApiError> {
        let near = self.wallet()?.checkpoints().take_while(|known| known.height >= block.height);
        Ok(near.last().is_some_and(|known| known.height == block.height && known.hash == block.hash))
    }

    /// Returns the blocks by which the wallet finds its place in the chain; none for a wallet that has seen none.
    pub(super) fn known(&self) -> Result<Vec<BlockId>, ApiError> {
        let wallet = self.wallet()?;
        match wallet.tip().height < wallet.birthday() || wallet.tip().height == 0 {
            true => Ok(Vec::new()),
            false => {
                Ok(wallet.checkpoints().map(|id| BlockId { height: id.height, hash: id.hash }).collect())
            }
        }
    }
}

async fn load(store: &Store, network: Network) -> Result<Option<Wallet>, ApiError> {
    let Some(changes) = store.wallet(network.word()).await? else { return Ok(None) };
    Ok(Some(Wallet::load(changes)?))
}
