//! Media that machines start from.

use crate::export::Format;
use clap::Args;
use std::path::PathBuf;

/// Write an image onto a medium that machines start from
///
/// The same image gives the same bytes, and the image goes in as it is: what is
/// quoted of a boot does not depend on the medium.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vitrine export out/exit --format disk --to exit.img
  vitrine export out/exit --format iso --to exit.iso
  vitrine export out/exit --format netboot --to /srv/www/boot")]
pub struct Export {
    /// Output folder of a build, or image
    pub target: PathBuf,
    /// What to make
    #[arg(long)]
    pub format: Format,
    /// File to write; for netboot a folder
    #[arg(long, value_name = "PATH")]
    pub to: PathBuf,
    /// Replace the file; for netboot, add to the folder and move its link
    #[arg(long)]
    pub force: bool,
}
