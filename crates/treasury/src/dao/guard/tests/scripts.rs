//! Scripts, descriptors and sizes.

use bdk_wallet::miniscript::{Descriptor, DescriptorPublicKey};
use domain::{Network, bitcoin::secp256k1::Secp256k1};

use super::{super::nums, *};
use crate::dao::guard::{GuardError, Path};

fn dealt(keys: u16, threshold: u16) -> Group {
    let random = ChaCha20Rng::from_seed([3; 32]);
    Group(generate_with_dealer(keys, threshold, IdentifierList::Default, random).unwrap().1)
}

/// The descriptor, read by another's parser, must mean the same script.
#[test]
fn the_descriptor_says_what_the_script_does() {
    let secp = Secp256k1::verification_only();
    for construction in Construction::ALL {
        for (keys, threshold) in SIZES.into_iter().filter(|size| size.0 <= construction.max_keys()) {
            let guard = guard(construction, keys, threshold);
            for network in Network::ALL {
                let text = guard.descriptor(network);
                let parsed: Descriptor<DescriptorPublicKey> = text.parse().unwrap();
                parsed.sanity_check().unwrap();
                let derived = parsed.derived_descriptor(&secp, 0).unwrap();
                assert_eq!(derived.script_pubkey(), guard.script_pubkey(), "{text}");
                assert_eq!(derived.address(network.bitcoin()).unwrap(), guard.address(network));
            }
        }
    }
}

/// The constant is that of Bitcoin Core 31's `XOnlyPubKey::NUMS_H` (`src/pubkey.cpp`), which names BIP-341 as its source.
#[test]
fn nobody_knows_the_secret_of_the_internal_key() {
    let point = "50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0";
    assert_eq!(nums::point().to_string(), point);
    let keys: Vec<_> = keypairs(3).iter().map(key).collect();
    assert_ne!(nums::internal_key(&keys), nums::internal_key(&keys[..2]), "each treasury has its own");
    let text = guard(Construction::MultiA, 3, 2).descriptor(Network::Signet);
    let parsed: Descriptor<DescriptorPublicKey> = text.parse().unwrap();
    let Descriptor::Tr(tr) = parsed else { panic!("{text}") };
    let DescriptorPublicKey::XPub(internal) = tr.internal_key() else { panic!("{text}") };
    assert_eq!(internal.xkey.to_x_only_pub(), nums::point());
}

#[test]
fn the_order_in_which_keys_come_changes_nothing() {
    for construction in Construction::ALL {
        let keys = keypairs(7);
        let one = guard(construction, 7, 4);
        let reversed = keys.iter().rev().map(key);
        let other = match construction {
            Construction::Frost => Guard::frost(reversed, 4, &dealt(7, 4)).unwrap(),
            _ => Guard::new(construction, reversed, 4).unwrap(),
        };
        assert_eq!(one, other);
    }
}

#[test]
fn limits_have_words_and_codes() {
    let make = |construction, keys, threshold| {
        Guard::new(construction, keypairs(keys).iter().map(key), threshold).unwrap_err()
    };
    for construction in Construction::ALL {
        assert_eq!(construction.as_str().parse(), Ok(construction));
        if construction == Construction::Frost {
            continue;
        }
        let most = construction.max_keys();
        assert!(guard(construction, most, most / 2 + 1).script_pubkey().len() > 33);
        assert_eq!(make(construction, 0, 0).code(), "guard_keys");
        assert_eq!(make(construction, most + 1, 1).code(), "guard_keys");
        assert_eq!(make(construction, 3, 0).code(), "guard_threshold");
        assert_eq!(make(construction, 3, 4).code(), "guard_threshold");
        let twice = Guard::new(construction, [key(&keypair(1)); 2], 1).unwrap_err();
        assert_eq!(twice, GuardError::Twice(key(&keypair(1))));
    }
    // A group stands for its keys and its threshold, and comes before its guard.
    assert_eq!(make(Construction::Frost, 3, 2).code(), "guard_group");
    for (keys, threshold) in [(4, 2), (3, 3)] {
        let refused = Guard::frost(keypairs(keys).iter().map(key), threshold, &dealt(3, 2));
        assert_eq!(refused.unwrap_err().code(), "guard_group");
    }
    assert_eq!("multi".parse::<Construction>().unwrap_err().code(), "construction_unknown");
}

#[test]
fn only_the_coins_own_input_has_a_message() {
    for construction in Construction::ALL {
        let guard = guard(construction, 3, 2);
        let (tx, prevouts) = spend(&guard);
        let code = |input, prevouts| guard.message(&tx, input, prevouts, Path::Script).unwrap_err().code();
        assert_eq!(code(0, &prevouts), "guard_other_coin");
        assert_eq!(code(2, &prevouts), "guard_input");
        assert_eq!(code(1, &prevouts[..1]), "guard_input");
        let by_key = guard.message(&tx, 1, &prevouts, Path::Key);
        if guard.paths().contains(&Path::Key) {
            assert_ne!(by_key, guard.message(&tx, 1, &prevouts, Path::Script));
        } else {
            assert_eq!(by_key.unwrap_err().code(), "guard_path");
        }
    }
}
