//! Netlink attributes, taken out one by one until none is left.

use super::refuse;
use std::collections::BTreeMap;
use vitrine_attest::Result;

/// The attributes of one message or of one nested attribute: each once, in any order.
pub struct Fields<'a> {
    what: &'static str,
    found: BTreeMap<u16, &'a [u8]>,
}

/// Attributes in their order, which may repeat: a list.
pub fn list<'a>(mut bytes: &'a [u8], what: &'static str) -> Result<Vec<(u16, &'a [u8])>> {
    let mut found = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk() {
        let length = usize::from(u16::from_ne_bytes(*length));
        let (Some(kind), Some(value)) = (rest.first_chunk(), bytes.get(4..length)) else {
            return refuse(format_args!("{what}: an attribute is cut off"));
        };
        // the upper bit says that the value is a list again
        found.push((u16::from_ne_bytes(*kind) & 0x7fff, value));
        let end = length.next_multiple_of(4);
        if bytes.get(length..end).is_some_and(|padding| padding.iter().any(|&byte| byte != 0)) {
            return refuse(format_args!("{what}: something stands in the padding"));
        }
        bytes = bytes.get(end..).unwrap_or_default();
    }
    match bytes {
        [] => Ok(found),
        _ => refuse(format_args!("{what}: an attribute is cut off")),
    }
}

impl<'a> Fields<'a> {
    pub fn read(bytes: &'a [u8], what: &'static str) -> Result<Self> {
        let mut found = BTreeMap::new();
        for (kind, value) in list(bytes, what)? {
            if found.insert(kind, value).is_some() {
                return refuse(format_args!("{what}: attribute {kind} is there twice"));
            }
        }
        Ok(Self { what, found })
    }

    pub fn has(&self, kind: u16) -> bool {
        self.found.contains_key(&kind)
    }

    pub fn bytes(&mut self, kind: u16) -> Result<&'a [u8]> {
        match self.found.remove(&kind) {
            Some(value) => Ok(value),
            None => refuse(format_args!("{}: attribute {kind} is missing", self.what)),
        }
    }

    /// Numbers of nfnetlink are big-endian.
    pub fn number(&mut self, kind: u16) -> Result<u32> {
        match self.bytes(kind)?.try_into() {
            Ok(four) => Ok(u32::from_be_bytes(four)),
            Err(_) => refuse(format_args!("{}: attribute {kind} is no number", self.what)),
        }
    }

    /// Letters, digits and `_`, with a final NUL.
    pub fn name(&mut self, kind: u16) -> Result<&'a str> {
        let text = self.bytes(kind)?.strip_suffix(b"\0").and_then(|text| std::str::from_utf8(text).ok());
        match text.filter(|text| text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_')) {
            Some(text) => Ok(text),
            None => refuse(format_args!("{}: attribute {kind} is no name", self.what)),
        }
    }

    pub fn nested(&mut self, kind: u16) -> Result<Self> {
        let what = self.what;
        Self::read(self.bytes(kind)?, what)
    }

    /// Nothing may be left that nobody looked at.
    pub fn end(self) -> Result<()> {
        match self.found.keys().next() {
            None => Ok(()),
            Some(kind) => refuse(format_args!("{}: unknown attribute {kind}", self.what)),
        }
    }
}
