//! The data folder: where things are, and files that only their owner may read.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use store::{FolderLock, Store};
use tempfile::NamedTempFile;

use crate::api::ApiError;

/// Renames the database of a data folder, so that the next node begins with an empty one. Returns where it went.
///
/// # Errors
/// `already_running` where a node has the folder; `database_unreadable` where there is no database or it cannot be
/// renamed.
pub fn set_aside_database(data: &Path) -> Result<PathBuf, ApiError> {
    let _lock = FolderLock::acquire(data)?;
    Ok(Store::set_aside(data)?)
}

/// Makes the data folder where it is missing, for its owner only.
pub(crate) fn create(data: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(data)
}

/// Writes a file that only its owner may read, all of it or nothing: a crash leaves the old content.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    fresh(path, content)?.persist(path)?;
    sync(folder_of(path))
}

/// Writes a new file that only its owner may read, all of it or nothing; one that is there already stays and is an
/// error.
pub(crate) fn create_private(path: &Path, content: &[u8]) -> io::Result<()> {
    fresh(path, content)?.persist_noclobber(path)?;
    sync(folder_of(path))
}

/// Writes beside a path, under a name that nobody has, what is to be there.
fn fresh(path: &Path, content: &[u8]) -> io::Result<NamedTempFile> {
    let mut file = NamedTempFile::new_in(folder_of(path))?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Has the names in a folder on the disk, too.
#[cfg(unix)]
fn sync(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync(_folder: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_replaces_nothing_and_leaves_its_neighbours_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (file, neighbour) = (folder.path().join("me.age"), folder.path().join("me.new"));
        fs::write(&neighbour, "the neighbour").unwrap();
        create_private(&file, b"secret").unwrap();
        assert_eq!(create_private(&file, b"another").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&file).unwrap(), b"secret");
        write_private(&file, b"a later secret").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"a later secret");
        assert_eq!(fs::read(&neighbour).unwrap(), b"the neighbour");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[cfg(unix)]
    #[test]
    fn what_others_may_read_stays_theirs_and_gets_no_secret() {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let folder = tempfile::tempdir().unwrap();
        let (file, neighbour) = (folder.path().join("me"), folder.path().join("me.new"));
        fs::write(&neighbour, "").unwrap();
        fs::set_permissions(&neighbour, fs::Permissions::from_mode(0o666)).unwrap();
        create_private(&file, b"secret").unwrap();
        assert_eq!((mode(&file), mode(&neighbour)), (0o600, 0o666));
    }
}
