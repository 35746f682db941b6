//! The quoting program of the image: measures PCR 15, then answers requests for evidence.
//!
//! Started by init without privileges, with a socket to init on fd 3 and nothing to print to. It keeps no file,
//! writes no log and does not know who asks. Exit code 0 never happens: it ends with the machine, with init,
//! or because evidence can no longer be made (1), and then init decides.
#![deny(unsafe_code)]

mod attachments;
mod channel;
mod fault;
mod gather;
mod http;
mod init;
mod keys;
mod queue;
mod retry;
mod server;
mod service;
mod tpm;

use channel::{Channel, News};
use fault::Failure;
use gather::Gathering;
use queue::{Limits, Queue};
use service::Service;
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::process::ExitCode;
use std::sync::Arc;
use tpm::{Identity, Tpm};
use vitrine_attest::boot::{BootRecord, RuntimeEvent};
use vitrine_attest::inside::Introduction;
use vitrine_sandbox::{seal, Profile, Tcp};

/// Names the TPM, in the form of libtss2's loader.
const TCTI_VARIABLE: &str = "VITRINE_TCTI";
const TCTI: &str = "device:/dev/tpmrm0";

/// What strangers sent does not stay in memory that was freed.
#[global_allocator]
static ALLOCATOR: vitrine_wiping::Wiping = vitrine_wiping::Wiping::new();

fn main() -> ExitCode {
    // libtss2 would write its errors to stderr; before its first call, and before any thread
    std::env::set_var("TSS2_LOG", "all+none");
    if let Ok(mut channel) = Channel::new(init_socket().into()) {
        match measure(&mut channel) {
            // returns only when it fails, and then the line to init is gone or init sees us end
            Ok(measured) => _ = serve(channel, measured),
            Err(failure) => _ = channel.failed(failure),
        }
    }
    ExitCode::FAILURE
}

/// What is known once PCR 15 is measured.
struct Measured {
    introduction: Introduction,
    tpm: Tpm,
    tpm_ports: Vec<u16>,
    identity: Identity,
    runtime_log: Vec<RuntimeEvent>,
}

/// Makes the keys and binds them, the configuration and the boot facts in PCR 15.
fn measure(channel: &mut Channel) -> Result<Measured, Failure> {
    let introduction = channel.introduction()?;
    let tcti = std::env::var(TCTI_VARIABLE).unwrap_or_else(|_| TCTI.to_owned());
    let (mut tpm, identity) = Tpm::open(&tcti)?;
    let record = BootRecord {
        config_digest: introduction.config_digest,
        keys: introduction.keys.clone(),
        ak_name: identity.ak_name.clone(),
        facts: introduction.facts.clone(),
    };
    let runtime_log = record.events().map_err(|_| Failure::Form)?;
    let expected = record.pcr15().map_err(|_| Failure::Form)?;
    if introduction.measured_already {
        tpm.require_measured(expected)?;
    } else {
        tpm.measure(&runtime_log, expected)?;
    }
    Ok(Measured { introduction, tpm, tpm_ports: ports_of(&tcti), identity, runtime_log })
}

/// TCP ports that the TPM is called on: none, as it is a device. A software TPM in a test has one.
fn ports_of(tcti: &str) -> Vec<u16> {
    tcti.rsplit_once("port=").and_then(|(_, port)| port.parse().ok()).into_iter().collect()
}

/// Waits for the network, then answers until the process ends.
fn serve(mut channel: Channel, measured: Measured) -> Result<std::convert::Infallible, Failure> {
    let Measured { mut introduction, tpm, tpm_ports, identity, runtime_log } = measured;
    // The TPM and its libraries are open, nobody has spoken to us yet, and there is one thread
    if seal(Profile::Agent, Tcp { bind: &[introduction.port], connect: &tpm_ports }).is_err() {
        channel.failed(Failure::Sandbox)?;
        return Err(Failure::Sandbox);
    }
    channel.measured()?;
    let mut news = News {
        rotated: std::mem::take(&mut introduction.rotated),
        violation: introduction.violation.take(),
        attached: introduction.attached.take(),
    };
    channel.wait_serve(&mut news)?;
    let listener = match server::listen(introduction.port) {
        Ok(listener) => listener,
        Err(failure) => {
            channel.failed(failure)?;
            return Err(failure);
        }
    };
    let queue = Queue::start(tpm, Limits::SERVICE, withdraw)?;
    let init = channel.into_init(news, || std::process::exit(1))?;
    // lives as long as the process; leaking it says so
    let (introduction, gathering) = (Arc::new(introduction), Gathering::new());
    let service = Box::leak(Box::new(Service { introduction, identity, runtime_log, queue, gathering, init }));
    server::serve(listener, service)?;
    loop {
        std::thread::park();
    }
}

/// No evidence, no service: ends the process, a moment later, so that the client who saw the last failure is told.
fn withdraw() {
    std::thread::sleep(std::time::Duration::from_millis(500));
    std::process::exit(1);
}

/// fd 3, the socket to init.
#[allow(unsafe_code)] // the one place: a descriptor that is there by agreement has no owner in Rust's sense yet
fn init_socket() -> OwnedFd {
    // SAFETY: init hands over fd 3 for us to own; this runs once, first thing, before anything could open another
    // descriptor. Were it missing, the number is not reused before the first read fails and the program ends.
    unsafe { OwnedFd::from_raw_fd(3) }
}
