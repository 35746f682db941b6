//! A transparency log in a folder (C2SP tlog-tiles): what was said in it can be added to, and never be changed unseen.
//!
//! ```text
//! DIR/log.json            name and keys of the log
//! DIR/log.key             its private key, mode 0600
//! DIR/witnesses           who has to sign beside it (C2SP tlog-policy); none: nobody
//! DIR/commit              its newest checkpoint as it signed it, and the entries of the last change: from here on there is no way back
//! DIR/public/checkpoint   the newest checkpoint with the cosignatures of witnesses
//! DIR/public/tile/…       hashes and entries; written once
//! DIR/public/index/…      which entries name a digest or an image; made from the entries
//! ```
//! `DIR/public` is for any web server. A change is promised (`commit`), then laid out as tiles, then witnessed, then published;
//! whoever opens the log next finishes what was promised.

#[cfg(feature = "object-storage")]
mod bucket;
mod bundles;
mod commit;
mod config;
mod disk;
mod find;
mod folder_writer;
mod fsck;
mod index;
mod quorum;
mod reader;
mod rotation;
mod seen;
mod serve;
mod stage;
mod tip;
mod witnesses;
mod writer;

#[cfg(feature = "object-storage")]
pub use bucket::init as init_bucket;
pub use commit::Commit;
pub use config::{init, BucketAt, Config, KeyFile};
pub use find::{find, By, Found, Hit};
pub use fsck::{fsck, Finding, Findings};
pub use index::{Index, Indexed};
pub use quorum::Quorum;
pub use reader::{Place, Snapshot};
pub use rotation::{begin_rotation, retire};
pub use serve::Files;
pub use witnesses::Witnesses;
pub use writer::{Placed, Writer};

use std::path::{Path, PathBuf};

/// Names in a log's folder.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn public(&self) -> PathBuf {
        self.0.join("public")
    }

    pub fn checkpoint(&self) -> PathBuf {
        self.0.join("public/checkpoint")
    }

    fn config(&self) -> PathBuf {
        self.0.join("log.json")
    }

    fn commit(&self) -> PathBuf {
        self.0.join("commit")
    }

    fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }

    /// Who has to sign beside the log.
    pub fn witnesses(&self) -> PathBuf {
        self.0.join("witnesses")
    }

    /// Certificates of the authority that vouches for the store of its bucket; none: those of the web.
    #[cfg(feature = "object-storage")]
    fn ca(&self) -> PathBuf {
        self.0.join("ca.pem")
    }

    /// For files that are being written; whatever lies here is nobody's.
    fn work(&self) -> PathBuf {
        self.0.join("work")
    }
}
