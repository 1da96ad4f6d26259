use std::collections::BTreeMap;

use domain::{
    Network,
    bitcoin::{Amount, BlockHash, ScriptBuf, TxOut, Txid, hashes::Hash},
};
use treasury::paying::{BlockFacts, Covered, TxFacts};

use super::*;
use crate::MAX_SEEN;

fn block(height: u32, branch: u8) -> BlockFacts {
    let hash = BlockHash::hash(&[branch, height.to_le_bytes()[0]]);
    BlockFacts { height, hash, median_time_past: height * 600 }
}

fn paid(height: u32, branch: u8) -> TxFacts {
    let output = TxOut { value: Amount::from_sat(1_000), script_pubkey: ScriptBuf::new() };
    TxFacts {
        txid: Txid::hash(&[branch, height.to_le_bytes()[0]]),
        block: block(height, branch),
        position: 1,
        root: None,
        outputs: BTreeMap::from([(0, output)]),
    }
}

#[tokio::test]
async fn what_was_seen_is_written_from_where_it_changed() {
    let (_folder, store) = store().await;
    let (artist, network, covered) = (person(1).id(), Network::Regtest, Covered::default());
    assert_eq!(store.seen(&artist, network).await.unwrap(), None);
    let (blocks, transactions) = ([block(9, 0)], [paid(3, 0), paid(5, 0)]);
    store.keep_seen(&artist, network, &covered, &blocks, 0, &transactions).await.unwrap();
    let seen = store.seen(&artist, network).await.unwrap().unwrap();
    assert_eq!(
        (seen.covered, &seen.blocks[..], &seen.transactions[..]),
        (covered.clone(), &blocks[..], &transactions[..])
    );
    assert_eq!(store.seen(&artist, Network::Signet).await.unwrap(), None);

    // Another branch above 4 takes the place of what was there; what is below is not written again.
    let (blocks, transactions) = ([block(4, 0), block(7, 1)], [paid(3, 9), paid(6, 1)]);
    store.keep_seen(&artist, network, &covered, &blocks, 4, &transactions).await.unwrap();
    let seen = store.seen(&artist, network).await.unwrap().unwrap();
    assert_eq!((&seen.blocks[..], seen.transactions), (&blocks[..], vec![paid(3, 0), paid(6, 1)]));

    store.forget_seen(&artist, network).await.unwrap();
    assert_eq!(store.seen(&artist, network).await.unwrap(), None);
}

#[tokio::test]
async fn those_who_were_asked_about_longest_ago_are_forgotten() {
    let (_folder, store) = store().await;
    let artist = |number: u32| PeerId::from_bytes(*BlobHash::of(&number.to_le_bytes()).as_bytes());
    for number in (0..=MAX_SEEN).chain([1]) {
        let artist = artist(number);
        store
            .keep_seen(&artist, Network::Regtest, &Covered::default(), &[block(1, 0)], 0, &[])
            .await
            .unwrap();
    }
    let mut known = Vec::new();
    for number in 0..=MAX_SEEN {
        if store.seen(&artist(number), Network::Regtest).await.unwrap().is_some() {
            known.push(number);
        }
    }
    assert_eq!(known, (1..=MAX_SEEN).collect::<Vec<_>>());
}
