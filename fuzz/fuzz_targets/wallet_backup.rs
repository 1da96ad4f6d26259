//! A wallet's backup: whatever an encrypted file holds, and whatever lies where one should be.
#![no_main]

use std::{collections::BTreeMap, io::Write, sync::LazyLock};

use age::{Encryptor, Recipient, scrypt, secrecy::SecretString};
use domain::Network;
use libfuzzer_sys::fuzz_target;
use treasury::wallet::{Passphrase, Seed, Wallet, backup, restore};

const PASSPHRASE: &str = "correct horse";
/// What every such file begins with, in clear: a heading, the words and what stretches them.
static HEAD: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let seed = Seed::parse(&format!("{}about", "abandon ".repeat(11))).expect("BIP 39's own");
    let wallet = Wallet::create(seed.keys(Network::Regtest).accounts(), 1);
    let sealed = backup(&wallet, &seed, BTreeMap::new(), &passphrase(), 1);
    let identity = scrypt::Identity::new(SecretString::from(PASSPHRASE));
    let content = age::decrypt(&identity, &sealed).expect("it was just sealed");
    let end = content.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(2).expect("it has three lines").0;
    content[..=end].to_vec()
});

fuzz_target!(|data: &[u8]| {
    // Without the passphrase's work, which one guess costs on purpose.
    if !data.starts_with(b"age-encryption.org/v1\n-> scrypt") {
        assert!(restore(data, &passphrase()).is_err());
    }
    for content in [data.to_vec(), [&HEAD, data].concat()] {
        if let Ok(restored) = restore(&sealed(&content), &passphrase()) {
            let wallet = Wallet::load(restored.wallet.snapshot()).expect("it was just restored");
            assert_eq!(wallet.export_labels(), restored.wallet.export_labels());
        }
    }
});

fn passphrase() -> Passphrase {
    Passphrase::new(PASSPHRASE).expect("it is not empty")
}

/// Encrypts with next to no work.
fn sealed(content: &[u8]) -> Vec<u8> {
    let mut recipient = scrypt::Recipient::new(SecretString::from(PASSPHRASE));
    recipient.set_work_factor(1);
    let one = std::iter::once(&recipient as &dyn Recipient);
    let mut sealed = Vec::new();
    let mut writer = Encryptor::with_recipients(one)
        .and_then(|encryptor| Ok(encryptor.wrap_output(&mut sealed)?))
        .expect("writing to memory does not fail");
    writer.write_all(content).expect("writing to memory does not fail");
    writer.finish().expect("writing to memory does not fail");
    sealed
}
