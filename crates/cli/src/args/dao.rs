//! The commands about DAOs.

use clap::{Args, Subcommand, ValueEnum};
use node::api::{DaoChoice, DaoConstruction, DaoPolicy};

use super::wallet::{AmountText, PassphraseArgs, PayArgs, amount};
use crate::id::{ArtistText, DaoText, IdText};

#[derive(Debug, Subcommand)]
pub(crate) enum DaoAction {
    /// Publishes the charter of a new DAO; its rules can be changed by vote only
    #[command(after_help = "Example:\n  musicdao dao create --name 'Our fund' --fee 50000 --threshold 60")]
    Create(CharterArgs),
    /// Lists the DAOs that are known here, yours first
    List,
    /// Shows a DAO: members, treasury, fairness, what is being signed
    Show {
        /// An id, eight or more of its first digits, or a name
        #[arg(value_name = "DAO")]
        dao: DaoText,
        /// Draws the link that lets others in as a QR code, too
        #[arg(long)]
        qr: bool,
    },
    /// Asks to be let in; nothing is paid unless you become a member
    #[command(after_help = "Examples:\n  musicdao dao join 'Our fund' --dry-run\n  \
                            musicdao dao join 'musicdao:...' --deposit 0.002btc")]
    Join(JoinArgs),
    /// Closes the set of founders and funds the coin; whoever created the DAO says it
    Start {
        /// An id, eight or more of its first digits, or a name
        #[arg(value_name = "DAO")]
        dao: DaoText,
        #[command(flatten)]
        passphrase: PassphraseArgs,
    },
    /// Says that somebody is a person whom you have met
    Vouch {
        /// An id, eight or more of its first digits, or a name
        #[arg(value_name = "DAO")]
        dao: DaoText,
        /// A member's id, eight or more of its first digits, or a name
        #[arg(value_name = "PEER")]
        peer: ArtistText,
    },
    /// Leaves with your claim, or takes back the wish to join
    Leave {
        /// An id, eight or more of its first digits, or a name
        #[arg(value_name = "DAO")]
        dao: DaoText,
    },
    /// Proposes something that the members vote on
    #[command(
        after_help = "Examples:\n  musicdao dao propose 'Our fund' invest 3f9a01c2d4 100000 --title 'Ada'\n  \
                            musicdao dao propose 'Our fund' pay bcrt1q... 20000 --title 'Room for the party'\n  \
                            musicdao dao propose 'Our fund' set threshold 70 --title 'More of us must agree'"
    )]
    Propose {
        /// An id, eight or more of its first digits, or a name
        #[arg(value_name = "DAO")]
        dao: DaoText,
        #[command(subcommand)]
        intent: IntentAction,
    },
    /// Lists the proposals, newest first, with their votes and what became of them
    Proposals {
        /// An id, eight or more of its first digits, or a name
        #[arg(value_name = "DAO")]
        dao: DaoText,
    },
    /// Votes, for good
    Vote {
        /// An id, eight or more of its first digits, or a name
        #[arg(value_name = "DAO")]
        dao: DaoText,
        /// An id, or eight or more of its first digits
        #[arg(value_name = "PROPOSAL")]
        proposal: IdText,
        /// What
        #[arg(value_name = "yes|no|abstain", value_enum)]
        choice: ChoiceText,
    },
    /// Lets your node vote as another member does, or ends that
    Delegate {
        /// An id, eight or more of its first digits, or a name
        #[arg(value_name = "DAO")]
        dao: DaoText,
        /// A member's id, eight or more of its first digits, or a name
        #[arg(value_name = "PEER", required_unless_present = "remove", conflicts_with = "remove")]
        to: Option<ArtistText>,
        /// Votes for yourself again
        #[arg(long)]
        remove: bool,
    },
    /// Shows how everybody gets their money after a long silence
    Refunds {
        /// An id, eight or more of its first digits, or a name
        #[arg(value_name = "DAO")]
        dao: DaoText,
    },
    /// Sends the refund, which pays everybody, after a long silence
    Recover {
        /// An id, eight or more of its first digits, or a name
        #[arg(value_name = "DAO")]
        dao: DaoText,
    },
    /// Pays from your wallet for a transaction of the treasury that waits, or for the refund, so that it confirms sooner
    #[command(after_help = "Examples:\n  musicdao dao bump 'Our fund' --dry-run\n  \
                            musicdao dao bump 'Our fund' --fee-rate 20")]
    Bump(BumpArgs),
    /// Recomputes the accounts from the charter, the turns and the chain alone
    Audit {
        /// An id, eight or more of its first digits, or a name
        #[arg(value_name = "DAO")]
        dao: DaoText,
    },
}

#[derive(Debug, Args)]
pub(crate) struct CharterArgs {
    /// What to call it
    #[arg(long)]
    pub(crate) name: String,
    /// What it is for
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) purpose: String,
    /// Least that a joiner pays in; all of it is the joiner's claim
    #[arg(long, value_name = "AMOUNT", value_parser = amount)]
    pub(crate) fee: AmountText,
    /// Part of the keys that spend, and of the members that approve; 60 where none is said
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(crate) threshold: Option<u8>,
    /// Fewest founders; 3 where none is said
    #[arg(long, value_name = "MIN")]
    pub(crate) founders: Option<u8>,
    /// Members that must vouch for a person before it votes; 2 where none is said
    #[arg(long, value_name = "K")]
    pub(crate) vouches: Option<u8>,
    /// Blocks of silence after which the refund may be sent; 25,920, about half a year, where none is said
    #[arg(long, value_name = "BLOCKS")]
    pub(crate) recovery: Option<u16>,
    /// Confirmations that a joiner's coin needs; 6 where none is said
    #[arg(long, value_name = "BLOCKS")]
    pub(crate) depth: Option<u8>,
    /// Most that proposals may pay in two weeks, as a part of all claims; 100 where none is said
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) spending: Option<u8>,
    /// Blocks of membership before a person votes; none where nothing is said
    #[arg(long, value_name = "BLOCKS")]
    pub(crate) season: Option<u16>,
    /// Percentage by which the voters may grow in two weeks; no limit where nothing is said
    #[arg(long, value_name = "PERCENT")]
    pub(crate) growth: Option<u16>,
    /// Who may join
    #[arg(long, value_enum, default_value_t)]
    pub(crate) policy: PolicyText,
    /// How its keys guard the coin
    #[arg(long, value_enum, default_value_t)]
    pub(crate) construction: ConstructionText,
    /// Draws the link that lets others in as a QR code, too
    #[arg(long)]
    pub(crate) qr: bool,
}

#[derive(Debug, Args)]
pub(crate) struct JoinArgs {
    /// An id, eight or more of its first digits, a name, or a link that begins with `musicdao:`
    #[arg(value_name = "DAO")]
    pub(crate) dao: DaoText,
    /// More than the entrance fee, where your claim is to begin higher
    #[arg(long, value_name = "AMOUNT", value_parser = amount)]
    pub(crate) deposit: Option<AmountText>,
    /// Does not ask before it pays
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) pay: PayArgs,
}

#[derive(Debug, Args)]
pub(crate) struct BumpArgs {
    /// An id, eight or more of its first digits, or a name
    #[arg(value_name = "DAO")]
    pub(crate) dao: DaoText,
    /// Which transaction, where several wait
    #[arg(long)]
    pub(crate) txid: Option<String>,
    /// Does not ask before it pays
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) pay: PayArgs,
}

/// What a proposal is about.
#[derive(Debug, Subcommand)]
pub(crate) enum IntentAction {
    /// Invests in an artist's offer; all of it can be lost
    Invest {
        /// An id, or eight or more of its first digits
        #[arg(value_name = "OFFER")]
        offer: IdText,
        /// 5000, 5000sat or 0.0001btc
        #[arg(value_name = "AMOUNT", value_parser = amount)]
        amount: AmountText,
        #[command(flatten)]
        words: ProposalArgs,
    },
    /// Pays one or several addresses
    Pay {
        /// An address and 5000, 5000sat or 0.0001btc, and so on
        #[arg(value_name = "ADDRESS AMOUNT", required = true)]
        payees: Vec<String>,
        #[command(flatten)]
        words: ProposalArgs,
    },
    /// Changes a rule, a bounded step at a time
    Set {
        /// Which
        #[arg(value_name = "KEY", value_enum)]
        parameter: ParameterText,
        /// An amount, a percentage, a number, or a word for the policy
        #[arg(value_name = "VALUE")]
        value: String,
        #[command(flatten)]
        words: ProposalArgs,
    },
    /// Lets somebody join where joining needs a vote
    Admit {
        /// An id, eight or more of its first digits, or a name
        #[arg(value_name = "PEER")]
        peer: ArtistText,
        #[command(flatten)]
        words: ProposalArgs,
    },
    /// Pays a member out and goes on without it
    Remove {
        /// A member's id, eight or more of its first digits, or a name
        #[arg(value_name = "PEER")]
        peer: ArtistText,
        #[command(flatten)]
        words: ProposalArgs,
    },
    /// Moves the coin to itself, so that the wait for the refund begins anew
    Refresh {
        #[command(flatten)]
        words: ProposalArgs,
    },
    /// Pays everybody out and ends the DAO
    Dissolve {
        #[command(flatten)]
        words: ProposalArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ProposalArgs {
    /// A few words
    #[arg(long)]
    pub(crate) title: String,
    /// More of it, at most 500 characters
    #[arg(long)]
    pub(crate) words: Option<String>,
    /// Blocks until it can no longer be approved; 1,008, about a week, where none is said
    #[arg(long, value_name = "BLOCKS")]
    pub(crate) expiry: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ChoiceText {
    Yes,
    No,
    Abstain,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum PolicyText {
    /// Whoever pays the fee
    #[default]
    Open,
    /// Whom members vouch for
    Vouched,
    /// Whom a proposal admitted
    Admitted,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ConstructionText {
    /// Counts signatures in a taproot leaf: nobody has to be online at the same time
    #[default]
    #[value(name = "multi_a")]
    MultiA,
    /// One signature of all keys: the lowest fee, while all of them are online; counts signatures where one is missing
    #[value(name = "musig2")]
    MuSig2,
    /// Experimental: one signature of as many keys as must agree; all of them must be online at once after each change of keys
    Frost,
    /// Counts signatures in a witness script, as older programs do
    #[value(name = "sortedmulti")]
    SortedMulti,
}

/// A rule that members can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum ParameterText {
    /// Least that a joiner pays in, by a factor of two at most
    EntranceFee,
    /// Who may join: open, vouched or admitted
    Policy,
    /// Percentage of keys and members, by ten at most
    Threshold,
    /// Percentage of all claims that may be paid in two weeks, by ten at most
    Spending,
    /// Members that must vouch for a person, by one at most
    Vouches,
    /// Blocks of membership before a person votes, by 2,016 at most
    Season,
    /// Percentage by which the voters may grow in two weeks, by 100 at most; 0 for no limit
    Growth,
}

impl From<ChoiceText> for DaoChoice {
    fn from(choice: ChoiceText) -> Self {
        match choice {
            ChoiceText::Yes => Self::Yes,
            ChoiceText::No => Self::No,
            ChoiceText::Abstain => Self::Abstain,
        }
    }
}

impl From<PolicyText> for DaoPolicy {
    fn from(policy: PolicyText) -> Self {
        match policy {
            PolicyText::Open => Self::Open,
            PolicyText::Vouched => Self::Vouched,
            PolicyText::Admitted => Self::Admitted,
        }
    }
}

impl From<ConstructionText> for DaoConstruction {
    fn from(construction: ConstructionText) -> Self {
        match construction {
            ConstructionText::MultiA => Self::MultiA,
            ConstructionText::MuSig2 => Self::MuSig2,
            ConstructionText::Frost => Self::Frost,
            ConstructionText::SortedMulti => Self::SortedMulti,
        }
    }
}

impl ParameterText {
    /// Returns the name that the node knows.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::EntranceFee => "entrance_fee",
            Self::Policy => "policy",
            Self::Threshold => "threshold",
            Self::Spending => "spending",
            Self::Vouches => "vouches",
            Self::Season => "season",
            Self::Growth => "growth",
        }
    }

    /// Reads what it is set to.
    ///
    /// # Errors
    /// Says what it has to be.
    pub(crate) fn value(self, text: &str) -> Result<u64, String> {
        match self {
            Self::EntranceFee => Ok(amount(text)?.0),
            Self::Policy => {
                let place = PolicyText::value_variants().iter().position(|policy| is_called(*policy, text));
                let place = place.ok_or_else(|| format!("`{text}` is not open, vouched or admitted"))?;
                Ok(place as u64)
            }
            _ => text.parse().map_err(|_| format!("`{text}` is not a whole number")),
        }
    }
}

fn is_called(policy: PolicyText, text: &str) -> bool {
    policy.to_possible_value().is_some_and(|value| value.matches(text, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_set_in_the_words_of_people() {
        assert_eq!(ParameterText::EntranceFee.value("0.0002btc"), Ok(20_000));
        assert_eq!(ParameterText::Policy.value("Vouched"), Ok(1));
        assert_eq!(ParameterText::Threshold.value("70"), Ok(70));
        for (rule, wrong) in [
            (ParameterText::EntranceFee, "much"),
            (ParameterText::Policy, "2"),
            (ParameterText::Policy, "closed"),
            (ParameterText::Growth, "-1"),
            (ParameterText::Vouches, "1.5"),
        ] {
            assert!(rule.value(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_names_of_rules_are_those_that_are_typed() {
        for rule in ParameterText::value_variants() {
            assert_eq!(rule.to_possible_value().unwrap().get_name(), rule.name());
        }
    }
}
