//! What a node is started with, and the settings that stay in `config.toml`.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use chain::PeerAddress;
use domain::Network;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{api::ApiError, folder};

const FILE: &str = "config.toml";

/// What the setting `mainnet` has to say before the network may be that of real money.
pub const MAINNET_WORDS: &str = "I can lose real money";
/// A wallet's seed in the folder of its network.
pub(crate) const SEED_FILE: &str = "wallet.age";

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
    /// Which Bitcoin money is of. Another one takes a new start.
    pub network: Network,
    /// Bitcoin nodes that are used and no others, `host` or `host:port`; they are found by themselves where none is named.
    pub bitcoin_peers: Vec<String>,
    /// SOCKS5 proxy, such as Tor's, through which Bitcoin nodes are reached.
    pub bitcoin_proxy: Option<SocketAddr>,
    /// [`MAINNET_WORDS`] where real money is allowed.
    pub mainnet: String,
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
            network: Network::default(),
            bitcoin_peers: Vec::new(),
            bitcoin_proxy: None,
            mainnet: String::new(),
            other: Map::new(),
        }
    }
}

/// Says what a setting can be, by what it is at first.
fn bad_value(key: &str, value: &str, first: Option<&Value>) -> ApiError {
    let like = match first {
        Some(Value::Bool(_)) => "; it is true or false".to_owned(),
        Some(Value::Number(number)) => format!("; it is a whole number without a unit, such as {number}"),
        _ => String::new(),
    };
    ApiError::new("config_bad_value", format!("`{key}` cannot be `{value:.80}`{like}"))
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
            .ok_or_else(|| bad_value(key, value, known.get(key)))
            .and_then(|settings: Self| settings.checked(self.network))
    }

    /// Takes on what a command line says of Bitcoin, and keeps it in the data folder.
    ///
    /// # Errors
    /// `network_mismatch` where the folder has a wallet of another network, `mainnet_not_allowed`, and those of files.
    pub fn adopt(data: &Path, network: Option<Network>, peers: &[String]) -> Result<(), ApiError> {
        let before = Self::load(data)?;
        let mut settings = before.clone();
        if let Some(network) = network.filter(|network| *network != before.network) {
            settings.change_network(network, before.has_wallet(data))?;
        }
        if !peers.is_empty() {
            settings.bitcoin_peers = peers.to_vec();
        }
        if settings == before {
            return Ok(());
        }
        let network = settings.network;
        let settings = settings.checked(network)?;
        folder::create(data)?;
        settings.save(data)
    }

    /// Returns the settings where they fit together; nodes of one network are none of another.
    fn checked(mut self, before: Network) -> Result<Self, ApiError> {
        if self.network != before {
            self.bitcoin_peers.clear();
        }
        for peer in &self.bitcoin_peers {
            PeerAddress::parse(peer, self.network)?;
        }
        self.money_allowed()?;
        Ok(self)
    }

    /// Says whether the data folder has a wallet of this network.
    pub(crate) fn has_wallet(&self, data: &Path) -> bool {
        data.join(self.network.word()).join(SEED_FILE).exists()
    }

    /// Fails where the network is that of real money and the user has not said so in words.
    pub(crate) fn money_allowed(&self) -> Result<(), ApiError> {
        if self.network != Network::Mainnet || self.mainnet == MAINNET_WORDS {
            return Ok(());
        }
        let message =
            format!("real money is off; `musicdao config set mainnet \"{MAINNET_WORDS}\"` allows it");
        Err(ApiError::new("mainnet_not_allowed", message))
    }

    fn change_network(&mut self, network: Network, has_wallet: bool) -> Result<(), ApiError> {
        if has_wallet {
            return Err(network_mismatch(self.network, network));
        }
        self.network = network;
        self.bitcoin_peers.clear();
        Ok(())
    }
}

/// Says that the wallet is of one network and something else of another.
pub fn network_mismatch(wallet: Network, other: Network) -> ApiError {
    let message = format!(
        "the wallet here is of {wallet}, not of {other}; `--data DIR` names another folder, \
         `musicdao config set network {other}` turns this one to {other} and leaves the wallet where it is"
    );
    ApiError::new("network_mismatch", message)
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
    fn a_command_line_chooses_the_network_of_a_folder_without_a_wallet() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path();
        let (one, peer) = (Some(Network::Regtest), "127.0.0.1:18444".to_owned());
        Settings::adopt(data, one, std::slice::from_ref(&peer)).unwrap();
        let settings = Settings::load(data).unwrap();
        assert_eq!((settings.network, settings.bitcoin_peers), (Network::Regtest, vec![peer.clone()]));
        Settings::adopt(data, None, &[]).unwrap();
        assert_eq!(Settings::load(data).unwrap().bitcoin_peers, [peer]);

        fs::create_dir(data.join("regtest")).unwrap();
        fs::write(data.join("regtest").join(SEED_FILE), "").unwrap();
        Settings::adopt(data, one, &[]).unwrap();
        let other = Settings::adopt(data, Some(Network::Signet), &[]);
        assert_eq!(other.unwrap_err().code, "network_mismatch");
        assert_eq!(Settings::load(data).unwrap().network, Network::Regtest);
    }

    #[test]
    fn real_money_takes_words() {
        let folder = tempfile::tempdir().unwrap();
        let refused = Settings::adopt(folder.path(), Some(Network::Mainnet), &[]);
        assert_eq!(refused.unwrap_err().code, "mainnet_not_allowed");
        let settings = Settings::default();
        assert_eq!(settings.with("network", "mainnet").unwrap_err().code, "mainnet_not_allowed");
        let allowed = settings.with("mainnet", MAINNET_WORDS).unwrap();
        assert_eq!(allowed.with("network", "mainnet").unwrap().network, Network::Mainnet);
        let named = allowed.with("bitcoin_peers", r#"["node.example.org"]"#).unwrap();
        assert!(named.with("network", "regtest").unwrap().bitcoin_peers.is_empty());
        let peers = r#"["no such:node"]"#;
        assert_eq!(allowed.with("bitcoin_peers", peers).unwrap_err().code, "bitcoin_peer_invalid");
        assert_eq!(allowed.with("network", "testnet3").unwrap_err().code, "config_bad_value");
    }

    #[test]
    fn texts_that_look_like_numbers_stay_texts() {
        assert_eq!(Settings::default().with("mdns_suffix", "1234").unwrap().mdns_suffix, "1234");
    }
}
