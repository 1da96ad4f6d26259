use domain::{
    Network, Record, SlotId,
    bitcoin::{Amount, OutPoint, ScriptBuf, WPubkeyHash, hashes::Hash},
    kinds::{BlockEntry, Note, Offer, Payee, Payment, Thanks, id},
};

use super::*;

fn offer(network: Network) -> Offer {
    Offer {
        network,
        salt: [1; 16],
        goal: Amount::from_sat(1_000_000),
        share: 2_500,
        cap: 150,
        floor: Amount::ZERO,
        expiry: 1_800_000_000,
        splits: None,
        title: None,
        release: None,
    }
}

fn note(offer: &Record) -> Note {
    Note {
        network: Network::Signet,
        salt: [2; 16],
        artist: offer.author,
        offer: offer.slot,
        principal: Amount::from_sat(100_000),
        vout: 0,
        payee: Payee::Script(ScriptBuf::new_p2wpkh(&WPubkeyHash::all_zeros())),
        place: None,
    }
}

fn payment(artist: u8, release: SlotId) -> Payment {
    Payment {
        network: Network::Signet,
        salt: [3; 16],
        artist: person(artist).id(),
        outpoint: OutPoint::null(),
        amount: Amount::from_sat(5_000),
        memo: None,
        release: Some(release),
        place: None,
    }
}

#[tokio::test]
async fn records_about_money_are_found_by_whom_and_what_they_are_about() {
    let (_folder, store) = store().await;
    let release = SlotId::from_bytes([9; 32]);
    let offer_of = |who: u8, network| sign(&person(who), 1, &offer(network));
    let (ours, others, foreign) =
        (offer_of(1, Network::Signet), offer_of(2, Network::Signet), offer_of(1, Network::Mainnet));
    let invested = sign(&person(3), 2, &note(&ours));
    let paid = sign(&person(4), 3, &payment(1, release));
    let thanks = Thanks { network: Network::Signet, payment: paid.slot, words: "Thank you".into() };
    let thanks = sign(&person(1), 4, &thanks);
    put(&store, &[&invested, &ours, &others, &foreign, &paid, &thanks]).await;

    let artist = person(1).id();
    let ledger = store.ledger_records(&artist, Network::Signet).await.unwrap();
    assert_eq!(ledger, [ours.clone(), invested.clone(), paid.clone()], "the artist's own first, no thanks");
    assert_eq!(store.ledger_records(&artist, Network::Mainnet).await.unwrap(), [foreign]);
    let offers = store.money_records_of_kind(Network::Signet, id::OFFER, 0, 10).await.unwrap();
    assert_eq!(offers, [others.clone(), ours.clone()]);
    assert_eq!(
        store.money_records_of_kind(Network::Signet, id::OFFER, 1, 10).await.unwrap(),
        std::slice::from_ref(&ours)
    );
    let notes = store.money_records_by(&person(3).id(), Network::Signet, id::NOTE, 0, 10).await.unwrap();
    assert_eq!(notes, std::slice::from_ref(&invested));
    assert_eq!(store.money_records_about(&ours.slot, id::NOTE, 10).await.unwrap(), [invested]);
    assert_eq!(
        store.money_records_about(&release, id::PAYMENT, 10).await.unwrap(),
        std::slice::from_ref(&paid)
    );
    assert_eq!(
        store.money_records_about(&paid.slot, id::THANKS, 10).await.unwrap(),
        std::slice::from_ref(&thanks)
    );

    // Withdrawn words are gone from the files, and whoever read the ledger is told to read it again.
    let before = store.ledger_revision(&artist).await.unwrap();
    let unconcerned = store.ledger_revision(&person(2).id()).await.unwrap();
    put(&store, &[&withdraw(&person(1), 5, &thanks), &withdraw(&person(4), 6, &paid)]).await;
    assert!(store.money_records_about(&paid.slot, id::THANKS, 10).await.unwrap().is_empty());
    assert_eq!(store.ledger_records(&artist, Network::Signet).await.unwrap().len(), 2);
    assert!(store.ledger_revision(&artist).await.unwrap() > before);
    assert_eq!(store.ledger_revision(&person(2).id()).await.unwrap(), unconcerned);
}

#[tokio::test]
async fn a_ledger_is_whole_however_long_it_is_and_whoever_is_blocked() {
    const COUNT: u32 = 2_500;
    let (_folder, store) = store().await;
    let release = SlotId::from_bytes([9; 32]);
    let paid: Vec<Record> = (0..COUNT)
        .map(|number| {
            let mut salt = [0; 16];
            salt[..4].copy_from_slice(&number.to_le_bytes());
            sign(&person(4), u64::from(number), &Payment { salt, ..payment(1, release) })
        })
        .collect();
    for page in paid.chunks(500) {
        put(&store, &page.iter().collect::<Vec<_>>()).await;
    }
    let (artist, fan) = (person(1).id(), person(4).id());
    let ledger = store.ledger_records(&artist, Network::Signet).await.unwrap();
    assert_eq!(ledger, paid);
    let mut pages = Vec::new();
    for offset in (0..COUNT).step_by(crate::MAX_LIMIT as usize) {
        let page = store.money_records_by(&fan, Network::Signet, id::PAYMENT, offset, u32::MAX);
        pages.extend(page.await.unwrap());
    }
    pages.reverse();
    assert_eq!(pages, paid);

    // What one person does not want to see is owed and paid all the same.
    let block = ChangeSet { block: vec![BlockEntry::Author(fan)], ..ChangeSet::default() };
    store.apply(&block).await.unwrap();
    assert_eq!(store.ledger_records(&artist, Network::Signet).await.unwrap(), ledger);
    let shown = store.money_records_of_kind(Network::Signet, id::PAYMENT, 0, 10).await.unwrap();
    assert_eq!(shown, []);
}
