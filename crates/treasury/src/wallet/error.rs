use domain::bitcoin::{Amount, BlockHash, FeeRate, OutPoint, Txid};

use super::MAX_PAYEES;

/// Says why a wallet could not be loaded or follow its chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WalletError {
    /// What was kept of it is not whole.
    #[error("what was kept of the wallet is damaged: {0}")]
    Damaged(String),
    /// The chain is not the network's.
    #[error("block {hash} at height {height} belongs to another network's chain")]
    OtherChain {
        /// The block's height.
        height: u32,
        /// The block.
        hash: BlockHash,
    },
    /// The header and the block's content do not belong together.
    #[error("block {0} came with the content of another")]
    OtherBlock(BlockHash),
    /// There is no such transaction or draft in the wallet.
    #[error("the wallet knows no transaction {0}")]
    NoTransaction(String),
    /// A window must begin where a payer can reach it.
    #[error("a window cannot begin at {0}")]
    Window(u32),
    /// The transaction was handed to others already.
    #[error("{0} was sent already and can only be replaced")]
    Sent(Txid),
}

impl WalletError {
    /// Returns the stable code for scripts and screens.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Damaged(_) => "wallet_damaged",
            Self::OtherChain { .. } => "chain_mismatch",
            Self::OtherBlock(_) => "block_mismatch",
            Self::NoTransaction(_) => "not_found",
            Self::Window(_) => "window_invalid",
            Self::Sent(_) => "transaction_sent",
        }
    }
}

/// Says why a payment cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpendError {
    /// Nobody would be paid.
    #[error("the payment has no recipient")]
    NoPayee,
    /// There are too many.
    #[error("the payment has {0} recipients, more than the {MAX_PAYEES} that fit a transaction")]
    TooManyPayees(usize),
    /// A recipient belongs to another network.
    #[error("{0} is not an address of this wallet's network")]
    Network(String),
    /// A recipient would get nothing.
    #[error("the amount is 0")]
    Zero,
    /// The amount is so small that nodes do not relay it.
    #[error("{} sat is dust: nodes relay no less than {} sat to this address", amount.to_sat(), least.to_sat())]
    Dust {
        /// The amount.
        amount: Amount,
        /// The least that is relayed.
        least: Amount,
    },
    /// The sum is more than there can ever be.
    #[error("the amounts are more than the 21 million bitcoin there can ever be")]
    TooMuch,
    /// There is too little money, or too little that may be spent now.
    #[error("{} sat are needed with the fee and {} sat can be spent now", needed.to_sat(), available.to_sat())]
    Insufficient {
        /// What is needed.
        needed: Amount,
        /// What there is.
        available: Amount,
    },
    /// The rate is below what nodes relay.
    #[error("a fee of {} sat per 1,000 weight units is below what nodes relay", rate.to_sat_per_kwu())]
    FeeTooLow {
        /// The rate.
        rate: FeeRate,
    },
    /// The fee is above the cap.
    #[error("a fee of {} sat is above the cap of {} sat", fee.to_sat(), cap.to_sat())]
    FeeAboveCap {
        /// The fee.
        fee: Amount,
        /// The highest that is allowed.
        cap: Amount,
    },
    /// The rate is above the highest.
    #[error("a fee rate of {rate} sat/vB is above the cap of {cap} sat/vB")]
    RateAboveCap {
        /// The rate.
        rate: u64,
        /// The highest that is allowed.
        cap: u64,
    },
    /// The amount is above the main network's cap.
    #[error("{} sat is above the cap of {} sat for real money", amount.to_sat(), cap.to_sat())]
    AmountAboveCap {
        /// The amount.
        amount: Amount,
        /// The highest that is allowed.
        cap: Amount,
    },
    /// The data is too long.
    #[error("{0} bytes of data are more than the 80 that nodes relay")]
    Data(usize),
    /// A chosen coin is not there, is spent, or is not to be spent.
    #[error("the coin {0} cannot be spent: it is gone, locked or not ripe")]
    Coin(OutPoint),
    /// The transaction would be heavier than nodes relay.
    #[error(
        "the transaction would have {0} weight units, more than nodes relay; pay fewer or choose fewer coins"
    )]
    TooHeavy(u64),
    /// The keys belong to another wallet.
    #[error("the keys belong to another wallet")]
    OtherKeys,
    /// The draft no longer fits: something happened since.
    #[error("the payment no longer fits the wallet, make it anew: {0}")]
    Stale(String),
    /// There is nothing to speed up.
    #[error("{txid} cannot be sped up: {problem}")]
    Bump {
        /// The transaction.
        txid: Txid,
        /// Why not.
        problem: &'static str,
    },
}

impl SpendError {
    /// Returns the stable code for scripts and screens.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoPayee => "no_payee",
            Self::TooManyPayees(_) => "too_many_payees",
            Self::Network(_) => "address_network",
            Self::Zero => "amount_zero",
            Self::Dust { .. } => "amount_dust",
            Self::TooMuch => "amount_too_large",
            Self::Insufficient { .. } => "insufficient_funds",
            Self::FeeTooLow { .. } => "fee_too_low",
            Self::FeeAboveCap { .. } | Self::RateAboveCap { .. } => "fee_above_cap",
            Self::AmountAboveCap { .. } => "amount_above_cap",
            Self::Data(_) => "data_too_long",
            Self::Coin(_) => "coin_unspendable",
            Self::TooHeavy(_) => "transaction_too_large",
            Self::OtherKeys => "wallet_mismatch",
            Self::Stale(_) => "draft_stale",
            Self::Bump { .. } => "bump_impossible",
        }
    }
}
