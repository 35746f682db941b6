//! A value in every form in which somebody might have written it down.

use super::canary::{Canary, Value};
use crate::scan::{Needle, SHORTEST};
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use base64::Engine as _;
use std::net::{IpAddr, Ipv6Addr};
use vitrine_attest::digest::hex;

/// How a value was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// As in a packet.
    Raw,
    /// Byte for byte the other way round.
    Reversed,
    /// Each 32-bit word the other way round: an address in the host's order.
    ReversedWords,
    /// As people write it, in either case.
    Text,
    /// An IPv6 address with all its digits.
    LongText,
    /// Text of two bytes a letter.
    Utf16,
    /// DNS: each label with its length before it (RFC 1035 §3.1), in either case.
    Wire,
    /// The name under in-addr.arpa or ip6.arpa (RFC 1035 §3.5, RFC 3596 §2.5), as text or in wire form.
    PtrText,
    PtrWire,
    /// Digits in either case.
    Hex,
    /// The text in hex.
    HexOfText,
    /// Wherever it begins in a longer text: three alignments, two alphabets.
    Base64,
    Base64OfText,
    /// Part of a client's TAI64N timestamp (WireGuard §5.4.2).
    Tai64,
}

impl Form {
    pub const ALL: [Self; 14] = [
        Self::Raw,
        Self::Reversed,
        Self::ReversedWords,
        Self::Text,
        Self::LongText,
        Self::Utf16,
        Self::Wire,
        Self::PtrText,
        Self::PtrWire,
        Self::Hex,
        Self::HexOfText,
        Self::Base64,
        Self::Base64OfText,
        Self::Tai64,
    ];
}

/// All that can be told from chance; see [`SHORTEST`].
pub fn forms(canary: &Canary) -> Vec<(Form, Needle)> {
    let mut forms = Forms(Vec::new());
    match &canary.value {
        Value::Address(IpAddr::V6(address)) => forms.address6(*address),
        Value::Address(IpAddr::V4(address)) => {
            // Four bytes are not looked for: they stand in every fourth memory of a gibibyte by chance
            forms.text(&address.to_string());
            let [a, b, c, d] = address.octets();
            forms.pointer(&[d, c, b, a].map(|octet| octet.to_string()), "in-addr");
            forms.any_case(Form::Hex, hex(&address.octets()).as_bytes());
        }
        Value::Pair(from, to) => {
            let bytes = [from.octets(), to.octets()].concat();
            forms.exact(Form::Raw, &bytes);
            forms.exact(Form::Reversed, &reversed(&bytes));
            forms.exact(Form::ReversedWords, &reversed_words(&bytes));
        }
        Value::Bytes(bytes) => {
            forms.bytes(bytes);
            forms.base64(Form::Base64OfText, hex(bytes).as_bytes());
            forms.utf16(&hex(bytes));
            forms.exact(Form::ReversedWords, &reversed_words(bytes));
        }
        Value::Text(text) => forms.text(text),
        Value::Name(name) => forms.name(name),
        Value::Time(seconds) => forms.exact(Form::Tai64, &tai64(*seconds)),
    }
    forms.0
}

/// As our client (boringtun) counts: from 2^62, and with the leap seconds until 2017.
fn tai64(seconds: u64) -> [u8; 8] {
    ((1 << 62) + 37 + seconds).to_be_bytes()
}

struct Forms(Vec<(Form, Needle)>);

impl Forms {
    /// Without zeros at the begin, which a search in memory cannot tell from an empty page's.
    fn push(&mut self, form: Form, bytes: &[u8], any_case: bool) {
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        let bytes = &bytes[zeros..];
        if bytes.len() >= SHORTEST {
            self.0.push((form, Needle { bytes: bytes.to_vec(), any_case }));
        }
    }

    fn exact(&mut self, form: Form, bytes: &[u8]) {
        self.push(form, bytes, false);
    }

    fn any_case(&mut self, form: Form, bytes: &[u8]) {
        self.push(form, bytes, true);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.exact(Form::Raw, bytes);
        self.exact(Form::Reversed, &reversed(bytes));
        self.any_case(Form::Hex, hex(bytes).as_bytes());
        self.base64(Form::Base64, bytes);
    }

    fn address6(&mut self, address: Ipv6Addr) {
        let bytes = address.octets();
        self.bytes(&bytes);
        self.exact(Form::ReversedWords, &reversed_words(&bytes));
        self.text(&address.to_string());
        let long: Vec<String> = address.segments().iter().map(|segment| format!("{segment:04x}")).collect();
        self.any_case(Form::LongText, long.join(":").as_bytes());
        let nibbles: Vec<String> = hex(&bytes).chars().rev().map(String::from).collect();
        self.pointer(&nibbles, "ip6");
    }

    fn pointer(&mut self, labels: &[String], zone: &str) {
        let name = format!("{}.{zone}.arpa", labels.join("."));
        self.any_case(Form::PtrText, name.as_bytes());
        self.any_case(Form::PtrWire, &wire(&name));
    }

    fn text(&mut self, text: &str) {
        self.any_case(Form::Text, text.as_bytes());
        self.utf16(text);
        self.any_case(Form::HexOfText, hex(text.as_bytes()).as_bytes());
        self.base64(Form::Base64OfText, text.as_bytes());
    }

    /// The random label alone: it stands in every longer form of the name.
    fn name(&mut self, name: &str) {
        let label = name.split('.').next().unwrap_or_default();
        self.text(label);
        self.any_case(Form::Wire, &wire(name));
        self.any_case(Form::Reversed, &reversed(label.as_bytes()));
    }

    fn utf16(&mut self, text: &str) {
        let wide = |text: String| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        self.any_case(Form::Utf16, &wide(text.to_lowercase()));
    }

    /// In a longer base64 text the bytes begin at one of three places; characters that hold bits of neighbours are left
    /// out (RFC 4648 §4, §5).
    fn base64(&mut self, form: Form, bytes: &[u8]) {
        let mut seen = std::collections::BTreeSet::new();
        for before in 0..3 {
            let padded = [&[0; 2][..before], bytes].concat();
            let (from, to) = ((before * 8).div_ceil(6), padded.len() * 8 / 6);
            for engine in [STANDARD, URL_SAFE] {
                let text = engine.encode(&padded);
                seen.insert(text.as_bytes()[from..to].to_vec());
            }
        }
        seen.iter().for_each(|text| self.exact(form, text));
    }
}

fn reversed(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().rev().copied().collect()
}

fn reversed_words(bytes: &[u8]) -> Vec<u8> {
    bytes.chunks(4).flat_map(|word| word.iter().rev().copied()).collect()
}

fn wire(name: &str) -> Vec<u8> {
    let labels = name.split('.').map(str::as_bytes);
    labels.flat_map(|label| [&[label.len() as u8], label].concat()).collect()
}
