//! What members of a DAO sign. Amounts are satoshis, times are heights of blocks.

mod charter;
mod member;
mod proposal;

pub use charter::{
    Charter, Construction, DEFAULT_RECOVERY, DaoId, JoinPolicy, MAX_FOUNDERS, MIN_ENTRANCE_FEE, MIN_FOUNDERS,
    Parameter, Rules,
};
pub use member::{Delegation, Join, JoinId, JoinInput, Leave, MAX_JOIN_INPUTS, Vouch};
pub use proposal::{
    Ballot, Choice, Intent, MAX_OUTPUTS, MAX_PROPOSAL, MIN_OUTPUT, Output, Proposal, ProposalId,
};

use crate::RecordError;

fn check_range(
    field: &'static str,
    value: impl Into<u64>,
    least: impl Into<u64>,
    most: impl Into<u64>,
) -> Result<(), RecordError> {
    let (value, least, most) = (value.into(), least.into(), most.into());
    match (least..=most).contains(&value) {
        true => Ok(()),
        false => Err(RecordError::body(field, format!("is {value}, not between {least} and {most}"))),
    }
}
