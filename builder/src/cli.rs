//! The command line: structs only, so that completions and man pages come from the same place.

use crate::export::Format;
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use std::path::PathBuf;

/// Builds VPN servers that cannot log, as signed and measured boot images.
#[derive(Debug, Parser)]
#[command(name = "vitrine", version, max_term_width = 80, disable_help_subcommand = true)]
#[command(after_help = "\
Example:
  vitrine keygen --out keys
  vitrine lock recipes/exit.toml
  vitrine build recipes/exit.toml --out out/exit --keys keys

Exit codes: 0 done or alike, 1 refused or different, 2 could not do it.")]
pub struct Cli {
    /// Print results as JSON
    #[arg(long, global = true, help_heading = "Output")]
    pub json: bool,
    /// Show no progress
    #[arg(short, long, global = true, help_heading = "Output")]
    pub quiet: bool,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Keygen(Keygen),
    Lock(Lock),
    Compile(Compile),
    Update(Update),
    Vendor(Vendor),
    Build(Build),
    Screen(Screen),
    Inspect(Inspect),
    Predict(Predict),
    Diff(Diff),
    Sign(Sign),
    Export(Export),
    Enrol(Enrol),
    Slots(Slots),
    Completions(Completions),
    Man(Man),
}

/// Make release, owner and Secure Boot keys
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vitrine keygen --out keys")]
pub struct Keygen {
    /// Folder for the keys; nothing in it is overwritten
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Name of the release key in statements and logs
    #[arg(long, default_value = "vitrine-release")]
    pub name: String,
}

/// Resolve a recipe's packages and write down every hash
///
/// Reads the signed release files and package indices of the Debian archive, checks them
/// against the archive's keyring, and follows the dependencies of the recipe's packages.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vitrine lock recipes/exit.toml")]
pub struct Lock {
    /// Recipe (TOML)
    pub recipe: PathBuf,
    /// Where the lock goes [default: beside the recipe, NAME.lock.toml]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// The archive's public keys
    #[arg(long, value_name = "FILE", default_value = "/usr/share/keyrings/debian-archive-keyring.gpg")]
    pub keyring: PathBuf,
    #[command(flatten)]
    pub mirrors: Mirrors,
    #[command(flatten)]
    pub set: Set,
}

/// Compile the programs of an image in a root made from a lock
///
/// The compiler comes from the lock's packages and runs without a network: the
/// bytes depend on lock and sources alone. `vitrine build --programs DIR` takes
/// the result and says in the statement which toolchain and sources it is from.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vitrine compile recipes/toolchain.lock.toml --out out/programs
  vitrine build recipes/exit.toml --programs out/programs --out out/exit \\
    --keys keys
  vitrine compile --from exit.tar --out out/again")]
pub struct Compile {
    /// Lock of a toolchain, made by `vitrine lock recipes/toolchain.toml`
    #[arg(required_unless_present = "from")]
    pub lock: Option<PathBuf>,
    /// Archive of `vitrine vendor --toolchain` to compile from, without a network:
    /// its own programs have to come out
    #[arg(long, value_name = "FILE", conflicts_with_all = ["lock", "source", "offline", "mirror"])]
    pub from: Option<PathBuf>,
    /// Folder for the programs and programs.json, the record of their inputs
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Folder of vitrine's sources
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub source: PathBuf,
    /// Use no network: packages and crates must be in the store or Cargo's cache
    #[arg(long, conflicts_with = "mirror")]
    pub offline: bool,
    #[command(flatten)]
    pub mirrors: Mirrors,
}

/// Move a recipe's lock to what the archive has now, and say what changes
///
/// Prints each package that comes, goes or changes its version, and which come from a
/// security suite. With --compare it builds both images before the lock is replaced: a lock
/// whose image cannot be built, or is refused by the screen, is not written.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 done, or nothing to do; with --check 1: there are updates.

Example:
  vitrine update recipes/exit.toml --check
  vitrine update recipes/exit.toml --compare out/update")]
pub struct Update {
    /// Recipe (TOML)
    pub recipe: PathBuf,
    /// Lock to move [default: beside the recipe, NAME.lock.toml]
    #[arg(long, value_name = "FILE")]
    pub lock: Option<PathBuf>,
    /// Change nothing; exit code 1 when there are updates
    #[arg(long)]
    pub check: bool,
    /// Build both images, into DIR/old and DIR/new, and compare screen and sizes
    #[arg(long, value_name = "DIR")]
    pub compare: Option<PathBuf>,
    /// Folder with vitrine-init and vitrine-agent, for --compare
    /// [default: image-programs beside this program's folder]
    #[arg(long, value_name = "DIR", env = "VITRINE_PROGRAMS", hide_env_values = true)]
    pub programs: Option<PathBuf>,
    /// The archive's public keys
    #[arg(long, value_name = "FILE", default_value = "/usr/share/keyrings/debian-archive-keyring.gpg")]
    pub keyring: PathBuf,
    #[command(flatten)]
    pub mirrors: Mirrors,
    #[command(flatten)]
    pub snapshots: Snapshots,
    #[command(flatten)]
    pub set: Set,
}

/// Put everything that a rebuild needs into one archive
///
/// Recipe with its parents and files, lock, every locked package, and the programs that go
/// into the image. `vitrine build --from` rebuilds from it without a network. The same
/// inputs give the same archive, byte by byte; any `tar` unpacks it.
/// With --toolchain also what the programs are compiled from, for `vitrine compile --from`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vitrine vendor recipes/exit.toml --out exit.tar
  vitrine build --from exit.tar --out out/again --unsigned")]
pub struct Vendor {
    #[command(flatten)]
    pub inputs: Inputs,
    /// Archive to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Carry compiler, sources and crates along: lock of the toolchain that made the programs
    #[arg(long, value_name = "LOCK")]
    pub toolchain: Option<PathBuf>,
    /// Folder of the sources that the programs are from, for --toolchain
    #[arg(long, value_name = "DIR", default_value = ".", requires = "toolchain")]
    pub source: PathBuf,
}

/// Build an image from a recipe and its lock
///
/// Leaves one file per stage in the output folder. The unsigned image,
/// 6-image.unsigned.efi, has the same bytes wherever it is built.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vitrine build recipes/exit.toml --out out/exit --keys keys
  vitrine build recipes/exit.toml --out out/again --unsigned
  vitrine build --from exit.tar --out out/offline --unsigned")]
pub struct Build {
    /// Recipe (TOML)
    #[arg(required_unless_present = "from")]
    pub recipe: Option<PathBuf>,
    /// Archive of `vitrine vendor` to build from, without a network
    #[arg(long, value_name = "FILE", conflicts_with_all = ["recipe", "lock", "offline", "mirror", "snapshot"])]
    pub from: Option<PathBuf>,
    #[command(flatten)]
    pub options: InputOptions,
    /// Output folder; what an earlier build left there is replaced
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Folder of `vitrine keygen`
    #[arg(long, value_name = "DIR", required_unless_present = "unsigned")]
    pub keys: Option<PathBuf>,
    /// Stop before signing: no image.efi, no statement
    #[arg(long, conflicts_with = "sign_with")]
    pub unsigned: bool,
    #[command(flatten)]
    pub outside: OutsideSigner,
}

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

/// Sign an image, or attach a signature made elsewhere
#[derive(Debug, Args)]
#[command(after_help = "\
Example, with a key that is not on this machine:
  vitrine sign out/exit/6-image.unsigned.efi --print-attributes > to-sign
  openssl dgst -sha256 -sign db.key -out signature to-sign
  vitrine sign out/exit/6-image.unsigned.efi --attach signature \\
    --cert db.crt --out image.efi")]
#[command(override_usage = "\
vitrine sign IMAGE --keys DIR --out FILE
       vitrine sign IMAGE --sign-with COMMAND --cert FILE --out FILE
       vitrine sign IMAGE --attach SIG --cert FILE --out FILE
       vitrine sign IMAGE --print-attributes")]
#[command(group = clap::ArgGroup::new("how").required(true).args(["keys", "sign_with", "attach", "print_attributes"]))]
pub struct Sign {
    /// Unsigned image, such as 6-image.unsigned.efi
    pub image: PathBuf,
    /// Folder of `vitrine keygen`: sign with its db.key
    #[arg(long, value_name = "DIR")]
    pub keys: Option<PathBuf>,
    #[command(flatten)]
    pub outside: OutsideSigner,
    /// Raw RSA signature to attach
    #[arg(long, value_name = "SIG", requires = "cert")]
    pub attach: Option<PathBuf>,
    /// Print the bytes that have to be signed (RSA PKCS#1 v1.5, SHA-256)
    #[arg(long, conflicts_with = "out")]
    pub print_attributes: bool,
    /// Signed image to write
    #[arg(long, value_name = "FILE", required_unless_present = "print_attributes")]
    pub out: Option<PathBuf>,
}

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

/// Write Secure Boot variables for the firmware of real machines
///
/// Signature lists (.esl) and signed updates (.auth) of PK, KEK, db and dbx, noPK.auth
/// to leave user mode again, and the secure-boot.json that holds once they are enrolled.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vitrine enrol --keys keys --out enrolment
  vitrine enrol --keys keys --out revoked --revoke out/old/image.efi
  vitrine enrol --keys new --rotate-from keys --time 2026-11-23 --out rotation")]
pub struct Enrol {
    /// Folder of `vitrine keygen`: PK, KEK, db, and what secure-boot.json holds
    #[arg(long, value_name = "DIR")]
    pub keys: PathBuf,
    /// New folder for the files
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// What is enrolled now [default: secure-boot.json of the keys, of the old ones
    /// with --rotate-from]
    #[arg(long, value_name = "FILE")]
    pub enrolled: Option<PathBuf>,
    /// Revocations to enrol in the place of those there (.esl, .auth, efivarfs)
    #[arg(long, value_name = "FILE")]
    pub dbx: Option<PathBuf>,
    /// Image, or its Authenticode digest, that is to start no more
    #[arg(long, value_name = "IMAGE|HASH")]
    pub revoke: Vec<String>,
    /// One more certificate or list for db, such as Microsoft's for option ROMs
    #[arg(long, value_name = "FILE")]
    pub also_db: Vec<PathBuf>,
    /// One more certificate or list for KEK: its owner may change db and dbx
    #[arg(long, value_name = "FILE")]
    pub also_kek: Vec<PathBuf>,
    /// Folder of the keys that are enrolled: replace them step by step
    #[arg(long, value_name = "DIR", conflicts_with_all = ["dbx", "revoke", "also_db", "also_kek"])]
    pub rotate_from: Option<PathBuf>,
    /// Time stamp, such as 2026-11-23, later than those of earlier updates
    /// [default: begin of the validity of PK.crt]
    #[arg(long, value_name = "TIME")]
    pub time: Option<String>,
}

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

/// Print a completion script for a shell
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vitrine completions bash")]
pub struct Completions {
    pub shell: Shell,
}

/// Print the manual page, or write one page per command
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vitrine man --out man1")]
pub struct Man {
    /// Folder for vitrine.1, vitrine-build.1 and so on
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// A signer that is not a key file.
#[derive(Debug, Args)]
pub struct OutsideSigner {
    /// Signing command, run by sh: gets the bytes to sign on stdin, prints the raw
    /// RSA PKCS#1 v1.5 SHA-256 signature
    #[arg(long, value_name = "COMMAND", requires = "cert")]
    pub sign_with: Option<String>,
    /// Certificate of the outside key (PEM or DER)
    #[arg(long, value_name = "FILE")]
    pub cert: Option<PathBuf>,
}

/// What an image is built from.
#[derive(Debug, Args)]
pub struct Inputs {
    /// Recipe (TOML)
    pub recipe: PathBuf,
    #[command(flatten)]
    pub options: InputOptions,
}

/// Where the parts of a recipe's image come from.
#[derive(Debug, Args)]
pub struct InputOptions {
    /// Lock [default: beside the recipe, NAME.lock.toml]
    #[arg(long, value_name = "FILE")]
    pub lock: Option<PathBuf>,
    /// Use no network: every package must be in the store
    #[arg(long, conflicts_with_all = ["mirror", "snapshot"])]
    pub offline: bool,
    /// Folder with vitrine-init and vitrine-agent
    /// [default: image-programs beside this program's folder]
    #[arg(long, value_name = "DIR", env = "VITRINE_PROGRAMS", hide_env_values = true)]
    pub programs: Option<PathBuf>,
    #[command(flatten)]
    pub mirrors: Mirrors,
    #[command(flatten)]
    pub snapshots: Snapshots,
    #[command(flatten)]
    pub set: Set,
}

/// Where packages come from.
#[derive(Debug, Args)]
pub struct Mirrors {
    /// Debian mirror, may be given several times: tried in this order
    /// [default: VITRINE_MIRROR, else the host's apt sources]
    #[arg(long, value_name = "URL")]
    pub mirror: Vec<String>,
}

/// Where packages come from that the mirrors dropped.
#[derive(Debug, Args)]
pub struct Snapshots {
    /// Dated copies, for what the mirrors dropped: URL/YYYYMMDDTHHMMSSZ, or
    /// `{date}` in the URL; the date is that of the lock
    /// [default: VITRINE_SNAPSHOT]
    #[arg(long, value_name = "URL")]
    pub snapshot: Vec<String>,
}

/// Changes to the recipe.
#[derive(Debug, Args)]
pub struct Set {
    /// Change one value of the recipe, such as config.wireguard.mtu=1380
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    pub set: Vec<(String, String)>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.into(), value.into())),
        _ => Err("write it like config.wireguard.mtu=1380".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn definition_is_consistent() {
        Cli::command().debug_assert();
    }
}
