//! Wallets outlive whatever happens to the process.

use domain::{Network, bitcoin::hashes::Hash};
use treasury::wallet::{Accounts, ChangeSet, LabelTarget, Seed, Wallet};

use super::*;

const WORDS: &str =
    "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";

fn accounts() -> Accounts {
    Seed::parse(WORDS).unwrap().keys(Network::Regtest).accounts()
}

fn changes(wallet: &mut Wallet) -> ChangeSet {
    let change = wallet.staged().unwrap().clone();
    wallet.mark_persisted();
    change
}

/// A wallet that was kept in several steps.
async fn kept(store: &Store, name: &str) -> Wallet {
    let mut wallet = Wallet::create(accounts(), 7);
    store.create_wallet(name, &changes(&mut wallet), NOW).await.unwrap();
    for label in ["one", "two"] {
        let (_, address) = wallet.fresh_address();
        wallet.set_label(&LabelTarget::Address(address), label).unwrap();
        store.append_wallet(name, &changes(&mut wallet)).await.unwrap();
    }
    wallet
}

#[tokio::test]
async fn a_wallet_is_what_was_appended() {
    let (folder, store) = store().await;
    let wallet = kept(&store, "regtest").await;
    assert_eq!(store.wallet_changes("regtest").await.unwrap(), 3);
    store.close().await;

    let store = Store::open(folder.path(), owner().id()).await.unwrap();
    let loaded = Wallet::load(store.wallet("regtest").await.unwrap().unwrap()).unwrap();
    assert_eq!(loaded.snapshot(), wallet.snapshot());
    assert_eq!((loaded.birthday(), loaded.current_address()), (7, wallet.current_address()));
}

#[tokio::test]
async fn wallets_of_one_database_do_not_mix() {
    let (_folder, store) = store().await;
    let signet = kept(&store, "signet").await;
    let mut other = Wallet::create(accounts(), 9);
    store.create_wallet("regtest", &changes(&mut other), NOW).await.unwrap();
    assert_eq!(store.wallets().await.unwrap(), ["regtest", "signet"]);
    let load = async |name| Wallet::load(store.wallet(name).await.unwrap().unwrap()).unwrap().snapshot();
    assert_eq!(load("signet").await, signet.snapshot());
    assert_eq!(load("regtest").await, other.snapshot());
    store.delete_wallet("signet").await.unwrap();
    assert_eq!(store.wallet("signet").await.unwrap(), None);
    assert_eq!(store.wallet_changes("signet").await.unwrap(), 0);
    assert_eq!(load("regtest").await, other.snapshot());
}

#[tokio::test]
async fn compacting_changes_the_rows_and_not_the_wallet() {
    let (_folder, store) = store().await;
    let mut wallet = kept(&store, "regtest").await;
    store.compact_wallet("regtest", &wallet.snapshot()).await.unwrap();
    assert_eq!(store.wallet_changes("regtest").await.unwrap(), 1);
    let (_, address) = wallet.fresh_address();
    store.append_wallet("regtest", &changes(&mut wallet)).await.unwrap();
    let loaded = Wallet::load(store.wallet("regtest").await.unwrap().unwrap()).unwrap();
    assert_eq!((loaded.snapshot(), loaded.current_address().1), (wallet.snapshot(), address));
}

#[tokio::test]
async fn what_is_not_there_or_there_already_is_said_so() {
    let (_folder, store) = store().await;
    let change = Wallet::create(accounts(), 0).snapshot();
    assert_eq!(store.wallet("regtest").await.unwrap(), None);
    assert_eq!(store.append_wallet("regtest", &change).await.unwrap_err().code(), "not_found");
    assert_eq!(store.compact_wallet("regtest", &change).await.unwrap_err().code(), "not_found");
    assert_eq!(store.delete_wallet("regtest").await.unwrap_err().code(), "not_found");
    store.create_wallet("regtest", &change, NOW).await.unwrap();
    assert_eq!(store.create_wallet("regtest", &change, NOW).await.unwrap_err().code(), "invalid_argument");
    assert_eq!(store.create_wallet("", &change, NOW).await.unwrap_err().code(), "invalid_argument");
    assert_eq!(store.wallet_changes("regtest").await.unwrap(), 1, "the first one stays as it is");
}

#[tokio::test]
async fn a_damaged_row_is_not_taken_for_an_empty_wallet() {
    let (_folder, store) = store().await;
    kept(&store, "regtest").await;
    let cut = "update wallet_changes set body = substr(body, 1, 20) where id = 2";
    sqlx::query(cut).execute(&store.write).await.unwrap();
    assert_eq!(store.wallet("regtest").await.unwrap_err().code(), "database_corrupt");
}

#[tokio::test]
async fn the_database_holds_no_key_that_spends() {
    let (folder, store) = store().await;
    let mut wallet = kept(&store, "regtest").await;
    let hash = domain::bitcoin::BlockHash::all_zeros();
    wallet.disconnect(1, hash);
    store.compact_wallet("regtest", &wallet.snapshot()).await.unwrap();
    store.close().await;
    let file = std::fs::read(folder.path().join(crate::FILE_NAME)).unwrap();
    let holds = |text: &str| file.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("tpub") && !holds("tprv") && !holds("xprv") && !holds("abandon"));
}
