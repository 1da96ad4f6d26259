use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Seek, Write},
    path::Path,
};

use crate::StoreError;

/// Name of the lock's file in a data folder.
const LOCK_FILE: &str = "musicdao.lock";
/// Longest process number read back from a lock's file.
const MAX_PID_LEN: u64 = 20;

/// Keeps a second process out of a data folder, until it is dropped or its process ends, however it ends.
#[derive(Debug)]
pub struct FolderLock(File);

impl FolderLock {
    /// Takes the folder, which must exist.
    ///
    /// # Errors
    /// [`StoreError::AlreadyRunning`] where another process has it, [`StoreError::Unreadable`] where the file cannot
    /// be made.
    pub fn acquire(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(LOCK_FILE);
        let unreadable = |error: std::io::Error| StoreError::unreadable(&path, &error);
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = options.map_err(unreadable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::AlreadyRunning { folder: folder.to_owned(), pid: pid(&mut file) });
            }
            Err(TryLockError::Error(error)) => return Err(unreadable(error)),
        }
        file.set_len(0).and_then(|()| write!(file, "{}", std::process::id())).map_err(unreadable)?;
        Ok(Self(file))
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // The lock goes with the file anyway; the number must not name a process that is gone.
        self.0.set_len(0).ok();
    }
}

fn pid(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.rewind().and_then(|()| file.take(MAX_PID_LEN).read_to_string(&mut text));
    match read {
        Ok(1..) => text,
        _ => "?".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_holder_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let held = FolderLock::acquire(folder.path()).unwrap();
        let refused = FolderLock::acquire(folder.path()).unwrap_err();
        assert_eq!(refused.code(), "already_running");
        assert!(refused.to_string().ends_with(&format!("process {}", std::process::id())), "{refused}");
        drop(held);
        FolderLock::acquire(folder.path()).unwrap();
    }
}
