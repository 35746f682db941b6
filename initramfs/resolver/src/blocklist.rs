//! The baked-in list: one lower-case name a line, sorted, as the file has it. No index: a search by halves over the
//! bytes themselves, so a million names take what the file takes.

use crate::question::{WireName, NAME};
use crate::stop::{OrStop as _, Step, Stop};
use std::io::Read;
use vitrine_attest::Sha256;

#[derive(Default)]
pub struct Blocklist {
    lines: Vec<u8>,
}

impl Blocklist {
    /// Reads the file and compares it with the configuration's digest.
    ///
    /// # Errors
    /// `blocklist-size`, `blocklist-digest`, and `blocklist-form` when it is not sorted: then a search would miss.
    pub fn read(file: impl Read, digest: Sha256) -> Step<Self> {
        let mut lines = Vec::new();
        let most = crate::limits::BLOCKLIST as u64;
        file.take(most + 1).read_to_end(&mut lines).or_stop("blocklist-read")?;
        if lines.len() as u64 > most {
            return Err(Stop("blocklist-size"));
        }
        if Sha256::of(&lines) != digest {
            return Err(Stop("blocklist-digest"));
        }
        Self::new(lines)
    }

    /// # Errors
    /// `blocklist-form`: see [`Self::read`].
    pub fn new(mut lines: Vec<u8>) -> Step<Self> {
        lines.shrink_to_fit();
        let Some(body) = lines.strip_suffix(b"\n") else {
            return if lines.is_empty() { Ok(Self { lines }) } else { Err(Stop("blocklist-form")) };
        };
        let mut before: &[u8] = b"";
        for line in body.split(|byte| *byte == b'\n') {
            if line <= before || line.len() > NAME || line.ends_with(b".") || line.iter().any(u8::is_ascii_uppercase) {
                return Err(Stop("blocklist-form"));
            }
            before = line;
        }
        Ok(Self { lines })
    }

    /// Whether the name or a parent of it is in the list.
    pub fn blocks(&self, name: &WireName) -> bool {
        if self.lines.is_empty() {
            return false;
        }
        let mut buffer = [0; NAME];
        let Some(mut text) = name.text(&mut buffer) else { return false };
        loop {
            if self.has(text) {
                return true;
            }
            match text.iter().position(|byte| *byte == b'.') {
                Some(dot) => text = &text[dot + 1..],
                None => return false,
            }
        }
    }

    fn has(&self, name: &[u8]) -> bool {
        // invariant: the line, if it is there, begins in low..high; both are beginnings of lines
        let (mut low, mut high) = (0, self.lines.len());
        while low < high {
            let middle = low + (high - low) / 2;
            let begin = self.lines[low..middle].iter().rposition(|byte| *byte == b'\n').map_or(low, |at| low + at + 1);
            let length = self.lines[begin..].iter().position(|byte| *byte == b'\n').unwrap_or(self.lines.len() - begin);
            match self.lines[begin..begin + length].cmp(name) {
                std::cmp::Ordering::Equal => return true,
                std::cmp::Ordering::Less => low = begin + length + 1,
                std::cmp::Ordering::Greater => high = begin,
            }
        }
        false
    }
}
