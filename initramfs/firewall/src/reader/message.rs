//! Messages of a batch: `nlmsghdr ‖ nfgenmsg ‖ attributes` (RFC 3549 §2.2; linux/netfilter/nfnetlink.h).

use super::refuse;
use vitrine_attest::Result;

const HEADERS: usize = 20;
/// Bytes of a batch; ours have some 20 KiB, and the kernel's socket takes about 200 (net.core.wmem_default).
const LARGEST: usize = 128 << 10;
/// NLM_F_ACK
pub const ACKNOWLEDGE: u16 = 4;
/// Begin and end of a batch; table, chain, rule.
const BEGIN: u16 = 0x10;
const END: u16 = 0x11;
pub const TABLE: u16 = 0x0a00;
pub const CHAIN: u16 = 0x0a03;
pub const RULE: u16 = 0x0a06;

/// What stands between begin and end.
pub struct Message<'a> {
    pub kind: u16,
    pub flags: u16,
    pub attributes: &'a [u8],
}

/// How many acknowledgements the kernel sends when it takes this batch.
///
/// # Errors
/// When it is no batch of tables, chains and rules, from its first byte to its last.
pub fn acknowledgements(batch: &[u8]) -> Result<usize> {
    let messages = messages(batch)?;
    let asks = |message: &&Message<'_>| message.flags & ACKNOWLEDGE != 0;
    match (messages.last().filter(asks), messages.iter().filter(asks).count()) {
        (Some(_), 1) => Ok(1),
        _ => refuse("the last message has to ask for an acknowledgement, and no other one"),
    }
}

/// Cuts a batch into its messages.
pub fn messages(mut batch: &[u8]) -> Result<Vec<Message<'_>>> {
    if batch.len() > LARGEST {
        return refuse(format_args!("{} bytes, at most {LARGEST} are possible", batch.len()));
    }
    let (mut found, mut number, mut ended) = (Vec::new(), 0_u32, false);
    while !batch.is_empty() {
        let (kind, flags, length) = header(batch, number)?;
        let (family, resource) = (batch.get(16..18), batch.get(18..20));
        let edge = matches!(kind, BEGIN | END);
        // edges: any family, subsystem 10; the others: family inet, version 0
        let wanted = if edge { (&[0, 0], &[0, 10]) } else { (&[1, 0], &[0, 0]) };
        if (family, resource) != (Some(&wanted.0[..]), Some(&wanted.1[..])) {
            return refuse(format_args!("message {number} is for another part of the kernel"));
        }
        match kind {
            _ if ended || (number == 0) != (kind == BEGIN) => return refuse("begin or end at the wrong place"),
            BEGIN | END if length == HEADERS && flags == 1 => ended = kind == END,
            TABLE | CHAIN | RULE => found.push(Message { kind, flags, attributes: &batch[HEADERS..length] }),
            _ => return refuse(format_args!("message {number} is of the unknown kind {kind:#x}")),
        }
        batch = batch.get(length..).unwrap_or_default();
        number += 1;
    }
    match ended {
        true => Ok(found),
        false => refuse("the batch has no end"),
    }
}

/// Kind, flags and length, which is that of the whole message, a multiple of four, and within the batch.
fn header(batch: &[u8], number: u32) -> Result<(u16, u16, usize)> {
    let two = |at: usize| batch.get(at..at + 2).and_then(|b| b.try_into().ok()).map(u16::from_ne_bytes);
    let four = |at: usize| batch.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_ne_bytes);
    let (Some(length), Some(kind), Some(flags), Some(sequence), Some(port)) =
        (four(0), two(4), two(6), four(8), four(12))
    else {
        return refuse(format_args!("message {number} is cut off"));
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length < HEADERS || length > batch.len() || length % 4 != 0 {
        return refuse(format_args!("message {number} has a wrong length"));
    }
    if (sequence, port) != (number, 0) {
        return refuse(format_args!("message {number} has another number or address"));
    }
    Ok((kind, flags, length))
}
