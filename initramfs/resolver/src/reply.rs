//! Answers that are written here, without asking anybody.

use crate::limits;
use crate::question::{Edns, Header, Question, Rcode, HEADER};
use crate::Transport;

/// Extended DNS errors (RFC 8914 §4) that are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum Ede {
    Indeterminate = 5,
    Bogus = 6,
    NotReady = 14,
    Blocked = 15,
    NotSupported = 21,
    NoReachableAuthority = 22,
    NetworkError = 23,
}

/// QR, RA, and what is copied from the question; AA is never set: this is no authority for anything.
pub fn flags(header: &Header, code: Rcode) -> [u8; 2] {
    [
        0x80 | header.opcode << 3 | u8::from(header.recursion_desired),
        0x80 | u8::from(header.checking_disabled) << 4 | code as u8,
    ]
}

/// The header alone (FORMERR, NOTIMP): what came in was not understood, so nothing of it is sent back.
pub fn bare(header: &Header, code: Rcode, out: &mut Vec<u8>) {
    out.clear();
    out.extend(header.id.to_be_bytes());
    out.extend(flags(header, code));
    out.extend([0; 8]);
}

/// Header and question, no records, with the OPT record that belongs to it.
pub fn empty(question: &Question, code: Rcode, ede: Option<Ede>, transport: Transport, out: &mut Vec<u8>) {
    begin(question, code, out);
    opt(question, ede, transport, out);
}

/// For types that stand for all others (RFC 8482 §4.2): a HINFO record that says so.
pub fn any(question: &Question, transport: Transport, out: &mut Vec<u8>) {
    begin(question, Rcode::NoError, out);
    out[7] = 1;
    out.extend(b"\xc0\x0c\x00\x0d\x00\x01\x00\x00\x0e\x10\x00\x09\x07RFC8482\x00");
    opt(question, None, transport, out);
}

/// An EDNS version that nobody knows (RFC 6891 §6.1.3): BADVERS, 16, whose upper bits are in the OPT record.
pub fn bad_version(question: &Question, out: &mut Vec<u8>) {
    begin(question, Rcode::NoError, out);
    out[11] = 1;
    out.extend(b"\x00\x00\x29\x04\xd0\x01\x00\x00\x00\x00\x00");
}

fn begin(question: &Question, code: Rcode, out: &mut Vec<u8>) {
    bare(&question.header(), code, out);
    out[5] = 1;
    out.extend(question.name.bytes());
    out.extend(question.kind.to_be_bytes());
    out.extend(question.class.to_be_bytes());
}

/// Bytes of an OPT record without options.
const OPT: usize = 11;
/// Bytes of an option's code and length.
const OPTION: usize = 4;

/// Appends the OPT record, if the question had one, and counts it. Over encrypted transports it pads the whole answer
/// (RFC 7830, RFC 8467).
pub fn opt(question: &Question, ede: Option<Ede>, transport: Transport, out: &mut Vec<u8>) {
    let Some(Edns { dnssec_ok, .. }) = question.edns else { return };
    let told = if ede.is_some() { OPTION + 2 } else { 0 };
    let padding = match transport {
        Transport::Encrypted => {
            let length = out.len() + OPT + told + OPTION;
            Some(length.next_multiple_of(limits::PADDING).min(usize::from(u16::MAX)).saturating_sub(length))
        }
        Transport::Udp | Transport::Tcp => None,
    };
    let options = told + padding.map_or(0, |zeros| OPTION + zeros);
    out[HEADER - 1] = 1;
    out.extend([0, 0, 41]);
    out.extend((limits::UDP_ANSWER as u16).to_be_bytes());
    out.extend([0, 0, u8::from(dnssec_ok) << 7, 0]);
    // an answer has at most 65535 bytes, and so has the padding
    out.extend(u16::try_from(options).unwrap_or(0).to_be_bytes());
    if let Some(ede) = ede {
        out.extend([0, 15, 0, 2]);
        out.extend((ede as u16).to_be_bytes());
    }
    if let Some(zeros) = padding {
        out.extend([0, 12]);
        out.extend(u16::try_from(zeros).unwrap_or(0).to_be_bytes());
        out.resize(out.len() + zeros, 0);
    }
}

/// Bytes that one answer may have.
pub fn room(question: &Question, transport: Transport) -> usize {
    match (transport, question.edns) {
        (Transport::Udp, None) => limits::PLAIN_ANSWER,
        (Transport::Udp, Some(edns)) => usize::from(edns.payload).clamp(limits::PLAIN_ANSWER, limits::UDP_ANSWER),
        (Transport::Tcp | Transport::Encrypted, _) => usize::from(u16::MAX),
    }
}
