//! Connections that read, beside the thread that writes.
//!
//! A read runs where it is asked for as long as it is brief: most are over before another thread would have taken them
//! up. One that is not is stopped and run again on a thread for blocking work.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use syncline_engine::{Engine, Input, Now, Reader, StoreError};
use tokio::sync::Semaphore;

use crate::driver::{Driver, missed};
use crate::error::{Error, Result};

/// Connections that read at the same time, at most.
const READERS_MAX: u32 = 4;

/// How long a read may keep the thread that asked.
const BRIEF: Duration = Duration::from_micros(500);

/// The connections of one store.
pub(crate) struct Readers {
    idle: Mutex<Vec<Reader>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    pub(crate) fn new() -> Self {
        Self { idle: Mutex::default(), permits: Arc::new(Semaphore::new(READERS_MAX as usize)) }
    }

    /// Runs `act` on a connection, maybe twice: only what came of the second run counts then.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        driver: &Driver,
        act: impl Fn(&Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| Error::Closed)?;
        let idle = self.idle().pop();
        let mut reader = match idle {
            Some(reader) => reader,
            None => driver.exclusive(|engine, _| Ok(engine.store().reader()?)).await?,
        };
        let began = Instant::now();
        if let Some(outcome) = reader.briefly(move || began.elapsed() < BRIEF, &act) {
            self.idle().push(reader);
            return explained(driver, outcome).await;
        }
        // The permit goes with the reader, for its work goes on where nobody waits for it any more.
        let (outcome, reader, _permit) =
            tokio::task::spawn_blocking(move || (act(&reader), reader, permit)).await.map_err(|_| Error::Closed)?;
        self.idle().push(reader);
        explained(driver, outcome).await
    }

    /// Waits for reads that are under way and closes all connections; later reads fail.
    pub(crate) async fn close(&self) {
        let all = self.permits.acquire_many(READERS_MAX).await;
        self.permits.close();
        self.idle().clear();
        drop(all);
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Reader>> {
        self.idle.lock().expect("nobody panics while holding it")
    }
}

/// What came of a read. Where it missed something that another process has renamed or removed, the error says so, also
/// right after that was done.
async fn explained<T>(driver: &Driver, outcome: Result<T, StoreError>) -> Result<T> {
    let error = match outcome {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    if missed(&error).is_some() {
        // The engine looks for it now and then only; a store that is closed meanwhile needs no look.
        let look = |engine: &mut Engine, now: Now| {
            engine.handle(now, Input::Tick);
            Ok(())
        };
        let _ = driver.exclusive(look).await;
    }
    Err(driver.shared().explained(error))
}
