//! Between QEMU and swtpm: sees every command to the TPM, and can answer in its place.
//!
//! QEMU's TPM emulator has two channels (swtpm(8), `swtpm_ioctls(3)`). Over the control channel, a Unix socket, it hands
//! swtpm one end of a socket pair (`CMD_SET_DATAFD`, the descriptor as SCM_RIGHTS); commands and responses go over that
//! pair. This keeps what QEMU hands over and gives swtpm an end of a pair of its own. Control messages pass as they are.

use rustix::net::{
    recvmsg, sendmsg, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags,
};
use std::collections::BTreeMap;
use std::io::{ErrorKind, IoSlice, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// Command codes (TPM 2.0 Part 2, §6.5.2).
pub const CREATE_PRIMARY: u32 = 0x131;
pub const ACTIVATE_CREDENTIAL: u32 = 0x147;
pub const QUOTE: u32 = 0x158;
pub const PCR_EXTEND: u32 = 0x182;
/// Tag 2, size 4, code 4: of every command and response (TPM 2.0 Part 1, §18).
const HEADER: usize = 10;
/// swtpm's buffer has 4096 bytes.
const LARGEST: usize = 64 << 10;

/// What the guest gets instead of the TPM's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A response of ten bytes with this code (TPM 2.0 Part 2, §6.6).
    Code(u32),
    /// Success, and nothing behind it where something has to be.
    Short,
    /// A response of the right length, all else one repeated byte.
    Garbage,
    /// Nothing, until [`Proxy::heal`].
    Hang,
}

/// For which commands, and how many more of them.
#[derive(Debug, Clone, Copy)]
struct Plan {
    fault: Fault,
    command: Option<u32>,
    left: usize,
}

#[derive(Debug, Default)]
struct State {
    plan: Mutex<Option<Plan>>,
    healed: Condvar,
    seen: Mutex<BTreeMap<u32, usize>>,
}

/// A running proxy. Its threads end when QEMU or swtpm closes.
pub struct Proxy {
    pub socket: PathBuf,
    state: Arc<State>,
}

impl Proxy {
    /// Waits at `socket` for QEMU; swtpm waits at `swtpm`.
    pub fn start(socket: PathBuf, swtpm: &Path) -> Self {
        let listener = UnixListener::bind(&socket).unwrap();
        let (swtpm, state) = (swtpm.to_path_buf(), Arc::new(State::default()));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            let (qemu, _) = listener.accept().unwrap();
            let swtpm = UnixStream::connect(swtpm).unwrap();
            control(&qemu, &swtpm, &shared);
            let _ = qemu.shutdown(Shutdown::Both);
            let _ = swtpm.shutdown(Shutdown::Both);
        });
        Self { socket, state }
    }

    /// The next `times` commands with this code, or of all codes, meet this fault. Replaces what was planned before.
    pub fn plan(&self, fault: Fault, command: Option<u32>, times: usize) {
        *self.state.plan.lock().unwrap() = Some(Plan { fault, command, left: times });
    }

    /// How many of them are still to come.
    pub fn left(&self) -> usize {
        self.state.plan.lock().unwrap().map_or(0, |plan| plan.left)
    }

    /// From now on everything passes, also what hangs.
    pub fn heal(&self) {
        *self.state.plan.lock().unwrap() = None;
        self.state.healed.notify_all();
    }

    /// How often the guest has sent this command.
    pub fn seen(&self, command: u32) -> usize {
        self.state.seen.lock().unwrap().get(&command).copied().unwrap_or_default()
    }
}

/// Passes control messages until one side closes. A message is a command code (32 bits) and its arguments; they are
/// not looked at, only the descriptor is.
fn control(qemu: &UnixStream, swtpm: &UnixStream, state: &Arc<State>) {
    let (mut answers, mut to_qemu) = (swtpm.try_clone().unwrap(), qemu.try_clone().unwrap());
    thread::spawn(move || {
        let _ = std::io::copy(&mut answers, &mut to_qemu);
        let _ = to_qemu.shutdown(Shutdown::Both);
    });
    let mut bytes = [0; 4096];
    while let Some((length, descriptor)) = receive(qemu, &mut bytes) {
        let ours = descriptor.map(|qemus_end| {
            let (ours, swtpms_end) = UnixStream::pair().unwrap();
            let state = Arc::clone(state);
            thread::spawn(move || data(&qemus_end.into(), &ours, &state));
            swtpms_end
        });
        if !send(swtpm, &bytes[..length], ours.map(OwnedFd::from)) {
            return;
        }
    }
}

fn receive(from: &UnixStream, bytes: &mut [u8]) -> Option<(usize, Option<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(from, &mut [IoSliceMut::new(bytes)], &mut control, RecvFlags::CMSG_CLOEXEC).ok()?;
    let descriptor = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    (received.bytes > 0).then_some((received.bytes, descriptor))
}

fn send(to: &UnixStream, bytes: &[u8], descriptor: Option<OwnedFd>) -> bool {
    let descriptors: Vec<_> = descriptor.iter().map(|descriptor| descriptor.as_fd()).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() {
        assert!(control.push(SendAncillaryMessage::ScmRights(&descriptors)), "there is room for one descriptor");
    }
    sendmsg(to, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL).is_ok_and(|sent| sent == bytes.len())
}

/// Command, response, command, … until one side closes; then both are closed.
fn data(qemu: &UnixStream, swtpm: &UnixStream, state: &State) {
    while let Some(command) = message(qemu) {
        let response = match fault(&command, state) {
            Some(response) => Some(response),
            None => (&mut &*swtpm).write_all(&command).ok().and_then(|()| message(swtpm)),
        };
        if response.is_none_or(|response| (&mut &*qemu).write_all(&response).is_err()) {
            break;
        }
    }
    let _ = qemu.shutdown(Shutdown::Both);
    let _ = swtpm.shutdown(Shutdown::Both);
}

/// One command or response: its header says how long it is.
fn message(mut from: &UnixStream) -> Option<Vec<u8>> {
    let mut bytes = vec![0; HEADER];
    from.read_exact(&mut bytes).ok()?;
    let size = u32::from_be_bytes(bytes[2..6].try_into().unwrap()) as usize;
    assert!((HEADER..=LARGEST).contains(&size), "a message of {size} bytes");
    bytes.resize(size, 0);
    match from.read_exact(&mut bytes[HEADER..]) {
        Ok(()) => Some(bytes),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => None,
        Err(error) => panic!("{error}"),
    }
}

/// What is answered in the TPM's place.
fn fault(command: &[u8], state: &State) -> Option<Vec<u8>> {
    let code = u32::from_be_bytes(command[6..10].try_into().unwrap());
    *state.seen.lock().unwrap().entry(code).or_default() += 1;
    let mut plan = state.plan.lock().unwrap();
    let now = plan.as_mut().filter(|plan| plan.left > 0 && plan.command.is_none_or(|wanted| wanted == code))?;
    now.left -= 1;
    match now.fault {
        Fault::Code(code) => Some(response(code)),
        Fault::Short => Some(response(0)),
        Fault::Garbage => {
            let mut bytes = vec![0xA5; 300];
            bytes[2..6].copy_from_slice(&300_u32.to_be_bytes());
            Some(bytes)
        }
        Fault::Hang => {
            drop(state.healed.wait_while(plan, |plan| plan.is_some()).unwrap());
            None
        }
    }
}

/// TPM_ST_NO_SESSIONS, ten bytes, the code.
fn response(code: u32) -> Vec<u8> {
    [&[0x80, 0x01, 0, 0, 0, 10], code.to_be_bytes().as_slice()].concat()
}
