//! The distributed key generation, with honest members and others.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::*;
use crate::dao::guard::{
    GuardError,
    dkg::{Broadcast, MAX_BROADCAST, MAX_PARCEL, Parcel, Round1, Round2},
};

type Broadcasts = BTreeMap<XOnlyPublicKey, Broadcast>;

/// Members after round one.
fn begin(count: usize, threshold: usize) -> (Vec<(XOnlyPublicKey, Round1)>, Broadcasts) {
    let keys: Vec<_> = keypairs(count).iter().map(key).collect();
    let one = |own: &XOnlyPublicKey| Round1::begin(keys.clone(), threshold, *own, &Zeroizing::new([4; 32]));
    let begun = keys.iter().map(|own| (*own, one(own).unwrap()));
    let mut broadcasts = Broadcasts::new();
    let members = begun.map(|(own, (member, broadcast))| {
        broadcasts.insert(own, broadcast);
        (own, member)
    });
    (members.collect(), broadcasts)
}

/// Sends parcels to their recipients.
fn proceed(
    members: Vec<(XOnlyPublicKey, Round1)>,
    broadcasts: &Broadcasts,
) -> Vec<(XOnlyPublicKey, Round2, BTreeMap<XOnlyPublicKey, Parcel>)> {
    let mut inbox: BTreeMap<XOnlyPublicKey, BTreeMap<XOnlyPublicKey, Parcel>> = BTreeMap::new();
    let proceeded: Vec<_> = members
        .into_iter()
        .map(|(own, member)| {
            let (next, parcels) = member.proceed(broadcasts).unwrap();
            for (to, parcel) in parcels {
                inbox
                    .entry(to)
                    .or_default()
                    .insert(own, Parcel::from_bytes(parcel.as_bytes().to_vec()).unwrap());
            }
            (own, next)
        })
        .collect();
    proceeded.into_iter().map(|(own, next)| (own, next, inbox.remove(&own).unwrap())).collect()
}

#[test]
fn all_members_arrive_at_the_same_group() {
    for (count, threshold) in [(2, 2), (3, 2), (10, 6)] {
        let (members, broadcasts) = begin(count, threshold);
        let longest = broadcasts.values().map(|it| it.as_bytes().len()).max().unwrap();
        assert!(longest <= 33 * threshold + 128 && longest <= MAX_BROADCAST, "{longest}");
        let mut groups = Vec::new();
        for (own, member, parcels) in proceed(members, &broadcasts) {
            assert!(parcels.values().all(|parcel| parcel.as_bytes().len() <= MAX_PARCEL));
            let (group, share) = member.finish(&parcels).unwrap();
            assert_eq!((group.size(), share.key()), ((count, threshold), own));
            assert_eq!(Group::from_bytes(&group.to_bytes().unwrap()), Ok(group.clone()));
            let restored = KeyShare::from_bytes(&share.to_bytes().unwrap()).unwrap();
            assert_eq!((restored.key, restored.package), (share.key, share.package.clone()));
            groups.push(group);
        }
        assert!(groups.windows(2).all(|pair| pair[0] == pair[1]));
        let keys = keypairs(count);
        assert!(Guard::frost(keys.iter().map(key), threshold, &groups[0]).is_ok());
    }
}

/// Who repeats another's broadcast as its own, to cancel it out, cannot prove that it knows what is in it.
#[test]
fn a_rogue_part_is_not_proven() {
    let (mut members, mut broadcasts) = begin(4, 3);
    let keys: Vec<_> = broadcasts.keys().copied().collect();
    broadcasts.insert(keys[2], broadcasts[&keys[1]].clone());
    let refused = members.remove(0).1.proceed(&broadcasts).err().unwrap();
    assert_eq!((refused.code(), refused.culprit()), ("dkg_invalid", Some(keys[2])));
}

/// The proof is about the first coefficient. Another one that was changed on the way can be a point of the curve: then its
/// author's parcel, made of what it had sent, tells.
#[test]
fn a_bad_broadcast_has_an_author() {
    let keys: Vec<_> = keypairs(4).iter().map(key).collect();
    let attempt = |spoil: &dyn Fn(&mut Broadcasts)| {
        let (mut members, mut broadcasts) = begin(4, 3);
        let (_, member) = members.remove(0);
        let author = members.remove(0).1.proceed(&broadcasts).unwrap().1.remove(&keys[0]).unwrap();
        spoil(&mut broadcasts);
        let (member, _) = match member.proceed(&broadcasts) {
            Ok(proceeded) => proceeded,
            Err(refused) => return refused,
        };
        let mut parcels = BTreeMap::from([(keys[1], author)]);
        for (own, other) in members {
            parcels.insert(own, other.proceed(&broadcasts).unwrap().1.remove(&keys[0]).unwrap());
        }
        member.finish(&parcels).err().unwrap()
    };
    let length = begin(4, 3).1[&keys[1]].as_bytes().len();
    let mut proven = 0;
    for at in 0..length {
        let refused = attempt(&|broadcasts| {
            let mut bytes = broadcasts[&keys[1]].as_bytes().to_vec();
            bytes[at] ^= 1;
            broadcasts.insert(keys[1], Broadcast::from_bytes(bytes).unwrap());
        });
        proven += usize::from(refused == GuardError::Dkg(keys[1]));
        let named = [GuardError::Dkg(keys[1]), GuardError::DkgTranscript(keys[1])];
        assert!(named.contains(&refused), "{at} {refused}");
    }
    assert!(proven > length / 2);
    for bytes in [Vec::new(), vec![0; MAX_BROADCAST]] {
        let broadcast = Broadcast::from_bytes(bytes).unwrap();
        let refused = attempt(&|broadcasts| drop(broadcasts.insert(keys[1], broadcast.clone())));
        assert_eq!(refused, GuardError::Dkg(keys[1]));
    }
    // A polynomial of another degree would raise or lower the threshold.
    for threshold in [2, 4] {
        let other = begin(4, threshold).1.remove(&keys[1]).unwrap();
        let refused = attempt(&|broadcasts| drop(broadcasts.insert(keys[1], other.clone())));
        assert_eq!(refused, GuardError::Dkg(keys[1]));
    }
    let refused = attempt(&|broadcasts| drop(broadcasts.remove(&keys[3])));
    assert_eq!(refused, GuardError::DkgMissing(keys[3]));
    assert_eq!(Broadcast::from_bytes(vec![0; MAX_BROADCAST + 1]).unwrap_err().code(), "guard_malformed");
}

#[test]
fn a_bad_parcel_has_an_author() {
    let keys: Vec<_> = keypairs(3).iter().map(key).collect();
    let attempt = |spoil: &dyn Fn(&mut BTreeMap<XOnlyPublicKey, Parcel>)| {
        let (members, broadcasts) = begin(3, 2);
        let (_, member, mut parcels) = proceed(members, &broadcasts).remove(0);
        spoil(&mut parcels);
        member.finish(&parcels).err().unwrap()
    };
    for at in [32, 36, 40, 60, 68] {
        let refused = attempt(&|parcels| {
            let mut bytes = parcels[&keys[1]].as_bytes().to_vec();
            bytes[at] ^= 1;
            parcels.insert(keys[1], Parcel::from_bytes(bytes).unwrap());
        });
        assert_eq!(refused, GuardError::Dkg(keys[1]), "{at}");
    }
    let refused = attempt(&|parcels| drop(parcels.remove(&keys[2])));
    assert_eq!(refused, GuardError::DkgMissing(keys[2]));
    assert!(Parcel::from_bytes(vec![0; 31]).is_err());
    assert!(Parcel::from_bytes(vec![0; MAX_PARCEL + 1]).is_err());
}

/// Two versions of a broadcast would give the members different groups: they notice before there is one.
#[test]
fn two_versions_of_a_broadcast_are_noticed() {
    let (mut members, broadcasts) = begin(3, 2);
    let keys: Vec<_> = broadcasts.keys().copied().collect();
    let all = keys.clone();
    let (_, other) = Round1::begin(all, 2, keys[2], &Zeroizing::new([5; 32])).unwrap();
    let (first, second) = (members.remove(0).1, members.remove(0).1);
    let deceived = Broadcasts::from([(keys[0], broadcasts[&keys[0]].clone()), (keys[2], other)]);
    let (_, mut from_second) = second.proceed(&deceived).unwrap();
    let (_, mut from_third) = members.remove(0).1.proceed(&broadcasts).unwrap();
    let (first, _) = first.proceed(&broadcasts).unwrap();
    let parcels =
        [(keys[1], from_second.remove(&keys[0]).unwrap()), (keys[2], from_third.remove(&keys[0]).unwrap())];
    assert_eq!(first.finish(&parcels.into()).err(), Some(GuardError::DkgTranscript(keys[1])));
}

#[test]
fn a_generation_has_its_limits() {
    let keys: Vec<_> = keypairs(4).iter().map(key).collect();
    let begin = |threshold, own| {
        let begun = Round1::begin(keys.clone(), threshold, own, &Zeroizing::new([4; 32]));
        begun.err().map(|error| error.code())
    };
    assert_eq!(begin(1, keys[0]), Some("guard_threshold"));
    assert_eq!(begin(5, keys[0]), Some("guard_threshold"));
    assert_eq!(begin(2, key(&keypair(77))), Some("guard_not_holder"));
    assert_eq!(begin(4, keys[3]), None);
    assert!(Group::from_bytes(&[0; 100_000]).is_err());
    assert!(Group::from_bytes(&[0; 40]).is_err());
    assert!(KeyShare::from_bytes(&[0; 40]).is_err());
}
