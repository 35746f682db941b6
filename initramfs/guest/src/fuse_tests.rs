//! The bytes, and a TPM made of software that takes them.

use super::*;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command};
use std::thread::JoinHandle;
use vitrine_attest::pcr::extend;

/// A TPM that gives these answers in turn; gives the commands it got.
fn pretender(answers: Vec<Vec<u8>>) -> (Fuse, JoinHandle<Vec<Vec<u8>>>) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let thread = std::thread::spawn(move || {
        let mut got = Vec::new();
        for answer in answers {
            let mut bytes = [0; 128];
            let length = read(&theirs, &mut bytes).unwrap();
            got.push(bytes[..length].to_vec());
            write(&theirs, &answer).unwrap();
        }
        got
    });
    (Fuse(OwnedFd::from(ours)), thread)
}

fn said(code: u32) -> Vec<u8> {
    [&0x8001u16.to_be_bytes()[..], &10u32.to_be_bytes(), &code.to_be_bytes()].concat()
}

#[test]
fn the_command_is_fixed() {
    let (fuse, tpm) = pretender(vec![said(0)]);
    fuse.blow(Rule::Mounts).unwrap();
    let digest = Rule::Mounts.event().digest;
    let head = "80020000004100000182".to_owned() + "0000000e" + "00000009400000090000000000" + "00000001000b";
    let wanted = head + &digest.to_string();
    let got: String = tpm.join().unwrap()[0].iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(got, wanted);
}

#[test]
fn not_now_is_not_no() {
    let (fuse, tpm) = pretender(vec![said(0x922), said(0x908), said(0x90a), said(0)]);
    assert_eq!(fuse.blow(Rule::Files), Ok(()));
    let sent = tpm.join().unwrap();
    assert_eq!((sent.len(), sent.iter().all(|command| *command == sent[0])), (4, true));
}

#[test]
fn what_the_tpm_does_not_take_is_a_failure() {
    let lies = [&said(0)[..9], &[0; 10], &said(0)[..]].concat();
    for answers in [vec![said(0x101)], vec![said(0x921)], vec![vec![1]], vec![lies], vec![said(0x922); 8]] {
        let (fuse, tpm) = pretender(answers);
        assert_eq!(fuse.blow(Rule::Files), Err(Stop("fuse")));
        tpm.join().unwrap();
    }
    let (ours, theirs) = UnixStream::pair().unwrap();
    drop(theirs);
    assert_eq!(Fuse(OwnedFd::from(ours)).blow(Rule::Files), Err(Stop("fuse")), "a TPM that is gone");
}

/// swtpm on two ports, ended with the value.
struct SoftTpm {
    process: Child,
    stream: TcpStream,
    _state: tempfile::TempDir,
}

impl SoftTpm {
    fn start() -> Option<Self> {
        let state = tempfile::tempdir().unwrap();
        let ports: Vec<TcpListener> = (0..2).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let [port, control] = [&ports[0], &ports[1]].map(|socket| socket.local_addr().unwrap().port());
        drop(ports);
        let folder = format!("dir={}", state.path().display());
        let (server, control) = (format!("type=tcp,port={port}"), format!("type=tcp,port={control}"));
        let arguments = ["socket", "--tpm2", "--flags", "not-need-init,startup-clear", "--tpmstate", &folder];
        let started = Command::new("swtpm").args(arguments).args(["--server", &server, "--ctrl", &control]).spawn();
        let Ok(process) = started else {
            assert!(std::env::var_os("CI").is_none(), "swtpm is not installed");
            eprintln!("skipped: swtpm is not installed");
            return None;
        };
        let stream = (0..500).find_map(|_| {
            std::thread::sleep(Duration::from_millis(20));
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        Some(Self { process, stream: stream.expect("swtpm listens"), _state: state })
    }

    /// TPM2_PCR_Read of PCR 14 (Part 3, §22.4): the digest is the end of the answer.
    fn pcr14(&self) -> [u8; 32] {
        let command = [0x80, 1, 0, 0, 0, 20, 0, 0, 1, 0x7e, 0, 0, 0, 1, 0, 0x0b, 3, 0, 0x40, 0];
        write(&self.stream, &command).unwrap();
        let mut bytes = [0; 128];
        let length = read(&self.stream, &mut bytes).unwrap();
        assert_eq!(bytes[6..10], [0; 4], "PCR_Read");
        bytes[length - 32..length].try_into().unwrap()
    }
}

impl Drop for SoftTpm {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_real_tpm_takes_it() {
    let Some(tpm) = SoftTpm::start() else { return };
    assert_eq!(tpm.pcr14(), [0; 32]);
    let fuse = Fuse(OwnedFd::from(tpm.stream.try_clone().unwrap()));
    fuse.blow(Rule::Sockets).unwrap();
    let once = extend(Sha256::ZERO, Rule::Sockets.event().digest);
    assert_eq!(tpm.pcr14(), once.0);
    fuse.blow(Rule::Sockets).unwrap();
    assert_eq!(tpm.pcr14(), extend(once, Rule::Sockets.event().digest).0, "never back to zero");
}
