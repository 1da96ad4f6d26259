//! Accounts and their keys (BIP 32, BIP 86).

use std::fmt;

use bdk_wallet::miniscript::{Descriptor, DescriptorPublicKey};
use domain::{
    Network,
    bitcoin::{
        Address, ScriptBuf, TxOut, Witness,
        bip32::{ChildNumber, DerivationPath, Fingerprint, Xpriv, Xpub},
        key::{Keypair, Secp256k1, TapTweak, XOnlyPublicKey},
        secp256k1::{All, Message, Verification},
        sighash::{Prevouts, SighashCache, TapSighashType, TaprootError},
        taproot::Signature,
        transaction::Transaction,
    },
    kinds::DaoId,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::SealingKey;

/// BIP 86: outputs that one key spends by taproot's key path.
const PURPOSE: u32 = 86;
/// The account below which every DAO has a key of its own.
const MEMBER: u32 = 2;
/// The account below which every DAO has a key that encrypts its secrets.
const SEALING: u32 = 3;
/// Highest index of a key that is not hardened (BIP 32).
pub const MAX_INDEX: u32 = (1 << 31) - 1;

/// Where an output of the wallet stands: which account, and which chain of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Chain {
    /// `m/86'/coin'/0'/0`: addresses of the private account.
    Receive,
    /// `m/86'/coin'/0'/1`: change, whatever account was spent.
    Change,
    /// `m/86'/coin'/1'/0`: an artist's income. Its public key is published, and with it every address.
    Income,
    /// `m/86'/coin'/1'/1`: what investors pay in. Its public key is published, and with it every address.
    Principal,
}

/// Which of the accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Account {
    /// Nobody else knows its addresses.
    #[default]
    Private,
    /// Everybody can see what it received.
    Income,
}

impl Chain {
    /// Every chain.
    pub const ALL: [Self; 4] = [Self::Receive, Self::Change, Self::Income, Self::Principal];

    /// Returns the account that the chain belongs to.
    pub fn account(self) -> Account {
        match self {
            Self::Receive | Self::Change => Account::Private,
            Self::Income | Self::Principal => Account::Income,
        }
    }

    /// Number of the chain within its account.
    fn number(self) -> u32 {
        match self {
            Self::Receive | Self::Income => 0,
            Self::Change | Self::Principal => 1,
        }
    }
}

impl Account {
    fn number(self) -> u32 {
        match self {
            Self::Private => 0,
            Self::Income => 1,
        }
    }
}

/// The public half of a wallet: enough to see every coin and to spend none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accounts {
    /// Whose money it is.
    pub network: Network,
    master: Fingerprint,
    private: Xpub,
    income: Xpub,
}

impl Accounts {
    /// Returns the extended public key of one chain, four levels deep. Only those of [`Chain::Income`] and
    /// [`Chain::Principal`] may be published: with one of these, no leaked child key opens another chain.
    pub fn xpub(&self, chain: Chain) -> Xpub {
        let account = match chain.account() {
            Account::Private => &self.private,
            Account::Income => &self.income,
        };
        child(account, chain.number())
    }

    /// Returns the chain's descriptor with origin and checksum, as other programs read it (BIP 380, BIP 386).
    pub fn descriptor(&self, chain: Chain) -> String {
        let (account, key) = match chain.account() {
            Account::Private => (Account::Private, &self.private),
            Account::Income => (Account::Income, &self.income),
        };
        let origin = account_path(self.network, account).to_string().replace('\'', "h");
        let text = format!("tr([{}/{origin}]{key}/{}/*)", self.master, chain.number());
        let parsed: Descriptor<DescriptorPublicKey> = text.parse().expect("it is a well-formed descriptor");
        parsed.to_string()
    }

    /// Returns the chain's address at an index below 2^31.
    pub fn address(&self, chain: Chain, index: u32) -> Address {
        let script = taproot_script(&Secp256k1::verification_only(), &self.xpub(chain), index);
        Address::from_script(&script, self.network.bitcoin()).expect("a taproot output has an address")
    }
}

/// Returns the output script of a chain's key at an index below 2^31: how a payer, too, finds an artist's address from
/// the published key.
pub fn taproot_script<C: Verification>(secp: &Secp256k1<C>, chain: &Xpub, index: u32) -> ScriptBuf {
    ScriptBuf::new_p2tr(secp, internal_key(secp, chain, index), None)
}

/// The private half, in memory only while the wallet is unlocked. It is wiped when dropped and never shown.
pub struct Keys {
    seed: Zeroizing<[u8; 64]>,
    network: Network,
    secp: Secp256k1<All>,
}

impl Keys {
    pub(crate) fn of_seed(seed: Zeroizing<[u8; 64]>, network: Network) -> Self {
        Self { seed, network, secp: Secp256k1::new() }
    }

    /// Returns the network that the keys are for.
    pub fn network(&self) -> Network {
        self.network
    }

    /// Derives the public half.
    pub fn accounts(&self) -> Accounts {
        let master = self.master();
        let account = |account| {
            let mut key = self.derive(&master, &account_path(self.network, account));
            let public = Xpub::from_priv(&self.secp, &key);
            key.private_key.non_secure_erase();
            public
        };
        Accounts {
            network: self.network,
            master: master.fingerprint(&self.secp),
            private: account(Account::Private),
            income: account(Account::Income),
        }
    }

    /// Signs inputs, each by its key's path; `prevouts` stand in the order of all inputs.
    pub(crate) fn sign(
        &self,
        tx: &mut Transaction,
        prevouts: &[TxOut],
        paths: impl Iterator<Item = (usize, (Chain, u32))>,
    ) -> Result<(), TaprootError> {
        let witnesses = paths.map(|(input, path)| Ok((input, self.witness(tx, prevouts, input, path)?)));
        for (input, witness) in witnesses.collect::<Result<Vec<_>, TaprootError>>()? {
            tx.input[input].witness = witness;
        }
        Ok(())
    }

    /// Derives the key with which the owner is a member of a DAO: `m/86'/coin'/2'/a'/b'/c'/d'`, where the last four are
    /// the first 4 x 31 bits of the DAO's id. Nobody who learns it learns the key of another DAO.
    pub fn member(&self, dao: &DaoId) -> Keypair {
        let mut key = self.of_dao(MEMBER, dao);
        let pair = Keypair::from_secret_key(&self.secp, &key.private_key);
        key.private_key.non_secure_erase();
        pair
    }

    /// Derives the key that encrypts what a member of a DAO must keep secret: `m/86'/coin'/3'/a'/b'/c'/d'`. It signs nothing.
    pub fn sealing(&self, dao: &DaoId) -> SealingKey {
        let mut key = self.of_dao(SEALING, dao);
        let secret = Zeroizing::new(key.private_key.secret_bytes());
        key.private_key.non_secure_erase();
        SealingKey::new(secret)
    }

    fn of_dao(&self, account: u32, dao: &DaoId) -> Xpriv {
        let coin = if self.network == Network::Mainnet { 0 } else { 1 };
        let (words, _) = dao.as_bytes().as_chunks::<4>();
        let of_dao = words.iter().take(4).map(|word| u32::from_be_bytes(*word) >> 1);
        let path = [PURPOSE, coin, account].into_iter().chain(of_dao).map(hardened);
        self.derive(&self.master(), &path.collect())
    }

    /// Signs one input by its key's path.
    pub(crate) fn witness(
        &self,
        tx: &Transaction,
        prevouts: &[TxOut],
        input: usize,
        (chain, index): (Chain, u32),
    ) -> Result<Witness, TaprootError> {
        let prevouts = Prevouts::All(prevouts);
        let hash = SighashCache::new(tx).taproot_key_spend_signature_hash(
            input,
            &prevouts,
            TapSighashType::Default,
        )?;
        let mut pair = self.pair(chain, index);
        let tweaked = pair.tap_tweak(&self.secp, None);
        // Without auxiliary randomness: the nonce depends on key and message alone (BIP 340).
        let signature = self.secp.sign_schnorr_no_aux_rand(&Message::from(hash), &tweaked.to_keypair());
        pair.non_secure_erase();
        Ok(Witness::p2tr_key_spend(&Signature { signature, sighash_type: TapSighashType::Default }))
    }

    fn pair(&self, chain: Chain, index: u32) -> Keypair {
        let path = account_path(self.network, chain.account());
        let path = path.extend([normal(chain.number()), normal(index)]);
        let mut key = self.derive(&self.master(), &path);
        let pair = Keypair::from_secret_key(&self.secp, &key.private_key);
        key.private_key.non_secure_erase();
        pair
    }

    fn master(&self) -> Master {
        let key = Xpriv::new_master(self.network.bitcoin(), &*self.seed);
        Master(key.expect("a seed that makes no key does not occur: the chance is below 2^-127"))
    }

    fn derive(&self, master: &Master, path: &DerivationPath) -> Xpriv {
        master.0.derive_priv(&self.secp, path).expect("an index that makes no key has a chance below 2^-127")
    }
}

/// No key shows.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", self.network)
    }
}

/// The master key, erased when dropped.
struct Master(Xpriv);

impl Master {
    fn fingerprint(&self, secp: &Secp256k1<All>) -> Fingerprint {
        self.0.fingerprint(secp)
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        self.0.private_key.non_secure_erase();
    }
}

/// Says whether the input is signed by the output's own key, as this wallet signs.
pub(crate) fn verify(secp: &Secp256k1<All>, tx: &Transaction, input: usize, prevouts: &[TxOut]) -> bool {
    let checked = || {
        let witness = tx.input.get(input)?.witness.iter().next()?;
        let signature = Signature::from_slice(witness).ok()?;
        let script = &prevouts.get(input)?.script_pubkey;
        let key = XOnlyPublicKey::from_slice(script.as_bytes().get(2..34)?).ok()?;
        let hash = SighashCache::new(tx)
            .taproot_key_spend_signature_hash(input, &Prevouts::All(prevouts), signature.sighash_type)
            .ok()?;
        secp.verify_schnorr(&signature.signature, &Message::from(hash), &key).ok()
    };
    checked().is_some()
}

fn account_path(network: Network, account: Account) -> DerivationPath {
    let coin = if network == Network::Mainnet { 0 } else { 1 };
    DerivationPath::from(vec![hardened(PURPOSE), hardened(coin), hardened(account.number())])
}

fn child(key: &Xpub, index: u32) -> Xpub {
    let secp = Secp256k1::verification_only();
    key.ckd_pub(&secp, normal(index)).expect("an index that makes no key has a chance below 2^-127")
}

fn internal_key<C: Verification>(secp: &Secp256k1<C>, chain: &Xpub, index: u32) -> XOnlyPublicKey {
    let key =
        chain.ckd_pub(secp, normal(index)).expect("an index that makes no key has a chance below 2^-127");
    key.to_x_only_pub()
}

fn hardened(number: u32) -> ChildNumber {
    ChildNumber::from_hardened_idx(number).expect("it is below 2^31")
}

fn normal(index: u32) -> ChildNumber {
    ChildNumber::from_normal_idx(index & MAX_INDEX).expect("the highest bit is clear")
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;

    use super::*;
    use crate::wallet::{Seed, WordCount};

    /// From BIP 39's reference vectors, all with the passphrase TREZOR.
    #[test]
    fn words_make_the_seed_of_bip_39() {
        for (entropy, count, seed) in [
            (
                0x00,
                WordCount::Twelve,
                "c55257c360c07c72029aebc1b53c05ed0362ada38ead3e3e9efa3708e53495531f09a6987599d18264c1e1c92f2cf141630c7a3c4ab7c81b2f001698e7463b04",
            ),
            (
                0x7f,
                WordCount::TwentyFour,
                "bc09fca1804f7e69da93c2f2028eb238c227f2e9dda30cd63699232578480a4021b146ad717fbb7e451ce9eb835f43620bf5c514db0f8add49f5d121449d3e87",
            ),
            (
                0xff,
                WordCount::TwentyFour,
                "dd48c104698c30cfe2b6142103248622fb7bb0ff692eebb00089b32d22484e1613912f0a5b694407be899ffd31ed3992c456cdf60f5d4564b8ba3f05a69890ad",
            ),
        ] {
            let words =
                Seed::generate(&Zeroizing::new([entropy; 32]), count).with_passphrase("TREZOR").unwrap();
            assert_eq!(HEXLOWER.encode(&*words.keys(Network::Signet).seed), seed);
        }
    }
}
