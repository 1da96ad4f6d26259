//! One person's money: seed, addresses, coins, payments and history.
//!
//! A [`Wallet`] holds public keys only. [`Keys`], derived from a [`Seed`] that a passphrase opened, sign and are dropped.
//! Whatever changes is a [`ChangeSet`] that is to be kept before anything leaves the device.

mod address;
mod anchor;
mod attempts;
mod backup;
mod blocks;
mod bump;
mod changes;
mod error;
mod fees;
mod history;
mod keys;
mod labels;
mod limits;
mod scripts;
mod sealing;
mod seed;
mod select;
mod spend;
mod state;
#[cfg(test)]
mod tests;
mod vault;
mod view;

pub use address::{AddressError, Request, parse_address};
pub use attempts::{Attempts, TooManyAttempts};
pub use backup::{PASSED_OVER, Restored, backup, restore};
pub use bdk_wallet::chain::BlockId;
pub use changes::ChangeSet;
pub use error::{SpendError, WalletError};
pub use fees::{Speed, parse_fee_rate};
pub use history::{Entry, MAX_PAGE, Page, SETTLED, TxState};
pub use keys::{Account, Accounts, Chain, Keys, MAX_INDEX, taproot_script};
pub use labels::{LabelError, LabelTarget, MAX_LABEL, MAX_LABELS};
pub use limits::{Limits, MAX_DATA, MAX_FEE_RATE, MAX_PAYEES, MAX_WEIGHT, MIN_FEE_RATE, WARN_FEE_PERCENT};
pub use scripts::LOOKAHEAD;
pub use sealing::SealingKey;
pub use seed::{QUIZ_WORDS, Seed, SeedError, WordCount};
pub use spend::{ChangeOutput, Coins, Draft, DraftId, DraftKind, Input, Payee, Spend, Warning};
pub use state::{FORGOTTEN_AFTER, Wallet};
pub use vault::{Passphrase, VaultError};
pub use view::{Balance, Coin, Sum};
