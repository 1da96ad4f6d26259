//! Proposals are made.

use std::sync::Arc;

use domain::{
    bitcoin::Amount,
    kinds::{Intent, Output, Parameter, Proposal},
};
use treasury::wallet::parse_address;

use super::{proposals, records, running::Running};
use crate::{
    api::{ApiError, DaoIntent, DaoProposal},
    node::Inner,
};

/// Blocks until a proposal can no longer be approved where nothing is said: a week.
const EXPIRY: u32 = 1_008;

/// Proposes something.
///
/// # Errors
/// `dao_not_member`, `dao_parameter`, those of offers and addresses, and those of publishing.
pub(super) async fn propose(
    node: &Arc<Inner>,
    running: &Running,
    title: String,
    words: Option<String>,
    intent: DaoIntent,
    expiry_blocks: Option<u32>,
) -> Result<DaoProposal, ApiError> {
    let me = node.identity.id();
    let intent = intended(node, running, intent).await?;
    let proposal = {
        let driven = running.driven().await;
        let state = driven.member.state();
        if state.member(&me).is_none() {
            return Err(ApiError::new("dao_not_member", "only members propose something: join first"));
        }
        if super::show::is_over(&driven.member) {
            return Err(super::show::over());
        }
        let tip = driven.member.tip().map_or(state.height, |tip| tip.height);
        Proposal {
            network: node.money.network(),
            dao: running.dao,
            snapshot: *state.turn().as_bytes(),
            title,
            words,
            intent,
            expiry: tip.saturating_add(expiry_blocks.unwrap_or(EXPIRY)),
        }
    };
    let record = records::publish(node, proposal).await?;
    running.driven().await.record(node, &record).await?;
    proposals::show(node, running, record.slot).await
}

async fn intended(node: &Arc<Inner>, running: &Running, intent: DaoIntent) -> Result<Intent, ApiError> {
    Ok(match intent {
        DaoIntent::Invest { offer, amount_sat } => {
            let amount = Amount::from_sat(amount_sat);
            let (artist, income, index) = crate::money::investment(node, &offer, amount).await?;
            Intent::Invest { artist, offer, amount, income, index }
        }
        DaoIntent::Pay { outputs } => {
            let outputs = outputs.into_iter().map(|output| {
                let address = parse_address(&output.address, node.money.network())?;
                Ok(Output { script: address.script_pubkey(), amount: Amount::from_sat(output.amount_sat) })
            });
            Intent::Pay { outputs: outputs.collect::<Result<_, ApiError>>()? }
        }
        DaoIntent::Set { parameter, value } => {
            let parameter = parameter_of(&parameter)?;
            let driven = running.driven().await;
            driven.member.state().rules.with(parameter, value, node.money.network())?;
            Intent::Set { parameter, value }
        }
        DaoIntent::Admit { peer } => Intent::Admit(peer),
        DaoIntent::Remove { peer } => Intent::Remove(peer),
        DaoIntent::Refresh => Intent::Refresh,
        DaoIntent::Dissolve => Intent::Dissolve,
    })
}

/// The words of parameters.
const PARAMETERS: [(&str, Parameter); 7] = [
    ("entrance_fee", Parameter::EntranceFee),
    ("policy", Parameter::Policy),
    ("threshold", Parameter::Threshold),
    ("spending", Parameter::Spending),
    ("vouches", Parameter::Vouches),
    ("season", Parameter::Season),
    ("growth", Parameter::Growth),
];

fn parameter_of(word: &str) -> Result<Parameter, ApiError> {
    let known = PARAMETERS.into_iter().find(|(known, _)| *known == word);
    known.map(|(_, parameter)| parameter).ok_or_else(|| {
        let words = PARAMETERS.map(|(word, _)| word).join(", ");
        ApiError::new("dao_parameter", format!("`{word:.40}` is no rule that can be set; these can: {words}"))
    })
}

/// The word of a parameter.
pub(super) fn parameter_word(parameter: Parameter) -> &'static str {
    PARAMETERS.into_iter().find(|(_, known)| *known == parameter).map_or("", |(word, _)| word)
}
