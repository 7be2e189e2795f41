//! Who may be trusted, and what is said when somebody is not.

use std::fs;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use super::*;
use crate::{DialError, Trust, TrustError};

/// Dials while somebody accepts, and says how the dial ended.
async fn dial(server: &Endpoint, address: &Address, trust: Trust) -> Result<Connection, DialError> {
    let client = client(Limits::default());
    let accept = async {
        while let Some(handshake) = server.accept().await {
            let accepted = handshake.complete().await;
            // Kept open: the dialer decides.
            tokio::spawn(async move {
                if let Ok(connection) = accepted {
                    connection.recv().await;
                }
            });
        }
        unreachable!("the server stays open")
    };
    in_time(async {
        tokio::select! {
            dialed = client.dial(address, trust) => dialed,
            () = accept => unreachable!(),
        }
    })
    .await
}

/// A folder with a CA, and an identity for `name` that the CA vouches for.
struct Authority {
    folder: tempfile::TempDir,
    identity: Identity,
}

impl Authority {
    fn new(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ca_key = KeyPair::generate().unwrap();
        let mut ca = CertificateParams::new(Vec::new()).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
        let issuer = Issuer::new(ca, ca_key);
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new([name.to_owned()]).unwrap();
        let leaf = leaf.signed_by(&key, &issuer).unwrap();
        fs::write(folder.path().join("ca.pem"), ca_pem).unwrap();
        fs::write(folder.path().join("cert.pem"), leaf.pem()).unwrap();
        fs::write(folder.path().join("key.pem"), key.serialize_pem()).unwrap();
        let at = |file| folder.path().join(file);
        let identity = Identity::from_pem_files(at("cert.pem"), at("key.pem")).unwrap();
        Self { folder, identity }
    }

    fn trust(&self) -> Trust {
        Trust::CaFile(self.folder.path().join("ca.pem"))
    }
}

#[tokio::test]
async fn a_wrong_pin_is_refused_and_both_pins_are_named() {
    let (server, address) = server(Limits::default());
    let stranger = Identity::generate(&[]).unwrap().pin();
    let error = dial(&server, &address, Trust::Pin(stranger)).await.unwrap_err();
    assert!(error.is_permanent());
    let message = error.to_string();
    let DialError::PinMismatch { expected, found, .. } = error else {
        panic!("{error}");
    };
    assert_eq!((expected, Some(found)), (stranger, address.pin()));
    assert!(message.contains(&expected.to_string()), "{message}");
    assert!(message.contains(&found.to_string()), "{message}");
}

#[tokio::test]
async fn a_certificate_is_trusted_for_the_name_its_authority_vouches_for() {
    let authority = Authority::new("localhost");
    let server = listen(any_port(), &authority.identity, Limits::default());
    let port = server.local_addr().unwrap().port();
    // The name may resolve to addresses nobody listens on; one that answers is enough.
    let address = Address::new("localhost", port, None).unwrap();
    dial(&server, &address, authority.trust()).await.unwrap();

    let by_number = Address::new("127.0.0.1", port, None).unwrap();
    let error = dial(&server, &by_number, authority.trust()).await.unwrap_err();
    assert!(matches!(error, DialError::Certificate { .. }), "{error}");

    let stranger = Authority::new("localhost");
    let error = dial(&server, &address, stranger.trust()).await.unwrap_err();
    assert!(matches!(error, DialError::Certificate { .. }), "{error}");
    assert!(error.is_permanent());
    assert!(error.to_string().contains("?pin=HEX"), "{error}");
}

#[tokio::test]
async fn a_bad_ca_file_is_named() {
    let (server, address) = server(Limits::default());
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none.pem");
    let error = dial(&server, &address, Trust::CaFile(missing.clone())).await.unwrap_err();
    assert!(error.to_string().contains(&missing.display().to_string()), "{error}");

    let empty = folder.path().join("empty.pem");
    fs::write(&empty, "not a certificate").unwrap();
    let error = dial(&server, &address, Trust::CaFile(empty.clone())).await.unwrap_err();
    assert!(matches!(error, DialError::Trust(TrustError::File(_))), "{error}");
    assert!(error.to_string().contains(&empty.display().to_string()), "{error}");
}

#[tokio::test]
async fn an_identity_renewed_while_listening_is_shown_to_those_who_come_next() {
    let (server, address) = server(Limits::default());
    let client = client(Limits::default());
    let (dialer, acceptor) = connect(&client, &server, &address).await;
    let renewed = Identity::generate(&[]).unwrap();
    server.set_identity(&renewed);
    let new_address = Address::at(server.local_addr().unwrap(), Some(renewed.pin()));
    let (new_dialer, new_acceptor) = connect(&client, &server, &new_address).await;
    exchange(&new_dialer, &new_acceptor).await;
    exchange(&dialer, &acceptor).await;
}

#[tokio::test]
async fn a_service_of_another_protocol_is_recognised() {
    let identity = Identity::generate(&[]).unwrap();
    let config = quinn::ServerConfig::with_crypto(crate::trust::server_tls_for(&identity, "h3"));
    let other = quinn::Endpoint::server(config, any_port()).unwrap();
    let address = Address::at(other.local_addr().unwrap(), Some(identity.pin()));
    let client = client(Limits::default());
    let accept = async {
        while let Some(incoming) = other.accept().await {
            let _ = incoming.await;
        }
    };
    let error = in_time(async {
        tokio::select! {
            dialed = client.dial(&address, address.trust(None)) => dialed.unwrap_err(),
            () = accept => unreachable!(),
        }
    })
    .await;
    assert!(matches!(error, DialError::Version { .. }), "{error}");
    assert!(error.is_permanent());
}
