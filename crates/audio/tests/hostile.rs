//! Damaged and hostile bytes: an error or a shorter sound, never a panic, a hang or much memory.
#![allow(clippy::unwrap_used)]

mod common;

use std::{io::Cursor, time::Instant};

use audio::{Decoder, tags};
use common::*;

/// Memory that no file of a few hundred kilobytes may make a decoder take, in KiB.
const MOST_MEMORY: u64 = 256 << 10;

/// A small generator, so that a failing case can be told by its number.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }
}

/// Changes a few bytes, most of them near the start where the headers are, and sometimes cuts.
fn mutate(bytes: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..1 + dice.roll(12) {
        let within = if dice.roll(3) == 0 { bytes.len() } else { bytes.len().min(2_048) };
        let at = dice.roll(within);
        let byte = [0, 0xff, 0x7f, 0x80, dice.roll(256) as u8][dice.roll(5)];
        // Four at a time hit the fields that tell sizes.
        let end = if dice.roll(3) == 0 { bytes.len().min(at + 4) } else { at + 1 };
        bytes[at..end].fill(byte);
    }
    if dice.roll(4) == 0 {
        bytes.truncate(1 + dice.roll(bytes.len()));
    }
    bytes
}

/// Uses bytes in every way a track is used.
fn use_up(bytes: Vec<u8>) {
    tags::read(Cursor::new(&bytes), &mut Vec::new());
    let Ok(mut decoder) = Decoder::open(Box::new(Cursor::new(bytes))) else { return };
    let _ = decoder.seek(30_000);
    while let Ok(Some(_)) = decoder.next_block() {}
    let _ = decoder.seek(10_000);
    for _ in 0..3 {
        let _ = decoder.next_block();
    }
}

fn rounds() -> u64 {
    std::env::var("MUSICDAO_TEST_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(300)
}

#[test]
fn mutated_files_do_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    for (extension, ..) in FORMATS {
        let whole =
            std::fs::read(encode(dir.path(), &format!("t.{extension}"), 44_100, &sweep(44_100, 60_000)))
                .unwrap();
        for case in 0..rounds() {
            let mut dice = Dice((case + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let bytes = mutate(&whole, &mut dice);
            let start = Instant::now();
            println!("{extension} {case}");
            use_up(bytes);
            assert!(start.elapsed() < PATIENCE, "{extension} {case} hangs");
        }
    }
    assert!(peak_memory() < MOST_MEMORY, "{} KiB", peak_memory());
}
