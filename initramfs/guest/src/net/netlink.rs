//! A netlink socket that sends a request and waits for its acknowledgements.

use crate::stop::{OrStop, Step, Stop};
use netlink_packet_core::{
    NetlinkHeader, NetlinkMessage, NetlinkPayload, NetlinkSerializable, NLM_F_ACK, NLM_F_REQUEST,
};
use netlink_sys::Socket;
use zeroize::Zeroizing;

/// Bytes of one answer. Errors may carry the request again, and ours are below 16 KiB.
const ANSWER: usize = 64 << 10;
/// `nlmsghdr`.
const HEADER: usize = 16;
/// NLMSG_ERROR: an acknowledgement when its error number is 0.
const ERROR: u16 = 2;
/// NLMSG_DONE: the end of a table, with an error number like NLMSG_ERROR.
const DONE: u16 = 3;
/// NLM_F_DUMP_INTR: the table changed while it was read.
const INTERRUPTED: u16 = 0x10;

pub struct Netlink(Socket);

impl Netlink {
    /// Opens a socket of one netlink family, such as `NETLINK_ROUTE`.
    ///
    /// It never blocks: the kernel carries a request out, and queues its answer, before `send` returns, so an
    /// answer that is not there will not come, and PID 1 does not wait for it.
    pub fn open(family: isize) -> Step<Self> {
        let mut socket = Socket::new(family).or_stop("netlink")?;
        socket.bind_auto().or_stop("netlink")?;
        socket.set_non_blocking(true).or_stop("netlink")?;
        Ok(Self(socket))
    }

    /// Sends one request and waits until the kernel has carried it out.
    pub fn request<T: NetlinkSerializable>(&self, message: T, flags: u16) -> Step {
        let bytes = serialize(message, NLM_F_REQUEST | NLM_F_ACK | flags);
        self.send(&bytes, 1).map(|_| ())
    }

    /// Sends one question and gives the answer that came before its acknowledgement, header included.
    pub fn ask<T: NetlinkSerializable>(&self, message: T) -> Step<Vec<u8>> {
        let bytes = serialize(message, NLM_F_REQUEST | NLM_F_ACK);
        self.send(&bytes, 1)?.or_stop("netlink-answer")
    }

    /// Sends bytes as they are and waits for this many acknowledgements.
    ///
    /// # Errors
    /// `netlink-refused` when the kernel reports an error for any part.
    pub fn send(&self, bytes: &[u8], acknowledgements: usize) -> Step<Option<Vec<u8>>> {
        self.put(bytes)?;
        let (mut seen, mut answer) = (0, None);
        // A refusal may carry the request again, and a request may hold a private key
        let mut buffer = Zeroizing::new(Vec::with_capacity(ANSWER));
        while seen < acknowledgements {
            self.receive(&mut buffer)?;
            for message in messages(&buffer) {
                match message? {
                    Message::Acknowledged => seen += 1,
                    Message::Refused => return Err(Stop("netlink-refused")),
                    Message::Other(bytes) => answer = Some(bytes.to_vec()),
                    Message::Done | Message::Torn => return Err(Stop("netlink-form")),
                }
            }
        }
        Ok(answer)
    }

    /// Sends a question for a whole table and shows every message of the answer, header included, to `each`. The
    /// messages live in one buffer, which is wiped at the end whatever happens.
    ///
    /// The socket should be used for nothing else: after an error there is more in it.
    ///
    /// # Errors
    /// `netlink-torn` when the table changed meanwhile, and those of `each`.
    pub fn dump(&self, bytes: &[u8], mut each: impl FnMut(&[u8]) -> Step) -> Step {
        self.put(bytes)?;
        let mut buffer = Zeroizing::new(Vec::with_capacity(ANSWER));
        loop {
            self.receive(&mut buffer)?;
            for message in messages(&buffer) {
                match message? {
                    Message::Other(bytes) => each(bytes)?,
                    Message::Done => return Ok(()),
                    Message::Torn => return Err(Stop("netlink-torn")),
                    Message::Acknowledged | Message::Refused => return Err(Stop("netlink-refused")),
                }
            }
        }
    }

    fn put(&self, bytes: &[u8]) -> Step {
        let sent = self.0.send(bytes, 0).or_stop("netlink-send")?;
        (sent == bytes.len()).then_some(()).or_stop("netlink-send")
    }

    /// One datagram in place of what the buffer held. Its capacity stays as it is: a buffer that grows would leave
    /// its former bytes behind.
    fn receive(&self, buffer: &mut Vec<u8>) -> Step {
        buffer.clear();
        self.0.recv(buffer, 0).or_stop("netlink-receive").map(|_| ())
    }
}

/// `nlmsghdr ‖ body`, for messages that no codec makes. `length[4] ‖ type[2] ‖ flags[2] ‖ 0[8]`.
pub fn raw(kind: u16, flags: u16, body: &[u8]) -> Step<Vec<u8>> {
    let length = u32::try_from(HEADER + body.len()).or_stop("netlink-form")?;
    let mut bytes = Vec::with_capacity(HEADER + body.len());
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend((NLM_F_REQUEST | flags).to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend(body);
    Ok(bytes)
}

/// The finished message, in a buffer that wipes itself: it may hold a private key.
fn serialize<T: NetlinkSerializable>(message: T, flags: u16) -> Zeroizing<Vec<u8>> {
    let mut message = NetlinkMessage::new(NetlinkHeader::default(), NetlinkPayload::InnerMessage(message));
    message.header.flags = flags;
    message.finalize();
    let mut bytes = Zeroizing::new(vec![0; message.buffer_len()]);
    message.serialize(&mut bytes);
    bytes
}

#[derive(Debug, PartialEq, Eq)]
enum Message<'a> {
    Acknowledged,
    Refused,
    /// The end of a table.
    Done,
    /// Part of a table that is not one picture.
    Torn,
    Other(&'a [u8]),
}

/// Cuts a datagram into messages (`nlmsghdr`: `length[4] ‖ type[2] ‖ flags[2] ‖ sequence[4] ‖ port[4]`).
fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Step<Message<'_>>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let Some((message, rest)) = cut(bytes) else {
            bytes = &[];
            return Some(Err(Stop("netlink-form")));
        };
        bytes = rest;
        Some(Ok(message))
    })
}

fn cut(bytes: &[u8]) -> Option<(Message<'_>, &[u8])> {
    let length = usize::try_from(u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?)).ok()?;
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    let flags = u16::from_ne_bytes(bytes.get(6..8)?.try_into().ok()?);
    let body = bytes.get(HEADER..length)?;
    let rest = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    let message = match kind {
        ERROR if body.get(..4)? == [0; 4] => Message::Acknowledged,
        ERROR => Message::Refused,
        _ if flags & INTERRUPTED != 0 => Message::Torn,
        DONE if body.get(..4)? == [0; 4] => Message::Done,
        DONE => Message::Refused,
        _ => Message::Other(&bytes[..length]),
    };
    Some((message, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let mut bytes = (16 + body.len() as u32).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend(body);
        bytes
    }

    #[test]
    fn cutting() {
        let datagram =
            [message(ERROR, &[0; 20]), message(0x1c, b"abcd"), message(ERROR, &(-1i32).to_ne_bytes())].concat();
        let found: Vec<_> = messages(&datagram).map(Result::unwrap).collect();
        assert_eq!(found, [Message::Acknowledged, Message::Other(&message(0x1c, b"abcd")), Message::Refused]);
    }

    #[test]
    fn ends_of_tables() {
        let mut torn = message(0x1c, b"abcd");
        torn[6..8].copy_from_slice(&INTERRUPTED.to_ne_bytes());
        let datagram = [torn, message(DONE, &[0; 4]), message(DONE, &(-1i32).to_ne_bytes())].concat();
        let found: Vec<_> = messages(&datagram).map(Result::unwrap).collect();
        assert_eq!(found, [Message::Torn, Message::Done, Message::Refused]);
    }

    #[test]
    fn raw_messages_are_cut_again() {
        let bytes = raw(0x1c, 0x300, b"abcd").unwrap();
        assert_eq!(messages(&bytes).collect::<Vec<_>>(), [Ok(Message::Other(&bytes))]);
        assert_eq!(bytes[6..8], 0x301u16.to_ne_bytes());
    }

    #[test]
    fn broken_datagrams_are_errors_and_end() {
        let no_number = message(DONE, b"");
        for bad in [&b"abc"[..], &[0; 16], &[255; 16], &message(ERROR, b"ab"), &no_number, &message(1, &[0; 8])[..20]] {
            let found: Vec<_> = messages(bad).collect();
            assert_eq!(found, [Err(Stop("netlink-form"))]);
        }
    }
}
