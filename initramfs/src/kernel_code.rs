//! What a kernel holds besides its modules: unpacked, and read for texts, built-in parameters and its configuration.

use crate::decompress::decompress;
use crate::glob;
use crate::modinfo::normal;
use crate::policy::KernelRule;
use memchr::{memchr, memmem};
use std::collections::BTreeSet;

/// Largest kernel after unpacking, in bytes; Debian's has 58 MB, one with all debugging some 300 MB.
const KERNEL_LIMIT: u64 = 512 << 20;
/// Largest configuration, in bytes; Debian's has 280 kB.
const CONFIG_LIMIT: u64 = 4 << 20;
/// Sectors of the real-mode part, where the header says 0 (Documentation/arch/x86/boot.rst, `setup_sects`).
const DEFAULT_SECTORS: usize = 4;
/// Longest name of a module, in bytes (`MODULE_NAME_LEN`).
const NAME: usize = 56;

/// Whether these bytes begin like a bzImage.
pub fn is_bzimage(bytes: &[u8]) -> bool {
    bytes.get(0x202..0x206) == Some(b"HdrS")
}

/// The kernel proper inside a bzImage (boot protocol 2.08, `payload_offset` and `payload_length`).
///
/// # Errors
/// In words: no payload where the header says, damage, or a packer that cannot be read.
pub fn unpack_kernel(bytes: &[u8]) -> Result<Vec<u8>, String> {
    if bytes.starts_with(b"\x7fELF") {
        return Ok(bytes.to_vec());
    }
    let payload = payload(bytes).ok_or("its header names no payload inside the file")?;
    if payload.starts_with(b"\x7fELF") {
        return Ok(payload.to_vec());
    }
    // behind the packed data stands its unpacked length, which the decoder does not need
    decompress(payload, KERNEL_LIMIT).map(|(kernel, _)| kernel)
}

fn payload(bytes: &[u8]) -> Option<&[u8]> {
    if !is_bzimage(bytes) {
        return None;
    }
    let sectors = match *bytes.get(0x1f1)? {
        0 => DEFAULT_SECTORS,
        sectors => usize::from(sectors),
    };
    let number = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize);
    let start = ((sectors + 1) * 512).checked_add(number(0x248)?)?;
    bytes.get(start..start.checked_add(number(0x24c)?)?).filter(|payload| !payload.is_empty())
}

/// Every way in which an unpacked kernel hits the rule.
pub fn kernel_hits(kernel: &[u8], parameters: &BTreeSet<String>, rule: &KernelRule) -> Vec<String> {
    let held = |text: &&String| memmem::find(kernel, text.as_bytes()).is_some();
    let mut hits: Vec<String> = rule.text.iter().filter(held).map(|text| format!("holds the text {text:?}")).collect();
    let matching = |name: &&String| rule.parameters.iter().any(|pattern| glob::matches(pattern, name));
    hits.extend(parameters.iter().filter(matching).map(|name| format!("has {name} built in")));
    hits
}

/// Names of built-in modules, as far as they have parameters: these lie in the kernel as `name.parameter`
/// (include/linux/moduleparam.h, `MODULE_PARAM_PREFIX`).
pub fn parameters(kernel: &[u8]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for dot in memchr::memchr_iter(b'.', kernel) {
        // a text of two words around the dot, from NUL to NUL
        let word = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
        let before = kernel[..dot].iter().rev().take(NAME).take_while(word).count();
        let after = kernel[dot + 1..].iter().take(NAME).take_while(word).count();
        let (start, end) = (dot - before, dot + 1 + after);
        let alone = start > 0 && kernel[start - 1] == 0 && kernel.get(end) == Some(&0);
        if alone {
            names.extend(parameter(&kernel[start..end]).map(normal));
        }
    }
    names
}

fn parameter(text: &[u8]) -> Option<&str> {
    let dot = memchr(b'.', text)?;
    let (name, key) = (&text[..dot], &text[dot + 1..]);
    let word = |bytes: &[u8]| {
        (2..NAME).contains(&bytes.len())
            && bytes[0].is_ascii_alphabetic()
            && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
    };
    (word(name) && word(key)).then(|| std::str::from_utf8(name).ok())?
}

/// The configuration that a kernel may carry (kernel/configs.c, `IKCFG_ST`).
///
/// # Errors
/// In words, when there is one and it cannot be read.
pub fn embedded_config(kernel: &[u8]) -> Option<Result<Vec<u8>, String>> {
    const START: &[u8] = b"IKCFG_ST";
    const GZIP: [u8; 2] = [0x1f, 0x8b];
    let at = memmem::find_iter(kernel, START).find(|at| kernel[at + START.len()..].starts_with(&GZIP))?;
    Some(decompress(&kernel[at + START.len()..], CONFIG_LIMIT).map(|(config, _)| config))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::unpack::{pack, Coding};

    /// A bzImage with this kernel in it.
    pub fn bzimage_with(kernel: &[u8], coding: Coding) -> Vec<u8> {
        let payload = pack(kernel, coding);
        let mut out = crate::fixture::bzimage("6.12-test");
        out.resize(0x600, 0);
        out[0x1f1] = 1;
        out[0x248..0x24c].copy_from_slice(&0x200u32.to_le_bytes());
        out[0x24c..0x250].copy_from_slice(&u32::try_from(payload.len() + 4).unwrap().to_le_bytes());
        out.extend(payload);
        out.extend(u32::try_from(kernel.len()).unwrap().to_le_bytes());
        out
    }

    #[test]
    fn payloads() {
        for coding in [Coding::Gzip, Coding::Xz, Coding::Zstd] {
            let image = bzimage_with(b"\x7fELF kernel", coding);
            assert_eq!(unpack_kernel(&image).unwrap(), b"\x7fELF kernel", "{coding:?}");
            assert!(unpack_kernel(&image[..image.len() - 6]).is_err(), "{coding:?}");
        }
        let mut far = bzimage_with(b"x", Coding::Gzip);
        far[0x248..0x24c].fill(0xff);
        assert!(unpack_kernel(&far).is_err() && unpack_kernel(b"MZ").is_err() && unpack_kernel(b"").is_err());
    }

    #[test]
    fn parameters_and_configuration() {
        let kernel = b"a\0nvme_core.io_timeout\0sd-mod.x\0drivers.c x\0usb_storage.delay_use\0.x\0a.b\0";
        assert_eq!(parameters(kernel).into_iter().collect::<Vec<_>>(), ["nvme_core", "usb_storage"]);
        let config = pack(b"CONFIG_X=y\n", Coding::Gzip);
        let kernel = [b"IKCFG_STx IKCFG_ST".as_slice(), &config, b"IKCFG_ED"].concat();
        assert_eq!(embedded_config(&kernel).unwrap().unwrap(), b"CONFIG_X=y\n");
        assert!(embedded_config(&kernel[..24]).unwrap().is_err());
        assert!(embedded_config(b"IKCFG_ST").is_none());
    }
}
