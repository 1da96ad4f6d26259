//! One attempt at the next transaction: what it is, and which signatures are here.

use std::{collections::BTreeMap, slice, sync::Arc};

use domain::{
    PeerId,
    bitcoin::{OutPoint, Transaction, Txid, Witness, XOnlyPublicKey, secp256k1::Keypair},
    kinds::NoteId,
};
use minicbor::bytes::ByteArray;

use super::{
    super::{
        Epoch, Guard, GuardError, Members, Owner, Step, Turn, TurnId,
        guard::{Gathering, Share},
    },
    change_set::Held,
    joiner,
    message::{Part, PartShare, Progress},
    rounds::Rounds,
};
use crate::paying::id_of;

/// A turn that follows the last one, with its signatures.
#[derive(Clone)]
pub(super) struct Attempt {
    pub turn: Turn,
    pub step: Arc<Step>,
    pub txid: Txid,
    /// Signatures of the refund's nodes.
    refund: Vec<Gathering>,
    /// Signatures of the DAO's own coins, by input.
    coins: BTreeMap<u16, Gathering>,
    /// The same by the key path.
    pub rounds: Rounds,
    /// Joiners' inputs with their witnesses.
    joiners: BTreeMap<u16, (PeerId, Option<Witness>)>,
    /// Whether the refund is complete and stored: nothing on T is released before.
    pub safe: bool,
    /// Whether the owner's wallet was asked for its signatures.
    pub asked: bool,
    /// Whether a signature on T was released here.
    pub released: bool,
    pub finished: Option<Transaction>,
    /// When it was first seen.
    pub opened: u64,
    /// Since when joiners are to sign.
    pub safe_since: u64,
    /// When it was last sent to the chain.
    pub sent: Option<u64>,
    /// Whether a joiner killed it.
    pub failed: bool,
    /// Whether it waits for so long that another may do something else.
    pub stale: bool,
}

impl Attempt {
    pub(super) fn open(turn: Turn, step: Step, now: u64) -> Result<Self, GuardError> {
        let unsigned = &step.transaction;
        let nodes = step.refund.iter().flat_map(|refund| refund.nodes.iter().map(move |node| (refund, node)));
        let gather = |(refund, node): (&super::super::Refund, &super::super::RefundNode)| {
            refund.epoch.guard.gather(&node.transaction, 0, slice::from_ref(&node.spent))
        };
        let refund = nodes.map(gather).collect::<Result<Vec<_>, _>>()?;
        let (mut coins, mut joiners) = (BTreeMap::new(), BTreeMap::new());
        for (at, owner) in (0u16..).zip(&unsigned.owners) {
            match owner {
                Owner::Epoch(epoch) => {
                    let gathering = epoch.guard.gather(&unsigned.transaction, at.into(), &unsigned.spent)?;
                    coins.insert(at, gathering);
                }
                Owner::Joiner(peer) => {
                    joiners.insert(at, (*peer, None));
                }
            }
        }
        let (txid, rounds) = (unsigned.transaction.compute_txid(), Rounds::of(&step)?);
        let step = Arc::new(step);
        let (finished, sent) = (None, None);
        let (safe, asked, released, failed, stale) = (step.refund.is_none(), false, false, false, false);
        Ok(Self {
            turn,
            step,
            txid,
            refund,
            coins,
            rounds,
            joiners,
            safe,
            asked,
            released,
            finished,
            opened: now,
            safe_since: now,
            sent,
            failed,
            stale,
        })
    }

    pub(super) fn id(&self) -> TurnId {
        self.step.turn
    }

    /// The input by whose spending one sees which attempt won.
    pub(super) fn first_input(&self) -> OutPoint {
        let first = self.step.transaction.transaction.input.first();
        first.map_or(OutPoint::null(), |input| input.previous_output)
    }

    /// The transaction that refunds everybody, by name.
    pub(super) fn refund_txid(&self) -> Option<Txid> {
        Some(self.step.refund.as_ref()?.nodes.first()?.transaction.compute_txid())
    }

    /// The ids of the notes that the builder signs first.
    pub(super) fn notes(&self) -> impl Iterator<Item = NoteId> {
        self.step.notes.iter().map(|note| id_of(&self.turn.builder, note))
    }

    fn guard(&self, part: Part) -> Option<&Guard> {
        match part {
            Part::Input(at) => match self.step.transaction.owners.get(usize::from(at))? {
                Owner::Epoch(epoch) => Some(&epoch.guard),
                Owner::Joiner(_) => None,
            },
            Part::Node(_) => self.step.refund.as_ref().map(|refund| &refund.epoch.guard),
        }
    }

    fn gathering(&mut self, part: Part) -> Option<&mut Gathering> {
        match part {
            Part::Input(at) => self.coins.get_mut(&at),
            Part::Node(at) => self.refund.get_mut(usize::from(at)),
        }
    }

    /// Takes a share; says whether it is new. A part or holder that is not there is malformed. A share that is `known` was
    /// verified before.
    pub(super) fn take(
        &mut self,
        part: Part,
        holder: u16,
        share: Share,
        known: Option<Arc<Share>>,
    ) -> Result<bool, GuardError> {
        let key = self.guard(part).and_then(|guard| guard.keys().get(usize::from(holder)).copied());
        let (Some(key), Some(gathering)) = (key, self.gathering(part)) else {
            return Err(GuardError::Malformed("part of this turn"));
        };
        match known {
            // More than it takes are verified, but not worth their memory where there are many members.
            Some(_) if gathering.is_complete() => Ok(false),
            Some(share) => Ok(gathering.add_verified(holder, share)),
            None if gathering.is_complete() => gathering.verify(&key, &share).map(|()| false),
            None => gathering.add(key, share),
        }
    }

    /// Takes the witness of a joiner's input; says whether it is new, or that it is wrong.
    pub(super) fn take_witness(&mut self, input: u16, witness: Witness) -> Result<bool, GuardError> {
        let Some((_, held)) = self.joiners.get_mut(&input) else {
            return Err(GuardError::Malformed("input of a joiner"));
        };
        if held.is_some() {
            return Ok(false);
        }
        if !joiner::spends(&self.step.transaction, input.into(), &witness) {
            return Err(GuardError::Malformed("signature of a joiner"));
        }
        *held = Some(witness);
        Ok(true)
    }

    /// Signs parts of one sort with a key, as far as the key has not; returns what is to be sent.
    pub(super) fn sign(&mut self, keypair: &Keypair, refund: bool) -> Vec<PartShare> {
        let (key, turn) = (keypair.x_only_public_key().0, self.id());
        let mut made = Vec::new();
        if refund && !self.guard(Part::Node(0)).is_some_and(|guard| guard.has(&key)) {
            return made;
        }
        for part in self.parts(refund).into_iter().filter(|part| self.is_by_leaf(*part)).collect::<Vec<_>>() {
            let Some(holder) = self.guard(part).and_then(|guard| place(guard, &key)) else { continue };
            let Some(guard) = self.guard(part).cloned() else { continue };
            let Some(gathering) = self.gathering(part).filter(|it| !it.holds(&key)) else {
                continue;
            };
            // The nonce is derived from key and message alone (BIP 340): signing again gives the same bytes.
            let Ok(share) = guard.sign(gathering.message(), keypair, &[0; 32]) else { continue };
            if gathering.add(key, share).is_ok() {
                let share = ByteArray::from(*share.as_bytes());
                made.push(PartShare { turn, part, holder, share });
            }
        }
        made
    }

    fn parts(&self, refund: bool) -> Vec<Part> {
        match refund {
            true => (0u16..).zip(&self.refund).map(|(at, _)| Part::Node(at)).collect(),
            false => self.coins.keys().map(|at| Part::Input(*at)).collect(),
        }
    }

    /// Whether holders sign a part by the leaf: always R, which anybody alone must be able to complete at any time.
    fn is_by_leaf(&self, part: Part) -> bool {
        match part {
            Part::Input(at) => self.rounds.is_by_leaf(at),
            Part::Node(_) => true,
        }
    }

    /// Whose keys guard an input.
    pub(super) fn epoch(&self, input: u16) -> Option<Arc<Epoch>> {
        match self.step.transaction.owners.get(usize::from(input))? {
            Owner::Epoch(epoch) => Some(epoch.clone()),
            Owner::Joiner(_) => None,
        }
    }

    pub(super) fn is_refund_complete(&self) -> bool {
        self.refund.iter().all(Gathering::is_complete)
    }

    pub(super) fn lacks_joiners(&self) -> impl Iterator<Item = PeerId> {
        self.joiners.values().filter(|(_, witness)| witness.is_none()).map(|(peer, _)| *peer)
    }

    /// Who joins with an input.
    pub(super) fn joiner_at(&self, input: usize) -> Option<PeerId> {
        let input = u16::try_from(input).ok()?;
        self.joiners.get(&input).map(|(peer, _)| *peer)
    }

    /// Who joins, once for every input.
    pub(super) fn joiners(&self) -> impl Iterator<Item = PeerId> {
        self.joiners.values().map(|(peer, _)| *peer)
    }

    /// The joiners for whom it waits: those that have not signed T, or of founders those that have not signed R.
    pub(super) fn absent(&self) -> Vec<PeerId> {
        if self.safe {
            return self.lacks_joiners().collect();
        }
        let first = self.refund.first();
        let lacks = |(_, peer): &(_, &PeerId)| self.lacks_joiners().any(|joiner| joiner == **peer);
        let epoch = self.step.refund.iter().flat_map(|refund| refund.epoch.holders.iter());
        let absent = epoch.filter(|(key, _)| first.is_some_and(|first| !first.holds(key)));
        absent.filter(lacks).map(|(_, peer)| *peer).collect()
    }

    /// The inputs that somebody joins with.
    pub(super) fn inputs_of(&self, joiner: &PeerId) -> Vec<u16> {
        self.joiners.iter().filter(|(_, (peer, _))| peer == joiner).map(|(at, _)| *at).collect()
    }

    /// How many have signed the pooled coin and how many it takes.
    pub(super) fn signed(&self) -> (usize, usize) {
        let first = self.coins.values().next();
        let needed = self.guard(Part::Input(0)).map_or(0, Guard::threshold);
        let by_leaf = (first.map_or(0, |gathering| gathering.held().len()), needed);
        self.rounds.signed().filter(|(signed, _)| *signed > by_leaf.0).unwrap_or(by_leaf)
    }

    /// Puts T together once every signature is here.
    pub(super) fn finish(&self) -> Option<Transaction> {
        let mut transaction = self.step.transaction.transaction.clone();
        for (at, input) in (0u16..).zip(&mut transaction.input) {
            input.witness = match self.joiners.get(&at) {
                Some((_, witness)) => witness.clone()?,
                None => self.rounds.witness(at).or_else(|| self.coins.get(&at)?.finish())?,
            };
        }
        Some(transaction)
    }

    /// Puts the nodes of R together, the root first.
    pub(super) fn refund(&self) -> Option<Vec<Transaction>> {
        let nodes = &self.step.refund.as_ref()?.nodes;
        let sign = |(node, gathering): (&super::super::RefundNode, &Gathering)| {
            let mut transaction = node.transaction.clone();
            transaction.input.first_mut()?.witness = gathering.finish()?;
            Some(transaction)
        };
        nodes.iter().zip(&self.refund).map(sign).collect()
    }

    /// The signatures that make R complete, for storing: of each node as many as it takes.
    pub(super) fn refund_shares(&self) -> Vec<Vec<Held>> {
        let Some(guard) = self.guard(Part::Node(0)) else { return Vec::new() };
        let held = |gathering: &Gathering| {
            let held = gathering.held().take(guard.threshold());
            let held = held.filter_map(|(key, share)| {
                Some(Held { holder: place(guard, key)?, share: ByteArray::from(*share.as_bytes()) })
            });
            held.collect()
        };
        self.refund.iter().map(held).collect()
    }

    /// What is here, for others to see what they have that is not.
    pub(super) fn progress(&self) -> Progress {
        Progress {
            turn: self.id(),
            safe: self.safe,
            refund: Members::of(self.refund_holders().into_iter().map(usize::from)),
            joiners: Members::of(self.witnesses().map(|(at, _)| usize::from(at))),
            coin: Members::of(self.coin_holders().into_iter().map(usize::from)),
        }
    }

    /// Holders whose signatures of all nodes are here.
    fn refund_holders(&self) -> Vec<u16> {
        holders(self.guard(Part::Node(0)), &self.refund.iter().collect::<Vec<_>>())
    }

    fn coin_holders(&self) -> Vec<u16> {
        holders(self.guard(Part::Input(0)), &self.coins.values().take(1).collect::<Vec<_>>())
    }

    fn witnesses(&self) -> impl Iterator<Item = (u16, &Witness)> {
        self.joiners.iter().filter_map(|(at, (_, witness))| Some((*at, witness.as_ref()?)))
    }

    /// What somebody lacks of the refund.
    pub(super) fn refund_for(&self, theirs: &Progress) -> Vec<PartShare> {
        if theirs.safe {
            return Vec::new();
        }
        self.shares_for(true, &theirs.refund)
    }

    /// What somebody lacks of T's signatures by holders.
    pub(super) fn coin_for(&self, theirs: &Progress) -> Vec<PartShare> {
        self.shares_for(false, &theirs.coin)
    }

    /// Joiners' witnesses that somebody lacks.
    pub(super) fn witnesses_for(&self, theirs: &Progress) -> Vec<(u16, Witness)> {
        let has: Vec<usize> = theirs.joiners.places().collect();
        let lacks = |at: &u16| !has.contains(&usize::from(*at));
        self.witnesses().filter(|(at, _)| lacks(at)).map(|(at, witness)| (at, witness.clone())).collect()
    }

    /// As many holders' shares as the other needs to be complete.
    fn shares_for(&self, refund: bool, has: &Members) -> Vec<PartShare> {
        let has: Vec<usize> = has.places().collect();
        let mut shares = Vec::new();
        for part in self.parts(refund) {
            let (Some(guard), Some(gathering)) = (self.guard(part), self.held(part)) else { continue };
            let lacks = guard.threshold().saturating_sub(has.len());
            let others = gathering.held().filter_map(|(key, share)| Some((place(guard, key)?, share)));
            let others = others.filter(|(holder, _)| !has.contains(&usize::from(*holder))).take(lacks);
            shares.extend(others.map(|(holder, share)| {
                let share = ByteArray::from(*share.as_bytes());
                PartShare { turn: self.id(), part, holder, share }
            }));
        }
        shares
    }

    fn held(&self, part: Part) -> Option<&Gathering> {
        match part {
            Part::Input(at) => self.coins.get(&at),
            Part::Node(at) => self.refund.get(usize::from(at)),
        }
    }
}

fn holders(guard: Option<&Guard>, gatherings: &[&Gathering]) -> Vec<u16> {
    let Some(guard) = guard else { return Vec::new() };
    let signed = |key: &XOnlyPublicKey| gatherings.iter().all(|it| it.holds(key));
    (0u16..).zip(guard.keys()).filter(|(_, key)| signed(key)).map(|(at, _)| at).collect()
}

pub(super) fn place(guard: &Guard, key: &XOnlyPublicKey) -> Option<u16> {
    guard.keys().binary_search(key).ok().and_then(|at| u16::try_from(at).ok())
}
