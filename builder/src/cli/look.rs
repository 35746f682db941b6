//! What looks at images and changes none.

use super::InputOptions;
use clap::Args;
use std::path::PathBuf;

/// Look for everything that could log, in any tree or source
///
/// TARGET is a recipe, an output folder, an image (also somebody else's unified
/// kernel image), an initramfs, a kernel, or a folder with a root file system.
/// With --source it audits the source code of a program instead.
/// Prints findings by rule, then the zero-log compliance hash of the report.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 let through, 1 refused, 2 something could not be judged.

Example:
  vitrine screen recipes/exit.toml
  vitrine screen image.efi --statement release.dsse.json --key release.pub
  vitrine screen /boot/initrd.img --without cmdline
  vitrine screen --source app --waivers app.waivers.toml")]
pub struct Screen {
    /// What to screen
    #[arg(required_unless_present = "source")]
    pub target: Option<PathBuf>,
    /// Audit the source code in this folder instead of a target
    #[arg(long, value_name = "DIR", conflicts_with_all = ["target", "cmdline", "kernel", "statement", "cross_mounts", "printk"])]
    pub source: Option<PathBuf>,
    /// Exceptions for --source: `waiver` tables with rule, path and reason (TOML)
    #[arg(long, value_name = "FILE", requires = "source")]
    pub waivers: Option<PathBuf>,
    /// Kernel command line, for a target that has none
    #[arg(long, value_name = "TEXT")]
    pub cmdline: Option<String>,
    /// Kernel that boots the target, for one that has none
    #[arg(long, value_name = "FILE")]
    pub kernel: Option<PathBuf>,
    /// Leave something out knowingly; the report's first line says so: cmdline,
    /// mounts, or with --source a language such as c or ruby
    #[arg(long, value_name = "WHAT")]
    pub without: Vec<String>,
    /// Release statement of the image: its waivers are taken
    #[arg(long, value_name = "FILE")]
    pub statement: Option<PathBuf>,
    /// Release key that has to have signed the statement
    #[arg(long, value_name = "FILE", requires = "statement")]
    pub key: Option<PathBuf>,
    /// Look into other file systems that are mounted in the folder
    #[arg(long)]
    pub cross_mounts: bool,
    /// List the kernel's messages that can print an address
    #[arg(long)]
    pub printk: bool,
    /// Print findings as SARIF 2.1.0
    #[arg(long, conflicts_with = "json", help_heading = "Output")]
    pub sarif: bool,
    #[command(flatten, next_help_heading = "For a recipe")]
    pub options: InputOptions,
}

/// Show what is in an image or an output folder
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vitrine inspect out/exit")]
pub struct Inspect {
    /// Image, or output folder of a build
    pub path: PathBuf,
}

/// Predict the TPM's registers for an image, from its bytes alone
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vitrine predict out/exit/image.efi --secure-boot keys/secure-boot.json")]
pub struct Predict {
    /// Image, signed or not
    pub image: PathBuf,
    /// What is enrolled in the firmware; without it only a boot with Secure Boot
    /// off is predicted
    #[arg(long, value_name = "FILE")]
    pub secure_boot: Option<PathBuf>,
}

/// Name the first stage in which two builds differ
///
/// Exit code 0: alike. 1: different. Signatures are not compared.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vitrine diff out/exit out/again")]
pub struct Diff {
    /// Output folder, or image
    pub a: PathBuf,
    /// Output folder, or image
    pub b: PathBuf,
}
