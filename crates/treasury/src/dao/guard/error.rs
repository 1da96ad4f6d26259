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
    /// The group is not made yet, or is another.
    #[error("the group is not the one of these keys and this threshold")]
    Group,
    /// A commitment is no pair of points.
    #[error("what {0} has committed to is no pair of points")]
    Commitment(XOnlyPublicKey),
    /// Too few have committed.
    #[error("{held} of {needed} signers have committed to nonces")]
    Commitments {
        /// How many must.
        needed: usize,
        /// How many have.
        held: usize,
    },
    /// A part is not what its signer committed to.
    #[error("the part of {0} does not fit what it committed to")]
    Partial(XOnlyPublicKey),
    /// The attempt has signed or was given up; nothing signs twice with the same nonces.
    #[error("the nonces of this attempt are gone: begin another")]
    NonceSpent,
    /// The attempt was never begun, or before a restart.
    #[error("there are no nonces for this attempt")]
    NoNonce,
    /// The nonces were drawn for another message, signer or commitment.
    #[error("the nonces of this attempt are for something else")]
    NonceBound,
    /// There are more attempts than are remembered.
    #[error("there are more than {} attempts", super::MAX_ATTEMPTS)]
    TooManyAttempts,
    /// Somebody has sent nothing.
    #[error("the key generation has nothing of {0}")]
    DkgMissing(XOnlyPublicKey),
    /// What somebody sent is malformed, unproven or does not fit.
    #[error("what {0} sent for the key generation is not valid")]
    Dkg(XOnlyPublicKey),
    /// Somebody has seen other broadcasts: there are two versions of one.
    #[error("{0} has seen other broadcasts of the key generation")]
    DkgTranscript(XOnlyPublicKey),
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
            Self::Group => "guard_group",
            Self::Commitment(_) => "commitment_invalid",
            Self::Commitments { .. } => "commitments_missing",
            Self::Partial(_) => "partial_invalid",
            Self::NonceSpent => "nonce_spent",
            Self::NoNonce => "nonce_missing",
            Self::NonceBound => "nonce_bound",
            Self::TooManyAttempts => "attempts_too_many",
            Self::DkgMissing(_) => "dkg_missing",
            Self::Dkg(_) => "dkg_invalid",
            Self::DkgTranscript(_) => "dkg_transcript",
            Self::Malformed(_) => "guard_malformed",
        }
    }

    /// Returns whose fault it is, where one key's alone.
    pub fn culprit(&self) -> Option<XOnlyPublicKey> {
        match self {
            Self::NotHolder(key)
            | Self::Share(key)
            | Self::Commitment(key)
            | Self::Partial(key)
            | Self::Dkg(key) => Some(*key),
            _ => None,
        }
    }
}
