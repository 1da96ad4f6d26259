//! What comes in at a DAO's scripts, and which of its notes artists say that it pays back.

use std::{collections::BTreeSet, sync::Arc};

use domain::{
    PeerId,
    bitcoin::OutPoint,
    kinds::{Due, Intent, Payout, id},
};
use treasury::{
    dao::{Confirmed, Payback, member::Input},
    paying::Root,
};

use super::driven::Driven;
use crate::{api::ApiError, node::Inner};

/// Blocks for which the record is waited for that a payment commits to; then it is nobody's.
const PATIENCE: u32 = 6;

/// Lists what came in and was not told so yet.
///
/// # Errors
/// Those of the database.
pub(super) async fn income(node: &Arc<Inner>, driven: &Driven) -> Result<Vec<Input>, ApiError> {
    let came: Vec<_> = driven
        .sight
        .incomes(&driven.member)
        .map(|(outpoint, output, block)| (outpoint, output.clone(), block))
        .collect();
    if came.is_empty() {
        return Ok(Vec::new());
    }
    let payouts = payouts(node, driven).await?;
    let tip = driven.sight.tip().map_or(0, |tip| tip.height);
    let mut inputs = Vec::new();
    for (outpoint, output, block) in came {
        let root = driven.sight.root(&outpoint.txid);
        let paybacks = paybacks(driven, &payouts, &outpoint, root, output.value.to_sat());
        let waits = root.is_some() && paybacks.is_none() && tip < block.height.saturating_add(PATIENCE);
        let paybacks = paybacks.unwrap_or_default();
        let evidence = driven.member.evidence();
        // A reorganisation takes the coin away, and it is told again.
        let known = evidence.paybacks.get(&outpoint).filter(|_| evidence.coins.contains_key(&outpoint));
        if !waits && known != Some(&paybacks) {
            let coin = Confirmed { output, height: block.height, block: block.hash };
            inputs.push(Input::Income { outpoint, coin, paybacks });
        }
    }
    Ok(inputs)
}

/// Reads the payouts of every artist that the DAO ever wanted to invest in.
async fn payouts(node: &Inner, driven: &Driven) -> Result<Vec<(Root, Payout)>, ApiError> {
    let artist = |intent: &Intent| match intent {
        Intent::Invest { artist, .. } => Some(*artist),
        _ => None,
    };
    let proposals = driven.member.evidence().proposals.values();
    let artists: BTreeSet<PeerId> = proposals.filter_map(|(_, proposal)| artist(&proposal.intent)).collect();
    let mut payouts = Vec::new();
    for artist in artists {
        let network = node.money.network();
        let records = node.store.money_records_by(&artist, network, id::PAYOUT, 0, store::MAX_LIMIT).await?;
        payouts.extend(records.iter().filter_map(|record| {
            let payout = record.read::<Payout>().ok().flatten()?;
            Some((Root::above(&record.slot, payout.place.as_ref())?, payout))
        }));
    }
    Ok(payouts)
}

/// What a coin pays back: the lines on its output, where they sum to its value. `None` where no record speaks of it.
fn paybacks(
    driven: &Driven,
    payouts: &[(Root, Payout)],
    outpoint: &OutPoint,
    root: Option<Root>,
    value: u64,
) -> Option<Vec<Payback>> {
    let of_tx = payouts.iter().filter(|(committed, _)| Some(*committed) == root);
    let lines = of_tx.flat_map(|(_, payout)| &payout.lines).filter(|line| line.vout == outpoint.vout);
    let lines: Vec<_> = lines.collect();
    if lines.is_empty() {
        return None;
    }
    let sum: u64 = lines.iter().map(|line| line.amount.to_sat()).sum();
    let notes = &driven.member.state().notes;
    let payback = |line: &&domain::kinds::PayoutLine| match line.due {
        Due::Earned(note) | Due::Refund(note) if notes.contains_key(&note) => {
            Some(Payback { note, sat: line.amount.to_sat() })
        }
        _ => None,
    };
    let mut paybacks: Vec<Payback> = lines.iter().filter_map(payback).collect();
    paybacks.sort_by_key(|payback| payback.note);
    Some(if sum == value { paybacks } else { Vec::new() })
}
