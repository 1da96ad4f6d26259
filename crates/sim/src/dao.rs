//! A DAO of many members: the state machines of all of them, over a chain, a network and a clock that are not real.
//!
//! Every member is a [`treasury::dao::member::Member`] as a node runs it, every signature is real, and every transaction is
//! checked as the network would. What all compute alike is computed once and shared; one member shares nothing, and what
//! it takes to think is what a member costs.

mod chain;
mod consensus;
mod graph;
mod ground;
mod keys;
mod net;
mod people;
mod report;
mod run;

use std::{fmt, str::FromStr, time::Duration};

use domain::{
    bitcoin::{Amount, FeeRate},
    kinds,
};
use treasury::dao::guard;

pub use graph::graphs;
pub use report::{COLUMNS, Machine, Row, csv, html, row};
pub use run::emulate;

/// What members pay when they build.
const RATE: FeeRate = FeeRate::from_sat_per_kwu(500);
/// What they sign at most.
const HIGHEST_RATE: FeeRate = FeeRate::from_sat_per_kwu(12_500);
/// What everybody pays in.
const DEPOSIT: Amount = Amount::from_sat(20_000);
/// The coin that everybody pays it with.
const PURSE: Amount = Amount::from_sat(150_000);
/// As many members as can all hold keys.
const MOST_KEYS: usize = 100;

/// The sizes of a report.
pub const SIZES: [usize; 13] = [2, 3, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000];

/// How a coin is guarded, and by whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Construction {
    /// A taproot leaf with the keys of all members.
    MultiA,
    /// A witness script with the keys of all members.
    SortedMulti,
    /// One signature of all, or the leaf.
    MuSig2,
    /// One signature of a threshold, or the leaf.
    Frost,
    /// A taproot leaf with the keys of a hundred members drawn by lot.
    Committee,
}

/// Members that are split off for a while.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Partition {
    /// Which share of them.
    pub share: f64,
    /// For how many milliseconds from the beginning of what is measured.
    pub millis: u64,
}

/// What is emulated.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// How many members there are before anybody joins.
    pub members: usize,
    /// Decides everything.
    pub seed: u64,
    /// How the coin is guarded.
    pub construction: Construction,
    /// How many join.
    pub joins: usize,
    /// How many wish to at the same time.
    pub together: usize,
    /// How many payments are proposed, all at the same time.
    pub payments: usize,
    /// The least and most milliseconds of a link.
    pub latency: (u64, u64),
    /// The share of members that is offline at any time; every minute others are.
    pub churn: f64,
    /// Members that are split off.
    pub partition: Option<Partition>,
}

/// What is real of an emulation: the machine that it runs on. Nothing of it reaches what happens.
pub trait Meter {
    /// Says how long the process has run.
    fn time(&self) -> Duration;
    /// Says how many bytes of memory it has.
    fn memory(&self) -> u64;
    /// Says how many it had at most.
    fn peak(&self) -> u64;
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Emulation {
    /// What was emulated.
    pub settings: Settings,
    /// What was measured, or why it cannot be.
    pub outcome: Result<Figures, String>,
}

/// What was measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// Milliseconds from each wish to join until every member that was there held the complete transaction, ascending.
    pub join_ms: Vec<u64>,
    /// Messages sent for each of them, on the links of all members together.
    pub messages_per_join: u64,
    /// Their bytes.
    pub bytes_per_join: u64,
    /// The same from a proposal, through everybody's vote.
    pub propose_to_signed_ms: Vec<u64>,
    /// Messages sent for each payment, everybody's ballots among them.
    pub messages_per_payment: u64,
    /// Their bytes.
    pub bytes_per_payment: u64,
    /// What of the keys' work one member has, and all.
    pub keys: Option<Keys>,
    /// Virtual bytes of the payments' transaction as it went out.
    pub vbytes_sent: Option<usize>,
    /// Virtual bytes of the largest transaction with which somebody joined.
    pub vbytes_join: Option<usize>,
    /// Bytes of memory for each member with what they share.
    pub memory_bytes_per_member: u64,
    /// Milliseconds that one holder of a key, who shares nothing, took to think and to check records.
    pub cpu_ms_per_member: f64,
    /// Joins and payments that were not done, members that disagree or whose accounts do not sum to the coin, transactions
    /// that the network refuses.
    pub failures: u64,
    /// What members refused or blamed somebody for, by code.
    pub refused: Vec<(&'static str, u64)>,
    /// Milliseconds from the end of a partition until all agreed.
    pub healed_ms: Option<u64>,
    /// How many turns the DAO has.
    pub turns: u32,
    /// What all of it took, by the clock.
    pub took: Duration,
    /// Bytes of memory that the process had at most.
    pub peak: u64,
    /// Everything that happened, as one number.
    pub trace: u64,
}

/// What work keys are, beside the network.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Keys {
    /// How many keys.
    pub keys: usize,
    /// How many sign by the script, or together where the construction has a key path.
    pub signers: usize,
    /// Milliseconds of one member to make the coin's key.
    pub keygen_ms_per_member: f64,
    /// Of all.
    pub keygen_ms_total: f64,
    /// Milliseconds of one signer.
    pub sign_ms_per_member: f64,
    /// Of all.
    pub sign_ms_total: f64,
    /// Milliseconds of one member to verify all parts and put them together.
    pub aggregate_ms: f64,
    /// Messages of one signature.
    pub messages: u64,
    /// Virtual bytes of the payments' transaction, by the key path where there is one.
    pub vbytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            members: 3,
            seed: 0,
            construction: Construction::MultiA,
            joins: 10,
            together: 5,
            payments: 5,
            latency: (10, 50),
            churn: 0.0,
            partition: None,
        }
    }
}

impl Construction {
    /// Every one, the default first.
    pub const ALL: [Self; 5] = [Self::MultiA, Self::SortedMulti, Self::MuSig2, Self::Frost, Self::Committee];

    /// Returns the default for a number of members.
    pub fn of(members: usize) -> Self {
        if members > MOST_KEYS { Self::Committee } else { Self::MultiA }
    }

    /// Returns its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MultiA => "multi_a",
            Self::SortedMulti => "sortedmulti",
            Self::MuSig2 => "musig2",
            Self::Frost => "frost",
            Self::Committee => "committee",
        }
    }

    /// Says why it cannot have so many members, if it cannot.
    pub fn unreachable(self, members: usize) -> Option<&'static str> {
        let most = usize::from(self.chartered().most_keys());
        match self {
            _ if members < usize::from(kinds::MIN_FOUNDERS) => Some("a DAO has at least 3 founders"),
            Self::Committee if members <= MOST_KEYS => Some("up to 100 members all hold keys"),
            Self::SortedMulti if members > most => Some("OP_CHECKMULTISIG has at most 20 keys"),
            Self::MultiA | Self::MuSig2 | Self::Frost if members > most => {
                Some("above 100 members a committee holds the keys")
            }
            _ => None,
        }
    }

    fn chartered(self) -> kinds::Construction {
        match self {
            Self::MultiA | Self::Committee => kinds::Construction::MultiA,
            Self::SortedMulti => kinds::Construction::SortedMulti,
            Self::MuSig2 => kinds::Construction::MuSig2,
            Self::Frost => kinds::Construction::Frost,
        }
    }

    fn guard(self) -> guard::Construction {
        match self {
            Self::MultiA | Self::Committee => guard::Construction::MultiA,
            Self::SortedMulti => guard::Construction::SortedMulti,
            Self::MuSig2 => guard::Construction::MuSig2,
            Self::Frost => guard::Construction::Frost,
        }
    }
}

impl fmt::Display for Construction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Construction {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|it| it.as_str() == name);
        known.ok_or_else(|| {
            let names = Self::ALL.map(Self::as_str).join(", ");
            format!("`{name}` is not a construction: {names}")
        })
    }
}

impl Figures {
    /// Returns the nearest rank of the times of joins.
    pub fn join_percentile(&self, percent: usize) -> Option<u64> {
        percentile(&self.join_ms, percent)
    }

    /// Returns the middle one of the times of payments.
    pub fn propose_to_signed(&self) -> Option<u64> {
        percentile(&self.propose_to_signed_ms, 50)
    }

    /// Returns the bytes of each join on the links of one member.
    pub fn bytes_per_join_of_one(&self, members: usize) -> u64 {
        self.bytes_per_join / members.max(1) as u64
    }

    /// Returns the bytes of each payment on the links of one member.
    pub fn bytes_per_payment_of_one(&self, members: usize) -> u64 {
        self.bytes_per_payment / members.max(1) as u64
    }

    /// Returns the virtual bytes of the payments' transaction.
    pub fn vbytes(&self) -> Option<usize> {
        self.keys.map(|keys| keys.vbytes).or(self.vbytes_sent)
    }
}

fn percentile(sorted: &[u64], percent: usize) -> Option<u64> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}
