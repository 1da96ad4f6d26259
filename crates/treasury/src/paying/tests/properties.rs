//! What holds whatever happens: nothing is lost or made, no order matters, and no lie changes anything.

use domain::{
    Network, Record, Stamp,
    bitcoin::{Amount, OutPoint, Txid, hashes::Hash},
    kinds::{Due, Note, Offer, OfferId, Payout, PayoutLine},
};
use proptest::prelude::*;

use super::super::{
    waterfall::{Flow, Part, pro_rata},
    *,
};
use super::world::*;

/// Something that happens on the chain.
#[derive(Clone, Debug)]
enum Step {
    Tip(u64),
    Invest { offer: usize, principal: u64, investor: u8 },
    PayOwed,
    PayExactly(u64),
    Decline(usize),
    Wait(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1u64..3_000_000).prop_map(Step::Tip),
        3 => (0usize..3, 1u64..700_000, 2u8..6)
            .prop_map(|(offer, principal, investor)| Step::Invest { offer, principal, investor }),
        1 => Just(Step::PayOwed),
        1 => (1u64..500_000).prop_map(Step::PayExactly),
        1 => (0usize..8).prop_map(Step::Decline),
        1 => (1u32..40 * DAY).prop_map(Step::Wait),
    ]
}

fn terms() -> impl Strategy<Value = Offer> {
    let splits = proptest::collection::vec(1u16..4_000, 0..3);
    (10_000u64..1_000_000, 1u16..=10_000, 100u16..400, 0u64..200_000, 1u32..200 * DAY, splits).prop_map(
        |(goal, share, cap, floor, life, splits)| Offer {
            goal: sat(goal),
            share,
            cap,
            floor: sat(floor),
            expiry: BEGIN + life,
            splits: Some((0..).zip(splits).map(|(at, share)| split("Mira", share, address(at))).collect()),
            ..offer(1)
        },
    )
}

/// A world in which all of it happened; returns the offers, too.
fn play(terms: &[Offer], steps: &[Step]) -> (World, Vec<OfferId>) {
    let mut world = World::new();
    let numbered = (1u8..).zip(terms);
    let offers: Vec<OfferId> =
        numbered.map(|(salt, offer)| world.offer(&Offer { salt: [salt; 16], ..offer.clone() })).collect();
    for step in steps {
        match step {
            Step::Tip(sat) => drop(world.tip(*sat)),
            Step::Invest { offer, principal, investor } => {
                world.invest(*investor, offers[offer % offers.len()], *principal);
            }
            Step::PayOwed => drop(world.pay_owed()),
            Step::PayExactly(amount) => {
                let wish = Wish { amount: Some(sat(*amount)), ..Wish::default() };
                if let Ok(plan) = world.ledger().plan(&world.watch, &wish) {
                    assert_eq!(plan.total(), sat(*amount));
                    world.pay(&plan);
                }
            }
            Step::Decline(at) => {
                let Some(note) = world.ledger().notes.keys().nth(*at).copied() else { continue };
                let wish = Wish { declines: vec![note], ..Wish::default() };
                if let Ok(plan) = world.ledger().plan(&world.watch, &wish) {
                    world.pay(&plan);
                }
            }
            Step::Wait(seconds) => world.wait(*seconds),
        }
    }
    (world, offers)
}

fn any_world() -> impl Strategy<Value = (Vec<Offer>, Vec<Step>)> {
    (proptest::collection::vec(terms(), 1..4), proptest::collection::vec(step(), 0..25))
}

fn shuffled<T: Clone>(items: &[T], seed: u64) -> Vec<T> {
    let key = |at: &usize| blake3::hash(&[seed.to_le_bytes(), (*at as u64).to_le_bytes()].concat()).to_hex();
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by_key(|at| key(at).to_string());
    order.into_iter().map(|at| items[at].clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn every_satoshi_is_somebodys_and_nobody_is_above_a_cap((terms, steps) in any_world()) {
        let (world, offers) = play(&terms, &steps);
        let ledger = world.ledger();
        let notes: Amount = ledger.notes.values().map(|note| note.earned).sum();
        let splits: Amount = ledger.offers.values().flat_map(|it| &it.splits).map(|it| it.earned).sum();
        prop_assert_eq!(ledger.income, ledger.kept + notes + splits);
        for note in ledger.notes.values() {
            prop_assert!(note.earned <= note.cap);
            prop_assert!(note.paid <= note.cap, "a plan never pays above the cap");
            prop_assert_eq!(note.principal, note.accepted + note.refund);
            prop_assert!(note.refunded <= note.refund);
        }
        for (id, offer) in &ledger.offers {
            let accepted: Amount = ledger.notes_of(id).iter().map(|(_, note)| note.accepted).sum();
            prop_assert_eq!(accepted, offer.raised);
            prop_assert!(offer.raised <= offer.offer.goal);
        }
        prop_assert_eq!(ledger.offers.len(), offers.len());
        prop_assert!(ledger.is_complete(), "{:?}", ledger.problems);
    }

    #[test]
    fn what_is_owed_is_what_a_plan_pays_or_carries((terms, steps) in any_world()) {
        let (mut world, _) = play(&terms, &steps);
        let ledger = world.ledger();
        let notes = ledger.notes.values().map(NoteState::owed);
        let owed: Amount = notes.chain(ledger.offers.values().flat_map(|it| &it.splits).map(SplitState::owed)).sum();
        if let Ok(plan) = ledger.plan(&world.watch, &Wish::default()) {
            prop_assert_eq!(plan.total() + plan.carried.iter().map(|(_, amount)| *amount).sum(), owed);
            prop_assert!(plan.lines.iter().all(|line| line.amount >= line.script.minimal_non_dust()));
            world.pay(&plan);
            let paid = world.ledger();
            for (due, _) in plan.lines.iter().map(|line| (line.due, line.amount)) {
                let left = match due {
                    Due::Earned(note) => paid.notes[&note].owed_earned(),
                    Due::Refund(note) => paid.notes[&note].owed_refund(),
                    Due::Split(offer, number) => paid.offers[&offer].splits[usize::from(number)].owed(),
                    Due::Reward(_) => Amount::ZERO,
                };
                prop_assert_eq!(left, Amount::ZERO);
            }
        }
    }

    #[test]
    fn the_order_of_records_and_their_number_of_copies_do_not_matter((terms, steps) in any_world(), seed: u64) {
        let (mut world, _) = play(&terms, &steps);
        let audit = world.audit();
        world.records = shuffled(&[world.records.clone(), shuffled(&world.records, seed)].concat(), !seed);
        prop_assert_eq!(world.audit(), audit);
    }

    #[test]
    fn the_order_in_which_blocks_are_looked_through_does_not_matter((terms, steps) in any_world(), seed: u64) {
        let (world, _) = play(&terms, &steps);
        let mut facts = Facts::new(NETWORK, world.facts.tip);
        for (at, block) in shuffled(&world.blocks, seed) {
            facts.connect(at, &block, &world.watch);
            facts.connect(at, &block, &world.watch);
        }
        prop_assert_eq!(facts, world.facts);
    }

    #[test]
    fn duplicated_replayed_and_forged_records_change_nothing((terms, steps) in any_world()) {
        let (mut world, offers) = play(&terms, &steps);
        let audit = world.audit();
        let honest: Vec<Record> = world.records.clone();
        for (id, signed) in world.book().notes().clone() {
            // Somebody else signs the same words, the investor signs them again, or for more.
            world.sign(7, Vec::new(), &signed.body);
            let more = Note { principal: signed.body.principal + sat(1), ..signed.body.clone() };
            world.sign(8, Vec::new(), &more);
            world.sign(2, Vec::new(), &more);
            let investor = (2..6).find(|number| person(*number).id() == signed.author).unwrap();
            let again = world.sign(investor, Vec::new(), &signed.body);
            prop_assert_eq!(again.slot, id);
        }
        // A note that nobody paid, and payouts and offers of somebody who is not the artist.
        let unpaid = world.note(offers[0], 5_000);
        world.sign(5, Vec::new(), &unpaid);
        for (_, payout) in world.book().payouts().clone() {
            world.sign(5, Vec::new(), &payout);
        }
        world.sign(5, Vec::new(), &offer(9));
        world.records.extend(honest);
        prop_assert_eq!(world.audit(), audit);
    }

    #[test]
    fn a_payment_that_names_somebody_elses_transaction_changes_nothing((terms, steps) in any_world()) {
        let (mut world, _) = play(&terms, &steps);
        let audit = world.audit();
        let outputs: Vec<(OutPoint, u64)> = world.facts.transactions().iter().flat_map(|it| {
            it.outputs.iter().map(|(vout, output)| (OutPoint::new(it.txid, *vout), output.value.to_sat()))
        }).collect();
        for (outpoint, value) in outputs {
            world.claim(6, outpoint, value.max(1));
        }
        world.claim(6, OutPoint::new(Txid::all_zeros(), 0), 1_000);
        prop_assert_eq!(world.audit(), audit);
        let receipts = receipts(&world.book(), &world.watch, &world.facts);
        prop_assert_eq!(receipts.iter().map(|it| it.amount).sum::<Amount>(), world.ledger().income);
    }

    #[test]
    fn a_payout_that_names_what_others_paid_changes_nothing((terms, steps) in any_world()) {
        let (mut world, _) = play(&terms, &steps);
        let before = world.ledger();
        for (note, state) in &before.notes {
            for vout in 0..3 {
                let lines = vec![PayoutLine { due: Due::Earned(*note), vout, amount: state.principal }];
                let payout = Payout { network: NETWORK, salt: world.fresh(), lines, place: None };
                world.log(&payout);
            }
        }
        let after = world.ledger();
        prop_assert_eq!(before.notes, after.notes);
        prop_assert_eq!(before.payouts, after.payouts);
    }

    #[test]
    fn after_a_reorg_all_is_as_if_the_lost_blocks_had_never_been((terms, steps) in any_world(), depth in 0usize..8) {
        let (mut world, _) = play(&terms, &steps);
        let kept = world.blocks.len().saturating_sub(depth);
        let tip = kept.checked_sub(1).map_or(block(0, BEGIN), |at| world.blocks[at].0);
        let mut fresh = Facts::new(NETWORK, block(0, BEGIN));
        for (at, block) in &world.blocks[..kept] {
            fresh.connect(*at, block, &world.watch);
        }
        world.facts.disconnect(tip);
        prop_assert_eq!(&world.facts, &fresh);
        let audit = world.audit();
        // The other branch: the same transactions, one block later, then gone again.
        let (at, lost) = (block(tip.height + 1, tip.median_time_past + 600), world.blocks[kept..].to_vec());
        for (_, block) in &lost {
            world.facts.connect(at, block, &world.watch);
        }
        world.facts.disconnect(tip);
        prop_assert_eq!(world.audit(), audit);
    }

    #[test]
    fn another_network_has_no_part_in_it((terms, steps) in any_world()) {
        let (mut world, _) = play(&terms, &steps);
        let audit = world.audit();
        let foreign = |offer: &Offer| Offer { network: Network::Mainnet, ..offer.clone() };
        for offer in &terms {
            let stamp = Stamp { seq: 1 << 40, ..Stamp::default() };
            world.records.push(Record::sign(&person(1), stamp, &foreign(offer)).unwrap());
        }
        prop_assert_eq!(world.audit(), audit);
    }
}

proptest! {
    #[test]
    fn parts_sum_to_the_whole_and_are_within_one_of_exact(
        amount in 0..=Amount::MAX_MONEY.to_sat(),
        weights in proptest::collection::vec(0..=Amount::MAX_MONEY.to_sat(), 1..40),
    ) {
        let parts = pro_rata(amount, &weights);
        let whole: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
        if whole > 0 {
            prop_assert_eq!(parts.iter().sum::<u64>(), amount);
            for (part, weight) in parts.iter().zip(&weights) {
                let exact = u128::from(amount) * u128::from(*weight);
                prop_assert!((u128::from(*part) * whole).abs_diff(exact) < whole);
            }
        }
    }

    #[test]
    fn a_preview_sums_to_its_income(
        offer in terms(), income in 0..=Amount::MAX_MONEY.to_sat(), fee in 0u64..100_000,
    ) {
        let preview = Preview::of(&Terms::from(&offer), sat(income), sat(fee));
        let splits = preview.splits.iter().copied().sum::<Amount>();
        let sum = preview.fee + splits + preview.floor + preview.investors + preview.artist;
        prop_assert_eq!(sum, sat(income));
        prop_assert!(preview.investors <= offer.cap_of(offer.goal));
    }

    #[test]
    fn a_note_earns_share_times_principal_through_goal_of_every_income(
        incomes in proptest::collection::vec(0u64..100_000_000, 0..60),
        principals in proptest::collection::vec(1u64..250_000, 1..4),
        share in 1u16..=10_000,
    ) {
        let terms = Terms::from(&Offer { share, cap: 10_000, ..offer(1) });
        let mut flow = Flow::new(&terms);
        for (number, principal) in principals.iter().enumerate() {
            flow.invest(number, *principal);
        }
        let mut earned = vec![0u64; principals.len()];
        let mut kept = 0;
        for income in &incomes {
            kept += flow.pour(*income, |part| if let Part::Note(number, sat) = part { earned[number] += sat });
        }
        prop_assert_eq!(kept + earned.iter().sum::<u64>(), incomes.iter().sum::<u64>());
        let total: u128 = incomes.iter().map(|income| u128::from(*income)).sum();
        let whole = 10_000 * u128::from(terms.goal.to_sat());
        for (earned, principal) in earned.iter().zip(&principals) {
            let cap = principal * 100;
            let exact = total * u128::from(share) * u128::from(*principal) / whole;
            let off = u128::from(*earned).abs_diff(exact.min(cap.into()));
            prop_assert!(off <= incomes.len() as u128 + 1, "{off} sat over {} incomes", incomes.len());
        }
    }
}
