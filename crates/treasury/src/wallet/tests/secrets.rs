//! Words, keys and passphrases: that they are the right ones, and that nobody sees them.

use std::fmt;

use domain::bitcoin::bip32::Xpub;
use proptest::prelude::*;
use zeroize::Zeroizing;

use super::*;

fn open(sealed: &[u8], passphrase: &str) -> Result<Seed, SeedError> {
    Seed::open(sealed, &Passphrase::new(passphrase).unwrap())
}

fn words(seed: &Seed) -> String {
    seed.words().collect::<Vec<_>>().join(" ")
}

#[test]
fn addresses_are_those_of_bip_86() {
    let accounts = Seed::parse(WORDS).unwrap().keys(Network::Mainnet).accounts();
    for (chain, index, address) in [
        (Chain::Receive, 0, "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr"),
        (Chain::Receive, 1, "bc1p4qhjn9zdvkux4e44uhx8tc55attvtyu358kutcqkudyccelu0was9fqzwh"),
        (Chain::Change, 0, "bc1p3qkhfews2uk44qtvauqyr2ttdsw7svhkl9nkm9s9c3x4ax5h60wqwruhk7"),
    ] {
        assert_eq!(accounts.address(chain, index).to_string(), address);
    }
    let account = "xpub6BgBgsespWvERF3LHQu6CnqdvfEvtMcQjYrcRzx53QJjSxarj2afYWcLteoGVky7D3UKDP9QyrLprQ3VCECoY49yfdDEHGCtMMj92pReUsQ";
    let descriptor = accounts.descriptor(Chain::Change);
    assert!(descriptor.starts_with(&format!("tr([73c5da0a/86'/0'/0']{account}/1/*)#")), "{descriptor}");
    // The income account has keys of its own.
    let income: Xpub = accounts.xpub(Chain::Income);
    assert_ne!(income, accounts.xpub(Chain::Receive));
    assert!(accounts.descriptor(Chain::Principal).starts_with("tr([73c5da0a/86'/0'/1']"));
    let test = Seed::parse(WORDS).unwrap().keys(Network::Signet).accounts();
    assert!(test.descriptor(Chain::Receive).starts_with("tr([73c5da0a/86'/1'/0']tpub"));
}

#[test]
fn twelve_and_twenty_four_words_hold_their_entropy() {
    let long = Seed::generate(&Zeroizing::new([0xff; 32]), WordCount::TwentyFour);
    assert_eq!(words(&long), format!("{}vote", "zoo ".repeat(23)));
    let short = Seed::generate(&Zeroizing::new([0x7f; 32]), WordCount::Twelve);
    assert_eq!(words(&short), "legal winner thank year wave sausage worth useful legal winner thank yellow");
}

#[test]
fn words_are_read_as_people_write_them() {
    let written = "1. Abandon 2. abandon\n3) abandon  4: abandon abandon abandon abandon abandon abandon abandon\tabandon ABOUT\n";
    assert_eq!(words(&Seed::parse(written).unwrap()), WORDS);
}

#[test]
fn a_wrong_word_is_named_and_not_repeated() {
    #[track_caller]
    fn refuses(text: &str, code: &str, message: &str) {
        let error = Seed::parse(text).err().unwrap();
        assert_eq!((error.code(), error.to_string().as_str()), (code, message));
    }
    let with = |word: &str| WORDS.replacen("about", word, 1);
    refuses(
        &with("abandon"),
        "words_checksum",
        "the words do not belong together: one is wrong, or their order is",
    );
    refuses(&with("aboot"), "words_unknown", "word 12 is not on the list of BIP 39");
    refuses(
        &with("abouts"),
        "words_unknown",
        "word 12 is not on the list of BIP 39; did you mean \"about\"?",
    );
    refuses("abandon abandon", "words_count", "there are 2 words: a wallet has 12 or 24");
    refuses("", "words_count", "there are 0 words: a wallet has 12 or 24");
    refuses(&"zoo ".repeat(10_000), "words_count", "there are 10000 words: a wallet has 12 or 24");
}

#[test]
fn the_quiz_asks_for_three_places_and_knows_a_wrong_answer() {
    let seed = Seed::generate(&Zeroizing::new([5; 32]), WordCount::Twelve);
    let all: Vec<&str> = seed.words().collect();
    let places = seed.quiz([200; 32]);
    assert!(
        places.is_sorted()
            && places[0] >= 1
            && places[2] <= 12
            && places[0] != places[1]
            && places[1] != places[2]
    );
    let right = places.map(|place| (place, all[place - 1]));
    assert_eq!(seed.check_quiz(right), Ok(()));
    assert_eq!(
        seed.check_quiz([(places[0], all[places[0] - 1]), (places[1], "zoo")]),
        Err(SeedError::Quiz(places[1]))
    );
    assert_eq!(seed.check_quiz([(0, "zoo")]), Err(SeedError::Quiz(0)));
    assert_eq!(seed.check_quiz([(99, "zoo")]), Err(SeedError::Quiz(99)));
}

#[test]
fn a_passphrase_of_bip_39_makes_another_wallet_and_is_sealed_with_the_words() {
    let plain = Seed::parse(WORDS).unwrap();
    let hidden = Seed::parse(WORDS).unwrap().with_passphrase("two\n\"lines\"").unwrap();
    let accounts = |seed: &Seed| seed.keys(Network::Signet).accounts();
    assert_ne!(accounts(&plain), accounts(&hidden));
    let passphrase = Passphrase::new("correct horse").unwrap();
    let opened = open(&hidden.seal_with(&passphrase, 2), "correct horse").unwrap();
    assert_eq!((accounts(&opened), opened.has_passphrase()), (accounts(&hidden), true));
    assert_eq!(plain.with_passphrase(&"x".repeat(1_025)).err().unwrap().code(), "words_passphrase");
}

#[test]
fn a_sealed_seed_opens_with_its_passphrase_alone() {
    let seed = Seed::parse(WORDS).unwrap();
    let sealed = seed.seal_with(&Passphrase::new("correct horse").unwrap(), 2);
    assert_eq!(words(&open(&sealed, "correct horse").unwrap()), WORDS);
    assert_eq!(open(&sealed, "correct house").err().unwrap().code(), "passphrase_wrong");
    assert_eq!(open(b"", "correct horse").err().unwrap().code(), "wallet_damaged");
    assert!(!String::from_utf8_lossy(&sealed).contains("abandon"));
}

/// Fails to compile where a type has one of the traits.
macro_rules! never {
    ($($type:ty: $trait:path;)+) => {$(
        const _: fn() = || {
            trait Ambiguous<A> {
                fn name() {}
            }
            struct Has;
            impl<T: ?Sized> Ambiguous<()> for T {}
            impl<T: ?Sized + $trait> Ambiguous<Has> for T {}
            <$type as Ambiguous<_>>::name()
        };
    )+};
}

never! {
    Seed: fmt::Debug;
    Seed: fmt::Display;
    Seed: Clone;
    Seed: serde::Serialize;
    Passphrase: fmt::Debug;
    Passphrase: fmt::Display;
    Passphrase: serde::Serialize;
    Keys: fmt::Display;
    Keys: Clone;
    Keys: serde::Serialize;
    Restored: fmt::Debug;
}

#[test]
fn nothing_that_is_kept_or_shown_holds_a_secret() {
    let mut world = World::with_coins(Network::Regtest, &[100_000]);
    let draft = world.prepare(&pay(Network::Regtest, 40_000)).unwrap();
    let stranger = Seed::generate(&Zeroizing::new([0xff; 32]), WordCount::TwentyFour).keys(Network::Regtest);
    let wrong = world.wallet.sign(&draft, &stranger, NOW);
    world.send(&draft);
    let shown = format!(
        "{:?} {} {} {:?} {} {:?}",
        world.keys,
        serde_json::to_string(&world.kept).unwrap(),
        serde_json::to_string(&draft).unwrap(),
        world.wallet.accounts(),
        wrong.unwrap_err(),
        Seed::parse("abandon aboot").err().unwrap(),
    );
    assert!(shown.starts_with("Keys(regtest) "));
    let seed = "5eb00bbddcf069084889a8ab9155568165f5c453ccb85e70811aaed6f6da5fc1";
    for secret in ["prv", "abandon", "about", "aboot", &seed[..16]] {
        assert!(!shown.contains(secret), "{secret} is in it");
    }
}

proptest! {
    #[test]
    fn no_text_breaks_the_words(text in ".{0,200}") {
        let _ = Seed::parse(&text);
    }

    #[test]
    fn every_entropy_comes_back(entropy: [u8; 32], extension in ".{0,40}") {
        let seed = Seed::generate(&Zeroizing::new(entropy), WordCount::TwentyFour);
        let again = Seed::parse(&words(&seed)).unwrap();
        prop_assert_eq!(words(&again), words(&seed));
        let seed = seed.with_passphrase(&extension).unwrap();
        let text = seed.text(b"rest\nof it");
        let (read, rest) = Seed::of_text(&text).unwrap();
        prop_assert_eq!((words(&read), rest), (words(&seed), b"rest\nof it".as_slice()));
        prop_assert_eq!(read.has_passphrase(), !extension.is_empty());
    }
}
