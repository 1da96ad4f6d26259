//! A DAO of many members, made turn by turn by the kernel, with real transactions on the chain.

use std::{collections::HashMap, sync::Arc};

use domain::{
    Kind, PeerId, Record, Stamp,
    bitcoin::{Transaction, Witness},
    kinds::{Charter, DaoId, Join, JoinInput, Vouch},
};
use treasury::dao::{Epoch, Evidence, Owner, Scope, State, Step};

use super::{
    DEPOSIT, PURSE, RATE,
    chain::Chain,
    people::{Usage, Wallets},
};

/// How many join in one turn: more do not fit a transaction of a committee's.
const AT_ONCE: u32 = 60;
/// As many members as there are keys.
const KEYS: u32 = 100;
/// The blocks between lots, and after one until its seed is there.
const FORTNIGHT: u32 = 2_016;
const SEED: u32 = 6;
/// Blocks that a candidate was counted before the lot, and some.
const CLOSING: u32 = 150;

/// The wish of somebody to join with a coin of its own.
pub(super) fn wish(wallets: &Wallets, chain: &mut Chain, charter: &Charter, dao: DaoId, number: u32) -> Join {
    let script = wallets.script(number, Usage::Purse);
    let (outpoint, coin) = chain.give(script.clone(), PURSE);
    let input = JoinInput { outpoint, value: coin.output.value, script, block: coin.block };
    Join {
        network: charter.network,
        dao,
        key: wallets.key(number, Usage::Member).x_only_public_key().0,
        leave: wallets.script(number, Usage::Leave),
        inputs: vec![input],
        change: wallets.script(number, Usage::Change),
        deposit: DEPOSIT,
    }
}

/// The kernel alone, which makes a state of many members.
pub(super) struct Ground<'a> {
    pub wallets: &'a Wallets,
    pub chain: Chain,
    pub charter: Charter,
    pub state: State,
    evidence: Evidence,
    seq: u64,
    numbers: HashMap<PeerId, u32>,
}

impl<'a> Ground<'a> {
    pub(super) fn new(wallets: &'a Wallets, dao: DaoId, charter: Charter) -> Self {
        let state = State::new(dao, charter.clone()).expect("the charter was checked");
        Self {
            wallets,
            chain: Chain::new(),
            charter,
            state,
            evidence: Evidence::new(dao),
            seq: 0,
            numbers: HashMap::new(),
        }
    }

    /// Has so many members join, and the lot drawn where there are more than keys.
    pub(super) fn grow(mut self, members: u32, founders: u32) -> Result<(Arc<State>, Chain), String> {
        self.join(0..founders)?;
        let mut from = founders;
        while from < members {
            let most = if from < KEYS { members.min(KEYS) } else { members };
            let until = most.min(from + AT_ONCE);
            self.join(from..until)?;
            from = until;
        }
        if members > KEYS {
            let height = self.chain.tip().height + CLOSING;
            self.mine_to((height / FORTNIGHT + 1) * FORTNIGHT + SEED);
            self.settle()?;
        }
        (0..SEED).for_each(|_| _ = self.chain.mine());
        Ok((Arc::new(self.state), self.chain))
    }

    fn mine_to(&mut self, height: u32) {
        while self.chain.tip().height < height {
            let block = self.chain.mine();
            self.evidence.blocks.insert(block.height, block.hash);
        }
        self.evidence.tip = self.chain.tip().height;
    }

    fn join(&mut self, people: std::ops::Range<u32>) -> Result<(), String> {
        self.evidence.joins.clear();
        self.evidence.vouches.clear();
        let voucher = (!self.state.is_unfounded()).then_some(0);
        for number in people {
            let join = wish(self.wallets, &mut self.chain, &self.charter, self.state.dao, number);
            let peer = self.take(number, &join).author;
            self.numbers.insert(peer, number);
            for input in &join.inputs {
                let coin = self.chain.coin(&input.outpoint).cloned();
                self.evidence.coins.extend(coin.map(|coin| (input.outpoint, coin)));
            }
            if let Some(voucher) = voucher {
                let vouch = Vouch { network: self.charter.network, dao: self.state.dao, member: peer };
                self.take(voucher, &vouch);
            }
        }
        self.mine_to(self.chain.tip().height + 1);
        self.settle()
    }

    fn take<K: Kind>(&mut self, author: u32, body: &K) -> Record {
        self.seq += 1;
        let stamp = Stamp { seq: self.seq, ..Stamp::default() };
        let record = Record::sign(&self.wallets.identity(author), stamp, body).expect("it is well-formed");
        self.evidence.take(&record).expect("it is well-formed");
        record
    }

    /// Does what is due, turn after turn.
    fn settle(&mut self) -> Result<(), String> {
        let first = self.wallets.peer(0);
        while let Some((_, step)) = self.state.gather(first, RATE, &self.evidence, &Scope::default()) {
            let signed = self.sign(&step);
            self.chain.submit(&signed)?;
            self.mine_to(self.chain.tip().height + 1);
            self.state = step.state;
            self.evidence.coins.clear();
            let coin =
                self.state.coin.and_then(|coin| Some((coin.outpoint, self.chain.coin(&coin.outpoint)?)));
            self.evidence.coins.extend(coin.map(|(outpoint, coin)| (outpoint, coin.clone())));
        }
        Ok(())
    }

    fn sign(&self, step: &Step) -> Transaction {
        let unsigned = &step.transaction;
        let mut signed = unsigned.transaction.clone();
        for (at, (owner, input)) in unsigned.owners.iter().zip(&mut signed.input).enumerate() {
            input.witness = match owner {
                Owner::Epoch(epoch) => self.guard(epoch, step, at),
                Owner::Joiner(peer) => {
                    self.wallets.spend(self.numbers[peer], &unsigned.transaction, at, &unsigned.spent[at])
                }
            };
        }
        signed
    }

    fn guard(&self, epoch: &Epoch, step: &Step, at: usize) -> Witness {
        let unsigned = &step.transaction;
        let gathered = epoch.guard.gather(&unsigned.transaction, at, &unsigned.spent);
        let mut gathered = gathered.expect("the input is the epoch's");
        for (key, holder) in epoch.holders.iter().take(epoch.threshold()) {
            let pair = self.wallets.key(self.numbers[holder], Usage::Member);
            let share = epoch.guard.sign(gathered.message(), &pair, &[0; 32]).expect("it holds a key");
            gathered.add(*key, share).expect("it has just signed");
        }
        gathered.finish().expect("enough have signed")
    }
}
