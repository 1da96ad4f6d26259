//! The desktop: one window, a tray, files and links from outside.

use std::{
    env,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use node::api::Event;
use tauri::{
    App, AppHandle, Builder, DragDropEvent, Manager, PhysicalPosition, Window, WindowEvent, Wry,
    menu::{Menu, MenuItem},
    tray::TrayIconBuilder,
};
use tauri_plugin_window_state::StateFlags;

use crate::{
    link::Link,
    page::{self, Drag, Happening, Message, Page, Words},
};

/// The environment's name for another data folder, as on the command line.
const DATA: &str = "MUSICDAO_DATA";
/// How long a hidden window waits for more to do before the app ends.
const QUIET: Duration = Duration::from_secs(10 * 60);

/// What the tray offers.
struct Tray {
    show: MenuItem<Wry>,
    quit: MenuItem<Wry>,
}

/// Counts what wakes a hidden app, so that only the last silence ends it.
#[derive(Default)]
struct Stirrings(AtomicU64);

/// Adds what only desktops have.
pub(crate) fn plugins(builder: Builder<Wry>) -> Builder<Wry> {
    let flags = StateFlags::SIZE | StateFlags::POSITION | StateFlags::MAXIMIZED | StateFlags::FULLSCREEN;
    let mut instance = tauri_plugin_single_instance::Builder::new().callback(|app, args, folder| {
        reveal(app);
        page::open(app, args.into_iter().skip(1), Some(Path::new(&folder)));
    });
    if let Some(data) = env::var_os(DATA) {
        // Whoever chose another data folder wants another app on it.
        let mut name = DefaultHasher::new();
        data.hash(&mut name);
        instance = instance.dbus_id(format!("org.musicdao.app.data{:x}", name.finish()));
    }
    builder
        .plugin(instance.build())
        .plugin(tauri_plugin_window_state::Builder::new().with_state_flags(flags).build())
        .on_window_event(window_event)
}

/// Returns the data folder, the command line's too.
pub(crate) fn data_folder(_: &App) -> Result<PathBuf, String> {
    let named = env::var_os(DATA).filter(|data| !data.is_empty()).map(PathBuf::from);
    let own = || directories::ProjectDirs::from("", "", "musicdao").map(|dirs| dirs.data_dir().to_owned());
    let data = named.or_else(own).ok_or("there is no home folder to keep music in")?;
    Ok(std::path::absolute(&data).unwrap_or(data))
}

/// Puts the tray up, and takes what the app was started with.
pub(crate) fn set_up(app: &mut App) -> tauri::Result<()> {
    let words = Words::default();
    let show = MenuItem::with_id(app, "show", words.show, true, None::<&str>)?;
    let quit = MenuItem::with_id(app, "quit", words.quit, true, None::<&str>)?;
    let mut tray = TrayIconBuilder::with_id("tray")
        .tooltip("MusicDAO")
        .menu(&Menu::with_items(app, &[&show, &quit])?)
        .on_menu_event(|app, event| match event.id().as_ref() {
            "show" => reveal(app),
            _ => app.exit(0),
        });
    if let Some(icon) = app.default_window_icon() {
        tray = tray.icon(icon.clone());
    }
    tray.build(app)?;
    app.manage(Tray { show, quit });
    app.manage(Stirrings::default());
    #[cfg(unix)]
    tauri::async_runtime::spawn(obey_signals(app.handle().clone()));
    page::open(app.handle(), env::args().skip(1), env::current_dir().ok().as_deref());
    Ok(())
}

/// Shows the window, and puts it in front.
pub(crate) fn reveal(app: &AppHandle) {
    let Some(window) = app.get_webview_window("main") else { return };
    let shown = window.show().and_then(|()| window.unminimize()).and_then(|()| window.set_focus());
    if let Err(error) = shown {
        tracing::warn!(%error, "the window cannot be shown");
    }
}

/// Puts words on the tray.
pub(crate) fn say(app: &AppHandle, words: &Words) {
    let tray = app.state::<Tray>();
    let said = tray.show.set_text(&words.show).and_then(|()| tray.quit.set_text(&words.quit));
    if let Err(error) = said {
        tracing::warn!(%error, "the tray cannot be labelled");
    }
}

/// Ends a hidden app that has had nothing to do for a while.
pub(crate) fn heard(app: &AppHandle, events: &[Event]) {
    let stirs = |event: &Event| matches!(event, Event::Player(_) | Event::JobEnded { .. });
    if !events.iter().any(stirs) || is_visible(app) {
        return;
    }
    let (app, turn) = (app.clone(), app.state::<Stirrings>().0.fetch_add(1, Ordering::Relaxed) + 1);
    tauri::async_runtime::spawn(async move {
        tokio::time::sleep(QUIET).await;
        let is_last = app.state::<Stirrings>().0.load(Ordering::Relaxed) == turn;
        if is_last && !is_visible(&app) && !app.state::<Link>().is_busy().await {
            app.exit(0);
        }
    });
}

/// Ends the app as its menu does when the session ends.
#[cfg(unix)]
async fn obey_signals(app: AppHandle) {
    use tokio::signal::unix::{SignalKind, signal};
    let listening =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()));
    let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)) = listening else { return };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = hangup.recv() => {}
    }
    app.exit(0);
}

fn is_visible(app: &AppHandle) -> bool {
    app.get_webview_window("main").is_some_and(|window| window.is_visible().unwrap_or(true))
}

fn window_event(window: &Window, event: &WindowEvent) {
    match event {
        WindowEvent::CloseRequested { api, .. } => {
            api.prevent_close();
            tauri::async_runtime::spawn(close(window.clone()));
        }
        WindowEvent::DragDrop(drag) => {
            if let Some(drag) = dragged(drag, window.scale_factor().unwrap_or(1.0)) {
                window.state::<Page>().tell(vec![Message::Shell(Happening::Drag(drag))]);
            }
        }
        _ => {}
    }
}

/// Hides the window while something goes on that would end with it.
async fn close(window: Window) {
    let app = window.app_handle();
    if !app.state::<Link>().is_busy().await || window.hide().is_err() {
        app.exit(0);
    }
}

fn dragged(event: &DragDropEvent, scale: f64) -> Option<Drag> {
    let at = |phase, paths: &[PathBuf], position: &PhysicalPosition<f64>| {
        let place = position.to_logical::<f64>(scale);
        Some(Drag { phase, paths: paths.to_vec(), x: place.x, y: place.y })
    };
    match event {
        DragDropEvent::Enter { paths, position } => at("enter", paths, position),
        DragDropEvent::Drop { paths, position } => at("drop", paths, position),
        DragDropEvent::Leave => at("leave", &[], &PhysicalPosition::default()),
        _ => None,
    }
}
