//! A synthetic catalogue of any size, and queries that suit it, for `musicdao bench search`.

use domain::{
    BlobHash, Identity, Record, Stamp,
    kinds::{BlobRef, Codec, Release, Track},
};
use peer::ChangeSet;

use crate::{Store, StoreError};

/// Tracks of one release.
const TRACKS: u32 = 10;
/// Releases written in one transaction.
const BATCH: u32 = 1_000;
/// Releases of one artist.
const RELEASES: u32 = 5;
/// Different words of titles.
const VOCABULARY: u64 = 80_000;
/// When the first release was made; each is a minute younger.
const EPOCH_MS: u64 = 1_700_000_000_000;

/// Applies signed releases of ten tracks each until there are so many tracks.
///
/// # Errors
/// Those of the database.
pub async fn fill(store: &Store, tracks: u32, seed: u64) -> Result<(), StoreError> {
    let releases = tracks.div_ceil(TRACKS);
    for from in (0..releases).step_by(BATCH as usize) {
        let put = (from..releases.min(from + BATCH)).map(|number| record(seed, number)).collect();
        store.apply(&ChangeSet { put, ..ChangeSet::default() }).await?;
    }
    Ok(())
}

/// Makes the n-th query: a part of some title, as typed so far, now and then with the artist or with a slip.
pub fn query(seed: u64, n: u64) -> String {
    let mut random = Random(seed ^ (n + 1).wrapping_mul(0xA24B_AED4_963E_E407));
    let release = release(seed, random.below(100_000) as u32);
    let track = random.below(u64::from(TRACKS)) as usize;
    let mut text = match random.below(4) {
        0 => release.artist.clone(),
        1 => release.title.clone(),
        2 => release.tracks.map_or_else(String::new, |tracks| tracks[track].title.clone()),
        _ => format!("{} {}", release.artist, release.title),
    };
    let length = text.chars().count() as u64;
    text = text.chars().take((1 + random.below(length)) as usize).collect();
    if random.below(5) == 0 && text.len() > 4 {
        let at = 1 + random.below(text.len() as u64 - 2) as usize;
        text.remove(at);
    }
    text
}

fn record(seed: u64, number: u32) -> Record {
    let mut secret = [0; 32];
    secret[..8].copy_from_slice(&seed.to_le_bytes());
    secret[8..12].copy_from_slice(&(number / RELEASES).to_le_bytes());
    let made = EPOCH_MS + u64::from(number) * 60_000;
    let stamp = Stamp { seq: made, created_at: made, ..Stamp::default() };
    Record::sign(&Identity::from_secret(&secret), stamp, &release(seed, number))
        .expect("what is made here keeps the rules of a release")
}

fn release(seed: u64, number: u32) -> Release {
    let mut random = Random(seed.wrapping_add(u64::from(number) << 20));
    let mut artist = Random(seed.wrapping_add(u64::from(number / RELEASES)));
    let mut nonce = [0; 16];
    nonce[..4].copy_from_slice(&number.to_le_bytes());
    let words = 1 + random.below(3);
    Release {
        nonce,
        title: title(&mut random, words),
        artist: title(&mut artist, 2),
        date: Some("2026".into()),
        license: "CC-BY-4.0".parse().expect("a licence for publishing"),
        cover: None,
        tracks: Some((0..TRACKS).map(|at| track(&mut random, number, at)).collect()),
        track_list: None,
        track_count: TRACKS as u16,
        collaborators: None,
        description: None,
        tags: Some(vec![word(random.below(200))]),
        waveforms: None,
        accent: None,
    }
}

fn track(random: &mut Random, release: u32, at: u32) -> Track {
    let words = 1 + random.below(4);
    Track {
        title: title(random, words),
        blob: BlobRef {
            hash: BlobHash::of(&[release.to_le_bytes(), at.to_le_bytes()].concat()),
            size: 4_000_000,
        },
        duration_ms: 200_000,
        codec: Codec::Mp3,
        sample_rate: 44_100,
        channels: 2,
        loudness: Some(-1_400),
        peak: Some(-100),
        artist: None,
    }
}

fn title(random: &mut Random, words: u64) -> String {
    let words: Vec<String> = (0..words).map(|_| word(random.common(VOCABULARY))).collect();
    words.join(" ")
}

/// The n-th word; every number has its own.
fn word(mut number: u64) -> String {
    const SYLLABLES: [&str; 24] = [
        "lo", "ve", "ni", "gh", "ta", "mor", "sol", "ka", "ri", "en", "blu", "wa", "ter", "sto", "ne", "fi",
        "re", "da", "nce", "shi", "ol", "mu", "per", "an",
    ];
    let mut word = String::new();
    number += SYLLABLES.len() as u64;
    while number > 0 {
        word.push_str(SYLLABLES[(number % SYLLABLES.len() as u64) as usize]);
        number /= SYLLABLES.len() as u64;
    }
    word
}

/// SplitMix64 (Steele, Lea and Flood, 2014): the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// Small numbers often, large ones seldom, as words are in a language (Zipf's law).
    fn common(&mut self, end: u64) -> u64 {
        let unit = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        ((end as f64).powf(unit) - 1.0) as u64
    }
}
