//! One rule: a program for the kernel's virtual machine, followed from register to comparison.

use super::fields::{list, Fields};
use super::names;
use super::refuse;
use std::net::{Ipv4Addr, Ipv6Addr};
use vitrine_attest::Result;

/// What the register holds.
#[derive(Debug, PartialEq, Eq)]
enum Register<'a> {
    Empty,
    Meta(u32),
    Connection(u32),
    /// Base, offset, length.
    Payload(u32, u32, u32),
    /// `loaded & mask`
    Masked(Box<Register<'a>>, &'a [u8]),
    Value(&'a [u8]),
}

/// A rule that is being read.
struct Reading<'a> {
    register: Register<'a>,
    words: Vec<String>,
    /// NFPROTO and IP protocol that the rule has asked for, with the place of the word that says so.
    family: Option<(u8, usize)>,
    protocol: Option<(u8, usize)>,
    finished: bool,
}

/// The text of NFTA_RULE_EXPRESSIONS.
pub fn text(expressions: &[u8]) -> Result<String> {
    let mut reading =
        Reading { register: Register::Empty, words: vec![], family: None, protocol: None, finished: false };
    for (element, expression) in list(expressions, "rule")? {
        let mut fields = Fields::read(expression, "expression")?;
        let (name, data) = (fields.name(1)?, fields.bytes(2)?);
        fields.end()?;
        if element != 1 || reading.finished {
            return refuse(format_args!("a rule goes on after its end with {name}"));
        }
        let mut data = Fields::read(data, "expression data")?;
        reading.expression(name, &mut data)?;
        data.end()?;
    }
    if !reading.finished {
        return refuse("a rule does nothing");
    }
    let words = reading.words.into_iter().filter(|word| !word.is_empty());
    Ok(words.collect::<Vec<_>>().join(" "))
}

impl<'a> Reading<'a> {
    fn expression(&mut self, name: &str, data: &mut Fields<'a>) -> Result<()> {
        match name {
            "meta" if data.has(3) => self.set_mark(data),
            "meta" => self.load(data, Fields::only_key, Register::Meta),
            "ct" if data.has(4) => self.set_connection_mark(data),
            "ct" => self.load(data, Fields::only_key, Register::Connection),
            "payload" => {
                self.load(data, Fields::range, |(base, offset, length)| Register::Payload(base, offset, length))
            }
            "bitwise" => self.mask(data),
            "cmp" => self.compare(data),
            "immediate" => self.immediate(data),
            "exthdr" => self.segment_size(data),
            "notrack" => self.end("notrack"),
            "masq" if data.has(1) => match data.number(1)? {
                0x10 => self.end("masquerade fully-random"),
                other => refuse(format_args!("a rule masquerades with the unknown flags {other:#x}")),
            },
            "masq" => self.end("masquerade"),
            other => refuse(format_args!("a rule holds the unknown expression {other}")),
        }
    }

    fn end(&mut self, word: impl Into<String>) -> Result<()> {
        self.words.push(word.into());
        self.finished = true;
        Ok(())
    }

    /// Attribute 1 is the register.
    fn load<T>(
        &mut self,
        data: &mut Fields<'a>,
        read: impl Fn(&mut Fields<'a>) -> Result<T>,
        make: impl Fn(T) -> Register<'a>,
    ) -> Result<()> {
        first_register(data.number(1)?)?;
        self.register = make(read(data)?);
        Ok(())
    }

    fn mask(&mut self, data: &mut Fields<'a>) -> Result<()> {
        first_register(data.number(1)?)?;
        first_register(data.number(2)?)?;
        let length = data.number(3)?;
        let (mask, xor) = (value(data, 4)?, value(data, 5)?);
        let whole = |bytes: &[u8]| u32::try_from(bytes.len()) == Ok(length);
        if !whole(mask) || !whole(xor) || xor.iter().any(|&byte| byte != 0) {
            return refuse("a rule calculates with a packet in an unknown way");
        }
        let loaded = std::mem::replace(&mut self.register, Register::Empty);
        self.register = Register::Masked(Box::new(loaded), mask);
        Ok(())
    }

    fn immediate(&mut self, data: &mut Fields<'a>) -> Result<()> {
        match data.number(1)? {
            0 => self.verdict(data),
            other => {
                first_register(other)?;
                self.register = Register::Value(value(data, 2)?);
                Ok(())
            }
        }
    }

    fn verdict(&mut self, data: &mut Fields<'a>) -> Result<()> {
        let mut inner = data.nested(2)?;
        let mut verdict = inner.nested(2)?;
        inner.end()?;
        let code = verdict.number(1)?;
        verdict.end()?;
        match code {
            0 => self.end("drop"),
            1 => self.end("accept"),
            other => refuse(format_args!("a rule ends in the unknown verdict {other}")),
        }
    }

    fn set_mark(&mut self, data: &mut Fields<'a>) -> Result<()> {
        let (key, register) = (data.number(2)?, data.number(3)?);
        first_register(register)?;
        match (key, &self.register) {
            (3, Register::Connection(3)) => self.end("meta mark set ct mark"),
            _ => refuse(format_args!("a rule sets meta {key} in an unknown way")),
        }
    }

    fn set_connection_mark(&mut self, data: &mut Fields<'a>) -> Result<()> {
        let (key, register) = (data.number(2)?, data.number(4)?);
        first_register(register)?;
        match (key, &self.register) {
            (3, Register::Value(value)) => match <[u8; 4]>::try_from(*value) {
                Ok(mark) => self.end(format!("ct mark set {}", u32::from_ne_bytes(mark))),
                Err(_) => refuse("a rule sets a mark that is no number"),
            },
            _ => refuse(format_args!("a rule sets ct {key} in an unknown way")),
        }
    }

    fn segment_size(&mut self, data: &mut Fields<'a>) -> Result<()> {
        let option = (data.bytes(2)?, data.number(3)?, data.number(4)?, data.number(6)?);
        first_register(data.number(7)?)?;
        match (option, &self.register) {
            ((&[2], 2, 2, 1), Register::Value([high, low])) => {
                let size = u16::from_be_bytes([*high, *low]);
                self.end(format!("tcp option maxseg size set {size}"))
            }
            _ => refuse("a rule changes a header in an unknown way"),
        }
    }

    fn compare(&mut self, data: &mut Fields<'a>) -> Result<()> {
        first_register(data.number(1)?)?;
        let operator = data.number(2)?;
        let value = value(data, 3)?;
        let word = match std::mem::replace(&mut self.register, Register::Empty) {
            Register::Meta(key) if operator == 0 => self.meta(key, value)?,
            Register::Connection(1) if operator == 0 && value == [0] => "ct direction original".into(),
            Register::Connection(1) if operator == 0 && value == [1] => "ct direction reply".into(),
            Register::Payload(1, offset, length) => self.address(offset, length, None, operator, value)?,
            Register::Payload(2, offset, length) if operator == 0 => self.header(offset, length, value)?,
            Register::Masked(loaded, mask) => match (*loaded, mask, operator) {
                (Register::Payload(1, offset, length), _, _) => {
                    self.address(offset, length, Some(mask), operator, value)?
                }
                (Register::Payload(2, 13, 1), [0x06], 0) if value == [0x02] => {
                    self.needs_protocol(&[6])?;
                    "tcp flags & (syn | rst) == syn".into()
                }
                (Register::Connection(0), mask, 1) if mask == 6_u32.to_ne_bytes() && value == [0; 4] => {
                    "ct state established,related".into()
                }
                other => return refuse(format_args!("a rule asks for something unknown: {other:?}")),
            },
            other => return refuse(format_args!("a rule asks for something unknown: {other:?}")),
        };
        self.words.push(word);
        Ok(())
    }

    fn meta(&mut self, key: u32, value: &[u8]) -> Result<String> {
        let place = self.words.len();
        Ok(match (key, value) {
            (6, name) => format!("iifname {}", interface(name)?),
            (7, name) => format!("oifname {}", interface(name)?),
            (10, user) => match <[u8; 4]>::try_from(user) {
                Ok(user) => format!("meta skuid {}", u32::from_ne_bytes(user)),
                Err(_) => return refuse("a rule asks for a user that is no number"),
            },
            (15, [family @ (2 | 10)]) => {
                self.family = Some((*family, place));
                format!("meta nfproto {}", if *family == 2 { "ipv4" } else { "ipv6" })
            }
            (16, [protocol]) => {
                self.protocol = Some((*protocol, place));
                format!("meta l4proto {protocol}")
            }
            _ => return refuse(format_args!("a rule asks for meta {key}, which is unknown")),
        })
    }

    /// The rule has asked for one of these protocols; a more exact word makes that one superfluous.
    fn needs_protocol(&mut self, wanted: &[u8]) -> Result<u8> {
        match self.protocol {
            Some((protocol, place)) if wanted.contains(&protocol) => {
                self.words[place].clear();
                Ok(protocol)
            }
            _ => refuse("a rule reads a header without asking for its protocol"),
        }
    }

    fn needs_family(&mut self, wanted: u8) -> Result<()> {
        match self.family {
            Some((family, place)) if family == wanted => {
                self.words[place].clear();
                Ok(())
            }
            _ => refuse("a rule reads an address without asking for its family"),
        }
    }

    fn header(&mut self, offset: u32, length: u32, value: &[u8]) -> Result<String> {
        let protocol = self.needs_protocol(&[1, 6, 17, 58])?;
        let name = if protocol == 6 { "tcp" } else { "udp" };
        Ok(match (protocol, offset, length, value) {
            (6 | 17, 0, 2, [high, low]) => format!("{name} sport {}", u16::from_be_bytes([*high, *low])),
            (6 | 17, 2, 2, [high, low]) => format!("{name} dport {}", u16::from_be_bytes([*high, *low])),
            (1, 0, 1, [kind]) => {
                self.needs_family(2)?;
                format!("icmp type {}", names::icmp(*kind))
            }
            (58, 0, 1, [kind]) => {
                self.needs_family(10)?;
                format!("icmpv6 type {}", names::icmp6(*kind))
            }
            _ => return refuse("a rule reads an unknown part of a header"),
        })
    }

    fn address(
        &mut self,
        offset: u32,
        length: u32,
        mask: Option<&[u8]>,
        operator: u32,
        value: &[u8],
    ) -> Result<String> {
        let (family, side) = match (offset, length) {
            (12, 4) => ("ip", "saddr"),
            (16, 4) => ("ip", "daddr"),
            (8, 16) => ("ip6", "saddr"),
            (24, 16) => ("ip6", "daddr"),
            _ => return refuse("a rule reads an unknown part of the IP header"),
        };
        self.needs_family(if family == "ip" { 2 } else { 10 })?;
        let not = match operator {
            0 => "",
            1 => "!= ",
            other => return refuse(format_args!("a rule compares an address in the unknown way {other}")),
        };
        let address = match (<[u8; 4]>::try_from(value), <[u8; 16]>::try_from(value)) {
            (Ok(four), _) if length == 4 => Ipv4Addr::from(four).to_string(),
            (_, Ok(sixteen)) if length == 16 => Ipv6Addr::from(sixteen).to_string(),
            _ => return refuse("a rule compares an address with something else"),
        };
        let prefix = match mask {
            None => String::new(),
            Some(mask) => format!("/{}", prefix(mask, value)?),
        };
        Ok(format!("{family} {side} {not}{address}{prefix}"))
    }
}

impl<'a> Fields<'a> {
    fn only_key(&mut self) -> Result<u32> {
        self.number(2)
    }

    fn range(&mut self) -> Result<(u32, u32, u32)> {
        Ok((self.number(2)?, self.number(3)?, self.number(4)?))
    }
}

/// Length of the prefix that a mask leaves; the value has nothing beyond it.
fn prefix(mask: &[u8], value: &[u8]) -> Result<u32> {
    let ones: u32 = mask.iter().map(|byte| byte.leading_ones()).sum();
    let set: u32 = mask.iter().map(|byte| byte.count_ones()).sum();
    let gap = mask.windows(2).any(|pair| pair[0] != 0xff && pair[1] != 0);
    let beyond = mask.len() != value.len() || mask.iter().zip(value).any(|(mask, byte)| byte & !mask != 0);
    match ones != set || gap || beyond {
        true => refuse("a rule compares an address with no network"),
        false => Ok(ones),
    }
}

/// 16 bytes: a name with its padding; fewer: the beginning of names.
fn interface(value: &[u8]) -> Result<String> {
    let name: Vec<u8> = value.iter().copied().take_while(|&byte| byte != 0).collect();
    let padding = value.get(name.len()..).unwrap_or_default();
    let whole = value.len() == 16 && !padding.is_empty() && padding.iter().all(|&byte| byte == 0);
    let plain = !name.is_empty() && name.iter().all(u8::is_ascii_alphanumeric);
    match String::from_utf8(name) {
        Ok(name) if plain && whole => Ok(format!("\"{name}\"")),
        Ok(name) if plain && padding.is_empty() && value.len() < 16 => Ok(format!("\"{name}*\"")),
        _ => refuse("a rule names no interface"),
    }
}

/// NFTA_DATA_VALUE inside an attribute.
fn value<'a>(data: &mut Fields<'a>, kind: u16) -> Result<&'a [u8]> {
    let mut inner = data.nested(kind)?;
    let value = inner.bytes(1)?;
    inner.end()?;
    Ok(value)
}

fn first_register(number: u32) -> Result<()> {
    match number {
        1 => Ok(()),
        other => refuse(format_args!("a rule uses register {other}")),
    }
}
