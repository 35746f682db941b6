//! What PID 1 gives up once the server is set up. Never to come back: the bounding set only shrinks.

use crate::stop::{OrStop, Step};
use rustix::process::{getrlimit, set_dumpable_behavior, setrlimit, DumpableBehavior, Resource, Rlimit};
use rustix::thread::{
    remove_capability_from_bounding_set, set_capabilities, set_capabilities_secure_bits, CapabilitiesSecureBits,
    CapabilitySet, CapabilitySets,
};

/// What a running PID 1 needs:
/// - `NET_ADMIN`: peers of the tunnel, the address of a renewed lease;
/// - `SETUID`, `SETGID`, `SETPCAP`: to start a child again as its own user with an empty bounding set;
/// - `SYS_CHROOT`: in its own root;
/// - `KILL`: to end a child that hangs.
const KEPT: CapabilitySet = CapabilitySet::NET_ADMIN
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::SYS_CHROOT)
    .union(CapabilitySet::KILL);

/// What systemd has as PID 1 of an image with a userland, and what its services may have at most:
/// - `CHOWN`, `FOWNER`, `FSETID`: files of other users in its tmpfs;
/// - `SETUID`, `SETGID`, `SETPCAP`: services with users of their own;
/// - `KILL`: to end them; `SYS_BOOT`: to end the machine.
///
/// Not among them: `NET_ADMIN` (peers, connections), `SYS_ADMIN` (mounts), `DAC_OVERRIDE`, `SYS_PTRACE`.
pub const SYSTEMD: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::SYS_BOOT);

/// CAP_CHECKPOINT_RESTORE is 40 in Linux 6.12; the kernel refuses numbers it does not know, and they are tried
/// up to the last bit so that a newer kernel's capabilities go as well.
const LAST: u32 = 63;

/// No core dump from the first moment on, and nobody may trace PID 1 or read its memory.
pub fn harden() -> Step {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).or_stop("rlimit")?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).or_stop("dumpable")
}

/// Lets a child have this many descriptors: the first process is born with 4096 at most, and only now may it have more. Its own
/// number stays.
pub fn allow_files(most: u64) -> Step {
    let own = getrlimit(Resource::Nofile);
    let maximum = own.maximum.map(|maximum| maximum.max(most));
    setrlimit(Resource::Nofile, Rlimit { maximum, ..own }).or_stop("rlimit")
}

/// Keeps [`KEPT`] and drops all others: no mounting, no modules, no raw or packet sockets, no BPF, no kernel log,
/// no accounting, no changing of clocks, no reboot.
pub fn drop_most() -> Step {
    if cfg!(feature = "saboteur") {
        // It has to be able to do what it is there for; see src/saboteur
        return Ok(());
    }
    drop_from_bounding_set(CapabilitySet::all().difference(KEPT)).or_stop("capabilities")?;
    // An exec as root gains nothing
    let bits = CapabilitiesSecureBits::NO_ROOT | CapabilitiesSecureBits::NO_ROOT_LOCKED;
    set_capabilities_secure_bits(bits).or_stop("capabilities")?;
    let sets = CapabilitySets { effective: KEPT, permitted: KEPT, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets).or_stop("capabilities")
}

/// Keeps [`SYSTEMD`] across the exec that follows, as the bounding set of all that it starts: they get no other again.
pub fn keep_for_systemd() -> Step {
    drop_from_bounding_set(CapabilitySet::all().difference(SYSTEMD)).or_stop("capabilities")?;
    let sets = CapabilitySets { effective: SYSTEMD, permitted: SYSTEMD, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets).or_stop("capabilities")
}

/// For a child, before it leaves uid 0. Makes system calls only.
pub fn empty_bounding_set() -> rustix::io::Result<()> {
    drop_from_bounding_set(CapabilitySet::all())
}

fn drop_from_bounding_set(unwanted: CapabilitySet) -> rustix::io::Result<()> {
    for bit in 0..=LAST {
        let capability = CapabilitySet::from_bits_retain(1 << bit);
        if !CapabilitySet::all().contains(capability) || unwanted.contains(capability) {
            match remove_capability_from_bounding_set(capability) {
                Ok(()) | Err(rustix::io::Errno::INVAL) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_residue_needs_is_given_up() {
        let given_up = [
            CapabilitySet::SYS_ADMIN,
            CapabilitySet::SYS_MODULE,
            CapabilitySet::NET_RAW,
            CapabilitySet::BPF,
            CapabilitySet::PERFMON,
            CapabilitySet::SYSLOG,
            CapabilitySet::SYS_PACCT,
            CapabilitySet::SYS_RAWIO,
            CapabilitySet::SYS_PTRACE,
            CapabilitySet::DAC_OVERRIDE,
            CapabilitySet::SYS_BOOT,
        ];
        assert!(given_up.iter().all(|capability| !KEPT.intersects(*capability)));
        let given_up = given_up.iter().filter(|capability| **capability != CapabilitySet::SYS_BOOT);
        assert!(given_up.chain(&[CapabilitySet::NET_ADMIN]).all(|capability| !SYSTEMD.intersects(*capability)));
    }
}
