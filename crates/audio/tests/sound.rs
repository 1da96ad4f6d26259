//! Sound really comes out: a PulseAudio server of our own with a card that leads nowhere, whose output is recorded.
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    env, fs,
    io::Read,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use audio::{Event, Output, Playback, Player};
use common::*;

/// Set in the process that plays through the private server.
const INSIDE: &str = "MUSICDAO_TEST_SOUND";
const RATE: u32 = 44_100;
const SECONDS: usize = 3;

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Points a command at the private server in `dir` and at nothing else.
fn private<'a>(command: &'a mut Command, dir: &Path) -> &'a mut Command {
    command
        .env("HOME", dir)
        .env("XDG_RUNTIME_DIR", dir)
        .env("XDG_CONFIG_HOME", dir)
        .env("PULSE_RUNTIME_PATH", dir.join("pulse"))
        .env("PULSE_SERVER", format!("unix:{}", dir.join("socket").display()))
        .env("ALSA_CONFIG_PATH", dir.join("asound.conf"))
        .env_remove("DBUS_SESSION_BUS_ADDRESS")
        .stdin(Stdio::null())
}

/// Starts the server and waits until it answers; `None` where there is no PulseAudio.
fn server(dir: &Path) -> Option<Running> {
    fs::create_dir_all(dir.join("pulse")).unwrap();
    fs::write(dir.join("asound.conf"), "pcm.!default { type pulse }\nctl.!default { type pulse }\n").unwrap();
    let socket = format!(
        "--load=module-native-protocol-unix auth-anonymous=1 socket={}",
        dir.join("socket").display()
    );
    let server = private(&mut Command::new("pulseaudio"), dir)
        .args(["-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--disable-shm=yes"])
        .args(["--load=module-null-sink sink_name=card rate=44100", &socket])
        .stderr(Stdio::null())
        .spawn();
    let server = Running(server.ok()?);
    let deadline = Instant::now() + PATIENCE;
    let answers = || {
        let asked = private(&mut Command::new("pactl"), dir).arg("info").output();
        asked.is_ok_and(|output| output.status.success())
    };
    while !answers() {
        assert!(Instant::now() < deadline, "the sound server does not answer");
        std::thread::yield_now();
    }
    Some(server)
}

/// Runs one test of this file again, in the private world.
fn inside(dir: &Path, test: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    private(&mut command, dir).args(["--exact", test, "--nocapture"]).env(INSIDE, dir);
    command
}

fn succeed(mut command: Command) {
    let output = command.output().unwrap();
    let words = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&words));
}

#[test]
fn a_tone_comes_out_of_the_default_device() {
    if let Some(dir) = env::var_os(INSIDE) {
        return play_tone(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    let Some(_server) = server(dir.path()) else {
        println!("skipped: no pulseaudio");
        return;
    };
    let recorder = private(&mut Command::new("parec"), dir.path())
        .args([
            "--device=card.monitor",
            "--rate=44100",
            "--channels=2",
            "--format=s16le",
            "--latency-msec=20",
        ])
        .stdout(Stdio::piped())
        .spawn();
    let mut recorder = Running(recorder.expect("parec comes with pactl"));
    let mut sound = recorder.0.stdout.take().unwrap();
    // The monitor gives silence while nothing plays: the first bytes say that it records.
    let mut first = [0; 4096];
    sound.read_exact(&mut first).unwrap();
    let recording = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        while !is_over(&bytes) {
            let mut more = [0; 4096];
            sound.read_exact(&mut more).unwrap();
            bytes.extend(more);
        }
        bytes
    });
    succeed(inside(dir.path(), "a_tone_comes_out_of_the_default_device"));
    let bytes = recording.join().unwrap();
    let frames: Vec<f32> = bytes
        .chunks_exact(4)
        .map(|frame| f32::from(i16::from_le_bytes([frame[0], frame[1]])) / 32_768.0)
        .collect();
    check(&frames);
}

/// Says whether a sound was followed by half a second of silence, or there was none for far too long.
fn is_over(bytes: &[u8]) -> bool {
    let silent = |bytes: &[u8]| bytes.chunks_exact(2).all(|sample| sample[1] == 0 || sample[1] == 0xff);
    let half = RATE as usize / 2 * 4;
    bytes.len() > half * 120 || bytes.len() > half && silent(&bytes[bytes.len() - half..]) && !silent(bytes)
}

/// The tone as it was recorded: its length, its level, its pitch. A busy machine may tear holes into it; what counts is
/// what is between them.
fn check(frames: &[f32]) {
    let window = RATE as usize / 100;
    let loud = |window: &&[f32]| rms(window.iter().copied()) > 0.1;
    let seconds = frames.chunks(window).filter(loud).count() as f32 / 100.0;
    assert!((seconds - SECONDS as f32).abs() < 0.25, "{seconds} seconds came out");
    let runs = frames.chunks(window).collect::<Vec<_>>();
    let longest = runs.split(|window| !loud(window)).max_by_key(|run| run.len()).expect("there are windows");
    assert!(longest.len() > 20, "only {} ms without a hole", longest.len() * 10);
    let tone = longest[1..longest.len() - 1].concat();
    let level = rms(tone.iter().copied());
    assert!((level - 0.5 / std::f32::consts::SQRT_2).abs() < 0.02, "level {level}");
    let rises = tone.windows(2).filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0).count();
    let pitch = rises as f32 / (tone.len() as f32 / RATE as f32);
    assert!((pitch - 440.0).abs() < 8.0, "pitch {pitch}");
}

fn play_tone(dir: &Path) {
    let sine = |at: usize| (at as f32 * 440.0 * std::f32::consts::TAU / RATE as f32).sin();
    let tone: Vec<i16> =
        (0..RATE as usize * SECONDS).flat_map(|at| [(sine(at) * 16_384.0) as i16; 2]).collect();
    let path = encode(dir, "tone.flac", RATE, &tone);
    let (player, events) = Player::new(Files, Output::Default);
    player.play_all([path], 0);
    let seen = events_until(&events, |event| matches!(event, Event::Finished | Event::Problem { .. }));
    assert_eq!(problems(&seen), [""; 0], "{seen:?}");
    let state = player.close();
    println!("first sound after {:?}, {} underruns", state.first_sound, state.underruns);
    assert!(state.first_sound.is_some());
    assert_eq!(state.heard, Duration::from_secs(SECONDS as u64));
}

#[test]
fn a_device_that_goes_away_pauses_and_says_so() {
    if env::var_os(INSIDE).is_some() {
        return lose_device();
    }
    let dir = tempfile::tempdir().unwrap();
    let Some(server) = server(dir.path()) else {
        println!("skipped: no pulseaudio");
        return;
    };
    let mut player = inside(dir.path(), "a_device_that_goes_away_pauses_and_says_so");
    let mut player = Running(player.stdout(Stdio::piped()).spawn().unwrap());
    let mut words = String::new();
    let mut lines = std::io::BufReader::new(player.0.stdout.take().unwrap());
    while !words.contains("playing") {
        assert_ne!(std::io::BufRead::read_line(&mut lines, &mut words).unwrap(), 0, "{words}");
    }
    drop(server);
    lines.read_to_string(&mut words).unwrap();
    assert!(player.0.wait().unwrap().success(), "{words}");
}

fn lose_device() {
    let long = Song::new("long", wav(RATE, &sweep(RATE, RATE as usize * 60)));
    let (player, events) = Player::new(Songs, Output::Default);
    player.play_all([long], 0);
    events_until(&events, |event| matches!(event, Event::FirstSound(_)));
    println!("playing");
    let seen = events_until(&events, |event| matches!(event, Event::Problem { .. }));
    assert_eq!(problems(&seen), ["sound_device_lost"]);
    assert_eq!(player.state().playback, Playback::Paused);
    player.set_output(Output::Null);
    player.play();
    events_until(&events, |event| matches!(event, Event::Finished));
}

#[test]
fn without_a_sound_card_the_player_says_so_and_stays_usable() {
    if env::var_os(INSIDE).is_none() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("asound.conf"), "").unwrap();
        return succeed(inside(dir.path(), "without_a_sound_card_the_player_says_so_and_stays_usable"));
    }
    let (player, events) = Player::new(Songs, Output::Default);
    player.play_all([Song::new("short", wav(RATE, &sweep(RATE, 10_000)))], 0);
    let seen = events_until(&events, |event| *event == Event::Playback(Playback::Paused));
    assert_eq!(problems(&seen), ["no_sound_device"], "{seen:?}");
    assert!(audio::devices().is_empty());
    player.set_output(Output::Null);
    player.play();
    events_until(&events, |event| matches!(event, Event::Finished));
}
