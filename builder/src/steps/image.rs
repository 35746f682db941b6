//! Steps 6 and 7: the image, then its signature.

use super::{Origin, Packed};
use crate::authenticode::{self, Signer};
use crate::out::{self, Leaves, Left};
use crate::uki::{assemble, Parts};
use vitrine_attest::{Error, Result, Sha256};
use vitrine_initramfs::Report;

/// The unsigned image: what anybody can rebuild, byte by byte.
#[derive(Debug)]
pub struct Uki {
    pub(super) origin: Origin,
    pub(super) report: Report,
    /// SHA-256 of the uncompressed initramfs.
    pub(super) initramfs: Sha256,
    pub(super) bytes: Vec<u8>,
}

impl Uki {
    /// # Errors
    /// When the stub is not a known one, or the kernel is not a PE file.
    pub fn new(packed: Packed) -> Result<Self> {
        let bytes = assemble(&Parts {
            stub: &packed.stub,
            os_release: &packed.os_release,
            cmdline: &packed.origin.locked.recipe().image.cmdline,
            kernel_release: &packed.kernel_release,
            initrd: &packed.archive.bytes,
            kernel: &packed.kernel,
        })?;
        Ok(Self { origin: packed.origin, report: packed.report, initramfs: packed.archive.uncompressed_sha256, bytes })
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Leaves for Uki {
    fn files(&self) -> Result<Left<'_>> {
        Ok(vec![(out::UNSIGNED, (&self.bytes).into())])
    }
}

/// The image as it boots.
#[derive(Debug)]
pub struct SignedUki {
    pub(super) unsigned: Uki,
    /// SHA-256 of the unsigned image's file.
    pub(super) subject: Sha256,
    bytes: Vec<u8>,
}

impl SignedUki {
    /// # Errors
    /// When the signer fails, or gives a signature that does not verify.
    pub fn new(unsigned: Uki, signer: &Signer) -> Result<Self> {
        let (bytes, subject) = std::thread::scope(|scope| {
            let subject = scope.spawn(|| Sha256::of(&unsigned.bytes));
            let bytes = authenticode::sign(&unsigned.bytes, signer);
            (bytes, subject.join().map_err(|_| Error::bug("the hash of the image was not finished")))
        });
        Ok(Self { bytes: bytes?, subject: subject?, unsigned })
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Leaves for SignedUki {
    fn files(&self) -> Result<Left<'_>> {
        Ok(vec![(out::IMAGE, (&self.bytes).into())])
    }
}
