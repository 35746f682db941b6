//! Tests only: reads a batch back into text in the manner of `nft list ruleset`, independent of the encoder.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// One line per message. Anything unknown makes the test fail.
pub fn decode(mut bytes: &[u8]) -> String {
    let mut text = String::new();
    while !bytes.is_empty() {
        let length = u32::from_ne_bytes(bytes[..4].try_into().unwrap()) as usize;
        let kind = u16::from_ne_bytes(bytes[4..6].try_into().unwrap());
        let family = bytes[16];
        let attributes = attributes(&bytes[20..length]);
        match kind {
            0x10 | 0x11 => assert_eq!((family, &bytes[18..20], length), (0, &[0, 10][..], 20)),
            0x0a00 => writeln!(text, "table {} {}", family_name(family), string(&attributes[&1])).unwrap(),
            0x0a03 => writeln!(text, "{}", chain(&attributes)).unwrap(),
            0x0a06 => writeln!(text, "rule {}: {}", string(&attributes[&2]), rule(&attributes[&4])).unwrap(),
            other => panic!("message {other:#x}"),
        }
        bytes = &bytes[length.next_multiple_of(4)..];
    }
    text
}

fn family_name(family: u8) -> &'static str {
    assert_eq!(family, 1);
    "inet"
}

fn chain(attributes: &BTreeMap<u16, Vec<u8>>) -> String {
    let hook = self::attributes(&attributes[&4]);
    let hook_name = ["prerouting", "input", "forward", "output", "postrouting"][number(&hook[&1]) as usize];
    let policy = ["drop", "accept"][number(&attributes[&5]) as usize];
    let priority = number(&hook[&2]) as i32;
    let (name, kind) = (string(&attributes[&3]), string(&attributes[&7]));
    format!("chain {name}: type {kind} hook {hook_name} priority {priority} policy {policy}")
}

/// Follows the register from load to compare.
fn rule(expressions: &[u8]) -> String {
    let (mut words, mut loaded) = (Vec::new(), String::new());
    for (element, expression) in list(expressions) {
        assert_eq!(element, 1);
        let expression = attributes(&expression);
        let data = attributes(&expression[&2]);
        match string(&expression[&1]).as_str() {
            "meta" => loaded = format!("meta {}", number(&data[&2])),
            "payload" => {
                assert_eq!(number(&data[&2]), 2);
                loaded = format!("payload {} {}", number(&data[&3]), number(&data[&4]));
            }
            "ct" => loaded = format!("ct {}", number(&data[&2])),
            "bitwise" => {
                assert_eq!(value(&data[&5]), [0; 4]);
                let mask = value(&data[&4]);
                loaded += &format!(" & {}", u32::from_ne_bytes(mask.try_into().unwrap()));
            }
            "cmp" => words.push(condition(&loaded, number(&data[&2]), &value(&data[&3]))),
            "immediate" => {
                assert_eq!(number(&data[&1]), 0);
                let verdict = attributes(&attributes(&data[&2])[&2]);
                assert_eq!(number(&verdict[&1]), 1);
                words.push("accept".into());
            }
            verdict @ ("notrack" | "masq") => words.push(verdict.into()),
            other => panic!("expression {other}"),
        }
    }
    words.join(" ")
}

fn condition(loaded: &str, operator: u32, value: &[u8]) -> String {
    match (loaded, operator) {
        ("meta 6", 0) => format!("iifname {}", name(value)),
        ("meta 7", 0) => format!("oifname {}", name(value)),
        ("meta 15", 0) => ["", "", "ip", "", "", "", "", "", "", "", "ip6"][usize::from(value[0])].into(),
        ("meta 16", 0) => match value {
            [6] => "tcp".into(),
            [17] => "udp".into(),
            [1] => "icmp".into(),
            [58] => "icmpv6".into(),
            other => panic!("protocol {other:?}"),
        },
        ("payload 0 2", 0) => format!("sport {}", u16::from_be_bytes(value.try_into().unwrap())),
        ("payload 2 2", 0) => format!("dport {}", u16::from_be_bytes(value.try_into().unwrap())),
        ("payload 0 1", 0) => format!("type {}", value[0]),
        ("ct 0 & 6", 1) => "ct state established,related".into(),
        other => panic!("condition {other:?}"),
    }
}

fn name(value: &[u8]) -> String {
    assert_eq!(value.len(), 16);
    String::from_utf8(value.iter().copied().take_while(|&c| c != 0).collect()).unwrap()
}

/// NFTA_DATA_VALUE.
fn value(data: &[u8]) -> Vec<u8> {
    attributes(data)[&1].clone()
}

fn string(value: &[u8]) -> String {
    String::from_utf8(value.strip_suffix(b"\0").unwrap().to_vec()).unwrap()
}

fn number(value: &[u8]) -> u32 {
    u32::from_be_bytes(value.try_into().unwrap())
}

fn attributes(bytes: &[u8]) -> BTreeMap<u16, Vec<u8>> {
    list(bytes).into_iter().collect()
}

fn list(mut bytes: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let length = usize::from(u16::from_ne_bytes(bytes[..2].try_into().unwrap()));
        let kind = u16::from_ne_bytes(bytes[2..4].try_into().unwrap()) & 0x7fff;
        found.push((kind, bytes[4..length].to_vec()));
        bytes = &bytes[length.next_multiple_of(4)..];
    }
    found
}
