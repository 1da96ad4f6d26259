use std::collections::BTreeMap;

use domain::{
    Identity, Kind, Network, PeerId, Record, Stamp,
    bitcoin::{
        Amount, BlockHash, FeeRate, OutPoint, ScriptBuf, TxOut, Txid, WPubkeyHash,
        bip32::{DerivationPath, Xpriv, Xpub},
        hashes::Hash,
        secp256k1::{Keypair, Secp256k1},
    },
    kinds::{
        Ballot, Charter, Choice, Construction, DaoId, Income, Intent, Join, JoinId, JoinInput, Leave, Offer,
        Output, Proposal, ProposalId, Rules, Vouch,
    },
};

use super::super::*;
use crate::paying::id_of;

pub(super) const ARTIST: u16 = 900;

/// A DAO, its people, and all that they signed.
pub(super) struct World {
    pub state: State,
    pub evidence: Evidence,
    pub rate: FeeRate,
    pub joins: BTreeMap<u16, JoinId>,
    seq: u64,
    coins: u32,
}

pub(super) fn identity(number: u16) -> Identity {
    let mut secret = [7; 32];
    secret[..2].copy_from_slice(&number.to_le_bytes());
    Identity::from_secret(&secret)
}

pub(super) fn peer(number: u16) -> PeerId {
    identity(number).id()
}

pub(super) fn keypair(number: u16) -> Keypair {
    let mut secret = [9; 32];
    secret[..2].copy_from_slice(&number.to_le_bytes());
    Keypair::from_seckey_slice(&Secp256k1::new(), &secret).unwrap()
}

pub(super) fn script(number: u16, use_of: u8) -> ScriptBuf {
    let [low, high] = number.to_le_bytes();
    ScriptBuf::new_p2wpkh(&WPubkeyHash::hash(&[low, high, use_of]))
}

pub(super) fn charter(rules: Rules) -> Charter {
    Charter {
        network: Network::Regtest,
        salt: [1; 16],
        name: "Zaal 100".into(),
        purpose: "Records of the neighbourhood".into(),
        construction: Construction::MultiA,
        founders: 3,
        recovery: 144,
        depth: 1,
        confirmations: 1,
        rules,
    }
}

pub(super) fn rules() -> Rules {
    Rules::with_fee(Amount::from_sat(20_000))
}

impl World {
    pub(super) fn new(charter: Charter) -> Self {
        let dao: DaoId = id_of(&peer(0), &charter);
        let state = State::new(dao, charter).unwrap();
        let mut evidence = Evidence::new(dao);
        evidence.tip = 1_000;
        let rate = FeeRate::from_sat_per_vb_u32(2);
        Self { state, evidence, rate, joins: BTreeMap::new(), seq: 0, coins: 0 }
    }

    /// A DAO that these people founded.
    pub(super) fn founded(charter: Charter, founders: u16) -> Self {
        Self::founded_with(charter, founders, 20_000)
    }

    pub(super) fn founded_with(charter: Charter, founders: u16, deposit: u64) -> Self {
        let mut world = Self::new(charter);
        for number in 0..founders {
            world.wish(number, deposit, deposit + 80_000);
        }
        let mut turn = world.turn();
        turn.joins = world.joins.values().copied().collect();
        turn.joins.sort_unstable();
        world.confirm(&turn).unwrap();
        world
    }

    pub(super) fn take<K: Kind>(&mut self, author: u16, body: &K) -> Record {
        self.seq += 1;
        let stamp = Stamp { seq: self.seq, ..Stamp::default() };
        let record = Record::sign(&identity(author), stamp, body).unwrap();
        self.evidence.take(&record).unwrap();
        record
    }

    /// A confirmed coin.
    pub(super) fn coin(&mut self, output: TxOut) -> OutPoint {
        self.coins += 1;
        let txid = Txid::hash(&self.coins.to_le_bytes());
        let outpoint = OutPoint { txid, vout: 0 };
        let height = self.evidence.tip;
        self.evidence.coins.insert(outpoint, Confirmed { output, height, block: block(height) });
        outpoint
    }

    /// Somebody wishes to join with one coin.
    pub(super) fn wish(&mut self, number: u16, deposit: u64, coin: u64) -> JoinId {
        let (value, script_pubkey) = (Amount::from_sat(coin), script(number, 0));
        let outpoint = self.coin(TxOut { value, script_pubkey: script_pubkey.clone() });
        let block = block(self.evidence.tip);
        let join = Join {
            network: self.state.charter.network,
            dao: self.state.dao,
            key: keypair(number).x_only_public_key().0,
            leave: script(number, 1),
            inputs: vec![JoinInput { outpoint, value, script: script_pubkey, block }],
            change: script(number, 2),
            deposit: Amount::from_sat(deposit),
        };
        let id = self.take(number, &join).slot;
        self.joins.insert(number, id);
        id
    }

    pub(super) fn leave(&mut self, number: u16) {
        let Some(member) = self.state.member(&peer(number)) else { return };
        let (network, dao, join) = (self.state.charter.network, self.state.dao, member.join);
        self.take(number, &Leave { network, dao, join });
    }

    /// An artist with an offer and addresses; whoever it is, is the same in every world.
    pub(super) fn artist(&mut self) -> Intent {
        let network = self.state.charter.network;
        let chain = |at: u32| {
            let secp = Secp256k1::new();
            let path: DerivationPath = format!("86'/1'/1'/{at}").parse().unwrap();
            let master = Xpriv::new_master(network.bitcoin(), &[7; 32]).unwrap();
            Xpub::from_priv(&secp, &master.derive_priv(&secp, &path).unwrap())
        };
        let income =
            Income { network, income: chain(0), principal: chain(1), windows: vec![0, 5_000], birthday: 1 };
        let offer = Offer {
            network,
            salt: [1; 16],
            goal: Amount::from_sat(1_000_000),
            share: 2_500,
            cap: 150,
            floor: Amount::ZERO,
            expiry: 1_900_000_000,
            splits: None,
            title: None,
            release: None,
        };
        let (income, offer) = (self.take(ARTIST, &income).slot, self.take(ARTIST, &offer).slot);
        Intent::Invest { artist: peer(ARTIST), offer, amount: Amount::from_sat(30_000), income, index: 5_017 }
    }

    /// Builds what is due and confirms it.
    pub(super) fn go_on(&mut self) -> Option<(Turn, Step)> {
        let builder = *self.state.members().next()?.0;
        let (turn, step) = self.state.gather(builder, self.rate, &self.evidence, &Scope::default())?;
        assert_eq!(self.confirm(&turn), Ok(step.clone()), "the same turn makes the same bytes");
        Some((turn, step))
    }

    pub(super) fn vouch(&mut self, voucher: u16, member: u16) {
        let (network, dao) = (self.state.charter.network, self.state.dao);
        self.take(voucher, &Vouch { network, dao, member: peer(member) });
    }

    pub(super) fn propose(&mut self, intent: Intent) -> ProposalId {
        let proposal = Proposal {
            network: self.state.charter.network,
            dao: self.state.dao,
            snapshot: *self.state.turn().as_bytes(),
            title: format!("Number {}", self.seq),
            words: None,
            intent,
            expiry: self.evidence.tip + 1_000,
        };
        self.take(0, &proposal).slot
    }

    pub(super) fn vote(&mut self, proposal: ProposalId, voters: &[u16], choice: Choice) {
        let network = self.state.charter.network;
        voters.iter().for_each(|number| drop(self.take(*number, &Ballot { network, proposal, choice })));
    }

    /// A proposal that these people are for.
    pub(super) fn approved(&mut self, intent: Intent, voters: &[u16]) -> Approval {
        let proposal = self.propose(intent);
        self.vote(proposal, voters, Choice::Yes);
        self.approval(proposal, voters)
    }

    pub(super) fn approval(&self, proposal: ProposalId, voters: &[u16]) -> Approval {
        let snapshot = TurnId::from_bytes(self.evidence.proposals[&proposal].1.snapshot);
        let electorate = self.state.electorate(&snapshot).unwrap();
        let place = |number: &u16| electorate.iter().position(|member| *member == peer(*number)).unwrap();
        Approval { proposal, yes: Members::of(voters.iter().map(place)) }
    }

    /// A turn that does nothing yet.
    pub(super) fn turn(&self) -> Turn {
        Turn::after(self.state.turn(), peer(0), self.evidence.tip, self.rate)
    }

    pub(super) fn advance(&self, turn: &Turn) -> Result<Step, Refusal> {
        self.state.advance(turn, &self.evidence)
    }

    /// Applies a turn and confirms its transaction.
    pub(super) fn confirm(&mut self, turn: &Turn) -> Result<Step, Refusal> {
        let step = self.advance(turn)?;
        self.evidence.tip += 1;
        let spent = step.transaction.transaction.input.iter().map(|input| input.previous_output);
        spent.for_each(|outpoint| drop(self.evidence.coins.remove(&outpoint)));
        self.state = step.state.clone();
        let (height, transaction) = (self.evidence.tip, &step.transaction.transaction);
        let txid = transaction.compute_txid();
        for (vout, output) in (0..).zip(&transaction.output) {
            let confirmed = Confirmed { output: output.clone(), height, block: block(height) };
            self.evidence.coins.insert(OutPoint { txid, vout }, confirmed);
        }
        Ok(step)
    }

    pub(super) fn mine(&mut self, blocks: u32) {
        self.evidence.tip += blocks;
    }

    pub(super) fn claim(&self, number: u16) -> u64 {
        self.state.accounts.get(&peer(number)).map_or(0, |account| account.claim.to_sat())
    }
}

pub(super) fn block(height: u32) -> BlockHash {
    BlockHash::hash(&height.to_le_bytes())
}

pub(super) fn pay(payee: u16, sat: u64) -> Intent {
    Intent::Pay { outputs: vec![Output { script: script(payee, 3), amount: Amount::from_sat(sat) }] }
}
