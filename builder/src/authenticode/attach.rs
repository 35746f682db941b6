//! Puts a PKCS#7 signature into a PE file's certificate table (PE specification §5.7, UEFI 2.10 §32.2.4).

use crate::append::{put_u32, Layout};
use vitrine_attest::pe::Pe;
use vitrine_attest::{Error, Result};

/// WIN_CERTIFICATE begins with dwLength (u32), wRevision (u16), wCertificateType (u16).
const HEADER: usize = 8;
/// WIN_CERT_REVISION_2_0
const REVISION: u16 = 0x0200;
/// WIN_CERT_TYPE_PKCS_SIGNED_DATA
const PKCS_SIGNED_DATA: u16 = 0x0002;
/// Entries are padded to this, and dwLength counts the padding, as sbsign does it.
const ALIGNMENT: usize = 8;

/// Appends the certificate table and writes its place into data directory 4. CheckSum stays 0: firmware does not
/// look at it, and the Authenticode digest leaves it out.
///
/// # Errors
/// When the image is malformed, signed already, or not a multiple of 8 bytes long (its digest would change).
pub fn attach(image: Vec<u8>, pkcs7: &[u8]) -> Result<Vec<u8>> {
    let directory = Layout::of(&image)?.certificate_directory()?;
    if image[directory..directory + 8] != [0; 8] {
        return Err(Error::input("the image is signed already", "give the unsigned image, 6-image.unsigned.efi"));
    }
    if !image.len().is_multiple_of(ALIGNMENT) {
        return Err(Error::input(
            format!("the image has {} bytes, which is no multiple of {ALIGNMENT}", image.len()),
            "give an image made by `vitrine build`",
        ));
    }
    let (end, length) = (image.len(), (HEADER + pkcs7.len()).next_multiple_of(ALIGNMENT));
    let mut out = image;
    out.reserve_exact(length);
    out.resize(end + HEADER, 0);
    put_u32(&mut out, end, length)?;
    out[end + 4..end + 6].copy_from_slice(&REVISION.to_le_bytes());
    out[end + 6..end + 8].copy_from_slice(&PKCS_SIGNED_DATA.to_le_bytes());
    out.extend_from_slice(pkcs7);
    out.resize(end + length, 0);
    put_u32(&mut out, directory, end)?;
    put_u32(&mut out, directory + 4, length)?;
    Ok(out)
}

/// The image without its signatures: what [`attach`] was given, whoever has signed since. CheckSum, which some signers fill
/// in, is 0 again.
///
/// # Errors
/// When the image is malformed.
pub fn detach(image: &[u8]) -> Result<Vec<u8>> {
    let (table, size) = Pe::parse(image)?.certificate_table();
    let layout = Layout::of(image)?;
    let (directory, checksum) = (layout.certificate_directory()?, layout.checksum());
    let end = if size == 0 { image.len() } else { table };
    let mut out = image[..end].to_vec();
    put_u32(&mut out, checksum, 0)?;
    put_u32(&mut out, directory, 0)?;
    put_u32(&mut out, directory + 4, 0)?;
    Ok(out)
}
