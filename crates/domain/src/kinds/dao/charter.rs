use bitcoin::Amount;
use minicbor::{Decode, Encode};

use super::check_range;
use crate::{
    Key, Kind, Network, RecordError, SlotId,
    kinds::{
        cbor, id,
        money::{check_amount, content_key},
    },
    text,
};

/// Names a DAO: the slot of its charter, which is of its creator and its content.
pub type DaoId = SlotId;

/// Smallest entrance fee in satoshis: a smaller claim would not pay for its own way out.
pub const MIN_ENTRANCE_FEE: u64 = 10_000;
/// Fewest founders.
pub const MIN_FOUNDERS: u8 = 3;
/// Most founders: as many keys as a coin has.
pub const MAX_FOUNDERS: u8 = 100;
/// Blocks of silence after which the refund may be sent, about half a year.
pub const DEFAULT_RECOVERY: u16 = 25_920;

/// Longest purpose in characters.
const MAX_PURPOSE: usize = 1_000;
/// Most vouches that can be asked for.
const MAX_VOUCHES: u8 = 20;
/// Most confirmations that can be asked for.
const MAX_DEPTH: u8 = 100;
/// Blocks between two retargets, about two weeks.
const FORTNIGHT: u16 = 2_016;

/// What a DAO is, for good: only the [`Rules`] can be changed by its members. Its id is of its content.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Charter {
    /// The chain of its coin.
    #[n(0)]
    pub network: Network,
    /// Random; tells two DAOs of one name apart.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub salt: [u8; 16],
    /// The name to show.
    #[n(2)]
    pub name: String,
    /// What it is for.
    #[n(3)]
    pub purpose: String,
    /// How its keys guard the coin.
    #[n(4)]
    pub construction: Construction,
    /// Fewest founders.
    #[n(5)]
    pub founders: u8,
    /// Blocks of silence after which the refund may be sent.
    #[n(6)]
    pub recovery: u16,
    /// Confirmations that a joiner's coin needs.
    #[n(7)]
    pub depth: u8,
    /// Confirmations that the pooled coin needs before it is spent again.
    #[n(8)]
    pub confirmations: u8,
    /// What its members may change.
    #[n(9)]
    pub rules: Rules,
}

/// How the keys of a DAO guard its coin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Construction {
    /// A taproot leaf that counts signatures: nobody has to be online at the same time.
    #[default]
    #[n(0)]
    MultiA,
    /// One signature of all together (BIP 327), with the leaf behind it.
    #[n(1)]
    MuSig2,
    /// One signature of a threshold (RFC 9591), with the leaf behind it.
    #[n(2)]
    Frost,
    /// A witness script that counts signatures, as before taproot; at most 20 keys.
    #[n(3)]
    SortedMulti,
}

/// What the members of a DAO may change by vote, a bounded step at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Rules {
    /// Least that a joiner pays in; all of it is the joiner's claim.
    #[cbor(n(0), with = "cbor::sats")]
    pub entrance_fee: Amount,
    /// Who may join.
    #[n(1)]
    pub policy: JoinPolicy,
    /// Percentage of the keys that spend and of the counted members that approve; never less than a majority.
    #[n(2)]
    pub threshold: u8,
    /// Most that proposals may pay in 2,016 blocks, in percent of all claims.
    #[n(3)]
    pub spending: u8,
    /// Counted members that must vouch for a person before it is counted; none only where nothing is at stake.
    #[n(4)]
    pub vouches: u8,
    /// Blocks of membership before a person is counted.
    #[n(5)]
    pub season: u16,
    /// Most members newly counted in 2,016 blocks, in percent of the counted; nothing for no limit.
    #[n(6)]
    pub growth: u16,
}

/// Who may join.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum JoinPolicy {
    /// Whoever pays the fee.
    #[default]
    #[n(0)]
    Open,
    /// Whom as many counted members vouch for as make a member counted.
    #[n(1)]
    Vouched,
    /// Whom a proposal admitted.
    #[n(2)]
    Admitted,
}

/// A rule that a proposal can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Parameter {
    /// [`Rules::entrance_fee`] in satoshis, by a factor of two at most.
    #[n(0)]
    EntranceFee,
    /// [`Rules::policy`] by its number.
    #[n(1)]
    Policy,
    /// [`Rules::threshold`], by ten points at most.
    #[n(2)]
    Threshold,
    /// [`Rules::spending`], by ten points at most.
    #[n(3)]
    Spending,
    /// [`Rules::vouches`], by one at most.
    #[n(4)]
    Vouches,
    /// [`Rules::season`], by 2,016 blocks at most.
    #[n(5)]
    Season,
    /// [`Rules::growth`], by a hundred points at most.
    #[n(6)]
    Growth,
}

impl Kind for Charter {
    const ID: u16 = id::CHARTER;
    const NAME: &'static str = "charter";
    const PERMANENT: bool = true;

    fn key(&self) -> Key {
        content_key(self)
    }

    fn check(&self) -> Result<(), RecordError> {
        text::line("name", &self.name, 100)?;
        text::lines("purpose", &self.purpose, MAX_PURPOSE)?;
        check_range("founders", self.founders, MIN_FOUNDERS, self.construction.most_keys())?;
        check_range("recovery", self.recovery, 1u8, u16::MAX)?;
        check_range("depth", self.depth, 1u8, MAX_DEPTH)?;
        check_range("confirmations", self.confirmations, 1u8, MAX_DEPTH)?;
        self.rules.check(self.network)
    }

    fn network(&self) -> Option<Network> {
        Some(self.network)
    }
}

impl Construction {
    /// Every construction, the default first.
    pub const ALL: [Self; 4] = [Self::MultiA, Self::MuSig2, Self::Frost, Self::SortedMulti];

    /// Returns the word of the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::MultiA => "multi_a",
            Self::MuSig2 => "musig2",
            Self::Frost => "frost",
            Self::SortedMulti => "sortedmulti",
        }
    }

    /// Returns the most keys of one coin.
    pub fn most_keys(self) -> u8 {
        match self {
            Self::SortedMulti => 20,
            _ => MAX_FOUNDERS,
        }
    }
}

impl Rules {
    /// Returns the usual rules with an entrance fee.
    pub fn with_fee(entrance_fee: Amount) -> Self {
        let policy = JoinPolicy::Open;
        Self { entrance_fee, policy, threshold: 60, spending: 100, vouches: 2, season: 0, growth: 0 }
    }

    /// Refuses rules that no DAO of a network can have.
    ///
    /// # Errors
    /// [`RecordError::Body`] names the rule.
    pub fn check(&self, network: Network) -> Result<(), RecordError> {
        check_amount("entrance fee", self.entrance_fee, MIN_ENTRANCE_FEE)?;
        check_range("threshold", self.threshold, 1u8, 100u8)?;
        check_range("spending", self.spending, 0u8, 100u8)?;
        let fewest = u8::from(network == Network::Mainnet);
        check_range("vouches", self.vouches, fewest, MAX_VOUCHES)?;
        check_range("season", self.season, 0u8, FORTNIGHT * 26)?;
        check_range("growth", self.growth, 0u8, 10_000u16)
    }

    /// Returns the keys of `count` that spend, or the counted members of `count` that approve.
    pub fn threshold_of(&self, count: u32) -> u32 {
        let share = u64::from(count) * u64::from(self.threshold);
        let share = u32::try_from(share.div_ceil(100)).unwrap_or(u32::MAX);
        share.max(count / 2 + 1)
    }

    /// Returns the rules with one changed.
    ///
    /// # Errors
    /// [`RecordError::Body`] where the step is too large or its end is no rule.
    pub fn with(&self, parameter: Parameter, value: u64, network: Network) -> Result<Self, RecordError> {
        let mut rules = *self;
        match parameter {
            Parameter::EntranceFee => {
                rules.entrance_fee = Amount::from_sat(factor(self.entrance_fee, value)?)
            }
            Parameter::Policy => rules.policy = JoinPolicy::of(value)?,
            Parameter::Threshold => rules.threshold = step("threshold", self.threshold, value, 10)?,
            Parameter::Spending => rules.spending = step("spending", self.spending, value, 10)?,
            Parameter::Vouches => rules.vouches = step("vouches", self.vouches, value, 1)?,
            Parameter::Season => rules.season = step("season", self.season, value, FORTNIGHT.into())?,
            Parameter::Growth => rules.growth = step("growth", self.growth, value, 100)?,
        }
        rules.check(network).map(|()| rules)
    }
}

impl JoinPolicy {
    fn of(number: u64) -> Result<Self, RecordError> {
        match number {
            0 => Ok(Self::Open),
            1 => Ok(Self::Vouched),
            2 => Ok(Self::Admitted),
            _ => Err(RecordError::body("policy", format!("is {number}, not between 0 and 2"))),
        }
    }
}

fn factor(now: Amount, value: u64) -> Result<u64, RecordError> {
    let now = now.to_sat();
    check_range("entrance fee", value, now / 2, now.saturating_mul(2)).map(|()| value)
}

fn step<N: Copy + Into<u64> + TryFrom<u64>>(
    field: &'static str,
    now: N,
    value: u64,
    most: u64,
) -> Result<N, RecordError> {
    let now: u64 = now.into();
    check_range(field, value, now.saturating_sub(most), now + most)?;
    N::try_from(value).map_err(|_| RecordError::body(field, format!("is {value}, too many")))
}
