//! Who an acceptor is: a certificate and its key, made, loaded or kept.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use rustls::sign::CertifiedKey;
use thiserror::Error;

use crate::pin::Pin;
use crate::trust::provider;

/// A certificate chain with its private key. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Identity {
    certified: Arc<CertifiedKey>,
    pin: Pin,
}

impl Identity {
    /// A fresh self-signed identity that is written nowhere; peers know it by its [pin](Self::pin).
    ///
    /// `names` are the host names and IP addresses the certificate is for; with none it is for
    /// `localhost`.
    pub fn generate(names: &[String]) -> Result<Self, IdentityError> {
        Self::from_pem(generate_pem(names)?.as_bytes(), Path::new("(generated)"))
    }

    /// The identity kept in the file at `path`, which is made with a self-signed certificate if
    /// there is none, so that a restarted relay has the same pin.
    ///
    /// The file holds certificate and key as PEM, readable by its owner only, and is complete or
    /// absent even if the machine stops meanwhile. Its folder must exist.
    pub fn load_or_create(path: impl AsRef<Path>) -> Result<Self, IdentityError> {
        let path = path.as_ref();
        match fs::read(path) {
            Ok(bytes) => Self::from_pem(&bytes, path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                store_once(path, &generate_pem(&[])?)
                    .map_err(|source| IdentityError::Write { path: path.to_owned(), source })?;
                // Another process may have been faster; the file decides.
                Self::from_pem(&read(path)?, path)
            }
            Err(source) => Err(IdentityError::Read { path: path.to_owned(), source }),
        }
    }

    /// The identity of a certificate chain file (own certificate first) and a key file, both
    /// PEM, as certificate authorities hand them out. Both may be the same file.
    pub fn from_pem_files(certificates: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<Self, IdentityError> {
        let (chain_path, key_path) = (certificates.as_ref(), key.as_ref());
        let chain = parse_chain(&read(chain_path)?, chain_path)?;
        let key = parse_key(&read(key_path)?, key_path)?;
        Self::assemble(chain, key, chain_path, key_path)
    }

    /// The name by which a dialer can know this identity without a certificate authority.
    pub fn pin(&self) -> Pin {
        self.pin
    }

    pub(crate) fn certified(&self) -> CertifiedKey {
        CertifiedKey::clone(&self.certified)
    }

    fn from_pem(bytes: &[u8], path: &Path) -> Result<Self, IdentityError> {
        Self::assemble(parse_chain(bytes, path)?, parse_key(bytes, path)?, path, path)
    }

    fn assemble(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        chain_path: &Path,
        key_path: &Path,
    ) -> Result<Self, IdentityError> {
        let pin = chain.first().and_then(Pin::of).ok_or_else(|| IdentityError::Malformed {
            path: chain_path.to_owned(),
            problem: "the first certificate is not an X.509 certificate".to_owned(),
        })?;
        let certified = match CertifiedKey::from_der(chain, key, &provider()) {
            Ok(certified) => Arc::new(certified),
            Err(rustls::Error::InconsistentKeys(_)) => {
                return Err(IdentityError::Mismatch { certificates: chain_path.to_owned(), key: key_path.to_owned() });
            }
            Err(error) => {
                return Err(IdentityError::Malformed {
                    path: key_path.to_owned(),
                    problem: format!("the private key cannot be used: {error}"),
                });
            }
        };
        Ok(Self { certified, pin })
    }
}

/// Why there is no [`Identity`].
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// A file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The new identity could not be stored.
    #[error(
        "cannot keep the relay's identity in {}: {source}; \
         the folder must exist and be writable", path.display()
    )]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A PEM file has no certificate in it.
    #[error("{} has no `-----BEGIN CERTIFICATE-----` in it", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// A PEM file has no private key in it.
    #[error("{} has no `-----BEGIN PRIVATE KEY-----` in it", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// A file holds something that cannot be used.
    #[error("{}: {problem}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        problem: String,
    },
    /// Certificate and key do not belong together.
    #[error(
        "the key in {} does not belong to the first certificate in {}",
        key.display(), certificates.display()
    )]
    Mismatch {
        /// The certificate file.
        certificates: PathBuf,
        /// The key file.
        key: PathBuf,
    },
    /// No certificate could be made.
    #[error("cannot make a self-signed certificate: {0}")]
    Generate(String),
}

pub(crate) fn parse_chain(bytes: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(bytes).collect::<Result<_, _>>().map_err(|error| malformed(path, &error))?;
    match chain.is_empty() {
        true => Err(IdentityError::NoCertificate { path: path.to_owned() }),
        false => Ok(chain),
    }
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, IdentityError> {
    fs::read(path).map_err(|source| IdentityError::Read { path: path.to_owned(), source })
}

fn parse_key(bytes: &[u8], path: &Path) -> Result<PrivateKeyDer<'static>, IdentityError> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "every other error is about the text")]
    PrivateKeyDer::from_pem_slice(bytes).map_err(|error| match error {
        pem::Error::NoItemsFound => IdentityError::NoKey { path: path.to_owned() },
        other => malformed(path, &other),
    })
}

fn malformed(path: &Path, error: &pem::Error) -> IdentityError {
    IdentityError::Malformed { path: path.to_owned(), problem: format!("not valid PEM: {error}") }
}

fn generate_pem(names: &[String]) -> Result<String, IdentityError> {
    let names = match names {
        [] => vec!["localhost".to_owned()],
        some => some.to_vec(),
    };
    let made = rcgen::generate_simple_self_signed(names).map_err(|error| IdentityError::Generate(error.to_string()))?;
    Ok(made.cert.pem() + &made.signing_key.serialize_pem())
}

/// Writes `text` to `path` unless a file is there by then: a synced neighbour, linked into place.
fn store_once(path: &Path, text: &str) -> io::Result<()> {
    let mut neighbour = path.as_os_str().to_owned();
    neighbour.push(format!(".{}", std::process::id()));
    let neighbour = PathBuf::from(neighbour);
    let outcome = write_private(&neighbour, text).and_then(|()| {
        match fs::hard_link(&neighbour, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            // Some file systems have no links; then the last of two writers decides.
            Err(_) => fs::rename(&neighbour, path),
            Ok(()) => Ok(()),
        }
    });
    // Gone already if it was renamed.
    let _ = fs::remove_file(&neighbour);
    outcome?;
    sync_folder(path)
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    // A crash may have left one under the same process id.
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => fs::File::open(folder)?.sync_all(),
        _ => fs::File::open(".")?.sync_all(),
    }
}

#[cfg(not(unix))]
fn sync_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_identity_has_the_same_pin_every_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity.pem");
        let first = Identity::load_or_create(&path).unwrap().pin();
        assert_eq!(Identity::load_or_create(&path).unwrap().pin(), first);
        assert_ne!(Identity::generate(&[]).unwrap().pin(), first);
        let files: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(files.len(), 1, "{files:?}");
    }

    #[cfg(unix)]
    #[test]
    fn only_its_owner_can_read_a_kept_identity() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity.pem");
        Identity::load_or_create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn certificate_problems_name_the_file_and_what_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let one = rcgen::generate_simple_self_signed(["a".to_owned()]).unwrap();
        let two = rcgen::generate_simple_self_signed(["b".to_owned()]).unwrap();
        fs::write(at("cert.pem"), one.cert.pem()).unwrap();
        fs::write(at("key.pem"), one.signing_key.serialize_pem()).unwrap();
        fs::write(at("other.pem"), two.signing_key.serialize_pem()).unwrap();
        fs::write(at("broken.pem"), "-----BEGIN CERTIFICATE-----\nnot base64!\n").unwrap();
        let load = |cert: &str, key: &str| {
            Identity::from_pem_files(at(cert), at(key))
                .map_err(|error| error.to_string().replace(&folder.path().display().to_string(), "DIR"))
        };

        assert!(load("cert.pem", "key.pem").is_ok());
        let absent = load("none.pem", "key.pem").unwrap_err();
        assert!(absent.starts_with("cannot read DIR/none.pem: "), "{absent}");
        let no_key = load("cert.pem", "cert.pem").unwrap_err();
        assert_eq!(no_key, "DIR/cert.pem has no `-----BEGIN PRIVATE KEY-----` in it");
        let no_cert = load("key.pem", "key.pem").unwrap_err();
        assert_eq!(no_cert, "DIR/key.pem has no `-----BEGIN CERTIFICATE-----` in it");
        let mismatch = load("cert.pem", "other.pem").unwrap_err();
        assert_eq!(mismatch, "the key in DIR/other.pem does not belong to the first certificate in DIR/cert.pem");
        let broken = load("broken.pem", "key.pem").unwrap_err();
        assert!(broken.starts_with("DIR/broken.pem: not valid PEM"), "{broken}");
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = Identity::load_or_create("/nonexistent/folder/identity.pem").unwrap_err();
        assert!(error.to_string().contains("/nonexistent/folder/identity.pem"), "{error}");
    }
}
