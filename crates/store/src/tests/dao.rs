//! What members of DAOs must not forget.

use domain::{Network, kinds::DaoId};

use super::*;

#[tokio::test]
async fn changes_and_secrets_are_kept_in_order_and_apart() {
    let (_folder, store) = store().await;
    let [one, other] = [1, 2].map(|byte| DaoId::from_bytes([byte; 32]));
    assert!(store.append_dao_secret(&one, b"early").await.is_err(), "the DAO was not opened");
    for dao in [&one, &other] {
        store.open_dao(dao, Network::Regtest, NOW).await.unwrap();
    }
    store.append_dao(&one, b"change").await.unwrap();
    for sealed in [b"second", b"secret", b"sealed"] {
        store.append_dao_secret(&one, sealed).await.unwrap();
    }
    assert_eq!(store.dao_secrets(&one).await.unwrap(), [b"second", b"secret", b"sealed"]);
    assert_eq!(store.dao_changes(&one).await.unwrap(), [b"change"]);
    assert!(store.dao_secrets(&other).await.unwrap().is_empty());
}
