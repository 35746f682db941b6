//! The line to init until the network is up: strictly one question, one answer, in the forms of
//! [`vitrine_attest::inside`]. Afterwards it is an [`Init`].
//!
//! End of file, or a line that is none of these, means that init is gone or does not mean us: the program ends.

use crate::fault::Failure;
use crate::init::Init;
use serde::Deserialize;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;
use vitrine_attest::inside::{FromAgent, Introduction, ToAgent, INTRODUCTION_LIMIT, LINE_LIMIT};
use vitrine_attest::rotation::{RotatedKey, MOST_LIVE};
use vitrine_attest::watch::Rule;
use vitrine_attest::Sha256;

/// How long init may take for taking a line from us.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of an image's name: a longer one is refused by verifiers (V11).
const IMAGE_ID_LIMIT: usize = 1024;

/// What changes while the machine runs: about the evidence, and beside it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct News {
    pub rotated: Vec<RotatedKey>,
    pub violation: Option<Rule>,
    /// What the owner has ordered to be handed out.
    pub attached: Option<Sha256>,
}

/// The line before serving.
pub struct Channel {
    lines: BufReader<UnixStream>,
}

impl Channel {
    pub fn new(stream: UnixStream) -> Result<Self, Failure> {
        stream.set_write_timeout(Some(PATIENCE)).map_err(|_| Failure::Channel)?;
        Ok(Self { lines: BufReader::new(stream) })
    }

    pub fn introduction(&mut self) -> Result<Introduction, Failure> {
        let introduction: Introduction = self.read(INTRODUCTION_LIMIT)?;
        let usable = introduction.image_id.len() <= IMAGE_ID_LIMIT
            && introduction.port != 0
            && introduction.rotated.len() <= MOST_LIVE;
        usable.then_some(introduction).ok_or(Failure::Channel)
    }

    pub fn measured(&mut self) -> Result<(), Failure> {
        say(self.lines.get_mut(), &FromAgent::Measured(true))
    }

    pub fn failed(&mut self, failure: Failure) -> Result<(), Failure> {
        say(self.lines.get_mut(), &FromAgent::Failed(failure.code().into()))
    }

    /// Waits, without a limit, until the network is up. Keys may be rotated meanwhile, and something may be found.
    pub fn wait_serve(&mut self, news: &mut News) -> Result<(), Failure> {
        loop {
            match self.word()? {
                ToAgent::Serve(true) => return Ok(()),
                ToAgent::Rotated(keys) if keys.len() <= MOST_LIVE => news.rotated = keys,
                ToAgent::Violation(rule) if news.violation.is_none() => news.violation = Some(rule),
                _ => return Err(Failure::Channel),
            }
        }
    }

    /// The next line that is no introduction.
    pub fn word(&mut self) -> Result<ToAgent, Failure> {
        self.read(LINE_LIMIT)
    }

    fn read<T: for<'de> Deserialize<'de>>(&mut self, limit: usize) -> Result<T, Failure> {
        let mut line = Vec::new();
        let mut bounded = (&mut self.lines).take(limit as u64);
        bounded.read_until(b'\n', &mut line).map_err(|_| Failure::Channel)?;
        let line = line.strip_suffix(b"\n").ok_or(Failure::Channel)?;
        serde_json::from_slice(line).map_err(|_| Failure::Channel)
    }

    /// From now on the line carries orders. Ends with init, or by `lost`, which is called once the line is no use.
    pub fn into_init(mut self, news: News, lost: fn()) -> Result<&'static Init, Failure> {
        let writer = self.lines.get_ref().try_clone().map_err(|_| Failure::Channel)?;
        // Lives as long as the process; leaking it says so.
        let init: &'static Init = Box::leak(Box::new(Init::new(writer, news)));
        std::thread::Builder::new()
            .spawn(move || {
                while self.word().is_ok_and(|word| init.hear(word)) {}
                lost();
            })
            .map_err(|_| Failure::Threads)?;
        Ok(init)
    }
}

/// Writes one line.
pub fn say(stream: &mut UnixStream, word: &FromAgent) -> Result<(), Failure> {
    let mut line = serde_json::to_vec(word).map_err(|_| Failure::Form)?;
    line.push(b'\n');
    stream.write_all(&line).map_err(|_| Failure::Channel)
}

#[cfg(test)]
#[path = "channel_tests.rs"]
mod tests;
