//! Writing an archive: the same contents give the same bytes.

use super::header::{header, padding, BLOCK, END};
use super::manifest::{Manifest, Member};
use super::MANIFEST;
use ring::digest::{Context, SHA256};
use std::io::{self, Read, Write};
use vitrine_attest::{Error, Result, Sha256};

/// Bytes copied at once.
pub(super) const CHUNK: usize = 128 << 10;

/// Writes the manifest and the members it lists; `open` gives their bytes, which have to be what the manifest says.
///
/// # Errors
/// Blame Artefact when a member's bytes are others; what `failed` makes of a write that fails.
pub fn write<'a>(
    out: &mut impl Write,
    manifest: &Manifest,
    open: &dyn Fn(&Member) -> Result<Box<dyn Read + 'a>>,
    failed: &dyn Fn(&io::Error) -> Error,
) -> Result<()> {
    manifest
        .check()
        .map_err(|why| Error::input(format!("this cannot be vendored: {why}"), "take it out of the recipe"))?;
    let text = manifest.to_toml()?.into_bytes();
    append(out, &Member::of(MANIFEST, &text), &mut &text[..], failed)?;
    for member in &manifest.members {
        append(out, member, &mut open(member)?, failed)?;
    }
    out.write_all(&END).and_then(|()| out.flush()).map_err(|e| failed(&e))
}

fn append(
    out: &mut impl Write,
    member: &Member,
    bytes: &mut dyn Read,
    failed: &dyn Fn(&io::Error) -> Error,
) -> Result<()> {
    out.write_all(&header(&member.name, member.size)?).map_err(|e| failed(&e))?;
    let mut hash = Context::new(&SHA256);
    let mut chunk = vec![0; CHUNK];
    // one byte more than it should have: a longer file is another file
    let mut bytes = bytes.take(member.size + 1);
    loop {
        let count = match bytes.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => count,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(Error::host(format!("{} cannot be read: {e}", member.name), "check the disk")),
        };
        hash.update(&chunk[..count]);
        out.write_all(&chunk[..count]).map_err(|e| failed(&e))?;
    }
    let found = digest(hash);
    if found != member.sha256 || bytes.limit() != 1 {
        let what = format!("{} was altered while it was read: expected {}, got {found}", member.name, member.sha256);
        return Err(Error::artefact(what, "run the same command again; a package is fetched again"));
    }
    out.write_all(&[0; BLOCK][..padding(member.size)]).map_err(|e| failed(&e))
}

pub(super) fn digest(hash: Context) -> Sha256 {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(hash.finish().as_ref());
    Sha256(bytes)
}
