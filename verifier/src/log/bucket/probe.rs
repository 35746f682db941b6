//! Whether a store does what a log in it rests on: that of many who want to be the first, one is.
//!
//! Shows that it refuses what it has to refuse today, also of several writes at once. Does **not** prove that it always will.

use super::client::{Bucket, Put, Tag, Trouble, When};
use vitrine_attest::digest::hex;
use vitrine_attest::{Error, Result};

/// Writes at once.
const RACERS: usize = 8;
/// Races of each kind: a store that looks first and writes then is caught in one of them.
const RACES: usize = 3;

/// # Errors
/// [`vitrine_attest::Blame::Host`] when it is no store for a log.
pub(super) fn probe(bucket: &Bucket) -> Result<()> {
    let stem = format!("private/probe-{}", hex(&crate::server::random()?[..8]));
    let probe = Probe { bucket, name: format!("{stem}-0") };
    let first = probe.is_written(b"one", When::Absent)?;
    probe.is_refused(b"two", When::Absent, "it makes what is there already (If-None-Match)")?;
    probe.holds(b"one", &first)?;
    probe.is_refused(b"two", When::Still(&Tag::wrong()), "it replaces what is not as expected (If-Match)")?;
    probe.holds(b"one", &first)?;
    let second = probe.is_written(b"two", When::Still(&first))?;
    if second == first {
        return Err(bucket.unfit("two contents of an object have one ETag"));
    }
    probe.is_refused(b"three", When::Still(&first), "it replaces what has changed meanwhile (If-Match)")?;
    probe.holds(b"two", &second)?;
    for race in 1..=RACES {
        let probe = Probe { bucket, name: format!("{stem}-{race}") };
        let tag = probe.race(When::Absent)?;
        probe.race(When::Still(&tag))?;
    }
    Ok(())
}

struct Probe<'b> {
    bucket: &'b Bucket,
    name: String,
}

impl Probe<'_> {
    fn put(&self, bytes: &[u8], when: When<'_>) -> Result<Put> {
        self.bucket.put(&self.name, bytes, when).map_err(|trouble| match trouble {
            Trouble::Final(error) => error,
            Trouble::Unknown(why) => Error::host(format!("{}: {why}", self.bucket.name(&self.name)), "try again"),
        })
    }

    fn is_written(&self, bytes: &[u8], when: When<'_>) -> Result<Tag> {
        match self.put(bytes, when)? {
            Put::Done(Some(tag)) => Ok(tag),
            Put::Done(None) => Err(self.bucket.unfit("it does not say the ETag of what was written")),
            Put::Refused | Put::Busy => Err(self.bucket.unfit("it refuses a write whose condition holds")),
        }
    }

    fn is_refused(&self, bytes: &[u8], when: When<'_>, why: &str) -> Result<()> {
        match self.put(bytes, when)? {
            Put::Refused => Ok(()),
            Put::Done(_) => Err(self.bucket.unfit(why)),
            Put::Busy => Err(self.bucket.unfit("it says that others write where nobody does")),
        }
    }

    fn holds(&self, bytes: &[u8], tag: &Tag) -> Result<()> {
        match self.bucket.get(&self.name, 64)? {
            Some(object) if object.bytes == bytes && object.tag == *tag => Ok(()),
            _ => Err(self.bucket.unfit("what is read is not what was written last")),
        }
    }

    /// Of several that write at once, one has to be told that it did.
    fn race(&self, when: When<'_>) -> Result<Tag> {
        let bodies: Vec<String> = (0..RACERS).map(|n| format!("racer {n} {when:?}")).collect();
        let ends: Vec<Result<Put>> = std::thread::scope(|scope| {
            let all: Vec<_> = bodies.iter().map(|body| scope.spawn(move || self.put(body.as_bytes(), when))).collect();
            all.into_iter().map(|one| one.join().unwrap_or_else(|_| Err(Error::bug("a probe ended")))).collect()
        });
        let mut won = vec![];
        for (end, body) in ends.into_iter().zip(&bodies) {
            if let Put::Done(tag) = end? {
                won.push((tag, body));
            }
        }
        match won.as_slice() {
            [(Some(tag), body)] => {
                self.holds(body.as_bytes(), tag)?;
                Ok(tag.clone())
            }
            all => Err(self
                .bucket
                .unfit(&format!("of {RACERS} writes at once {} were told that they were first", all.len()))),
        }
    }
}
