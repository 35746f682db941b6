//! Lines into and out of a stream, bounded.

use crate::stop::{OrStop as _, Step, Stop};
use serde::de::DeserializeOwned;
use serde::Serialize;
use vitrine_attest::inside::LINE_LIMIT;
use zeroize::{Zeroize as _, Zeroizing};

/// A message as one line. It may hold a key: the bytes are written into one buffer of the right size, which wipes
/// itself.
pub fn line(message: &impl Serialize) -> Step<Zeroizing<Vec<u8>>> {
    let mut size = Size(1);
    serde_json::to_writer(&mut size, message).or_stop("line")?;
    let mut line = Zeroizing::new(Vec::with_capacity(size.0));
    serde_json::to_writer(&mut *line, message).or_stop("line")?;
    line.push(b'\n');
    Ok(line)
}

/// What a line says.
pub fn parse<T: DeserializeOwned>(line: &[u8]) -> Step<T> {
    serde_json::from_slice(line).or_stop("child-line")
}

/// Counts bytes.
struct Size(usize);

impl std::io::Write for Size {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

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
            return Err(Stop("child-line"));
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
            return if self.room() == 0 { Err(Stop("child-line")) } else { Ok(None) };
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
    use vitrine_attest::inside::{FromAgent, ToAgent};

    #[test]
    fn messages() {
        assert_eq!(line(&ToAgent::Refused("overlap".into())).unwrap().as_slice(), b"{\"refused\":\"overlap\"}\n");
        let made = line(&ToAgent::Answer(vec![7; 1000])).unwrap();
        assert_eq!(made.len(), made.capacity(), "made without moving");
        assert_eq!(parse(br#"{"order":"AQI="}"#), Ok(FromAgent::Order(vec![1, 2])));
        assert_eq!(parse::<FromAgent>(br#"{"serve":true}"#), Err(Stop("child-line")));
    }

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
        assert_eq!(lines.next_line(), Err(Stop("child-line")));
        assert_eq!(lines.push(b"x"), Err(Stop("child-line")));
    }
}
