//! Inner parsers for the fuzz targets; not there in any other build.

pub use crate::deb::Deb;
pub use crate::elf::Elf;
pub use crate::index::{Index, Item, Kind};
pub use crate::kernel::release;
pub use crate::modinfo::ModInfo;
pub use crate::users::Users;
