use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use domain::PeerId;
use futures_util::future::BoxFuture;
use sqlx::{
    ConnectOptions, Connection, SqliteConnection, SqlitePool,
    migrate::Migrator,
    pool::PoolConnectionMetadata,
    query, query_scalar,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{FILE_NAME, StoreError};

/// Copies kept of databases before their upgrades.
pub const KEPT_COPIES: usize = 3;

/// Largest database in bytes that every start checks from end to end; above it, only before an upgrade.
const QUICK_CHECK_MAX: u64 = 64 << 20;
/// How long one connection waits for another's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a query waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(60);
/// Connections that read beside the one that writes.
const READERS: u32 = 3;
/// Page cache of one connection in KiB; negative as `PRAGMA cache_size` wants it.
const CACHE_KIB: &str = "-4096";
/// Size in bytes to which the write-ahead log is cut after a large transaction.
const LOG_SIZE_LIMIT: &str = "16777216";
/// The first bytes of every SQLite database (https://www.sqlite.org/fileformat.html, 1.3).
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

static MIGRATOR: Migrator = sqlx::migrate!();

/// The node's database. Cloning is cheap; clones share the connections.
#[derive(Clone, Debug)]
pub struct Store {
    /// The only connection that writes, so that no transaction ever meets another.
    pub(crate) write: SqlitePool,
    pub(crate) read: SqlitePool,
    pub(crate) owner: PeerId,
    path: Arc<Path>,
}

impl Store {
    /// Opens the database of a data folder, or the file itself, and brings it to this version. Before an upgrade a
    /// copy stays beside it as `musicdao.db.before-N`, N being the version that it was upgraded to first.
    ///
    /// # Errors
    /// [`StoreError::Newer`] and [`StoreError::Corrupt`] leave the file as it is; then see [`Store::set_aside`].
    pub async fn open(path: impl AsRef<Path>, owner: PeerId) -> Result<Self, StoreError> {
        let path = Self::file(path.as_ref());
        Self::open_with(&path, owner, &MIGRATOR).await.map_err(|error| error.at(&path))
    }

    /// Names the file that [`Store::open`] opens.
    pub fn file(path: &Path) -> PathBuf {
        if path.is_dir() { path.join(FILE_NAME) } else { path.to_owned() }
    }

    /// Renames a database that cannot be opened, so that the next [`Store::open`] starts an empty one. Returns where
    /// it went.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] where it cannot be renamed.
    pub fn set_aside(path: &Path) -> Result<PathBuf, StoreError> {
        let path = Self::file(path);
        let free = |number: &u32| !sibling(&path, &format!(".aside-{number}")).exists();
        let number = (1..).find(free).expect("a folder has a free number");
        let aside = sibling(&path, &format!(".aside-{number}"));
        for part in ["", "-wal", "-shm"] {
            let (from, to) = (sibling(&path, part), sibling(&aside, part));
            match fs::rename(&from, to) {
                Err(error) if error.kind() != io::ErrorKind::NotFound || part.is_empty() => {
                    return Err(StoreError::unreadable(&from, &error));
                }
                _ => {}
            }
        }
        Ok(aside)
    }

    /// Whose node this is.
    pub fn owner(&self) -> PeerId {
        self.owner
    }

    /// The database's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for what runs, writes the log back into the database and closes it.
    pub async fn close(&self) {
        self.read.close().await;
        if let Err(error) = self.checkpoint().await {
            tracing::warn!(%error, "the log stays beside the database");
        }
        self.write.close().await;
    }

    /// Writes the log back into the database and empties it, so that what was deleted is gone from the disk.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn checkpoint(&self) -> Result<(), StoreError> {
        query("pragma wal_checkpoint(truncate)").execute(&self.write).await?;
        Ok(())
    }

    /// Checks the whole database, which takes a while on a large one.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] says what is wrong.
    pub async fn check(&self) -> Result<(), StoreError> {
        // A connection of its own: a check does not see that another connection changed the full-text index, and calls
        // what an older connection remembers of it damaged.
        let connection = options(&self.path).read_only(true).connect().await;
        let mut connection = connection.map_err(|error| StoreError::from(error).at(&self.path))?;
        let checked = quick_check(&mut connection).await.map_err(|error| error.at(&self.path));
        connection.close().await?;
        checked
    }

    pub(crate) async fn open_with(
        path: &Path,
        owner: PeerId,
        migrator: &Migrator,
    ) -> Result<Self, StoreError> {
        if let Some(pending) = first_pending(path, migrator).await? {
            keep_copy(path, pending).await?;
        }
        let options = options(path).create_if_missing(true).journal_mode(SqliteJournalMode::Wal);
        let write = SqlitePoolOptions::new().max_connections(1).min_connections(1).before_acquire(sound);
        let write = pool(write).connect_with(options).await?;
        migrator.run(&write).await?;
        let read = SqlitePoolOptions::new().max_connections(READERS);
        let read = pool(read).connect_with(self::options(path).read_only(true)).await?;
        let store = Self { write, read, owner, path: path.into() };
        store.take_owner().await?;
        Ok(store)
    }
}

fn pool(options: SqlitePoolOptions) -> SqlitePoolOptions {
    options.acquire_timeout(ACQUIRE_TIMEOUT).idle_timeout(None).max_lifetime(None).test_before_acquire(false)
}

/// Refuses a connection that believes itself in a transaction that is over: SQLite ends one by itself when the disk is
/// full (https://www.sqlite.org/lang_transaction.html, 3), which its driver does not notice.
fn sound(
    connection: &mut SqliteConnection,
    _: PoolConnectionMetadata,
) -> BoxFuture<'_, Result<bool, sqlx::Error>> {
    Box::pin(async {
        // A rollback that was only queued is done when this is answered.
        connection.ping().await?;
        Ok(!connection.is_in_transaction())
    })
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("secure_delete", "on")
        .pragma("cache_size", CACHE_KIB)
        .pragma("journal_size_limit", LOG_SIZE_LIMIT)
        .pragma("temp_store", "memory")
}

fn sibling(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Looks at an existing database without changing a byte of it: `Some` is the first migration that it lacks.
async fn first_pending(path: &Path, migrator: &Migrator) -> Result<Option<i64>, StoreError> {
    let Some(size) = database_size(path)? else { return Ok(None) };
    let options = options(path).read_only(true);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    let pending = match version(&mut connection, path).await? {
        None => None,
        Some(found) => check_version(path, found, migrator)?,
    };
    if size <= QUICK_CHECK_MAX || pending.is_some() {
        quick_check(&mut connection).await?;
    }
    connection.close().await?;
    Ok(pending)
}

/// Length of the database; `None` where there is none yet.
fn database_size(path: &Path) -> Result<Option<u64>, StoreError> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::unreadable(path, &error)),
    };
    let mut magic = [0; MAGIC.len()];
    let size = file.metadata().map_err(|error| StoreError::unreadable(path, &error))?.len();
    if size == 0 {
        return Ok(None);
    }
    match file.read_exact(&mut magic) {
        Ok(()) if magic == *MAGIC => Ok(Some(size)),
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
            Err(StoreError::unreadable(path, &error))
        }
        _ => Err(corrupt(path, "it does not begin like a database")),
    }
}

/// The newest migration that the database has; `None` where it has nothing at all.
async fn version(connection: &mut SqliteConnection, path: &Path) -> Result<Option<i64>, StoreError> {
    let tables = "select count(*), coalesce(sum(name = '_sqlx_migrations'), 0) from sqlite_master";
    let (tables, migrated): (i64, i64) = sqlx::query_as(tables).fetch_one(&mut *connection).await?;
    match (tables, migrated) {
        (0, _) => Ok(None),
        (_, 0) => Err(corrupt(path, "it is the database of another program")),
        _ => {
            let version = "select coalesce(max(version), 0) from _sqlx_migrations where success";
            Ok(Some(query_scalar(version).fetch_one(connection).await?))
        }
    }
}

fn check_version(path: &Path, found: i64, migrator: &Migrator) -> Result<Option<i64>, StoreError> {
    let known = migrator.iter().map(|migration| migration.version).max().unwrap_or(0);
    if found > known {
        let way_back = way_back(path, known);
        return Err(StoreError::Newer { path: path.to_owned(), found, known, way_back });
    }
    Ok(migrator.iter().map(|migration| migration.version).filter(|version| *version > found).min())
}

fn way_back(path: &Path, known: i64) -> String {
    let usable = copies(path).into_iter().filter(|(version, _)| *version <= known + 1).max();
    match usable {
        Some((_, copy)) => format!(
            "install the newer program again, or go back: rename {} away and {} to its name",
            path.display(),
            copy.display()
        ),
        None => "install the newer program again; there is no copy to go back to".into(),
    }
}

async fn quick_check(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let problem: String = query_scalar("pragma quick_check(1)").fetch_one(connection).await?;
    match problem.as_str() {
        "ok" => Ok(()),
        _ => Err(corrupt(Path::new(""), &problem)),
    }
}

fn corrupt(path: &Path, problem: &str) -> StoreError {
    StoreError::Corrupt { path: path.to_owned(), problem: problem.into() }
}

/// Copies the database whole, under its final name only when it is on the disk, and drops all but the newest copies.
async fn keep_copy(path: &Path, pending: i64) -> Result<(), StoreError> {
    let copy = sibling(path, &format!(".before-{pending}"));
    let unfinished = sibling(&copy, ".tmp");
    let unreadable = |error: io::Error| StoreError::unreadable(&copy, &error);
    fs::remove_file(&unfinished).or_else(absent_is_fine).map_err(unreadable)?;
    let name = unfinished.to_str().ok_or_else(|| StoreError::Unreadable {
        path: path.to_owned(),
        problem: "its name is not Unicode".into(),
    })?;
    let mut connection = SqliteConnection::connect_with(&options(path).read_only(true)).await?;
    query("vacuum into ?").bind(name).execute(&mut connection).await?;
    connection.close().await?;
    File::open(&unfinished).and_then(|file| file.sync_all()).map_err(unreadable)?;
    fs::rename(&unfinished, &copy).map_err(unreadable)?;
    drop_old_copies(path)
}

fn drop_old_copies(path: &Path) -> Result<(), StoreError> {
    let mut copies = copies(path);
    copies.sort_unstable_by(|one, two| two.cmp(one));
    for (_, copy) in copies.into_iter().skip(KEPT_COPIES) {
        fs::remove_file(&copy).map_err(|error| StoreError::unreadable(&copy, &error))?;
    }
    Ok(())
}

/// The copies beside a database with the version in their names.
fn copies(path: &Path) -> Vec<(i64, PathBuf)> {
    let prefix = sibling(path, ".before-");
    let (Some(folder), Some(prefix)) = (path.parent(), prefix.file_name().and_then(|name| name.to_str()))
    else {
        return Vec::new();
    };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let version = |entry: fs::DirEntry| {
        let version = entry.file_name().to_str()?.strip_prefix(prefix)?.parse().ok()?;
        Some((version, entry.path()))
    };
    entries.filter_map(version).collect()
}

fn absent_is_fine(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}
