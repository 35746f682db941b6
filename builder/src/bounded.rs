//! Reading files that a person names, up to a limit: a device or a pipe has no length to ask for first.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// The whole file.
///
/// # Errors
/// [`io::ErrorKind::FileTooLarge`] when it has more than `limit` bytes, and whatever reading gives.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("has more than {limit} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_an_end_is_refused() {
        let error = read(Path::new("/dev/zero"), 1000).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(read(Path::new("/dev/null"), 0).unwrap(), b"");
    }
}
