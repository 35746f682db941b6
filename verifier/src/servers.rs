//! The operator's list of servers for an epoch: `fleet-epoch make --servers FILE`. Another file than that of `watch`.

use crate::files;
use crate::lines::{self, Lines, Problem};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::Path;
use std::str::FromStr;
use toml::Spanned;
use vitrine_attest::fingerprint::Fingerprint;
use vitrine_attest::fleet_epoch::Record;
use vitrine_attest::{Result, Sha256};

/// Largest file in bytes: 65,536 servers with 250 bytes each.
const FILE_LIMIT: usize = 16 << 20;
/// Longest name, in bytes; it becomes a file's.
const NAME_LIMIT: usize = 64;
const VERSION: i64 = 1;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "version")]
    _version: i64,
    #[serde(default)]
    server: Vec<Table>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    name: Spanned<String>,
    ek: Spanned<String>,
    fingerprint: Spanned<String>,
    customer: Option<Spanned<String>>,
}

/// Name and record of each server, in the order of the file.
///
/// # Errors
/// One, with all mistakes and their lines.
pub fn read(path: &Path, epoch: u64) -> Result<Vec<(String, Record)>> {
    let bytes = files::read(path, FILE_LIMIT)?;
    parse(lines::text(path, &bytes)?, epoch)
        .map_err(|problems| lines::error(path, problems, "see `vitrine-verify fleet-epoch make --help` for the form"))
}

/// # Errors
/// All mistakes; of TOML itself and of unknown fields, the first.
pub fn parse(text: &str, epoch: u64) -> std::result::Result<Vec<(String, Record)>, Vec<Problem>> {
    let (lines, file) = lines::toml::<File>(text, VERSION)?;
    let (mut problems, mut servers) = (vec![], vec![]);
    let (mut names, mut keys) = (BTreeSet::new(), BTreeSet::new());
    for Table { name, ek, fingerprint, customer } in &file.server {
        if !usable(name.get_ref()) {
            let text = "name: letters, digits, - _ and ., at most 64, and no dot first: it becomes a file's name";
            problems.push(lines.problem(name.span(), text));
        } else if !names.insert(name.get_ref()) {
            problems.push(lines.problem(name.span(), "name: it is there twice"));
        }
        let server = value::<Sha256>(&lines, ek, "ek", &mut problems);
        if server.is_some_and(|server| !keys.insert(server)) {
            problems.push(lines.problem(ek.span(), "ek: this server is there twice"));
        }
        let release = value::<Fingerprint>(&lines, fingerprint, "fingerprint", &mut problems);
        let words = customer.as_ref().map(|customer| customer.get_ref().as_str()).unwrap_or_default();
        if let Some((server, release)) = server.zip(release) {
            match Record::new(epoch, server, release, words) {
                Ok(record) => servers.push((name.get_ref().clone(), record)),
                Err(e) => {
                    problems.push(lines.problem(customer.as_ref().map_or(name.span(), Spanned::span), e.what));
                }
            }
        }
    }
    if problems.is_empty() {
        Ok(servers)
    } else {
        Err(problems)
    }
}

fn value<T: FromStr<Err = String>>(
    lines: &Lines,
    text: &Spanned<String>,
    name: &str,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    let read = text.get_ref().parse();
    read.map_err(|why| problems.push(lines.problem(text.span(), format!("{name}: {why}")))).ok()
}

fn usable(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=NAME_LIMIT).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(name: &str, ek: &str, more: &str) -> String {
        format!("[[server]]\nname = \"{name}\"\nek = \"{ek}\"\nfingerprint = \"vitrine1:{}\"\n{more}\n", "a".repeat(64))
    }

    #[test]
    fn read_and_refused() {
        let (a, b) = ("a".repeat(64), "b".repeat(64));
        let good = format!("version = 1\n{}{}", server("a-1", &a, "customer = \"c\""), server("b_2", &b, ""));
        let servers = parse(&good, 7).unwrap();
        assert_eq!(servers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["a-1", "b_2"]);
        assert_eq!((servers[0].1.customer.as_str(), servers[1].1.epoch), ("c", 7));
        assert_eq!(parse("version = 1", 7), Ok(vec![]));
        for (text, line, says) in [
            (server("../a", &a, ""), 3, "name"),
            (server("", &a, ""), 3, "name"),
            (server(".a", &a, ""), 3, "name"),
            (server("a", &a[1..], ""), 4, "ek"),
            (server("a", &a, "") + &server("a", &b, ""), 8, "twice"),
            (server("a", &a, "") + &server("b", &a, ""), 9, "twice"),
            (server("a", &a, &format!("customer = \"{}\"", "c".repeat(65))), 6, "customer"),
            (server("a", &a, "customer = \"a\\u001b\""), 6, "control"),
            (server("a", &a, "seq = 1"), 6, "seq"),
            (server("a", &a, "").replace("vitrine1", "vitrine2"), 5, "fingerprint"),
        ] {
            let found = parse(&format!("version = 1\n{text}"), 7).unwrap_err();
            assert_eq!((found.len(), found[0].line), (1, line), "{text}: {found:?}");
            assert!(found[0].text.contains(says), "{text}: {found:?}");
        }
        assert!(parse(&good.replace("version = 1", "version = 2"), 7).is_err());
    }
}
