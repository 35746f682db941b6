//! Step 5: the initramfs.

use super::{Origin, Screened, Workshop};
use crate::budget::Sizes;
use crate::maker;
use crate::out::{self, Leaves, Left};
use crate::recipe;
use std::sync::Arc;
use vitrine_attest::{Error, Result};
use vitrine_initramfs::{pack, Archive, Compression, Report};

/// The packed initramfs, and what goes into the image beside it.
#[derive(Debug)]
pub struct Packed {
    pub(super) origin: Origin,
    pub(super) os_release: String,
    pub(super) report: Report,
    pub(super) archive: Archive,
    pub(super) kernel: Arc<Vec<u8>>,
    pub(super) kernel_release: String,
    pub(super) stub: Arc<Vec<u8>>,
    pub(super) sizes: Sizes,
    compression: Compression,
}

impl Packed {
    /// # Errors
    /// When the compressor has no such level, or the archive reads back as something else than the tree.
    pub fn new(screened: Screened, with: &Workshop) -> Result<Self> {
        let Screened { origin, os_release, tree, report, kernel, kernel_release, stub } = screened;
        let compression = compression(&origin.locked.recipe().image)?;
        with.progress.step(&format!("pack with {}", compression.describe()));
        let archive = pack(&tree, compression, &with.cache(), maker::identity())?;
        let (layers, largest) = (archive.layers.clone(), Sizes::largest(tree.tree()));
        let sizes = Sizes { kernel: kernel.len(), layers, largest };
        Ok(Self { origin, os_release, report, archive, kernel, kernel_release, stub, sizes, compression })
    }
}

fn compression(image: &recipe::ImageSpec) -> Result<Compression> {
    let level = u8::try_from(image.level).map_err(|_| {
        Error::input(format!("image.level is {}", image.level), "use a level from 1 to 19 for zstd, 1 to 9 for gzip")
    })?;
    Ok(match image.compression {
        recipe::Compression::Zstd => Compression::Zstd(level),
        recipe::Compression::Gzip => Compression::Gzip(level),
    })
}

impl Leaves for Packed {
    fn files(&self) -> Result<Left<'_>> {
        let name = match self.compression {
            Compression::Zstd(_) => out::INITRAMFS_ZSTD,
            Compression::Gzip(_) => out::INITRAMFS_GZIP,
        };
        Ok(vec![(name, (&self.archive.bytes).into())])
    }
}
