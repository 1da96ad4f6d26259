//! What holds after every turn of every history.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    PeerId,
    bitcoin::{Amount, Transaction, TxOut, Witness},
    kinds::{Intent, MIN_OUTPUT, Parameter, ProposalId, Rules},
};
use proptest::prelude::*;

use super::{
    super::{guard::Path, weights::anchor, *},
    world::{World, charter, pay, peer, rules},
};
use crate::paying::{Root, Tree, id_of};

/// People of a history.
const PEOPLE: u16 = 9;

/// Something that happens.
#[derive(Clone, Debug)]
enum Event {
    Wish(u16, u64),
    Leave(u16),
    Vouch(u16, u16),
    Propose(u8, u64, u16),
    Arrive(u64, u64),
    Mine(u32),
    Turn(u32),
}

fn event() -> impl Strategy<Value = Event> {
    let person = || 0..PEOPLE;
    prop_oneof![
        3 => (person(), 20_000u64..60_000).prop_map(|(who, deposit)| Event::Wish(who, deposit)),
        2 => person().prop_map(Event::Leave),
        3 => (person(), person()).prop_map(|(one, two)| Event::Vouch(one, two)),
        5 => (0u8..12, 330u64..40_000, any::<u16>()).prop_map(|(kind, sat, yes)| Event::Propose(kind, sat, yes)),
        2 => (330u64..30_000, 0u64..30_000).prop_map(|(value, back)| Event::Arrive(value, back)),
        1 => prop_oneof![1u32..20, Just(72), Just(2_016)].prop_map(Event::Mine),
        8 => (250u32..5_000).prop_map(Event::Turn),
    ]
}

fn happen(world: &mut World, event: &Event, past: &mut History) {
    match event {
        Event::Wish(who, deposit) => _ = world.wish(*who, *deposit, deposit + 30_000),
        Event::Leave(who) => world.leave(*who),
        Event::Vouch(one, two) => world.vouch(*one, *two),
        Event::Propose(kind, sat, yes) => {
            let electorate = world.state.electorate(&world.state.turn()).unwrap();
            let votes = |who: &u16| yes >> who & 1 == 1 && electorate.contains(&peer(*who));
            let voters: Vec<u16> = (0..PEOPLE).filter(votes).collect();
            let intent = intent(world, *kind, *sat);
            world.approved(intent, &voters);
        }
        Event::Arrive(value, back) => {
            let Some(epoch) = world.state.epochs.first() else { return };
            let output = TxOut { value: Amount::from_sat(*value), script_pubkey: epoch.script() };
            let coin = world.coin(output);
            let note = world.state.notes.keys().next().copied();
            let payback = note.map(|note| Payback { note, sat: *back.min(value) });
            world.evidence.paybacks.insert(coin, payback.into_iter().collect());
        }
        Event::Mine(blocks) => world.mine(*blocks),
        Event::Turn(rate) => {
            world.rate = domain::bitcoin::FeeRate::from_sat_per_kwu((*rate).into());
            past.go_on(world);
        }
    }
}

fn intent(world: &mut World, kind: u8, sat: u64) -> Intent {
    let someone = peer(u16::try_from(sat).unwrap_or(0) % PEOPLE);
    match kind {
        0 => Intent::Remove(someone),
        1 => Intent::Set { parameter: Parameter::Threshold, value: 55 + sat % 10 },
        2 => Intent::Refresh,
        3 => Intent::Admit(someone),
        4 if sat.is_multiple_of(13) => Intent::Dissolve,
        5..=7 => match world.artist() {
            Intent::Invest { artist, offer, income, index, .. } => {
                Intent::Invest { artist, offer, amount: Amount::from_sat(sat), income, index }
            }
            other => other,
        },
        _ => pay(700 + u16::from(kind), sat),
    }
}

/// What was approved and what was done.
#[derive(Default)]
struct History {
    approved: BTreeSet<ProposalId>,
    executed: BTreeMap<ProposalId, u32>,
}

impl History {
    fn go_on(&mut self, world: &mut World) -> bool {
        let before = world.state.clone();
        let Some((turn, step)) = world.go_on() else {
            assert_eq!(world.state, before, "what is refused changes nothing");
            return false;
        };
        check(&before, &turn, &step);
        for approval in &turn.approvals {
            let (_, proposal) = &world.evidence.proposals[&approval.proposal];
            let pays = matches!(proposal.intent, Intent::Pay { .. } | Intent::Invest { .. });
            assert!(!pays || self.approved.insert(approval.proposal), "approved once");
        }
        step.executed.iter().for_each(|id| *self.executed.entry(*id).or_default() += 1);
        true
    }

    /// All that was approved and no longer waits was done once, and nothing else.
    fn check(&self, state: &State) {
        let waiting: BTreeSet<ProposalId> = state.queue.iter().map(|spend| spend.proposal).collect();
        let done: BTreeSet<ProposalId> = self.executed.keys().copied().collect();
        assert!(self.executed.values().all(|times| *times == 1));
        assert_eq!(self.approved.difference(&waiting).copied().collect::<BTreeSet<_>>(), done);
    }
}

fn check(before: &State, turn: &Turn, step: &Step) {
    let state = &step.state;
    state.audit().unwrap();
    check_transaction(turn, step);
    check_claims(before, turn, step);
    check_epoch(before, state);
    match &step.refund {
        Some(refund) => check_refund(state, refund),
        None => assert!(state.has_ended()),
    }
}

/// Every rule of T that can be read from it.
fn check_transaction(turn: &Turn, step: &Step) {
    let (unsigned, transaction) = (&step.transaction, &step.transaction.transaction);
    assert_eq!(transaction.version.0, 3);
    assert_eq!(transaction.lock_time.to_consensus_u32(), turn.height);
    assert!(
        transaction.input.iter().all(|input| input.sequence.0 == 0xffff_fffd && input.script_sig.is_empty())
    );
    let spent: Amount = unsigned.spent.iter().map(|output| output.value).sum();
    let paid: Amount = transaction.output.iter().map(|output| output.value).sum();
    let heaviest = signed(transaction, unsigned.owners.iter().map(worst)).weight().to_wu();
    assert!(heaviest <= MAX_WEIGHT, "{heaviest}");
    assert!((spent - paid).to_sat() * 1_000 >= heaviest * u64::from(turn.rate), "the fee rate is kept");
    let ids = step.notes.iter().map(|note| id_of(&turn.builder, note));
    let tree = Tree::of(ids.chain([domain::SlotId::from_bytes(*turn.id().as_bytes())])).unwrap();
    assert_eq!(Root::of(transaction), Some(tree.root()));
    let (tail, others) = transaction.output.split_last_chunk::<2>().map(|(rest, last)| (last, rest)).unwrap();
    assert_eq!(tail[0], anchor());
    assert!(tail[1].script_pubkey.is_op_return());
    assert!(others.iter().all(is_relayed));
    match state_coin(step) {
        Some((vout, coin)) => assert_eq!(transaction.output[vout], coin),
        None => assert!(step.refund.is_none()),
    }
}

fn state_coin(step: &Step) -> Option<(usize, TxOut)> {
    let coin = step.state.coin?;
    assert_eq!(coin.outpoint.txid, step.transaction.transaction.compute_txid());
    let script_pubkey = step.state.epoch().unwrap().script();
    Some((coin.outpoint.vout as usize, TxOut { value: coin.value, script_pubkey }))
}

fn is_relayed(output: &TxOut) -> bool {
    let script = &output.script_pubkey;
    let known = script.is_p2wpkh() || script.is_p2wsh() || script.is_p2tr();
    known && output.value.to_sat() >= MIN_OUTPUT
}

/// Nobody is charged but for what was agreed and for declared fees, and nobody goes with more than its claim.
fn check_claims(before: &State, turn: &Turn, step: &Step) {
    let agreed = !turn.approvals.is_empty() || !before.queue.is_empty() || !turn.merges.is_empty();
    if agreed || step.state.has_ended() {
        return;
    }
    let claim = |state: &State, peer: &PeerId| state.accounts.get(peer).map_or(0, |it| it.claim.to_sat());
    for (peer, paid) in &step.paid_out {
        assert!(paid.to_sat() <= claim(before, peer), "an exit of more than the claim");
    }
    let staying = before.members().filter(|(peer, _)| step.state.member(peer).is_some());
    let charged: Vec<u64> =
        staying.map(|(peer, _)| claim(before, peer).checked_sub(claim(&step.state, peer)).unwrap()).collect();
    let unsigned = &step.transaction;
    let spent: Amount = unsigned.spent.iter().map(|output| output.value).sum();
    let paid: Amount = unsigned.transaction.output.iter().map(|output| output.value).sum();
    let grown = step.state.reserve.to_sat().saturating_sub(before.reserve.to_sat());
    assert!(charged.iter().sum::<u64>() <= (spent - paid).to_sat() + ANCHOR + grown);
}

/// Who holds keys of both epochs can sign the refund without anybody new.
fn check_epoch(before: &State, state: &State) {
    let (Some(old), Some(new)) = (before.epoch(), state.epoch()) else { return };
    let both = new.holders.keys().filter(|key| old.holders.contains_key(key)).count();
    assert!(both >= new.threshold(), "{both} of {}", new.threshold());
    assert!(new.holders.values().all(|holder| state.has_ended() || state.member(holder).is_some()));
}

pub(super) fn check_refund(state: &State, refund: &Refund) {
    let coin = state.coin.unwrap();
    let mut paid = Vec::new();
    for (at, node) in refund.nodes.iter().enumerate() {
        let transaction = &node.transaction;
        let [input] = &transaction.input[..] else { panic!("one input") };
        let (previous, after) = match node.parent {
            None => (coin.outpoint, u32::from(state.charter.recovery)),
            Some(parent) => {
                let txid = refund.nodes[parent].transaction.compute_txid();
                assert_eq!(input.previous_output.txid, txid);
                (input.previous_output, 1)
            }
        };
        assert!(node.parent.is_none_or(|parent| parent < at));
        assert_eq!((input.previous_output, input.sequence.0), (previous, after));
        let output = match node.parent {
            None => TxOut { value: coin.value, script_pubkey: refund.epoch.script() },
            Some(parent) => {
                refund.nodes[parent].transaction.output[input.previous_output.vout as usize].clone()
            }
        };
        assert_eq!(node.spent, output);
        let heaviest = signed(transaction, [worst(&Owner::Epoch(refund.epoch.clone()))]);
        assert!(transaction.version.0 == 3 && heaviest.weight().to_wu() <= MAX_WEIGHT);
        let outputs: Amount = transaction.output.iter().map(|output| output.value).sum();
        let fee = (node.spent.value - outputs).to_sat();
        assert!(fee >= REFUND_RATE * heaviest.vsize() as u64, "{fee}");
        let (last, others) = transaction.output.split_last().unwrap();
        assert_eq!(*last, anchor());
        assert!(others.iter().all(is_relayed));
        paid.extend(others.iter().filter(|output| output.script_pubkey.is_p2wpkh()).cloned());
    }
    let exits = state.exits().into_iter().filter(|(_, value)| value.to_sat() >= MIN_OUTPUT);
    let owed = exits.map(|(peer, value)| TxOut { value, script_pubkey: state.accounts[&peer].leave.clone() });
    assert_eq!(paid, owed.collect::<Vec<_>>());
}

fn worst(owner: &Owner) -> Witness {
    match owner {
        Owner::Epoch(epoch) => epoch.guard.worst_witness(Path::Script).unwrap(),
        Owner::Joiner(_) => Witness::from_slice(&[&[0; 72][..], &[0; 33]]),
    }
}

fn signed(transaction: &Transaction, witnesses: impl IntoIterator<Item = Witness>) -> Transaction {
    let mut signed = transaction.clone();
    signed.input.iter_mut().zip(witnesses).for_each(|(input, witness)| input.witness = witness);
    signed
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_history_keeps_every_satoshi(
        founders in 3u16..6, vouches in 0u8..3, events in proptest::collection::vec(event(), 0..50),
    ) {
        let mut world = World::founded(charter(Rules { vouches, ..rules() }), founders);
        let mut past = History::default();
        events.iter().for_each(|event| happen(&mut world, event, &mut past));
        (0..5).for_each(|_| _ = past.go_on(&mut world));
        past.check(&world.state);
    }
}
