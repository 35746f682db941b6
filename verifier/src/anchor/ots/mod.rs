//! OpenTimestamps: detached files that lead from a file's hash to a place whose time is known (version 1).
//!
//! ```text
//! 00 "OpenTimestamps" 00 00 "Proof" 00 bf89e2e884e89294   magic
//! 01                                                       version
//! 08 <32 bytes>                                            SHA-256 of the file
//! f0 10 <16 bytes>   append                                what a file's hash becomes, one operation after the other
//! 08                 SHA-256                               …
//! 00 <8 bytes> <length> <payload>                          an attestation: of a calendar, or of a block of Bitcoin
//! ```
//! `ff` before an operation or attestation says that another one over the same bytes follows after it.
//!
//! Read are the operations append, prepend and SHA-256, which is what calendars use. What comes after another one (SHA-1 and
//! RIPEMD-160 are too weak, the rest is not in use) is kept, and never judged.

mod attestation;
mod op;
mod spell;
#[cfg(test)]
mod tests;

use attestation::address;
pub use attestation::Attestation;
use op::Op;
use spell::Reader;
use vitrine_attest::digest::hex;
use vitrine_attest::Sha256;

/// Largest file in bytes; real ones have 1 to 4 KiB.
pub const OTS_LIMIT: usize = 64 << 10;
/// Largest answer of a calendar in bytes, as the usual client has it.
pub const ANSWER_LIMIT: usize = 10_000;
/// Most operations in a row, as the usual client has it.
const DEPTH_LIMIT: usize = 256;

const MAGIC: &[u8; 31] = b"\0OpenTimestamps\0\0Proof\0\xbf\x89\xe2\xe8\x84\xe8\x92\x94";
const SHA256: u8 = 0x08;
const APPEND: u8 = 0xf0;
const PREPEND: u8 = 0xf1;
const PENDING: [u8; 8] = [0x83, 0xdf, 0xe3, 0x0d, 0x2e, 0xf9, 0x0c, 0x8e];
const BITCOIN: [u8; 8] = [0x05, 0x88, 0x96, 0x0d, 0x73, 0xd7, 0x19, 0x01];
const FORK: u8 = 0xff;
const ATTESTATION: u8 = 0x00;

/// A detached timestamp of a file with this SHA-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtsFile {
    pub digest: Sha256,
    stamp: Stamp,
}

/// What follows from some bytes: at least one branch.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp(Vec<Branch>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Branch {
    Attestation(Attestation),
    Op(Op, Stamp),
}

/// An attestation, and the bytes that it is about; None after an operation that is not computed here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attested<'a> {
    pub message: Option<Vec<u8>>,
    pub by: &'a Attestation,
}

impl OtsFile {
    /// What can be made without a network: a random number is appended, so that a calendar does not learn the file's hash, and
    /// a calendar is named that is to be asked. Proves nothing yet.
    ///
    /// # Errors
    /// When this cannot be the address of a calendar.
    pub fn request(digest: Sha256, nonce: [u8; 16], calendar: &str) -> Result<Self, String> {
        let pending = Branch::Attestation(Attestation::Pending(address(calendar.as_bytes())?));
        let hashed = Branch::Op(Op::Sha256, Stamp(vec![pending]));
        Ok(Self { digest, stamp: Stamp(vec![Branch::Op(Op::Append(nonce.to_vec()), Stamp(vec![hashed]))]) })
    }

    /// # Errors
    /// What is wrong with its form. Nothing is repaired.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() > OTS_LIMIT {
            return Err(format!("the timestamp has more than {OTS_LIMIT} bytes"));
        }
        let mut reader = Reader::new(bytes);
        if reader.take(MAGIC.len()) != Ok(MAGIC) {
            return Err("this is no detached OpenTimestamps file".into());
        }
        match reader.number()? {
            1 => {}
            version => return Err(format!("the timestamp is of version {version}, not 1")),
        }
        if reader.byte()? != SHA256 {
            return Err("the timestamp is of another hash than SHA-256".into());
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(reader.take(32)?);
        let stamp = Stamp::read(&mut reader, Some(digest.to_vec()), 0)?;
        reader.end()?;
        Ok(Self { digest: Sha256(digest), stamp })
    }

    /// As it is read.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = [&MAGIC[..], &[1, SHA256], &self.digest.0].concat();
        self.stamp.write(&mut out);
        out
    }

    /// All attestations, in their order.
    pub fn attestations(&self) -> Vec<Attested<'_>> {
        let mut found = Vec::new();
        self.stamp.collect(Some(self.digest.0.to_vec()), &mut found);
        found
    }

    /// What calendars have been asked for or are to be: 32 bytes each, and the calendar.
    pub fn pending(&self) -> Vec<(Vec<u8>, &str)> {
        let mut all = Vec::new();
        for attested in self.attestations() {
            if let (Some(message), Attestation::Pending(calendar)) = (attested.message, attested.by) {
                all.push((message, calendar.as_str()));
            }
        }
        all
    }

    /// Puts a calendar's answer about `message` in the place of the promise that waits for it.
    ///
    /// # Errors
    /// When nothing waits there, or the answer cannot be read.
    pub fn add(&mut self, message: &[u8], answer: &[u8]) -> Result<(), String> {
        if answer.len() > ANSWER_LIMIT {
            return Err(format!("the calendar's answer has more than {ANSWER_LIMIT} bytes"));
        }
        let mut reader = Reader::new(answer);
        let added = Stamp::read(&mut reader, Some(message.to_vec()), 0).map_err(|e| format!("the answer: {e}"))?;
        reader.end().map_err(|e| format!("the answer: {e}"))?;
        let mut whole = self.clone();
        if !whole.stamp.replace(self.digest.0.to_vec(), message, &added) {
            return Err(format!("no calendar is to be asked about {}", hex(message)));
        }
        // with what is added, it has to keep the limits of a whole file
        *self = Self::parse(&whole.to_bytes())?;
        Ok(())
    }
}

impl Stamp {
    fn read(reader: &mut Reader<'_>, message: Option<Vec<u8>>, depth: usize) -> Result<Self, String> {
        if depth == DEPTH_LIMIT {
            return Err(format!("there are more than {DEPTH_LIMIT} operations in a row"));
        }
        let mut branches = Vec::new();
        loop {
            let tag = reader.byte()?;
            let more = tag == FORK;
            let tag = if more { reader.fork()? } else { tag };
            branches.push(match tag {
                ATTESTATION => Branch::Attestation(Attestation::read(reader)?),
                _ => {
                    let op = Op::read(tag, reader)?;
                    let after = match &message {
                        Some(message) => op.after(message)?,
                        None => None,
                    };
                    Branch::Op(op, Self::read(reader, after, depth + 1)?)
                }
            });
            if !more {
                return Ok(Self(branches));
            }
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        for (at, branch) in self.0.iter().enumerate() {
            if at + 1 < self.0.len() {
                out.push(FORK);
            }
            match branch {
                Branch::Attestation(attestation) => attestation.write(out),
                Branch::Op(op, stamp) => {
                    op.write(out);
                    stamp.write(out);
                }
            }
        }
    }

    fn collect<'a>(&'a self, message: Option<Vec<u8>>, found: &mut Vec<Attested<'a>>) {
        for branch in &self.0 {
            match branch {
                Branch::Attestation(by) => found.push(Attested { message: message.clone(), by }),
                // it was computed when it was read, so it can be again
                Branch::Op(op, stamp) => {
                    stamp.collect(message.as_ref().and_then(|m| op.after(m).ok().flatten()), found)
                }
            }
        }
    }

    /// Whether something waited there.
    fn replace(&mut self, message: Vec<u8>, place: &[u8], added: &Self) -> bool {
        let mut done = false;
        for branch in &mut self.0 {
            if let Branch::Op(op, stamp) = branch {
                if let Ok(Some(after)) = op.after(&message) {
                    done |= stamp.replace(after, place, added);
                }
            }
        }
        let waits = |branch: &Branch| matches!(branch, Branch::Attestation(Attestation::Pending(_)));
        if message == place && self.0.iter().any(waits) {
            self.0.retain(|branch| !waits(branch));
            self.0.extend(added.0.iter().cloned());
            done = true;
        }
        done
    }
}
