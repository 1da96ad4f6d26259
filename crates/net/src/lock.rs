use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a table. No code of this crate panics while it holds such a lock with the table half changed, so a
/// poisoned one is as good as any.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
