//! Looks into a file before it is published: what it is, how long, how loud, and what it looks like.

use std::{fs::File, io::Read, ops::ControlFlow, path::Path, time::Duration};

use ebur128::{EbuR128, Mode};

use crate::{
    Codec, Cover, Decoder, Error, FileSource, Gain, Source, Tags,
    decode::{Format, frames_to_time},
    mp3,
    source::file_error,
    tags,
};

/// Longest recording that is taken.
pub const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// Most peaks a waveform has.
pub const MOST_PEAKS: usize = 4_096;
/// Loudness below which a recording counts as silence, in LUFS.
const SILENCE: f64 = -70.0;

/// Something that is wrong with a file and does not keep it from being published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Warning {
    /// No tag could be read.
    #[error("the tags cannot be read: {0}")]
    TagsUnreadable(String),
    /// A text was longer than allowed.
    #[error("a text in the tags was cut")]
    TagsShortened,
    /// The embedded cover is larger than [`tags::LARGEST_COVER`].
    #[error("the embedded cover is too large: {0} bytes")]
    CoverTooLarge(usize),
    /// The embedded cover is no picture.
    #[error("the embedded cover is not a picture")]
    CoverUnreadable,
    /// Some of the sound could not be decoded.
    #[error("{0} places of the recording are damaged")]
    DamagedPlaces(u32),
    /// The file ends before the recording does.
    #[error("the recording is cut off at its end; was the file copied whole?")]
    CutOff,
}

impl Warning {
    /// Returns the stable name of the warning.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TagsUnreadable(_) => "tags_unreadable",
            Self::TagsShortened => "tags_shortened",
            Self::CoverTooLarge(_) => "cover_too_large",
            Self::CoverUnreadable => "cover_unreadable",
            Self::DamagedPlaces(_) => "damaged_places",
            Self::CutOff => "cut_off",
        }
    }
}

/// Everything publishing needs to know about one file.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspection {
    /// How the sound is encoded.
    pub codec: Codec,
    /// Frames per second.
    pub sample_rate: u32,
    /// Samples per frame.
    pub channels: usize,
    /// Frames that are heard, counted.
    pub frames: u64,
    /// Size in bytes.
    pub size: u64,
    /// What the file says about itself.
    pub tags: Tags,
    /// The embedded front cover.
    pub cover: Option<Cover>,
    /// Integrated loudness after EBU R 128 in LUFS; `None` for silence.
    pub loudness: Option<f64>,
    /// Highest true peak of all channels, 1.0 being full scale.
    pub true_peak: f64,
    /// Peaks of equal parts of the recording, 255 being full scale.
    pub waveform: Vec<u8>,
    /// What is wrong with it.
    pub warnings: Vec<Warning>,
}

impl Inspection {
    /// Returns the exact length.
    pub fn duration(&self) -> Duration {
        frames_to_time(self.frames, self.sample_rate)
    }

    /// Returns the corrections the tags give, or else those that follow from the measured loudness.
    pub fn gain(&self) -> Gain {
        match (self.tags.gain.track_db, self.loudness) {
            (None, Some(loudness)) => {
                let Gain { track_db, track_peak, .. } = Gain::from_loudness(loudness, self.true_peak);
                Gain { track_db, track_peak, ..self.tags.gain }
            }
            _ => self.tags.gain,
        }
    }
}

/// Decodes a file from end to end, in bounded memory.
///
/// `peaks` is the length of the waveform, at most [`MOST_PEAKS`]. `progress` is told the part that is done, from 0 to
/// 1, and cancels by breaking.
///
/// # Errors
/// Whatever makes the file unfit to be published, or [`Error::Cancelled`].
pub fn inspect(
    path: &Path,
    peaks: usize,
    progress: &mut dyn FnMut(f32) -> ControlFlow<()>,
) -> Result<Inspection, Error> {
    let source = FileSource::open(path)?;
    let size = source.size();
    let mut decoder = Decoder::open(Box::new(source))?;
    let format = decoder.format().clone();
    let mut meter = Meter::new(&format)?;
    measure(&mut decoder, &mut meter, progress)?;
    let mut warnings = Vec::new();
    judge(path, &decoder, meter.frames, size, &mut warnings)?;
    let (tags, cover) = tags::read(File::open(path).map_err(file_error)?, &mut warnings);
    Ok(Inspection {
        codec: format.codec,
        sample_rate: format.sample_rate,
        channels: format.channels,
        frames: meter.frames,
        size,
        tags,
        cover,
        loudness: meter.loudness(),
        true_peak: meter.true_peak(),
        waveform: meter.waveform.peaks(peaks.min(MOST_PEAKS)),
        warnings,
    })
}

fn measure(
    decoder: &mut Decoder,
    meter: &mut Meter,
    progress: &mut dyn FnMut(f32) -> ControlFlow<()>,
) -> Result<(), Error> {
    let format = decoder.format().clone();
    let most = LONGEST.as_secs().saturating_mul(format.sample_rate.into());
    while let Some(block) = decoder.next_block()? {
        meter.add(block.samples)?;
        if meter.frames > most {
            return Err(Error::TooLong { hours: LONGEST.as_secs() / 3600 });
        }
        let part = format.frames.map_or(0.0, |frames| meter.frames as f32 / frames.max(1) as f32);
        if progress(part.min(1.0)).is_break() {
            return Err(Error::Cancelled);
        }
    }
    Ok(())
}

/// Tells sound from noise that only looks like a stream, and a whole file from one that was cut off.
fn judge(
    path: &Path,
    decoder: &Decoder,
    frames: u64,
    size: u64,
    warnings: &mut Vec<Warning>,
) -> Result<(), Error> {
    let (good, bad, encoded) = decoder.tally();
    let format = decoder.format();
    if frames == 0 {
        // A header can declare everything to be the encoder's silence.
        return Err(Error::Truncated { found: 0, expected: format.frames.unwrap_or(0) });
    }
    let bare = !format.exact && matches!(format.codec, Codec::Mp3 | Codec::Aac);
    if bare && (bad > good || encoded.saturating_mul(2) < size.saturating_sub(leading_tag(path)?)) {
        return Err(Error::NotAudio);
    }
    if matches!(format.codec, Codec::Vorbis | Codec::Opus) && format.frames.is_none() {
        // The last page, which tells the length, is missing.
        return Err(Error::Truncated { found: frames, expected: 0 });
    }
    // Demuxers step over what they cannot read without a word.
    let hole = format.exact && format.frames.is_some_and(|promised| frames < promised);
    if bad > 0 || hole {
        warnings.push(Warning::DamagedPlaces(bad.max(1)));
    }
    if format.codec == Codec::Mp3
        && mp3::is_cut_off(File::open(path).map_err(file_error)?).map_err(file_error)?
    {
        warnings.push(Warning::CutOff);
    }
    Ok(())
}

/// Returns the size of an ID3v2 tag at the start, most of which may be a cover.
fn leading_tag(path: &Path) -> Result<u64, Error> {
    let mut head = Vec::new();
    File::open(path).and_then(|file| file.take(10).read_to_end(&mut head)).map_err(file_error)?;
    Ok(mp3::id3_size(&head))
}

/// Measures while samples pass.
struct Meter {
    channels: usize,
    frames: u64,
    loudness: EbuR128,
    waveform: Waveform,
}

impl Meter {
    fn new(format: &Format) -> Result<Self, Error> {
        let channels = u32::try_from(format.channels).unwrap_or(u32::MAX);
        // The histogram keeps the memory of a long recording constant.
        let mode = Mode::I | Mode::TRUE_PEAK | Mode::HISTOGRAM;
        let loudness = EbuR128::new(channels, format.sample_rate, mode);
        let loudness = loudness.map_err(|error| Error::UnsupportedCodec(error.to_string()))?;
        Ok(Self { channels: format.channels, frames: 0, loudness, waveform: Waveform::default() })
    }

    fn add(&mut self, samples: &[f32]) -> Result<(), Error> {
        self.frames += (samples.len() / self.channels) as u64;
        self.loudness.add_frames_f32(samples).map_err(|error| Error::Damaged(error.to_string()))?;
        for frame in samples.chunks_exact(self.channels) {
            self.waveform.add(frame.iter().fold(0.0, |peak: f32, sample| peak.max(sample.abs())));
        }
        Ok(())
    }

    fn loudness(&self) -> Option<f64> {
        self.loudness.loudness_global().ok().filter(|lufs| *lufs > SILENCE)
    }

    fn true_peak(&self) -> f64 {
        let channels = u32::try_from(self.channels).unwrap_or(0);
        (0..channels).filter_map(|channel| self.loudness.true_peak(channel).ok()).fold(0.0, f64::max)
    }
}

/// Peaks of a recording of unknown length: where there are too many, neighbours are merged.
#[derive(Debug)]
struct Waveform {
    peaks: Vec<f32>,
    span: u64,
    filled: u64,
}

impl Default for Waveform {
    fn default() -> Self {
        Self { peaks: vec![0.0], span: 1, filled: 0 }
    }
}

impl Waveform {
    /// Parts kept at most: enough that [`MOST_PEAKS`] of them stay distinct.
    const PARTS: usize = 4 * MOST_PEAKS;

    fn add(&mut self, sample: f32) {
        if self.filled == self.span {
            if self.peaks.len() == Self::PARTS {
                self.halve();
            }
            if self.filled == self.span {
                self.peaks.push(0.0);
                self.filled = 0;
            }
        }
        self.filled += 1;
        if let Some(last) = self.peaks.last_mut() {
            *last = last.max(sample);
        }
    }

    fn halve(&mut self) {
        self.peaks = self.peaks.chunks(2).map(|pair| pair.iter().copied().fold(0.0, f32::max)).collect();
        self.span *= 2;
        self.filled = self.span;
    }

    fn peaks(&self, count: usize) -> Vec<u8> {
        let parts = self.peaks.len();
        let bounds = |index: usize| index * parts / count;
        let part = |index: usize| &self.peaks[bounds(index)..bounds(index + 1).max(bounds(index) + 1)];
        let peak = |index: usize| part(index).iter().copied().fold(0.0, f32::max);
        (0..count).map(|index| (peak(index) * 255.0).round().clamp(0.0, 255.0) as u8).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waveform_keeps_every_peak_at_any_length() {
        for length in [1usize, 7, 200, 16_384, 16_385, 1_000_003] {
            let mut waveform = Waveform::default();
            (0..length).for_each(|at| waveform.add(if at == length / 2 { 1.0 } else { 0.25 }));
            let peaks = waveform.peaks(200);
            assert_eq!(peaks.len(), 200);
            assert!(waveform.peaks.len() <= Waveform::PARTS);
            let middle = peaks.iter().position(|peak| *peak == 255).expect("the peak is there");
            assert!(length < 400 || middle.abs_diff(100) <= 1, "{middle} of {length}");
        }
    }
}
