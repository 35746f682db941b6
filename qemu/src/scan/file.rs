//! A file with holes, such as a guest's memory, searched by several threads.

use super::engine::{Scanner, LONGEST};
use super::Hit;
use rustix::fs::SeekFrom;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::time::{Duration, Instant};
use vitrine_attest::{Error, Result};

const PAGE: usize = 4096;
/// Read at once: a few of them fit a processor's cache.
const PIECE: usize = 256 << 10;
/// More would wait for the same memory.
const THREADS: usize = 4;

/// What a search found, and its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scanned {
    /// In the order of their places.
    pub hits: Vec<Hit>,
    /// Length of the file in bytes.
    pub length: u64,
    /// Bytes of it that are not holes.
    pub touched: u64,
    /// Bytes of it in pages that are not all zero.
    pub filled: u64,
    pub time: Duration,
}

/// Searches the whole file. Its bytes should not change meanwhile: stop the guest.
///
/// # Errors
/// When it cannot be read.
pub fn scan_file(scanner: &Scanner, file: &File) -> Result<Scanned> {
    let begin = Instant::now();
    let failed = |e: std::io::Error| Error::host(format!("the guest's memory cannot be read: {e}"), "");
    let length = file.metadata().map_err(failed)?.len();
    let pieces = pieces(file, length).map_err(|e| failed(e.into()))?;
    let touched = pieces.iter().map(|(from, to)| to - from).sum();
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS);
    let next = std::sync::atomic::AtomicUsize::new(0);
    let work = || -> std::io::Result<(Vec<Hit>, u64)> {
        let (mut hits, mut filled, mut buffer) = (Vec::new(), 0, vec![0; PIECE + LONGEST]);
        while let Some((from, to)) = pieces.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
            filled += scan_piece(scanner, file, *from..*to, length, &mut buffer, &mut hits)?;
        }
        Ok((hits, filled))
    };
    let results: Vec<_> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        all.into_iter().map(|thread| thread.join().unwrap_or_else(|e| std::panic::resume_unwind(e))).collect()
    });
    let (mut hits, mut filled) = (Vec::new(), 0);
    for result in results {
        let (some, bytes) = result.map_err(failed)?;
        hits.extend(some);
        filled += bytes;
    }
    hits.sort_unstable();
    Ok(Scanned { hits, length, touched, filled, time: begin.elapsed() })
}

/// The parts that are not holes (lseek(2), SEEK_DATA, SEEK_HOLE), cut into pieces.
fn pieces(file: &File, length: u64) -> rustix::io::Result<Vec<(u64, u64)>> {
    let (mut pieces, mut at) = (Vec::new(), 0);
    while at < length {
        let from = match rustix::fs::seek(file, SeekFrom::Data(at)) {
            Ok(from) => from,
            Err(rustix::io::Errno::NXIO) => break,
            Err(e) => return Err(e),
        };
        at = rustix::fs::seek(file, SeekFrom::Hole(from))?;
        pieces.extend((from..at).step_by(PIECE).map(|begin| (begin, at.min(begin + PIECE as u64))));
    }
    Ok(pieces)
}

/// Needles that begin in this piece; they may end after it. Gives the bytes in pages that are not empty.
fn scan_piece(
    scanner: &Scanner,
    file: &File,
    piece: std::ops::Range<u64>,
    length: u64,
    buffer: &mut [u8],
    hits: &mut Vec<Hit>,
) -> std::io::Result<u64> {
    let own = usize::try_from(piece.end - piece.start).unwrap_or(PIECE).min(PIECE);
    let more = usize::try_from(length - piece.end).unwrap_or(LONGEST).min(scanner.longest());
    let bytes = &mut buffer[..own + more];
    file.read_exact_at(bytes, piece.start)?;
    let mut filled = 0;
    for run in runs(&bytes[..own]) {
        filled += run.len() as u64;
        // A needle may end with the zeros behind the run; none begins with a zero
        let end = (run.end + scanner.longest()).min(bytes.len());
        scanner.scan(&bytes[run.start..end], piece.start + run.start as u64, &mut |hit| {
            if hit.at < piece.end {
                hits.push(hit);
            }
        });
    }
    Ok(filled)
}

/// Ranges of pages that are not all zero. Between two of them lies at least one empty page.
fn runs(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
    for (number, page) in bytes.chunks(PAGE).enumerate() {
        let begin = number * PAGE;
        if is_empty(page) {
            continue;
        }
        match runs.last_mut() {
            Some(run) if run.end == begin => run.end = begin + page.len(),
            _ => runs.push(begin..begin + page.len()),
        }
    }
    runs
}

/// In steps that the compiler makes wide.
fn is_empty(page: &[u8]) -> bool {
    page.chunks(256).all(|chunk| chunk.iter().fold(0, |all, byte| all | byte) == 0)
}

#[cfg(test)]
mod tests {
    use super::super::Needle;
    use super::*;

    const MARK: &[u8] = b"0123456789abcdef";

    fn scan(length: u64, marks: &[u64]) -> Scanned {
        let file = tempfile::tempfile().unwrap();
        file.set_len(length).unwrap();
        for at in marks {
            file.write_all_at(MARK, *at).unwrap();
        }
        let needle = Needle { bytes: MARK.to_vec(), any_case: false };
        let padded = Needle { bytes: [MARK, b"\0\0\0\0"].concat(), any_case: false };
        scan_file(&Scanner::new(vec![needle, padded]).unwrap(), &file).unwrap()
    }

    /// Across pages, across pieces, beside empty pages, at both ends: each is found once.
    #[test]
    fn borders_hide_nothing() {
        let length = (64 << 20) + 100;
        let piece = PIECE as u64;
        let marks = [0, 4090, 8192 + 4080, 40960, piece - 8, 3 * piece - 1, 5 * piece, 9 * piece - 16, length - 16];
        let scanned = scan(length, &marks);
        let found = |needle| scanned.hits.iter().filter(move |hit| hit.needle == needle).map(|hit| hit.at);
        assert_eq!(found(0).collect::<Vec<_>>(), marks);
        assert_eq!(found(1).collect::<Vec<_>>(), marks[..marks.len() - 1], "with the zeros behind it");
        assert!(scanned.filled <= 16 * PAGE as u64, "{scanned:?}");
        assert!(scanned.touched < length / 8, "holes were read: {scanned:?}");
    }

    #[test]
    fn a_file_without_anything() {
        let scanned = scan(1 << 30, &[]);
        assert_eq!((scanned.hits.len(), scanned.touched), (0, 0));
        assert_eq!(scan(0, &[]).length, 0);
    }
}
