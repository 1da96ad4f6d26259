//! Amounts as people type them.

use bitcoin::{Amount, Denomination, amount::ParseAmountError};

/// Says why a text is no amount that can be paid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AmountError {
    /// No number, or a unit that is not known.
    #[error("`{0}` is not an amount like 5000, 5000sat or 0.0001btc")]
    Malformed(String),
    /// Nothing.
    #[error("an amount of 0 cannot be paid")]
    Zero,
    /// Below zero.
    #[error("`{0}` is less than nothing")]
    Negative(String),
    /// More than all bitcoin there will ever be.
    #[error("`{0}` is more than 21 million bitcoin")]
    TooLarge(String),
    /// Finer than a satoshi.
    #[error("`{0}` has a part of a satoshi")]
    Fraction(String),
}

impl AmountError {
    /// Returns the stable code for scripts and screens.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "amount_malformed",
            Self::Zero => "amount_zero",
            Self::Negative(_) => "amount_negative",
            Self::TooLarge(_) => "amount_too_large",
            Self::Fraction(_) => "amount_fraction",
        }
    }
}

/// Reads an amount: `5000` and `5000sat` are satoshis, `0.0001btc` is bitcoin. Case and blanks do not matter.
///
/// # Errors
/// Every [`AmountError`]; the text is quoted, cut to 40 characters.
pub fn parse_amount(text: &str) -> Result<Amount, AmountError> {
    let shown = || text.trim().chars().take(40).collect::<String>();
    let lower = text.trim().to_ascii_lowercase();
    let (number, unit) = match lower.strip_suffix("btc") {
        Some(number) => (number, Denomination::Bitcoin),
        None => {
            let number = lower.strip_suffix("sats").or_else(|| lower.strip_suffix("sat"));
            (number.unwrap_or(&lower), Denomination::Satoshi)
        }
    };
    let amount = Amount::from_str_in(number.trim_end(), unit).map_err(|error| match error {
        ParseAmountError::OutOfRange(error) if error.is_below_min() => AmountError::Negative(shown()),
        ParseAmountError::OutOfRange(_) => AmountError::TooLarge(shown()),
        ParseAmountError::TooPrecise(_) => AmountError::Fraction(shown()),
        _ => AmountError::Malformed(shown()),
    })?;
    match amount {
        Amount::ZERO => Err(AmountError::Zero),
        amount if amount > Amount::MAX_MONEY => Err(AmountError::TooLarge(shown())),
        amount => Ok(amount),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expect: Result<u64, &str>) {
        let read = parse_amount(text);
        assert_eq!(read.as_ref().map(|it| it.to_sat()).map_err(AmountError::code), expect, "{text:?}");
    }

    #[test]
    fn amounts_are_satoshis_unless_they_say_bitcoin() {
        check("5000", Ok(5000));
        check(" 5000sat ", Ok(5000));
        check("5000 SATS", Ok(5000));
        check("0.0001btc", Ok(10_000));
        check("0.0001 BTC", Ok(10_000));
        check("21000000btc", Ok(2_100_000_000_000_000));
        check("1.0", Ok(1));
    }

    #[test]
    fn what_cannot_be_paid_is_refused_with_its_own_code() {
        check("0", Err("amount_zero"));
        check("0.0btc", Err("amount_zero"));
        check("-1", Err("amount_negative"));
        check("-0.1btc", Err("amount_negative"));
        check("21000001btc", Err("amount_too_large"));
        check("21000000.00000001btc", Err("amount_too_large"));
        check("2100000000000001", Err("amount_too_large"));
        check("99999999999999999999", Err("amount_too_large"));
        check("0.5", Err("amount_fraction"));
        check("0.000000001btc", Err("amount_fraction"));
        check("", Err("amount_malformed"));
        check("sat", Err("amount_malformed"));
        check("btc", Err("amount_malformed"));
        check("1,5btc", Err("amount_malformed"));
        check("5000msat", Err("amount_malformed"));
        check("1e3", Err("amount_malformed"));
        check("5 000", Err("amount_malformed"));
    }

    proptest! {
        #[test]
        fn any_text_is_an_amount_within_the_money_there_is_or_refused(text in "\\PC{0,60}") {
            if let Ok(amount) = parse_amount(&text) {
                prop_assert!(amount > Amount::ZERO && amount <= Amount::MAX_MONEY);
            }
        }

        #[test]
        fn every_amount_is_read_back_in_both_units(sat in 1..=Amount::MAX_MONEY.to_sat()) {
            let amount = Amount::from_sat(sat);
            prop_assert_eq!(parse_amount(&format!("{sat}sat")), Ok(amount));
            prop_assert_eq!(parse_amount(&format!("{}btc", amount.display_in(Denomination::Bitcoin))), Ok(amount));
        }
    }
}
