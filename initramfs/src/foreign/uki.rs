//! A unified kernel image of any maker: its sections, as far as they can be read (UAPI Group, UKI specification).

use super::Unjudged;
use object::read::pe::PeFile64;
use object::{Object as _, ObjectSection as _};

/// Where findings about the image itself are put.
const PATH: &str = "uki";
/// Most sections that are looked at.
const SECTIONS: usize = 256;

/// The parts of an image that the screen can judge.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uki {
    pub cmdline: Option<String>,
    pub os_release: Option<String>,
    pub kernel: Option<Vec<u8>>,
    /// `.ucode` and `.initrd`, in the order in which the stub hands them on.
    pub initramfs: Vec<u8>,
    pub unjudged: Vec<Unjudged>,
}

/// # Errors
/// In words, when it is no PE file for 64 bits, or none with a kernel or initramfs in it.
pub fn read_uki(bytes: &[u8]) -> Result<Uki, String> {
    let pe = PeFile64::parse(bytes).map_err(|e| e.to_string())?;
    let mut uki = Uki::default();
    let mut seen = Vec::new();
    let mut initrd = Vec::new();
    for section in pe.sections().take(SECTIONS) {
        let Ok(name) = section.name() else { continue };
        if !JUDGED.contains(&name) {
            uki.check_other(name);
            continue;
        }
        let Ok(data) = section.data() else {
            uki.note(format!("section {name} lies outside the file"));
            continue;
        };
        // what is loaded: the file's part of it may be padded
        let data = &data[..data.len().min(usize::try_from(section.size()).unwrap_or(usize::MAX))];
        if seen.contains(&name) && !data.is_empty() {
            uki.note(format!("section {name} is there twice: which one boots depends on the boot menu"));
        }
        seen.push(name);
        match name {
            ".cmdline" => uki.cmdline = Some(text(data)),
            ".osrel" => uki.os_release = Some(text(data)),
            ".linux" => uki.kernel = Some(data.to_vec()),
            ".ucode" => uki.initramfs.extend_from_slice(data),
            _ => initrd.extend_from_slice(data),
        }
    }
    uki.initramfs.resize(uki.initramfs.len().next_multiple_of(4), 0);
    uki.initramfs.extend(initrd);
    match uki.kernel.is_some() || !uki.initramfs.is_empty() {
        true => Ok(uki),
        false => Err("it is a PE file without a kernel or an initramfs".into()),
    }
}

const JUDGED: [&str; 5] = [".cmdline", ".osrel", ".linux", ".ucode", ".initrd"];

impl Uki {
    fn note(&mut self, what: String) {
        self.unjudged.push(Unjudged { rule: "judge.image", path: PATH.into(), what });
    }

    fn check_other(&mut self, name: &str) {
        if name == ".profile" {
            self.note("it has profiles: which of them boots depends on the boot menu".into());
        }
    }
}

/// As the stub reads it: up to a NUL, without white space at the end.
fn text(data: &[u8]) -> String {
    let end = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
    String::from_utf8_lossy(&data[..end]).trim_end().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_image_is_refused() {
        for bytes in [b"".as_slice(), b"MZ", &[0; 4096]] {
            assert!(read_uki(bytes).is_err());
        }
    }
}
