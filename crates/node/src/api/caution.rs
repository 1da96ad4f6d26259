//! What to think of before money leaves: a code for scripts and screens, its figures, and words for a terminal.

use std::fmt;

use serde::{Deserialize, Serialize};
use treasury::wallet;
use ts_rs::TS;

/// What to think of before a payment is confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Caution {
    /// The fee is a good part of what is paid.
    FeeHigh {
        /// In percent of the amount.
        percent: u64,
    },
    /// Coins of the public income account are spent together with private ones.
    LinksAccounts,
    /// The wish was carried out before, and is not again.
    PaidBefore,
    /// The tip waits to go together with others.
    TipWaits,
    /// An investment can be lost.
    LossPossible,
    /// What comes back depends on the artist's public income.
    IncomeUncertain,
    /// An investment earns for a time and up to its cap.
    EarningsBounded,
    /// A part of what is owed is too little to be sent now.
    TooLittleToSend {
        /// How much.
        sat: u64,
        /// To how many.
        payees: u64,
    },
}

impl fmt::Display for Caution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FeeHigh { percent } => write!(f, "the fee is {percent} % of what is paid"),
            Self::LinksAccounts => f.write_str(
                "coins of the public income account are spent together with private ones: everybody can see from \
                 then on that both are yours",
            ),
            Self::PaidBefore => f.write_str("this was paid before, and not again"),
            Self::TipWaits => f.write_str(
                "the network's fee would eat this tip: it waits and goes together with others, by itself once that is \
                 cheap enough, or when you say so",
            ),
            Self::LossPossible => f.write_str(
                "You can lose all of this money. Nobody guarantees that anything comes back, and nobody can be made \
                 to pay.",
            ),
            Self::IncomeUncertain => f.write_str(
                "What comes back depends on what this artist earns at the published addresses; income elsewhere does \
                 not count.",
            ),
            Self::EarningsBounded => f.write_str(
                "It earns until the offer ends and never more than its cap. It cannot be sold or taken back.",
            ),
            Self::TooLittleToSend { sat, payees } => {
                write!(f, "{sat} sat that are owed to {payees} payees are too little to be sent now, and stay owed")
            }
        }
    }
}

impl From<wallet::Warning> for Caution {
    fn from(warning: wallet::Warning) -> Self {
        match warning {
            wallet::Warning::HighFee { percent } => Self::FeeHigh { percent },
            wallet::Warning::LinksAccounts => Self::LinksAccounts,
        }
    }
}
