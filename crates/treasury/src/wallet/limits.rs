//! What a wallet refuses to do, whatever it is asked.

use domain::{
    Network,
    bitcoin::{Amount, FeeRate, Weight},
};

/// Lowest rate that nodes relay, 1 sat/vB.
pub const MIN_FEE_RATE: FeeRate = FeeRate::BROADCAST_MIN;
/// Highest rate that a spend may pay, 1,000 sat/vB: about twice the highest that the main chain's blocks ever asked.
pub const MAX_FEE_RATE: FeeRate = FeeRate::from_sat_per_vb_u32(1_000);
/// Heaviest transaction that nodes relay, in weight units (Bitcoin Core's `MAX_STANDARD_TX_WEIGHT`).
pub const MAX_WEIGHT: Weight = Weight::from_wu(400_000);
/// Most payees of one spend: as many outputs as fit a transaction that nodes relay.
pub const MAX_PAYEES: usize = 2_000;
/// Most bytes of data in a transaction.
pub const MAX_DATA: usize = 80;
/// The fee, in percent of the amount, from which the user is warned.
pub const WARN_FEE_PERCENT: u64 = 50;

/// Most that one spend may pay and cost. Off the main network nothing is at stake and only the rate is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most that goes to others in one spend.
    pub amount: Option<Amount>,
    /// Highest fee.
    pub fee: Option<Amount>,
    /// Highest fee in percent of the amount.
    pub fee_percent: Option<u64>,
}

impl Limits {
    /// No limits but those of the rate.
    pub const NONE: Self = Self { amount: None, fee: None, fee_percent: None };
    /// What real money is held to: 0.01 BTC, a fee of 50,000 sat and of 5 %.
    pub const CAPS: Self = Self {
        amount: Some(Amount::from_sat(1_000_000)),
        fee: Some(Amount::from_sat(50_000)),
        fee_percent: Some(5),
    };

    /// Returns the limits of a network. Those of the main network are compiled in; only a build with the feature
    /// `uncapped` has none.
    pub fn of(network: Network) -> Self {
        match network {
            Network::Mainnet if !cfg!(feature = "uncapped") => Self::CAPS,
            _ => Self::NONE,
        }
    }

    /// Returns the highest fee of a spend of this amount.
    pub fn highest_fee(&self, amount: Amount) -> Option<Amount> {
        let share =
            self.fee_percent.map(|percent| Amount::from_sat(amount.to_sat().saturating_mul(percent) / 100));
        match (self.fee, share) {
            (Some(fee), Some(share)) => Some(fee.min(share)),
            (fee, share) => fee.or(share),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_money_has_caps() {
        let limits = Limits::of(Network::Mainnet);
        assert_eq!(limits, if cfg!(feature = "uncapped") { Limits::NONE } else { Limits::CAPS });
        assert_eq!(Limits::of(Network::Signet), Limits::NONE);
        assert_eq!(Limits::CAPS.highest_fee(Amount::from_sat(10_000)), Some(Amount::from_sat(500)));
        assert_eq!(Limits::CAPS.highest_fee(Amount::from_sat(1_000_000)), Some(Amount::from_sat(50_000)));
        assert_eq!(Limits::NONE.highest_fee(Amount::from_sat(1)), None);
    }
}
