//! What a DAO is after a turn: who has what, who is counted, which keys guard the coin.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use domain::{
    Kind, PeerId,
    bitcoin::{Amount, OutPoint, ScriptBuf, TxOut, XOnlyPublicKey},
    kinds::{Charter, DaoId, JoinId, NoteId, ProposalId, Rules},
};

use super::{Epoch, Refusal, TurnId, shares::pro_rata, sortition::Draw};
use crate::paying::NoteOwner;

/// Blocks of two weeks: what limits speak of.
pub const FORTNIGHT: u32 = 2_016;

/// What a DAO is after a turn. It follows from the charter and the turns alone, so whoever has them knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Which.
    pub dao: DaoId,
    /// What it is for good.
    pub charter: Arc<Charter>,
    /// Its rules as they are now.
    pub rules: Rules,
    /// Every turn so far, the first one's predecessor included.
    pub turns: Vec<TurnId>,
    /// The height of the last turn.
    pub height: u32,
    /// Every epoch so far, the newest last.
    pub epochs: Vec<Arc<Epoch>>,
    /// The pooled coin; none before the founding and after the end.
    pub coin: Option<Pooled>,
    /// Everybody who has a claim, is a member, or has a share of a note.
    pub accounts: BTreeMap<PeerId, Account>,
    /// Spends that are approved and wait for room in a transaction, in order of approval.
    pub queue: Vec<Spend>,
    /// Shares of the notes that were funded.
    pub notes: BTreeMap<NoteId, Shares>,
    /// What is nobody's.
    pub unassigned: Amount,
    /// What is kept for the refund's fees.
    pub reserve: Amount,
    /// Who was let in by vote and has not joined yet.
    pub admitted: BTreeSet<PeerId>,
    /// Proposals that were approved, until their expiry.
    pub(super) decided: BTreeMap<ProposalId, u32>,
    /// Members that were counted once, with the turns of it.
    pub(super) past: Vec<Past>,
    /// What was spent at which height, of the last fortnight.
    pub(super) spent: Vec<(u32, u64)>,
    /// How many were newly counted at which height, of the last fortnight.
    pub(super) promoted: Vec<(u32, u32)>,
    pub(super) draw: Option<Draw>,
    /// Whether a vote dissolved it: everybody may be paid out.
    pub dissolving: bool,
}

/// The pooled coin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pooled {
    /// Which.
    pub outpoint: OutPoint,
    /// Its value.
    pub value: Amount,
}

/// What somebody has in a DAO.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// What is theirs, reservations included.
    pub claim: Amount,
    /// What of it is reserved for approved spends.
    pub reserved: Amount,
    /// Where it is paid.
    pub leave: ScriptBuf,
    /// None of somebody who left.
    pub member: Option<Member>,
}

/// Somebody's membership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The wish that it fulfilled.
    pub join: JoinId,
    /// Their key.
    pub key: XOnlyPublicKey,
    /// When it began.
    pub joined: Moment,
    /// Since when they are counted.
    pub counted: Option<Moment>,
}

/// A turn and its height.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// The turn's number; the founding is 1.
    pub turn: u32,
    /// The turn's height.
    pub height: u32,
}

/// Who pays how much of a spend, and has which part of what comes back, by member.
pub type Shares = Arc<[(PeerId, Amount)]>;

/// An approved spend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spend {
    /// What was approved.
    pub proposal: ProposalId,
    /// Whom it pays.
    pub outputs: Vec<TxOut>,
    /// The artist and the offer that it invests in, where it does.
    pub investment: Option<(PeerId, domain::kinds::OfferId)>,
    /// Who pays for it.
    pub payers: Shares,
}

/// Somebody who was counted from one turn until before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Past {
    pub peer: PeerId,
    pub from: u32,
    pub until: u32,
}

impl Account {
    /// What of the claim is free to go.
    pub fn free(&self) -> Amount {
        self.claim - self.reserved
    }
}

impl Spend {
    /// What it pays.
    pub fn amount(&self) -> Amount {
        self.outputs.iter().map(|output| output.value).sum()
    }
}

impl State {
    /// Begins with a charter alone: the first turn founds the DAO.
    ///
    /// # Errors
    /// [`Refusal::Charter`].
    pub fn new(dao: DaoId, charter: Charter) -> Result<Self, Refusal> {
        charter.check().map_err(|error| Refusal::Charter(error.to_string()))?;
        Ok(Self {
            dao,
            rules: charter.rules,
            charter: Arc::new(charter),
            turns: vec![TurnId::genesis(&dao)],
            height: 0,
            epochs: Vec::new(),
            coin: None,
            accounts: BTreeMap::new(),
            queue: Vec::new(),
            notes: BTreeMap::new(),
            unassigned: Amount::ZERO,
            reserve: Amount::ZERO,
            admitted: BTreeSet::new(),
            decided: BTreeMap::new(),
            past: Vec::new(),
            spent: Vec::new(),
            promoted: Vec::new(),
            draw: None,
            dissolving: false,
        })
    }

    /// Returns the last turn, which the next one names.
    pub fn turn(&self) -> TurnId {
        *self.turns.last().expect("there is always the first one's predecessor")
    }

    /// Returns how many turns there were.
    pub fn number(&self) -> u32 {
        u32::try_from(self.turns.len() - 1).expect("fewer turns than blocks")
    }

    /// Says whether the founding is still to come.
    pub fn is_unfounded(&self) -> bool {
        self.turns.len() == 1
    }

    /// Says whether everybody was paid out.
    pub fn has_ended(&self) -> bool {
        self.coin.is_none() && !self.is_unfounded()
    }

    /// Returns the keys of the pooled coin.
    pub fn epoch(&self) -> Option<&Arc<Epoch>> {
        self.epochs.last()
    }

    /// Lists the members.
    pub fn members(&self) -> impl Iterator<Item = (&PeerId, &Member)> {
        self.accounts.iter().filter_map(|(peer, account)| Some((peer, account.member.as_ref()?)))
    }

    /// Lists the counted members with the turns since when.
    pub fn counted(&self) -> impl Iterator<Item = (Moment, PeerId)> {
        self.members().filter_map(|(peer, member)| Some((member.counted?, *peer)))
    }

    /// Returns somebody's membership.
    pub fn member(&self, peer: &PeerId) -> Option<&Member> {
        self.accounts.get(peer)?.member.as_ref()
    }

    /// Lists who was counted after a turn and is asked about what was proposed then, ascending; `None` where there was
    /// no such turn.
    pub fn electorate(&self, snapshot: &TurnId) -> Option<Vec<PeerId>> {
        let number = self.number_of(snapshot)?;
        let now = self.counted().filter(|(since, _)| since.turn <= number).map(|(_, peer)| peer);
        let past = self.past.iter().filter(|past| past.from <= number && number < past.until);
        let mut all: Vec<PeerId> = now.chain(past.map(|past| past.peer)).collect();
        all.sort_unstable();
        Some(all)
    }

    /// Says which turn it was.
    pub fn number_of(&self, turn: &TurnId) -> Option<u32> {
        let at = self.turns.iter().rposition(|other| other == turn)?;
        u32::try_from(at).ok()
    }

    /// Sums the claims.
    pub fn claims(&self) -> Amount {
        self.accounts.values().map(|account| account.claim).sum()
    }

    /// Says what everybody gets if the coin is refunded: the claim, and a part of what is nobody's.
    pub fn exits(&self) -> Vec<(PeerId, Amount)> {
        let claims: Vec<u64> = self.accounts.values().map(|account| account.claim.to_sat()).collect();
        let nobodys = self.unassigned.to_sat();
        let parts = pro_rata(nobodys, &claims).unwrap_or_else(|| vec![0; claims.len()]);
        let exits = self.accounts.keys().zip(claims).zip(parts);
        exits.map(|((peer, claim), part)| (*peer, Amount::from_sat(claim + part))).collect()
    }

    /// Says where an artist pays what a note earns once the coin is gone or has long been silent: each share to the
    /// address of its owner.
    pub fn payees(&self, note: &NoteId) -> Vec<NoteOwner> {
        let shares = self.notes.get(note).into_iter().flat_map(|shares| shares.iter());
        let owner = |(peer, share): &(PeerId, Amount)| {
            let script = self.accounts.get(peer)?.leave.clone();
            Some(NoteOwner { peer: *peer, script, share: *share })
        };
        shares.filter_map(owner).collect()
    }

    /// Checks what always holds: claims, what is nobody's and the reserve sum to the coin, and nobody's reservations
    /// exceed the claim.
    ///
    /// # Errors
    /// [`Refusal::Unbalanced`].
    pub fn audit(&self) -> Result<(), Refusal> {
        let coin = self.coin.map_or(Amount::ZERO, |coin| coin.value).to_sat();
        let accounts = (self.claims() + self.unassigned + self.reserve).to_sat();
        let covered = self.accounts.values().all(|account| account.reserved <= account.claim);
        let reserved: Amount = self.accounts.values().map(|account| account.reserved).sum();
        let queued: Amount = self.queue.iter().map(Spend::amount).sum();
        match accounts == coin && covered && reserved == queued {
            true => Ok(()),
            false => Err(Refusal::Unbalanced { accounts, coin }),
        }
    }
}
