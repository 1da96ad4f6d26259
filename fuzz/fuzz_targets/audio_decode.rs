//! A track as a listener plays it: opened, decoded and sought in. Whatever is wrong with it is an error.
#![no_main]

use std::io::Cursor;

use audio::{Decoder, MOST_CHANNELS, RATES};
use libfuzzer_sys::fuzz_target;

/// Frames decoded per run, so that long ones leave time for others.
const MOST_FRAMES: usize = 1 << 20;

fuzz_target!(|data: &[u8]| {
    // The last bytes are where to seek to.
    let (file, places) = data.split_at(data.len() - data.len().min(8) / 4 * 4);
    let Ok(mut decoder) = Decoder::open(Box::new(Cursor::new(file.to_vec()))) else { return };
    let format = decoder.format().clone();
    assert!(RATES.contains(&format.sample_rate) && (1..=MOST_CHANNELS).contains(&format.channels));
    play(&mut decoder, format.channels);
    for place in places.chunks_exact(4) {
        let place = u64::from_le_bytes([place[0], place[1], place[2], 0, 0, 0, 0, place[3]]);
        if decoder.seek(place).is_ok() {
            play(&mut decoder, format.channels);
        }
    }
});

/// Decodes to the end or the first error; frames come whole.
fn play(decoder: &mut Decoder, channels: usize) {
    let mut frames = 0;
    while let Ok(Some(block)) = decoder.next_block() {
        assert!(block.samples.len() % channels == 0 && !block.samples.is_empty());
        frames += block.samples.len() / channels;
        if frames > MOST_FRAMES {
            return;
        }
    }
}
