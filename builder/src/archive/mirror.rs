//! Where the archive is to be had: hosts come from the operator or the machine, never from the repository.

use std::path::Path;
use vitrine_attest::{Error, Result};

/// Archives that a mirror may carry; each is a folder of that name on it.
pub const ARCHIVES: [&str; 2] = ["debian", "debian-security"];
/// Environment variable with mirrors, separated by spaces or commas.
pub const MIRROR_VARIABLE: &str = "VITRINE_MIRROR";
/// Addresses taken from one machine's apt sources.
const COUNT_LIMIT: usize = 64;

/// Mirrors in the order they are tried.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mirrors {
    list: Vec<Mirror>,
}

/// One archive on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mirror {
    archive: &'static str,
    /// Without a slash at the end.
    url: String,
}

impl Mirrors {
    /// `--mirror` flags; without any, `VITRINE_MIRROR`; without that, the host's apt sources.
    ///
    /// # Errors
    /// [`vitrine_attest::Blame::Input`] for an address that cannot be used, [`vitrine_attest::Blame::Host`] when
    /// nothing is found.
    pub fn find(flag: &[String]) -> Result<Self> {
        if !flag.is_empty() {
            return Self::of(flag);
        }
        let variable = std::env::var(MIRROR_VARIABLE).unwrap_or_default();
        let words: Vec<String> = split(&variable).map(str::to_string).collect();
        if !words.is_empty() {
            return Self::of(&words);
        }
        let found = Self::of_apt(Path::new("/etc/apt"));
        if found.list.is_empty() {
            let what = "no Debian mirror is known: this machine's apt sources name none";
            return Err(Error::host(what, format!("name one with --mirror URL or {MIRROR_VARIABLE}=URL")));
        }
        Ok(found)
    }

    /// Mirrors by address. A path with the folder `debian` or `debian-security` says which archive it is; the other
    /// one is looked for beside it. A path with neither is taken as `debian`.
    pub fn of(urls: &[String]) -> Result<Self> {
        let mut mirrors = Self::default();
        for url in urls {
            check(url, "write it like --mirror http://HOST/debian")?;
            match archive_of(url) {
                None => mirrors.add("debian", url),
                Some(own) => {
                    for archive in ARCHIVES {
                        mirrors.add(archive, &with_archive(url, own, archive));
                    }
                }
            }
        }
        Ok(mirrors)
    }

    /// The addresses for one archive.
    pub fn of_archive<'a>(&'a self, archive: &'a str) -> impl Iterator<Item = &'a str> {
        self.list.iter().filter(move |mirror| mirror.archive == archive).map(|mirror| mirror.url.as_str())
    }

    pub(super) fn add(&mut self, archive: &'static str, url: &str) {
        let mirror = Mirror { archive, url: url.trim_end_matches('/').to_string() };
        if !self.list.contains(&mirror) {
            self.list.push(mirror);
        }
    }

    /// What `sources.list` and `sources.list.d` name. Files that cannot be read are skipped: this is a convenience.
    fn of_apt(folder: &Path) -> Self {
        let mut files = vec![folder.join("sources.list")];
        let more = std::fs::read_dir(folder.join("sources.list.d"));
        files.extend(more.into_iter().flatten().flatten().map(|entry| entry.path()));
        files.sort();
        let mut urls = Vec::new();
        for file in files {
            let Ok(text) = std::fs::read_to_string(&file) else { continue };
            match file.extension().and_then(|e| e.to_str()) {
                Some("list") => urls.extend(text.lines().filter_map(one_line)),
                Some("sources") => urls.extend(paragraphs(&text)),
                _ => {}
            }
        }
        let mut mirrors = Self::default();
        for url in urls.iter().take(COUNT_LIMIT) {
            if let Some(archive) = archive_of(url) {
                mirrors.add(archive, url);
            }
        }
        mirrors.complete();
        mirrors
    }

    /// Machines without security sources: the folder is looked for beside the main one.
    fn complete(&mut self) {
        for archive in ARCHIVES {
            if !self.list.iter().any(|mirror| mirror.archive == archive) {
                for mirror in self.list.clone() {
                    self.add(archive, &with_archive(&mirror.url, mirror.archive, archive));
                }
            }
        }
    }
}

pub(super) fn check(url: &str, hint: &str) -> Result<()> {
    let plain = ["http://", "https://"].iter().any(|scheme| url.starts_with(scheme));
    if !plain || url.contains(char::is_whitespace) || url.contains(['?', '#']) {
        return Err(Error::input(format!("{url:?} is no address of a mirror"), hint));
    }
    Ok(())
}

pub(super) fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split([' ', ',', '\t', '\n']).filter(|word| !word.is_empty())
}

/// The archive whose folder is in the address's path; the last one counts.
pub(super) fn archive_of(url: &str) -> Option<&'static str> {
    let (_, rest) = url.split_once("://")?;
    let (_, path) = rest.split_once('/')?;
    path.rsplit('/').find_map(|part| ARCHIVES.into_iter().find(|archive| *archive == part))
}

pub(super) fn with_archive(url: &str, own: &str, wanted: &str) -> String {
    let mut parts: Vec<&str> = url.split('/').collect();
    // the host stands in part 2 and is left alone, whatever it is called
    if let Some(part) = parts.iter_mut().skip(3).rfind(|part| **part == own) {
        *part = wanted;
    }
    parts.join("/")
}

/// `deb [options] URI suite component…` (sources.list(5)).
fn one_line(line: &str) -> Option<String> {
    let line = line.split('#').next().unwrap_or("").trim();
    let rest = line.strip_prefix("deb")?.strip_prefix([' ', '\t'])?.trim_start();
    let rest = match rest.strip_prefix('[') {
        Some(options) => options.split_once(']')?.1,
        None => rest,
    };
    let mut words = rest.split_ascii_whitespace();
    let url = words.next()?;
    (words.skip(1).any(|component| component == "main") && is_web(url)).then(|| url.to_string())
}

/// The addresses of a deb822 `.sources` file, in order.
fn paragraphs(text: &str) -> Vec<String> {
    let mut urls = Vec::new();
    let text = text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");
    for paragraph in text.split("\n\n") {
        let all = |name: &str| folded(paragraph, name);
        let has = |name: &str, word: &str| split(&all(name)).any(|w| w == word);
        if has("Types", "deb") && has("Components", "main") && !has("Enabled", "no") {
            urls.extend(split(&all("URIs")).filter(|url| is_web(url)).map(str::to_string));
        }
    }
    urls
}

/// A field's value with its continuation lines.
fn folded(paragraph: &str, name: &str) -> String {
    let mut value = String::new();
    let mut inside = false;
    for line in paragraph.lines() {
        if line.starts_with([' ', '\t']) {
            if inside {
                value.push_str(line);
            }
            continue;
        }
        inside = false;
        if let Some((key, rest)) = line.split_once(':') {
            if key.eq_ignore_ascii_case(name) {
                inside = true;
                value.push_str(rest);
            }
        }
    }
    value
}

fn is_web(url: &str) -> bool {
    url.starts_with("http://") || url.starts_with("https://")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn all<'a>(mirrors: &'a Mirrors, archive: &'a str) -> Vec<&'a str> {
        mirrors.of_archive(archive).collect()
    }

    #[test]
    fn flags() {
        let flags = ["http://one.test/debian/", "http://two.test/x/debian/20260101T000000Z/", "http://127.0.0.1:8000"];
        let mirrors = Mirrors::of(&flags.map(String::from)).unwrap();
        assert_eq!(
            all(&mirrors, "debian"),
            ["http://one.test/debian", "http://two.test/x/debian/20260101T000000Z", "http://127.0.0.1:8000"]
        );
        assert_eq!(
            all(&mirrors, "debian-security"),
            ["http://one.test/debian-security", "http://two.test/x/debian-security/20260101T000000Z"]
        );
        for bad in ["file:///debian", "one.test", "http://one.test/ debian", "http://one.test/debian?x"] {
            assert!(Mirrors::of(&[bad.to_string()]).is_err(), "{bad} was taken");
        }
    }

    #[test]
    fn apt_sources() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("sources.list.d")).unwrap();
        let list = "# deb http://no.test/debian trixie main\ndeb [arch=amd64 signed-by=/x] http://a.test/debian/ trixie main # c\n\
            deb-src http://no.test/debian trixie main\ndeb http://no.test/ubuntu noble main\n\
            deb https://no.test/linux/debian trixie stable\ndeb cdrom:[x]/debian trixie main\n";
        fs::write(dir.path().join("sources.list"), list).unwrap();
        let sources = "Types: deb deb-src\nURIs: http://b.test/debian\n http://c.test/debian/\nSuites: trixie\nComponents: main\n\n\
            Types: deb\nEnabled: no\nURIs: http://no.test/debian\nComponents: main\n\n\
            Types: deb\nURIs: http://d.test/debian-security\n# comment\nComponents: main contrib\n";
        fs::write(dir.path().join("sources.list.d/debian.sources"), sources).unwrap();
        fs::write(dir.path().join("sources.list.d/old.sources.disabled"), sources.replace(".test", ".no")).unwrap();
        let mirrors = Mirrors::of_apt(dir.path());
        assert_eq!(all(&mirrors, "debian"), ["http://a.test/debian", "http://b.test/debian", "http://c.test/debian"]);
        assert_eq!(all(&mirrors, "debian-security"), ["http://d.test/debian-security"]);
    }

    #[test]
    fn a_machine_without_security_sources() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("sources.list"), "deb http://mirror/debian trixie main\n").unwrap();
        let mirrors = Mirrors::of_apt(dir.path());
        assert_eq!(all(&mirrors, "debian-security"), ["http://mirror/debian-security"]);
        assert_eq!(Mirrors::of_apt(&dir.path().join("none")), Mirrors::default());
    }
}
