//! A ledger as anybody can recompute it: the same block and the same records give the same bytes everywhere.

use domain::{
    Network, PeerId, RecordId,
    bitcoin::{BlockHash, OutPoint, Txid},
    kinds::{NoteId, OfferId},
};
use serde::Serialize;

use super::{
    Ledger, NoteStatus, Problem,
    ledger::{NoteState, OfferState},
};

/// Says whether anything is known to be lacking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditStatus {
    /// Nothing is.
    Complete,
    /// The problems say what.
    Incomplete,
}

/// What is owed to whom and was paid. Lists are in the order of their ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// Whose it is.
    pub artist_id: PeerId,
    /// The chain.
    pub network: Network,
    /// The last block that counts.
    pub height: u32,
    /// Its hash.
    pub block_hash: BlockHash,
    /// Its median time past, Unix seconds.
    pub median_time_past: u32,
    /// Digest of the records that it is made of: the artist's log and the notes that were paid.
    pub records_digest: String,
    /// Whether anything is lacking.
    pub status: AuditStatus,
    /// What.
    pub problems: Vec<Problem>,
    /// All that came in at the published addresses.
    pub income_sat: u64,
    /// What of it is the artist's.
    pub artist_sat: u64,
    /// Given to fans.
    pub rewards_sat: u64,
    /// Every offer.
    pub offers: Vec<AuditOffer>,
    /// Every note that was paid.
    pub notes: Vec<AuditNote>,
    /// Every transaction that paid out.
    pub payouts: Vec<Txid>,
}

/// An offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditOffer {
    /// Its id.
    pub offer_id: OfferId,
    /// What was to be raised.
    pub goal_sat: u64,
    /// What was.
    pub raised_sat: u64,
    /// Owed to its notes and collaborators.
    pub owed_sat: u64,
    /// When its notes stop earning, Unix seconds.
    pub expiry: u32,
    /// Whether they have.
    pub expired: bool,
    /// Its collaborators, in their order.
    pub splits: Vec<AuditSplit>,
}

/// A collaborator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditSplit {
    /// Name as the offer has it.
    pub name: String,
    /// Part of the income.
    pub earned_sat: u64,
    /// Paid.
    pub paid_sat: u64,
    /// Owed.
    pub owed_sat: u64,
}

/// A note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditNote {
    /// Its id.
    pub note_id: NoteId,
    /// Its offer.
    pub offer_id: OfferId,
    /// Who signed it.
    pub investor: PeerId,
    /// The output that paid it.
    pub outpoint: OutPoint,
    /// The block that confirmed it.
    pub height: u32,
    /// What was invested.
    pub principal_sat: u64,
    /// What of it counts towards the goal.
    pub accepted_sat: u64,
    /// What it gets back at most.
    pub cap_sat: u64,
    /// What it has earned.
    pub earned_sat: u64,
    /// What is owed, refunds included.
    pub owed_sat: u64,
    /// What has been owed for too long.
    pub overdue_sat: u64,
    /// What it was paid, without refunds.
    pub paid_sat: u64,
    /// What of the principal goes back.
    pub refund_sat: u64,
    /// What of that went back.
    pub refunded_sat: u64,
    /// How it stands.
    pub status: NoteStatus,
}

impl Audit {
    /// Writes a ledger down.
    pub fn of(ledger: &Ledger) -> Self {
        let offers = ledger.offers.iter().map(|(id, offer)| audit_offer(ledger, *id, offer));
        let notes = ledger.notes.iter().map(|(id, note)| audit_note(*id, note));
        let payouts: std::collections::BTreeSet<Txid> = ledger.payouts.values().flatten().copied().collect();
        Self {
            artist_id: ledger.artist,
            network: ledger.network,
            height: ledger.tip.height,
            block_hash: ledger.tip.hash,
            median_time_past: ledger.tip.median_time_past,
            records_digest: digest(ledger),
            status: if ledger.is_complete() { AuditStatus::Complete } else { AuditStatus::Incomplete },
            problems: ledger.problems.iter().cloned().collect(),
            income_sat: ledger.income.to_sat(),
            artist_sat: ledger.kept.to_sat(),
            rewards_sat: ledger.rewards.to_sat(),
            offers: offers.collect(),
            notes: notes.collect(),
            payouts: payouts.into_iter().collect(),
        }
    }

    /// Writes canonical JSON: one line, keys in the order of the fields, no blanks.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("there is no map with keys that are no text")
    }
}

/// Hashes the ids of what counts: records of the log by their own ids, since they form a chain; notes by what they
/// say, so that signing one again changes nothing.
fn digest(ledger: &Ledger) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("musicdao 2026 audit records v1");
    let mut enter = |ids: Vec<&[u8; 32]>| {
        hasher.update(&(ids.len() as u64).to_le_bytes());
        for id in ids {
            hasher.update(id);
        }
    };
    enter(ledger.log.iter().map(RecordId::as_bytes).collect());
    enter(ledger.notes.keys().map(NoteId::as_bytes).collect());
    hasher.finalize().to_hex().to_string()
}

fn audit_offer(ledger: &Ledger, offer_id: OfferId, state: &OfferState) -> AuditOffer {
    let named = state.offer.splits().iter().zip(&state.splits);
    let splits: Vec<AuditSplit> = named
        .map(|(split, state)| AuditSplit {
            name: split.name.clone(),
            earned_sat: state.earned.to_sat(),
            paid_sat: state.paid.to_sat(),
            owed_sat: state.owed().to_sat(),
        })
        .collect();
    let notes = ledger.notes.values().filter(|note| note.offer == offer_id);
    let owed = notes.map(|note| note.owed().to_sat()).chain(splits.iter().map(|split| split.owed_sat));
    AuditOffer {
        offer_id,
        goal_sat: state.offer.goal.to_sat(),
        raised_sat: state.raised.to_sat(),
        owed_sat: owed.sum(),
        expiry: state.offer.expiry,
        expired: state.is_expired,
        splits,
    }
}

fn audit_note(note_id: NoteId, note: &NoteState) -> AuditNote {
    AuditNote {
        note_id,
        offer_id: note.offer,
        investor: note.investor,
        outpoint: note.outpoint,
        height: note.block.height,
        principal_sat: note.principal.to_sat(),
        accepted_sat: note.accepted.to_sat(),
        cap_sat: note.cap.to_sat(),
        earned_sat: note.earned.to_sat(),
        owed_sat: note.owed().to_sat(),
        overdue_sat: note.overdue().to_sat(),
        paid_sat: note.paid.to_sat(),
        refund_sat: note.refund.to_sat(),
        refunded_sat: note.refunded.to_sat(),
        status: note.status(),
    }
}
