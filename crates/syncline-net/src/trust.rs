//! Whom a dialer believes, and the TLS settings that follow for both ends.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, OnceLock};

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::sign::SingleCertAndKey;
use rustls::{CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme, version::TLS13};
use thiserror::Error;

use crate::ALPN;
use crate::identity::{self, Identity, IdentityError};
use crate::pin::Pin;

/// What a dialer demands of the peer's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It has exactly this key. Names and dates do not matter.
    Pin(Pin),
    /// A certificate in this PEM file vouches for it, for the dialed name and for now.
    CaFile(PathBuf),
    /// A certificate authority that this machine trusts vouches for it, likewise.
    NativeRoots,
}

/// Why a [`Trust`] cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TrustError {
    /// The file of authorities cannot be read or understood.
    #[error("certificate authorities: {0}")]
    File(#[source] IdentityError),
    /// The file holds certificates, but none that can be an authority.
    #[error("{} holds no certificate that can be an authority", path.display())]
    NoAuthority {
        /// The file.
        path: PathBuf,
    },
    /// The machine trusts no authority at all.
    #[error(
        "this machine has no trusted certificate authorities{detail}; \
         install them, give a CA file, or put a pin into the address"
    )]
    NoNativeRoots {
        /// What went wrong while looking for them.
        detail: String,
    },
}

/// The one cryptography provider, named explicitly: a process may link several.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(rustls::crypto::ring::default_provider()));
    Arc::clone(&PROVIDER)
}

/// TLS for one dial, and the pin that the peer turned out to have.
pub(crate) struct ClientTls {
    pub(crate) config: Arc<QuicClientConfig>,
    pinned: Option<Arc<PinVerifier>>,
}

impl ClientTls {
    /// The demanded pin and the one that was shown instead, if that happened.
    pub(crate) fn wrong_pin(&self) -> Option<(Pin, Pin)> {
        let pinned = self.pinned.as_ref()?;
        Some((pinned.expected, *pinned.wrong.get()?))
    }
}

/// Reads whatever files `trust` needs, so it may block.
pub(crate) fn client_tls(trust: &Trust) -> Result<ClientTls, TrustError> {
    client_tls_for(trust, ALPN)
}

pub(crate) fn client_tls_for(trust: &Trust, protocol: &str) -> Result<ClientTls, TrustError> {
    let mut pinned = None;
    let builder = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .expect("ring has TLS 1.3 suites");
    let mut tls = match trust {
        Trust::Pin(pin) => {
            let verifier = Arc::new(PinVerifier { expected: *pin, wrong: OnceLock::new() });
            pinned = Some(Arc::clone(&verifier));
            builder.dangerous().with_custom_certificate_verifier(verifier)
        }
        Trust::CaFile(path) => builder.with_root_certificates(file_roots(path)?),
        Trust::NativeRoots => builder.with_root_certificates(native_roots()?),
    }
    .with_no_client_auth();
    tls.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    // Every dial is a full handshake: tickets would cost memory per connection on the relay, and
    // 0-RTT data can be replayed.
    tls.resumption = Resumption::disabled();
    let config = QuicClientConfig::try_from(tls).expect("ring has TLS13_AES_128_GCM_SHA256");
    Ok(ClientTls { config: Arc::new(config), pinned })
}

pub(crate) fn server_tls(identity: &Identity) -> Arc<QuicServerConfig> {
    server_tls_for(identity, ALPN)
}

pub(crate) fn server_tls_for(identity: &Identity, protocol: &str) -> Arc<QuicServerConfig> {
    let mut tls = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .expect("ring has TLS 1.3 suites")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(identity.certified())));
    tls.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    tls.send_tls13_tickets = 0;
    tls.session_storage = Arc::new(NoServerSessionStorage {});
    Arc::new(QuicServerConfig::try_from(tls).expect("ring has TLS13_AES_128_GCM_SHA256"))
}

fn file_roots(path: &Path) -> Result<RootCertStore, TrustError> {
    let bytes = identity::read(path).map_err(TrustError::File)?;
    let certificates = identity::parse_chain(&bytes, path).map_err(TrustError::File)?;
    let mut roots = RootCertStore::empty();
    match roots.add_parsable_certificates(certificates) {
        (0, _) => Err(TrustError::NoAuthority { path: path.to_owned() }),
        _ => Ok(roots),
    }
}

fn native_roots() -> Result<RootCertStore, TrustError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    match roots.add_parsable_certificates(found.certs) {
        (0, _) => Err(TrustError::NoNativeRoots {
            detail: found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default(),
        }),
        _ => Ok(roots),
    }
}

/// Accepts exactly one public key, and only with proof that the peer holds its private half.
#[derive(Debug)]
struct PinVerifier {
    expected: Pin,
    /// What a peer showed instead.
    wrong: OnceLock<Pin>,
}

impl ServerCertVerifier for PinVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let shown = Pin::of(end_entity).ok_or(CertificateError::BadEncoding)?;
        if shown != self.expected {
            // The first of several addresses may win; each tells the same story.
            let _ = self.wrong.set(shown);
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &provider().signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &provider().signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
