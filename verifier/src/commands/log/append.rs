//! `vitrine-verify log append`

use super::indexed;
use crate::cli::AppendArgs;
use crate::commands::{print, Done};
use crate::files;
use crate::log::{Placed, Writer};
use serde_json::json;
use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;
use vitrine_attest::tile::ENTRY_LIMIT;
use vitrine_attest::{Error, Result};

pub fn run(args: &AppendArgs) -> Result<Done> {
    let mut writer = Writer::open(&args.dir)?;
    let done = match &args.lines {
        Some(path) => lines(args, &mut writer, path),
        None => entries(args, &mut writer),
    }?;
    indexed(&writer);
    Ok(done)
}

/// One change for all files, or several when they are many: a file that cannot be read changes nothing.
fn entries(args: &AppendArgs, writer: &mut Writer) -> Result<Done> {
    let entries: Vec<Vec<u8>> = args.files.iter().map(|path| files::read(path, ENTRY_LIMIT)).collect::<Result<_>>()?;
    for (paths, entries) in args.files.chunks(args.batch as usize).zip(entries.chunks(args.batch as usize)) {
        let batch: Vec<&[u8]> = entries.iter().map(Vec::as_slice).collect();
        for (path, placed) in paths.iter().zip(writer.append(&batch)?) {
            let Placed { index, leaf, duplicate } = placed;
            if args.json {
                print(
                    &json!({"duplicate": duplicate, "file": path.display().to_string(), "index": index, "leaf": leaf})
                        .to_string(),
                )?;
            } else {
                let was = if duplicate { ", as before" } else { "" };
                print(&format!("{} is entry {index}{was} (leaf hash {leaf})", path.display()))?;
            }
        }
    }
    Ok(Done::ok(String::new()))
}

fn lines(args: &AppendArgs, writer: &mut Writer, path: &Path) -> Result<Done> {
    let failed = |e: std::io::Error| Error::input(format!("{}: {e}", path.display()), "check the file's name");
    let mut input: Box<dyn BufRead> = if path == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(BufReader::with_capacity(1 << 20, File::open(path).map_err(failed)?))
    };
    loop {
        let mut batch = Vec::with_capacity(args.batch as usize);
        while batch.len() < args.batch as usize {
            let mut line = Vec::new();
            // a line end, and one byte to see that it is too long
            let read = input.by_ref().take(ENTRY_LIMIT as u64 + 2).read_until(b'\n', &mut line).map_err(failed)?;
            if read == 0 {
                break;
            }
            if line.last() == Some(&b'\n') {
                line.pop();
            }
            batch.push(line);
        }
        if batch.is_empty() {
            return Ok(Done::ok(String::new()));
        }
        let before = writer.size();
        let entries: Vec<&[u8]> = batch.iter().map(Vec::as_slice).collect();
        let duplicates = writer.append(&entries)?.iter().filter(|placed| placed.duplicate).count();
        let size = writer.size();
        if args.json {
            print(&json!({"duplicates": duplicates, "entries": entries.len(), "size": size}).to_string())?;
        } else {
            print(&format!("{} new entries, {duplicates} there before; the log has {size}", size - before))?;
        }
    }
}
