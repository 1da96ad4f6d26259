//! Answers what is asked of the wallet.

use std::{collections::BTreeMap, sync::Arc, sync::atomic::Ordering, time::Duration};

use chain::{Chain, FeeRates, Phase};
use domain::bitcoin::{Address, Amount, FeeRate, OutPoint, Txid, address::NetworkUnchecked};
use tokio::time::timeout;
use treasury::wallet::{
    Account, Coin, Coins, Entry, LabelTarget, Limits, MAX_PAGE, Payee, Request, SETTLED, TxState, Wallet,
    parse_address,
};

use super::{
    Money,
    pay::{self, Payment, Terms},
};
use crate::{
    api::{
        self, ApiError, ChainStatus, Done, Event, Fees, Labels, PayTo, Receive, Response, Sent, Spend,
        TextFile, TransactionState, WalletCommand, WalletHistory, WalletStatus, WalletTransaction,
    },
    node::Inner,
};

/// Entries of a history that is asked for without a limit.
const PAGE: u32 = 100;
/// Longest wait for the blocks that a fee rate is estimated from.
const FEES_PATIENCE: Duration = Duration::from_secs(20);

impl Money {
    /// Answers a command to the wallet.
    pub(super) async fn wallet(
        &self,
        node: &Arc<Inner>,
        command: WalletCommand,
    ) -> Result<Response, ApiError> {
        use WalletCommand as C;
        Ok(match command {
            C::Status => self.status().await?.into(),
            C::Create { passphrase, words_passphrase, words } => {
                self.create(node, passphrase, words_passphrase, words).await?.into()
            }
            C::Restore { words, words_passphrase, passphrase, birthday } => {
                self.restore(node, words, words_passphrase, passphrase, birthday).await?;
                self.status().await?.into()
            }
            C::RestoreBackup { text, passphrase } => {
                self.restore_backup(node, text, passphrase).await?;
                self.status().await?.into()
            }
            C::Words { passphrase } => self.words(passphrase).await?.into(),
            C::WordsConfirmed => {
                self.set_words_confirmed().await?;
                self.status().await?.into()
            }
            C::Drill { text, passphrase } => self.drill(text, passphrase).await?.into(),
            C::Unlock { passphrase, minutes } => {
                self.unlock(node, passphrase, minutes).await?;
                self.status().await?.into()
            }
            C::Lock => {
                self.vault.lock();
                node.dao.wallet_changed();
                self.hub.tell(&Event::WalletChanged);
                self.status().await?.into()
            }
            C::Backup { passphrase } => self.backup(node, passphrase).await?.into(),
            C::Send(spend) => self.send(node, spend).await?.into(),
            C::Bump { txid, fee, dry_run, passphrase } => {
                let terms = Terms { fee, dry_run, passphrase, key: None };
                pay::bump(node, parse_txid(&txid)?, terms).await?.into()
            }
            C::Chain => self.chain_status(node).await?.into(),
            shown => self.book(shown).await?,
        })
    }

    /// Answers what is in the wallet's book: addresses, history, coins, labels.
    async fn book(&self, command: WalletCommand) -> Result<Response, ApiError> {
        use WalletCommand as C;
        Ok(match command {
            C::Address { label, amount_sat } => self.address(label, amount_sat).await?.into(),
            C::Parse { text } => self.parse(&text)?.into(),
            C::History { offset, limit } => self.history(offset, limit).await?.into(),
            C::HistoryCsv => {
                let text = self.purse.lock().await.wallet()?.history_csv();
                TextFile { name: format!("musicdao-{}-history.csv", self.network), text }.into()
            }
            C::Coins => self.coins().await?.into(),
            C::Freeze { outpoint, frozen } => {
                self.change(|wallet| Ok(wallet.lock_coin(parse_outpoint(&outpoint)?, frozen)?)).await?;
                self.coins().await?.into()
            }
            C::Label { of, label } => {
                let label = label.unwrap_or_default();
                self.change(|wallet| Ok(wallet.set_label(&target(&of, wallet)?, &label)?)).await?;
                Done {}.into()
            }
            C::LabelsExport => {
                let text = self.purse.lock().await.wallet()?.export_labels();
                TextFile { name: format!("musicdao-{}-labels.jsonl", self.network), text }.into()
            }
            C::LabelsImport { text } => {
                let imported = self.change(|wallet| Ok(wallet.import_labels(&text)?)).await?;
                Labels { imported: u32::try_from(imported).unwrap_or(u32::MAX) }.into()
            }
            _ => unreachable!("the others were answered before"),
        })
    }

    /// Says how the wallet is.
    pub(super) async fn status(&self) -> Result<WalletStatus, ApiError> {
        let chain = self.link();
        let chain = chain.as_ref().map(Chain::status);
        let mut status = WalletStatus {
            exists: self.vault.exists(),
            network: self.network,
            unlocked: self.vault.keys().is_some(),
            words_confirmed: self.words_confirmed().await?,
            confirmed_sat: 0,
            pending_sat: 0,
            income_sat: 0,
            frozen_sat: 0,
            height: chain.as_ref().and_then(|chain| chain.tip).map_or(0, |tip| tip.height),
            synced: chain.as_ref().is_some_and(|chain| chain.phase == Phase::Synced),
            peers: chain.as_ref().map_or(0, |chain| u32::try_from(chain.peers).unwrap_or(u32::MAX)),
            waiting: None,
            cap_sat: Limits::of(self.network).amount.map(Amount::to_sat),
        };
        let purse = self.purse.lock().await;
        match purse.wallet() {
            Ok(wallet) => fill(&mut status, wallet),
            Err(error) if !purse.is_empty() => status.waiting = Some(error.message),
            Err(_) if status.exists => {
                let words = "the database was lost: unlock the wallet, and it is looked for in the chain";
                status.waiting = Some(words.into());
            }
            Err(_) => {}
        }
        if let Ok(wallet) = purse.wallet() {
            status.synced &= self.caught_up.load(Ordering::Relaxed)
                && chain.as_ref().and_then(|chain| chain.tip).map(|tip| tip.hash) == Some(wallet.tip().hash);
        }
        if status.waiting.is_none() && status.exists && !status.synced {
            status.waiting = Some(waiting(chain.as_ref()));
        }
        Ok(status)
    }

    async fn send(&self, node: &Arc<Inner>, spend: Spend) -> Result<Sent, ApiError> {
        let Spend { recipients, fee, coins, dry_run, label, passphrase, key } = spend;
        let (mut payees, mut rest_to) = (Vec::new(), None);
        let alone = recipients.len() == 1;
        for recipient in recipients {
            let address = parse_address(&recipient.address, self.network)?;
            match recipient.amount_sat {
                Some(sat) => payees.push(Payee { address, amount: amount(sat)? }),
                None if alone => rest_to = Some(address),
                None => {
                    return Err(ApiError::new(
                        "amount_missing",
                        "only a single recipient can get all there is",
                    ));
                }
            }
        }
        let coins = match coins.as_slice() {
            [] => Coins::default(),
            coins => Coins::Only(coins.iter().map(|coin| parse_outpoint(coin)).collect::<Result<_, _>>()?),
        };
        let terms = Terms { fee, dry_run, passphrase, key };
        let payment = Payment { payees, rest_to, coins, label, terms, ..Payment::default() };
        pay::pay(node, payment, |_| Ok(Vec::new())).await
    }

    async fn address(&self, label: Option<String>, amount_sat: Option<u64>) -> Result<Receive, ApiError> {
        let amount = amount_sat.map(amount).transpose()?;
        let (scripts, receive) = self
            .change(|wallet| {
                let (index, address) = wallet.fresh_address();
                if let Some(label) = &label {
                    wallet.set_label(&LabelTarget::Address(address.clone()), label)?;
                }
                let request = Request { amount, label, ..Request::to(address.clone()) };
                let receive = Receive { address: address.to_string(), index, uri: request.uri() };
                Ok((wallet.take_new_scripts(), receive))
            })
            .await?;
        if let Some(chain) = self.link()
            && !scripts.is_empty()
        {
            // Nobody was shown them yet.
            chain.watch(scripts, chain::Since::Now).await?;
        }
        Ok(receive)
    }

    fn parse(&self, text: &str) -> Result<PayTo, ApiError> {
        let request = Request::parse(text, self.network)?;
        Ok(PayTo {
            address: request.address.to_string(),
            amount_sat: request.amount.map(Amount::to_sat),
            label: request.label,
            message: request.message,
        })
    }

    async fn history(&self, offset: u32, limit: Option<u32>) -> Result<WalletHistory, ApiError> {
        let limit = (limit.unwrap_or(PAGE) as usize).min(MAX_PAGE);
        let page = self.purse.lock().await.wallet()?.history(offset as usize, limit);
        let rows = self.store.payments(self.network.word(), false).await?;
        let purposes: BTreeMap<String, String> =
            rows.into_iter().map(|row| (row.txid, row.purpose)).collect();
        let transactions = page.entries.into_iter().map(|entry| transaction(entry, &purposes)).collect();
        Ok(WalletHistory { transactions, total: page.total as u64 })
    }

    async fn coins(&self) -> Result<api::Coins, ApiError> {
        let purse = self.purse.lock().await;
        let wallet = purse.wallet()?;
        let mut coins: Vec<api::Coin> = wallet.coins().iter().map(|it| coin(it, wallet)).collect();
        coins.sort_by(|one, other| {
            other.amount_sat.cmp(&one.amount_sat).then(one.outpoint.cmp(&other.outpoint))
        });
        Ok(api::Coins { coins })
    }

    /// Changes the wallet, and has that on the disk before it is told.
    pub(super) async fn change<T>(
        &self,
        change: impl FnOnce(&mut Wallet) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let mut purse = self.purse.lock().await;
        let changed = change(purse.wallet_mut()?)?;
        purse.keep().await?;
        drop(purse);
        self.hub.tell(&Event::WalletChanged);
        Ok(changed)
    }

    async fn chain_status(&self, node: &Arc<Inner>) -> Result<ChainStatus, ApiError> {
        let chain = self.connect(node).await?;
        let status = chain.status();
        let tip = status.tip.unwrap_or_else(|| chain.tip());
        let fees = match status.peers {
            0 => None,
            _ => self.fee_rates(node).await.ok().map(fees),
        };
        Ok(ChainStatus {
            network: self.network,
            height: tip.height,
            block_hash: tip.hash.to_string(),
            synced: status.phase == Phase::Synced,
            peers: u32::try_from(status.peers).unwrap_or(u32::MAX),
            problems: status.faults.iter().map(|it| format!("{} {}", it.peer, it.fault)).collect(),
            waiting: (status.phase != Phase::Synced).then(|| waiting(Some(&status))),
            fees,
        })
    }

    /// Estimates what payments cost now.
    pub(super) async fn fee_rates(&self, node: &Arc<Inner>) -> Result<FeeRates, ApiError> {
        let chain = self.connect(node).await?;
        let estimate = timeout(FEES_PATIENCE, chain.fee_rates()).await;
        // Where nothing is known of the chain yet, what comes back is a guess.
        let known = |rates: &FeeRates| rates.blocks > 0 || chain.status().peers > 0;
        estimate.ok().and_then(Result::ok).filter(known).ok_or_else(|| {
            let message = "no Bitcoin node answers, so what a payment costs now is not known; give a fee rate of your own";
            ApiError::new("bitcoin_no_peer", message)
        })
    }

    /// Says how the Bitcoin network is.
    pub(super) async fn chain_event(&self, chain: &Chain) -> Event {
        let status = chain.status();
        Event::Chain {
            height: status.tip.map_or(0, |tip| tip.height),
            synced: status.phase == Phase::Synced,
            peers: u32::try_from(status.peers).unwrap_or(u32::MAX),
        }
    }
}

fn fill(status: &mut WalletStatus, wallet: &Wallet) {
    let balance = wallet.balance();
    let frozen = wallet.coins().into_iter().filter(|coin| coin.locked && coin.height.is_some());
    status.confirmed_sat = balance.total.confirmed.to_sat();
    status.pending_sat = (balance.total.pending + balance.total.immature).to_sat();
    status.income_sat = balance.account(Account::Income).confirmed.to_sat();
    status.frozen_sat = frozen.map(|coin| coin.amount.to_sat()).sum();
    status.height = wallet.tip().height;
}

/// Why nothing moves, in words.
fn waiting(chain: Option<&chain::Status>) -> String {
    match chain {
        None => "the Bitcoin network is not asked yet".into(),
        Some(status) if status.peers == 0 => {
            format!("no Bitcoin node answers; it is tried again and again ({status})")
        }
        Some(status) => format!("the chain is looked through ({status})"),
    }
}

fn transaction(entry: Entry, purposes: &BTreeMap<String, String>) -> WalletTransaction {
    let txid = entry.txid.to_string();
    let replaced_by = match entry.state {
        TxState::Replaced { by } | TxState::Conflicted { by } => Some(by.to_string()),
        _ => None,
    };
    WalletTransaction {
        net_sat: entry.net.to_sat(),
        fee_sat: entry.fee.map(Amount::to_sat),
        state: state(entry.state),
        confirmations: entry.state.confirmations(),
        at_ms: entry.at.saturating_mul(1000),
        purpose: purposes.get(&txid).filter(|purpose| !purpose.is_empty()).cloned(),
        label: entry.label,
        can_bump: entry.can_bump,
        replaced_by,
        txid,
    }
}

fn state(state: TxState) -> TransactionState {
    match state {
        TxState::Draft => TransactionState::Draft,
        TxState::Signed => TransactionState::Signed,
        TxState::Broadcast => TransactionState::Broadcast,
        TxState::Mempool => TransactionState::InMempool,
        TxState::Confirmed(depth) if depth < SETTLED => TransactionState::Confirming,
        TxState::Confirmed(_) => TransactionState::Confirmed,
        TxState::Replaced { .. } => TransactionState::Replaced,
        TxState::Conflicted { .. } => TransactionState::Conflicted,
        TxState::Dropped => TransactionState::Dropped,
    }
}

fn coin(coin: &Coin, wallet: &Wallet) -> api::Coin {
    let address = wallet.accounts().address(coin.chain, coin.index);
    let labels = [
        LabelTarget::Output(coin.outpoint),
        LabelTarget::Address(address.clone()),
        LabelTarget::Transaction(coin.outpoint.txid),
    ];
    api::Coin {
        outpoint: coin.outpoint.to_string(),
        amount_sat: coin.amount.to_sat(),
        address: address.to_string(),
        confirmations: coin.height.map_or(0, |height| (wallet.tip().height + 1).saturating_sub(height)),
        income: coin.chain.account() == Account::Income,
        frozen: coin.locked,
        label: labels.iter().find_map(|target| wallet.label(target)).map(str::to_owned),
    }
}

fn fees(rates: FeeRates) -> Fees {
    #[allow(clippy::cast_precision_loss, reason = "rates are far below 2^52")]
    let per_vbyte = |rate: FeeRate| rate.to_sat_per_kwu() as f64 / 250.0;
    Fees { fast: per_vbyte(rates.fast), normal: per_vbyte(rates.normal), slow: per_vbyte(rates.slow) }
}

/// Reads what a label is to stand beside.
fn target(of: &str, wallet: &Wallet) -> Result<LabelTarget, ApiError> {
    if let Ok(outpoint) = of.parse::<OutPoint>() {
        return Ok(LabelTarget::Output(outpoint));
    }
    if let Ok(txid) = of.parse::<Txid>() {
        return Ok(LabelTarget::Transaction(txid));
    }
    match of.parse::<Address<NetworkUnchecked>>() {
        Ok(_) => Ok(LabelTarget::Address(parse_address(of, wallet.network())?)),
        Err(_) => Err(ApiError::new("label_target", format!("`{of:.80}` is no payment, address or coin"))),
    }
}

fn amount(sat: u64) -> Result<Amount, ApiError> {
    match Amount::from_sat(sat) {
        Amount::ZERO => Err(ApiError::new("amount_zero", "an amount of 0 cannot be paid")),
        amount if amount > Amount::MAX_MONEY => {
            Err(ApiError::new("amount_too_large", format!("{sat} sat are more than 21 million bitcoin")))
        }
        amount => Ok(amount),
    }
}

fn parse_txid(text: &str) -> Result<Txid, ApiError> {
    text.trim().parse().map_err(|_| ApiError::new("txid_malformed", format!("`{text:.80}` names no payment")))
}

fn parse_outpoint(text: &str) -> Result<OutPoint, ApiError> {
    text.trim()
        .parse()
        .map_err(|_| ApiError::new("outpoint_malformed", format!("`{text:.80}` names no coin")))
}
