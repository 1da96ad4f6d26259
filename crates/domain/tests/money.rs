//! What records about money promise.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use domain::{
    Identity, Kind, Kinds, MAX_RECORD_LEN, MAX_REFS, Network, PeerId, Record, RecordError, RecordId, SlotId,
    Stamp,
    bitcoin::{
        Amount, OutPoint, ScriptBuf, WPubkeyHash, WScriptHash,
        bip32::{ChildNumber, DerivationPath, Xpriv, Xpub},
        hashes::Hash,
        secp256k1::Secp256k1,
    },
    kinds::{
        Due, Income, MAX_LINES, MAX_SPLITS, MAX_WINDOWS, Note, Offer, Payee, Payment, Payout, PayoutLine,
        Place, Split, Thanks, WINDOW, id, in_money_log,
    },
};
use proptest::prelude::*;

fn artist() -> Identity {
    Identity::from_secret(&[1; 32])
}

fn stamp(seq: u64) -> Stamp {
    Stamp { seq, created_at: 1_760_000_000_000, ..Stamp::default() }
}

fn sign<K: Kind>(seq: u64, body: &K) -> Record {
    Record::sign(&artist(), stamp(seq), body).unwrap()
}

fn xpub(network: Network, path: &str) -> Xpub {
    let secp = Secp256k1::new();
    let path: DerivationPath = path.parse().unwrap();
    let master = Xpriv::new_master(network.bitcoin(), &[7; 32]).unwrap();
    Xpub::from_priv(&secp, &master.derive_priv(&secp, &path).unwrap())
}

fn income() -> Income {
    let network = Network::Signet;
    let (income, principal) = (xpub(network, "86'/1'/1'/0"), xpub(network, "86'/1'/1'/1"));
    Income { network, income, principal, windows: vec![0, 5_000], birthday: 220_000 }
}

fn script(number: u8) -> ScriptBuf {
    ScriptBuf::new_p2wpkh(&WPubkeyHash::hash(&[number]))
}

fn split(share: u16) -> Split {
    Split { name: "Mira".into(), share, script: script(1), peer: Some(PeerId::from_bytes([6; 32])) }
}

fn offer() -> Offer {
    Offer {
        network: Network::Signet,
        salt: [1; 16],
        goal: Amount::from_sat(1_000_000),
        share: 2_500,
        cap: 150,
        floor: Amount::from_sat(50_000),
        expiry: 1_800_000_000,
        splits: Some(vec![split(1_000)]),
        title: Some("A second record".into()),
        release: Some(SlotId::from_bytes([5; 32])),
    }
}

fn note() -> Note {
    Note {
        network: Network::Signet,
        salt: [2; 16],
        artist: artist().id(),
        offer: SlotId::from_bytes([4; 32]),
        principal: Amount::from_sat(100_000),
        vout: 0,
        payee: Payee::Script(script(2)),
        place: None,
    }
}

fn payment() -> Payment {
    Payment {
        network: Network::Signet,
        salt: [3; 16],
        artist: artist().id(),
        outpoint: OutPoint::null(),
        amount: Amount::from_sat(5_000),
        memo: Some("For the third track".into()),
        release: None,
        place: None,
    }
}

fn payout(lines: usize) -> Payout {
    let slot = SlotId::from_bytes([255; 32]);
    let dues = [Due::Earned(slot), Due::Refund(slot), Due::Split(slot, 9), Due::Reward(Some(slot))];
    let line =
        |at: usize| PayoutLine { due: dues[at % 4], vout: u32::MAX - at as u32, amount: Amount::MAX_MONEY };
    let place = Place { position: 2, count: 3, path: vec![[7; 32]] };
    Payout {
        network: Network::Signet,
        salt: [4; 16],
        lines: (0..lines).map(line).collect(),
        place: Some(place),
    }
}

/// One record of every kind about money, always the same bytes.
fn golden() -> Vec<(&'static str, Record)> {
    let thanks =
        Thanks { network: Network::Signet, payment: SlotId::from_bytes([9; 32]), words: "Thank you".into() };
    let dao = Note { payee: Payee::Dao([8; 32]), ..note() };
    vec![
        ("income", sign(1, &income())),
        ("offer", sign(2, &offer())),
        ("note", sign(3, &note())),
        ("note of a DAO", sign(4, &dao)),
        ("payment", sign(5, &payment())),
        ("payout", sign(6, &payout(4))),
        ("thanks", sign(7, &thanks)),
    ]
}

#[test]
fn golden_bytes_never_change() {
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    let lines: Vec<String> = golden()
        .iter()
        .map(|(name, record)| format!("{name}: {} {}", record.slot, hex(record.bytes())))
        .collect();
    insta::assert_snapshot!("golden_money_v1", lines.join("\n"));
}

#[test]
fn every_kind_reads_back_and_passes_its_own_check() {
    for (name, record) in golden() {
        let read = Record::decode(record.bytes().clone()).unwrap();
        assert_eq!(read, record, "{name}");
        Kinds::default().check(&read).unwrap();
    }
}

#[test]
fn money_on_another_network_is_refused() {
    for (name, record) in golden() {
        for network in Network::ALL.into_iter().filter(|network| *network != Network::Signet) {
            let refused = Kinds::default().on(network).check(&record).unwrap_err();
            assert_eq!(refused, RecordError::Network(Network::Signet), "{name}");
            assert_eq!(refused.code(), "record_network");
        }
    }
}

#[test]
fn what_others_rely_on_cannot_be_taken_back() {
    for (name, record) in golden() {
        let withdrawn = Record::withdraw(&artist(), stamp(99), record.kind, record.key).unwrap();
        let permanent = !matches!(record.kind, id::PAYMENT | id::THANKS);
        assert_eq!(Kinds::default().is_permanent(record.kind), permanent, "{name}");
        let expected = if permanent { Err(RecordError::Permanent) } else { Ok(()) };
        assert_eq!(Kinds::default().check(&withdrawn), expected, "{name}");
    }
}

#[test]
fn an_offer_edited_after_it_was_signed_is_another_offer() {
    let edits: [fn(&mut Offer); 4] = [
        |offer| offer.share = 1,
        |offer| offer.goal = Amount::from_sat(2_000_000),
        |offer| offer.expiry += 1,
        |offer| offer.splits = None,
    ];
    let signed = sign(1, &offer());
    for edit in edits {
        let mut edited = offer();
        edit(&mut edited);
        assert_ne!(sign(2, &edited).slot, signed.slot);
    }
    // Under the old key it is refused: the key stands in clear in the payload.
    let edited = sign(1, &Offer { share: 1, ..offer() });
    let payload = &edited.bytes()[..edited.bytes().len() - 64];
    let at = payload.windows(32).position(|window| window == edited.key.as_bytes()).unwrap();
    let mut forged = payload.to_vec();
    forged[at..at + 32].copy_from_slice(signed.key.as_bytes());
    let signature = artist().sign(&[b"musicdao record v1\n", &forged[..]].concat());
    forged.extend_from_slice(&signature);
    let forged = Record::decode(forged.into()).unwrap();
    assert_eq!(forged.slot, signed.slot);
    assert_eq!(Kinds::default().check(&forged), Err(RecordError::Key));
}

#[test]
fn a_note_and_a_payout_keep_their_ids_whatever_their_place() {
    let place = Some(Place { position: 0, count: 2, path: vec![[1; 32]] });
    assert_eq!(sign(1, &Note { place: place.clone(), ..note() }).slot, sign(2, &note()).slot);
    assert_eq!(sign(1, &Payout { place: None, ..payout(1) }).slot, sign(2, &payout(1)).slot);
    let bumped = OutPoint { vout: 1, ..OutPoint::null() };
    assert_eq!(sign(1, &Payment { outpoint: bumped, place, ..payment() }).slot, sign(2, &payment()).slot);
}

#[test]
fn the_largest_bodies_fit_a_record() {
    let stamp = || Stamp {
        refs: vec![RecordId::from_bytes([1; 32])],
        seq: u64::MAX,
        created_at: u64::MAX,
        ..Stamp::default()
    };
    let name = "\u{10FFFD}".repeat(100);
    let long = Split { name, script: ScriptBuf::new_p2wsh(&WScriptHash::hash(&[1])), ..split(999) };
    let title = "\u{10FFFD}".repeat(200);
    let offer = Offer { splits: Some(vec![long; MAX_SPLITS]), title: Some(title), ..offer() };
    assert!(
        matches!(Record::sign(&artist(), stamp(), &offer), Err(RecordError::TooLong(_))),
        "in four-byte letters"
    );
    let plain = Split { name: "x".repeat(100), share: 999, ..split(1) };
    let offer = Offer { splits: Some(vec![plain; MAX_SPLITS]), title: Some("x".repeat(200)), ..offer };
    let path = vec![[255; 32]; 10];
    let payout = Payout { place: Some(Place { position: 1_000, count: 1_024, path }), ..payout(MAX_LINES) };
    let windows = (0..MAX_WINDOWS as u32).map(|at| at * 100_000_000).collect();
    for length in [
        Record::sign(&artist(), stamp(), &offer).unwrap().bytes().len(),
        Record::sign(&artist(), stamp(), &payout).unwrap().bytes().len(),
        Record::sign(&artist(), stamp(), &Income { windows, ..income() }).unwrap().bytes().len(),
    ] {
        assert!(length <= MAX_RECORD_LEN, "{length}");
    }
    const { assert!(MAX_REFS >= 1) };
}

#[test]
fn an_artists_log_is_what_others_are_owed_by() {
    let log = |kind| in_money_log(kind);
    assert!([id::INCOME, id::OFFER, id::PAYOUT].into_iter().all(log));
    assert!(![id::NOTE, id::PAYMENT, id::THANKS, id::PROFILE].into_iter().any(log));
}

/// Says which field a body is refused for.
fn refused<K: Kind>(body: &K) -> &'static str {
    match Record::sign(&artist(), stamp(1), body) {
        Err(RecordError::Body { field, .. }) => field,
        other => panic!("{}: {other:?}", K::NAME),
    }
}

#[test]
fn income_records_that_would_lose_money_are_refused() {
    let account = xpub(Network::Signet, "86'/1'/1'");
    let check = |field, income: Income| assert_eq!(refused(&income), field, "{income:?}");
    check("income", Income { income: account, ..income() });
    check("income", Income { income: income().principal, ..income() });
    check("income", Income { network: Network::Mainnet, ..income() });
    check("principal", Income { principal: income().income, ..income() });
    check("principal", Income { principal: xpub(Network::Signet, "86'/1'/0'/1"), ..income() });
    let same = Xpub { child_number: ChildNumber::from_normal_idx(1).unwrap(), ..income().income };
    check("principal", Income { principal: same, ..income() });
    check("windows", Income { windows: vec![], ..income() });
    check("windows", Income { windows: vec![5_000, 0], ..income() });
    check("windows", Income { windows: vec![0, WINDOW - 1], ..income() });
    check("windows", Income { windows: vec![(1 << 31) - WINDOW + 1], ..income() });
    check(
        "windows",
        Income { windows: (0..=MAX_WINDOWS as u32).map(|at| at * WINDOW).collect(), ..income() },
    );
    sign(1, &Income { windows: vec![0, WINDOW, (1 << 31) - WINDOW], ..income() });
}

#[test]
fn offers_that_cannot_be_kept_are_refused() {
    let check = |field, offer: Offer| assert_eq!(refused(&offer), field, "{offer:?}");
    check("share", Offer { share: 10_001, ..offer() });
    check("share", Offer { share: 0, ..offer() });
    check("cap", Offer { cap: 99, ..offer() });
    check("cap", Offer { cap: 10_001, ..offer() });
    check("goal", Offer { goal: Amount::ZERO, ..offer() });
    check("goal", Offer { goal: Amount::MAX_MONEY + Amount::from_sat(1), ..offer() });
    check("floor", Offer { floor: Amount::MAX, ..offer() });
    check("splits", Offer { splits: Some(vec![split(5_000), split(5_000)]), ..offer() });
    check("splits", Offer { splits: Some(vec![split(1); MAX_SPLITS + 1]), ..offer() });
    check("split's share", Offer { splits: Some(vec![split(0)]), ..offer() });
    let script = ScriptBuf::new_op_return([1; 4]);
    check("split's script", Offer { splits: Some(vec![Split { script, ..split(1) }]), ..offer() });
    check("title", Offer { title: Some("bell\u{7}".into()), ..offer() });
}

#[test]
fn notes_payments_and_payouts_that_say_nothing_are_refused() {
    assert_eq!(refused(&Note { principal: Amount::ZERO, ..note() }), "principal");
    assert_eq!(refused(&Note { principal: Amount::MAX, ..note() }), "principal");
    assert_eq!(refused(&Note { payee: Payee::Script(ScriptBuf::new()), ..note() }), "payee");
    assert_eq!(refused(&Payment { amount: Amount::ZERO, ..payment() }), "amount");
    assert_eq!(refused(&Payment { memo: Some("x".repeat(281)), ..payment() }), "memo");
    assert_eq!(refused(&payout(0)), "lines");
    assert_eq!(refused(&payout(MAX_LINES + 1)), "lines");
    for (position, count) in [(0, 0), (2, 2), (0, 1_025)] {
        let place = Some(Place { position, count, path: Vec::new() });
        assert_eq!(refused(&Note { place, ..note() }), "place");
    }
    let place = Some(Place { position: 0, count: 2, path: vec![[0; 32]; 11] });
    assert_eq!(refused(&Note { place, ..note() }), "place");
    let thanks =
        Thanks { network: Network::Signet, payment: SlotId::from_bytes([1; 32]), words: " \n".into() };
    assert_eq!(refused(&thanks), "words");
}

proptest! {
    #[test]
    fn any_body_is_read_or_refused(kind in 16u16..22, body in proptest::collection::vec(any::<u8>(), 0..400)) {
        // What a body may be is asked of the reader, so the envelope is made of a good one's.
        let (_, record) = golden().into_iter().find(|(_, record)| record.kind == kind).unwrap();
        let old = record.body.clone().unwrap();
        let bytes = record.bytes();
        let at = bytes.windows(old.len()).position(|window| window == &old[..]).unwrap();
        let mut spoilt = bytes.to_vec();
        let length = old.len().min(body.len());
        spoilt[at..at + length].copy_from_slice(&body[..length]);
        if let Ok(record) = Record::parse(spoilt.into()) {
            let _ = Kinds::default().check(&record);
        }
    }
}
