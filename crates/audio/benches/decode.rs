//! How fast each format decodes, and how long a song takes from a file to its first samples and to a place within.
//! `cargo bench -p audio` prints a table; the method stands below it.

use std::{
    fs,
    io::Cursor,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use audio::Decoder;

const SECONDS: u64 = 60;
const RUNS: usize = 15;

fn main() {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    println!(
        "{:6} {:>14} {:>12} {:>12} {:>12} {:>12}",
        "format", "x real time", "open p50", "open p95", "seek p50", "seek p95"
    );
    for (name, args) in [
        ("wav", ["-c:a", "pcm_s16le"].as_slice()),
        ("flac", &["-c:a", "flac"]),
        ("mp3", &["-c:a", "libmp3lame", "-b:a", "192k"]),
        ("ogg", &["-c:a", "libvorbis", "-q:a", "6"]),
        ("opus", &["-c:a", "libopus", "-b:a", "128k"]),
        ("m4a", &["-c:a", "aac", "-b:a", "192k"]),
    ] {
        row(name, &encode(dir.path(), name, args));
    }
    println!(
        "\n{RUNS} runs each over {SECONDS} s of stereo noise and tones in memory; open: to the first samples, seek: to 40 s."
    );
}

fn encode(dir: &Path, name: &str, args: &[&str]) -> Vec<u8> {
    let path = dir.join(format!("bench.{name}"));
    let signal = format!(
        "anoisesrc=d={SECONDS}:c=pink:a=0.2:r=48000[n];sine=440:d={SECONDS}:r=48000[s];[n][s]amix,aformat=channel_layouts=stereo"
    );
    let run = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-filter_complex", &signal])
        .args(args)
        .arg(&path)
        .status()
        .expect("ffmpeg is installed");
    assert!(run.success());
    fs::read(path).expect("ffmpeg wrote it")
}

fn row(name: &str, bytes: &[u8]) {
    let open = || Decoder::open(Box::new(Cursor::new(bytes.to_vec()))).expect("the file is whole");
    let whole = times(|| {
        let mut decoder = open();
        let start = Instant::now();
        while decoder.next_block().expect("the file is whole").is_some() {}
        start.elapsed()
    });
    let first = times(|| {
        let start = Instant::now();
        open().next_block().expect("the file is whole");
        start.elapsed()
    });
    let seek = times(|| {
        let mut decoder = open();
        decoder.next_block().expect("the file is whole");
        let start = Instant::now();
        decoder.seek(u64::from(decoder.format().sample_rate) * 40).expect("the file is whole");
        decoder.next_block().expect("the file is whole");
        start.elapsed()
    });
    let speed = SECONDS as f64 / whole[RUNS / 2].as_secs_f64();
    let [open50, open95, seek50, seek95] = [at(&first, 50), at(&first, 95), at(&seek, 50), at(&seek, 95)];
    println!("{name:6} {speed:>14.0} {open50:>12.2?} {open95:>12.2?} {seek50:>12.2?} {seek95:>12.2?}");
}

/// Durations of all runs, shortest first.
fn times(mut run: impl FnMut() -> Duration) -> Vec<Duration> {
    let mut times: Vec<_> = (0..RUNS).map(|_| run()).collect();
    times.sort_unstable();
    times
}

fn at(times: &[Duration], percent: usize) -> Duration {
    times[(times.len() - 1) * percent / 100]
}
