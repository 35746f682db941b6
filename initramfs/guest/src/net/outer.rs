//! The one interface to the outside.

use super::rtnl::{Index, Routing};
use super::OUTER;
use crate::read::small_file;
use crate::stop::{OrStop as _, Step};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const CLASS: &str = "/sys/class/net";
/// ARPHRD_ETHER (linux/if_arp.h).
const ETHERNET: u64 = 1;
/// A driver needs milliseconds; a card with firmware of its own some seconds.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);

/// The interface, while it is still down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outer {
    pub index: Index,
    /// Its Ethernet address.
    pub mac: [u8; 6],
}

impl Outer {
    /// Waits for the first Ethernet interface with a device behind it and names it [`OUTER`].
    ///
    /// Where there are several, the one the kernel numbered first is taken and the others stay down.
    pub fn find(routing: &Routing) -> Step<Self> {
        let deadline = Instant::now() + PATIENCE;
        let (index, path) = loop {
            if let Some(found) = first(Path::new(CLASS)) {
                break found;
            }
            (Instant::now() < deadline).then_some(()).or_stop("no-interface")?;
            std::thread::sleep(PAUSE);
        };
        let mac =
            small_file(path.join("address"), 64).ok().and_then(|text| parse_mac(&text)).or_stop("no-interface")?;
        routing.rename(index, OUTER)?;
        Ok(Self { index, mac })
    }
}

/// Number of an interface by name.
pub fn index_of(name: &str) -> Option<Index> {
    number(&Path::new(CLASS).join(name).join("ifindex")).and_then(|n| u32::try_from(n).ok()).map(Index)
}

fn first(class: &Path) -> Option<(Index, PathBuf)> {
    let entries = std::fs::read_dir(class).ok()?.filter_map(Result::ok).map(|entry| entry.path());
    let with_device =
        entries.filter(|path| path.join("device").exists() && number(&path.join("type")) == Some(ETHERNET));
    with_device.filter_map(|path| Some((index_of(path.file_name()?.to_str()?)?, path))).min_by_key(|(index, _)| *index)
}

fn number(path: &Path) -> Option<u64> {
    let text = small_file(path, 32).ok()?;
    std::str::from_utf8(text.trim_ascii()).ok()?.parse().ok()
}

/// `52:54:00:12:34:56\n`
fn parse_mac(text: &[u8]) -> Option<[u8; 6]> {
    let mut mac = [0; 6];
    let mut parts = text.trim_ascii().split(|&c| c == b':');
    for byte in &mut mac {
        let digits = parts.next().filter(|digits| digits.len() == 2)?;
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    parts.next().is_none().then_some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mac_addresses() {
        assert_eq!(parse_mac(b"52:54:00:12:34:5f\n"), Some([0x52, 0x54, 0, 0x12, 0x34, 0x5f]));
        for bad in ["", "52:54:00:12:34", "52:54:00:12:34:56:78", "52:54:00:12:34:5g", "5:254:00:12:34:56"] {
            assert_eq!(parse_mac(bad.as_bytes()), None, "{bad}");
        }
    }
}
