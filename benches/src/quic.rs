//! The ceilings of the network: bytes through a bare QUIC stream, and an echo over one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use crate::Result;
use crate::samples::Samples;

const CHUNK: usize = 64 << 10;

/// A connection over loopback, both ends here.
pub(crate) struct Pair {
    client: quinn::Connection,
    server: quinn::Connection,
    _endpoints: [quinn::Endpoint; 2],
}

impl Pair {
    /// Connects.
    pub(crate) async fn connect() -> Result<Self> {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
        let certificate = made.cert.der().clone();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let acceptor = quinn::Endpoint::server(server_config(&certificate, key)?, "127.0.0.1:0".parse()?)?;
        let mut dialer = quinn::Endpoint::client("127.0.0.1:0".parse()?)?;
        dialer.set_default_client_config(client_config(certificate)?);
        let (client, server) = tokio::join!(
            async {
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(
                    dialer.connect(acceptor.local_addr()?, "localhost")?.await?,
                )
            },
            async {
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(
                    acceptor.accept().await.ok_or("no connection came")?.await?,
                )
            },
        );
        Ok(Self { client: client?, server: server?, _endpoints: [dialer, acceptor] })
    }

    /// Sends so many bytes over one stream; how long until the other end has them.
    pub(crate) async fn transfer(&self, bytes: usize) -> Result<Duration> {
        let began = Instant::now();
        let mut sending = self.server.open_uni().await?;
        let writer = tokio::spawn(async move {
            let chunk = vec![7; CHUNK];
            let mut left = bytes;
            while left > 0 {
                let now = left.min(CHUNK);
                sending.write_all(&chunk[..now]).await?;
                left -= now;
            }
            sending.finish()?;
            Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
        });
        let mut receiving = self.client.accept_uni().await?;
        let mut buffer = vec![0; CHUNK];
        let mut received = 0;
        while let Some(length) = receiving.read(&mut buffer).await? {
            received += length;
        }
        let took = began.elapsed();
        writer.await??;
        if received != bytes {
            return Err(format!("{received} of {bytes} bytes came").into());
        }
        Ok(took)
    }

    /// Round trips of a small message, in ms.
    pub(crate) async fn echoes(&self, count: usize) -> Result<Samples> {
        let (mut sending, mut receiving) = self.client.open_bi().await?;
        sending.write_all(&[0; 64]).await?;
        let (mut back, mut there) = self.server.accept_bi().await?;
        let echo = tokio::spawn(async move {
            let mut message = [0; 64];
            while there.read_exact(&mut message).await.is_ok() {
                if back.write_all(&message).await.is_err() {
                    break;
                }
            }
        });
        let mut message = [0; 64];
        receiving.read_exact(&mut message).await?;
        let mut took = Vec::with_capacity(count);
        for _ in 0..count {
            let began = Instant::now();
            sending.write_all(&message).await?;
            receiving.read_exact(&mut message).await?;
            took.push(began.elapsed().as_secs_f64() * 1e3);
        }
        echo.abort();
        Ok(took.into_iter().collect())
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn server_config(
    certificate: &CertificateDer<'static>,
    key: PrivatePkcs8KeyDer<'static>,
) -> Result<quinn::ServerConfig> {
    let tls = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key.into())?;
    Ok(quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?)))
}

fn client_config(certificate: CertificateDer<'static>) -> Result<quinn::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate)?;
    let tls = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?)))
}
