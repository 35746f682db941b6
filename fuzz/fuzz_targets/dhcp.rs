//! PID 1's DHCP client: anybody on the link can answer, and a panic of PID 1 restarts the machine. The client's sources
//! are taken as they are. Invariants, for any conversation:
//! - never a panic;
//! - the client asks no more often than its own times allow, whatever it is told: it does not answer an answer for ever;
//! - an address that it uses is one for a host, of a lease of a minute at least, and the last that it was told to use;
//! - nothing it sends has a name in it.
//!
//! Each message: `kind, seconds to wait, length[1 each] ‖ bytes`. Kind 0 is sent as it is, others get the fields that make
//! them an answer to this conversation.
#![no_main]

#[path = "../../initramfs/guest/src/dhcp/lease.rs"]
#[allow(dead_code)]
mod lease;
#[path = "../../initramfs/guest/src/dhcp/machine.rs"]
#[allow(dead_code)]
mod machine;
#[path = "../../initramfs/guest/src/dhcp/message.rs"]
#[allow(dead_code)]
mod message;
#[path = "../../initramfs/guest/src/dhcp/wire.rs"]
#[allow(dead_code)]
mod wire;

use lease::Lease;
use libfuzzer_sys::fuzz_target;
use machine::{Action, Machine, Time};
use message::Client;
use std::time::Duration;

const CLIENT: Client = Client { mac: [0x52, 0x54, 0, 1, 2, 3], xid: 0x1234_5678 };
fuzz_target!(|bytes: &[u8]| {
    let mut data = bytes;
    let (mut machine, mut now, mut used) = (Machine::new(CLIENT, Time::ZERO), Time::ZERO, None);
    let done = machine.tick(now);
    act(&mut used, done);
    while let Some((&[kind, wait, length], rest)) = data.split_first_chunk() {
        let (bytes, rest) = rest.split_at(usize::from(length).min(rest.len()));
        data = rest;
        let answer = message(kind, bytes);
        let done = machine.receive(&answer, now);
        act(&mut used, done);
        now += Duration::from_secs(1) * (1 << (wait % 20));
        for _ in 0..4 {
            if machine.wake() <= now {
                let at = machine.wake();
                let done = machine.tick(at);
                act(&mut used, done);
                assert!(machine.wake() > at, "it asks without end");
            }
        }
        // What has not been done by now was slept through
        let done = machine.tick(now.max(machine.wake()));
        now = now.max(machine.wake());
        act(&mut used, done);
    }
});

/// `yours ‖ options`, with what makes it an answer.
fn message(kind: u8, bytes: &[u8]) -> Vec<u8> {
    if kind == 0 {
        return bytes.to_vec();
    }
    let mut answer = wire::question(
        CLIENT.xid,
        CLIENT.mac,
        None,
        &[(wire::code::MESSAGE_TYPE, &[[2, 5, 6][usize::from(kind % 3)]])],
    );
    answer[0] = 2;
    answer.truncate(243);
    let (yours, options) = bytes.split_at(bytes.len().min(4));
    answer[16..16 + yours.len()].copy_from_slice(yours);
    answer.extend(options);
    answer
}

fn act(used: &mut Option<Lease>, actions: Vec<Action>) {
    let mut sent = 0;
    for action in actions {
        match action {
            Action::Send { to, bytes } => {
                sent += 1;
                assert!(sent == 1 && !to.is_unspecified() && bytes.len() >= wire::LENGTH);
                check_question(&bytes);
            }
            Action::Configure(lease) => {
                let octets = lease.address.octets();
                assert!(octets[0] != 0 && octets[0] < 240 && !lease.address.is_multicast() && lease.prefix <= 32);
                assert!(lease.end >= Duration::from_secs(60) && lease.renew >= Duration::from_secs(30));
                assert!(lease.renew <= lease.rebind && lease.rebind <= lease.end);
                assert!(used.is_none_or(|used| used.cidr() == lease.cidr()), "two addresses at once");
                *used = Some(lease);
            }
            Action::Remove(lease) => {
                assert_eq!(used.take().map(|used| used.cidr()), Some(lease.cidr()));
            }
        }
    }
}

/// Message type, what is wanted, an address, a server: and no name.
fn check_question(bytes: &[u8]) {
    let mut options = &bytes[240..];
    while let [code, length, rest @ ..] = options {
        if *code == 255 {
            break;
        }
        assert!([50, 53, 54, 55].contains(code), "option {code}");
        options = &rest[usize::from(*length)..];
    }
    assert!(bytes[44..236].iter().all(|byte| *byte == 0), "sname and file");
}
