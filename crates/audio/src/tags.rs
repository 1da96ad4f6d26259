//! What a file says about itself. All of it is hearsay: nothing here makes a file unusable.

use std::io::{BufReader, Read, Seek};

use lofty::{
    config::{ParseOptions, ParsingMode},
    file::{TaggedFile, TaggedFileExt},
    picture::{MimeType, Picture, PictureType},
    probe::Probe,
    tag::{Accessor, ItemKey, Tag},
};

use crate::{Gain, inspect::Warning};

/// Characters kept of a title, a name or another short text.
pub const LONGEST_TEXT: usize = 1_000;
/// Characters kept of lyrics.
pub const LONGEST_LYRICS: usize = 50_000;
/// Bytes of the largest cover that is taken.
pub const LARGEST_COVER: usize = 8 << 20;

/// What the tags say, without control characters and at bounded length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tags {
    /// Name of the track.
    pub title: Option<String>,
    /// Who plays it.
    pub artist: Option<String>,
    /// What it is part of.
    pub album: Option<String>,
    /// Whose album it is.
    pub album_artist: Option<String>,
    /// Place on its disc.
    pub track_number: Option<u32>,
    /// Disc of the album.
    pub disc_number: Option<u32>,
    /// Date as written, most often a year or `YYYY-MM-DD`.
    pub date: Option<String>,
    /// Licence as written, most often a link.
    pub license: Option<String>,
    /// Kind of music.
    pub genre: Option<String>,
    /// Words, with line breaks.
    pub lyrics: Option<String>,
    /// ReplayGain.
    pub gain: Gain,
}

/// An embedded picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cover {
    /// Media type, judged by the first bytes.
    pub mime: &'static str,
    /// The picture as embedded.
    pub data: Vec<u8>,
}

/// Reads the tags of any file, and notes in `warnings` what is wrong with them.
pub fn read(file: impl Read + Seek, warnings: &mut Vec<Warning>) -> (Tags, Option<Cover>) {
    match tagged(file) {
        Ok(file) => {
            let mut reading = Reading { tags: file.tags(), warnings };
            (reading.tags(), reading.cover())
        }
        Err(error) => {
            warnings.push(Warning::TagsUnreadable(shortened(&error, LONGEST_TEXT).0));
            (Tags::default(), None)
        }
    }
}

fn tagged(file: impl Read + Seek) -> Result<TaggedFile, String> {
    let options = ParseOptions::new().read_properties(false).parsing_mode(ParsingMode::Relaxed);
    let probe = Probe::new(BufReader::new(file)).options(options);
    let probe = probe.guess_file_type().map_err(|error| error.to_string())?;
    probe.read().map_err(|error| error.to_string())
}

struct Reading<'a> {
    tags: &'a [Tag],
    warnings: &'a mut Vec<Warning>,
}

impl Reading<'_> {
    fn tags(&mut self) -> Tags {
        Tags {
            title: self.text(&[ItemKey::TrackTitle]),
            artist: self.text(&[ItemKey::TrackArtist]),
            album: self.text(&[ItemKey::AlbumTitle]),
            album_artist: self.text(&[ItemKey::AlbumArtist]),
            track_number: self.tags.iter().find_map(Accessor::track),
            disc_number: self.tags.iter().find_map(Accessor::disk),
            date: self.text(&[ItemKey::RecordingDate, ItemKey::ReleaseDate, ItemKey::Year]),
            license: self.text(&[ItemKey::License, ItemKey::CopyrightUrl, ItemKey::CopyrightMessage]),
            genre: self.text(&[ItemKey::Genre]),
            lyrics: self.cleaned(&[ItemKey::UnsyncLyrics, ItemKey::Lyrics], LONGEST_LYRICS),
            gain: Gain {
                track_db: self.number(ItemKey::ReplayGainTrackGain),
                track_peak: self.number(ItemKey::ReplayGainTrackPeak),
                album_db: self.number(ItemKey::ReplayGainAlbumGain),
                album_peak: self.number(ItemKey::ReplayGainAlbumPeak),
            },
        }
    }

    fn text(&mut self, keys: &[ItemKey]) -> Option<String> {
        self.cleaned(keys, LONGEST_TEXT)
    }

    /// Returns the first text under the first of these keys that has one.
    fn cleaned(&mut self, keys: &[ItemKey], longest: usize) -> Option<String> {
        let found = keys.iter().find_map(|key| self.tags.iter().find_map(|tag| tag.get_string(*key)))?;
        let (text, whole) = shortened(found, longest);
        if !whole && !self.warnings.contains(&Warning::TagsShortened) {
            self.warnings.push(Warning::TagsShortened);
        }
        Some(text).filter(|text| !text.is_empty())
    }

    /// Reads a number, with or without its unit behind it.
    fn number(&self, key: ItemKey) -> Option<f32> {
        let text = self.tags.iter().find_map(|tag| tag.get_string(key))?;
        let number = text.split_whitespace().next()?.trim_end_matches(|unit: char| unit.is_alphabetic());
        number.parse().ok().filter(|number: &f32| number.is_finite())
    }

    fn cover(&mut self) -> Option<Cover> {
        let pictures = || self.tags.iter().flat_map(Tag::pictures);
        let front = pictures().find(|picture| picture.pic_type() == PictureType::CoverFront);
        let picture = front.or_else(|| pictures().next())?;
        let data = picture.data();
        if data.len() > LARGEST_COVER {
            self.warnings.push(Warning::CoverTooLarge(data.len()));
            return None;
        }
        let mime = mime(picture);
        if mime.is_none() {
            self.warnings.push(Warning::CoverUnreadable);
        }
        Some(Cover { mime: mime?, data: data.to_vec() })
    }
}

/// Drops control characters and what goes beyond `longest`; says whether the text is whole.
fn shortened(text: &str, longest: usize) -> (String, bool) {
    let visible = |letter: &char| !letter.is_control() || *letter == '\n' && longest > LONGEST_TEXT;
    let mut letters = text.trim().chars().filter(visible);
    let kept: String = letters.by_ref().take(longest).collect();
    (kept.trim().to_owned(), letters.next().is_none())
}

/// Believes the picture's first bytes rather than its label.
fn mime(picture: &Picture) -> Option<&'static str> {
    match picture.data() {
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        [b'B', b'M', ..] if picture.mime_type() == Some(&MimeType::Bmp) => Some("image/bmp"),
        _ => None,
    }
}
