//! The secret that all keys come from, as words (BIP 39).

use std::str;

use bip39::{Language, Mnemonic};
use domain::Network;
use zeroize::Zeroizing;

use super::{Keys, Passphrase, VaultError, vault};

/// Words that the order quiz asks for.
pub const QUIZ_WORDS: usize = 3;
/// Longest passphrase of BIP 39, in bytes.
const MAX_EXTENSION: usize = 1024;
/// First line of the sealed text.
const HEADING: &str = "MusicDAO wallet 1";

/// Says why words are no seed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SeedError {
    /// There are too few or too many.
    #[error("there are {0} words: a wallet has 12 or 24")]
    Count(usize),
    /// A word is not on the list. The word itself is not repeated: it may be nearly right, and messages are logged.
    #[error("word {position} is not on the list of BIP 39{}", hint.map(|word| format!("; did you mean {word:?}?")).unwrap_or_default())]
    Word {
        /// Which, from 1.
        position: usize,
        /// The only word of the list that begins with the same four letters.
        hint: Option<&'static str>,
    },
    /// Every word is on the list, but they do not belong together.
    #[error("the words do not belong together: one is wrong, or their order is")]
    Checksum,
    /// The passphrase of BIP 39 is too long.
    #[error("the words' passphrase has {0} bytes, more than 1024")]
    Passphrase(usize),
    /// A word of the order quiz is wrong.
    #[error("word {0} is another one")]
    Quiz(usize),
    /// The sealed seed did not open.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl SeedError {
    /// Returns the stable code for scripts and screens.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Count(_) => "words_count",
            Self::Word { .. } => "words_unknown",
            Self::Checksum => "words_checksum",
            Self::Passphrase(_) => "words_passphrase",
            Self::Quiz(_) => "words_quiz",
            Self::Vault(error) => error.code(),
        }
    }
}

/// How many words a new wallet has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WordCount {
    /// 128 bits.
    Twelve,
    /// 256 bits.
    #[default]
    TwentyFour,
}

/// The words and their optional passphrase. It shows neither, and wipes both when dropped.
pub struct Seed {
    words: Zeroizing<String>,
    extension: Zeroizing<String>,
}

impl Seed {
    /// Makes the words of fresh randomness, of which twelve words use the first half.
    pub fn generate(entropy: &Zeroizing<[u8; 32]>, count: WordCount) -> Self {
        let bytes = match count {
            WordCount::Twelve => &entropy[..16],
            WordCount::TwentyFour => &entropy[..],
        };
        let mnemonic = Mnemonic::from_entropy(bytes).expect("16 and 32 bytes are lengths of BIP 39");
        Self { words: Zeroizing::new(mnemonic.to_string()), extension: Zeroizing::default() }
    }

    /// Reads words as people write them down: any case, any white space, numbers before them.
    ///
    /// # Errors
    /// A [`SeedError`] that names the word that is wrong.
    pub fn parse(text: &str) -> Result<Self, SeedError> {
        let text = Zeroizing::new(text.to_lowercase());
        let numbering =
            |word: &&str| !word.trim_end_matches(['.', ')', ':']).bytes().all(|byte| byte.is_ascii_digit());
        let words: Vec<&str> = text.split_whitespace().filter(numbering).collect();
        if !matches!(words.len(), 12 | 24) {
            return Err(SeedError::Count(words.len()));
        }
        for (place, word) in words.iter().enumerate() {
            if Language::English.find_word(word).is_none() {
                return Err(SeedError::Word { position: place + 1, hint: hint(word) });
            }
        }
        let words = Zeroizing::new(words.join(" "));
        Mnemonic::parse_in_normalized(Language::English, &words).map_err(|_| SeedError::Checksum)?;
        Ok(Self { words, extension: Zeroizing::default() })
    }

    /// Adds the passphrase of BIP 39: other words for it, another wallet. Nothing can tell a wrong one.
    ///
    /// # Errors
    /// [`SeedError::Passphrase`] where it is too long.
    pub fn with_passphrase(mut self, extension: &str) -> Result<Self, SeedError> {
        if extension.len() > MAX_EXTENSION {
            return Err(SeedError::Passphrase(extension.len()));
        }
        self.extension = Zeroizing::new(extension.to_owned());
        Ok(self)
    }

    /// Returns the words, to be shown once to their owner and never kept in clear.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.words.split(' ')
    }

    /// Says whether a passphrase of BIP 39 belongs to the words.
    pub fn has_passphrase(&self) -> bool {
        !self.extension.is_empty()
    }

    /// Draws the places, from 1 and in rising order, of the words that the owner has to repeat.
    pub fn quiz(&self, entropy: [u8; 32]) -> [usize; QUIZ_WORDS] {
        let mut places: Vec<usize> = (1..=self.words().count()).collect();
        let mut drawn = [0; QUIZ_WORDS];
        for (slot, byte) in drawn.iter_mut().zip(entropy) {
            *slot = places.remove(usize::from(byte) % places.len());
        }
        drawn.sort_unstable();
        drawn
    }

    /// Checks the owner's answers, each a place from 1 and its word.
    ///
    /// # Errors
    /// [`SeedError::Quiz`] names the first that is wrong.
    pub fn check_quiz<'a>(
        &self,
        answers: impl IntoIterator<Item = (usize, &'a str)>,
    ) -> Result<(), SeedError> {
        for (place, answer) in answers {
            let word = place.checked_sub(1).and_then(|index| self.words().nth(index));
            if word != Some(answer.trim().to_lowercase().as_str()) {
                return Err(SeedError::Quiz(place));
            }
        }
        Ok(())
    }

    /// Derives the keys of a network.
    pub fn keys(&self, network: Network) -> Keys {
        let mnemonic =
            Mnemonic::parse_in_normalized(Language::English, &self.words).expect("the words were checked");
        Keys::of_seed(Zeroizing::new(mnemonic.to_seed(self.extension.as_str())), network)
    }

    /// Encrypts the seed for the disk. It takes a moment on purpose.
    pub fn seal(&self, passphrase: &Passphrase) -> Vec<u8> {
        self.seal_with(passphrase, vault::WORK_FACTOR)
    }

    /// Decrypts a sealed seed.
    ///
    /// # Errors
    /// [`SeedError::Vault`] for another passphrase or a damaged file.
    pub fn open(sealed: &[u8], passphrase: &Passphrase) -> Result<Self, SeedError> {
        let content = vault::open(sealed, passphrase)?;
        let (seed, rest) = Self::of_text(&content)?;
        if rest.is_empty() { Ok(seed) } else { Err(damaged("there is more in it than a seed")) }
    }

    pub(crate) fn seal_with(&self, passphrase: &Passphrase, work_factor: u8) -> Vec<u8> {
        vault::seal(&self.text(b""), passphrase, work_factor)
    }

    /// Four lines in clear: heading, words, passphrase in JSON's quotes, and what else belongs to it.
    pub(crate) fn text(&self, rest: &[u8]) -> Zeroizing<Vec<u8>> {
        let extension =
            Zeroizing::new(serde_json::to_string(self.extension.as_str()).expect("a text has a JSON form"));
        let head = Zeroizing::new(format!("{HEADING}\n{}\n{}\n", *self.words, *extension));
        Zeroizing::new([head.as_bytes(), rest].concat())
    }

    pub(crate) fn of_text(content: &[u8]) -> Result<(Self, &[u8]), SeedError> {
        let mut lines = content.splitn(4, |byte| *byte == b'\n');
        let mut line = || lines.next().ok_or_else(|| damaged("it ends too soon"));
        if line()? != HEADING.as_bytes() {
            return Err(damaged("it does not begin like a wallet"));
        }
        let words = str::from_utf8(line()?).map_err(|_| damaged("its words are not text"))?;
        let extension: Zeroizing<String> = Zeroizing::new(
            serde_json::from_slice(line()?).map_err(|_| damaged("its passphrase is not text"))?,
        );
        Ok((Self::parse(words)?.with_passphrase(&extension)?, line()?))
    }
}

/// The only word of the list with the same four letters at its beginning: these tell all of them apart.
fn hint(word: &str) -> Option<&'static str> {
    let beginning: String = word.chars().take(4).collect();
    let mut found = Language::English.words_by_prefix_iter(&beginning);
    match (found.next(), found.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

fn damaged(problem: &str) -> SeedError {
    VaultError::Damaged(problem.into()).into()
}
