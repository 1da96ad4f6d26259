//! The DAOs: a task each, around the pure member.

use std::sync::Arc;

use crate::{
    api::{ApiError, DaoCommand, Response},
    node::Inner,
};

/// Answers a command about DAOs.
pub(crate) async fn answer(_node: &Arc<Inner>, _command: DaoCommand) -> Result<Response, ApiError> {
    Err(ApiError::new("dao_unknown", "no such DAO is known here"))
}
