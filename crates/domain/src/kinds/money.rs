//! What artists, investors and fans sign about money. Amounts are satoshis, times are Unix seconds as blocks tell them.

mod income;
mod offer;
mod paid;

pub use income::{Income, MAX_WINDOWS, WINDOW};
pub use offer::{MAX_CAP, MAX_SPLITS, MIN_CAP, MIN_GOAL, Offer, Split, WHOLE};
pub use paid::{
    Due, MAX_LINES, MAX_PLACES, Note, NoteId, OfferId, Payee, Payment, PaymentId, Payout, PayoutLine, Place,
    Thanks,
};

use bitcoin::{Amount, Script};
use minicbor::Encode;

use crate::{Key, RecordError};

/// Says whether records of a kind make up an artist's money log: each then names the one before as its first
/// reference, so that whoever has a later one knows that an earlier one is missing.
pub fn in_money_log(kind: u16) -> bool {
    matches!(kind, super::id::INCOME | super::id::OFFER | super::id::PAYOUT)
}

/// A key that no other body has: what is signed under it can never say anything else.
pub(super) fn content_key(body: &impl Encode<()>) -> Key {
    Key::of(&[&minicbor::to_vec(body).expect("encoding into memory does not fail")])
}

pub(super) fn check_amount(field: &'static str, amount: Amount, least: u64) -> Result<(), RecordError> {
    match (least..=Amount::MAX_MONEY.to_sat()).contains(&amount.to_sat()) {
        true => Ok(()),
        false => Err(RecordError::body(
            field,
            format!("is {} sat, not between {least} and 21 million bitcoin", amount.to_sat()),
        )),
    }
}

/// Accepts native segwit outputs of version 0 and 1: every wallet can pay them, and their dust limits are known.
pub(super) fn check_script(field: &'static str, script: &Script) -> Result<(), RecordError> {
    match script.is_p2wpkh() || script.is_p2wsh() || script.is_p2tr() {
        true => Ok(()),
        false => Err(RecordError::body(field, "is not a segwit address of version 0 or 1")),
    }
}
