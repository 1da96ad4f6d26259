//! Addresses of others, and the links that carry them (BIP 21).

use std::str::FromStr;

use domain::{
    AmountError, Network,
    bitcoin::{Address, Amount, Denomination, address::NetworkUnchecked},
    parse_amount,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::MAX_LABEL;

/// Says why a text is no address to pay to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// It is no address: a letter is wrong, missing or too many.
    #[error("{address:?} is not a Bitcoin address, look for a typing error: {problem}")]
    Invalid {
        /// What was given.
        address: String,
        /// What is wrong with it.
        problem: String,
    },
    /// It belongs to another network.
    #[error("{address} is not an address of {network}: money of one network cannot be paid on another")]
    Network {
        /// What was given.
        address: String,
        /// The wallet's network.
        network: Network,
    },
    /// It is no link, or asks for something that this program does not know and must not ignore.
    #[error("{uri:?} is not a Bitcoin link: {problem}")]
    Uri {
        /// What was given.
        uri: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The link's amount cannot be paid.
    #[error(transparent)]
    Amount(#[from] AmountError),
}

impl AddressError {
    /// Returns the stable code for scripts and screens.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "address_invalid",
            Self::Network { .. } => "address_network",
            Self::Uri { .. } => "uri_invalid",
            Self::Amount(error) => error.code(),
        }
    }
}

/// How a link begins.
const SCHEME: &str = "bitcoin:";
/// What a link's words must not hold as it is: all but RFC 3986's unreserved characters.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Longest text that is looked at as an address or a link, in bytes.
const MAX_TEXT: usize = 4096;

/// Where money is asked for, as a link or a QR code says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Where to.
    pub address: Address,
    /// How much, if the asker says so.
    pub amount: Option<Amount>,
    /// Who asks.
    pub label: Option<String>,
    /// What for.
    pub message: Option<String>,
}

impl Request {
    /// Writes the link, `bitcoin:ADDRESS?amount=...`.
    pub fn uri(&self) -> String {
        let amount = self.amount.map(|amount| amount.to_string_in(Denomination::Bitcoin));
        let values = [
            ("amount", amount.as_deref()),
            ("label", self.label.as_deref()),
            ("message", self.message.as_deref()),
        ];
        let pairs = values.into_iter().filter_map(|(key, value)| Some((key, value?)));
        let query = pairs.map(|(key, value)| format!("{key}={}", utf8_percent_encode(value, ESCAPED)));
        let query = query.collect::<Vec<_>>().join("&");
        format!("{SCHEME}{}{}{query}", self.address, if query.is_empty() { "" } else { "?" })
    }

    /// Reads a link or a bare address.
    ///
    /// # Errors
    /// Any [`AddressError`].
    pub fn parse(text: &str, network: Network) -> Result<Self, AddressError> {
        let text = text.trim();
        match text.get(..SCHEME.len()) {
            Some(scheme) if scheme.eq_ignore_ascii_case(SCHEME) => Self::of_uri(text, network),
            _ => Ok(Self::to(parse_address(text, network)?)),
        }
    }

    /// Asks for any amount.
    pub fn to(address: Address) -> Self {
        Self { address, amount: None, label: None, message: None }
    }

    fn of_uri(text: &str, network: Network) -> Result<Self, AddressError> {
        let rest = &text[SCHEME.len()..];
        let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut request = Self::to(parse_address(address, network)?);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            request.take(key, value, text)?;
        }
        Ok(request)
    }

    /// Takes one parameter. Each stands once at most, and one that `req-` makes binding must be known (BIP 21).
    fn take(&mut self, key: &str, value: &str, uri: &str) -> Result<(), AddressError> {
        let invalid = |problem: String| AddressError::Uri { uri: shortened(uri), problem };
        let decoded =
            percent_decode_str(value).decode_utf8().map_err(|_| invalid(format!("{key} is not Unicode")))?;
        let words = || Some(decoded.chars().take(MAX_LABEL).collect());
        let twice = match key.to_ascii_lowercase().as_str() {
            "amount" => self.amount.replace(parse_amount(&format!("{decoded}btc"))?).is_some(),
            "label" => std::mem::replace(&mut self.label, words()).is_some(),
            "message" => std::mem::replace(&mut self.message, words()).is_some(),
            key if key.starts_with("req-") => {
                return Err(invalid(format!("it asks for {key:?}, which is not known here")));
            }
            _ => false,
        };
        if twice { Err(invalid(format!("{key} stands twice"))) } else { Ok(()) }
    }
}

/// Reads an address of the network.
///
/// # Errors
/// [`AddressError::Invalid`] for what is no address at all, [`AddressError::Network`] for one of another network.
pub fn parse_address(text: &str, network: Network) -> Result<Address, AddressError> {
    let text = text.trim();
    let invalid = |problem: String| AddressError::Invalid { address: shortened(text), problem };
    if text.len() > MAX_TEXT {
        return Err(invalid("it is too long".into()));
    }
    let address = Address::<NetworkUnchecked>::from_str(text).map_err(|error| invalid(cause(&error)))?;
    let foreign = |_| AddressError::Network { address: text.to_owned(), network };
    address.require_network(network.bitcoin()).map_err(foreign)
}

/// The innermost reason: the outer ones only say that something is wrong.
fn cause(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// A text that is fit to be shown in a message.
fn shortened(text: &str) -> String {
    const SHOWN: usize = 100;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SIGNET: &str = "tb1p8wpt9v4frpf3tkn0srd97pksgsxc5hs52lafxwru9kgeephvs7rqlqt9zj";
    const REGTEST: &str = "bcrt1p8wpt9v4frpf3tkn0srd97pksgsxc5hs52lafxwru9kgeephvs7rqjeprhg";
    const MAINNET: &str = "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr";

    #[track_caller]
    fn refuses(text: &str, network: Network, code: &str) {
        assert_eq!(Request::parse(text, network).unwrap_err().code(), code, "{text}");
    }

    #[test]
    fn an_address_of_another_network_is_a_hard_error() {
        for (address, home) in
            [(SIGNET, Network::Signet), (REGTEST, Network::Regtest), (MAINNET, Network::Mainnet)]
        {
            for network in Network::ALL {
                // Both test networks share their addresses' prefix.
                let same = network == home || (home == Network::Signet && network == Network::Testnet4);
                match parse_address(address, network) {
                    Ok(parsed) => assert!(same && parsed.to_string() == address),
                    Err(error) => assert!(!same && error.code() == "address_network", "{address} {network}"),
                }
            }
        }
        refuses("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", Network::Signet, "address_network");
        refuses("mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn", Network::Mainnet, "address_network");
        refuses(&format!("bitcoin:{MAINNET}?amount=1"), Network::Regtest, "address_network");
    }

    #[test]
    fn a_typing_error_is_found() {
        refuses(&MAINNET.replace("kedrcr", "kedrcs"), Network::Mainnet, "address_invalid");
        refuses(&MAINNET[..MAINNET.len() - 1], Network::Mainnet, "address_invalid");
        refuses("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN3", Network::Mainnet, "address_invalid");
        refuses("", Network::Mainnet, "address_invalid");
        refuses("bitcoin:", Network::Mainnet, "address_invalid");
        refuses(&"b".repeat(100_000), Network::Mainnet, "address_invalid");
    }

    #[test]
    fn a_link_says_how_much_and_what_for() {
        let text = format!("BITCOIN:{MAINNET}?amount=0.0002&label=The%20Band&message=A%26B&other=1");
        let request = Request::parse(&text, Network::Mainnet).unwrap();
        assert_eq!(request.amount, Some(Amount::from_sat(20_000)));
        assert_eq!(request.label.as_deref(), Some("The Band"));
        assert_eq!(request.message.as_deref(), Some("A&B"));
        assert_eq!(Request::parse(&request.uri(), Network::Mainnet).unwrap(), request);
    }

    #[test]
    fn a_link_with_what_must_not_be_ignored_is_refused() {
        for (query, code) in [
            ("amount=1&req-lock=2", "uri_invalid"),
            ("amount=1&amount=2", "uri_invalid"),
            ("label=%ff", "uri_invalid"),
            ("amount=0", "amount_zero"),
            ("amount=1sat", "amount_malformed"),
            ("amount=21000001", "amount_too_large"),
        ] {
            refuses(&format!("bitcoin:{MAINNET}?{query}"), Network::Mainnet, code);
        }
    }

    proptest! {
        #[test]
        fn every_link_is_read_back(sats in 1_u64..=Amount::MAX_MONEY.to_sat(), label in ".{0,80}", message in ".{0,80}") {
            let request = Request {
                amount: Some(Amount::from_sat(sats)),
                label: Some(label),
                message: Some(message),
                ..Request::to(parse_address(REGTEST, Network::Regtest).unwrap())
            };
            prop_assert_eq!(Request::parse(&request.uri(), Network::Regtest), Ok(request));
        }
    }
}
