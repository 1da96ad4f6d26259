//! Looks at the node's surroundings and says in words what is well and what is not.

use std::{fs, path::Path, time::Duration};

use crate::{
    api::{ApiError, Check, Doctor},
    node::{Inner, unix_ms},
};

/// Free bytes below which a disk counts as nearly full.
const NEARLY_FULL: u64 = 1 << 30;
/// How long the DHT may take to answer.
const DHT_ANSWERS: Duration = Duration::from_secs(5);
/// The year 2026 began here: a clock before it is wrong.
const YEAR_2026_MS: u64 = 1_767_225_600_000;

/// Makes every check.
pub(crate) async fn examine(node: &Inner) -> Result<Doctor, ApiError> {
    let database = node.store.check().await;
    let devices = tokio::task::spawn_blocking(audio::devices).await.unwrap_or_default();
    let peers = node.network.peers();
    let relayed = peers.iter().filter(|info| info.path == net::Path::Relayed).count();
    let outside = node.network.candidates().iter().any(|addr| !addr.ip().is_loopback());
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
        network(node, outside),
        check(
            "peers",
            !peers.is_empty(),
            match peers.len() {
                0 => "nobody is connected; join a friend with `musicdao join LINK`".to_owned(),
                count => format!("{count} are connected, {relayed} of them through others"),
            },
        ),
        lan(node.settings().mdns, outside),
        dht(node).await,
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

fn network(node: &Inner, outside: bool) -> Check {
    let listens = node.network.local_addr();
    let here = listens.ip().is_loopback();
    let message = match (outside, here) {
        (true, _) => format!("listens on {listens}"),
        (false, true) => {
            format!("listens on {listens}: only this machine reaches it, as the setting `listen` says")
        }
        (false, false) => "this machine has no network: no address that others could reach".to_owned(),
    };
    check("network", outside, message)
}

fn lan(wanted: bool, outside: bool) -> Check {
    let message = match (wanted, outside) {
        (false, _) => "peers nearby are not looked for: `mdns` is off",
        (true, true) => "peers nearby are looked for",
        (true, false) => "peers nearby cannot be looked for without a network",
    };
    check("lan", outside || !wanted, message)
}

/// Whether anybody in the DHT answers tells whether there is a way to the Internet.
async fn dht(node: &Inner) -> Check {
    let Some(dht) = node.network.dht() else {
        let off = !node.settings().dht;
        return check(
            "dht",
            off,
            said(off, "peers far away are not looked for: `dht` is off", "it did not start"),
        );
    };
    let answers = tokio::time::timeout(DHT_ANSWERS, dht.ready()).await.unwrap_or(false);
    check(
        "dht",
        answers,
        said(
            answers,
            "peers far away are looked for, and the DHT answers",
            "nobody in the DHT answers: is there a way to the Internet, and does a firewall close UDP?",
        ),
    )
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
