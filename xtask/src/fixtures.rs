//! Real songs in every format that the player knows, for tests and benches.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Where Debian's package asc-music puts its three mp3s.
const SONGS: &str = "/usr/share/games/asc/music";

const TITLES: [&str; 3] = ["frontiers", "machine_wars", "time_to_strike"];

/// File extension and the encoder's options. `-bitexact` keeps the date and version of ffmpeg out of the file.
const FORMATS: [(&str, &[&str]); 5] = [
    ("wav", &["-c:a", "pcm_s16le"]),
    ("flac", &["-c:a", "flac", "-sample_fmt", "s16"]),
    ("ogg", &["-c:a", "libvorbis", "-q:a", "4"]),
    ("opus", &["-c:a", "libopus", "-b:a", "96k"]),
    ("m4a", &["-c:a", "aac", "-b:a", "128k"]),
];

/// No song in any format is smaller than this many bytes, so a smaller file is a broken one.
const SMALLEST: u64 = 1 << 20;

/// Copies the songs to `target/fixtures` and transcodes each to every format, once.
///
/// # Errors
/// When the songs or ffmpeg are missing, ffmpeg refuses, or the folder cannot be written.
pub(crate) fn make(root: &Path) -> Result<()> {
    let folder = root.join("target/fixtures");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for title in TITLES {
        let song = Path::new(SONGS).join(title).with_extension("mp3");
        if !song.is_file() {
            bail!("{} is missing: install Debian's package asc-music", song.display());
        }
        place(&folder.join(title).with_extension("mp3"), |part| copy(&song, part))?;
        for (extension, options) in FORMATS {
            place(&folder.join(title).with_extension(extension), |part| transcode(&song, options, part))?;
        }
    }
    Ok(())
}

/// Writes `file` under another name first, so that a file of that name is always whole.
fn place(file: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    if is_whole(file) {
        return Ok(());
    }
    let name = file.file_name().expect("a fixture has a name").to_string_lossy();
    let part = file.with_file_name(format!(".part-{}-{name}", std::process::id()));
    write(&part)?;
    if !is_whole(&part) {
        bail!("{} came out smaller than {SMALLEST} bytes", part.display());
    }
    fs::rename(&part, file).with_context(|| format!("cannot place {}", file.display()))
}

fn is_whole(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|it| it.is_file() && it.len() >= SMALLEST)
}

fn copy(song: &Path, to: &Path) -> Result<()> {
    fs::copy(song, to).with_context(|| format!("cannot copy {}", song.display()))?;
    Ok(())
}

fn transcode(song: &Path, options: &[&str], to: &Path) -> Result<()> {
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-y", "-i"])
        .arg(song)
        .args(["-map", "0:a", "-map_metadata", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact"])
        .args(options)
        .arg(to)
        .status()
        .context("cannot start ffmpeg")?;
    if !status.success() {
        bail!("ffmpeg could not write {}: {status}", to.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_fixture_is_made_again_and_a_whole_one_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("song.wav");
        fs::write(&file, b"cut short").unwrap();

        let whole = vec![7; SMALLEST as usize];
        place(&file, |part| Ok(fs::write(part, &whole)?)).unwrap();
        assert_eq!(fs::read(&file).unwrap(), whole);

        place(&file, |_| bail!("written twice")).unwrap();
    }

    #[test]
    fn a_cut_result_is_never_placed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("song.wav");
        let error = place(&file, |part| Ok(fs::write(part, b"cut short")?)).unwrap_err();
        assert!(error.to_string().contains("smaller than"), "{error}");
        assert!(!file.exists());
    }
}
