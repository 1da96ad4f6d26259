//! The few numbers that the decoder, the outside and the sound card's callback share without locks.

use std::{
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    thread::Thread,
    time::{Duration, Instant},
};

use crate::output::OutputError;

/// Time over which a change of volume or a pause is spread, so that it does not click.
const RAMP: Duration = Duration::from_millis(10);
const NEVER: u64 = u64::MAX;

/// Shared state of one player. Frames are counted at the output's rate and never go back.
#[derive(Debug)]
pub(crate) struct Gauge {
    /// Whether the output shall take frames.
    pub(crate) playing: AtomicBool,
    /// Frames put into the ring.
    pub(crate) written: AtomicU64,
    /// Frames taken out of it.
    consumed: AtomicU64,
    /// Frames of them that were heard.
    sounded: AtomicU64,
    /// Frames below this one are not to be heard any more.
    skip_to: AtomicU64,
    /// Set where nothing follows what is in the ring: an empty ring is then no underrun.
    pub(crate) ended: AtomicBool,
    pub(crate) underruns: AtomicU64,
    /// When the command came whose first frame is awaited, in nanoseconds since `epoch`.
    armed: AtomicU64,
    first_sound: AtomicU64,
    volume: AtomicU32,
    fault: Mutex<Option<OutputError>>,
    /// The thread that fills the ring.
    pub(crate) decoder: OnceLock<Thread>,
    epoch: Instant,
}

impl Gauge {
    pub(crate) fn new() -> Self {
        Self {
            playing: AtomicBool::new(false),
            written: AtomicU64::new(0),
            consumed: AtomicU64::new(0),
            sounded: AtomicU64::new(0),
            skip_to: AtomicU64::new(0),
            ended: AtomicBool::new(true),
            underruns: AtomicU64::new(0),
            armed: AtomicU64::new(NEVER),
            first_sound: AtomicU64::new(NEVER),
            volume: AtomicU32::new(1f32.to_bits()),
            fault: Mutex::new(None),
            decoder: OnceLock::new(),
            epoch: Instant::now(),
        }
    }

    /// Returns the number of the frame that is heard now.
    pub(crate) fn heard(&self) -> u64 {
        self.consumed.load(Ordering::Acquire).max(self.skip_to.load(Ordering::Acquire))
    }

    /// Returns how many frames have been heard, seeks aside.
    pub(crate) fn sounded(&self) -> u64 {
        self.sounded.load(Ordering::Relaxed)
    }

    /// Says whether the output has taken all there is.
    pub(crate) fn is_dry(&self) -> bool {
        self.heard() >= self.written.load(Ordering::Acquire)
    }

    /// Drops what is in the ring.
    pub(crate) fn flush(&self) {
        self.skip_to.store(self.written.load(Ordering::Acquire), Ordering::Release);
    }

    /// Forgets the old ring, whose consumer is gone.
    pub(crate) fn renew(&self) {
        self.flush();
        self.consumed.store(self.written.load(Ordering::Acquire), Ordering::Release);
    }

    /// The next frame to be heard answers a command given at this time.
    pub(crate) fn arm(&self, since: Instant) {
        let nanos = since.saturating_duration_since(self.epoch).as_nanos();
        self.first_sound.store(NEVER, Ordering::Release);
        self.armed.store(u64::try_from(nanos).unwrap_or(NEVER), Ordering::Release);
    }

    /// Returns how long the last command waited for its first frame.
    pub(crate) fn first_sound(&self) -> Option<Duration> {
        Some(self.first_sound.load(Ordering::Acquire))
            .filter(|nanos| *nanos != NEVER)
            .map(Duration::from_nanos)
    }

    pub(crate) fn volume(&self) -> f32 {
        f32::from_bits(self.volume.load(Ordering::Relaxed))
    }

    pub(crate) fn set_volume(&self, volume: f32) {
        let volume = if volume.is_finite() { volume.clamp(0.0, 1.0) } else { 1.0 };
        self.volume.store(volume.to_bits(), Ordering::Relaxed);
    }

    /// Keeps the first failure of the output.
    pub(crate) fn fail(&self, error: OutputError) {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    pub(crate) fn take_fault(&self) -> Option<OutputError> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(crate) fn wake_decoder(&self) {
        if let Some(decoder) = self.decoder.get() {
            decoder.unpark();
        }
    }
}

/// The end of the ring where the output takes frames from.
pub(crate) struct Outlet {
    ring: rtrb::Consumer<f32>,
    gauge: std::sync::Arc<Gauge>,
    realtime: bool,
    level: f32,
    step: f32,
    sounding: bool,
}

impl Outlet {
    pub(crate) fn new(
        ring: rtrb::Consumer<f32>,
        gauge: std::sync::Arc<Gauge>,
        realtime: bool,
        rate: u32,
    ) -> Self {
        let step = 1.0 / (RAMP.as_secs_f32() * rate as f32).max(1.0);
        Self { ring, gauge, realtime, level: 0.0, step, sounding: false }
    }

    /// Fills with stereo frames and, behind them, silence. Returns the number of samples that are sound.
    /// Does not block. [`Outlet::settle`] must follow.
    pub(crate) fn fill(&mut self, out: &mut [f32]) -> usize {
        self.skip();
        let count = if self.takes() { self.ring.slots().min(out.len()) & !1 } else { 0 };
        let (sound, silence) = out.split_at_mut(count);
        if self.ring.pop_entire_slice(sound).is_err() {
            sound.fill(0.0);
        }
        silence.fill(0.0);
        self.shape(sound);
        self.watch(count, out.len());
        count
    }

    /// Counts samples as heard.
    pub(crate) fn settle(&mut self, samples: usize) {
        self.gauge.sounded.fetch_add(samples as u64 / 2, Ordering::Relaxed);
        self.consume(samples);
    }

    fn consume(&mut self, samples: usize) {
        if samples > 0 {
            self.gauge.consumed.fetch_add(samples as u64 / 2, Ordering::AcqRel);
            self.gauge.wake_decoder();
        }
    }

    pub(crate) fn is_dry(&self) -> bool {
        self.ring.is_empty()
    }

    fn skip(&mut self) {
        let consumed = self.gauge.consumed.load(Ordering::Acquire);
        let stale = self.gauge.skip_to.load(Ordering::Acquire).saturating_sub(consumed);
        let samples = usize::try_from(stale * 2).unwrap_or(usize::MAX).min(self.ring.slots());
        if let Ok(chunk) = self.ring.read_chunk(samples) {
            chunk.commit_all();
            self.sounding = false;
            self.consume(samples);
        }
    }

    fn takes(&self) -> bool {
        self.gauge.playing.load(Ordering::Acquire) || (self.realtime && self.level > 0.0)
    }

    /// Applies the volume; on a sound card changes are spread over [`RAMP`].
    fn shape(&mut self, sound: &mut [f32]) {
        let playing = self.gauge.playing.load(Ordering::Acquire);
        let target = if playing { self.gauge.volume() } else { 0.0 };
        if !self.realtime || !self.sounding && playing {
            self.level = target;
        }
        for frame in sound.chunks_exact_mut(2) {
            self.level += (target - self.level).clamp(-self.step, self.step);
            frame[0] *= self.level;
            frame[1] *= self.level;
        }
        if !playing && sound.is_empty() {
            self.level = 0.0;
        }
    }

    fn watch(&mut self, count: usize, wanted: usize) {
        if count > 0 {
            self.note_first_sound();
        }
        let playing = self.gauge.playing.load(Ordering::Acquire);
        let short = count < wanted && playing && self.sounding;
        if short && self.realtime && !self.gauge.ended.load(Ordering::Acquire) {
            self.gauge.underruns.fetch_add(1, Ordering::Relaxed);
        }
        self.sounding = count == wanted;
    }

    fn note_first_sound(&self) {
        let armed = self.gauge.armed.load(Ordering::Acquire);
        if armed == NEVER {
            return;
        }
        let current =
            self.gauge.consumed.load(Ordering::Acquire) >= self.gauge.skip_to.load(Ordering::Acquire);
        if current
            && self.gauge.armed.compare_exchange(armed, NEVER, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        {
            let now = self.gauge.epoch.elapsed().as_nanos() as u64;
            self.gauge.first_sound.store(now.saturating_sub(armed), Ordering::Release);
        }
    }
}
