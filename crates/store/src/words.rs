//! How text is folded and cut into words, the same for what is indexed and for what is asked.

use std::collections::BTreeSet;

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Most words of one document or query.
const MAX_WORDS: usize = 64;
/// Longest word in characters; longer ones are cut.
const MAX_WORD_CHARS: usize = 40;
/// Shortest word in characters that can be a slip of another.
pub(crate) const MIN_SLIP_CHARS: usize = 4;
/// Characters at a word's beginning in which slips are looked for.
const SLIP_PREFIX_CHARS: usize = 7;

/// Cuts text into words: case, accents and apostrophes do not matter, and scripts without spaces give one word a
/// character.
pub(crate) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut chars = 0;
    for c in text.nfkd().flat_map(char::to_lowercase).filter(|c| !is_ignored(*c)) {
        if words.len() >= MAX_WORDS {
            break;
        }
        if stands_alone(c) {
            end(&mut words, &mut word, &mut chars);
            words.push(c.into());
        } else if c.is_alphanumeric() || (is_combining_mark(c) && chars > 0) {
            if chars < MAX_WORD_CHARS {
                push_folded(&mut word, c);
                chars += 1;
            }
        } else {
            end(&mut words, &mut word, &mut chars);
        }
    }
    end(&mut words, &mut word, &mut chars);
    words.truncate(MAX_WORDS);
    words
}

/// Spells a title the way titles are sorted and looked up whole.
pub(crate) fn key(text: &str) -> String {
    let key = words(text).join(" ");
    if key.is_empty() { text.trim().to_lowercase() } else { key }
}

/// The different words of several texts.
pub(crate) fn word_set(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().flat_map(|text| words(text)).take(MAX_WORDS).collect()
}

/// Hashes of a word's beginning as it is and with each letter left out. Two words that differ by one letter too many,
/// too few, wrong, or swapped with its neighbour share a hash (symmetric deletes; W. Garbe, SymSpell, 2012). Words
/// that are too short or hold digits have none.
pub(crate) fn slips(word: &str) -> BTreeSet<u32> {
    let chars: Vec<char> = word.chars().collect();
    if chars.len() < MIN_SLIP_CHARS || !chars.iter().all(|c| c.is_alphabetic()) {
        return BTreeSet::new();
    }
    let prefix = &chars[..chars.len().min(SLIP_PREFIX_CHARS)];
    let without = |skipped: usize| {
        let kept = prefix.iter().enumerate().filter(move |(at, _)| *at != skipped);
        hash(&kept.map(|(_, c)| *c).collect::<String>())
    };
    (0..=prefix.len()).map(without).collect()
}

/// Counts the letters to insert, remove, change or swap with a neighbour to turn one word into the other (optimal
/// string alignment).
pub(crate) fn distance(one: &str, two: &str) -> usize {
    let (one, two): (Vec<char>, Vec<char>) = (one.chars().collect(), two.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=two.len()).collect();
    for i in 1..=one.len() {
        let mut row = vec![i; two.len() + 1];
        for j in 1..=two.len() {
            let change = above[j - 1] + usize::from(one[i - 1] != two[j - 1]);
            row[j] = change.min(above[j] + 1).min(row[j - 1] + 1);
            let swapped = i > 1 && j > 1 && one[i - 1] == two[j - 2] && one[i - 2] == two[j - 1];
            if swapped {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[two.len()]
}

fn end(words: &mut Vec<String>, word: &mut String, chars: &mut usize) {
    if !word.is_empty() {
        words.push(std::mem::take(word));
    }
    *chars = 0;
}

/// Letters that Unicode does not decompose but that people type without their stroke or ligature.
fn push_folded(word: &mut String, c: char) {
    match c {
        'ß' => word.push_str("ss"),
        'æ' => word.push_str("ae"),
        'œ' => word.push_str("oe"),
        'þ' => word.push_str("th"),
        'ø' => word.push('o'),
        'ł' => word.push('l'),
        'đ' | 'ð' => word.push('d'),
        'ı' => word.push('i'),
        'ς' => word.push('σ'),
        c => word.push(c),
    }
}

/// Accents, vowel points and apostrophes. Other scripts' combining vowels stay: there they make the word.
fn is_ignored(c: char) -> bool {
    matches!(c,
        '\u{0300}'..='\u{036F}' | '\u{1AB0}'..='\u{1AFF}' | '\u{1DC0}'..='\u{1DFF}' | '\u{20D0}'..='\u{20FF}'
        | '\u{FE00}'..='\u{FE2F}' | '\u{0591}'..='\u{05C7}' | '\u{0610}'..='\u{061A}'
        | '\u{064B}'..='\u{065F}' | '\u{0670}' | '\u{3099}' | '\u{309A}' | '\u{200B}'..='\u{200F}'
        | '\'' | '’' | '‘' | 'ʼ' | '`' | '´')
}

/// Ideographs, kana and pictures.
fn stands_alone(c: char) -> bool {
    matches!(c,
        '\u{2600}'..='\u{27BF}' | '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}'
        | '\u{F900}'..='\u{FAFF}' | '\u{1F000}'..='\u{1FAFF}' | '\u{20000}'..='\u{3FFFF}')
}

fn hash(text: &str) -> u32 {
    let hash = blake3::hash(text.as_bytes());
    let [a, b, c, d, ..] = *hash.as_bytes();
    u32::from_le_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spelling_does_not_matter() {
        for (one, two) in [
            ("Björk Guðmundsdóttir", "bjork gudmundsdottir"),
            ("DON'T Stop", "dont stop"),
            ("Sigur Rós – Ágætis byrjun", "sigur ros agaetis BYRJUN"),
            ("Motörhead", "MOTORHEAD"),
            ("Straße", "strasse"),
            ("مُوسِيقَى", "موسيقى"),
            ("ﬁre", "fire"),
        ] {
            assert_eq!(words(one), words(two), "{one} {two}");
        }
    }

    #[test]
    fn scripts_without_spaces_give_single_characters() {
        assert_eq!(words("東京 jazz🎷"), ["東", "京", "jazz", "🎷"]);
    }

    #[test]
    fn a_title_of_signs_still_has_a_key() {
        assert_eq!(key("???"), "???");
        assert_eq!(key("The  Wall!"), "the wall");
    }

    #[test]
    fn one_slip_shares_a_hash() {
        for slip in ["metalica", "mettallica", "mteallica", "netallica", "metallics"] {
            assert!(!slips("metallica").is_disjoint(&slips(slip)), "{slip}");
            assert!(distance("metallica", slip) == 1, "{slip}");
        }
        assert!(slips("abc").is_empty() && slips("2026").is_empty());
    }

    proptest! {
        #[test]
        fn words_are_bounded_and_fold_to_themselves(text in "\\PC{0,400}") {
            for word in words(&text) {
                prop_assert!(word.chars().count() <= 2 * MAX_WORD_CHARS);
                prop_assert!(!word.contains(|c: char| c == '"' || c.is_whitespace()));
            }
            prop_assert!(words(&text).len() <= MAX_WORDS);
        }
    }
}
