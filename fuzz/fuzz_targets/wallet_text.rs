//! What a person pastes or scans into the wallet: links, addresses, words, fee rates and labels of other programs. Total
//! over all texts, and what is accepted is written and read back the same.
#![no_main]

use std::sync::{LazyLock, Mutex};

use domain::Network;
use libfuzzer_sys::fuzz_target;
use treasury::wallet::{MAX_LABEL, Request, Seed, Wallet, parse_fee_rate};

/// Labels may grow to this many bytes before another wallet takes its turn.
const MOST_LABELS: usize = 64 << 10;

/// Making one takes longer than reading labels.
static WALLET: LazyLock<Mutex<Wallet>> = LazyLock::new(|| Mutex::new(wallet()));

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    Network::ALL.into_iter().for_each(|network| request(text, network));
    labels(text);
    let _ = parse_fee_rate(text);
    if let Ok(seed) = Seed::parse(text) {
        let words: Vec<&str> = seed.words().collect();
        assert!(Seed::parse(&words.join(" ")).is_ok_and(|again| again.words().eq(words)));
    }
});

fn request(text: &str, network: Network) {
    let Ok(request) = Request::parse(text, network) else { return };
    for words in [&request.label, &request.message].into_iter().flatten() {
        assert!(words.chars().count() <= MAX_LABEL);
    }
    assert_eq!(Request::parse(&request.uri(), network), Ok(request));
}

/// All labels are taken or none, and what was written is read back.
fn labels(text: &str) {
    let mut wallet = WALLET.lock().expect("no run ends in between");
    let before = wallet.export_labels();
    if wallet.import_labels(text).is_err() {
        assert_eq!(wallet.export_labels(), before);
        return;
    }
    let written = wallet.export_labels();
    wallet.import_labels(&written).expect("it was just written");
    assert_eq!(wallet.export_labels(), written);
    if written.len() > MOST_LABELS {
        *wallet = self::wallet();
    }
}

fn wallet() -> Wallet {
    let words = format!("{}about", "abandon ".repeat(11));
    Wallet::create(Seed::parse(&words).expect("BIP 39's own").keys(Network::Regtest).accounts(), 1)
}
