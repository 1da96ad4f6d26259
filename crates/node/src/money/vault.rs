//! The seed on the disk, and the keys while they are unlocked. Guessing passphrases gets slower.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use domain::Network;
use store::Store;
use treasury::wallet::{Attempts, Keys, Passphrase, Seed};

use crate::{api::ApiError, calls::blocking, config::SEED_FILE, folder, node::unix_ms};

/// Longest time that keys stay unlocked on request, in minutes: a year.
const MAX_MINUTES: u32 = 366 * 24 * 60;

/// One network's seed.
pub(super) struct Vault {
    folder: PathBuf,
    network: Network,
    store: Store,
    unlocked: Mutex<Option<Unlocked>>,
    /// Held while a passphrase is tried, so that there is one guess at a time.
    trying: tokio::sync::Mutex<()>,
}

/// What a try has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guess {
    /// That whoever tried knows this wallet's own.
    Right,
    /// That it was wrong; further ones get slower.
    Wrong,
    /// Nothing about this wallet.
    None,
}

impl Guess {
    pub(super) fn of(right: bool) -> Self {
        if right { Self::Right } else { Self::Wrong }
    }
}

struct Unlocked {
    keys: Arc<Keys>,
    until: Option<Instant>,
}

impl Vault {
    pub(super) fn new(folder: PathBuf, network: Network, store: Store) -> Self {
        Self { folder, network, store, unlocked: Mutex::default(), trying: tokio::sync::Mutex::default() }
    }

    /// Says whether there is a seed.
    pub(super) fn exists(&self) -> bool {
        self.path().exists()
    }

    /// Encrypts a new seed and writes it; one that is there already stays.
    ///
    /// # Errors
    /// `wallet_exists`, and those of files.
    pub(super) async fn write(&self, seed: Arc<Seed>, passphrase: Passphrase) -> Result<(), ApiError> {
        let (folder, path) = (self.folder.clone(), self.path());
        blocking(move || {
            folder::create(&folder)?;
            create(&path, &seed.seal(&passphrase))
        })
        .await
    }

    /// Decrypts the seed.
    ///
    /// # Errors
    /// `wallet_none`, `passphrase_wrong`, `unlock_rate_limited`, and those of files.
    pub(super) async fn open(&self, passphrase: Passphrase) -> Result<Seed, ApiError> {
        let path = self.path();
        let open = move || {
            let sealed = fs::read(&path).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => super::no_wallet(),
                _ => error.into(),
            })?;
            Ok(Seed::open(&sealed, &passphrase)?)
        };
        self.try_one(open, |_| Guess::Right).await
    }

    /// Tries a passphrase, or words, where that may be tried now. A wrong guess counts; only a right one makes up for
    /// that.
    pub(super) async fn try_one<T: Send + 'static>(
        &self,
        open: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
        judge: impl FnOnce(&T) -> Guess,
    ) -> Result<T, ApiError> {
        let _one = self.trying.lock().await;
        let setting = format!("wallet_attempts_{}", self.network);
        let before: Attempts = self.store.setting(&setting).await?.unwrap_or_default();
        let (mut attempts, now) = (before.clone(), unix_ms());
        attempts.check(now)?;
        attempts.begin(now);
        self.store.set_setting(&setting, &attempts).await?;
        let opened = blocking(open).await;
        let guess = match &opened {
            Ok(opened) => judge(opened),
            Err(error) => {
                if error.code == "passphrase_wrong" {
                    Guess::Wrong
                } else {
                    Guess::None
                }
            }
        };
        match guess {
            Guess::Right => attempts.succeed(),
            Guess::Wrong => {}
            Guess::None => attempts = before,
        }
        self.store.set_setting(&setting, &attempts).await?;
        opened
    }

    /// Keeps the keys in memory, for so many minutes or until [`Self::lock`].
    pub(super) fn unlock(&self, keys: Arc<Keys>, minutes: Option<u32>) {
        let span = minutes.map(|minutes| Duration::from_secs(60 * u64::from(minutes.min(MAX_MINUTES))));
        let until = span.map(|span| Instant::now() + span);
        *self.unlocked.lock().expect("no holder panics") = Some(Unlocked { keys, until });
    }

    /// Forgets the keys.
    pub(super) fn lock(&self) {
        self.unlocked.lock().expect("no holder panics").take();
    }

    /// Returns the keys while they are unlocked.
    pub(super) fn keys(&self) -> Option<Arc<Keys>> {
        let mut unlocked = self.unlocked.lock().expect("no holder panics");
        if unlocked.as_ref().and_then(|keys| keys.until).is_some_and(|until| until <= Instant::now()) {
            unlocked.take();
        }
        unlocked.as_ref().map(|unlocked| unlocked.keys.clone())
    }

    fn path(&self) -> PathBuf {
        self.folder.join(SEED_FILE)
    }
}

fn create(path: &Path, sealed: &[u8]) -> Result<(), ApiError> {
    folder::create_private(path, sealed).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => ApiError::new(
            "wallet_exists",
            "there is a wallet here already; `--data DIR` names another folder",
        ),
        _ => error.into(),
    })
}
