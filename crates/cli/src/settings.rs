//! The settings: by the daemon where one runs, else in the data folder, so that no node starts just to be told how.

use std::path::Path;

use node::{
    Settings,
    api::{ConfigValues, Request},
};

use crate::{args::ConfigAction, failure::Failure, output::Output, session::Session};

/// Reads or writes settings.
///
/// # Errors
/// `config_unknown_key`, `config_bad_value`, `config_malformed`, and those of files and standard output.
pub(crate) async fn run(
    action: ConfigAction,
    data: &Path,
    output: Output,
    verbose: u8,
) -> Result<(), Failure> {
    let values = match Session::daemon(data, verbose).await {
        Ok(daemon) => {
            let request = match action {
                ConfigAction::Get { key } => Request::ConfigGet { key },
                ConfigAction::Set { key, value } => Request::ConfigSet { key, value },
            };
            daemon.ask::<ConfigValues>(request).await?
        }
        Err(_) => in_folder(action, data)?,
    };
    output.say(&values)
}

fn in_folder(action: ConfigAction, data: &Path) -> Result<ConfigValues, Failure> {
    let settings = Settings::load(data)?;
    let (settings, key) = match action {
        ConfigAction::Get { key } => (settings, key),
        ConfigAction::Set { key, value } => {
            let changed = settings.with(&key, &value)?;
            crate::logs::private_folder(data).map_err(|error| Failure::file(data, error))?;
            changed.save(data)?;
            (changed, Some(key))
        }
    };
    Ok(ConfigValues { config: settings.values(key.as_deref())? })
}
