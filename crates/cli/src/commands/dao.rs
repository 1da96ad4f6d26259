//! DAOs: one treasury that many share.

use node::{
    api::{
        ApiError, Dao, DaoAudit, DaoCharter, DaoCommand, DaoCreated, DaoIntent, DaoMembership, DaoOutput,
        DaoProposal, DaoProposals, DaoRecovered, DaoRefunds, DaoStarted, DaoState, Daos, Opened, Pay,
        Request, Sent,
    },
    domain::{PeerId, SlotId, parse_amount},
};

use super::{
    Context,
    money::{consent, terms},
    running::{drawing, read_passphrase},
    same_name,
};
use crate::{
    args::{
        BumpArgs, CharterArgs, DaoAction, IntentAction, JoinArgs, ParameterText, PassphraseArgs, ProposalArgs,
    },
    failure::Failure,
    human::dao::what_next,
    id::{ArtistText, DaoText, IdText},
    output::Human,
    session::Answer,
};

/// What the node answers about a DAO that has not arrived here.
const DAO_UNKNOWN: &str = "dao_unknown";
/// What the node answers where the passphrase is needed.
const WALLET_LOCKED: &str = "wallet_locked";
/// What a link to a DAO is opened as.
const LINK_KIND: &str = "dao";

impl Context<'_> {
    pub(super) async fn dao(&self, action: DaoAction) -> Result<(), Failure> {
        match action {
            DaoAction::Create(args) => self.create_dao(args).await,
            DaoAction::List => self.output.say(&self.ask_dao::<Daos>(DaoCommand::List).await?),
            DaoAction::Show { dao, qr } => self.show_dao(&dao, qr).await,
            DaoAction::Join(args) => self.join_dao(args).await,
            DaoAction::Start { dao, passphrase } => self.start_dao(&dao, &passphrase).await,
            DaoAction::Vouch { dao, peer } => {
                let dao = self.dao_id(&dao).await?;
                let peer = self.member_id(dao, &peer).await?;
                self.say_membership(DaoCommand::Vouch { dao, peer }).await
            }
            DaoAction::Leave { dao } => {
                let dao = self.dao_id(&dao).await?;
                self.say_membership(DaoCommand::Leave { dao }).await
            }
            DaoAction::Propose { dao, intent } => self.propose(&dao, intent).await,
            DaoAction::Proposals { dao } => {
                let dao = self.dao_id(&dao).await?;
                self.output.say(&self.ask_dao::<DaoProposals>(DaoCommand::Proposals { dao }).await?)
            }
            DaoAction::Vote { dao, proposal, choice } => {
                let dao = self.dao_id(&dao).await?;
                let proposal = self.proposal_id(dao, &proposal).await?;
                let vote = DaoCommand::Vote { dao, proposal, choice: choice.into() };
                self.say_signed(&self.ask_dao::<DaoProposal>(vote).await?)
            }
            DaoAction::Delegate { dao, to, .. } => self.delegate(&dao, to.as_ref()).await,
            DaoAction::Refunds { dao } => {
                let dao = self.dao_id(&dao).await?;
                self.output.say(&self.ask_dao::<DaoRefunds>(DaoCommand::Refunds { dao }).await?)
            }
            DaoAction::Recover { dao } => {
                self.caught_up().await?;
                let dao = self.dao_id(&dao).await?;
                self.output.say(&self.ask_dao::<DaoRecovered>(DaoCommand::Recover { dao }).await?)
            }
            DaoAction::Bump(args) => self.bump_dao(args).await,
            DaoAction::Audit { dao } => {
                let dao = self.dao_id(&dao).await?;
                self.output.say(&self.ask_dao::<DaoAudit>(DaoCommand::Audit { dao }).await?)
            }
        }
    }

    async fn create_dao(&self, args: CharterArgs) -> Result<(), Failure> {
        let charter = DaoCharter {
            name: args.name,
            purpose: args.purpose,
            fee_sat: args.fee.0,
            threshold_percent: args.threshold,
            founders: args.founders,
            vouches: args.vouches,
            recovery_blocks: args.recovery,
            depth: args.depth,
            policy: args.policy.into(),
            construction: args.construction.into(),
            spending_percent: args.spending,
            season_blocks: args.season,
            growth_percent: args.growth,
        };
        let created: DaoCreated = self.ask_dao(DaoCommand::Create(charter)).await?;
        let code = if args.qr { drawing(&created.code)? } else { String::new() };
        self.output.say_as(&created, || format!("{code}{}", created.human()))?;
        self.remind_of_daemon("Others find it while");
        Ok(())
    }

    async fn show_dao(&self, dao: &DaoText, qr: bool) -> Result<(), Failure> {
        let dao = self.dao_id(dao).await?;
        let shown = self.known_dao(dao).await?;
        let code = if qr { drawing(&shown.code)? } else { String::new() };
        self.output.say_as(&shown, || format!("{code}{}{}", shown.human(), what_next(&shown)))
    }

    /// Asks to be let in; a node of this command's own stays until others sign, or time is up.
    async fn join_dao(&self, args: JoinArgs) -> Result<(), Failure> {
        let JoinArgs { dao, deposit, yes, pay } = args;
        self.caught_up().await?;
        let dao = self.dao_id(&dao).await?;
        self.known_dao(dao).await?;
        let deposit_sat = deposit.map(|deposit| deposit.0);
        let join = |pay| Request::Dao(DaoCommand::Join { dao, deposit_sat, pay });
        if !yes && !pay.dry_run && self.may_prompt() {
            let trial: DaoMembership = self.ask(join(Pay { dry_run: true, ..terms(&pay)? })).await?;
            let question = format!(
                "Pay {} sat in, and at most about {} sat for the network, once you are let in?",
                trial.amount_sat, trial.fee_sat
            );
            consent(&trial.warnings, &question)?;
        }
        let mut membership: DaoMembership = self.paid(&pay, join).await?;
        if !pay.dry_run && self.session.is_embedded() {
            let is_let_in = |answer: &Result<Dao, ApiError>| !matches!(answer, Ok(dao) if matches!(dao.membership, DaoState::None | DaoState::Requested));
            let shown = self.session.ask_until(Request::Dao(DaoCommand::Show { dao }), is_let_in).await?;
            membership.state = shown.membership;
            membership.txid = membership.txid.or(shown.signing.map(|signing| signing.txid));
        }
        self.say_signed(&membership)
    }

    /// Starts the DAO, and waits for the transaction that founds it.
    async fn start_dao(&self, dao: &DaoText, passphrase: &PassphraseArgs) -> Result<(), Failure> {
        self.caught_up().await?;
        let dao = self.dao_id(dao).await?;
        let given = passphrase.passphrase_file.as_deref().map(read_passphrase).transpose()?;
        let start = |passphrase| Request::Dao(DaoCommand::Start { dao, passphrase });
        let mut started: DaoStarted = match self.session.ask(start(given)).await {
            Err(error) if error.code == WALLET_LOCKED && self.may_prompt() => {
                let typed = rpassword::prompt_password("Passphrase of the wallet: ")?;
                self.ask(start(Some(typed))).await?
            }
            answer => answer?,
        };
        if started.txid.is_none() {
            let is_named = |answer: &Result<Dao, ApiError>| !matches!(answer, Ok(dao) if dao.signing.is_none() && dao.coin.is_none());
            let shown = self.session.ask_in_time(Request::Dao(DaoCommand::Show { dao }), is_named).await?;
            let turn = shown.turns.last().map(|turn| turn.txid.clone());
            started.txid = shown.signing.map(|signing| signing.txid).or(turn);
        }
        self.say_signed(&started)
    }

    /// Pays for a transaction of the treasury from the own wallet, after saying what that costs.
    async fn bump_dao(&self, args: BumpArgs) -> Result<(), Failure> {
        let BumpArgs { dao, txid, yes, pay } = args;
        self.caught_up().await?;
        let dao = self.dao_id(&dao).await?;
        self.known_dao(dao).await?;
        let bump = |pay| Request::Dao(DaoCommand::Bump { dao, txid: txid.clone(), pay });
        if !yes && !pay.dry_run && self.may_prompt() {
            let trial: Sent = self.ask(bump(Pay { dry_run: true, ..terms(&pay)? })).await?;
            let question = format!("Pay {} sat from your wallet, so that it confirms sooner?", trial.fee_sat);
            consent(&trial.warnings, &question)?;
        }
        let sent: Sent = self.paid(&pay, bump).await?;
        self.sent(&sent).await
    }

    async fn say_membership(&self, command: DaoCommand) -> Result<(), Failure> {
        self.say_signed(&self.ask_dao::<DaoMembership>(command).await?)
    }

    /// Tells of something that other members have to hear of.
    fn say_signed(&self, answer: &impl Human) -> Result<(), Failure> {
        self.output.say(answer)?;
        self.remind_of_daemon("The others hear of it, and transactions get your signature, while");
        Ok(())
    }

    async fn propose(&self, dao: &DaoText, intent: IntentAction) -> Result<(), Failure> {
        let dao = self.dao_id(dao).await?;
        self.known_dao(dao).await?;
        let (intent, words) = match intent {
            IntentAction::Invest { offer, amount, words } => {
                (DaoIntent::Invest { offer: self.offer_id(&offer).await?, amount_sat: amount.0 }, words)
            }
            IntentAction::Pay { payees, words } => (DaoIntent::Pay { outputs: outputs(&payees)? }, words),
            IntentAction::Set { parameter, value, words } => (rule(parameter, &value)?, words),
            IntentAction::Admit { peer, words } => {
                (DaoIntent::Admit { peer: self.member_id(dao, &peer).await? }, words)
            }
            IntentAction::Remove { peer, words } => {
                (DaoIntent::Remove { peer: self.member_id(dao, &peer).await? }, words)
            }
            IntentAction::Refresh { words } => (DaoIntent::Refresh, words),
            IntentAction::Dissolve { words } => (DaoIntent::Dissolve, words),
        };
        let ProposalArgs { title, words, expiry } = words;
        let command = DaoCommand::Propose { dao, title, words, intent, expiry_blocks: expiry };
        self.say_signed(&self.ask_dao::<DaoProposal>(command).await?)
    }

    async fn delegate(&self, dao: &DaoText, to: Option<&ArtistText>) -> Result<(), Failure> {
        let dao = self.dao_id(dao).await?;
        let to = match to {
            Some(to) => Some(self.member_id(dao, to).await?),
            None => None,
        };
        let shown: Dao = self.ask_dao(DaoCommand::Delegate { dao, to }).await?;
        let name = |peer| shown.members.iter().find(|member| member.peer_id == peer);
        let words = match shown.delegate {
            Some(peer) => {
                let name = name(peer).map_or_else(|| peer.to_string(), |member| member.name.clone());
                format!("Your node votes as {} does, until you say otherwise.\n", crate::text::clean(&name))
            }
            None => "You vote for yourself.\n".to_owned(),
        };
        self.output.say_as(&shown, || words)
    }

    /// Finds the DAO that is meant; a link to one is opened, which joins whoever gave it.
    async fn dao_id(&self, dao: &DaoText) -> Result<SlotId, Failure> {
        match dao {
            DaoText::Id(id) => match id.whole() {
                Some(dao) => Ok(dao),
                None => Ok(id.pick(self.daos().await?.into_iter().map(|(dao, _)| dao))?),
            },
            DaoText::Name(name) => self.dao_called(name).await,
            DaoText::Link(link) => {
                let opened: Opened = self.ask(Request::Open { link: link.clone(), wait_ms: None }).await?;
                let dao = opened.id.parse().ok().filter(|_| opened.kind == LINK_KIND);
                Ok(dao.ok_or_else(|| ApiError::new("link_leads_elsewhere", "this link leads to no DAO"))?)
            }
        }
    }

    async fn dao_called(&self, name: &str) -> Result<SlotId, Failure> {
        let known = self.daos().await?;
        let named: Vec<SlotId> =
            known.iter().filter(|(_, other)| same_name(other, name)).map(|(dao, _)| *dao).collect();
        match named[..] {
            [dao] => Ok(dao),
            [] => {
                let message =
                    format!("no DAO known here is called `{name:.80}`; name it by its id or a link");
                Err(ApiError::new(DAO_UNKNOWN, message).into())
            }
            ref several => {
                let ids: Vec<String> = several.iter().map(crate::text::short).collect();
                let message = format!("several are called so; name one by the id: {}", ids.join(", "));
                Err(ApiError::new("dao_ambiguous", message).into())
            }
        }
    }

    async fn daos(&self) -> Result<Vec<(SlotId, String)>, Failure> {
        let Daos { daos } = self.ask_dao(DaoCommand::List).await?;
        Ok(daos.into_iter().map(|dao| (dao.dao_id, dao.name)).collect())
    }

    /// Finds who is meant: a member, or somebody who wants to be, else anybody by a whole id.
    async fn member_id(&self, dao: SlotId, peer: &ArtistText) -> Result<PeerId, Failure> {
        let whole = match peer {
            ArtistText::Id(id) => id.whole(),
            ArtistText::Name(_) => None,
        };
        if let Some(peer) = whole {
            return Ok(peer);
        }
        let Dao { members, .. } = self.known_dao(dao).await?;
        let name = match peer {
            ArtistText::Id(id) => {
                return Ok(id.pick(members.into_iter().map(|member| member.peer_id))?);
            }
            ArtistText::Name(name) => name,
        };
        let named: Vec<PeerId> =
            members.iter().filter(|one| same_name(&one.name, name)).map(|one| one.peer_id).collect();
        match named[..] {
            [peer] => Ok(peer),
            [] => {
                let message = format!("no member is called `{name:.80}`; name them by their id");
                Err(ApiError::new("member_unknown", message).into())
            }
            ref several => {
                let ids: Vec<String> = several.iter().map(crate::text::short).collect();
                let message = format!("several are called so; name one by the id: {}", ids.join(", "));
                Err(ApiError::new("member_ambiguous", message).into())
            }
        }
    }

    async fn proposal_id(&self, dao: SlotId, id: &IdText) -> Result<SlotId, Failure> {
        if let Some(proposal) = id.whole() {
            return Ok(proposal);
        }
        let DaoProposals { proposals } = self.ask_dao(DaoCommand::Proposals { dao }).await?;
        Ok(id.pick(proposals.into_iter().map(|proposal| proposal.proposal_id))?)
    }

    /// Shows a DAO; a node of this command's own waits until it has arrived.
    async fn known_dao(&self, dao: SlotId) -> Result<Dao, Failure> {
        self.ask_dao(DaoCommand::Show { dao }).await
    }

    async fn ask_dao<T: Answer>(&self, command: DaoCommand) -> Result<T, Failure> {
        let is_known =
            |answer: &Result<T, ApiError>| !matches!(answer, Err(error) if error.code == DAO_UNKNOWN);
        Ok(self.session.ask_until(Request::Dao(command), is_known).await?)
    }
}

/// Reads pairs of address and amount.
fn outputs(payees: &[String]) -> Result<Vec<DaoOutput>, ApiError> {
    let pairs = payees.chunks(2).map(|pair| match pair {
        [address, text] => {
            let amount =
                parse_amount(text).map_err(|error| ApiError::new(error.code(), error.to_string()))?;
            Ok(DaoOutput { address: address.clone(), amount_sat: amount.to_sat() })
        }
        _ => Err(ApiError::new("amount_missing", "every address needs an amount behind it")),
    });
    pairs.collect()
}

fn rule(parameter: ParameterText, value: &str) -> Result<DaoIntent, ApiError> {
    let value = parameter.value(value).map_err(|words| ApiError::new("rule_invalid", words))?;
    Ok(DaoIntent::Set { parameter: parameter.name().to_owned(), value })
}
