//! A guest from power-on to the end: everything it needs in one folder, everything gone when it is dropped.

use crate::card::Card;
use crate::esp::{self, EspFile};
use crate::firmware::Firmware;
use crate::http;
use crate::interrupt;
use crate::machine::{Accel, CommandLine, Machine, Ports, Threads, Wire, QEMU, QEMU_PACKAGE};
use crate::medium::Medium;
use crate::process::{version, Process};
use crate::qmp::Qmp;
use crate::scratch::Scratch;
use crate::text;
use crate::tpm::{Pristine, Tpm, EK_ROOTS};
use crate::vars::{self, Variable};
use serde_json::json;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use vitrine_attest::secure_boot::Variables;
use vitrine_attest::{Error, Result};

/// How long a guest may take until it answers. Under TCG an idle machine needs 12–17 s, a loaded one minutes.
pub const PATIENCE: Duration = Duration::from_secs(300);
/// How often another pair of ports is tried when somebody took ours in between.
const PORT_ATTEMPTS: usize = 3;

/// What the firmware holds at first boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecureBoot {
    /// These keys, and Secure Boot is on.
    On(Variables),
    /// The same firmware with an empty variable store.
    Off,
    /// A variable store as a firmware has left it, see [`Guest::vars`].
    Left(Vec<u8>),
}

/// What the guest is plugged into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Network {
    /// QEMU's own; see [`Wire::User`].
    User,
    /// A tap interface in the caller's network namespace, and the address that the guest's configuration gives it.
    Tap { interface: String, guest: Ipv4Addr },
}

/// What to boot, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// The boot image, `image.efi`.
    pub image: Vec<u8>,
    /// What the machine starts from; None: a disk that is made of the image. With a medium, image and files below are not used.
    pub medium: Option<Medium>,
    pub secure_boot: SecureBoot,
    pub memory_mib: u32,
    pub accel: Accel,
    pub network: Network,
    pub card: Card,
    /// Ports of 127.0.0.1 in QEMU's own network; free ones are chosen for those that are `None`, and for all of
    /// WireGuard's ports but the first.
    pub wireguard_port: Option<u16>,
    pub attestation_port: Option<u16>,
    /// Where the services listen inside the guest.
    pub guest_ports: Ports,
    /// More files on the boot disk.
    pub esp_files: Vec<EspFile>,
    /// More variables in the firmware's store, such as boot entries.
    pub variables: Vec<Variable>,
    /// More QEMU arguments.
    pub extra: Vec<String>,
    /// Which TPM: two names are two different TPMs, with different makers. None: the machine has no TPM.
    pub tpm: Option<String>,
    /// Leave the folder behind.
    pub keep: bool,
}

impl Options {
    pub fn new(image: Vec<u8>, secure_boot: SecureBoot) -> Self {
        Self {
            image,
            medium: None,
            secure_boot,
            memory_mib: 1024,
            accel: Accel::Tcg,
            network: Network::User,
            card: Card::default(),
            wireguard_port: None,
            attestation_port: None,
            guest_ports: Ports::default(),
            esp_files: Vec::new(),
            variables: Vec::new(),
            extra: Vec::new(),
            tpm: Some("default".into()),
            keep: false,
        }
    }

    /// Adds a string to the SMBIOS table of type 11 (OEM strings, SMBIOS 3.6 §7.12).
    #[must_use]
    pub fn smbios_string(mut self, text: &str) -> Self {
        self.extra.extend(["-smbios".into(), format!("type=11,value={}", text.replace(',', ",,"))]);
        self
    }

    #[must_use]
    pub fn esp_file(mut self, path: &str, data: &[u8]) -> Self {
        self.esp_files.push(EspFile::new(path, data));
        self
    }
}

/// How a boot ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrival {
    /// The agent answers, this long after power-on.
    Up(Duration),
    /// The firmware did not start the image; its own words.
    RefusedByFirmware(String),
}

/// A running guest. Dropping it stops QEMU and swtpm and removes the folder.
#[derive(Debug)]
pub struct Guest {
    // Fields are dropped in this order.
    qmp: Qmp,
    qemu: Process,
    _tpm: Option<Tpm>,
    address: Ipv4Addr,
    ports: Ports,
    guest_ports: Ports,
    command_line: CommandLine,
    /// In the namespace of whoever started it.
    tap: Option<String>,
    powered_on: Instant,
    scratch: Scratch,
}

impl Guest {
    /// Prepares disk, variables and TPM and powers the machine on. `log` gets the lines a person needs to
    /// repeat it: versions, firmware hash, the exact command.
    ///
    /// # Errors
    /// When the host lacks something, a file is wrong, or QEMU does not start.
    pub fn start(options: &Options, log: &mut dyn FnMut(&str)) -> Result<Self> {
        interrupt::check()?;
        let firmware = Firmware::find()?;
        let emulator = version(QEMU, QEMU_PACKAGE)?;
        log(&emulator);
        log(&version("swtpm", "swtpm")?);
        log(&firmware.to_string());
        let mut scratch = Scratch::new()?;
        if options.keep {
            scratch.keep();
            log(&format!("the folder {} will be kept", scratch.path().display()));
        }
        let pristine = options.tpm.as_deref().map(Pristine::named).transpose()?;
        let mut machine = prepare(options, &firmware, &scratch)?;
        machine.threads = Threads::of(&emulator);
        power_on(options, pristine.as_ref(), machine, scratch, log)
    }

    /// Where the agent answers, `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("http://{}:{}", self.address, self.ports.attestation)
    }

    /// Where the guest's WireGuard is reached on its first port.
    pub fn wireguard(&self) -> SocketAddr {
        (self.address, self.ports.wireguard.first().copied().unwrap_or_default()).into()
    }

    /// Where its WireGuard of this port (as the guest has it) is reached.
    pub fn wireguard_at(&self, port: u16) -> Option<SocketAddr> {
        let place = self.guest_ports.wireguard.iter().position(|guest| *guest == port)?;
        Some((self.address, *self.ports.wireguard.get(place)?).into())
    }

    /// Certificates of the maker of its TPM.
    pub fn ek_roots(&self) -> PathBuf {
        self.scratch.join(EK_ROOTS)
    }

    /// Its variable store, as the firmware left it.
    pub fn vars(&self) -> PathBuf {
        self.scratch.join("vars.fd")
    }

    pub fn folder(&self) -> &Path {
        self.scratch.path()
    }

    pub fn command_line(&self) -> &CommandLine {
        &self.command_line
    }

    /// Number of the QEMU process.
    pub fn pid(&self) -> u32 {
        self.qemu.pid()
    }

    pub fn qmp(&mut self) -> &mut Qmp {
        &mut self.qmp
    }

    /// What came out of the first serial port so far (its last 64 KiB), escape sequences removed.
    pub fn console(&self) -> String {
        text::clean(&text::tail(&self.scratch.join("console.log")))
    }

    /// Waits until the agent answers or the firmware refuses the image.
    ///
    /// # Errors
    /// When QEMU ends, nothing of both happens within `patience`, or somebody asked us to stop.
    pub fn wait(&mut self, patience: Duration) -> Result<Arrival> {
        self.wait_for(patience, |guest| {
            if let Some(words) = firmware_refusal(&guest.console()) {
                return Some(Arrival::RefusedByFirmware(words));
            }
            let address = (guest.address, guest.ports.attestation).into();
            http::answers(address).then(|| Arrival::Up(guest.powered_on.elapsed()))
        })
    }

    /// Waits until the console holds `words`; for images with a console.
    ///
    /// # Errors
    /// As [`Self::wait`].
    pub fn wait_for_console(&mut self, words: &str, patience: Duration) -> Result<()> {
        self.wait_for(patience, |guest| guest.console().contains(words).then_some(()))
    }

    fn wait_for<T>(&mut self, patience: Duration, mut ask: impl FnMut(&Self) -> Option<T>) -> Result<T> {
        let deadline = Instant::now() + patience;
        let answer = interrupt::poll(deadline, Duration::from_millis(200), || {
            if let Some(answer) = ask(self) {
                return Ok(Some(answer));
            }
            match self.qemu.ended() {
                Some(status) => Err(self.failure(&format!("QEMU ended ({status}) before the guest answered"))),
                None => Ok(None),
            }
        })?;
        answer.ok_or_else(|| {
            let error = self.failure(&format!("the guest did not answer within {} s", patience.as_secs()));
            Error { hint: format!("{}\n{}", error.hint, self.signs_of_life()), ..error }
        })
    }

    /// What a machine shows whose image says nothing: where its processors are (they sleep with HLT=1; the firmware is below
    /// 4 GiB, the kernel at the end of the address space), and on a tap what has come from its card.
    fn signs_of_life(&mut self) -> String {
        let registers = match self.qmp.execute("human-monitor-command", json!({ "command-line": "info registers -a" }))
        {
            Ok(said) => said.as_str().unwrap_or_default().to_owned(),
            Err(e) => format!("RIP=? {e}"),
        };
        let registers = registers.lines().filter(|line| line.contains("RIP=")).map(str::trim);
        let cards = std::fs::read_to_string("/proc/thread-self/net/dev").unwrap_or_default();
        let tap = |line: &&str| self.tap.as_ref().is_some_and(|tap| line.starts_with(&format!("{tap}:")));
        let tap = cards.lines().map(str::trim).filter(tap).map(|line| format!("bytes and packets of {line}"));
        let lines: Vec<String> = registers.map(String::from).chain(tap).collect();
        format!("the machine:\n{}", lines.join("\n"))
    }

    fn failure(&self, what: &str) -> Error {
        let mut hint = String::from("boot it with `vitrine-qemu boot --keep` and look into its folder");
        for (name, file) in [("QEMU", "qemu.log"), ("swtpm", "tpm.log"), ("console", "console.log")] {
            let lines = text::last_lines(&self.scratch.join(file), 8);
            if !lines.is_empty() {
                hint = format!("{hint}\n{name} said last:\n{lines}");
            }
        }
        Error::host(what, hint)
    }

    /// Whether QEMU is still there.
    pub fn is_running(&mut self) -> bool {
        self.qemu.ended().is_none()
    }

    /// The power goes: QEMU is killed in the middle of whatever it does. Its folder stays as long as this lives.
    pub fn cut_power(&mut self) {
        self.qemu.kill();
    }

    /// Ends the guest and removes its folder.
    pub fn stop(mut self) {
        self.qmp.quit();
        self.qemu.stop();
    }
}

/// Writes disk and variable store.
fn prepare(options: &Options, firmware: &Firmware, scratch: &Scratch) -> Result<Machine> {
    let vars = match &options.secure_boot {
        SecureBoot::On(keys) => vars::enroll(&firmware.empty_vars, keys)?,
        SecureBoot::Off => firmware.empty_vars.clone(),
        SecureBoot::Left(vars) => vars.clone(),
    };
    let vars = scratch.write("vars.fd", &vars::with(&vars, &options.variables)?)?;
    let mut machine = Machine::new(firmware, vars, scratch.join("qmp.sock"), scratch.join("console.log"));
    machine.medium = Some(match &options.medium {
        Some(medium) => medium.clone(),
        None => Medium::Disk(scratch.write("esp.img", &esp::build(&options.image, &options.esp_files)?)?),
    });
    machine.memory_mib = options.memory_mib;
    machine.accel = options.accel;
    machine.card.clone_from(&options.card);
    machine.guest_ports.clone_from(&options.guest_ports);
    machine.extra.clone_from(&options.extra);
    Ok(machine)
}

/// Starts swtpm and QEMU; with other ports when somebody took the chosen ones in between.
fn power_on(
    options: &Options,
    pristine: Option<&Pristine>,
    mut machine: Machine,
    scratch: Scratch,
    log: &mut dyn FnMut(&str),
) -> Result<Guest> {
    for attempt in 1.. {
        let (address, ports, wire) = place(options)?;
        let tpm = pristine.map(|pristine| pristine.start(&scratch)).transpose()?;
        machine.tpm = tpm.as_ref().map(|tpm| tpm.socket.clone());
        machine.wire = wire;
        let command_line = machine.command_line();
        log(&command_line.to_string());
        let powered_on = Instant::now();
        let mut qemu = launch(&command_line, &scratch)?;
        match connect(&mut qemu, &machine.qmp, &scratch) {
            Ok(qmp) => {
                let guest_ports = machine.guest_ports;
                return Ok(Guest {
                    qmp,
                    qemu,
                    _tpm: tpm,
                    address,
                    ports,
                    guest_ports,
                    command_line,
                    tap: match &options.network {
                        Network::Tap { interface, .. } => Some(interface.clone()),
                        Network::User => None,
                    },
                    powered_on,
                    scratch,
                });
            }
            Err(error) if error.hint.contains("host forwarding") && attempt < PORT_ATTEMPTS => continue,
            Err(error) => return Err(error),
        }
    }
    Err(Error::bug("no attempt was made to start QEMU"))
}

fn launch(command_line: &CommandLine, scratch: &Scratch) -> Result<Process> {
    let log = File::create(scratch.join("qemu.log")).map_err(|e| Error::host(format!("qemu.log: {e}"), ""))?;
    let mut command = command_line.command();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).current_dir(scratch.path());
    Process::start(QEMU, QEMU_PACKAGE, command)
}

/// Waits until QEMU has opened its control socket.
pub(crate) fn connect(qemu: &mut Process, socket: &Path, scratch: &Scratch) -> Result<Qmp> {
    let deadline = Instant::now() + Duration::from_secs(30);
    let qmp = interrupt::poll(deadline, Duration::from_millis(20), || {
        if let Some(status) = qemu.ended() {
            let lines = text::last_lines(&scratch.join("qemu.log"), 5);
            return Err(Error::host(format!("QEMU ended at once ({status})"), format!("it said: {lines}")));
        }
        if !socket.exists() {
            return Ok(None);
        }
        // The socket file is there a moment before QEMU listens.
        Ok(Qmp::connect(socket).ok())
    })?;
    qmp.ok_or_else(|| Error::host("QEMU did not open its control socket within 30 s", ""))
}

/// Where the guest will be reached.
fn place(options: &Options) -> Result<(Ipv4Addr, Ports, Wire)> {
    match &options.network {
        Network::User => {
            let ports = ports(options)?;
            Ok((Ipv4Addr::LOCALHOST, ports.clone(), Wire::User(ports)))
        }
        Network::Tap { interface, guest } => Ok((*guest, options.guest_ports.clone(), Wire::Tap(interface.clone()))),
    }
}

/// The wanted ports, or free ones: the kernel names ports nobody uses, and we give them to QEMU at once.
fn ports(options: &Options) -> Result<Ports> {
    let failed = |what: &str, e: std::io::Error| Error::host(format!("no free {what} port on 127.0.0.1: {e}"), "");
    let any = (Ipv4Addr::LOCALHOST, 0);
    let count = options.guest_ports.wireguard.len();
    // All are held until the last one is chosen: no port is given twice.
    let held =
        (0..count).map(|_| UdpSocket::bind(any)).collect::<std::io::Result<Vec<_>>>().map_err(|e| failed("UDP", e))?;
    let free = held.iter().map(|socket| socket.local_addr().map(|address| address.port()));
    let mut wireguard = free.collect::<std::io::Result<Vec<_>>>().map_err(|e| failed("UDP", e))?;
    if let (Some(first), Some(wanted)) = (wireguard.first_mut(), options.wireguard_port) {
        *first = wanted;
    }
    let attestation = match options.attestation_port {
        Some(port) => port,
        None => TcpListener::bind(any).and_then(|s| s.local_addr()).map_err(|e| failed("TCP", e))?.port(),
    };
    Ok(Ports { wireguard, attestation })
}

/// The line in which the firmware says that it did not start an image for its signature's sake:
/// `BdsDxe: failed to load Boot0001 "…" from …: Access Denied` (edk2, `BdsEntry`/`BmBoot`: EFI_ACCESS_DENIED
/// and EFI_SECURITY_VIOLATION).
fn firmware_refusal(console: &str) -> Option<String> {
    let refused = |line: &&str| {
        line.contains("failed to") && (line.contains("Access Denied") || line.contains("Security Violation"))
    };
    console.lines().find(refused).map(|line| line.trim().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_recognised() {
        let console = "BdsDxe: loading Boot0001\nBdsDxe: failed to load Boot0001 \"UEFI Misc Device\" \
                       from PciRoot(0x0)/Pci(0x3,0x0): Access Denied\n";
        assert!(firmware_refusal(console).unwrap().ends_with("Access Denied"));
        assert_eq!(firmware_refusal("BdsDxe: failed to load Boot0002 \"UEFI PXEv4\": Not Found"), None);
        assert_eq!(firmware_refusal(""), None);
    }

    #[test]
    fn chosen_ports_are_kept_and_others_are_free() {
        let mut options = Options::new(vec![], SecureBoot::Off);
        options.wireguard_port = Some(4000);
        options.guest_ports.wireguard = vec![51820, 443, 51821];
        let ports = ports(&options).unwrap();
        assert_eq!((ports.wireguard.len(), ports.wireguard[0]), (3, 4000));
        assert_ne!(ports.wireguard[1], ports.wireguard[2]);
        assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, ports.attestation)).is_ok());
    }

    #[test]
    fn smbios_strings_survive_qemus_parser() {
        let options = Options::new(vec![], SecureBoot::Off).smbios_string("a=b,c");
        assert_eq!(options.extra, ["-smbios", "type=11,value=a=b,,c"]);
    }
}
