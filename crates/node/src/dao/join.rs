//! Joining: coins are chosen and kept for it, the wish is signed, and the wallet signs once the way out is stored.

use std::sync::Arc;

use domain::{
    SlotId,
    bitcoin::{Amount, FeeRate, OutPoint, Transaction, TxOut, Witness},
    kinds::{DaoId, Join, JoinInput, Leave, MAX_JOIN_INPUTS},
};
use serde::{Deserialize, Serialize};
use treasury::{paying::id_of, wallet::Coin};

use super::{driven::Driven, records, running::Running};
use crate::{
    api::{ApiError, Caution, DaoMembership, DaoState, Pay},
    node::Inner,
};

/// Virtual bytes of a joiner's input, of its change, and of the most that it may bear of a transaction's base.
const INPUT: u64 = 58;
const CHANGE: u64 = 43;
const BASE: u64 = 150;
/// Satoshis for its part of the refund: its output, and of a founding a part of the base.
const REFUND: u64 = 800;

/// What was set aside to join with.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Wish {
    join: SlotId,
    coins: Vec<OutPoint>,
    /// Whether it was taken back: nothing of it is signed any more.
    taken_back: bool,
}

/// Asks to be let in, or says what that would cost.
///
/// # Errors
/// `dao_joined`, `dao_join_waits`, `dao_deposit_low`, `dao_coins`, those of the wallet and of publishing.
pub(super) async fn join(
    node: &Arc<Inner>,
    running: &Running,
    deposit: Option<u64>,
    pay: Pay,
) -> Result<DaoMembership, ApiError> {
    let me = node.identity.id();
    let Pay { fee, dry_run, passphrase, .. } = pay;
    let _one = running.joining.lock().await;
    let (fee_sat, depth) = {
        let driven = running.driven().await;
        check_may_join(&driven)?;
        check_no_wish(node, &driven).await?;
        let state = driven.member.state();
        (state.rules.entrance_fee.to_sat(), u32::from(state.charter.depth))
    };
    let deposit = deposit.unwrap_or(fee_sat);
    if deposit < fee_sat {
        let message = format!("{deposit} sat are less than the entrance fee of {fee_sat} sat");
        return Err(ApiError::new("dao_deposit_low", message));
    }
    let rate = node.money.usual_rate(node, fee).await?;
    forget_unpublished(node, &running.dao).await?;
    let (coins, cost) = choose(node.money.confirmed_coins(depth).await?, deposit, rate, depth)?;
    let mut shown = DaoMembership {
        dao_id: running.dao,
        peer_id: me,
        state: DaoState::None,
        txid: None,
        amount_sat: deposit,
        fee_sat: cost,
        warnings: vec![Caution::LossPossible],
    };
    if dry_run {
        return Ok(shown);
    }
    let key = node.money.unlocked_member_key(node, &running.dao, passphrase).await?;
    let join = Join {
        network: node.money.network(),
        dao: running.dao,
        key: key.x_only_public_key().0,
        leave: node.money.fresh_script(node).await?,
        inputs: inputs(node, &coins).await?,
        change: node.money.fresh_script(node).await?,
        deposit: Amount::from_sat(deposit),
    };
    let kept = Wish {
        join: id_of(&me, &join),
        coins: coins.iter().map(|(coin, _)| coin.outpoint).collect(),
        taken_back: false,
    };
    node.store.set_setting(&setting(&running.dao), &kept).await?;
    node.money.reserve(&kept.coins, true).await?;
    crate::money::fault_point("dao_wished");
    match records::publish(node, join).await {
        Ok(record) => running.driven().await.record(node, &record).await?,
        Err(error) => {
            node.money.reserve(&kept.coins, false).await?;
            node.store.remove_setting(&setting(&running.dao)).await?;
            return Err(error);
        }
    }
    running.poke();
    shown.state = DaoState::Requested;
    Ok(shown)
}

fn check_may_join(driven: &Driven) -> Result<(), ApiError> {
    let (state, member) = (driven.member.state(), &driven.member);
    if super::show::is_over(member) || state.dissolving {
        return Err(ApiError::new("dao_ended", "this DAO has ended: nobody joins it any more"));
    }
    match super::show::membership(member, &driven.member_id()) {
        DaoState::None | DaoState::Requested | DaoState::Signing => Ok(()),
        _ => Err(ApiError::new("dao_joined", "you are a member of this DAO already")),
    }
}

/// Refuses a second wish while one waits. Whoever left asks anew; a wish that an earlier run kept and did not come to
/// publish gives its coins back.
async fn check_no_wish(node: &Inner, driven: &Driven) -> Result<(), ApiError> {
    let wish = wish(node, &driven.dao).await?.filter(|wish| !wish.taken_back);
    let Some(Wish { join, coins, .. }) = wish else { return Ok(()) };
    let evidence = driven.member.evidence();
    if !evidence.joins.contains_key(&join) {
        node.money.reserve(&coins, false).await?;
        node.store.remove_setting(&setting(&driven.dao)).await?;
    } else if !evidence.leaves.contains(&(driven.member_id(), join)) {
        let message = "this wish to join is signed already, and waits for the members";
        return Err(ApiError::new("dao_join_waits", message));
    }
    Ok(())
}

/// Lets go of a wish that was kept and, since the node ended, not published: nobody can know of it, and its coins may be
/// chosen again.
///
/// # Errors
/// `wallet_none`, and those of the database.
pub(super) async fn forget_unpublished(node: &Inner, dao: &DaoId) -> Result<(), ApiError> {
    let Some(wish) = wish(node, dao).await?.filter(|wish| !wish.taken_back) else { return Ok(()) };
    if node.store.record(&wish.join).await?.is_none() {
        node.money.reserve(&wish.coins, false).await?;
        node.store.remove_setting(&setting(dao)).await?;
    }
    Ok(())
}

/// Chooses the smallest coin that is enough, else the largest few; says what it costs at most.
fn choose(
    mut coins: Vec<(Coin, u32)>,
    deposit: u64,
    rate: FeeRate,
    depth: u32,
) -> Result<(Vec<(Coin, u32)>, u64), ApiError> {
    let cost = |count: u64| {
        let vbytes = INPUT * count + CHANGE + BASE;
        // The transaction is built later: the coins are enough for twice of what is usual now.
        (rate.to_sat_per_kwu() * 4 * 2 * vbytes).div_ceil(1_000) + REFUND
    };
    coins.sort_by_key(|(coin, _)| coin.amount);
    let single = coins.iter().find(|(coin, _)| coin.amount.to_sat() >= deposit.saturating_add(cost(1)));
    if let Some(coin) = single {
        return Ok((vec![coin.clone()], cost(1)));
    }
    let largest: Vec<_> = coins.into_iter().rev().take(MAX_JOIN_INPUTS).collect();
    let sum: u64 = largest.iter().map(|(coin, _)| coin.amount.to_sat()).sum();
    let cost = cost(largest.len() as u64);
    let needed = deposit.saturating_add(cost);
    match sum >= needed {
        true => Ok((largest, cost)),
        false => Err(ApiError::new(
            "dao_coins",
            format!(
                "joining takes {needed} sat in at most {MAX_JOIN_INPUTS} coins with {depth} confirmations, and \
                 there are {sum} sat in such coins: wait for blocks, or put coins together by sending them to \
                 yourself"
            ),
        )),
    }
}

async fn inputs(node: &Arc<Inner>, coins: &[(Coin, u32)]) -> Result<Vec<JoinInput>, ApiError> {
    let chain = super::chain(node).await?;
    let mut inputs = Vec::new();
    for (coin, height) in coins {
        chain.reach(height.saturating_sub(1)).await?;
        let unknown = || ApiError::new("wallet_behind", "a block of a coin is not known: wait until it is");
        let block = chain.block_id(*height).ok_or_else(unknown)?.hash;
        let (value, script) = (coin.amount, coin.script.clone());
        inputs.push(JoinInput { outpoint: coin.outpoint, value, script, block });
    }
    Ok(inputs)
}

/// Has the wallet sign its inputs of a transaction: those that the standing wish names, and no other.
///
/// # Errors
/// `dao_join_taken_back`, `wallet_locked`, and where a coin is gone.
pub(super) async fn sign(
    node: &Arc<Inner>,
    driven: &Driven,
    transaction: &Transaction,
    spent: &[TxOut],
    inputs: &[usize],
) -> Result<Vec<Witness>, ApiError> {
    let wish = wish(node, &driven.dao).await?.filter(|wish| !wish.taken_back);
    let named = |wish: &Wish| {
        inputs.iter().all(|input| {
            let input = transaction.input.get(*input);
            input.is_some_and(|input| wish.coins.contains(&input.previous_output))
        })
    };
    if !wish.is_some_and(|wish| named(&wish)) {
        let message = "the wish to join was taken back, or does not name these coins: nothing is signed";
        return Err(ApiError::new("dao_join_taken_back", message));
    }
    node.money.sign_inputs(transaction, spent, inputs).await
}

/// Leaves with the claim, or takes the wish to join back.
///
/// # Errors
/// `dao_not_member`, and those of publishing.
pub(super) async fn leave(node: &Arc<Inner>, running: &Running) -> Result<(), ApiError> {
    let me = node.identity.id();
    let join = {
        let driven = running.driven().await;
        let join = driven.member.state().member(&me).map(|member| member.join);
        if join.is_some() && super::show::is_over(&driven.member) {
            return Err(super::show::over());
        }
        join
    };
    if let Some(join) = join {
        let leave = Leave { network: node.money.network(), dao: running.dao, join };
        let record = records::publish(node, leave).await?;
        return running.driven().await.record(node, &record).await;
    }
    let mut driven = running.driven().await;
    let Some(wish) = wish(node, &running.dao).await?.filter(|wish| !wish.taken_back) else {
        return Err(ApiError::new("dao_not_member", "you are no member of this DAO, and do not wish to be"));
    };
    if driven.is_signed_for(&wish.join) {
        let message = "your signature is given and the transaction may still be sent: leave once you are in";
        return Err(ApiError::new("dao_join_signed", message));
    }
    take_back(node, &mut driven, wish).await
}

/// From here on nothing of it is signed; then the members are told, so that they wait for nothing.
async fn take_back(node: &Arc<Inner>, driven: &mut Driven, wish: Wish) -> Result<(), ApiError> {
    let Wish { join, coins, .. } = wish.clone();
    let taken_back = Wish { taken_back: true, ..wish };
    node.store.set_setting(&setting(&driven.dao), &taken_back).await?;
    node.money.reserve(&coins, false).await?;
    let leave = Leave { network: node.money.network(), dao: driven.dao, join };
    let record = records::publish(node, leave).await?;
    driven.record(node, &record).await
}

/// Releases what was kept to join with, once the owner is in or nobody can be.
pub(super) async fn settle(node: &Arc<Inner>, driven: &Driven) {
    let me = node.identity.id();
    let Ok(Some(wish)) = wish(node, &driven.dao).await else { return };
    let state = driven.member.state();
    let is_in = state.member(&me).is_some_and(|member| member.join == wish.join);
    let is_over = state.has_ended() || driven.member.refunded().is_some();
    if (is_in || is_over)
        && let Err(error) = node.money.reserve(&wish.coins, false).await
    {
        tracing::warn!(code = error.code, message = error.message, "coins stay locked");
    }
}

/// Says whether the owner wishes to join.
pub(super) async fn wishes(node: &Inner, dao: &DaoId) -> Result<Option<SlotId>, ApiError> {
    let wish = wish(node, dao).await?;
    Ok(wish.filter(|wish| !wish.taken_back).map(|wish| wish.join))
}

/// What was set aside to join with, for a backup.
///
/// # Errors
/// Those of the database.
pub(super) async fn kept(node: &Inner, dao: &DaoId) -> Result<Option<serde_json::Value>, ApiError> {
    Ok(node.store.setting(&setting(dao)).await?)
}

/// Takes from a backup what was set aside to join with, where nothing is here.
///
/// # Errors
/// Those of the database.
pub(super) async fn restore(node: &Inner, dao: &DaoId, kept: &serde_json::Value) -> Result<(), ApiError> {
    match serde_json::from_value::<Wish>(kept.clone()) {
        Ok(found) if wish(node, dao).await?.is_none() => {
            node.store.set_setting(&setting(dao), &found).await?;
            Ok(())
        }
        _ => Ok(()),
    }
}

async fn wish(node: &Inner, dao: &DaoId) -> Result<Option<Wish>, ApiError> {
    Ok(node.store.setting(&setting(dao)).await?)
}

fn setting(dao: &DaoId) -> String {
    format!("dao_join_{dao}")
}
