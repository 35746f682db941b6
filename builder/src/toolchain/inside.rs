//! The first process inside: makes its root file system, gives up every power, and becomes the command.

use super::keeper::{complain, unshare};
use super::plan::{Bind, Plan};
use rustix::fs::StatVfsMountFlags;
use rustix::mount::{
    mount, mount_bind, mount_change, mount_remount, unmount, MountFlags, MountPropagationFlags, UnmountFlags,
};
use rustix::process::{pivot_root, set_parent_process_death_signal, umask, Signal};
use rustix::thread::{
    capability_is_in_bounding_set, remove_capability_from_bounding_set, set_capabilities, set_no_new_privs,
    CapabilitySet, CapabilitySets, UnshareFlags,
};
use std::convert::Infallible;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use vitrine_attest::{Error, Result};

/// `argv[0]` of this process.
pub const NAME: &str = "vitrine-sandbox-inside";
/// Devices that programs expect. No random, tty, ptmx, shm.
const DEVICES: [&str; 4] = ["null", "zero", "full", "urandom"];
/// Host name inside.
const HOST: &[u8] = b"vitrine";
/// Highest number of a capability that is asked for (linux/capability.h has 41).
const CAPABILITIES: u32 = 64;

/// Only comes back with an error.
pub fn run(plan: &str) -> u8 {
    match enter(plan) {
        Ok(never) => match never {},
        Err(error) => complain(&error),
    }
}

fn enter(text: &str) -> Result<Infallible> {
    let plan: Plan = serde_json::from_str(text).map_err(|e| Error::bug(format!("plan of a sandbox: {e}")))?;
    // no namespace outlives its keeper
    done("ask to be killed with the keeper", set_parent_process_death_signal(Some(Signal::KILL)))?;
    file_systems(&plan)?;
    done("set the host name", rustix::system::sethostname(HOST))?;
    umask(rustix::fs::Mode::from_raw_mode(0o022));
    powerless()?;
    let Some((program, arguments)) = plan.command.split_first() else { return Err(Error::bug("no command")) };
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(&plan.environment).current_dir(&plan.folder);
    let error = command.exec();
    Err(Error::host(
        format!("{program} cannot be run in the toolchain root: {error}"),
        "make the toolchain's lock again",
    ))
}

/// Mounts are made beside the old root, then the old root goes away: no path leads out.
fn file_systems(plan: &Plan) -> Result<()> {
    let root = plan.root.as_path();
    done("make a mount namespace", unshare(UnshareFlags::NEWNS))?;
    done(
        "part the mounts from the host's",
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC),
    )?;
    done("mount the root", mount_bind(root, root))?;
    for Bind { from, to, writable } in &plan.binds {
        let to = root.join(to.trim_start_matches('/'));
        done(to.display(), mount_bind(from.as_path(), to.as_path()))?;
        if !writable {
            read_only(&to)?;
        }
    }
    let plain = MountFlags::NOSUID | MountFlags::NODEV;
    done("mount /tmp", mount("tmpfs", root.join("tmp"), "tmpfs", plain, c"mode=0755"))?;
    devices(&root.join("dev"))?;
    proc(&root.join("proc"))?;
    read_only(root)?;
    done("enter the root", rustix::process::chdir(root))?;
    done("change the root", pivot_root(".", "."))?;
    done("leave the host's file systems", unmount(".", UnmountFlags::DETACH))?;
    done("enter the root", rustix::process::chdir("/"))
}

/// Read-only: to write there an owner needs no capability, and root inside may be root outside.
/// A container that hides parts of /proc from itself may not mount a whole one for its children.
fn proc(at: &Path) -> Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC | MountFlags::RDONLY;
    mount("proc", at, "proc", flags, None).map_err(|errno| {
        Error::host(
            format!("/proc cannot be mounted in the sandbox: {errno}"),
            "in a container, show it the whole /proc: `--security-opt systempaths=unconfined` for Docker and Podman",
        )
    })
}

fn devices(folder: &Path) -> Result<()> {
    done("mount /dev", mount("tmpfs", folder, "tmpfs", MountFlags::NOSUID | MountFlags::NOEXEC, c"mode=0755"))?;
    for name in DEVICES {
        let place = folder.join(name);
        std::fs::write(&place, b"").map_err(|e| cannot(place.display(), &e))?;
        done(place.display(), mount_bind(Path::new("/dev").join(name), &place))?;
    }
    read_only(folder)
}

/// Flags that the host has set stay: inside a user namespace nobody may take them away (mount_namespaces(7)).
fn read_only(at: &Path) -> Result<()> {
    let found = done(at.display(), rustix::fs::statvfs(at))?.f_flag;
    let mut flags = MountFlags::BIND | MountFlags::RDONLY;
    for (has, flag) in [
        (StatVfsMountFlags::NOSUID, MountFlags::NOSUID),
        (StatVfsMountFlags::NODEV, MountFlags::NODEV),
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        (StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
        (StatVfsMountFlags::NODIRATIME, MountFlags::NODIRATIME),
        (StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
    ] {
        if found.contains(has) {
            flags |= flag;
        }
    }
    done(at.display(), mount_remount(at, flags, c""))
}

/// The command is root inside and owner of its files; no capability, and no way to one.
fn powerless() -> Result<()> {
    for number in 0..CAPABILITIES {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        if capability_is_in_bounding_set(capability).unwrap_or(false) {
            done("give up a capability", remove_capability_from_bounding_set(capability))?;
        }
    }
    let none = CapabilitySet::empty();
    done(
        "give up capabilities",
        set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none }),
    )?;
    done("give up privileges", set_no_new_privs(true))
}

fn done<T>(what: impl std::fmt::Display, result: rustix::io::Result<T>) -> Result<T> {
    result.map_err(|errno| cannot(what, &errno.into()))
}

fn cannot(what: impl std::fmt::Display, error: &std::io::Error) -> Error {
    Error::host(
        format!("the sandbox cannot be made ({what}): {error}"),
        "see docs/reproduce.md, \"What the host needs\"",
    )
}
