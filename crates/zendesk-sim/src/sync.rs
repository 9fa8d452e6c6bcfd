//! Locking that survives a panic in another test's thread.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, also after a holder has panicked: the state is a simulation, and a half-made change only spoils that test.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
