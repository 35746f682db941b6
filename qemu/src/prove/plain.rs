//! The same users and the same search on a plain Debian server with WireGuard, NAT and unbound: what is left there.
//!
//! It has no TPM, no evidence and no orders: kernel and initramfs of `tools/prove/plain.sh` are started by QEMU itself,
//! and the users' keys come in a second archive.

use super::memory::{self, Counts, Hunt, Memory};
use super::report::{Demand, Moment};
use super::traffic::Person;
use crate::machine::{Threads, NETDEV, QEMU, QEMU_PACKAGE};
use crate::process::{version, Process};
use crate::qmp::Qmp;
use crate::scratch::Scratch;
use crate::world::{Names, World, GUEST};
use base64::engine::general_purpose::STANDARD;
use base64::Engine as _;
use serde_json::json;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use vitrine_attest::config::Cidr;
use vitrine_attest::digest::Key32;
use vitrine_attest::{Error, Result};

const MEMORY_MIB: u32 = 1024;

/// Counts at fixed times, the last one `seconds` after the last packet.
///
/// # Errors
/// When something cannot be done. `folder` is what `tools/prove/plain.sh` left.
pub fn prove(
    folder: &Path,
    names: &Path,
    times: &[u64],
    patience: Duration,
    log: &mut (dyn FnMut(&str) + Send),
) -> Result<Vec<Moment>> {
    World::with(|_| {
        let _names = Names::start(names)?;
        let mut people = [Person::by_ipv6(2)?, Person::by_ipv4(3)?];
        let secret: [u8; 32] = crate::random::bytes()?;
        let mut guest = Plain::start(folder, &configuration(&secret, &people), patience)?;
        let mut canaries = Vec::new();
        for person in &people {
            canaries.extend(person.canaries()?);
        }
        let mut moments = Vec::new();
        guest.look(&Hunt::new(&canaries)?, "before anybody comes", Demand::Baseline, &mut moments, log)?;
        let key = Key32(x25519_dalek::PublicKey::from(&x25519_dalek::StaticSecret::from(secret)).to_bytes());
        for person in &mut people {
            person.connect(key)?;
            person.act_plainly()?;
        }
        guest.look(&Hunt::new(&canaries)?, "users have done what they do", Demand::Control, &mut moments, log)?;
        for person in &people {
            person.vanish()?;
            canaries.extend(person.times());
        }
        let (last, hunt) = (Instant::now(), Hunt::new(&canaries)?);
        for seconds in times {
            let end = last + Duration::from_secs(*seconds);
            crate::interrupt::poll(end, Duration::from_millis(200), || Ok(None::<()>))?;
            guest.look(&hunt, &format!("{seconds} s after the last packet"), Demand::Told, &mut moments, log)?;
            if let Some(moment) = moments.last_mut() {
                moment.seconds = Some(last.elapsed().as_secs());
            }
        }
        Ok(moments)
    })
}

/// `wg setconf`.
fn configuration(secret: &[u8; 32], people: &[Person]) -> String {
    let mut text = format!("[Interface]\nListenPort = 51820\nPrivateKey = {}\n", STANDARD.encode(secret));
    for person in people {
        let networks: Vec<String> = person.user.addresses.iter().map(Cidr::to_string).collect();
        text += &format!("[Peer]\nPublicKey = {}\nAllowedIPs = {}\n", person.user.public(), networks.join(", "));
    }
    text
}

struct Plain {
    // Dropped in this order.
    qmp: Qmp,
    _qemu: Process,
    memory: Memory,
    _scratch: Scratch,
}

impl Plain {
    fn start(folder: &Path, wireguard: &str, patience: Duration) -> Result<Self> {
        const HINT: &str = "make it: tools/prove/plain.sh DIR NAMES";
        let failed = |e: std::io::Error| Error::input(format!("{}: {e}", folder.display()), HINT);
        let scratch = Scratch::new()?;
        let mut initrd = std::fs::read(folder.join("initrd")).map_err(failed)?;
        initrd.extend(archive("etc/plain.wg", wireguard.as_bytes()));
        let initrd = scratch.write("initrd", &initrd)?;
        let (console, socket) = (scratch.join("console.log"), scratch.join("qmp.sock"));
        let mut command = Command::new(QEMU);
        let threads = Threads::of(&version(QEMU, QEMU_PACKAGE)?);
        command.args(["-machine", "q35", "-accel", threads.accelerator(), "-cpu", "max", "-smp", "2", "-nodefaults"]);
        command.args(["-no-user-config", "-display", "none", "-monitor", "none", "-m", &MEMORY_MIB.to_string()]);
        command.args(memory::arguments(MEMORY_MIB));
        command.arg("-serial").arg(format!("file:{}", console.display()));
        command.arg("-qmp").arg(format!("unix:{},server=on,wait=off", socket.display()));
        command.arg("-kernel").arg(folder.join("vmlinuz")).arg("-initrd").arg(initrd);
        command.args(["-append", "quiet console=ttyS0"]);
        command.args(["-netdev", &format!("tap,id={NETDEV},ifname=tap0,script=no,downscript=no")]);
        command.args(["-device", &format!("virtio-net-pci,netdev={NETDEV},romfile=")]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).current_dir(scratch.path());
        let mut qemu = Process::start(QEMU, QEMU_PACKAGE, command)?;
        let qmp = crate::boot::connect(&mut qemu, &socket, &scratch)?;
        let memory = Memory::of_process(qemu.pid())?;
        let ready = crate::interrupt::poll(Instant::now() + patience, Duration::from_millis(200), || {
            let up = crate::text::clean(&crate::text::tail(&console)).lines().any(|line| line.trim() == "ready");
            Ok(up.then_some(()))
        })?;
        let said = || crate::text::last_lines(&console, 8);
        ready.ok_or_else(|| Error::host("the plain server does not come up", format!("it said: {}", said())))?;
        let gateway = GUEST.to_string();
        crate::world::run("ping", &["-n", "-c", "1", "-w", "30", &gateway]).succeeded("the plain server")?;
        Ok(Self { qmp, _qemu: qemu, memory, _scratch: scratch })
    }

    fn look(
        &mut self,
        hunt: &Hunt,
        name: &str,
        demand: Demand,
        moments: &mut Vec<Moment>,
        log: &mut (dyn FnMut(&str) + Send),
    ) -> Result<()> {
        self.qmp.execute("stop", json!({}))?;
        let found = hunt.in_memory(&self.memory);
        self.qmp.execute("cont", json!({}))?;
        let (copies, scanned) = found?;
        let copies = Counts::of(&copies);
        log(&format!("plain server, {name}: {} copies", copies.total()));
        moments.push(Moment {
            name: name.into(),
            seconds: None,
            demand,
            wrong: 0,
            copies,
            in_receive_buffers: Counts::default(),
            scan_ms: u64::try_from(scanned.time.as_millis()).unwrap_or(u64::MAX),
            touched_mib: scanned.touched >> 20,
            filled_mib: scanned.filled >> 20,
        });
        Ok(())
    }
}

/// One file as a cpio archive, "newc" (cpio(5)): magic, thirteen fields of eight hex digits, name, content, each padded to
/// four bytes.
fn archive(name: &str, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, content, mode) in [(name, content, 0o100_600), ("TRAILER!!!", &[][..], 0)] {
        let fields = [0, mode, 0, 0, 1, 0, content.len(), 0, 0, 0, 0, name.len() + 1, 0];
        bytes.extend(b"070701");
        fields.iter().for_each(|field| bytes.extend(format!("{field:08X}").bytes()));
        bytes.extend(name.bytes().chain([0]));
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend(content);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Another program judges.
    #[test]
    fn cpio_reads_the_archive() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.cpio");
        std::fs::write(&file, archive("etc/plain.wg", b"[Interface]\n")).unwrap();
        let script = "cpio -i --quiet --to-stdout etc/plain.wg <\"$0\"";
        let Ok(output) = Command::new("sh").args(["-c", script]).arg(&file).output() else { return };
        assert_eq!(String::from_utf8_lossy(&output.stdout), "[Interface]\n", "{output:?}");
    }
}
