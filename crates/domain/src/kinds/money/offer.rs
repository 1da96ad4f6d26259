use bitcoin::{Amount, ScriptBuf};
use minicbor::{Decode, Encode};

use super::{check_amount, check_script, content_key};
use crate::{
    Key, Kind, Network, PeerId, RecordError, ReleaseId,
    kinds::{cbor, id},
    text,
};

/// One hundred per cent in basis points.
pub const WHOLE: u16 = 10_000;
/// Smallest goal in satoshis: a smaller one would not pay for its own transactions.
pub const MIN_GOAL: u64 = 10_000;
/// Smallest cap in hundredths of the principal: less than the principal would be a loss by contract.
pub const MIN_CAP: u16 = 100;
/// Largest cap in hundredths of the principal.
pub const MAX_CAP: u16 = 10_000;
/// Most collaborators of an offer.
pub const MAX_SPLITS: usize = 10;

/// What an artist offers to investors. Its id is of its content: what was signed can never be edited.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Offer {
    /// The chain that it is on.
    #[n(0)]
    pub network: Network,
    /// Random; tells two offers with the same terms apart.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub salt: [u8; 16],
    /// What is to be raised; what comes above it is refunded.
    #[cbor(n(2), with = "cbor::sats")]
    pub goal: Amount,
    /// The investors' part of the income, in basis points, once the goal is reached; before, in proportion.
    #[n(3)]
    pub share: u16,
    /// How much an investor gets back at most, in hundredths of the principal.
    #[n(4)]
    pub cap: u16,
    /// Income since the first investment that the artist keeps before investors earn.
    #[cbor(n(5), with = "cbor::sats")]
    pub floor: Amount,
    /// From this moment on, Unix seconds by the median time of blocks, income earns investors nothing.
    #[n(6)]
    pub expiry: u32,
    /// Who else is paid from the income, before floor and investors.
    #[n(7)]
    pub splits: Option<Vec<Split>>,
    /// A few words.
    #[n(8)]
    pub title: Option<String>,
    /// What it is for.
    #[n(9)]
    pub release: Option<ReleaseId>,
}

/// A collaborator's part of the income.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Split {
    /// Name as they want to be named.
    #[n(0)]
    pub name: String,
    /// Part of the income in basis points.
    #[n(1)]
    pub share: u16,
    /// Where they are paid.
    #[cbor(n(2), with = "cbor::script")]
    pub script: ScriptBuf,
    /// Their own identity, where they have one.
    #[n(3)]
    pub peer: Option<PeerId>,
}

impl Offer {
    /// Returns the collaborators.
    pub fn splits(&self) -> &[Split] {
        self.splits.as_deref().unwrap_or_default()
    }

    /// Returns how much a note of a principal gets back at most.
    pub fn cap_of(&self, principal: Amount) -> Amount {
        let cap = u128::from(principal.to_sat()) * u128::from(self.cap) / 100;
        Amount::from_sat(u64::try_from(cap).unwrap_or(u64::MAX))
    }
}

impl Kind for Offer {
    const ID: u16 = id::OFFER;
    const NAME: &'static str = "offer";
    const PERMANENT: bool = true;

    fn key(&self) -> Key {
        content_key(self)
    }

    fn check(&self) -> Result<(), RecordError> {
        check_amount("goal", self.goal, MIN_GOAL)?;
        check_amount("floor", self.floor, 0)?;
        check_share("share", self.share)?;
        if !(MIN_CAP..=MAX_CAP).contains(&self.cap) {
            let problem = format!("is {} hundredths, not between {MIN_CAP} and {MAX_CAP}", self.cap);
            return Err(RecordError::body("cap", problem));
        }
        text::lines("title", self.title.as_deref().unwrap_or_default(), 200)?;
        check_splits(self.splits())
    }

    fn network(&self) -> Option<Network> {
        Some(self.network)
    }
}

fn check_share(field: &'static str, share: u16) -> Result<(), RecordError> {
    match (1..=WHOLE).contains(&share) {
        true => Ok(()),
        false => Err(RecordError::body(field, format!("is {share} basis points, not between 1 and {WHOLE}"))),
    }
}

fn check_splits(splits: &[Split]) -> Result<(), RecordError> {
    text::at_most("splits", splits, MAX_SPLITS)?;
    for split in splits {
        text::line("split's name", &split.name, 100)?;
        check_share("split's share", split.share)?;
        check_script("split's script", &split.script)?;
    }
    let sum: u32 = splits.iter().map(|split| u32::from(split.share)).sum();
    match sum < u32::from(WHOLE) {
        true => Ok(()),
        false => Err(RecordError::body("splits", format!("are {sum} basis points and leave nothing"))),
    }
}
