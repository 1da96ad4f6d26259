use std::{
    env, fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use sqlx::{
    SqliteConnection, migrate::Migration, migrate::MigrationType, migrate::Migrator, query,
    sqlite::SqliteConnectOptions,
};

use super::*;
use crate::{FILE_NAME, KEPT_COPIES, StoreError};

/// Returns the version of the newest migration.
fn latest() -> i64 {
    sqlx::migrate!().iter().map(|migration| migration.version).max().unwrap()
}

#[tokio::test]
async fn what_was_written_is_there_after_opening_again() {
    let (folder, store) = store().await;
    let record = sign(&person(1), 1, &album("Frontiers", "Per", &["One"]));
    put(&store, &[&record]).await;
    store.close().await;
    let store = Store::open(folder.path(), owner().id()).await.unwrap();
    assert_eq!(store.record(&record.slot).await.unwrap(), Some(record));
    store.check().await.unwrap();
}

#[tokio::test]
async fn garbage_is_refused_and_stays_as_it_is() {
    for garbage in [&b"not a database at all, but some text"[..], &b"S"[..], &[0; 5000][..]] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE_NAME);
        fs::write(&file, garbage).unwrap();
        let error = Store::open(folder.path(), owner().id()).await.unwrap_err();
        assert_eq!(error.code(), "database_corrupt", "{error}");
        assert!(error.to_string().contains(FILE_NAME), "{error}");
        only_file(folder.path(), garbage);
    }
}

#[tokio::test]
async fn a_damaged_database_is_refused_and_stays_as_it_is() {
    let folder = filled().await;
    let file = folder.path().join(FILE_NAME);
    let mut bytes = fs::read(&file).unwrap();
    for page in bytes.chunks_mut(4096).skip(1).step_by(2) {
        page.fill(0xA5);
    }
    fs::write(&file, &bytes).unwrap();
    let error = Store::open(folder.path(), owner().id()).await.unwrap_err();
    assert_eq!(error.code(), "database_corrupt", "{error}");
    assert_eq!(fs::read(&file).unwrap(), bytes);
}

#[tokio::test]
async fn another_programs_database_is_refused_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(FILE_NAME);
    execute(&file, "create table songs (title text)").await;
    let before = fs::read(&file).unwrap();
    let error = Store::open(folder.path(), owner().id()).await.unwrap_err();
    assert_eq!(error.code(), "database_corrupt", "{error}");
    only_file(folder.path(), &before);
}

#[tokio::test]
async fn a_newer_database_is_refused_with_the_way_back_and_stays_as_it_is() {
    let folder = filled().await;
    let file = folder.path().join(FILE_NAME);
    let later = "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
                 values (99, 'later', true, x'00', 0)";
    execute(&file, later).await;
    let before = fs::read(&file).unwrap();

    let error = Store::open(folder.path(), owner().id()).await.unwrap_err();
    assert_eq!(error.code(), "database_newer");
    assert!(error.to_string().contains("there is no copy"), "{error}");

    let copy = folder.path().join("musicdao.db.before-2");
    fs::write(&copy, "the copy that this program can read").unwrap();
    fs::write(folder.path().join("musicdao.db.before-50"), "a copy that it cannot").unwrap();
    let error = Store::open(folder.path(), owner().id()).await.unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 99, .. }));
    assert!(error.to_string().contains(copy.to_str().unwrap()), "{error}");
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[tokio::test]
async fn a_database_that_was_set_aside_makes_room_for_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    for number in 1..3 {
        fs::write(folder.path().join(FILE_NAME), "garbage").unwrap();
        let aside = Store::set_aside(folder.path()).unwrap();
        assert_eq!(aside, folder.path().join(format!("musicdao.db.aside-{number}")));
        assert_eq!(fs::read(aside).unwrap(), b"garbage");
    }
    Store::open(folder.path(), owner().id()).await.unwrap();
    let nothing = tempfile::tempdir().unwrap();
    assert_eq!(Store::set_aside(nothing.path()).unwrap_err().code(), "database_unreadable");
}

#[tokio::test]
async fn an_upgrade_keeps_a_copy_of_what_was_before_it() {
    let folder = filled().await;
    let file = folder.path().join(FILE_NAME);
    for version in latest() + 1..latest() + 7 {
        let migrator = migrator_up_to(version);
        Store::open_with(&file, owner().id(), &migrator).await.unwrap().close().await;
        let copy = folder.path().join(format!("musicdao.db.before-{version}"));
        let copied = Store::open_with(&copy, owner().id(), &migrator_up_to(version - 1)).await.unwrap();
        assert_eq!(copied.counts().await.unwrap().records, 1);
        copied.close().await;
    }
    assert_eq!(copies(folder.path()).len(), KEPT_COPIES);
    assert!(folder.path().join(format!("musicdao.db.before-{}", latest() + 6)).exists());
}

#[tokio::test]
async fn an_upgrade_that_fails_leaves_the_database_usable_by_the_old_program() {
    let folder = filled().await;
    let file = folder.path().join(FILE_NAME);
    let bad = migration(latest() + 1, "create table later (id integer); insert into nowhere values (1)");
    let migrations = sqlx::migrate!().iter().cloned().chain([bad]).collect();
    let migrator = Migrator::with_migrations(migrations);
    let error = Store::open_with(&file, owner().id(), &migrator).await.unwrap_err();
    assert_eq!(error.code(), "database_migration", "{error}");
    let store = Store::open(folder.path(), owner().id()).await.unwrap();
    assert_eq!(store.counts().await.unwrap().records, 1);
}

#[tokio::test]
async fn an_upgrade_that_is_killed_half_way_leaves_the_database_whole() {
    const INSIDE: &str = "MUSICDAO_TEST_UPGRADE";
    if let Some(file) = env::var_os(INSIDE) {
        let long = "drop table likes; create table later (id integer, filler blob);
                    insert into later with recursive n(i) as (select 1 union all select i + 1 from n where i < 200000)
                    select i, randomblob(1000) from n";
        let migrations = sqlx::migrate!().iter().cloned().chain([migration(99, long)]).collect();
        let opened =
            Store::open_with(Path::new(&file), owner().id(), &Migrator::with_migrations(migrations)).await;
        panic!("the upgrade ended before it was killed: {:?}", opened.is_ok());
    }
    let folder = filled().await;
    let file = folder.path().join(FILE_NAME);
    let log = folder.path().join(format!("{FILE_NAME}-wal"));
    fs::write(folder.path().join("musicdao.db.before-99.tmp"), "half of a copy").unwrap();
    // From the first page that is written to amid the rows, with whole pages of the new table in the log.
    for written in [1, 2 << 20, 8 << 20] {
        let mut upgrade = Killed::start(INSIDE, &file);
        let began = Instant::now();
        while fs::metadata(&log).map_or(0, |log| log.len()) < written {
            assert!(upgrade.0.try_wait().unwrap().is_none(), "the upgrade ended by itself");
            assert!(began.elapsed() < Duration::from_secs(60), "the upgrade writes {written} bytes");
            std::thread::yield_now();
        }
        drop(upgrade);
        assert!(folder.path().join("musicdao.db.before-99").exists());

        let store = Store::open(folder.path(), owner().id()).await.unwrap();
        assert_eq!(store.counts().await.unwrap().records, 1);
        store.check().await.unwrap();
        let likes = "select count(*) from sqlite_master where name in ('likes', 'later')";
        let tables: i64 = sqlx::query_scalar(likes).fetch_one(&store.read).await.unwrap();
        assert_eq!(tables, 1, "all of the upgrade is undone");
        store.close().await;
    }
    let migrations = sqlx::migrate!().iter().cloned();
    let migrations = migrations.chain([migration(99, "create table later (id integer)")]).collect();
    let migrator = Migrator::with_migrations(migrations);
    let store = Store::open_with(&file, owner().id(), &migrator).await.unwrap();
    assert_eq!(store.counts().await.unwrap().records, 1);
}

/// This test in a process of its own, killed when dropped.
struct Killed(Child);

impl Killed {
    fn start(inside: &str, file: &Path) -> Self {
        let name = std::thread::current().name().unwrap().to_owned();
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", &name]).env(inside, file);
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[tokio::test]
async fn another_owner_sees_other_own_tags() {
    let (folder, store) = store().await;
    let release = sign(&person(1), 1, &album("Frontiers", "Per", &["One"]));
    put(&store, &[&release, &tag(7, release.slot, "mine")]).await;
    assert!(store.tags_of(&release.slot).await.unwrap().is_empty());
    store.close().await;
    let store = Store::open(folder.path(), person(7).id()).await.unwrap();
    let tags = store.tags_of(&release.slot).await.unwrap();
    assert!(tags.len() == 1 && tags[0].own, "{tags:?}");
}

async fn filled() -> TempDir {
    let (folder, store) = store().await;
    put(&store, &[&sign(&person(1), 1, &album("Frontiers", "Per", &["One"]))]).await;
    store.close().await;
    folder
}

async fn execute(file: &Path, sql: &'static str) {
    use sqlx::{ConnectOptions, Connection};
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
    let mut connection: SqliteConnection = options.connect().await.unwrap();
    query(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

fn migrator_up_to(version: i64) -> Migrator {
    let later = (latest() + 1..=version)
        .map(|version| migration(version, "create table if not exists later (id integer)"));
    Migrator::with_migrations(sqlx::migrate!().iter().cloned().chain(later).collect())
}

fn migration(version: i64, sql: &'static str) -> Migration {
    let sql = sqlx::SqlSafeStr::into_sql_str(sql);
    Migration::new(version, "later".into(), MigrationType::Simple, sql, false)
}

fn copies(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names
        .filter(|name| name.contains(".before-") && !name.ends_with("-wal") && !name.ends_with("-shm"))
        .collect()
}

fn only_file(folder: &Path, content: &[u8]) {
    let files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    assert_eq!(fs::read(&files[0]).unwrap(), content);
}
