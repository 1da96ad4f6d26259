//! What a command line says of Bitcoin stays in the data folder, before the command itself begins.

use std::path::Path;

use node::{
    Api, Remote, Settings,
    api::{ApiError, ConfigValues, Request, Response, WalletCommand},
    domain::Network,
    network_mismatch,
};
use serde_json::Value;

use crate::args::Globals;

/// Takes on `--network` and `--bitcoin-peer`: by the daemon where one runs, else in the folder.
///
/// # Errors
/// `network_mismatch` where there is a wallet of another network, `mainnet_not_allowed`, `bitcoin_peer_invalid`, and
/// those of files.
pub(crate) async fn adopt(globals: &Globals, data: &Path) -> Result<(), ApiError> {
    if globals.network.is_none() && globals.bitcoin_peers.is_empty() {
        return Ok(());
    }
    match Remote::connect(data).await {
        Some(daemon) => tell(&daemon, globals).await,
        None => Settings::adopt(data, globals.network, &globals.bitcoin_peers),
    }
}

async fn tell(daemon: &Remote, globals: &Globals) -> Result<(), ApiError> {
    if let Some(wanted) = globals.network {
        let network = configured(daemon).await?;
        if wanted != network {
            return Err(match has_wallet(daemon).await? {
                true => network_mismatch(network, wanted),
                false => ApiError::new(
                    "network_mismatch",
                    format!(
                        "the daemon here is on {network}; end it with `musicdao stop` before it is put on {wanted}"
                    ),
                ),
            });
        }
    }
    let peers = Value::from(globals.bitcoin_peers.clone());
    if !globals.bitcoin_peers.is_empty() && setting(daemon, "bitcoin_peers").await? != peers {
        let change = Request::ConfigSet { key: "bitcoin_peers".into(), value: peers.to_string() };
        daemon.call(change).await?;
    }
    Ok(())
}

async fn configured(daemon: &Remote) -> Result<Network, ApiError> {
    let network = setting(daemon, "network").await?;
    serde_json::from_value(network).map_err(|error| ApiError::new("config_malformed", error.to_string()))
}

async fn setting(daemon: &Remote, key: &str) -> Result<Value, ApiError> {
    match daemon.call(Request::ConfigGet { key: Some(key.into()) }).await? {
        Response::Config(ConfigValues { config }) => Ok(config.get(key).cloned().unwrap_or_default()),
        _ => Ok(Value::Null),
    }
}

async fn has_wallet(daemon: &Remote) -> Result<bool, ApiError> {
    let status = daemon.call(Request::Wallet(WalletCommand::Status)).await?;
    Ok(matches!(status, Response::Wallet(status) if status.exists))
}
