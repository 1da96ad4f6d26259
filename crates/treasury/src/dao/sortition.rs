//! Who holds the keys where more are counted than a coin has keys.
//!
//! Every 2,016 blocks a lot is drawn. The candidates are those counted a day before, the seed is of six blocks that
//! nobody knew then; so who is drawn depends on nobody who builds a turn. A turn gives up to ten seats to those drawn, in
//! the order of the lot, so that the holders of both epochs are always more than two thirds.

use std::collections::BTreeMap;

use domain::{
    PeerId,
    bitcoin::{BlockHash, XOnlyPublicKey, hashes::Hash},
};

use super::{
    refusal::Refusal,
    state::{FORTNIGHT, State},
};

/// Keys of a committee.
pub(super) const COMMITTEE: usize = 100;
/// Most seats that one turn gives to others.
const ROTATION: usize = 10;
/// Blocks whose hashes make the seed.
const SEED_BLOCKS: u32 = 6;
/// Blocks before the first of them after which nobody becomes a candidate: a day.
const CLOSING: u32 = 144;

const CONTEXT: &str = "musicdao 2026 dao sortition v1";

/// The lot of a fortnight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Draw {
    /// The height whose successors' hashes are the seed.
    pub height: u32,
    /// Who was drawn, the first rank first.
    pub drawn: Vec<PeerId>,
}

impl State {
    /// Says whether more members are counted than there are keys.
    pub fn has_committee(&self) -> bool {
        self.counted().count() > self.most_seats()
    }

    /// Draws the lot of the fortnight that a height is in, where one is due.
    pub(super) fn draw(&mut self, height: u32, blocks: &BTreeMap<u32, BlockHash>) -> Result<(), Refusal> {
        let Some(closed) = last_draw(height) else { return Ok(()) };
        if !self.has_committee() || self.draw.as_ref().is_some_and(|draw| draw.height >= closed) {
            return Ok(());
        }
        let seed = seed(closed, blocks)?;
        let candidates = self.members().filter(|(_, member)| {
            member.counted.is_some_and(|counted| counted.height.saturating_add(CLOSING) <= closed)
        });
        let mut ranked: Vec<_> = candidates.map(|(peer, _)| (rank(&seed, peer), *peer)).collect();
        ranked.sort_unstable();
        let drawn = ranked.into_iter().take(self.most_seats()).map(|(_, peer)| peer).collect();
        self.draw = Some(Draw { height: closed, drawn });
        Ok(())
    }

    /// Lists who may hold a key and which, those first that held one, then the longest counted.
    pub(super) fn seats(&self) -> Vec<(XOnlyPublicKey, PeerId)> {
        let seated: Vec<PeerId> = match self.has_committee() {
            true => self.committee(),
            false => {
                let mut counted: Vec<_> = self.counted().collect();
                counted.sort_unstable();
                counted.into_iter().map(|(_, peer)| peer).collect()
            }
        };
        let member = |peer: &PeerId| self.accounts.get(peer).and_then(|account| account.member.as_ref());
        seated.into_iter().filter_map(|peer| member(&peer).map(|member| (member.key, peer))).collect()
    }

    /// Lists the committee after at most [`ROTATION`] seats went to those drawn.
    fn committee(&self) -> Vec<PeerId> {
        let counts = |peer: &PeerId| {
            let member = self.accounts.get(peer).and_then(|account| account.member.as_ref());
            member.is_some_and(|member| member.counted.is_some())
        };
        let held = self.epochs.last().map(|epoch| epoch.holders.values()).into_iter().flatten();
        let mut seated: Vec<PeerId> = held.copied().filter(counts).collect();
        let Some(draw) = &self.draw else { return seated };
        let incoming = draw.drawn.iter().filter(|peer| counts(peer) && !seated.contains(peer));
        let incoming: Vec<PeerId> = incoming.take(ROTATION).copied().collect();
        let mut outgoing: Vec<PeerId> =
            seated.iter().filter(|peer| !draw.drawn.contains(peer)).copied().collect();
        let room = self.most_seats() - seated.len();
        outgoing.truncate(incoming.len().saturating_sub(room));
        seated.retain(|peer| !outgoing.contains(peer));
        seated.extend(incoming);
        seated
    }

    fn most_seats(&self) -> usize {
        usize::from(self.charter.construction.most_keys()).min(COMMITTEE)
    }
}

/// The height at which the last lot whose seed is complete at a height was closed.
fn last_draw(height: u32) -> Option<u32> {
    let closed = height.checked_sub(SEED_BLOCKS)? / FORTNIGHT * FORTNIGHT;
    (closed > 0).then_some(closed)
}

fn seed(closed: u32, blocks: &BTreeMap<u32, BlockHash>) -> Result<[u8; 32], Refusal> {
    let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
    for height in closed + 1..=closed + SEED_BLOCKS {
        let hash = blocks.get(&height).ok_or(Refusal::MissingBlock(height))?;
        hasher.update(hash.as_byte_array());
    }
    Ok(*hasher.finalize().as_bytes())
}

fn rank(seed: &[u8; 32], peer: &PeerId) -> [u8; 32] {
    *blake3::keyed_hash(seed, peer.as_bytes()).as_bytes()
}
