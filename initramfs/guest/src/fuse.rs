//! The runtime fuse: PCR 14, which starts at zero and is set back by nothing but a reboot.
//!
//! PID 1 has the TPM open from before it gives up /dev, and blows the fuse itself: an agent that is dead or lies cannot
//! keep it whole. It sends one fixed command; what it may say to the TPM besides, a taken-over PID 1 could say already,
//! as it can become the agent's user.

use crate::stop::{OrStop as _, Step, Stop};
use rustix::fs::{open, Mode, OFlags};
use rustix::io::{read, write, Errno};
use std::os::fd::OwnedFd;
use std::time::Duration;
use vitrine_attest::pcr::Pcr;
use vitrine_attest::watch::Rule;
use vitrine_attest::Sha256;

/// The kernel's resource manager lets several have it open and sends one command at a time.
const TPM: &str = "/dev/tpmrm0";
/// How often the command is sent, and the first pause, doubled each time: 1.27 s altogether.
const ATTEMPTS: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// Bytes of the command.
const LENGTH: usize = 65;
/// Bytes of an answer: header, no parameters, one session.
const ANSWER: usize = 64;

pub struct Fuse(OwnedFd);

impl Fuse {
    /// # Errors
    /// `no-tpm`.
    pub fn open() -> Step<Self> {
        open(TPM, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).or_stop("no-tpm").map(Self)
    }

    /// Extends PCR 14 with the rule's event. Waits as long as the TPM takes: the kernel ends what hangs.
    ///
    /// # Errors
    /// `fuse` when the TPM did not take it.
    pub fn blow(&self, rule: Rule) -> Step {
        let command = command(rule.event().digest);
        let mut pause = FIRST_PAUSE;
        for attempt in 1..=ATTEMPTS {
            match self.send(&command)? {
                Answer::Done => return Ok(()),
                Answer::Again if attempt < ATTEMPTS => std::thread::sleep(pause),
                Answer::Again | Answer::Refused => return Err(Stop("fuse")),
            }
            pause *= 2;
        }
        Err(Stop("fuse"))
    }

    fn send(&self, command: &[u8; LENGTH]) -> Step<Answer> {
        let sent = patiently(|| write(&self.0, command))?;
        (sent == LENGTH).then_some(()).or_stop("fuse")?;
        let mut bytes = [0; ANSWER];
        let length = patiently(|| read(&self.0, &mut bytes))?;
        bytes.get(..length).and_then(answer).or_stop("fuse")
    }
}

/// A system call that a signal has interrupted is made again.
fn patiently(mut call: impl FnMut() -> rustix::io::Result<usize>) -> Step<usize> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            done => return done.or_stop("fuse"),
        }
    }
}

/// TPM2_PCR_Extend (TPM 2.0 Part 3, §22.2) of one SHA-256 digest, authorized by an empty password (Part 1, §19.4).
fn command(digest: Sha256) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    let fields: [&[u8]; 11] = [
        &0x8002u16.to_be_bytes(),                    // TPM_ST_SESSIONS
        &(LENGTH as u32).to_be_bytes(),              // commandSize
        &0x182u32.to_be_bytes(),                     // TPM_CC_PCR_Extend
        &u32::from(Pcr::FUSE.index()).to_be_bytes(), // pcrHandle
        &9u32.to_be_bytes(),                         // authorizationSize
        &0x4000_0009u32.to_be_bytes(),               // TPM_RS_PW
        &[0; 2],                                     // nonceCaller: empty
        &[0; 3],                                     // sessionAttributes, hmac: empty
        &1u32.to_be_bytes(),                         // digests.count
        &0xbu16.to_be_bytes(),                       // TPM_ALG_SHA256
        &digest.0,
    ];
    let mut at = 0;
    for field in fields {
        bytes[at..at + field.len()].copy_from_slice(field);
        at += field.len();
    }
    bytes
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Done,
    Again,
    Refused,
}

/// `tag[2] ‖ responseSize[4] ‖ responseCode[4] ‖ …` (Part 1, §18.9). None when it is no whole answer.
fn answer(bytes: &[u8]) -> Option<Answer> {
    let size = u32::from_be_bytes(bytes.get(2..6)?.try_into().ok()?);
    let code = u32::from_be_bytes(bytes.get(6..10)?.try_into().ok()?);
    (usize::try_from(size) == Ok(bytes.len())).then_some(match code {
        0 => Answer::Done,
        // TPM_RC_RETRY, TPM_RC_YIELDED, TPM_RC_TESTING: the same command is to be sent again (Part 2, §6.6.3)
        0x922 | 0x908 | 0x90a => Answer::Again,
        _ => Answer::Refused,
    })
}

#[cfg(test)]
#[path = "fuse_tests.rs"]
mod tests;
