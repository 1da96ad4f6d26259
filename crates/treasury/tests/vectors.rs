//! The official vectors of BIP-340, BIP-341, BIP-327 and RFC 9591; `vectors/README.md` says where they were taken from.
#![allow(clippy::unwrap_used, reason = "the helpers of a test may fail it")]

mod bip341;

use std::collections::BTreeMap;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use domain::bitcoin::{
    Address, Amount, KnownHrp, ScriptBuf, TapNodeHash, Transaction, TxOut, XOnlyPublicKey,
    consensus::encode::deserialize_hex,
    hashes::Hash,
    key::{TapTweak, TweakedPublicKey},
    secp256k1::{Keypair, Message, Scalar, Secp256k1, SecretKey, schnorr},
    sighash::{Prevouts, SighashCache, TapSighashType},
    taproot::LeafVersion,
};
use musig::musig::{AggregatedNonce, KeyAggCache, PartialSignature, PublicNonce, Session};
use serde_json::{Value, json};

fn hex(text: &str) -> Vec<u8> {
    HEXLOWER_PERMISSIVE.decode(text.as_bytes()).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex(value.as_str().unwrap())
}

fn array<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().unwrap()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().unwrap().iter()
}

fn indices(value: &Value) -> Vec<usize> {
    list(value).map(|index| index.as_u64().unwrap() as usize).collect()
}

#[test]
fn bip_340() {
    let secp = Secp256k1::new();
    let rows: Vec<_> = include_str!("vectors/bip340.csv").lines().skip(1).collect();
    assert_eq!(rows.len(), 15);
    for row in rows {
        let columns: Vec<_> = row.split(',').collect();
        let [_, secret, public, aux, message, signature, valid] = columns[..] else { panic!("{row}") };
        let message = Message::from_digest(hex(message).try_into().unwrap());
        let given = schnorr::Signature::from_slice(&hex(signature)).unwrap();
        let verified = XOnlyPublicKey::from_slice(&hex(public))
            .is_ok_and(|key| secp.verify_schnorr(&given, &message, &key).is_ok());
        assert_eq!(verified, valid == "TRUE", "{row}");
        if secret.is_empty() {
            continue;
        }
        let keypair = Keypair::from_seckey_slice(&secp, &hex(secret)).unwrap();
        assert_eq!(keypair.x_only_public_key().0.serialize().to_vec(), hex(public));
        let aux = hex(aux).try_into().unwrap();
        assert_eq!(secp.sign_schnorr_with_aux_rand(&message, &keypair, &aux), given, "{row}");
    }
}

fn bip_341() -> Value {
    serde_json::from_str(include_str!("vectors/bip341.json")).unwrap()
}

/// The root of a tree, by the text of the BIP.
fn root(tree: &Value) -> Option<[u8; 32]> {
    if tree.is_null() {
        return None;
    }
    let Some(pair) = tree.as_array() else {
        let script = bytes(&tree["script"]);
        let version = tree["leafVersion"].as_u64().unwrap() as u8;
        let version = LeafVersion::from_consensus(version).unwrap();
        let leaf = TapNodeHash::from_script(ScriptBuf::from_bytes(script.clone()).as_script(), version);
        if version == LeafVersion::TapScript {
            assert_eq!(leaf.to_byte_array(), bip341::tapleaf(&script));
        }
        return Some(leaf.to_byte_array());
    };
    let mut children = [root(&pair[0]).unwrap(), root(&pair[1]).unwrap()];
    children.sort();
    Some(bip341::tagged("TapBranch", &children.concat()))
}

#[test]
fn bip_341_outputs() {
    let secp = Secp256k1::new();
    let mut count = 0;
    for case in list(&bip_341()["scriptPubKey"]) {
        let internal = XOnlyPublicKey::from_slice(&bytes(&case["given"]["internalPubkey"])).unwrap();
        let root = root(&case["given"]["scriptTree"]);
        assert_eq!(
            root.map(|root| HEXLOWER.encode(&root)).as_deref(),
            case["intermediary"]["merkleRoot"].as_str()
        );
        let tweak = bip341::tagged(
            "TapTweak",
            &[&internal.serialize()[..], &root.unwrap_or_default()[..root.map_or(0, |it| it.len())]].concat(),
        );
        assert_eq!(HEXLOWER.encode(&tweak), case["intermediary"]["tweak"].as_str().unwrap());
        let (key, _) = internal.tap_tweak(&secp, root.map(TapNodeHash::from_byte_array));
        assert_eq!(key.serialize().to_vec(), bytes(&case["intermediary"]["tweakedPubkey"]));
        let script = ScriptBuf::new_p2tr_tweaked(key);
        assert_eq!(script.to_bytes(), bytes(&case["expected"]["scriptPubKey"]));
        let address = Address::p2tr_tweaked(
            TweakedPublicKey::dangerous_assume_tweaked(key.to_x_only_public_key()),
            KnownHrp::Mainnet,
        );
        assert_eq!(address.to_string(), case["expected"]["bip350Address"].as_str().unwrap());
        count += 1;
    }
    assert_eq!(count, 7);
}

/// Both the digests that we sign and those of the implementation that ours is compared with.
#[test]
fn bip_341_digests_and_keys() {
    let secp = Secp256k1::new();
    let case = bip_341()["keyPathSpending"][0].clone();
    let tx: Transaction = deserialize_hex(case["given"]["rawUnsignedTx"].as_str().unwrap()).unwrap();
    let output = |it: &Value| TxOut {
        value: Amount::from_sat(it["amountSats"].as_u64().unwrap()),
        script_pubkey: ScriptBuf::from_bytes(bytes(&it["scriptPubKey"])),
    };
    let spent: Vec<_> = list(&case["given"]["utxosSpent"]).map(output).collect();
    let mut kinds = Vec::new();
    for spend in list(&case["inputSpending"]) {
        let (given, between) = (&spend["given"], &spend["intermediary"]);
        let input = given["txinIndex"].as_u64().unwrap() as usize;
        let kind = given["hashType"].as_u64().unwrap() as u8;
        kinds.push(kind);
        let mut message = vec![0];
        message.extend(bip341::sig_msg(&tx, &spent, input, kind, 0));
        assert_eq!(HEXLOWER.encode(&message), between["sigMsg"].as_str().unwrap());
        let digest = bip341::sighash(&tx, &spent, input, kind, None);
        assert_eq!(HEXLOWER.encode(&digest), between["sigHash"].as_str().unwrap());
        let typed = TapSighashType::from_consensus_u8(kind).unwrap();
        let ours =
            SighashCache::new(&tx).taproot_key_spend_signature_hash(input, &Prevouts::All(&spent), typed);
        assert_eq!(ours.unwrap().to_byte_array(), digest);

        let secret = SecretKey::from_slice(&bytes(&given["internalPrivkey"])).unwrap();
        let keypair = Keypair::from_secret_key(&secp, &secret);
        assert_eq!(keypair.x_only_public_key().0.serialize().to_vec(), bytes(&between["internalPubkey"]));
        let root = given["merkleRoot"].as_str().map(|root| TapNodeHash::from_slice(&hex(root)).unwrap());
        let moved = keypair.tap_tweak(&secp, root).to_keypair();
        assert_eq!(moved.secret_bytes().to_vec(), bytes(&between["tweakedPrivkey"]));
        let signature = secp.sign_schnorr_with_aux_rand(&Message::from_digest(digest), &moved, &[0; 32]);
        let witness = bytes(&spend["expected"]["witness"][0]);
        assert_eq!(signature.serialize(), witness[..64]);
        assert_eq!(witness.get(64), (kind != 0).then_some(&kind));
    }
    assert!(kinds.contains(&0), "SIGHASH_DEFAULT is what a treasury signs with");
    assert!(Scalar::from_be_bytes([0xff; 32]).is_err());
}

fn bip_327() -> Value {
    serde_json::from_str(include_str!("vectors/bip327.json")).unwrap()
}

fn public(value: &Value) -> Option<musig::PublicKey> {
    musig::PublicKey::from_slice(&bytes(value)).ok()
}

fn cache(vector: &Value, case: &Value) -> Option<KeyAggCache> {
    let keys: Vec<_> = indices(&case["key_indices"])
        .into_iter()
        .map(|at| public(&vector["pubkeys"][at]))
        .collect::<Option<_>>()?;
    let mut cache = KeyAggCache::new(&keys.iter().collect::<Vec<_>>());
    for (tweak, by_x) in indices(case.get("tweak_indices").unwrap_or(&Value::Array(Vec::new())))
        .into_iter()
        .zip(case["is_xonly"].as_array().into_iter().flatten())
    {
        let tweak = musig::Scalar::from_be_bytes(array(&vector["tweaks"][tweak])).ok()?;
        let moved = if by_x.as_bool()? {
            cache.pubkey_xonly_tweak_add(&tweak)
        } else {
            cache.pubkey_ec_tweak_add(&tweak)
        };
        moved.ok()?;
    }
    Some(cache)
}

#[test]
fn bip_327_aggregates_keys_and_nonces() {
    let vectors = bip_327();
    let keys = &vectors["key_agg"];
    for case in list(&keys["valid_case"]) {
        let aggregate = cache(keys, case).unwrap().agg_pk();
        assert_eq!(aggregate.to_byte_array(), array(&case["expected"]));
    }
    for case in list(&keys["error_case"]) {
        assert!(cache(keys, case).is_none(), "{case}");
    }
    let nonces = &vectors["nonce_agg"];
    let read = |case: &Value| -> Result<Vec<PublicNonce>, _> {
        let one = |at| PublicNonce::from_byte_array(&array(&nonces["pnonces"][at]));
        indices(&case["pnonce_indices"]).into_iter().map(one).collect()
    };
    for case in list(&nonces["valid_case"]) {
        let both = read(case).unwrap();
        let aggregate = AggregatedNonce::new(&both.iter().collect::<Vec<_>>());
        assert_eq!(aggregate.serialize(), array::<66>(&case["expected"]));
    }
    for case in list(&nonces["error_case"]) {
        assert!(read(case).is_err(), "{case}");
    }
}

/// Opens a session with the nonces of a case and verifies a part; `None` where a key, a nonce or the part is no such thing.
fn verifies(vector: &Value, case: &Value, part: &Value, message: &Value) -> Option<bool> {
    let nonces: Vec<_> = indices(&case["nonce_indices"])
        .into_iter()
        .map(|at| PublicNonce::from_byte_array(&array(&vector["pubnonces"][at])).ok())
        .collect::<Option<_>>()?;
    let cache = cache(vector, case)?;
    let aggregate = AggregatedNonce::new(&nonces.iter().collect::<Vec<_>>());
    let session = Session::new(&cache, aggregate, &array(message));
    let part = PartialSignature::from_byte_array(&array(part)).ok()?;
    let signer = case["signer_index"].as_u64()? as usize;
    let key = public(&vector["pubkeys"][indices(&case["key_indices"])[signer]])?;
    Some(session.partial_verify(&cache, &part, &nonces[signer], key))
}

#[test]
fn bip_327_verifies_parts() {
    let vectors = bip_327();
    let (signing, tweaking) = (&vectors["sign_verify"], &vectors["tweak"]);
    for case in list(&signing["valid_case"]) {
        // The nonces stand beside their keys, but where two of them add up to nothing.
        let mut case = case.clone();
        let aggregate = &signing["aggnonces"][case["aggnonce_index"].as_u64().unwrap() as usize];
        let nothing = array(aggregate) == [0; 66];
        case["nonce_indices"] = if nothing { json!([0, 3]) } else { case["key_indices"].clone() };
        let message = &signing["msgs"][case["msg_index"].as_u64().unwrap() as usize];
        assert_eq!(verifies(signing, &case, &case["expected"], message), Some(true), "{case}");
    }
    for case in list(&signing["verify_fail_case"]) {
        assert_ne!(verifies(signing, case, &case["sig"], &signing["msgs"][0]), Some(true), "{case}");
    }
    for case in list(&signing["verify_error_case"]) {
        assert_eq!(verifies(signing, case, &case["sig"], &signing["msgs"][0]), None, "{case}");
    }
    for case in list(&tweaking["valid_case"]) {
        assert_eq!(verifies(tweaking, case, &case["expected"], &tweaking["msg"]), Some(true), "{case}");
    }
    for case in list(&tweaking["error_case"]) {
        assert!(cache(tweaking, case).is_none(), "{case}");
    }
}

#[test]
fn bip_327_aggregates_parts() {
    let vectors = bip_327();
    let vector = &vectors["sig_agg"];
    let message = array(&vector["msg"]);
    let parts = |case: &Value| -> Option<Vec<PartialSignature>> {
        let one = |at| PartialSignature::from_byte_array(&array(&vector["psigs"][at])).ok();
        indices(&case["psig_indices"]).into_iter().map(one).collect()
    };
    for case in list(&vector["valid_case"]) {
        let cache = cache(vector, case).unwrap();
        let nonce = AggregatedNonce::from_byte_array(&array(&case["aggnonce"])).unwrap();
        let session = Session::new(&cache, nonce, &message);
        let signature = session.partial_sig_agg(&parts(case).unwrap().iter().collect::<Vec<_>>());
        let signature = signature.verify(&cache.agg_pk(), &message).unwrap();
        assert_eq!(signature.to_byte_array(), array(&case["expected"]));
    }
    for case in list(&vector["error_case"]) {
        assert!(parts(case).is_none());
    }
}

/// The suite of the RFC: the taproot suite in use shares its core, and differs in hashes and in parity.
#[test]
fn rfc_9591() {
    use frost_core::round1::Nonce;
    use frost_secp256k1::{
        Identifier, Signature, SigningKey, SigningPackage, VerifyingKey, aggregate,
        keys::{KeyPackage, PublicKeyPackage, SigningShare, VerifyingShare},
        round1::SigningNonces,
        round2,
    };
    let vector: Value = serde_json::from_str(include_str!("vectors/rfc9591.json")).unwrap();
    let id = |it: &Value| Identifier::try_from(it["identifier"].as_u64().unwrap() as u16).unwrap();
    let inputs = &vector["inputs"];
    let group = VerifyingKey::deserialize(&bytes(&inputs["verifying_key_key"])).unwrap();
    let secret = SigningKey::deserialize(&bytes(&inputs["group_secret_key"])).unwrap();
    assert_eq!(VerifyingKey::from(&secret), group);
    let packages: BTreeMap<_, _> = list(&inputs["participant_shares"])
        .map(|it| {
            let share = SigningShare::deserialize(&bytes(&it["participant_share"])).unwrap();
            (id(it), KeyPackage::new(id(it), share, VerifyingShare::from(share), group, 2))
        })
        .collect();
    let mut nonces = BTreeMap::new();
    let mut commitments = BTreeMap::new();
    for it in list(&vector["round_one_outputs"]["outputs"]) {
        let nonce = |name| Nonce::deserialize(&bytes(&it[name])).unwrap();
        let pair = SigningNonces::from_nonces(nonce("hiding_nonce"), nonce("binding_nonce"));
        let committed = *pair.commitments();
        assert_eq!(committed.hiding().serialize().unwrap(), bytes(&it["hiding_nonce_commitment"]));
        assert_eq!(committed.binding().serialize().unwrap(), bytes(&it["binding_nonce_commitment"]));
        commitments.insert(id(it), committed);
        nonces.insert(id(it), pair);
    }
    let package = SigningPackage::new(commitments, &bytes(&inputs["message"]));
    let mut shares = BTreeMap::new();
    for it in list(&vector["round_two_outputs"]["outputs"]) {
        let share = round2::sign(&package, &nonces[&id(it)], &packages[&id(it)]).unwrap();
        assert_eq!(share.serialize(), bytes(&it["sig_share"]));
        shares.insert(id(it), share);
    }
    let verifying = packages.iter().map(|(id, package)| (*id, *package.verifying_share())).collect();
    let signature: Signature =
        aggregate(&package, &shares, &PublicKeyPackage::new(verifying, group, Some(2))).unwrap();
    assert_eq!(signature.serialize().unwrap(), bytes(&vector["final_output"]["sig"]));
    group.verify(&bytes(&inputs["message"]), &signature).unwrap();
}
