//! What init and agent tell each other: one JSON object a line.
//! ```text
//! init→agent  {"config_digest":"…","wg_pub":"…","channel_pub":"…","image_id":"exit 0.1.0 …","facts":{…},
//!              "port":8787,"firmware_log":"…"}      with "measured_already":true for an agent started again
//! agent→init  {"measured":true} · {"failed":"<fixed code>"}
//! init→agent  {"serve":true}
//! agent→init  {"order":"<base64>"}
//! init→agent  {"accepted":true} · {"accepted":false,"code":"<fixed code>"}
//! ```

use crate::stop::{OrStop, Step};
use serde::{Deserialize, Serialize};
use vitrine_attest::boot::BootFacts;
use vitrine_attest::digest::{base64_bytes, Key32};
use vitrine_attest::Sha256;

/// The first line. It stays in RAM for an agent that has to be started again.
#[derive(Debug, Clone, Serialize)]
pub struct Introduction {
    pub config_digest: Sha256,
    pub wg_pub: Key32,
    pub channel_pub: Key32,
    pub image_id: String,
    pub facts: BootFacts,
    pub port: u16,
    #[serde(with = "base64_bytes")]
    pub firmware_log: Vec<u8>,
    /// An agent of this boot has extended PCR 15; a second time would make all evidence worthless.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub measured_already: bool,
}

/// What the agent says.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FromAgent {
    Measured(bool),
    /// A TPM step failed. The code is not looked at: it ends the boot whatever it is.
    Failed(serde::de::IgnoredAny),
    /// A sealed order, untouched.
    Order(#[serde(with = "base64_bytes")] Vec<u8>),
}

impl FromAgent {
    pub fn parse(line: &[u8]) -> Step<Self> {
        serde_json::from_slice(line).or_stop("agent-line")
    }
}

/// What init says after the introduction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToAgent {
    Serve,
    Accepted,
    /// With a fixed code: it says what kind of thing was wrong, never which peer or network.
    Refused(&'static str),
}

impl ToAgent {
    pub fn line(self) -> Vec<u8> {
        match self {
            Self::Serve => b"{\"serve\":true}\n".to_vec(),
            Self::Accepted => b"{\"accepted\":true}\n".to_vec(),
            Self::Refused(code) => [br#"{"accepted":false,"code":""#, code.as_bytes(), b"\"}\n"].concat(),
        }
    }
}

impl Introduction {
    pub fn line(&self) -> Step<Vec<u8>> {
        let mut line = serde_json::to_vec(self).or_stop("introduction")?;
        line.push(b'\n');
        Ok(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stop::Stop;

    #[test]
    fn introduction() {
        let mut introduction = Introduction {
            config_digest: Sha256::ZERO,
            wg_pub: Key32([1; 32]),
            channel_pub: Key32([2; 32]),
            image_id: "exit 1 x".into(),
            facts: BootFacts::sealed(),
            port: 8787,
            firmware_log: b"log".to_vec(),
            measured_already: false,
        };
        let line = String::from_utf8(introduction.line().unwrap()).unwrap();
        assert!(line.ends_with(",\"port\":8787,\"firmware_log\":\"bG9n\"}\n"), "{line}");
        introduction.measured_already = true;
        assert!(introduction.line().unwrap().ends_with(b",\"measured_already\":true}\n"));
    }

    #[test]
    fn answers() {
        assert_eq!(FromAgent::parse(br#"{"measured":true}"#), Ok(FromAgent::Measured(true)));
        assert!(matches!(FromAgent::parse(br#"{"failed":"no-ek"}"#), Ok(FromAgent::Failed(_))));
        assert_eq!(FromAgent::parse(br#"{"order":"AQI="}"#), Ok(FromAgent::Order(vec![1, 2])));
    }

    #[test]
    fn other_lines_are_refused() {
        for bad in ["", "{}", "[]", r#"{"order":"?"}"#, r#"{"measured":true,"x":1}"#, r#"{"serve":true}"#] {
            assert_eq!(FromAgent::parse(bad.as_bytes()), Err(Stop("agent-line")), "{bad}");
        }
    }

    #[test]
    fn replies_are_json() {
        for reply in [ToAgent::Serve, ToAgent::Accepted, ToAgent::Refused("overlap")] {
            let line = reply.line();
            assert_eq!(line.last(), Some(&b'\n'));
            assert!(serde_json::from_slice::<serde_json::Value>(&line).unwrap().is_object());
        }
    }
}
