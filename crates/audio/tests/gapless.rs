//! Two files made of one signal play as that signal.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::PathBuf;

use audio::{Album, Error, FileSource, Opener, Track};
use common::*;

const RATE: u32 = 48_000;
/// No multiple of any codec's packet.
const FIRST: usize = 48_000 * 2 + 1_001;
const SECOND: usize = 48_000 * 2 + 333;

fn halves(dir: &std::path::Path, extension: &str, rate: u32, original: &[i16]) -> Vec<PathBuf> {
    let (first, second) = original.split_at(FIRST * 2);
    vec![
        encode(dir, &format!("first.{extension}"), rate, first),
        encode(dir, &format!("second.{extension}"), rate, second),
    ]
}

#[test]
fn consecutive_files_join_sample_by_sample() {
    let original = sweep(RATE, FIRST + SECOND);
    for (extension, _, lossless) in FORMATS {
        let dir = tempfile::tempdir().unwrap();
        let files = halves(dir.path(), extension, RATE, &original);
        let (rate, played, _) = record(dir.path(), Files, files, |_| {});
        assert_eq!((rate, played.len()), (RATE, original.len()), "{extension}");
        if lossless {
            assert_same(&played, &original);
            continue;
        }
        let (played, original) = (floats(&played), floats(&original));
        let error = difference(&played, &original);
        assert!(error < 0.01, "{extension} is off by {error}");
        // Around the seam an encoder sees its signal end or begin; a gap or a shift would cost far more than this.
        let seam = (FIRST - 480) * 2..(FIRST + 480) * 2;
        let error = difference(&played[seam.clone()], &original[seam.clone()]);
        let loudness = rms(original[seam].iter().copied());
        assert!(error < loudness * 0.2, "{extension} is off by {error} at the seam, of {loudness}");
    }
}

#[test]
fn a_join_stays_exact_when_resampled() {
    // The first file decides the rate of the output: a short one at another rate comes first.
    let dir = tempfile::tempdir().unwrap();
    let original = sweep(44_100, FIRST + SECOND);
    let lead = encode(dir.path(), "lead.flac", RATE, &sweep(RATE, 4_800));
    let mut files = halves(dir.path(), "flac", 44_100, &original);
    let whole = encode(dir.path(), "whole.flac", 44_100, &original);
    files.insert(0, lead.clone());
    let (_, in_parts, _) = record(dir.path(), Files, files, |_| {});
    let (rate, in_one, _) = record(dir.path(), Files, vec![lead, whole], |_| {});
    assert_eq!(rate, RATE);
    let expected = 4_800 + ((FIRST + SECOND) as u64 * 48_000).div_ceil(44_100) as usize;
    assert!((in_one.len() / 2).abs_diff(expected) <= 1, "{} of {expected}", in_one.len() / 2);
    assert_same(&in_parts, &in_one);
}

#[derive(Clone, Debug)]
struct OnAlbum(PathBuf, u32);

struct Albums;

impl Opener<OnAlbum> for Albums {
    fn open(&self, item: &OnAlbum) -> Result<Track, Error> {
        let album = Some(Album { id: "one".into(), number: item.1 });
        Ok(Track { album, ..Track::new(FileSource::open(&item.0)?) })
    }
}

#[test]
fn an_album_is_not_cross_faded() {
    let dir = tempfile::tempdir().unwrap();
    let original = sweep(RATE, FIRST + SECOND);
    let files = halves(dir.path(), "flac", RATE, &original);
    let album = |second| vec![OnAlbum(files[0].clone(), 1), OnAlbum(files[1].clone(), second)];
    let crossfade = |player: &audio::Player<_>| player.set_crossfade(std::time::Duration::from_secs(1));
    let (_, played, _) = record(dir.path(), Albums, album(2), crossfade);
    assert_same(&played, &original);
    let (_, played, _) = record(dir.path(), Albums, album(3), crossfade);
    assert_eq!(played.len(), original.len() - RATE as usize * 2, "not consecutive: a second overlaps");
}
