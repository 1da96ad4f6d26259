//! Music to measure with: the fixtures of the tests, else a tone in every format that ffmpeg is here for.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Where `cargo xtask fixtures` puts real songs.
const FIXTURES: &str = "target/fixtures/frontiers";
/// Seconds of a tone, about a song's.
const SONG: u32 = 200;
/// Frames per second of a tone.
const RATE: u32 = 44_100;
/// Channels of a tone.
const CHANNELS: u16 = 2;
/// Bytes of a frame of a tone: 16 bits per channel.
const FRAME: u16 = CHANNELS * 2;
/// File extensions with what ffmpeg is told for each; the tone itself is wav.
const FORMATS: [(&str, &[&str]); 6] = [
    ("mp3", &["-c:a", "libmp3lame", "-b:a", "192k"]),
    ("flac", &["-c:a", "flac"]),
    ("ogg", &["-c:a", "libvorbis", "-q:a", "4"]),
    ("opus", &["-c:a", "libopus", "-b:a", "96k"]),
    ("wav", &["-c:a", "copy"]),
    ("m4a", &["-c:a", "aac", "-b:a", "128k"]),
];

/// One file per format.
pub(super) struct Songs {
    /// In the order that they are published in.
    pub(super) files: Vec<PathBuf>,
    /// What they are, for the figures' method.
    pub(super) what: String,
}

impl Songs {
    /// Finds the fixtures, else makes what can be made, in the folder.
    ///
    /// # Errors
    /// Those of the disk.
    pub(super) fn find(folder: &Path) -> io::Result<Self> {
        let fixtures = FORMATS.map(|(format, _)| PathBuf::from(format!("{FIXTURES}.{format}")));
        if fixtures.iter().all(|file| file.is_file()) {
            return Ok(Self { files: fixtures.into(), what: "a real song".to_owned() });
        }
        let wav = folder.join("tone.wav");
        tone(&wav, SONG, 0)?;
        let made: Vec<PathBuf> =
            FORMATS.iter().filter_map(|(format, options)| transcode(&wav, format, options)).collect();
        let lack =
            if made.len() < FORMATS.len() { "; formats that ffmpeg did not make are missing" } else { "" };
        Ok(Self { files: made, what: format!("a tone of {SONG} s{lack}") })
    }

    /// The formats, in the order of the files.
    pub(super) fn formats(&self) -> impl Iterator<Item = &str> {
        self.files.iter().filter_map(|file| file.extension()?.to_str())
    }
}

/// Writes a stereo tone of 16 bits as wav. Another number is another tone, so another file.
///
/// # Errors
/// Those of the disk.
pub(super) fn tone(file: &Path, seconds: u32, number: u32) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(file)?);
    let frames = seconds * RATE;
    let bytes = frames * u32::from(FRAME);
    out.write_all(b"RIFF")?;
    out.write_all(&(36 + bytes).to_le_bytes())?;
    out.write_all(b"WAVEfmt ")?;
    out.write_all(&16_u32.to_le_bytes())?;
    out.write_all(&1_u16.to_le_bytes())?;
    out.write_all(&CHANNELS.to_le_bytes())?;
    out.write_all(&RATE.to_le_bytes())?;
    out.write_all(&(RATE * u32::from(FRAME)).to_le_bytes())?;
    out.write_all(&FRAME.to_le_bytes())?;
    out.write_all(&16_u16.to_le_bytes())?;
    out.write_all(b"data")?;
    out.write_all(&bytes.to_le_bytes())?;
    let step = std::f32::consts::TAU * (220.0 + number as f32) / RATE as f32;
    // A slow rise in pitch, so that no two stretches of the file are alike.
    for frame in 0..frames {
        let at = frame as f32 / frames as f32;
        let angle = (step * (1.0 + at) * (frame % (RATE * 10)) as f32) % std::f32::consts::TAU;
        let sample = ((angle.sin() * 0.4 * f32::from(i16::MAX)) as i16).to_le_bytes();
        out.write_all(&sample)?;
        out.write_all(&sample)?;
    }
    out.flush()
}

/// Returns the file in another format; `None` where ffmpeg is not here or cannot make it.
fn transcode(wav: &Path, format: &str, options: &[&str]) -> Option<PathBuf> {
    if format == "wav" {
        return Some(wav.to_owned());
    }
    let file = wav.with_extension(format);
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-v", "error", "-nostdin", "-y", "-i"]).arg(wav).args(options).arg(&file);
    let made = ffmpeg.stdout(Stdio::null()).stderr(Stdio::null()).status();
    made.is_ok_and(|status| status.success()).then_some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_has_the_length_its_header_tells() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tone.wav");
        tone(&file, 2, 0).unwrap();
        let bytes = std::fs::read(&file).unwrap();
        assert_eq!(bytes.len(), 44 + 2 * 44_100 * 4);
        assert_eq!(bytes[40..44], (2 * 44_100 * 4_u32).to_le_bytes());
        assert!(bytes[44..].iter().any(|byte| *byte != 0));
    }

    #[test]
    fn tones_differ_by_their_number() {
        let folder = tempfile::tempdir().unwrap();
        let read = |number| {
            let file = folder.path().join("tone.wav");
            tone(&file, 1, number).unwrap();
            std::fs::read(&file).unwrap()
        };
        assert_ne!(read(1), read(2));
    }
}
