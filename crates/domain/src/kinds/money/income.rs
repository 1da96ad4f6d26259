use bitcoin::bip32::{ChildNumber, Xpub};
use minicbor::{Decode, Encode};

use super::content_key;
use crate::{
    Key, Kind, Network, RecordError,
    kinds::{cbor, id},
    text,
};

/// Addresses of one window: indices from its base to 999 above it.
pub const WINDOW: u32 = 1_000;
/// Most windows of one record.
pub const MAX_WINDOWS: usize = 16;
/// Depth of a chain's key: purpose, coin, account, chain (BIP 44).
const CHAIN_DEPTH: u8 = 4;
/// First index of a hardened child, which a public key cannot derive (BIP 32).
const HARDENED: u32 = 1 << 31;

/// Where an artist is paid. Whoever pays draws an index at random in the last window; whoever counts looks into every
/// window of every such record that the artist ever signed, so none is ever forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Income {
    /// The chain that it is on.
    #[n(0)]
    pub network: Network,
    /// Key of the chain `/0` of the income account: tips and sales.
    #[cbor(n(1), with = "cbor::xpub")]
    pub income: Xpub,
    /// Key of the chain `/1` of the same account: investments.
    #[cbor(n(2), with = "cbor::xpub")]
    pub principal: Xpub,
    /// The first index of every window ever published, ascending and apart.
    #[n(3)]
    pub windows: Vec<u32>,
    /// No block below this height counts. It is at most the height of the chain when it was signed: payers refuse one
    /// that is ahead of it.
    #[n(4)]
    pub birthday: u32,
}

impl Kind for Income {
    const ID: u16 = id::INCOME;
    const NAME: &'static str = "income";
    const PERMANENT: bool = true;

    fn key(&self) -> Key {
        content_key(self)
    }

    fn check(&self) -> Result<(), RecordError> {
        check_chain("income", &self.income, self.network, 0)?;
        check_chain("principal", &self.principal, self.network, 1)?;
        if self.income.parent_fingerprint != self.principal.parent_fingerprint {
            return Err(RecordError::body("principal", "is not of the same account as the income"));
        }
        if self.income.public_key == self.principal.public_key {
            return Err(RecordError::body("principal", "is the key of the income"));
        }
        check_windows(&self.windows)
    }

    fn network(&self) -> Option<Network> {
        Some(self.network)
    }
}

fn check_chain(field: &'static str, xpub: &Xpub, network: Network, chain: u32) -> Result<(), RecordError> {
    if xpub.network != network.bitcoin().into() {
        return Err(RecordError::body(field, format!("is not a key of {network}")));
    }
    let expected = ChildNumber::Normal { index: chain };
    match xpub.depth == CHAIN_DEPTH && xpub.child_number == expected {
        true => Ok(()),
        false => Err(RecordError::body(field, format!("is not the key of an account's chain {chain}"))),
    }
}

fn check_windows(windows: &[u32]) -> Result<(), RecordError> {
    text::at_most("windows", windows, MAX_WINDOWS)?;
    let apart = windows.windows(2).all(|pair| pair[1].checked_sub(pair[0]).is_some_and(|gap| gap >= WINDOW));
    let within = windows.last().is_some_and(|&base| base <= HARDENED - WINDOW);
    match apart && within {
        true => Ok(()),
        false => Err(RecordError::body("windows", "are not ascending, apart and within the key's indices")),
    }
}
