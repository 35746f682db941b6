//! Takes chosen paths out of the packages into the tree, following symbolic links.

use crate::cache::Content;
use crate::glob;
use crate::index::Kind;
use crate::mask::Masked;
use crate::near;
use crate::path::ImagePath;
use crate::sources::{Form, Found, Sources};
use crate::tree::{Layer, Node, Tree, OWN};
use std::collections::{BTreeSet, VecDeque};
use vitrine_attest::{Error, Result};

/// Links followed on the way to one file before it counts as a loop; the kernel's own limit (`MAXSYMLINKS`).
const MOST_LINKS: usize = 40;

/// The tree while it grows, and which packages gave something to it.
pub struct Taker<'s> {
    pub sources: &'s Sources<'s>,
    pub tree: Tree,
    pub contributed: BTreeSet<String>,
    /// Files of whole packages that lost their special bits.
    pub plain: Vec<Masked>,
}

impl<'s> Taker<'s> {
    pub fn new(sources: &'s Sources<'s>) -> Self {
        Self { sources, tree: Tree::new(), contributed: BTreeSet::new(), plain: Vec::new() }
    }

    /// Takes everything that one package has. Links are taken as they are, whether or not something is at their end,
    /// and what the recipe itself has put at a path stays. Set-user-ID and the like are taken off, and noted.
    ///
    /// # Errors
    /// When the lock has no such package, or another package has given something else at one of its paths.
    pub fn whole(&mut self, package: &str) -> Result<()> {
        let sources = self.sources;
        let Some(entries) = sources.of_package(package) else {
            return Err(Error::input(
                format!("the lock has no package {package}, which the recipe takes whole"),
                "add it to [debian] packages and run `vitrine lock`",
            ));
        };
        for (path, found) in entries {
            if self.tree.get(path).is_some_and(|entry| entry.layer > Layer::Distribution && !entry.is_directory()) {
                continue;
            }
            match &found.item.kind {
                Kind::Directory => self.add_directory(path, found),
                Kind::Link { target } => self.add_link(path, target, found),
                Kind::File { .. } => self.add_plain_file(path, found),
            }
            .map_err(|e| e.within(sources.origin(found)))?;
        }
        Ok(())
    }

    fn add_plain_file(&mut self, path: &ImagePath, found: Found<'_>) -> Result<()> {
        const SPECIAL: u32 = 0o7000;
        if found.item.mode & SPECIAL == 0 {
            return self.add_file(path, found);
        }
        let item = crate::index::Item { mode: found.item.mode & !SPECIAL, ..found.item.clone() };
        self.plain.push(Masked::plain_mode(path, found.item.mode, self.sources.origin(found)));
        self.add_file(path, found.with(&item))
    }

    /// Takes what one line of a recipe's `include` names: a path, a pattern (`*`, `?`, `**`),
    /// or a folder with everything below it when it ends in `/`.
    ///
    /// # Errors
    /// When nothing matches, or as [`Self::take`].
    pub fn include(&mut self, wanted: &str) -> Result<()> {
        if let Some(folder) = wanted.strip_suffix('/') {
            let folder = self.take(&ImagePath::parse(folder)?)?;
            let below: Vec<_> = self.sources.below(&folder).cloned().collect();
            return below.iter().try_for_each(|path| self.take(path).map(drop));
        }
        if !glob::is_pattern(wanted) {
            return self.take(&ImagePath::parse(wanted)?).map(drop);
        }
        let paths = self.sources.matching(wanted);
        if paths.is_empty() {
            return Err(self.missing(wanted));
        }
        paths.iter().try_for_each(|path| self.take(path).map(drop))
    }

    /// [`Self::include`] of files and links, without what fits one of `exclude`'s patterns; a path that is named in full is taken in any
    /// case. Folders come with what is in them. Patterns that fitted go out of `unused`.
    ///
    /// # Errors
    /// As [`Self::include`].
    pub fn include_but(&mut self, wanted: &str, exclude: &[String], unused: &mut BTreeSet<&str>) -> Result<()> {
        let paths = match wanted.strip_suffix('/') {
            Some(folder) => self.sources.below(&ImagePath::parse(folder)?.merged().0).cloned().collect(),
            None if glob::is_pattern(wanted) => self.sources.matching(wanted),
            None => return self.take(&ImagePath::parse(wanted)?).map(drop),
        };
        if paths.is_empty() {
            return Err(self.missing(wanted));
        }
        for path in paths {
            let mut out = false;
            for pattern in exclude.iter().filter(|pattern| glob::matches(pattern, path.as_str())) {
                out = true;
                unused.remove(pattern.as_str());
            }
            let folder = self.sources.find(&path)?.is_some_and(|found| found.item.kind == Kind::Directory);
            if !out && !folder {
                self.take(&path)?;
            }
        }
        Ok(())
    }

    /// Takes one file or folder, and every link on the way to it. Returns where it really is.
    ///
    /// # Errors
    /// When no package has it, a link leaves the image or goes in circles, a file stands where a folder should,
    /// or its mode has set-user-ID, set-group-ID or sticky bits.
    pub fn take(&mut self, wanted: &ImagePath) -> Result<ImagePath> {
        let mut rest: VecDeque<String> = parts(wanted);
        let mut here: Option<ImagePath> = None;
        let mut links = 0;
        while let Some(part) = rest.pop_front() {
            let next = ImagePath::parse(&format!("{}/{part}", here.as_ref().map_or("", ImagePath::as_str)))?;
            if !rest.is_empty() && self.merge_top(&next)? {
                rest.push_front(next.relative().to_string());
                rest.push_front("usr".to_string());
                continue;
            }
            let Some(found) = self.sources.find(&next)? else {
                return self.own(wanted, &next, &rest);
            };
            match &found.item.kind {
                Kind::Link { target } => {
                    links += 1;
                    if links > MOST_LINKS {
                        return Err(Error::artefact(
                            format!("{wanted} is a loop of links"),
                            "leave it out of the recipe",
                        ));
                    }
                    self.add_link(&next, target, found).map_err(|e| e.within(self.sources.origin(found)))?;
                    let target = next.follow(target).map_err(|e| e.within(self.sources.origin(found)))?;
                    rest = parts(&target).into_iter().chain(rest).collect();
                    here = None;
                }
                Kind::File { .. } if !rest.is_empty() => {
                    return Err(Error::artefact(
                        format!("{wanted} goes through {next}, which is a file of {}", self.sources.origin(found)),
                        "correct the path in the recipe",
                    ))
                }
                Kind::File { .. } => {
                    self.add_file(&next, found).map_err(|e| e.within(self.sources.origin(found)))?;
                    here = Some(next);
                }
                Kind::Directory => {
                    if rest.is_empty() {
                        self.add_directory(&next, found)?;
                    }
                    here = Some(next);
                }
            }
        }
        here.ok_or_else(|| Error::bug(format!("{wanted} has no parts")))
    }

    /// Whether `top` is one of merged-/usr's links; then it is made, because something goes through it.
    fn merge_top(&mut self, top: &ImagePath) -> Result<bool> {
        let probe = ImagePath::parse(&format!("{top}/x"))?;
        if probe.merged().1.is_none() {
            return Ok(false);
        }
        if self.tree.get(top).is_none() {
            self.tree.add_link(top.clone(), &format!("usr{top}"), Layer::Distribution, OWN)?;
        }
        Ok(true)
    }

    /// A path that no package has may be one of our own programs that is in the tree already.
    fn own(&self, wanted: &ImagePath, next: &ImagePath, rest: &VecDeque<String>) -> Result<ImagePath> {
        let full = rest.iter().fold(next.as_str().to_string(), |path, part| format!("{path}/{part}"));
        let full = ImagePath::parse(&full)?;
        match self.tree.get(&full) {
            Some(entry) if !matches!(entry.node, Node::Link(_)) => Ok(full),
            _ => Err(self.missing(wanted.as_str())),
        }
    }

    fn add_link(&mut self, path: &ImagePath, target: &str, found: Found<'_>) -> Result<()> {
        if self.tree.get(path).is_some_and(|entry| entry.node == Node::Link(target.into())) {
            return Ok(());
        }
        self.contributed.insert(self.sources.package_name(found).into());
        self.tree.add_link(path.clone(), target, Layer::Distribution, &self.sources.origin(found))
    }

    fn add_file(&mut self, path: &ImagePath, found: Found<'_>) -> Result<()> {
        let origin = self.sources.origin(found);
        if self.tree.get(path).is_some_and(|entry| entry.origin == origin) {
            return Ok(());
        }
        let mode = found.item.mode;
        // the tree refuses special bits; everything else becomes read-only, executable or not
        let mode = if mode & 0o111 != 0 { 0o555 } else { 0o444 } | (mode & 0o7000);
        let content: Content = self.sources.read(path, found, Form::Stored)?;
        self.tree.add_file(path.clone(), content, mode, Layer::Distribution, &origin)?;
        self.contributed.insert(self.sources.package_name(found).into());
        Ok(())
    }

    fn add_directory(&mut self, path: &ImagePath, found: Found<'_>) -> Result<()> {
        self.contributed.insert(self.sources.package_name(found).into());
        self.tree.add_directory(path.clone(), Layer::Distribution, &self.sources.origin(found))
    }

    fn missing(&self, wanted: &str) -> Error {
        let name = wanted.rsplit('/').next().unwrap_or_default();
        let near = near::paths(name, self.sources.paths());
        let hint = if near.is_empty() {
            "add the package that has it to [debian] packages and run `vitrine lock`".to_string()
        } else {
            format!("did you mean {}? Otherwise add the package that has it and run `vitrine lock`", near.join(", "))
        };
        Error::input(format!("no package of the lock has {wanted}"), hint)
    }
}

fn parts(path: &ImagePath) -> VecDeque<String> {
    path.relative().split('/').map(str::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::NoCache;
    use crate::fixture::{deb, Tar};
    use crate::sources::Package;
    use crate::unpack::Coding;
    use vitrine_attest::Sha256;

    /// Runs `include` over one package and gives the listing's last columns, or the error.
    fn included(tar: Tar, wanted: &[&str]) -> std::result::Result<Vec<String>, Error> {
        let bytes = deb("p", "1", Coding::Plain, tar);
        let load = || Ok(bytes.clone());
        let packages = [Package { name: "p", version: "1", sha256: Sha256::ZERO, load: &load }];
        let sources = Sources::open(&packages, &NoCache, &|_| ())?;
        let mut taker = Taker::new(&sources);
        for wanted in wanted {
            taker.include(wanted)?;
        }
        assert!(taker.contributed.contains("p"));
        let paths = |(path, entry): (&ImagePath, &crate::tree::Entry)| match &entry.node {
            Node::Link(target) => format!("{path} -> {target}"),
            _ => format!("{path} {:o}", entry.mode),
        };
        Ok(taker.tree.iter().map(paths).collect())
    }

    fn library() -> Tar {
        Tar::new()
            .dir("usr/lib")
            .file("usr/lib/libx.so.1.2", 0o644, b"x")
            .link("usr/lib/libx.so.1", "libx.so.1.2")
            .link("usr/lib64", "lib")
            .file("usr/bin/tool", 0o755, b"t")
            .link("etc/alt", "/bin/tool")
    }

    #[test]
    fn links_come_with_their_targets() {
        assert_eq!(
            included(library(), &["/usr/lib/libx.so.1"]).unwrap(),
            ["/usr 555", "/usr/lib 555", "/usr/lib/libx.so.1 -> libx.so.1.2", "/usr/lib/libx.so.1.2 444"]
        );
        // through a linked folder, by merged-/usr alias, twice
        assert_eq!(
            included(library(), &["/lib64/libx.so.1.2", "/usr/lib64/libx.so.1.2"]).unwrap(),
            ["/lib64 -> usr/lib64", "/usr 555", "/usr/lib 555", "/usr/lib/libx.so.1.2 444", "/usr/lib64 -> lib"]
        );
        let alternative = included(library(), &["/etc/alt"]).unwrap();
        assert_eq!(alternative[0], "/bin -> usr/bin");
        assert!(alternative.contains(&"/usr/bin/tool 555".to_string()));
    }

    #[test]
    fn patterns_and_folders() {
        assert_eq!(included(library(), &["/usr/lib/libx*"]).unwrap().len(), 4);
        assert_eq!(included(library(), &["/usr/"]).unwrap().len(), 7);
        assert!(included(library(), &["/usr/lib/liby*"]).is_err());
    }

    #[test]
    fn refusals() {
        let loops = || Tar::new().link("a", "b").link("b", "a");
        for (tar, wanted, why) in [
            (loops(), "/a", "loop of links"),
            (Tar::new().link("a/l", "../../etc"), "/a/l", "points outside the image"),
            (Tar::new().file("s", 0o4755, b""), "/s", "set-user-ID"),
            (Tar::new().file("f", 0o644, b""), "/f/x", "goes through /f"),
            (Tar::new().link("l", "gone"), "/l", "no package of the lock has /l"),
            (library(), "relative", "is not absolute"),
            (library(), "/usr/lib/../x", "has a part"),
        ] {
            let what = included(tar, &[wanted]).unwrap_err().what;
            assert!(what.contains(why), "{what:?} lacks {why:?}");
        }
    }

    #[test]
    fn a_missing_path_names_near_ones() {
        let error = included(library(), &["/usr/lib/libx.so.2"]).unwrap_err();
        assert!(error.hint.contains("/usr/lib/libx.so.1"), "{error}");
    }
}
