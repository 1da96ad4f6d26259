//! The committed descriptions of the checked queries belong to the migrations that are committed.

use std::{fs, path::Path};

use serde_json::Value;
use sqlx::{AssertSqlSafe, Column, Executor, SqlSafeStr, Statement};

use super::*;

#[tokio::test]
async fn every_checked_query_fits_the_schema() {
    let (_folder, store) = store().await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(".sqlx");
    let mut connection = store.read.acquire().await.unwrap();
    let mut checked = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let described: Value = serde_json::from_slice(&fs::read(entry.unwrap().path()).unwrap()).unwrap();
        let sql = described["query"].as_str().unwrap().to_owned();
        let statement = connection.prepare(AssertSqlSafe(sql.clone()).into_sql_str()).await;
        let statement = statement.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let columns: Vec<&str> = statement.columns().iter().map(|column| column.name()).collect();
        let described: Vec<&str> = described["describe"]["columns"]
            .as_array()
            .unwrap()
            .iter()
            .map(|column| column["name"].as_str().unwrap())
            .collect();
        assert_eq!(columns, described, "{sql}");
        checked += 1;
    }
    assert!(checked > 100, "{checked} queries");
}
