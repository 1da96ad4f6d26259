//! Shares of the script path: sizes, and what a hostile member sends.

use std::collections::BTreeSet;

use domain::bitcoin::Weight;
use proptest::prelude::*;

use super::*;
use crate::dao::guard::{Gathering, GuardError, Path, Share};

const AUX: [u8; 32] = [5; 32];

fn gathering(guard: &Guard) -> Gathering {
    let (tx, prevouts) = spend(guard);
    guard.gather(&tx, 1, &prevouts).unwrap()
}

fn share(guard: &Guard, gathering: &Gathering, pair: &Keypair) -> Share {
    guard.sign(gathering.message(), pair, &AUX).unwrap()
}

/// Transactions are paid for by the worst case: it is never below what a witness has, and by taproot exactly that.
#[test]
fn the_computed_weight_is_the_weight() {
    for construction in Construction::ALL {
        for (keys, threshold) in SIZES.into_iter().filter(|size| size.0 <= construction.max_keys()) {
            let guard = guard(construction, keys, threshold);
            let worst = guard.satisfaction_weight(Path::Script).unwrap();
            let (mut tx, prevouts) = spend(&guard);
            let mut gathering = guard.gather(&tx, 1, &prevouts).unwrap();
            for pair in keypairs(keys).iter().rev().take(threshold) {
                assert_eq!(gathering.finish(), None);
                assert_eq!(gathering.add(key(pair), share(&guard, &gathering, pair)), Ok(true));
            }
            let witness = gathering.finish().unwrap();
            let actual = Weight::from_wu(witness.size() as u64);
            match construction {
                Construction::SortedMulti => {
                    let spare = Weight::from_wu(2 * threshold as u64);
                    assert!(actual <= worst && actual + spare >= worst, "{actual} {worst}");
                }
                _ => assert_eq!(actual, worst),
            }
            // The weight that a transaction has with the placeholder is the one it will be sent with.
            tx.input[1].witness = guard.worst_witness(Path::Script).unwrap();
            let planned = tx.weight();
            tx.input[1].witness = witness;
            assert_eq!(planned - tx.weight(), worst - actual);
        }
    }
}

#[test]
fn a_bad_share_has_an_author_and_never_enters() {
    for construction in Construction::ALL {
        let guard = guard(construction, 5, 3);
        let pairs = keypairs(5);
        let mut gathering = gathering(&guard);
        let good = share(&guard, &gathering, &pairs[0]);
        let (author, other) = (key(&pairs[0]), key(&pairs[1]));

        // Every byte counts.
        for at in 0..Share::LEN {
            let mut bytes = *good.as_bytes();
            bytes[at] ^= 1;
            let refused = gathering.add(author, Share::from_bytes(bytes)).unwrap_err();
            assert_eq!(refused, GuardError::Share(author));
            assert_eq!((refused.code(), refused.culprit()), ("share_invalid", Some(author)));
        }
        for bytes in [[0; 64], [0xff; 64]] {
            assert_eq!(gathering.add(author, Share::from_bytes(bytes)), Err(GuardError::Share(author)));
        }
        // Another's share under one's own name, and a stranger's.
        assert_eq!(gathering.add(other, good), Err(GuardError::Share(other)));
        let stranger = keypair(77);
        assert_eq!(guard.sign(gathering.message(), &stranger, &AUX).unwrap_err().code(), "guard_not_holder");
        assert_eq!(gathering.add(key(&stranger), good), Err(GuardError::NotHolder(key(&stranger))));
        assert_eq!(gathering.held().len(), 0);

        // Twice is once, and nothing counts twice.
        assert_eq!(gathering.add(author, good), Ok(true));
        assert_eq!(gathering.add(author, good), Ok(false));
        assert_eq!(gathering.held().len(), 1);
        assert!(!gathering.is_complete());
        assert_eq!(gathering.missing().count(), 4);
    }
}

/// With the same keys and another threshold, or one key more, it is another coin: its shares are worth nothing here.
#[test]
fn shares_of_another_epoch_are_refused() {
    for construction in Construction::ALL {
        let (now, pairs) = (guard(construction, 5, 3), keypairs(5));
        for other in [guard(construction, 5, 2), guard(construction, 6, 3)] {
            let (tx, mut prevouts) = spend(&now);
            prevouts[1].script_pubkey = other.script_pubkey();
            let message = other.message(&tx, 1, &prevouts, Path::Script).unwrap();
            let theirs = other.sign(&message, &pairs[2], &AUX).unwrap();
            let refused = gathering(&now).add(key(&pairs[2]), theirs);
            assert_eq!(refused, Err(GuardError::Share(key(&pairs[2]))));
        }
    }
}

/// A signature whose first number is 2^255 or more is valid for Bitcoin, and a byte larger than was paid for.
#[test]
fn an_ecdsa_share_is_refused_when_it_is_larger_than_it_may_be() {
    use domain::bitcoin::secp256k1::{Parity, Secp256k1};
    let guard = guard(Construction::SortedMulti, 3, 2);
    let pair = keypairs(3).into_iter().find(|pair| pair.x_only_public_key().1 == Parity::Even).unwrap();
    let gathering = gathering(&guard);
    let high = (0..=255)
        .map(|byte| {
            let secp = Secp256k1::new();
            let signature =
                secp.sign_ecdsa_with_noncedata(gathering.message(), &pair.secret_key(), &[byte; 32]);
            signature.serialize_compact()
        })
        .find(|bytes| bytes[0] >= 0x80)
        .unwrap();
    let refused = guard.verify(gathering.message(), &key(&pair), &Share::from_bytes(high));
    assert_eq!(refused, Err(GuardError::Share(key(&pair))));
}

#[test]
fn a_share_is_64_bytes_and_nothing_else() {
    let share = Share::from_bytes([7; 64]);
    let text = serde_json::to_string(&share).unwrap();
    assert_eq!(serde_json::from_str::<Share>(&text).unwrap(), share);
    assert!(serde_json::from_str::<Share>("[7,7]").is_err());
    assert_eq!(Share::try_from(vec![7; 65]).unwrap_err().code(), "guard_malformed");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whoever signs in whatever order, with whatever rubbish in between: enough signers make the witness, fewer none.
    #[test]
    fn any_threshold_of_signers_finishes(order in Just((0..7_usize).collect::<Vec<_>>()).prop_shuffle(), noise: [u8; 32]) {
        for construction in Construction::ALL {
            let (guard, pairs) = (guard(construction, 7, 4), keypairs(7));
            let mut gathering = gathering(&guard);
            let mut signed = BTreeSet::new();
            for at in &order {
                let rubbish = Share::from_bytes([noise, noise].concat().try_into().unwrap());
                prop_assert!(gathering.add(key(&pairs[*at]), rubbish).is_err());
                gathering.add(key(&pairs[*at]), share(&guard, &gathering, &pairs[*at])).unwrap();
                signed.insert(*at);
                prop_assert_eq!(gathering.finish().is_some(), signed.len() >= 4);
                prop_assert_eq!(gathering.is_complete(), signed.len() >= 4);
            }
        }
    }
}
