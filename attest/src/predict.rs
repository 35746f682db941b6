//! From a boot image to the PCR values that its boot will leave: nothing but files is read.
//!
//! Confirmed against TPMs for systemd-stub 252 and 257 with Linux 6.1 and 6.12, see `docs/`. The order of events is
//! that of OVMF starting the image from an EFI system partition as `\EFI\BOOT\BOOTX64.EFI`, at the first attempt.

use crate::expected::{ExpectedBoot, ExpectedEvent, Platform, Prediction};
use crate::pcr::{Pcr, PcrValues};
use crate::pe::{authenticode, Pe};
use crate::section::{contents, lint, measured_order, stub_version};
use crate::secure_boot::{Variables, OFF, ON};
use crate::signer::authority;
use crate::stub_cpio::{literal, ALIGNMENT};
use crate::{Error, Result, Sha256};
use std::collections::BTreeMap;

/// EV_EFI_ACTION before an image of a boot option is started (PC Client Profile 1.05, §3.3.4.5); no NUL.
pub const CALLING: &[u8] = b"Calling EFI Application from Boot Option";
/// EV_SEPARATOR of a boot without error (§3.3.2.2).
pub const SEPARATOR: &[u8] = &[0; 4];

/// Stubs up to this version let the firmware load the kernel when Secure Boot is off, which measures it into PCR 4.
const LAST_STUB_WITH_LOADED_KERNEL: u32 = 257;
/// Stubs from this version on append their os-release and profile to the initramfs.
const FIRST_STUB_WITH_OS_RELEASE: u32 = 257;

/// What a boot of this image leaves in the PCRs, on a machine without Secure Boot and, with `variables`, on one that
/// has exactly these enrolled. `uki` may be signed or not; with several certificates in db it must be.
///
/// # Errors
/// When the image is malformed, or holds a section whose measurement is not known.
pub fn predict(uki: &[u8], variables: Option<&Variables>) -> Result<Prediction> {
    let pe = Pe::parse(uki)?;
    prediction(&pe, Image::read(&pe, || pe.authenticode())?, variables)
}

/// The same for an image whose Authenticode digest the caller knows, because it has just signed it.
///
/// # Errors
/// As [`predict`].
pub fn predict_signed(uki: &[u8], authenticode: Sha256, variables: &Variables) -> Result<Prediction> {
    let pe = Pe::parse(uki)?;
    debug_assert_eq!(pe.authenticode(), authenticode, "something else was signed");
    prediction(&pe, Image::read(&pe, || authenticode)?, Some(variables))
}

fn prediction(pe: &Pe<'_>, image: Image, variables: Option<&Variables>) -> Result<Prediction> {
    let mut platforms = BTreeMap::from([(Platform::NoSecureBoot, image.without_secure_boot())]);
    if let Some(variables) = variables {
        variables.check()?;
        platforms.insert(Platform::SecureBoot, image.with_secure_boot(pe, variables)?);
    }
    let Image { stub_version, authenticode, cmdline, .. } = image;
    Ok(Prediction { stub_version, authenticode, cmdline, platforms })
}

/// What the measurements depend on.
struct Image {
    stub_version: u32,
    authenticode: Sha256,
    cmdline: String,
    /// Authenticode digest of the kernel, where the firmware loads it.
    kernel: Option<Sha256>,
    /// Sections in the order of their measurement into PCR 11, with the hash of their contents.
    measured: Vec<(&'static str, Sha256)>,
    initrd: Sha256,
}

impl Image {
    /// `whole` gives the Authenticode digest of the image.
    fn read(pe: &Pe<'_>, whole: impl FnOnce() -> Sha256 + Send) -> Result<Self> {
        let stub_version = stub_version(pe)?;
        lint(pe, stub_version)?;
        let kernel = || match stub_version <= LAST_STUB_WITH_LOADED_KERNEL {
            true => authenticode(contents(pe, ".linux")?.unwrap_or_default())
                .map_err(|e| e.within("section .linux"))
                .map(Some),
            false => Ok(None),
        };
        // All bytes are hashed at least twice here
        let (images, measured, initrd) = std::thread::scope(|scope| {
            let images = scope.spawn(|| (whole(), kernel()));
            let measured = measured(pe, stub_version);
            let initrd = initrd_parts(pe, stub_version).map(|parts| initrd_digest(&parts));
            (images.join().map_err(|_| Error::bug("the hash of the image was not finished")), measured, initrd)
        });
        let (authenticode, kernel) = images?;
        Ok(Self {
            stub_version,
            authenticode,
            cmdline: measured_cmdline(contents(pe, ".cmdline")?.unwrap_or_default())?,
            kernel: kernel?,
            measured: measured?,
            initrd: initrd?,
        })
    }

    fn without_secure_boot(&self) -> ExpectedBoot {
        let mut boot = Boot::default();
        boot.variables(&Variables::none(), OFF);
        boot.boot_option();
        boot.add(Pcr::BOOT_LOADER, self.authenticode, "Authenticode digest of the image");
        self.stub(&mut boot);
        if let Some(kernel) = self.kernel {
            boot.add(Pcr::BOOT_LOADER, kernel, "Authenticode digest of the kernel in the image");
        }
        self.kernel(&mut boot);
        boot.finish()
    }

    fn with_secure_boot(&self, pe: &Pe<'_>, variables: &Variables) -> Result<ExpectedBoot> {
        let authority = authority(pe, &variables.db_entries()?)?;
        let mut boot = Boot::default();
        boot.variables(variables, ON);
        boot.boot_option();
        boot.add(Pcr::SECURE_BOOT, authority.authority_digest(), "certificate in db that signed the image");
        boot.add(Pcr::BOOT_LOADER, self.authenticode, "Authenticode digest of the image");
        self.stub(&mut boot);
        self.kernel(&mut boot);
        Ok(boot.finish())
    }

    /// systemd-stub: each section's name with a NUL, then its contents.
    fn stub(&self, boot: &mut Boot) {
        for (name, contents) in &self.measured {
            let with_nul = Sha256::of_parts(&[name.as_bytes(), b"\0"]);
            boot.add(Pcr::UKI_SECTIONS, with_nul, format!("name of section {name}"));
            boot.add(Pcr::UKI_SECTIONS, *contents, format!("contents of section {name}"));
        }
    }

    /// The kernel's EFI stub: LoadOptions in UTF-16 with a NUL, then the whole initramfs.
    fn kernel(&self, boot: &mut Boot) {
        let options: Vec<u8> = self.cmdline.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
        boot.add(Pcr::KERNEL_INPUTS, Sha256::of(&options), "kernel command line");
        boot.add(Pcr::KERNEL_INPUTS, self.initrd, "initramfs as handed to the kernel");
    }
}

/// What the stub measures into PCR 11, in its order.
fn measured(pe: &Pe<'_>, stub_version: u32) -> Result<Vec<(&'static str, Sha256)>> {
    let mut measured = Vec::new();
    for name in measured_order(stub_version)? {
        measured.extend(contents(pe, name)?.map(|data| (*name, Sha256::of(data))));
    }
    Ok(measured)
}

/// Events in log order, and the values they lead to.
#[derive(Default)]
struct Boot {
    pcrs: PcrValues,
    events: Vec<ExpectedEvent>,
}

impl Boot {
    fn add(&mut self, pcr: Pcr, digest: Sha256, what: impl Into<String>) {
        self.pcrs.extend(pcr, digest);
        self.events.push(ExpectedEvent { pcr, digest, what: what.into() });
    }

    fn variables(&mut self, variables: &Variables, state: &[u8]) {
        for variable in variables.measured(state) {
            self.add(Pcr::SECURE_BOOT, variable.digest(), format!("Secure Boot variable {}", variable.name));
        }
        self.add(Pcr::SECURE_BOOT, Sha256::of(SEPARATOR), "separator");
    }

    fn boot_option(&mut self) {
        self.add(Pcr::BOOT_LOADER, Sha256::of(CALLING), "the firmware calls a boot option");
        self.add(Pcr::BOOT_LOADER, Sha256::of(SEPARATOR), "separator");
    }

    fn finish(mut self) -> ExpectedBoot {
        for untouched in [Pcr::KERNEL_OVERRIDES, Pcr::EXTENSIONS, Pcr::FUSE] {
            self.pcrs.0.insert(untouched, Sha256::ZERO);
        }
        ExpectedBoot { pcrs: self.pcrs, events: self.events }
    }
}

/// The command line as the stub hands it on (`mangle_stub_cmdline`): up to a NUL, control characters turned into
/// spaces, trailing spaces cut.
///
/// # Errors
/// For what stub versions treat differently: characters beyond ASCII, white space at the beginning, nothing at all.
fn measured_cmdline(section: &[u8]) -> Result<String> {
    let hint = "write the recipe's image.cmdline in ASCII, on one line, without leading spaces";
    let text = section.split(|byte| *byte == 0).next().unwrap_or_default();
    if !text.is_ascii() {
        return Err(Error::input("section .cmdline is not ASCII", hint));
    }
    let spaced: String = text.iter().map(|byte| if *byte <= 0x1f { ' ' } else { char::from(*byte) }).collect();
    let trimmed = spaced.trim_end_matches(' ');
    if trimmed.is_empty() || trimmed.starts_with(' ') {
        return Err(Error::input("section .cmdline is empty or begins with white space", hint));
    }
    Ok(trimmed.to_owned())
}

/// What the stub joins to one initramfs, in its order.
fn initrd_parts<'a>(pe: &Pe<'a>, stub_version: u32) -> Result<Vec<std::borrow::Cow<'a, [u8]>>> {
    let mut parts = Vec::new();
    for name in [".ucode", ".initrd"] {
        parts.extend(contents(pe, name)?.map(Into::into));
    }
    let mut files = vec![(".pcrpkey", "tpm2-pcr-public-key.pem")];
    if stub_version >= FIRST_STUB_WITH_OS_RELEASE {
        files.push((".osrel", "os-release"));
    }
    for (section, file) in files {
        parts.extend(contents(pe, section)?.map(|data| literal(file, data).into()));
    }
    Ok(parts)
}

/// Each part is padded with zeros to four bytes, but a single one is handed on as it is.
fn initrd_digest(parts: &[std::borrow::Cow<'_, [u8]>]) -> Sha256 {
    const ZEROS: [u8; ALIGNMENT] = [0; ALIGNMENT];
    if let [only] = parts {
        return Sha256::of(only);
    }
    let padded: Vec<&[u8]> = parts
        .iter()
        .flat_map(|part| [part.as_ref(), &ZEROS[..part.len().next_multiple_of(ALIGNMENT) - part.len()]])
        .collect();
    Sha256::of_parts(&padded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pcr::extend;
    use crate::pe::testpe;
    use crate::secure_boot::{digest_list, signature_list};

    fn uki(version: &str, cmdline: &[u8], initrd: &[u8], extra: &[(&str, &[u8])]) -> Vec<u8> {
        let magic = format!("#### LoaderInfo: systemd-stub {version} ####");
        let kernel = testpe::build(&[(".text", b"kernel")]);
        let mut sections: Vec<(&str, &[u8])> = vec![
            (".text", b"stub"),
            (".sdmagic", magic.as_bytes()),
            (".osrel", b"ID=vitrine\n"),
            (".cmdline", cmdline),
            (".initrd", initrd),
        ];
        sections.extend(extra);
        sections.push((".linux", &kernel));
        testpe::build(&sections)
    }

    fn variables() -> Variables {
        let list = |der: &[u8]| signature_list([9; 16], der);
        Variables { pk: list(b"pk"), kek: list(b"kek"), db: list(b"db"), dbx: vec![] }
    }

    fn plain() -> Vec<u8> {
        uki("257.1", b"audit=0 quiet", b"initramfs", &[])
    }

    fn value(uki: &[u8], platform: Platform, pcr: Pcr) -> Sha256 {
        predict(uki, Some(&variables())).unwrap().platforms[&platform].pcrs.get(pcr).unwrap()
    }

    fn fold(digests: &[Sha256]) -> Sha256 {
        digests.iter().fold(Sha256::ZERO, |value, digest| extend(value, *digest))
    }

    #[test]
    fn events_lead_to_the_values() {
        for boot in predict(&plain(), Some(&variables())).unwrap().platforms.values() {
            let mut replayed = PcrValues::default();
            for event in &boot.events {
                replayed.extend(event.pcr, event.digest);
            }
            for pcr in [Pcr::BOOT_LOADER, Pcr::SECURE_BOOT, Pcr::KERNEL_INPUTS, Pcr::UKI_SECTIONS] {
                assert_eq!(replayed.get(pcr), boot.pcrs.get(pcr));
            }
            for zero in [Pcr::KERNEL_OVERRIDES, Pcr::EXTENSIONS, Pcr::FUSE] {
                assert_eq!(boot.pcrs.get(zero), Some(Sha256::ZERO));
            }
            assert_eq!(boot.pcrs.0.len(), 7);
        }
    }

    #[test]
    fn pcr4_holds_the_kernel_only_without_secure_boot_and_with_old_stubs() {
        let bytes = plain();
        let (image, kernel) =
            (authenticode(&bytes).unwrap(), authenticode(&testpe::build(&[(".text", b"kernel")])).unwrap());
        let start = [Sha256::of(CALLING), Sha256::of(SEPARATOR), image];
        assert!(start[0].to_string().starts_with("3d6772b4f84ed475"));
        assert_eq!(value(&bytes, Platform::SecureBoot, Pcr::BOOT_LOADER), fold(&start));
        assert_eq!(
            value(&bytes, Platform::NoSecureBoot, Pcr::BOOT_LOADER),
            fold(&[start[0], start[1], start[2], kernel])
        );
        let newer = uki("258", b"audit=0 quiet", b"initramfs", &[]);
        assert_eq!(
            value(&newer, Platform::NoSecureBoot, Pcr::BOOT_LOADER),
            value(&newer, Platform::SecureBoot, Pcr::BOOT_LOADER)
        );
    }

    #[test]
    fn pcr7() {
        let bytes = plain();
        assert_eq!(
            value(&bytes, Platform::NoSecureBoot, Pcr::SECURE_BOOT).to_string(),
            "65caf8dd1e0ea7a6347b635d2b379c93b9a1351edc2afc3ecda700e534eb3068"
        );
        let variables = variables();
        let prediction = predict(&bytes, Some(&variables)).unwrap();
        let of_7: Vec<_> =
            prediction.platforms[&Platform::SecureBoot].events.iter().filter(|e| e.pcr == Pcr::SECURE_BOOT).collect();
        assert_eq!(of_7.len(), 7);
        let entry = variables.db_entries().unwrap()[0];
        assert_eq!(variables.pcr7(&entry), value(&bytes, Platform::SecureBoot, Pcr::SECURE_BOOT));
        assert_eq!((of_7[5].what.as_str(), of_7[5].digest), ("separator", Sha256::of(SEPARATOR)));
        assert!(!predict(&bytes, None).unwrap().platforms.contains_key(&Platform::SecureBoot));
        let unusable = Variables { db: vec![], ..variables };
        assert!(predict(&bytes, Some(&unusable)).is_err());
    }

    /// A digest in dbx changes one event of PCR 7, and nothing else of any boot.
    #[test]
    fn a_revocation_changes_one_event() {
        let revoked = Variables { dbx: digest_list([9; 16], &[Sha256([5; 32])]), ..variables() };
        let before = predict(&plain(), Some(&variables())).unwrap();
        let after = predict(&plain(), Some(&revoked)).unwrap();
        assert_eq!(before.platforms[&Platform::NoSecureBoot], after.platforms[&Platform::NoSecureBoot]);
        let (before, after) = (&before.platforms[&Platform::SecureBoot], &after.platforms[&Platform::SecureBoot]);
        assert_eq!(before.events.len(), after.events.len());
        let differ: Vec<_> = before.events.iter().zip(&after.events).filter(|(b, a)| b != a).map(|(_, a)| a).collect();
        assert!(matches!(differ[..], [one] if one.what == "Secure Boot variable dbx"), "{differ:?}");
        let registers: Vec<_> = after.pcrs.0.iter().filter(|(pcr, v)| before.pcrs.get(**pcr) != Some(**v)).collect();
        assert!(matches!(registers[..], [(&Pcr::SECURE_BOOT, _)]), "{registers:?}");
    }

    #[test]
    fn pcr9_command_line() {
        let of = |cmdline: &[u8]| value(&uki("257", cmdline, b"i", &[]), Platform::SecureBoot, Pcr::KERNEL_INPUTS);
        assert_eq!(of(b"audit=0\nquiet \n\0junk"), of(b"audit=0 quiet"));
        assert_ne!(of(b"audit=0 quiet"), of(b"audit=0  quiet"));
        for bad in [&b" quiet"[..], b"\n", b"\0quiet", "grün".as_bytes()] {
            assert!(predict(&uki("257", bad, b"i", &[]), None).is_err());
        }
        assert_eq!(predict(&plain(), None).unwrap().cmdline, "audit=0 quiet");
    }

    #[test]
    fn pcr9_initramfs() {
        let options: Vec<u8> = "quiet\0".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let expect = |bytes: &[u8], initrd: &[&[u8]]| {
            let wanted = fold(&[Sha256::of(&options), Sha256::of_parts(initrd)]);
            assert_eq!(value(bytes, Platform::SecureBoot, Pcr::KERNEL_INPUTS), wanted);
        };
        let os_release = literal("os-release", b"ID=vitrine\n");
        let key = literal("tpm2-pcr-public-key.pem", b"key");
        expect(&uki("252", b"quiet", b"12345", &[]), &[b"12345"]);
        expect(&uki("257", b"quiet", b"12345", &[]), &[b"12345", &[0; 3], &os_release]);
        expect(&uki("257", b"quiet", b"12345678", &[]), &[b"12345678", &os_release]);
        let all: [(&str, &[u8]); 2] = [(".ucode", b"abc"), (".pcrpkey", b"key")];
        expect(&uki("257", b"quiet", b"1234", &all), &[b"abc\0", b"1234", &key, &os_release]);
    }

    #[test]
    fn pcr11_is_in_the_order_of_the_stub_not_of_the_file() {
        let bytes = uki("257", b"quiet", b"i", &[(".uname", b"6.12")]);
        let prediction = predict(&bytes, None).unwrap();
        let names: Vec<_> = prediction.platforms[&Platform::NoSecureBoot]
            .events
            .iter()
            .filter(|e| e.pcr == Pcr::UKI_SECTIONS)
            .map(|e| e.what.as_str())
            .step_by(2)
            .collect();
        assert_eq!(
            names,
            [".linux", ".osrel", ".cmdline", ".initrd", ".uname"].map(|n| format!("name of section {n}"))
        );
        // 252 has no .uname in its list: an image with one is refused, not predicted without it
        assert!(predict(&uki("252", b"quiet", b"i", &[(".uname", b"6.12")]), None).is_err());
    }

    #[test]
    fn every_byte_of_the_image_counts() {
        let bytes = plain();
        let base = predict(&bytes, None).unwrap();
        for at in (testpe::HEADERS..bytes.len()).step_by(97) {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            if let Ok(other) = predict(&changed, None) {
                assert_ne!(other.authenticode, base.authenticode, "byte {at}");
            }
        }
    }
}
