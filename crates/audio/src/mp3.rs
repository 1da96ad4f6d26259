//! Reads what the MPEG demuxer leaves out: the table of a variable bit rate, which says where a time is in the file.

use std::io::{self, Read, Seek, SeekFrom};

use crate::source::Intake;

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

fn read_toc(intake: &mut Intake) -> io::Result<Option<Toc>> {
    let mut head = Vec::new();
    intake.by_ref().take(10).read_to_end(&mut head)?;
    intake.seek(SeekFrom::Start(id3_size(&head)))?;
    head.clear();
    intake.by_ref().take(256).read_to_end(&mut head)?;
    Ok(parse(&head))
}

fn parse(frame: &[u8]) -> Option<Toc> {
    // The tag stands behind the side information, whose size depends on version and channels.
    let start = frame.windows(4).take(48).position(|word| word == b"Xing" || word == b"Info")?;
    let tag = frame.get(start + 4..)?;
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
}
