//! The app is measured by a browser and a window, which a script drives.

use std::path::Path;

use node::api::ApiError;
use tokio::process::Command;

use crate::{
    args::BenchArgs,
    failure::{Failure, at},
    output::Output,
};

/// Where the script is, from the project's folder.
const SCRIPT: &str = "ui/bench/app.mjs";

/// Measures the app of the project's folder with this very program as its daemon.
///
/// # Errors
/// `bench_needs_sources` elsewhere, `bench_failed` where the script ends with an error.
pub(crate) async fn run(args: &BenchArgs, output: Output) -> Result<(), Failure> {
    if !Path::new(SCRIPT).is_file() {
        let message = format!("the app is measured in the project's folder: there is no {SCRIPT} here");
        return Err(ApiError::new("bench_needs_sources", message).into());
    }
    let program = std::env::current_exe().map_err(ApiError::from)?;
    let mut script = Command::new("node");
    script.arg(SCRIPT).env("MUSICDAO", program).kill_on_drop(true);
    if output.json {
        script.arg("--lines");
    }
    if let Some(folder) = &args.report {
        std::fs::create_dir_all(folder).map_err(|error| at(folder, error))?;
        script.arg("--report").arg(folder);
    }
    let status = script.status().await.map_err(|error| at(Path::new("node"), error))?;
    if !status.success() {
        return Err(ApiError::new("bench_failed", format!("{SCRIPT} ended with {status}")).into());
    }
    Ok(())
}
