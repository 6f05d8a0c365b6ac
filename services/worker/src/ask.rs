//! Questions to the journal that may wait: on a thread that may.

use std::sync::Arc;

use foreshock_journal::{Journal, JournalError};

/// Asks the journal. A panic of the question goes on here; `Closed` where the runtime goes down meanwhile.
pub(crate) async fn ask<T: Send + 'static>(
    journal: &Arc<dyn Journal>,
    question: impl FnOnce(&dyn Journal) -> Result<T, JournalError> + Send + 'static,
) -> Result<T, JournalError> {
    let journal = Arc::clone(journal);
    match tokio::task::spawn_blocking(move || question(&*journal)).await {
        Ok(answer) => answer,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(JournalError::Closed),
    }
}
