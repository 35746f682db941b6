//! One line that names what a server runs: `vitrine1:<64 hex>`.

use crate::Sha256;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// SHA-256 over a domain string, the image's Authenticode digest and the configuration's digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint(pub Sha256);

impl Fingerprint {
    /// `authenticode` is the digest that the firmware checks and measures into PCR 4: signing does not change it.
    pub fn new(authenticode: Sha256, config_digest: Sha256) -> Self {
        Self(Sha256::of_parts(&[b"vitrine fingerprint v1\0", &authenticode.0, &config_digest.0]))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "vitrine1:{}", self.0)
    }
}

impl FromStr for Fingerprint {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix("vitrine1:").ok_or("a fingerprint begins with \"vitrine1:\"")?;
        digits.parse().map(Self)
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> String {
        fingerprint.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form() {
        let fingerprint = Fingerprint::new(Sha256::of(b"a"), Sha256::of(b"b"));
        assert_eq!(fingerprint.to_string().parse::<Fingerprint>().unwrap(), fingerprint);
        assert_ne!(fingerprint, Fingerprint::new(Sha256::of(b"b"), Sha256::of(b"a")));
        assert!("vitrine2:00".parse::<Fingerprint>().is_err());
    }
}
