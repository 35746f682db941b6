//! Random bytes from the kernel (getrandom(2)).

use vitrine_attest::{Error, Result};

/// # Errors
/// When the kernel has none; it does not happen after boot.
pub fn bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    let got = rustix::rand::getrandom(&mut bytes[..], rustix::rand::GetRandomFlags::empty());
    match got {
        Ok(count) if count == N => Ok(bytes),
        Ok(_) | Err(_) => Err(Error::host("the kernel gave no random bytes", "")),
    }
}
