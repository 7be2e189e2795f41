//! Ctrl-C: what was being run is named before the program ends.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::output::say;
use crate::store;

/// The exit code of who was interrupted.
pub(super) const CODE: i32 = 130;

/// Whether the user wants it to end.
#[derive(Clone)]
pub(super) struct Interrupt {
    seen: Arc<AtomicBool>,
    /// What to say when it ends at once.
    doing: Arc<Mutex<Option<String>>>,
}

impl Interrupt {
    /// Listens from here on. Without [`Interrupt::while_doing`] the first signal only shows in
    /// [`Interrupt::seen`]; a second ends the program.
    pub(super) fn listen() -> Self {
        let this = Self { seen: Arc::default(), doing: Arc::default() };
        let other = this.clone();
        // Without a thread or signals, Ctrl-C ends the program as it does by itself.
        let _ = std::thread::Builder::new().name("interrupt".to_owned()).spawn(move || other.wait());
        this
    }

    /// From here on a signal says this and ends the program.
    pub(super) fn while_doing(&self, what: String) {
        *self.doing.lock().unwrap_or_else(PoisonError::into_inner) = Some(what);
    }

    pub(super) fn seen(&self) -> bool {
        self.seen.load(Ordering::Relaxed)
    }

    fn wait(&self) {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        while runtime.block_on(store::interrupted()).is_ok() {
            if let Some(what) = self.doing.lock().unwrap_or_else(PoisonError::into_inner).take() {
                say(format_args!("\ninterrupted; {what}"));
                std::process::exit(CODE);
            }
            if self.seen.swap(true, Ordering::Relaxed) {
                std::process::exit(CODE);
            }
        }
    }
}
