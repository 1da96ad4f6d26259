//! What DAOs ask of the money: the member's key, coins to join with, signatures for them, notes.

use std::sync::{Arc, atomic::Ordering};

use chain::Chain;
use domain::{
    Network, SlotId,
    bitcoin::{Amount, FeeRate, OutPoint, ScriptBuf, Transaction, TxOut, Witness, secp256k1::Keypair},
    kinds::{self, DaoId},
};
use treasury::{
    paying::id_of,
    wallet::{Account, Coin, Passphrase, SealingKey},
};

use super::{Money, fault, income, ledgers, notes, offers, records};
use crate::{
    api::{ApiError, Fee},
    node::{Inner, random},
};

/// A place at which a test lets the process die.
pub(crate) fn fault(place: &str) {
    fault::point(place);
}

/// Waits until the newest block is known.
///
/// # Errors
/// `bitcoin_no_peer` where nobody tells of it.
pub(crate) async fn until_synced(chain: &Chain, network: Network) -> Result<(), ApiError> {
    ledgers::synced(chain, network).await
}

/// Signs a note into the own money log and spreads it.
///
/// # Errors
/// Those of publishing.
pub(crate) async fn publish_note(node: &Inner, note: kinds::Note) -> Result<SlotId, ApiError> {
    records::publish(node, note).await
}

/// Names people; an id's beginning where no name is known.
pub(crate) async fn name(node: &Inner, peer: domain::PeerId) -> Result<String, ApiError> {
    records::name(node, peer).await
}

impl Money {
    /// Whose money it is.
    pub(crate) fn network(&self) -> Network {
        self.network
    }

    /// The number of the Bitcoin client that runs.
    pub(crate) fn client_number(&self) -> u64 {
        self.ledgers.client()
    }

    /// Says whether the wallet is unlocked.
    pub(crate) fn is_unlocked(&self) -> bool {
        self.vault.keys().is_some()
    }

    /// The key by which the owner is a member of a DAO, and the one that encrypts its secrets, while the wallet is unlocked.
    pub(crate) fn member_keys(&self, dao: &DaoId) -> Option<(Keypair, SealingKey)> {
        self.vault.keys().map(|keys| (keys.member(dao), keys.sealing(dao)))
    }

    /// The same, unlocked by the passphrase from now on where the wallet is locked: a member's node signs by itself.
    ///
    /// # Errors
    /// `wallet_none`, `wallet_locked`, those of passphrases.
    pub(crate) async fn unlocked_member_key(
        &self,
        node: &Arc<Inner>,
        dao: &DaoId,
        passphrase: Option<String>,
    ) -> Result<Keypair, ApiError> {
        self.purse.lock().await.wallet()?;
        if let Some(keys) = self.vault.keys() {
            return Ok(keys.member(dao));
        }
        let message =
            "the wallet is locked: unlock it or give its passphrase; a member's node signs by itself";
        let passphrase = passphrase.ok_or_else(|| ApiError::new("wallet_locked", message))?;
        let seed = self.open_seed(Passphrase::new(passphrase)?).await?;
        let keys = Arc::new(seed.keys(self.network));
        let key = keys.member(dao);
        self.vault.unlock(keys, None);
        node.dao.wallet_changed();
        self.hub.tell(&crate::api::Event::WalletChanged);
        Ok(key)
    }

    /// Private coins in a block, with the names of their blocks to follow; what is locked or spent is not among them.
    ///
    /// # Errors
    /// `wallet_none`, `wallet_behind`.
    pub(crate) async fn confirmed_coins(&self, depth: u32) -> Result<Vec<(Coin, u32)>, ApiError> {
        if !self.caught_up.load(Ordering::Relaxed) {
            let message = "the wallet has not seen the newest block yet: wait until it is synced";
            return Err(ApiError::new("wallet_behind", message));
        }
        let purse = self.purse.lock().await;
        let wallet = purse.wallet()?;
        let tip = wallet.tip().height;
        let deep = |coin: &Coin| coin.height.filter(|height| height.saturating_add(depth) <= tip + 1);
        let free = |coin: &Coin| !coin.locked && !coin.immature && coin.chain.account() == Account::Private;
        let coins = wallet.coins().into_iter().filter(free);
        Ok(coins.filter_map(|coin| deep(&coin).map(|height| (coin, height))).collect())
    }

    /// Keeps coins from being spent by any other payment, or releases them.
    ///
    /// # Errors
    /// `wallet_none`, and those of the database.
    pub(crate) async fn reserve(&self, coins: &[OutPoint], reserved: bool) -> Result<(), ApiError> {
        self.change(|wallet| {
            for coin in coins {
                // What the wallet does not know any more is spent.
                let _ = wallet.lock_coin(*coin, reserved);
            }
            Ok(())
        })
        .await
    }

    /// A fresh own address; `trial` shows one that was shown before.
    ///
    /// # Errors
    /// `wallet_none`, and those of the chain's client.
    pub(crate) async fn fresh_script(&self, node: &Arc<Inner>) -> Result<ScriptBuf, ApiError> {
        let (script, scripts) = self
            .change(|wallet| {
                let (_, address) = wallet.fresh_address();
                Ok((address.script_pubkey(), wallet.take_new_scripts()))
            })
            .await?;
        if !scripts.is_empty() {
            // Nobody was shown them yet.
            self.connect(node).await?.watch(scripts, chain::Since::Now).await?;
        }
        Ok(script)
    }

    /// Signs the wallet's own inputs of a DAO's transaction.
    ///
    /// # Errors
    /// `wallet_none`, `wallet_locked`, and where an input is none of the wallet's coins.
    pub(crate) async fn sign_inputs(
        &self,
        tx: &Transaction,
        spent: &[TxOut],
        inputs: &[usize],
    ) -> Result<Vec<Witness>, ApiError> {
        let locked = || {
            let message =
                "the wallet is locked and was asked to sign for a DAO: unlock it, and the node goes on";
            ApiError::new("wallet_locked", message)
        };
        let keys = self.vault.keys().ok_or_else(locked)?;
        let purse = self.purse.lock().await;
        Ok(purse.wallet()?.sign_inputs(tx, spent, inputs, &keys)?)
    }

    /// What a transaction costs now, where that is known.
    pub(crate) async fn usual_rate(&self, node: &Arc<Inner>, fee: Fee) -> Result<FeeRate, ApiError> {
        self.rate(node, fee).await
    }
}

/// Finds what a proposal to invest names: the artist, the record of addresses, and the index of one drawn at random.
///
/// # Errors
/// `offer_unknown`, `offer_expired`, `offer_full`, `amount_above_goal`, `artist_not_payable`, and those of the chain.
pub(crate) async fn investment(
    node: &Arc<Inner>,
    offer: &kinds::OfferId,
    amount: Amount,
) -> Result<(domain::PeerId, SlotId, u32), ApiError> {
    let (artist, _) = offers::find(node, offer).await?;
    notes::check_room(node, artist, offer, amount).await?;
    let book = records::book(node, artist).await?;
    let income = income::payable(node, &book).await?;
    let base = income.windows.last().copied().unwrap_or_default();
    let index = base + u32::try_from(random()? % u64::from(kinds::WINDOW)).expect("a window is small");
    Ok((artist, id_of(&artist, income), index))
}

/// The address of a script, as text; its bytes where it is none.
pub(crate) fn shown_script(node: &Inner, script: &ScriptBuf) -> String {
    income::address(node, script).map_or_else(|_| script.to_hex_string(), |address| address.to_string())
}
