//! The digest that BIP-341 and BIP-342 say is signed, written from their text and sharing nothing with the crate's own.

use domain::bitcoin::{
    Transaction, TxOut,
    consensus::encode::serialize,
    hashes::{Hash, HashEngine, sha256},
};

/// Hashes with a tag (BIP-340).
pub(crate) fn tagged(tag: &str, data: &[u8]) -> [u8; 32] {
    let tag = sha256::Hash::hash(tag.as_bytes()).to_byte_array();
    let mut engine = sha256::Hash::engine();
    [&tag[..], &tag, data].into_iter().for_each(|part| engine.input(part));
    sha256::Hash::from_engine(engine).to_byte_array()
}

/// The hash of a leaf of version 0xc0.
pub(crate) fn tapleaf(script: &[u8]) -> [u8; 32] {
    assert!(script.len() < 0x1_0000);
    let mut data = vec![0xc0];
    match script.len() {
        short @ 0..0xfd => data.push(short as u8),
        long => data.extend([0xfd, long as u8, (long >> 8) as u8]),
    }
    data.extend_from_slice(script);
    tagged("TapLeaf", &data)
}

/// The digest: `leaf` for a spend by the script, with no code separator and no annex.
pub(crate) fn sighash(
    tx: &Transaction,
    spent: &[TxOut],
    input: usize,
    kind: u8,
    leaf: Option<[u8; 32]>,
) -> [u8; 32] {
    let mut message = vec![0];
    message.extend(sig_msg(tx, spent, input, kind, u8::from(leaf.is_some())));
    if let Some(leaf) = leaf {
        message.extend(leaf);
        message.push(0);
        message.extend(u32::MAX.to_le_bytes());
    }
    tagged("TapSighash", &message)
}

/// `SigMsg(hash_type, ext_flag)`.
pub(crate) fn sig_msg(tx: &Transaction, spent: &[TxOut], input: usize, kind: u8, extension: u8) -> Vec<u8> {
    let (anyone, outputs) = (kind & 0x80 != 0, kind & 3);
    let mut message = vec![kind];
    message.extend(tx.version.0.to_le_bytes());
    message.extend(tx.lock_time.to_consensus_u32().to_le_bytes());
    if !anyone {
        message.extend(digest(tx.input.iter().map(|it| serialize(&it.previous_output))));
        message.extend(digest(spent.iter().map(|it| it.value.to_sat().to_le_bytes().to_vec())));
        message.extend(digest(spent.iter().map(|it| serialize(&it.script_pubkey))));
        message.extend(digest(tx.input.iter().map(|it| it.sequence.0.to_le_bytes().to_vec())));
    }
    if outputs != 2 && outputs != 3 {
        message.extend(digest(tx.output.iter().map(serialize)));
    }
    message.push(extension * 2);
    if anyone {
        message.extend(serialize(&tx.input[input].previous_output));
        message.extend(spent[input].value.to_sat().to_le_bytes());
        message.extend(serialize(&spent[input].script_pubkey));
        message.extend(tx.input[input].sequence.0.to_le_bytes());
    } else {
        message.extend((input as u32).to_le_bytes());
    }
    if outputs == 3 {
        message.extend(digest([serialize(&tx.output[input])].into_iter()));
    }
    message
}

fn digest(parts: impl Iterator<Item = Vec<u8>>) -> [u8; 32] {
    sha256::Hash::hash(&parts.collect::<Vec<_>>().concat()).to_byte_array()
}
