//! Everything once, with every message delivered.

use domain::kinds::{Choice, Construction};

use super::{
    super::Command,
    net::{Net, charter, peer, script},
    properties::check_end,
};

pub(super) const ALL: [Construction; 4] =
    [Construction::MultiA, Construction::SortedMulti, Construction::MuSig2, Construction::Frost];

fn three(construction: Construction) -> Net {
    let net = Net::found(charter(construction, 0), 6, 3, 1);
    assert!(net.agrees());
    assert_eq!(net.state(0).members().count(), 3, "{:?}", net.events);
    net
}

#[test]
fn three_found_and_everybody_follows() {
    for construction in ALL {
        let net = three(construction);
        check_end(&net);
        assert_eq!(net.state(5).turn(), net.state(0).turn());
        assert!(net.member(1).refund().is_some());
    }
}

#[test]
fn one_joins_pays_and_leaves() {
    for construction in ALL {
        let mut net = three(construction);
        net.wish(3);
        net.mine();
        net.run(2_000);
        net.mine();
        assert!(net.state(1).member(&peer(3)).is_some(), "{:?}", net.events);
        check_end(&net);

        let proposal = net.propose(0, 77, 50_000);
        [0, 1, 2].iter().for_each(|number| net.vote(*number, proposal, Choice::Yes));
        net.run(100_000);
        net.mine();
        assert_eq!(net.chain.paid(&script(77, 4)), 1, "{:?}", net.events);
        check_end(&net);

        net.leave(3);
        net.run(100_000);
        net.mine();
        assert!(net.state(1).member(&peer(3)).is_none());
        assert_eq!(net.chain.paid(&script(3, 3)), 1);
        assert_eq!(net.state(0).number(), 4, "one turn each");
        check_end(&net);
        assert!(net.blamed.is_empty(), "{:?}", net.blamed);
    }
}

#[test]
fn the_refund_waits_for_silence() {
    let mut net = three(Construction::MultiA);
    net.command(2, Command::Recover);
    net.run(10);
    assert_eq!(net.events.get("too_early"), Some(&1));
    assert_eq!(net.chain.pending.len(), 0);
    (0..2).for_each(|node| net.nodes[node].online = false);
    (0..1_000).for_each(|_| net.chain.mine(|_| 0));
    net.catch_up(2);
    net.run(10);
    net.command(2, Command::Recover);
    net.run(10);
    net.mine();
    (0..3).for_each(|number| assert_eq!(net.chain.paid(&script(number, 3)), 1));
    assert_eq!(net.events.get("refunded"), Some(&4));
}
