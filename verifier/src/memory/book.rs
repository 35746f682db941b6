//! The state file's form, version 1, and 2 where a log is remembered. No I/O.
//!
//! ```json
//! {"digest":"<64 hex>","servers":{"<SHA-256 of the EK's TPMT_PUBLIC>":{"address":"http://192.0.2.7:8787",
//!   "boot":{"ak_name":"000b…","clock":91250,"firmware":{"0":"<64 hex>",…},"firmware_version":"2024010100000000",
//!     "keys":{"channel_pub":"…=","sign_pub":"…=","tls_spki":"<64 hex>","wg_pub":"…="},
//!     "reset_count":3,"restart_count":0},
//!   "first_seen":1763600000,"last_seen":1763686400,
//!   "release":{"fingerprint":"vitrine1:<64 hex>","image":"exit","key":"example.org/release+…","seq":7,"version":"1.0"}}},
//!  "v":1}
//! ```
//! Version 2 has, behind `digest`, `"logs":{"log.example/vitrine":{"note":"log.example/vitrine\n1482\n…","root":"<64 hex>","size":1482}}`.
//! `digest` is the SHA-256 of the canonical JSON of `logs`, if there are any, and of `servers` behind it: it finds damage, and says nothing about who wrote the
//! file. Times are seconds since 1970, UTC; `clock` is the TPM's, in milliseconds.

use super::logs::{self, LogSeen};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use vitrine_attest::boot::BootKeys;
use vitrine_attest::canonical::to_canonical_json;
use vitrine_attest::fingerprint::Fingerprint;
use vitrine_attest::pcr::PcrValues;
use vitrine_attest::Sha256;

/// Of a file without logs, as every program reads it.
const VERSION: u32 = 1;
/// Of a file with logs.
const WITH_LOGS: u32 = 2;
/// Largest state file in bytes. A server takes about 1.2 KiB: room for the largest fleet that is watched, twenty thousand.
pub const BOOK_LIMIT: usize = 32 << 20;

/// Tells a server's TPM from all others: SHA-256 of its endorsement key's TPMT_PUBLIC. Only a server that has activated
/// a credential (V06) has shown that it holds this key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ServerId(pub Sha256);

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ServerId {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self)
    }
}

/// One server, as it was when it was last accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    pub first_seen: u64,
    pub last_seen: u64,
    /// As the person wrote it, or a file's name. For people, and to see that another TPM answers at an address.
    pub address: String,
    pub boot: Boot,
    pub release: ReleaseSeen,
}

impl Record {
    /// Takes over what is later in `seen`: another verifier may have asked after us and have written before us.
    pub fn follow(&mut self, seen: &Self) {
        self.last_seen = self.last_seen.max(seen.last_seen);
        if self.boot.position() <= seen.boot.position() {
            let (first_seen, last_seen) = (self.first_seen, self.last_seen);
            *self = Self { first_seen, last_seen, ..seen.clone() };
        }
    }
}

/// What the TPM has signed of one boot, and the firmware's registers as its log told them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Boot {
    /// TPM resets since the TPM was cleared (TPM 2.0 Part 1, "Clock").
    pub reset_count: u32,
    /// Suspends since the last reset.
    pub restart_count: u32,
    /// Milliseconds that the TPM was powered since it was cleared.
    pub clock: u64,
    /// The TPM's, 16 hex digits.
    pub firmware_version: String,
    /// TPM name of the attestation key, hex.
    pub ak_name: String,
    /// PID 1 makes them anew at each boot; they are in PCR 15.
    pub keys: BootKeys,
    /// PCR 0-3 of the firmware's log. The TPM has not signed them.
    pub firmware: PcrValues,
}

impl Boot {
    /// Orders what one TPM says: later evidence has the greater position.
    pub fn position(&self) -> (u32, u32, u64) {
        (self.reset_count, self.restart_count, self.clock)
    }
}

/// What the statement promised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseSeen {
    /// Whose promise: the release key's text.
    pub key: String,
    pub image: String,
    pub version: String,
    pub seq: u64,
    pub fingerprint: Fingerprint,
}

/// All servers, and the logs that their statements stand in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Book {
    pub servers: BTreeMap<ServerId, Record>,
    /// By their names.
    pub logs: BTreeMap<String, LogSeen>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    v: u32,
    digest: Sha256,
    logs: Option<BTreeMap<String, LogSeen>>,
    servers: BTreeMap<ServerId, Record>,
}

/// Why a file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unusable {
    /// Written by a program that knows more.
    Newer(u64),
    Damaged(String),
}

impl Book {
    pub fn get(&self, server: &ServerId) -> Option<&Record> {
        self.servers.get(server)
    }

    /// The last other TPM that was accepted at this address.
    pub fn another_at(&self, address: &str, server: &ServerId) -> Option<(&ServerId, &Record)> {
        let others = self.servers.iter().filter(|(id, record)| *id != server && record.address == address);
        others.max_by_key(|(_, record)| record.last_seen)
    }

    /// # Errors
    /// Nothing is repaired: a file that is not whole is not used.
    pub fn parse(bytes: &[u8]) -> Result<Self, Unusable> {
        #[derive(Deserialize)]
        struct Version {
            v: u64,
        }
        let damaged = |e: serde_json::Error| Unusable::Damaged(e.to_string());
        // the version first: a newer form has other fields
        let Version { v } = serde_json::from_slice(bytes).map_err(damaged)?;
        if v > WITH_LOGS.into() {
            return Err(Unusable::Newer(v));
        }
        let file: File = serde_json::from_slice(bytes).map_err(damaged)?;
        let logs = match (file.v, file.logs) {
            (VERSION, None) => BTreeMap::new(),
            (WITH_LOGS, Some(logs)) if !logs.is_empty() => logs,
            _ => return Err(Unusable::Damaged(format!("this is no version {v}"))),
        };
        let book = Self { servers: file.servers, logs };
        let content = book.content().map_err(|e| Unusable::Damaged(e.what))?;
        if digest(&content) != file.digest {
            return Err(Unusable::Damaged("its digest does not fit its content".into()));
        }
        Ok(book)
    }

    /// Another tree of this size, signed by the same log, is remembered.
    pub fn contradicting(&self, origin: &str, seen: &LogSeen) -> Option<&LogSeen> {
        self.logs.get(origin).filter(|known| known.contradicts(seen))
    }

    pub fn see(&mut self, log: Option<(String, LogSeen)>) {
        if let Some((origin, seen)) = log {
            logs::see(&mut self.logs, origin, seen);
        }
    }

    /// Canonical JSON of the logs, if there are any, and of the servers.
    fn content(&self) -> vitrine_attest::Result<(Vec<u8>, Vec<u8>)> {
        let logs = if self.logs.is_empty() { vec![] } else { to_canonical_json(&self.logs)? };
        Ok((logs, canonical(&self.servers)?))
    }

    /// Canonical JSON and a line end.
    pub fn to_bytes(&self) -> vitrine_attest::Result<Vec<u8>> {
        // the fields stand in canonical order: written by hand, so that thousands of servers are gone through once
        let content = self.content()?;
        let head = format!("{{\"digest\":\"{}\",", digest(&content));
        let (logs, servers) = content;
        let (before, version) = if logs.is_empty() { ("", VERSION) } else { ("\"logs\":", WITH_LOGS) };
        let between = if logs.is_empty() { "\"servers\":" } else { ",\"servers\":" };
        let tail = format!(",\"v\":{version}}}\n");
        Ok([head.as_bytes(), before.as_bytes(), &logs, between.as_bytes(), &servers, tail.as_bytes()].concat())
    }
}

fn digest((logs, servers): &(Vec<u8>, Vec<u8>)) -> Sha256 {
    Sha256::of_parts(&[logs, servers])
}

/// Canonical JSON, one record after the other: a tree of thousands would take many times the memory of its text. Hex digits
/// stand in the order of the bytes that they write.
fn canonical(servers: &BTreeMap<ServerId, Record>) -> vitrine_attest::Result<Vec<u8>> {
    let mut out = vec![b'{'];
    for (id, record) in servers {
        if out.len() > 1 {
            out.push(b',');
        }
        out.extend_from_slice(format!("\"{id}\":").as_bytes());
        out.append(&mut to_canonical_json(record)?);
    }
    out.push(b'}');
    Ok(out)
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use vitrine_attest::digest::Key32;
    use vitrine_attest::pcr::Pcr;

    pub fn boot(position: (u32, u32, u64), keys: u8) -> Boot {
        Boot {
            reset_count: position.0,
            restart_count: position.1,
            clock: position.2,
            firmware_version: "2024010100000000".into(),
            ak_name: "000b".into(),
            keys: BootKeys {
                wg_pub: Key32([keys; 32]),
                channel_pub: Key32([keys + 1; 32]),
                sign_pub: Key32([keys + 2; 32]),
                tls_spki: Sha256([keys + 3; 32]),
            },
            firmware: PcrValues([(Pcr::new(0).unwrap(), Sha256::ZERO)].into()),
        }
    }

    pub fn record(address: &str, last_seen: u64) -> Record {
        Record {
            first_seen: 1,
            last_seen,
            address: address.into(),
            boot: boot((3, 0, 91_250), 1),
            release: ReleaseSeen {
                key: "example.org/release".into(),
                image: "exit".into(),
                version: "1.0".into(),
                seq: 7,
                fingerprint: Fingerprint::new(Sha256::ZERO, Sha256::ZERO),
            },
        }
    }

    fn book() -> Book {
        let id = |text: &str| ServerId(Sha256::of(text.as_bytes()));
        Book { servers: [(id("a"), record("http://a", 5)), (id("b"), record("http://a", 9))].into(), ..Book::default() }
    }

    fn with_logs() -> Book {
        let seen = LogSeen { size: 7, root: Sha256::ZERO, note: "log.example\n7\n".into() };
        Book { logs: [("log.example".into(), seen)].into(), ..book() }
    }

    #[test]
    fn round_trip() {
        for book in [Book::default(), book(), with_logs()] {
            assert_eq!(canonical(&book.servers).unwrap(), to_canonical_json(&book.servers).unwrap());
            assert_eq!(Book::parse(&book.to_bytes().unwrap()).unwrap(), book);
        }
        // so that programs of other days read today's files
        let text = String::from_utf8(Book::default().to_bytes().unwrap()).unwrap();
        assert_eq!(text, format!("{{\"digest\":\"{}\",\"servers\":{{}},\"v\":1}}\n", Sha256::of(b"{}")));
    }

    /// Programs that know nothing of logs read a book without any, and say of others that they are newer.
    #[test]
    fn logs_make_another_version() {
        let text = |book: Book| String::from_utf8(book.to_bytes().unwrap()).unwrap();
        assert!(text(book()).ends_with(",\"v\":1}\n") && !text(book()).contains("\"logs\""));
        let with = text(with_logs());
        assert!(with.ends_with(",\"v\":2}\n"));
        for wrong in [with.replace("\"v\":2", "\"v\":1"), text(book()).replace("\"v\":1", "\"v\":2")] {
            assert!(matches!(Book::parse(wrong.as_bytes()), Err(Unusable::Damaged(_))), "{wrong}");
        }
    }

    #[test]
    fn every_damage_is_seen() {
        [book(), with_logs()].iter().for_each(no_damage_is_unseen);
    }

    fn no_damage_is_unseen(book: &Book) {
        let bytes = book.to_bytes().unwrap();
        // without its line end it is whole
        for length in 0..bytes.len() - 1 {
            assert!(matches!(Book::parse(&bytes[..length]), Err(Unusable::Damaged(_))), "{length} bytes were taken");
        }
        for at in 0..bytes.len() - 1 {
            for bit in [1, 2, 4] {
                let mut altered = bytes.clone();
                altered[at] ^= bit;
                assert!(Book::parse(&altered).is_err(), "byte {at} was altered unseen");
            }
        }
        assert!(Book::parse(&[bytes.as_slice(), b"{}"].concat()).is_err());
        assert!(Book::parse(&b"[".repeat(1 << 20)).is_err(), "nested arrays");
    }

    #[test]
    fn versions() {
        assert_eq!(Book::parse(br#"{"v":3,"anything":[]}"#), Err(Unusable::Newer(3)));
        assert_eq!(Book::parse(br#"{"v":18446744073709551615}"#), Err(Unusable::Newer(u64::MAX)));
        for none in [r#"{"v":0,"digest":"","servers":{}}"#, r#"{"v":-1}"#, r#"{"v":"1"}"#, "{}", "null"] {
            assert!(matches!(Book::parse(none.as_bytes()), Err(Unusable::Damaged(_))), "{none}");
        }
    }

    #[test]
    fn later_evidence_is_taken_over_and_earlier_is_not() {
        let mut kept = record("http://a", 5);
        kept.follow(&Record { boot: boot((3, 0, 91_249), 1), ..record("http://b", 6) });
        assert_eq!((kept.address.as_str(), kept.boot.clock, kept.last_seen), ("http://a", 91_250, 6));
        kept.follow(&Record { first_seen: 4, boot: boot((4, 0, 91_260), 9), ..record("http://b", 4) });
        assert_eq!((kept.address.as_str(), kept.boot.reset_count), ("http://b", 4));
        assert_eq!((kept.first_seen, kept.last_seen), (1, 6));
    }

    #[test]
    fn another_tpm_at_an_address() {
        let (book, b) = (book(), ServerId(Sha256::of(b"b")));
        assert_eq!(book.another_at("http://a", &b).unwrap().1.last_seen, 5);
        assert_eq!(book.another_at("http://a", &ServerId(Sha256::ZERO)).unwrap().0, &b, "the last one");
        assert_eq!(book.another_at("http://c", &b), None);
    }
}
