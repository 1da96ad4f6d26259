//! Answers what is asked about DAOs.

use std::{sync::Arc, time::Duration};

use domain::{
    PeerId,
    bitcoin::Amount,
    kinds::{Charter, Construction, DEFAULT_RECOVERY, DaoId, Delegation, JoinPolicy, Rules, Vouch},
};
use treasury::{
    dao::member::{Command, Input},
    paying::id_of,
};

use super::{bump, join, proposals, propose, records, running::Running, show};
use crate::{
    api::{
        ApiError, DaoCharter, DaoCommand, DaoConstruction, DaoCreated, DaoPolicy, DaoRecovered, DaoStarted,
        Response,
    },
    node::{Inner, random_bytes},
};

/// Fewest founders where none is said.
const FOUNDERS: u8 = 3;
/// Confirmations of a joiner's coin where none is said.
const DEPTH: u8 = 6;
/// How long the DAO is given for the first look at the chain before it is shown as far as it is known.
const FIRST_LOOK: Duration = Duration::from_secs(20);

/// Answers a command about DAOs.
pub(super) async fn answer(node: &Arc<Inner>, command: DaoCommand) -> Result<Response, ApiError> {
    use DaoCommand as C;
    Ok(match command {
        C::Create(charter) => create(node, charter).await?.into(),
        C::List => show::list(node).await?.into(),
        C::Show { dao } => Box::new(show::show(node, opened(node, &dao).await?.as_ref()).await?).into(),
        C::Join { dao, deposit_sat, pay } => {
            join::join(node, opened(node, &dao).await?.as_ref(), deposit_sat, pay).await?.into()
        }
        C::Start { dao, passphrase } => {
            start(node, opened(node, &dao).await?.as_ref(), passphrase).await?.into()
        }
        C::Vouch { dao, peer } => vouch(node, opened(node, &dao).await?.as_ref(), peer).await?.into(),
        C::Leave { dao } => {
            let running = opened(node, &dao).await?;
            join::leave(node, &running).await?;
            show::of_member(node, &running, node.identity.id()).await?.into()
        }
        C::Propose { dao, title, words, intent, expiry_blocks } => {
            let running = opened(node, &dao).await?;
            propose::propose(node, &running, title, words, intent, expiry_blocks).await?.into()
        }
        C::Proposals { dao } => proposals::list(node, opened(node, &dao).await?.as_ref()).await?.into(),
        C::Vote { dao, proposal, choice } => {
            proposals::vote(node, opened(node, &dao).await?.as_ref(), proposal, choice).await?.into()
        }
        C::Delegate { dao, to } => {
            let running = opened(node, &dao).await?;
            delegate(node, &running, to).await?;
            Box::new(show::show(node, &running).await?).into()
        }
        C::Refunds { dao } => {
            let running = opened(node, &dao).await?;
            let driven = running.driven().await;
            show::refunds(node, &driven)?.into()
        }
        C::Recover { dao } => recover(node, opened(node, &dao).await?.as_ref()).await?.into(),
        C::Bump { dao, txid, pay } => {
            bump::bump(node, opened(node, &dao).await?.as_ref(), txid, pay).await?.into()
        }
        C::Audit { dao } => {
            let running = opened(node, &dao).await?;
            let driven = running.driven().await;
            show::audit(&driven).into()
        }
    })
}

/// A link that brings somebody to a DAO.
pub(super) fn invite(node: &Inner, dao: &DaoId) -> String {
    crate::links::share_dao(node, dao)
}

/// The DAO's task, after the first look at the chain where one can be taken.
async fn opened(node: &Arc<Inner>, dao: &DaoId) -> Result<Arc<Running>, ApiError> {
    let running = node.dao.open(node, dao).await?;
    let mut events = node.hub.listen();
    let looking = async {
        while {
            let driven = running.driven().await;
            driven.member.tip().is_none() && driven.waiting.is_none()
        } {
            let _ = tokio::time::timeout(Duration::from_millis(500), events.recv()).await;
        }
    };
    // What is not seen by then is shown as far as it is known.
    let _ = tokio::time::timeout(FIRST_LOOK, looking).await;
    Ok(running)
}

async fn create(node: &Arc<Inner>, wanted: DaoCharter) -> Result<DaoCreated, ApiError> {
    node.settings().money_allowed()?;
    let charter = charter_of(node, wanted)?;
    let dao = id_of(&node.identity.id(), &charter);
    records::publish(node, charter).await?;
    node.dao.open(node, &dao).await?;
    Ok(DaoCreated { dao_id: dao, invite: invite(node, &dao), code: crate::links::dao_code(node, &dao) })
}

fn charter_of(node: &Inner, wanted: DaoCharter) -> Result<Charter, ApiError> {
    let defaults = Rules::with_fee(Amount::from_sat(wanted.fee_sat));
    Ok(Charter {
        network: node.money.network(),
        salt: random_bytes()?,
        name: wanted.name.trim().to_owned(),
        purpose: wanted.purpose.trim().to_owned(),
        construction: match wanted.construction {
            DaoConstruction::MultiA => Construction::MultiA,
            DaoConstruction::SortedMulti => Construction::SortedMulti,
            DaoConstruction::MuSig2 => Construction::MuSig2,
            DaoConstruction::Frost => Construction::Frost,
        },
        founders: wanted.founders.unwrap_or(FOUNDERS),
        recovery: wanted.recovery_blocks.unwrap_or(DEFAULT_RECOVERY),
        depth: wanted.depth.unwrap_or(DEPTH),
        confirmations: 1,
        rules: Rules {
            policy: match wanted.policy {
                DaoPolicy::Open => JoinPolicy::Open,
                DaoPolicy::Vouched => JoinPolicy::Vouched,
                DaoPolicy::Admitted => JoinPolicy::Admitted,
            },
            threshold: wanted.threshold_percent.unwrap_or(defaults.threshold),
            spending: wanted.spending_percent.unwrap_or(defaults.spending),
            vouches: wanted.vouches.unwrap_or(defaults.vouches),
            season: wanted.season_blocks.unwrap_or(defaults.season),
            growth: wanted.growth_percent.unwrap_or(defaults.growth),
            ..defaults
        },
    })
}

/// Closes the set of founders.
async fn start(
    node: &Arc<Inner>,
    running: &Running,
    passphrase: Option<String>,
) -> Result<DaoStarted, ApiError> {
    if running.creator != node.identity.id() {
        let message = "only whoever wrote the charter starts the DAO, so that there are never two";
        return Err(ApiError::new("dao_not_creator", message));
    }
    node.money.unlocked_member_key(node, &running.dao, passphrase).await?;
    let mut driven = running.driven().await;
    driven.settle(node).await?;
    let state = driven.member.state();
    if !state.is_unfounded() {
        return Err(ApiError::new("dao_started", "this DAO was founded already"));
    }
    let registered = show::registered(&driven.member);
    let least = usize::from(running.charter.founders);
    if registered.len() < least {
        let message = format!("{} registered, and at least {least} must found it", registered.len());
        return Err(ApiError::new("dao_founders", message));
    }
    if !registered.contains_key(&node.identity.id()) {
        let message = "the creator founds the DAO with the others: join it first";
        return Err(ApiError::new("dao_creator_absent", message));
    }
    driven.handle(node, Input::Command(Command::Start)).await?;
    let attempt = driven.member.attempts().into_iter().next();
    Ok(DaoStarted { dao_id: running.dao, epoch: 0, txid: attempt.map(|it| it.txid.to_string()) })
}

async fn vouch(
    node: &Arc<Inner>,
    running: &Running,
    peer: PeerId,
) -> Result<crate::api::DaoMembership, ApiError> {
    let me = node.identity.id();
    {
        let driven = running.driven().await;
        let state = driven.member.state();
        if peer == me {
            return Err(ApiError::new("dao_vouch_self", "nobody vouches for themselves: ask another member"));
        }
        if state.member(&me).is_none_or(|member| member.counted.is_none()) {
            let message = "only members who are counted themselves vouch for others";
            return Err(ApiError::new("dao_not_counted", message));
        }
    }
    let vouch = Vouch { network: node.money.network(), dao: running.dao, member: peer };
    let record = records::publish(node, vouch).await?;
    running.driven().await.record(node, &record).await?;
    show::of_member(node, running, peer).await
}

async fn delegate(node: &Arc<Inner>, running: &Running, to: Option<PeerId>) -> Result<(), ApiError> {
    let me = node.identity.id();
    {
        let driven = running.driven().await;
        let state = driven.member.state();
        if to.is_some_and(|to| to == me || state.member(&to).is_none()) {
            let message = "a vote can only follow another member's";
            return Err(ApiError::new("dao_not_member", message));
        }
    }
    let delegation = Delegation { network: node.money.network(), dao: running.dao, to };
    let record = records::publish(node, delegation).await?;
    running.driven().await.record(node, &record).await
}

/// Sends the refund.
async fn recover(node: &Arc<Inner>, running: &Running) -> Result<DaoRecovered, ApiError> {
    let mut driven = running.driven().await;
    if show::is_over(&driven.member) {
        return Err(show::over());
    }
    let refunds = show::refunds(node, &driven)?;
    let first = refunds.refunds.first().ok_or_else(show::no_coin)?;
    let tip = driven.member.tip().map_or(0, |tip| tip.height);
    match first.spendable_at {
        Some(height) if tip + 1 >= height => {}
        Some(height) => {
            let message =
                format!("the refund can be sent from block {height} on, and the newest one is {tip}");
            return Err(ApiError::new("dao_too_early", message));
        }
        None => {
            let message =
                "the coin is in no block that is known here: wait until the chain was looked through";
            return Err(ApiError::new("dao_missing_coin", message));
        }
    }
    driven.handle(node, Input::Command(Command::Recover)).await?;
    Ok(DaoRecovered { txid: first.txid.clone() })
}
