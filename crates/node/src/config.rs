//! What a node is started with, and the settings that stay in `config.toml`.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{api::ApiError, folder};

const FILE: &str = "config.toml";

/// What a node is started with. What is not said here comes from the data folder's [`Settings`].
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The data folder; made where it is missing.
    pub data: PathBuf,
    /// UDP address for peers; a free port on all interfaces where none is said.
    pub listen: Option<SocketAddr>,
    /// Links of peers to join.
    pub peers: Vec<String>,
    /// Switches the Mainline DHT off for this run.
    pub no_dht: bool,
    /// Switches LAN discovery off for this run.
    pub no_mdns: bool,
}

/// The settings that stay. Unknown keys of a newer version are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Finds peers through the Mainline DHT.
    pub dht: bool,
    /// Finds peers on the LAN.
    pub mdns: bool,
    /// Ends the names of LAN services, so that test swarms do not meet others.
    pub mdns_suffix: String,
    /// Nodes to enter the DHT by, `host:port`; the client's own where empty.
    pub dht_bootstrap: Vec<String>,
    /// UDP address for peers.
    pub listen: Option<SocketAddr>,
    /// Asks the router to open the port (PCP, NAT-PMP, UPnP).
    pub port_mapping: bool,
    /// Carries sealed packets of others: `auto` where publicly dialable and unmetered, `on`, `off`.
    pub relay: RelayPolicy,
    /// Says that the network costs by volume: nothing is relayed, prefetched or served.
    pub metered: bool,
    /// Most bytes of music kept for having been played; what was published, downloaded or seeded does not count.
    pub cache_bytes: u64,
    /// Upload in bytes a second; 0 is unlimited.
    pub upload_limit: u64,
    /// Serves what was only played, too. Connected peers can then tell what was played here.
    pub serve_played: bool,
    /// Puts this node's addresses into the DHT under its identity. Publishing a release switches it on.
    pub announce_addresses: bool,
    /// Neither the history nor the cache remembers what is played.
    pub private_session: bool,
    /// Lets the app show a notification when an artist whom the user follows publishes.
    pub notify_releases: bool,
    /// Most records kept.
    pub max_records: u64,
    /// Where unknown keys stay.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Whether this node carries sealed packets of others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RelayPolicy {
    /// Where it is publicly dialable and unmetered.
    #[default]
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            dht: true,
            mdns: true,
            mdns_suffix: String::new(),
            dht_bootstrap: Vec::new(),
            listen: None,
            port_mapping: true,
            relay: RelayPolicy::Auto,
            metered: false,
            cache_bytes: 5 << 30,
            upload_limit: 0,
            serve_played: false,
            announce_addresses: false,
            private_session: false,
            notify_releases: false,
            max_records: 1_000_000,
            other: Map::new(),
        }
    }
}

impl Settings {
    /// Reads the data folder's settings; the defaults where there are none.
    ///
    /// # Errors
    /// `config_malformed` names the line at fault; the file stays as it is.
    pub fn load(data: &Path) -> Result<Self, ApiError> {
        let path = data.join(FILE);
        match fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text).map_err(|error| {
                ApiError::new("config_malformed", format!("{} cannot be read: {error}", path.display()))
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(ApiError::from(error)),
        }
    }

    /// Writes the settings, all of them or none.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn save(&self, data: &Path) -> Result<(), ApiError> {
        let text = toml::to_string_pretty(self).expect("settings are plain data");
        Ok(folder::write_private(&data.join(FILE), text.as_bytes())?)
    }

    /// Returns all settings, or one.
    ///
    /// # Errors
    /// `config_unknown_key`.
    pub fn values(&self, key: Option<&str>) -> Result<Map<String, Value>, ApiError> {
        let Ok(Value::Object(all)) = serde_json::to_value(self) else { unreachable!("settings are a table") };
        let Some(key) = key else { return Ok(all) };
        let value = all.get(key).cloned().ok_or_else(|| unknown_key(key))?;
        Ok(Map::from_iter([(key.to_owned(), value)]))
    }

    /// Returns the settings with one changed.
    ///
    /// # Errors
    /// `config_unknown_key`, and `config_bad_value` for a value that the setting cannot have.
    pub fn with(&self, key: &str, value: &str) -> Result<Self, ApiError> {
        let mut all = self.values(None)?;
        let known = Self::default().values(None)?;
        if !known.contains_key(key) && key != "listen" {
            return Err(unknown_key(key));
        }
        let parsed = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
        let as_text = Value::String(value.to_owned());
        // A text such as `1234` is valid JSON but may be meant for a setting that is a text.
        [parsed, as_text]
            .into_iter()
            .find_map(|value| {
                all.insert(key.to_owned(), value);
                serde_json::from_value(Value::Object(all.clone())).ok()
            })
            .ok_or_else(|| ApiError::new("config_bad_value", format!("`{key}` cannot be `{value:.80}`")))
    }
}

fn unknown_key(key: &str) -> ApiError {
    ApiError::new(
        "config_unknown_key",
        format!("there is no setting `{key:.80}`; `musicdao config get` lists all"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_survives_and_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "dht = false\nfrom_the_future = 7\n").unwrap();
        let settings = Settings::load(folder.path()).unwrap().with("cache_bytes", "1000").unwrap();
        settings.save(folder.path()).unwrap();
        let read = Settings::load(folder.path()).unwrap();
        assert_eq!((read.cache_bytes, read.dht), (1000, false));
        assert_eq!(read.other["from_the_future"], 7);
    }

    #[test]
    fn wrong_settings_are_refused_with_a_code() {
        let settings = Settings::default();
        assert_eq!(settings.with("dhd", "true").unwrap_err().code, "config_unknown_key");
        assert_eq!(settings.with("dht", "maybe").unwrap_err().code, "config_bad_value");
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "dht = ").unwrap();
        assert_eq!(Settings::load(folder.path()).unwrap_err().code, "config_malformed");
        assert_eq!(fs::read(folder.path().join(FILE)).unwrap(), b"dht = ");
    }

    #[test]
    fn texts_that_look_like_numbers_stay_texts() {
        assert_eq!(Settings::default().with("mdns_suffix", "1234").unwrap().mdns_suffix, "1234");
    }
}
