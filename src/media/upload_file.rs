//! Reads a local file for an upload.

use std::path::{Path, PathBuf};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::{fs::File, io::AsyncReadExt as _};
use tokio_util::io::ReaderStream;

use crate::{
    error::{Error, ErrorKind, Result},
    util::byte_stream::{ByteStream, with_exact_len},
};

/// The size of the chunks in bytes.
const CHUNK: usize = 512 << 10;

/// Returns the current length of the file in bytes.
pub(crate) async fn length(path: &Path) -> Result<u64> {
    let metadata = tokio::fs::metadata(path).await.map_err(unopened)?;
    if !metadata.is_file() {
        return Err(Error::new(ErrorKind::InvalidInput, "the path to upload is not a file"));
    }
    Ok(metadata.len())
}

/// Returns the first `length` bytes of the file, which is opened when the stream is first polled. Fails the
/// stream if the file has become shorter.
pub(crate) fn read(path: PathBuf, length: u64) -> ByteStream {
    let opened = stream::once(async move {
        let file = File::open(path).await.map_err(unopened)?;
        Ok::<_, Error>(ReaderStream::with_capacity(file.take(length), CHUNK).map_err(unread))
    });
    let fewer = || {
        Error::new(ErrorKind::InvalidInput, "the file to upload became shorter while it was read")
    };
    with_exact_len(length, opened.try_flatten().boxed(), fewer)
}

// Errors of the operating system contain no path.
fn unopened(error: std::io::Error) -> Error {
    Error::new(ErrorKind::InvalidInput, "the file to upload cannot be opened").with_source(error)
}

fn unread(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Internal, "the file to upload cannot be read").with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::util::byte_stream::collect;

    #[tokio::test]
    async fn p10_a_file_that_is_truncated_during_the_read_fails() {
        let path = std::env::temp_dir().join(uuid::Uuid::new_v4().to_string());
        std::fs::write(&path, "hello").expect("the folder can be written to");
        let then = length(&path).await.expect("the file is there");
        std::fs::write(&path, "hell").expect("the folder can be written to");
        let error = collect(read(path.clone(), then), 10).await.expect_err("it is shorter now");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        std::fs::write(&path, "hello, world").expect("the folder can be written to");
        let read = collect(read(path.clone(), then), 10).await.expect("what was there then");
        assert_eq!(read, "hello");
        std::fs::remove_file(path).expect("it is there");
    }
}
