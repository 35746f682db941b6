//! Paths inside the image, as a type: absolute, without `.`, `..`, empty parts or control characters.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use vitrine_attest::{Error, Result};

/// Longest path the kernel's unpacker takes, with its final NUL (`PATH_MAX`, linux/limits.h).
const PATH_MAX: usize = 4096;
/// Longest name of one part (`NAME_MAX`).
const NAME_MAX: usize = 255;
/// Debian 13 is merged-/usr (Debian Policy §10.1): these top folders are links to the folder of the same name
/// in `/usr`, so `/lib/x` and `/usr/lib/x` are one file.
const MERGED: [&str; 4] = ["/bin", "/lib", "/lib64", "/sbin"];

/// `/usr/lib/vitrine/agent`. Sorted by raw bytes, which puts parents before their children.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImagePath(String);

impl ImagePath {
    /// Reads an absolute path.
    ///
    /// # Errors
    /// When it is relative, holds `.`, `..`, an empty part, a control character, or is too long for the kernel.
    pub fn parse(text: &str) -> Result<Self> {
        let refuse = |why: &str| Err(Error::artefact(format!("path {text:?} {why}"), HINT));
        let Some(relative) = text.strip_prefix('/') else {
            return refuse("is not absolute");
        };
        if text.len() >= PATH_MAX {
            return refuse("is longer than the kernel takes");
        }
        if text.chars().any(char::is_control) {
            return refuse("holds a control character");
        }
        for part in relative.split('/') {
            match part {
                "" => return refuse("has an empty part"),
                "." | ".." => return refuse("has a part that is . or .."),
                long if long.len() > NAME_MAX => return refuse("has a part longer than 255 bytes"),
                _ => {}
            }
        }
        Ok(Self(text.to_string()))
    }

    /// Reads a name as archives write it: `./usr/lib/`, `usr/lib`. `None` is the archive's root.
    ///
    /// # Errors
    /// As [`Self::parse`]; an absolute name is refused as well.
    pub fn from_archive(name: &str) -> Result<Option<Self>> {
        if name.starts_with('/') {
            return Err(Error::artefact(format!("path {name:?} is absolute"), HINT));
        }
        let name = name.strip_prefix("./").unwrap_or(name);
        let name = name.strip_suffix('/').unwrap_or(name);
        match name {
            "" | "." => Ok(None),
            name => Self::parse(&format!("/{name}")).map(Some),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Without the leading `/`: the form in a cpio archive.
    pub fn relative(&self) -> &str {
        &self.0[1..]
    }

    /// The folder it lies in; `None` for entries of the root folder.
    pub fn parent(&self) -> Option<Self> {
        match self.0.rfind('/') {
            None | Some(0) => None,
            Some(at) => Some(Self(self.0[..at].to_string())),
        }
    }

    /// All folders above it, the nearest first.
    pub fn ancestors(&self) -> impl Iterator<Item = Self> {
        std::iter::successors(self.parent(), Self::parent)
    }

    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// Whether it lies somewhere below `folder`.
    pub fn is_below(&self, folder: &str) -> bool {
        self.0.strip_prefix(folder.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'))
    }

    /// The same file's path with `/usr`, and the top link that the unmerged spelling goes through.
    pub fn merged(&self) -> (Self, Option<Self>) {
        match MERGED.iter().find(|top| self.is_below(top)) {
            Some(top) => (Self(format!("/usr{}", self.0)), Some(Self((*top).to_string()))),
            None => (self.clone(), None),
        }
    }

    /// Where a symbolic link at this path points to.
    ///
    /// # Errors
    /// When the target leaves the image through `..`, or is no usable path.
    pub fn follow(&self, target: &str) -> Result<Self> {
        let mut parts: Vec<&str> = if target.starts_with('/') {
            Vec::new()
        } else {
            self.0.split('/').skip(1).take(self.0.matches('/').count() - 1).collect()
        };
        for part in target.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    if parts.pop().is_none() {
                        return Err(Error::artefact(format!("link {self} points outside the image: {target:?}"), HINT));
                    }
                }
                part => parts.push(part),
            }
        }
        if parts.is_empty() {
            return Err(Error::artefact(format!("link {self} points to the root folder: {target:?}"), HINT));
        }
        Self::parse(&format!("/{}", parts.join("/"))).map_err(|e| e.within(format!("link {self}")))
    }
}

/// A path in merged-/usr form; also `/var/run`, which is `/run` everywhere today.
pub fn in_usr(path: &str) -> Cow<'_, str> {
    let below = |top: &str| path.strip_prefix(top).is_some_and(|rest| rest.starts_with('/'));
    if MERGED.iter().any(|top| below(top)) {
        return Cow::Owned(format!("/usr{path}"));
    }
    match path.strip_prefix("/var/run/") {
        Some(rest) => Cow::Owned(format!("/run/{rest}")),
        None => Cow::Borrowed(path),
    }
}

const HINT: &str = "such an entry is never needed in an image: use another package, or report it to its maintainer";

impl fmt::Display for ImagePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ImagePath {
    type Error = String;
    fn try_from(text: String) -> std::result::Result<Self, String> {
        Self::parse(&text).map_err(|e| e.what)
    }
}

impl From<ImagePath> for String {
    fn from(path: ImagePath) -> String {
        path.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> ImagePath {
        ImagePath::parse(text).unwrap()
    }

    #[test]
    fn only_plain_absolute_paths() {
        for good in ["/a", "/usr/lib/x86_64-linux-gnu/libc.so.6", "/é", "/..a"] {
            assert_eq!(path(good).as_str(), good);
        }
        let (long_part, long_path) = (format!("/{}", "x".repeat(256)), "/x".repeat(2048));
        for bad in ["", "/", "a", "/a/", "//a", "/a/../b", "/.", "/a\n", "/a\0b", &long_part, &long_path] {
            assert!(ImagePath::parse(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn archive_names() {
        assert_eq!(ImagePath::from_archive("./").unwrap(), None);
        assert_eq!(ImagePath::from_archive(".").unwrap(), None);
        assert_eq!(ImagePath::from_archive("./usr/lib/").unwrap(), Some(path("/usr/lib")));
        for bad in ["/etc/passwd", "../x", "./a/../../b", "a//b"] {
            assert!(ImagePath::from_archive(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn parents_and_names() {
        assert_eq!(path("/a").parent(), None);
        assert_eq!(path("/a/b/c").ancestors().map(String::from).collect::<Vec<_>>(), ["/a/b", "/a"]);
        assert_eq!(path("/a/b").file_name(), "b");
        assert!(path("/a/b").is_below("/a") && path("/a/b").is_below("/a/") && !path("/ab").is_below("/a"));
    }

    #[test]
    fn merged_usr() {
        assert_eq!(path("/lib/a").merged(), (path("/usr/lib/a"), Some(path("/lib"))));
        assert_eq!(path("/lib64/ld").merged(), (path("/usr/lib64/ld"), Some(path("/lib64"))));
        for same in ["/lib", "/usr/lib/a", "/libx/a"] {
            assert_eq!(path(same).merged(), (path(same), None));
        }
    }

    #[test]
    fn links() {
        let link = path("/usr/lib64/ld.so");
        assert_eq!(link.follow("../lib/ld").unwrap(), path("/usr/lib/ld"));
        assert_eq!(link.follow("/etc/x").unwrap(), path("/etc/x"));
        assert_eq!(link.follow("x").unwrap(), path("/usr/lib64/x"));
        assert_eq!(path("/a").follow("b").unwrap(), path("/b"));
        for bad in ["../../../etc", "/..", "..", "../..", "/", "a\0"] {
            let result = path("/a/l").follow(bad);
            assert!(result.is_err(), "{bad:?} gave {result:?}");
        }
    }
}
