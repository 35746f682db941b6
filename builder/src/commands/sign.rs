//! `vitrine sign`

use super::Outcome;
use crate::authenticode::{bytes_to_sign, sign, Signer};
use crate::cli::Sign;
use crate::{keys, out, uki};
use serde_json::json;
use std::path::Path;
use vitrine_attest::pe::authenticode;
use vitrine_attest::{Error, Result};

/// Largest image that is read, in bytes.
const IMAGE_LIMIT: u64 = 2 << 30;
/// Largest signature file that is read, in bytes: RSA-8192 gives 1,024.
const SIGNATURE_LIMIT: u64 = 1024;

pub fn run(args: &Sign) -> Result<Outcome> {
    let image = out::read(&args.image, IMAGE_LIMIT)?;
    // a signature on an image whose boot cannot be predicted would only do harm
    uki::check(&image).map_err(|e| e.within(args.image.display()))?;
    let Some(out) = args.out.as_deref().filter(|_| !args.print_attributes) else {
        return Ok(Outcome::raw(bytes_to_sign(&image)?));
    };
    let signed = sign(&image, &signer(args)?)?;
    refuse_same(&args.image, out)?;
    out::write_atomic(out, &signed)?;
    let (path, digest) = (out.display().to_string(), authenticode(&signed)?);
    Outcome::new(format!("{path}\nAuthenticode digest {digest}\n"), &json!({ "image": path, "authenticode": digest }))
}

fn signer(args: &Sign) -> Result<Signer> {
    let certificate = args.outside.cert.as_deref().map(keys::certificate).transpose()?;
    match (&args.keys, &args.outside.sign_with, &args.attach, certificate) {
        (Some(keys), _, _, _) => keys::image_signer(keys),
        (_, Some(command), _, Some(certificate)) => Ok(Signer::Command { command: command.clone(), certificate }),
        (_, _, Some(file), Some(certificate)) => {
            Ok(Signer::Detached { signature: out::read(file, SIGNATURE_LIMIT)?, certificate })
        }
        _ => Err(Error::input(
            "nobody is named to sign",
            "give --keys, --sign-with or --attach, the last two with --cert",
        )),
    }
}

/// The unsigned image is what others rebuild: it is not to be lost.
fn refuse_same(image: &Path, out: &Path) -> Result<()> {
    match (image.canonicalize(), out.canonicalize()) {
        (Ok(a), Ok(b)) if a == b => {
            Err(Error::input("--out is the unsigned image itself", "give another file with --out"))
        }
        _ => Ok(()),
    }
}
