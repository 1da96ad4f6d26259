//! The identity: to a file and back, as words, and anew.

use std::{
    path::{Path, PathBuf},
    sync::atomic::Ordering,
};

use domain::kinds::id as kind;
use peer::Input;

use super::blocking;
use crate::{
    api::{ApiError, Backup, IdentityRef, Words},
    events, identity,
    node::{Ended, Inner},
};

impl Inner {
    pub(super) async fn export(
        &self,
        file: PathBuf,
        passphrase: Option<String>,
    ) -> Result<IdentityRef, ApiError> {
        let own = self.identity.clone();
        let encrypted = blocking(move || identity::export(&own, &file, passphrase)).await?;
        Ok(IdentityRef { peer_id: self.identity.id(), encrypted })
    }

    pub(super) async fn import(
        &self,
        file: &Path,
        passphrase: Option<String>,
    ) -> Result<IdentityRef, ApiError> {
        let (path, encrypted) = (file.to_owned(), passphrase.is_some());
        let imported = blocking(move || identity::read_export(&path, passphrase)).await?;
        self.adopt(&imported, encrypted).await
    }

    pub(super) async fn back_up(&self, passphrase: String) -> Result<Backup, ApiError> {
        let own = self.identity.clone();
        let text = blocking(move || identity::backup(&own, passphrase)).await?;
        let name = format!("musicdao-{}.age.txt", self.identity.id().short());
        Ok(Backup { name, text })
    }

    pub(super) fn words(&self) -> Words {
        let words = self.identity.words();
        Words { words: words.split_whitespace().map(str::to_owned).collect() }
    }

    pub(super) async fn restore(
        &self,
        text: String,
        passphrase: Option<String>,
    ) -> Result<IdentityRef, ApiError> {
        let encrypted = passphrase.is_some();
        let restored = blocking(move || identity::read_text(&text, passphrase)).await?;
        self.adopt(&restored, encrypted).await
    }

    /// Signs again although another node did, or before the swarm has told what was signed elsewhere.
    pub(super) async fn take_over(&self) -> Result<IdentityRef, ApiError> {
        self.store.set_setting(events::IN_USE_ELSEWHERE, &false).await?;
        identity::settle_import(&self.data)?;
        self.driver.input(Input::TakeOver).await;
        self.driver.settled().await;
        self.read_only.store(false, Ordering::Relaxed);
        self.syncing.store(false, Ordering::Relaxed);
        Ok(IdentityRef { peer_id: self.identity.id(), encrypted: false })
    }

    /// Starts anew with another identity, unless this folder's own has published.
    async fn adopt(&self, identity: &domain::Identity, encrypted: bool) -> Result<IdentityRef, ApiError> {
        let peer_id = identity.id();
        if peer_id != self.identity.id() {
            if !self.store.records_of(&self.identity.id(), kind::RELEASE, 1).await?.is_empty() {
                let message = "this folder's own identity has published; import into a new data folder";
                return Err(ApiError::new("identity_in_use", message));
            }
            identity::replace(&self.data, identity)?;
            self.end(Ended::Restart);
        }
        Ok(IdentityRef { peer_id, encrypted })
    }
}
