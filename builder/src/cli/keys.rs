//! Keys: made, signed with, enrolled.

use clap::Args;
use std::path::PathBuf;

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
