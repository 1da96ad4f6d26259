//! The signed records of a DAO.

use std::sync::Arc;

use domain::{
    Kind, PeerId, Record, SlotId,
    kinds::{
        Ballot, Charter, DaoId, Delegation, Intent, Join, Leave, Note, Payee, Proposal, ProposalId, Vouch, id,
    },
};
use treasury::paying::id_of;

use crate::{api::ApiError, node::Inner};

/// Reads a charter and who wrote it.
///
/// # Errors
/// `dao_unknown` where it has not come.
pub(super) async fn charter(node: &Inner, dao: &DaoId) -> Result<(PeerId, Charter), ApiError> {
    let record = node.store.record(dao).await?;
    let charter = record.and_then(|record| {
        super::charter_of(&record, node.money.network()).map(|charter| (record.author, charter))
    });
    charter.ok_or_else(|| super::unknown(dao))
}

/// Says which DAO a record is of; of a ballot, which proposal.
pub(super) enum Of {
    Dao(DaoId),
    Proposal(ProposalId),
    Other,
}

/// Says what a record is of.
pub(super) fn of(record: &Record) -> Of {
    fn body<K: Kind>(record: &Record) -> Option<K> {
        record.read::<K>().ok().flatten()
    }
    let dao = match record.kind {
        id::CHARTER => Some(record.slot),
        id::JOIN => body::<Join>(record).map(|it| it.dao),
        id::VOUCH => body::<Vouch>(record).map(|it| it.dao),
        id::PROPOSAL => body::<Proposal>(record).map(|it| it.dao),
        id::DELEGATION => body::<Delegation>(record).map(|it| it.dao),
        id::LEAVE => body::<Leave>(record).map(|it| it.dao),
        id::NOTE => body::<Note>(record).and_then(|it| match it.payee {
            Payee::Dao(dao) => Some(DaoId::from_bytes(dao)),
            Payee::Script(_) => None,
        }),
        id::BALLOT => return body::<Ballot>(record).map_or(Of::Other, |it| Of::Proposal(it.proposal)),
        _ => None,
    };
    dao.map_or(Of::Other, Of::Dao)
}

/// What a proposal asks to invest in: the offer and the artist's addresses.
pub(super) fn invests(record: &Record) -> Option<[SlotId; 2]> {
    match record.read::<Proposal>().ok().flatten()?.intent {
        Intent::Invest { offer, income, .. } => Some([offer, income]),
        _ => None,
    }
}

/// Signs a record of a DAO and returns it, also where it was signed before.
///
/// # Errors
/// `cannot_publish`, and those of publishing.
pub(super) async fn publish<K: Kind + Send + 'static>(
    node: &Arc<Inner>,
    body: K,
) -> Result<Record, ApiError> {
    if !node.can_publish() {
        let message =
            "this identity does not sign here now: wait until the swarm told what it signed elsewhere";
        return Err(ApiError::new("cannot_publish", message));
    }
    body.check()?;
    let slot = id_of(&node.identity.id(), &body);
    let known = node.store.record(&slot).await?;
    let is_same = |record: &Record| {
        let known = record.read::<K>().ok().flatten();
        known.is_some_and(|known| minicbor::to_vec(known).ok() == minicbor::to_vec(&body).ok())
    };
    match known.filter(is_same) {
        Some(record) => Ok(record),
        None => node.driver.publish(body).await,
    }
}
