//! `vitrine-qemu demo`: the second half of `make demo`. Boots, verifies, uses the tunnel, and shows refusals.

mod genuine;
mod parts;
mod refusals;
mod story;

use super::{note, print};
use crate::cli::Demo;
use parts::Parts;
use story::Story;
use vitrine_attest::{Error, Result};

pub fn run(args: &Demo) -> Result<u8> {
    let parts = Parts::read(args)?;
    let mut story = Story::begin(args.machine.json);
    note(&format!("verifier {}", parts.verifier.program().display()));

    let recorded = genuine::accepted(&parts, &mut story)?;
    refusals::changed_initramfs(&parts, &mut story)?;
    refusals::smbios_command_line(&parts, &mut story)?;
    refusals::credential_on_the_disk(&parts, &mut story)?;
    if let Some(out) = &args.dev_out {
        refusals::development_image(&parts, out, &mut story)?;
    }
    refusals::replayed_evidence(&parts, &recorded, &mut story)?;

    print(&story.end()?)?;
    Ok(0)
}

/// Something was accepted or refused against expectation: the demo fails with exit code 1.
fn unexpected(what: impl Into<String>, details: &str) -> Error {
    Error::artefact(what, details.trim())
}
