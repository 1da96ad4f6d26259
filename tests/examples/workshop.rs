//! Plays a workshop by itself: ten people with a node each and a Bitcoin of their own share a treasury, invest in three
//! artists together, are paid back, and part. Says what happens, with every transaction, and ends with a table that has
//! to add up to the satoshi.

use std::process::ExitCode;

use chain::testenv::{Bitcoind, Purse, nobody};
use serde_json::Value;
use tests::{
    Daemon,
    dao::{self, Turn},
    money::{self, FUNDS, balance, list, mine, number, text, until_in_mempool, until_offer, until_synced},
};

/// Who takes part. The first three found the DAO, the others join in two batches.
const NAMES: [&str; 10] = ["Ada", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gita", "Hugo", "Ines", "Jo"];
/// How many found it.
const FOUNDERS: usize = 3;
/// Who joins together.
const BATCHES: [std::ops::Range<usize>; 2] = [3..7, 7..10];
/// Who makes music, and offers a share of the income: Ben, Dan, Eva, Gita.
const ARTISTS: [usize; 4] = [1, 3, 4, 6];
/// Which artist everybody selects, by the place among the artists.
const SELECTED: [usize; 10] = [0, 1, 0, 2, 1, 2, 0, 3, 1, 2];
/// Which artists the members vote for.
const WANTED: [usize; 3] = [0, 1, 2];
/// Who leaves, and who falls silent.
const LEAVER: usize = 5;
const SILENT: usize = 7;
/// What everybody pays in.
const FEE: u64 = 50_000;
/// The fixed amount that everybody proposes to invest.
const INVESTED: u64 = 30_000;
/// What each artist pays back of it.
const PAID_BACK: u64 = 40_000;
/// What the room costs.
const ROOM: u64 = 15_000;

/// A workshop under way.
struct Workshop {
    bitcoind: Bitcoind,
    people: Vec<Daemon>,
    dao: String,
    /// The block after which every satoshi is accounted for.
    began: u32,
}

fn main() -> ExitCode {
    let mut workshop = Workshop::gather();
    workshop.found();
    workshop.let_everybody_in();
    let notes = workshop.invest();
    workshop.pay_back(&notes);
    workshop.leave();
    let silent = workshop.fall_silent();
    match workshop.settles(&silent) {
        true => {
            println!("\nEverything adds up to the satoshi.");
            ExitCode::SUCCESS
        }
        false => {
            println!("\nIt does NOT add up.");
            ExitCode::FAILURE
        }
    }
}

impl Workshop {
    /// Ten people, each with a node and a wallet with coins.
    fn gather() -> Self {
        chapter("Ten people come together, each with a wallet of 1,000,000 sat");
        let bitcoind = Bitcoind::start();
        let mut purse = Purse::fill(&bitcoind, NAMES.len() as u32);
        let mut people: Vec<Daemon> = Vec::new();
        for name in NAMES {
            let friends: Vec<&Daemon> = people.iter().rev().take(2).collect();
            people.push(money::member(name, &bitcoind, &mut purse, &friends));
        }
        let all: Vec<&Daemon> = people.iter().collect();
        mine(&bitcoind, &all);
        let began = bitcoind.tip().height;
        for (name, person) in NAMES.iter().zip(&people) {
            println!("  {name:5} {}", person.id());
        }
        Self { bitcoind, people, dao: String::new(), began }
    }

    fn found(&mut self) {
        chapter("Three found a DAO");
        self.dao = dao::create(&self.people[0], "The workshop's fund", FEE, &["--founders", "3"]);
        println!("  {} writes the charter {}", NAMES[0], self.dao);
        let founders: Vec<&Daemon> = self.people[..FOUNDERS].iter().collect();
        let turns = dao::found(&self.bitcoind, &founders, &self.dao);
        self.tell(&turns);
        self.check(&self.everybody(FOUNDERS));
    }

    fn let_everybody_in(&self) {
        for batch in BATCHES {
            chapter(&format!("{} join", NAMES[batch.clone()].join(", ")));
            let joiners: Vec<&Daemon> = self.people[batch.clone()].iter().collect();
            for joiner in &joiners {
                dao::until_dao(joiner, &self.dao, "the charter", |_| true);
            }
            dao::together(&joiners, &["dao", "join", &self.dao]);
            let everybody = self.everybody(batch.end);
            let are_in = |shown: &Value| joiners.iter().all(|it| dao::is_member(shown, it.id()));
            self.tell(&dao::settle(&self.bitcoind, &everybody, &self.dao, "joining", are_in));
            for joiner in &joiners {
                let founders: Vec<&Daemon> = everybody[..2].to_vec();
                dao::together(&founders, &["dao", "vouch", &self.dao, joiner.id()]);
            }
            println!("  {} and {} have met them and vouch for them", NAMES[0], NAMES[1]);
            let have_keys = |shown: &Value| joiners.iter().all(|it| dao::has_key(shown, it.id()));
            self.tell(&dao::settle(&self.bitcoind, &everybody, &self.dao, "keys", have_keys));
            self.check(&everybody);
        }
    }

    /// Everybody selects an artist; returns the offers that were invested in.
    fn invest(&self) -> Vec<(usize, String)> {
        chapter(&format!("Everybody selects an artist for {INVESTED} sat, and all vote"));
        let offers: Vec<String> = ARTISTS.map(|artist| money::offer(&self.people[artist], &[])).into();
        let everybody = self.everybody(NAMES.len());
        for offer in &offers {
            everybody.iter().for_each(|person| drop(until_offer(person, offer)));
        }
        let mut taken = Vec::new();
        for (place, person) in self.people.iter().enumerate() {
            let selected = SELECTED[place];
            let artist = NAMES[ARTISTS[selected]];
            let amount = INVESTED.to_string();
            let title = format!("{} selects {artist}", NAMES[place]);
            let what = ["invest", &offers[selected], &amount];
            let proposal = dao::propose(person, &self.dao, &title, &what);
            let wanted = WANTED.contains(&selected) && !taken.contains(&selected);
            // Two thirds decide; the others are of another mind.
            let (yes, no) = everybody.split_at(if wanted { 8 } else { 2 });
            dao::vote(yes, &self.dao, &proposal, "yes");
            dao::vote(no, &self.dao, &proposal, "no");
            println!("  {title}: {} yes, {} no", yes.len(), no.len());
            match wanted {
                true => taken.push(selected),
                false => drop(self.until_state(&proposal, "rejected")),
            }
        }
        let are_paid = |_: &Value| {
            let proposals = list(&everybody[0].run(&["dao", "proposals", &self.dao]), "proposals");
            proposals.iter().filter(|one| one["state"] == "confirmed").count() == WANTED.len()
        };
        self.tell(&dao::settle(&self.bitcoind, &everybody, &self.dao, "investments", are_paid));
        self.tell_proposals();
        self.check(&everybody);
        taken.into_iter().map(|artist| (ARTISTS[artist], offers[artist].clone())).collect()
    }

    fn pay_back(&self, offers: &[(usize, String)]) {
        chapter(&format!("Three artists pay {PAID_BACK} sat back each"));
        let everybody = self.everybody(NAMES.len());
        let before = number(&dao::show(everybody[0], &self.dao), "claims_sum_sat");
        for (artist, offer) in offers {
            dao::until_raised(&self.people[*artist], offer, INVESTED);
            let amount = PAID_BACK.to_string();
            let paid = self.people[*artist].run(&["payout", offer, "--amount", &amount]);
            let txid = text(&paid, "txid");
            until_in_mempool(&self.people[*artist], &self.bitcoind, &txid);
            println!("  {} pays with {txid}", NAMES[*artist]);
        }
        let least = before + offers.len() as u64 * PAID_BACK * 9 / 10;
        let are_credited = |shown: &Value| number(shown, "claims_sum_sat") > least;
        self.tell(&dao::settle(&self.bitcoind, &everybody, &self.dao, "what comes back", are_credited));
        self.check(&everybody);
    }

    fn leave(&self) {
        chapter(&format!("{} leaves", NAMES[LEAVER]));
        let leaver = &self.people[LEAVER];
        let claim = claim(&dao::show(leaver, &self.dao), leaver.id());
        let before = balance(leaver).0;
        leaver.run(&["dao", "leave", &self.dao]);
        let everybody = self.everybody(NAMES.len());
        let has_left = |shown: &Value| !dao::is_member(shown, leaver.id()) && !is_leaving(shown, leaver.id());
        self.tell(&dao::settle(&self.bitcoind, &everybody, &self.dao, "the leave", has_left));
        until_synced(leaver, &self.bitcoind);
        let got = balance(leaver).0 - before;
        println!("  a claim of {claim} sat, {got} sat received, {} sat for the way out", claim - got);
        self.check(&without(&everybody, leaver.id()));
    }

    /// One node ends, and the others go on without it; returns what its wallet had.
    fn fall_silent(&mut self) -> (String, u64) {
        chapter(&format!("{} falls silent, and the others pay for the room", NAMES[SILENT]));
        let silent = self.people.remove(SILENT);
        let (id, had) = (silent.id().to_owned(), balance(&silent).0);
        silent.stop();
        let leaver = self.people[LEAVER].id().to_owned();
        let voters = without(&self.everybody(self.people.len()), &leaver);
        let (room, rent) = (nobody(1).to_string(), ROOM.to_string());
        let proposal = dao::propose(voters[0], &self.dao, "The room", &["pay", &room, &rent]);
        dao::vote(&voters, &self.dao, &proposal, "yes");
        let is_paid = |_: &Value| {
            let proposals = list(&voters[0].run(&["dao", "proposals", &self.dao]), "proposals");
            proposals.iter().any(|one| one["proposal_id"] == proposal && one["state"] == "confirmed")
        };
        self.tell(&dao::settle(&self.bitcoind, &voters, &self.dao, "the room", is_paid));
        self.check(&voters);
        (id, had)
    }

    /// Prints what everybody has, and says whether it adds up.
    fn settles(&self, silent: &(String, u64)) -> bool {
        chapter("What everybody has");
        self.people.iter().for_each(|person| until_synced(person, &self.bitcoind));
        let shown = dao::show(&self.people[0], &self.dao);
        let mut wallets: Vec<(String, u64)> =
            self.people.iter().map(|person| (person.id().to_owned(), balance(person).0)).collect();
        wallets.insert(SILENT, silent.clone());
        println!("  {:8} {:>12} {:>12} {:>12}", "", "WALLET", "CLAIM", "TOGETHER");
        for (name, (id, wallet)) in NAMES.iter().zip(&wallets) {
            let claim = claim(&shown, id);
            println!("  {name:8} {wallet:>12} {claim:>12} {:>12}", wallet + claim);
        }
        let in_wallets: u64 = wallets.iter().map(|(_, wallet)| wallet).sum();
        let treasury = number(&shown, "treasury_sat");
        let claims = number(&shown, "claims_sum_sat");
        let (nobodys, reserve) = (number(&shown, "unassigned_sat"), number(&shown, "reserve_sat"));
        println!("  {:8} {in_wallets:>12} {claims:>12} {:>12}", "all", in_wallets + claims);
        println!(
            "\n  treasury {treasury} = claims {claims} + nobody's {nobodys} + the refund's fee {reserve}"
        );
        let taken = dao::taken(&self.bitcoind, self.began);
        let began_with = FUNDS * NAMES.len() as u64;
        let now = in_wallets + treasury + ROOM + taken.fees + taken.anchors;
        println!(
            "  {began_with} sat at the beginning, {now} now: wallets {in_wallets} + treasury {treasury} + room {ROOM} \
             + fees {} + anchors {}",
            taken.fees, taken.anchors
        );
        claims + nobodys + reserve == treasury && began_with == now
    }

    fn everybody(&self, count: usize) -> Vec<&Daemon> {
        self.people[..count].iter().collect()
    }

    /// Tells of transactions of the treasury.
    fn tell(&self, turns: &[Turn]) {
        let shown = dao::show(&self.people[0], &self.dao);
        for turn in turns {
            let all = list(&shown, "turns");
            let told = all.iter().find(|one| number(one, "number") == turn.number);
            let count = |key| told.map_or(0, |turn| list(turn, key).len());
            println!(
                "  T{} {}: {} in, {} out, {} carried out; {} sat",
                turn.number,
                turn.txid,
                count("joined"),
                count("left"),
                count("proposals"),
                told.map_or(0, |turn| number(turn, "treasury_sat")),
            );
        }
    }

    fn tell_proposals(&self) {
        for proposal in list(&self.people[0].run(&["dao", "proposals", &self.dao]), "proposals").iter().rev()
        {
            let txid = proposal["txid"].as_str().unwrap_or("nothing paid");
            println!("  {}: {}, {txid}", text(proposal, "title"), text(proposal, "state"));
        }
    }

    fn until_state(&self, proposal: &str, state: &str) -> Value {
        dao::until_proposal(&self.people[0], &self.dao, proposal, state, |one| one["state"] == state)
    }

    /// Checks the members' accounts against the chain.
    fn check(&self, members: &[&Daemon]) {
        let treasury = dao::balanced(&self.bitcoind, members, &self.dao);
        println!("  {} nodes agree: {treasury} sat in the treasury, and every claim covered", members.len());
    }
}

fn without<'a>(people: &[&'a Daemon], id: &str) -> Vec<&'a Daemon> {
    people.iter().copied().filter(|person| person.id() != id).collect()
}

fn claim(shown: &Value, id: &str) -> u64 {
    dao::member(shown, id).map_or(0, |member| number(&member, "claim_sat"))
}

fn is_leaving(shown: &Value, id: &str) -> bool {
    dao::member(shown, id).is_some_and(|member| member["state"] == "leaving")
}

fn chapter(title: &str) {
    println!("\n{title}");
}
