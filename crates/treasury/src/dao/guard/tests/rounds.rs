//! The key path: all at once or any t, and what a hostile signer tries.

use std::collections::BTreeMap;

use domain::bitcoin::{
    Weight,
    secp256k1::{Message, Parity, PublicKey},
};
use proptest::prelude::*;
use zeroize::Zeroizing;

use super::*;
use crate::dao::guard::{
    Attempt, Commitment, GuardError, MAX_ATTEMPTS, Nonces, Partial, Path, Session, Signer, musig2,
};

/// Members with what they sign with.
struct Cast {
    guard: Guard,
    pairs: Vec<Keypair>,
    shares: Vec<KeyShare>,
    nonces: Vec<Nonces>,
    message: Message,
    attempt: Attempt,
}

impl Cast {
    fn new(construction: Construction, keys: usize, threshold: usize) -> Self {
        let (guard, shares) = match construction {
            Construction::Frost => frost(keys, threshold),
            _ => (guard(construction, keys, threshold), Vec::new()),
        };
        let (tx, prevouts) = spend(&guard);
        let message = guard.message(&tx, 1, &prevouts, Path::Key).unwrap();
        let attempt = Attempt { txid: tx.compute_txid(), input: 1, number: 0 };
        let nonces = (0..keys).map(|_| Nonces::default()).collect();
        Self { guard, pairs: keypairs(keys), shares, nonces, message, attempt }
    }

    fn both(keys: usize, threshold: usize) -> [Self; 2] {
        [Construction::MuSig2, Construction::Frost].map(|it| Self::new(it, keys, threshold))
    }

    fn key(&self, at: usize) -> XOnlyPublicKey {
        key(&self.pairs[at])
    }

    fn signer(&self, at: usize) -> Signer<'_> {
        self.shares.get(at).map_or(Signer::Key(&self.pairs[at]), Signer::Share)
    }

    /// The last so many members: for FROST the threshold suffices.
    fn signers(&self) -> impl Iterator<Item = usize> + use<> {
        let count = self.pairs.len();
        count - self.guard.cosigners()..count
    }

    fn commit(&mut self, at: usize) -> Result<Commitment, GuardError> {
        let mut nonces = std::mem::take(&mut self.nonces[at]);
        let entropy = Zeroizing::new([at as u8; 32]);
        let commitment = nonces.commit(self.attempt, &self.guard, &self.message, self.signer(at), &entropy);
        self.nonces[at] = nonces;
        commitment
    }

    fn commit_all(&mut self) -> BTreeMap<XOnlyPublicKey, Commitment> {
        self.signers().map(|at| (self.key(at), self.commit(at).unwrap())).collect()
    }

    fn open(&mut self) -> Session {
        let commitments = self.commit_all();
        Session::new(&self.guard, self.message, commitments).unwrap()
    }

    fn sign(&mut self, at: usize, session: &Session) -> Result<Partial, GuardError> {
        let mut nonces = std::mem::take(&mut self.nonces[at]);
        let partial = nonces.sign(self.attempt, session, self.signer(at));
        self.nonces[at] = nonces;
        partial
    }
}

#[test]
fn one_signature_of_all_or_of_any_threshold() {
    for (keys, threshold) in [(2, 2), (3, 2), (10, 6), (20, 11)] {
        for mut cast in Cast::both(keys, threshold) {
            let mut session = cast.open();
            for at in cast.signers() {
                assert_eq!(session.finish(), None);
                let partial = cast.sign(at, &session).unwrap();
                assert_eq!(session.add(cast.key(at), partial), Ok(true));
                assert_eq!(session.add(cast.key(at), partial), Ok(false));
            }
            assert_eq!(session.missing().count(), 0);
            let witness = session.finish().unwrap();
            let weight = cast.guard.satisfaction_weight(Path::Key).unwrap();
            assert_eq!((Weight::from_wu(witness.size() as u64), weight), (weight, Weight::from_wu(66)));
        }
    }
}

#[test]
fn nothing_signs_twice_with_the_same_nonces() {
    for mut cast in Cast::both(3, 2) {
        let at = cast.signers().next().unwrap();
        let session = cast.open();
        let first = cast.commit(at).unwrap();
        assert_eq!(cast.commit(at), Ok(first), "asked again, the same");

        // Another message for the attempt, or a session in which we have committed to something else.
        let message = std::mem::replace(&mut cast.message, Message::from_digest([7; 32]));
        assert_eq!(cast.commit(at), Err(GuardError::NonceBound));
        let mut other = Cast::new(cast.guard.construction(), 3, 2);
        other.message = cast.message;
        let foreign = other.open();
        assert_eq!(cast.sign(at, &foreign), Err(GuardError::NonceBound));
        cast.message = message;

        // Those refusals cost nothing; signing takes the nonces.
        assert!(cast.sign(at, &session).is_ok());
        assert_eq!(cast.sign(at, &session), Err(GuardError::NonceSpent));
        assert_eq!(cast.commit(at).unwrap_err().code(), "nonce_spent");

        // The next attempt has others, even of the same entropy; what was given up or lost signs nothing.
        cast.attempt.number = 1;
        assert_ne!(cast.commit(at).unwrap(), first);
        cast.nonces[at].abandon(cast.attempt);
        assert_eq!(cast.commit(at), Err(GuardError::NonceSpent));
        cast.attempt.number = 2;
        assert_eq!(cast.sign(at, &session), Err(GuardError::NoNonce));
        cast.nonces[at].forget(cast.attempt.txid);
        cast.attempt.number = 0;
        assert_eq!(cast.sign(at, &session), Err(GuardError::NoNonce));
    }
}

#[test]
fn a_seed_drawn_twice_serves_no_two_messages() {
    for mut cast in Cast::both(3, 2) {
        let at = cast.signers().next().unwrap();
        let one = cast.commit(at).unwrap();
        cast.nonces[at] = Nonces::default();
        cast.message = Message::from_digest([7; 32]);
        assert_ne!(cast.commit(at).unwrap(), one);
    }
}

#[test]
fn attempts_are_bounded() {
    let [mut cast, _] = Cast::both(2, 2);
    for number in 0..MAX_ATTEMPTS {
        cast.nonces[0].abandon(Attempt { number: number as u32, ..cast.attempt });
    }
    cast.attempt.number = u32::MAX;
    assert_eq!(cast.commit(0).unwrap_err().code(), "attempts_too_many");
    cast.nonces[0].forget(cast.attempt.txid);
    assert!(cast.commit(0).is_ok());
}

/// Were it otherwise, this would not compile: the call would have two meanings.
#[test]
fn nonces_can_be_neither_copied_nor_written_down() {
    trait Never<Which> {
        fn holds() {}
    }
    impl<T: ?Sized> Never<()> for T {}
    struct Cloned;
    impl<T: Clone> Never<Cloned> for T {}
    struct Written;
    impl<T: serde::Serialize> Never<Written> for T {}
    struct Shown;
    impl<T: std::fmt::Debug> Never<Shown> for T {}
    <Nonces as Never<_>>::holds();
    <musig2::SecretNonce as Never<_>>::holds();
    <super::super::frost::SecretNonce as Never<_>>::holds();
    <KeyShare as Never<_>>::holds();
}

#[test]
fn a_bad_part_has_an_author() {
    for mut cast in Cast::both(5, 3) {
        let mut session = cast.open();
        let signers: Vec<_> = cast.signers().collect();
        let (one, two) = (signers[0], signers[1]);
        let good = cast.sign(one, &session).unwrap();
        for at in 0..Partial::LEN {
            let mut bytes = *good.as_bytes();
            bytes[at] ^= 1;
            let refused = session.add(cast.key(one), Partial::from_bytes(bytes)).unwrap_err();
            assert_eq!(refused.code(), "partial_invalid");
            assert_eq!(refused.culprit(), Some(cast.key(one)));
        }
        let high = Partial::from_bytes([0xff; 32]);
        assert_eq!(session.add(cast.key(one), high), Err(GuardError::Partial(cast.key(one))));
        assert_eq!(session.add(cast.key(two), good), Err(GuardError::Partial(cast.key(two))));
        let stranger = key(&keypair(77));
        assert_eq!(session.add(stranger, good), Err(GuardError::NotHolder(stranger)));
        assert_eq!(session.missing().count(), signers.len());
        assert_eq!(session.add(cast.key(one), good), Ok(true));
        assert_eq!(session.finish(), None);
    }
}

/// Whoever gathers commitments may show different ones to different signers: the parts do not fit, and no nonce serves twice.
#[test]
fn a_session_of_other_commitments_is_worth_nothing() {
    for mut cast in Cast::both(5, 3) {
        let signers: Vec<_> = cast.signers().collect();
        let mut session = cast.open();
        let mut shown = cast.commit_all();
        let mut others = Cast::new(cast.guard.construction(), 5, 3);
        others.attempt.number = 9;
        shown.insert(cast.key(signers[1]), others.commit(signers[1]).unwrap());
        let lie = Session::new(&cast.guard, cast.message, shown).unwrap();
        let deceived = cast.sign(signers[0], &lie).unwrap();
        assert_eq!(
            session.add(cast.key(signers[0]), deceived),
            Err(GuardError::Partial(cast.key(signers[0])))
        );
        assert_eq!(cast.sign(signers[0], &session), Err(GuardError::NonceSpent));
    }
}

#[test]
fn bad_commitments_have_an_author() {
    for mut cast in Cast::both(4, 3) {
        let good = cast.commit_all();
        let open = |commitments| Session::new(&cast.guard, cast.message, commitments).unwrap_err();
        let (first, _) = good.first_key_value().unwrap();
        for bytes in [[0; 66], [4; 66], [0xff; 66]] {
            let mut bad = good.clone();
            bad.insert(*first, Commitment::from_bytes(bytes));
            let refused = open(bad);
            assert_eq!((refused.code(), refused.culprit()), ("commitment_invalid", Some(*first)));
        }
        let mut few = good.clone();
        few.remove(first);
        assert_eq!(open(few).code(), "commitments_missing");
        let stranger = key(&keypair(77));
        let mut foreign = good.clone();
        foreign.insert(stranger, good[first]);
        assert_eq!(open(foreign), GuardError::NotHolder(stranger));
    }
    let leaf_only = guard(Construction::MultiA, 3, 2);
    let (tx, prevouts) = spend(&leaf_only);
    let message = leaf_only.message(&tx, 1, &prevouts, Path::Script).unwrap();
    let commitments = keypairs(3).iter().map(|pair| (key(pair), Commitment::from_bytes([2; 66]))).collect();
    assert_eq!(Session::new(&leaf_only, message, commitments).unwrap_err().code(), "guard_path");
}

#[test]
fn parts_of_another_epoch_are_refused() {
    for (now, other) in Cast::both(5, 3).into_iter().zip(Cast::both(6, 3)) {
        let (mut now, mut other) = (now, other);
        let mut session = now.open();
        let theirs = other.open();
        for at in other.signers() {
            let partial = other.sign(at, &theirs).unwrap();
            assert!(session.add(other.key(at), partial).is_err());
        }
    }
}

/// The last to show its key chooses it so that the sum of all is its own. BIP-327's coefficients make that worthless.
#[test]
fn a_rogue_key_does_not_become_the_aggregate() {
    let victim = keypairs(1).remove(0).x_only_public_key().0.public_key(Parity::Even);
    let (attacker, rogue) = (100..200)
        .map(|number| {
            let attacker = keypair(number).public_key();
            let secp = Secp256k1::new();
            (attacker, attacker.combine(&victim.negate(&secp)).unwrap())
        })
        .find(|(_, rogue)| rogue.x_only_public_key().1 == Parity::Even)
        .unwrap();
    assert_eq!(PublicKey::combine(&victim, &rogue).unwrap(), attacker, "the sum is the attacker's key");
    let mut keys = [victim.x_only_public_key().0, rogue.x_only_public_key().0];
    keys.sort_unstable();
    assert_ne!(musig2::aggregate(&keys), attacker.x_only_public_key().0);
}

/// A signer that disappears after the first round holds nobody up: the same keys spend by the leaf.
#[test]
fn the_leaf_takes_over() {
    for mut cast in Cast::both(3, 2) {
        let session = cast.open();
        assert_eq!(session.finish(), None);
        let (tx, prevouts) = spend(&cast.guard);
        let mut gathering = cast.guard.gather(&tx, 1, &prevouts).unwrap();
        for pair in &cast.pairs[1..] {
            let share = cast.guard.sign(gathering.message(), pair, &[0; 32]).unwrap();
            gathering.add(key(pair), share).unwrap();
        }
        assert!(gathering.finish().is_some());
        assert_eq!(cast.guard.paths(), [Path::Key, Path::Script]);
    }
}

#[test]
fn a_signer_of_another_construction_is_refused() {
    let [mut musig, mut group] = Cast::both(3, 2);
    std::mem::swap(&mut musig.shares, &mut group.shares);
    assert_eq!(musig.commit(0).unwrap_err().code(), "guard_path");
    assert_eq!(group.commit(0).unwrap_err().code(), "guard_path");
}

#[test]
fn what_is_sent_is_small() {
    let commitment = Commitment::from_bytes([2; 66]);
    let partial = Partial::from_bytes([3; 32]);
    assert_eq!(Commitment::try_from(Vec::from(commitment)), Ok(commitment));
    assert_eq!(Partial::try_from(Vec::from(partial)), Ok(partial));
    assert_eq!(Commitment::try_from(vec![2; 65]).unwrap_err().code(), "guard_malformed");
    assert_eq!(Partial::try_from(vec![2; 33]).unwrap_err().code(), "guard_malformed");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever bytes a peer sends: they are refused, or are what they claim to be, and nothing panics.
    #[test]
    fn any_bytes_of_a_peer_are_judged(
        commitment: [u8; 33],
        other in prop_oneof![Just(2_u8), Just(3), any::<u8>()],
        partial: [u8; 32],
        long in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        let mut points = [commitment, commitment].concat();
        points[0] = other;
        points[33] = 5 - (other & 1);
        let commitment = Commitment::try_from(points).unwrap();
        for mut cast in Cast::both(3, 2) {
            let mut commitments = cast.commit_all();
            let first = *commitments.keys().next().unwrap();
            commitments.insert(first, commitment);
            if let Ok(mut session) = Session::new(&cast.guard, cast.message, commitments) {
                prop_assert!(session.add(first, Partial::from_bytes(partial)).is_err());
                prop_assert_eq!(session.finish(), None);
            }
        }
        prop_assert!(Group::from_bytes(&long).is_err());
        prop_assert!(KeyShare::from_bytes(&long).is_err());
    }
}
