//! Asking witnesses for their cosignatures, all at once, and how far they are.
//!
//! Plain HTTP is enough, https needs the feature: what they say with a signature needs no other protection. What they say without
//! one (a size, a refusal) is a hint, which whoever sits on the way can forge: it can keep a log from growing, never make a
//! checkpoint good.

use crate::{clock, server};
use serde::Serialize;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use ureq::http::Uri;
use ureq::Agent;
use vitrine_attest::note::{Checkpoint, Note};
use vitrine_attest::vkey::NoteKey;
use vitrine_attest::witness::{by_log_alone, cosignature, parse_size, to_text, CosignatureLine, BODY_LIMIT, PATH};
use vitrine_attest::{Result, Sha256};

/// How far a cosignature's time may be from this computer's, in seconds: more is a clock that is wrong, or an old answer.
pub const CLOCKS: u64 = 3600;
/// Before a witness is asked again that could not answer; doubled each time, up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Until a connection stands.
const CONNECT: Duration = Duration::from_secs(10);

/// A witness whose cosignature is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessAt {
    pub key: NoteKey,
    /// `http://host[:port][/prefix]`, or `https://` with the feature.
    pub url: String,
    /// The size that it has cosigned last, as the caller remembers it; 0 if unknown. A wrong one costs one more request.
    pub old: u64,
}

/// What came of asking one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Of its key.
    pub name: String,
    pub result: std::result::Result<CosignatureLine, Failure>,
}

/// How far a witness says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownSize {
    pub name: String,
    pub result: std::result::Result<u64, Failure>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "of")]
pub enum Failure {
    /// It cannot be asked at this address.
    Address(String),
    /// No answer in time, or none that keeps to the protocol.
    Unreachable(String),
    /// 404: does not witness this log. 403: does not know its key. 422: knows another history of it.
    Refused { status: u16 },
    /// It has cosigned a LARGER tree of this log: this one was put back, or is copied. Signing on would fork the log.
    Ahead { size: u64 },
    /// It has cosigned this size with another root: the log is forked.
    Conflict,
    /// The answer is not signed by this witness, or not this checkpoint, or not now.
    BadSignature(String),
    /// The log's own part: the checkpoint is none, or the proof could not be made.
    Ours(String),
}

/// Asks all witnesses to cosign a checkpoint, in parallel; the outcomes are in their order. `prove` gives the consistency proof
/// from a smaller size to the checkpoint's; it is called for one witness after the other. A witness that is elsewhere than
/// remembered is asked once more with the size it tells. Returns when all have answered, at the latest after `deadline`.
///
/// Only cosignatures that hold are given. How many are enough is the caller's to know.
pub fn cosign(
    agent: &Agent,
    witnesses: &[WitnessAt],
    checkpoint_note: &str,
    prove: &mut (dyn FnMut(u64) -> Result<Vec<Sha256>> + Send),
    deadline: Duration,
) -> Vec<Outcome> {
    let prove = Mutex::new(prove);
    let ask = |asking: &Asking<'_>| asking.cosign(&prove);
    let results = in_parallel(agent, witnesses, checkpoint_note, deadline, &ask);
    witnesses.iter().zip(results).map(|(at, result)| Outcome { name: at.key.name().into(), result }).collect()
}

/// Asks each witness how far it is, by asking it to cosign once more the checkpoint that the log has signed last. A log does this
/// before it signs a larger one: if some witness knows a larger tree than the log itself, the log was put back to an
/// older state (a restored backup, a copied machine), and what it signs next would be a fork.
///
/// A size is not signed. A witness that agrees gives a cosignature, which is checked; one that is behind or ahead could lie.
pub fn known_sizes(
    agent: &Agent,
    witnesses: &[WitnessAt],
    checkpoint_note: &str,
    deadline: Duration,
) -> Vec<KnownSize> {
    let results = in_parallel(agent, witnesses, checkpoint_note, deadline, &|asking| asking.size());
    witnesses.iter().zip(results).map(|(at, result)| KnownSize { name: at.key.name().into(), result }).collect()
}

/// One thread for each witness: there are a handful.
fn in_parallel<T: Send>(
    agent: &Agent,
    witnesses: &[WitnessAt],
    checkpoint_note: &str,
    deadline: Duration,
    ask: &(dyn Fn(&Asking<'_>) -> std::result::Result<T, Failure> + Sync),
) -> Vec<std::result::Result<T, Failure>> {
    let end = Instant::now() + deadline;
    let prepared = prepared(checkpoint_note);
    let one = |witness| {
        let (signed, checkpoint) = prepared.as_ref().map_err(|why| Failure::Ours(why.clone()))?;
        ask(&Asking { agent, witness, signed, checkpoint, end })
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = witnesses.iter().map(|witness| scope.spawn(|| one(witness))).collect();
        let gone = |_| Err(Failure::Ours("the thread that asked has panicked".into()));
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(gone)).collect()
    })
}

/// The checkpoint with the log's own signatures only, and what it says.
fn prepared(checkpoint_note: &str) -> std::result::Result<(String, Checkpoint), String> {
    let signed = by_log_alone(checkpoint_note)?;
    let checkpoint = Checkpoint::parse(Note::parse(signed.as_bytes())?.text())?;
    Ok((signed, checkpoint))
}

struct Asking<'a> {
    agent: &'a Agent,
    witness: &'a WitnessAt,
    signed: &'a str,
    checkpoint: &'a Checkpoint,
    end: Instant,
}

/// What a witness says, as far as it keeps to the protocol.
enum Said {
    Cosigned(CosignatureLine),
    At(u64),
}

type Prove<'p> = Mutex<&'p mut (dyn FnMut(u64) -> Result<Vec<Sha256>> + Send)>;

impl Asking<'_> {
    fn cosign(&self, prove: &Prove<'_>) -> std::result::Result<CosignatureLine, Failure> {
        let size = self.checkpoint.size;
        let mut old = self.witness.old.min(size);
        for _ in 0..2 {
            let told = match self.ask(old, &self.proof(old, prove)?)? {
                Said::Cosigned(line) => return Ok(line),
                Said::At(told) => told,
            };
            if told > size {
                return Err(Failure::Ahead { size: told });
            }
            if told == old {
                // refuses what it says it has: with the checkpoint's own size that means another root
                return Err(if told == size { Failure::Conflict } else { Failure::Refused { status: 409 } });
            }
            old = told;
        }
        Err(Failure::Refused { status: 409 })
    }

    fn size(&self) -> std::result::Result<u64, Failure> {
        let size = self.checkpoint.size;
        match self.ask(size, &[])? {
            Said::Cosigned(_) => Ok(size),
            Said::At(told) if told == size => Err(Failure::Conflict),
            Said::At(told) => Ok(told),
        }
    }

    fn proof(&self, old: u64, prove: &Prove<'_>) -> std::result::Result<Vec<Sha256>, Failure> {
        if old == 0 || old == self.checkpoint.size {
            return Ok(vec![]);
        }
        let mut prove = prove.lock().map_err(|_| Failure::Ours("the proof could not be made".into()))?;
        (*prove)(old).map_err(|error| Failure::Ours(error.what))
    }

    /// Again and again while it is not there or not well.
    fn ask(&self, old: u64, proof: &[Sha256]) -> std::result::Result<Said, Failure> {
        let url = endpoint(&self.witness.url).map_err(Failure::Address)?;
        let body = to_text(old, proof, self.signed);
        let mut pause = PAUSE;
        loop {
            let failure = match self.post(&url, &body) {
                Ok((200, answer)) => return self.judge(&answer).map(Said::Cosigned),
                Ok((409, answer)) => {
                    let told = parse_size(&answer).map(Said::At);
                    return told.ok_or_else(|| Failure::Unreachable("it told no size with status 409".into()));
                }
                Ok((status @ (429 | 500..), _)) => Failure::Refused { status },
                Ok((status, _)) => return Err(Failure::Refused { status }),
                Err(why @ (Trouble::TooLong | Trouble::TooMuch | Trouble::Tls(_))) => {
                    return Err(Failure::Unreachable(why.words()))
                }
                Err(why) => Failure::Unreachable(why.words()),
            };
            if Instant::now() + pause >= self.end {
                return Err(failure);
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn post(&self, url: &str, body: &str) -> std::result::Result<(u16, Vec<u8>), Trouble> {
        let left = self.end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Trouble::TooLong);
        }
        let request = self.agent.post(url).config().timeout_connect(Some(CONNECT.min(left))).timeout_global(Some(left));
        let request = request.build().header("content-type", "text/plain; charset=utf-8");
        let mut response = request.send(body.as_bytes()).map_err(Trouble::of)?;
        let status = response.status().as_u16();
        let answer = response.body_mut().with_config().limit(BODY_LIMIT as u64).read_to_vec().map_err(Trouble::of)?;
        Ok((status, answer))
    }

    /// What a 200 is worth.
    fn judge(&self, answer: &[u8]) -> std::result::Result<CosignatureLine, Failure> {
        let note = Note::parse(self.signed.as_bytes()).map_err(Failure::Ours)?;
        let line = cosignature(answer, note.text(), &self.witness.key).map_err(Failure::BadSignature)?;
        let now = clock::now().map_err(|error| Failure::Ours(error.what))?.as_secs();
        if now.abs_diff(line.time) > CLOCKS {
            let apart = format!("its time is {} s off this computer's clock", now.abs_diff(line.time));
            return Err(Failure::BadSignature(apart));
        }
        Ok(line)
    }
}

enum Trouble {
    TooLong,
    TooMuch,
    /// A certificate that does not hold will not do so in a moment.
    Tls(String),
    Other(String),
}

impl Trouble {
    fn of(error: ureq::Error) -> Self {
        match error {
            ureq::Error::Timeout(ureq::Timeout::Connect) => Self::Other("it cannot be reached".into()),
            ureq::Error::Timeout(_) => Self::TooLong,
            ureq::Error::BodyExceedsLimit(_) => Self::TooMuch,
            error if server::of_tls(&error) => Self::Tls(error.to_string()),
            other => Self::Other(other.to_string()),
        }
    }

    fn words(self) -> String {
        match self {
            Self::TooLong => "it did not answer in time".into(),
            Self::TooMuch => format!("it sent more than {BODY_LIMIT} bytes"),
            Self::Tls(why) | Self::Other(why) => why,
        }
    }
}

/// Where checkpoints are sent to.
fn endpoint(url: &str) -> std::result::Result<String, String> {
    let uri: Uri = url.parse().map_err(|_| format!("{url} is no address"))?;
    match uri.scheme_str() {
        Some("http") => {}
        Some("https") if cfg!(feature = "https") => {}
        Some("https") => {
            return Err(format!(
                "{url}: no TLS in this build; use the witness's http:// address, or a build with `--features https`"
            ));
        }
        _ => return Err(format!("{url} is no http:// address")),
    }
    let no_more_than_a_path = uri.query().is_none() && uri.authority().is_some_and(|host| !host.as_str().contains('@'));
    if !no_more_than_a_path {
        return Err(format!("{url}: only host, port and path can be named"));
    }
    Ok(format!("{}{PATH}", url.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::endpoint;

    #[test]
    fn endpoints() {
        for (url, expected) in [
            ("http://w.example:8790", "http://w.example:8790/add-checkpoint"),
            ("http://[2001:db8::7]:1/", "http://[2001:db8::7]:1/add-checkpoint"),
            ("http://w.example/a/b/", "http://w.example/a/b/add-checkpoint"),
        ] {
            assert_eq!(endpoint(url).as_deref(), Ok(expected));
        }
        let over_tls = endpoint("https://w.example/");
        match cfg!(feature = "https") {
            true => assert_eq!(over_tls.as_deref(), Ok("https://w.example/add-checkpoint")),
            false => assert!(over_tls.unwrap_err().contains("no TLS in this build")),
        }
        for bad in ["", "w.example", "ftp://w.example", "http://u@w.example", "http://w.example/?q", "http://"] {
            assert!(endpoint(bad).is_err(), "{bad} was taken");
        }
    }
}
