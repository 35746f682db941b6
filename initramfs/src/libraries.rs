//! The ELF closure: every program's interpreter and libraries, and whether they have the symbol versions it needs.

use crate::elf::{is_elf, Elf};
use crate::path::ImagePath;
use crate::take::Taker;
use crate::tree::Node;
use std::collections::BTreeMap;
use vitrine_attest::{Error, Result};

/// Where Debian's loader looks when nothing else is said (ld.so(8); the merged-/usr form of `/lib`, `/usr/lib`).
const STANDARD: [&str; 2] = ["/usr/lib/x86_64-linux-gnu", "/usr/lib"];

/// Adds what the ELF files of the tree link to, until nothing is missing.
///
/// Libraries opened at run time with `dlopen` are not seen: the recipe names them in `include`.
///
/// # Errors
/// A library that no package has; a symbol version that the image's library lacks; a damaged ELF file.
pub fn close(taker: &mut Taker<'_>) -> Result<()> {
    let mut parsed: BTreeMap<ImagePath, Elf> = BTreeMap::new();
    loop {
        let fresh = unparsed(taker, &parsed)?;
        if fresh.is_empty() {
            return check_versions(taker, &parsed);
        }
        let callers: Vec<Elf> = fresh.iter().map(|(_, elf)| elf).chain(parsed.values()).cloned().collect();
        for (path, elf) in fresh {
            if let Some(interpreter) = &elf.interpreter {
                let wanted = ImagePath::parse(interpreter).map_err(|e| e.within(format!("interpreter of {path}")))?;
                taker.take(&wanted).map_err(|e| e.within(format!("interpreter of {path}")))?;
            }
            for name in &elf.needed {
                let library = locate(taker, &path, &elf, name, &callers)?;
                taker.take(&library).map_err(|e| e.within(format!("library {name} of {path}")))?;
            }
            parsed.insert(path, elf);
        }
    }
}

/// ELF files of the tree that were not looked at yet. Kernel modules have no libraries.
fn unparsed(taker: &Taker<'_>, parsed: &BTreeMap<ImagePath, Elf>) -> Result<Vec<(ImagePath, Elf)>> {
    let fresh = taker.tree.iter().filter(|(path, entry)| is_elf(entry.bytes()) && !parsed.contains_key(path));
    fresh
        .map(|(path, entry)| match Elf::parse(entry.bytes()) {
            Ok(elf) => Ok((path.clone(), elf)),
            Err(why) => Err(Error::artefact(
                format!("{path} ({}) cannot be used: {why}", entry.origin),
                "leave it out of the recipe, or take it from a package for amd64",
            )),
        })
        .collect()
}

/// Where the loader would find a library for this file.
///
/// A library of this name that is in memory already is taken without a search (ld.so(8)). So what a library needs may
/// also lie where its callers look, if they need it as well: systemd's two own libraries, for example.
fn locate<'e>(
    taker: &Taker<'_>,
    path: &ImagePath,
    elf: &Elf,
    name: &str,
    callers: impl IntoIterator<Item = &'e Elf>,
) -> Result<ImagePath> {
    let needs = |caller: &Elf, name: &str| caller.needed.iter().any(|needed| needed == name);
    let mut folders: Vec<String> = if name.contains('/') {
        vec![String::new()]
    } else {
        elf.search.iter().map(|part| expand(part, path)).chain(STANDARD.map(String::from)).collect()
    };
    let callers = callers.into_iter().filter(|caller| needs(caller, name) && needs(caller, path.file_name()));
    folders.extend(callers.flat_map(|caller| &caller.search).filter(|part| part.starts_with('/')).cloned());
    for folder in &folders {
        let Ok(candidate) = ImagePath::parse(&format!("{folder}/{name}")) else { continue };
        let candidate = plain(&candidate);
        if taker.tree.get(&candidate).is_some() || taker.sources.find(&candidate)?.is_some() {
            return Ok(candidate);
        }
    }
    let origin = taker.tree.get(path).map_or("", |entry| entry.origin.as_str());
    Err(Error::input(
        format!("{path} ({origin}) needs {name}, and no package of the lock has it in {}", folders.join(", ")),
        "add the package that has it to [debian] packages and run `vitrine lock`",
    ))
}

/// Replaces `$ORIGIN` (ld.so(8)) and takes `..` out.
fn expand(part: &str, path: &ImagePath) -> String {
    let origin = path.parent().map_or(String::new(), String::from);
    let text = part.replace("${ORIGIN}", &origin).replace("$ORIGIN", &origin);
    let mut kept: Vec<&str> = Vec::new();
    for piece in text.split('/') {
        match piece {
            "" | "." => {}
            ".." => drop(kept.pop()),
            piece => kept.push(piece),
        }
    }
    kept.iter().map(|piece| format!("/{piece}")).collect()
}

fn plain(path: &ImagePath) -> ImagePath {
    path.merged().0
}

/// Every version that a file needs has to be defined by the library that it gets.
fn check_versions(taker: &Taker<'_>, parsed: &BTreeMap<ImagePath, Elf>) -> Result<()> {
    for (path, elf) in parsed {
        for need in elf.needs.iter().filter(|need| !need.weak) {
            let library = locate(taker, path, elf, &need.library, parsed.values())?;
            let library = real(taker, library)?;
            // a library without any versions is accepted by the loader
            let lacking =
                parsed.get(&library).is_some_and(|l| !l.defines.is_empty() && !l.defines.contains(&need.version));
            if lacking {
                return Err(too_old(taker, path, &need.version, &library));
            }
        }
    }
    Ok(())
}

/// Follows links inside the tree; they are complete and without loops, because [`Taker::take`] made them.
fn real(taker: &Taker<'_>, mut path: ImagePath) -> Result<ImagePath> {
    while let Some(Node::Link(target)) = taker.tree.get(&path).map(|entry| &entry.node) {
        path = plain(&path.follow(target)?);
    }
    Ok(path)
}

fn too_old(taker: &Taker<'_>, path: &ImagePath, version: &str, library: &ImagePath) -> Error {
    let origin = |path: &ImagePath| taker.tree.get(path).map_or(String::new(), |entry| entry.origin.clone());
    Error::input(
        format!(
            "{path} ({}) needs version {version} of {}, which the image's {} does not have: it was built against a newer \
             library than the image's",
            origin(path),
            library.file_name(),
            origin(library)
        ),
        "build it on the image's Debian release or an older one, or lock a newer release",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::{Content, NoCache};
    use crate::fixture::{deb, program, Tar, Wants};
    use crate::sources::{Package, Sources};
    use crate::tree::Layer;
    use crate::unpack::Coding;
    use vitrine_attest::Sha256;

    const LIB: &str = "usr/lib/x86_64-linux-gnu";

    fn distribution() -> Tar {
        let libc =
            program(&Wants { soname: Some("libc.so.6"), defines: &["GLIBC_2.34", "GLIBC_2.41"], ..Wants::default() });
        let libx = program(&Wants { soname: Some("libx.so.1"), needed: &["libc.so.6"], ..Wants::default() });
        Tar::new()
            .file(&format!("{LIB}/libc.so.6"), 0o755, &libc)
            .file(&format!("{LIB}/libx.so.1.0"), 0o644, &libx)
            .link(&format!("{LIB}/libx.so.1"), "libx.so.1.0")
            .file("opt/private/libp.so", 0o644, &program(&Wants { soname: Some("libp.so"), ..Wants::default() }))
            .file(&format!("{LIB}/ld.so"), 0o755, &program(&Wants::default()))
            .link("usr/lib64/ld.so", "../lib/x86_64-linux-gnu/ld.so")
    }

    fn closed(wants: &Wants) -> Result<Vec<String>> {
        let bytes = deb("p", "1", Coding::Plain, distribution());
        let load = || Ok(bytes.clone());
        let packages = [Package { name: "p", version: "1", sha256: Sha256::ZERO, load: &load }];
        let sources = Sources::open(&packages, &NoCache, &|_| ())?;
        let mut taker = Taker::new(&sources);
        let path = ImagePath::parse("/usr/lib/vitrine/agent")?;
        taker.tree.add_file(path, Content::new(program(wants)), 0o555, Layer::Programs, "program agent")?;
        close(&mut taker)?;
        Ok(taker.tree.iter().filter(|(_, e)| e.node != Node::Directory).map(|(p, _)| p.to_string()).collect())
    }

    #[test]
    fn everything_that_is_linked_to() {
        let wants = Wants {
            interpreter: Some("/lib64/ld.so"),
            needed: &["libx.so.1", "libp.so"],
            runpath: Some("$ORIGIN/../../../opt/private"),
            versions: &[("libc.so.6", "GLIBC_2.34")],
            ..Wants::default()
        };
        assert_eq!(
            closed(&wants).unwrap(),
            [
                "/lib64",
                "/opt/private/libp.so",
                "/usr/lib/vitrine/agent",
                "/usr/lib/x86_64-linux-gnu/ld.so",
                "/usr/lib/x86_64-linux-gnu/libc.so.6",
                "/usr/lib/x86_64-linux-gnu/libx.so.1",
                "/usr/lib/x86_64-linux-gnu/libx.so.1.0",
                "/usr/lib64/ld.so"
            ]
        );
    }

    #[test]
    fn missing_library_and_missing_version() {
        let error = closed(&Wants { needed: &["libq.so.3"], ..Wants::default() }).unwrap_err();
        assert!(error.what.starts_with("/usr/lib/vitrine/agent (program agent) needs libq.so.3"), "{error}");
        let newer = Wants { needed: &["libc.so.6"], versions: &[("libc.so.6", "GLIBC_2.42")], ..Wants::default() };
        let error = closed(&newer).unwrap_err();
        assert!(
            error.what.contains("needs version GLIBC_2.42 of libc.so.6, which the image's p 1 does not have"),
            "{error}"
        );
        assert!(closed(&Wants { versions: &[("libc.so.6", "GLIBC_2.41")], ..newer }).is_ok());
        assert!(closed(&Wants { interpreter: Some("relative"), ..Wants::default() }).is_err());
    }

    #[test]
    fn origin_is_expanded() {
        let path = ImagePath::parse("/usr/bin/x").unwrap();
        assert_eq!(expand("$ORIGIN/../lib", &path), "/usr/lib");
        assert_eq!(expand("${ORIGIN}", &path), "/usr/bin");
        assert_eq!(expand("/a//b/./c/../../../..", &path), "");
    }
}
