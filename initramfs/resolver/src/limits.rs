//! Every bound in one place; `docs/resolver.md` has them as a table.

use std::time::Duration;

/// Bytes of the largest answer over UDP: no path in use fragments it (DNS flag day 2020, RFC 9715 §3).
pub const UDP_ANSWER: usize = 1232;
/// Bytes of an answer over UDP to somebody without EDNS (RFC 1035 §2.3.4).
pub const PLAIN_ANSWER: usize = 512;
/// Bytes of a question in any transport: a name of 255 and options, padding among them (RFC 8467 §4.1 pads to 128).
pub const QUESTION: usize = 4096;
/// Answers over DoT and DoH have a multiple of this many bytes (RFC 8467 §4.1).
pub const PADDING: usize = 468;

/// Questions that wait for an answer from outside at a time. One more gets SERVFAIL.
pub const IN_FLIGHT: usize = 1024;
/// Connections of all stream transports at a time. One more is closed at once.
pub const CONNECTIONS: usize = 512;
/// Questions of one connection that are worked on at a time (RFC 7766 §6.2.1.1 wants more than one).
pub const PER_CONNECTION: usize = 32;
/// A connection without a question ends (RFC 7766 §6.2.3), and so does one that does not take its answers.
pub const IDLE: Duration = Duration::from_secs(20);
/// TLS and HTTP/2 handshakes end.
pub const HANDSHAKE: Duration = Duration::from_secs(5);
/// From question to answer; stub resolvers ask again after 5 s (`resolv.conf(5)`).
pub const PER_QUESTION: Duration = Duration::from_millis(4900);

/// One authority has this long to answer one packet, then another one is asked.
pub const AUTHORITY: Duration = Duration::from_millis(1500);
/// A forwarder has this long, then the next one is asked.
pub const FORWARDER: Duration = Duration::from_millis(2200);

/// DNSCrypt over UDP waits this long, then it asks over TCP, which has the second time.
pub const DATAGRAM: Duration = Duration::from_millis(700);
pub const STREAM: Duration = Duration::from_millis(1400);
/// DNSCrypt asks over TCP only for this long after UDP failed several times in a row and TCP did not.
pub const WITHOUT_UDP: Duration = Duration::from_secs(60);
/// Bytes of a sealed answer over UDP; the protocol wants none longer than its question, which has 1220 at most.
pub const SEALED_DATAGRAM: usize = 4096;
/// A DNSCrypt server is asked for a newer certificate this often (its protocol's §12).
pub const CERTIFICATE: Duration = Duration::from_secs(3600);
/// And not more often than this, whatever goes wrong; than the second time while it has shown none that is valid.
pub const CERTIFICATE_PAUSE: Duration = Duration::from_secs(10);
pub const CERTIFICATE_RETRY: Duration = Duration::from_secs(1);

/// Seconds for which a failure is remembered (RFC 9520 §3.2 asks for 1 s to 5 min).
pub const FAILURE_TTL: u32 = 5;
/// Bytes of the cache for each entry it may have, on average; a signed answer has some 400.
pub const BYTES_PER_ENTRY: usize = 1024;
/// Answers that are already too old are thrown out this often.
pub const SWEEP: Duration = Duration::from_secs(5);
/// Zones whose servers are known, at most; each holds its servers' addresses and their speed.
pub const ZONES: u32 = 1024;

/// Messages that hickory keeps for itself: keys and delegations of zones in use. Answers are in the cache in front.
pub const KEYS: u32 = 2048;

/// Bytes of the blocklist: a million names have some 25 MB, and they lie in memory as they are.
pub const BLOCKLIST: usize = 48 << 20;
/// The counter is told at most this often.
pub const REPORT: Duration = Duration::from_secs(10);
