//! Reads what the MPEG demuxer leaves out: the table of a variable bit rate, which says where a time is in the file,
//! and whether the file was cut off.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
};

use crate::source::Intake;

/// Bytes behind the tag within which the first frame begins.
const FIRST_WITHIN: usize = 64 << 10;
/// Bytes that are enough to see the encoder's note in a frame.
const HEAD: usize = 256;
/// Kilobits per second of a frame of layer III by its index, in MPEG 1 and in MPEG 2 (ISO 11172-3, 13818-3).
const RATES: [[u32; 16]; 2] = [
    [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0],
    [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0],
];

/// Byte position, in 256ths of the file, of each hundredth of the time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Toc([u8; 100]);

impl Toc {
    /// Returns the part of the bytes that stands before a part of the time.
    pub(crate) fn bytes_before(&self, time: f64) -> f64 {
        let place = time.clamp(0.0, 1.0) * 100.0;
        let at = (place as usize).min(99);
        let start = f64::from(self.0[at]);
        let end = self.0.get(at + 1).map_or(256.0, |next| f64::from(*next)).max(start);
        (start + (end - start) * (place - at as f64)) / 256.0
    }
}

/// Finds the table in the first frame.
pub(crate) fn toc(intake: &mut Intake) -> Option<Toc> {
    let table = read_toc(intake).ok().flatten();
    intake.seek(SeekFrom::Start(0)).ok()?;
    table
}

/// Returns the size of the ID3v2 tag that begins here, most of which may be a cover.
pub(crate) fn id3_size(head: &[u8]) -> u64 {
    match head {
        [b'I', b'D', b'3', _, _, _, size @ ..] if size.len() >= 4 => {
            10 + size[..4].iter().fold(0, |sum, byte| sum << 7 | u64::from(byte & 0x7f))
        }
        _ => 0,
    }
}

/// Says whether the last frame has an end, and whether there are as many as the encoder noted. `false` also where the
/// frames do not follow upon each other, so that nothing can be said.
///
/// # Errors
/// Those of reading.
pub(crate) fn is_cut_off(file: File) -> io::Result<bool> {
    let size = file.metadata()?.len();
    let mut file = BufReader::new(file);
    let mut head = Vec::new();
    file.by_ref().take(10).read_to_end(&mut head)?;
    let start = id3_size(&head);
    file.seek(SeekFrom::Start(start))?;
    head.clear();
    file.by_ref().take(FIRST_WITHIN as u64).read_to_end(&mut head)?;
    let Some(first) = (0..head.len()).find(|at| follows(&head, *at)) else { return Ok(false) };
    let promised = frame_count(&head[first..head.len().min(first + HEAD)]);
    let mut at = start + first as u64;
    file.seek(SeekFrom::Start(at))?;
    let mut frames = 0_u32;
    while at + 4 <= size {
        let mut header = [0; 4];
        file.read_exact(&mut header)?;
        let Some(length) = frame_length(&header) else { break };
        at += length;
        if at > size {
            return Ok(true);
        }
        file.seek_relative(length as i64 - 4)?;
        frames = frames.saturating_add(1);
    }
    // The frame with the note may be among them; noise in between would make the rest invisible.
    Ok(promised.is_some_and(|promised| frames < promised && at + 4 > size))
}

/// Says whether a frame stands here, and another one or the end behind it.
fn follows(bytes: &[u8], at: usize) -> bool {
    let length = bytes.get(at..).and_then(|rest| frame_length(rest.first_chunk()?));
    let next = length.and_then(|length| at.checked_add(usize::try_from(length).ok()?));
    next.is_some_and(|next| match bytes.get(next..).and_then(<[u8]>::first_chunk) {
        Some(header) => frame_length(header).is_some(),
        None => at == 0,
    })
}

/// Returns the length of a frame of layer III by its header.
fn frame_length(header: &[u8; 4]) -> Option<u64> {
    let [0xff, version, rates, _] = *header else { return None };
    let (mpeg, layer) = (version >> 3 & 3, version >> 1 & 3);
    if version & 0xe0 != 0xe0 || mpeg == 1 || layer != 1 {
        return None;
    }
    let rate = RATES[usize::from(mpeg != 3)][usize::from(rates >> 4)];
    let sampling =
        [44_100, 48_000, 32_000, 0][usize::from(rates >> 2 & 3)] >> [2, 0, 1, 0][usize::from(mpeg)];
    let (per_second, padding) = (if mpeg == 3 { 144_000 } else { 72_000 }, u32::from(rates >> 1 & 1));
    (rate > 0 && sampling > 0).then(|| u64::from(per_second * rate / sampling + padding))
}

fn read_toc(intake: &mut Intake) -> io::Result<Option<Toc>> {
    let mut head = Vec::new();
    intake.by_ref().take(10).read_to_end(&mut head)?;
    intake.seek(SeekFrom::Start(id3_size(&head)))?;
    head.clear();
    intake.by_ref().take(HEAD as u64).read_to_end(&mut head)?;
    Ok(parse(&head))
}

/// The encoder's note within a frame. It stands behind the side information, whose size depends on version and
/// channels.
fn note(frame: &[u8]) -> Option<&[u8]> {
    let start = frame.windows(4).take(48).position(|word| word == b"Xing" || word == b"Info")?;
    frame.get(start + 4..)
}

/// Frames that follow upon the one with the note.
fn frame_count(frame: &[u8]) -> Option<u32> {
    let tag = note(frame).filter(|tag| tag.get(3).is_some_and(|flags| flags & 1 != 0))?;
    tag.get(4..8)?.try_into().ok().map(u32::from_be_bytes)
}

fn parse(frame: &[u8]) -> Option<Toc> {
    let tag = note(frame)?;
    let flags = tag.get(3)?;
    let skipped = 4 + [1, 2].iter().filter(|flag| flags & **flag != 0).count() * 4;
    let table = tag.get(skipped..skipped + 100).filter(|_| flags & 4 != 0)?;
    table.try_into().ok().map(Toc)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_interpolated() {
        let mut frame =
            [b"\xff\xfb\x90\x64".as_slice(), &[0; 32], b"Xing\0\0\0\x07\0\0\0\x01\0\0\0\x01"].concat();
        frame.extend((0..100u32).map(|at| (at * at * 256 / 10_000) as u8));
        let toc = parse(&frame).unwrap();
        assert_eq!(toc.bytes_before(0.0), 0.0);
        assert!((toc.bytes_before(0.5) - 0.25).abs() < 0.01);
        assert!((toc.bytes_before(0.755) - 0.57).abs() < 0.01);
        assert_eq!(toc.bytes_before(7.0), 1.0);
        assert!(parse(&frame[..80]).is_none() && parse(b"").is_none());
    }

    #[test]
    fn frames_are_as_long_as_their_header_says() {
        let cases = [
            ([0xff, 0xfb, 0x90, 0x64], Some(417)),
            ([0xff, 0xfb, 0x92, 0x64], Some(418)),
            ([0xff, 0xfb, 0xe8, 0x00], Some(1440)),
            ([0xff, 0xf3, 0x80, 0x00], Some(208)),
            ([0xff, 0xe3, 0x80, 0x00], Some(417)),
            ([0xff, 0xfb, 0xf0, 0x00], None),
            ([0xff, 0xfd, 0x90, 0x00], None),
            (*b"TAGs", None),
        ];
        for (header, length) in cases {
            assert_eq!(frame_length(&header), length, "{header:02x?}");
        }
    }
}
