//! TPMS_ATTEST with a quote (Part 2 §10.12).

use super::reader::{Malformed, Read, Reader};
use crate::digest::hex;

/// TPM_GENERATED_VALUE: what begins every structure that a TPM made itself (Part 2 §6.2).
pub const GENERATED: u32 = 0xFF54_4347;
/// TPM_ST_ATTEST_QUOTE (Part 2 §6.9).
pub const QUOTE: u16 = 0x8018;

/// Longest TPM2B_NAME and TPM2B_DATA: an algorithm and a SHA-512.
const NAME_LIMIT: usize = 66;
/// Most PCR banks in a selection (Part 2, HASH_COUNT; real TPMs have up to 5).
const BANKS_LIMIT: u32 = 16;
/// Most bytes of one bitmap (Part 2, PCR_SELECT_MAX; 3 on PCs).
const BITMAP_LIMIT: u8 = 4;

/// TPMS_CLOCK_INFO.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockInfo {
    /// Milliseconds that the TPM was powered, over its life.
    pub clock: u64,
    pub reset_count: u32,
    pub restart_count: u32,
    /// No value of `clock` was ever reported that is greater than this one.
    pub safe: bool,
}

/// TPMS_PCR_SELECTION.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PcrSelection {
    pub hash: u16,
    pub bitmap: Vec<u8>,
}

impl PcrSelection {
    /// The selected registers, for people: `4,7,9`.
    pub fn registers(&self) -> String {
        let selected = |n: &usize| self.bitmap[n / 8] & (1 << (n % 8)) != 0;
        let numbers: Vec<String> = (0..self.bitmap.len() * 8).filter(selected).map(|n| n.to_string()).collect();
        numbers.join(",")
    }
}

/// TPMS_QUOTE_INFO.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    pub selections: Vec<PcrSelection>,
    pub digest: Vec<u8>,
    /// Bytes after the end of the structure. The signature covers them, so they mean nothing good (check V12).
    pub trailing: usize,
}

/// TPMS_ATTEST. Its magic and type are given as they stand: judging them is for checks V09 and V10.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attest {
    pub magic: u32,
    pub kind: u16,
    /// TPM2B_NAME of the signing key.
    pub qualified_signer: Vec<u8>,
    pub extra_data: Vec<u8>,
    pub clock: ClockInfo,
    pub firmware_version: u64,
    /// Only when `kind` is [`QUOTE`].
    pub quote: Option<Quote>,
}

impl Attest {
    /// Reads the structure. Trailing bytes after a quote are counted, not refused.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new("TPMS_ATTEST", bytes);
        let magic = reader.u32()?;
        let kind = reader.u16()?;
        let qualified_signer = reader.sized(NAME_LIMIT)?.to_vec();
        let extra_data = reader.sized(NAME_LIMIT)?.to_vec();
        let clock = clock_info(&mut reader)?;
        let firmware_version = reader.u64()?;
        let quote = if kind == QUOTE { Some(quote_info(&mut reader)?) } else { None };
        Ok(Self { magic, kind, qualified_signer, extra_data, clock, firmware_version, quote })
    }
}

fn clock_info(reader: &mut Reader<'_>) -> Read<ClockInfo> {
    let (clock, reset_count, restart_count) = (reader.u64()?, reader.u32()?, reader.u32()?);
    let safe = match reader.u8()? {
        0 => false,
        1 => true,
        other => return Err(reader.fail(format!("TPMI_YES_NO is {other}"))),
    };
    Ok(ClockInfo { clock, reset_count, restart_count, safe })
}

fn quote_info(reader: &mut Reader<'_>) -> Read<Quote> {
    let count = reader.u32()?;
    if count > BANKS_LIMIT {
        return Err(reader.fail(format!("{count} PCR selections, at most {BANKS_LIMIT} are possible")));
    }
    let mut selections = Vec::new();
    for _ in 0..count {
        selections.push(selection(reader)?);
    }
    let digest = reader.sized(NAME_LIMIT)?.to_vec();
    Ok(Quote { selections, digest, trailing: reader.left() })
}

fn selection(reader: &mut Reader<'_>) -> Read<PcrSelection> {
    let hash = reader.u16()?;
    let length = reader.u8()?;
    if length > BITMAP_LIMIT {
        return Err(reader.fail(format!("a PCR bitmap of {length} bytes")));
    }
    Ok(PcrSelection { hash, bitmap: reader.take(usize::from(length))?.to_vec() })
}

impl std::fmt::Display for PcrSelection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{} ({})", super::alg::name(self.hash), self.registers(), hex(&self.bitmap))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::vector;
    use crate::tpm::alg;

    #[test]
    fn real_quote() {
        let Some(bytes) = vector("quote/keylime-quote.out") else { return };
        let attest = Attest::parse(&bytes).unwrap();
        assert_eq!((attest.magic, attest.kind), (GENERATED, QUOTE));
        assert_eq!((attest.extra_data.len(), attest.clock.safe), (20, true));
        let quote = attest.quote.unwrap();
        assert_eq!(quote.selections, [PcrSelection { hash: alg::SHA256, bitmap: vec![0, 0x80, 0x41] }]);
        assert_eq!(quote.selections[0].to_string(), "SHA-256:15,16,22 (008041)");
        assert_eq!((quote.digest.len(), quote.trailing), (32, 0));
        for length in 0..bytes.len() {
            assert!(Attest::parse(&bytes[..length]).is_err(), "{length} bytes were taken");
        }
        let longer = [bytes.as_slice(), &[0; 3]].concat();
        assert_eq!(Attest::parse(&longer).unwrap().quote.unwrap().trailing, 3);
    }

    /// magic, type, empty name and data, clock, firmware version.
    fn head() -> Vec<u8> {
        let mut bytes = [GENERATED.to_be_bytes().as_slice(), &QUOTE.to_be_bytes(), &[0; 4]].concat();
        bytes.extend([0; 17 + 8]);
        bytes
    }

    #[test]
    fn huge_counts_are_refused() {
        let many_banks = [head(), vec![0xff; 4]].concat();
        assert!(Attest::parse(&many_banks).unwrap_err().problem.contains("PCR selections"));
        let long_bitmap = [head(), vec![0, 0, 0, 1, 0, 0x0b, 255]].concat();
        assert!(Attest::parse(&long_bitmap).unwrap_err().problem.contains("bitmap"));
        let long_digest = [head(), vec![0, 0, 0, 0, 0xff, 0xff]].concat();
        assert!(Attest::parse(&long_digest).unwrap_err().problem.contains("65535 bytes"));
    }

    #[test]
    fn another_type_is_read_without_a_quote() {
        let mut bytes = head();
        bytes[4..6].copy_from_slice(&0x8017u16.to_be_bytes());
        assert_eq!(Attest::parse(&bytes).unwrap().quote, None);
    }

    #[test]
    fn yes_no_is_zero_or_one() {
        let mut bytes = [head(), vec![0; 6]].concat();
        assert!(Attest::parse(&bytes).is_ok());
        bytes[26] = 2;
        assert!(Attest::parse(&bytes).is_err());
    }

    /// What is at the limit is read.
    #[test]
    fn the_most_banks_and_the_longest_bitmap() {
        let selection = [&[0, 0x0b, BITMAP_LIMIT][..], &vec![0xff; usize::from(BITMAP_LIMIT)]].concat();
        let of = |count: u32| {
            let selections = selection.repeat(usize::try_from(count).unwrap());
            Attest::parse(&[head(), count.to_be_bytes().to_vec(), selections, vec![0, 0]].concat())
        };
        let quote = of(BANKS_LIMIT).unwrap().quote.unwrap();
        assert_eq!(quote.selections.len(), usize::try_from(BANKS_LIMIT).unwrap());
        assert_eq!(quote.selections[0].bitmap.len(), usize::from(BITMAP_LIMIT));
        assert!(of(BANKS_LIMIT + 1).is_err());
        let longer = [&[0, 0x0b, BITMAP_LIMIT + 1][..], &vec![0; usize::from(BITMAP_LIMIT) + 1]].concat();
        assert!(Attest::parse(&[head(), vec![0, 0, 0, 1], longer, vec![0, 0]].concat()).is_err());
    }
}
