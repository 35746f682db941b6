//! Packs a folder as a build packs its tree, with the comparison at the end: for `tools/bench/build.sh`, which lets other
//! archive writers pack the same folder.
//!
//! ```text
//! cargo run --release -p vitrine-initramfs --example archive -- FOLDER OUT zstd|gzip LEVEL
//! ```

use std::fs;
use std::path::Path;
use vitrine_attest::{Error, Result};
use vitrine_initramfs::{pack, screen, Compression, Content, Context, ImagePath, Layer, NoCache, Policy, Tree};

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let [_, folder, out, compressor, level] = args.as_slice() else {
        return Err("usage: archive FOLDER OUT zstd|gzip LEVEL".into());
    };
    let level = level.parse()?;
    let compression = match compressor.as_str() {
        "zstd" => Compression::Zstd(level),
        "gzip" => Compression::Gzip(level),
        other => return Err(format!("{other} is neither zstd nor gzip").into()),
    };
    let mut tree = Tree::new();
    fill(&mut tree, Path::new(folder), "").map_err(|e| e.to_string())?;
    // no rules: what is measured is the writing
    let policy = Policy::parse("mask = []", &[]).map_err(|e| e.to_string())?;
    let context = Context { without: vec!["cmdline".into()], ..Context::default() };
    let (screened, _) = screen(tree, &context, &policy, &[]).map_err(|report| report.to_string())?;
    let archive = pack(&screened, compression, &NoCache, None).map_err(|e| e.to_string())?;
    Ok(fs::write(out, archive.bytes)?)
}

/// As a build sorts them, but for the few files of the configuration.
fn layer(path: &str) -> Layer {
    match path {
        _ if path.starts_with("/usr/lib/modules/") => Layer::Modules,
        _ if path == "/init" || path.starts_with("/usr/lib/vitrine/") => Layer::Programs,
        _ => Layer::Distribution,
    }
}

/// Every file and folder into its layer.
fn fill(tree: &mut Tree, root: &Path, below: &str) -> Result<()> {
    let io = |e: std::io::Error| Error::host(format!("{}{below}: {e}", root.display()), "");
    for entry in fs::read_dir(root.join(below.trim_start_matches('/'))).map_err(io)? {
        let entry = entry.map_err(io)?;
        let name = entry.file_name().into_string().map_err(|_| Error::input("a name that is not UTF-8", ""))?;
        let path = format!("{below}/{name}");
        let layer = layer(&path);
        let (place, kind) = (ImagePath::parse(&path)?, entry.file_type().map_err(io)?);
        if kind.is_dir() {
            tree.add_directory(place, layer, "folder")?;
            fill(tree, root, &path)?;
        } else if kind.is_symlink() {
            let target = fs::read_link(entry.path()).map_err(io)?;
            tree.add_link(place, &target.to_string_lossy(), layer, "folder")?;
        } else {
            tree.add_file(place, Content::new(fs::read(entry.path()).map_err(io)?), 0o555, layer, "folder")?;
        }
    }
    Ok(())
}
