//! Firmware logs, crypto-agile with one SHA-256 bank (PC Client Platform Firmware Profile 1.05, §10).

use vitrine_attest::expected::ExpectedEvent;
use vitrine_attest::pcr::Pcr;
use vitrine_attest::Sha256;

pub const EV_IPL: u32 = 0x0d;
const EV_EFI_BOOT_SERVICES_APPLICATION: u32 = 0x8000_0003;
const EV_EFI_VARIABLE_AUTHORITY: u32 = 0x8000_00e0;

/// A log with exactly these events.
pub fn of(events: &[ExpectedEvent]) -> Vec<u8> {
    let mut log = header();
    for event in events {
        let kind = match event.pcr {
            Pcr::BOOT_LOADER => EV_EFI_BOOT_SERVICES_APPLICATION,
            Pcr::SECURE_BOOT => EV_EFI_VARIABLE_AUTHORITY,
            _ => EV_IPL,
        };
        add(&mut log, event.pcr.index().into(), kind, event.digest, event.what.as_bytes());
    }
    log
}

fn header() -> Vec<u8> {
    let mut spec = b"Spec ID Event03\0".to_vec();
    spec.extend([0, 0, 0, 0, 0, 2, 0, 2]); // platform class, version 2.0, errata 0, 64-bit
    spec.extend([1, 0, 0, 0, 0x0b, 0, 32, 0, 0]); // one bank: SHA-256; no vendor data
    let mut log = [0u32.to_le_bytes(), 3u32.to_le_bytes()].concat();
    log.extend([0; 20]);
    log.extend((spec.len() as u32).to_le_bytes());
    log.extend(spec);
    log
}

pub fn add(log: &mut Vec<u8>, pcr: u32, kind: u32, digest: Sha256, data: &[u8]) {
    log.extend(pcr.to_le_bytes());
    log.extend(kind.to_le_bytes());
    log.extend([1, 0, 0, 0, 0x0b, 0]);
    log.extend(digest.0);
    log.extend((data.len() as u32).to_le_bytes());
    log.extend(data);
}
