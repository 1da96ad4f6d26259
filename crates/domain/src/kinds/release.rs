use std::{fmt, str::FromStr};

use minicbor::{Decode, Encode};

use crate::{BlobHash, Key, Kind, MAX_RECORD_LEN, PeerId, RecordError, normalize_tag, text};

/// Most tracks of one release.
pub const MAX_TRACKS: usize = 200;
/// Longest title or name in characters.
const MAX_TITLE: usize = 300;
/// Longest description in characters.
const MAX_DESCRIPTION: usize = 1000;
/// Most collaborators.
const MAX_COLLABORATORS: usize = 20;
/// Most tags that the artist gives.
const MAX_TAGS: usize = 10;
/// Longest blob that a record may name: 16 GiB.
const MAX_BLOB_SIZE: u64 = 16 << 30;
/// Longest body that fits a record beside its envelope, which has at most 320 bytes without references.
const MAX_INLINE: usize = MAX_RECORD_LEN - 320;
/// The highest colour: three bytes, red first.
const MAX_COLOUR: u32 = 0xFF_FF_FF;
/// Longest list of tracks that travels as a blob of its own.
const MAX_TRACK_LIST_SIZE: u64 = 256 << 10;

/// Names a blob and its length in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct BlobRef {
    /// BLAKE3 of the content.
    #[n(0)]
    pub hash: BlobHash,
    /// Length in bytes; verified while fetching.
    #[n(1)]
    pub size: u64,
}

impl BlobRef {
    /// Refuses a blob longer than `max` bytes, or an empty one.
    pub(crate) fn check(&self, field: &'static str, max: u64) -> Result<(), RecordError> {
        if self.size == 0 || self.size > max {
            return Err(RecordError::body(
                field,
                format!("has {} bytes, not between 1 and {max}", self.size),
            ));
        }
        Ok(())
    }
}

/// Music that an artist gives to the world.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Release {
    /// Random; keeps the release's id through all its edits.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub nonce: [u8; 16],
    /// The release's title.
    #[n(1)]
    pub title: String,
    /// The artists as they want to be named.
    #[n(2)]
    pub artist: String,
    /// `YYYY`, `YYYY-MM` or `YYYY-MM-DD`.
    #[n(3)]
    pub date: Option<String>,
    /// What others may do with it.
    #[n(4)]
    pub license: License,
    /// Image, at most 16 MiB.
    #[n(5)]
    pub cover: Option<BlobRef>,
    /// The tracks, where they fit into the record.
    #[n(6)]
    pub tracks: Option<Vec<Track>>,
    /// The tracks as a blob ([`TrackList`]), where they do not.
    #[n(7)]
    pub track_list: Option<BlobRef>,
    /// How many tracks there are, also where the list is a blob.
    #[n(8)]
    pub track_count: u16,
    /// Who else made it.
    #[n(9)]
    pub collaborators: Option<Vec<Collaborator>>,
    /// Liner notes.
    #[n(10)]
    pub description: Option<String>,
    /// The artist's own tags.
    #[n(11)]
    pub tags: Option<Vec<String>>,
    /// One blob with the waveform of every track, 200 bytes each.
    #[n(12)]
    pub waveforms: Option<BlobRef>,
    /// The cover's most vivid colour as `0xRRGGBB`, raw: whoever shows it sees to the contrast.
    #[n(13)]
    pub accent: Option<u32>,
}

/// One recording.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Track {
    /// The track's title.
    #[n(0)]
    pub title: String,
    /// The encoded file.
    #[n(1)]
    pub blob: BlobRef,
    /// Exact length in milliseconds, encoder padding excluded.
    #[n(2)]
    pub duration_ms: u32,
    /// How it is encoded.
    #[n(3)]
    pub codec: Codec,
    /// Frames a second.
    #[n(4)]
    pub sample_rate: u32,
    /// Channels.
    #[n(5)]
    pub channels: u8,
    /// Integrated loudness in hundredths of LUFS (EBU R 128).
    #[n(6)]
    pub loudness: Option<i16>,
    /// True peak in hundredths of dBTP (EBU R 128).
    #[n(7)]
    pub peak: Option<i16>,
    /// The track's artist, where it is not the release's.
    #[n(8)]
    pub artist: Option<String>,
}

/// The tracks of a long release, as the content of a blob.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct TrackList {
    /// In playing order.
    #[n(0)]
    pub tracks: Vec<Track>,
}

/// Somebody who made the release with its artist.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Collaborator {
    /// Name as they want to be named.
    #[n(0)]
    pub name: String,
    /// What they did.
    #[n(1)]
    pub role: String,
    /// Their own identity, where they have one.
    #[n(2)]
    pub peer: Option<PeerId>,
}

/// How a track is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Codec {
    /// MPEG-1/2 Layer III
    #[n(0)]
    Mp3,
    /// Free Lossless Audio Codec (RFC 9639)
    #[n(1)]
    Flac,
    /// Vorbis in Ogg
    #[n(2)]
    Vorbis,
    /// Opus in Ogg (RFC 6716, RFC 7845)
    #[n(3)]
    Opus,
    /// PCM in RIFF WAVE
    #[n(4)]
    Wav,
    /// AAC in MPEG-4
    #[n(5)]
    Aac,
    /// Apple Lossless in MPEG-4
    #[n(6)]
    Alac,
}

impl Codec {
    /// Every codec, in the order of its number.
    pub const ALL: [Self; 7] =
        [Self::Mp3, Self::Flac, Self::Vorbis, Self::Opus, Self::Wav, Self::Aac, Self::Alac];

    /// Returns the lower-case name.
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

    /// Returns the usual ending of a file's name.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Vorbis => "ogg",
            Self::Aac | Self::Alac => "m4a",
            codec => codec.name(),
        }
    }
}

/// A licence under which music can be published: an SPDX identifier out of [`License::ALL`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct License(&'static str);

impl License {
    /// Every licence that can be published, newest version first within a family.
    pub const ALL: [&'static str; 20] = [
        "CC0-1.0",
        "CC-BY-4.0",
        "CC-BY-3.0",
        "CC-BY-2.5",
        "CC-BY-2.0",
        "CC-BY-SA-4.0",
        "CC-BY-SA-3.0",
        "CC-BY-SA-2.5",
        "CC-BY-SA-2.0",
        "CC-BY-NC-4.0",
        "CC-BY-NC-3.0",
        "CC-BY-ND-4.0",
        "CC-BY-ND-3.0",
        "CC-BY-NC-SA-4.0",
        "CC-BY-NC-SA-3.0",
        "CC-BY-NC-ND-4.0",
        "CC-BY-NC-ND-3.0",
        "LAL-1.3",
        "LAL-1.2",
        "GPL-2.0-or-later",
    ];

    /// Returns the SPDX identifier.
    pub fn spdx(&self) -> &'static str {
        self.0
    }
}

impl FromStr for License {
    type Err = RecordError;

    fn from_str(text: &str) -> Result<Self, RecordError> {
        let known = Self::ALL.iter().find(|spdx| spdx.eq_ignore_ascii_case(text.trim()));
        let shown: String = text.chars().take(40).collect();
        known.map(|spdx| Self(spdx)).ok_or_else(|| {
            RecordError::body("license", format!("`{shown}` cannot be published; for example CC-BY-4.0 can"))
        })
    }
}

impl fmt::Display for License {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl<C> Encode<C> for License {
    fn encode<W: minicbor::encode::Write>(
        &self,
        encoder: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        encoder.str(self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for License {
    fn decode(decoder: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        decoder.str()?.parse().map_err(|_| minicbor::decode::Error::message("not a licence for publishing"))
    }
}

impl Kind for Release {
    const ID: u16 = super::id::RELEASE;
    const NAME: &'static str = "release";

    fn key(&self) -> Key {
        Key::of(&[&self.nonce])
    }

    fn check(&self) -> Result<(), RecordError> {
        text::line("title", &self.title, MAX_TITLE)?;
        text::line("artist", &self.artist, MAX_TITLE)?;
        self.date.as_deref().map_or(Ok(()), check_date)?;
        self.cover.map_or(Ok(()), |cover| cover.check("cover", 16 << 20))?;
        self.waveforms.map_or(Ok(()), |blob| blob.check("waveforms", MAX_TRACK_LIST_SIZE))?;
        text::lines("description", self.description.as_deref().unwrap_or_default(), MAX_DESCRIPTION)?;
        check_collaborators(self.collaborators.as_deref().unwrap_or_default())?;
        check_tags(self.tags.as_deref().unwrap_or_default())?;
        self.accent.map_or(Ok(()), check_accent)?;
        self.check_tracks()
    }
}

impl Release {
    /// Puts the tracks into the record, or where they do not fit, names the blob of their list and returns its content.
    pub fn place(&mut self, tracks: Vec<Track>) -> Option<Vec<u8>> {
        self.track_count = u16::try_from(tracks.len()).unwrap_or(u16::MAX);
        self.track_list = None;
        self.tracks = Some(tracks);
        if encoded_len(self) <= MAX_INLINE {
            return None;
        }
        let content = TrackList { tracks: self.tracks.take().unwrap_or_default() }.to_bytes();
        self.track_list = Some(BlobRef { hash: BlobHash::of(&content), size: content.len() as u64 });
        Some(content)
    }

    fn check_tracks(&self) -> Result<(), RecordError> {
        let count = usize::from(self.track_count);
        if count == 0 || count > MAX_TRACKS {
            return Err(RecordError::body("tracks", format!("are {count}, not between 1 and {MAX_TRACKS}")));
        }
        match (&self.tracks, &self.track_list) {
            (Some(tracks), None) => check_tracks(tracks, self.track_count),
            (None, Some(list)) => list.check("track_list", MAX_TRACK_LIST_SIZE),
            _ => Err(RecordError::body("tracks", "must be either in the record or in a blob")),
        }
    }
}

impl TrackList {
    /// Encodes the list as the content of its blob.
    pub fn to_bytes(&self) -> Vec<u8> {
        minicbor::to_vec(self).expect("encoding into memory does not fail")
    }

    /// Reads the content of the blob of a release with `count` tracks.
    ///
    /// # Errors
    /// [`RecordError::Body`] when it is malformed or not as long as the release says.
    pub fn from_bytes(bytes: &[u8], count: u16) -> Result<Self, RecordError> {
        let list: Self =
            minicbor::decode(bytes).map_err(|error| RecordError::body("track_list", error.to_string()))?;
        check_tracks(&list.tracks, count)?;
        Ok(list)
    }
}

fn check_tracks(tracks: &[Track], count: u16) -> Result<(), RecordError> {
    if tracks.len() != usize::from(count) {
        return Err(RecordError::body("tracks", format!("are {}, but {count} are announced", tracks.len())));
    }
    tracks.iter().try_for_each(check_track)
}

fn check_track(track: &Track) -> Result<(), RecordError> {
    text::line("track title", &track.title, MAX_TITLE)?;
    text::optional("track artist", track.artist.as_deref().unwrap_or_default(), MAX_TITLE)?;
    track.blob.check("track", MAX_BLOB_SIZE)?;
    if !(1_000..=768_000).contains(&track.sample_rate) {
        return Err(RecordError::body("sample_rate", format!("{} is out of range", track.sample_rate)));
    }
    if !(1..=8).contains(&track.channels) {
        return Err(RecordError::body("channels", format!("{} is out of range", track.channels)));
    }
    Ok(())
}

fn check_collaborators(collaborators: &[Collaborator]) -> Result<(), RecordError> {
    text::at_most("collaborators", collaborators, MAX_COLLABORATORS)?;
    collaborators.iter().try_for_each(|one| {
        text::line("collaborator", &one.name, MAX_TITLE)?;
        text::optional("collaborator's role", &one.role, 100)
    })
}

fn check_tags(tags: &[String]) -> Result<(), RecordError> {
    text::at_most("tags", tags, MAX_TAGS)?;
    tags.iter().try_for_each(|tag| match normalize_tag(tag)? == *tag {
        true => Ok(()),
        false => Err(RecordError::body("tag", format!("`{tag}` is not in its normal spelling"))),
    })
}

fn check_accent(accent: u32) -> Result<(), RecordError> {
    match accent <= MAX_COLOUR {
        true => Ok(()),
        false => Err(RecordError::body("accent", format!("{accent:#x} is not a colour"))),
    }
}

/// Accepts `YYYY`, `YYYY-MM` and `YYYY-MM-DD` (ISO 8601) without a calendar's finer points.
fn check_date(date: &str) -> Result<(), RecordError> {
    let parts: Vec<&str> = date.split('-').collect();
    let ranges = [(4, 0..=9999), (2, 1..=12), (2, 1..=31)];
    let fits = |(part, (length, range)): (&&str, (usize, std::ops::RangeInclusive<u16>))| {
        let digits = part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
        digits && part.parse().is_ok_and(|number| range.contains(&number))
    };
    match parts.len() <= ranges.len() && parts.iter().zip(ranges).all(fits) {
        true => Ok(()),
        false => Err(RecordError::body("date", "is not like 2026, 2026-11 or 2026-11-22")),
    }
}

fn encoded_len(release: &Release) -> usize {
    minicbor::to_vec(release).expect("encoding into memory does not fail").len()
}
