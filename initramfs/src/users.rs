//! Users of whole packages: `/etc/passwd` and `/etc/group` from their `sysusers.d`, as `systemd-sysusers` would make
//! them, but at build time and always the same. Nobody has a password, and nobody has a shell.

use crate::cache::Content;
use crate::path::ImagePath;
use crate::tree::{Layer, Node, Tree};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use vitrine_attest::{Error, Result};

/// Where packages say which users they need (sysusers.d(5)).
const FOLDER: &str = "/usr/lib/sysusers.d";
const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";
/// Where numbers are given out from, downwards: the top of the system's own range (login.defs, `SYS_UID_MAX`).
const FIRST_FREE: u32 = 999;
/// Where giving out ends; below it are numbers that Debian assigns, and the three of our programs (200 to 202).
const LAST_FREE: u32 = 300;
/// Largest number that a file may ask for; above it are those of people.
const HIGHEST: u32 = 65_534;
/// Lines in all files together; Debian's own files have some 60.
const MOST_LINES: usize = 1000;
/// Letters of a name (`useradd(8)`).
const NAME_LIMIT: usize = 32;

/// One `u`, `g` or `m` line.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Line {
    User {
        name: String,
        id: Option<u32>,
        group: Group,
        home: String,
    },
    Group {
        name: String,
        id: Option<u32>,
    },
    Member {
        user: String,
        group: String,
    },
    /// `r`: a range of numbers. Ours is fixed.
    Range,
}

/// The main group of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Group {
    /// Of the same name and number.
    Own,
    Number(u32),
    Named(String),
}

/// Users and groups by name.
#[derive(Debug, Default)]
pub struct Users {
    users: BTreeMap<String, User>,
    groups: BTreeMap<String, u32>,
    members: BTreeMap<String, Vec<String>>,
}

#[derive(Debug)]
struct User {
    id: u32,
    group: u32,
    home: String,
}

/// Adds both files, made from what the tree's packages ask for. A tree that asks for nothing gets none.
///
/// # Errors
/// A line that cannot be read, two that disagree, or more users than there are numbers.
pub fn add(tree: &mut Tree) -> Result<()> {
    let mut files: Vec<(&ImagePath, &[u8])> = Vec::new();
    for (path, entry) in tree.iter() {
        if path.is_below(FOLDER) && path.file_name().ends_with(".conf") && matches!(entry.node, Node::File(_)) {
            files.push((path, entry.bytes()));
        }
    }
    if files.is_empty() {
        return Ok(());
    }
    let users = Users::read(files.into_iter().map(|(path, bytes)| (path.as_str(), bytes)))?;
    for (path, text) in [(PASSWD, users.passwd()), (GROUP, users.group())] {
        let content = Content::new(text.into_bytes());
        tree.add_file(ImagePath::parse(path)?, content, 0o444, Layer::Configuration, "sysusers.d")?;
    }
    Ok(())
}

impl Users {
    /// Reads all files, in the order given.
    ///
    /// # Errors
    /// As [`add`].
    pub fn read<'f>(files: impl Iterator<Item = (&'f str, &'f [u8])>) -> Result<Self> {
        let mut lines = Vec::new();
        for (path, bytes) in files {
            lines.extend(parse(bytes).map_err(|e| e.within(path))?);
            if lines.len() > MOST_LINES {
                return Err(refused(format!("more than {MOST_LINES} lines about users")));
            }
        }
        let mut users = Self::default();
        // Numbers that are asked for come first, so that none is given away before
        let (fixed, free): (Vec<_>, Vec<_>) = lines.into_iter().partition(Line::is_fixed);
        for line in fixed.into_iter().chain(free) {
            users.take(line)?;
        }
        Ok(users)
    }

    fn take(&mut self, line: Line) -> Result<()> {
        match line {
            Line::Range => Ok(()),
            Line::Group { name, id } => self.group_id(&name, id).map(drop),
            Line::Member { user, group } => {
                self.group_id(&group, None)?;
                let members = self.members.entry(group).or_default();
                if !members.contains(&user) {
                    members.push(user);
                    members.sort();
                }
                Ok(())
            }
            Line::User { name, id, group, home } => {
                if let Some(old) = self.users.get(&name) {
                    return match id.is_none_or(|id| id == old.id) {
                        true => Ok(()),
                        false => Err(refused(format!("user {name} is asked for with two numbers"))),
                    };
                }
                if let Some(id) = id.filter(|id| self.users.values().any(|other| other.id == *id)) {
                    return Err(refused(format!("user {name} is asked for with number {id}, which another one has")));
                }
                let known = self.groups.get(&name).copied().filter(|id| self.is_free_user(*id));
                let id = match id.or(known) {
                    Some(id) => id,
                    None => self.free()?,
                };
                let group = match group {
                    Group::Own => self.group_id(&name, Some(id).filter(|_| !self.groups.contains_key(&name)))?,
                    Group::Number(id) => id,
                    Group::Named(group) => self.group_id(&group, None)?,
                };
                self.users.insert(name, User { id, group, home });
                Ok(())
            }
        }
    }

    /// The number of a group, which is made when it is not there.
    fn group_id(&mut self, name: &str, wanted: Option<u32>) -> Result<u32> {
        match (self.groups.get(name).copied(), wanted) {
            (Some(old), None) => return Ok(old),
            (Some(old), Some(wanted)) if old == wanted => return Ok(old),
            (Some(_), Some(_)) => return Err(refused(format!("group {name} is asked for with two numbers"))),
            (None, _) => {}
        }
        let id = match wanted {
            Some(id) if self.groups.values().any(|other| *other == id) => {
                return Err(refused(format!("group {name} is asked for with number {id}, which another one has")))
            }
            Some(id) => id,
            None => self.free()?,
        };
        self.groups.insert(name.into(), id);
        Ok(id)
    }

    fn is_free_user(&self, id: u32) -> bool {
        self.users.values().all(|user| user.id != id)
    }

    fn free(&self) -> Result<u32> {
        let taken = |id: &u32| !self.is_free_user(*id) || self.groups.values().any(|group| group == id);
        (LAST_FREE..=FIRST_FREE)
            .rev()
            .find(|id| !taken(id))
            .ok_or_else(|| refused(format!("more users than the numbers {LAST_FREE} to {FIRST_FREE}")))
    }

    /// passwd(5), sorted by number. `*`: no password fits.
    pub fn passwd(&self) -> String {
        let mut users: Vec<_> = self.users.iter().collect();
        users.sort_by_key(|(name, user)| (user.id, *name));
        users.iter().fold(String::new(), |mut text, (name, user)| {
            // writing to a String cannot fail
            let _ = writeln!(text, "{name}:*:{}:{}::{}:/usr/sbin/nologin", user.id, user.group, user.home);
            text
        })
    }

    /// group(5), sorted by number.
    pub fn group(&self) -> String {
        let mut groups: Vec<_> = self.groups.iter().collect();
        groups.sort_by_key(|(name, id)| (**id, *name));
        groups.iter().fold(String::new(), |mut text, (name, id)| {
            let members = self.members.get(*name).map(|members| members.join(",")).unwrap_or_default();
            let _ = writeln!(text, "{name}:*:{id}:{members}");
            text
        })
    }
}

impl Line {
    fn is_fixed(&self) -> bool {
        matches!(self, Self::User { id: Some(_), .. } | Self::Group { id: Some(_), .. })
    }
}

fn parse(bytes: &[u8]) -> Result<Vec<Line>> {
    let text = std::str::from_utf8(bytes).map_err(|_| refused("is not UTF-8 text".into()))?;
    let lines = text.lines().enumerate().map(|(n, line)| (n + 1, line.trim()));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines.map(|(n, line)| parse_line(line).map_err(|why| refused(format!("line {n}: {why}")))).collect()
}

/// `u name id "a comment" home shell`, sysusers.d(5).
fn parse_line(line: &str) -> std::result::Result<Line, String> {
    let words = words(line)?;
    let word = |n: usize| words.get(n).map(String::as_str).filter(|word| *word != "-");
    let name = |n: usize| word(n).filter(|name| is_name(name)).map(String::from).ok_or("no usable name");
    Ok(match words.first().map(String::as_str) {
        Some("u" | "u!") => {
            let (id, group) = ids(word(2))?;
            let home = word(4).filter(|home| ImagePath::parse(home).is_ok()).unwrap_or("/nonexistent");
            if home.contains(':') {
                return Err("a home with a colon".into());
            }
            Line::User { name: name(1)?, id, group, home: home.into() }
        }
        Some("g") => Line::Group { name: name(1)?, id: word(2).map(number).transpose()?.flatten() },
        Some("m") => Line::Member { user: name(1)?, group: name(2)? },
        Some("r") => Line::Range,
        _ => return Err("unknown kind of line".into()),
    })
}

/// `-`, `5`, `5:6`, `5:tty`, `-:tty`, or a path whose owner's number is meant, which nobody has at build time.
fn ids(word: Option<&str>) -> std::result::Result<(Option<u32>, Group), String> {
    let Some((user, group)) = word.map(|word| word.split_once(':').unwrap_or((word, ""))) else {
        return Ok((None, Group::Own));
    };
    let user = if user == "-" { None } else { number(user)? };
    let group = match group {
        "" | "-" => Group::Own,
        digits if digits.bytes().all(|c| c.is_ascii_digit()) => match number(digits)? {
            Some(id) => Group::Number(id),
            None => Group::Own,
        },
        name if is_name(name) => Group::Named(name.into()),
        _ => return Err("no usable group".into()),
    };
    Ok((user, group))
}

fn number(word: &str) -> std::result::Result<Option<u32>, String> {
    if word.starts_with('/') {
        return Ok(None);
    }
    word.parse().ok().filter(|id| *id <= HIGHEST).map(Some).ok_or_else(|| format!("{word:?} is no usable number"))
}

fn is_name(text: &str) -> bool {
    let good = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_' || c == b'-';
    text.len() <= NAME_LIMIT && text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_') && text.bytes().all(good)
}

/// Words between blanks; double quotes hold words together.
fn words(line: &str) -> std::result::Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let (word, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').ok_or("a quote that does not end")?,
            None => rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())),
        };
        words.push(word.to_string());
        rest = after.trim_start();
    }
    Ok(words)
}

fn refused(why: String) -> Error {
    Error::artefact(why, "leave the package out of [image] whole, or report it to its maintainer")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(text: &str) -> Result<(String, String)> {
        Users::read([("a.conf", text.as_bytes())].into_iter()).map(|users| (users.passwd(), users.group()))
    }

    #[test]
    fn debians_own_lines() {
        let text = "# basic\nu root 0:0 \"Super User\" /root\ng tty 5\nu! nobody 65534:65534 \"Nobody\" -\n\
                    u messagebus - \"System Message Bus\"\nu sshd -:65534 \"x y\" /run/sshd\nm messagebus tty\n";
        let (passwd, group) = users(text).unwrap();
        assert_eq!(
            passwd,
            "root:*:0:0::/root:/usr/sbin/nologin\n\
             sshd:*:998:65534::/run/sshd:/usr/sbin/nologin\n\
             messagebus:*:999:999::/nonexistent:/usr/sbin/nologin\n\
             nobody:*:65534:65534::/nonexistent:/usr/sbin/nologin\n"
        );
        assert_eq!(group, "tty:*:5:messagebus\nmessagebus:*:999:\n");
        assert_eq!(users(text).unwrap(), (passwd, group), "always the same");
    }

    #[test]
    fn a_number_that_is_asked_for_is_not_given_away_before() {
        let (passwd, _) = users("u free -\nu fixed 999\n").unwrap();
        assert!(passwd.contains("fixed:*:999:999:") && passwd.contains("free:*:998:998:"), "{passwd}");
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for bad in [
            "u\n",
            "u Root 0\n",
            "u a:b 1\n",
            "u a 70000\n",
            "x a 1\n",
            "u a \"1\n",
            "u a 1\nu b 1\n",
            "u a 1\nu a 2\n",
            "g a 1\ng b 1\n",
            "g a 1\ng a 2\n",
            "u a - \"c\" /ho:me\n",
        ] {
            assert!(users(bad).is_err(), "{bad:?} was taken");
        }
        assert!(Users::read([("a", &[0xff][..])].into_iter()).is_err());
        let many: String = (0..2000).map(|n| format!("g g{n} -\n")).collect();
        assert!(users(&many).is_err());
        let too_many: String = (0..900).map(|n| format!("g g{n} -\n")).collect();
        assert!(users(&too_many).unwrap_err().what.contains("more users than"));
    }
}
