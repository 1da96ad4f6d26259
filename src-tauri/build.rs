//! Reads `tauri.conf.json`, and lets the page call nothing of ours but what a capability names.

fn main() {
    let commands =
        tauri_build::AppManifest::new().commands(&["rpc", "asset", "bring", "listen", "say", "quit"]);
    tauri_build::try_build(tauri_build::Attributes::new().app_manifest(commands))
        .expect("tauri.conf.json and the capabilities are well-formed");
}
