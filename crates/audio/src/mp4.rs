//! Reads what the MP4 demuxer leaves out: the edit list, which says where the encoder's silence ends.

use std::io::{self, Read, Seek, SeekFrom};

use crate::source::Intake;

/// Boxes looked at before giving up: a music file has a few dozen.
const MOST_BOXES: usize = 512;

/// The audible part of a track, in the units its header declares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Edit {
    /// First audible sample, in media time.
    pub(crate) media_time: u64,
    /// Audible length in movie time, 0 where unknown.
    pub(crate) duration: u64,
    /// Ticks of movie time per second.
    pub(crate) movie_scale: u32,
}

/// Finds the first edit of the first track that has one.
pub(crate) fn edit(source: &mut Intake) -> Option<Edit> {
    let end = source.size();
    let edit = walk(source, 0, end).ok().flatten();
    source.seek(SeekFrom::Start(0)).ok()?;
    edit
}

fn walk(source: &mut Intake, start: u64, end: u64) -> io::Result<Option<Edit>> {
    let mut edit = Edit::default();
    let (mut at, mut ends) = (start, vec![end]);
    for _ in 0..MOST_BOXES {
        ends.retain(|end| at < *end);
        let Some(end) = ends.last() else { break };
        let Some((kind, body, next)) = header(source, at, *end)? else { break };
        at = next;
        match &kind {
            b"moov" | b"trak" | b"edts" => {
                ends.push(next);
                at = body;
            }
            b"mvhd" => edit.movie_scale = movie_scale(source)?,
            b"elst" => return first_audible(source, edit),
            _ => {}
        }
    }
    Ok(None)
}

/// Reads one box header: kind, where its body begins, where the next box begins.
fn header(source: &mut Intake, at: u64, end: u64) -> io::Result<Option<([u8; 4], u64, u64)>> {
    source.seek(SeekFrom::Start(at))?;
    let short = u64::from(u32::from_be_bytes(bytes(source)?));
    let kind = bytes::<4>(source)?;
    let (size, head) = match short {
        0 => (end - at, 8),
        1 => (u64::from_be_bytes(bytes(source)?), 16),
        size => (size, 8),
    };
    let next = at.saturating_add(size);
    Ok((size >= head && next <= end).then_some((kind, at + head, next)))
}

fn movie_scale(source: &mut Intake) -> io::Result<u32> {
    let version = bytes::<4>(source)?[0];
    let times = if version == 1 { 16 } else { 8 };
    source.seek(SeekFrom::Current(times))?;
    Ok(u32::from_be_bytes(bytes(source)?))
}

fn first_audible(source: &mut Intake, mut edit: Edit) -> io::Result<Option<Edit>> {
    let wide = bytes::<4>(source)?[0] == 1;
    let entries = u32::from_be_bytes(bytes(source)?);
    for _ in 0..entries.min(8) {
        let (duration, media_time) = if wide {
            (u64::from_be_bytes(bytes(source)?), i64::from_be_bytes(bytes(source)?))
        } else {
            let duration = u32::from_be_bytes(bytes(source)?);
            (duration.into(), i32::from_be_bytes(bytes(source)?).into())
        };
        let _rate = bytes::<4>(source)?;
        if let Ok(media_time) = u64::try_from(media_time) {
            (edit.media_time, edit.duration) = (media_time, duration);
            return Ok(Some(edit));
        }
    }
    Ok(None)
}

fn bytes<const N: usize>(source: &mut Intake) -> io::Result<[u8; N]> {
    let mut buf = [0; N];
    source.read_exact(&mut buf)?;
    Ok(buf)
}
