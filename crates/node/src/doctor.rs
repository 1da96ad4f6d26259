//! Looks at the node's surroundings and says in words what is well and what is not.

use std::{fs, path::Path};

use crate::{
    api::{ApiError, Check, Doctor},
    node::{Inner, unix_ms},
};

/// Free bytes below which a disk counts as nearly full.
const NEARLY_FULL: u64 = 1 << 30;
/// The year 2026 began here: a clock before it is wrong.
const YEAR_2026_MS: u64 = 1_767_225_600_000;

/// Makes every check.
pub(crate) async fn examine(node: &Inner) -> Result<Doctor, ApiError> {
    let database = node.store.check().await;
    let devices = tokio::task::spawn_blocking(audio::devices).await.unwrap_or_default();
    let peers = node.network.peers();
    let relayed = peers.iter().filter(|info| info.path == net::Path::Relayed).count();
    let settings = node.settings();
    let checks = vec![
        folder(&node.data),
        disk(&node.data),
        check(
            "database",
            database.is_ok(),
            match &database {
                Ok(()) => "is sound".to_owned(),
                Err(error) => {
                    format!("{error}; `musicdao stop`, then `musicdao doctor --set-aside-database`")
                }
            },
        ),
        check("clock", unix_ms() > YEAR_2026_MS, "new releases are dated by it; set it if it is wrong"),
        check(
            "sound",
            !devices.is_empty(),
            match devices.len() {
                0 => "no sound device was found; playing to a file works".to_owned(),
                count => format!("{count} devices were found"),
            },
        ),
        check("network", true, format!("listens on {}", node.network.local_addr())),
        check(
            "peers",
            !peers.is_empty(),
            match peers.len() {
                0 => "nobody is connected; join a friend with `musicdao join LINK`".to_owned(),
                count => format!("{count} are connected, {relayed} of them through others"),
            },
        ),
        check(
            "lan",
            true,
            said(settings.mdns, "peers nearby are found", "peers nearby are not looked for: `mdns` is off"),
        ),
        check(
            "dht",
            true,
            said(settings.dht, "peers far away are found", "peers far away are not looked for: `dht` is off"),
        ),
        check(
            "publishing",
            node.can_publish(),
            said(
                node.can_publish(),
                "this identity can publish",
                "this identity only reads: it is used elsewhere, or was imported and has met nobody yet",
            ),
        ),
    ];
    Ok(Doctor { checks })
}

fn folder(data: &Path) -> Check {
    let probe = data.join(".probe");
    let written = fs::write(&probe, b"x").and_then(|()| fs::remove_file(&probe));
    check(
        "data folder",
        written.is_ok(),
        match written {
            Ok(()) => format!("{} can be written", data.display()),
            Err(error) => format!("{} cannot be written: {error}", data.display()),
        },
    )
}

fn disk(data: &Path) -> Check {
    match fs4::available_space(data) {
        Ok(free) => check("disk", free > NEARLY_FULL, format!("{} MB are free", free >> 20)),
        Err(error) => check("disk", false, format!("the free space is unknown: {error}")),
    }
}

fn said(good: bool, yes: &str, no: &str) -> String {
    if good { yes } else { no }.to_owned()
}

fn check(name: &str, ok: bool, message: impl Into<String>) -> Check {
    Check { name: name.to_owned(), ok, message: message.into() }
}
