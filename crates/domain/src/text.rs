//! Bounded, printable text, and tags in one spelling.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use crate::RecordError;

/// Shortest tag in characters.
pub const MIN_TAG_CHARS: usize = 2;
/// Longest tag in characters.
pub const MAX_TAG_CHARS: usize = 50;

/// Refuses text that is empty, longer than `max` characters, or holds control or direction-override characters.
pub(crate) fn line(field: &'static str, text: &str, max: usize) -> Result<(), RecordError> {
    if text.trim().is_empty() {
        return Err(RecordError::body(field, "is empty"));
    }
    optional(field, text, max)
}

/// As [`line`], but may be empty.
pub(crate) fn optional(field: &'static str, text: &str, max: usize) -> Result<(), RecordError> {
    bounded(field, text, max)?;
    refuse(field, text, |c| c.is_control() || overrides_direction(c))
}

/// As [`optional`], but may have several lines.
pub(crate) fn lines(field: &'static str, text: &str, max: usize) -> Result<(), RecordError> {
    bounded(field, text, max)?;
    refuse(field, text, |c| (c.is_control() && c != '\n') || overrides_direction(c))
}

/// Refuses a list of more than `max` entries.
pub(crate) fn at_most<T>(field: &'static str, list: &[T], max: usize) -> Result<(), RecordError> {
    if list.len() > max {
        return Err(RecordError::body(field, format!("has {} entries, more than {max}", list.len())));
    }
    Ok(())
}

/// Brings a tag to its one spelling: compatibility-composed (NFKC), lower case, single hyphens between words,
/// no `#`.
///
/// # Errors
/// [`RecordError::Body`] for tags shorter than [`MIN_TAG_CHARS`] or longer than [`MAX_TAG_CHARS`].
pub fn normalize_tag(text: &str) -> Result<String, RecordError> {
    let folded = text.nfkc().flat_map(char::to_lowercase).nfkc().collect::<String>();
    let words = folded.split(|c: char| c.is_whitespace() || matches!(c, '#' | '-' | '_'));
    let tag = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-");
    optional("tag", &tag, MAX_TAG_CHARS)?;
    if tag.chars().filter(|c| !is_combining_mark(*c)).count() < MIN_TAG_CHARS {
        return Err(RecordError::body("tag", format!("`{tag}` has fewer than {MIN_TAG_CHARS} characters")));
    }
    Ok(tag)
}

fn bounded(field: &'static str, text: &str, max: usize) -> Result<(), RecordError> {
    // Characters are counted for people, bytes bound what combining marks can pile up.
    let chars = text.chars().count();
    if chars > max || text.len() > max * 4 {
        return Err(RecordError::body(field, format!("has {chars} characters, more than {max}")));
    }
    Ok(())
}

fn refuse(field: &'static str, text: &str, bad: impl Fn(char) -> bool) -> Result<(), RecordError> {
    match text.chars().find(|c| bad(*c)) {
        Some(c) => Err(RecordError::body(field, format!("holds the character U+{:04X}", u32::from(c)))),
        None => Ok(()),
    }
}

/// Characters that let one text pass for another by reordering what is shown (Unicode TR 36, 3.6).
fn overrides_direction(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tags_have_one_spelling() {
        for spelling in ["Drum & Bass", " #drum  & bass", "drum-&-BASS", "drum_&_bass"] {
            assert_eq!(normalize_tag(spelling).unwrap(), "drum-&-bass");
        }
        assert_eq!(normalize_tag("ＪＡＺＺ").unwrap(), "jazz");
    }

    #[test]
    fn odd_tags_are_refused() {
        for tag in ["", "x", "#", "-- --", &"long".repeat(13), "a\u{202E}b"] {
            assert!(normalize_tag(tag).is_err(), "{tag:?}");
        }
    }

    #[test]
    fn control_characters_are_named() {
        let error = line("title", "bell\u{7}", 10).unwrap_err();
        assert_eq!(error.to_string(), "title holds the character U+0007");
    }

    proptest! {
        #[test]
        fn normalizing_twice_changes_nothing(text in "\\PC{0,60}") {
            if let Ok(tag) = normalize_tag(&text) {
                prop_assert_eq!(normalize_tag(&tag).unwrap(), tag);
            }
        }
    }
}
