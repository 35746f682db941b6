//! Every bound that the configuration does not set; `docs/gateway.md` has them as a table.

use std::time::Duration;

/// Threads at most; fewer where there are fewer cores.
pub const THREADS: usize = 4;
/// What requests left on a thread's stack stays no longer than twice this after the last one.
pub const CLEARING: Duration = Duration::from_millis(100);
/// Connections that wait to be taken.
pub const BACKLOG: i32 = 1024;

/// Bytes of a request's head: request line and headers (HTTP/1.1), header list as HPACK counts it (HTTP/2).
pub const HEAD: usize = 16 << 10;
/// Headers of a request.
pub const HEADERS: usize = 64;
/// Bytes of the trailers of a request; they are read and dropped.
pub const TRAILERS: usize = 4 << 10;
/// Bytes that hyper holds of an HTTP/1.1 connection, in each direction, on either side.
pub const BUFFER: usize = 64 << 10;

/// Streams of one HTTP/2 connection at a time.
pub const STREAMS: u32 = 64;
/// Bytes that a client may send ahead on one stream and on all streams of a connection (RFC 9113 §5.2): what waits for the
/// upstream is never more.
pub const STREAM_WINDOW: u32 = 128 << 10;
pub const CONNECTION_WINDOW: u32 = 256 << 10;
/// Bytes of one HTTP/2 frame: the smallest maximum that there is (RFC 9113 §4.2).
pub const FRAME: u32 = 16 << 10;
/// Bytes of an answer that wait for one HTTP/2 stream's window.
pub const SEND: usize = 64 << 10;
/// Streams that were reset before they were looked at, and resets that we had to send: more end the connection
/// (CVE-2023-44487, CVE-2025-8671).
pub const RESETS: usize = 32;
/// Requests of one HTTP/2 connection that its client gave up, beyond those it did not, before the connection ends.
pub const GIVEN_UP: u64 = 128;

/// Connections of a thread to one upstream that wait for the next request, and for how long. What hyper and rustls have left in their
/// buffers lives that long.
pub const SPARE: usize = 64;
pub const SPARE_FOR: Duration = Duration::from_secs(15);

/// A program on this machine that does not listen yet is called again after this long, until `limits.connect` is over.
pub const STARTING: Duration = Duration::from_millis(50);

/// Idle connections and stalled streams are looked for this often.
pub const TICK: Duration = Duration::from_secs(1);
/// Init is looked at this often.
pub const INIT: Duration = Duration::from_millis(250);
/// An HTTP/2 stream whose client takes nothing, and an upstream that neither takes nor answers, have this much longer than
/// `limits.idle`: so that the one who is really waited for is blamed first.
pub const SLACK: Duration = Duration::from_millis(500);
/// As many connections have to go, and half of all, before memory is given back to the kernel; looked for at each [`TICK`].
pub const CROWD: usize = 256;
/// For a connection's last bytes.
pub const FAREWELL: Duration = Duration::from_secs(2);
/// Bytes that a client may send after he was refused, so that he can read why.
pub const FAREWELL_BYTES: usize = 1 << 20;
/// The counts are told at most this often.
pub const REPORT: Duration = Duration::from_secs(10);
/// Descriptors beside those of clients and upstreams.
pub const DESCRIPTORS: u64 = 64;
