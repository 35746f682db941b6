//! What other programs judge of ours, and what we judge of theirs: the near end of `tools/interop/run.sh`.
//!
//! `interop write FOLDER` · `interop proofs FOLDER` (to standard output) · `interop judge WHAT FOLDER`, where WHAT is
//! `roots`, `notes`, `proofs` or `some-proofs` (from standard input), `tlog-proofs`, `tiles` or `dsse`. All drivers of the peers know the same
//! commands and the same folder:
//!
//! ```text
//! entries          base64 of one entry a line
//! roots            <size> <base64>, of the first 0, 1, 2 … entries
//! keys             key texts, one a line, the log's first
//! notes/*          checkpoints, each signed by all keys
//! tlog-proofs/*    for entries of `entries`, each with signatures of all keys; extra/*: the same with an `extra` line
//! ml-dsa/          with the feature `ml-dsa`: keys, seeds (hex) and notes of a log and two witnesses of ML-DSA-44
//! log/             a log's public folder: checkpoint, signed by the first key, and tile/…
//! envelope         DSSE, and in envelope.key the public key in hex
//! ```
//! A stream of proofs: `i` inclusion or `c` consistency, u16 index or old size, u16 size, u8 number of hashes, the hashes; then
//! `end`. There are 340 MB of them: text takes a minute to write and to read.
//!
//! A judge takes everything of its kind, then spoils each thing by one bit and has to refuse it. Exit code 1: the peer's thing
//! was refused, or a spoilt one was taken; 2: there was nothing to judge.
#![forbid(unsafe_code)]

mod judge;
mod judge_log;
mod stream;
mod write;

use base64::{engine::general_purpose::STANDARD, Engine as _};
use std::path::Path;
use std::process::ExitCode;
use vitrine_attest::tile::{Edge, Tile, Tree};
use vitrine_attest::vkey::NoteKey;
use vitrine_attest::{merkle, Error, Result, Sha256};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["write", folder] => write::all(Path::new(folder)),
        ["proofs", folder] => stream::write(Path::new(folder)),
        ["judge", what, folder] => judge::judge(what, Path::new(folder)),
        _ => Err(Error::input("interop: unknown arguments", "interop write|proofs FOLDER, interop judge WHAT FOLDER")),
    };
    match done {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("interop: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

/// Exit code 1: what a peer wrote does not hold.
fn refused(what: impl Into<String>) -> Error {
    Error::artefact(what, "")
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| Error::input(format!("{}: {e}", path.display()), "let the peer write it first"))
}

fn text(path: &Path) -> Result<String> {
    String::from_utf8(read(path)?).map_err(|_| refused(format!("{} is no UTF-8", path.display())))
}

/// The files of a folder in the order of their names; none is no good.
fn files(folder: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let nothing = || Error::input(format!("{}: nothing to judge", folder.display()), "let the peer write it first");
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).map_err(|_| nothing())?.flatten().map(|file| file.path()).collect();
    paths.sort();
    if paths.is_empty() {
        return Err(nothing());
    }
    paths.iter().map(|path| Ok((path.display().to_string(), read(path)?))).collect()
}

fn hash(digits: &str) -> Option<Sha256> {
    STANDARD.decode(digits).ok()?.try_into().ok().map(Sha256)
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

fn entries(folder: &Path) -> Result<Vec<Vec<u8>>> {
    let bad = |line: &str| refused(format!("entries: \"{line}\" is no base64"));
    text(&folder.join("entries"))?.lines().map(|line| STANDARD.decode(line).map_err(|_| bad(line))).collect()
}

/// Roots of the trees over the first 0, 1, 2 … entries.
fn roots(folder: &Path) -> Result<Vec<Sha256>> {
    let text = text(&folder.join("roots"))?;
    let root = |(size, line): (usize, &str)| {
        line.split_once(' ').filter(|(number, _)| *number == size.to_string()).and_then(|(_, root)| hash(root))
    };
    let roots: Option<Vec<Sha256>> = text.lines().enumerate().map(root).collect();
    roots.ok_or_else(|| refused("roots: a line is not <size> <base64>"))
}

fn keys(folder: &Path) -> Result<Vec<NoteKey>> {
    text(&folder.join("keys"))?.lines().map(|line| NoteKey::of_log(line).map_err(|e| refused(e.to_string()))).collect()
}

type Tiles = std::collections::BTreeMap<Tile, Vec<Sha256>>;

/// The tiles of a tree over these entries.
fn tiles(entries: &[Vec<u8>]) -> Tiles {
    let (mut edge, mut tiles) = (Edge::default(), Tiles::new());
    for entry in entries {
        edge.push(merkle::leaf(entry), |tile, hashes| {
            tiles.insert(tile, hashes.to_vec());
        });
    }
    tiles.extend(edge.partial().map(|(tile, hashes)| (tile, hashes.to_vec())));
    tiles
}

fn tree(size: usize, tiles: &Tiles) -> Tree<impl FnMut(Tile) -> Result<Vec<Sha256>> + '_> {
    Tree::new(size as u64, |tile| tiles.get(&tile).cloned().ok_or_else(|| Error::bug(format!("no {}", tile.path()))))
}
