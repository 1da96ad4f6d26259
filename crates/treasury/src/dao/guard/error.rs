use domain::bitcoin::XOnlyPublicKey;

use super::Construction;

/// Says why a guard cannot be, or what is wrong with what somebody signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GuardError {
    /// There is no such construction.
    #[error("there is no construction {0:?}")]
    Construction(String),
    /// It cannot have so many keys.
    #[error("{construction} has 1 to {} keys, not {keys}", construction.max_keys())]
    Keys {
        /// The construction.
        construction: Construction,
        /// How many there are, or one more than there may be.
        keys: usize,
    },
    /// A key comes twice.
    #[error("the key {0} comes twice")]
    Twice(XOnlyPublicKey),
    /// Nobody or more than all would have to sign.
    #[error("{threshold} of {keys} keys cannot be asked to sign")]
    Threshold {
        /// How many would have to sign.
        threshold: usize,
        /// How many there are.
        keys: usize,
    },
    /// The construction has no such path.
    #[error("a coin of {0} cannot be spent that way")]
    Path(Construction),
    /// The transaction has no such input, or not every coin it spends was given.
    #[error("input {input} of a transaction with {inputs} is not there, or a coin it spends is not")]
    Input {
        /// The input.
        input: usize,
        /// How many it has.
        inputs: usize,
    },
    /// The input spends something else.
    #[error("input {0} spends a coin of another guard")]
    OtherCoin(usize),
    /// The key is none of the guard's.
    #[error("{0} holds no key of this coin")]
    NotHolder(XOnlyPublicKey),
    /// The share is not this key's signature of this message.
    #[error("the signature of {0} is not valid for this transaction")]
    Share(XOnlyPublicKey),
    /// Bytes are not what they should be.
    #[error("the bytes are no {0}")]
    Malformed(&'static str),
}

impl GuardError {
    /// Returns the stable code for scripts and screens.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Construction(_) => "construction_unknown",
            Self::Keys { .. } => "guard_keys",
            Self::Twice(_) => "guard_key_twice",
            Self::Threshold { .. } => "guard_threshold",
            Self::Path(_) => "guard_path",
            Self::Input { .. } => "guard_input",
            Self::OtherCoin(_) => "guard_other_coin",
            Self::NotHolder(_) => "guard_not_holder",
            Self::Share(_) => "share_invalid",
            Self::Malformed(_) => "guard_malformed",
        }
    }

    /// Returns whose fault it is, where one key's alone.
    pub fn culprit(&self) -> Option<XOnlyPublicKey> {
        match self {
            Self::NotHolder(key) | Self::Share(key) => Some(*key),
            _ => None,
        }
    }
}
