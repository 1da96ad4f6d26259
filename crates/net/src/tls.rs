//! Mutual authentication with raw Ed25519 keys (RFC 7250) instead of certificates: a peer is its key.

use std::sync::Arc;

use domain::{Identity, PeerId};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible, SignatureScheme,
    client::{
        AlwaysResolvesClientRawPublicKeys,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring, verify_tls13_signature_with_raw_key},
    pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime},
    server::{
        AlwaysResolvesServerRawPublicKeys,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::CertifiedKey,
    version::TLS13,
};
use zeroize::Zeroizing;

use crate::wire::ALPN;

/// DER before the 32 bytes of an Ed25519 public key (RFC 8410, section 4).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// DER before the 32 bytes of an Ed25519 secret seed (RFC 8410, section 7).
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
/// Reserved top level (RFC 2606): the name can never mean a host.
const NAME_SUFFIX: &str = ".peer.invalid";
/// A DNS label holds at most 63 characters and a key has 64 digits, so the key is cut in two.
const LABEL: usize = 32;

/// The two halves of the TLS set-up of one identity.
#[derive(Clone)]
pub(crate) struct Tls {
    key: Arc<CertifiedKey>,
    verifier: Arc<RawKeys>,
}

/// The secret never shows.
impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

/// Checks the other side's raw key; the client also pins it to the name it dialled.
#[derive(Debug)]
struct RawKeys(Arc<CryptoProvider>);

impl Tls {
    pub(crate) fn new(identity: &Identity) -> Self {
        let secret = identity.secret();
        let pkcs8 = Zeroizing::new([PKCS8_PREFIX.as_slice(), secret.as_slice()].concat());
        let key = ring::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(pkcs8.as_slice()))
            .expect("an identity's seed is an Ed25519 key");
        let spki = [SPKI_PREFIX.as_slice(), identity.id().as_bytes()].concat();
        let key = Arc::new(CertifiedKey::new(vec![CertificateDer::from(spki)], key));
        Self { key, verifier: Arc::new(RawKeys(Arc::new(ring::default_provider()))) }
    }

    pub(crate) fn server(&self) -> Arc<QuicServerConfig> {
        let mut config = rustls::ServerConfig::builder_with_provider(self.verifier.0.clone())
            .with_protocol_versions(&[&TLS13])
            .expect("ring speaks TLS 1.3")
            .with_client_cert_verifier(self.verifier.clone())
            .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(self.key.clone())));
        config.alpn_protocols = vec![ALPN.to_vec()];
        // QUIC knows only "all or nothing" here (RFC 9001, section 4.6.1); what is answered is in `early`.
        config.max_early_data_size = u32::MAX;
        Arc::new(QuicServerConfig::try_from(config).expect("ring has the initial cipher suite of QUIC"))
    }

    /// Returns bytes that nobody can guess.
    pub(crate) fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.verifier.0.secure_random.fill(&mut bytes).expect("the system has randomness");
        bytes
    }

    pub(crate) fn client(&self) -> Arc<QuicClientConfig> {
        let mut config = rustls::ClientConfig::builder_with_provider(self.verifier.0.clone())
            .with_protocol_versions(&[&TLS13])
            .expect("ring speaks TLS 1.3")
            .dangerous()
            .with_custom_certificate_verifier(self.verifier.clone())
            .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(self.key.clone())));
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.enable_early_data = true;
        Arc::new(QuicClientConfig::try_from(config).expect("ring has the initial cipher suite of QUIC"))
    }
}

/// The server name of a peer whose key is not known before it answers.
pub(crate) const ANYBODY: &str = "anybody.peer.invalid";

/// Returns the server name that pins a peer.
pub(crate) fn server_name(peer: &PeerId) -> String {
    let digits = peer.to_string();
    let (left, right) = digits.split_at(LABEL);
    format!("{left}.{right}{NAME_SUFFIX}")
}

/// Returns the key that the other side of an established connection proved to have.
pub(crate) fn peer_of(connection: &quinn::Connection) -> Option<PeerId> {
    let chain = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    key_of_spki(chain.first()?)
}

fn key_of_spki(spki: &[u8]) -> Option<PeerId> {
    spki.strip_prefix(&SPKI_PREFIX)?.try_into().ok().map(PeerId::from_bytes)
}

fn key_of_name(name: &str) -> Option<PeerId> {
    let (left, right) = name.strip_suffix(NAME_SUFFIX)?.split_once('.')?;
    format!("{left}{right}").parse().ok()
}

impl RawKeys {
    fn verify(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let spki = SubjectPublicKeyInfoDer::from(key.as_ref());
        verify_tls13_signature_with_raw_key(
            message,
            &spki,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }
}

impl ServerCertVerifier for RawKeys {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let ServerName::DnsName(name) = server_name else { return Err(Error::UnsupportedNameType) };
        let key = key_of_spki(end_entity).ok_or(CertificateError::BadEncoding)?;
        let pinned = key_of_name(name.as_ref());
        if name.as_ref() != ANYBODY && pinned != Some(key) {
            return Err(CertificateError::NotValidForName.into());
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _key: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, key, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for RawKeys {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        key_of_spki(end_entity).ok_or(CertificateError::BadEncoding)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _key: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, key, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_pins_one_key() {
        let peer = Identity::from_secret(&[1; 32]).id();
        assert_eq!(key_of_name(&server_name(&peer)), Some(peer));
        assert_eq!(key_of_name("example.org"), None);
        assert_eq!(key_of_name("a.b.peer.invalid"), None);
    }
}
