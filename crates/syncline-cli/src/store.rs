//! Opening stores, and the library's errors as failures of a command.

use std::path::Path;

use syncline::schema::{Model, Schema, did_you_mean};
use syncline::{Create, Error, Options, Store};

use crate::failure::{Failure, Outcome};

/// Opens an existing store, runs `act`, and closes it whatever came of it.
pub(crate) async fn with<T>(path: &Path, act: impl AsyncFnOnce(&Store) -> Outcome<T>) -> Outcome<T> {
    with_options(path, Options::default().create(Create::Never), act).await
}

/// As [`with`], without writing anything.
pub(crate) async fn read<T>(path: &Path, act: impl AsyncFnOnce(&Store) -> Outcome<T>) -> Outcome<T> {
    with_options(path, Options::default().read_only(), act).await
}

async fn with_options<T>(path: &Path, options: Options, act: impl AsyncFnOnce(&Store) -> Outcome<T>) -> Outcome<T> {
    let store = Store::open(path, options).await?;
    let outcome = act(&store).await;
    let closed = store.close().await;
    let value = outcome?;
    closed?;
    Ok(value)
}

/// The store's schema.
pub(crate) fn schema(store: &Store) -> Outcome<&Schema> {
    match store.schema() {
        Some(schema) => Ok(schema),
        None => Err(Failure::failed(format!(
            "{} has no schema: it is a relay's store, which keeps and forwards changes only",
            store.path().display()
        ))),
    }
}

/// The model of that name.
pub(crate) fn model<'a>(schema: &'a Schema, name: &str) -> Outcome<&'a Model> {
    let names = || schema.models.iter().map(|model| model.name.as_str());
    schema.model(name).ok_or_else(|| {
        let cure = did_you_mean(name, names())
            .unwrap_or_else(|| format!("its models are {}", names().collect::<Vec<_>>().join(", ")));
        Failure::failed(format!("the schema has no model `{name}`; {cure}"))
    })
}

/// Waits until the user or the system asks the program to end.
#[cfg(unix)]
pub(crate) async fn interrupted() -> Outcome {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).map_err(unheard)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(unheard)?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// Waits until the user asks the program to end.
#[cfg(not(unix))]
pub(crate) async fn interrupted() -> Outcome {
    tokio::signal::ctrl_c().await.map_err(unheard)
}

fn unheard(error: std::io::Error) -> Failure {
    Failure::failed(format!("signals cannot be heard: {error}"))
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Timeout { .. } => Self::TimedOut(error.to_string()),
            Error::Address(_) => Self::Usage(error.to_string()),
            other => Self::Failed(other.to_string()),
        }
    }
}
