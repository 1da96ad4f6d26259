//! The own Bitcoin wallet: what can be asked of it, what it shows.

use std::fmt;

use domain::Network;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::caution::Caution;

/// What to do with the wallet. Amounts are whole satoshis; transactions, addresses and coins are named as Bitcoin does.
#[derive(Clone, Serialize, Deserialize, TS)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum WalletCommand {
    /// How it is: answered by [`super::Response::Wallet`].
    Status,
    /// Makes a new wallet and gives its words, once: answered by [`super::Response::NewWallet`]. It stays unlocked.
    Create {
        /// Encrypts the seed on this disk.
        passphrase: String,
        /// Stretches the words (BIP 39); whoever restores needs it, too.
        words_passphrase: Option<String>,
        /// 12 or 24; 24 where none is said.
        words: Option<u8>,
    },
    /// Makes the wallet that the words name. It stays unlocked.
    Restore {
        /// 12 or 24 words with spaces between.
        words: String,
        /// Stretches the words (BIP 39).
        words_passphrase: Option<String>,
        /// Encrypts the seed on this disk.
        passphrase: String,
        /// The day of its first payment, as `2026-01-31`; all of the chain is looked through where none is said.
        birthday: Option<String>,
    },
    /// Makes the wallet that a backup holds, with its labels and what else belongs to it.
    RestoreBackup {
        /// The backup's text.
        text: String,
        /// Decrypts the backup, and encrypts the seed on this disk.
        passphrase: String,
    },
    /// Gives the words again: answered by [`super::Response::Words`].
    Words {
        /// The wallet's passphrase.
        passphrase: String,
    },
    /// Says that the user has shown to have the words on paper.
    WordsConfirmed,
    /// Says whether words or a backup would restore this very wallet, and changes nothing: answered by
    /// [`super::Response::Drill`].
    Drill {
        /// The words, or the backup's text.
        text: String,
        /// Stretches the words, or decrypts the backup.
        passphrase: Option<String>,
    },
    /// Lets payments be signed without asking.
    Unlock {
        /// The wallet's passphrase.
        passphrase: String,
        /// For so long; until [`Self::Lock`] or the node's end where none is said.
        minutes: Option<u32>,
    },
    /// Forgets the key until the passphrase is given again.
    Lock,
    /// Reveals an address that was never shown before: answered by [`super::Response::Receive`].
    Address {
        /// For the address's user, in the own list.
        label: Option<String>,
        /// Asked for in the link.
        amount_sat: Option<u64>,
    },
    /// Reads an address or a `bitcoin:` link (BIP 21) and says what it asks for: answered by [`super::Response::PayTo`].
    Parse {
        /// The address or link.
        text: String,
    },
    /// Pays, or says what paying would cost: answered by [`super::Response::Sent`].
    Send(Spend),
    /// Pays a waiting payment's network more, so that it confirms sooner: answered by [`super::Response::Sent`].
    Bump {
        /// Which payment.
        txid: String,
        /// The new rate.
        fee: Fee,
        /// Only says what it would cost.
        #[serde(default)]
        dry_run: bool,
        /// The wallet's passphrase, where it is locked.
        #[serde(default)]
        passphrase: Option<String>,
    },
    /// Lists payments, newest first: answered by [`super::Response::WalletHistory`].
    History {
        /// After so many.
        #[serde(default)]
        offset: u32,
        /// At most so many; 100 where none is said, 500 at most.
        limit: Option<u32>,
    },
    /// Gives the whole history as a table of comma-separated values: answered by [`super::Response::File`].
    HistoryCsv,
    /// Lists the coins: answered by [`super::Response::Coins`].
    Coins,
    /// Keeps a coin from being spent, or lets it be spent again.
    Freeze {
        /// Which coin.
        outpoint: String,
        /// Whether it is kept.
        frozen: bool,
    },
    /// Writes a word beside a payment, an address or a coin.
    Label {
        /// A payment's, address's or coin's name.
        of: String,
        /// The word; none takes it off.
        label: Option<String>,
    },
    /// Gives all labels (BIP 329): answered by [`super::Response::File`].
    LabelsExport,
    /// Takes labels (BIP 329): answered by [`super::Response::Labels`].
    LabelsImport {
        /// The file's text.
        text: String,
    },
    /// Gives the wallet as an encrypted text: answered by [`super::Response::Backup`].
    Backup {
        /// The wallet's passphrase, which encrypts the backup, too.
        passphrase: String,
    },
    /// Says what the node knows of the Bitcoin network: answered by [`super::Response::Chain`].
    Chain,
}

impl fmt::Debug for WalletCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WalletCommand { .. }")
    }
}

/// A payment to make.
#[derive(Clone, Serialize, Deserialize, TS)]
pub struct Spend {
    /// Who gets how much.
    pub recipients: Vec<Recipient>,
    /// How soon it is to confirm.
    #[serde(default)]
    pub fee: Fee,
    /// Spends these coins and no others; any where none is named.
    #[serde(default)]
    pub coins: Vec<String>,
    /// Only says what it would cost.
    #[serde(default)]
    pub dry_run: bool,
    /// A word beside it in the history.
    pub label: Option<String>,
    /// The wallet's passphrase, where it is locked.
    pub passphrase: Option<String>,
    /// Names this wish, at most 64 characters chosen by the asker: the same wish asked for again, as after a crash, is
    /// answered with the payment that was made, and pays nothing.
    #[serde(default)]
    pub key: Option<String>,
}

impl fmt::Debug for Spend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spend").field("recipients", &self.recipients).finish_non_exhaustive()
    }
}

/// Who gets how much.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Recipient {
    /// An address of this wallet's network.
    pub address: String,
    /// How much; none is all that the coins hold, for one recipient alone.
    pub amount_sat: Option<u64>,
}

/// How soon a payment is to confirm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "speed", rename_all = "snake_case")]
pub enum Fee {
    /// In the next blocks.
    Fast,
    /// Within the hour or so.
    #[default]
    Normal,
    /// Within the day or so.
    Slow,
    /// At a rate of one's own.
    Custom {
        /// Satoshis for each virtual byte.
        sat_per_vb: f64,
    },
}

/// How the wallet is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct WalletStatus {
    /// Whether there is one on this network yet.
    pub exists: bool,
    /// Which money.
    #[ts(as = "String")]
    pub network: Network,
    /// Whether payments can be signed without asking for the passphrase.
    pub unlocked: bool,
    /// Whether the words were shown to be on paper.
    pub words_confirmed: bool,
    /// Confirmed and spendable, the income account's included.
    pub confirmed_sat: u64,
    /// On its way in or back as change, or mined and not ripe.
    pub pending_sat: u64,
    /// The part of `confirmed_sat` that came to the public income account.
    pub income_sat: u64,
    /// What coins kept by hand hold, within `confirmed_sat`.
    pub frozen_sat: u64,
    /// The newest block that the wallet has seen.
    pub height: u32,
    /// Whether that is the newest that the peers know.
    pub synced: bool,
    /// How many Bitcoin nodes are connected.
    pub peers: u32,
    /// Why nothing moves, in words, where that is so.
    pub waiting: Option<String>,
    /// Most that one payment may be worth here; none where there is no bound.
    pub cap_sat: Option<u64>,
}

/// A wallet that was just made.
#[derive(Clone, Serialize, Deserialize, TS)]
pub struct NewWallet {
    /// To be written down in order, and by nobody else.
    pub words: Vec<String>,
    /// Which money.
    #[ts(as = "String")]
    pub network: Network,
}

impl fmt::Debug for NewWallet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewWallet").field("network", &self.network).finish_non_exhaustive()
    }
}

/// Whether a backup would bring this wallet back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Drill {
    /// It would.
    pub restores: bool,
    /// How many labels, notes and payments it holds beside the seed; none for words.
    pub extras: Option<u32>,
}

/// Where to be paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Receive {
    /// Never shown before.
    pub address: String,
    /// Which of the account's addresses.
    pub index: u32,
    /// The same as a link for a QR code (BIP 21).
    pub uri: String,
}

/// What an address or a link asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct PayTo {
    /// An address of this wallet's network.
    pub address: String,
    /// How much, where the link says so.
    pub amount_sat: Option<u64>,
    /// Who asks, where the link says so.
    pub label: Option<String>,
    /// For what, where the link says so.
    pub message: Option<String>,
}

/// A payment that was made, or would be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct Sent {
    /// Names it; changes where the fee is raised.
    pub txid: String,
    /// To the network, on top.
    pub fee_sat: u64,
    /// Size in virtual bytes (BIP 141).
    pub vsize: u64,
    /// Satoshis for each virtual byte.
    pub sat_per_vb: f64,
    /// To the recipients.
    pub amount_sat: u64,
    /// Back to this wallet.
    pub change_sat: u64,
    /// The coins spent.
    pub coins: Vec<String>,
    /// What to think of before confirming.
    pub warnings: Vec<Caution>,
    /// Whether it was only tried.
    pub dry_run: bool,
}

/// A part of the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct WalletHistory {
    /// Newest first.
    pub transactions: Vec<WalletTransaction>,
    /// How many there are in all.
    pub total: u64,
}

/// One payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct WalletTransaction {
    /// Names it.
    pub txid: String,
    /// What it brought (above 0) or took, its fee included.
    pub net_sat: i64,
    /// To the network, where this wallet paid it.
    pub fee_sat: Option<u64>,
    /// Where it is.
    pub state: TransactionState,
    /// Blocks on it, its own included.
    pub confirmations: u32,
    /// Unix milliseconds of its block, or of when it was first seen.
    pub at_ms: u64,
    /// What it is: a tip, an investment, a payout; none for others.
    pub purpose: Option<String>,
    /// The user's word beside it.
    pub label: Option<String>,
    /// Whether its fee can be raised now.
    pub can_bump: bool,
    /// What took its place.
    pub replaced_by: Option<String>,
}

/// Where a payment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum TransactionState {
    /// Made up, not signed.
    Draft,
    /// Signed and kept, not sent yet.
    Signed,
    /// Sent; no other node is known to have it.
    Broadcast,
    /// Waiting for a block.
    InMempool,
    /// In a block, fewer than six deep.
    Confirming,
    /// Six blocks deep.
    Confirmed,
    /// Another payment of the same coins with a higher fee took its place.
    Replaced,
    /// Somebody else's payment of the same coins took its place.
    Conflicted,
    /// It was given up, or nobody was seen to have it for two weeks.
    Dropped,
}

/// The coins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Coins {
    /// Largest first.
    pub coins: Vec<Coin>,
}

/// One coin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Coin {
    /// `txid:vout`.
    pub outpoint: String,
    /// How much.
    pub amount_sat: u64,
    /// Where it lies.
    pub address: String,
    /// Blocks on it, its own included.
    pub confirmations: u32,
    /// Whether it came to the public income account.
    pub income: bool,
    /// Whether it is kept by hand.
    pub frozen: bool,
    /// The user's word beside it.
    pub label: Option<String>,
}

/// How many labels were taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Labels {
    /// So many, those of things that this wallet does not know, too.
    pub imported: u32,
}

/// A text to save as a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct TextFile {
    /// A name for it.
    pub name: String,
    /// What is in it.
    pub text: String,
}

/// What the node knows of the Bitcoin network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct ChainStatus {
    /// Which.
    #[ts(as = "String")]
    pub network: Network,
    /// The newest block.
    pub height: u32,
    /// Its hash.
    pub block_hash: String,
    /// Whether that is the newest that the peers know.
    pub synced: bool,
    /// How many Bitcoin nodes are connected.
    pub peers: u32,
    /// What is wrong with the nodes that the settings name.
    pub problems: Vec<String>,
    /// Why nothing moves, in words, where that is so.
    pub waiting: Option<String>,
    /// What a payment costs now; none while no node answers.
    pub fees: Option<Fees>,
}

/// What a payment costs now, in satoshis for each virtual byte.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct Fees {
    /// In the next blocks.
    pub fast: f64,
    /// Within the hour or so.
    pub normal: f64,
    /// Within the day or so.
    pub slow: f64,
}
