//! How soon a node that has just been started shows what another one in the same local network has.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use node::{
    Settings,
    api::{Publish, Published, Request},
};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tokio::{process::Command, time::sleep};

use super::{
    Figure, Rows, songs,
    stream::millis,
    swarm::{Daemon, alone, ask, failed},
};
use crate::{failure::Failure, output};

/// Nodes that are started one after another.
const STARTS: usize = 10;
/// Between two starts. Whoever has answered a question in the last second stays silent (RFC 6762, section 6), and a
/// LAN's nodes are not started in the same second.
const PAUSE: Duration = Duration::from_secs(2);
/// Longest that all starts together may take.
const LONGEST: Duration = Duration::from_secs(180);
/// A network of its own: a pair of virtual cards, one of them with an address, on which multicast works.
const NETWORK: &str = "ip link set lo up && ip link add lan type veth peer name far && ip addr add 10.77.0.1/24 dev lan \
                       && ip link set far up && ip link set lan up && ip route add default dev lan && exec \"$@\"";
/// Keeps these nodes apart from others of this machine.
const SUFFIX: &str = "bench";

/// What the process inside the namespace tells.
#[derive(Serialize, Deserialize)]
struct Starts {
    ms: Vec<f64>,
}

/// Measures in a network namespace, so that nothing reaches the real network.
///
/// # Errors
/// Those of standard output.
pub(super) async fn run(rows: &mut Rows) -> Result<(), Failure> {
    let figure = Figure {
        name: "start of a node in a LAN to its first foreign release".to_owned(),
        unit: "ms",
        method: format!(
            "daemon processes in a network namespace, DHT off, started {} s apart; from starting the process to the \
             event in its output",
            PAUSE.as_secs()
        ),
        baseline: "<= 1000; the prototype 10000",
    };
    match again().await {
        Ok(starts) => rows.add(figure, starts.ms),
        Err(reason) => rows.absent(figure, &reason),
    }
}

/// Measures where this process is in a namespace already.
///
/// # Errors
/// Those of daemons, disk and standard output.
pub(super) async fn inside() -> Result<(), Failure> {
    let folder = TempDir::with_prefix("musicdao-bench-")?;
    let song = folder.path().join("tone.wav");
    songs::tone(&song, 1, 0)?;
    let first = start("artist", &folder).await?;
    let publish = Publish {
        paths: vec![song],
        license: Some("CC0-1.0".to_owned()),
        rights_declared: true,
        ..Publish::default()
    };
    ask::<Published>(&first.remote().await?, Request::Publish(publish)).await?;
    let mut ms = Vec::with_capacity(STARTS);
    for number in 0..STARTS {
        let name = format!("listener-{number}");
        sleep(PAUSE).await;
        let began = Instant::now();
        let mut listener = start(&name, &folder).await?;
        listener.until("release").await?;
        ms.push(millis(began.elapsed()));
        listener.end().await?;
    }
    output::raw(format!("{}\n", output::json(&Starts { ms })).as_bytes())
}

async fn start(name: &str, folder: &TempDir) -> Result<Daemon, Failure> {
    let data = folder.path().join(name);
    std::fs::create_dir_all(&data)?;
    Settings { mdns: true, mdns_suffix: SUFFIX.to_owned(), ..alone() }.save(&data)?;
    Daemon::start(data, &[]).await
}

/// Runs this program again in a network of its own; the reason where that is refused or fails.
async fn again() -> Result<Starts, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new("unshare");
    command.args(["-rn", "sh", "-c", NETWORK, "sh"]).arg(program).args(["--json", "bench", "lan"]);
    let measuring = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = match tokio::time::timeout(LONGEST, measuring).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(format!("unshare does not start: {error}")),
        Err(_) => return Err(failed("no node found another in time").message),
    };
    let told = String::from_utf8_lossy(&output.stdout);
    let last = told.lines().last().unwrap_or_default();
    serde_json::from_str(last).map_err(|_| {
        let errors = String::from_utf8_lossy(&output.stderr);
        format!("no network namespace: {}", errors.lines().last().unwrap_or("refused"))
    })
}
