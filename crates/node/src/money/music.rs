//! Answers commands about money for music.

use std::sync::Arc;

use domain::bitcoin::Amount;

use super::{income, notes, offers, pay::Terms, payments, payouts, tips};
use crate::{
    api::{ApiError, MoneyCommand, Pay, Response},
    node::Inner,
};

/// Answers a command about money for music.
pub(super) async fn answer(node: &Arc<Inner>, command: MoneyCommand) -> Result<Response, ApiError> {
    use MoneyCommand as C;
    Ok(match command {
        C::Tip { artist, release, amount_sat, memo, now, pay } => {
            let wish = tips::Wish { artist, release, amount: amount(amount_sat)?, memo, now };
            tips::tip(node, wish, terms(pay)).await?.into()
        }
        C::SendTips { pay } => tips::send_waiting(node, terms(pay)).await?.into(),
        C::Payments { offset, limit } => payments::list(node, offset, limit).await?.into(),
        C::Thank { payment, text } => payments::thank(node, payment, text).await?.into(),
        C::Invest { offer, amount_sat, pay } => {
            notes::invest(node, offer, amount(amount_sat)?, terms(pay)).await?.into()
        }
        C::Notes => notes::own(node).await?.into(),
        C::Payout { offer, amount_sat, rewards, pay } => {
            let exactly = amount_sat.map(amount).transpose()?;
            payouts::payout(node, offer, exactly, rewards, terms(pay)).await?.into()
        }
        C::Refund { note, pay } => payouts::refund(node, note, terms(pay)).await?.into(),
        C::Income => income::income(node).await?.into(),
        C::Audit { artist } => payments::audit(node, artist).await?.into(),
        offer => of_offers(node, offer).await?,
    })
}

async fn of_offers(node: &Arc<Inner>, command: MoneyCommand) -> Result<Response, ApiError> {
    use MoneyCommand as C;
    Ok(match command {
        C::OfferCreate { goal_sat, share_bp, cap_percent, floor_sat, expiry, title, splits, dry_run } => {
            let floor = Amount::from_sat(floor_sat.unwrap_or_default());
            let goal = amount(goal_sat)?;
            let wish = offers::Wish { goal, share_bp, cap_percent, floor, expiry, title, splits };
            offers::create(node, wish, dry_run).await?.into()
        }
        C::Offers { artist } => offers::list(node, artist).await?.into(),
        C::OfferShow { offer } => offers::show(node, offer).await?.into(),
        _ => unreachable!("the others were answered before"),
    })
}

fn terms(pay: Pay) -> Terms {
    let Pay { fee, dry_run, passphrase, key } = pay;
    Terms { fee, dry_run, passphrase, key }
}

fn amount(sat: u64) -> Result<Amount, ApiError> {
    match sat {
        0 => Err(ApiError::new("amount_zero", "an amount of 0 cannot be paid")),
        sat if Amount::from_sat(sat) > Amount::MAX_MONEY => {
            Err(ApiError::new("amount_too_large", format!("{sat} sat are more than 21 million bitcoin")))
        }
        sat => Ok(Amount::from_sat(sat)),
    }
}
