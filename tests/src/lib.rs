//! Drives real `musicdao` processes the way a person or a script does.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

pub mod dao;
pub mod money;

/// Longest wait for anything: long enough for a busy machine, short enough to end a test that hangs.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A running daemon on a data folder of its own; killed when dropped.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    folder: Folder,
    events: Receiver<Value>,
    /// The first line it printed.
    pub ready: Value,
}

/// A data folder, with or without a daemon.
#[derive(Debug)]
pub struct Folder(TempDir);

impl Folder {
    /// Makes an empty data folder.
    pub fn new() -> Self {
        Self(TempDir::with_prefix("musicdao-test-").expect("the machine has room for a folder"))
    }

    /// Makes an empty data folder inside another.
    pub fn within(parent: &Path) -> Self {
        Self(TempDir::with_prefix_in("musicdao-test-", parent).expect("the folder has room"))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Runs a command to its end.
    pub fn output(&self, args: &[&str]) -> Output {
        let mut command = Command::new(musicdao());
        command.arg("--data").arg(self.path()).arg("--json").args(args).stdin(Stdio::null());
        command.output().expect("musicdao starts")
    }

    /// Runs a command that must succeed, and reads the last line it prints.
    pub fn run(&self, args: &[&str]) -> Value {
        let output = self.output(args);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "musicdao {args:?}: {errors}");
        let text = String::from_utf8(output.stdout).expect("JSON is UTF-8");
        let last = text.lines().last().unwrap_or_default();
        serde_json::from_str(last).unwrap_or_else(|error| panic!("musicdao {args:?}: {error}: {text}"))
    }

    /// Runs a command that must fail with exit code 1, and returns the error's stable code.
    pub fn fail(&self, args: &[&str]) -> String {
        let output = self.output(args);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "musicdao {args:?}: {errors}");
        let last = errors.lines().last().unwrap_or_default();
        let error: Value =
            serde_json::from_str(last).unwrap_or_else(|_| panic!("musicdao {args:?}: {errors}"));
        assert!(!error["error"]["message"].as_str().expect("words").is_empty());
        error["error"]["code"].as_str().expect("a code").to_owned()
    }

    /// Starts the daemon on loopback, without DHT and LAN discovery.
    pub fn daemon(self, args: &[&str]) -> Daemon {
        let alone = ["--no-dht", "--no-mdns", "--listen", "127.0.0.1:0"];
        self.daemon_with(Command::new(musicdao()), &[&alone, args].concat())
    }

    /// Starts the daemon by a command of one's own, such as one that enters a namespace first.
    pub fn daemon_with(self, mut command: Command, args: &[&str]) -> Daemon {
        command.arg("--data").arg(self.path()).args(["--json", "daemon"]).args(args);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("musicdao starts");
        let (sender, events) = mpsc::channel();
        let lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let event = serde_json::from_str(&line).unwrap_or(Value::String(line));
                if sender.send(event).is_err() {
                    return;
                }
            }
        });
        let Ok(ready) = events.recv_timeout(PATIENCE) else {
            let output = child.wait_with_output().expect("the child can be waited for");
            panic!("the daemon did not start: {}", String::from_utf8_lossy(&output.stderr));
        };
        assert_eq!(ready["event"], "ready", "{ready}");
        Daemon { child, folder: self, events, ready }
    }
}

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

impl Daemon {
    /// Starts a daemon on a new folder, joined to others by their links.
    pub fn start(friends: &[&Daemon]) -> Self {
        let links: Vec<String> = friends.iter().map(|friend| friend.invite()).collect();
        let args: Vec<&str> = links.iter().flat_map(|link| ["--peer", link]).collect();
        Folder::new().daemon(&args)
    }

    /// Its link.
    pub fn invite(&self) -> String {
        self.ready["invite"].as_str().expect("a link").to_owned()
    }

    /// Its id.
    pub fn id(&self) -> &str {
        self.ready["peer_id"].as_str().expect("an id")
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its data folder; commands can be run on it from any thread.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// See [`Folder::run`].
    pub fn run(&self, args: &[&str]) -> Value {
        self.folder.run(args)
    }

    /// See [`Folder::fail`].
    pub fn fail(&self, args: &[&str]) -> String {
        self.folder.fail(args)
    }

    /// Waits until something holds, looking again whenever the daemon tells an event, and at times without one.
    pub fn until<T>(&self, what: &str, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            assert!(began.elapsed() < PATIENCE, "{}: waited in vain for {what}", self.id());
            match self.events.recv_timeout(Duration::from_secs(1)) {
                Ok(_) => while self.events.try_recv().is_ok() {},
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => panic!("the daemon ended while waiting for {what}"),
            }
        }
    }

    /// Waits until it tells a certain event.
    pub fn until_event(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            match self.events.recv_timeout(PATIENCE.saturating_sub(began.elapsed())) {
                Ok(event) if is_it(&event) => return event,
                Ok(_) => {}
                Err(error) => panic!("{}: waited in vain for {what}: {error}", self.id()),
            }
        }
    }

    /// Returns what it has told since somebody last listened.
    pub fn told(&self) -> Vec<Value> {
        self.events.try_iter().collect()
    }

    /// Waits for so many releases and returns their ids in order.
    pub fn until_releases(&self, count: usize) -> Vec<String> {
        self.until(&format!("{count} releases"), |daemon| {
            let ids = daemon.releases();
            (ids.len() >= count).then_some(ids)
        })
    }

    /// Waits until the blob folder holds so many bytes, or the daemon has nothing under way that would add any.
    pub fn wait_for_stored(&self, bytes: u64) {
        self.until("bytes in the blob folder", |daemon| {
            let stored = stored(&daemon.folder.path().join("blobs"));
            (stored >= bytes || !daemon.releases().is_empty()).then_some(())
        });
    }

    /// The ids of all releases, in order.
    pub fn releases(&self) -> Vec<String> {
        let list = self.run(&["releases", "--limit", "1000"]);
        let releases = list["releases"].as_array().expect("a list");
        let mut ids: Vec<String> =
            releases.iter().map(|one| one["release_id"].as_str().expect("an id").to_owned()).collect();
        ids.sort();
        ids
    }

    /// Ends it as a crash would, and keeps the folder.
    pub fn kill(mut self) -> Folder {
        self.child.kill().expect("the child is ours");
        self.child.wait().expect("the child can be waited for");
        self.leave()
    }

    /// Ends it as a service manager would; it must end cleanly within 5 seconds.
    pub fn stop(mut self) -> Folder {
        let status = Command::new("kill").arg(self.pid().to_string()).status().expect("kill starts");
        assert!(status.success());
        assert!(self.wait(Duration::from_secs(5)).expect("it ends within 5 s").success());
        self.leave()
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    /// Waits until it ends by itself, and tells its exit code.
    pub fn ended(mut self) -> (Option<i32>, Folder) {
        let status = self.wait(PATIENCE).expect("it ends");
        (status.code(), self.leave())
    }

    fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        let began = Instant::now();
        // Its output ends when it does.
        while self.events.recv_timeout(patience.saturating_sub(began.elapsed())).is_ok() {}
        self.child
            .try_wait()
            .expect("the child is ours")
            .or_else(|| (began.elapsed() < patience).then(|| self.child.wait().expect("the child is ours")))
    }

    fn leave(mut self) -> Folder {
        std::mem::take(&mut self.folder)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn stored(folder: &Path) -> u64 {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).map(|meta| meta.len()).sum()
}

/// The program under test: built beside the tests.
pub fn musicdao() -> PathBuf {
    let tests = env::current_exe().expect("a test knows where it is");
    let folder = tests.ancestors().nth(2).expect("target/debug/deps/test");
    let program = folder.join(format!("musicdao{}", env::consts::EXE_SUFFIX));
    assert!(program.exists(), "{} is missing: cargo build -p cli", program.display());
    program
}

/// A real song of Debian's package `asc-music`, as mp3 or transcoded: `mp3 flac ogg opus wav m4a`.
pub fn song(name: &str, extension: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests is in the workspace");
    let path = root.join(format!("target/fixtures/{name}.{extension}"));
    assert!(path.exists(), "{} is missing: cargo xtask fixtures", path.display());
    path
}

/// The three songs.
pub const SONGS: [&str; 3] = ["frontiers", "machine_wars", "time_to_strike"];

/// BLAKE3 of a file, as `b3sum` prints it.
pub fn blake3(path: &Path) -> String {
    blake3::hash(&fs::read(path).expect("the file can be read")).to_string()
}

/// Returns a folder on a disk of so many megabytes. The disk is within a namespace, where the calling test is run again:
/// outside of it there is nothing left to do, and `None` is returned.
///
/// # Panics
/// When the test fails within the namespace.
pub fn small_disk(test: &str, megabytes: u32) -> Option<PathBuf> {
    const INSIDE: &str = "MUSICDAO_TEST_SMALL_DISK";
    if let Some(disk) = env::var_os(INSIDE) {
        return Some(disk.into());
    }
    if !Command::new("unshare").args(["-rm", "true"]).status().is_ok_and(|status| status.success()) {
        println!("skipped: no namespaces");
        return None;
    }
    let disk = Folder::new();
    let script = "mount -t tmpfs -o size=\"$1\" small \"$2\" && shift 2 && exec \"$@\"";
    let status = Command::new("unshare")
        .args(["-rm", "sh", "-c", script, "sh", &format!("{megabytes}m"), arg(disk.path())])
        .arg(env::current_exe().expect("a test is a program"))
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, disk.path())
        .status();
    assert!(status.expect("it was there before").success(), "{test} failed on its small disk");
    None
}

/// A path as an argument.
pub fn arg(path: &Path) -> &str {
    path.to_str().expect("the tests' paths are UTF-8")
}
