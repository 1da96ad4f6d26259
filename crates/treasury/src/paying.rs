//! Who is owed what and was paid, from signed records and the chain alone.
//!
//! A [`Book`] is what was signed, [`Facts`] what the chain confirmed, a [`Watch`] the scripts by which the two meet. A
//! [`Ledger`] follows from them, an [`Audit`] is the ledger for everybody's eyes, a [`Plan`] what an artist pays next.
//!
//! The rules, in the order in which they apply to each output at an income address (`/0`) in the order of the chain:
//! an offer takes part from its first note on and until its expiry; offers are served in the order of their first
//! notes, a later one from what an earlier one leaves to the artist; within an offer come the collaborators, the floor,
//! the notes up to their caps, the artist. The network's fee of a payout is the artist's: it is never taken from what
//! others earned, since who pays chooses it.

mod audit;
mod book;
mod commitment;
mod facts;
mod ledger;
mod owners;
mod plan;
mod series;
#[cfg(test)]
mod tests;
mod waterfall;

pub use audit::{Audit, AuditNote, AuditOffer, AuditSplit, AuditStatus};
pub use book::{Book, MAX_BOOK_WINDOWS, Signed};
pub use commitment::{Root, Tree, id_of};
pub use facts::{BlockFacts, Covered, Facts, TxFacts, Watch};
pub use ledger::{LATE_AFTER, Ledger, NoteState, NoteStatus, OfferState, Problem, SplitState};
pub use owners::{DaoPayee, DaoPays, MAX_OWNERS, NoteOwner};
pub use plan::{Batch, MAX_PAYEES, Plan, PlanError, PlanLine, Reward, Wish};
pub use series::{Receipt, Series, believed, receipts};
pub use waterfall::{Preview, Terms};

use domain::bitcoin::Amount;

/// Adds amounts. Those of a true chain sum to less than 2^51 satoshis; one that lies makes nothing overflow.
fn add(one: Amount, two: Amount) -> Amount {
    one.checked_add(two).unwrap_or(Amount::MAX)
}

fn less(one: Amount, two: Amount) -> Amount {
    one.checked_sub(two).unwrap_or(Amount::ZERO)
}

fn total(amounts: impl IntoIterator<Item = Amount>) -> Amount {
    amounts.into_iter().fold(Amount::ZERO, add)
}
