//! Runs a test again inside network namespaces of its own, where it is root over interfaces and routes.

use std::process::{Command, Stdio};

/// Set inside; its value says which part of the test a process plays.
const ROLE: &str = "NET_TEST_ROLE";
/// What a machine that refuses namespaces is told, and what the gate looks for.
const SKIPPED: &str = "skipped: no namespaces";

/// Returns the part to play inside, or runs `script` in a new namespace and returns `None`. The script finds
/// this binary in `$BIN` and its arguments for this test in `$ARGS`.
pub(crate) fn role(test: &str, script: &str) -> Option<String> {
    if let Ok(role) = std::env::var(ROLE) {
        return Some(role);
    }
    let allowed = Command::new("unshare").args(["-rnm", "true"]).stderr(Stdio::null()).status();
    if !allowed.is_ok_and(|status| status.success()) {
        println!("{SKIPPED}");
        return None;
    }
    let status = Command::new("unshare")
        .args(["-rnm", "sh", "-euc", script])
        .env("BIN", std::env::current_exe().unwrap())
        .env("ARGS", format!("--exact {test} --nocapture"))
        .status()
        .unwrap();
    assert!(status.success(), "the part inside the namespace failed: {status}");
    None
}

/// Runs the asynchronous part of a test.
pub(crate) fn block_on(future: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(2).build();
    runtime.unwrap().block_on(future);
}
