//! The shell: a window around the node's one Api. It hands requests, images and events to and fro and decides nothing
//! but what belongs to windows.

mod link;
mod page;

#[cfg(desktop)]
#[path = "desktop.rs"]
mod platform;
#[cfg(mobile)]
#[path = "mobile.rs"]
mod platform;

use std::{io::IsTerminal, path::PathBuf};

use link::Link;
use node::{
    AssetSize,
    api::{ApiError, Request, Response},
};
use page::{Message, Page, Words};
use tauri::{
    AppHandle, Manager, RunEvent, State, Url, Webview,
    ipc::{Channel, Response as Bytes},
    webview::{PageLoadEvent, PageLoadPayload},
};
use tauri_plugin_fs::{FsExt, OpenOptions};
use tracing_subscriber::EnvFilter;

/// What is logged where `RUST_LOG` does not say.
const LOGGED: &str = "warn,musicdao_app=info,node=info,net=info";

/// Opens the window and runs until it is left.
#[cfg_attr(mobile, tauri::mobile_entry_point)]
pub fn run() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOGGED));
    let stderr = std::io::stderr;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(stderr().is_terminal())
        .with_writer(stderr)
        .init();
    let builder = platform::plugins(tauri::Builder::default())
        .plugin(tauri_plugin_clipboard_manager::init())
        .plugin(tauri_plugin_deep_link::init())
        .plugin(tauri_plugin_dialog::init())
        .plugin(tauri_plugin_fs::init())
        .plugin(tauri_plugin_notification::init())
        .plugin(tauri_plugin_opener::init())
        .invoke_handler(tauri::generate_handler![rpc, asset, bring, listen, say, quit])
        .on_page_load(show)
        .setup(|app| {
            app.manage(Page::default());
            app.manage(Link::start(app.handle().clone(), platform::data_folder(app)?));
            platform::set_up(app)?;
            Ok(())
        });
    match builder.build(tauri::generate_context!()) {
        Ok(app) => app.run(happened),
        Err(error) => {
            tracing::error!(%error, "no window can be opened");
            std::process::exit(1);
        }
    }
}

/// Asks the node.
#[tauri::command]
async fn rpc(link: State<'_, Link>, request: Request) -> Result<Response, ApiError> {
    link.api().await?.call(request).await
}

/// Loads an image or a waveform.
#[tauri::command]
async fn asset(link: State<'_, Link>, name: String, size: AssetSize) -> Result<Bytes, ApiError> {
    Ok(Bytes::new(link.api().await?.asset(name.parse()?, size).await?.bytes.to_vec()))
}

/// Copies a file that the system only lends, as Android does, to where the node can read it.
#[tauri::command]
async fn bring(app: AppHandle, link: State<'_, Link>, uri: Url) -> Result<PathBuf, ApiError> {
    let refused = |why: String| ApiError::new("file_unreadable", format!("{uri} cannot be read: {why}"));
    if uri.scheme() != "content" {
        return Err(refused("it is not lent".to_owned()));
    }
    let mut reading = OpenOptions::new();
    reading.read(true);
    let file = app.fs().open(uri.clone(), reading).map_err(|error| refused(error.to_string()))?;
    let name = uri.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or("file");
    link.here().await?.bring(name, file).await
}

/// Tells the page from now on what happens, in place of the page before it.
#[tauri::command]
fn listen(page: State<'_, Page>, link: State<'_, Link>, events: Channel<Vec<Message>>) {
    page.open(events, link.connection());
}

/// Takes the words of what lies outside the page, in the page's language.
#[tauri::command]
fn say(app: AppHandle, page: State<'_, Page>, words: Words) {
    platform::say(&app, &words);
    page.say(words);
}

/// Ends the app, whatever plays.
#[tauri::command]
fn quit(app: AppHandle) {
    app.exit(0);
}

/// Shows the window when there is something to see in it.
fn show(webview: &Webview, load: &PageLoadPayload<'_>) {
    if load.event() == PageLoadEvent::Finished {
        tracing::info!("the window is open");
        platform::reveal(webview.app_handle());
    }
}

fn happened(app: &AppHandle, event: RunEvent) {
    match event {
        RunEvent::Exit => tauri::async_runtime::block_on(app.state::<Link>().close()),
        #[cfg(any(target_os = "macos", target_os = "android"))]
        RunEvent::Opened { urls } => page::open(app, urls.iter().map(ToString::to_string), None),
        _ => {}
    }
}
