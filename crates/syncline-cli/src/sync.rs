//! `sync`: changes to and from a relay or a peer, once or as they are made.

use indicatif::ProgressBar;
use syncline::{ConnectOptions, Error, LinkUp, Progress, Store, SyncReport};

use crate::args::SyncArgs;
use crate::failure::{Failure, Outcome};
use crate::output::{Out, bar, byte_size, counted, grouped, say};
use crate::store;

const BAR: &str = "{msg:>10} [{bar:30.cyan}] {pos}/{len} {elapsed}";

pub(crate) async fn run(args: SyncArgs, out: &mut Out) -> Outcome {
    if let Some(ca) = &args.ca {
        std::fs::metadata(ca).map_err(|error| Failure::unreadable(ca, &error))?;
    }
    store::with(&args.db, async |store| {
        let caught_up = once(store, &args, out).await;
        if !args.follow {
            return caught_up;
        }
        match caught_up {
            // A peer that cannot be reached now may be there later, and nothing is lost meanwhile.
            Err(Failure::Failed(message) | Failure::TimedOut(message)) => say(format_args!("not yet: {message}")),
            Err(other) => return Err(other),
            Ok(()) => {}
        }
        tokio::select! {
            outcome = follow(store, options(&args)) => outcome,
            outcome = store::interrupted() => outcome,
        }
    })
    .await
}

async fn once(store: &Store, args: &SyncArgs, out: &mut Out) -> Outcome {
    let bar = bar("connecting", 0, BAR);
    let outcome = store.sync_once_with(options(args), args.timeout, |progress| show(&bar, progress)).await;
    let (done, total) = (bar.position(), bar.length().unwrap_or(0));
    bar.finish_and_clear();
    let report = outcome.map_err(|error| explained(error, args, done, total))?;
    if args.json {
        out.json(&report)?;
        out.flush()?;
    } else {
        say(summary(&report));
    }
    Ok(())
}

fn options(args: &SyncArgs) -> ConnectOptions {
    ConnectOptions {
        url: args.url.clone(),
        ca_file: args.ca.clone(),
        token: args.token.clone(),
        ..ConnectOptions::default()
    }
}

fn show(bar: &ProgressBar, progress: Progress) {
    bar.set_message("syncing");
    bar.set_length(progress.received_total + progress.sent_total);
    bar.set_position(progress.received + progress.sent);
}

fn summary(report: &SyncReport) -> String {
    format!(
        "sent {} ({}), received {} ({}), {}, {:.1} s",
        counted(report.sent_changes, "change"),
        byte_size(report.bytes_sent),
        counted(report.received_changes, "change"),
        byte_size(report.bytes_received),
        counted(report.round_trips, "round trip"),
        report.millis as f64 / 1000.0,
    )
}

fn explained(error: Error, args: &SyncArgs, done: u64, total: u64) -> Failure {
    let Error::Timeout { within, .. } = error else { return error.into() };
    Failure::TimedOut(match total {
        0 => format!("{} did not answer within {within:?}; is it running there?", args.url),
        _ => format!(
            "the sync was not done within {within:?}: {} of {} were dealt with\n  they are kept; \
             go on by running it again, or give it more time with --timeout",
            grouped(done),
            counted(total, "row")
        ),
    })
}

/// Stays connected, and says when the link goes and comes.
async fn follow(store: &Store, options: ConnectOptions) -> Outcome {
    let mut link = store.connect(options)?;
    let mut was = LinkUp::Dialing;
    while let Some(state) = link.changed().await {
        match &state {
            LinkUp::Up => say("connected; changes flow as they are made (Ctrl-C ends)"),
            // One line per outage, not one per try.
            LinkUp::Down { reason, .. } if was == LinkUp::Up => {
                say(format_args!("connection lost ({reason}); dialing again"))
            }
            LinkUp::Ended { reason } => return Err(Failure::failed(format!("the link has ended: {reason}"))),
            LinkUp::Down { .. } | LinkUp::Dialing => {}
        }
        if state != LinkUp::Dialing {
            was = state;
        }
    }
    Ok(())
}
