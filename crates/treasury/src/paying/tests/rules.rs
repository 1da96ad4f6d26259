//! The rules, one by one.

use domain::{
    Record, SlotId, Stamp,
    bitcoin::{Amount, ScriptBuf},
    kinds::{Due, Income, Note, Offer, Payee, Payout, PayoutLine, id},
};

use super::super::*;
use super::world::*;

fn codes(world: &World) -> Vec<&'static str> {
    world.ledger().problems.iter().map(Problem::code).collect()
}

#[test]
fn a_note_earns_its_part_of_what_comes_after_it_until_its_cap() {
    let mut world = World::new();
    let offer = world.offer(&offer(1));
    world.tip(500_000);
    let note = world.invest(2, offer, 400_000);
    assert_eq!(world.ledger().notes[&note].earned, Amount::ZERO, "what came before earns nothing");
    world.tip(100_000);
    // 50 % of the income, 40 % of the goal.
    assert_eq!(world.ledger().notes[&note].earned, sat(20_000));
    world.tip(10_000_000);
    let ledger = world.ledger();
    assert_eq!(ledger.notes[&note].earned, sat(600_000), "one and a half times the principal");
    assert_eq!(ledger.income, sat(10_600_000));
    assert_eq!(ledger.kept, sat(10_000_000));
    assert!(ledger.is_complete());
}

#[test]
fn income_in_the_same_transaction_or_before_it_in_the_block_is_not_after_the_note() {
    let mut world = World::new();
    let offer = world.offer(&offer(1));
    let note = world.note(offer, 1_000_000);
    let id = world.sign(2, Vec::new(), &note).slot;
    let root = Tree::of([id]).unwrap().root().script();
    let (income, principal) = (world.at(0, 1), world.at(1, 1));
    let before = world.transaction(vec![(income.clone(), 10_000)]);
    let with = world.transaction(vec![(principal, 1_000_000), (root, 0), (income.clone(), 10_000)]);
    let after = world.transaction(vec![(income, 10_000)]);
    world.mine(600, vec![before, with, after]);
    assert_eq!(world.ledger().notes[&id].earned, sat(5_000));
}

#[test]
fn collaborators_come_first_then_the_floor_then_investors() {
    let mut world = World::new();
    let splits = Some(vec![split("Mira", 1_000, address(1)), split("Jo", 2_000, address(2))]);
    let offer = world.offer(&Offer { floor: sat(70_000), splits, ..offer(1) });
    let note = world.invest(2, offer, 1_000_000);
    world.tip(100_000);
    let earned = |world: &World| {
        let ledger = world.ledger();
        let splits: Vec<u64> = ledger.offers[&offer].splits.iter().map(|it| it.earned.to_sat()).collect();
        (splits, ledger.notes[&note].earned.to_sat())
    };
    assert_eq!(earned(&world), (vec![10_000, 20_000], 0), "70,000 sat stay below the floor");
    world.tip(100_000);
    assert_eq!(earned(&world), (vec![20_000, 40_000], 35_000));
    world.pay_owed().unwrap();
    let ledger = world.ledger();
    assert_eq!(ledger.notes[&note].paid, sat(35_000));
    assert!(ledger.offers[&offer].splits.iter().all(|split| split.owed() == Amount::ZERO));
}

#[test]
fn what_is_beyond_the_goal_in_the_order_of_the_chain_is_refunded() {
    let mut world = World::new();
    let offer = world.offer(&offer(1));
    let first = world.invest(2, offer, 700_000);
    let second = world.invest(3, offer, 500_000);
    let third = world.invest(4, offer, 100_000);
    let ledger = world.ledger();
    let of = |id| {
        (ledger.notes[id].accepted.to_sat(), ledger.notes[id].refund.to_sat(), ledger.notes[id].status())
    };
    assert_eq!(of(&first), (700_000, 0, NoteStatus::Live));
    assert_eq!(of(&second), (300_000, 200_000, NoteStatus::Live));
    assert_eq!(of(&third), (0, 100_000, NoteStatus::RefundDue));
    assert_eq!(ledger.notes[&second].cap, sat(450_000));
    assert_eq!(ledger.offers[&offer].raised, sat(1_000_000));
    let plan = world.pay_owed().unwrap();
    assert_eq!(plan.total(), sat(300_000));
    let ledger = world.ledger();
    assert_eq!(ledger.notes[&third].status(), NoteStatus::Refunded);
    assert_eq!(ledger.notes[&second].owed(), Amount::ZERO);
    assert_eq!(ledger.notes[&second].paid, Amount::ZERO, "a refund is no income");
}

#[test]
fn after_the_end_nothing_is_earned_and_what_is_invested_goes_back() {
    let mut world = World::new();
    let offer = world.offer(&Offer { expiry: BEGIN + 10 * DAY, ..offer(1) });
    let note = world.invest(2, offer, 500_000);
    world.tip(40_000);
    world.wait(10 * DAY);
    world.tip(1_000_000);
    let late = world.invest(3, offer, 100_000);
    let ledger = world.ledger();
    assert_eq!(ledger.notes[&note].earned, sat(10_000));
    assert_eq!(ledger.notes[&note].status(), NoteStatus::Expired);
    assert_eq!(ledger.notes[&late].status(), NoteStatus::RefundDue);
    assert_eq!(ledger.notes[&late].refund, sat(100_000));
    assert!(ledger.offers[&offer].is_expired);
}

#[test]
fn what_waits_for_thirty_days_is_late_until_it_is_paid() {
    let mut world = World::new();
    let offer = world.offer(&offer(1));
    let note = world.invest(2, offer, 1_000_000);
    world.tip(100_000);
    world.wait(LATE_AFTER - 1);
    assert_eq!(world.ledger().notes[&note].status(), NoteStatus::Live);
    world.wait(1);
    let ledger = world.ledger();
    assert_eq!(ledger.notes[&note].status(), NoteStatus::Late);
    assert_eq!(ledger.notes[&note].overdue(), sat(50_000));
    world.pay_owed().unwrap();
    assert_eq!(world.ledger().notes[&note].status(), NoteStatus::Live);
}

#[test]
fn dust_is_carried_until_it_can_be_paid_and_is_never_late() {
    let mut world = World::new();
    let offer = world.offer(&offer(1));
    let note = world.invest(2, offer, 1_000);
    world.tip(400_000);
    assert_eq!(world.ledger().notes[&note].owed(), sat(200));
    assert_eq!(world.pay_owed(), Err(PlanError::NothingOwed));
    world.wait(LATE_AFTER);
    assert_eq!(world.ledger().notes[&note].status(), NoteStatus::Live);
    world.tip(400_000);
    assert_eq!(world.pay_owed().unwrap().total(), sat(400));
}

#[test]
fn an_artist_can_decline_a_note_until_it_earns() {
    let mut world = World::new();
    let offer = world.offer(&offer(1));
    let (unwanted, other) = (world.invest(2, offer, 600_000), world.invest(3, offer, 600_000));
    let wish = Wish { declines: vec![unwanted], ..Wish::default() };
    let plan = world.ledger().plan(&world.watch, &wish).unwrap();
    assert_eq!((plan.lines.len(), plan.total()), (1, sat(600_000)));
    world.pay(&plan);
    let ledger = world.ledger();
    assert_eq!(ledger.notes[&unwanted].status(), NoteStatus::Declined);
    assert_eq!(ledger.offers[&offer].raised, sat(400_000), "there is room again for whoever comes later");
    assert_eq!(ledger.notes[&other].accepted, sat(400_000), "what was decided before stays");
    world.tip(100_000);
    let ledger = world.ledger();
    assert_eq!(ledger.notes[&unwanted].earned, Amount::ZERO);
    assert_eq!(ledger.notes[&other].earned, sat(20_000));
    let wish = Wish { declines: vec![other], ..Wish::default() };
    assert_eq!(ledger.plan(&world.watch, &wish), Err(PlanError::HasEarned(other)));
}

#[test]
fn nobody_buys_a_note_back_once_it_has_earned() {
    let mut world = World::new();
    let offer = world.offer(&offer(1));
    let note = world.invest(2, offer, 100_000);
    world.tip(10_000);
    let Payee::Script(script) = world.book().notes()[&note].body.payee.clone() else {
        panic!("it has a script")
    };
    let line = PlanLine { due: Due::Refund(note), script, amount: sat(100_000), owner: None };
    world.pay(&Plan { lines: vec![line], carried: Vec::new() });
    let ledger = world.ledger();
    let note = &ledger.notes[&note];
    assert_eq!((note.declined, note.accepted, note.paid), (false, sat(100_000), sat(100_000)));
}

#[test]
fn a_payout_ahead_of_income_is_set_off_against_what_is_earned_later() {
    let mut world = World::new();
    let offer = world.offer(&offer(1));
    let note = world.invest(2, offer, 1_000_000);
    let wish = Wish { amount: Some(sat(30_000)), ..Wish::default() };
    let plan = world.ledger().plan(&world.watch, &wish).unwrap();
    world.pay(&plan);
    world.tip(50_000);
    assert_eq!(world.ledger().notes[&note].owed(), Amount::ZERO, "25,000 earned, 30,000 paid");
    world.tip(50_000);
    assert_eq!(world.ledger().notes[&note].owed(), sat(20_000));
}

#[test]
fn an_exact_amount_goes_pro_rata_and_never_above_a_cap() {
    let mut world = World::new();
    let offer = world.offer(&offer(1));
    let ids = [(2, 500_000), (3, 300_000), (4, 100_000)].map(|(who, sat)| world.invest(who, offer, sat));
    let exactly = |world: &World, amount| {
        let wish = Wish { offer: Some(offer), amount: Some(sat(amount)), ..Wish::default() };
        world.ledger().plan(&world.watch, &wish)
    };
    let parts = |plan: &Plan| {
        ids.map(|id| {
            let line = plan.lines.iter().find(|line| line.due == Due::Earned(id));
            line.map_or(0, |line| line.amount.to_sat())
        })
    };
    assert_eq!(parts(&exactly(&world, 90_000).unwrap()), [50_000, 30_000, 10_000]);
    assert_eq!(parts(&exactly(&world, 100_000).unwrap()), [55_556, 33_333, 11_111]);
    assert_eq!(parts(&exactly(&world, 1_350_000).unwrap()), [750_000, 450_000, 150_000]);
    let above = exactly(&world, 1_350_001).unwrap_err();
    assert_eq!(above.code(), "amount_above_caps");
    // The third one's part would be dust.
    assert_eq!(parts(&exactly(&world, 1_000).unwrap()), [625, 375, 0]);
    assert_eq!(exactly(&world, 200), Err(PlanError::Dust(sat(200))));
}

#[test]
fn whoever_is_owed_is_paid_before_anybody_is_paid_ahead() {
    let mut world = World::new();
    let offer = world.offer(&offer(1));
    let early = world.invest(2, offer, 500_000);
    world.tip(100_000);
    let recent = world.invest(3, offer, 500_000);
    let wish = Wish { amount: Some(sat(25_000)), ..Wish::default() };
    let plan = world.ledger().plan(&world.watch, &wish).unwrap();
    assert_eq!(plan.lines.iter().map(|line| line.due).collect::<Vec<_>>(), [Due::Earned(early)]);
    let wish = Wish { amount: Some(sat(27_000)), ..Wish::default() };
    let plan = world.ledger().plan(&world.watch, &wish).unwrap();
    let parts: Vec<(Due, u64)> = plan.lines.iter().map(|line| (line.due, line.amount.to_sat())).collect();
    assert_eq!(parts, [(Due::Earned(early), 26_000), (Due::Earned(recent), 1_000)]);
}

#[test]
fn a_payout_counts_although_a_reorganisation_put_it_before_its_note() {
    let mut world = World::new();
    let offer = world.offer(&offer(1));
    let note = world.note(offer, 100_000);
    let id = world.sign(2, Vec::new(), &note).slot;
    let Payee::Script(payee) = note.payee.clone() else { unreachable!("it is a person's") };
    let lines = vec![PayoutLine { due: Due::Earned(id), vout: 0, amount: sat(4_000) }];
    let payout = Payout { network: NETWORK, salt: world.fresh(), lines, place: None };
    let paid_out = Tree::of([world.log(&payout).slot]).unwrap().root().script();
    world.confirm(vec![(payee, 4_000), (paid_out, 0)]);
    world.wait(600);
    assert!(world.ledger().payouts.is_empty());
    let (to, root) = (world.at(1, 5), Tree::of([id]).unwrap().root().script());
    world.confirm(vec![(to, 100_000), (root, 0)]);
    let paid = |world: &World| world.ledger().notes[&id].paid;
    assert_eq!(paid(&world), sat(4_000));
    assert_eq!(world.ledger().payouts.len(), 1);
    // It is set off against what the note earns from now on.
    world.tip(80_000);
    assert_eq!((world.ledger().notes[&id].owed(), paid(&world)), (Amount::ZERO, sat(4_000)));
    world.tip(40_000);
    assert_eq!(world.ledger().notes[&id].owed(), sat(2_000));
}

#[test]
fn fans_are_rewarded_beside_investors() {
    let mut world = World::new();
    let offer = world.offer(&offer(1));
    let note = world.invest(2, offer, 1_000_000);
    world.tip(100_000);
    let reward =
        Reward { script: address(5), amount: sat(1_000), payment: Some(SlotId::from_bytes([5; 32])) };
    let wish = Wish { amount: Some(sat(10_000)), rewards: vec![reward.clone()], ..Wish::default() };
    let plan = world.ledger().plan(&world.watch, &wish).unwrap();
    assert_eq!(plan.lines.len(), 2);
    world.pay(&plan);
    let ledger = world.ledger();
    assert_eq!((ledger.rewards, ledger.notes[&note].paid), (sat(1_000), sat(10_000)));
    let dust = Wish { rewards: vec![Reward { amount: sat(200), ..reward }], ..Wish::default() };
    assert_eq!(ledger.plan(&world.watch, &dust), Err(PlanError::Dust(sat(200))));
}

#[test]
fn a_batch_of_many_payees_has_several_records_and_one_commitment() {
    let mut world = World::new();
    let offer = world.offer(&offer(1));
    let notes: Vec<_> = (0..70).map(|_| world.invest(2, offer, 10_000)).collect();
    world.tip(1_000_000);
    let plan = world.pay_owed().unwrap();
    assert_eq!(plan.lines.len(), 70);
    let ledger = world.ledger();
    assert_eq!(ledger.payouts.len(), 2);
    assert!(notes.iter().all(|note| ledger.notes[note].paid == sat(5_000)));
}

#[test]
fn an_investment_without_its_note_makes_the_audit_incomplete() {
    let mut world = World::new();
    let offer = world.offer(&offer(1));
    let note = world.invest(2, offer, 100_000);
    assert!(world.ledger().is_complete());
    let whole = world.records.clone();
    world.records.retain(|record| record.slot != note);
    assert_eq!(codes(&world), ["principal_without_note"]);
    assert_eq!(world.ledger().income, Amount::ZERO, "an output for principal is never income");
    assert!(world.audit().contains(r#""status":"incomplete","problems":[{"code":"principal_without_note""#));
    world.records = whole;
    world.records.retain(|record| record.slot != offer);
    assert!(codes(&world).contains(&"offer_missing"));
}

#[test]
fn a_gap_or_a_fork_in_the_artists_log_is_told() {
    let mut world = World::new();
    let first = world.log(&offer(1));
    world.log(&offer(2));
    assert_eq!(world.book().head(), world.records.last().map(|record| record.id));
    world.records.retain(|record| record.id != first.id);
    assert_eq!(
        world.ledger().problems.into_iter().collect::<Vec<_>>(),
        [Problem::RecordMissing { record: first.id }]
    );
    world.records.push(first.clone());
    world.sign(1, vec![first.id], &offer(3));
    assert_eq!(
        world.ledger().problems.into_iter().collect::<Vec<_>>(),
        [Problem::LogForked { record: first.id }]
    );
    world.records.retain(|record| record.kind != id::INCOME);
    assert!(codes(&world).contains(&"no_income_record"));
}

#[test]
fn every_window_ever_published_counts() {
    let mut world = World::new();
    let offer = world.offer(&offer(1));
    let note = world.invest(2, offer, 1_000_000);
    let to = world.at(0, 5_500);
    world.confirm(vec![(to.clone(), 10_000)]);
    assert_eq!(world.ledger().income, Amount::ZERO, "nobody was told to pay there");
    world.log(&income(&[5_000]));
    world.follow();
    assert_eq!(world.ledger().notes[&note].earned, sat(5_000));
    assert_eq!(world.book().income().unwrap().windows, [5_000]);
    world.tip(10_000);
    assert_eq!(
        world.ledger().notes[&note].earned,
        sat(10_000),
        "the window that the newest record lacks still counts"
    );
}

#[test]
fn nothing_counts_below_the_lowest_birthday_however_far_back_one_looks() {
    let mut world = World::new();
    world.tip(10_000);
    world.tip(20_000);
    world.records.clear();
    world.log(&Income { birthday: 2, ..income(&[0]) });
    world.follow();
    assert_eq!(world.ledger().income, sat(20_000));
    assert_eq!(receipts(&world.book(), &world.watch, &world.facts).len(), 1);
    world.log(&Income { birthday: 1, ..income(&[0]) });
    assert_eq!(
        world.watch.clone().follow(&world.book(), &world.facts),
        Some(1),
        "it is to be looked for again"
    );
    assert_eq!(world.ledger().income, sat(30_000));
}

#[test]
fn several_notes_share_a_transaction_and_an_output_if_they_sum_to_it() {
    let mut world = World::new();
    let offer = world.offer(&offer(1));
    let mut notes = [world.note(offer, 30_000), world.note(offer, 20_000), world.note(offer, 7_000)];
    notes[2].vout = 2;
    let ids: Vec<SlotId> = notes.iter().map(|note| id_of(&person(2).id(), note)).collect();
    let tree = Tree::of(ids.clone()).unwrap();
    for (note, id) in notes.iter_mut().zip(&ids) {
        note.place = tree.place(id);
        assert_eq!(id_of(&person(2).id(), note), *id, "the place is not part of the id");
    }
    let signed: Vec<Record> = notes.iter().map(|note| world.sign(2, Vec::new(), note)).collect();
    let (one, two) = (world.at(1, 1), world.at(1, 2));
    world.confirm(vec![(one, 50_000), (tree.root().script(), 0), (two, 7_000)]);
    let ledger = world.ledger();
    assert_eq!(ledger.notes.len(), 3);
    assert!(ledger.is_complete());
    world.records.retain(|record| record.id != signed[0].id);
    let ledger = world.ledger();
    assert_eq!(ledger.notes.keys().collect::<Vec<_>>(), [&ids[2]], "half an output is nobody's");
    assert!(!ledger.is_complete());
}

#[test]
fn notes_that_claim_more_than_their_output_are_all_void() {
    let mut world = World::new();
    let offer = world.offer(&offer(1));
    let mut notes = [world.note(offer, 50_000), world.note(offer, 50_000)];
    let tree = Tree::of(notes.iter().map(|note| id_of(&person(2).id(), note))).unwrap();
    for note in &mut notes {
        note.place = tree.place(&id_of(&person(2).id(), note));
        world.sign(2, Vec::new(), note);
    }
    let to = world.at(1, 1);
    world.confirm(vec![(to, 50_000), (tree.root().script(), 0)]);
    assert!(world.ledger().notes.is_empty());
    assert_eq!(codes(&world), ["principal_without_note"]);
}

#[test]
fn a_copied_commitment_takes_nobodys_note() {
    let mut world = World::new();
    let offer = world.offer(&offer(1));
    let note = world.note(offer, 100_000);
    let id = world.sign(2, Vec::new(), &note).slot;
    let root = Tree::of([id]).unwrap().root().script();
    let (to, other) = (world.at(1, 1), world.at(1, 2));
    // Somebody saw the note and sends its commitment first, with an investment of their own.
    world.confirm(vec![(other, 5_000), (root.clone(), 0)]);
    world.confirm(vec![(to, 100_000), (root, 0)]);
    let ledger = world.ledger();
    assert_eq!(ledger.notes[&id].principal, sat(100_000));
    assert_eq!(ledger.problems.len(), 1, "only the stranger's output has no note");
}

#[test]
fn a_note_that_is_paid_twice_counts_once() {
    let mut world = World::new();
    let offer = world.offer(&offer(1));
    let note = world.note(offer, 100_000);
    let id = world.sign(2, Vec::new(), &note).slot;
    let root = Tree::of([id]).unwrap().root().script();
    let to = world.at(1, 1);
    for _ in 0..2 {
        world.confirm(vec![(to.clone(), 100_000), (root.clone(), 0)]);
    }
    let ledger = world.ledger();
    assert_eq!(ledger.offers[&offer].raised, sat(100_000));
    assert_eq!(codes(&world), ["principal_without_note"], "the second payment is nobody's");
}

#[test]
fn whoever_copies_a_payouts_commitment_takes_nobodys_line() {
    let mut world = World::new();
    let offer = world.offer(&offer(1));
    let (one, two) = (world.invest(2, offer, 500_000), world.invest(3, offer, 500_000));
    world.tip(100_000);
    let plan = world.ledger().plan(&world.watch, &Wish::default()).unwrap();
    let batch = plan.batch(&world.artist(), NETWORK, || [1; 16]).unwrap();
    batch.payouts.iter().for_each(|payout| drop(world.log(payout)));
    let outputs: Vec<(ScriptBuf, u64)> =
        plan.lines.iter().map(|line| (line.script.clone(), line.amount.to_sat())).collect();
    // The first payee pays itself under the artist's commitment, and nobody else.
    world.confirm(vec![outputs[0].clone(), (address(7), 25_000), (batch.root.script(), 0)]);
    let paid = |world: &World| [one, two].map(|note| world.ledger().notes[&note].paid.to_sat());
    assert_eq!(paid(&world).iter().sum::<u64>(), 25_000);
    for _ in 0..2 {
        world.confirm(outputs.iter().cloned().chain([(batch.root.script(), 0)]).collect());
        assert_eq!(paid(&world), [25_000, 25_000], "each line counts, and once");
    }
}

#[test]
fn a_dao_is_paid_where_its_newest_epoch_is() {
    let mut world = World::new();
    let offer = world.offer(&offer(1));
    let note = Note { payee: Payee::Dao([3; 32]), ..world.note(offer, 1_000_000) };
    let id = world.sign(2, Vec::new(), &note).slot;
    let to = world.at(1, 1);
    world.confirm(vec![(to, 1_000_000), (Tree::of([id]).unwrap().root().script(), 0)]);
    world.tip(10_000);
    assert_eq!(world.pay_owed(), Err(PlanError::PayeeUnknown(id)), "nobody knows where");
    let owner =
        |who: u8, share| NoteOwner { peer: person(who).id(), script: address(who.into()), share: sat(share) };
    let mut payee =
        DaoPayee { scripts: vec![address(1), address(2)], pays: DaoPays::Coin, ..DaoPayee::default() };
    payee.owners.insert(id, vec![owner(5, 100_000), owner(6, 899_000), owner(7, 1_000)]);
    world.watch.pay_dao([3; 32], payee.clone());
    let plan = world.pay_owed().unwrap();
    assert_eq!(plan.lines[0].script, address(2));
    assert_eq!(world.ledger().notes[&id].paid, sat(5_000));

    // Once its coin is gone the owners of the note are paid in its stead, whoever would get dust left out.
    payee.pays = DaoPays::Owners;
    world.watch.pay_dao([3; 32], payee);
    world.tip(20_000);
    let plan = world.pay_owed().unwrap();
    let lines: Vec<_> = plan.lines.iter().map(|line| (line.owner, line.amount.to_sat())).collect();
    assert_eq!(lines, [(Some(person(6).id()), 8_999), (Some(person(5).id()), 1_001)]);
    assert_eq!(world.ledger().notes[&id].paid, sat(15_000));
}

#[test]
fn an_artist_cannot_pay_one_owner_of_a_note_what_is_all_of_theirs() {
    let mut world = World::new();
    let offer = world.offer(&offer(1));
    let note = Note { payee: Payee::Dao([3; 32]), ..world.note(offer, 1_000_000) };
    let id = world.sign(2, Vec::new(), &note).slot;
    let to = world.at(1, 1);
    world.confirm(vec![(to, 1_000_000), (Tree::of([id]).unwrap().root().script(), 0)]);
    let owner =
        |who: u8| NoteOwner { peer: person(who).id(), script: address(who.into()), share: sat(500_000) };
    let owners = [(id, vec![owner(5), owner(6)])].into();
    world.watch.pay_dao([3; 32], DaoPayee { owners, pays: DaoPays::Owners, ..DaoPayee::default() });
    world.tip(100_000);
    let attempt = |world: &mut World, paid: [(u8, u64); 2]| {
        let line = |(vout, (_, sat)): (u32, (u8, u64))| PayoutLine {
            due: Due::Earned(id),
            vout,
            amount: Amount::from_sat(sat),
        };
        let lines = (0..).zip(paid).map(line).collect();
        let payout = Payout { network: NETWORK, salt: world.fresh(), lines, place: None };
        let root = Tree::of([world.log(&payout).slot]).unwrap().root().script();
        let outputs = paid.map(|(who, sat)| (address(who.into()), sat)).into_iter().chain([(root, 0)]);
        world.confirm(outputs.collect());
        world.ledger().notes[&id].paid.to_sat()
    };
    assert_eq!(attempt(&mut world, [(5, 20_000), (5, 20_000)]), 0, "all of it to one");
    assert_eq!(attempt(&mut world, [(5, 30_000), (6, 10_000)]), 0, "more to one");
    assert_eq!(attempt(&mut world, [(5, 20_000), (7, 20_000)]), 0, "half of it to a stranger");
    assert_eq!(attempt(&mut world, [(5, 20_000), (6, 20_000)]), 40_000);
}

#[test]
fn a_payout_counts_only_where_its_outputs_say_the_same() {
    let mut world = World::new();
    let offer = world.offer(&offer(1));
    let note = world.invest(2, offer, 1_000_000);
    world.tip(100_000);
    let Payee::Script(payee) = world.book().notes()[&note].body.payee.clone() else {
        panic!("it has a script")
    };
    let attempt = |world: &mut World, script, value, line| {
        let lines = vec![PayoutLine { due: Due::Earned(note), vout: 0, amount: sat(line) }];
        let payout = Payout { network: NETWORK, salt: world.fresh(), lines, place: None };
        let id = world.log(&payout).slot;
        world.confirm(vec![(script, value), (Tree::of([id]).unwrap().root().script(), 0)]);
        world.ledger().notes[&note].paid.to_sat()
    };
    assert_eq!(attempt(&mut world, address(9), 50_000, 50_000), 0, "paid to somebody else");
    assert_eq!(attempt(&mut world, payee.clone(), 5_000, 50_000), 0, "paid less than is claimed");
    assert_eq!(attempt(&mut world, payee, 50_000, 50_000), 50_000);
}

#[test]
fn a_claim_on_somebody_elses_output_makes_nobody_the_supporter() {
    let mut world = World::new();
    let supporters = |world: &World| {
        let receipts = receipts(&world.book(), &world.watch, &world.facts);
        Series::of(&world.book(), &receipts).supporters.into_iter().collect::<Vec<_>>()
    };
    let tip = world.tip(5_000);
    world.claim(3, tip, 5_000);
    assert_eq!(supporters(&world), [(None, sat(5_000))], "the transaction does not say whose it is");

    // A transaction that names its payment does.
    let given = world.give(2, 7_000, 7_000, None);
    world.claim(3, given, 7_000);
    assert_eq!(supporters(&world), [(None, sat(5_000)), (Some(person(2).id()), sat(7_000))]);
    // More than the output has is nothing.
    world.give(4, 100, 101, None);
    assert_eq!(supporters(&world), [(None, sat(5_100)), (Some(person(2).id()), sat(7_000))]);
}

#[test]
fn a_series_sums_to_the_income_by_every_measure() {
    let mut world = World::new();
    let release = SlotId::from_bytes([8; 32]);
    for (who, amount) in [(2, 5_000), (3, 6_000), (2, 7_000)] {
        world.give(who, amount, amount, (who == 2).then_some(release));
        world.wait(DAY);
    }
    world.tip(8_000);
    let series = Series::of(&world.book(), &receipts(&world.book(), &world.watch, &world.facts));
    let days: Vec<u64> = series.days.values().map(|it| it.to_sat()).collect();
    assert_eq!(days, [5_000, 6_000, 7_000, 8_000]);
    assert!(series.days.keys().all(|day| day % DAY == 0));
    assert_eq!(series.releases[&Some(release)], sat(12_000));
    assert_eq!(series.releases[&None], sat(14_000));
    assert_eq!(series.supporters[&Some(person(3).id())], sat(6_000));
    assert_eq!(series.supporters[&None], sat(8_000));
}

#[test]
fn what_is_of_another_network_is_not_in_the_book() {
    let mut world = World::new();
    let before = world.audit();
    let foreign = Offer { network: domain::Network::Mainnet, ..offer(1) };
    let record = Record::sign(&person(1), Stamp { seq: 99, ..Stamp::default() }, &foreign).unwrap();
    world.records.push(record);
    assert_eq!(world.audit(), before);
}

#[test]
fn golden_audit() {
    let mut world = World::new();
    let splits = Some(vec![split("Mira", 1_000, address(1))]);
    let first = world.offer(&Offer { splits, floor: sat(10_000), ..offer(1) });
    world.invest(2, first, 600_000);
    world.invest(3, first, 500_000);
    world.tip(123_457);
    world.pay_owed().unwrap();
    world.tip(50_001);
    world.confirm(vec![(world.at(1, 9), 4_000)]);
    insta::assert_snapshot!(world.audit());
}
