//! What a machine starts from.

use crate::machine::{comma, CommandLine};
use std::path::PathBuf;

/// Read-only for the guest, and the only thing in its boot order: every entry before it that failed would add events to PCR 4.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Medium {
    /// A raw disk, or a file system without a partition table.
    Disk(PathBuf),
    /// The same as QEMU's own format.
    Qcow2(PathBuf),
    /// An ISO in a CD drive (SATA).
    Cdrom(PathBuf),
    /// A disk or a hybrid ISO as a USB stick.
    UsbStick(PathBuf),
    /// UEFI HTTP boot: the address that QEMU's DHCP gives; [`crate::machine::Wire::User`] only.
    Http(String),
}

impl Medium {
    /// The drive and its controller. For [`Self::Http`], which comes through the network card: no PXE, which OVMF would try
    /// before (`OvmfPkg/PlatformPei`, fw_cfg).
    pub(crate) fn devices(&self, line: &mut CommandLine) {
        let (format, path, device) = match self {
            Self::Disk(path) => ("raw", path, "virtio-blk-pci"),
            Self::Qcow2(path) => ("qcow2", path, "virtio-blk-pci"),
            Self::Cdrom(path) => ("raw,media=cdrom", path, "ide-cd"),
            Self::UsbStick(path) => ("raw", path, "usb-storage,bus=stick.0,removable=on"),
            Self::Http(_) => {
                for version in ["IPv4", "IPv6"] {
                    line.pair("-fw_cfg", format!("name=opt/org.tianocore/{version}PXESupport,string=n"));
                }
                return;
            }
        };
        if matches!(self, Self::UsbStick(_)) {
            line.pair("-device", "qemu-xhci,id=stick");
        }
        line.pair("-drive", format!("if=none,id=esp,format={format},readonly=on,file={}", comma(path)));
        line.pair("-device", format!("{device},drive=esp,bootindex=0"));
    }

    /// What DHCP says, as an option of `-netdev user`.
    pub(crate) fn bootfile(&self) -> Option<String> {
        match self {
            Self::Http(address) => Some(format!(",bootfile={}", address.replace(',', ",,"))),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controllers() {
        let line = |medium: Medium| {
            let mut line = CommandLine::default();
            medium.devices(&mut line);
            line.arguments().join(" ")
        };
        let drive = |format: &str| format!("-drive if=none,id=esp,format={format},readonly=on,file=/t/a,,b -device ");
        let path = || PathBuf::from("/t/a,b");
        assert_eq!(line(Medium::Disk(path())), drive("raw") + "virtio-blk-pci,drive=esp,bootindex=0");
        assert_eq!(line(Medium::Qcow2(path())), drive("qcow2") + "virtio-blk-pci,drive=esp,bootindex=0");
        assert_eq!(line(Medium::Cdrom(path())), drive("raw,media=cdrom") + "ide-cd,drive=esp,bootindex=0");
        let stick = "usb-storage,bus=stick.0,removable=on,drive=esp,bootindex=0";
        assert_eq!(line(Medium::UsbStick(path())), "-device qemu-xhci,id=stick ".to_string() + &drive("raw") + stick);
        assert!(line(Medium::Http("http://h/x".into()))
            .starts_with("-fw_cfg name=opt/org.tianocore/IPv4PXESupport,string=n "));
        assert_eq!(Medium::Http("http://h/a,b".into()).bootfile().unwrap(), ",bootfile=http://h/a,,b");
    }
}
