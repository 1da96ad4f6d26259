//! Encoded bytes to samples: every sample the musician made, and none that the encoder added.

use std::{
    fmt,
    io::{Read, Seek, SeekFrom},
    sync::OnceLock,
};

use symphonia::{
    core::{
        audio::Channels,
        codecs::{
            audio::{AudioDecoder, AudioDecoderOptions, well_known},
            registry::CodecRegistry,
        },
        errors::{Error as MediaError, SeekErrorKind},
        formats::{
            FormatOptions, FormatReader, SeekMode, SeekTo, Track, TrackType,
            probe::{Hint, Probe},
        },
        io::{MediaSourceStream, MediaSourceStreamOptions},
        meta::{MetadataOptions, RawValue},
        packet::Packet,
        units::{Duration, TimeBase, Timestamp},
    },
    default::formats,
};

use crate::{
    Error, Source,
    mp3::{self, Toc},
    mp4::{self, Edit},
    source::Intake,
};

/// Packets that may fail to decode before the file counts as damaged.
pub const MOST_BAD_PACKETS: u32 = 64;
/// Sample rates that are played.
pub const RATES: std::ops::RangeInclusive<u32> = 4_000..=384_000;
/// Most channels that are played.
pub const MOST_CHANNELS: usize = 8;

/// How the sound is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Codec {
    Mp3,
    Flac,
    Vorbis,
    Opus,
    Wav,
    Aac,
    Alac,
}

impl Codec {
    /// Returns the usual lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mp3 => "mp3",
            Self::Flac => "flac",
            Self::Vorbis => "vorbis",
            Self::Opus => "opus",
            Self::Wav => "wav",
            Self::Aac => "aac",
            Self::Alac => "alac",
        }
    }

    /// Frames decoded and thrown away before a seek's target, so that what follows is exact.
    fn preroll(self, rate: u32) -> u64 {
        match self {
            Self::Flac | Self::Wav | Self::Alac => 0,
            Self::Mp3 => 3 * 1152,
            Self::Aac => 3 * 1024,
            Self::Vorbis => 2 * 8192,
            Self::Opus => u64::from(rate) / 2,
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a decoder puts out.
#[derive(Clone, Debug, PartialEq)]
pub struct Format {
    /// How the sound is encoded.
    pub codec: Codec,
    /// Frames per second.
    pub sample_rate: u32,
    /// Samples per frame.
    pub channels: usize,
    /// Audible frames as the header tells, exactly or estimated from the bit rate.
    pub frames: Option<u64>,
    /// Whether `frames` is a promise rather than an estimate.
    pub exact: bool,
}

impl Format {
    /// Returns the length, where the header tells it.
    pub fn duration(&self) -> Option<std::time::Duration> {
        self.frames.map(|frames| frames_to_time(frames, self.sample_rate))
    }
}

/// A run of decoded frames.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    /// Number of the first frame, counted from the first audible one.
    pub at: u64,
    /// Interleaved samples.
    pub samples: &'a [f32],
}

/// Decodes one track.
pub struct Decoder {
    demuxer: Box<dyn FormatReader>,
    codec: Box<dyn AudioDecoder>,
    intake: Intake,
    layout: Layout,
    channels: Channels,
    complete: bool,
    edit: Option<Edit>,
    /// Frames before this one are decoded and dropped.
    from: u64,
    /// Frame after the last one put out.
    position: u64,
    /// Set while the demuxer's clock is a guess: frames it is behind. Then the tail is cut by holding back, not by
    /// the clock.
    adrift: Option<i64>,
    toc: Option<Toc>,
    finished: bool,
    bad_packets: u32,
    good_packets: u32,
    encoded: u64,
    block: Vec<f32>,
    held: Vec<f32>,
}

/// The track's place within what its container yields.
#[derive(Clone, Debug)]
struct Layout {
    format: Format,
    track: u32,
    time_base: TimeBase,
    /// Demuxer's time of the first audible frame, in frames.
    origin: i64,
    /// Earliest time the demuxer can seek to, in frames.
    earliest: i64,
    /// Silence the encoder added behind the last frame.
    padding: u64,
}

impl Decoder {
    /// Reads the headers and prepares to decode from the first audible frame.
    ///
    /// # Errors
    /// Whatever keeps the source from being played, an error of its reads included.
    pub fn open(source: Box<dyn Source>) -> Result<Self, Error> {
        if source.size() == 0 {
            return Err(Error::Empty);
        }
        let complete = source.is_complete();
        let mut intake = Intake::new(source);
        let magic = magic(&mut intake)?;
        let edit = if magic == Some("mp4") { mp4::edit(&mut intake) } else { None };
        let toc = if matches!(magic, Some("mp3") | None) { mp3::toc(&mut intake) } else { None };
        if let Some(error) = intake.fault() {
            return Err(error);
        }
        let Opened { demuxer, codec, layout, channels } = start(&intake, edit, magic)?;
        Ok(Self {
            demuxer,
            codec,
            intake,
            layout,
            channels,
            complete,
            edit,
            from: 0,
            position: 0,
            adrift: None,
            toc,
            finished: false,
            bad_packets: 0,
            good_packets: 0,
            encoded: 0,
            block: Vec::new(),
            held: Vec::new(),
        })
    }

    /// Returns what comes out of [`Decoder::next_block`].
    pub fn format(&self) -> &Format {
        &self.layout.format
    }

    /// Returns the number of the frame that comes next.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Returns where in the room each channel is.
    pub(crate) fn channels(&self) -> &Channels {
        &self.channels
    }

    /// Packets that decoded, packets that did not, and bytes in the former.
    pub(crate) fn tally(&self) -> (u32, u32, u64) {
        (self.good_packets, self.bad_packets, self.encoded)
    }

    /// Decodes the next frames; `None` at the end.
    ///
    /// # Errors
    /// A failure of the source, too many damaged packets, or an end before the promised one. After a failure
    /// [`Decoder::seek`] resumes.
    pub fn next_block(&mut self) -> Result<Option<Block<'_>>, Error> {
        while !self.finished {
            let Some(packet) = self.next_packet()? else {
                self.finish()?;
                break;
            };
            if let Some(at) = self.decode(packet)? {
                return Ok(Some(Block { at, samples: &self.block }));
            }
        }
        Ok(None)
    }

    /// Continues at exactly this frame, or at the end if there are fewer.
    ///
    /// # Errors
    /// A failure of the source, or a container that cannot be sought in.
    pub fn seek(&mut self, frame: u64) -> Result<(), Error> {
        // Only MPEG audio has no clock of its own: an exact seek reads all before the target, a coarse one guesses.
        self.go_to(frame, self.layout.format.codec == Codec::Mp3 && !self.complete)
    }

    /// Continues where a failed read left off. What was read before is at hand, so this is as exact as that was.
    ///
    /// # Errors
    /// As [`Decoder::seek`].
    pub fn resume(&mut self) -> Result<(), Error> {
        self.go_to(self.position, self.adrift.is_some())
    }

    fn go_to(&mut self, frame: u64, coarse: bool) -> Result<(), Error> {
        if self.finished || self.intake.fault().is_some() {
            self.reopen()?;
        }
        let format = &self.layout.format;
        let frame = if format.exact { frame.min(format.frames.unwrap_or(frame)) } else { frame };
        self.held.clear();
        (self.from, self.position) = (frame, frame);
        self.finished = format.exact && format.frames == Some(frame);
        if self.finished {
            return Ok(());
        }
        let target = i64::try_from(frame).unwrap_or(i64::MAX).saturating_add(self.layout.origin);
        let preroll = format.codec.preroll(format.sample_rate) as i64;
        self.demuxer_seek(target.saturating_sub(preroll).max(self.layout.earliest), coarse)?;
        self.codec.reset();
        Ok(())
    }

    fn demuxer_seek(&mut self, time: i64, coarse: bool) -> Result<(), Error> {
        let Layout { time_base, track, ref format, .. } = self.layout;
        let rate = format.sample_rate;
        let to = |time| SeekTo::Timestamp {
            ts: Timestamp::new(from_frames(time, time_base, rate)),
            track_id: track,
        };
        self.adrift = None;
        if coarse {
            let guess = self.guess(time);
            // A coarse seek needs a length to guess from.
            if self.demuxer.seek(SeekMode::Coarse, to(guess)).is_ok() {
                self.adrift = Some(time - guess);
                return Ok(());
            }
        }
        self.demuxer.seek(SeekMode::Accurate, to(time)).map(drop).or_else(|error| self.sought(error))
    }

    /// Returns the time at which a constant bit rate would be where this time is.
    fn guess(&self, time: i64) -> i64 {
        let Layout { earliest, padding, ref format, .. } = self.layout;
        let (Some(toc), Some(frames)) = (&self.toc, format.frames) else { return time };
        let total = frames as f64 + padding as f64 - earliest as f64;
        let part = toc.bytes_before((time - earliest) as f64 / total.max(1.0));
        earliest + (part * total) as i64
    }

    /// A place beyond what is there is the end, not an error.
    fn sought(&mut self, error: MediaError) -> Result<(), Error> {
        match error {
            MediaError::SeekError(SeekErrorKind::OutOfRange) => {
                self.finished = true;
                Ok(())
            }
            MediaError::SeekError(_) if self.layout.format.frames.is_none() => Ok(()),
            error => Err(failure(&self.intake, error, self.position, &self.layout.format)),
        }
    }

    /// Starts over on the same source: demuxers stay at their end, or in mid-packet after a failed read.
    fn reopen(&mut self) -> Result<(), Error> {
        let rewound = self.intake.seek(SeekFrom::Start(0));
        rewound.map_err(|error| self.intake.fault().unwrap_or_else(|| Error::from(&error)))?;
        let opened = start(&self.intake, self.edit, None)?;
        (self.demuxer, self.codec) = (opened.demuxer, opened.codec);
        (self.layout, self.channels) = (opened.layout, opened.channels);
        Ok(())
    }

    fn next_packet(&mut self) -> Result<Option<Packet>, Error> {
        loop {
            let packet = match self.demuxer.next_packet() {
                Ok(packet) => packet,
                Err(MediaError::ResetRequired) => None,
                Err(MediaError::DecodeError(what)) => {
                    self.count_bad(what)?;
                    continue;
                }
                Err(error) => return Err(failure(&self.intake, error, self.position, &self.layout.format)),
            };
            if let Some(error) = self.intake.fault() {
                return Err(error);
            }
            match packet {
                Some(packet) if packet.track_id != self.layout.track => {}
                packet => return Ok(packet),
            }
        }
    }

    fn count_bad(&mut self, what: &str) -> Result<(), Error> {
        self.bad_packets += 1;
        if self.bad_packets > MOST_BAD_PACKETS { Err(Error::Damaged(what.to_owned())) } else { Ok(()) }
    }

    /// Decodes into `block` and returns its first frame, if any of it is to be heard.
    fn decode(&mut self, mut packet: Packet) -> Result<Option<u64>, Error> {
        let rate = self.layout.format.sample_rate;
        let start =
            to_frames(packet.pts.get(), self.layout.time_base, rate).saturating_sub(self.layout.origin);
        let start = start.saturating_add(self.adrift.unwrap_or(0));
        let mut tail = std::mem::take(&mut packet.trim_end).get();
        packet.trim_start = Duration::ZERO;
        let decoded = match self.codec.decode(&packet) {
            Ok(decoded) => decoded,
            Err(MediaError::DecodeError(what)) => return self.count_bad(what).map(|()| None),
            Err(error) => return Err(failure(&self.intake, error, self.position, &self.layout.format)),
        };
        let channels = decoded.spec().channels().count();
        if channels != self.layout.format.channels || decoded.spec().rate() != rate {
            return self.count_bad("the format changes within the track").map(|()| None);
        }
        decoded.copy_to_vec_interleaved(&mut self.block);
        self.good_packets = self.good_packets.saturating_add(1);
        self.encoded = self.encoded.saturating_add(packet.data.len() as u64);
        if self.adrift.is_some() {
            tail = 0;
        }
        Ok(self.trim(start, tail))
    }

    /// Cuts off what is not to be heard: before the first audible frame or the seek's target, and the padding.
    fn trim(&mut self, start: i64, tail: u64) -> Option<u64> {
        let channels = self.layout.format.channels;
        let decoded = (self.block.len() / channels) as u64;
        let mut end = start.saturating_add_unsigned(decoded.saturating_sub(tail));
        if let (true, false, Some(frames)) =
            (self.layout.format.exact, self.adrift.is_some(), self.layout.format.frames)
        {
            end = end.min(i64::try_from(frames).unwrap_or(i64::MAX));
        }
        let first = start.max(i64::try_from(self.from).unwrap_or(i64::MAX));
        if end <= first {
            return None;
        }
        self.block.truncate((end - start) as usize * channels);
        self.block.drain(..(first - start) as usize * channels);
        if self.adrift.is_some() {
            self.hold_back();
        }
        let frames = (self.block.len() / channels) as u64;
        let at = if self.adrift.is_some() { self.position } else { first as u64 };
        self.position = at + frames;
        (frames > 0).then_some(at)
    }

    /// Delays the samples by the encoder's padding, which thus never comes out.
    fn hold_back(&mut self) {
        let delay = self.layout.padding as usize * self.layout.format.channels;
        self.held.append(&mut self.block);
        let ready = self.held.len().saturating_sub(delay);
        self.block.extend(self.held.drain(..ready));
    }

    fn finish(&mut self) -> Result<(), Error> {
        self.finished = true;
        let format = &self.layout.format;
        match format.frames {
            Some(expected) if format.exact && self.adrift.is_none() && self.position < expected => {
                Err(Error::Truncated { found: self.position, expected })
            }
            _ if self.good_packets == 0 => Err(Error::Truncated { found: 0, expected: 0 }),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").field("layout", &self.layout).field("position", &self.position).finish()
    }
}

/// Converts a count of frames to time.
pub fn frames_to_time(frames: u64, rate: u32) -> std::time::Duration {
    let nanos = u128::from(frames) * 1_000_000_000 / u128::from(rate.max(1));
    std::time::Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// Converts time to a count of frames.
pub fn time_to_frames(time: std::time::Duration, rate: u32) -> u64 {
    let frames = (time.as_nanos() * u128::from(rate) + 500_000_000) / 1_000_000_000;
    u64::try_from(frames).unwrap_or(u64::MAX)
}

/// Names the container by its first bytes. Only a read error fails.
fn magic(intake: &mut Intake) -> Result<Option<&'static str>, Error> {
    let mut head = Vec::new();
    let read = intake.by_ref().take(12).read_to_end(&mut head);
    let rewound = read.and_then(|_| intake.seek(SeekFrom::Start(0)));
    rewound.map_err(|error| intake.fault().unwrap_or_else(|| Error::from(&error)))?;
    Ok(match head.as_slice() {
        [b'f', b'L', b'a', b'C', ..] => Some("flac"),
        [b'O', b'g', b'g', b'S', ..] => Some("ogg"),
        [b'I', b'D', b'3', ..] => Some("mp3"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E'] => Some("wav"),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Some("mp4"),
        _ => None,
    })
}

struct Opened {
    demuxer: Box<dyn FormatReader>,
    codec: Box<dyn AudioDecoder>,
    layout: Layout,
    channels: Channels,
}

fn start(intake: &Intake, edit: Option<Edit>, magic: Option<&str>) -> Result<Opened, Error> {
    let stream = MediaSourceStream::new(Box::new(intake.clone()), MediaSourceStreamOptions::default());
    let mut demuxer = probe(stream).map_err(|error| opening(intake, error, magic))?;
    let (layout, channels) = layout(&mut *demuxer, edit)?;
    let codec = codec(&*demuxer, &layout)?;
    Ok(Opened { demuxer, codec, layout, channels })
}

/// Finds the demuxer. Without readers for trailing tags no byte of the tail is asked for where none is needed.
fn probe(stream: MediaSourceStream<'static>) -> Result<Box<dyn FormatReader>, MediaError> {
    static PROBE: OnceLock<Probe> = OnceLock::new();
    let probe = PROBE.get_or_init(|| {
        let mut probe = Probe::new();
        probe.register_format::<formats::FlacReader<'_>>();
        probe.register_format::<formats::OggReader<'_>>();
        probe.register_format::<formats::WavReader<'_>>();
        probe.register_format::<formats::IsoMp4Reader<'_>>();
        probe.register_format::<formats::MpaReader<'_>>();
        probe.register_format::<formats::AdtsReader<'_>>();
        probe.register_metadata::<symphonia::default::meta::Id3v2Reader<'_>>();
        probe
    });
    probe.probe(&Hint::new(), stream, FormatOptions::default(), MetadataOptions::default())
}

fn registry() -> &'static CodecRegistry {
    static REGISTRY: OnceLock<CodecRegistry> = OnceLock::new();
    REGISTRY.get_or_init(|| {
        let mut registry = CodecRegistry::new();
        symphonia::default::register_enabled_codecs(&mut registry);
        registry.register_audio_decoder::<symphonia_adapter_libopus::OpusDecoder>();
        registry
    })
}

fn codec(demuxer: &dyn FormatReader, layout: &Layout) -> Result<Box<dyn AudioDecoder>, Error> {
    let params = audio_track(demuxer)?.codec_params.as_ref().and_then(|params| params.audio());
    let mut params = params.ok_or(Error::NotAudio)?.clone();
    if layout.format.codec == Codec::Opus {
        // The decoder takes the pre-skip from here and applies it to the first packet it sees, also after a seek.
        params.extra_data = None;
    }
    let options = AudioDecoderOptions::default().gapless(false);
    registry()
        .make_audio_decoder(&params, &options)
        .map_err(|error| Error::UnsupportedCodec(error.to_string()))
}

fn audio_track(demuxer: &dyn FormatReader) -> Result<&Track, Error> {
    demuxer.default_track(TrackType::Audio).ok_or(Error::NotAudio)
}

fn layout(demuxer: &mut dyn FormatReader, edit: Option<Edit>) -> Result<(Layout, Channels), Error> {
    let itunes = itunes_gap(demuxer);
    let demuxer = &*demuxer;
    let track = audio_track(demuxer)?;
    let params = track.codec_params.as_ref().and_then(|params| params.audio()).ok_or(Error::NotAudio)?;
    let codec = codec_of(params.codec).ok_or_else(|| Error::UnsupportedCodec(params.codec.to_string()))?;
    let sample_rate = params.sample_rate.filter(|rate| RATES.contains(rate));
    let sample_rate = sample_rate.ok_or_else(|| Error::UnsupportedCodec("sample rate".to_owned()))?;
    let channels = params.channels.clone().filter(|channels| (1..=MOST_CHANNELS).contains(&channels.count()));
    let channels = channels.ok_or_else(|| Error::UnsupportedCodec("channels".to_owned()))?;
    let time_base = track.time_base.or_else(|| TimeBase::try_from_recip(sample_rate));
    let time_base = time_base.ok_or_else(|| Error::UnsupportedCodec("time base".to_owned()))?;

    let delay = i64::from(track.delay.unwrap_or(0));
    let total = track.num_frames;
    let (origin, earliest, frames) = match codec {
        Codec::Opus => (delay, 0, total.map(|total| total.saturating_sub(delay as u64))),
        Codec::Mp3 => (0, -delay, total),
        _ if demuxer.format_info().short_name == "isomp4" => match itunes {
            Some((delay, frames)) if edit.is_none_or(|edit| edit.media_time == 0) => (delay, 0, Some(frames)),
            _ => audible(edit, total, sample_rate, time_base),
        },
        _ => (0, 0, total),
    };
    let exact = match codec {
        Codec::Mp3 => track.padding.is_some(),
        Codec::Aac => demuxer.format_info().short_name == "isomp4",
        _ => true,
    };
    let format = Format { codec, sample_rate, channels: channels.count(), frames, exact };
    let padding = u64::from(track.padding.unwrap_or(0));
    Ok((Layout { format, track: track.id, time_base, origin, earliest, padding }, channels))
}

/// Reads Apple's note on the encoder's silence: delay and audible frames, behind a zero, in hexadecimal.
fn itunes_gap(demuxer: &mut dyn FormatReader) -> Option<(i64, u64)> {
    let mut log = demuxer.metadata();
    let tags = &log.skip_to_latest()?.media.tags;
    let tag = tags.iter().find(|tag| tag.raw.key.ends_with("iTunSMPB"))?;
    let RawValue::String(text) = &tag.raw.value else { return None };
    let mut fields = text.split_ascii_whitespace().skip(1).map(|field| u64::from_str_radix(field, 16));
    let (delay, _padding, frames) = (fields.next()?.ok()?, fields.next()?, fields.next()?.ok()?);
    (delay <= 1 << 16 && frames > 0).then_some((delay as i64, frames))
}

/// Applies an MP4 edit list: origin, earliest time, audible frames.
fn audible(edit: Option<Edit>, total: Option<u64>, rate: u32, base: TimeBase) -> (i64, i64, Option<u64>) {
    let to_frames =
        |ticks: u64| to_frames(i64::try_from(ticks).unwrap_or(i64::MAX), base, rate).unsigned_abs();
    let Some(edit) = edit else { return (0, 0, total.map(to_frames)) };
    let origin = to_frames(edit.media_time);
    let rest = total.map(|total| to_frames(total).saturating_sub(origin));
    let frames = rest.map(|rest| {
        if edit.duration == 0 || edit.movie_scale == 0 {
            return rest;
        }
        // Movie time is often in whole milliseconds: an edit that ends within one tick of the media ends with it.
        let scale = u128::from(edit.movie_scale);
        let tick = u64::from(rate) / u64::from(edit.movie_scale) + 1;
        let cut = u64::try_from(u128::from(edit.duration) * u128::from(rate) / scale).unwrap_or(u64::MAX);
        if cut.saturating_add(tick) < rest { cut } else { rest }
    });
    (i64::try_from(origin).unwrap_or(0), 0, frames)
}

fn codec_of(id: symphonia::core::codecs::audio::AudioCodecId) -> Option<Codec> {
    use well_known as id;
    Some(match id {
        id::CODEC_ID_MP3 => Codec::Mp3,
        id::CODEC_ID_FLAC => Codec::Flac,
        id::CODEC_ID_VORBIS => Codec::Vorbis,
        id::CODEC_ID_OPUS => Codec::Opus,
        id::CODEC_ID_AAC => Codec::Aac,
        id::CODEC_ID_ALAC => Codec::Alac,
        id if (id::CODEC_ID_PCM_S32LE..=id::CODEC_ID_PCM_MULAW).contains(&id) => Codec::Wav,
        _ => return None,
    })
}

/// What a failure of the probe means, given what the first bytes promised.
fn opening(intake: &Intake, error: MediaError, magic: Option<&str>) -> Error {
    if let Some(error) = intake.fault() {
        return error;
    }
    match (error, magic) {
        (_, None) => Error::NotAudio,
        (MediaError::IoError(error), _) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Error::Truncated { found: 0, expected: 0 }
        }
        (error, Some(_)) => Error::Damaged(error.to_string()),
    }
}

/// What a failure in mid-track means.
fn failure(intake: &Intake, error: MediaError, position: u64, format: &Format) -> Error {
    if let Some(error) = intake.fault() {
        return error;
    }
    match error {
        MediaError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Error::Truncated { found: position, expected: format.frames.unwrap_or(0) }
        }
        MediaError::IoError(error) => Error::Unreadable(error.to_string()),
        error => Error::Damaged(error.to_string()),
    }
}

fn to_frames(time: i64, base: TimeBase, rate: u32) -> i64 {
    scale(time, u64::from(base.numer.get()) * u64::from(rate), base.denom.get().into())
}

fn from_frames(frames: i64, base: TimeBase, rate: u32) -> i64 {
    scale(frames, base.denom.get().into(), u64::from(base.numer.get()) * u64::from(rate))
}

fn scale(value: i64, by: u64, over: u64) -> i64 {
    let scaled = i128::from(value) * i128::from(by);
    i64::try_from(scaled.div_euclid(i128::from(over))).unwrap_or(i64::MAX)
}
