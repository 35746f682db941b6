//! The index of a log in its files (`public/index`, see [`vitrine_attest::log_index`]).
//!
//! It is made from the entries and can be made again at any time: when it is lost, damaged, or behind, nothing else is. A change is made
//! of new files under their hashes, and of one note that is replaced at last; files of the index before stay, for those who are reading it.

mod build;
mod check;
mod reader;
mod update;

use build::list_of;
pub(super) use build::records_of;
pub(super) use check::Check;
pub use reader::Index;
pub use update::Indexed;
pub(super) use update::Update;

use vitrine_attest::Sha256;

/// Path of the note under a log's address.
pub(super) const NOTE: &str = "index/checkpoint";

/// Path of a list or bucket.
pub(super) fn path(name: &Sha256) -> String {
    format!("index/{name}")
}

/// Reads what [`path()`] wrote.
pub(super) fn name(path: &str) -> Option<Sha256> {
    path.strip_prefix("index/")?.parse().ok()
}
