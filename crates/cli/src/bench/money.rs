//! Money, on a Bitcoin chain of its own: how soon it is seen, how fast a wallet is restored, and what a large one costs.

use std::time::{Duration, Instant};

use node::{
    Api, Settings,
    api::{
        ApiError, ChainStatus, Event, Fee, Invite, MoneyCommand, NewWallet, Pay, Profile, ProfileEdit,
        Receive, Recipient, Request, Sent, Spend, Tipped, WalletCommand, WalletHistory, WalletStatus,
    },
    bench::money::{Bitcoind, Earned, Plain, Purse, is_installed, nobody, plain},
    domain::{
        Network,
        bitcoin::{Address, Amount, FeeRate, ScriptBuf, address::NetworkUnchecked},
    },
};
use serde_json::json;
use tokio::{
    sync::mpsc::Receiver,
    task::{block_in_place, spawn_blocking},
    time::{sleep, timeout},
};

use super::{
    Figure, Rows,
    stream::millis,
    swarm::{Local, PATIENCE, alone, failed, next},
};
use crate::failure::Failure;

/// Payments of the waterfall, and notes that they pay back.
const PAYMENTS: u32 = 100_000;
const NOTES: u32 = 100;
/// Waterfalls.
const WATERFALLS: usize = 10;
/// Blocks with a payment.
const BLOCKS: usize = 40;
/// Tips.
const TIPS: usize = 20;
/// What one is worth.
const TIP: u64 = 20_000;
/// Blocks and transactions of the wallet that is restored.
const LONG: u32 = 10_000;
const MANY: u32 = 1_000;
/// Restores.
const RESTORES: usize = 3;
/// Transactions of a large wallet.
const LARGE: u32 = 10_000;
/// Looks at it.
const LOOKS: usize = 40;
/// What each transaction of a wallet brings.
const PART: u64 = 10_000;
/// Transactions of one block.
const PER_BLOCK: u32 = 50;
/// Coins of the miner, each of which is spent once in a block.
const COINS: u32 = 60;
/// Entries of a page of the history.
const PAGE: u32 = 50;

/// Between two looks at what no event tells of.
const LOOK: Duration = Duration::from_millis(50);

const PASSPHRASE: &str = "bench bench bench bench";

/// Measures.
///
/// # Errors
/// Those of nodes, the disk and standard output.
pub(super) async fn run(rows: &mut Rows) -> Result<(), Failure> {
    waterfall(rows).await?;
    if !is_installed() {
        let figure = figure("block mined to balance shown", String::new(), "p95 <= 200");
        return rows.absent(figure, "there is no bitcoind: `cargo xtask bitcoind` builds one");
    }
    let bitcoind = block_in_place(Bitcoind::start);
    let mut purse = block_in_place(|| Purse::fill(&bitcoind, COINS));
    blocks(rows, &bitcoind, &mut purse).await?;
    tips(rows, &bitcoind, &mut purse).await?;
    let words = past(&bitcoind, &mut purse).await?;
    let wallet = restores(rows, &bitcoind, &words).await?;
    large(rows, &bitcoind, &mut purse, wallet).await
}

async fn waterfall(rows: &mut Rows) -> Result<(), Failure> {
    let earned = spawn_blocking(|| Earned::new(PAYMENTS, NOTES)).await.map_err(|_| failed("a world"))?;
    let taken = block_in_place(|| (0..WATERFALLS).map(|_| time(|| earned.audit()).0).collect());
    let method = format!(
        "one offer, {NOTES} notes, {PAYMENTS} payments to the artist, all read before: who is owed what, as the audit's JSON"
    );
    rows.add(figure("waterfall over 100,000 payments", method, "p95 <= 1000"), taken)
}

/// From the call that mines a block to the balance that holds its payment.
async fn blocks(rows: &mut Rows, bitcoind: &Bitcoind, purse: &mut Purse) -> Result<(), Failure> {
    let member = Member::new(bitcoind, Vec::new()).await?;
    let taken = member.balances(bitcoind, purse, BLOCKS).await?;
    member.local.node.shutdown().await;
    let method = format!(
        "{BLOCKS} blocks of a regtest bitcoind, one payment in each, from the call that mines to the wallet's state \
         with the new balance, which is on the disk by then"
    );
    rows.add(figure("block mined to balance shown", method, "p95 <= 200"), taken)
}

/// From the listener's command to the artist's node telling of a payment that no block has.
async fn tips(rows: &mut Rows, bitcoind: &Bitcoind, purse: &mut Purse) -> Result<(), Failure> {
    let artist = Member::new(bitcoind, Vec::new()).await?;
    let profile = ProfileEdit { name: Some("Ada".into()), ..ProfileEdit::default() };
    artist.local.ask::<Profile>(Request::ProfileSet(profile)).await?;
    let link = artist.local.ask::<Invite>(Request::Invite).await?.invite;
    let fan = Member::new(bitcoind, vec![link]).await?;
    let script = fan.script().await?;
    block_in_place(|| {
        purse.pay(bitcoind, &script, Amount::from_sat(10_000_000));
        bitcoind.mine(1);
    });
    fan.until(|status| status.confirmed_sat > 0).await?;
    fan.until_payable(&artist).await?;
    let mut told = artist.local.node.events().await?;
    let mut taken = Vec::new();
    for _ in 0..TIPS {
        let began = Instant::now();
        let tipped = fan.tip(&artist, false).await?;
        heard(&mut told, tipped.txid.as_deref()).await?;
        taken.push(millis(began.elapsed()));
        let height = block_in_place(|| {
            bitcoind.mine(1);
            bitcoind.tip().height
        });
        fan.until(|status| status.height == height && status.pending_sat == 0).await?;
    }
    fan.local.node.shutdown().await;
    artist.local.node.shutdown().await;
    let method = format!(
        "{TIPS} tips of {TIP} sat: signed, kept, published and broadcast by one node, relayed by a regtest bitcoind, told by \
         the artist's node with no confirmation"
    );
    rows.add(figure("tip given to tip seen, unconfirmed", method, "<= 5000"), taken)
}

/// Gives a new wallet its past; returns its words.
async fn past(bitcoind: &Bitcoind, purse: &mut Purse) -> Result<String, Failure> {
    let member = Member::new(bitcoind, Vec::new()).await?;
    let scripts = member.scripts(MANY).await?;
    let words = member.words.clone();
    member.local.node.shutdown().await;
    block_in_place(|| {
        let gap = LONG / (MANY / PER_BLOCK);
        for some in scripts.chunks(PER_BLOCK as usize) {
            pay_each(bitcoind, purse, some);
            bitcoind.mine(gap);
        }
    });
    Ok(words)
}

/// From the words to the last payment of the wallet.
async fn restores(rows: &mut Rows, bitcoind: &Bitcoind, words: &str) -> Result<Member, Failure> {
    let mut taken = Vec::new();
    let height = block_in_place(|| bitcoind.tip().height);
    let mut last = None;
    for _ in 0..RESTORES {
        let local = Local::with(&settings(bitcoind), Vec::new()).await?;
        let began = Instant::now();
        let member = Member::restore(local, words).await?;
        let all = |status: &WalletStatus| {
            status.synced && status.height == height && status.confirmed_sat == u64::from(MANY) * PART
        };
        member.until(all).await?;
        taken.push(millis(began.elapsed()));
        if let Some(before) = last.replace(member) {
            before.local.node.shutdown().await;
        }
    }
    let method = format!(
        "{RESTORES} empty nodes; {MANY} transactions to {MANY} addresses in {} of {height} blocks, no birthday, one regtest \
         bitcoind: from the words to the last balance, on the disk",
        MANY / PER_BLOCK
    );
    rows.add(figure("restore of a wallet, 1,000 transactions, 10,000 blocks", method, "<= 20000"), taken)?;
    Ok(last.ok_or_else(|| failed("nothing was restored"))?)
}

/// A wallet with ten thousand transactions, beside `bdk_wallet` with the same.
async fn large(
    rows: &mut Rows,
    bitcoind: &Bitcoind,
    purse: &mut Purse,
    member: Member,
) -> Result<(), Failure> {
    let mut bdk = plain(&member.local.node, MANY).await?;
    let scripts = member.scripts(PER_BLOCK).await?;
    block_in_place(|| {
        for _ in 0..(LARGE - MANY) / PER_BLOCK {
            pay_each(bitcoind, purse, &scripts);
            bitcoind.mine(1);
        }
        follow(&mut bdk, bitcoind, 1);
    });
    let all = Amount::from_sat(u64::from(LARGE) * PART);
    member.until(|status| status.confirmed_sat == all.to_sat()).await?;
    if block_in_place(|| bdk.balance()) != all {
        return Err(failed("bdk_wallet found another balance").into());
    }
    let taken = member.pages().await?;
    let of = "a wallet of 10,000 transactions";
    let method = format!(
        "{LOOKS} pages of {PAGE} entries through the node's interface, from the newest to the oldest"
    );
    rows.add(figure(&format!("history page, {of}"), method, "p95 <= 50; bdk_wallet: below"), taken)?;
    let taken = member.dialogs().await?;
    let method = format!(
        "{LOOKS} times through the node's interface: balance, the three fee rates, and what a payment would cost, which chooses \
         its coins"
    );
    rows.add(figure(&format!("send dialog ready, {of}"), method, "p95 <= 100; bdk_wallet: below"), taken)?;
    let before = block_in_place(|| bitcoind.tip().height);
    let taken = member.balances(bitcoind, purse, BLOCKS).await?;
    let method = format!("as above, {BLOCKS} blocks");
    rows.add(
        figure(&format!("block mined to balance shown, {of}"), method, "p95 <= 200; bdk_wallet: below"),
        taken,
    )?;
    member.local.node.shutdown().await;
    block_in_place(|| beside(rows, bitcoind, &mut bdk, before))
}

/// The same of `bdk_wallet` alone: no disk, no network, no interface.
fn beside(rows: &mut Rows, bitcoind: &Bitcoind, bdk: &mut Plain, before: u32) -> Result<(), Failure> {
    let of = "bdk_wallet alone, 10,000 transactions";
    let alone = "in memory, without network, disk and interface";
    let taken = (0..LOOKS).map(|_| time(|| bdk.page(PAGE as usize)).0).collect();
    rows.add(
        figure(&format!("newest {PAGE} transactions, {of}"), format!("{LOOKS} times, {alone}"), "-"),
        taken,
    )?;
    let (to, amount) = (nobody(1), Amount::from_sat(5 * PART));
    let taken = (0..LOOKS).map(|_| time(|| bdk.prepare(&to, amount, FeeRate::BROADCAST_MIN)).0).collect();
    rows.add(figure(&format!("payment prepared, {of}"), format!("{LOOKS} times, {alone}"), "-"), taken)?;
    let taken = follow(bdk, bitcoind, before + 1);
    let method = format!("{} blocks that were fetched before, to the balance, {alone}", taken.len());
    rows.add(figure(&format!("block to balance, {of}"), method, "-"), taken)
}

/// Gives `bdk_wallet` the blocks that hold payments, from a height on; returns how long each took to a balance.
fn follow(bdk: &mut Plain, bitcoind: &Bitcoind, from: u32) -> Vec<f64> {
    let mut taken = Vec::new();
    for height in from..=bitcoind.tip().height {
        let block = bitcoind.block(bitcoind.block_id(height).hash);
        if block.txdata.len() > 1 {
            let work = || {
                bdk.connect(height, &block);
                bdk.balance()
            };
            taken.push(time(work).0);
        }
    }
    taken
}

/// Pays each script with a transaction of its own.
fn pay_each(bitcoind: &Bitcoind, purse: &mut Purse, scripts: &[ScriptBuf]) {
    for script in scripts {
        purse.pay(bitcoind, script, Amount::from_sat(PART));
    }
}

/// Waits until a node tells of a payment that no block has.
async fn heard(events: &mut Receiver<Event>, txid: Option<&str>) -> Result<(), Failure> {
    let wanted = txid.ok_or_else(|| failed("the tip waits for others"))?;
    loop {
        if let Event::Payment { txid, confirmations: 0, .. } = next(events).await?
            && txid == wanted
        {
            return Ok(());
        }
    }
}

fn time<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let began = Instant::now();
    let done = work();
    (millis(began.elapsed()), done)
}

fn figure(name: &str, method: String, baseline: &'static str) -> Figure {
    Figure { name: name.to_owned(), unit: "ms", method, baseline }
}

fn settings(bitcoind: &Bitcoind) -> Settings {
    Settings { network: Network::Regtest, bitcoin_peers: vec![bitcoind.address().to_string()], ..alone() }
}

/// A node with a wallet.
struct Member {
    local: Local,
    words: String,
}

impl Member {
    async fn new(bitcoind: &Bitcoind, peers: Vec<String>) -> Result<Self, Failure> {
        let local = Local::with(&settings(bitcoind), peers).await?;
        let passphrase = PASSPHRASE.to_owned();
        let create = WalletCommand::Create { passphrase, words_passphrase: None, words: Some(12) };
        let words = local.ask::<NewWallet>(Request::Wallet(create)).await?.words.join(" ");
        let member = Self { local, words };
        member.until(|status| status.synced).await?;
        Ok(member)
    }

    async fn restore(local: Local, words: &str) -> Result<Self, Failure> {
        let (words, passphrase) = (words.to_owned(), PASSPHRASE.to_owned());
        let restore = WalletCommand::Restore {
            words: words.clone(),
            words_passphrase: None,
            passphrase,
            birthday: None,
        };
        local.ask::<WalletStatus>(Request::Wallet(restore)).await?;
        Ok(Self { local, words })
    }

    async fn status(&self) -> Result<WalletStatus, ApiError> {
        self.local.ask(Request::Wallet(WalletCommand::Status)).await
    }

    /// Waits until the wallet is so, looking whenever the node tells anything.
    async fn until(&self, is_so: impl Fn(&WalletStatus) -> bool) -> Result<WalletStatus, Failure> {
        let mut events = self.local.node.events().await?;
        let waited = async {
            loop {
                let status = self.status().await?;
                if is_so(&status) {
                    return Ok(status);
                }
                next(&mut events).await?;
            }
        };
        timeout(5 * PATIENCE, waited).await.map_err(|_| failed("the wallet does not come to it"))?
    }

    /// An address that was never shown.
    async fn script(&self) -> Result<ScriptBuf, Failure> {
        let address = WalletCommand::Address { label: None, amount_sat: None };
        let address = self.local.ask::<Receive>(Request::Wallet(address)).await?.address;
        let address =
            address.parse::<Address<NetworkUnchecked>>().map_err(|_| failed("that is no address"))?;
        Ok(address.assume_checked().script_pubkey())
    }

    async fn scripts(&self, count: u32) -> Result<Vec<ScriptBuf>, Failure> {
        let mut scripts = Vec::new();
        for _ in 0..count {
            scripts.push(self.script().await?);
        }
        Ok(scripts)
    }

    /// Times blocks that pay this wallet.
    async fn balances(
        &self,
        bitcoind: &Bitcoind,
        purse: &mut Purse,
        count: usize,
    ) -> Result<Vec<f64>, Failure> {
        let mut taken = Vec::new();
        for _ in 0..count {
            let script = self.script().await?;
            let before = self.until(|status| status.synced).await?.confirmed_sat;
            block_in_place(|| purse.pay(bitcoind, &script, Amount::from_sat(PART)));
            self.until(|status| status.pending_sat == PART).await?;
            let began = Instant::now();
            block_in_place(|| bitcoind.rpc("generatetoaddress", json!([1, nobody(0).to_string()])));
            self.until(|status| status.confirmed_sat == before + PART).await?;
            taken.push(millis(began.elapsed()));
        }
        Ok(taken)
    }

    /// Times pages of the history.
    async fn pages(&self) -> Result<Vec<f64>, Failure> {
        let mut taken = Vec::new();
        for look in 0..LOOKS as u32 {
            let history = WalletCommand::History { offset: look * LARGE / LOOKS as u32, limit: Some(PAGE) };
            let began = Instant::now();
            let page = self.local.ask::<WalletHistory>(Request::Wallet(history)).await?;
            taken.push(millis(began.elapsed()));
            if (page.total, page.transactions.len()) != (u64::from(LARGE), PAGE as usize) {
                return Err(failed("the history has another length").into());
            }
        }
        Ok(taken)
    }

    /// Times what a dialog needs before it can be sent.
    async fn dialogs(&self) -> Result<Vec<f64>, Failure> {
        let mut taken = Vec::new();
        for _ in 0..LOOKS {
            let recipients = vec![Recipient { address: nobody(1).to_string(), amount_sat: Some(5 * PART) }];
            let spend = Spend {
                recipients,
                fee: Fee::Normal,
                coins: Vec::new(),
                dry_run: true,
                label: None,
                passphrase: None,
                key: None,
            };
            let began = Instant::now();
            self.status().await?;
            self.local.ask::<ChainStatus>(Request::Wallet(WalletCommand::Chain)).await?;
            self.local.ask::<Sent>(Request::Wallet(WalletCommand::Send(spend))).await?;
            taken.push(millis(began.elapsed()));
        }
        Ok(taken)
    }

    async fn tip(&self, artist: &Self, dry_run: bool) -> Result<Tipped, ApiError> {
        let tip = MoneyCommand::Tip {
            artist: Some(artist.local.node.id()),
            release: None,
            amount_sat: TIP,
            memo: None,
            now: true,
            pay: Pay { dry_run, ..Pay::default() },
        };
        self.local.ask(Request::Money(tip)).await
    }

    /// Waits until it is known here where an artist is paid.
    async fn until_payable(&self, artist: &Self) -> Result<(), Failure> {
        let known = async {
            while self.tip(artist, true).await.is_err_and(|error| error.code == "artist_not_payable") {
                // Nobody tells of records about money.
                sleep(LOOK).await;
            }
        };
        Ok(timeout(PATIENCE, known).await.map_err(|_| failed("the artist's address did not come"))?)
    }
}
