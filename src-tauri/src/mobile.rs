//! Android: sound that goes on behind other apps, through a foreground service with a media session of our own.

use std::path::PathBuf;

use node::api::{Event, PlayerCommand, PlayerState, Request};
use serde::Serialize;
use tauri::{
    App, AppHandle, Builder, Manager, Wry,
    ipc::{Channel, InvokeResponseBody},
    plugin::{Builder as PluginBuilder, PluginHandle, TauriPlugin},
};

use crate::{link::Link, page::Words};

/// Where the Kotlin side is.
const PACKAGE: &str = "org.musicdao.app";
const PLUGIN: &str = "PlaybackPlugin";

/// The Kotlin side: audio focus, the notification with its buttons, the locks that keep network and sound alive.
struct Playback(PluginHandle<Wry>);

#[derive(Serialize)]
struct Listen {
    handler: Channel,
}

/// Adds what only Android has.
pub(crate) fn plugins(builder: Builder<Wry>) -> Builder<Wry> {
    builder.plugin(playback())
}

fn playback() -> TauriPlugin<Wry> {
    PluginBuilder::new("playback")
        .setup(|app, api| {
            let plugin = api.register_android_plugin(PACKAGE, PLUGIN)?;
            let obeying = app.clone();
            let handler = Channel::new(move |body| {
                obey(&obeying, &body);
                Ok(())
            });
            plugin.run_mobile_plugin::<()>("listen", Listen { handler })?;
            app.manage(Playback(plugin));
            Ok(())
        })
        .build()
}

/// Does what a headset, the lock screen or another app's sound asks for; they speak the Api's own words.
fn obey(app: &AppHandle, body: &InvokeResponseBody) {
    let InvokeResponseBody::Json(json) = body else { return };
    let Ok(command) = serde_json::from_str::<PlayerCommand>(json) else {
        tracing::warn!(json, "the system asked for something unknown");
        return;
    };
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        let Ok(api) = app.state::<Link>().api().await else { return };
        if let Err(error) = api.call(Request::Player(command)).await {
            tracing::warn!(code = error.code, "the player refused");
        }
    });
}

/// Returns the app's own folder.
pub(crate) fn data_folder(app: &App) -> tauri::Result<PathBuf> {
    app.path().app_data_dir()
}

/// Does nothing: the system shows what the app is.
pub(crate) fn set_up(_: &mut App) -> tauri::Result<()> {
    Ok(())
}

/// Does nothing: the system shows the window.
pub(crate) fn reveal(_: &AppHandle) {}

/// Does nothing: the system has words of its own.
pub(crate) fn say(_: &AppHandle, _: &Words) {}

/// Shows the system how the player is.
pub(crate) fn heard(app: &AppHandle, events: &[Event]) {
    let last = events.iter().rev().find_map(player);
    let (Some(state), Some(playback)) = (last, app.try_state::<Playback>()) else { return };
    if let Err(error) = playback.0.run_mobile_plugin::<()>("show", state) {
        tracing::warn!(%error, "the system does not learn what plays");
    }
}

fn player(event: &Event) -> Option<&PlayerState> {
    match event {
        Event::Player(state) => Some(state),
        _ => None,
    }
}
