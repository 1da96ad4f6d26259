//! What a track that is still arriving is asked for: a song starts with its first bytes, a seek needs a few more.
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    collections::BTreeSet,
    io::{self, Cursor, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use audio::{Decoder, Source};
use common::*;

/// Bytes that arrive together.
const CHUNK: u64 = 32 << 10;
const RATE: u32 = 44_100;

/// Notes which chunks were asked for.
struct Logged {
    bytes: Cursor<Vec<u8>>,
    asked: Arc<Mutex<BTreeSet<u64>>>,
}

impl Read for Logged {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let at = self.bytes.position();
        // As from a network, a read ends with what has arrived together.
        let most = (CHUNK - at % CHUNK).min(buf.len() as u64) as usize;
        let count = self.bytes.read(&mut buf[..most])?;
        if count > 0 {
            self.asked.lock().unwrap().insert(at / CHUNK);
        }
        Ok(count)
    }
}

impl Seek for Logged {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(to)
    }
}

impl Source for Logged {
    fn size(&self) -> u64 {
        self.bytes.get_ref().len() as u64
    }

    fn is_complete(&self) -> bool {
        false
    }
}

struct Watched {
    decoder: Decoder,
    asked: Arc<Mutex<BTreeSet<u64>>>,
    last: u64,
}

impl Watched {
    fn open(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap();
        let last = (bytes.len() as u64 - 1) / CHUNK;
        let asked = Arc::new(Mutex::new(BTreeSet::new()));
        let source = Logged { bytes: Cursor::new(bytes), asked: asked.clone() };
        Self { decoder: Decoder::open(Box::new(source)).unwrap(), asked, last }
    }

    /// Returns the chunks asked for since the last call.
    fn asked(&self) -> BTreeSet<u64> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

fn encoded(dir: &Path, name: &str, args: &[&str]) -> PathBuf {
    let (plain, path) = (dir.join("plain.wav"), dir.join(name));
    write_wav(&plain, RATE, 2, &sweep(RATE, RATE as usize * 60));
    ffmpeg(&[&["-i", plain.to_str().unwrap()], args, &[path.to_str().unwrap()]].concat());
    path
}

#[test]
fn a_song_starts_with_its_first_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let mp3 = ["-c:a", "libmp3lame", "-b:a", "192k"];
    for (name, args) in [
        ("t.wav", FORMATS[0].1),
        ("t.flac", FORMATS[1].1),
        ("t.mp3", &mp3),
        ("bare.mp3", &["-c:a", "libmp3lame", "-b:a", "192k", "-write_xing", "0", "-id3v2_version", "0"]),
        ("t.mp4", FORMATS[6].1),
    ] {
        let mut song = Watched::open(&encoded(dir.path(), name, args));
        assert!(song.decoder.next_block().unwrap().is_some());
        let asked = song.asked();
        assert!(song.last > 5 && asked.iter().all(|chunk| *chunk <= 1), "{name}: {asked:?} of {}", song.last);
        let seconds = song.decoder.format().duration().unwrap().as_secs_f32();
        assert!((seconds - 60.0).abs() < 0.5, "{name}: {seconds}");
    }
}

#[test]
fn ogg_and_late_headers_need_the_tail_too() {
    let dir = tempfile::tempdir().unwrap();
    for (name, args) in [("t.ogg", FORMATS[3].1), ("t.opus", FORMATS[4].1), ("t.m4a", FORMATS[5].1)] {
        let mut song = Watched::open(&encoded(dir.path(), name, args));
        assert!(song.decoder.next_block().unwrap().is_some());
        let asked = song.asked();
        let middle = asked.iter().filter(|chunk| (2..song.last - 3).contains(*chunk)).count();
        assert!(song.last > 8 && middle == 0, "{name}: {asked:?} of {}", song.last);
    }
}

#[test]
fn a_seek_asks_for_little() {
    let dir = tempfile::tempdir().unwrap();
    for (extension, args, _) in FORMATS {
        let mut song = Watched::open(&encoded(dir.path(), &format!("t.{extension}"), args));
        song.asked();
        song.decoder.seek(u64::from(RATE) * 40).unwrap();
        assert!(song.decoder.next_block().unwrap().is_some());
        let asked = song.asked();
        // Without an index the place is searched by halving.
        let most = if matches!(extension, "ogg" | "opus" | "flac") { 16 } else { 5 };
        assert!(asked.len() <= most, "{extension}: {asked:?} of {}", song.last);
    }
}

#[test]
fn after_a_guessed_seek_an_mp3_is_near_and_ends_without_padding() {
    let dir = tempfile::tempdir().unwrap();
    for (name, args) in [("cbr.mp3", ["-b:a", "192k"]), ("vbr.mp3", ["-q:a", "2"])] {
        let path = encoded(dir.path(), name, &[&["-c:a", "libmp3lame"], &args[..]].concat());
        let whole = rest(&mut open(&path));
        let mut song = Watched::open(&path);
        song.decoder.seek(u64::from(RATE) * 40).unwrap();
        let tail = rest(&mut song.decoder);
        let off = (tail.len() as i64 / 2 - i64::from(RATE) * 20).unsigned_abs();
        assert!(off < u64::from(RATE) / 2, "{name}: off by {off} frames");
        // The last frames are those of the whole: nothing is missing and no silence of the encoder is left.
        let last = RATE as usize;
        let error = difference(&tail[tail.len() - last..], &whole[whole.len() - last..]);
        assert!(error < 1e-3, "{name}: {error}");
        // And once more from the end, as if the track were played again.
        song.decoder.seek(0).unwrap();
        assert_eq!(rest(&mut song.decoder).len(), whole.len(), "{name}");
    }
}
