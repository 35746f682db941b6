//! Padding of ISO/IEC 7816-4 (DNSCrypt version 2, §§3, 5, 8): a byte 0x80, then zeros up to a multiple of 64 bytes.

const MARK: u8 = 0x80;
/// Bytes; every padded message has a multiple of it.
pub const BLOCK: usize = 64;

/// Adds 1 byte or more, so that the message has at least `least` bytes, and a multiple of [`BLOCK`].
pub fn add(message: &mut Vec<u8>, least: usize) {
    message.push(MARK);
    let length = message.len().max(least).next_multiple_of(BLOCK);
    message.resize(length, 0);
}

/// The message without its padding; `None` when it has none.
pub fn remove(padded: &[u8]) -> Option<&[u8]> {
    let mark = padded.iter().rposition(|&byte| byte != 0)?;
    (padded[mark] == MARK).then(|| &padded[..mark])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_comes_off() {
        for length in 0..200 {
            for least in [0, 1, 256, 300] {
                // ends with what looks like padding
                let message: Vec<u8> = (0..length).map(|n| if n % 3 == 0 { MARK } else { 0 }).collect();
                let mut padded = message.clone();
                add(&mut padded, least);
                assert!(padded.len().is_multiple_of(BLOCK) && padded.len() >= least && padded.len() > length);
                assert!(padded.len() < (length + 1).max(least) + BLOCK);
                assert_eq!(remove(&padded), Some(&message[..]));
            }
        }
    }

    #[test]
    fn without_a_mark_there_is_no_message() {
        for bad in [&[][..], &[0; 64], &[0x80, 1], &[1, 2, 0x81, 0], &[0x7f]] {
            assert_eq!(remove(bad), None, "{bad:?}");
        }
        assert_eq!(remove(&[0x80]), Some(&[][..]));
    }
}
