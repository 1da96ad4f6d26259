//! How fast verified bytes move between two processes, beside BitTorrent moving the same file.

use std::{
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use node::bench::{self, Source};
use serde::{Deserialize, de::DeserializeOwned};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    task::spawn_blocking,
    time::timeout,
};

use super::{Figure, Rows, swarm::failed};
use crate::{args::BenchArgs, failure::Failure, output};

/// Times that the file is moved by each.
const RUNS: usize = 5;
/// Longest that a process may take for one step.
const PATIENCE: Duration = Duration::from_secs(300);
/// Where cargo leaves the peer that speaks BitTorrent, from the repository.
const BITTORRENT: &str = "benches/target/release/bittorrent";
/// How to build it.
const HOW: &str = "not built: cargo build --release --manifest-path benches/Cargo.toml";
/// Bytes of a MiB.
const MIB: u64 = 1 << 20;

/// What the BitTorrent peer tells that has the file.
#[derive(Deserialize)]
struct Seed {
    torrent: PathBuf,
    addr: String,
}

/// What the BitTorrent peer tells that has fetched it.
#[derive(Deserialize)]
struct Fetched {
    seconds: f64,
}

/// Measures.
///
/// # Errors
/// Those of processes, disk and standard output.
pub(super) async fn run(rows: &mut Rows, args: &BenchArgs) -> Result<(), Failure> {
    let folder = TempDir::with_prefix("musicdao-bench-")?;
    let file = folder.path().join("noise");
    let size = args.size * MIB;
    bench::noise(&file, size)?;
    let (verified, synced) = ours(folder.path(), &file).await?;
    let rate = |seconds: Vec<f64>| seconds.into_iter().map(|seconds| size as f64 / 1e6 / seconds).collect();
    let figure = |name: &str, method: &str, baseline| Figure {
        name: name.to_owned(),
        unit: "MB/s",
        method: format!("{} MiB of noise between two processes over loopback; {method}", args.size),
        baseline,
    };
    let name = "verified throughput";
    rows.add(figure(name, "until all is verified and readable", ">= 350"), rate(verified))?;
    rows.add(figure("verified and synced to disk", "until the receiver has synced it", "-"), rate(synced))?;
    let figure = figure(
        "librqbit 9, TCP",
        "pieces checked by SHA-1, written, not synced; connecting is part of it",
        "-",
    );
    match bittorrent() {
        Some(program) => rows.add(figure, rate(theirs(&program, folder.path(), &file).await?)),
        None => rows.absent(figure, HOW),
    }
}

/// Serves a file until standard input ends.
///
/// # Errors
/// Those of disk, network and standard output.
pub(super) async fn serve(file: &Path) -> Result<(), Failure> {
    let folder = TempDir::with_prefix("musicdao-bench-")?;
    let serving = bench::serve(folder.path(), file).await?;
    output::raw(format!("{}\n", output::json(&serving.source)).as_bytes())?;
    let ended = spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink()));
    ended.await.map_err(|_| failed("standard input cannot be read"))??;
    Ok(())
}

async fn ours(folder: &Path, file: &Path) -> Result<(Vec<f64>, Vec<f64>), Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--json", "bench", "source", "--file"]).arg(file);
    let (_serving, source) = started::<Source>(command).await?;
    let (mut verified, mut synced) = (Vec::new(), Vec::new());
    for run in 0..RUNS {
        let to = folder.join(format!("ours-{run}"));
        let transfer = timeout(PATIENCE, bench::take(&to, &source)).await.map_err(|_| slow())??;
        verified.push(transfer.verified.as_secs_f64());
        synced.push(transfer.synced.as_secs_f64());
        std::fs::remove_dir_all(&to)?;
    }
    Ok((verified, synced))
}

async fn theirs(program: &Path, folder: &Path, file: &Path) -> Result<Vec<f64>, Failure> {
    let mut command = Command::new(program);
    command.arg("seed").arg(file);
    let (_seeding, seed) = started::<Seed>(command).await?;
    let mut taken = Vec::new();
    for run in 0..RUNS {
        let to = folder.join(format!("theirs-{run}"));
        let mut command = Command::new(program);
        command.arg("fetch").arg(&seed.torrent).arg(&seed.addr).arg(&to);
        let (mut fetching, fetched) = started::<Fetched>(command).await?;
        taken.push(fetched.seconds);
        timeout(PATIENCE, fetching.wait()).await.map_err(|_| slow())??;
        std::fs::remove_dir_all(&to)?;
    }
    Ok(taken)
}

/// Starts a process, killed when dropped, and reads its first line.
async fn started<T: DeserializeOwned>(mut command: Command) -> Result<(Child, T), Failure> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut process = command.spawn()?;
    let stdout = process.stdout.take().ok_or_else(|| failed("the process has no output"))?;
    let mut lines = BufReader::new(stdout).lines();
    let line = timeout(PATIENCE, lines.next_line()).await.map_err(|_| slow())??.unwrap_or_default();
    let told = serde_json::from_str(&line).map_err(|_| failed("the other process failed"))?;
    Ok((process, told))
}

/// Finds the program in the repository, from its root or from where this program was built.
fn bittorrent() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    let root = program.ancestors().nth(3).map(|root| root.join(BITTORRENT));
    [Some(PathBuf::from(BITTORRENT)), root].into_iter().flatten().find(|file| file.is_file())
}

fn slow() -> node::api::ApiError {
    failed("the other process took too long")
}
