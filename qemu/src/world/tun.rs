//! A TUN interface in a namespace of its own.

use super::tools;
use rustix::ioctl::{ioctl, Setter};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use vitrine_attest::config::Cidr;
use vitrine_attest::{Error, Result};

const NAME: &str = "wg";
/// `TUNSETIFF`, `IFF_TUN | IFF_NO_PI` (linux/if_tun.h).
const TUNSETIFF: rustix::ioctl::Opcode = 0x4004_54ca;
const FLAGS: u16 = 0x0001 | 0x1000;
/// `struct ifreq` on 64-bit machines: a name of 16 bytes, then a union whose first field here is the flags.
const IFREQ: usize = 40;

/// A host whose only way out is the tunnel.
pub struct Tun {
    /// One IP packet a read and a write; never blocks.
    pub packets: File,
    /// The namespace it lies in.
    pub namespace: File,
}

impl Tun {
    /// `mtu` and addresses are those inside the tunnel.
    ///
    /// # Errors
    /// Without root, or without TUN in this kernel.
    pub fn create(addresses: &[Cidr], mtu: u16) -> Result<Self> {
        tools::on_a_thread(|| Self::on_this_thread(addresses, mtu))
    }

    /// The thread stays in the namespace, so it must be one that ends.
    fn on_this_thread(addresses: &[Cidr], mtu: u16) -> Result<Self> {
        tools::enter_new_namespace()?;
        let packets = open().map_err(|e| failed(&e))?;
        // As a WireGuard interface: no address of its own making, and so no solicitations that keep a session alive.
        std::fs::write(format!("/proc/sys/net/ipv6/conf/{NAME}/addr_gen_mode"), "1").map_err(|e| failed(&e))?;
        let mut script = format!("link set lo up\nlink set {NAME} mtu {mtu} up\n");
        for cidr in addresses {
            let (family, nodad) = if cidr.address.is_ipv4() { ("-4", "") } else { ("-6", " nodad") };
            script += &format!("addr add {cidr} dev {NAME}{nodad}\n");
            tools::ip(&std::mem::take(&mut script))?;
            tools::run("ip", &[family, "route", "add", "default", "dev", NAME]).succeeded("a client's route")?;
        }
        std::fs::write("/proc/sys/net/ipv4/ping_group_range", "0 2147483647").map_err(|e| failed(&e))?;
        let namespace = File::open("/proc/thread-self/ns/net").map_err(|e| failed(&e))?;
        Ok(Self { packets, namespace })
    }
}

fn failed(e: &std::io::Error) -> Error {
    Error::host(format!("a client's TUN interface: {e}"), "run it as root, with /dev/net/tun")
}

/// It lies where the thread is that opens it.
fn open() -> std::io::Result<File> {
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    let file = OpenOptions::new().read(true).write(true).custom_flags(nonblocking).open("/dev/net/tun")?;
    let mut request = [0u8; IFREQ];
    request[..NAME.len()].copy_from_slice(NAME.as_bytes());
    request[16..18].copy_from_slice(&FLAGS.to_ne_bytes());
    // SAFETY: TUNSETIFF reads and writes one `struct ifreq`, which is what it is given.
    unsafe { ioctl(&file, Setter::<TUNSETIFF, [u8; IFREQ]>::new(request)) }?;
    Ok(file)
}
