//! What measuring money needs: a Bitcoin node of one's own, and other programs' ways to the same figures.

pub use chain::testenv::{Bitcoind, Purse, is_installed, nobody};
pub use treasury::bench::{Earned, Plain};

use crate::{api::ApiError, node::NodeHandle};

/// Makes a wallet of `bdk_wallet` of the same keys as the node's, without what was paid so far.
///
/// # Errors
/// `wallet_none`.
pub async fn plain(node: &NodeHandle, lookahead: u32) -> Result<Plain, ApiError> {
    Ok(Plain::new(&node.inner.money.accounts().await?, lookahead))
}
