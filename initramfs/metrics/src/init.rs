//! What init says.

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::net::{recv, RecvFlags};
use std::os::fd::OwnedFd;
use vitrine_attest::inside::{ToMetrics, LINE_LIMIT};

/// Init's line, and what has come of the next message.
#[derive(Debug)]
pub struct Init {
    socket: OwnedFd,
    bytes: Vec<u8>,
}

impl Init {
    pub fn new(socket: OwnedFd) -> Self {
        Self { socket, bytes: Vec::with_capacity(LINE_LIMIT) }
    }

    /// Waits for the first message. None: init is gone, or says something else.
    pub fn wait_port(&mut self) -> Option<u16> {
        loop {
            match self.message()? {
                Some(ToMetrics::Port(port)) => return Some(port),
                Some(ToMetrics::Text(_)) => return None,
                None => self.receive(RecvFlags::empty())?,
            }
        }
    }

    /// The newest page that has come completely, without waiting. None: as above.
    pub fn page(&mut self) -> Option<Option<String>> {
        self.receive(RecvFlags::DONTWAIT)?;
        let mut page = None;
        while let Some(message) = self.message()? {
            let ToMetrics::Text(text) = message else {
                return None;
            };
            page = Some(text);
        }
        Some(page)
    }

    pub fn watch(&self) -> PollFd<'_> {
        PollFd::new(&self.socket, PollFlags::IN)
    }

    fn receive(&mut self, flags: RecvFlags) -> Option<()> {
        let mut chunk = [0; 4096];
        let room = (LINE_LIMIT - self.bytes.len()).min(chunk.len());
        match recv(&self.socket, &mut chunk[..room], flags) {
            // The end, or a line that is too long: then there is no room
            Ok((_, 0)) => None,
            Ok((_, length)) => {
                self.bytes.extend_from_slice(&chunk[..length]);
                Some(())
            }
            Err(Errno::INTR | Errno::AGAIN) => Some(()),
            Err(_) => None,
        }
    }

    fn message(&mut self) -> Option<Option<ToMetrics>> {
        let Some(end) = self.bytes.iter().position(|&c| c == b'\n') else {
            return Some(None);
        };
        let message = serde_json::from_slice(&self.bytes[..end]).ok()?;
        self.bytes.drain(..=end);
        Some(Some(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::os::unix::net::UnixStream;

    fn init() -> (Init, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Init::new(ours.into()), theirs)
    }

    #[test]
    fn port_then_pages() {
        let (mut init, mut theirs) = init();
        theirs.write_all(b"{\"port\":9469}\n{\"text\":\"a\"}\n{\"text\":\"b\"}\n{\"te").unwrap();
        assert_eq!(init.wait_port(), Some(9469));
        assert_eq!(init.page(), Some(Some("b".into())), "the newest");
        theirs.write_all(b"xt\":\"c\\n\"}\n").unwrap();
        assert_eq!(init.page(), Some(Some("c\n".into())));
        assert_eq!(init.page(), Some(None));
        drop(theirs);
        assert_eq!(init.page(), None);
    }

    #[test]
    fn anything_else_is_the_end() {
        for bad in ["{\"text\":\"early\"}\n", "{}\n", "\n", "{\"port\":70000}\n", ""] {
            let (mut init, mut theirs) = init();
            theirs.write_all(bad.as_bytes()).unwrap();
            drop(theirs);
            assert_eq!(init.wait_port(), None, "{bad:?}");
        }
        let (mut init, mut theirs) = init();
        theirs.write_all(b"{\"port\":1}\n{\"port\":2}\n").unwrap();
        assert_eq!(init.wait_port(), Some(1));
        assert_eq!(init.page(), None, "a second port");
    }

    #[test]
    fn endless_lines_end() {
        let (mut init, mut theirs) = init();
        let writer = std::thread::spawn(move || {
            _ = theirs.write_all(&vec![b'x'; LINE_LIMIT + 4096]);
        });
        assert_eq!(init.wait_port(), None);
        drop(init);
        writer.join().unwrap();
    }
}
