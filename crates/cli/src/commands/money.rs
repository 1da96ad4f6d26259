//! Money between listeners and artists.

use std::io::{BufRead, Write};

use node::{
    api::{
        ApiError, Audit, Caution, Done, Income, Invested, MoneyCommand, Notes, Offer, Offers, PaidOut, Pay,
        Payments, Request, Reward, Split, Tipped, WalletCommand, WalletHistory, WalletTransaction,
    },
    domain::{PeerId, ReleaseId, SlotId},
};

use super::{Context, running::read_passphrase};
use crate::{
    args::{InvestArgs, OfferAction, OfferArgs, PayArgs, PayoutArgs, RefundArgs, TipArgs},
    failure::Failure,
    id::IdText,
    output::raw,
    session::Answer,
};

/// What the node answers where a payment needs the passphrase.
const WALLET_LOCKED: &str = "wallet_locked";

impl Context<'_> {
    pub(super) async fn tip(&self, args: TipArgs) -> Result<(), Failure> {
        let TipArgs { payee, amount, memo, now, pay, .. } = args;
        self.caught_up().await?;
        let tipped: Tipped = match (payee, amount) {
            (Some(payee), Some(amount)) => {
                let (artist, release) = self.payee(&payee).await?;
                let tip = |pay| MoneyCommand::Tip {
                    artist,
                    release,
                    amount_sat: amount.0,
                    memo: memo.clone(),
                    now,
                    pay,
                };
                self.paid(&pay, |pay| Request::Money(tip(pay))).await?
            }
            _ => self.paid(&pay, |pay| Request::Money(MoneyCommand::SendTips { pay })).await?,
        };
        self.until_sent(tipped.txid.as_deref()).await?;
        self.output.say(&tipped)
    }

    pub(super) async fn tips(&self, limit: u32, offset: u32) -> Result<(), Failure> {
        let command = MoneyCommand::Payments { offset, limit: Some(limit) };
        self.output.say(&self.ask_money::<Payments>(command).await?)
    }

    pub(super) async fn thank(&self, payment: SlotId, text: String) -> Result<(), Failure> {
        let done = self.ask_money::<Done>(MoneyCommand::Thank { payment, text }).await?;
        self.output.say_as(&done, || "Said.\n".to_owned())
    }

    pub(super) async fn offer(&self, action: OfferAction) -> Result<(), Failure> {
        match action {
            OfferAction::Create(args) => self.create_offer(args).await,
            OfferAction::List { artist } => {
                let artist = match artist {
                    Some(artist) => Some(self.artist_id(&artist).await?),
                    None => None,
                };
                self.output.say(&self.ask_money::<Offers>(MoneyCommand::Offers { artist }).await?)
            }
            OfferAction::Show { offer } => {
                let offer = self.offer_id(&offer).await?;
                self.output.say(&self.ask_money::<Offer>(MoneyCommand::OfferShow { offer }).await?)
            }
        }
    }

    async fn create_offer(&self, args: OfferArgs) -> Result<(), Failure> {
        let OfferArgs { goal, share, cap, floor, expiry, title, splits, dry_run } = args;
        let command = MoneyCommand::OfferCreate {
            goal_sat: goal.0,
            share_bp: share,
            cap_percent: Some(cap.into()),
            floor_sat: floor.map(|floor| floor.0),
            expiry,
            title,
            splits: splits.into_iter().map(|(peer, share_bp)| Split { peer, share_bp }).collect(),
            dry_run,
        };
        self.output.say(&self.ask_money::<Offer>(command).await?)
    }

    pub(super) async fn invest(&self, args: InvestArgs) -> Result<(), Failure> {
        let InvestArgs { offer, amount, yes, pay } = args;
        self.caught_up().await?;
        let offer = self.offer_id(&offer).await?;
        let invest = |pay| MoneyCommand::Invest { offer, amount_sat: amount.0, pay };
        if !yes && !pay.dry_run && self.may_prompt() {
            let trial: Invested = self.ask_money(invest(Pay { dry_run: true, ..terms(&pay)? })).await?;
            let question =
                format!("Invest {} sat and {} sat for the network?", trial.principal_sat, trial.fee_sat);
            consent(&trial.warnings, &question)?;
        }
        let invested: Invested = self.paid(&pay, |pay| Request::Money(invest(pay))).await?;
        self.until_sent(invested.txid.as_deref()).await?;
        self.output.say(&invested)
    }

    pub(super) async fn notes(&self) -> Result<(), Failure> {
        self.output.say(&self.ask_money::<Notes>(MoneyCommand::Notes).await?)
    }

    pub(super) async fn payout(&self, args: PayoutArgs) -> Result<(), Failure> {
        let PayoutArgs { offer, amount, fans, pay } = args;
        self.caught_up().await?;
        let offer = self.offer_id(&offer).await?;
        let reward =
            |(peer, amount): &(PeerId, crate::args::AmountText)| Reward { peer: *peer, amount_sat: amount.0 };
        let rewards: Vec<Reward> = fans.iter().map(reward).collect();
        let amount_sat = amount.map(|amount| amount.0);
        let payout = |pay| MoneyCommand::Payout { offer, amount_sat, rewards: rewards.clone(), pay };
        let paid: PaidOut = self.paid(&pay, |pay| Request::Money(payout(pay))).await?;
        self.until_sent(paid.txid.as_deref()).await?;
        self.output.say(&paid)
    }

    pub(super) async fn refund(&self, args: RefundArgs) -> Result<(), Failure> {
        let RefundArgs { note, pay } = args;
        self.caught_up().await?;
        let refund = |pay| Request::Money(MoneyCommand::Refund { note, pay });
        let paid: PaidOut = self.paid(&pay, refund).await?;
        self.until_sent(paid.txid.as_deref()).await?;
        self.output.say(&paid)
    }

    pub(super) async fn income(&self) -> Result<(), Failure> {
        self.output.say(&self.ask_money::<Income>(MoneyCommand::Income).await?)
    }

    /// Prints an audit byte for byte; a node of this command's own waits for what it lacks.
    pub(super) async fn audit(&self, artist: &IdText) -> Result<(), Failure> {
        let artist = self.artist_id(artist).await?;
        let complete = |answer: &Result<Audit, ApiError>| {
            answer.as_ref().is_ok_and(|audit| audit.json.contains(r#""status":"complete""#))
        };
        let audit = self.session.ask_until(Request::Money(MoneyCommand::Audit { artist }), complete).await?;
        raw(format!("{}\n", audit.json).as_bytes())
    }

    /// Whom a tip is for: a release's artist, else an artist.
    async fn payee(&self, payee: &IdText) -> Result<(Option<PeerId>, Option<ReleaseId>), Failure> {
        if let Ok(release) = self.release_id(payee).await
            && self.ask::<node::api::ReleaseDetail>(Request::Show { release }).await.is_ok()
        {
            return Ok((None, Some(release)));
        }
        Ok((Some(self.artist_id(payee).await?), None))
    }

    pub(super) async fn offer_id(&self, id: &IdText) -> Result<SlotId, Failure> {
        if let Some(offer) = id.whole() {
            return Ok(offer);
        }
        let Offers { offers, .. } = self.ask_money(MoneyCommand::Offers { artist: None }).await?;
        Ok(id.pick(offers.into_iter().filter_map(|offer| offer.offer_id))?)
    }

    /// Asks for what has to be signed: with the passphrase of the file, else without, else with one that is typed.
    pub(super) async fn paid<T: Answer>(
        &self,
        args: &PayArgs,
        request: impl Fn(Pay) -> Request,
    ) -> Result<T, Failure> {
        let pay = terms(args)?;
        match self.session.ask(request(pay.clone())).await {
            Err(error) if error.code == WALLET_LOCKED && self.may_prompt() => {
                let typed = rpassword::prompt_password("Passphrase of the wallet: ")?;
                self.ask(request(Pay { passphrase: Some(typed), ..pay })).await
            }
            answer => Ok(answer?),
        }
    }

    /// Lets a node of this command's own stay until other nodes were told of a payment.
    async fn until_sent(&self, txid: Option<&str>) -> Result<(), Failure> {
        let Some(txid) = txid.filter(|_| self.session.is_embedded()) else { return Ok(()) };
        let command = WalletCommand::History { offset: 0, limit: None };
        let left = |answer: &Result<WalletHistory, ApiError>| {
            use node::api::TransactionState::{Draft, Signed};
            let waits = |tx: &WalletTransaction| tx.txid == txid && matches!(tx.state, Draft | Signed);
            !matches!(answer, Ok(history) if history.transactions.iter().any(waits))
        };
        let history = self.session.ask_until(Request::Wallet(command), left).await;
        if !left(&history) {
            self.output.note("Nobody has the payment yet: it is sent when a node runs here again.");
        }
        Ok(())
    }

    async fn ask_money<T: Answer>(&self, command: MoneyCommand) -> Result<T, Failure> {
        self.ask(Request::Money(command)).await
    }
}

/// Says what to think of before anything is paid, and goes on only with a yes.
pub(super) fn consent(warnings: &[Caution], question: &str) -> Result<(), Failure> {
    let mut error = anstream::stderr().lock();
    for warning in warnings {
        writeln!(error, "{warning}")?;
    }
    write!(error, "{question} [y/N] ")?;
    error.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(ApiError::new("not_confirmed", "nothing was paid").into()),
    }
}

pub(super) fn terms(args: &PayArgs) -> Result<Pay, ApiError> {
    let passphrase = args.passphrase.passphrase_file.as_deref().map(read_passphrase).transpose()?;
    Ok(Pay { fee: args.fee.fee(), dry_run: args.dry_run, passphrase, key: args.key.clone() })
}
