//! The owners of a DAO's notes: whom an artist pays once the DAO has ended or fallen silent.

use std::{cmp::Reverse, collections::BTreeMap};

use domain::{
    PeerId,
    bitcoin::{Amount, ScriptBuf},
    kinds::NoteId,
};

use super::{add, waterfall::pro_rata};

/// Most owners of a note that one payment reaches; those with the smallest shares are left out.
pub const MAX_OWNERS: usize = 500;
/// The largest dust limit of the scripts that members leave to, in satoshis.
pub(super) const DUST: Amount = Amount::from_sat(330);

/// Where a DAO is paid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DaoPayee {
    /// The scripts of its coin, the newest last.
    pub scripts: Vec<ScriptBuf>,
    /// Whose its notes are.
    pub owners: BTreeMap<NoteId, Vec<NoteOwner>>,
    /// Where what is due goes now.
    pub pays: DaoPays,
}

/// Where what is due to a DAO goes now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DaoPays {
    /// It waits: where the DAO's coin is, is not known.
    #[default]
    Nobody,
    /// To the newest script of the coin.
    Coin,
    /// To the notes' owners: the coin is gone, or has been silent for long.
    Owners,
}

/// Somebody with a part of a DAO's note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteOwner {
    /// Who.
    pub peer: PeerId,
    /// Where that person is paid.
    pub script: ScriptBuf,
    /// What the note cost that person.
    pub share: Amount,
}

/// Divides an amount among as many owners as get no dust by it, those with the largest shares first: what others would
/// have got goes to these. Whoever recomputes it finds the same parts.
pub(super) fn divide(amount: Amount, owners: &[NoteOwner]) -> Vec<(&NoteOwner, Amount)> {
    let mut largest: Vec<&NoteOwner> = owners.iter().collect();
    largest.sort_by_key(|owner| Reverse(owner.share));
    largest.truncate(MAX_OWNERS);
    while let Some(last) = largest.last() {
        let whole: u128 = largest.iter().map(|owner| u128::from(owner.share.to_sat())).sum();
        let part = u128::from(amount.to_sat()) * u128::from(last.share.to_sat());
        if whole > 0 && part / whole >= u128::from(DUST.to_sat()) {
            break;
        }
        largest.pop();
    }
    let weights: Vec<u64> = largest.iter().map(|owner| owner.share.to_sat()).collect();
    let parts = pro_rata(amount.to_sat(), &weights);
    largest.into_iter().zip(parts.into_iter().map(Amount::from_sat)).collect()
}

/// Says whether outputs are the parts of their sum.
pub(super) fn is_divided(paid: &[(&ScriptBuf, Amount)], owners: &[NoteOwner]) -> bool {
    let sum = paid.iter().fold(Amount::ZERO, |sum, (_, amount)| add(sum, *amount));
    let parts = divide(sum, owners);
    let mut parts: Vec<_> = parts.into_iter().map(|(owner, part)| (&owner.script, part)).collect();
    let mut paid = paid.to_vec();
    parts.sort_unstable();
    paid.sort_unstable();
    !paid.is_empty() && parts == paid
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn owners(shares: &[u64]) -> Vec<NoteOwner> {
        let owner = |(at, share): (u8, &u64)| NoteOwner {
            peer: PeerId::from_bytes([at; 32]),
            script: ScriptBuf::from_bytes(vec![at; 22]),
            share: Amount::from_sat(*share),
        };
        (0..).zip(shares).map(owner).collect()
    }

    fn parts(amount: u64, shares: &[u64]) -> Vec<(u8, u64)> {
        let owners = owners(shares);
        let parts = divide(Amount::from_sat(amount), &owners);
        parts.iter().map(|(owner, part)| (owner.peer.as_bytes()[0], part.to_sat())).collect()
    }

    #[test]
    fn whoever_would_get_dust_leaves_it_to_the_others() {
        assert_eq!(parts(3_000, &[10_000, 20_000]), [(1, 2_000), (0, 1_000)]);
        assert_eq!(parts(900, &[10_000, 20_000]), [(1, 900)]);
        assert_eq!(parts(329, &[10_000, 20_000]), []);
        assert_eq!(parts(1_000, &[0, 0]), []);
        assert_eq!(parts(1_001, &[5, 5, 5]), [(0, 334), (1, 334), (2, 333)]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_no_part_is_dust(
            shares in proptest::collection::vec(0..=2_100_000_000_000_000u64, 0..40), amount in 0..=2_100_000_000_000_000u64,
        ) {
            let owners = owners(&shares);
            let parts = divide(Amount::from_sat(amount), &owners);
            prop_assert!(parts.iter().all(|(_, part)| *part >= DUST));
            let sum: u64 = parts.iter().map(|(_, part)| part.to_sat()).sum();
            prop_assert!(parts.is_empty() || sum == amount);
            let paid: Vec<_> = parts.iter().map(|(owner, part)| (&owner.script, *part)).collect();
            prop_assert_eq!(is_divided(&paid, &owners), !parts.is_empty());
        }

        #[test]
        fn whoever_pays_one_owner_more_is_found_out(shares in proptest::collection::vec(1_000..=9_000u64, 2..9)) {
            let owners = owners(&shares);
            let parts = divide(Amount::from_sat(100_000), &owners);
            let mut paid: Vec<_> = parts.iter().map(|(owner, part)| (&owner.script, *part)).collect();
            paid[0].1 += Amount::from_sat(1_000);
            paid[1].1 -= Amount::from_sat(1_000);
            prop_assert!(!is_divided(&paid, &owners));
            prop_assert!(!is_divided(&paid[..1], &owners));
        }
    }
}
