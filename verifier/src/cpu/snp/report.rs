//! ATTESTATION_REPORT of AMD SEV-SNP (SEV Secure Nested Paging Firmware ABI, revision 1.58, table 23), versions 2, 3 and 5.
//!
//! All numbers are little-endian. 1184 bytes: 672 that are signed, then a field of 512 bytes for the signature.

use crate::outcome::Failure;
use vitrine_attest::digest::hex;

/// Bytes of a report, with its signature.
pub const REPORT_LENGTH: usize = 0x4a0;
/// Bytes that the signature covers.
pub const SIGNED_LENGTH: usize = 0x2a0;
/// Versions whose fields stand where they are read here. 2: before CPUID was told; 3: with it; 5: with mitigations.
const VERSIONS: [u32; 3] = [2, 3, 5];
/// SIGNATURE_ALGO: ECDSA on P-384 with SHA-384, the only one of the standard (table 139).
const ECDSA_P384_SHA384: u32 = 1;
/// Bytes of R and of S, each a little-endian number with zeros behind its 48 bytes (table 140).
const NUMBER_LENGTH: usize = 72;
/// Bytes of a number of P-384.
const P384_LENGTH: usize = 48;

/// POLICY (table 9): the guest may be debugged: the hypervisor reads and writes its memory.
const POLICY_DEBUG: u64 = 1 << 19;
/// POLICY: the guest may be handed to a migration agent, which then holds its keys.
const POLICY_MIGRATE: u64 = 1 << 18;
/// POLICY: threads of one core may belong to different guests' neighbours (SMT is on).
const POLICY_SMT: u64 = 1 << 16;

/// What a report says; true when its signature holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub version: u32,
    /// POLICY, as the guest's owner asked for at launch.
    pub policy: u64,
    /// The privilege level that asked, 0 to 3; 0 is the highest.
    pub vmpl: u32,
    /// Which key signed.
    pub signer: Signer,
    /// What the guest had signed.
    pub report_data: [u8; 64],
    /// Digest of what was loaded into the guest at launch.
    pub measurement: [u8; 48],
    /// Security versions of the platform's parts, as the key is derived from them (TCB_VERSION).
    pub reported_tcb: [u8; 8],
    /// The chip's identifier; all zero when the machine's owner hides it.
    pub chip_id: [u8; 64],
}

/// SIGNING_KEY (table 23, bits 4:2 of the flags).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signer {
    /// Versioned chip endorsement key: of this chip.
    Vcek,
    /// Versioned loaded endorsement key: of a cloud, loaded into many chips.
    Vlek,
}

impl Report {
    /// Reads a report. Nothing is believed before [`Report::signature`] has been verified over the first
    /// [`SIGNED_LENGTH`] bytes.
    ///
    /// # Errors
    /// When its length, version or algorithm is another, a field that must be zero is not, or no key signed it.
    pub fn parse(bytes: &[u8]) -> Result<Self, Failure> {
        if bytes.len() != REPORT_LENGTH {
            return Err(malformed(format!("{} bytes instead of {REPORT_LENGTH}", bytes.len())));
        }
        let version = u32::from_le_bytes(field(bytes, 0));
        if !VERSIONS.contains(&version) {
            return Err(malformed(format!("version {version} is unknown")));
        }
        let algorithm = u32::from_le_bytes(field(bytes, 0x34));
        if algorithm != ECDSA_P384_SHA384 {
            return Err(malformed(format!("signature algorithm {algorithm} is unknown")));
        }
        let vmpl = u32::from_le_bytes(field(bytes, 0x30));
        if vmpl > 3 {
            return Err(malformed(format!("privilege level {vmpl:#x}: no guest asked for it")));
        }
        Ok(Self {
            version,
            policy: u64::from_le_bytes(field(bytes, 0x08)),
            vmpl,
            signer: signer(u32::from_le_bytes(field(bytes, 0x48)))?,
            report_data: field(bytes, 0x50),
            measurement: field(bytes, 0x90),
            reported_tcb: field(bytes, 0x180),
            chip_id: field(bytes, 0x1a0),
        })
    }

    /// `r ‖ s`, 48 bytes each, big-endian.
    ///
    /// # Errors
    /// When a number does not fit into P-384, or something stands behind the signature.
    pub fn signature(bytes: &[u8]) -> Result<[u8; 2 * P384_LENGTH], Failure> {
        let place = bytes.get(SIGNED_LENGTH..REPORT_LENGTH).ok_or_else(|| malformed("it has no signature".into()))?;
        let mut out = [0; 2 * P384_LENGTH];
        for (half, number) in out.chunks_exact_mut(P384_LENGTH).zip(place.chunks_exact(NUMBER_LENGTH)) {
            let (low, high) = number.split_at(P384_LENGTH);
            if high.iter().any(|&byte| byte != 0) {
                return Err(malformed("a number of its signature is too large for P-384".into()));
            }
            half.copy_from_slice(low);
            half.reverse();
        }
        if place[2 * NUMBER_LENGTH..].iter().any(|&byte| byte != 0) {
            return Err(malformed("something stands behind its signature".into()));
        }
        Ok(out)
    }

    pub fn debuggable(&self) -> bool {
        self.policy & POLICY_DEBUG != 0
    }

    pub fn migratable(&self) -> bool {
        self.policy & POLICY_MIGRATE != 0
    }

    pub fn smt(&self) -> bool {
        self.policy & POLICY_SMT != 0
    }

    /// None when the machine's owner hides it.
    pub fn chip(&self) -> Option<String> {
        self.chip_id.iter().any(|&byte| byte != 0).then(|| hex(&self.chip_id))
    }
}

/// AUTHOR_KEY_EN is bit 0, MASK_CHIP_KEY bit 1, SIGNING_KEY bits 4:2. With MASK_CHIP_KEY nothing is signed.
fn signer(flags: u32) -> Result<Signer, Failure> {
    if flags >> 5 != 0 {
        return Err(malformed(format!("flags {flags:#x} are unknown")));
    }
    match (flags >> 1 & 1, flags >> 2 & 7) {
        (0, 0) => Ok(Signer::Vcek),
        (0, 1) => Ok(Signer::Vlek),
        (1, _) | (_, 7) => Err(malformed("no key signed it (the machine's owner masks the chip's key)".into())),
        (_, other) => Err(malformed(format!("signing key {other} is unknown"))),
    }
}

/// A field at a fixed place; the length was checked.
fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}

fn malformed(what: String) -> Failure {
    Failure::new("cpu-report-malformed", format!("SEV-SNP report: {what}"))
}
