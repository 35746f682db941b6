//! What becomes of a question: refused, answered from memory, or asked outside. One thread; nothing here knows who asks.

use crate::answer::Answer;
use crate::blocklist::Blocklist;
use crate::cache::Cache;
use crate::compose;
use crate::key::Key;
use crate::limits;
use crate::question::{code, read, Packet, Question, Rcode};
use crate::reply::{self, Ede};
use crate::special::is_special;
use crate::upstream::{Failure, Upstream};
use crate::Transport;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use vitrine_attest::config;

pub struct Service {
    cache: RefCell<Cache>,
    blocklist: Blocklist,
    upstream: Upstream,
    /// Who waits for what is being asked outside: the same question is asked once.
    waiting: RefCell<HashMap<Box<[u8]>, Waiters>>,
    /// Longest time of an answer, in seconds.
    ttl: u32,
    blocked: Cell<u64>,
    /// When somebody asked last; `None` when nobody did.
    asked: Cell<Option<Instant>>,
}

type Waiters = Vec<oneshot::Sender<Rc<Answer>>>;

/// What happens at once.
#[allow(clippy::large_enum_variant)] // a question lies on the stack, so that the quick way does not allocate
pub enum Quick {
    /// The answer is in the buffer.
    Ready,
    /// Nothing is said.
    Silent,
    /// [`Service::slow`] has to ask.
    Ask(Question),
}

/// The mistake of a mutation control: a panic whose text holds the name that was asked. The proof asks for names below
/// `nowhere`, which do not exist.
#[cfg(feature = "control-panic-name")]
#[allow(clippy::disallowed_macros)] // that is the mistake
fn control_panic(question: &Question) {
    if question.name.labels().any(|label| label == b"nowhere") {
        panic!("cannot answer {}", String::from_utf8_lossy(question.name.bytes()));
    }
}

impl Service {
    pub fn new(cache: &config::Cache, blocklist: Blocklist, upstream: Upstream) -> Rc<Self> {
        Rc::new(Self {
            cache: RefCell::new(Cache::new(cache.entries)),
            blocklist,
            upstream,
            waiting: RefCell::default(),
            ttl: u32::try_from(cache.ttl.as_seconds()).unwrap_or(u32::MAX),
            blocked: Cell::new(0),
            asked: Cell::new(None),
        })
    }

    /// Answers what can be answered without waiting.
    pub fn quick(&self, data: &[u8], transport: Transport, out: &mut Vec<u8>) -> Quick {
        let question = match read(data) {
            Packet::Question(question) => question,
            Packet::Refuse(header, code) => {
                reply::bare(&header, code, out);
                return Quick::Ready;
            }
            Packet::Ignore => return Quick::Silent,
        };
        #[cfg(feature = "control-panic-name")]
        control_panic(&question);
        let now = Instant::now();
        self.asked.set(Some(now));
        if refused(&question, transport, out) {
            return Quick::Ready;
        }
        if let Some(answer) = self.cache.borrow().get(&Key::of(&question), now) {
            answer.write(&question, transport, now, out);
            return Quick::Ready;
        }
        if self.blocklist.blocks(&question.name) {
            self.blocked.set(self.blocked.get().saturating_add(1));
            reply::empty(&question, Rcode::NxDomain, Some(Ede::Blocked), transport, out);
            return Quick::Ready;
        }
        if is_special(&question.name) {
            reply::empty(&question, Rcode::NxDomain, None, transport, out);
            return Quick::Ready;
        }
        Quick::Ask(question)
    }

    /// Asks outside, or joins those who wait for the same.
    pub async fn slow(self: &Rc<Self>, question: Question, transport: Transport, out: &mut Vec<u8>) {
        match self.wait(&question) {
            Some(answer) => {
                if let Ok(answer) = answer.await {
                    answer.write(&question, transport, Instant::now(), out);
                    return;
                }
                reply::empty(&question, Rcode::ServFail, None, transport, out);
            }
            None => reply::empty(&question, Rcode::ServFail, Some(Failure::Busy.into()), transport, out),
        }
    }

    /// Both steps, for transports that keep the asker waiting anyway; `None`: say nothing.
    pub async fn answer(self: &Rc<Self>, data: &[u8], transport: Transport) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        match self.quick(data, transport, &mut out) {
            Quick::Ready => {}
            Quick::Silent => return None,
            Quick::Ask(question) => self.slow(question, transport, &mut out).await,
        }
        Some(out)
    }

    /// `None` when too many questions are under way.
    fn wait(self: &Rc<Self>, question: &Question) -> Option<oneshot::Receiver<Rc<Answer>>> {
        let key = Key::of(question);
        let mut waiting = self.waiting.borrow_mut();
        let (sender, receiver) = oneshot::channel();
        if let Some(others) = waiting.get_mut(key.bytes()) {
            (others.len() < limits::IN_FLIGHT).then(|| others.push(sender))?;
            return Some(receiver);
        }
        if waiting.len() >= limits::IN_FLIGHT {
            return None;
        }
        waiting.insert(key.bytes().into(), vec![sender]);
        // a task of its own: it goes on when the first of those who wait hangs up
        tokio::task::spawn_local(self.clone().ask(*question));
        Some(receiver)
    }

    async fn ask(self: Rc<Self>, question: Question) {
        let found = self.upstream.find(&question).await;
        let now = Instant::now();
        let composed = found.and_then(|found| compose::answer(&question, found, self.ttl, now));
        let answer = composed.unwrap_or_else(|failure| Answer::failure(&question, failure.into(), self.ttl, now));
        let answer = Rc::new(answer);
        let key = Key::of(&question);
        self.cache.borrow_mut().put(&key, answer.clone());
        for sender in self.waiting.borrow_mut().remove(key.bytes()).into_iter().flatten() {
            // whoever hung up does not want it
            let _ = sender.send(answer.clone());
        }
    }

    /// Questions refused because of the blocklist.
    pub fn blocked(&self) -> u64 {
        self.blocked.get()
    }

    /// Whether somebody asked, and nobody has for this long: then every name in memory can go.
    pub fn may_forget(&self, after: Duration) -> bool {
        self.asked.get().is_some_and(|asked| asked.elapsed() >= after)
    }

    /// Throws out answers that are too old.
    pub fn sweep(&self) {
        self.cache.borrow_mut().sweep(Instant::now());
    }

    /// Answers in memory.
    pub fn kept(&self) -> usize {
        self.cache.borrow().len()
    }
}

/// Answers what is refused whatever the name is.
fn refused(question: &Question, transport: Transport, out: &mut Vec<u8>) -> bool {
    if question.edns.is_some_and(|edns| edns.version != 0) {
        reply::bad_version(question, out);
        return true;
    }
    let refusal = match question.kind {
        _ if question.class != code::IN => Some(Rcode::Refused),
        code::ANY | code::MAILA | code::MAILB => {
            reply::any(question, transport, out);
            return true;
        }
        // transfers, and types that are never a question (RFC 6895 §3.1: 128 to 255, and OPT)
        code::OPT | 0 | 128..=255 => Some(Rcode::Refused),
        // without recursion the answer would only tell what others have asked for
        _ if !question.recursion_desired => Some(Rcode::Refused),
        _ => None,
    };
    if let Some(code) = refusal {
        reply::empty(question, code, Some(Ede::NotSupported), transport, out);
    }
    refusal.is_some()
}
