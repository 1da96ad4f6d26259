//! `musicdao-app`: the desktop's window.

// A second window with a console would open beside it on Windows.
#![cfg_attr(all(windows, not(debug_assertions)), windows_subsystem = "windows")]

fn main() {
    musicdao_app::run();
}
