//! Turns that a builder who means ill could propose.

use domain::{
    bitcoin::{Amount, FeeRate},
    kinds::{Intent, JoinPolicy, Rules},
};

use super::{
    super::*,
    world::{World, charter, pay, peer, rules},
};

fn world() -> World {
    World::founded(charter(Rules { vouches: 2, ..rules() }), 5)
}

fn refused(world: &World, turn: &Turn) -> &'static str {
    let before = world.state.clone();
    let code = world.advance(turn).unwrap_err().code();
    assert_eq!(world.state, before);
    code
}

#[test]
fn what_a_builder_may_not_is_refused_with_a_code() {
    let mut world = world();
    let approval = world.approved(pay(9, 1_000), &[0, 1, 2]);
    let mut turn = world.turn();
    turn.approvals = vec![approval];
    world.advance(&turn).unwrap();
    let check = |code, edit: &dyn Fn(&mut Turn)| {
        let mut turn = turn.clone();
        edit(&mut turn);
        assert_eq!(refused(&world, &turn), code);
    };
    check("dao_previous", &|turn| turn.previous = TurnId::from_bytes([1; 32]));
    check("dao_height", &|turn| turn.height += 1);
    check("dao_height", &|turn| turn.height = 1);
    check("dao_rate", &|turn| turn.rate = 249);
    check("dao_rate", &|turn| turn.rate = 250_001);
    check("dao_builder", &|turn| turn.builder = peer(9));
    check("dao_empty", &|turn| turn.approvals.clear());
    check("dao_proposal_repeated", &|turn| turn.approvals.push(turn.approvals[0].clone()));
    check("dao_order", &|turn| turn.leaves = vec![peer(1), peer(1)]);
    check("dao_leave", &|turn| turn.leaves = vec![peer(1)]);
    check("dao_leave", &|turn| turn.leaves = vec![peer(9)]);
    check("dao_missing_record", &|turn| turn.joins = vec![turn.approvals[0].proposal]);
    check("dao_promotion", &|turn| {
        turn.counted = vec![Promotion { member: peer(1), vouchers: vec![] }];
    });
    check("dao_order", &|turn| {
        let yes: Vec<usize> = turn.approvals[0].yes.places().chain([99]).collect();
        turn.approvals[0].yes = Members::of(yes);
    });
    check("dao_vote", &|turn| turn.approvals[0].yes = Members::of(0..5));
    check("guard_group", &|turn| turn.group = Some(vec![1]));
}

#[test]
fn a_signer_has_its_own_idea_of_rate_and_height() {
    let mut world = world();
    let mut turn = world.turn();
    turn.approvals = vec![world.approved(Intent::Refresh, &[0, 1, 2])];
    world.advance(&turn).unwrap();
    world.evidence.highest_rate = Some(FeeRate::from_sat_per_vb_u32(1));
    assert_eq!(refused(&world, &turn), "dao_rate");
    world.evidence.highest_rate = None;
    world.evidence.lowest_height = Some(turn.height + 1);
    assert_eq!(refused(&world, &turn), "dao_height", "nothing is dated back");
}

#[test]
fn proposals_of_others_too_late_or_too_dear_are_refused() {
    let mut world = world();
    let check = |world: &mut World, code, intent: Intent, edit: &dyn Fn(&mut domain::kinds::Proposal)| {
        let approval = world.approved(intent, &[0, 1, 2]);
        edit(&mut world.evidence.proposals.get_mut(&approval.proposal).unwrap().1);
        let mut turn = world.turn();
        turn.approvals = vec![approval];
        assert_eq!(refused(world, &turn), code);
    };
    check(&mut world, "dao_spending", pay(9, 100_001), &|_| {});
    check(&mut world, "dao_proposal_foreign", pay(9, 1_000), &|it| {
        it.dao = domain::SlotId::from_bytes([1; 32])
    });
    check(&mut world, "dao_proposal_expired", pay(9, 1_000), &|it| it.expiry = 1);
    check(&mut world, "dao_proposal_impossible", Intent::Remove(peer(9)), &|_| {});
}

#[test]
fn joins_that_are_not_what_they_say_are_refused_and_blamed() {
    let mut world = world();
    let id = world.wish(7, 20_000, 100_000);
    let mut turn = world.turn();
    turn.joins = vec![id];
    world.advance(&turn).unwrap();
    let good = world.evidence.joins[&id].clone();
    let mut broken = |code, edit: &dyn Fn(&mut domain::kinds::Join)| {
        let mut join = good.clone();
        edit(&mut join.1);
        world.evidence.joins.insert(id, join);
        let refusal = world.advance(&turn).unwrap_err();
        assert_eq!((refusal.code(), refusal.culprit()), (code, Some(peer(7))));
    };
    broken("dao_join_foreign", &|join| join.dao = domain::SlotId::from_bytes([1; 32]));
    broken("dao_join_fee", &|join| join.deposit = Amount::from_sat(19_999));
    broken("dao_join_funds", &|join| join.deposit = Amount::from_sat(99_900));
    broken("dao_join_coin", &|join| join.inputs[0].value = Amount::from_sat(200_000));
    broken("dao_join_coin", &|join| join.inputs[0].script = super::world::script(8, 0));
    broken("dao_join_key", &|join| join.key = super::world::keypair(1).x_only_public_key().0);
}

#[test]
fn nobody_joins_twice_or_uninvited() {
    let mut world = world();
    let again = world.wish(1, 20_000, 100_000);
    let mut turn = world.turn();
    turn.joins = vec![again];
    assert_eq!(refused(&world, &turn), "dao_join_member");
    world.state.rules.policy = JoinPolicy::Vouched;
    turn.joins = vec![world.wish(7, 20_000, 100_000)];
    world.vouch(0, 7);
    assert_eq!(refused(&world, &turn), "dao_join_policy");
    world.vouch(1, 7);
    world.advance(&turn).unwrap();
    world.state.rules.policy = JoinPolicy::Admitted;
    assert_eq!(refused(&world, &turn), "dao_join_policy");
    turn.approvals = vec![world.approved(Intent::Admit(peer(7)), &[0, 1, 2])];
    world.advance(&turn).unwrap();
}

#[test]
fn nobody_is_counted_early_or_by_strangers() {
    let mut world = World::founded(charter(Rules { vouches: 2, season: 10, growth: 20, ..rules() }), 5);
    let mut turn = world.turn();
    turn.joins = vec![world.wish(6, 20_000, 100_000), world.wish(7, 20_000, 100_000)];
    turn.joins.sort_unstable();
    world.confirm(&turn).unwrap();
    [(0, 6), (1, 6), (6, 7), (0, 7), (1, 7)].into_iter().for_each(|(one, two)| world.vouch(one, two));
    let promotion = |member, vouchers: &[u16]| {
        let mut vouchers: Vec<_> = vouchers.iter().map(|number| peer(*number)).collect();
        vouchers.sort_unstable();
        Promotion { member: peer(member), vouchers }
    };
    let mut turn = world.turn();
    turn.counted = vec![promotion(6, &[0, 1])];
    assert_eq!(refused(&world, &turn), "dao_promotion");
    world.mine(10);
    turn.height = world.evidence.tip;
    world.advance(&turn).unwrap();
    turn.counted = vec![promotion(6, &[0])];
    assert_eq!(refused(&world, &turn), "dao_promotion");
    turn.counted = vec![promotion(6, &[0, 2])];
    assert_eq!(refused(&world, &turn), "dao_vouch");
    turn.counted = vec![promotion(7, &[0, 6])];
    assert_eq!(refused(&world, &turn), "dao_promotion");
    turn.counted = vec![promotion(6, &[0, 1]), promotion(7, &[0, 1])];
    turn.counted.sort_by_key(|it| it.member);
    assert_eq!(refused(&world, &turn), "dao_promotion", "one of five in a fortnight");
}
