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

#[cfg(test)]
mod tests {
    use super::super::canary::Kind;
    use super::super::memory::Hunt;
    use super::*;
    use std::collections::BTreeSet;

    /// The forms in which a canary is found in these bytes.
    fn found(value: Value, bytes: &[u8]) -> BTreeSet<Form> {
        let hunt = Hunt::new(&[Canary::new(Kind::Payload, value)]).unwrap();
        hunt.in_bytes(bytes).into_iter().map(|copy| copy.form).collect()
    }

    fn only(form: Form) -> BTreeSet<Form> {
        [form].into()
    }

    /// As other programs write it.
    #[test]
    fn an_ipv6_address_in_every_form() {
        let value = || Value::Address("2001:db8:51:9ff6:d03e:febe:9014:9139".parse().unwrap());
        let raw: [u8; 16] = "2001:db8:51:9ff6:d03e:febe:9014:9139".parse::<Ipv6Addr>().unwrap().octets();
        let in_text = |text: &str| found(value(), format!("client {text}]:443").as_bytes());
        assert_eq!(found(value(), &[&[9; 5], &raw[..], &[9; 5]].concat()), only(Form::Raw));
        assert_eq!(in_text("2001:db8:51:9ff6:d03e:febe:9014:9139"), only(Form::Text));
        assert_eq!(in_text("2001:DB8:51:9FF6:D03E:febe:9014:9139"), only(Form::Text));
        assert_eq!(in_text("2001:0db8:0051:9ff6:d03e:febe:9014:9139"), only(Form::LongText));
        assert_eq!(in_text("20010DB800519ff6d03efebe90149139"), only(Form::Hex));
        let pointer = "9.3.1.9.4.1.0.9.e.b.e.f.e.3.0.d.6.f.f.9.1.5.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
        assert_eq!(in_text(pointer), only(Form::PtrText));
        assert_eq!(found(value(), &wire(pointer)), only(Form::PtrWire));
        let reversed: Vec<u8> = raw.iter().rev().copied().collect();
        assert_eq!(found(value(), &reversed), only(Form::Reversed));
        let words: Vec<u8> =
            raw.chunks(4).flat_map(|w| u32::from_be_bytes(w.try_into().unwrap()).to_le_bytes()).collect();
        assert_eq!(found(value(), &words), only(Form::ReversedWords));
        let wide: Vec<u8> = "2001:db8:51:9ff6:d03e:febe:9014:9139".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(found(value(), &wide), only(Form::Utf16));
    }

    /// Wherever it stands in a longer message, and in both alphabets.
    #[test]
    fn base64_at_every_place() {
        let bytes: Vec<u8> = (0..24).map(|at| 0xfb ^ (at * 5)).collect();
        for before in 0..6 {
            for after in 0..4 {
                let message = [vec![b'<'; before], bytes.clone(), vec![b'>'; after]].concat();
                for text in [STANDARD.encode(&message), URL_SAFE.encode(&message)] {
                    assert_eq!(
                        found(Value::Bytes(bytes.clone()), text.as_bytes()),
                        only(Form::Base64),
                        "{before} {after}"
                    );
                }
            }
        }
    }

    #[test]
    fn names_in_any_case_and_in_wire_form() {
        let value = || Value::Name("qzjxkvw7qzjxkvw7qzjxkvw7.any.good.vitrine".into());
        assert_eq!(found(value(), b"GET QZjxkvw7qzJXkvw7qzjxkvw7.any"), only(Form::Text));
        let question = [&wire("qzjxkvw7QZJXKVW7qzjxkvw7.any.good.vitrine"), &[0, 0, 1, 0, 1][..]].concat();
        assert_eq!(found(value(), &question), only(Form::Wire));
        let hex = hex(b"qzjxkvw7qzjxkvw7qzjxkvw7");
        assert_eq!(found(value(), hex.as_bytes()), only(Form::HexOfText));
        let hidden = STANDARD.encode("x=qzjxkvw7qzjxkvw7qzjxkvw7&y");
        assert_eq!(found(value(), hidden.as_bytes()), only(Form::Base64OfText));
    }

    #[test]
    fn ipv4_as_text_and_in_pairs_never_alone() {
        let alone = Value::Address("198.51.100.177".parse().unwrap());
        assert_eq!(found(alone.clone(), &[198, 51, 100, 177, 198, 51, 100, 177]), BTreeSet::new());
        assert_eq!(found(alone.clone(), b"198.51.100.177:80"), only(Form::Text));
        assert_eq!(found(alone, b"177.100.51.198.IN-ADDR.arpa"), only(Form::PtrText));
        let pair = Value::Pair([203, 0, 113, 10].into(), [198, 51, 100, 177].into());
        assert_eq!(found(pair, &[64, 0, 203, 0, 113, 10, 198, 51, 100, 177, 0]), only(Form::Raw));
    }

    /// The stamp of a handshake (TAI64N): seconds from 2^62 on, then nanoseconds.
    #[test]
    fn handshake_times() {
        let stamp = [&((1_u64 << 62) + 37 + 1_763_719_200).to_be_bytes()[..], &[1, 2, 3, 4]].concat();
        assert_eq!(found(Value::Time(1_763_719_200), &stamp), only(Form::Tai64));
        assert_eq!(found(Value::Time(1_763_719_201), &stamp), BTreeSet::new());
    }
}
