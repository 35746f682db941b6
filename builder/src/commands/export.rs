//! `vitrine export`

use super::Outcome;
use crate::cli::Export;
use crate::export::medium::Medium;
use crate::export::netboot::Netboot;
use crate::export::write::{self, Existing};
use crate::export::{boots, qcow2, Boot, Disk, Format, Image, Start};
use crate::out;
use crate::progress::Progress;
use serde::Serialize;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use vitrine_attest::pcr::Pcr;
use vitrine_attest::{Error, Result, Sha256};

/// Largest image that is read, in bytes: firmware loads it into memory whole.
const IMAGE_LIMIT: u64 = 2 << 30;

/// What was written.
#[derive(Debug, Serialize)]
struct Exported {
    format: String,
    image: Source,
    files: Vec<Written>,
    boots: Vec<Boot>,
}

#[derive(Debug, Serialize)]
struct Source {
    path: String,
    size: usize,
    sha256: Sha256,
    authenticode: Sha256,
    signatures: usize,
}

#[derive(Debug, Serialize)]
struct Written {
    path: String,
    /// In bytes.
    size: u64,
    sha256: Sha256,
}

pub fn run(args: &Export, progress: &Progress) -> Result<Outcome> {
    let path = image_of(&args.target)?;
    let bytes = out::read(&path, IMAGE_LIMIT)?;
    let image = Image::check(&bytes).map_err(|e| e.within(path.display()))?;
    if image.signatures == 0 {
        progress.note("the image is not signed: it starts only where Secure Boot is off, and no verifier accepts that");
    }
    refuse_same(&path, &args.to)?;
    let existing = if args.force { Existing::Replace } else { Existing::Refuse };
    progress.step(&format!("write {}", args.to.display()));
    let (files, boots) = write(args, &image, existing)?;
    let Image { sha256, authenticode, signatures, .. } = image;
    let image = Source { path: path.display().to_string(), size: bytes.len(), sha256, authenticode, signatures };
    let exported = Exported { format: name(args.format), image, files, boots };
    Outcome::new(text(&exported), &exported)
}

/// The image itself, or that of an output folder.
pub(super) fn image_of(target: &Path) -> Result<PathBuf> {
    let (signed, unsigned) = (target.join(out::IMAGE), target.join(out::UNSIGNED));
    if !target.is_dir() {
        return Ok(target.to_owned());
    }
    if signed.exists() {
        return Ok(signed);
    }
    let what = format!("there is no {} in {}", out::IMAGE, target.display());
    Err(match unsigned.exists() {
        true => {
            Error::input(what, format!("sign {} with `vitrine sign`, or name that file itself", unsigned.display()))
        }
        false => Error::input(what, "give the folder of `vitrine build --out`"),
    })
}

/// `--force` is not meant for the image.
fn refuse_same(image: &Path, to: &Path) -> Result<()> {
    match (image.canonicalize(), to.canonicalize()) {
        (Ok(a), Ok(b)) if a == b => Err(Error::input("--to is the image itself", "give another name with --to")),
        _ => Ok(()),
    }
}

fn write(args: &Export, image: &Image, existing: Existing) -> Result<(Vec<Written>, Vec<Boot>)> {
    if args.format == Format::Netboot {
        let files = netboot(&Netboot::of(image)?, &args.to, existing)?;
        return Ok((files, boots(args.format, None)));
    }
    write::check(&args.to, existing)?;
    let disk = Disk::of(image)?;
    let disk = if args.format == Format::Iso { disk.into_iso()? } else { disk };
    let gpt = disk.gpt;
    let written = match args.format {
        Format::Qcow2 => file(&qcow2::of(&disk.medium)?, &args.to, existing)?,
        _ => file(&disk.medium, &args.to, existing)?,
    };
    Ok((vec![written], boots(args.format, Some(&gpt))))
}

fn file(medium: &Medium, to: &Path, existing: Existing) -> Result<Written> {
    write::file(to, existing, |file| medium.write_to(file))?;
    Ok(Written { path: to.display().to_string(), size: medium.size(), sha256: medium.sha256() })
}

fn netboot(netboot: &Netboot, folder: &Path, existing: Existing) -> Result<Vec<Written>> {
    netboot.write(folder, existing)?;
    let written = |path: PathBuf| {
        let bytes = out::read(&path, IMAGE_LIMIT)?;
        Ok(Written { path: path.display().to_string(), size: bytes.len() as u64, sha256: Sha256::of(&bytes) })
    };
    netboot.paths(folder).into_iter().map(written).collect()
}

/// Writing to a String cannot fail, so the results of `writeln!` are dropped.
fn text(exported: &Exported) -> String {
    let mut out = String::new();
    for file in &exported.files {
        let _ = writeln!(out, "{}\n  size    {} bytes\n  sha256  {}", file.path, file.size, file.sha256);
    }
    let _ = writeln!(out, "\nimage     {}\n  sha256  {}", exported.image.path, exported.image.sha256);
    let _ = writeln!(out, "\nPCR 5 (not quoted: it tells the medium)");
    for boot in &exported.boots {
        let from = match boot.from {
            Start::Disk => "as a disk",
            Start::Cdrom => "as a CD",
            Start::Http => "by HTTP",
        };
        let value = boot.expected.pcrs.get(Pcr::BOOT_MEDIUM).unwrap_or(Sha256::ZERO);
        let _ = writeln!(out, "  {from:<10} {value}");
    }
    out
}

fn name(format: Format) -> String {
    format!("{format:?}").to_lowercase()
}
