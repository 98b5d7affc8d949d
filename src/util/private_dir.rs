//! Folders of the process's own.

use std::{fs, io, path::Path};

/// Creates a folder and its missing parents with mode 0700 (promise P20).
pub(crate) fn create_private_dir(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
