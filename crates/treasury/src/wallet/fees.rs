//! How fast a payment is wanted, and what that costs.

use domain::bitcoin::FeeRate;
use serde::{Deserialize, Serialize};

use super::{MAX_FEE_RATE, MIN_FEE_RATE};

/// How fast a payment is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speed {
    /// About a day.
    Slow,
    /// About an hour.
    #[default]
    Normal,
    /// The next block or two.
    Fast,
    /// At this rate.
    Custom(FeeRate),
}

impl Speed {
    /// Returns the rate for a speed, given the estimates. Those stay within what nodes relay and a wallet pays; a rate
    /// that the user chose is left as it is, for the payment to judge.
    pub fn rate(self, slow: FeeRate, normal: FeeRate, fast: FeeRate) -> FeeRate {
        let estimate = match self {
            Self::Slow => slow,
            Self::Normal => normal,
            Self::Fast => fast,
            Self::Custom(rate) => return rate,
        };
        estimate.clamp(MIN_FEE_RATE, MAX_FEE_RATE)
    }
}

/// Reads a rate in sat/vB, as `3` or `1.5`.
pub fn parse_fee_rate(text: &str) -> Option<FeeRate> {
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 3 {
        return None;
    }
    let thousandths: u64 = format!("{whole}{fraction:0<3}").parse().ok()?;
    // One virtual byte is four weight units; what is finer than a rate can be is rounded up.
    Some(FeeRate::from_sat_per_kwu(thousandths.div_ceil(4)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_in_sat_per_vbyte() {
        assert_eq!(parse_fee_rate("1"), Some(FeeRate::from_sat_per_vb_u32(1)));
        assert_eq!(parse_fee_rate("1.5"), Some(FeeRate::from_sat_per_kwu(375)));
        assert_eq!(parse_fee_rate("0.1"), Some(FeeRate::from_sat_per_kwu(25)));
        for text in ["", "-1", "1.", ".5", "1.2345", "many", "99999999999999999999"] {
            assert_eq!(parse_fee_rate(text), None, "{text}");
        }
    }

    #[test]
    fn a_wild_estimate_is_tamed_and_a_choice_is_not() {
        let [low, usual, wild] =
            [FeeRate::ZERO, FeeRate::from_sat_per_vb_u32(7), FeeRate::from_sat_per_vb_u32(1_000_000)];
        let rate = |speed: Speed| speed.rate(low, usual, wild);
        assert_eq!(rate(Speed::Slow), MIN_FEE_RATE);
        assert_eq!(rate(Speed::Normal), usual);
        assert_eq!(rate(Speed::Fast), MAX_FEE_RATE);
        assert_eq!(rate(Speed::Custom(low)), low);
    }
}
