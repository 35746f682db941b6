//! The witness behind its address: one request, one answer.

use super::book::{Book, Last};
use super::folder::Locked;
use super::ml_dsa::Second;
use crate::http_serve::{self, Answer, Handler, Method, Request};
use ed25519_dalek::SigningKey;
use std::future::Future;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;
use vitrine_attest::note::sign;
use vitrine_attest::vkey::NoteKey;
use vitrine_attest::witness::{by_log_alone, judge, size_text, AddCheckpoint, Refusal, BODY_LIMIT, PATH, SIZE_TYPE};
use vitrine_attest::{Error, Result};

const COSIGNATURES_TYPE: &str = "text/plain; charset=utf-8";
/// For people; what has happened is told by the end of the program.
const BROKEN: &str = "the witness cannot keep its state";

/// A folder's witness. Answers one request at a time: what it signs and what it remembers are one.
pub struct Witness {
    key: NoteKey,
    secret: SigningKey,
    second: Option<Second>,
    folder: Locked,
    memory: Mutex<Memory>,
    /// Told when the state could not be kept.
    broken: Notify,
    clock: fn() -> Result<u64>,
}

enum Memory {
    Whole(Book),
    /// A write has failed: what is on the disk is not known, so nothing is signed any more.
    Broken(Error),
}

impl Witness {
    /// # Errors
    /// When key or state of the folder cannot be used.
    pub fn new(folder: Locked) -> Result<Self> {
        let (key, secret, book) = (folder.folder().key()?, folder.secret()?, folder.read()?);
        let second = folder.second()?;
        let (memory, clock) = (Mutex::new(Memory::Whole(book)), || Ok(crate::clock::now()?.as_secs()));
        Ok(Self { key, secret, second, folder, memory, broken: Notify::new(), clock })
    }

    pub fn key(&self) -> &NoteKey {
        &self.key
    }

    /// Of ML-DSA-44, if it signs so, too.
    pub fn second_key(&self) -> Option<&NoteKey> {
        self.second.as_ref().map(Second::key)
    }

    /// Serves until `until` is over.
    ///
    /// # Errors
    /// When it cannot begin, or the state could not be kept.
    pub fn serve(self, listener: TcpListener, until: impl Future<Output = ()>) -> Result<()> {
        let witness = Arc::new(self);
        let until = async {
            tokio::select! {
                () = until => {}
                () = witness.broken.notified() => {}
            }
        };
        http_serve::serve(listener, witness.clone(), until)?;
        let memory = witness.memory.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        match &*memory {
            Memory::Whole(_) => Ok(()),
            Memory::Broken(error) => Err(error.clone()),
        }
    }

    /// Judges, remembers, signs: in this order.
    fn add(&self, body: &[u8]) -> Answer {
        let request = match AddCheckpoint::parse(body) {
            Ok(request) => request,
            Err(why) => return Answer::text(400, &why),
        };
        // a thread that panicked has signed nothing that it has not remembered, but nobody has thought its case through
        let Ok(mut memory) = self.memory.lock() else { return Answer::text(500, BROKEN) };
        let Memory::Whole(book) = &*memory else { return Answer::text(500, BROKEN) };
        let (answer, new) = match self.grant(book, &request) {
            Ok(Granted { book, lines }) => (Answer::new(200, COSIGNATURES_TYPE, lines), Some(book)),
            Err(refused) => (refused, book.with_fork(&request)),
        };
        // anybody can send the last checkpoint again: once a second it costs a write, and not more
        if let Some(new) = new.filter(|new| new != book) {
            if let Err(error) = self.folder.write(&new) {
                *memory = Memory::Broken(error);
                self.broken.notify_one();
                return Answer::text(500, BROKEN);
            }
            *memory = Memory::Whole(new);
        }
        answer
    }

    /// What will be remembered and answered, or why not.
    fn grant(&self, book: &Book, request: &AddCheckpoint) -> std::result::Result<Granted, Answer> {
        let fault = |error: Error| Answer::text(500, &error.what);
        let checkpoint = &request.checkpoint;
        let log = book.logs.get(&checkpoint.origin).ok_or_else(|| refused(&Refusal::UnknownOrigin))?;
        let keys = log.keys().map_err(fault)?;
        judge(log.known().as_ref(), request, &keys).map_err(|refusal| refused(&refusal))?;
        let time = (self.clock)().map_err(fault)?;
        if time < book.latest() {
            return Err(Answer::text(500, "the witness's clock stands before its last cosignature"));
        }
        let note = by_log_alone(&request.signed).map_err(|why| Answer::text(400, &why))?;
        let text = request.note.text();
        let mut lines = sign(text, self.key.name(), &self.secret, Some(time)).map_err(fault)?;
        if let Some(second) = &self.second {
            lines += &second.sign(text, time).map_err(fault)?;
        }
        let mut book = book.clone();
        let last = Last { size: checkpoint.size, root: checkpoint.root, time, note };
        book.logs.entry(checkpoint.origin.clone()).or_default().last = Some(last);
        Ok(Granted { book, lines })
    }
}

struct Granted {
    book: Book,
    lines: String,
}

fn refused(refusal: &Refusal) -> Answer {
    match refusal {
        Refusal::Conflict { size } => Answer::new(refusal.status(), SIZE_TYPE, size_text(*size)),
        other => Answer::text(other.status(), &other.to_string()),
    }
}

impl Handler for Witness {
    fn body_limit(&self) -> usize {
        BODY_LIMIT
    }

    fn answer(&self, request: Request) -> Answer {
        match (request.path.as_str(), request.method) {
            (PATH, Method::Post) => self.add(&request.body),
            (PATH, Method::Get) => {
                let mut answer = Answer::text(405, "send a checkpoint with POST");
                answer.headers.push(("allow", "POST".into()));
                answer
            }
            _ => Answer::text(404, "there is nothing here"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::folder::Folder;
    use super::*;
    use vitrine_attest::merkle;
    use vitrine_attest::vkey::Kind;
    use vitrine_attest::witness::to_text;

    const LOG: &str = "log.example/vitrine";

    /// Of an empty log: no proofs are needed here.
    fn request() -> Vec<u8> {
        use base64::Engine as _;
        let root = base64::engine::general_purpose::STANDARD.encode(merkle::root_of_nothing().0);
        let text = format!("{LOG}\n0\n{root}\n");
        let line = sign(&text, LOG, &SigningKey::from_bytes(&[1; 32]), None).unwrap();
        to_text(0, &[], &format!("{text}\n{line}")).into_bytes()
    }

    fn witness(place: &std::path::Path) -> Witness {
        let folder = Folder::at(place);
        if !place.join("witness.pub").exists() {
            folder.init("witness.example/w1").unwrap();
            let key = NoteKey::new(LOG, SigningKey::from_bytes(&[1; 32]).verifying_key()).unwrap();
            let locked = folder.lock().unwrap();
            let mut book = locked.read().unwrap();
            book.add(&key).unwrap();
            locked.write(&book).unwrap();
        }
        Witness::new(folder.lock().unwrap()).unwrap()
    }

    #[test]
    fn time_does_not_go_back() {
        let place = tempfile::tempdir().unwrap();
        let mut witness = witness(place.path());
        for (clock, status) in [
            ((|| Ok(1000)) as fn() -> Result<u64>, 200),
            (|| Ok(999), 500),
            (|| Ok(1000), 200),
            (|| Err(Error::host("no clock", "")), 500),
            (|| Ok(1001), 200),
        ] {
            witness.clock = clock;
            assert_eq!(witness.add(&request()).status, status);
        }
        drop(witness);
        let mut again = self::witness(place.path());
        again.clock = || Ok(1000);
        assert_eq!(again.add(&request()).status, 500, "after a restart, too");
    }

    /// What cannot be kept is not signed, and nothing is from then on.
    #[test]
    fn no_signature_without_memory() {
        let place = tempfile::tempdir().unwrap();
        let mut witness = witness(place.path());
        witness.clock = || Ok(1000);
        assert_eq!(witness.add(&request()).status, 200);
        // a folder where the next state is to be written: this fails for root, too
        std::fs::create_dir(place.path().join("state.json.part")).unwrap();
        assert_eq!(witness.add(&request()).status, 200, "there is nothing new to keep");
        witness.clock = || Ok(1001);
        assert_eq!(witness.add(&request()).status, 500);
        std::fs::remove_dir(place.path().join("state.json.part")).unwrap();
        assert_eq!(witness.add(&request()).status, 500);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(
            witness.serve(listener, std::future::pending()).unwrap_err().what.contains("state.json"),
            "it ends, and says why"
        );
    }

    #[test]
    fn its_own_key_is_a_witnesss() {
        let place = tempfile::tempdir().unwrap();
        assert_eq!(witness(place.path()).key().kind(), Kind::Cosignature);
    }

    /// Half of its signatures is none of this program's business.
    #[cfg(not(feature = "ml-dsa"))]
    #[test]
    fn a_witness_of_ml_dsa_is_refused_without_the_feature() {
        for file in ["witness-ml-dsa.key", "witness-ml-dsa.pub"] {
            let place = tempfile::tempdir().unwrap();
            drop(witness(place.path()));
            std::fs::write(place.path().join(file), "").unwrap();
            let folder = Folder::at(place.path());
            let error = Witness::new(folder.lock().unwrap()).err().unwrap();
            assert!(error.what.contains("ML-DSA-44") && error.hint.contains("`ml-dsa`"), "{error}");
            assert!(folder.second_key().is_err());
        }
    }
}
