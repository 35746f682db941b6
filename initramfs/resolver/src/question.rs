//! One question as it comes in (RFC 1035 §4.1, RFC 6891 §6.1): read in place, without allocation.

/// Record types and classes this program knows by number.
pub mod code {
    pub const SOA: u16 = 6;
    pub const OPT: u16 = 41;
    pub const IXFR: u16 = 251;
    pub const AXFR: u16 = 252;
    pub const MAILB: u16 = 253;
    pub const MAILA: u16 = 254;
    pub const ANY: u16 = 255;
    pub const IN: u16 = 1;
}

/// Bytes of a header.
pub const HEADER: usize = 12;
/// Most bytes of a name in wire form (RFC 1035 §3.1).
pub const NAME: usize = 255;

/// A name in wire form, uncompressed, in the case in which it was asked.
#[derive(Clone, Copy)]
pub struct WireName {
    bytes: [u8; NAME],
    length: u8,
}

impl WireName {
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// Reads a name that uses no compression: a question has nothing to point at.
    fn read(data: &[u8]) -> Option<Self> {
        let mut end = 0_usize;
        loop {
            let label = usize::from(*data.get(end)?);
            if label > 63 {
                return None;
            }
            end += 1 + label;
            if end > NAME {
                return None;
            }
            if label == 0 {
                break;
            }
        }
        let mut bytes = [0; NAME];
        bytes[..end].copy_from_slice(data.get(..end)?);
        Some(Self { bytes, length: u8::try_from(end).ok()? })
    }

    /// The labels, from the left, without the root.
    pub fn labels(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.bytes();
        std::iter::from_fn(move || {
            let (length, more) = rest.split_first()?;
            let (label, more) = more.split_at_checked(usize::from(*length))?;
            rest = more;
            (!label.is_empty()).then_some(label)
        })
    }

    /// Writes the name as lower-case text without the last dot; `None` when a label holds a dot, a line end or
    /// another control character, which no name of any list has.
    pub fn text<'a>(&self, buffer: &'a mut [u8; NAME]) -> Option<&'a [u8]> {
        let mut end = 0;
        for label in self.labels() {
            if end > 0 {
                buffer[end] = b'.';
                end += 1;
            }
            for byte in label {
                if *byte == b'.' || *byte <= b' ' {
                    return None;
                }
                buffer[end] = byte.to_ascii_lowercase();
                end += 1;
            }
        }
        Some(&buffer[..end])
    }
}

/// What the question's OPT record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edns {
    /// Bytes of UDP that the asker takes.
    pub payload: u16,
    pub version: u8,
    /// DNSSEC records are wanted (RFC 3225).
    pub dnssec_ok: bool,
}

/// Something to answer.
#[derive(Clone, Copy)]
pub struct Question {
    pub id: u16,
    pub recursion_desired: bool,
    pub authentic_data: bool,
    pub checking_disabled: bool,
    pub name: WireName,
    pub kind: u16,
    pub class: u16,
    pub edns: Option<Edns>,
}

/// What a packet is.
#[allow(clippy::large_enum_variant)] // it lies on the stack, so that the quick way does not allocate
pub enum Packet {
    Question(Question),
    /// Answer with this code, the header alone.
    Refuse(Header, Rcode),
    /// Say nothing: an answer, or too short to have an ID. Answering answers makes loops.
    Ignore,
}

/// What of a header an answer needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub id: u16,
    pub opcode: u8,
    pub recursion_desired: bool,
    pub checking_disabled: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Rcode {
    NoError = 0,
    FormErr = 1,
    ServFail = 2,
    NxDomain = 3,
    NotImp = 4,
    Refused = 5,
}

impl Question {
    pub fn header(&self) -> Header {
        Header {
            id: self.id,
            opcode: 0,
            recursion_desired: self.recursion_desired,
            checking_disabled: self.checking_disabled,
        }
    }

    pub fn dnssec_ok(&self) -> bool {
        self.edns.is_some_and(|edns| edns.dnssec_ok)
    }
}

/// Reads a packet. Everything that is not exactly one question of opcode QUERY is refused (RFC 9619 for more than one).
pub fn read(data: &[u8]) -> Packet {
    let Some((head, rest)) = data.split_at_checked(HEADER) else { return Packet::Ignore };
    let two = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
    if head[2] & 0x80 != 0 {
        return Packet::Ignore;
    }
    let header = Header {
        id: two(0),
        opcode: head[2] >> 3 & 15,
        recursion_desired: head[2] & 1 != 0,
        checking_disabled: head[3] & 0x10 != 0,
    };
    if header.opcode != 0 {
        return Packet::Refuse(header, Rcode::NotImp);
    }
    if two(4) != 1 || two(6) != 0 || data.len() > crate::limits::QUESTION {
        return Packet::Refuse(header, Rcode::FormErr);
    }
    match question(&header, head[3] & 0x20 != 0, rest, u32::from(two(8)) + u32::from(two(10))) {
        Some(question) => Packet::Question(question),
        None => Packet::Refuse(header, Rcode::FormErr),
    }
}

/// The question after the header. IXFR has a record in the authority section (RFC 1995 §3), so those are skipped too.
fn question(header: &Header, authentic_data: bool, data: &[u8], records: u32) -> Option<Question> {
    let name = WireName::read(data)?;
    let data = &data[name.bytes().len()..];
    let (tail, rest) = data.split_at_checked(4)?;
    Some(Question {
        id: header.id,
        recursion_desired: header.recursion_desired,
        authentic_data,
        checking_disabled: header.checking_disabled,
        name,
        kind: u16::from_be_bytes([tail[0], tail[1]]),
        class: u16::from_be_bytes([tail[2], tail[3]]),
        edns: edns(rest, records)?,
    })
}

/// Looks for the OPT record. `None` when a record is cut off, or when there are two (RFC 6891 §6.1.1).
fn edns(mut data: &[u8], records: u32) -> Option<Option<Edns>> {
    let mut found = None;
    // a record has 11 bytes at least, so a large count ends with the data
    for _ in 0..records {
        let root = *data.first()? == 0;
        let after_name = &data[name_end(data)?..];
        let (fixed, rest) = after_name.split_at_checked(10)?;
        let length = usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
        let (_, rest) = rest.split_at_checked(length)?;
        data = rest;
        if u16::from_be_bytes([fixed[0], fixed[1]]) == code::OPT {
            if found.is_some() || !root {
                return None;
            }
            found = Some(Edns {
                payload: u16::from_be_bytes([fixed[2], fixed[3]]),
                version: fixed[5],
                dnssec_ok: fixed[6] & 0x80 != 0,
            });
        }
    }
    Some(found)
}

/// Where a name ends, whether it is compressed or not; the target of a pointer is not looked at.
pub fn name_end(data: &[u8]) -> Option<usize> {
    let mut end = 0_usize;
    loop {
        let label = *data.get(end)?;
        match label {
            0 => return Some(end + 1),
            1..=63 => end += 1 + usize::from(label),
            192..=255 => return (data.len() >= end + 2).then_some(end + 2),
            _ => return None,
        }
        if end > NAME {
            return None;
        }
    }
}
