//! One file from one mirror, into a part file that a later try goes on with.

use crate::progress::Bar;
use crate::store::{failed, Store};
use rustix::fs::{flock, FlockOperation};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use ureq::http::header::{CONTENT_LENGTH, CONTENT_RANGE, RANGE};
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body};
use vitrine_attest::{Result, Sha256};

/// To reach a host and, if it is HTTPS, agree on keys.
const CONNECT: Duration = Duration::from_secs(15);
/// From the request to the head of the answer.
const ANSWER: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 60 });
/// Without a single byte of the body.
const SILENCE: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 60 });
/// Bytes a second below which a mirror is given up, over a whole file.
const SLOWEST: u64 = 10 << 10;
/// Bytes read at once.
const CHUNK: usize = 128 << 10;

/// An HTTP client. Proxies come from `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`.
pub(super) struct Client {
    agent: Agent,
}

/// What came of a try.
pub(super) enum Outcome {
    /// As many bytes as wanted are in the part file. Their hash is not checked yet.
    Complete,
    /// The mirror does not have the file.
    Gone,
    /// In words; the part keeps what came.
    Failed(String),
    /// The mirror's file has another size.
    OtherSize(u64),
}

impl Client {
    pub fn new() -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT))
            .timeout_resolve(Some(CONNECT))
            .timeout_recv_response(Some(ANSWER))
            .timeout_per_read(Some(SILENCE))
            .user_agent(concat!("vitrine/", env!("CARGO_PKG_VERSION")))
            .build();
        Self { agent: config.new_agent() }
    }

    /// A small file as a whole: nothing when the mirror does not have it.
    pub fn get(&self, url: &str, limit: u64) -> std::result::Result<Option<Vec<u8>>, String> {
        let mut response = self.ask(url, None, limit)?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND | StatusCode::GONE => return Ok(None),
            status => return Err(format!("answers {status}")),
        }
        let mut bytes = Vec::new();
        response.body_mut().as_reader().take(limit + 1).read_to_end(&mut bytes).map_err(|e| reason(&e))?;
        if bytes.len() as u64 > limit {
            return Err(format!("sends more than {limit} bytes"));
        }
        Ok(Some(bytes))
    }

    /// Brings a part file to `size` bytes. Only failures of the disk are errors.
    pub fn resume(&self, url: &str, part: &mut Part, size: u64, bar: &Bar) -> Result<Outcome> {
        if part.have > size {
            part.restart(bar)?;
        }
        if part.have == size {
            return Ok(Outcome::Complete);
        }
        let response = match self.ask(url, (part.have > 0).then_some(part.have), size - part.have) {
            Ok(response) => response,
            Err(why) => return Ok(Outcome::Failed(why)),
        };
        match response.status() {
            // the mirror does not resume: what we have is begun again
            StatusCode::OK => {
                if let Some(length) = length(&response).filter(|&length| length != size) {
                    return Ok(Outcome::OtherSize(length));
                }
                part.restart(bar)?;
            }
            StatusCode::PARTIAL_CONTENT if range_start(&response) == Some(part.have) => {}
            StatusCode::NOT_FOUND | StatusCode::GONE => return Ok(Outcome::Gone),
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
                part.restart(bar)?;
                return Ok(Outcome::Failed("does not resume where asked".into()));
            }
            status => return Ok(Outcome::Failed(format!("answers {status}"))),
        }
        part.fill(response, size, bar)
    }

    fn ask(&self, url: &str, from: Option<u64>, bytes: u64) -> std::result::Result<Response<Body>, String> {
        let mut request = self.agent.get(url);
        if let Some(from) = from {
            request = request.header(RANGE, format!("bytes={from}-"));
        }
        let whole = CONNECT + ANSWER + Duration::from_secs(bytes / SLOWEST);
        request.config().timeout_global(Some(whole)).build().call().map_err(|e| format!("cannot be asked: {e}"))
    }
}

fn length(response: &Response<Body>) -> Option<u64> {
    response.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// `Content-Range: bytes 100-199/200` (RFC 9110 §14.4).
fn range_start(response: &Response<Body>) -> Option<u64> {
    let text = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    text.strip_prefix("bytes ")?.split('-').next()?.parse().ok()
}

fn reason(error: &io::Error) -> String {
    format!("stops before the end: {error}")
}

/// A download under way, locked against other programs.
pub(super) struct Part {
    file: File,
    pub path: PathBuf,
    /// Bytes that are there.
    pub have: u64,
}

impl Part {
    /// Opens what an earlier download left, or begins. When another program is at it, a second file is used.
    pub fn open(store: &Store, sha: &Sha256, bar: &Bar) -> Result<Self> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let shared = store.partial(sha);
        let mut path = shared.clone();
        loop {
            let mut options = OpenOptions::new();
            let file = options.read(true).write(true).create(true).truncate(false).open(&path);
            let file = file.map_err(|e| failed("download cannot be begun", &path, &e))?;
            let locked = flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok();
            // between opening and locking, the other program may have finished and moved the file away
            let same = std::fs::metadata(&path).ok().map(|m| m.ino()) == file.metadata().ok().map(|m| m.ino());
            if locked && same {
                let have = file.metadata().map_err(|e| failed("download cannot be read", &path, &e))?.len();
                bar.add(have);
                return Ok(Self { file, path, have });
            }
            if !locked {
                let number = COUNTER.fetch_add(1, Ordering::Relaxed);
                path = shared.with_extension(format!("{}.{number}.part", std::process::id()));
            }
        }
    }

    /// Forgets what is there.
    pub fn restart(&mut self, bar: &Bar) -> Result<()> {
        if self.have == 0 {
            return Ok(());
        }
        bar.take_back(self.have);
        self.have = 0;
        self.file.set_len(0).map_err(|e| failed("download cannot be begun again", &self.path, &e))
    }

    /// SHA-256 of what is there.
    pub fn digest(&mut self) -> Result<Sha256> {
        let unreadable = |e: io::Error| failed("download cannot be read back", &self.path, &e);
        self.file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
        let mut hasher = <sha2::Sha256 as sha2::Digest>::new();
        io::copy(&mut (&self.file).take(self.have), &mut hasher).map_err(unreadable)?;
        Ok(Sha256(sha2::Digest::finalize(hasher).into()))
    }

    /// Makes what is there survive a power cut, before it gets its final name.
    pub fn sync(&self) -> Result<()> {
        self.file.sync_all().map_err(|e| failed("download cannot be written", &self.path, &e))
    }

    fn fill(&mut self, mut response: Response<Body>, size: u64, bar: &Bar) -> Result<Outcome> {
        let full = |e: io::Error| failed("download cannot be written", &self.path, &e);
        self.file.seek(SeekFrom::Start(self.have)).map_err(full)?;
        let mut body = response.body_mut().as_reader();
        let mut chunk = vec![0; CHUNK];
        loop {
            let count = match body.read(&mut chunk) {
                Ok(0) if self.have < size => {
                    let what = format!("stops after {} of {size} bytes", self.have);
                    return Ok(Outcome::Failed(what));
                }
                Ok(0) => return Ok(Outcome::Complete),
                Ok(count) => count as u64,
                Err(e) => return Ok(Outcome::Failed(reason(&e))),
            };
            if self.have + count > size {
                self.restart(bar)?;
                return Ok(Outcome::Failed(format!("sends more than {size} bytes")));
            }
            let full = |e: io::Error| failed("download cannot be written", &self.path, &e);
            self.file.write_all(&chunk[..count as usize]).map_err(full)?;
            self.have += count;
            bar.add(count);
        }
    }
}
