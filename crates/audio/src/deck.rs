//! One track on its way to the output: decoded, brought to stereo and to the output's rate.

use std::{sync::Arc, time::Duration};

use rubato::{Fft, FixedSync, Resampler as _, audioadapter_buffers::direct::InterleavedSlice};
use serde::{Deserialize, Serialize};
use symphonia::core::audio::{ChannelLabel, Channels, Position};

use crate::{Control, Decoder, Entry, Error, Source, frames_to_time, time_to_frames};

/// Frames given to the resampler at a time.
const CHUNK: usize = 1024;
/// Gains are kept within this many decibels.
const MOST_GAIN_DB: f32 = 24.0;

/// Which loudness correction is applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplayGain {
    /// None.
    #[default]
    Off,
    /// Every track equally loud.
    Track,
    /// Every album equally loud; the tracks keep their relation.
    Album,
}

/// Loudness corrections of a track, in decibels, and the peaks that limit them, 1.0 being full scale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Gain {
    /// Correction that makes the track equally loud.
    pub track_db: Option<f32>,
    /// Highest sample of the track.
    pub track_peak: Option<f32>,
    /// Correction that makes the album equally loud.
    pub album_db: Option<f32>,
    /// Highest sample of the album.
    pub album_peak: Option<f32>,
}

impl Gain {
    /// ReplayGain 2.0's reference loudness in LUFS.
    pub const REFERENCE_LUFS: f64 = -18.0;

    /// Returns the track gain that follows from a measured loudness and true peak.
    pub fn from_loudness(lufs: f64, peak: f64) -> Self {
        let track_db = Some((Self::REFERENCE_LUFS - lufs) as f32).filter(|db| db.is_finite());
        Self { track_db, track_peak: Some(peak as f32), ..Self::default() }
    }

    /// Returns the factor for samples: never so high that the peak clips, and without a known peak never above 1.
    pub fn factor(&self, mode: ReplayGain) -> f32 {
        let track = self.track_db.zip(Some(self.track_peak));
        let album = self.album_db.zip(Some(self.album_peak));
        let chosen = match mode {
            ReplayGain::Off => None,
            ReplayGain::Track => track.or(album),
            ReplayGain::Album => album.or(track),
        };
        let Some((db, peak)) = chosen.filter(|(db, _)| db.is_finite()) else { return 1.0 };
        let factor = 10f32.powf(db.clamp(-MOST_GAIN_DB, MOST_GAIN_DB) / 20.0);
        let ceiling = peak.filter(|peak| peak.is_finite() && *peak > 0.0).map_or(1.0, |peak| 1.0 / peak);
        if factor > 1.0 { factor.min(ceiling.max(1.0)) } else { factor.min(ceiling) }
    }
}

/// A place on an album: tracks that follow each other there are not cross-faded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Album {
    /// Equal for all tracks of one album.
    pub id: String,
    /// Place on it.
    pub number: u32,
}

/// What a player needs to play an item.
pub struct Track {
    /// Its encoded bytes.
    pub source: Box<dyn Source>,
    /// Its loudness corrections.
    pub gain: Gain,
    /// Its album, if it is on one.
    pub album: Option<Album>,
    /// Its length, if known better than from its header.
    pub duration: Option<Duration>,
}

impl Track {
    /// Wraps a source of which nothing else is known.
    pub fn new(source: impl Source + 'static) -> Self {
        Self { source: Box::new(source), gain: Gain::default(), album: None, duration: None }
    }
}

/// A track being decoded.
pub(crate) struct Deck<T> {
    pub(crate) entry: Entry<T>,
    pub(crate) gain: Gain,
    duration: Option<Duration>,
    album: Option<Album>,
    control: Arc<dyn Control>,
    decoder: Decoder,
    downmix: Downmix,
    resampler: Option<Resampler>,
    rate: u32,
    /// Stereo at the track's rate, decoded ahead.
    raw: Vec<f32>,
    /// Stereo at the output's rate.
    ready: Vec<f32>,
    exhausted: bool,
}

impl<T> Deck<T> {
    /// Opens a track and decodes its first frames.
    pub(crate) fn open(entry: Entry<T>, track: Track, from: Duration) -> Result<Self, Error> {
        let Track { source, gain, album, duration } = track;
        let control = source.control();
        let mut decoder = Decoder::open(source)?;
        let rate = decoder.format().sample_rate;
        if !from.is_zero() {
            decoder.seek(time_to_frames(from, rate))?;
        }
        let downmix = Downmix::new(decoder.channels());
        let mut deck = Self {
            entry,
            gain,
            duration,
            album,
            control,
            decoder,
            downmix,
            resampler: None,
            rate,
            raw: Vec::new(),
            ready: Vec::new(),
            exhausted: false,
        };
        deck.decode()?;
        Ok(deck)
    }

    /// Returns the track's own rate.
    pub(crate) fn track_rate(&self) -> u32 {
        self.decoder.format().sample_rate
    }

    pub(crate) fn control(&self) -> Arc<dyn Control> {
        self.control.clone()
    }

    /// Drops what is not decoded yet.
    pub(crate) fn cut(&mut self) {
        self.raw.clear();
        self.exhausted = true;
    }

    /// Sets the rate of what [`Deck::read`] gives.
    pub(crate) fn set_rate(&mut self, rate: u32) {
        self.rate = rate;
        if self.resampler.is_none() && rate != self.track_rate() {
            self.resampler = Resampler::new(self.track_rate(), rate);
        }
    }

    pub(crate) fn duration(&self) -> Option<Duration> {
        let told = self.decoder.format();
        if told.exact { told.duration().or(self.duration) } else { self.duration.or_else(|| told.duration()) }
    }

    /// Returns the time from the next frame on to the end, where known.
    pub(crate) fn remaining(&self) -> Option<Duration> {
        let rest =
            self.duration()?.saturating_sub(frames_to_time(self.decoder.position(), self.track_rate()));
        let raw = frames_to_time(self.raw.len() as u64 / 2, self.track_rate());
        let ready = frames_to_time(self.ready.len() as u64 / 2, self.rate);
        Some(if self.exhausted { raw + ready } else { rest + raw + ready })
    }

    /// Says whether `next` stands right behind this track on the same album.
    pub(crate) fn leads_into(&self, next: &Self) -> bool {
        let (Some(this), Some(next)) = (&self.album, &next.album) else { return false };
        this.id == next.id && this.number.checked_add(1) == Some(next.number)
    }

    /// Continues at this time.
    pub(crate) fn seek(&mut self, to: Duration) -> Result<(), Error> {
        self.decoder.seek(time_to_frames(to, self.track_rate()))?;
        self.raw.clear();
        self.ready.clear();
        self.exhausted = false;
        self.resampler = None;
        self.set_rate(self.rate);
        Ok(())
    }

    /// Continues where an interrupted read left off.
    pub(crate) fn resume(&mut self) -> Result<(), Error> {
        self.decoder.resume()
    }

    /// Appends up to `frames` stereo frames; fewer mean that the track has ended but for [`Deck::hand_over`].
    pub(crate) fn read(&mut self, frames: usize, out: &mut Vec<f32>) -> Result<usize, Error> {
        while self.ready.len() < frames * 2 && !(self.exhausted && self.raw.is_empty()) {
            if self.raw.is_empty() {
                self.decode()?;
            }
            match &mut self.resampler {
                Some(resampler) => resampler.push(&self.raw, &mut self.ready),
                None => self.ready.extend_from_slice(&self.raw),
            }
            self.raw.clear();
        }
        let count = self.ready.len().min(frames * 2);
        out.extend(self.ready.drain(..count));
        Ok(count / 2)
    }

    /// Passes the resampler's tail on to a following track of the same rate, so that the join is seamless, or
    /// appends it.
    pub(crate) fn hand_over(&mut self, next: Option<&mut Self>, out: &mut Vec<f32>) {
        let Some(mut resampler) = self.resampler.take() else { return };
        match next {
            Some(next) if next.track_rate() == self.track_rate() => next.resampler = Some(resampler),
            _ => resampler.finish(out),
        }
    }

    fn decode(&mut self) -> Result<(), Error> {
        match self.decoder.next_block()? {
            Some(block) => self.downmix.apply(block.samples, &mut self.raw),
            None => self.exhausted = true,
        }
        Ok(())
    }
}

/// Weights that bring any channels to left and right.
pub(crate) struct Downmix(Vec<[f32; 2]>);

impl Downmix {
    pub(crate) fn new(channels: &Channels) -> Self {
        let labels: Vec<Position> = match channels {
            Channels::Positioned(positions) => positions.iter().collect(),
            Channels::Custom(labels) => labels.iter().map(position).collect(),
            other => vec![Position::empty(); other.count()],
        };
        let mut weights: Vec<[f32; 2]> = match labels.len() {
            1 => vec![[1.0, 1.0]],
            2 => vec![[1.0, 0.0], [0.0, 1.0]],
            _ => labels.into_iter().map(weight).collect(),
        };
        let sum = |side: usize| weights.iter().map(|weight| weight[side]).sum::<f32>();
        let loudest = sum(0).max(sum(1));
        if weights.len() > 2 && loudest > 1.0 {
            weights.iter_mut().flatten().for_each(|weight| *weight /= loudest);
        }
        Self(weights)
    }

    pub(crate) fn apply(&self, samples: &[f32], out: &mut Vec<f32>) {
        match self.0.len() {
            2 => out.extend_from_slice(samples),
            1 => out.extend(samples.iter().flat_map(|sample| [*sample, *sample])),
            channels => out.extend(samples.chunks_exact(channels).flat_map(|frame| self.mix(frame))),
        }
    }

    fn mix(&self, frame: &[f32]) -> [f32; 2] {
        frame.iter().zip(&self.0).fold([0.0, 0.0], |[left, right], (sample, weight)| {
            [left + sample * weight[0], right + sample * weight[1]]
        })
    }
}

fn position(label: &ChannelLabel) -> Position {
    match label {
        ChannelLabel::Positioned(position) => *position,
        _ => Position::empty(),
    }
}

/// The weights of ITU-R BS.775: centre and surrounds 3 dB down, no low-frequency effects.
fn weight(position: Position) -> [f32; 2] {
    const DOWN: f32 = std::f32::consts::FRAC_1_SQRT_2;
    match position {
        Position::FRONT_LEFT | Position::FRONT_LEFT_CENTER => [1.0, 0.0],
        Position::FRONT_RIGHT | Position::FRONT_RIGHT_CENTER => [0.0, 1.0],
        Position::REAR_LEFT | Position::SIDE_LEFT => [DOWN, 0.0],
        Position::REAR_RIGHT | Position::SIDE_RIGHT => [0.0, DOWN],
        Position::LFE1 => [0.0, 0.0],
        _ => [DOWN, DOWN],
    }
}

/// Converts stereo between two rates without adding or losing time.
pub(crate) struct Resampler {
    fft: Fft<f32>,
    from: u32,
    to: u32,
    input: Vec<f32>,
    output: Vec<f32>,
    /// Frames still to be dropped: the filter's own delay.
    delay: usize,
    fed: u64,
    given: u64,
}

impl Resampler {
    pub(crate) fn new(from: u32, to: u32) -> Option<Self> {
        let fft = Fft::new(from as usize, to as usize, CHUNK, 2, FixedSync::Input);
        let fft = fft.inspect_err(|error| tracing::warn!(from, to, %error, "cannot resample")).ok()?;
        let output = vec![0.0; fft.output_frames_max() * 2];
        let delay = fft.output_delay();
        Some(Self { fft, from, to, input: Vec::new(), output, delay, fed: 0, given: 0 })
    }

    pub(crate) fn push(&mut self, stereo: &[f32], out: &mut Vec<f32>) {
        self.fed += stereo.len() as u64 / 2;
        self.input.extend_from_slice(stereo);
        self.run(u64::MAX, out);
    }

    /// Appends what is still inside, to the exact length that the input calls for.
    pub(crate) fn finish(&mut self, out: &mut Vec<f32>) {
        let total = (self.fed * u64::from(self.to) + u64::from(self.from) / 2) / u64::from(self.from);
        while self.given < total {
            let missing = self.fft.input_frames_next() * 2 - self.input.len();
            self.input.extend(std::iter::repeat_n(0.0, missing));
            self.run(total, out);
        }
    }

    fn run(&mut self, total: u64, out: &mut Vec<f32>) {
        loop {
            let need = self.fft.input_frames_next();
            if self.input.len() < need * 2 {
                return;
            }
            let frames = self.output.len() / 2;
            let input = InterleavedSlice::new(&self.input[..need * 2], 2, need);
            let output = InterleavedSlice::new_mut(&mut self.output, 2, frames);
            let (input, mut output) =
                input.ok().zip(output.ok()).expect("both slices are sized by the resampler");
            let done = self.fft.process_into_buffer(&input, &mut output, None);
            let (_, made) = done.expect("both buffers are sized by the resampler");
            self.input.drain(..need * 2);
            let late = self.delay.min(made);
            self.delay -= late;
            let given = (made - late).min(usize::try_from(total - self.given).unwrap_or(usize::MAX));
            out.extend_from_slice(&self.output[late * 2..(late + given) * 2]);
            self.given += given as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gain_is_limited_by_the_peak() {
        let gain =
            Gain { track_db: Some(6.0), track_peak: Some(0.8), album_db: Some(-6.0), album_peak: Some(0.9) };
        assert_eq!(gain.factor(ReplayGain::Off), 1.0);
        assert!((gain.factor(ReplayGain::Track) - 1.25).abs() < 1e-6, "1 / 0.8 rather than 2");
        assert!((gain.factor(ReplayGain::Album) - 0.501_187).abs() < 1e-5);
        let unknown = Gain { track_db: Some(6.0), ..Gain::default() };
        assert_eq!(
            unknown.factor(ReplayGain::Album),
            1.0,
            "a missing album gain is the track's, a missing peak full scale"
        );
        let nonsense = Gain { track_db: Some(f32::NAN), ..Gain::default() };
        assert_eq!(nonsense.factor(ReplayGain::Track), 1.0);
    }

    #[test]
    fn a_quiet_track_is_raised_to_the_reference() {
        let gain = Gain::from_loudness(-24.0, 0.25);
        assert!((gain.factor(ReplayGain::Track) - 10f32.powf(6.0 / 20.0)).abs() < 1e-4);
    }

    #[test]
    fn resampling_keeps_time_and_shape() {
        let (from, to, frames) = (44_100u32, 48_000u32, 44_100 * 2 + 77);
        let tone =
            |rate: u32, at: usize| (at as f32 * 440.0 * std::f32::consts::TAU / rate as f32).sin() * 0.5;
        let input: Vec<f32> = (0..frames).flat_map(|at| [tone(from, at), tone(from, at)]).collect();
        let mut resampler = Resampler::new(from, to).unwrap();
        let mut out = Vec::new();
        input.chunks(2 * 331).for_each(|chunk| resampler.push(chunk, &mut out));
        resampler.finish(&mut out);
        let expected = (frames as u64 * u64::from(to)).div_ceil(u64::from(from)) as usize;
        assert!((out.len() / 2).abs_diff(expected) <= 1, "{} of {expected}", out.len() / 2);
        let worst =
            (1_000..expected - 1_000).map(|at| (out[at * 2] - tone(to, at)).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-3, "off by {worst}");
    }

    #[test]
    fn surround_is_mixed_without_clipping() {
        let channels = symphonia::core::audio::layouts::CHANNEL_LAYOUT_5P1;
        let mut out = Vec::new();
        Downmix::new(&channels).apply(&[1.0; 6], &mut out);
        assert_eq!(out.len(), 2);
        assert!(out.iter().all(|sample| (*sample - 1.0).abs() < 1e-6), "{out:?}");
    }
}
