//! A small client of the QEMU Machine Protocol: one JSON object a line over a Unix socket
//! (QEMU, "QEMU Machine Protocol Specification").

use serde_json::{json, Value};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};
use vitrine_attest::{Error, Result};

/// Longest line we read; QEMU's longest answers (schema dumps, which we do not ask for) have about 200 KiB.
const LINE_LIMIT: usize = 1 << 20;
/// Events kept while waiting for an answer.
const EVENT_LIMIT: usize = 1000;
/// How long an answer may take: QEMU answers in milliseconds, a busy machine in seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection after the greeting, in command mode.
#[derive(Debug)]
pub struct Qmp {
    stream: UnixStream,
    buffer: Vec<u8>,
    events: Vec<Value>,
}

impl Qmp {
    /// # Errors
    /// When nobody listens there or what answers is not QEMU.
    pub fn connect(socket: &Path) -> Result<Self> {
        let stream = UnixStream::connect(socket).map_err(|e| failed(&e))?;
        Self::new(stream)
    }

    /// Reads the greeting and leaves the negotiation mode.
    fn new(stream: UnixStream) -> Result<Self> {
        let mut qmp = Self { stream, buffer: Vec::new(), events: Vec::new() };
        let greeting = qmp.read(Instant::now() + PATIENCE)?;
        if greeting.as_ref().and_then(|g| g.get("QMP")).is_none() {
            return Err(failed(&"no greeting"));
        }
        qmp.execute("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    /// Runs one command and gives what it returns; events that come meanwhile are kept.
    ///
    /// # Errors
    /// When QEMU refuses the command, hangs up, or does not answer in time.
    pub fn execute(&mut self, command: &str, arguments: Value) -> Result<Value> {
        let mut line = json!({ "execute": command, "arguments": arguments }).to_string();
        line.push('\n');
        self.stream.write_all(line.as_bytes()).map_err(|e| failed(&e))?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut answer = self.read(deadline)?.ok_or_else(|| failed(&format!("no answer to {command}")))?;
            if let Some(error) = answer.get("error") {
                return Err(failed(&format!("{command}: {error}")));
            }
            if let Some(result) = answer.get_mut("return") {
                return Ok(result.take());
            }
            self.keep_event(answer);
        }
    }

    /// The next event (`{"event": "SHUTDOWN", …}`), or `None` when none comes before `deadline`.
    ///
    /// # Errors
    /// When QEMU hangs up or sends something else.
    pub fn event(&mut self, deadline: Instant) -> Result<Option<Value>> {
        if !self.events.is_empty() {
            return Ok(Some(self.events.remove(0)));
        }
        self.read(deadline)
    }

    /// Asks QEMU to end. It may hang up before it answers, and that is fine.
    pub fn quit(&mut self) {
        let _ = self.execute("quit", json!({}));
    }

    fn keep_event(&mut self, event: Value) {
        if self.events.len() == EVENT_LIMIT {
            self.events.remove(0);
        }
        self.events.push(event);
    }

    /// One line. `None` when the time is over.
    fn read(&mut self, deadline: Instant) -> Result<Option<Value>> {
        loop {
            if let Some(end) = self.buffer.iter().position(|&b| b == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return serde_json::from_slice(&line).map(Some).map_err(|e| failed(&e));
            }
            if self.buffer.len() > LINE_LIMIT {
                return Err(failed(&"an endless line"));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.stream.set_read_timeout(Some(left)).map_err(|e| failed(&e))?;
            let mut chunk = [0; 4096];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(failed(&"the connection was closed")),
                Ok(count) => self.buffer.extend_from_slice(&chunk[..count]),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return Ok(None),
                Err(e) if e.kind() == ErrorKind::Interrupted => crate::interrupt::check()?,
                Err(e) => return Err(failed(&e)),
            }
        }
    }
}

fn failed(why: &dyn std::fmt::Display) -> Error {
    Error::host(format!("QEMU's control socket: {why}"), "QEMU may have ended: see its messages above")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead as _, BufReader};

    /// A QEMU that answers with these lines, one for each line it gets; the first comes unasked.
    fn peer(lines: &'static [&'static str]) -> UnixStream {
        let (ours, theirs) = UnixStream::pair().unwrap();
        std::thread::spawn(move || {
            let mut reader = BufReader::new(theirs.try_clone().unwrap());
            let mut theirs = theirs;
            for line in lines {
                theirs.write_all(line.as_bytes()).unwrap();
                let mut asked = String::new();
                if reader.read_line(&mut asked).unwrap() == 0 {
                    return;
                }
            }
        });
        ours
    }

    const GREETING: &str = "{\"QMP\":{\"version\":{},\"capabilities\":[]}}\r\n";

    #[test]
    fn events_do_not_hide_answers() {
        let mut qmp = Qmp::new(peer(&[
            GREETING,
            "{\"return\":{}}\r\n",
            "{\"event\":\"STOP\"}\r\n{\"return\":{\"status\":\"running\"}}\r\n",
        ]))
        .unwrap();
        assert_eq!(qmp.execute("query-status", json!({})).unwrap()["status"], "running");
        assert_eq!(qmp.event(Instant::now()).unwrap().unwrap()["event"], "STOP");
    }

    #[test]
    fn refusals_and_rubbish_are_errors() {
        let refused = Qmp::new(peer(&[GREETING, "{\"error\":{\"class\":\"CommandNotFound\"}}\n"]));
        assert!(refused.unwrap_err().what.contains("CommandNotFound"));
        assert!(Qmp::new(peer(&["{\"hello\":1}\n"])).is_err());
        assert!(Qmp::new(peer(&["not json\n"])).is_err());
        assert!(Qmp::new(peer(&[])).is_err());
    }
}
