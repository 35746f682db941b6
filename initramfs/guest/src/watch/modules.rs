//! `watch.modules`: the kernel holds the image's modules and no other. (`kernel.modules_disabled` is a setting.)

use super::buffer::Buffer;
use crate::read::small_file;
use crate::stop::{OrStop as _, Step};
use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use vitrine_attest::watch::Rule;

pub struct Modules {
    /// A name and numbers in each line (proc_modules(5)). None: a kernel without modules.
    table: Option<OwnedFd>,
    image: BTreeSet<Vec<u8>>,
}

impl Modules {
    pub fn open(table: Option<OwnedFd>) -> Step<Self> {
        let list = small_file(crate::modules::LIST, crate::modules::LIST_LIMIT).or_stop("modules-list")?;
        let image = crate::modules::paths(&list)?.into_iter().filter_map(name_of).collect();
        Ok(Self { table, image })
    }

    pub fn look(&self, buffer: &mut Buffer) -> Step<Option<Rule>> {
        let Some(table) = &self.table else { return Ok(None) };
        Ok((!within(buffer.file(table)?, &self.image)).then_some(Rule::Modules))
    }
}

/// The kernel's name of the module in this file: dashes become underscores.
fn name_of(path: &str) -> Option<Vec<u8>> {
    let file = path.rsplit('/').next()?.strip_suffix(".ko")?;
    Some(file.replace('-', "_").into_bytes())
}

fn within(table: &[u8], image: &BTreeSet<Vec<u8>>) -> bool {
    let names = table.split(|&c| c == b'\n').filter_map(|line| line.split(|&c| c == b' ').next());
    names.filter(|name| !name.is_empty()).all(|name| image.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_images() {
        let list = ["/usr/lib/modules/6/kernel/net/virtio-net.ko", "/m/wireguard.ko", "/m/nf_tables.ko"];
        let image: BTreeSet<_> = list.into_iter().filter_map(name_of).collect();
        let table = "wireguard 94208 0 - Live 0x0000000000000000\nvirtio_net 61440 0 - Live 0x0\n";
        assert!(within(table.as_bytes(), &image) && within(b"", &image));
        for other in ["nft_log 16384 0 - Live 0x0", "af_packet_diag 1 0 - Live 0x0 (OE)", "nf 1 0 - Live 0x0"] {
            assert!(!within(format!("{table}{other}\n").as_bytes(), &image), "{other}");
        }
    }
}
