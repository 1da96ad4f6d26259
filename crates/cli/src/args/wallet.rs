//! The commands about the own wallet and the Bitcoin network.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use node::{api::Fee, domain};

/// A number of satoshis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AmountText(pub(crate) u64);

#[derive(Debug, Subcommand)]
pub(crate) enum WalletAction {
    /// Makes a wallet and prints its words, once; write them down in order
    Create {
        #[command(flatten)]
        passphrase: PassphraseArgs,
        /// 12 or 24
        #[arg(long, value_name = "COUNT", default_value = "24", value_parser = words)]
        words: u8,
        /// Stretches the words (BIP 39): the first line of a file; whoever restores needs it, too
        #[arg(long, value_name = "FILE")]
        words_passphrase_file: Option<PathBuf>,
    },
    /// Makes the wallet that words or a backup name
    #[command(group(ArgGroup::new("source").args(["words_file", "backup"]).required(true)))]
    Restore {
        /// The words, in any number of lines
        #[arg(long, value_name = "FILE")]
        words_file: Option<PathBuf>,
        /// A backup that `wallet backup` wrote
        #[arg(long, value_name = "FILE")]
        backup: Option<PathBuf>,
        #[command(flatten)]
        passphrase: PassphraseArgs,
        /// What the words were stretched with (BIP 39): the first line of a file
        #[arg(long, value_name = "FILE", conflicts_with = "backup")]
        words_passphrase_file: Option<PathBuf>,
        /// The day of its first payment; all of the chain is looked through where none is said
        #[arg(long, value_name = "YYYY-MM-DD", conflicts_with = "backup")]
        birthday: Option<String>,
    },
    /// Shows balance, height and what is waited for
    Status,
    /// Lets the daemon sign payments without asking
    Unlock {
        #[command(flatten)]
        passphrase: PassphraseArgs,
        /// For so long; until `wallet lock` or the daemon's end where none is said
        #[arg(long)]
        minutes: Option<u32>,
    },
    /// Lets the daemon forget the key
    Lock,
    /// Prints an address that was never shown before
    Address {
        /// For the address's user, in your own list
        #[arg(long)]
        label: Option<String>,
        /// Asked for in the link
        #[arg(long, value_name = "AMOUNT", value_parser = amount)]
        amount: Option<AmountText>,
        /// Draws the link as a QR code, too
        #[arg(long)]
        qr: bool,
    },
    /// Pays one or several addresses
    #[command(after_help = "Examples:\n  musicdao wallet send tb1q... 5000\n  \
                            musicdao wallet send tb1q... 0.0001btc --fee-rate 3 --dry-run\n  \
                            musicdao wallet send tb1q... all\n  musicdao wallet send 'bitcoin:tb1q...?amount=0.0001'")]
    Send(SendArgs),
    /// Lists payments, newest first
    History {
        /// At most so many
        #[arg(long, value_name = "N", default_value = "50", value_parser = clap::value_parser!(u32).range(1..=500))]
        limit: u32,
        /// After so many
        #[arg(long, value_name = "N", default_value = "0")]
        offset: u32,
        /// Writes all of them into a new file of comma-separated values instead
        #[arg(long, value_name = "FILE", conflicts_with_all = ["limit", "offset"])]
        csv: Option<PathBuf>,
    },
    /// Raises the fee of a payment that waits, so that it confirms sooner
    Bump {
        /// The payment
        txid: String,
        #[command(flatten)]
        fee: FeeArgs,
        /// Only says what it would cost
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        passphrase: PassphraseArgs,
    },
    /// Lists the coins
    Coins,
    /// Keeps a coin from being spent
    Freeze {
        /// TXID:N
        #[arg(value_name = "COIN")]
        coin: String,
        /// Lets it be spent again
        #[arg(long)]
        remove: bool,
    },
    /// Writes a word beside a payment, an address or a coin
    Label {
        /// TXID, ADDRESS or TXID:N
        of: String,
        /// The word; none takes it off
        label: Option<String>,
    },
    /// Writes all labels to a new file, or takes those of one (BIP 329)
    #[command(group(ArgGroup::new("way").args(["export", "import"]).required(true)))]
    Labels {
        /// A new file
        #[arg(long, value_name = "FILE")]
        export: Option<PathBuf>,
        /// A file of this or another wallet
        #[arg(long, value_name = "FILE")]
        import: Option<PathBuf>,
    },
    /// Writes the wallet to a new file, encrypted with its passphrase
    Backup {
        /// A new file
        file: PathBuf,
        #[command(flatten)]
        passphrase: PassphraseArgs,
    },
    /// Prints the words again
    Words {
        #[command(flatten)]
        passphrase: PassphraseArgs,
    },
    /// Says whether words or a backup would bring this very wallet back, and changes nothing
    #[command(group(ArgGroup::new("source").args(["words_file", "backup"]).required(true)))]
    Drill {
        /// The words, in any number of lines
        #[arg(long, value_name = "FILE")]
        words_file: Option<PathBuf>,
        /// A backup that `wallet backup` wrote
        #[arg(long, value_name = "FILE")]
        backup: Option<PathBuf>,
        #[command(flatten)]
        passphrase: PassphraseArgs,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ChainAction {
    /// Shows what is known of the Bitcoin network, and what a payment costs now
    Status,
}

/// Where the wallet's passphrase comes from.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct PassphraseArgs {
    /// The passphrase: the first line of a file; asked for where none is named
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct SendArgs {
    /// An address and 5000, 5000sat, 0.0001btc or `all`, and so on; or a `bitcoin:` link with its amount
    #[arg(value_name = "ADDRESS AMOUNT", required = true)]
    pub(crate) payees: Vec<String>,
    /// Spends this coin, TXID:N, and no others; can be said several times
    #[arg(long = "coin", value_name = "COIN")]
    pub(crate) coins: Vec<String>,
    /// A word beside it in the history
    #[arg(long)]
    pub(crate) label: Option<String>,
    #[command(flatten)]
    pub(crate) pay: PayArgs,
}

/// How something is paid.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct PayArgs {
    #[command(flatten)]
    pub(crate) fee: FeeArgs,
    /// Only says what it would cost
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Names this wish: said again with the same name, it pays nothing more
    #[arg(long, value_name = "NAME")]
    pub(crate) key: Option<String>,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseArgs,
}

/// How soon a payment is to confirm.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct FeeArgs {
    /// Satoshis for each virtual byte
    #[arg(long, value_name = "RATE", value_parser = fee_rate, conflicts_with = "fee")]
    pub(crate) fee_rate: Option<f64>,
    /// How soon it is to confirm
    #[arg(long, value_name = "SPEED", value_enum, default_value_t)]
    pub(crate) fee: SpeedText,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum SpeedText {
    /// In the next blocks
    Fast,
    /// Within the hour or so
    #[default]
    Normal,
    /// Within the day or so
    Slow,
}

impl FeeArgs {
    /// Returns what the node is asked for.
    pub(crate) fn fee(&self) -> Fee {
        match (self.fee_rate, self.fee) {
            (Some(sat_per_vb), _) => Fee::Custom { sat_per_vb },
            (None, SpeedText::Fast) => Fee::Fast,
            (None, SpeedText::Normal) => Fee::Normal,
            (None, SpeedText::Slow) => Fee::Slow,
        }
    }
}

/// Parses `5000`, `5000sat` and `0.0001btc`.
pub(super) fn amount(text: &str) -> Result<AmountText, String> {
    let amount = domain::parse_amount(text).map_err(|error| error.to_string())?;
    Ok(AmountText(amount.to_sat()))
}

fn fee_rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| rate.is_finite() && *rate > 0.0);
    rate.ok_or_else(|| format!("`{text}` is not a number of satoshis for each virtual byte"))
}

fn words(text: &str) -> Result<u8, String> {
    match text {
        "12" => Ok(12),
        "24" => Ok(24),
        _ => Err(format!("a wallet has 12 or 24 words, not {text}")),
    }
}
