//! Lines out of a stream, bounded.

use crate::stop::{Step, Stop};
use zeroize::{Zeroize as _, Zeroizing};

/// Bytes of one line from the agent: an order of 8 KiB is 11 KiB in base64.
pub const LINE_LIMIT: usize = 16 << 10;

/// What has come and is not yet a line. The buffer never moves, and lines that are done are wiped.
#[derive(Debug)]
pub struct Lines(Vec<u8>);

impl Lines {
    pub fn new() -> Self {
        Self(Vec::with_capacity(LINE_LIMIT))
    }

    /// How many bytes may be read next.
    pub fn room(&self) -> usize {
        LINE_LIMIT - self.0.len()
    }

    /// Takes in what was read; at most [`Self::room`] bytes.
    pub fn push(&mut self, bytes: &[u8]) -> Step {
        if bytes.len() > self.room() {
            return Err(Stop("agent-line"));
        }
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    /// The next complete line without its line feed.
    ///
    /// # Errors
    /// When [`LINE_LIMIT`] bytes have come and none of them ends a line.
    pub fn next_line(&mut self) -> Step<Option<Zeroizing<Vec<u8>>>> {
        let Some(end) = self.0.iter().position(|&c| c == b'\n') else {
            return if self.room() == 0 { Err(Stop("agent-line")) } else { Ok(None) };
        };
        let line = Zeroizing::new(self.0[..end].to_vec());
        let rest = self.0.len() - end - 1;
        self.0.copy_within(end + 1.., 0);
        self.0[rest..].zeroize();
        self.0.truncate(rest);
        Ok(Some(line))
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn split_anywhere() {
        let text = b"one\n\ntwo\nrest";
        for cut in 0..text.len() {
            let (mut lines, mut found) = (Lines::new(), Vec::new());
            for part in [&text[..cut], &text[cut..]] {
                lines.push(part).unwrap();
                while let Some(line) = lines.next_line().unwrap() {
                    found.push(line.to_vec());
                }
            }
            assert_eq!(found, [b"one".to_vec(), vec![], b"two".to_vec()]);
            assert_eq!(lines.room(), LINE_LIMIT - 4);
        }
    }

    #[test]
    fn too_long() {
        let mut lines = Lines::new();
        lines.push(&[b'x'; LINE_LIMIT]).unwrap();
        assert_eq!(lines.next_line(), Err(Stop("agent-line")));
        assert_eq!(lines.push(b"x"), Err(Stop("agent-line")));
    }
}
