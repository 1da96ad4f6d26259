use treasury::wallet::ChangeSet;

use super::*;
use crate::{PaymentRow, StoreError, StoredRecord};

const WALLET: &str = "regtest";

fn row(txid: &str, wish: Option<&str>) -> PaymentRow {
    PaymentRow {
        txid: txid.into(),
        wish: wish.map(Into::into),
        purpose: "tip".into(),
        detail: "{}".into(),
        records: vec![StoredRecord { kind: 18, body: vec![0, 255] }],
        published: false,
        created_ms: NOW,
    }
}

#[tokio::test]
async fn a_payment_is_kept_with_the_change_that_signed_it_or_not_at_all() {
    let (_folder, store) = store().await;
    let change = ChangeSet::default();
    let lost = store.keep_payment(WALLET, &change, &row("aa", None)).await;
    assert!(matches!(lost, Err(StoreError::Missing { .. })), "{lost:?}");
    assert!(store.payments(WALLET, false).await.unwrap().is_empty());

    store.create_wallet(WALLET, &change, NOW).await.unwrap();
    store.keep_payment(WALLET, &change, &row("aa", None)).await.unwrap();
    assert_eq!(store.wallet_changes(WALLET).await.unwrap(), 2);
    assert_eq!(store.payment(WALLET, "aa").await.unwrap(), Some(row("aa", None)));
    assert_eq!(store.payment("signet", "aa").await.unwrap(), None);
}

#[tokio::test]
async fn a_wish_leads_to_its_newest_payment() {
    let (_folder, store) = store().await;
    let change = ChangeSet::default();
    store.create_wallet(WALLET, &change, NOW).await.unwrap();
    for txid in ["aa", "bb"] {
        store.keep_payment(WALLET, &change, &row(txid, Some("wish"))).await.unwrap();
    }
    assert_eq!(store.payment_of_wish(WALLET, "wish").await.unwrap(), Some(row("bb", Some("wish"))));
    assert_eq!(store.payment_of_wish(WALLET, "another").await.unwrap(), None);
}

#[tokio::test]
async fn what_is_published_is_not_published_again_and_goes_with_its_wallet() {
    let (_folder, store) = store().await;
    let change = ChangeSet::default();
    store.create_wallet(WALLET, &change, NOW).await.unwrap();
    for txid in ["aa", "bb"] {
        store.keep_payment(WALLET, &change, &row(txid, None)).await.unwrap();
    }
    store.mark_published(WALLET, "aa").await.unwrap();
    assert_eq!(store.payments(WALLET, true).await.unwrap(), [row("bb", None)]);
    assert_eq!(store.payments(WALLET, false).await.unwrap().len(), 2);
    store.delete_wallet(WALLET).await.unwrap();
    assert!(store.payments(WALLET, false).await.unwrap().is_empty());
}
