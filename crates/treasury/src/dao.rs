//! The DAO: one pooled coin that many members guard together, and one transaction after another that spends it.
//!
//! A [`State`] is what the DAO is, a [`Turn`] what the next transaction does, [`Evidence`] what a node knows of signed
//! records and of the chain. [`State::advance`] makes of them the next state, the transaction T and the refund R of its
//! successor, byte by byte the same for everybody. Nobody is sent a transaction to sign: whoever is asked computes it.
//! Every T commits to its turn, so that the chain orders the turns and decides between rival ones.
//!
//! In a turn come, in this order: coins that came in, approvals, the spends that fit, who leaves, who joins, who is
//! counted, the successor's keys, the reserve for its refund. Claims, what is nobody's and the reserve always sum to the
//! coin.

mod accounts;
mod advance;
mod bump;
mod changes;
mod epoch;
mod evidence;
mod gather;
pub mod guard;
pub mod member;
mod members;
mod plan;
mod refund;
mod refusal;
mod shares;
mod sortition;
mod state;
#[cfg(test)]
mod tests;
mod turn;
mod weights;

pub use advance::{MAX_MERGES, Owner, Step, Unsigned};
pub use bump::{Child, MAX_CHILD, Purse, child};
pub use epoch::Epoch;
pub use evidence::{Confirmed, Evidence};
pub use gather::Scope;
pub use members::Members;
pub use refund::{Refund, RefundNode};
pub use refusal::{JoinProblem, Refusal};
pub use state::{Account, FORTNIGHT, Member, Moment, Pooled, Shares, Spend, State};
pub use turn::{Approval, MAX_TURN, Merge, Payback, Promotion, Turn, TurnError, TurnId};
pub use weights::{ANCHOR, MAX_WEIGHT, REFUND_RATE};

use guard::{Construction, Group, Guard, GuardError, Path};
