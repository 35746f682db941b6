//! The machine as a QEMU command line.

use crate::card::Card;
use crate::firmware::{Firmware, Smm};
use crate::medium::Medium;
use crate::process::shell_quote;
use std::fmt;
use std::path::PathBuf;
use std::process::Command;

/// The program, and the Debian package that has it.
pub const QEMU: &str = "qemu-system-x86_64";
pub const QEMU_PACKAGE: &str = "qemu-system-x86";
/// Name of the other end of the guest's cable, for `set_link` of the control socket.
pub const NETDEV: &str = "net0";

/// Who executes the guest's instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accel {
    /// QEMU's own translator: works everywhere.
    Tcg,
    /// The processor. Chosen only after a probe boot, see [`crate::kvm`].
    Kvm,
}

/// In how many threads the emulator runs the guest's processors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// All in one, by turns.
    One,
    /// Each in its own.
    Each,
}

impl Threads {
    /// One each from QEMU 8.1 on. Before ("accel/tcg: Always lock pages before translation", deba78709a) one processor could
    /// run code that another was writing, and kernels, which patch themselves, crash or hang for it now and then.
    ///
    /// `version` is the first line of `qemu-system-x86_64 --version`.
    pub fn of(version: &str) -> Self {
        let numbers = version.split_once("version ").map(|(_, numbers)| numbers.split(|c: char| !c.is_ascii_digit()));
        let mut numbers = numbers.into_iter().flatten().map(|number| number.parse::<u32>().ok());
        match (numbers.next().flatten(), numbers.next().flatten()) {
            (Some(major), Some(minor)) if (major, minor) >= (8, 1) => Self::Each,
            _ => Self::One,
        }
    }

    /// What `-accel` gets.
    pub const fn accelerator(self) -> &'static str {
        match self {
            Self::One => "tcg,thread=single",
            Self::Each => "tcg,thread=multi",
        }
    }
}

/// Ports of the server's services: in the guest, or those of 127.0.0.1 that lead to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ports {
    /// UDP, in the order of [`vitrine_attest::config::WireGuard::all_ports`].
    pub wireguard: Vec<u16>,
    /// TCP, of the agent.
    pub attestation: u16,
}

impl Default for Ports {
    /// Those of the standard recipes.
    fn default() -> Self {
        Self { wireguard: vec![51820], attestation: 8787 }
    }
}

/// What the guest's network card is plugged into.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Wire {
    /// Nothing: the guest has no network card.
    #[default]
    None,
    /// QEMU's own network, which needs no root. These ports of 127.0.0.1 lead into the guest, and the guest sees the
    /// host's loopback as [`crate::web::AS_SEEN_BY_GUEST`].
    User(Ports),
    /// A tap interface of this name in the network namespace QEMU is started in.
    Tap(String),
}

/// QEMU's user network. Documentation addresses (RFC 5737, RFC 3849): a VPN server lets nobody reach private ones.
const USER_NETWORK: &str = "user,id=net0,ipv4=on,net=203.0.113.0/24,ipv6=on,ipv6-net=2001:db8:113::/64";

/// Everything that makes the command line.
#[derive(Debug, Clone)]
pub struct Machine {
    pub code: PathBuf,
    pub smm: Smm,
    /// The guest's own copy of the variable store; it is written to.
    pub vars: PathBuf,
    /// None: nothing to boot from.
    pub medium: Option<Medium>,
    /// swtpm's control socket.
    pub tpm: Option<PathBuf>,
    pub qmp: PathBuf,
    /// First serial port. The firmware prints its refusals there.
    pub console: PathBuf,
    pub memory_mib: u32,
    pub accel: Accel,
    pub threads: Threads,
    pub wire: Wire,
    pub card: Card,
    /// Where the services listen inside the guest.
    pub guest_ports: Ports,
    /// For tests: `-smbios type=11,value=…` and the like.
    pub extra: Vec<String>,
}

impl Machine {
    pub fn new(firmware: &Firmware, vars: PathBuf, qmp: PathBuf, console: PathBuf) -> Self {
        Self {
            code: firmware.code.clone(),
            smm: firmware.smm,
            vars,
            medium: None,
            tpm: None,
            qmp,
            console,
            memory_mib: 1024,
            accel: Accel::Tcg,
            threads: Threads::One,
            wire: Wire::None,
            card: Card::default(),
            guest_ports: Ports::default(),
            extra: Vec::new(),
        }
    }

    pub fn command_line(&self) -> CommandLine {
        let mut line = CommandLine(Vec::new());
        self.board(&mut line);
        self.flash(&mut line);
        self.devices(&mut line);
        line.0.extend(self.extra.iter().cloned());
        line
    }

    fn board(&self, line: &mut CommandLine) {
        // smm: the firmware keeps Secure Boot's variables behind it.
        let smm = if self.smm == Smm::Required { "on" } else { "off" };
        line.pair("-machine", format!("q35,smm={smm},vmport=off"));
        match self.accel {
            // without ERMS the kernel clears its pages eight bytes at a time, which the emulator does quicker than single ones
            Accel::Tcg => line.pair("-accel", self.threads.accelerator()).pair("-cpu", "max,-erms"),
            Accel::Kvm => line.pair("-accel", "kvm").pair("-cpu", "host"),
        };
        line.pair("-m", self.memory_mib.to_string()).pair("-smp", "2").flag("-nodefaults").flag("-no-user-config");
        line.pair("-display", "none").pair("-monitor", "none");
        line.pair("-serial", format!("file:{}", comma(&self.console)));
        line.pair("-qmp", format!("unix:{},server=on,wait=off", comma(&self.qmp)));
    }

    fn flash(&self, line: &mut CommandLine) {
        if self.smm == Smm::Required {
            // Only SMM may write the variables; OVMF refuses to start with S3 and this together on q35.
            line.pair("-global", "driver=cfi.pflash01,property=secure,value=on");
            line.pair("-global", "ICH9-LPC.disable_s3=1");
        }
        line.pair("-drive", format!("if=pflash,format=raw,unit=0,readonly=on,file={}", comma(&self.code)));
        line.pair("-drive", format!("if=pflash,format=raw,unit=1,file={}", comma(&self.vars)));
    }

    fn devices(&self, line: &mut CommandLine) {
        if let Some(medium) = &self.medium {
            medium.devices(line);
        }
        if let Some(tpm) = &self.tpm {
            line.pair("-chardev", format!("socket,id=tpm,path={}", comma(tpm)));
            line.pair("-tpmdev", "emulator,id=tpm0,chardev=tpm").pair("-device", "tpm-crb,tpmdev=tpm0");
        }
        self.network(line);
    }

    fn network(&self, line: &mut CommandLine) {
        let bootfile = self.medium.as_ref().and_then(Medium::bootfile);
        let netdev = match &self.wire {
            Wire::None => {
                line.pair("-nic", "none");
                return;
            }
            Wire::User(host) => {
                let guest = &self.guest_ports;
                let udp = host.wireguard.iter().zip(&guest.wireguard);
                let udp = udp.map(|(host, guest)| format!(",hostfwd=udp:127.0.0.1:{host}-:{guest}"));
                let tcp = format!(",hostfwd=tcp:127.0.0.1:{}-:{}", host.attestation, guest.attestation);
                USER_NETWORK.to_string() + &udp.collect::<String>() + &tcp + bootfile.as_deref().unwrap_or_default()
            }
            Wire::Tap(interface) => format!("tap,id=net0,ifname={interface},script=no,downscript=no"),
        };
        // romfile= : no option ROM, which would be measured and would offer network boot. OVMF has its own driver for virtio.
        let first = if bootfile.is_some() { ",bootindex=0" } else { "" };
        line.pair("-netdev", netdev).pair("-device", format!("{},netdev={NETDEV},romfile={first}", self.card));
    }
}

/// QEMU's option parser takes `,,` for one comma.
pub(crate) fn comma(path: &std::path::Path) -> String {
    path.display().to_string().replace(',', ",,")
}

/// Arguments after the program's name. Displayed as one line that a shell takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandLine(Vec<String>);

impl CommandLine {
    pub(crate) fn pair(&mut self, option: &str, value: impl Into<String>) -> &mut Self {
        self.0.extend([option.into(), value.into()]);
        self
    }

    fn flag(&mut self, option: &str) -> &mut Self {
        self.0.push(option.into());
        self
    }

    pub fn arguments(&self) -> &[String] {
        &self.0
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(QEMU);
        command.args(&self.0);
        command
    }
}

impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(QEMU)?;
        for word in &self.0 {
            write!(f, " {}", shell_quote(word))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vitrine_attest::Sha256;

    fn machine() -> Machine {
        let firmware = Firmware {
            code: "/fw/code.fd".into(),
            code_sha256: Sha256::ZERO,
            vars: "/fw/vars.fd".into(),
            empty_vars: vec![],
            smm: Smm::Required,
        };
        let mut machine = Machine::new(&firmware, "/t/vars.fd".into(), "/t/qmp".into(), "/t/a,b".into());
        machine.medium = Some(Medium::Disk("/t/esp.img".into()));
        machine.tpm = Some("/t/tpm.sock".into());
        machine.wire = Wire::User(Ports { wireguard: vec![1001, 1003], attestation: 1002 });
        machine.guest_ports.wireguard = vec![51820, 443];
        machine.extra = vec!["-smbios".into(), "type=11,value=a b".into()];
        machine
    }

    #[test]
    fn the_whole_line() {
        assert_eq!(
            machine().command_line().to_string(),
            "qemu-system-x86_64 -machine q35,smm=on,vmport=off -accel tcg,thread=single -cpu max,-erms -m 1024 -smp 2 \
             -nodefaults -no-user-config -display none -monitor none -serial file:/t/a,,b \
             -qmp unix:/t/qmp,server=on,wait=off \
             -global driver=cfi.pflash01,property=secure,value=on -global ICH9-LPC.disable_s3=1 \
             -drive if=pflash,format=raw,unit=0,readonly=on,file=/fw/code.fd \
             -drive if=pflash,format=raw,unit=1,file=/t/vars.fd \
             -drive if=none,id=esp,format=raw,readonly=on,file=/t/esp.img \
             -device virtio-blk-pci,drive=esp,bootindex=0 \
             -chardev socket,id=tpm,path=/t/tpm.sock -tpmdev emulator,id=tpm0,chardev=tpm \
             -device tpm-crb,tpmdev=tpm0 \
             -netdev user,id=net0,ipv4=on,net=203.0.113.0/24,ipv6=on,ipv6-net=2001:db8:113::/64,\
             hostfwd=udp:127.0.0.1:1001-:51820,hostfwd=udp:127.0.0.1:1003-:443,hostfwd=tcp:127.0.0.1:1002-:8787 \
             -device virtio-net-pci,netdev=net0,romfile= -smbios 'type=11,value=a b'"
        );
    }

    #[test]
    fn threads_of_versions() {
        let of = |version: &str| Threads::of(&format!("QEMU emulator version {version}"));
        for version in ["7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)", "8.0.4", "0.9", "x", "", "8"] {
            assert_eq!(of(version), Threads::One, "{version}");
        }
        for version in ["8.1.0", "8.2.2 (Debian 1:8.2.2+ds-0)", "9.0.0", "10.0.2 (Debian 1:10.0.2+ds-2)", "11.1"] {
            assert_eq!(of(version), Threads::Each, "{version}");
        }
        assert_eq!(Threads::of("QEMU"), Threads::One);
    }

    #[test]
    fn without_network_disk_and_tpm() {
        let mut machine = machine();
        (machine.medium, machine.tpm, machine.wire) = (None, None, Wire::None);
        let text = machine.command_line().to_string();
        assert!(text.contains("-nic none") && !text.contains("tpm") && !text.contains("esp"));
    }

    #[test]
    fn over_http() {
        let mut machine = machine();
        machine.medium = Some(Medium::Http("http://203.0.113.2:8000/exit.efi".into()));
        let text = machine.command_line().to_string();
        assert!(text.contains("-:8787,bootfile=http://203.0.113.2:8000/exit.efi -device"), "{text}");
        assert!(text.contains("netdev=net0,romfile=,bootindex=0 ") && !text.contains("esp"), "{text}");
    }

    #[test]
    fn on_a_tap_interface() {
        let mut machine = machine();
        machine.card = "e1000e".parse().unwrap();
        machine.wire = Wire::Tap("tap0".into());
        let text = machine.command_line().to_string();
        assert!(text.contains("-netdev tap,id=net0,ifname=tap0,script=no,downscript=no "), "{text}");
        assert!(text.contains("-device e1000e,netdev=net0,romfile= "), "{text}");
    }
}
