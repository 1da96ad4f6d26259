//! What publishing learns from a file, and what it refuses.
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::Duration,
};

use audio::{Codec, Error, Inspection, inspect};
use common::*;

fn look(path: &Path) -> Result<Inspection, Error> {
    inspect(path, 200, &mut |_| ControlFlow::Continue(()))
}

fn refused(path: &Path) -> &'static str {
    look(path).expect_err("the file is unfit").code()
}

/// A sine of -20 dB full scale on both channels.
fn tone(rate: u32, seconds: f32) -> Vec<i16> {
    let frames = (rate as f32 * seconds) as usize;
    let sine = |at: usize| (at as f32 * 1_000.0 * std::f32::consts::TAU / rate as f32).sin();
    (0..frames).flat_map(|at| [(sine(at) * 3_276.7) as i16; 2]).collect()
}

/// Encodes with tags and an embedded cover.
fn tagged(dir: &Path, name: &str) -> PathBuf {
    let (cover, plain, path) = (dir.join("cover.png"), dir.join("plain.wav"), dir.join(name));
    ffmpeg(&["-f", "lavfi", "-i", "color=red:size=32x32", "-frames:v", "1", cover.to_str().unwrap()]);
    write_wav(&plain, 44_100, 2, &tone(44_100, 3.0));
    let tags = [
        "title=A Song",
        "artist=Someone",
        "album=An Album",
        "album_artist=Many",
        "track=3/9",
        "date=2019-05-04",
    ];
    let gain = ["REPLAYGAIN_TRACK_GAIN=-6.50 dB", "REPLAYGAIN_TRACK_PEAK=0.5"];
    let mut args = vec!["-i", plain.to_str().unwrap()];
    if !name.ends_with(".ogg") && !name.ends_with(".wav") {
        args.extend(["-i", cover.to_str().unwrap(), "-map", "0:a", "-map", "1:v", "-c:v", "copy"]);
        args.extend(["-disposition:v", "attached_pic"]);
    }
    tags.iter().chain(&gain).for_each(|tag| args.extend(["-metadata", tag]));
    args.extend(FORMATS.iter().find(|(format, ..)| name.ends_with(format)).unwrap().1);
    args.push(path.to_str().unwrap());
    ffmpeg(&args);
    path
}

#[test]
fn tags_cover_loudness_and_shape_are_read() {
    let dir = tempfile::tempdir().unwrap();
    for (name, codec) in
        [("a.mp3", Codec::Mp3), ("a.flac", Codec::Flac), ("a.m4a", Codec::Aac), ("a.ogg", Codec::Vorbis)]
    {
        let found = look(&tagged(dir.path(), name)).unwrap();
        assert_eq!((found.codec, found.sample_rate, found.channels), (codec, 44_100, 2), "{name}");
        assert_eq!(found.duration(), Duration::from_secs(3), "{name}");
        assert_eq!(found.size, fs::metadata(dir.path().join(name)).unwrap().len());
        let tags = &found.tags;
        assert_eq!(tags.title.as_deref(), Some("A Song"), "{name}");
        assert_eq!(tags.artist.as_deref(), Some("Someone"), "{name}");
        assert_eq!(tags.album.as_deref(), Some("An Album"), "{name}");
        assert_eq!(tags.album_artist.as_deref(), Some("Many"), "{name}");
        assert_eq!(tags.track_number, Some(3), "{name}");
        assert!(tags.date.as_deref().is_some_and(|date| date.starts_with("2019")), "{name}: {:?}", tags.date);
        if matches!(codec, Codec::Mp3 | Codec::Flac | Codec::Vorbis) {
            assert_eq!((tags.gain.track_db, tags.gain.track_peak), (Some(-6.5), Some(0.5)), "{name}");
        }
        if codec != Codec::Vorbis {
            assert_eq!(found.cover.as_ref().map(|cover| cover.mime), Some("image/png"), "{name}");
        }
        // Two channels of a sine at -20 dBFS: -20 LUFS, at 1 kHz within a tenth of the K-weighting.
        let loudness = found.loudness.unwrap();
        assert!((loudness + 20.0).abs() < 0.5, "{name}: {loudness} LUFS");
        assert!((found.true_peak - 0.1).abs() < 0.01, "{name}: {}", found.true_peak);
        assert_eq!(found.waveform.len(), 200);
        assert!(
            found.waveform[5..195].iter().all(|peak| peak.abs_diff(26) <= 2),
            "{name}: {:?}",
            found.waveform
        );
        assert_eq!(found.warnings, [], "{name}");
    }
}

#[test]
fn unfit_files_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    assert_eq!(refused(&file("empty.mp3", b"")), "file_empty");
    assert_eq!(refused(&dir.path().join("nowhere.mp3")), "file_vanished");
    assert_eq!(refused(dir.path()), "file_unreadable");
    assert_eq!(
        refused(&file("words.mp3", "just words, again and again\n".repeat(9_000).as_bytes())),
        "not_audio"
    );
    let noise: Vec<u8> = (0..3_000_000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    assert_eq!(refused(&file("noise.mp3", &noise)), "not_audio");
    assert_eq!(refused(&file("picture.mp3", &fs::read(picture(dir.path())).unwrap())), "not_audio");
}

fn picture(dir: &Path) -> PathBuf {
    let path = dir.join("picture.png");
    ffmpeg(&["-f", "lavfi", "-i", "testsrc=size=640x480", "-frames:v", "1", path.to_str().unwrap()]);
    path
}

#[test]
fn a_file_that_was_cut_off_is_told_from_a_whole_one() {
    let dir = tempfile::tempdir().unwrap();
    for (extension, ..) in FORMATS {
        let path = encode(dir.path(), &format!("tone.{extension}"), 48_000, &sweep(48_000, 150_000));
        let bytes = fs::read(&path).unwrap();
        let cut = dir.path().join(format!("cut.{extension}"));
        fs::write(&cut, &bytes[..bytes.len() * 6 / 10]).unwrap();
        let code = refused(&cut);
        assert!(["file_truncated", "file_damaged"].contains(&code), "{extension}: {code}");
        fs::write(&cut, &bytes[..20]).unwrap();
        let code = refused(&cut);
        assert!(["file_truncated", "file_damaged", "not_audio"].contains(&code), "{extension}: {code}");
    }
}

#[test]
fn an_mp3_whose_header_promises_nothing_is_told_to_be_cut() {
    let dir = tempfile::tempdir().unwrap();
    let (plain, path) = (dir.path().join("plain.wav"), dir.path().join("bare.mp3"));
    write_wav(&plain, 44_100, 2, &sweep(44_100, 200_000));
    ffmpeg(&[
        "-i",
        plain.to_str().unwrap(),
        "-c:a",
        "libmp3lame",
        "-write_xing",
        "0",
        path.to_str().unwrap(),
    ]);
    assert_eq!(look(&path).unwrap().warnings, [], "a whole one is not");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() * 6 / 10 + 11]).unwrap();
    let warnings = look(&path).unwrap().warnings;
    assert_eq!(warnings, [inspect::Warning::CutOff]);
}

#[test]
fn a_file_whose_header_leaves_nothing_to_hear_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = encode(dir.path(), "tone.m4a", 44_100, &tone(44_100, 1.0));
    let mut bytes = fs::read(&path).unwrap();
    // The edit list's first entry: where in the media the sound begins.
    let entry = bytes.windows(4).position(|window| window == b"elst").unwrap() + 12;
    bytes[entry + 4..entry + 8].copy_from_slice(&10_000_000u32.to_be_bytes());
    fs::write(&path, bytes).unwrap();
    assert_eq!(refused(&path), "file_truncated");
}

#[test]
fn damage_in_the_middle_is_told_and_survived() {
    let dir = tempfile::tempdir().unwrap();
    let path = encode(dir.path(), "tone.flac", 48_000, &sweep(48_000, 480_000));
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 64].fill(0x55);
    fs::write(&path, bytes).unwrap();
    let found = look(&path).unwrap();
    assert!(found.warnings.iter().any(|warning| warning.code() == "damaged_places"), "{found:?}");
    assert!((470_000..480_000).contains(&found.frames), "{}", found.frames);
}

#[test]
fn wrong_tags_do_not_matter() {
    let dir = tempfile::tempdir().unwrap();
    let sound = fs::read(encode(dir.path(), "tone.mp3", 44_100, &tone(44_100, 1.0))).unwrap();
    let path = dir.path().join("liar.mp3");
    // A frame that claims to be larger than its tag.
    let mut tag = b"ID3\x04\x00\x00\x00\x00\x00\x20TIT2\x7f\x7f\x7f\x7f\x00\x00\x03hello".to_vec();
    tag.resize(10 + 32, 0);
    fs::write(&path, [tag, sound].concat()).unwrap();
    let found = look(&path).unwrap();
    assert_eq!(found.tags.artist, None);
    assert_eq!(found.frames, 44_100);
}

#[test]
fn long_texts_are_cut_and_control_characters_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let (plain, path) = (dir.path().join("plain.wav"), dir.path().join("long.flac"));
    write_wav(&plain, 44_100, 2, &tone(44_100, 0.5));
    let title = format!("title=\u{1b}[31m{}", "x".repeat(10_000));
    ffmpeg(&["-i", plain.to_str().unwrap(), "-metadata", &title, path.to_str().unwrap()]);
    let found = look(&path).unwrap();
    let title = found.tags.title.unwrap();
    assert_eq!(title.chars().count(), audio::tags::LONGEST_TEXT);
    assert!(title.starts_with("[31mxxx"), "{title:.20}");
    assert!(found.warnings.iter().any(|warning| warning.code() == "tags_shortened"));
}

#[test]
fn inspecting_can_be_cancelled_and_tells_how_far_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = encode(dir.path(), "tone.flac", 44_100, &tone(44_100, 5.0));
    let mut seen = Vec::new();
    let result = inspect(&path, 10, &mut |part| {
        seen.push(part);
        if part > 0.5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!(result, Err(Error::Cancelled));
    assert!(seen.is_sorted() && seen.last().is_some_and(|last| *last < 0.6), "{seen:?}");
}

#[test]
fn three_hours_are_inspected_in_bounded_memory() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("long.flac");
    // Silence compresses to little; what is measured is what is decoded.
    ffmpeg(&["-f", "lavfi", "-i", "anullsrc=r=8000:cl=mono", "-t", "10800", path.to_str().unwrap()]);
    let before = peak_memory();
    let found = look(&path).unwrap();
    assert_eq!(found.duration(), Duration::from_secs(3 * 3600));
    assert_eq!((found.loudness, found.waveform), (None, vec![0; 200]));
    let grown = peak_memory().saturating_sub(before);
    assert!(grown < 64 << 10, "{grown} KiB more than before");
}

#[test]
fn the_songs_of_a_real_game_are_as_long_as_another_decoder_finds() {
    let songs = Path::new("/usr/share/games/asc/music");
    if !songs.is_dir() {
        println!("skipped: asc-music is not installed");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for song in ["frontiers.mp3", "machine_wars.mp3", "time_to_strike.mp3"] {
        let path = songs.join(song);
        let plain = dir.path().join("plain.wav");
        ffmpeg(&["-i", path.to_str().unwrap(), plain.to_str().unwrap()]);
        let found = look(&path).unwrap();
        let frames = u64::from(hound::WavReader::open(&plain).unwrap().duration());
        // Without a tag that tells the encoder's silence, decoders differ in whether they take its usual length off.
        assert!(found.frames.abs_diff(frames) <= 1_105 + 1_152, "{song}: {} of {frames}", found.frames);
        assert!(
            found.loudness.is_some_and(|lufs| (-30.0..-5.0).contains(&lufs)),
            "{song}: {:?}",
            found.loudness
        );
        println!("{song}: {} frames, {frames} there, {:?}", found.frames, found.warnings);
    }
}
