//! A mutex that was poisoned still holds its value: what is kept under ours is whole between two statements.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, also where a thread that held the lock panicked.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
