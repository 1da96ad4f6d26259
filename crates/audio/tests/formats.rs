//! Every format: the right length, the right samples, exact seeks.
#![allow(clippy::unwrap_used)]

mod common;

use common::*;

const RATE: u32 = 48_000;
const FRAMES: usize = 48_000 * 4 + 1_234;

#[test]
fn every_format_decodes_to_the_samples_that_were_encoded() {
    let dir = tempfile::tempdir().unwrap();
    let original = sweep(RATE, FRAMES);
    for (extension, _, lossless) in FORMATS {
        let path = encode(dir.path(), &format!("tone.{extension}"), RATE, &original);
        let mut decoder = open(&path);
        assert_eq!((decoder.format().sample_rate, decoder.format().channels), (RATE, 2), "{extension}");
        assert_eq!(decoder.format().frames, Some(FRAMES as u64), "{extension}");
        let decoded = rest(&mut decoder);
        assert_eq!(decoded.len(), original.len(), "{extension}");
        let error = difference(&decoded, &floats(&original));
        assert!(error <= if lossless { 0.0 } else { 0.01 }, "{extension} is off by {error}");
    }
}

#[test]
fn a_seek_goes_to_the_exact_sample() {
    let dir = tempfile::tempdir().unwrap();
    let original = sweep(RATE, FRAMES);
    for (extension, _, lossless) in FORMATS {
        let path = encode(dir.path(), &format!("tone.{extension}"), RATE, &original);
        let whole = rest(&mut open(&path));
        let mut decoder = open(&path);
        // A shift by one sample would show as a hundredth; lossy decoders reach their state again within a thousandth.
        for target in [100_000, 1, 47_999, 0, FRAMES - 500, 5_000, FRAMES - 1, 150_000] {
            decoder.seek(target as u64).unwrap();
            let tail = rest(&mut decoder);
            assert_eq!(tail.len(), (FRAMES - target) * 2, "{extension} from {target}");
            let error = difference(&tail, &whole[target * 2..]);
            assert!(
                error <= if lossless { 0.0 } else { 1e-3 },
                "{extension} from {target} is off by {error}"
            );
        }
        decoder.seek(u64::MAX).unwrap();
        assert!(rest(&mut decoder).is_empty(), "{extension} beyond its end");
    }
}

#[test]
fn a_seek_beyond_an_end_that_no_header_tells_is_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let plain = dir.path().join("plain.wav");
    write_wav(&plain, RATE, 2, &sweep(RATE, FRAMES));
    let unmarked: [(&str, &[&str]); 2] =
        [("bare.mp3", &["-c:a", "libmp3lame", "-write_xing", "0"]), ("bare.aac", &["-c:a", "aac"])];
    for (name, args) in unmarked {
        let path = dir.path().join(name);
        ffmpeg(&[&["-i", plain.to_str().unwrap()], args, &[path.to_str().unwrap()]].concat());
        let mut decoder = open(&path);
        for beyond in [FRAMES as u64 * 10, u64::MAX / 2] {
            decoder.seek(beyond).unwrap();
            assert!(rest(&mut decoder).is_empty(), "{name}");
        }
        decoder.seek(FRAMES as u64 / 2).unwrap();
        assert!(!rest(&mut decoder).is_empty(), "{name}: the middle is still there");
    }
}
