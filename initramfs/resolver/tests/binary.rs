//! What the program is: it holds no words that only a log could want, and it refuses to run without its start line.
//!
//! Checks the binary that cargo built beside the test, or the one VITRINE_RESOLVER_BINARY names, such as the image's.
#![allow(clippy::disallowed_macros, clippy::disallowed_methods)]

use std::path::PathBuf;
use std::process::{Command, Stdio};

fn path() -> PathBuf {
    std::env::var_os("VITRINE_RESOLVER_BINARY")
        .map_or_else(|| env!("CARGO_BIN_EXE_vitrine-resolver").into(), PathBuf::from)
}

/// hickory, rustls, h2 and hyper log through `tracing` and `log`, whose features compile that to nothing.
#[test]
fn no_log_formats() {
    let binary = std::fs::read(path()).unwrap();
    let binary = String::from_utf8_lossy(&binary);
    // the twin: words that are there show that the search finds something
    assert!(binary.contains("no nameserver found for"), "an error text of hickory's recursor");
    for words in [
        "looking for zones",
        "found zone for query",
        "dropping out of bailiwick record",
        "ignoring address due to do_not_query",
        "append_ips_from_lookup: ",
        "creating new shared lookup",
        "query currently in progress",
        "sending request: ",
        "removing ip from response",
        "validating message_response",
        "response does not contain NSEC or NSEC3",
        "setting retry_interval",
        "received message id",
        "Using ciphersuite",
    ] {
        assert!(!binary.contains(words), "the binary holds {words:?}");
    }
}

/// Without init there is nothing to do, and nothing to say about it.
#[test]
fn without_a_start_line_it_ends_in_silence() {
    let (init, child) = std::os::unix::net::UnixStream::pair().unwrap();
    // the shell puts the socket where init would
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg("exec \"$0\" 3<&0").arg(path());
    command.stdin(Stdio::from(std::os::fd::OwnedFd::from(child))).stdout(Stdio::piped()).stderr(Stdio::piped());
    let running = command.spawn().unwrap();
    std::io::Write::write_all(&mut &init, b"{\"resolver\":{}}\n").unwrap();
    drop(init);
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty() && output.stderr.is_empty());
}
