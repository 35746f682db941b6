//! The guest's network card.

use std::fmt;
use std::str::FromStr;
use vitrine_attest::{Error, Result};

/// Longest model name that is taken; QEMU's own have up to 30 characters.
const LONGEST: usize = 64;

/// A model of network card, by QEMU's name for it: `virtio-net-pci`, `e1000e`, `vmxnet3` …
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card(String);

impl Default for Card {
    /// What virtual machines usually have.
    fn default() -> Self {
        Self("virtio-net-pci".into())
    }
}

impl FromStr for Card {
    type Err = Error;

    /// A name and nothing more: a comma would begin another option of QEMU's.
    fn from_str(text: &str) -> Result<Self> {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if text.is_empty() || text.len() > LONGEST || !text.chars().all(fits) {
            let what = format!("\"{text}\" is no model of a network card");
            return Err(Error::input(what, "see the list: qemu-system-x86_64 -device help"));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_models() {
        for good in ["virtio-net-pci", "e1000e", "vmxnet3"] {
            assert_eq!(good.parse::<Card>().unwrap().to_string(), good);
        }
        for bad in ["", "e1000e,netdev=x", "a b", "é", &"x".repeat(65)] {
            assert_eq!(bad.parse::<Card>().unwrap_err().exit_code(), 2, "{bad}");
        }
    }
}
