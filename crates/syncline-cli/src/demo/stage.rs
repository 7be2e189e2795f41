//! The players of the demo: two stores and a relay.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use serde_json::Value;
use syncline::{Link, Options, Record, Store};
use syncline_relay::{Relay, RelayConfig};
use tempfile::TempDir;

use crate::failure::{Failure, Outcome};

/// How long anything may take before the demo gives up.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long to wait before another try to take over from the killed relay.
const RETRY: Duration = Duration::from_millis(20);

/// Two replicas and a relay.
pub(super) struct Stage {
    pub(super) laptop: Store,
    pub(super) phone: Store,
    relay: Option<Relay>,
    url: String,
    links: Vec<Link>,
    folder: TempDir,
}

impl Stage {
    /// Makes both stores, and a relay that listens.
    pub(super) async fn set(schema: &str) -> Outcome<Self> {
        let folder = tempfile::Builder::new()
            .prefix("syncline-demo-")
            .tempdir()
            .map_err(|error| Failure::failed(format!("no temporary folder can be made: {error}")))?;
        let open = async |name: &str| Store::open(folder.path().join(name), Options::new(schema)).await;
        let (laptop, phone) = (open("laptop.db").await?, open("phone.db").await?);
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let relay = start_relay(&folder, listen).await?;
        let url = relay.url();
        Ok(Self { laptop, phone, relay: Some(relay), url, links: Vec::new(), folder })
    }

    /// Links both stores to the relay.
    pub(super) fn connect(&mut self) -> Outcome {
        for store in [&self.laptop, &self.phone] {
            self.links.push(store.connect(self.url.as_str())?);
        }
        Ok(())
    }

    /// Takes both links down.
    pub(super) async fn disconnect(&mut self) {
        for link in self.links.drain(..) {
            link.close().await;
        }
    }

    /// Waits until each store holds what the other holds.
    pub(super) async fn meet(&self) -> Outcome {
        let (of_laptop, of_phone) = (self.laptop.version().await?, self.phone.version().await?);
        self.laptop.wait_for(&of_phone, PATIENCE).await?;
        self.phone.wait_for(&of_laptop, PATIENCE).await?;
        Ok(())
    }

    /// Ends the relay at once, without a word to anybody, and waits until both links are down.
    pub(super) async fn kill_relay(&mut self) -> Outcome {
        drop(self.relay.take());
        for link in &mut self.links {
            let down = async { while link.state() == syncline::LinkUp::Up && link.changed().await.is_some() {} };
            tokio::time::timeout(PATIENCE, down)
                .await
                .map_err(|_| Failure::TimedOut("the links did not notice that the relay is gone".to_owned()))?;
        }
        Ok(())
    }

    /// Starts the relay again where it was.
    pub(super) async fn restart_relay(&mut self) -> Outcome {
        let port =
            self.url.rsplit(':').next().and_then(|rest| rest.split('?').next()).and_then(|port| port.parse().ok());
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port.unwrap_or(0)));
        let began = Instant::now();
        loop {
            match start_relay(&self.folder, listen).await {
                Ok(relay) => {
                    self.relay = Some(relay);
                    return Ok(());
                }
                // The killed one may not have let go of its files and its port yet.
                Err(_) if began.elapsed() < PATIENCE => tokio::time::sleep(RETRY).await,
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Ends everything and removes the folder.
    pub(super) async fn clear(mut self) -> Outcome {
        self.disconnect().await;
        self.laptop.close().await?;
        self.phone.close().await?;
        if let Some(relay) = self.relay.take() {
            relay.stop().await.map_err(Failure::failed)?;
        }
        let path = self.folder.path().display().to_string();
        self.folder.close().map_err(|error| Failure::failed(format!("{path} could not be removed: {error}")))
    }
}

async fn start_relay(folder: &TempDir, listen: SocketAddr) -> Outcome<Relay> {
    let config = RelayConfig { data: folder.path().join("relay"), listen, dev: true, ..RelayConfig::default() };
    Relay::start(config).await.map_err(Failure::failed)
}

/// Every note of a store, as `syncline export` prints them.
pub(super) async fn export(store: &Store) -> Outcome<String> {
    let mut text = String::new();
    let mut after = None;
    loop {
        let page = store.export_page("Note", after, 100).await?;
        for record in page.records {
            text.push_str(&Value::Object(record).to_string());
            text.push('\n');
        }
        after = page.next;
        if after.is_none() {
            return Ok(text);
        }
    }
}

/// A JSON object as a record.
pub(super) fn record(value: Value) -> Outcome<Record> {
    match value {
        Value::Object(record) => Ok(record),
        other => Err(Failure::failed(format!("{other} is no record"))),
    }
}
