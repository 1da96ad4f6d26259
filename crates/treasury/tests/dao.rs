//! The DAO beside Bitcoin Core's daemon: the node judges every transaction that the kernel builds and its keys sign.
#![allow(clippy::unwrap_used, reason = "the helpers of a test may fail it")]

use chain::testenv::{Bitcoind, Purse};
use domain::{
    Identity, Kind, Network, PeerId, Record, Stamp,
    bitcoin::{
        Amount, CompressedPublicKey, FeeRate, OutPoint, PrivateKey, ScriptBuf, Transaction, TxOut, Witness,
        consensus::encode::serialize_hex,
        ecdsa,
        key::Secp256k1,
        secp256k1::{Keypair, Message, SecretKey},
        sighash::{EcdsaSighashType, SighashCache},
    },
    kinds::{
        Ballot, Charter, Choice, Construction, Intent, Join, JoinInput, Leave, Output, Proposal, Rules, Vouch,
    },
};
use serde_json::{Value, json};
use treasury::{
    dao::{ANCHOR, Confirmed, Epoch, Evidence, Owner, Refund, RefundNode, Scope, State, Step, TurnId},
    paying::id_of,
};

/// Blocks of silence in these tests.
const SILENCE: u16 = 12;

struct World {
    node: Bitcoind,
    purse: Purse,
    state: State,
    evidence: Evidence,
    seq: u64,
}

fn secret(number: u16, use_of: u8) -> SecretKey {
    let mut bytes = [5; 32];
    bytes[..2].copy_from_slice(&number.to_le_bytes());
    bytes[2] = use_of;
    SecretKey::from_slice(&bytes).unwrap()
}

fn identity(number: u16) -> Identity {
    Identity::from_secret(&secret(number, 0).secret_bytes())
}

fn peer(number: u16) -> PeerId {
    identity(number).id()
}

fn number_of(peer: &PeerId) -> u16 {
    (0..1_000).find(|number| self::peer(*number) == *peer).unwrap()
}

fn keypair(number: u16) -> Keypair {
    Keypair::from_secret_key(&Secp256k1::new(), &secret(number, 1))
}

/// The script that somebody pays from, gets change at, or is paid out at.
fn script(number: u16, use_of: u8) -> ScriptBuf {
    let key = PrivateKey::new(secret(number, use_of), Network::Regtest.bitcoin());
    let public = CompressedPublicKey::from_private_key(&Secp256k1::new(), &key).unwrap();
    ScriptBuf::new_p2wpkh(&public.wpubkey_hash())
}

const PURSE: u8 = 2;
const LEAVE: u8 = 3;
const CHANGE: u8 = 4;
const PAYEE: u8 = 5;

impl World {
    fn new(construction: Construction, vouches: u8) -> Self {
        let node = Bitcoind::start();
        let purse = Purse::fill(&node, 4);
        let rules = Rules { vouches, ..Rules::with_fee(Amount::from_sat(20_000)) };
        let charter = Charter {
            network: Network::Regtest,
            salt: [1; 16],
            name: "Zaal 100".into(),
            purpose: "Records of the neighbourhood".into(),
            construction,
            founders: 3,
            recovery: SILENCE,
            depth: 1,
            confirmations: 1,
            rules,
        };
        let dao = id_of(&peer(0), &charter);
        let state = State::new(dao, charter).unwrap();
        let mut evidence = Evidence::new(dao);
        evidence.tip = node.tip().height;
        Self { node, purse, state, evidence, seq: 0 }
    }

    fn founded(construction: Construction, vouches: u8) -> Self {
        let mut world = Self::new(construction, vouches);
        world.wish(0..3);
        world.go_on();
        world
    }

    fn take<K: Kind>(&mut self, author: u16, body: &K) -> Record {
        self.seq += 1;
        let stamp = Stamp { seq: self.seq, ..Stamp::default() };
        let record = Record::sign(&identity(author), stamp, body).unwrap();
        self.evidence.take(&record).unwrap();
        record
    }

    /// These people wish to join, each with a coin of its own.
    fn wish(&mut self, people: std::ops::Range<u16>) {
        let value = Amount::from_sat(60_000);
        let outputs: Vec<_> = people.clone().map(|number| (script(number, PURSE), value)).collect();
        let payment = self.purse.sign(&outputs);
        self.node.send(&payment);
        self.mine(1);
        let block = self.node.tip().hash;
        for (vout, number) in (0..).zip(people) {
            let outpoint = OutPoint { txid: payment.compute_txid(), vout };
            let script_pubkey = script(number, PURSE);
            let output = TxOut { value, script_pubkey: script_pubkey.clone() };
            self.evidence.coins.insert(outpoint, Confirmed { output, height: self.evidence.tip, block });
            let join = Join {
                network: Network::Regtest,
                dao: self.state.dao,
                key: keypair(number).x_only_public_key().0,
                leave: script(number, LEAVE),
                inputs: vec![JoinInput { outpoint, value, script: script_pubkey, block }],
                change: script(number, CHANGE),
                deposit: Amount::from_sat(20_000),
            };
            self.take(number, &join);
        }
    }

    fn mine(&mut self, blocks: u32) {
        self.node.mine(blocks);
        self.evidence.tip = self.node.tip().height;
    }

    fn approve(&mut self, intent: Intent, voters: &[u16]) {
        let proposal = Proposal {
            network: Network::Regtest,
            dao: self.state.dao,
            snapshot: *self.state.turn().as_bytes(),
            title: format!("Number {}", self.seq),
            words: None,
            intent,
            expiry: self.evidence.tip + 100,
        };
        let proposal = self.take(0, &proposal).slot;
        let ballot = Ballot { network: Network::Regtest, proposal, choice: Choice::Yes };
        voters.iter().for_each(|number| _ = self.take(*number, &ballot));
    }

    /// Builds what is due, signs it as everybody would, has the node judge and confirm it.
    fn go_on(&mut self) -> Step {
        let builder = self.state.members().next().map_or(peer(0), |(peer, _)| *peer);
        let rate = FeeRate::from_sat_per_vb_u32(2);
        let (turn, step) = self.state.gather(builder, rate, &self.evidence, &Scope::default()).unwrap();
        assert_eq!(turn.previous, self.state.turn());
        let signed = sign(&step);
        assert_eq!(judge(&self.node, &signed), Ok(()));
        self.node.send(&signed);
        self.mine(1);
        let block = self.node.tip().hash;
        let held = self.node.block(block).txdata.iter().any(|it| it.compute_txid() == signed.compute_txid());
        assert!(held, "the block holds it");
        for (vout, output) in (0..).zip(&signed.output) {
            let outpoint = OutPoint { txid: signed.compute_txid(), vout };
            let confirmed = Confirmed { output: output.clone(), height: self.evidence.tip, block };
            self.evidence.coins.insert(outpoint, confirmed);
        }
        signed.input.iter().for_each(|input| _ = self.evidence.coins.remove(&input.previous_output));
        self.state = step.state.clone();
        step
    }

    fn paid(&self, step: &Step, script: &ScriptBuf) -> Option<Amount> {
        let outputs = &step.transaction.transaction.output;
        outputs.iter().find(|output| output.script_pubkey == *script).map(|output| output.value)
    }
}

/// Signs every input: those of the pool by as many keys as are needed, those of joiners by themselves.
fn sign(step: &Step) -> Transaction {
    let unsigned = &step.transaction;
    let mut signed = unsigned.transaction.clone();
    for (at, owner) in unsigned.owners.iter().enumerate() {
        signed.input[at].witness = match owner {
            Owner::Epoch(epoch) => guard(epoch, &unsigned.transaction, at, &unsigned.spent),
            Owner::Joiner(peer) => {
                spend(number_of(peer), &unsigned.transaction, at, unsigned.spent[at].value)
            }
        };
    }
    signed
}

fn guard(epoch: &Epoch, transaction: &Transaction, input: usize, spent: &[TxOut]) -> Witness {
    let mut gathering = epoch.guard.gather(transaction, input, spent).unwrap();
    for (key, holder) in epoch.holders.iter().take(epoch.threshold()) {
        let share = epoch.guard.sign(gathering.message(), &keypair(number_of(holder)), &[0; 32]).unwrap();
        gathering.add(*key, share).unwrap();
    }
    gathering.finish().unwrap()
}

fn spend(number: u16, transaction: &Transaction, input: usize, value: Amount) -> Witness {
    let (secp, key) = (Secp256k1::new(), secret(number, PURSE));
    let hash = SighashCache::new(transaction)
        .p2wpkh_signature_hash(input, &script(number, PURSE), value, EcdsaSighashType::All)
        .unwrap();
    let signature = secp.sign_ecdsa(&Message::from(hash), &key);
    let signature = ecdsa::Signature { signature, sighash_type: EcdsaSighashType::All };
    Witness::p2wpkh(&signature, &key.public_key(&secp))
}

/// Asks the node for every rule of consensus and relay.
fn judge(node: &Bitcoind, transaction: &Transaction) -> Result<(), String> {
    let answer: Value = node.rpc("testmempoolaccept", json!([[serialize_hex(transaction)]]));
    match answer[0]["allowed"] == true {
        true => Ok(()),
        false => Err(answer[0]["reject-reason"].as_str().unwrap_or_default().to_owned()),
    }
}

fn signed_node(refund: &Refund, node: &RefundNode) -> Transaction {
    let mut signed = node.transaction.clone();
    signed.input[0].witness = guard(&refund.epoch, &node.transaction, 0, std::slice::from_ref(&node.spent));
    signed
}

fn story(construction: Construction) {
    let mut world = World::founded(construction, 1);
    assert_eq!(world.state.members().count(), 3);

    // Two join, one of them vouched for.
    world.wish(3..5);
    let (network, dao) = (Network::Regtest, world.state.dao);
    world.take(0, &Vouch { network, dao, member: peer(3) });
    let step = world.go_on();
    assert!(
        world.paid(&step, &script(3, CHANGE)).is_some() && world.paid(&step, &script(4, CHANGE)).is_some()
    );
    assert_eq!((world.state.members().count(), world.state.counted().count()), (5, 4));
    assert_eq!(world.state.epoch().unwrap().holders.len(), 4);

    // A payment and a leave in one.
    let output = Output { script: script(0, PAYEE), amount: Amount::from_sat(9_000) };
    world.approve(Intent::Pay { outputs: vec![output] }, &[0, 1, 2]);
    let join = world.state.member(&peer(1)).unwrap().join;
    world.take(1, &Leave { network, dao, join });
    let step = world.go_on();
    assert_eq!(world.paid(&step, &script(0, PAYEE)), Some(Amount::from_sat(9_000)));
    assert!(world.paid(&step, &script(1, LEAVE)).is_some());
    assert!(world.state.member(&peer(1)).is_none());
    assert!(!world.state.epoch().unwrap().is_held_by(&peer(1)));

    // Silence: the refund is accepted after it and not a block before.
    let refund = step.refund.unwrap();
    let root = signed_node(&refund, &refund.nodes[0]);
    for _ in 1..SILENCE {
        assert_eq!(judge(&world.node, &root), Err("non-BIP68-final".to_owned()));
        world.mine(1);
    }
    assert_eq!(judge(&world.node, &root), Ok(()));
    world.node.send(&root);
    world.mine(1);
    for number in [0, 2, 3, 4] {
        let paid = root.output.iter().find(|output| output.script_pubkey == script(number, LEAVE)).unwrap();
        let exit = world.state.exits().into_iter().find(|(who, _)| *who == peer(number)).unwrap().1;
        assert_eq!(paid.value, exit);
    }
    assert!(root.output.iter().any(|output| output.value == Amount::from_sat(ANCHOR)));
}

#[test]
fn a_dao_is_founded_joined_paid_from_left_and_refunded_by_multi_a() {
    story(Construction::MultiA);
}

#[test]
fn a_dao_is_founded_joined_paid_from_left_and_refunded_by_sorted_multi() {
    story(Construction::SortedMulti);
}

#[test]
fn the_leaf_of_musig_does_the_same() {
    story(Construction::MuSig2);
}

#[test]
fn a_dao_that_dissolves_leaves_nothing() {
    let mut world = World::founded(Construction::MultiA, 1);
    world.approve(Intent::Dissolve, &[0, 1, 2]);
    world.go_on();
    let step = world.go_on();
    assert!(world.state.has_ended() && step.refund.is_none());
    assert!((0..3).all(|number| world.paid(&step, &script(number, LEAVE)).is_some()));
}

#[test]
fn a_tree_of_refunds_goes_out_level_by_level() {
    let mut world = World::founded(Construction::MultiA, 1);
    let mut step = None;
    for from in [10, 80, 150, 220] {
        world.wish(from..from + 70);
        step = Some(world.go_on());
    }
    assert_eq!(world.state.members().count(), 283);
    let refund = step.unwrap().refund.unwrap();
    let (root, leaves) = refund.nodes.split_first().unwrap();
    assert!(leaves.len() >= 2 && leaves.iter().all(|node| node.parent == Some(0)));
    world.mine(SILENCE.into());
    let root = signed_node(&refund, root);
    assert_eq!(judge(&world.node, &root), Ok(()));
    world.node.send(&root);
    let leaves: Vec<_> = leaves.iter().map(|node| signed_node(&refund, node)).collect();
    assert!(leaves.iter().all(|leaf| judge(&world.node, leaf).is_err()), "not before the root is confirmed");
    world.mine(1);
    for leaf in &leaves {
        assert_eq!(judge(&world.node, leaf), Ok(()));
        world.node.send(leaf);
    }
    world.mine(1);
    let paid: Amount = leaves.iter().flat_map(|leaf| &leaf.output).map(|output| output.value).sum();
    let anchors = Amount::from_sat(ANCHOR) * leaves.len() as u64;
    assert_eq!(paid - anchors, world.state.claims() + world.state.unassigned);
    assert_eq!(TurnId::genesis(&world.state.dao), world.state.turns[0]);
}
