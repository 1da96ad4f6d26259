//! The story of an emulation: a DAO is founded and grows, some join, payments are made.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use domain::{
    Network, Record,
    bitcoin::{Amount, OutPoint, ScriptBuf, Transaction, TxOut},
    kinds::{
        Ballot, Charter, Choice, DaoId, Intent, MIN_FOUNDERS, Output, Proposal, ProposalId, Rules, Vouch,
    },
};
use rand::RngExt;
use treasury::{
    dao::{
        State,
        member::{Command, Tally},
    },
    paying::id_of,
};

use super::{
    Construction, DEPOSIT, Emulation, Figures, Keys, MOST_KEYS, Meter, Settings,
    chain::Chain,
    consensus,
    ground::{Ground, wish},
    keys,
    net::{BEGIN, Net, Traffic},
    people::{Usage, Wallets},
};

/// As many members as found a DAO and join it by messages; more begin with a state that the kernel made.
const BY_MESSAGES: usize = MOST_KEYS;
/// Longest that a turn is waited for.
const PATIENCE: u64 = 1_800_000;
/// Milliseconds after a block in which everybody hears what is left to hear.
const SETTLE: u64 = 2_000;
/// Blocks after which a turn is never undone.
const FINAL: u32 = 7;
/// Most turns for what was wished for at once.
const TURNS: usize = 24;
/// Longest that members take to agree once a partition has ended.
const AGREEMENT: u64 = 120_000;
/// Satoshis of a payment.
const PAYMENT: u64 = 2_000;
/// The first payee's number.
const PAYEES: u32 = 1_000_000;

/// Emulates a DAO.
pub fn emulate(settings: &Settings, meter: &dyn Meter) -> Emulation {
    let outcome = match settings.construction.unreachable(settings.members) {
        Some(reason) => Err(reason.to_owned()),
        None => Run::begin(settings, meter).and_then(Run::measure),
    };
    Emulation { settings: settings.clone(), outcome }
}

struct Run<'a> {
    net: Net<'a>,
    settings: &'a Settings,
    meter: &'a dyn Meter,
    figures: Figures,
    memory: u64,
    newcomers: u32,
    paid: Option<(Transaction, Vec<TxOut>)>,
}

/// Something that a turn is to do.
struct Wish {
    at: u64,
    sign: Sign,
    done: Option<u64>,
}

/// How one sees that it was done.
enum Sign {
    Spent(OutPoint),
    Paid(ScriptBuf),
}

impl<'a> Run<'a> {
    fn begin(settings: &'a Settings, meter: &'a dyn Meter) -> Result<Self, String> {
        let wallets = Wallets::new(settings.seed);
        let charter = charter(settings.construction);
        let dao = id_of(&wallets.peer(0), &charter);
        let memory = meter.memory();
        let net = match settings.members <= BY_MESSAGES {
            true => found(settings, wallets, (dao, charter), meter)?,
            false => resume(settings, wallets, (dao, charter), meter)?,
        };
        let newcomers = u32::try_from(settings.members).unwrap_or(u32::MAX);
        let figures = Figures::default();
        Ok(Self { net, settings, meter, figures, memory, newcomers, paid: None })
    }

    fn measure(mut self) -> Result<Figures, String> {
        self.net.probe = self.holder();
        self.net.thought = Duration::ZERO;
        if let Some(probe) = self.net.probe {
            self.net.unshare(probe);
        }
        self.net.begin();
        self.joins();
        self.payments();
        self.heal();
        self.check();
        let turns = self.state().number();
        let grown = self.meter.memory().saturating_sub(self.memory);
        self.keys()?;
        let figures = &mut self.figures;
        figures.join_ms.sort_unstable();
        figures.propose_to_signed_ms.sort_unstable();
        figures.cpu_ms_per_member = millis(self.net.thought);
        figures.memory_bytes_per_member = grown / self.net.nodes.len() as u64;
        figures.refused = self.net.refused.iter().map(|(code, count)| (*code, *count)).collect();
        figures.turns = turns;
        figures.trace = self.net.trace();
        figures.peak = self.meter.peak();
        figures.took = self.meter.time();
        Ok(self.figures)
    }

    /// Somebody who holds a key.
    fn holder(&self) -> Option<usize> {
        let epoch = self.state().epoch()?;
        self.net.nodes.iter().position(|node| epoch.is_held_by(&node.id))
    }

    fn state(&self) -> &State {
        self.net.nodes[0].member.state()
    }

    fn anybody(&mut self) -> usize {
        let there: Vec<usize> = (0..self.settings.members).filter(|at| self.net.is_there(*at)).collect();
        let at = self.net.random.random_range(0..there.len().max(1));
        there.get(at).copied().unwrap_or_default()
    }

    fn joins(&mut self) {
        let mut left = self.settings.joins;
        let before = self.net.traffic;
        while left > 0 {
            let count = left.min(self.settings.together.max(1));
            let wishes = (0..count).map(|_| self.join()).collect();
            let done = self.grant(wishes);
            self.figures.failures += done.iter().filter(|done| done.is_none()).count() as u64;
            self.figures.join_ms.extend(done.into_iter().flatten());
            left -= count;
        }
        let each = self.since(before, self.settings.joins);
        (self.figures.messages_per_join, self.figures.bytes_per_join) = (each.messages, each.bytes);
    }

    /// What went over the wire since then for each of so many.
    fn since(&self, before: Traffic, count: usize) -> Traffic {
        let (now, count) = (self.net.traffic, count.max(1) as u64);
        Traffic {
            messages: (now.messages - before.messages) / count,
            bytes: (now.bytes - before.bytes) / count,
        }
    }

    /// Somebody wishes to join, and somebody vouches for them.
    fn join(&mut self) -> Wish {
        let number = self.newcomers;
        self.newcomers += 1;
        let through = self.anybody();
        let state = Arc::new(self.net.nodes[through].member.state().clone());
        let at = self.net.add(number, Some(&state));
        let (dao, charter) = (self.net.dao, self.net.charter.clone());
        let body = wish(&self.net.wallets, &mut self.net.chain, &charter, dao, number);
        let coin = body.inputs[0].outpoint;
        self.net.publish(at, &body);
        let member = self.net.nodes[at].id;
        self.net.publish(through, &Vouch { network: charter.network, dao, member });
        Wish { at: self.net.now, sign: Sign::Spent(coin), done: None }
    }

    fn payments(&mut self) {
        if self.settings.payments == 0 {
            return;
        }
        let count = u32::try_from(self.settings.payments).unwrap_or(u32::MAX);
        let (before, sent) = (self.net.chain.tip().height, self.net.traffic);
        let wishes = (0..count).map(|number| self.propose(number)).collect();
        let done = self.grant(wishes);
        let each = self.since(sent, self.settings.payments);
        (self.figures.messages_per_payment, self.figures.bytes_per_payment) = (each.messages, each.bytes);
        self.figures.failures += done.iter().filter(|done| done.is_none()).count() as u64;
        self.figures.propose_to_signed_ms.extend(done.into_iter().flatten());
        let script = self.net.wallets.script(PAYEES, Usage::Payee);
        let pays = |transaction: &&Transaction| pays(transaction, &script);
        let Some(paid) = self.net.chain.after(before).find(pays).cloned() else { return };
        let coins = paid.input.iter().map(|input| self.net.chain.coin(&input.previous_output));
        let spent = coins.map(|coin| coin.map(|coin| coin.output.clone())).collect::<Option<Vec<_>>>();
        self.figures.vbytes_sent = Some(paid.vsize());
        self.paid = spent.map(|spent| (paid, spent));
    }

    /// Somebody proposes to pay somebody, and everybody who is there says yes as soon as they know.
    fn propose(&mut self, number: u32) -> Wish {
        let by = self.anybody();
        let script = self.net.wallets.script(PAYEES + number, Usage::Payee);
        let outputs = vec![Output { script: script.clone(), amount: Amount::from_sat(PAYMENT) }];
        let proposal = Proposal {
            network: self.net.charter.network,
            dao: self.net.dao,
            snapshot: *self.net.nodes[by].member.state().turn().as_bytes(),
            title: format!("Payment {number}"),
            words: None,
            intent: Intent::Pay { outputs },
            expiry: self.net.chain.tip().height + 2_000,
        };
        let at = self.net.now;
        let proposal = self.net.publish(by, &proposal).slot;
        self.vote(by, proposal);
        Wish { at, sign: Sign::Paid(script), done: None }
    }

    fn vote(&mut self, by: usize, proposal: ProposalId) {
        let ballot = Ballot { network: self.net.charter.network, proposal, choice: Choice::Yes };
        let is_member = |at: &usize| self.state().member(&self.net.nodes[*at].id).is_some();
        let there = (0..self.net.nodes.len()).filter(|at| self.net.is_there(*at));
        let there: Vec<usize> = there.filter(is_member).collect();
        let records: Vec<Record> = there.iter().map(|at| self.net.sign(*at, &ballot)).collect();
        let bytes = records.iter().map(|record| record.bytes().len()).sum();
        self.net.check(&records);
        let first: BTreeMap<_, _> = records.iter().map(|record| (record.author, Choice::Yes)).collect();
        let yes: BTreeSet<_> = first.keys().copied().collect();
        let tally = Tally { proposal, first: Arc::new(first), yes: Arc::new(yes) };
        self.net.publish_tally(by, tally, records.len(), bytes);
    }

    /// Lets turns be made until what was wished for is done; returns how long it took.
    fn grant(&mut self, mut wishes: Vec<Wish>) -> Vec<Option<u64>> {
        for _ in 0..TURNS {
            let before = self.net.chain.tip().height;
            let Some(held) = turn(&mut self.net) else { break };
            for wish in &mut wishes {
                let is_done = match &wish.sign {
                    Sign::Spent(coin) => self.net.chain.spender(coin).is_some(),
                    Sign::Paid(script) => self.net.chain.after(before).any(|it| pays(it, script)),
                };
                if is_done && wish.done.is_none() {
                    wish.done = Some(held - wish.at);
                }
            }
            let joined = |transaction: &Transaction| transaction.input.len() > 1;
            let sizes = self.net.chain.after(before).filter(|it| joined(it)).map(Transaction::vsize);
            self.figures.vbytes_join = sizes.chain(self.figures.vbytes_join).max();
            if wishes.iter().all(|wish| wish.done.is_some()) && is_quiet(&self.net) {
                break;
            }
        }
        wishes.into_iter().map(|wish| wish.done).collect()
    }

    /// Waits for the end of a partition, and until everybody agrees.
    fn heal(&mut self) {
        if self.settings.partition.is_none() {
            return;
        }
        while self.net.parted {
            self.net.run(100);
        }
        let begun = self.net.now;
        while !self.agree() && self.net.now - begun < AGREEMENT {
            self.net.run(100);
        }
        self.figures.healed_ms = self.agree().then(|| self.net.now - begun);
    }

    fn agree(&self) -> bool {
        let heads = self.net.nodes.iter().filter(|node| node.online).map(|node| node.member.state().turn());
        heads.collect::<BTreeSet<_>>().len() == 1
    }

    /// Everybody's accounts sum to the coin that is on the chain, and its refund is what the network would take.
    fn check(&mut self) {
        let head = self.head();
        // Members that share a state are right or wrong together.
        let mut judged: HashMap<*const State, bool> = HashMap::new();
        let states = self.net.nodes.iter().filter(|node| node.online).map(|node| node.member.state());
        let mut is_wrong = |state: &&State| {
            let is_right = || Some(state.turn()) == head && self.is_right(state);
            !*judged.entry(std::ptr::from_ref(*state)).or_insert_with(is_right)
        };
        let wrong = states.filter(|state| is_wrong(state)).count();
        let invalid = self.net.invalid.len() + usize::from(self.has_bad_refund());
        self.figures.failures += (wrong + invalid) as u64;
    }

    fn is_right(&self, state: &State) -> bool {
        let held = state.coin.and_then(|coin| Some((coin, self.net.chain.coin(&coin.outpoint)?)));
        let is_there = held.is_some_and(|(coin, confirmed)| {
            let script = state.epoch().map(|epoch| epoch.script());
            confirmed.output.value == coin.value
                && Some(&confirmed.output.script_pubkey) == script.as_ref()
                && self.net.chain.spender(&coin.outpoint).is_none()
        });
        is_there && state.audit().is_ok()
    }

    fn head(&self) -> Option<treasury::dao::TurnId> {
        self.net
            .nodes
            .iter()
            .filter(|node| node.online)
            .map(|node| node.member.state())
            .max_by_key(|it| it.number())
            .map(State::turn)
    }

    fn has_bad_refund(&self) -> bool {
        let Some(node) = self.net.nodes.iter().find(|node| node.online && node.member.refund().is_some())
        else {
            return false;
        };
        let nodes = node.member.refund().unwrap_or_default();
        let Some((root, others)) = nodes.split_first() else { return true };
        let is_paid = |transaction: &Transaction| {
            let spent = transaction.input.iter().map(|input| {
                let parent = nodes.iter().find(|it| it.compute_txid() == input.previous_output.txid)?;
                parent.output.get(usize::try_from(input.previous_output.vout).ok()?).cloned()
            });
            let spent = spent.collect::<Option<Vec<_>>>();
            spent.is_some_and(|spent| consensus::check(transaction, &spent).is_ok())
        };
        self.net.chain.check(root, false).is_err() || !others.iter().all(is_paid)
    }

    /// The keys' work, with the members' keys and the payments' transaction.
    fn keys(&mut self) -> Result<(), String> {
        let Some((paid, spent)) = self.paid.take() else { return Ok(()) };
        let count = self.settings.members.min(MOST_KEYS);
        let threshold = match self.settings.construction {
            Construction::Committee => count * 2 / 3 + 1,
            _ => {
                let rules = self.net.charter.rules;
                let signers = rules.threshold_of(u32::try_from(count).unwrap_or(u32::MAX));
                usize::try_from(signers).unwrap_or(count)
            }
        };
        let construction = self.settings.construction.guard();
        let size = (count, threshold);
        let work = keys::measure(construction, size, &paid, &spent, &self.net.wallets, self.meter)?;
        self.figures.keys = Some(Keys {
            keys: count,
            signers: work.signers,
            keygen_ms_per_member: millis(work.keygen),
            keygen_ms_total: millis(work.keygen_total),
            sign_ms_per_member: millis(work.sign),
            sign_ms_total: millis(work.sign_total),
            aggregate_ms: millis(work.aggregate),
            messages: work.messages,
            vbytes: work.vbytes,
        });
        Ok(())
    }
}

/// One turn: it is made, everybody has all of it, a block takes it, and then so many that it stays. Returns when everybody
/// who was there had it; `None` where nobody made one.
fn turn(net: &mut Net<'_>) -> Option<u64> {
    net.nodes.iter_mut().for_each(|node| node.complete.clear());
    net.waiting = (0..net.nodes.len()).filter(|at| net.is_there(*at)).collect();
    let is_held = net.wait(PATIENCE);
    let held = net.now;
    net.mine();
    net.run(SETTLE + 10 * net.settings.latency.1);
    net.mine_on(FINAL);
    net.run(SETTLE);
    is_held.then_some(held)
}

/// Whether nobody works on a turn.
fn is_quiet(net: &Net<'_>) -> bool {
    (0..net.nodes.len()).filter(|at| net.is_there(*at)).all(|at| net.nodes[at].member.attempts().is_empty())
}

/// Few found it and all others join, by messages.
fn found<'a>(
    settings: &'a Settings,
    wallets: Wallets,
    dao: (DaoId, Charter),
    meter: &'a dyn Meter,
) -> Result<Net<'a>, String> {
    let mut net = Net::new(settings, wallets, Chain::new(), dao, meter);
    let members = u32::try_from(settings.members).unwrap_or(u32::MAX);
    let founders = members.min(MIN_FOUNDERS.into());
    (0..founders).for_each(|number| _ = net.add(number, None));
    net.run(BEGIN);
    (0..founders).for_each(|number| want(&mut net, number));
    net.mine();
    net.run(SETTLE);
    net.command(0, Command::Start);
    turn(&mut net).ok_or("nobody founded it")?;
    let state = Arc::new(net.nodes[0].member.state().clone());
    (founders..members).for_each(|number| _ = net.add(number, Some(&state)));
    net.run(BEGIN);
    for number in founders..members {
        want(&mut net, number);
        let (network, dao) = (net.charter.network, net.dao);
        let member = net.wallets.peer(number);
        net.publish(0, &Vouch { network, dao, member });
    }
    net.run(SETTLE);
    for _ in 0..TURNS {
        let counted = net.nodes[0].member.state().counted().count();
        if counted == settings.members && is_quiet(&net) {
            return Ok(net);
        }
        turn(&mut net).ok_or("nobody let the others in")?;
    }
    Err("they did not all become members".into())
}

fn want(net: &mut Net<'_>, number: u32) {
    let (dao, charter) = (net.dao, net.charter.clone());
    let body = wish(&net.wallets, &mut net.chain, &charter, dao, number);
    let at = usize::try_from(number).expect("a member's number");
    net.publish(at, &body);
}

/// All begin with a state that the kernel made.
fn resume<'a>(
    settings: &'a Settings,
    wallets: Wallets,
    dao: (DaoId, Charter),
    meter: &'a dyn Meter,
) -> Result<Net<'a>, String> {
    let members = u32::try_from(settings.members).unwrap_or(u32::MAX);
    let ground = Ground::new(&wallets, dao.0, dao.1.clone());
    let (state, chain) = ground.grow(members, MIN_FOUNDERS.into())?;
    let mut net = Net::new(settings, wallets, chain, dao, meter);
    (0..members).for_each(|number| _ = net.add(number, Some(&state)));
    net.run(BEGIN);
    Ok(net)
}

fn charter(construction: Construction) -> Charter {
    let rules = Rules { vouches: 1, ..Rules::with_fee(DEPOSIT) };
    Charter {
        network: Network::Regtest,
        salt: [1; 16],
        name: "Zaal 100".into(),
        purpose: "Records of the neighbourhood".into(),
        construction: construction.chartered(),
        founders: MIN_FOUNDERS,
        recovery: domain::kinds::DEFAULT_RECOVERY,
        depth: 1,
        confirmations: 1,
        rules,
    }
}

fn pays(transaction: &Transaction, script: &ScriptBuf) -> bool {
    transaction.output.iter().any(|output| output.script_pubkey == *script)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
