//! `vitrine keygen`

use super::Outcome;
use crate::cli::Keygen;
use crate::keys;
use crate::progress::Progress;
use serde_json::json;
use vitrine_attest::Result;

pub fn run(args: &Keygen, progress: &Progress) -> Result<Outcome> {
    progress.step("make three RSA keys and two Ed25519 keys");
    let written = keys::generate(&args.out, &args.name)?;
    let mut text = format!("{} files in {}\n", written.len(), args.out.display());
    text += "keep every .key file secret; give release.pub to those who check your servers\n";
    let names: Vec<_> = written.iter().map(|path| path.display().to_string()).collect();
    Outcome::new(text, &json!({ "written": names }))
}
