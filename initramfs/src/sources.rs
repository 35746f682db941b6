//! All packages of a lock as one read-only file system, unpacked at most once and only when needed.

use crate::cache::{Cache, Content};
use crate::deb::Deb;
use crate::glob;
use crate::index::{Index, Item, Kind};
use crate::path::ImagePath;
use crate::unpack::{unpack, Coding};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::BufRead;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{mpsc, OnceLock};
use vitrine_attest::{Error, Result, Sha256};

/// Packages unpacked at the same time. The large ones use two threads of their own in the xz decoder.
const WORKERS: usize = 2;
/// Most one packed file inside a package (a `.ko.xz`) may unpack to, in bytes; the largest module has 30 MiB.
const FILE_LIMIT: u64 = 256 << 20;

/// The bytes of a package.
pub trait Load: Sync {
    /// Hands a reader over the package's bytes to `read`. Whether they are the right ones may be known at their end
    /// only: when this fails, what `read` has made is not used.
    ///
    /// # Errors
    /// What `read` says, or that the bytes are altered or cannot be had; that they are altered goes first.
    fn load(&self, read: &mut dyn FnMut(&mut dyn BufRead) -> Result<()>) -> Result<()>;
}

/// Bytes that are in memory, and checked.
impl<F: Fn() -> Result<Vec<u8>> + Sync> Load for F {
    fn load(&self, read: &mut dyn FnMut(&mut dyn BufRead) -> Result<()>) -> Result<()> {
        read(&mut &self()?[..])
    }
}

/// A package as the lock names it. `load` is called only when the cache does not hold what is wanted.
pub struct Package<'a> {
    pub name: &'a str,
    /// With epoch and revision: `1:2.75-10`.
    pub version: &'a str,
    pub sha256: Sha256,
    pub load: &'a dyn Load,
}

/// The file lists of all packages, and the way to their bytes.
pub struct Sources<'a> {
    debs: Vec<Source<'a>>,
    /// Which packages have something at a path.
    paths: BTreeMap<ImagePath, Vec<usize>>,
    cache: &'a dyn Cache,
}

struct Source<'a> {
    package: &'a Package<'a>,
    index: Index,
    tar: OnceLock<Vec<u8>>,
}

/// What the cache holds of a package.
#[derive(Serialize, Deserialize)]
struct Listed {
    name: String,
    version: String,
    index: Index,
}

/// One entry and the package it comes from.
#[derive(Clone, Copy)]
pub struct Found<'s> {
    deb: usize,
    pub item: &'s Item,
}

impl Found<'_> {
    /// The same package's entry, with something about it changed.
    pub fn with<'i>(&self, item: &'i Item) -> Found<'i> {
        Found { deb: self.deb, item }
    }
}

impl<'a> Sources<'a> {
    /// Lists all packages; those not in the cache are unpacked, two at a time.
    ///
    /// # Errors
    /// The first package, in the order given, that cannot be loaded or read, or is not what its name says.
    pub fn open(packages: &'a [Package<'a>], cache: &'a dyn Cache, progress: &dyn Fn(&str)) -> Result<Self> {
        let mut debs = Vec::with_capacity(packages.len());
        for source in open_all(packages, cache, progress) {
            debs.push(source?);
        }
        let mut paths: BTreeMap<ImagePath, Vec<usize>> = BTreeMap::new();
        for (number, source) in debs.iter().enumerate() {
            if debs[..number].iter().any(|other| other.package.name == source.package.name) {
                return Err(Error::input(
                    format!("package {} is in the lock twice", source.package.name),
                    "make the lock again with `vitrine lock`",
                ));
            }
            for path in source.index.0.keys() {
                paths.entry(path.clone()).or_default().push(number);
            }
        }
        Ok(Self { debs, paths, cache })
    }

    /// What stands at a path (merged-/usr form).
    ///
    /// # Errors
    /// When two packages have different things there.
    pub fn find(&self, path: &ImagePath) -> Result<Option<Found<'_>>> {
        let owners = self.paths.get(path).map(Vec::as_slice).unwrap_or_default();
        let mut found: Option<Found<'_>> = None;
        for &deb in owners {
            let Some(item) = self.debs[deb].index.0.get(path) else { continue };
            match found {
                None => found = Some(Found { deb, item }),
                Some(first) if first.item.kind == Kind::Directory && item.kind == Kind::Directory => {}
                Some(first) => return Err(Error::artefact(
                    format!(
                        "{path} is in two packages: {} and {}",
                        self.origin(first),
                        self.origin(Found { deb, item })
                    ),
                    "only one of them can be in the image: take the other one out of [debian] packages and lock again",
                )),
            }
        }
        Ok(found)
    }

    /// All paths of all packages, sorted.
    pub fn paths(&self) -> impl Iterator<Item = &ImagePath> {
        self.paths.keys()
    }

    /// All paths that match a pattern, sorted.
    pub fn matching(&self, pattern: &str) -> Vec<ImagePath> {
        self.paths().filter(|path| glob::matches(pattern, path.as_str())).cloned().collect()
    }

    /// All paths below a folder, sorted.
    pub fn below<'s>(&'s self, folder: &'s ImagePath) -> impl Iterator<Item = &'s ImagePath> {
        self.paths
            .range(folder.clone()..)
            .map(|(path, _)| path)
            .take_while(|path| path.as_str().starts_with(folder.as_str()))
            .filter(|path| path.is_below(folder.as_str()))
    }

    /// Everything that one package has, sorted by path; `None` when the lock has no such package.
    pub fn of_package(&self, name: &str) -> Option<impl Iterator<Item = (&ImagePath, Found<'_>)>> {
        let deb = self.debs.iter().position(|source| source.package.name == name)?;
        Some(self.debs[deb].index.0.iter().map(move |(path, item)| (path, Found { deb, item })))
    }

    /// `libc6 2.41-12`
    pub fn origin(&self, found: Found<'_>) -> String {
        let package = self.debs[found.deb].package;
        format!("{} {}", package.name, package.version)
    }

    pub fn package_name(&self, found: Found<'_>) -> &str {
        self.debs[found.deb].package.name
    }

    /// The bytes of a file, unpacked when its name ends in `.xz`, `.gz` or `.zst` and `plain` is asked for.
    ///
    /// # Errors
    /// When it is no file, or the package cannot be loaded or unpacked.
    pub fn read(&self, path: &ImagePath, found: Found<'_>, form: Form) -> Result<Content> {
        let source = &self.debs[found.deb];
        let key = Sha256::of_parts(&[b"vitrine file v2\0", &source.package.sha256.0, path.as_str().as_bytes()]);
        if let Some(content) = self.cache.get(form.cache_kind(), key) {
            return Ok(content);
        }
        let content = Content::new(source.bytes(path, found.item, form).map_err(|e| e.within(self.origin(found)))?);
        self.cache.put(form.cache_kind(), key, &content);
        Ok(content)
    }
}

/// How [`Sources::read`] gives a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As it is in the package.
    Stored,
    /// Decompressed, if its name says that it is compressed: kernel modules.
    Plain,
}

impl Form {
    fn cache_kind(self) -> &'static str {
        match self {
            Self::Stored => "file",
            Self::Plain => "file-plain",
        }
    }
}

impl Source<'_> {
    fn bytes(&self, path: &ImagePath, item: &Item, form: Form) -> Result<Vec<u8>> {
        let Kind::File { offset, size } = item.kind else {
            return Err(Error::input(format!("{path} is no file"), "name a file in the recipe"));
        };
        let tar = self.tar()?;
        let range = usize::try_from(offset).ok().zip(usize::try_from(size).ok()).and_then(|(offset, size)| {
            let end = offset.checked_add(size)?;
            tar.get(offset..end)
        });
        // can only happen when the cache holds the list of another package
        let bytes = range.ok_or_else(|| Error::bug(format!("{path} lies outside its package")))?;
        match form {
            Form::Stored => Ok(bytes.to_vec()),
            Form::Plain => unpack(bytes, Coding::of(path.as_str()).1, FILE_LIMIT).map_err(|e| e.within(path)),
        }
    }

    fn tar(&self) -> Result<&[u8]> {
        if let Some(tar) = self.tar.get() {
            return Ok(tar);
        }
        let deb = unpack_deb(self.package)?;
        Ok(self.tar.get_or_init(|| deb.tar))
    }
}

fn open_all<'a>(packages: &'a [Package<'a>], cache: &dyn Cache, progress: &dyn Fn(&str)) -> Vec<Result<Source<'a>>> {
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel();
    let mut done: Vec<Option<Result<Source<'a>>>> = packages.iter().map(|_| None).collect();
    std::thread::scope(|scope| {
        for _ in 0..WORKERS.min(packages.len()) {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                while let Some((number, package)) = claim(packages, next) {
                    // the receiver lives until all workers have ended
                    let _ = sender.send((number, open_one(package, cache)));
                }
            });
        }
        drop(sender);
        for (number, result) in receiver {
            if result.as_ref().is_ok_and(|source| source.tar.get().is_some()) {
                progress(&format!("unpacked {} {}", packages[number].name, packages[number].version));
            }
            done[number] = Some(result);
        }
    });
    done.into_iter().map(|result| result.unwrap_or_else(|| Err(Error::bug("a package was not looked at")))).collect()
}

fn claim<'a>(packages: &'a [Package<'a>], next: &AtomicUsize) -> Option<(usize, &'a Package<'a>)> {
    let number = next.fetch_add(1, Ordering::Relaxed);
    packages.get(number).map(|package| (number, package))
}

fn open_one<'a>(package: &'a Package<'a>, cache: &dyn Cache) -> Result<Source<'a>> {
    let key = Sha256::of_parts(&[b"vitrine index v2\0", &package.sha256.0]);
    let cached = cache.get("deb-index", key).and_then(|c| serde_json::from_slice::<Listed>(&c.bytes).ok());
    if let Some(listed) = cached.filter(|listed| listed.name == package.name && listed.version == package.version) {
        return Ok(Source { package, index: listed.index, tar: OnceLock::new() });
    }
    let deb = unpack_deb(package)?;
    let listed = Listed { name: deb.name, version: deb.version, index: deb.index };
    let json = serde_json::to_vec(&listed).map_err(|e| Error::bug(format!("a file list has no JSON form: {e}")))?;
    cache.put("deb-index", key, &Content::new(json));
    Ok(Source { package, index: listed.index, tar: OnceLock::from(deb.tar) })
}

fn unpack_deb(package: &Package<'_>) -> Result<Deb> {
    let context = || format!("package {} {}", package.name, package.version);
    let mut deb = None;
    let mut read = |reader: &mut dyn BufRead| Deb::read(reader).map(|read| deb = Some(read));
    package.load.load(&mut read).map_err(|e| e.within(context()))?;
    let deb = deb.ok_or_else(|| Error::bug(format!("{} was not read", context())))?;
    if (deb.name.as_str(), deb.version.as_str()) != (package.name, package.version) {
        return Err(Error::artefact(
            format!("{} holds another package: {} {}", context(), deb.name, deb.version),
            "make the lock again with `vitrine lock`",
        ));
    }
    Ok(deb)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::{MemoryCache, NoCache};
    use crate::fixture::{deb, Tar};
    use crate::unpack::pack;

    fn quiet(_: &str) {}
    fn path(text: &str) -> ImagePath {
        ImagePath::parse(text).unwrap()
    }

    #[test]
    fn reads_files_and_needs_no_package_the_second_time() {
        let packed = pack(b"module", Coding::Xz);
        let tar = Tar::new().file("usr/a", 0o644, b"body").file("usr/m.ko.xz", 0o644, &packed);
        let bytes = deb("p", "1", Coding::Zstd, tar);
        let cache = MemoryCache::default();
        let load = || Ok(bytes.clone());
        let gone = || Err(Error::host("gone", ""));
        for load in [&load as &dyn Load, &gone] {
            let packages = [Package { name: "p", version: "1", sha256: Sha256::of(b"p"), load }];
            let sources = Sources::open(&packages, &cache, &quiet).unwrap();
            let read = |at: &str, form| {
                sources.read(&path(at), sources.find(&path(at)).unwrap().unwrap(), form).unwrap().into_bytes()
            };
            assert_eq!(read("/usr/a", Form::Stored), b"body");
            assert_eq!(read("/usr/m.ko.xz", Form::Plain), b"module");
            assert!(sources.find(&path("/usr/b")).unwrap().is_none());
        }
    }

    #[test]
    fn conflicts_name_both_packages() {
        let one = deb("one", "1", Coding::Plain, Tar::new().dir("d").file("a", 0o644, b"1"));
        let two = deb("two", "2", Coding::Plain, Tar::new().dir("d").file("a", 0o644, b"2"));
        let (load_one, load_two) = (|| Ok(one.clone()), || Ok(two.clone()));
        let packages = [
            Package { name: "one", version: "1", sha256: Sha256::of(b"1"), load: &load_one },
            Package { name: "two", version: "2", sha256: Sha256::of(b"2"), load: &load_two },
        ];
        let sources = Sources::open(&packages, &NoCache, &quiet).unwrap();
        assert!(sources.find(&path("/d")).unwrap().is_some());
        let what = sources.find(&path("/a")).err().unwrap().what;
        assert_eq!(what, "/a is in two packages: one 1 and two 2");
    }

    #[test]
    fn another_package_than_its_name_says() {
        let bytes = deb("p", "1", Coding::Plain, Tar::new());
        let load = || Ok(bytes.clone());
        for (name, version) in [("q", "1"), ("p", "2")] {
            let packages = [Package { name, version, sha256: Sha256::ZERO, load: &load }];
            let error = Sources::open(&packages, &NoCache, &quiet).err().unwrap();
            assert!(error.what.ends_with("holds another package: p 1"), "{error}");
        }
    }
}
