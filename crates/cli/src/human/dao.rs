//! DAOs in words: who shares what, what is voted on, and what to do next.

use std::fmt::Write;

use node::{
    api::{
        Dao, DaoAudit, DaoChoice, DaoCreated, DaoIntent, DaoMember, DaoMembership, DaoProposal,
        DaoProposalState, DaoProposals, DaoRecovered, DaoRefunds, DaoSigning, DaoStage, DaoStarted, DaoState,
        DaoTurn, Daos,
    },
    domain::PeerId,
};

use super::wallet::sats;
use crate::{
    output::Human,
    text::{
        Column::{Left, Right},
        clean, clean_lines, count, fields, moment, short, table, yes,
    },
};

/// Transactions that people are shown; `--json` has more.
const TURNS_SHOWN: usize = 10;

impl Human for DaoCreated {
    fn human(&self) -> String {
        let dao = short(self.dao_id);
        let mut text = fields(&[("dao", self.dao_id.to_string()), ("link", self.invite.clone())]);
        let _ = writeln!(
            text,
            "\nNext: hand the link to the other founders. Everybody, you too, says `musicdao dao join {dao}`;\n\
             once enough have, you say `musicdao dao start {dao}`."
        );
        text
    }
}

impl Human for Daos {
    fn human(&self) -> String {
        if self.daos.is_empty() {
            return "No DAO is known here: `musicdao dao create --name NAME --fee AMOUNT` makes one, and\n\
                    `musicdao dao join LINK` joins one by its link.\n"
                .to_owned();
        }
        let rows = self.daos.iter().map(|dao| {
            [
                short(dao.dao_id),
                dao.name.clone(),
                stage(dao.stage).to_owned(),
                dao.members.to_string(),
                dao.fee_sat.to_string(),
                dao.treasury_sat.to_string(),
                standing(dao.membership).to_owned(),
                dao.claim_sat.to_string(),
            ]
        });
        let columns = [
            Left("DAO"),
            Left("NAME"),
            Left("STATE"),
            Right("MEMBERS"),
            Right("FEE"),
            Right("TREASURY"),
            Left("YOU"),
            Right("YOUR CLAIM"),
        ];
        table(columns, rows)
    }
}

impl Human for Dao {
    fn human(&self) -> String {
        let mut text = format!("{}\n", clean(&self.name));
        if !self.purpose.is_empty() {
            let _ = writeln!(text, "{}", clean_lines(&self.purpose));
        }
        let _ = write!(text, "\n{}", fields(&self.figures()));
        if let Some(signing) = &self.signing {
            let _ = writeln!(text, "\n{}", signed(signing));
        }
        if !self.members.is_empty() {
            let _ = write!(text, "\n{}", self.people());
        }
        if !self.turns.is_empty() {
            let _ = write!(text, "\n{}", self.history());
        }
        for incident in &self.incidents {
            let name = incident.name.as_deref().map(clean).unwrap_or_else(|| "somebody".to_owned());
            let _ = writeln!(text, "{}: {name} [{}]", moment(incident.at_ms), clean(&incident.code));
        }
        if let Some(waiting) = &self.waiting {
            let _ = writeln!(text, "\nFigures are not of now: {}", clean_lines(waiting));
        }
        text
    }
}

/// The figures of a DAO, in parts.
trait Shown {
    fn figures(&self) -> Vec<(&'static str, String)>;
    fn treasury(&self) -> String;
    fn people(&self) -> String;
    fn history(&self) -> String;
    fn name(&self, peer: PeerId) -> String;
}

impl Shown for Dao {
    fn figures(&self) -> Vec<(&'static str, String)> {
        let rules = &self.charter;
        let mut lines = vec![
            ("dao", self.dao_id.to_string()),
            ("state", format!("{} on {}", stage(self.stage), self.network)),
            ("you", standing(self.membership).to_owned()),
            (
                "to join",
                match rules.vouches.unwrap_or_default() {
                    0 => format!("{} or more; whoever joins votes", sats(rules.fee_sat)),
                    1 => format!("{} or more; one vouch makes a member vote", sats(rules.fee_sat)),
                    vouches => {
                        format!("{} or more; {vouches} vouches make a member vote", sats(rules.fee_sat))
                    }
                },
            ),
        ];
        if let Some(epoch) = self.epoch {
            lines.push(("keys", format!("{} of {} sign; key set {epoch}", self.threshold, self.keys)));
        }
        if let Some(coin) = &self.coin {
            lines.push(("coin", format!("{coin}, {}", count(self.confirmations.into(), "block"))));
            lines.push(("treasury", self.treasury()));
            lines.push(("your claim", sats(self.claim_sat)));
        }
        if self.unprotected_sat > 0 {
            let words = "came in and is not part of the treasury yet; no refund covers it";
            lines.push(("beside it", format!("{} {words}", sats(self.unprotected_sat))));
        }
        if self.under_old_keys_sat > 0 {
            let words = "of that came in under keys that guard the coin no more";
            lines.push(("old keys", format!("{} {words}", sats(self.under_old_keys_sat))));
        }
        if self.coin.is_some() {
            lines.push((
                "fairness",
                format!(
                    "Gini {:.2}; more than half is {}; {} voted of late",
                    self.gini,
                    match self.nakamoto {
                        1 => "one member's".to_owned(),
                        members => format!("that of {members} members"),
                    },
                    self.turnout.map_or_else(|| "nobody".to_owned(), |part| format!("{:.0} %", part * 100.0))
                ),
            ));
        }
        if let Some(txid) = &self.refunded {
            lines.push(("refund", format!("paid everybody their claim: {txid}")));
        } else if let Some(height) = self.refund_height {
            lines.push(("refund", format!("from block {height} on, where the coin does not move before")));
        }
        if let Some(delegate) = self.delegate {
            lines.push(("you vote as", self.name(delegate)));
        }
        lines
    }

    fn treasury(&self) -> String {
        format!(
            "{} = {} claims + {} nobody's + {} for the refund's fee",
            sats(self.treasury_sat),
            sats(self.claims_sum_sat),
            sats(self.unassigned_sat),
            sats(self.reserve_sat)
        )
    }

    fn people(&self) -> String {
        let rows = self.members.iter().map(|member: &DaoMember| {
            [
                short(member.peer_id),
                member.name.clone(),
                standing(member.state).to_owned(),
                member.claim_sat.to_string(),
                member.reserved_sat.to_string(),
                yes(member.counted),
                yes(member.keyholder),
                format!("{}{}", member.vouches, if member.vouched_by_me { ", yours" } else { "" }),
            ]
        });
        let columns = [
            Left("MEMBER"),
            Left("NAME"),
            Left("STATE"),
            Right("CLAIM"),
            Right("RESERVED"),
            Left("VOTES"),
            Left("KEY"),
            Left("VOUCHES"),
        ];
        table(columns, rows)
    }

    fn history(&self) -> String {
        let rows = self.turns.iter().take(TURNS_SHOWN).map(|turn| {
            [
                turn.number.to_string(),
                turn.height.map_or_else(|| "waits".to_owned(), |height| height.to_string()),
                what_happened(turn),
                turn.treasury_sat.to_string(),
                turn.fee_sat.to_string(),
                turn.txid.chars().take(16).collect(),
            ]
        });
        let columns =
            [Right("NO"), Right("BLOCK"), Left("WHAT"), Right("TREASURY"), Right("FEE"), Left("TRANSACTION")];
        table(columns, rows)
    }

    fn name(&self, peer: PeerId) -> String {
        let member = self.members.iter().find(|member| member.peer_id == peer);
        member.map_or_else(|| peer.to_string(), |member| member.name.clone())
    }
}

/// Says what the owner can do now.
pub(crate) fn what_next(shown: &Dao) -> String {
    let dao = short(shown.dao_id);
    let next = match (shown.stage, shown.membership) {
        (DaoStage::Ended, _) => "It is over: the coin went out to its members.".to_owned(),
        (_, DaoState::None) => format!("Next: `musicdao dao join {dao} --dry-run` says what joining costs."),
        (DaoStage::Founding, _) => {
            let needed = u64::from(shown.charter.founders.unwrap_or(3));
            match needed.saturating_sub(shown.members.len() as u64) {
                0 => format!("Next: whoever created it says `musicdao dao start {dao}`."),
                1 => "Next: one more must join before it can start.".to_owned(),
                missing => format!("Next: {missing} more must join before it can start."),
            }
        }
        (DaoStage::Starting, _) => "Next: stay online until the first transaction is signed.".to_owned(),
        (_, DaoState::Requested | DaoState::Signing) => {
            "Next: stay online with an unlocked wallet; you are in when the transaction has its block."
                .to_owned()
        }
        (_, DaoState::Member) => {
            format!("Next: meet members who vouch for you: `musicdao dao vouch {dao} YOU`, said by them.")
        }
        (_, DaoState::Leaving) => "Next: nothing; the next transaction pays you out.".to_owned(),
        (_, DaoState::Counted) => {
            format!("Next: `musicdao dao proposals {dao}` lists what there is to vote on.")
        }
    };
    format!("\n{next}\n")
}

impl Human for DaoMembership {
    fn human(&self) -> String {
        let mut lines = vec![("state", standing(self.state).to_owned())];
        if self.amount_sat > 0 {
            lines.push(("amount", sats(self.amount_sat)));
        }
        if self.fee_sat > 0 {
            lines.push(("fee", format!("about {} at most", sats(self.fee_sat))));
        }
        if let Some(txid) = &self.txid {
            lines.push(("transaction", txid.clone()));
        }
        let mut text = fields(&lines);
        for warning in &self.warnings {
            let _ = writeln!(text, "Note: {warning}");
        }
        if self.state == DaoState::None {
            text.push_str("Nothing was paid.\n");
        }
        text
    }
}

impl Human for DaoStarted {
    fn human(&self) -> String {
        let txid = self.txid.clone().unwrap_or_else(|| "its signatures come in".to_owned());
        fields(&[("key set", self.epoch.to_string()), ("transaction", txid)])
    }
}

impl Human for DaoProposals {
    fn human(&self) -> String {
        if self.proposals.is_empty() {
            return "Nothing was proposed yet: `musicdao dao propose --help` shows what can be.\n".to_owned();
        }
        let rows = self.proposals.iter().map(|proposal| {
            [
                short(proposal.proposal_id),
                proposal.title.clone(),
                what(&proposal.intent),
                fate(proposal),
                votes(proposal),
                mine(proposal).to_owned(),
                proposal.author_name.clone(),
            ]
        });
        let columns = [
            Left("PROPOSAL"),
            Left("TITLE"),
            Left("WHAT"),
            Left("STATE"),
            Left("YES/NO/ABSTAIN"),
            Left("YOU"),
            Left("BY"),
        ];
        table(columns, rows)
    }
}

impl Human for DaoProposal {
    fn human(&self) -> String {
        let mut lines = vec![
            ("proposal", self.proposal_id.to_string()),
            ("title", self.title.clone()),
            ("by", self.author_name.clone()),
            ("what", what(&self.intent)),
            ("state", fate(self)),
            ("votes", format!("{}; {} of {} approve it", votes(self), self.needed, self.electorate)),
            ("you", mine(self).to_owned()),
            ("open until", format!("block {}", self.expiry)),
        ];
        if self.my_part_sat > 0 {
            lines.push(("your part", sats(self.my_part_sat)));
        }
        if let Some(left) = self.parts.iter().filter_map(|part| part.left_sat).min() {
            let payers = count(self.parts.len() as u64, "member");
            lines.push(("paid by", format!("{payers}; whoever is left least keeps {}", sats(left))));
        }
        if let Some(txid) = &self.txid {
            lines.push(("transaction", txid.clone()));
        }
        let mut text = fields(&lines);
        for output in &self.outputs {
            let _ = writeln!(text, "pays {}  {}", clean(&output.address), sats(output.amount_sat));
        }
        if let Some(words) = &self.words {
            let _ = writeln!(text, "\n{}", clean_lines(words));
        }
        text
    }
}

impl Human for DaoRefunds {
    fn human(&self) -> String {
        if self.refunds.is_empty() {
            return "No refund is complete here yet.\n".to_owned();
        }
        let rows = self.refunds.iter().map(|refund| {
            let from = refund.spendable_at.map(|height| height.to_string());
            [
                from.unwrap_or_else(|| "after the one before".to_owned()),
                refund.sat.to_string(),
                refund.claims.to_string(),
                refund.txid.chars().take(16).collect(),
            ]
        });
        let mut text = table([Left("FROM BLOCK"), Right("SAT"), Right("MEMBERS"), Left("TRANSACTION")], rows);
        let _ = writeln!(
            text,
            "\n{} of it is yours. From that block on anybody alone can send it: `musicdao dao recover DAO`.",
            sats(self.my_part_sat)
        );
        text
    }
}

impl Human for DaoRecovered {
    fn human(&self) -> String {
        let mut text = fields(&[("refund", self.txid.clone())]);
        text.push_str(
            "Everybody gets their claim once it is in a block. It is sent again until then; where it pays too little \
             for now,\n`musicdao dao bump DAO` adds to it from your wallet.\n",
        );
        text
    }
}

impl Human for DaoAudit {
    fn human(&self) -> String {
        let sum = self.claims_sum_sat.saturating_add(self.unassigned_sat).saturating_add(self.reserve_sat);
        let mut text = fields(&[
            ("on the chain", sats(self.treasury_sat)),
            ("claims", sats(self.claims_sum_sat)),
            ("nobody's", sats(self.unassigned_sat)),
            ("for the refund", sats(self.reserve_sat)),
            ("together", sats(sum)),
            ("verdict", if self.ok { "it adds up".to_owned() } else { "it does NOT add up".to_owned() }),
        ]);
        for problem in &self.problems {
            let _ = writeln!(text, "Problem: {}", clean(problem));
        }
        text
    }
}

fn stage(stage: DaoStage) -> &'static str {
    match stage {
        DaoStage::Founding => "founders gather",
        DaoStage::Starting => "is being founded",
        DaoStage::Active => "lives",
        DaoStage::Ended => "is over",
    }
}

fn standing(state: DaoState) -> &'static str {
    match state {
        DaoState::None => "not in it",
        DaoState::Requested => "wants in",
        DaoState::Signing => "is let in",
        DaoState::Member => "member",
        DaoState::Counted => "member with a vote",
        DaoState::Leaving => "leaves",
    }
}

fn signed(signing: &DaoSigning) -> String {
    let DaoSigning { txid, refund_ready, signed, needed, sent } = signing;
    match (sent, refund_ready) {
        (true, _) => format!("Sent, waits for its block: {txid}"),
        (false, true) => format!("Being signed, {signed} of {needed}: {txid}"),
        (false, false) => format!("Everybody's way out is signed first, then the coin: {txid}"),
    }
}

fn what_happened(turn: &DaoTurn) -> String {
    let parts =
        [(turn.joined.len(), "joined"), (turn.left.len(), "paid out"), (turn.proposals.len(), "carried out")];
    let done: Vec<String> = parts
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{number} {what}"))
        .collect();
    if done.is_empty() { "moved to itself".to_owned() } else { done.join(", ") }
}

fn what(intent: &DaoIntent) -> String {
    match intent {
        DaoIntent::Invest { offer, amount_sat } => {
            format!("invest {} in {}", sats(*amount_sat), short(offer))
        }
        DaoIntent::Pay { outputs } => {
            let sum = outputs.iter().map(|output| output.amount_sat).fold(0, u64::saturating_add);
            format!("pay {}", sats(sum))
        }
        DaoIntent::Set { parameter, value } => {
            let policies = ["open", "vouched", "admitted"];
            let policy = usize::try_from(*value).ok().and_then(|place| policies.get(place));
            match policy.filter(|_| parameter == "policy") {
                Some(policy) => format!("set who may join to {policy}"),
                None => format!("set {} to {value}", parameter.replace('_', " ")),
            }
        }
        DaoIntent::Admit { peer } => format!("admit {}", short(peer)),
        DaoIntent::Remove { peer } => format!("remove {}", short(peer)),
        DaoIntent::Refresh => "move the coin to itself".to_owned(),
        DaoIntent::Dissolve => "pay everybody out".to_owned(),
    }
}

fn fate(proposal: &DaoProposal) -> String {
    match proposal.state {
        DaoProposalState::Open => "open".to_owned(),
        DaoProposalState::Approved => "approved".to_owned(),
        DaoProposalState::Signing => "being signed".to_owned(),
        DaoProposalState::Broadcast => "waits for its block".to_owned(),
        DaoProposalState::Confirmed => {
            format!("done, {} deep", count(proposal.confirmations.into(), "block"))
        }
        DaoProposalState::Rejected => "rejected".to_owned(),
        DaoProposalState::Expired => "expired".to_owned(),
        DaoProposalState::Superseded => "overtaken".to_owned(),
        DaoProposalState::Revocable => "over, not final yet".to_owned(),
    }
}

fn votes(proposal: &DaoProposal) -> String {
    format!("{}/{}/{}", proposal.yes, proposal.no, proposal.abstain)
}

fn mine(proposal: &DaoProposal) -> &'static str {
    match (proposal.my_vote, proposal.may_vote) {
        (Some(DaoChoice::Yes), _) => "yes",
        (Some(DaoChoice::No), _) => "no",
        (Some(DaoChoice::Abstain), _) => "abstained",
        (None, true) => "not yet",
        (None, false) => "no vote",
    }
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    use super::*;

    /// Reads an answer as a program would, and returns what a person would see.
    fn shown<T: Human + DeserializeOwned>(answer: Value) -> String {
        plain(&read::<T>(answer).human())
    }

    fn read<T: DeserializeOwned>(answer: Value) -> T {
        serde_json::from_value(answer).unwrap()
    }

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    fn id(digit: char) -> String {
        digit.to_string().repeat(64)
    }

    fn member(digit: char, name: &str, claim: u64, counted: bool) -> Value {
        json!({ "peer_id": id(digit), "name": name, "claim_sat": claim, "reserved_sat": 3_000, "counted": counted,
                "keyholder": counted, "state": if counted { "counted" } else { "member" }, "vouches": 1,
                "vouched_by_me": counted })
    }

    fn dao() -> Value {
        json!({
            "dao_id": id('d'), "name": "Our fund\u{1b}[2J", "purpose": "Studio hours", "network": "regtest",
            "creator": id('a'), "invite": "musicdao:abc", "stage": "active", "membership": "counted",
            "charter": { "name": "Our fund", "fee_sat": 50_000, "threshold_percent": 60, "founders": 3, "vouches": 2,
                         "recovery_blocks": 144, "depth": 1, "policy": "open", "construction": "multi_a",
                         "spending_percent": 100 },
            "epoch": 2, "threshold": 2, "keys": 3,
            "members": [member('a', "Ada", 49_000, true), member('b', "Ben", 50_000, false)],
            "coin": format!("{}:0", id('c')), "confirmations": 1, "treasury_sat": 100_000, "claims_sum_sat": 99_000,
            "unassigned_sat": 12, "reserve_sat": 988, "unprotected_sat": 7_000,
            "under_old_keys_sat": 2_000, "refunded": null, "code": "musicdao:c", "claim_sat": 49_000, "gini": 0.0051,
            "nakamoto": 2, "turnout": 0.75, "delegate": id('b'),
            "signing": { "txid": id('e'), "refund_ready": true, "signed": 1, "needed": 2, "sent": false },
            "turns": [
                { "number": 1, "txid": id('c'), "height": 123, "joined": [id('b')], "left": [], "proposals": [id('f')],
                  "treasury_sat": 100_000, "fee_sat": 640 },
                { "number": 0, "txid": id('9'), "height": null, "joined": [], "left": [], "proposals": [],
                  "treasury_sat": 50_000, "fee_sat": 500 },
            ],
            "refund_height": 267,
            "incidents": [{ "peer_id": id('b'), "name": "Ben", "code": "dao_equivocation", "at_ms": 1_714_521_600_000_u64 }],
            "waiting": "no Bitcoin node answers",
        })
    }

    fn proposal(state: &str) -> Value {
        json!({
            "proposal_id": id('f'), "dao_id": id('d'), "author": id('a'), "author_name": "Ada", "title": "The room",
            "words": "For the party\nin May", "kind": "pay",
            "intent": { "kind": "pay", "outputs": [{ "address": "bcrt1qroom", "amount_sat": 15_000 }] },
            "outputs": [{ "address": "bcrt1qroom", "amount_sat": 15_000 }], "state": state, "yes": 2, "no": 1,
            "abstain": 0, "electorate": 3, "needed": 2, "my_vote": "yes", "may_vote": true, "expiry": 1_200,
            "txid": id('c'), "confirmations": 3, "note_id": null, "my_part_sat": 5_000,
            "parts": [{ "peer_id": id('a'), "sat": 5_000, "left_sat": 44_000 }], "voted_twice": [],
            "at_ms": 1_714_521_600_000_u64,
        })
    }

    #[test]
    fn a_dao_is_described() {
        insta::assert_snapshot!("dao", shown::<Dao>(dao()) + &what_next(&read(dao())));
    }

    #[test]
    fn what_there_is_to_do_depends_on_where_one_stands() {
        let next = |stage: &str, membership: &str| {
            let mut dao = dao();
            dao["stage"] = json!(stage);
            dao["membership"] = json!(membership);
            what_next(&read(dao))
        };
        let all = [
            ("ended", "none"),
            ("active", "none"),
            ("founding", "requested"),
            ("starting", "requested"),
            ("active", "requested"),
            ("active", "signing"),
            ("active", "member"),
            ("active", "leaving"),
        ];
        insta::assert_snapshot!("dao_next", all.map(|(stage, membership)| next(stage, membership)).concat());
    }

    #[test]
    fn proposals_say_what_became_of_them() {
        let states = [
            "open",
            "approved",
            "signing",
            "broadcast",
            "confirmed",
            "rejected",
            "expired",
            "superseded",
            "revocable",
        ];
        let all = json!({ "proposals": states.map(proposal) });
        let text = shown::<DaoProposals>(all) + &shown::<DaoProposal>(proposal("confirmed"));
        insta::assert_snapshot!("dao_proposals", text);
        assert!(shown::<DaoProposals>(json!({ "proposals": [] })).contains('`'));
    }

    #[test]
    fn what_was_asked_for_is_told() {
        let membership = |state: &str, txid: Value| {
            json!({ "dao_id": id('d'), "peer_id": id('a'), "state": state, "txid": txid, "amount_sat": 50_000,
                    "fee_sat": 900, "warnings": [] })
        };
        let summary = json!({ "dao_id": id('d'), "name": "Our fund", "purpose": "", "network": "regtest",
                              "stage": "active", "membership": "counted", "members": 3, "fee_sat": 50_000,
                              "treasury_sat": 150_000, "claim_sat": 49_000 });
        let text = [
            shown::<DaoCreated>(json!({ "dao_id": id('d'), "invite": "musicdao:abc", "code": "musicdao:c" })),
            shown::<Daos>(json!({ "daos": [] })),
            shown::<Daos>(json!({ "daos": [summary] })),
            shown::<DaoMembership>(membership("none", Value::Null)),
            shown::<DaoMembership>(membership("signing", json!(id('c')))),
            shown::<DaoStarted>(json!({ "dao_id": id('d'), "epoch": 0, "txid": id('c') })),
        ];
        insta::assert_snapshot!("dao_answers", text.join("\n"));
    }

    #[test]
    fn the_way_out_and_the_accounts_are_told() {
        let refund =
            |from: Value| json!({ "txid": id('c'), "spendable_at": from, "sat": 99_000, "claims": 2 });
        let audit = json!({ "dao_id": id('d'), "treasury_sat": 100_000, "claims_sum_sat": 99_000,
                            "unassigned_sat": 12, "reserve_sat": 987, "ok": false, "problems": ["coin_missing"] });
        let refunds = json!({ "refunds": [refund(json!(267)), refund(Value::Null)], "my_part_sat": 49_000 });
        let text = [
            shown::<DaoRefunds>(json!({ "refunds": [], "my_part_sat": 0 })),
            shown::<DaoRefunds>(refunds),
            shown::<DaoRecovered>(json!({ "txid": id('c') })),
            shown::<DaoAudit>(audit),
        ];
        insta::assert_snapshot!("dao_accounts", text.join("\n"));
    }
}
