//! PCR indices and values of the SHA-256 bank.

use crate::Sha256;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// A platform configuration register, 0–23 (TCG PC Client Platform TPM Profile, §4.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Pcr(u8);

impl Pcr {
    pub const BOOT_LOADER: Self = Self(4);
    /// Not quoted, see [`crate::gpt_event`].
    pub const BOOT_MEDIUM: Self = Self(5);
    pub const SECURE_BOOT: Self = Self(7);
    pub const KERNEL_INPUTS: Self = Self(9);
    pub const UKI_SECTIONS: Self = Self(11);
    pub const KERNEL_OVERRIDES: Self = Self(12);
    pub const EXTENSIONS: Self = Self(13);
    /// The runtime fuse: zero while clean.
    pub const FUSE: Self = Self(14);
    /// Configuration, keys and boot facts, extended by the image itself.
    pub const RUNTIME: Self = Self(15);

    /// Exactly these are quoted, in this order: no more, no fewer, no others (check V14).
    pub const QUOTED: [Self; 8] = [
        Self::BOOT_LOADER,
        Self::SECURE_BOOT,
        Self::KERNEL_INPUTS,
        Self::UKI_SECTIONS,
        Self::KERNEL_OVERRIDES,
        Self::EXTENSIONS,
        Self::FUSE,
        Self::RUNTIME,
    ];

    pub fn new(index: u8) -> Option<Self> {
        (index < 24).then_some(Self(index))
    }
    pub fn index(self) -> u8 {
        self.0
    }
    /// What this register tells, for people.
    pub fn meaning(self) -> &'static str {
        match self.0 {
            0 => "firmware code",
            1 => "firmware configuration",
            2 => "option ROMs",
            3 => "option ROM configuration",
            4 => "the program that the firmware started",
            5 => "partition table and boot services exit",
            6 => "platform events",
            7 => "Secure Boot state and keys",
            9 => "kernel command line and initramfs",
            10 => "IMA",
            11 => "sections of the boot image",
            12 => "command line and credentials from outside the image",
            13 => "system extensions from outside the image",
            14 => "the runtime fuse",
            15 => "configuration, keys and boot facts",
            _ => "not used here",
        }
    }
    /// The TPM's `pcrSelect` bitmap of [`Self::QUOTED`]: three bytes, bit n of byte m is PCR 8m+n
    /// (TPM 2.0 Part 2, §10.6.1).
    pub fn quoted_bitmap() -> [u8; 3] {
        let mut bitmap = [0; 3];
        for pcr in Self::QUOTED {
            bitmap[usize::from(pcr.0 / 8)] |= 1 << (pcr.0 % 8);
        }
        bitmap
    }
}

impl TryFrom<u8> for Pcr {
    type Error = String;
    fn try_from(index: u8) -> Result<Self, String> {
        Self::new(index).ok_or_else(|| format!("there is no PCR {index}"))
    }
}

impl From<Pcr> for u8 {
    fn from(pcr: Pcr) -> u8 {
        pcr.0
    }
}

impl fmt::Display for Pcr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PCR {}", self.0)
    }
}

/// `ext(p, d) = H(p ‖ d)` (TPM 2.0 Part 1, §17.3).
pub fn extend(value: Sha256, digest: Sha256) -> Sha256 {
    Sha256::of_parts(&[&value.0, &digest.0])
}

/// PCR values by index. In JSON: `{"4": "ab…", "7": "cd…"}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, Sha256>", into = "BTreeMap<String, Sha256>")]
pub struct PcrValues(pub BTreeMap<Pcr, Sha256>);

impl PcrValues {
    pub fn get(&self, pcr: Pcr) -> Option<Sha256> {
        self.0.get(&pcr).copied()
    }
    /// Extends one register, which starts at zero.
    pub fn extend(&mut self, pcr: Pcr, digest: Sha256) {
        let value = self.0.entry(pcr).or_insert(Sha256::ZERO);
        *value = extend(*value, digest);
    }
}

impl TryFrom<BTreeMap<String, Sha256>> for PcrValues {
    type Error = String;
    fn try_from(map: BTreeMap<String, Sha256>) -> Result<Self, String> {
        map.into_iter()
            .map(|(key, value)| {
                let index: u8 = key.parse().map_err(|_| format!("\"{key}\" is no PCR index"))?;
                if index.to_string() != key {
                    return Err(format!("\"{key}\" is no PCR index"));
                }
                Ok((Pcr::try_from(index)?, value))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl From<PcrValues> for BTreeMap<String, Sha256> {
    fn from(values: PcrValues) -> Self {
        values.0.into_iter().map(|(pcr, value)| (pcr.0.to_string(), value)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bitmap_of_the_quoted_registers() {
        assert_eq!(Pcr::quoted_bitmap(), [0b1001_0000, 0b1111_1010, 0]);
    }

    /// The constants of the reference: a register holding only the separator.
    #[test]
    fn separator() {
        let separator = Sha256::of(&[0; 4]);
        assert_eq!(
            extend(Sha256::ZERO, separator).to_string(),
            "3d458cfe55cc03ea1f443f1562beec8df51c75e14a9fcf9a7234a13f198e7969"
        );
    }

    #[test]
    fn json_form() {
        let values: PcrValues = serde_json::from_str(&format!("{{\"4\":\"{}\"}}", Sha256::ZERO)).unwrap();
        assert_eq!(values.get(Pcr::BOOT_LOADER), Some(Sha256::ZERO));
        for bad in ["24", "-1", "04", "x"] {
            assert!(serde_json::from_str::<PcrValues>(&format!("{{\"{bad}\":\"{}\"}}", Sha256::ZERO)).is_err());
        }
    }

    #[test]
    fn written_as_it_is_read() {
        assert_eq!(serde_json::to_string(&Pcr::UKI_SECTIONS).unwrap(), "11");
        let values = PcrValues([(Pcr::BOOT_LOADER, Sha256::ZERO), (Pcr::FUSE, Sha256::ZERO)].into());
        let text = serde_json::to_string(&values).unwrap();
        assert_eq!(text, format!("{{\"14\":\"{0}\",\"4\":\"{0}\"}}", Sha256::ZERO));
        assert_eq!(serde_json::from_str::<PcrValues>(&text).unwrap(), values);
    }
}
