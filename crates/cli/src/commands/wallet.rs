//! The own wallet, and the Bitcoin network.

use std::{
    fs::File,
    io::{Read, Write},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use node::{
    api::{
        ApiError, Backup, ChainStatus, Coins, Done, Drill, Labels, NewWallet, PayTo, Receive, Recipient,
        Request, Sent, Spend, TextFile, TransactionState, WalletCommand, WalletHistory, WalletStatus,
        WalletTransaction, Words,
    },
    domain::parse_amount,
};
use serde_json::json;

use super::{
    Context,
    running::{drawing, read_passphrase},
};
use crate::{
    args::{ChainAction, PassphraseArgs, SendArgs, WalletAction},
    failure::{Failure, at},
    session::Answer,
};

/// Longest file of words, labels or a backup in bytes.
const MAX_FILE: u64 = 64 << 20;
/// What the node answers where a payment needs the passphrase.
const WALLET_LOCKED: &str = "wallet_locked";

impl Context<'_> {
    pub(super) async fn wallet(&self, action: WalletAction) -> Result<(), Failure> {
        match action {
            WalletAction::Create { passphrase, words, words_passphrase_file } => {
                self.create_wallet(&passphrase, words, words_passphrase_file.as_deref()).await
            }
            WalletAction::Restore { words_file, backup, passphrase, words_passphrase_file, birthday } => {
                let extension = words_passphrase_file.as_deref().map(read_passphrase).transpose()?;
                self.restore_wallet(words_file, backup, &passphrase, extension, birthday).await
            }
            WalletAction::Unlock { passphrase, minutes } => {
                let passphrase = self.passphrase(&passphrase)?;
                self.say_status(WalletCommand::Unlock { passphrase, minutes }).await
            }
            WalletAction::Lock => self.say_status(WalletCommand::Lock).await,
            WalletAction::Status => self.wallet_status().await,
            WalletAction::Send(args) => self.send(args).await,
            WalletAction::Bump { txid, fee, dry_run, passphrase } => {
                let bump = |passphrase| WalletCommand::Bump {
                    txid: txid.clone(),
                    fee: fee.fee(),
                    dry_run,
                    passphrase,
                };
                let sent = self.signed(&passphrase, bump).await?;
                self.sent(&sent).await
            }
            WalletAction::Backup { file, passphrase } => self.backup_wallet(&file, &passphrase).await,
            WalletAction::Words { passphrase } => {
                let passphrase = self.passphrase(&passphrase)?;
                let words = self.ask_wallet::<Words>(WalletCommand::Words { passphrase }).await?;
                self.output.say_as(&words, || numbered(&words.words))
            }
            WalletAction::Drill { words_file, backup, passphrase } => {
                self.drill(words_file, backup, passphrase).await
            }
            action => self.book(action).await,
        }
    }

    /// Addresses, history, coins, labels.
    async fn book(&self, action: WalletAction) -> Result<(), Failure> {
        match action {
            WalletAction::Address { label, amount, qr } => {
                let command = WalletCommand::Address { label, amount_sat: amount.map(|amount| amount.0) };
                let receive = self.ask_wallet::<Receive>(command).await?;
                let code = if qr { drawing(&receive.uri)? } else { String::new() };
                self.output.say_as(&receive, || format!("{code}{}\n", receive.address))
            }
            WalletAction::History { csv: Some(file), .. } => {
                self.save(WalletCommand::HistoryCsv, &file).await
            }
            WalletAction::History { limit, offset, .. } => {
                let command = WalletCommand::History { offset, limit: Some(limit) };
                self.output.say(&self.ask_wallet::<WalletHistory>(command).await?)
            }
            WalletAction::Coins => self.output.say(&self.ask_wallet::<Coins>(WalletCommand::Coins).await?),
            WalletAction::Freeze { coin, remove } => {
                let command = WalletCommand::Freeze { outpoint: coin, frozen: !remove };
                self.output.say(&self.ask_wallet::<Coins>(command).await?)
            }
            WalletAction::Label { of, label } => {
                let done = self.ask_wallet::<Done>(WalletCommand::Label { of, label }).await?;
                self.output.say_as(&done, || "Noted.\n".to_owned())
            }
            WalletAction::Labels { export: Some(file), .. } => {
                self.save(WalletCommand::LabelsExport, &file).await
            }
            WalletAction::Labels { import, .. } => {
                let text = read_text(&import.unwrap_or_default())?;
                let labels = self.ask_wallet::<Labels>(WalletCommand::LabelsImport { text }).await?;
                self.output.say_as(&labels, || format!("{} labels taken.\n", labels.imported))
            }
            _ => unreachable!("the others were carried out before"),
        }
    }

    pub(super) async fn chain(&self, action: ChainAction) -> Result<(), Failure> {
        let ChainAction::Status = action;
        let enough = |answer: &Result<ChainStatus, ApiError>| !matches!(answer, Ok(status) if !status.synced);
        let status = self.session.ask_until(Request::Wallet(WalletCommand::Chain), enough).await?;
        self.output.say(&status)
    }

    async fn create_wallet(
        &self,
        passphrase: &PassphraseArgs,
        words: u8,
        extension: Option<&Path>,
    ) -> Result<(), Failure> {
        let command = WalletCommand::Create {
            passphrase: self.fresh_passphrase(passphrase)?,
            words_passphrase: extension.map(read_passphrase).transpose()?,
            words: Some(words),
        };
        let made = self.ask_wallet::<NewWallet>(command).await?;
        self.output.say_as(&made, || {
            format!(
                "Write these words down in order, on paper. Whoever has them has the money; without them it is lost \
                 with this disk.\n\n{}\nThe wallet is of {}.\n",
                numbered(&made.words),
                made.network
            )
        })
    }

    async fn restore_wallet(
        &self,
        words_file: Option<PathBuf>,
        backup: Option<PathBuf>,
        passphrase: &PassphraseArgs,
        words_passphrase: Option<String>,
        birthday: Option<String>,
    ) -> Result<(), Failure> {
        let command = match (words_file, backup) {
            (Some(file), _) => WalletCommand::Restore {
                words: read_text(&file)?,
                words_passphrase,
                passphrase: self.fresh_passphrase(passphrase)?,
                birthday,
            },
            (None, backup) => WalletCommand::RestoreBackup {
                text: read_text(&backup.unwrap_or_default())?,
                passphrase: self.passphrase(passphrase)?,
            },
        };
        self.ask_wallet::<WalletStatus>(command).await?;
        self.wallet_status().await
    }

    async fn send(&self, args: SendArgs) -> Result<(), Failure> {
        let SendArgs { payees, coins, label, pay } = args;
        let recipients = self.recipients(&payees).await?;
        let key = pay.key.clone().unwrap_or_else(wish);
        let send = |passphrase| {
            WalletCommand::Send(Spend {
                recipients: recipients.clone(),
                fee: pay.fee.fee(),
                coins: coins.clone(),
                dry_run: pay.dry_run,
                label: label.clone(),
                passphrase,
                key: Some(key.clone()),
            })
        };
        if !pay.dry_run {
            self.caught_up().await?;
        }
        let sent = self.signed(&pay.passphrase, send).await?;
        self.sent(&sent).await
    }

    /// Reads pairs of address and amount, or a link that has both.
    async fn recipients(&self, payees: &[String]) -> Result<Vec<Recipient>, Failure> {
        if let [link] = payees {
            let pay = self.ask_wallet::<PayTo>(WalletCommand::Parse { text: link.clone() }).await?;
            let missing = || ApiError::new("amount_missing", "say how much: 5000, 5000sat, 0.0001btc or all");
            let amount_sat = Some(pay.amount_sat.ok_or_else(missing)?);
            return Ok(vec![Recipient { address: pay.address, amount_sat }]);
        }
        let pairs = payees.chunks(2).map(|pair| match pair {
            [address, all] if all == "all" => Ok(Recipient { address: address.clone(), amount_sat: None }),
            [address, text] => {
                let amount =
                    parse_amount(text).map_err(|error| ApiError::new(error.code(), error.to_string()))?;
                Ok(Recipient { address: address.clone(), amount_sat: Some(amount.to_sat()) })
            }
            _ => Err(ApiError::new("amount_missing", "every address needs an amount behind it")),
        });
        Ok(pairs.collect::<Result<_, _>>()?)
    }

    /// Asks for what has to be signed: with the passphrase of the file, else without, else with one that is typed.
    async fn signed<T: Answer>(
        &self,
        passphrase: &PassphraseArgs,
        command: impl Fn(Option<String>) -> WalletCommand,
    ) -> Result<T, Failure> {
        let given = passphrase.passphrase_file.as_deref().map(read_passphrase).transpose()?;
        match self.session.ask(Request::Wallet(command(given))).await {
            Err(error) if error.code == WALLET_LOCKED && self.may_prompt() => {
                let typed = rpassword::prompt_password("Passphrase of the wallet: ")?;
                self.ask_wallet(command(Some(typed))).await
            }
            answer => Ok(answer?),
        }
    }

    /// Tells of a payment; a node of this command's own stays until other nodes were told.
    pub(super) async fn sent(&self, sent: &Sent) -> Result<(), Failure> {
        if !sent.dry_run && self.session.is_embedded() {
            let command = WalletCommand::History { offset: 0, limit: None };
            let left = |answer: &Result<WalletHistory, ApiError>| {
                let waits =
                    |tx: &WalletTransaction| tx.txid == sent.txid && tx.state == TransactionState::Signed;
                !matches!(answer, Ok(history) if history.transactions.iter().any(waits))
            };
            let history = self.session.ask_until(Request::Wallet(command), left).await;
            if !left(&history) {
                self.output.note("Nobody has the payment yet: it is sent when a node runs here again.");
            }
        }
        self.output.say(sent)
    }

    /// Waits, with a node of this command's own, until the wallet knows the newest block.
    pub(super) async fn caught_up(&self) -> Result<WalletStatus, Failure> {
        let enough =
            |answer: &Result<WalletStatus, ApiError>| !matches!(answer, Ok(it) if it.exists && !it.synced);
        Ok(self.session.ask_until(Request::Wallet(WalletCommand::Status), enough).await?)
    }

    async fn wallet_status(&self) -> Result<(), Failure> {
        self.output.say(&self.caught_up().await?)
    }

    async fn say_status(&self, command: WalletCommand) -> Result<(), Failure> {
        let status = self.ask_wallet::<WalletStatus>(command).await?;
        let words = if status.unlocked { "The wallet is unlocked.\n" } else { "The wallet is locked.\n" };
        self.output.say_as(&status, || words.to_owned())
    }

    async fn backup_wallet(&self, file: &Path, passphrase: &PassphraseArgs) -> Result<(), Failure> {
        let passphrase = self.passphrase(passphrase)?;
        let backup = self.ask_wallet::<Backup>(WalletCommand::Backup { passphrase }).await?;
        self.write_new(file, &backup.text)
    }

    async fn drill(
        &self,
        words_file: Option<PathBuf>,
        backup: Option<PathBuf>,
        passphrase: PassphraseArgs,
    ) -> Result<(), Failure> {
        let (text, passphrase) = match (words_file, backup) {
            (Some(file), _) => {
                (read_text(&file)?, passphrase.passphrase_file.as_deref().map(read_passphrase).transpose()?)
            }
            (None, backup) => (read_text(&backup.unwrap_or_default())?, Some(self.passphrase(&passphrase)?)),
        };
        self.output.say(&self.ask_wallet::<Drill>(WalletCommand::Drill { text, passphrase }).await?)
    }

    async fn save(&self, command: WalletCommand, file: &Path) -> Result<(), Failure> {
        let text = self.ask_wallet::<TextFile>(command).await?.text;
        self.write_new(file, &text)
    }

    /// Writes a file that only its owner may read, and says so.
    fn write_new(&self, path: &Path, text: &str) -> Result<(), Failure> {
        let mut options = File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(|error| Failure::file(path, error))?;
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        written.map_err(|error| Failure::file(path, error))?;
        self.output.say_as(&json!({ "file": path }), || format!("Written to {}\n", path.display()))
    }

    async fn ask_wallet<T: Answer>(&self, command: WalletCommand) -> Result<T, Failure> {
        self.ask(Request::Wallet(command)).await
    }

    /// Returns the wallet's passphrase: of the file, else as it is typed.
    fn passphrase(&self, args: &PassphraseArgs) -> Result<String, Failure> {
        match &args.passphrase_file {
            Some(file) => Ok(read_passphrase(file)?),
            None if self.may_prompt() => Ok(rpassword::prompt_password("Passphrase of the wallet: ")?),
            None => Err(passphrase_needed()),
        }
    }

    /// Returns a passphrase for a new wallet: of the file, else as it is typed twice.
    fn fresh_passphrase(&self, args: &PassphraseArgs) -> Result<String, Failure> {
        match &args.passphrase_file {
            Some(file) => Ok(read_passphrase(file)?),
            None if self.may_prompt() => typed_twice(),
            None => Err(passphrase_needed()),
        }
    }
}

/// Names the wish of this process, so that a daemon that died in the middle of it does not carry it out twice.
fn wish() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("cli-{}-{}", std::process::id(), since.as_nanos())
}

fn typed_twice() -> Result<String, Failure> {
    let first = rpassword::prompt_password("Passphrase for the wallet: ")?;
    if rpassword::prompt_password("Again: ")? != first {
        return Err(ApiError::new("passphrase_mismatch", "the two passphrases differ").into());
    }
    Ok(first)
}

fn passphrase_needed() -> Failure {
    ApiError::new(
        "passphrase_needed",
        "the wallet needs a passphrase: name its file with `--passphrase-file`",
    )
    .into()
}

fn read_text(path: &Path) -> Result<String, ApiError> {
    let mut text = String::new();
    let file = File::open(path).map_err(|error| at(path, error))?;
    file.take(MAX_FILE).read_to_string(&mut text).map_err(|error| at(path, error))?;
    Ok(text)
}

fn numbered(words: &[String]) -> String {
    words.iter().enumerate().map(|(place, word)| format!("{:>2}. {word}\n", place + 1)).collect()
}
