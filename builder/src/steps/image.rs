//! Steps 6 and 7: the image, then its signature.

use super::{beside, Origin, Packed};
use crate::authenticode::attach::attach;
use crate::authenticode::{self, Signer};
use crate::out::{self, Leaves, Left};
use crate::uki::{assemble, Parts};
use std::sync::OnceLock;
use vitrine_attest::{Result, Sha256};
use vitrine_initramfs::Report;

/// What a statement says of an image beside its bytes.
#[derive(Debug)]
pub(super) struct About {
    pub origin: Origin,
    pub report: Report,
    /// SHA-256 of the uncompressed initramfs.
    pub initramfs: Sha256,
}

/// The unsigned image: what anybody can rebuild, byte by byte.
#[derive(Debug)]
pub struct Uki {
    about: About,
    bytes: Vec<u8>,
    sha256: OnceLock<Sha256>,
}

impl Uki {
    /// `keep` gets what was packed, and works meanwhile.
    ///
    /// # Errors
    /// When the stub is not a known one, the kernel is not a PE file, or the image is larger than its budget.
    pub fn new(packed: Packed, keep: impl FnOnce(&Packed) -> Result<()> + Send) -> Result<Self> {
        let parts = Parts {
            stub: &packed.stub,
            os_release: &packed.os_release,
            cmdline: &packed.origin.locked.recipe().image.cmdline,
            kernel_release: &packed.kernel_release,
            initrd: &packed.archive.bytes,
            kernel: &packed.kernel,
        };
        let bytes = beside(|| keep(&packed), || assemble(&parts))?;
        packed.sizes.check(bytes.len(), packed.origin.locked.recipe().image.budget)?;
        let Packed { origin, report, archive, .. } = packed;
        let about = About { origin, report, initramfs: archive.uncompressed_sha256 };
        Ok(Self { about, bytes, sha256: OnceLock::new() })
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Of the whole file; hashed once.
    pub fn sha256(&self) -> Sha256 {
        *self.sha256.get_or_init(|| Sha256::of(&self.bytes))
    }
}

impl Leaves for Uki {
    fn files(&self) -> Result<Left<'_>> {
        Ok(vec![(out::UNSIGNED, (&self.bytes).into())])
    }
    fn digest(&self, _: &str) -> Option<Sha256> {
        Some(self.sha256())
    }
}

/// The image as it boots.
#[derive(Debug)]
pub struct SignedUki {
    pub(super) about: About,
    /// SHA-256 of the unsigned image's file.
    pub(super) subject: Sha256,
    /// What was signed.
    pub(super) authenticode: Sha256,
    bytes: Vec<u8>,
}

impl SignedUki {
    /// `keep` gets the unsigned image, and works meanwhile.
    ///
    /// # Errors
    /// When the signer fails, or gives a signature that does not verify.
    pub fn new(unsigned: Uki, signer: &Signer, keep: impl FnOnce(&Uki) -> Result<()> + Send) -> Result<Self> {
        let signed = beside(|| keep(&unsigned), || authenticode::signature(&unsigned.bytes, signer))?;
        let subject = unsigned.sha256();
        let bytes = attach(unsigned.bytes, &signed.pkcs7)?;
        Ok(Self { about: unsigned.about, subject, authenticode: signed.digest, bytes })
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
