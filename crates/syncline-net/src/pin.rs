//! Pins: the short name of a public key, by which a dialer knows its peer without a CA.

use std::fmt;
use std::str::FromStr;

use rustls::CipherSuite;
use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls::pki_types::CertificateDer;
use rustls::server::ParsedCertificate;
use thiserror::Error;

/// SHA-256 of a certificate's SubjectPublicKeyInfo (DER), written as 64 hex digits.
///
/// It names the key and not the certificate, so a certificate renewed with the same key keeps
/// its pin. The same number comes from
/// `openssl x509 -pubkey -noout -in cert.pem | openssl pkey -pubin -outform der | sha256sum`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pin([u8; 32]);

impl Pin {
    /// The pin of a certificate, or `None` if the bytes are no certificate.
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let key = ParsedCertificate::try_from(certificate).ok()?.subject_public_key_info();
        Some(Self(sha256(key.as_ref())))
    }

    /// The pin as bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pin({self})")
    }
}

impl FromStr for Pin {
    type Err = PinError;

    fn from_str(text: &str) -> Result<Self, PinError> {
        let mut digits = Vec::with_capacity(64);
        for (at, c) in text.chars().enumerate() {
            let digit = c.to_digit(16).ok_or(PinError::Digit { at: at + 1, found: c })?;
            digits.push(u8::try_from(digit).expect("a hex digit is below 16"));
        }
        if digits.len() != 64 {
            return Err(PinError::Length { found: digits.len() });
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = pair[0] << 4 | pair[1];
        }
        Ok(Self(bytes))
    }
}

/// Why a text is not a [`Pin`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PinError {
    /// Too short or too long.
    #[error("a pin has 64 hex digits, this one has {found}")]
    Length {
        /// How many digits there are.
        found: usize,
    },
    /// Something other than a hex digit.
    #[error("a pin has hex digits only, character {at} is {found:?}")]
    Digit {
        /// Where, counted from 1.
        at: usize,
        /// What stands there.
        found: char,
    },
}

/// SHA-256 by the TLS provider, which brings one anyway.
fn sha256(bytes: &[u8]) -> [u8; 32] {
    let suite = TLS13_AES_128_GCM_SHA256.tls13().expect("a suite named TLS13 is a TLS 1.3 suite");
    debug_assert_eq!(suite.common.suite, CipherSuite::TLS13_AES_128_GCM_SHA256);
    suite.common.hash_provider.hash(bytes).as_ref().try_into().expect("SHA-256 gives 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_sha_256() {
        assert_eq!(Pin(sha256(b"abc")).to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn a_pin_reads_back_as_written_in_either_case() {
        let pin = Pin(sha256(b"key"));
        assert_eq!(pin.to_string().parse(), Ok(pin));
        assert_eq!(pin.to_string().to_uppercase().parse(), Ok(pin));
    }

    #[test]
    fn a_bad_pin_is_told_what_is_wrong_with_it() {
        assert_eq!("abc".parse::<Pin>(), Err(PinError::Length { found: 3 }));
        let wrong = Err(PinError::Digit { at: 3, found: 'x' });
        assert_eq!("abx".parse::<Pin>(), wrong);
    }
}
