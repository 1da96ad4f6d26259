//! What a file says about itself: whatever is wrong with it is a warning, and texts and covers keep to their limits.
#![no_main]

use std::io::Cursor;

use audio::tags::{self, LARGEST_COVER, LONGEST_LYRICS, LONGEST_TEXT};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut warnings = Vec::new();
    let (tags, cover) = tags::read(Cursor::new(data), &mut warnings);
    assert!(cover.is_none_or(|cover| cover.data.len() <= LARGEST_COVER));
    let texts = [tags.title, tags.artist, tags.album, tags.album_artist, tags.date, tags.license, tags.genre];
    assert!(texts.into_iter().flatten().all(|text| is_clean(&text, LONGEST_TEXT)));
    assert!(tags.lyrics.is_none_or(|lyrics| is_clean(&lyrics.replace('\n', ""), LONGEST_LYRICS)));
});

fn is_clean(text: &str, longest: usize) -> bool {
    text.chars().count() <= longest && !text.contains(char::is_control)
}
