//! Frames that QEMU wrote down (`filter-dump`): a classic pcap file of Ethernet frames (pcap-savefile(5)).

use vitrine_attest::{Error, Result};

/// Microseconds, in this machine's byte order, which is how QEMU writes it.
const MAGIC: [u8; 4] = 0xa1b2_c3d4_u32.to_le_bytes();
const HEADER: usize = 24;
const RECORD: usize = 16;

/// All frames of a file. A last one that is not complete is left out: QEMU may have been killed.
///
/// # Errors
/// When it is no such file.
pub fn frames(bytes: &[u8]) -> Result<Vec<&[u8]>> {
    let wrong = || Error::host("QEMU's record of frames is no pcap file", "");
    if bytes.get(..4) != Some(&MAGIC) {
        return Err(wrong());
    }
    let mut rest = bytes.get(HEADER..).ok_or_else(wrong)?;
    let mut frames = Vec::new();
    while let Some((head, after)) = rest.split_at_checked(RECORD) {
        let length = u32::from_le_bytes([head[8], head[9], head[10], head[11]]) as usize;
        let Some((frame, after)) = after.split_at_checked(length) else { break };
        frames.push(frame);
        rest = after;
    }
    Ok(frames)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn file(frames: &[&[u8]]) -> Vec<u8> {
        let mut bytes = [&MAGIC[..], &[0; HEADER - 4]].concat();
        for frame in frames {
            bytes.extend([0; 8]);
            bytes.extend((frame.len() as u32).to_le_bytes().repeat(2));
            bytes.extend(*frame);
        }
        bytes
    }

    #[test]
    fn frames_are_cut() {
        let bytes = file(&[b"one", b"", b"three"]);
        assert_eq!(frames(&bytes).unwrap(), [&b"one"[..], b"", b"three"]);
        for end in HEADER..bytes.len() {
            assert!(frames(&bytes[..end]).unwrap().len() < 3);
        }
        for end in 0..HEADER {
            assert!(frames(&bytes[..end]).is_err());
        }
        let mut lying = bytes;
        lying[HEADER + 8..HEADER + 12].copy_from_slice(&[255; 4]);
        assert!(frames(&lying).unwrap().is_empty());
    }
}
