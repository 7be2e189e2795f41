//! `relay run` and `serve`: listening until told to end.

use syncline_relay::{Relay, RelayConfig};

use crate::args::{RelayRunArgs, ServeArgs};
use crate::failure::{Failure, Outcome};
use crate::output::{Out, say};
use crate::store;

pub(crate) async fn run(args: RelayRunArgs, out: &mut Out) -> Outcome {
    let config = config(args)?;
    let everywhere = config.listen.ip().is_unspecified();
    let relay = Relay::start(config).await.map_err(Failure::failed)?;
    if everywhere {
        say("listening on all addresses: from other machines, put this machine's name or address into the URL");
    }
    announce(&relay.url(), out)?;
    tokio::select! {
        interrupted = store::interrupted() => interrupted?,
        () = relay.ended() => {}
    }
    relay.stop().await.map_err(Failure::failed)
}

/// The file, then the environment, then the command line.
fn config(args: RelayRunArgs) -> Outcome<RelayConfig> {
    let text = match &args.config {
        Some(path) => std::fs::read_to_string(path).map_err(|error| Failure::unreadable(path, &error))?,
        None => String::new(),
    };
    let variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let mut config = RelayConfig::from_toml_and_env(&text, variables).map_err(Failure::usage)?;
    config.dev |= args.dev;
    if let Some(data) = args.data {
        config.data = data;
    }
    if let Some(listen) = args.listen {
        config.listen = listen;
    }
    Ok(config)
}

pub(crate) async fn serve(args: ServeArgs, out: &mut Out) -> Outcome {
    store::with(&args.db, async |store| {
        let listener = store.listen(args.listen).await?;
        announce(listener.url(), out)?;
        store::interrupted().await?;
        listener.close().await;
        Ok(())
    })
    .await
}

fn announce(url: &str, out: &mut Out) -> Outcome {
    out.line(format_args!("listening {url}"))?;
    out.flush()
}
