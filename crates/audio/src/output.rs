//! Where sound goes: a sound card, a file, or nowhere.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use rodio::{
    CpalError, CpalErrorKind, DeviceSinkBuilder, DeviceTrait, MixerDeviceSink,
    cpal::{self, traits::HostTrait},
};

use crate::gauge::{Gauge, Outlet};

/// Samples taken from the ring at a time.
const CHUNK: usize = 512;
/// ALSA's plugins that are listed like devices. JACK's writes to the terminal where no JACK runs; it can still be named.
const CONVERTERS: [&str; 9] =
    ["null", "lavrate", "samplerate", "speexrate", "speex", "upmix", "vdownmix", "usbstream", "jack"];
/// Longest sleep of an output without a clock of its own, should a wake-up get lost.
const NAP: Duration = Duration::from_millis(200);

/// Where sound goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Output {
    /// The sound card the system prefers.
    #[default]
    Default,
    /// A sound card by its name in [`devices`].
    Device(String),
    /// Nowhere, as fast as data comes.
    Null,
    /// A new 16-bit stereo PCM file at the rate of the first track, as fast as data comes.
    Wav(PathBuf),
}

impl FromStr for Output {
    type Err = std::convert::Infallible;

    /// Reads `default`, `null`, `FILE.wav` or a device's name.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "default" => Self::Default,
            "null" => Self::Null,
            file if file.to_ascii_lowercase().ends_with(".wav") => Self::Wav(file.into()),
            name => Self::Device(name.to_owned()),
        })
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Device(name) => f.write_str(name),
            Self::Null => f.write_str("null"),
            Self::Wav(path) => path.display().fmt(f),
        }
    }
}

/// Why sound cannot go where it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    /// This machine has nothing to play on, or its sound system does not answer.
    #[error("no sound device can be opened: {0}")]
    NoDevice(String),
    /// No device has that name.
    #[error("there is no sound device called {0:?}")]
    UnknownDevice(String),
    /// It was unplugged or its driver gave up.
    #[error("the sound device is gone: {0}")]
    Lost(String),
    /// The file to write to cannot be written.
    #[error("the sound file cannot be written: {0}")]
    Unwritable(String),
    /// There is a file of that name.
    #[error("{0} exists already; choose another name")]
    Exists(PathBuf),
}

impl OutputError {
    /// Returns the stable name of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoDevice(_) => "no_sound_device",
            Self::UnknownDevice(_) => "unknown_sound_device",
            Self::Lost(_) => "sound_device_lost",
            Self::Unwritable(_) => "output_unwritable",
            Self::Exists(_) => "file_exists",
        }
    }
}

/// A sound card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Identifies it for [`Output::Device`].
    pub name: String,
    /// What to show to people.
    pub label: String,
    /// Whether [`Output::Default`] means this one.
    pub is_default: bool,
}

/// Lists the sound cards, the preferred one first. Empty where there is none.
pub fn devices() -> Vec<Device> {
    hush();
    let host = cpal::default_host();
    let preferred = host.default_output_device().filter(takes_sound).and_then(|device| name(&device));
    let all = host.output_devices().into_iter().flatten().filter(takes_sound);
    let mut found: Vec<_> = all
        .filter_map(|device| {
            let name = name(&device)?;
            let label = device.description().map_or_else(|_| name.clone(), |about| about.name().to_owned());
            Some(Device { is_default: Some(&name) == preferred.as_ref(), label, name })
        })
        .collect();
    found.sort_by_key(|device| !device.is_default);
    found
}

/// An open output. Dropping it ends the sound; a file is complete then.
pub(crate) struct Line {
    pub(crate) rate: u32,
    kind: Kind,
}

enum Kind {
    Card(#[expect(dead_code, reason = "held open")] MixerDeviceSink),
    Pump { thread: Option<JoinHandle<()>>, closed: Arc<AtomicBool> },
}

impl Line {
    /// Says whether the output takes sound at the speed of sound.
    pub(crate) fn is_realtime(&self) -> bool {
        matches!(self.kind, Kind::Card(_))
    }

    /// Tells an output without a clock that there is data, or a change of state.
    pub(crate) fn waker(&self) -> Option<std::thread::Thread> {
        match &self.kind {
            Kind::Card(_) => None,
            Kind::Pump { thread, .. } => thread.as_ref().map(|thread| thread.thread().clone()),
        }
    }

    pub(crate) fn open(
        output: &Output,
        rate: u32,
        ring: rtrb::Consumer<f32>,
        gauge: &Arc<Gauge>,
    ) -> Result<Self, OutputError> {
        hush();
        match output {
            Output::Default => card(DeviceSinkBuilder::from_default_device(), ring, gauge),
            Output::Device(name) => card(DeviceSinkBuilder::from_device(find(name)?), ring, gauge),
            Output::Null => {
                Ok(pump(rate, Box::new(Nowhere), Outlet::new(ring, gauge.clone(), false, rate), gauge))
            }
            Output::Wav(path) => {
                let file = WavFile::create(path, rate)?;
                Ok(pump(rate, Box::new(file), Outlet::new(ring, gauge.clone(), false, rate), gauge))
            }
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Kind::Pump { thread, closed } = &mut self.kind
            && let Some(thread) = thread.take()
        {
            closed.store(true, Ordering::Release);
            thread.thread().unpark();
            // A panic there has been reported by its own thread.
            let _ = thread.join();
        }
    }
}

/// Says whether a device can be played on, be it by somebody else at the moment. ALSA also lists what only converts
/// sound or throws it away, and does so where there is no sound card.
fn takes_sound(device: &cpal::Device) -> bool {
    let name = name(device).unwrap_or_default();
    let plugin = name.strip_prefix("alsa:").is_some_and(|pcm| CONVERTERS.contains(&pcm));
    let busy = |error: CpalError| error.kind() == CpalErrorKind::DeviceBusy;
    !plugin && device.default_output_config().map_or_else(busy, |_| true)
}

/// Keeps ALSA from writing to standard error what its callers are told, too: for this thread.
fn hush() {
    #[cfg(target_os = "linux")]
    if let Err(error) = alsa::Output::local_error_handler() {
        tracing::debug!(%error, "ALSA writes to standard error");
    }
}

fn name(device: &cpal::Device) -> Option<String> {
    device.id().ok().map(|id| id.to_string())
}

fn find(wanted: &str) -> Result<cpal::Device, OutputError> {
    let devices = cpal::default_host().output_devices();
    let mut devices = devices.map_err(|error| OutputError::NoDevice(error.to_string()))?;
    devices
        .find(|device| name(device).as_deref() == Some(wanted))
        .ok_or_else(|| OutputError::UnknownDevice(wanted.to_owned()))
}

fn card(
    builder: Result<DeviceSinkBuilder, rodio::DeviceSinkError>,
    ring: rtrb::Consumer<f32>,
    gauge: &Arc<Gauge>,
) -> Result<Line, OutputError> {
    let on_error = {
        let gauge = gauge.clone();
        move |error: CpalError| report(&gauge, &error)
    };
    let opened = builder.and_then(|builder| builder.with_error_callback(on_error).open_sink_or_fallback());
    let mut sink = opened.map_err(|error| OutputError::NoDevice(words(&error)))?;
    sink.log_on_drop(false);
    let rate = sink.config().sample_rate();
    let outlet = Outlet::new(ring, gauge.clone(), true, rate.get());
    sink.mixer().add(Endless { outlet, rate, chunk: [0.0; CHUNK], next: CHUNK });
    Ok(Line { rate: rate.get(), kind: Kind::Card(sink) })
}

/// Joins an error and its causes.
fn words(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(|error| error.to_string()).collect::<Vec<_>>().join(": ")
}

fn report(gauge: &Gauge, error: &CpalError) {
    match error.kind() {
        CpalErrorKind::DeviceNotAvailable
        | CpalErrorKind::HostUnavailable
        | CpalErrorKind::StreamInvalidated => {
            gauge.fail(OutputError::Lost(error.to_string()));
        }
        _ => tracing::debug!(%error, "sound device"),
    }
}

/// The sound card's view of the ring: it never ends and never waits.
struct Endless {
    outlet: Outlet,
    rate: rodio::SampleRate,
    chunk: [f32; CHUNK],
    next: usize,
}

impl Iterator for Endless {
    type Item = f32;

    fn next(&mut self) -> Option<f32> {
        if self.next == CHUNK {
            let count = self.outlet.fill(&mut self.chunk);
            self.outlet.settle(count);
            self.next = 0;
        }
        self.next += 1;
        Some(self.chunk[self.next - 1])
    }
}

impl rodio::Source for Endless {
    fn current_span_len(&self) -> Option<usize> {
        None
    }

    fn channels(&self) -> rodio::ChannelCount {
        rodio::nz!(2)
    }

    fn sample_rate(&self) -> rodio::SampleRate {
        self.rate
    }

    fn total_duration(&self) -> Option<Duration> {
        None
    }
}

/// Takes frames without a clock.
trait Drain: Send {
    fn take(&mut self, samples: &[f32]) -> Result<(), OutputError>;
    /// Makes what was taken complete, as if nothing followed.
    fn complete(&mut self) -> Result<(), OutputError>;
}

struct Nowhere;

impl Drain for Nowhere {
    fn take(&mut self, _samples: &[f32]) -> Result<(), OutputError> {
        Ok(())
    }

    fn complete(&mut self) -> Result<(), OutputError> {
        Ok(())
    }
}

struct WavFile(hound::WavWriter<std::io::BufWriter<std::fs::File>>);

impl WavFile {
    fn create(path: &Path, sample_rate: u32) -> Result<Self, OutputError> {
        let spec = hound::WavSpec {
            channels: 2,
            sample_rate,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let file = new_file(path)?;
        hound::WavWriter::new(std::io::BufWriter::new(file), spec).map(Self).map_err(unwritable)
    }
}

/// Creates a file; what is there already and is no file, such as a device, is written to.
fn new_file(path: &Path) -> Result<std::fs::File, OutputError> {
    let is_file = || std::fs::metadata(path).map_or(true, |meta| meta.is_file());
    let opened = match std::fs::File::create_new(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && is_file() => {
            return Err(OutputError::Exists(path.to_owned()));
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            std::fs::OpenOptions::new().write(true).open(path)
        }
        opened => opened,
    };
    opened.map_err(|error| OutputError::Unwritable(format!("{}: {error}", path.display())))
}

impl Drain for WavFile {
    fn take(&mut self, samples: &[f32]) -> Result<(), OutputError> {
        samples.iter().try_for_each(|sample| self.0.write_sample(to_i16(*sample))).map_err(unwritable)
    }

    fn complete(&mut self) -> Result<(), OutputError> {
        self.0.flush().map_err(unwritable)
    }
}

fn unwritable(error: hound::Error) -> OutputError {
    OutputError::Unwritable(error.to_string())
}

/// Rounds to the nearest 16-bit value; what was one before comes out unchanged.
fn to_i16(sample: f32) -> i16 {
    (sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16
}

fn pump(rate: u32, drain: Box<dyn Drain>, outlet: Outlet, gauge: &Arc<Gauge>) -> Line {
    let closed = Arc::new(AtomicBool::new(false));
    let thread = {
        let (closed, gauge) = (closed.clone(), gauge.clone());
        std::thread::Builder::new().name("audio-output".into()).spawn(move || {
            if let Err(error) = run(drain, outlet, &closed) {
                gauge.fail(error);
            }
        })
    };
    let thread = thread.map_err(|error| gauge.fail(OutputError::NoDevice(error.to_string()))).ok();
    Line { rate, kind: Kind::Pump { thread, closed } }
}

fn run(mut drain: Box<dyn Drain>, mut outlet: Outlet, closed: &AtomicBool) -> Result<(), OutputError> {
    let mut chunk = [0.0; CHUNK * 16];
    while !closed.load(Ordering::Acquire) {
        let count = outlet.fill(&mut chunk);
        if count == 0 {
            std::thread::park_timeout(NAP);
            continue;
        }
        drain.take(&chunk[..count])?;
        if outlet.is_dry() {
            drain.complete()?;
        }
        outlet.settle(count);
    }
    drain.complete()
}
