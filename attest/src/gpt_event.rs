//! PCR 5: the partition table of the disk that the firmware boots from, and the end of its services.
//!
//! Standard: TCG PC Client Platform Firmware Profile 1.05, §3.3.4.6 (PCR 5) and §10.2.6 (`UEFI_GPT_DATA`). The table is measured
//! when the firmware loads a program from a partition of it: a CD (El Torito), a file system without a table and a
//! download over HTTP have none. PCR 5 is not quoted: it tells the medium, which anybody who has the machine may choose.

use crate::expected::{ExpectedBoot, ExpectedEvent};
use crate::pcr::{Pcr, PcrValues};
use crate::predict::SEPARATOR;
use crate::Sha256;

/// Bytes of EFI_PARTITION_TABLE_HEADER that are in use (UEFI 2.10, §5.3.2); the rest of its sector is not measured.
pub const HEADER: usize = 92;
/// Bytes of one EFI_PARTITION_ENTRY (§5.3.3).
pub const ENTRY: usize = 128;

/// EV_EFI_ACTION when the kernel ends boot services, no NUL (§10.4.1): before, and after it went well.
const EXIT: [&[u8]; 2] = [b"Exit Boot Services Invocation", b"Exit Boot Services Returned with Success"];

/// `UEFI_GPT_DATA`: the primary header, a 64-bit count, and those entries that are in use.
/// ```text
/// "EFI PART" … (92 bytes) ‖ 01 00 00 00 00 00 00 00 ‖ entry (128 bytes)
/// ```
pub fn data(header: &[u8; HEADER], entries: &[[u8; ENTRY]]) -> Vec<u8> {
    let count = (entries.len() as u64).to_le_bytes();
    [header, &count[..], &entries.concat()].concat()
}

/// PCR 5 of a boot at the first attempt; `table` is the digest of [`data`], `None` for a medium without a table.
/// In log order.
pub fn predict(table: Option<Sha256>) -> ExpectedBoot {
    let mut events = vec![event(Sha256::of(SEPARATOR), "separator")];
    events.extend(table.map(|digest| event(digest, "partition table of the boot disk")));
    events.extend(EXIT.iter().map(|words| event(Sha256::of(words), &String::from_utf8_lossy(words))));
    let mut pcrs = PcrValues::default();
    for event in &events {
        pcrs.extend(event.pcr, event.digest);
    }
    ExpectedBoot { pcrs, events }
}

fn event(digest: Sha256, what: &str) -> ExpectedEvent {
    ExpectedEvent { pcr: Pcr::BOOT_MEDIUM, digest, what: what.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_in_use_is_measured() {
        let one = data(&[1; HEADER], &[[2; ENTRY]]);
        assert_eq!(one.len(), 92 + 8 + 128);
        assert_eq!(
            (&one[..92], &one[92..100], &one[100..]),
            (&[1; 92][..], &[1, 0, 0, 0, 0, 0, 0, 0][..], &[2; 128][..])
        );
        assert_eq!(data(&[1; HEADER], &[]).len(), 100);
    }

    /// The constants of real logs.
    #[test]
    fn order_of_events() {
        let digests = |table| predict(table).events.iter().map(|event| event.digest.short()).collect::<Vec<_>>();
        assert_eq!(digests(None), ["df3f6198", "d8043d6b", "b54f7542"]);
        let table = Sha256::of(b"table");
        assert_eq!(digests(Some(table)), ["df3f6198", &table.short(), "d8043d6b", "b54f7542"]);
        assert_ne!(predict(None).pcrs, predict(Some(table)).pcrs);
        assert_eq!(predict(None).pcrs.0.keys().map(|pcr| pcr.index()).collect::<Vec<_>>(), [5]);
    }
}
