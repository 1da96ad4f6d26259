//! Which Bitcoin is meant: the network that an amount, an address and a record belong to.

use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// A Bitcoin network. Money of one is never shown, relayed or spent as money of another.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Encode, Decode,
)]
#[serde(rename_all = "snake_case")]
#[cbor(index_only)]
pub enum Network {
    /// Real money.
    #[n(0)]
    Mainnet,
    /// Signed test coins without worth (BIP 325).
    #[default]
    #[n(1)]
    Signet,
    /// Mined test coins without worth (BIP 94).
    #[n(2)]
    Testnet4,
    /// A private chain whose blocks are made by command.
    #[n(3)]
    Regtest,
}

/// Says that a word names no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no Bitcoin network {0:?}: mainnet, signet, testnet4 or regtest")]
pub struct NetworkError(String);

impl NetworkError {
    /// Returns the stable code for scripts and screens.
    pub fn code(&self) -> &'static str {
        "network_unknown"
    }
}

impl Network {
    /// Every network, real money first.
    pub const ALL: [Self; 4] = [Self::Mainnet, Self::Signet, Self::Testnet4, Self::Regtest];

    /// Returns the word of the command line, the settings and the data folder.
    pub fn word(self) -> &'static str {
        match self {
            Self::Mainnet => "mainnet",
            Self::Signet => "signet",
            Self::Testnet4 => "testnet4",
            Self::Regtest => "regtest",
        }
    }

    /// Returns the network of the `bitcoin` crate.
    pub fn bitcoin(self) -> bitcoin::Network {
        match self {
            Self::Mainnet => bitcoin::Network::Bitcoin,
            Self::Signet => bitcoin::Network::Signet,
            Self::Testnet4 => bitcoin::Network::Testnet4,
            Self::Regtest => bitcoin::Network::Regtest,
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(word: &str) -> Result<Self, NetworkError> {
        Self::ALL.into_iter().find(|it| it.word() == word).ok_or_else(|| NetworkError(word.to_owned()))
    }
}
