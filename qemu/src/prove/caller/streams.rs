//! Bodies that take their time: large ones, both ways, and such as break off.

use super::{end, Caller};
use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};
use vitrine_attest::{Error, Result};

/// Bytes of a large body.
const LARGE: usize = 100_000_000;
/// Bytes of a body that is broken off.
const BROKEN: usize = 4 << 20;
/// For a large body, on a busy machine, in seconds.
const PATIENCE: &str = "400";

impl Caller {
    /// 100 MB of canaries up, over HTTP/2.
    pub(super) fn uploads(&self) -> Result<()> {
        let url = self.at("/v1/count");
        let mut child = self.start(&["--http2", "--max-time", PATIENCE, "-X", "POST", "--upload-file", "-", &url])?;
        let line = format!("{} {}\n", self.field(), super::hex(&self.path));
        let piece = line.repeat(1000);
        let mut left = LARGE;
        if let Some(mut input) = child.stdin.take() {
            while left > 0 && input.write_all(&piece.as_bytes()[..left.min(piece.len())]).is_ok() {
                left -= left.min(piece.len());
            }
        }
        let mut said = String::new();
        let _ = child.stdout.take().map(|mut out| out.read_to_string(&mut said));
        let _ = child.wait();
        match said.parse() {
            Ok(LARGE) => Ok(()),
            _ => Err(Error::host(format!("100 MB to the gateway: the upstream counted {said:?}"), "")),
        }
    }

    /// 100 MB of the upstream's token down, over HTTP/1.1.
    pub(super) fn downloads(&self) -> Result<()> {
        let url = self.at(&format!("/v1/large?{LARGE}"));
        let words =
            ["--http1.1", "--max-time", PATIENCE, "--output", "/dev/null", "--write-out", "%{size_download}", &url];
        let said = self.call(&words).succeeded("100 MB from the gateway")?;
        match said.trim().parse() {
            Ok(LARGE) => Ok(()),
            _ => Err(Error::host(format!("100 MB from the gateway: {said} came"), "")),
        }
    }

    /// A body that ends in the middle, when its client is killed.
    pub(super) fn break_off(&self, version: &str, words: &str) -> Result<()> {
        let url = self.at("/v1/count");
        let mut child =
            self.start(&[version, "--data-binary", "@-", "--header", "Expect:", "--limit-rate", "200k", &url])?;
        if let Some(mut input) = child.stdin.take() {
            let body = words.as_bytes().iter().copied().cycle().take(BROKEN).collect::<Vec<u8>>();
            // it does not take all
            let _ = input.write_all(&body);
        }
        std::thread::sleep(Duration::from_millis(700));
        end(&mut child);
        Ok(())
    }

    /// In the middle of an answer from now on.
    ///
    /// # Errors
    /// When the answer does not begin.
    pub fn listen(&mut self) -> Result<()> {
        let mut child = self.start(&["--no-buffer", &self.at(&format!("/v1/endless/{}", super::hex(&self.path)))])?;
        let (begin, mut came) = (Instant::now(), [0; 16]);
        let first = child.stdout.as_mut().map(|out| out.read(&mut came));
        self.listening = Some(child);
        match first {
            Some(Ok(1..)) => Ok(()),
            other => Err(Error::host(format!("no event within {} s: {other:?}", begin.elapsed().as_secs()), "")),
        }
    }

    /// They are gone.
    pub fn vanish(&mut self) {
        if let Some(mut child) = self.listening.take() {
            end(&mut child);
        }
    }
}
