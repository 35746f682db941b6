//! Two releases, and the way back.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Keep two releases where machines start from, and the way back
///
/// FOLDER is a mounted EFI system partition, or a netboot folder of `vitrine export`.
/// Each release lies in a slot beside its signed statement; one of both is active.
/// Everything is checked by signature and hash, each time.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 done, or the active release is good; 1 refused; 2 could not do it.

Example:
  vitrine slots install /boot/efi out/exit --key keys/release.pub
  vitrine slots activate /boot/efi --key keys/release.pub
  vitrine slots rollback /boot/efi --key keys/release.pub")]
pub struct Slots {
    #[command(subcommand)]
    pub action: SlotsAction,
}

#[derive(Debug, Subcommand)]
pub enum SlotsAction {
    Install(SlotsInstall),
    Activate(SlotsActivate),
    Rollback(SlotsRollback),
    Status(SlotsStatus),
}

/// Put a release into the slot that is not active
///
/// It has to be newer than what is there, and good: signed, the image that is stated,
/// not past its last day, not revoked. What machines start stays as it is.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vitrine slots install /srv/www/boot out/exit --key keys/release.pub")]
pub struct SlotsInstall {
    #[command(flatten)]
    pub judging: Judging,
    /// Output folder of a build, or image
    pub build: PathBuf,
    /// Its signed statement [default: release.dsse.json beside the image]
    #[arg(long, value_name = "FILE")]
    pub statement: Option<PathBuf>,
}

/// Make the newer release the one that machines start
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vitrine slots activate /srv/www/boot --key keys/release.pub")]
pub struct SlotsActivate {
    #[command(flatten)]
    pub judging: Judging,
    /// From then on nothing below this sequence number is started from here
    #[arg(long, value_name = "N")]
    pub min_seq: Option<u64>,
    /// Replace an active image that is in no slot; it is lost
    #[arg(long)]
    pub replace: bool,
}

/// Go back to the release before
///
/// Refused when that is past its last day, revoked, or below --min-seq.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vitrine slots rollback /srv/www/boot --key keys/release.pub \\
    --revocation revocations")]
pub struct SlotsRollback {
    #[command(flatten)]
    pub judging: Judging,
}

/// Say what is in both slots, and which one machines start
///
/// Exit code 1 when they start nothing, or something that is refused.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vitrine slots status /srv/www/boot --key keys/release.pub --json")]
pub struct SlotsStatus {
    #[command(flatten)]
    pub judging: Judging,
}

/// Which folder, and by what its releases are judged.
#[derive(Debug, Args)]
pub struct Judging {
    /// Mounted EFI system partition, or netboot folder
    pub folder: PathBuf,
    /// Release key (release.pub); with several, each may sign
    #[arg(long, value_name = "FILE", required = true)]
    pub key: Vec<PathBuf>,
    /// Revocations, a file or a folder of .json; those of your keys are kept in
    /// the folder for later
    #[arg(long, value_name = "FILE|DIR")]
    pub revocation: Vec<PathBuf>,
    /// What the machines' firmware holds (secure-boot.json): refuse what would
    /// not start there, or start with another PCR 7 than stated
    #[arg(long, value_name = "FILE")]
    pub secure_boot: Option<PathBuf>,
}
