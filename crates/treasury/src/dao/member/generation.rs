//! The key of a FROST group, which the holders of the pooled coin make together before the coin moves to it.
//!
//! A change of keys leaves the coin to the leaf alone. Its holders then make a group, and the next turn moves the coin to the
//! group's key. A holder signs such a turn only if it made that very group itself: whoever makes one alone knows its secret.
//! All that is secret is sent to one member each, and what is lost by a restart is made anew under the next number.

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

use domain::{
    PeerId,
    bitcoin::{ScriptBuf, XOnlyPublicKey},
};
use minicbor::bytes::ByteArray;

use super::{
    super::{
        Epoch, GuardError,
        guard::{
            Construction, Group, Guard, KeyShare,
            dkg::{Broadcast, Parcel, Round1, Round2},
        },
    },
    Attempt, Change, Member,
    message::{Deal, Message, SealedParcel, Secret},
    rounds::Random,
};

/// How many milliseconds the first generation has; every next one has twice the time of the one before.
pub const GENERATION_TIMEOUT: u64 = 30_000;
/// The highest number of a generation among the same holders.
pub const MAX_GENERATIONS: u32 = 12;

/// After how many milliseconds what was sent is sent again, at first; every next time after twice as many.
const REPEAT: u64 = 2_000;

/// A group that this member helped to make, and its share of the key.
pub(super) struct Made {
    /// How many it had made before.
    number: usize,
    pub group: Vec<u8>,
    pub share: KeyShare,
}

/// The making of a group's key by an epoch's holders.
pub(super) struct Generation {
    epoch: Arc<Epoch>,
    id: [u8; 32],
    number: u32,
    since: u64,
    repeat: (u64, u64),
    stage: Stage,
    own: Option<Broadcast>,
    broadcasts: BTreeMap<XOnlyPublicKey, Broadcast>,
    /// What goes to each, kept to be sent again.
    sent: BTreeMap<XOnlyPublicKey, Parcel>,
    inbox: BTreeMap<XOnlyPublicKey, Parcel>,
}

enum Stage {
    Idle,
    Dealt(Box<Round1>),
    Sent(Box<Round2>),
    Done,
}

impl Generation {
    fn new(epoch: Arc<Epoch>, number: u32, now: u64) -> Self {
        let (broadcasts, sent, inbox) = Default::default();
        let (id, repeat, stage) = (epoch.id(), (now.saturating_add(REPEAT), REPEAT), Stage::Idle);
        Self { epoch, id, number, since: now, repeat, stage, own: None, broadcasts, sent, inbox }
    }

    fn others(&self) -> usize {
        self.epoch.holders.len() - 1
    }

    fn key_of(&self, peer: &PeerId) -> Option<XOnlyPublicKey> {
        self.epoch.holders.iter().find(|(_, holder)| *holder == peer).map(|(key, _)| *key)
    }

    fn end(&self) -> u64 {
        self.since.saturating_add(GENERATION_TIMEOUT << self.number.min(MAX_GENERATIONS))
    }

    /// When something is to be done that nobody's message brings about.
    pub(super) fn due(&self) -> Option<u64> {
        match self.stage {
            Stage::Done => None,
            _ if self.number >= MAX_GENERATIONS => Some(self.repeat.0),
            _ => Some(self.repeat.0.min(self.end())),
        }
    }
}

impl Member {
    /// Takes the making of a group as far as it goes.
    pub(super) fn generate(&mut self) {
        let Some((epoch, own)) = self.groupless() else {
            self.generation = None;
            return;
        };
        let id = epoch.id();
        let mut generation = match self.generation.take().filter(|it| it.id == id) {
            Some(generation) if self.now >= generation.end() && generation.number < MAX_GENERATIONS => {
                Generation::new(epoch, generation.number + 1, self.now)
            }
            Some(generation) => generation,
            None => {
                let last = self.dealt.filter(|(of, _)| *of == id).map_or(0, |(_, number)| number + 1);
                Generation::new(epoch, last, self.now)
            }
        };
        if let Err(error) = self.advance_generation(&mut generation, own) {
            let culprit = error.culprit().and_then(|key| generation.epoch.holders.get(&key).copied());
            culprit.into_iter().for_each(|culprit| self.blame(culprit, error.code()));
        }
        self.generation = Some(generation);
    }

    /// The pooled coin's epoch where it has no group yet, and the own key in it.
    fn groupless(&self) -> Option<(Arc<Epoch>, XOnlyPublicKey)> {
        let state = self.state();
        let epoch = state.epoch().filter(|_| state.coin.is_some())?;
        let is_frost = self.config.charter.construction == domain::kinds::Construction::Frost;
        let lacks = is_frost && epoch.guard.construction() != Construction::Frost && epoch.threshold() > 1;
        let own = self.key.as_ref().filter(|_| self.random.is_some())?.x_only_public_key().0;
        (lacks && epoch.holders.contains_key(&own)).then(|| (epoch.clone(), own))
    }

    fn advance_generation(&mut self, it: &mut Generation, own: XOnlyPublicKey) -> Result<(), GuardError> {
        self.deal(it, own)?;
        self.send_parcels(it)?;
        self.finish_generation(it)?;
        if !matches!(it.stage, Stage::Done) && self.now >= it.repeat.0 {
            let wait = it.repeat.1.saturating_mul(2);
            it.repeat = (self.now.saturating_add(wait), wait);
            self.spread_deal(it);
        }
        Ok(())
    }

    fn deal(&mut self, it: &mut Generation, own: XOnlyPublicKey) -> Result<(), GuardError> {
        if it.own.is_some() || it.number > MAX_GENERATIONS {
            return Ok(());
        }
        let Some(entropy) = self.random.as_mut().map(Random::draw) else { return Ok(()) };
        let keys: Vec<_> = it.epoch.holders.keys().copied().collect();
        let (round, broadcast) = Round1::begin(keys, it.epoch.threshold(), own, &entropy)?;
        (it.stage, it.own) = (Stage::Dealt(Box::new(round)), Some(broadcast));
        self.dealt = Some((it.id, it.number));
        self.changes.push(Change::Dealt(ByteArray::from(it.id), it.number));
        self.spread_deal(it);
        Ok(())
    }

    fn spread_deal(&mut self, it: &Generation) {
        let deal = it.deal(false);
        deal.into_iter().for_each(|deal| self.spread(&Message::Deal(deal)));
    }

    fn send_parcels(&mut self, it: &mut Generation) -> Result<(), GuardError> {
        if it.broadcasts.len() < it.others() || !matches!(it.stage, Stage::Dealt(_)) {
            return Ok(());
        }
        let Stage::Dealt(round) = std::mem::replace(&mut it.stage, Stage::Idle) else { return Ok(()) };
        let (round, parcels) = round.proceed(&it.broadcasts)?;
        (it.stage, it.sent) = (Stage::Sent(Box::new(round)), parcels);
        for key in it.sent.keys() {
            self.send_parcel(it, key);
        }
        Ok(())
    }

    fn send_parcel(&mut self, it: &Generation, key: &XOnlyPublicKey) {
        let (Some(to), Some(parcel)) = (it.epoch.holders.get(key), it.sent.get(key)) else { return };
        let parcel = Secret::new(parcel.as_bytes().to_vec());
        let (epoch, number) = (ByteArray::from(it.id), it.number);
        self.send(*to, &Message::Parcel(SealedParcel { epoch, number, parcel }));
    }

    fn finish_generation(&mut self, it: &mut Generation) -> Result<(), GuardError> {
        if it.inbox.len() < it.others() || !matches!(it.stage, Stage::Sent(_)) {
            return Ok(());
        }
        let Stage::Sent(round) = std::mem::replace(&mut it.stage, Stage::Idle) else { return Ok(()) };
        let (group, share) = round.finish(&it.inbox)?;
        let guard = Guard::frost(it.epoch.holders.keys().copied(), it.epoch.threshold(), &group)?;
        let (script, group) = (guard.script_pubkey(), group.to_bytes()?);
        let secret = Secret::new(share.to_bytes()?.to_vec());
        // What is secret is stored by itself, so that nothing else has to be kept like it.
        self.persist();
        self.changes.push(Change::Share(script.to_bytes().into(), group.clone().into(), secret));
        self.persist();
        self.keep_share(script, group, share);
        it.stage = Stage::Done;
        self.dirty = true;
        self.need();
        Ok(())
    }

    pub(super) fn take_deal(&mut self, from: PeerId, deal: Deal) {
        let Some(mut it) = self.generation.take_if(|it| it.id == *deal.epoch) else { return };
        let taken = it.enter(&from, deal.number, self.now).and_then(|key| {
            let Some(key) = key else { return Ok(None) };
            let broadcast = Broadcast::from_bytes(deal.broadcast.to_vec())?;
            match it.broadcasts.get(&key) {
                Some(first) if *first != broadcast => Err(GuardError::Dkg(key)),
                Some(_) => Ok((!deal.is_answer).then_some(key)),
                None => Ok(it.broadcasts.insert(key, broadcast).and(None)),
            }
        });
        match taken {
            // Whoever deals again lacks something.
            Ok(Some(key)) => {
                it.deal(true).into_iter().for_each(|deal| self.send(from, &Message::Deal(deal)));
                self.send_parcel(&it, &key);
            }
            Ok(None) => {}
            Err(error) => self.blame(from, error.code()),
        }
        self.generation = Some(it);
    }

    pub(super) fn take_parcel(&mut self, from: PeerId, sealed: SealedParcel) {
        let Some(mut it) = self.generation.take_if(|it| it.id == *sealed.epoch) else { return };
        let taken = it.enter(&from, sealed.number, self.now).and_then(|key| {
            let parcel = Parcel::from_bytes(sealed.parcel.into_bytes())?;
            if let Some(key) = key {
                it.inbox.entry(key).or_insert(parcel);
            }
            Ok(())
        });
        if let Err(error) = taken {
            self.blame(from, error.code());
        }
        self.generation = Some(it);
    }

    /// The group for the pooled coin's holders, once it is made.
    pub(super) fn group(&self) -> Option<Vec<u8>> {
        let (epoch, _) = self.groupless()?;
        let fits = |(script, made): &(&ScriptBuf, &Made)| {
            let guard = Group::from_bytes(&made.group)
                .and_then(|group| Guard::frost(epoch.holders.keys().copied(), epoch.threshold(), &group));
            guard.is_ok_and(|guard| guard.script_pubkey() == **script)
        };
        // The holders of one that is older may have lost it before it was stored.
        let mut newest_first: Vec<_> = self.shares.iter().collect();
        newest_first.sort_by_key(|(_, made)| Reverse(made.number));
        newest_first.into_iter().find(fits).map(|(_, made)| made.group.clone())
    }

    /// Whether this member may sign what moves the coin to a group: it has a share of that group's key. Whoever holds no key
    /// of either coin has nothing to sign.
    pub(super) fn trusts(&self, attempt: &Attempt) -> bool {
        let (Some(group), Some(key)) = (&attempt.turn.group, &self.key) else { return true };
        let own = key.x_only_public_key().0;
        let holds = |epoch: &Arc<Epoch>| epoch.holders.contains_key(&own);
        let successor = attempt.step.state.epoch();
        if !successor.is_some_and(holds) && !self.state().epoch().is_some_and(holds) {
            return true;
        }
        let made = successor.and_then(|epoch| self.shares.get(&epoch.script()));
        made.is_some_and(|made| made.group == *group && made.share.key() == own)
    }

    /// Whether a turn brings a group that is none of those that this member made, though it has made one.
    pub(super) fn is_foreign(&self, attempt: &Attempt) -> bool {
        let is_made = self.generation.as_ref().is_some_and(|it| matches!(it.stage, Stage::Done));
        is_made && !self.trusts(attempt)
    }

    pub(super) fn load_share(&mut self, script: &[u8], group: &[u8], share: &Secret) {
        if let Ok(share) = KeyShare::from_bytes(share.as_bytes()) {
            self.keep_share(ScriptBuf::from_bytes(script.to_vec()), group.to_vec(), share);
        }
    }

    fn keep_share(&mut self, script: ScriptBuf, group: Vec<u8>, share: KeyShare) {
        let number = self.shares.len();
        self.shares.entry(script).or_insert(Made { number, group, share });
    }
}

impl Generation {
    fn deal(&self, is_answer: bool) -> Option<Deal> {
        let broadcast = self.own.as_ref()?.as_bytes().to_vec().into();
        Some(Deal { epoch: ByteArray::from(self.id), number: self.number, broadcast, is_answer })
    }

    /// Finds whose message of a number it is; none of a number that is over. A later one begins anew.
    fn enter(&mut self, from: &PeerId, number: u32, now: u64) -> Result<Option<XOnlyPublicKey>, GuardError> {
        let key = self.key_of(from).ok_or(GuardError::Malformed("holder of this coin"))?;
        if number > MAX_GENERATIONS {
            return Err(GuardError::TooManyAttempts);
        }
        if number > self.number {
            *self = Self::new(self.epoch.clone(), number, now);
        }
        Ok((number == self.number).then_some(key))
    }
}
