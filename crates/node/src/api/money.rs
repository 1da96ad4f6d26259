//! Money between listeners and artists: tips, offers, notes, payouts, and what anyone can recompute of them.

use std::fmt;

use domain::{Network, PeerId, ReleaseId, SlotId};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{caution::Caution, wallet::Fee};

/// What to do with money for music. Amounts are whole satoshis.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum MoneyCommand {
    /// Pays an artist: answered by [`super::Response::Tipped`].
    Tip {
        /// Whom.
        #[ts(as = "Option<String>")]
        artist: Option<PeerId>,
        /// Or for what.
        #[ts(as = "Option<String>")]
        release: Option<ReleaseId>,
        /// How much.
        amount_sat: u64,
        /// A word to the artist, which everyone can read.
        memo: Option<String>,
        /// Pays at once, although the fee eats a good part of it; such a tip waits for others otherwise.
        #[serde(default)]
        now: bool,
        /// How it is paid.
        #[serde(default)]
        pay: Pay,
    },
    /// Pays the tips that wait for others: answered by [`super::Response::Tipped`].
    SendTips {
        /// How they are paid.
        #[serde(default)]
        pay: Pay,
    },
    /// Lists the tips that were given and received: answered by [`super::Response::Payments`].
    Payments {
        /// After so many.
        #[serde(default)]
        offset: u32,
        /// At most so many; 100 where none is said, 1,000 at most.
        limit: Option<u32>,
    },
    /// Answers a tip.
    Thank {
        /// Which.
        #[ts(as = "String")]
        payment: SlotId,
        /// At most 280 characters.
        text: String,
    },
    /// Publishes an offer, or says how it would split: answered by [`super::Response::Offer`].
    OfferCreate {
        /// How much is asked for.
        goal_sat: u64,
        /// Part of the income that goes to investors, in hundredths of a per cent.
        share_bp: u16,
        /// Most that an investment earns, in hundredths of itself; 150 where none is said.
        cap_percent: Option<u32>,
        /// Income before investors earn.
        floor_sat: Option<u64>,
        /// The day it ends, as `2027-12-31`.
        expiry: String,
        /// What it is for.
        title: Option<String>,
        /// Who else shares in the artist's part.
        #[serde(default)]
        splits: Vec<Split>,
        /// Only says how it would split.
        #[serde(default)]
        dry_run: bool,
    },
    /// Lists offers: answered by [`super::Response::Offers`].
    Offers {
        /// Whose; everybody's where none is named.
        #[ts(as = "Option<String>")]
        artist: Option<PeerId>,
    },
    /// Shows an offer with its notes: answered by [`super::Response::Offer`].
    OfferShow {
        /// Which.
        #[ts(as = "String")]
        offer: SlotId,
    },
    /// Invests in an offer: answered by [`super::Response::Invested`].
    Invest {
        /// Which.
        #[ts(as = "String")]
        offer: SlotId,
        /// How much.
        amount_sat: u64,
        /// How it is paid.
        #[serde(default)]
        pay: Pay,
    },
    /// Lists the own investments: answered by [`super::Response::Notes`].
    Notes,
    /// Pays investors and fans in one payment: answered by [`super::Response::PaidOut`].
    Payout {
        /// Which offer's.
        #[ts(as = "String")]
        offer: SlotId,
        /// Exactly so much to the notes, in proportion and never above a cap; all that is owed where none is said.
        amount_sat: Option<u64>,
        /// Presents beside that.
        #[serde(default)]
        rewards: Vec<Reward>,
        /// How it is paid.
        #[serde(default)]
        pay: Pay,
    },
    /// Gives an investment back that came after the goal was reached, or that is declined: answered by
    /// [`super::Response::PaidOut`].
    Refund {
        /// Which note.
        #[ts(as = "String")]
        note: SlotId,
        /// How it is paid.
        #[serde(default)]
        pay: Pay,
    },
    /// What came in, over time: answered by [`super::Response::Income`].
    Income,
    /// Recomputes every note of an artist from signed records and the chain: answered by [`super::Response::Audit`].
    Audit {
        /// Whose.
        #[ts(as = "String")]
        artist: PeerId,
    },
}

/// How something is paid.
#[derive(Clone, Default, Serialize, Deserialize, TS)]
pub struct Pay {
    /// How soon it is to confirm.
    #[serde(default)]
    pub fee: Fee,
    /// Only says what it would cost.
    #[serde(default)]
    pub dry_run: bool,
    /// The wallet's passphrase, where it is locked.
    #[serde(default)]
    pub passphrase: Option<String>,
    /// Names this wish, at most 64 characters chosen by the asker: the same wish asked for again, as after a crash, is
    /// answered with the payment that was made, and pays nothing.
    #[serde(default)]
    pub key: Option<String>,
}

impl fmt::Debug for Pay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pay").field("fee", &self.fee).field("dry_run", &self.dry_run).finish_non_exhaustive()
    }
}

/// A collaborator's part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Split {
    /// Whose.
    #[ts(as = "String")]
    pub peer: PeerId,
    /// In hundredths of a per cent.
    pub share_bp: u16,
}

/// A present to a fan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Reward {
    /// Whom.
    #[ts(as = "String")]
    pub peer: PeerId,
    /// How much.
    pub amount_sat: u64,
}

/// A tip that was paid, or would be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct Tipped {
    /// The tip's record; none for a trial.
    #[ts(as = "Option<String>")]
    pub payment_id: Option<SlotId>,
    /// The payment; none while the tip waits to go with others.
    pub txid: Option<String>,
    /// To the network, on top.
    pub fee_sat: u64,
    /// To the artist.
    pub amount_sat: u64,
    /// The artist's name; of several where those that waited are paid.
    pub artist: String,
    /// Whether it waits to go with others, since the fee would eat it, or would do so.
    #[serde(default)]
    pub waiting: bool,
    /// What to think of before confirming.
    pub warnings: Vec<Caution>,
}

/// Tips that were given and received.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Payments {
    /// Newest first.
    pub payments: Vec<Payment>,
    /// How many there are in all.
    pub total: u64,
}

/// One tip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Payment {
    /// Its record.
    #[ts(as = "String")]
    pub payment_id: SlotId,
    /// Who paid.
    #[ts(as = "String")]
    pub from: PeerId,
    /// That person's name.
    pub from_name: String,
    /// Who was paid.
    #[ts(as = "String")]
    pub artist_id: PeerId,
    /// That person's name.
    pub artist: String,
    /// For which release.
    #[ts(as = "Option<String>")]
    pub release_id: Option<ReleaseId>,
    /// How much.
    pub amount_sat: u64,
    /// The payer's words.
    pub memo: Option<String>,
    /// The payment; empty while the tip waits to go with others.
    pub txid: String,
    /// Blocks on it; 0 while it waits for one, none where the chain does not bear it out.
    pub confirmations: Option<u32>,
    /// Whether it waits to go with others.
    #[serde(default)]
    pub waiting: bool,
    /// Unix milliseconds.
    pub at_ms: u64,
    /// The artist's answer.
    pub thanks: Option<String>,
}

/// Offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Offers {
    /// Those that end first, first.
    pub offers: Vec<Offer>,
    /// Why amounts are not of now, in words, where the Bitcoin network does not answer.
    #[serde(default)]
    pub waiting: Option<String>,
}

/// An artist's offer to share income with investors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Offer {
    /// Its record; none for a trial.
    #[ts(as = "Option<String>")]
    pub offer_id: Option<SlotId>,
    /// Whose.
    #[ts(as = "String")]
    pub artist_id: PeerId,
    /// That person's name.
    pub artist: String,
    /// What it is for.
    pub title: Option<String>,
    /// Which money.
    #[ts(as = "String")]
    pub network: Network,
    /// How much is asked for.
    pub goal_sat: u64,
    /// How much has come, confirmed, up to the goal.
    pub raised_sat: u64,
    /// Part of the income that goes to investors, in hundredths of a per cent.
    pub share_bp: u16,
    /// Most that an investment earns, in hundredths of itself.
    pub cap_percent: u32,
    /// Income before investors earn.
    pub floor_sat: u64,
    /// Unix milliseconds of its end.
    pub expiry_ms: u64,
    /// The end, as a day.
    pub expiry: String,
    /// Who else shares in the artist's part.
    pub splits: Vec<Split>,
    /// Whether it can be invested in now.
    pub open: bool,
    /// Income that came to the published addresses since the offer, confirmed.
    pub income_sat: u64,
    /// Owed to investors now.
    pub owed_sat: u64,
    /// Paid to investors.
    pub paid_sat: u64,
    /// The investments; left out in lists.
    #[serde(default)]
    pub notes: Vec<Note>,
    /// How incomes from a tenth of the goal to ten times the goal would split; for a trial alone.
    #[serde(default)]
    pub example: Vec<Example>,
    /// Why amounts are not of now, in words, where the Bitcoin network does not answer.
    #[serde(default)]
    pub waiting: Option<String>,
}

/// How an income would split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Example {
    /// What came in, in all.
    pub income_sat: u64,
    /// To all investors together.
    pub investors_sat: u64,
    /// To collaborators.
    pub collaborators_sat: u64,
    /// To the artist.
    pub artist_sat: u64,
}

/// Investments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Notes {
    /// Newest first.
    pub notes: Vec<Note>,
    /// Why amounts are not of now, in words, where the Bitcoin network does not answer.
    #[serde(default)]
    pub waiting: Option<String>,
}

/// An investment in an offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Note {
    /// Its record.
    #[ts(as = "String")]
    pub note_id: SlotId,
    /// In which offer.
    #[ts(as = "String")]
    pub offer_id: SlotId,
    /// Whose offer.
    #[ts(as = "String")]
    pub artist_id: PeerId,
    /// That person's name.
    pub artist: String,
    /// Whose investment.
    #[ts(as = "String")]
    pub investor: PeerId,
    /// That person's name.
    pub investor_name: String,
    /// How much was invested.
    pub principal_sat: u64,
    /// Most that it can earn.
    pub cap_sat: u64,
    /// Earned and not paid yet.
    pub owed_sat: u64,
    /// Paid back.
    pub paid_sat: u64,
    /// Where it is.
    pub status: NoteStatus,
    /// The payment.
    pub txid: String,
    /// Unix milliseconds of the offer's end.
    pub expiry_ms: u64,
}

/// Where an investment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum NoteStatus {
    /// Waiting for a block.
    Pending,
    /// Earning.
    Active,
    /// Owed for longer than it should be.
    Late,
    /// Paid up to its cap.
    Complete,
    /// The offer ended; what is owed stays owed.
    Expired,
    /// It came after the goal was reached: to be given back.
    Refundable,
    /// Given back.
    Refunded,
    /// The chain does not bear it out.
    Invalid,
}

/// An investment that was made, or would be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct Invested {
    /// Its record; none for a trial.
    #[ts(as = "Option<String>")]
    pub note_id: Option<SlotId>,
    /// The payment; none for a trial.
    pub txid: Option<String>,
    /// To the network, on top.
    pub fee_sat: u64,
    /// Invested.
    pub principal_sat: u64,
    /// Most that it can earn.
    pub cap_sat: u64,
    /// What to think of before confirming.
    pub warnings: Vec<Caution>,
}

/// A payout that was made, or would be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct PaidOut {
    /// The payment; none for a trial.
    pub txid: Option<String>,
    /// To the network, on top.
    pub fee_sat: u64,
    /// Who gets what.
    pub lines: Vec<PayoutLine>,
    /// What to think of before confirming.
    pub warnings: Vec<Caution>,
}

/// A payee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct PayoutLine {
    /// For which note; none for a present or a collaborator.
    #[ts(as = "Option<String>")]
    pub note_id: Option<SlotId>,
    /// Who.
    #[ts(as = "String")]
    pub peer: PeerId,
    /// That person's name.
    pub name: String,
    /// Where to.
    pub address: String,
    /// How much.
    pub sat: u64,
}

/// What came in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Income {
    /// Confirmed.
    pub confirmed_sat: u64,
    /// Waiting for a block.
    pub pending_sat: u64,
    /// Owed to investors now, over all offers.
    pub owed_sat: u64,
    /// By day, oldest first; days without income are left out.
    pub days: Vec<IncomeOf>,
    /// By release, most first; income that names none is under an empty name.
    pub releases: Vec<IncomeOf>,
    /// By supporter, most first; income that names nobody is under an empty name.
    pub supporters: Vec<IncomeOf>,
    /// Why amounts are not of now, in words, where the Bitcoin network does not answer.
    #[serde(default)]
    pub waiting: Option<String>,
}

/// One bar of the chart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct IncomeOf {
    /// A day as `2026-01-31`, a release's or a person's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// How much.
    pub sat: u64,
    /// In how many payments.
    pub count: u64,
}

/// What anyone can recompute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Audit {
    /// Canonical JSON: equal inputs give equal bytes on every peer.
    pub json: String,
}
