//! Signals, files made of them with ffmpeg, and a player that is waited for.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub, reason = "each test file uses a part")]

use std::{
    io::{self, Cursor, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Condvar, Mutex, mpsc::Receiver},
    time::Duration,
};

use audio::{Control, Decoder, Error, Event, FileSource, Gain, Opener, Output, Player, Source, Track};

/// Far more than anything here takes.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The formats that are played: file name extension, arguments for ffmpeg, whether samples survive unchanged.
pub const FORMATS: [(&str, &[&str], bool); 7] = [
    ("wav", &["-c:a", "pcm_s16le"], true),
    ("flac", &["-c:a", "flac"], true),
    ("mp3", &["-c:a", "libmp3lame", "-b:a", "320k"], false),
    ("ogg", &["-c:a", "libvorbis", "-q:a", "9"], false),
    ("opus", &["-c:a", "libopus", "-b:a", "256k"], false),
    ("m4a", &["-c:a", "aac", "-b:a", "256k"], false),
    ("mp4", &["-c:a", "aac", "-b:a", "256k", "-movflags", "+faststart"], false),
];

/// A stereo signal of 16-bit samples in which every place is distinct: two slow sweeps.
pub fn sweep(rate: u32, frames: usize) -> Vec<i16> {
    let tone = |at: usize, base: f64, slope: f64| {
        let time = at as f64 / f64::from(rate);
        ((time * (base + slope * time) * std::f64::consts::TAU).sin() * 12_000.0) as i16
    };
    (0..frames).flat_map(|at| [tone(at, 220.0, 40.0), tone(at, 500.0, 25.0)]).collect()
}

pub fn write_wav(path: &Path, rate: u32, channels: u16, samples: &[i16]) {
    let spec = hound::WavSpec {
        channels,
        sample_rate: rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(path, spec).unwrap();
    samples.iter().for_each(|sample| wav.write_sample(*sample).unwrap());
    wav.finalize().unwrap();
}

pub fn read_wav(path: &Path) -> (u32, Vec<i16>) {
    let mut wav = hound::WavReader::open(path).unwrap();
    assert_eq!((wav.spec().channels, wav.spec().bits_per_sample), (2, 16));
    (wav.spec().sample_rate, wav.samples().map(Result::unwrap).collect())
}

/// Encodes samples as `name`, whose extension chooses the format among [`FORMATS`].
pub fn encode(dir: &Path, name: &str, rate: u32, samples: &[i16]) -> PathBuf {
    let path = dir.join(name);
    let extension = path.extension().unwrap().to_str().unwrap();
    let (_, args, _) = FORMATS.iter().find(|(format, ..)| *format == extension).unwrap();
    let plain = dir.join(format!("{name}.plain.wav"));
    write_wav(&plain, rate, 2, samples);
    ffmpeg(&[&["-i", plain.to_str().unwrap()], *args, &[path.to_str().unwrap()]].concat());
    path
}

pub fn ffmpeg(args: &[&str]) {
    let done =
        Command::new("ffmpeg").args(["-v", "error", "-y"]).args(args).output().expect("ffmpeg is installed");
    assert!(done.status.success(), "ffmpeg {args:?}: {}", String::from_utf8_lossy(&done.stderr));
}

pub fn open(path: &Path) -> Decoder {
    Decoder::open(Box::new(FileSource::open(path).unwrap())).unwrap()
}

/// Decodes the rest; checks that blocks follow each other without a hole.
pub fn rest(decoder: &mut Decoder) -> Vec<f32> {
    let mut samples = Vec::new();
    let mut expected = decoder.position();
    while let Some(block) = decoder.next_block().unwrap() {
        assert_eq!(block.at, expected);
        samples.extend_from_slice(block.samples);
        expected += block.samples.len() as u64 / 2;
    }
    samples
}

pub fn floats(samples: &[i16]) -> Vec<f32> {
    samples.iter().map(|sample| f32::from(*sample) / 32_768.0).collect()
}

/// Compares samples and tells only where they differ first.
#[track_caller]
pub fn assert_same(one: &[i16], other: &[i16]) {
    let first = one.iter().zip(other).position(|(one, other)| one != other);
    assert!(
        first.is_none() && one.len() == other.len(),
        "{} and {} samples, {first:?} differs",
        one.len(),
        other.len()
    );
}

pub fn rms(samples: impl IntoIterator<Item = f32>) -> f32 {
    let (sum, count) =
        samples.into_iter().fold((0.0, 0u32), |(sum, count), sample| (sum + sample * sample, count + 1));
    (sum / count.max(1) as f32).sqrt()
}

/// Root mean square of the difference.
pub fn difference(one: &[f32], other: &[f32]) -> f32 {
    assert_eq!(one.len(), other.len());
    rms(one.iter().zip(other).map(|(one, other)| one - other))
}

/// Plays files as they are.
pub struct Files;

impl Opener<PathBuf> for Files {
    fn open(&self, item: &PathBuf) -> Result<Track, Error> {
        Ok(Track::new(FileSource::open(item)?))
    }
}

/// Returns the events up to and with the first that `last` accepts.
pub fn events_until<T: std::fmt::Debug>(
    events: &Receiver<Event<T>>,
    last: impl Fn(&Event<T>) -> bool,
) -> Vec<Event<T>> {
    let mut seen = Vec::new();
    loop {
        let event = events.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("{error} after {seen:?}"));
        let done = last(&event);
        seen.push(event);
        if done {
            return seen;
        }
    }
}

/// Plays items into a file, with the player prepared by `prepare`, and returns what is in it.
pub fn record<T: Clone + Send + std::fmt::Debug + 'static>(
    dir: &Path,
    opener: impl Opener<T>,
    items: Vec<T>,
    prepare: impl FnOnce(&Player<T>),
) -> (u32, Vec<i16>, Vec<Event<T>>) {
    let path = dir.join("recorded.wav");
    // That of an earlier recording in the same folder would not be written over.
    let _ = std::fs::remove_file(&path);
    let (player, events) = Player::new(opener, Output::Wav(path.clone()));
    prepare(&player);
    player.play_all(items, 0);
    let seen = events_until(&events, |event| matches!(event, Event::Finished | Event::Slept));
    player.close();
    let (rate, samples) = read_wav(&path);
    (rate, samples, seen)
}

/// Bytes that arrive when the test says so.
#[derive(Clone, Default)]
pub struct Arrival(Arc<(Mutex<Arrived>, Condvar)>);

#[derive(Default)]
struct Arrived {
    bytes: usize,
    interrupted: bool,
    waiting: bool,
    failure: Option<io::ErrorKind>,
}

impl Arrival {
    pub fn all() -> Self {
        let arrival = Self::default();
        arrival.up_to(usize::MAX);
        arrival
    }

    pub fn up_to(&self, bytes: usize) {
        self.change(|arrived| arrived.bytes = bytes);
    }

    /// Reads that would wait fail instead.
    pub fn fail(&self, kind: io::ErrorKind) {
        self.change(|arrived| arrived.failure = Some(kind));
    }

    /// Returns once a read waits.
    pub fn until_waiting(&self) {
        let (arrived, changed) = &*self.0;
        let guard = arrived.lock().unwrap();
        let (guard, _) = changed.wait_timeout_while(guard, PATIENCE, |arrived| !arrived.waiting).unwrap();
        assert!(guard.waiting, "nothing reads");
    }

    fn change(&self, change: impl FnOnce(&mut Arrived)) {
        let (arrived, changed) = &*self.0;
        change(&mut arrived.lock().unwrap());
        changed.notify_all();
    }

    /// Waits for the byte at `at`; returns how many bytes are there.
    fn wait(&self, at: usize) -> io::Result<usize> {
        let (arrived, changed) = &*self.0;
        let mut arrived = arrived.lock().unwrap();
        while arrived.bytes <= at || arrived.interrupted {
            if arrived.interrupted {
                return Err(io::ErrorKind::Interrupted.into());
            }
            if let Some(kind) = arrived.failure {
                return Err(kind.into());
            }
            arrived.waiting = true;
            changed.notify_all();
            arrived = changed.wait(arrived).unwrap();
            arrived.waiting = false;
        }
        Ok(arrived.bytes)
    }
}

impl Control for Arrival {
    fn interrupt(&self, on: bool) {
        self.change(|arrived| arrived.interrupted = on);
    }

    fn is_waiting(&self) -> bool {
        self.0.0.lock().unwrap().waiting
    }
}

/// A source of which only a part has arrived.
pub struct Partial {
    bytes: Cursor<Arc<Vec<u8>>>,
    arrival: Arrival,
}

impl Partial {
    pub fn new(bytes: Arc<Vec<u8>>, arrival: &Arrival) -> Self {
        Self { bytes: Cursor::new(bytes), arrival: arrival.clone() }
    }
}

impl Read for Partial {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let at = self.bytes.position() as usize;
        if at >= self.bytes.get_ref().len() || buf.is_empty() {
            return Ok(0);
        }
        let most = self.arrival.wait(at)?.saturating_sub(at).min(buf.len());
        let all = self.bytes.get_ref().clone();
        let count = most.min(all.len() - at);
        buf[..count].copy_from_slice(&all[at..at + count]);
        self.bytes.set_position((at + count) as u64);
        Ok(count)
    }
}

impl Seek for Partial {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let from = |start: u64, by: i64| start.checked_add_signed(by).ok_or(io::ErrorKind::InvalidInput);
        let at = match to {
            SeekFrom::Start(at) => at,
            SeekFrom::Current(by) => from(self.bytes.position(), by)?,
            SeekFrom::End(by) => from(self.size(), by)?,
        };
        self.bytes.set_position(at);
        Ok(at)
    }
}

impl Source for Partial {
    fn size(&self) -> u64 {
        self.bytes.get_ref().len() as u64
    }

    fn is_complete(&self) -> bool {
        false
    }

    fn control(&self) -> Arc<dyn Control> {
        Arc::new(self.arrival.clone())
    }
}

/// Something to play: bytes and how they arrive.
#[derive(Clone)]
pub struct Song {
    pub name: &'static str,
    pub bytes: Arc<Vec<u8>>,
    pub arrival: Arrival,
    pub gain: Gain,
}

impl Song {
    pub fn new(name: &'static str, bytes: Vec<u8>) -> Self {
        Self { name, bytes: Arc::new(bytes), arrival: Arrival::all(), gain: Gain::default() }
    }

    pub fn arriving(self, bytes: usize) -> Self {
        let arrival = Arrival::default();
        arrival.up_to(bytes);
        Self { arrival, ..self }
    }
}

impl PartialEq for Song {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl std::fmt::Debug for Song {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

pub struct Songs;

impl Opener<Song> for Songs {
    fn open(&self, item: &Song) -> Result<Track, Error> {
        Ok(Track { gain: item.gain, ..Track::new(Partial::new(item.bytes.clone(), &item.arrival)) })
    }
}

/// Names of the tracks in the order in which they were heard.
pub fn heard(events: &[Event<Song>]) -> Vec<&'static str> {
    let names = events.iter().filter_map(|event| match event {
        Event::Track { entry, .. } => Some(entry.item.name),
        _ => None,
    });
    names.collect()
}

/// Codes of the problems told.
pub fn problems<T>(events: &[Event<T>]) -> Vec<&'static str> {
    let codes = events.iter().filter_map(|event| match event {
        Event::Problem { problem, .. } => Some(problem.code()),
        _ => None,
    });
    codes.collect()
}

/// A wav file in memory.
pub fn wav(rate: u32, samples: &[i16]) -> Vec<u8> {
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut bytes = Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
    samples.iter().for_each(|sample| writer.write_sample(*sample).unwrap());
    writer.finalize().unwrap();
    bytes.into_inner()
}

/// Peak resident memory of this process in KiB, 0 where the system does not tell.
pub fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
