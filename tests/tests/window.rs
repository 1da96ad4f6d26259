//! The window as a person meets it: the real app on a screen nobody sees, pressed through WebDriver, with its sound
//! recorded from a card that leads nowhere.

use std::{
    env, fs,
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};
use tempfile::TempDir;
use x11rb::{
    CURRENT_TIME,
    connection::Connection,
    protocol::xproto::{AtomEnum, ClientMessageEvent, ConnectionExt, EventMask, MapState, Window},
    rust_connection::RustConnection,
};

use tests::{Daemon, Folder, PATIENCE, arg, musicdao, song};

/// Frames of sound in one measurement: a tenth of a second.
const BLOCK: usize = 4_410;
/// Louder than this is music; a null sink's silence is exact.
const MUSIC: f32 = 0.01;

/// Tells the page from one that is still empty.
const PAGE: &str = "return document.querySelector('main') !== null;";

/// A process that ends with its children when this is dropped.
struct Running(Child);

/// A screen, a session bus and a sound card that nobody else has.
struct World {
    folder: TempDir,
    display: String,
    bus: String,
    sound: Receiver<f32>,
    _running: Vec<Running>,
}

/// The app, driven.
struct App {
    agent: ureq::Agent,
    session: String,
    _driver: Running,
}

impl Drop for Running {
    fn drop(&mut self) {
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.0.wait();
    }
}

impl World {
    fn start() -> Self {
        let folder = TempDir::with_prefix("musicdao-window-").expect("the machine has room for a folder");
        let path = folder.path();
        fs::create_dir_all(path.join("run/pulse")).expect("a new folder");
        let sound = "pcm.!default { type pulse }\nctl.!default { type pulse }\n";
        fs::write(path.join("asound.conf"), sound).expect("a new file");

        let mut screen = Command::new("Xvfb");
        screen.args(["-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp"]);
        let (screen, number) = first_line(screen);
        let mut bus = Command::new("dbus-daemon");
        bus.args(["--session", "--nofork", "--nopidfile", "--print-address=1"]);
        let (bus, address) = first_line(bus);
        let socket = path.join("run/sound");
        let mut server = Command::new("pulseaudio");
        server
            .args(["-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--disable-shm=yes"])
            .arg("--load=module-null-sink sink_name=card rate=44100")
            .arg(format!("--load=module-native-protocol-unix auth-anonymous=1 socket={}", socket.display()));
        let server = spawn(private(&mut server, path).stderr(Stdio::null()));
        let (recorder, sound) = record(path);
        let display = format!(":{number}");
        Self { folder, display, bus: address, sound, _running: vec![recorder, server, bus, screen] }
    }

    /// Gives a command this world, and nothing of the machine's own.
    fn enter<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        private(command, self.folder.path())
            .env("DISPLAY", &self.display)
            .env("DBUS_SESSION_BUS_ADDRESS", &self.bus)
            .env("GDK_BACKEND", "x11")
            .env("WEBKIT_DISABLE_DMABUF_RENDERER", "1")
            .env("NO_AT_BRIDGE", "1")
            .env_remove("WAYLAND_DISPLAY")
    }

    /// Opens the app on a data folder.
    fn open(&self, data: &Path) -> App {
        let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|port| port.local_addr());
        let base = format!("http://{}", free.expect("there are free ports"));
        let port = base.rsplit(':').next().expect("an address has a port");
        let mut driver = Command::new("WebKitWebDriver");
        self.enter(&mut driver)
            .args(["--host=127.0.0.1", &format!("--port={port}")])
            .env("MUSICDAO_DATA", data)
            .env("TAURI_AUTOMATION", "true")
            .env("TAURI_WEBVIEW_AUTOMATION", "true");
        let driver = spawn(&mut driver);
        let config =
            ureq::Agent::config_builder().timeout_global(Some(PATIENCE * 2)).http_status_as_error(false);
        let agent: ureq::Agent = config.build().into();
        until("the driver", || agent.get(format!("{base}/status")).call().ok().map(drop));
        let browser = json!({ "binary": app(), "args": [] });
        let wanted = json!({ "capabilities": { "alwaysMatch": { "webkitgtk:browserOptions": browser } } });
        let opened = post(&agent, &format!("{base}/session"), &wanted);
        let session = format!("{base}/session/{}", opened["sessionId"].as_str().expect("a session"));
        let patience = json!({ "script": PATIENCE.as_millis() as u64 });
        post(&agent, &format!("{session}/timeouts"), &patience);
        App { agent, session, _driver: driver }
    }

    /// The app's window, where it is on the screen.
    fn window(&self) -> Option<(RustConnection, Window)> {
        let (screen, number) = x11rb::connect(Some(&self.display)).expect("the screen is there");
        let root = screen.setup().roots[number].root;
        let windows = screen.query_tree(root).expect("it is asked").reply().expect("it answers").children;
        let window = windows.into_iter().find(|window| is_app(&screen, *window).unwrap_or_default())?;
        Some((screen, window))
    }

    /// Closes the window by its frame's button.
    fn close_window(&self) {
        let (screen, window) = self.window().expect("the window is on the screen");
        let atom = |name: &[u8]| {
            screen.intern_atom(false, name).expect("it is asked").reply().expect("it answers").atom
        };
        let close = [atom(b"WM_DELETE_WINDOW"), CURRENT_TIME, 0, 0, 0];
        let close = ClientMessageEvent::new(32, window, atom(b"WM_PROTOCOLS"), close);
        let sent = screen.send_event(false, window, EventMask::NO_EVENT, close).expect("it is sent");
        sent.check().expect("the window takes it");
    }

    /// Waits for a second of music, or of silence.
    fn hear(&self, music: bool) {
        let began = Instant::now();
        let mut blocks = 0;
        while blocks < 10 {
            let level = self.sound.recv_timeout(PATIENCE).expect("the recorder runs");
            blocks = if (level > MUSIC) == music { blocks + 1 } else { 0 };
            assert!(
                began.elapsed() < PATIENCE,
                "waited in vain for {}",
                if music { "music" } else { "silence" }
            );
        }
    }

    /// Calls the app's player as a desktop's media keys do, and returns what it says.
    fn media_key(&self, member: &str) -> String {
        let names = self.bus_call("org.freedesktop.DBus", "/", "org.freedesktop.DBus.ListNames", &[]);
        let name = names.split('"').find(|name| name.starts_with("org.mpris.MediaPlayer2.MusicDAO"));
        let name = name.unwrap_or_else(|| panic!("no player on the bus: {names}"));
        let player = "org.mpris.MediaPlayer2.Player";
        let path = "/org/mpris/MediaPlayer2";
        match member {
            "Status" => {
                let property = [&format!("string:{player}"), "string:PlaybackStatus"].map(str::to_owned);
                self.bus_call(name, path, "org.freedesktop.DBus.Properties.Get", &property)
            }
            member => self.bus_call(name, path, &format!("{player}.{member}"), &[]),
        }
    }

    fn bus_call(&self, name: &str, path: &str, member: &str, arguments: &[String]) -> String {
        let mut call = Command::new("dbus-send");
        let name = format!("--dest={name}");
        self.enter(&mut call).args(["--session", "--print-reply", &name, path, member]).args(arguments);
        let output = call.output().expect("dbus-send comes with the bus");
        assert!(output.status.success(), "{member}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl App {
    /// Runs a script in the page until it returns something, and returns that.
    fn until(&self, what: &str, script: &str) -> Value {
        let script = format!(
            "const done = arguments[arguments.length - 1];
             const look = () => {{ const found = (() => {{ {script} }})(); if (found) done(found); return found; }};
             if (!look()) {{ const timer = setInterval(() => look() && clearInterval(timer), 20); }}"
        );
        let answer = self.try_post("execute/async", &json!({ "script": script, "args": [] }));
        answer.unwrap_or_else(|error| panic!("waited in vain for {what}: {error}\n{}", self.text()))
    }

    /// Asks the node as the page does.
    fn rpc(&self, method: &str, params: Value) -> Value {
        let mut request = json!({ "method": method });
        if !params.is_null() {
            request["params"] = params;
        }
        let script = format!(
            "const done = arguments[arguments.length - 1];
             window.__TAURI_INTERNALS__.invoke('rpc', {{ request: {request} }}).then(
               ({{ body }}) => done({{ body }}), (error) => done({{ error }}));"
        );
        let answer = self.try_post("execute/async", &json!({ "script": script, "args": [] }));
        let answer = answer.expect("the page answers");
        assert!(answer["error"].is_null(), "{method}: {answer}");
        answer["body"].clone()
    }

    /// Presses what is there, as a person does: it must be shown, and not covered.
    fn press(&self, selector: &str) {
        self.act(selector, "click", &json!({}));
    }

    /// Types into a field.
    fn write(&self, selector: &str, text: &str) {
        self.act(selector, "value", &json!({ "text": text }));
    }

    fn act(&self, selector: &str, act: &str, body: &Value) {
        let found = json!({ "using": "css selector", "value": selector });
        self.until(selector, &format!("return !!document.querySelector({});", json!(selector)));
        let element = self.try_post("element", &found).expect("it is there");
        let id = element
            .as_object()
            .and_then(|it| it.values().next())
            .and_then(Value::as_str)
            .expect("an element");
        self.try_post(&format!("element/{id}/{act}"), body)
            .unwrap_or_else(|error| panic!("{act} of {selector}: {error}"));
    }

    fn text(&self) -> String {
        let script = json!({ "script": "return document.body.innerText", "args": [] });
        self.try_post("execute/sync", &script).map_or_else(|error| error, |text| text.to_string())
    }

    fn try_post(&self, path: &str, body: &Value) -> Result<Value, String> {
        let answer = answer(&self.agent, &format!("{}/{path}", self.session), body);
        match answer["error"].as_str() {
            Some(error) => Err(format!("{error}: {}", answer["message"])),
            None => Ok(answer),
        }
    }
}

#[test]
fn a_listener_opens_the_window_plays_pauses_and_leaves() {
    let friend = Daemon::start(&[]);
    let song = song("frontiers", "flac");
    friend.run(&["publish", arg(&song), "--title", "Frontiers", "--artist", "Ann"]);
    let world = World::start();
    let data = alone();

    let began = now_ms();
    let app = world.open(data.path());
    app.until("the page", PAGE);
    let painted = app.until("the first paint", "const [it] = performance.getEntriesByType('paint'); return it && performance.timeOrigin + it.startTime;");
    let pid = pid(data.path());
    println!("painted {:.0} ms after the driver was started", painted.as_f64().expect("a time") - began);
    println!("painted {:.0} ms after the process began", painted.as_f64().expect("a time") - began_ms(pid));

    first_run(&app, &friend.invite());
    app.until("home", "return document.querySelector('a[href^=\"#/release/\"]') !== null;");
    app.press("a[href^='#/release/']");
    app.until(
        "the release",
        "return document.querySelector('article h1')?.textContent.includes('Frontiers');",
    );
    app.press("article button.primary");
    world.hear(true);
    app.until(
        "a button to pause",
        "return document.querySelector('section.bar button[aria-label=\"Pause\"]') !== null;",
    );
    assert!(world.media_key("Status").contains("Playing"));

    app.press("section.bar button[aria-label='Pause']");
    world.hear(false);
    assert!(world.media_key("Status").contains("Paused"));
    world.media_key("PlayPause");
    world.hear(true);
    app.until(
        "the button to follow the key",
        "return document.querySelector('section.bar button[aria-label=\"Pause\"]') !== null;",
    );

    // Music goes on without the window; a second start brings it back.
    world.close_window();
    until("the window to go", || world.window().is_none().then_some(()));
    world.hear(true);
    // The command line reaches the node of the window.
    assert_eq!(data.run(&["peers"])["peers"][0]["peer_id"], friend.id());
    assert!(second_start(&world, data.path()));
    assert_eq!(self::pid(data.path()), pid);

    until("the window to come back", || world.window().is_some().then_some(()));

    // Without music the app ends with its window; the folder is free again, and nothing is lost.
    app.press("section.bar button[aria-label='Pause']");
    world.hear(false);
    world.close_window();
    until("the app to end", || (!Path::new(&format!("/proc/{pid}")).exists()).then_some(()));
    assert_eq!(data.run(&["releases"])["releases"][0]["title"], "Frontiers");
}

#[test]
fn a_daemon_that_dies_under_the_window_is_replaced() {
    let daemon = alone().daemon(&[]);
    daemon.run(&["profile", "set", "--name", "Ben"]);
    let (dead, world) = (daemon.pid(), World::start());
    let app = world.open(daemon.folder().path());
    app.until("the page", PAGE);
    assert_eq!(app.rpc("profile_show", json!({ "peer": null }))["name"], "Ben");
    assert_eq!(pid(daemon.folder().path()), dead);

    let data = daemon.kill();
    let successor = until("another node", || Some(pid(data.path())).filter(|pid| *pid != dead));
    assert_eq!(app.rpc("profile_show", json!({ "peer": null }))["name"], "Ben");
    world.close_window();
    until("the app to end", || (!Path::new(&format!("/proc/{successor}")).exists()).then_some(()));
}

/// A data folder whose node meets nobody by itself.
fn alone() -> Folder {
    let folder = Folder::new();
    let settings = "dht = false\nmdns = false\nport_mapping = false\nlisten = \"127.0.0.1:0\"\n";
    fs::write(folder.path().join("config.toml"), settings).expect("a new file");
    folder
}

/// Passes the first run as a person does: a name, who can see what, a friend's link.
fn first_run(app: &App, invite: &str) {
    const NEXT: &str = "button[form='step']:enabled";
    app.write("input[autocomplete='nickname']", "Ben");
    app.press(NEXT);
    app.until("the second step", "return document.querySelector('[role=switch]') !== null;");
    app.press(NEXT);
    app.write("input[autocapitalize='none']", invite);
    app.press("form .button.primary:enabled");
    until("the friend's release", || {
        let list = app.rpc("releases", json!({}));
        (list["total"] != json!(0)).then_some(())
    });
    app.press(NEXT);
    assert_eq!(app.rpc("profile_show", json!({ "peer": null }))["name"], "Ben");
}

/// Starts the app once more on the same folder; it must give way to the one that runs.
fn second_start(world: &World, data: &Path) -> bool {
    let mut second = Command::new(app());
    world.enter(&mut second).env("MUSICDAO_DATA", data);
    let mut second = spawn(&mut second);
    let began = Instant::now();
    loop {
        if let Some(status) = second.0.try_wait().expect("the child is ours") {
            return status.success();
        }
        assert!(began.elapsed() < PATIENCE, "the second app does not give way");
        thread::yield_now();
    }
}

/// The process that serves a data folder.
fn pid(data: &Path) -> u32 {
    until("the node", || {
        let address: Value = serde_json::from_slice(&fs::read(data.join("daemon.json")).ok()?).ok()?;
        u32::try_from(address["pid"].as_u64()?).ok()
    })
}

/// Tells the app's window from the small ones by which programs talk to the desktop.
fn is_app(screen: &RustConnection, window: Window) -> Option<bool> {
    let class =
        screen.get_property(false, window, AtomEnum::WM_CLASS, AtomEnum::STRING, 0, 64).ok()?.reply().ok()?;
    let shown = screen.get_window_attributes(window).ok()?.reply().ok()?.map_state == MapState::VIEWABLE;
    let width = screen.get_geometry(window).ok()?.reply().ok()?.width;
    Some(shown && width >= 360 && class.value.starts_with(b"musicdao-app"))
}

/// When a process began, in Unix milliseconds, to the kernel's hundredth of a second.
fn began_ms(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let after_name = stat.rsplit(')').next().expect("a name in brackets");
    let ticks: f64 =
        after_name.split_whitespace().nth(19).and_then(|it| it.parse().ok()).expect("a start time");
    let uptime = fs::read_to_string("/proc/uptime").expect("the kernel counts");
    let uptime: f64 = uptime.split(' ').next().and_then(|it| it.parse().ok()).expect("seconds");
    now_ms() - uptime * 1000.0 + ticks * 10.0
}

fn now_ms() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970").as_secs_f64() * 1000.0
}

/// Points a command at this world's sound server and folders.
fn private<'a>(command: &'a mut Command, folder: &Path) -> &'a mut Command {
    command
        .env("HOME", folder)
        .env("XDG_RUNTIME_DIR", folder.join("run"))
        .env("XDG_CONFIG_HOME", folder.join("config"))
        .env("XDG_DATA_HOME", folder.join("share"))
        .env("XDG_CACHE_HOME", folder.join("cache"))
        .env("PULSE_RUNTIME_PATH", folder.join("run/pulse"))
        .env("PULSE_SERVER", format!("unix:{}", folder.join("run/sound").display()))
        .env("ALSA_CONFIG_PATH", folder.join("asound.conf"))
        .stdin(Stdio::null())
}

fn spawn(command: &mut Command) -> Running {
    let name = command.get_program().to_string_lossy().into_owned();
    let child = command.process_group(0).spawn();
    Running(child.unwrap_or_else(|error| panic!("{name}: {error}; `make test` installs it")))
}

/// Starts a server that tells on its first line where it is.
fn first_line(mut command: Command) -> (Running, String) {
    let mut running = spawn(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()));
    let mut line = String::new();
    let output = running.0.stdout.take().expect("it is piped");
    BufReader::new(output).read_line(&mut line).expect("it tells where it is");
    assert!(!line.trim().is_empty(), "it told nothing");
    (running, line.trim().to_owned())
}

/// Records what comes out of the card, as levels.
fn record(folder: &Path) -> (Running, Receiver<f32>) {
    until("the sound server", || {
        let mut asked = Command::new("pactl");
        private(&mut asked, folder).arg("info").output().is_ok_and(|it| it.status.success()).then_some(())
    });
    let mut recorder = Command::new("parec");
    private(&mut recorder, folder)
        .args([
            "--device=card.monitor",
            "--rate=44100",
            "--channels=2",
            "--format=s16le",
            "--latency-msec=20",
        ])
        .stdout(Stdio::piped());
    let mut recorder = spawn(&mut recorder);
    let mut sound = recorder.0.stdout.take().expect("it is piped");
    let (sender, levels) = mpsc::channel();
    thread::spawn(move || {
        let mut block = [0; BLOCK * 4];
        while sound.read_exact(&mut block).is_ok() && sender.send(level(&block)).is_ok() {}
    });
    (recorder, levels)
}

/// Root mean square of 16-bit samples.
fn level(block: &[u8]) -> f32 {
    let samples = block.chunks_exact(2).map(|it| f32::from(i16::from_le_bytes([it[0], it[1]])) / 32_768.0);
    (samples.map(|it| it * it).sum::<f32>() / (block.len() / 2) as f32).sqrt()
}

fn post(agent: &ureq::Agent, url: &str, body: &Value) -> Value {
    let answer = answer(agent, url, body);
    assert!(answer["error"].is_null(), "{url}: {answer}");
    answer
}

fn answer(agent: &ureq::Agent, url: &str, body: &Value) -> Value {
    let mut answer = agent.post(url).send_json(body).unwrap_or_else(|error| panic!("{url}: {error}"));
    let mut answer: Value = answer.body_mut().read_json().unwrap_or_else(|error| panic!("{url}: {error}"));
    answer["value"].take()
}

/// Looks again and again until there is something to see.
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "waited in vain for {what}");
        thread::yield_now();
    }
}

/// The app under test: that of `MUSICDAO_APP`, or else the one built beside the tests, with the page in it.
fn app() -> PathBuf {
    if let Some(installed) = env::var_os("MUSICDAO_APP") {
        return installed.into();
    }
    let app = musicdao().with_file_name(format!("musicdao-app{}", env::consts::EXE_SUFFIX));
    assert!(app.exists(), "{} is missing: cargo build -p src-tauri", app.display());
    app
}
