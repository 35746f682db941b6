//! The line to init: a Unix stream socket on fd 3, one JSON object a line.
//!
//! ```text
//! init → agent  {"config_digest":hex,"wg_pub":b64,"channel_pub":b64,"image_id":"…","facts":{…},"port":8787,"firmware_log":b64}
//! agent → init  {"measured":true}          or {"failed":"<fixed code>"}
//! init → agent  {"serve":true}
//! agent → init  {"order":"<base64>"}       init → agent  {"accepted":true} or {"accepted":false,"code":"<fixed code>"}
//! ```
//! End of file, or a line that is none of these, means that init is gone or does not mean us: the program ends.

use crate::fault::Failure;
use base64::{engine::general_purpose::STANDARD, Engine as _};
use serde::{Deserialize, Serialize};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{sync_channel, SyncSender};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use vitrine_attest::boot::BootFacts;
use vitrine_attest::digest::{base64_bytes, Key32};
use vitrine_attest::Sha256;

/// The first line: a firmware log of 1 MiB (the verifier's limit) in base64, and everything else.
const HELLO_LIMIT: u64 = 2 << 20;
/// Every other line.
const LINE_LIMIT: u64 = 4 << 10;
/// How long init may take for an order, and for taking a line from us.
const PATIENCE: Duration = Duration::from_secs(5);

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(Serialize))]
#[serde(deny_unknown_fields)]
pub struct Hello {
    pub config_digest: Sha256,
    pub wg_pub: Key32,
    pub channel_pub: Key32,
    /// `<name> <version> <lock digest>`.
    pub image_id: String,
    pub facts: BootFacts,
    /// TCP port to serve on.
    pub port: u16,
    /// `binary_bios_measurements`.
    #[serde(with = "base64_bytes")]
    pub firmware_log: Vec<u8>,
    /// An earlier agent of this boot has extended PCR 15 and died since. Absent means false.
    #[serde(default)]
    pub measured_already: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Serve {
    serve: bool,
}

/// What init says to an order.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    pub accepted: bool,
    #[serde(default)]
    pub code: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Measured(bool),
    Failed(&'static str),
    Order(String),
}

/// The line before serving: strictly one question, one answer.
pub struct Channel {
    lines: BufReader<UnixStream>,
}

impl Channel {
    pub fn new(stream: UnixStream) -> Result<Self, Failure> {
        stream.set_write_timeout(Some(PATIENCE)).map_err(|_| Failure::Channel)?;
        Ok(Self { lines: BufReader::new(stream) })
    }

    pub fn hello(&mut self) -> Result<Hello, Failure> {
        let hello: Hello = self.read(HELLO_LIMIT)?;
        // a name longer than this could not be length-prefixed in extraData
        if hello.image_id.len() > 1024 || hello.port == 0 {
            return Err(Failure::Channel);
        }
        Ok(hello)
    }

    pub fn measured(&mut self) -> Result<(), Failure> {
        say(self.lines.get_mut(), &Word::Measured(true))
    }

    pub fn failed(&mut self, failure: Failure) -> Result<(), Failure> {
        say(self.lines.get_mut(), &Word::Failed(failure.code()))
    }

    /// Waits, without a limit, until the network is up.
    pub fn wait_serve(&mut self) -> Result<(), Failure> {
        let word: Serve = self.read(LINE_LIMIT)?;
        word.serve.then_some(()).ok_or(Failure::Channel)
    }

    fn read<T: for<'de> Deserialize<'de>>(&mut self, limit: u64) -> Result<T, Failure> {
        let mut line = Vec::new();
        let mut bounded = (&mut self.lines).take(limit);
        bounded.read_until(b'\n', &mut line).map_err(|_| Failure::Channel)?;
        let line = line.strip_suffix(b"\n").ok_or(Failure::Channel)?;
        serde_json::from_slice(line).map_err(|_| Failure::Channel)
    }

    /// From now on the line carries orders. Ends with init, or by `lost`, which is called once the line is no use.
    pub fn into_orders(mut self, lost: fn()) -> Result<&'static Orders, Failure> {
        let writer = self.lines.get_ref().try_clone().map_err(|_| Failure::Channel)?;
        // Lives as long as the process; leaking it says so.
        let orders: &'static Orders =
            Box::leak(Box::new(Orders { writer: Mutex::new(writer), asked: Mutex::new(None) }));
        std::thread::Builder::new()
            .spawn(move || {
                while let Ok(answer) = self.read(LINE_LIMIT) {
                    if !orders.deliver(answer) {
                        break;
                    }
                }
                lost();
            })
            .map_err(|_| Failure::Threads)?;
        Ok(orders)
    }
}

fn say(stream: &mut UnixStream, word: &Word) -> Result<(), Failure> {
    let mut line = serde_json::to_vec(word).map_err(|_| Failure::Form)?;
    line.push(b'\n');
    stream.write_all(&line).map_err(|_| Failure::Channel)
}

/// The line while serving: orders go out, one at a time, answers come in.
pub struct Orders {
    writer: Mutex<UnixStream>,
    /// Who waits for the answer. Stays set when the client's deadline passes, until init has answered.
    asked: Mutex<Option<SyncSender<Answer>>>,
}

impl Orders {
    /// Hands a sealed order to init. `None`: another order is on its way, or init is slow.
    pub fn send(&self, sealed: &[u8]) -> Option<Answer> {
        let (reply, answer) = sync_channel(1);
        {
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            if asked.is_some() {
                return None;
            }
            *asked = Some(reply);
        }
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        say(&mut writer, &Word::Order(STANDARD.encode(sealed))).ok()?;
        drop(writer);
        answer.recv_timeout(PATIENCE).ok()
    }

    /// False when nobody had asked.
    fn deliver(&self, answer: Answer) -> bool {
        match self.asked.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // the one who asked may have given up; then the answer is dropped
            Some(reply) => {
                let _ = reply.try_send(answer);
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    fn pair() -> (Channel, UnixStream) {
        let (ours, init) = UnixStream::pair().unwrap();
        init.set_read_timeout(Some(PATIENCE)).unwrap();
        (Channel::new(ours).unwrap(), init)
    }

    fn sample() -> Hello {
        Hello {
            config_digest: Sha256::of(b"config"),
            wg_pub: Key32([1; 32]),
            channel_pub: Key32([2; 32]),
            image_id: "exit 1 00".into(),
            facts: BootFacts::sealed(),
            port: 8787,
            firmware_log: vec![1, 2, 3],
            measured_already: false,
        }
    }

    fn line(init: &UnixStream) -> String {
        let mut text = String::new();
        BufReader::new(init.try_clone().unwrap()).read_line(&mut text).unwrap();
        text
    }

    #[test]
    fn hello_then_measured_then_serve() {
        let (mut channel, mut init) = pair();
        let mut text = serde_json::to_value(sample()).unwrap();
        text.as_object_mut().unwrap().remove("measured_already");
        init.write_all(format!("{text}\n{{\"serve\":true}}\n").as_bytes()).unwrap();
        assert_eq!(channel.hello().unwrap(), sample());
        channel.measured().unwrap();
        assert_eq!(line(&init), "{\"measured\":true}\n");
        channel.failed(Failure::PcrNotZero).unwrap();
        assert_eq!(line(&init), "{\"failed\":\"pcr15-not-zero\"}\n");
        channel.wait_serve().unwrap();
    }

    #[test]
    fn a_restart_is_announced() {
        let (mut channel, mut init) = pair();
        let restarted = Hello { measured_already: true, ..sample() };
        init.write_all(format!("{}\n", serde_json::to_string(&restarted).unwrap()).as_bytes()).unwrap();
        assert_eq!(channel.hello().unwrap(), restarted);
    }

    #[test]
    fn other_first_lines_are_refused() {
        let good = serde_json::to_string(&sample()).unwrap();
        let table = [
            ("end of file", String::new()),
            ("no newline", good.clone()),
            ("empty line", "\n".into()),
            ("not JSON", "hello\n".into()),
            ("another word", "{\"serve\":true}\n".into()),
            ("unknown field", good.replace("{\"config_digest\"", "{\"x\":1,\"config_digest\"") + "\n"),
            ("doubled field", good.replace("\"port\":8787", "\"port\":8787,\"port\":8787") + "\n"),
            ("port 0", good.replace("8787", "0") + "\n"),
            ("port too large", good.replace("8787", "65536") + "\n"),
            ("short digest", good.replacen("config_digest\":\"", "config_digest\":\"0", 1) + "\n"),
            ("long name", good.replace("exit 1 00", &"x".repeat(1025)) + "\n"),
        ];
        for (defect, text) in table {
            let (mut channel, mut init) = pair();
            init.write_all(text.as_bytes()).unwrap();
            drop(init);
            assert_eq!(channel.hello().err(), Some(Failure::Channel), "{defect} was taken");
        }
    }

    #[test]
    fn a_line_without_end_is_bounded() {
        let (mut channel, mut init) = pair();
        let flood = std::thread::spawn(move || while init.write_all(&[b' '; 1 << 16]).is_ok() {});
        assert_eq!(channel.hello().err(), Some(Failure::Channel));
        drop(channel);
        flood.join().unwrap();
    }

    #[test]
    fn serve_false_is_not_serve() {
        for text in ["{\"serve\":false}\n", "{\"serve\":1}\n", "{\"accepted\":true}\n", ""] {
            let (mut channel, mut init) = pair();
            init.write_all(text.as_bytes()).unwrap();
            drop(init);
            assert_eq!(channel.wait_serve().err(), Some(Failure::Channel), "{text:?} was taken");
        }
    }

    #[test]
    fn one_order_at_a_time() {
        let (channel, mut init) = pair();
        let orders = channel.into_orders(|| {}).unwrap();
        let first = std::thread::spawn(|| orders.send(b"one"));
        assert_eq!(line(&init), "{\"order\":\"b25l\"}\n");
        assert_eq!(orders.send(b"two"), None);
        init.write_all(b"{\"accepted\":false,\"code\":\"order\"}\n").unwrap();
        assert_eq!(first.join().unwrap(), Some(Answer { accepted: false, code: Some("order".into()) }));
        let third = std::thread::spawn(|| orders.send(b"three"));
        assert_eq!(line(&init), "{\"order\":\"dGhyZWU=\"}\n");
        init.write_all(b"{\"accepted\":true}\n").unwrap();
        assert_eq!(third.join().unwrap(), Some(Answer { accepted: true, code: None }));
    }

    #[test]
    fn an_answer_nobody_asked_for_ends_the_line() {
        static LOST: AtomicBool = AtomicBool::new(false);
        let (channel, mut init) = pair();
        channel.into_orders(|| LOST.store(true, Ordering::SeqCst)).unwrap();
        init.write_all(b"{\"accepted\":true}\n").unwrap();
        for _ in 0..100 {
            if LOST.load(Ordering::SeqCst) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the line is still in use");
    }
}
