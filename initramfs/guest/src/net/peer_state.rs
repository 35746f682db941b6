//! What PID 1 reads of the kernel's peers, and nobody else may: whether a session lives. Endpoints, addresses and the
//! interface's private key come in the same messages; they are skipped where they lie and are wiped with the buffer
//! (`Netlink::dump`).

use super::attribute::{attributes, find, push};
use super::netlink::raw;
use crate::stop::{OrStop as _, Step};
use netlink_packet_core::NLM_F_DUMP;
use vitrine_attest::digest::Key32;
use zeroize::{Zeroize, Zeroizing};

/// `nlmsghdr ‖ genlmsghdr`.
const HEADERS: usize = 16 + 4;
/// WG_CMD_GET_DEVICE, version 1, 2 reserved bytes.
const GET_DEVICE: [u8; 4] = [0, 1, 0, 0];

/// enum wgdevice_attribute
const DEVICE_NAME: u16 = 2;
const DEVICE_PEERS: u16 = 8;

/// enum wgpeer_attribute
const PUBLIC_KEY: u16 = 1;
const ENDPOINT: u16 = 4;
const LAST_HANDSHAKE: u16 = 6;
const RECEIVED: u16 = 7;
const SENT: u16 = 8;

/// One peer on one interface, wiped when it is not needed any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerState {
    pub key: Key32,
    /// End of the last handshake, by the wall clock: seconds and nanoseconds; `[0, 0]` without one.
    pub handshake: [i64; 2],
    /// The kernel knows where it is. The address itself is not read.
    pub endpoint: bool,
    /// Bytes of authenticated packets, handshakes included.
    pub received: u64,
    pub sent: u64,
}

impl PeerState {
    /// Whether there is anything that a new peer would not have.
    pub fn leaves_traces(&self) -> bool {
        self.endpoint || self.handshake != [0, 0] || self.received != 0 || self.sent != 0
    }
}

impl Zeroize for PeerState {
    fn zeroize(&mut self) {
        self.key.0.zeroize();
        self.handshake.zeroize();
        self.endpoint.zeroize();
        self.received.zeroize();
        self.sent.zeroize();
    }
}

/// Peers of one interface.
pub type PeerStates = Zeroizing<Vec<PeerState>>;

/// The question for all peers of one interface. `family`: the number of "wireguard".
pub fn question(family: u16, interface: &str) -> Step<Vec<u8>> {
    let mut body = GET_DEVICE.to_vec();
    push(&mut body, DEVICE_NAME, &[interface.as_bytes(), &[0]].concat())?;
    raw(family, NLM_F_DUMP, &body)
}

/// Takes the peers out of one message of the answer. A peer whose networks fill a message goes on in the next one,
/// there with its key alone: that is not another peer.
///
/// # Errors
/// When a length lies, or when there are more peers than `states` has room for: it never grows, so that nothing of
/// it stays behind in freed memory.
pub fn read(message: &[u8], states: &mut PeerStates) -> Step {
    let body = message.get(HEADERS..).or_stop("peer-state")?;
    let Some(peers) = find(body, DEVICE_PEERS)? else { return Ok(()) };
    for attribute in attributes(peers) {
        let (_, peer) = attribute?;
        if let Some(state) = one(peer)? {
            (states.len() < states.capacity()).then_some(()).or_stop("peer-state")?;
            states.push(state);
        }
    }
    Ok(())
}

fn one(peer: &[u8]) -> Step<Option<PeerState>> {
    let (mut key, mut handshake, mut endpoint, mut received, mut sent) = (None, None, false, 0, 0);
    for attribute in attributes(peer) {
        let (kind, value) = attribute?;
        match kind {
            PUBLIC_KEY => key = Some(Key32(value.try_into().or_stop("peer-state")?)),
            ENDPOINT => endpoint = true,
            LAST_HANDSHAKE => handshake = Some(time(value)?),
            RECEIVED => received = u64::from_ne_bytes(value.try_into().or_stop("peer-state")?),
            SENT => sent = u64::from_ne_bytes(value.try_into().or_stop("peer-state")?),
            _ => {}
        }
    }
    let key = key.or_stop("peer-state")?;
    // Every first part has the time, be it zero (wg_get_device_dump, get_peer)
    Ok(handshake.map(|handshake| PeerState { key, handshake, endpoint, received, sent }))
}

/// `__kernel_timespec`: `seconds[8] ‖ nanoseconds[8]`.
fn time(value: &[u8]) -> Step<[i64; 2]> {
    let (seconds, nanoseconds) = value.split_first_chunk().or_stop("peer-state")?;
    let nanoseconds = nanoseconds.try_into().or_stop("peer-state")?;
    Ok([i64::from_ne_bytes(*seconds), i64::from_ne_bytes(nanoseconds)])
}

#[cfg(test)]
pub mod tests {
    use super::super::attribute::push_nested;
    use super::*;

    const ALLOWED_IPS: u16 = 9;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        push(&mut bytes, kind, value).unwrap();
        bytes
    }

    /// As the kernel writes a peer, with what must not be read.
    fn peer(number: u32, seconds: i64, endpoint: bool) -> Vec<u8> {
        let time = [seconds.to_ne_bytes(), 7i64.to_ne_bytes()].concat();
        let mut parts = vec![
            attribute(PUBLIC_KEY, &key(number).0),
            attribute(2, &[0xee; 32]), // WGPEER_A_PRESHARED_KEY
            attribute(LAST_HANDSHAKE, &time),
            attribute(5, &[0; 2]), // WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL
            attribute(SENT, &9u64.to_ne_bytes()),
            attribute(RECEIVED, &8u64.to_ne_bytes()),
            attribute(10, &1u32.to_ne_bytes()), // WGPEER_A_PROTOCOL_VERSION
        ];
        if endpoint {
            parts.push(attribute(ENDPOINT, &[0xab; 16]));
        }
        parts.push(attribute(ALLOWED_IPS, &attribute(0, &[0xcd; 20])));
        parts.concat()
    }

    fn key(number: u32) -> Key32 {
        let mut key = [1; 32];
        key[..4].copy_from_slice(&number.to_be_bytes());
        Key32(key)
    }

    fn message(peers: &[Vec<u8>]) -> Vec<u8> {
        let mut list = Vec::new();
        peers.iter().for_each(|peer| push_nested(&mut list, 0, peer).unwrap());
        let mut body = [&GET_DEVICE[..], &attribute(6, &[1, 2]), &attribute(3, &[0xee; 32])].concat();
        push_nested(&mut body, DEVICE_PEERS, &list).unwrap();
        raw(0x1c, 0, &body).unwrap()
    }

    fn room(peers: usize) -> PeerStates {
        Zeroizing::new(Vec::with_capacity(peers))
    }

    #[test]
    fn peers_are_read() {
        let mut states = room(2);
        read(&message(&[peer(1, 0, false), peer(2, 1_700_000_000, true)]), &mut states).unwrap();
        let [quiet, busy] = states[..] else { unreachable!("two peers") };
        let expected = PeerState { key: key(1), handshake: [0, 7], endpoint: false, received: 8, sent: 9 };
        assert_eq!(quiet, expected);
        assert_eq!((busy.key, busy.handshake[0], busy.endpoint), (key(2), 1_700_000_000, true));
    }

    #[test]
    fn a_peer_that_goes_on_is_one_peer() {
        let mut states = room(2);
        let rest = [attribute(PUBLIC_KEY, &key(1).0), attribute(ALLOWED_IPS, &[])].concat();
        read(&message(&[peer(1, 5, true)]), &mut states).unwrap();
        read(&message(&[rest, peer(2, 6, true)]), &mut states).unwrap();
        assert_eq!(states.iter().map(|state| state.key).collect::<Vec<_>>(), [key(1), key(2)]);
    }

    #[test]
    fn ten_thousand_peers_in_many_messages() {
        let mut states = room(10_000);
        for first in (0..10_000).step_by(100) {
            let some: Vec<_> = (first..first + 100).map(|number| peer(number, 1, true)).collect();
            read(&message(&some), &mut states).unwrap();
        }
        assert_eq!(states.len(), 10_000);
        assert!(read(&message(&[peer(10_000, 1, true)]), &mut states).is_err(), "no room: it must not grow");
    }

    #[test]
    fn an_interface_without_peers() {
        let mut states = room(1);
        read(&raw(0x1c, 0, &GET_DEVICE).unwrap(), &mut states).unwrap();
        read(&message(&[]), &mut states).unwrap();
        assert!(states.is_empty());
    }

    #[test]
    fn malformed_messages_are_errors() {
        let short_key = [attribute(PUBLIC_KEY, &[1; 31]), attribute(LAST_HANDSHAKE, &[0; 16])].concat();
        let no_key = attribute(LAST_HANDSHAKE, &[0; 16]);
        let time = |bytes: &[u8]| [attribute(PUBLIC_KEY, &[1; 32]), attribute(LAST_HANDSHAKE, bytes)].concat();
        let short_count = [peer(1, 1, true), attribute(RECEIVED, &[0; 4])].concat();
        let mut lying = peer(1, 1, true);
        lying[0] = 255;
        for bad in [short_key, no_key, time(&[0; 15]), time(&[0; 17]), time(&[]), short_count, lying] {
            assert!(read(&message(std::slice::from_ref(&bad)), &mut room(2)).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn truncated_messages_never_panic() {
        let whole = message(&[peer(1, 5, true), peer(2, 6, false)]);
        for length in 0..whole.len() {
            let mut states = room(2);
            // Cut between two attributes it is another good message; elsewhere it is refused
            if read(&whole[..length], &mut states).is_ok() {
                assert!(states.is_empty(), "the list of peers is cut, so its length lies");
            }
        }
    }

    #[test]
    fn the_question_names_one_interface() {
        let bytes = question(0x1c, "wg3").unwrap();
        assert_eq!(bytes[..4], 28u32.to_ne_bytes());
        assert_eq!(bytes[16..], [&GET_DEVICE[..], &8u16.to_ne_bytes(), &2u16.to_ne_bytes(), b"wg3\0"].concat());
    }
}
