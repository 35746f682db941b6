//! The command line, and nothing else.

use crate::card::Card;
use crate::kvm::Choice;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Boot Vitrine images under QEMU, with Secure Boot and a TPM, without root
#[derive(Debug, Parser)]
#[command(
    name = "vitrine-qemu",
    version,
    max_term_width = 80,
    after_help = "\
Exit codes: 0 done, 1 something was accepted or refused against expectation,
2 could not do it.

Example:
  vitrine-qemu boot out/exit --secure-boot keys/secure-boot.json"
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Boot(Boot),
    Demo(Demo),
    Prove(Prove),
    Controls(Controls),
    Completions(Completions),
    Man,
}

/// Boot an image and keep it running until Ctrl-C
///
/// Prints where the server answers and where its TPM's certificates are, so
/// that `vitrine-verify check` can be pointed at it.
#[derive(Debug, Args)]
#[command(override_usage = "vitrine-qemu boot <DIR|FILE> [OPTIONS] [-- QEMU ARGUMENTS]")]
#[command(after_help = "\
Example:
  vitrine-qemu boot out/exit --secure-boot keys/secure-boot.json")]
pub struct Boot {
    /// Output folder of `vitrine build`, or a boot image
    #[arg(value_name = "DIR|FILE")]
    pub out: PathBuf,
    #[command(flatten)]
    pub firmware: FirmwareKeys,
    #[command(flatten)]
    pub machine: MachineArgs,
    /// UDP port of 127.0.0.1 for WireGuard [default: a free one]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub wireguard_port: Option<u16>,
    /// TCP port of 127.0.0.1 for evidence [default: a free one]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub attestation_port: Option<u16>,
    /// Network card of the guest: e1000e, vmxnet3 … (`-device help` of QEMU)
    #[arg(long, value_name = "MODEL", default_value_t)]
    pub card: Card,
    /// Seconds to wait until the server answers
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub patience: u64,
    /// More arguments for QEMU, after `--`
    #[arg(last = true, value_name = "QEMU ARGUMENT")]
    pub extra: Vec<String>,
}

/// What the firmware holds.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct FirmwareKeys {
    /// Keys that the firmware holds (secure-boot.json of `vitrine keygen`)
    #[arg(long, value_name = "FILE")]
    pub secure_boot: Option<PathBuf>,
    /// Boot with Secure Boot off
    #[arg(long)]
    pub no_secure_boot: bool,
}

#[derive(Debug, Args)]
pub struct MachineArgs {
    /// Memory of the guest in MiB
    #[arg(long, value_name = "MIB", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(256..=65536))]
    pub memory: u32,
    /// Who executes the guest; KVM only after a probe boot
    /// [default: tcg, or auto with VITRINE_KVM=probe]
    #[arg(long, value_name = "HOW")]
    pub accel: Option<AccelArg>,
    /// Leave the folder with disk, variables and console output behind
    #[arg(long)]
    pub keep: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum AccelArg {
    Auto,
    Tcg,
    Kvm,
}

impl From<AccelArg> for Choice {
    fn from(arg: AccelArg) -> Self {
        match arg {
            AccelArg::Auto => Self::Auto,
            AccelArg::Tcg => Self::Tcg,
            AccelArg::Kvm => Self::Kvm,
        }
    }
}

/// Boot, verify, use the tunnel, and see tampered variants refused
///
/// Runs the shipped `vitrine-verify` (found beside this program, in the PATH,
/// or named by VITRINE_VERIFY). Ends by itself and leaves nothing running.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vitrine-qemu demo --out out/exit --keys keys")]
pub struct Demo {
    /// Output folder of `vitrine build`
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Folder of `vitrine keygen`
    #[arg(long, value_name = "DIR")]
    pub keys: PathBuf,
    /// Output folder of a development image: one more refusal to show
    #[arg(long, value_name = "DIR")]
    pub dev_out: Option<PathBuf>,
    #[command(flatten)]
    pub machine: MachineArgs,
}

/// Search everything a server could have kept about its users
///
/// Boots the image as it is shipped into a small Internet of network
/// namespaces (so it needs root), lets users do what users do, and searches
/// the machine's whole memory, its media, consoles and frames for what was
/// theirs. Takes about ten minutes; with --reduced about eight.
///
/// The image asks for its addresses by DHCP, or has those of
/// qemu/tests/recipes/prove.toml. Names resolve where it trusts the root of
/// --names; where it trusts the Internet's, all that are asked fail.
/// The report goes to zero-log-report.dsse.json beside the image, signed with
/// the release key when it is in the keys folder.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 nothing found, 1 residue, 2 could not judge.

Example:
  vitrine-qemu prove target/vm/prove --keys target/vm/keys")]
pub struct Prove {
    /// Output folder of `vitrine build`
    #[arg(value_name = "DIR")]
    pub out: PathBuf,
    /// Folder of `vitrine keygen`
    #[arg(long, value_name = "DIR")]
    pub keys: PathBuf,
    /// Zones of tools/test-zones.sh [default: names/ beside the image's folder]
    #[arg(long, value_name = "DIR")]
    pub names: Option<PathBuf>,
    /// What tools/test-ca.sh left, for a gateway's upstream [default: upstream/
    /// beside the image's folder]
    #[arg(long, value_name = "DIR")]
    pub upstream: Option<PathBuf>,
    /// For CI: without the reset and the boot after it. The report says so
    #[arg(long)]
    pub reduced: bool,
    /// A third user stays online while the others come and go: what is freed
    /// then lies beside what lives
    #[arg(long)]
    pub busy: bool,
    /// Afterwards the same users on a plain Debian server (tools/prove/plain.sh)
    #[arg(long, value_name = "DIR")]
    pub plain: Option<PathBuf>,
    /// Draw the copies found over time (SVG)
    #[arg(long, value_name = "FILE")]
    pub picture: Option<PathBuf>,
    /// Sign the report with this key instead of the keys folder's release.key
    #[arg(long, value_name = "FILE", conflicts_with = "unsigned")]
    pub sign_with: Option<PathBuf>,
    /// Write zero-log-report.json, unsigned
    #[arg(long)]
    pub unsigned: bool,
    /// Write the bytes around each copy there, to look for its cause
    #[arg(long, value_name = "DIR")]
    pub around: Option<PathBuf>,
    /// Seconds that a boot may take
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub patience: u64,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}

/// Build variants that log on purpose, and see each of them caught
///
/// Runs the shipped `vitrine` beside this program. Exit code 1: one was not
/// caught. 2: one was not tried.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vitrine-qemu controls --screen-only --table docs/controls.md")]
pub struct Controls {
    /// Folder of controls
    #[arg(long, value_name = "DIR", default_value = "qemu/controls")]
    pub folder: PathBuf,
    /// Try this one alone
    #[arg(long, value_name = "NAME")]
    pub only: Option<String>,
    /// Boot nothing: what only the proof can catch is left out, and the first
    /// line says so
    #[arg(long)]
    pub screen_only: bool,
    /// Zones of tools/test-zones.sh, for the proof
    #[arg(long, value_name = "DIR", default_value = "target/vm/names")]
    pub names: PathBuf,
    /// What tools/test-ca.sh left, for the proof of a gateway
    #[arg(long, value_name = "DIR", default_value = "target/vm/upstream")]
    pub upstream: PathBuf,
    /// The program that a gateway carries, as tools/test-images.sh compiles it,
    /// for its proof
    #[arg(long, value_name = "DIR", default_value = "target/vm/nosy")]
    pub app: PathBuf,
    /// Seconds to wait until a server answers
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub patience: u64,
    /// Write recipes of what the screen refuses, with waivers for exactly what it
    /// found, for the layers behind it
    #[arg(long, value_name = "DIR")]
    pub waived: Option<PathBuf>,
    /// Write the table of docs/controls.md
    #[arg(long, value_name = "FILE")]
    pub table: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// Print completions for a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vitrine-qemu completions bash > ~/.local/share/bash-completion/vitrine-qemu")]
pub struct Completions {
    pub shell: clap_complete::Shell,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn one_of_the_two_firmware_setups_has_to_be_named() {
        let parse = |args: &[&str]| Cli::try_parse_from([&["vitrine-qemu", "boot", "out"], args].concat());
        assert!(parse(&[]).is_err());
        assert!(parse(&["--no-secure-boot", "--secure-boot", "x"]).is_err());
        let Ok(Cli { command: Command::Boot(boot) }) = parse(&["--no-secure-boot", "--", "-smbios", "type=11"]) else {
            panic!("was refused");
        };
        assert_eq!(boot.extra, ["-smbios", "type=11"]);
    }

    /// Help fits 80 columns.
    #[test]
    fn help_is_narrow() {
        let mut command = Cli::command();
        command.build();
        for verb in command.get_subcommands_mut() {
            let help = verb.render_long_help().to_string();
            for line in help.lines() {
                assert!(line.chars().count() <= 80, "{}: {line}", verb.get_name());
            }
        }
    }
}
