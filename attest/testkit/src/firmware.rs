//! A firmware's event log, made up after what OVMF, systemd-stub and Linux write (PC Client Platform Firmware Profile
//! 1.05, §10): complete in form, short in content.

use sha1::Digest as _;
use vitrine_attest::Sha256;

pub const SHA1: u16 = 0x0004;
pub const SHA256: u16 = 0x000b;

/// Event types (§10.4.1).
pub mod kind {
    pub const UNUSED: u32 = 0x02;
    pub const NO_ACTION: u32 = 0x03;
    pub const SEPARATOR: u32 = 0x04;
    pub const EVENT_TAG: u32 = 0x06;
    pub const CRTM_VERSION: u32 = 0x08;
    pub const IPL: u32 = 0x0d;
    pub const VARIABLE: u32 = 0x8000_0001;
    pub const VARIABLE_BOOT: u32 = 0x8000_0002;
    pub const APPLICATION: u32 = 0x8000_0003;
    pub const ACTION: u32 = 0x8000_0007;
    pub const AUTHORITY: u32 = 0x8000_00e0;
}

/// One event as it stands in the log.
#[derive(Clone)]
pub struct Event {
    pub pcr: u32,
    pub kind: u32,
    pub digests: Vec<(u16, Vec<u8>)>,
    pub data: Vec<u8>,
    /// For cases to find it by, and for the statement.
    pub what: String,
}

impl Event {
    /// An event of both banks whose digest is that of `measured`.
    pub fn new(pcr: u32, kind: u32, what: &str, measured: &[u8], data: &[u8]) -> Self {
        let digests = vec![(SHA1, sha1::Sha1::digest(measured).to_vec()), (SHA256, Sha256::of(measured).0.to_vec())];
        Self { pcr, kind, digests, data: data.to_vec(), what: what.into() }
    }

    /// One that extends nothing.
    pub fn informs(pcr: u32, data: &[u8]) -> Self {
        Self {
            digests: vec![(SHA1, vec![0; 20]), (SHA256, vec![0; 32])],
            ..Self::new(pcr, kind::NO_ACTION, "information", b"", data)
        }
    }

    pub fn extends(&self) -> bool {
        self.kind != kind::NO_ACTION
    }

    pub fn digest(&self, bank: u16) -> Option<&[u8]> {
        self.digests.iter().find(|(name, _)| *name == bank).map(|(_, digest)| digest.as_slice())
    }
}

/// A log: the banks that its header names, and its events.
#[derive(Clone)]
pub struct Log {
    pub banks: Vec<(u16, u16)>,
    pub events: Vec<Event>,
}

impl Log {
    /// The bytes of a crypto-agile log.
    pub fn bytes(&self) -> Vec<u8> {
        let mut spec = b"Spec ID Event03\0".to_vec();
        spec.extend([0, 0, 0, 0, 0, 2, 0, 2]); // platform class, version 2.0, errata 0, 64-bit
        spec.extend(length(self.banks.len()));
        for (bank, size) in &self.banks {
            spec.extend([bank.to_le_bytes(), size.to_le_bytes()].concat());
        }
        spec.push(0); // no vendor data
        let mut log = sha1_event(0, kind::NO_ACTION, &[0; 20], &spec);
        for event in &self.events {
            log.extend(agile_event(event));
        }
        log
    }

    /// The bytes of a log of the old form: SHA-1 alone, no header.
    pub fn sha1_bytes(&self) -> Vec<u8> {
        let of = |event: &Event| sha1_event(event.pcr, event.kind, event.digest(SHA1).unwrap_or(&[0; 20]), &event.data);
        self.events.iter().flat_map(of).collect()
    }

    /// The first event called `what`.
    pub fn position(&self, what: &str) -> usize {
        let at = self.events.iter().position(|event| event.what == what);
        at.unwrap_or_else(|| panic!("the kit's log has no event \"{what}\": a case names one that was renamed"))
    }

    pub fn event(&mut self, what: &str) -> &mut Event {
        let at = self.position(what);
        &mut self.events[at]
    }

    /// Where an event begins in [`Self::bytes`].
    pub fn offset(&self, what: &str) -> usize {
        let before = Self { banks: self.banks.clone(), events: self.events[..self.position(what)].to_vec() };
        before.bytes().len()
    }
}

/// TCG_PCR_EVENT (§10.2.1).
fn sha1_event(pcr: u32, kind: u32, digest: &[u8], data: &[u8]) -> Vec<u8> {
    [&pcr.to_le_bytes()[..], &kind.to_le_bytes(), digest, &length(data.len()), data].concat()
}

/// TCG_PCR_EVENT2 (§10.2.2).
fn agile_event(event: &Event) -> Vec<u8> {
    let mut out = [event.pcr.to_le_bytes(), event.kind.to_le_bytes(), length(event.digests.len())].concat();
    for (bank, digest) in &event.digests {
        out.extend([&bank.to_le_bytes()[..], digest].concat());
    }
    out.extend([&length(event.data.len())[..], &event.data].concat());
    out
}

fn length(count: usize) -> [u8; 4] {
    u32::try_from(count).expect("logs of the kit have less than 4 GiB").to_le_bytes()
}

/// EFI_GLOBAL_VARIABLE, 8be4df61-93ca-11d2-aa0d-00e098032b8c.
const GLOBAL: [u8; 16] = [0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11, 0xaa, 0x0d, 0, 0xe0, 0x98, 0x03, 0x2b, 0x8c];
/// EFI_IMAGE_SECURITY_DATABASE, d719b2cb-3d3a-4596-a3bc-dad00e67656f.
const SECURITY: [u8; 16] =
    [0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d, 0x96, 0x45, 0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f];
/// EFI_CERT_SHA256_GUID, c1c41626-504c-4092-aca9-41f936934328.
const HASH_LIST: [u8; 16] =
    [0x26, 0x16, 0xc4, 0xc1, 0x4c, 0x50, 0x92, 0x40, 0xac, 0xa9, 0x41, 0xf9, 0x36, 0x93, 0x43, 0x28];

/// UEFI_VARIABLE_DATA (§10.4.2.6).
pub fn variable(name: &str, value: &[u8]) -> Vec<u8> {
    let guid = if matches!(name, "db" | "dbx") { SECURITY } else { GLOBAL };
    let units: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let lengths = [(name.len() as u64).to_le_bytes(), (value.len() as u64).to_le_bytes()].concat();
    [&guid[..], &lengths, &units, value].concat()
}

/// An EFI_SIGNATURE_LIST with one hash (UEFI 2.10, §32.4.1).
fn signatures(of: &str) -> Vec<u8> {
    let sizes = [76u32.to_le_bytes(), 0u32.to_le_bytes(), 48u32.to_le_bytes()].concat();
    [&HASH_LIST[..], &sizes, &GLOBAL, &Sha256::of(of.as_bytes()).0].concat()
}

/// A variable's event: its digest is that of its data.
pub fn variable_event(name: &str, value: &[u8]) -> Event {
    let data = variable(name, value);
    Event::new(7, kind::VARIABLE, name, &data, &data)
}

pub fn separator(pcr: u32) -> Event {
    Event::new(pcr, kind::SEPARATOR, &format!("separator of PCR {pcr}"), &[0; 4], &[0; 4])
}

pub fn action(pcr: u32, text: &str) -> Event {
    Event::new(pcr, kind::ACTION, text, text.as_bytes(), text.as_bytes())
}

/// A program that the firmware starts. The digest is its Authenticode digest; the data says from where.
pub fn application(content: &str) -> Event {
    let path = [&[4, 4, 0x1a, 0][..], &utf16("BOOTX64.EFI"), &[0x7f, 0xff, 4, 0]].concat();
    let mut data = [0u64, 0x10_0000, 0].map(u64::to_le_bytes).concat();
    data.extend([&(path.len() as u64).to_le_bytes()[..], &path].concat());
    Event::new(4, kind::APPLICATION, "Authenticode digest of the image", content.as_bytes(), &data)
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

/// EV_EVENT_TAG of the kernel's EFI stub: what is hashed is not what is told.
pub fn tagged(what: &str, told: &str, measured: &[u8]) -> Event {
    let text = [told.as_bytes(), &[0]].concat();
    let data = [&0x8f3b_22edu32.to_le_bytes()[..], &length(text.len()), &text].concat();
    Event::new(9, kind::EVENT_TAG, what, measured, &data)
}

/// The kernel command line as it is measured.
pub fn command_line(text: &str) -> Event {
    tagged("kernel command line", "LOADED_IMAGE::LoadOptions", &utf16(text))
}

pub fn initramfs(content: &str) -> Event {
    tagged("initramfs", "Linux initrd", content.as_bytes())
}

/// systemd-stub: a section's name, then its contents.
pub fn section(name: &str, content: &str) -> [Event; 2] {
    let text = utf16(name);
    [
        Event::new(11, kind::IPL, &format!("name of section {name}"), format!("{name}\0").as_bytes(), &text),
        Event::new(11, kind::IPL, &format!("contents of section {name}"), content.as_bytes(), &text),
    ]
}

pub const CMDLINE: &str = "audit=0 quiet loglevel=0";
/// PCR 4, before the image is started.
pub const CALLING: &str = "Calling EFI Application from Boot Option";
pub const EXIT: &str = "Exit Boot Services Invocation";
pub const EXITED: &str = "Exit Boot Services Returned with Success";

/// The boot that the kit's statement predicts: Secure Boot on, the published image, nothing beside it. Shorter than a real
/// one, which has more variables, separators and sections of the same kinds: it stands in every file of the kit.
pub fn genuine() -> Log {
    let version = utf16("kit firmware 1");
    let mut events = vec![
        Event::new(0, kind::CRTM_VERSION, "version of the firmware", &version, &version),
        variable_event("SecureBoot", &[1]),
    ];
    events.extend(["PK", "db"].map(|name| variable_event(name, &signatures(name))));
    events.push(separator(7));
    events.push(action(4, CALLING));
    events.extend([0, 4].map(separator));
    let authority = variable("db", &[&GLOBAL[..], b"certificate of the release"].concat());
    events.push(Event::new(7, kind::AUTHORITY, "authority", &authority, &authority));
    events.push(application("the published image"));
    for name in [".linux", ".osrel"] {
        events.extend(section(name, &format!("published {name}")));
    }
    events.extend([command_line(CMDLINE), initramfs("published initramfs"), action(5, EXIT), action(5, EXITED)]);
    Log { banks: vec![(SHA1, 20), (SHA256, 32)], events }
}
