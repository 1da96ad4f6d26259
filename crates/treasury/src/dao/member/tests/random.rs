//! Everything goes wrong at random.

use domain::kinds::{Choice, Construction, ProposalId};

use super::{
    net::{Faults, Net, charter, peer},
    properties::check_end,
};

/// How many histories of each construction are tried; `DAO_HISTORIES` says otherwise, for a soak.
const HISTORIES: u64 = 3;
/// The first seed; `DAO_SEED` says otherwise, for one that failed.
const FIRST_SEED: u64 = 1;
/// What happens in a history.
const STEPS: u64 = 40;

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(usual)
}

/// Something happens; returns what was proposed.
fn step(net: &mut Net) -> Option<ProposalId> {
    let runs = |net: &Net, number: u16| net.nodes[usize::from(number)].member.is_some();
    match net.draw(12) {
        0..=3 => net.mine(),
        4 => {
            let number = u16::try_from(4 + net.draw(4)).unwrap();
            if !net.joins.contains_key(&number) {
                net.wish(number);
            }
        }
        5 => {
            let number = u16::try_from(1 + net.draw(7)).unwrap();
            let is_member = runs(net, 0) && net.state(0).member(&peer(number)).is_some();
            if is_member && net.state(0).members().count() > 3 {
                net.leave(number);
            }
        }
        6 | 7 => {
            let payee = u16::try_from(1_000 + net.records.len()).unwrap();
            let by = u16::try_from(net.draw(4)).unwrap();
            if runs(net, by) && net.state(by).member(&peer(by)).is_some() {
                let proposal = net.propose(by, payee, 5_000);
                (0..8).for_each(|number| net.vote(number, proposal, Choice::Yes));
                return Some(proposal);
            }
        }
        8 => net.sides = vec![0; 8],
        9 => {
            let sides: Vec<u8> = (0..8).map(|_| u8::try_from(net.draw(2)).unwrap()).collect();
            net.sides = sides;
        }
        10 => {
            let depth = usize::try_from(1 + net.draw(6)).unwrap();
            if net.chain.blocks.len() > depth + 12 {
                net.reorg(depth);
            }
        }
        _ => {
            let number = u16::try_from(4 + net.draw(4)).unwrap();
            let node = usize::from(number);
            net.nodes[node].signs = !net.nodes[node].signs;
            if let Some((_, outpoint)) = net.joins.get(&number).copied()
                && net.chain.spender(&outpoint).is_none()
                && net.draw(2) == 0
            {
                net.double_spend(outpoint);
            }
        }
    }
    None
}

fn history(construction: Construction, seed: u64) {
    let mut net = Net::found(charter(construction, 0), 8, 4, 5);
    (0..12).for_each(|_| net.mine());
    net.reseed(seed);
    net.faults = Faults { lost: 10, twice: 10, forged: 50, crash: 40 };
    let mut proposed = Vec::new();
    for _ in 0..STEPS {
        proposed.extend(step(&mut net));
        let pause = 200 + net.draw(40_000);
        net.run(pause);
    }
    net.faults = Faults::default();
    net.sides = vec![0; 8];
    net.nodes.iter_mut().for_each(|node| node.signs = true);
    for _ in 0..12 {
        net.run(300_000);
        net.mine();
    }
    net.run(60_000);
    check_end(&net);
    super::properties::check_payments(&net, &proposed);
}

fn histories(construction: Construction) {
    let first = number("DAO_SEED", FIRST_SEED);
    for seed in first..first + number("DAO_HISTORIES", HISTORIES) {
        let ran = std::panic::catch_unwind(|| history(construction, seed));
        assert!(ran.is_ok(), "the history of DAO_SEED={seed} DAO_HISTORIES=1 failed for {construction:?}");
    }
}

#[test]
fn whatever_happens_the_properties_hold_by_the_leaf() {
    histories(Construction::MultiA);
}

#[test]
fn whatever_happens_the_properties_hold_before_taproot() {
    histories(Construction::SortedMulti);
}

#[test]
fn whatever_happens_the_properties_hold_by_musig2() {
    histories(Construction::MuSig2);
}

#[test]
fn whatever_happens_the_properties_hold_by_frost() {
    histories(Construction::Frost);
}
