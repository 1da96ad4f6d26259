use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

use super::*;

/// Where the child finds its folder.
const FOLDER: &str = "STORE_TEST_FOLDER";

#[tokio::test]
async fn a_full_disk_is_a_clear_error_and_nothing_is_lost() {
    let (_folder, store) = store().await;
    let first = sign(&person(1), 1, &album("First", "Per", &["One"]));
    put(&store, &[&first]).await;
    let pages: i64 = sqlx::query_scalar("pragma page_count").fetch_one(&store.write).await.unwrap();
    limit_pages(&store, pages + 4).await;
    let titles: Vec<String> = (0..200).map(|number| format!("Album {number}")).collect();
    let many: Vec<Record> =
        titles.iter().map(|title| sign(&person(1), 1, &album(title, "Per", &["One"]))).collect();
    let change = ChangeSet { put: many.clone(), own_seq: Some(9), ..ChangeSet::default() };
    let error = store.apply(&change).await.unwrap_err();
    assert_eq!(error.code(), "disk_full", "{error}");
    assert_eq!(store.counts().await.unwrap().records, 1, "all of a change set or nothing");
    assert_eq!(store.own_seq().await.unwrap(), 0);
    store.check().await.unwrap();
    limit_pages(&store, 1_000_000).await;
    store.apply(&change).await.unwrap();
    assert_eq!(store.counts().await.unwrap().records, 201);
}

#[tokio::test]
async fn a_change_set_that_is_dropped_half_way_leaves_nothing() {
    let (_folder, store) = store().await;
    let many =
        (0..100).map(|number| sign(&person(1), 1, &album(&format!("Album {number}"), "Per", &["One"])));
    let change = ChangeSet { put: many.collect(), ..ChangeSet::default() };
    {
        let apply = std::pin::pin!(store.apply(&change));
        let tick = std::pin::pin!(tokio::task::yield_now());
        futures_util::future::select(apply, tick).await;
    }
    assert_eq!(store.counts().await.unwrap().records, 0);
    store.apply(&change).await.unwrap();
    assert_eq!(store.counts().await.unwrap().records, 100);
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut acknowledged = 0;
    for round in 1..=3 {
        acknowledged = apply_until_killed(folder.path(), acknowledged + 10 * round);
        let store = runtime.block_on(Store::open(folder.path(), owner().id())).unwrap();
        runtime.block_on(async {
            store.check().await.unwrap();
            let loaded = store.load().await.unwrap();
            assert!(loaded.own_seq >= acknowledged, "{} of {acknowledged}", loaded.own_seq);
            assert_eq!(loaded.entries.len() as u64, loaded.own_seq, "a record and its number are one");
            assert_eq!(store.counts().await.unwrap().tracks, 2 * loaded.own_seq);
            store.close().await;
        });
    }
}

/// Runs in a process of its own, which is killed meanwhile.
#[test]
#[ignore = "the child of what_was_acknowledged_survives_a_kill"]
fn child_applies_until_killed() {
    let folder = std::env::var(FOLDER).expect("the parent names a folder");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = Store::open(&folder, owner().id()).await.unwrap();
        for seq in store.own_seq().await.unwrap() + 1.. {
            let record = sign(&owner(), seq, &album(&format!("Album {seq}"), "Per", &["One", "Two"]));
            let change = ChangeSet { put: vec![record], own_seq: Some(seq), ..ChangeSet::default() };
            store.apply(&change).await.unwrap();
            writeln!(std::io::stderr(), "acknowledged {seq}").unwrap();
        }
    });
}

/// Kills the child as soon as it has acknowledged so many. Returns the last number read from it.
fn apply_until_killed(folder: &std::path::Path, enough: u64) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::faults::child_applies_until_killed", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let numbers =
        lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("acknowledged ")?.parse().ok());
    let mut numbers = numbers.skip_while(|number: &u64| *number < enough);
    let reached = numbers.next().expect("the child applies");
    child.kill().unwrap();
    child.wait().unwrap();
    numbers.last().unwrap_or(reached)
}

async fn limit_pages(store: &Store, pages: i64) {
    let sql = sqlx::AssertSqlSafe(format!("pragma max_page_count = {pages}"));
    sqlx::query(sql).execute(&store.write).await.unwrap();
}
