//! Coins that many sign as one, and what happens to whoever does not answer.

use std::collections::BTreeMap;

use domain::{
    bitcoin::XOnlyPublicKey,
    kinds::{Choice, Construction, ProposalId},
};
use minicbor::bytes::ByteArray;
use zeroize::Zeroizing;

use super::{
    super::{
        super::{Members, Turn, guard::dkg::Round1},
        Command, Input,
        message::{Commit, Message, PartPartial, Round, Signers},
        rounds::MAX_ROUNDS,
    },
    net::{Net, charter, keypair, peer, script},
    plain::ALL,
    properties::{check_end, check_payments},
};

fn founded(construction: Construction) -> Net {
    let mut net = Net::found(charter(construction, 0), 4, 4, 3);
    settle(&mut net);
    net
}

/// Lets whatever follows a founding be done: with FROST a group that moves the coin to its key.
fn settle(net: &mut Net) {
    for _ in 0..2 {
        net.run(30_000);
        net.mine();
    }
}

fn pay(net: &mut Net, payee: u16) -> ProposalId {
    let proposal = net.propose(0, payee, 30_000);
    (0..3).for_each(|number| net.vote(number, proposal, Choice::Yes));
    proposal
}

/// The first round of the last attempt of a member.
fn round(net: &Net, number: u16) -> Round {
    let attempt = net.member(number).open().last().expect("there is an attempt");
    Round { turn: attempt.id(), input: 0, number: 0 }
}

/// Which holder somebody is.
fn holder(net: &Net, number: u16) -> u16 {
    let holders = &net.state(0).epoch().unwrap().holders;
    u16::try_from(holders.values().position(|holder| *holder == peer(number)).unwrap()).unwrap()
}

#[test]
fn all_sign_as_one() {
    let mut net = founded(Construction::MuSig2);
    let before = net.by_key();
    pay(&mut net, 50);
    net.run(20_000);
    net.mine();
    assert_eq!((net.chain.paid(&script(50, 4)), net.by_key()), (1, before + 1), "{:?}", net.events);
    assert!(net.blamed.is_empty(), "{:?}", net.blamed);
    check_end(&net);
}

#[test]
fn a_group_is_made_and_signs_as_one_with_whoever_is_there() {
    let mut net = founded(Construction::Frost);
    let guard = |net: &Net| net.state(0).epoch().unwrap().guard.construction().to_string();
    assert_eq!(guard(&net), "frost", "{:?}", net.events);
    assert!(net.nodes.iter().all(|node| node.secrets == 1));
    pay(&mut net, 50);
    net.run(20_000);
    net.mine();
    assert_eq!((net.chain.paid(&script(50, 4)), net.by_key()), (1, 1), "{:?}", net.events);
    net.nodes[3].online = false;
    pay(&mut net, 51);
    net.run(60_000);
    net.mine();
    assert_eq!((net.chain.paid(&script(51, 4)), net.by_key()), (1, 2), "{:?}", net.events);
    assert!(net.blamed.is_empty(), "{:?}", net.blamed);
    // Whose keys change are guarded by the leaf alone until there is a group of them.
    net.nodes[3].online = true;
    net.catch_up(3);
    net.run(30_000);
    net.leave(3);
    net.run(60_000);
    net.mine();
    assert_eq!(guard(&net), "multi_a");
    settle(&mut net);
    assert_eq!((guard(&net).as_str(), net.state(0).epoch().unwrap().holders.len()), ("frost", 3));
    check_end(&net);
}

#[test]
fn a_group_survives_lost_messages_and_a_holder_that_comes_late() {
    let mut net = Net::found(charter(Construction::Frost, 0), 4, 4, 3);
    net.nodes[2].online = false;
    net.run(100_000);
    assert_eq!(net.state(0).epoch().unwrap().guard.construction().to_string(), "multi_a");
    net.nodes[2].online = true;
    net.faults.lost = 4;
    net.crash(1);
    net.catch_up(2);
    net.run(200_000);
    net.faults.lost = 0;
    net.run(300_000);
    net.mine();
    assert_eq!(net.state(0).epoch().unwrap().guard.construction().to_string(), "frost", "{:?}", net.events);
    assert!(net.messages < 30_000, "{} messages", net.messages);
    check_end(&net);
}

#[test]
fn a_holder_that_restarts_anywhere_while_a_group_is_made_keeps_nobody_from_it() {
    for steps in 1..60 {
        let mut net = Net::found(charter(Construction::Frost, 0), 4, 4, 3);
        net.crash_at = Some((1, steps));
        net.run(100_000);
        net.crash_at = None;
        settle(&mut net);
        settle(&mut net);
        let construction = net.state(0).epoch().unwrap().guard.construction().to_string();
        assert_eq!(construction, "frost", "{steps}: {:?}", net.events);
        let blamed: Vec<_> = net.blamed.iter().filter(|(_, code)| *code != "guard_group").collect();
        assert!(blamed.is_empty(), "{steps}: {blamed:?}");
        check_end(&net);
    }
}

#[test]
fn whoever_is_locked_has_no_share_until_it_is_handed_in_again() {
    let mut net = founded(Construction::Frost);
    let command = |net: &mut Net, command| net.tell_one(1, Input::Command(command));
    command(&mut net, Command::Lock);
    let secrets = net.secrets_of(1);
    assert!(!secrets.is_empty());
    net.nodes[2].online = false;
    // Three must sign, of whom two can.
    pay(&mut net, 50);
    net.run(60_000);
    assert!(net.member(0).open().all(|attempt| attempt.finished.is_none()), "{:?}", net.events);
    secrets.into_iter().for_each(|set| net.tell_one(1, Input::Stored(set)));
    command(&mut net, Command::Unlock(Box::new(keypair(1, 0))));
    net.run(60_000);
    net.mine();
    assert_eq!(net.chain.paid(&script(50, 4)), 1, "{:?}", net.events);
    net.nodes[2].online = true;
    net.catch_up(2);
    net.run(30_000);
    pay(&mut net, 51);
    let before = net.by_key();
    net.run(20_000);
    net.mine();
    assert_eq!((net.chain.paid(&script(51, 4)), net.by_key()), (1, before + 1), "{:?}", net.events);
    check_end(&net);
}

#[test]
fn nobody_signs_for_a_group_that_it_did_not_make() {
    let mut net = Net::found(charter(Construction::Frost, 0), 4, 4, 3);
    net.run(20_000);
    let state = net.state(0).clone();
    let keys: Vec<_> = state.epoch().unwrap().holders.keys().copied().collect();
    let group = alone(&keys, state.epoch().unwrap().threshold());
    let tip = net.chain.tip().height;
    let rate = domain::bitcoin::FeeRate::from_sat_per_vb_u32(2);
    let mut turn = Turn::after(state.turn(), peer(1), tip, rate);
    turn.group = Some(group);
    let message = Message::Turn(turn.encode());
    (0..4).for_each(|to| net.forge(1, to, &message));
    net.run(10_000);
    assert_eq!(net.events.get("guard_group"), Some(&4), "{:?}", net.events);
    let signed = net.member(0).attempts().into_iter().filter(|it| it.turn == turn.id());
    assert!(signed.clone().count() == 1 && signed.into_iter().all(|it| !it.is_safe && !it.is_revocable));
}

/// A group that one person makes alone, whose secret it knows.
fn alone(keys: &[XOnlyPublicKey], threshold: usize) -> Vec<u8> {
    let begin = |own: &XOnlyPublicKey| {
        Round1::begin(keys.to_vec(), threshold, *own, &Zeroizing::new([6; 32])).unwrap()
    };
    let (members, dealt): (Vec<_>, Vec<_>) = keys.iter().map(begin).unzip();
    let dealt: BTreeMap<_, _> = keys.iter().copied().zip(dealt).collect();
    let mut inbox = BTreeMap::new();
    let mut first = None;
    for (own, member) in keys.iter().zip(members) {
        let (next, mut parcels) = member.proceed(&dealt).unwrap();
        inbox.extend(parcels.remove(&keys[0]).map(|parcel| (*own, parcel)));
        first.get_or_insert(next);
    }
    first.unwrap().finish(&inbox).unwrap().0.to_bytes().unwrap()
}

#[test]
fn without_one_of_them_the_leaf_signs() {
    let mut net = founded(Construction::MuSig2);
    net.nodes[3].online = false;
    pay(&mut net, 50);
    net.run(60_000);
    net.mine();
    assert_eq!((net.chain.paid(&script(50, 4)), net.by_key()), (1, 0), "{:?}", net.events);
    net.nodes[3].online = true;
    net.catch_up(3);
    net.run(30_000);
    check_end(&net);
}

#[test]
fn a_signer_that_restarts_between_any_two_steps_uses_no_nonce_again() {
    for construction in ALL {
        for steps in (1..40).step_by(3) {
            let mut net = founded(construction);
            let proposal = pay(&mut net, 50);
            net.crash_at = Some((1, steps));
            net.run(100_000);
            net.mine();
            net.crash_at = None;
            net.run(60_000);
            net.mine();
            check_end(&net);
            check_payments(&net, &[proposal]);
            assert!(net.blamed.is_empty(), "{:?}", net.blamed);
        }
    }
}

#[test]
fn whoever_commits_in_anothers_name_or_twice_is_blamed() {
    let mut net = founded(Construction::MuSig2);
    net.nodes[1].online = false;
    pay(&mut net, 50);
    net.run(10_100);
    let (round, first) = (round(&net, 0), holder(&net, 1));
    let commit =
        |holder, byte| Message::Commit(Commit { round, holder, commitment: ByteArray::from([byte; 66]) });
    net.forge(2, 0, &commit(first, 2));
    assert!(net.blamed.contains(&(peer(2), "guard_not_holder")));
    net.forge(1, 0, &commit(first, 2));
    assert!(!net.blamed.iter().any(|(who, _)| *who == peer(1)));
    net.forge(1, 0, &commit(first, 3));
    assert!(net.blamed.contains(&(peer(1), "commitment_invalid")), "{:?}", net.blamed);
    net.run(60_000);
    net.mine();
    assert_eq!(net.chain.paid(&script(50, 4)), 1, "the leaf signs");
}

#[test]
fn what_cannot_be_of_a_round_is_refused() {
    let mut net = founded(Construction::MuSig2);
    net.nodes[1].online = false;
    pay(&mut net, 50);
    net.run(10_100);
    let (round, own) = (round(&net, 0), holder(&net, 1));
    let (name, partial) = (ByteArray::from([1; 32]), ByteArray::from([1; 32]));
    let mut check = |code, message: Message| {
        net.forge(1, 0, &message);
        assert!(net.blamed.remove(&(peer(1), code)), "{code}: {:?}", net.blamed);
    };
    let commitment = ByteArray::from([2; 66]);
    let late = Round { number: MAX_ROUNDS + 1, ..round };
    check("attempts_too_many", Message::Commit(Commit { round: late, holder: own, commitment }));
    let other = Round { input: 9, ..round };
    check("guard_malformed", Message::Commit(Commit { round: other, holder: own, commitment }));
    check("guard_malformed", Message::Commit(Commit { round, holder: 99, commitment }));
    check("guard_malformed", Message::Signers(Signers { round, holders: Members::of(0..3), name }));
    check("guard_malformed", Message::Partial(PartPartial { round, holder: 99, name, partial }));
}

#[test]
fn a_part_that_is_not_the_signers_is_blamed_and_the_leaf_signs() {
    let mut net = founded(Construction::MuSig2);
    net.spoils = Some(2);
    let proposal = pay(&mut net, 50);
    net.run(60_000);
    net.mine();
    assert!(net.blamed.contains(&(peer(2), "partial_invalid")), "{:?}", net.blamed);
    check_end(&net);
    check_payments(&net, &[proposal]);
}

#[test]
fn a_signer_that_disappears_after_round_one_stops_nobody() {
    let silent =
        [Construction::MuSig2, Construction::Frost].into_iter().flat_map(|it| [(it, 1), (it, 2), (it, 3)]);
    for (construction, silent) in silent {
        let mut net = founded(construction);
        net.silent = Some(silent);
        let proposal = pay(&mut net, 50);
        let finished = |net: &Net| net.member(0).open().find_map(|attempt| attempt.finished.clone());
        for _ in 0..120 {
            if finished(&net).is_none() {
                net.run(500);
            }
        }
        // FROST goes on with the others, MuSig2 has nobody else.
        let elements = finished(&net).expect("it is signed").input[0].witness.len();
        assert_eq!(elements == 1, construction == Construction::Frost, "{construction:?}");
        net.mine();
        check_end(&net);
        check_payments(&net, &[proposal]);
    }
}
