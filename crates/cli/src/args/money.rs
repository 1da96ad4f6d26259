//! The commands about money between listeners and artists.

use clap::{Args, Subcommand};
use node::domain::{PeerId, SlotId};

use super::wallet::{AmountText, PayArgs, amount};
use crate::id::IdText;

#[derive(Debug, Args)]
pub(crate) struct TipArgs {
    /// An artist's or a release's id, or eight or more of its first digits
    #[arg(value_name = "ARTIST_OR_RELEASE", required_unless_present = "waiting")]
    pub(crate) payee: Option<IdText>,
    /// 5000, 5000sat or 0.0001btc
    #[arg(value_name = "AMOUNT", required_unless_present = "waiting", value_parser = amount)]
    pub(crate) amount: Option<AmountText>,
    /// A word to the artist, which everyone can read
    #[arg(long)]
    pub(crate) memo: Option<String>,
    /// Pays at once, although the fee eats a good part of it
    #[arg(long)]
    pub(crate) now: bool,
    /// Pays the tips that wait to go together, and no other
    #[arg(long, conflicts_with_all = ["payee", "amount", "memo", "now"])]
    pub(crate) waiting: bool,
    #[command(flatten)]
    pub(crate) pay: PayArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum OfferAction {
    /// Publishes an offer to share your income with investors; what is signed cannot be edited
    #[command(
        after_help = "Example:\n  musicdao offer create --goal 0.01btc --share 20 --expiry 2027-12-31 --dry-run"
    )]
    Create(OfferArgs),
    /// Lists offers
    List {
        /// Only those of this artist: an id, or eight or more of its first digits
        #[arg(long)]
        artist: Option<IdText>,
    },
    /// Shows an offer with its notes
    Show {
        /// An id, or eight or more of its first digits
        #[arg(value_name = "OFFER")]
        offer: IdText,
    },
}

#[derive(Debug, Args)]
pub(crate) struct OfferArgs {
    /// How much is asked for
    #[arg(long, value_name = "AMOUNT", value_parser = amount)]
    pub(crate) goal: AmountText,
    /// Part of the income that goes to investors
    #[arg(long, value_name = "PERCENT", value_parser = hundredths)]
    pub(crate) share: u16,
    /// Most that an investment earns, as a multiple of itself
    #[arg(long, value_name = "X", default_value = "1.5", value_parser = hundredths)]
    pub(crate) cap: u16,
    /// Income before investors earn
    #[arg(long, value_name = "AMOUNT", value_parser = amount)]
    pub(crate) floor: Option<AmountText>,
    /// The last day on which it earns
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub(crate) expiry: String,
    /// What it is for
    #[arg(long)]
    pub(crate) title: Option<String>,
    /// A collaborator's part of the income; can be said several times
    #[arg(long = "split", value_name = "PEER=PERCENT", value_parser = split)]
    pub(crate) splits: Vec<(PeerId, u16)>,
    /// Only says how income would be divided
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct InvestArgs {
    /// An id, or eight or more of its first digits
    #[arg(value_name = "OFFER")]
    pub(crate) offer: IdText,
    /// 5000, 5000sat or 0.0001btc
    #[arg(value_name = "AMOUNT", value_parser = amount)]
    pub(crate) amount: AmountText,
    /// Does not ask whether you know that the money can be lost
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) pay: PayArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PayoutArgs {
    /// An id, or eight or more of its first digits
    #[arg(value_name = "OFFER")]
    pub(crate) offer: IdText,
    /// Exactly so much to the notes, never above a cap; all that is owed where none is said
    #[arg(long, value_name = "AMOUNT", value_parser = amount)]
    pub(crate) amount: Option<AmountText>,
    /// A present to a fan in the same payment; can be said several times
    #[arg(long = "fan", value_name = "PEER=AMOUNT", value_parser = fan)]
    pub(crate) fans: Vec<(PeerId, AmountText)>,
    #[command(flatten)]
    pub(crate) pay: PayArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RefundArgs {
    /// The note's id
    #[arg(value_name = "NOTE")]
    pub(crate) note: SlotId,
    #[command(flatten)]
    pub(crate) pay: PayArgs,
}

fn split(text: &str) -> Result<(PeerId, u16), String> {
    let (peer, percent) = pair(text)?;
    Ok((peer, hundredths(percent)?))
}

fn fan(text: &str) -> Result<(PeerId, AmountText), String> {
    let (peer, sat) = pair(text)?;
    Ok((peer, amount(sat)?))
}

fn pair(text: &str) -> Result<(PeerId, &str), String> {
    let (peer, value) = text.split_once('=').ok_or_else(|| format!("`{text}` lacks a `=`"))?;
    let peer = peer.parse().map_err(|_| format!("`{peer}` is no id of a person: 64 hexadecimal digits"))?;
    Ok((peer, value))
}

/// Parses a number with at most two decimals, such as `12.5`, in hundredths.
fn hundredths(text: &str) -> Result<u16, String> {
    let wrong = || format!("`{text}` is not a number with at most two decimals, such as 12.5");
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    if whole.is_empty() || part.is_empty() || part.len() > 2 || !digits(whole) || !digits(part) {
        return Err(wrong());
    }
    let whole: u32 = whole.parse().map_err(|_| wrong())?;
    let part: u32 = format!("{part:0<2}").parse().map_err(|_| wrong())?;
    let hundredths = whole.checked_mul(100).and_then(|whole| whole.checked_add(part));
    hundredths.and_then(|hundredths| u16::try_from(hundredths).ok()).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_have_at_most_two_decimals() {
        assert_eq!(hundredths("12.5"), Ok(1250));
        assert_eq!(hundredths("1.05"), Ok(105));
        assert_eq!(hundredths("20"), Ok(2000));
        for wrong in ["", ".", "1.", ".5", "-1", "1.234", "20%", "1e3", "700", "99999999999"] {
            assert!(hundredths(wrong).is_err(), "{wrong}");
        }
    }
}
