//! The keys of one pooled coin.

use std::{collections::BTreeMap, sync::Arc};

use domain::{
    PeerId,
    bitcoin::{ScriptBuf, Weight, XOnlyPublicKey},
    kinds::Charter,
};

use super::{Construction, Group, Guard, GuardError, Path, sortition::COMMITTEE, state::State};

const CONTEXT: &str = "musicdao 2026 dao epoch v1";

/// The key set of one pooled coin. It changes only in a transaction that spends the coin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// From 0, the founders'.
    pub number: u32,
    /// Who holds which key.
    pub holders: BTreeMap<XOnlyPublicKey, PeerId>,
    /// What they guard the coin with.
    pub guard: Guard,
    /// The hash of the epoch before.
    pub previous: [u8; 32],
}

impl Epoch {
    /// Returns the hash of keys, threshold, script and the epoch before.
    pub fn id(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
        hasher.update(&self.number.to_le_bytes()).update(&self.previous);
        hasher.update(&(self.guard.threshold() as u64).to_le_bytes());
        hasher.update(self.guard.script_pubkey().as_bytes());
        for (key, holder) in &self.holders {
            hasher.update(&key.serialize()).update(holder.as_bytes());
        }
        *hasher.finalize().as_bytes()
    }

    /// Returns the script of its coin.
    pub fn script(&self) -> ScriptBuf {
        self.guard.script_pubkey()
    }

    /// Returns the keys that must sign.
    pub fn threshold(&self) -> usize {
        self.guard.threshold()
    }

    /// Says whether somebody holds a key of it.
    pub fn is_held_by(&self, member: &PeerId) -> bool {
        self.holders.values().any(|holder| holder == member)
    }

    /// Returns the weight of the largest witness that spends its coin.
    pub(super) fn witness_weight(&self) -> Weight {
        self.guard.satisfaction_weight(Path::Script).expect("every guard has a script path")
    }
}

/// Makes the epoch of the successor: the same one where no key and no threshold changes.
pub(super) fn successor(state: &State, group: Option<&[u8]>) -> Result<Arc<Epoch>, GuardError> {
    let before = state.epochs.last();
    let holders = holders(state);
    let threshold = threshold(state, holders.len());
    if let Some(epoch) = before
        && group.is_none()
        && epoch.holders == holders
        && epoch.guard.threshold() == threshold
    {
        return Ok(epoch.clone());
    }
    let guard = guard(&state.charter, holders.keys().copied(), threshold, group)?;
    let (number, previous) = before.map_or((0, [0; 32]), |epoch| (epoch.number + 1, epoch.id()));
    Ok(Arc::new(Epoch { number, holders, guard, previous }))
}

/// Makes a guard by the charter's construction. Where a FROST group is not made yet the leaf alone guards the coin, so
/// that a key that has to go does not stay for want of it.
fn guard(
    charter: &Charter,
    keys: impl IntoIterator<Item = XOnlyPublicKey>,
    threshold: usize,
    group: Option<&[u8]>,
) -> Result<Guard, GuardError> {
    use domain::kinds::Construction as Chartered;

    match (charter.construction, group) {
        (Chartered::Frost, Some(group)) => Guard::frost(keys, threshold, &Group::from_bytes(group)?),
        (_, Some(_)) => Err(GuardError::Group),
        (Chartered::MultiA | Chartered::Frost, None) => Guard::new(Construction::MultiA, keys, threshold),
        (Chartered::MuSig2, None) => Guard::new(Construction::MuSig2, keys, threshold),
        (Chartered::SortedMulti, None) => Guard::new(Construction::SortedMulti, keys, threshold),
    }
}

/// Says how many of the keys sign: the rules' share, or two thirds of a committee.
fn threshold(state: &State, keys: usize) -> usize {
    match state.has_committee() {
        true => keys * 2 / 3 + 1,
        false => {
            let keys = u32::try_from(keys).expect("a hundred keys at most");
            usize::try_from(state.rules.threshold_of(keys)).expect("at most the keys")
        }
    }
}

/// Chooses who holds a key: all that held one and may, and as many new ones as leave the holders of both epochs enough to
/// sign for the successor, so that its refund never needs a newcomer.
fn holders(state: &State) -> BTreeMap<XOnlyPublicKey, PeerId> {
    let seats = state.seats();
    let Some(epoch) = state.epochs.last() else { return seats.into_iter().take(most_keys(state)).collect() };
    let mut chosen: BTreeMap<_, _> =
        seats.iter().filter(|(key, _)| epoch.holders.contains_key(key)).copied().collect();
    let kept = chosen.len();
    for (key, member) in seats {
        if chosen.len() >= most_keys(state) || threshold(state, chosen.len() + 1) > kept {
            break;
        }
        chosen.insert(key, member);
    }
    chosen
}

fn most_keys(state: &State) -> usize {
    usize::from(state.charter.construction.most_keys()).min(COMMITTEE)
}
