//! What records about DAOs promise.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use domain::{
    Identity, Kind, Kinds, MAX_RECORD_LEN, Network, PeerId, Record, RecordError, SlotId, Stamp, Topic,
    bitcoin::{
        Amount, BlockHash, OutPoint, ScriptBuf, WPubkeyHash, WScriptHash, XOnlyPublicKey,
        hashes::Hash,
        secp256k1::{Keypair, Secp256k1},
    },
    kinds::{
        Ballot, Charter, Choice, Construction, DEFAULT_RECOVERY, Delegation, Intent, Join, JoinInput,
        JoinPolicy, Leave, MAX_JOIN_INPUTS, MAX_OUTPUTS, MIN_ENTRANCE_FEE, Output, Parameter, Proposal,
        Rules, Vouch, id,
    },
};
use proptest::prelude::*;

fn member() -> Identity {
    Identity::from_secret(&[1; 32])
}

fn stamp(seq: u64) -> Stamp {
    Stamp { seq, created_at: 1_760_000_000_000, topic: Topic::Community([9; 32]), ..Stamp::default() }
}

fn sign<K: Kind>(seq: u64, body: &K) -> Record {
    Record::sign(&member(), stamp(seq), body).unwrap()
}

fn slot(number: u8) -> SlotId {
    SlotId::from_bytes([number; 32])
}

fn script(number: u8) -> ScriptBuf {
    ScriptBuf::new_p2wpkh(&WPubkeyHash::hash(&[number]))
}

fn key() -> XOnlyPublicKey {
    Keypair::from_seckey_slice(&Secp256k1::new(), &[3; 32]).unwrap().x_only_public_key().0
}

fn charter() -> Charter {
    Charter {
        network: Network::Signet,
        salt: [1; 16],
        name: "Zaal 100".into(),
        purpose: "Records of the neighbourhood".into(),
        construction: Construction::MultiA,
        founders: 3,
        recovery: DEFAULT_RECOVERY,
        depth: 6,
        confirmations: 1,
        rules: Rules::with_fee(Amount::from_sat(20_000)),
    }
}

fn input(number: u8) -> JoinInput {
    JoinInput {
        outpoint: OutPoint { vout: number.into(), ..OutPoint::null() },
        value: Amount::from_sat(30_000),
        script: script(number),
        block: BlockHash::all_zeros(),
    }
}

fn join() -> Join {
    Join {
        network: Network::Signet,
        dao: slot(2),
        key: key(),
        leave: script(1),
        inputs: vec![input(1), input(2)],
        change: script(2),
        deposit: Amount::from_sat(20_000),
    }
}

fn propose(intent: Intent) -> Proposal {
    Proposal {
        network: Network::Signet,
        dao: slot(2),
        snapshot: [5; 32],
        title: "Pay the hall".into(),
        words: Some("For June".into()),
        intent,
        expiry: 250_000,
    }
}

fn output(number: u8) -> Output {
    Output { script: ScriptBuf::new_p2wsh(&WScriptHash::hash(&[number])), amount: Amount::from_sat(330) }
}

fn intents() -> Vec<(&'static str, Intent)> {
    let invest = Intent::Invest {
        artist: PeerId::from_bytes([7; 32]),
        offer: slot(8),
        amount: Amount::from_sat(50_000),
        income: slot(9),
        index: 5_017,
    };
    vec![
        ("invest", invest),
        ("pay", Intent::Pay { outputs: vec![output(1), output(2)] }),
        ("set", Intent::Set { parameter: Parameter::Threshold, value: 67 }),
        ("admit", Intent::Admit(PeerId::from_bytes([7; 32]))),
        ("remove", Intent::Remove(PeerId::from_bytes([7; 32]))),
        ("refresh", Intent::Refresh),
        ("dissolve", Intent::Dissolve),
    ]
}

/// One record of every kind about DAOs, always the same bytes.
fn golden() -> Vec<(&'static str, Record)> {
    let (network, dao, someone) = (Network::Signet, slot(2), PeerId::from_bytes([7; 32]));
    let ballot = Ballot { network, proposal: slot(3), choice: Choice::Abstain };
    let mut records = vec![
        ("charter", sign(1, &charter())),
        ("join", sign(2, &join())),
        ("vouch", sign(3, &Vouch { network, dao, member: someone })),
        ("ballot", sign(4, &ballot)),
        ("delegation", sign(5, &Delegation { network, dao, to: Some(someone) })),
        ("leave", sign(6, &Leave { network, dao, join: slot(4) })),
    ];
    records.extend(intents().into_iter().map(|(name, intent)| (name, sign(7, &propose(intent)))));
    records
}

#[test]
fn golden_bytes_never_change() {
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    let line = |(name, record): &(&str, Record)| format!("{name}: {} {}", record.slot, hex(record.bytes()));
    insta::assert_snapshot!("golden_dao_v1", golden().iter().map(line).collect::<Vec<_>>().join("\n"));
}

#[test]
fn every_kind_reads_back_and_belongs_to_one_network() {
    for (name, record) in golden() {
        let read = Record::decode(record.bytes().clone()).unwrap();
        assert_eq!(read, record, "{name}");
        Kinds::default().check(&read).unwrap();
        let refused = Kinds::default().on(Network::Regtest).check(&read).unwrap_err();
        assert_eq!(refused, RecordError::Network(Network::Signet), "{name}");
    }
}

#[test]
fn all_but_a_delegation_is_for_good() {
    for (name, record) in golden() {
        let withdrawn = Record::withdraw(&member(), stamp(99), record.kind, record.key).unwrap();
        let permanent = record.kind != id::DELEGATION;
        assert_eq!(Kinds::default().is_permanent(record.kind), permanent, "{name}");
        let expected = if permanent { Err(RecordError::Permanent) } else { Ok(()) };
        assert_eq!(Kinds::default().check(&withdrawn), expected, "{name}");
    }
}

#[test]
fn what_was_voted_on_cannot_be_edited_and_two_votes_of_one_member_both_stay() {
    let proposal = propose(Intent::Refresh);
    let snapshot = Proposal { snapshot: [6; 32], ..proposal.clone() };
    assert_ne!(sign(1, &proposal).slot, sign(2, &snapshot).slot);
    let ballot = |choice| Ballot { network: Network::Signet, proposal: slot(3), choice };
    assert_ne!(sign(1, &ballot(Choice::Yes)).slot, sign(2, &ballot(Choice::No)).slot);
}

/// Says which field a body is refused for.
fn refused<K: Kind>(body: &K) -> &'static str {
    match Record::sign(&member(), stamp(1), body) {
        Err(RecordError::Body { field, .. }) => field,
        other => panic!("{}: {other:?}", K::NAME),
    }
}

#[test]
fn charters_that_cannot_be_kept_are_refused() {
    let check = |field, charter: Charter| assert_eq!(refused(&charter), field, "{charter:?}");
    check("name", Charter { name: " ".into(), ..charter() });
    check("purpose", Charter { purpose: "x".repeat(1_001), ..charter() });
    check("founders", Charter { founders: 2, ..charter() });
    check("founders", Charter { founders: 101, ..charter() });
    check("founders", Charter { founders: 21, construction: Construction::SortedMulti, ..charter() });
    check("recovery", Charter { recovery: 0, ..charter() });
    check("depth", Charter { depth: 0, ..charter() });
    check("confirmations", Charter { confirmations: 101, ..charter() });
    let rules = charter().rules;
    let ruled = |field, rules| check(field, Charter { rules, ..charter() });
    ruled("entrance fee", Rules { entrance_fee: Amount::from_sat(MIN_ENTRANCE_FEE - 1), ..rules });
    ruled("threshold", Rules { threshold: 0, ..rules });
    ruled("threshold", Rules { threshold: 101, ..rules });
    ruled("spending", Rules { spending: 101, ..rules });
    ruled("vouches", Rules { vouches: 21, ..rules });
    ruled("growth", Rules { growth: 10_001, ..rules });
    let nobody = Rules { vouches: 0, ..rules };
    check("vouches", Charter { rules: nobody, network: Network::Mainnet, ..charter() });
    sign(1, &Charter { rules: nobody, ..charter() });
}

#[test]
fn joins_that_pay_nothing_or_with_odd_coins_are_refused() {
    let check = |field, join: Join| assert_eq!(refused(&join), field, "{join:?}");
    let odd = ScriptBuf::new_op_return([1; 4]);
    check("leave script", Join { leave: odd.clone(), ..join() });
    check("change", Join { change: odd.clone(), ..join() });
    check("deposit", Join { deposit: Amount::from_sat(MIN_ENTRANCE_FEE - 1), ..join() });
    check("inputs", Join { inputs: vec![], ..join() });
    check("inputs", Join { inputs: (0..=MAX_JOIN_INPUTS as u8).map(input).collect(), ..join() });
    check("inputs", Join { inputs: vec![input(1), input(1)], ..join() });
    check("inputs", Join { deposit: Amount::from_sat(60_000), ..join() });
    check("input", Join { inputs: vec![JoinInput { script: odd, ..input(1) }], ..join() });
    check("input", Join { inputs: vec![JoinInput { value: Amount::from_sat(329), ..input(1) }], ..join() });
}

#[test]
fn proposals_that_cannot_be_done_are_refused() {
    let pay = |outputs| propose(Intent::Pay { outputs });
    assert_eq!(refused(&pay(vec![])), "outputs");
    assert_eq!(refused(&pay((0..=MAX_OUTPUTS as u8).map(output).collect())), "outputs");
    assert_eq!(refused(&pay(vec![Output { amount: Amount::from_sat(329), ..output(1) }])), "output");
    assert_eq!(refused(&pay(vec![Output { script: ScriptBuf::new(), ..output(1) }])), "output's script");
    assert_eq!(refused(&Proposal { title: String::new(), ..propose(Intent::Refresh) }), "title");
    assert_eq!(refused(&Proposal { words: Some("x".repeat(501)), ..propose(Intent::Refresh) }), "words");
    let Intent::Invest { artist, offer, income, .. } = intents().remove(0).1 else { panic!("another order") };
    let invest =
        |sat, index| propose(Intent::Invest { artist, offer, amount: Amount::from_sat(sat), income, index });
    assert_eq!(refused(&invest(329, 1)), "amount");
    assert_eq!(refused(&invest(330, 1 << 31)), "index");
}

#[test]
fn a_proposal_has_a_kibibyte_at_most_and_everything_fits_a_record() {
    let outputs: Vec<Output> = (0..MAX_OUTPUTS as u8).map(output).collect();
    let long = |words: usize| Proposal {
        title: "x".repeat(100),
        words: Some("y".repeat(words)),
        ..propose(Intent::Pay { outputs: outputs.clone() })
    };
    let stamp = || Stamp { seq: u64::MAX, created_at: u64::MAX, ..stamp(1) };
    let largest = (0..=500).rev().find_map(|words| Record::sign(&member(), stamp(), &long(words)).ok());
    let length = largest.unwrap().bytes().len();
    assert!((900..=1_024).contains(&length), "{length}");
    assert_eq!(refused(&long(500)), "proposal");
    let p2wsh = output(1).script;
    let inputs = (0..MAX_JOIN_INPUTS as u8).map(input).collect();
    let largest = Join { leave: p2wsh.clone(), change: p2wsh, inputs, ..join() };
    assert!(Record::sign(&member(), stamp(), &largest).unwrap().bytes().len() <= MAX_RECORD_LEN);
    let charter = Charter { purpose: "\u{10FFFD}".repeat(700), ..charter() };
    assert!(Record::sign(&member(), stamp(), &charter).unwrap().bytes().len() <= MAX_RECORD_LEN);
}

#[test]
fn a_threshold_is_a_share_and_at_least_a_majority() {
    let threshold = |threshold, count| Rules { threshold, ..charter().rules }.threshold_of(count);
    for (percent, count, expected) in
        [(60, 10, 6), (60, 3, 2), (1, 10, 6), (1, 9, 5), (100, 10, 10), (60, 1, 1), (67, 100, 67)]
    {
        assert_eq!(threshold(percent, count), expected, "{percent} % of {count}");
    }
}

#[test]
fn rules_change_by_bounded_steps() {
    let rules = charter().rules;
    let check = |parameter, value, possible| {
        assert_eq!(rules.with(parameter, value, Network::Signet).is_ok(), possible, "{parameter:?} {value}");
    };
    check(Parameter::EntranceFee, 40_000, true);
    check(Parameter::EntranceFee, 40_001, false);
    check(Parameter::EntranceFee, 9_999, false);
    check(Parameter::Policy, 2, true);
    check(Parameter::Policy, 3, false);
    check(Parameter::Threshold, 70, true);
    check(Parameter::Threshold, 71, false);
    check(Parameter::Spending, 90, true);
    check(Parameter::Spending, 101, false);
    check(Parameter::Vouches, 1, true);
    check(Parameter::Vouches, 0, false);
    check(Parameter::Season, 2_016, true);
    check(Parameter::Season, u64::MAX, false);
    check(Parameter::Growth, 100, true);
    check(Parameter::Growth, 101, false);
    let changed = rules.with(Parameter::Policy, 1, Network::Signet).unwrap();
    assert_eq!(changed, Rules { policy: JoinPolicy::Vouched, ..rules });
    let one = Rules { vouches: 1, ..rules };
    assert!(one.with(Parameter::Vouches, 0, Network::Mainnet).is_err());
    assert!(one.with(Parameter::Vouches, 0, Network::Signet).is_ok());
}

proptest! {
    #[test]
    fn any_body_is_read_or_refused(at in 0usize..13, from in 0usize..400, body in proptest::collection::vec(any::<u8>(), 0..400)) {
        let (_, record) = golden().swap_remove(at);
        let old = record.body.clone().unwrap();
        let bytes = record.bytes();
        let start = bytes.windows(old.len()).position(|window| window == &old[..]).unwrap();
        let mut spoilt = bytes.to_vec();
        let from = from.min(old.len());
        let length = (old.len() - from).min(body.len());
        spoilt[start + from..start + from + length].copy_from_slice(&body[..length]);
        if let Ok(record) = Record::parse(spoilt.into()) {
            let _ = Kinds::default().check(&record);
        }
    }
}
