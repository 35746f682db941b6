//! The owner's file of peers. It stays on the owner's computer; names in it are for the owner alone.
//!
//! ```toml
//! [[peer]]
//! key = "mBTl…="
//! allowed_ips = ["10.66.0.7/32", "fd66::7/128"]
//! name = "laptop"
//! ```

use crate::lines::{self, Lines, Problem};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use toml::Spanned;
use vitrine_attest::config::{Cidr, Config};
use vitrine_attest::digest::Key32;
use vitrine_attest::order::{Peer, ALLOWED_IPS_LIMIT};
use vitrine_attest::peers::Peers;
use vitrine_attest::Result;

/// 10,000 peers with names and some networks have about 2 MiB.
pub const FILE_LIMIT: usize = 16 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    peer: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    key: Spanned<String>,
    allowed_ips: Spanned<Vec<Spanned<String>>>,
    /// For the owner alone.
    #[serde(default, rename = "name")]
    _name: Option<String>,
}

/// A peer, and the line of its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub line: usize,
    pub peer: Peer,
}

/// Everything that can be read, and everything that is wrong. Of TOML itself, the first error is all there is.
pub fn parse(text: &str) -> (Vec<Listed>, Vec<Problem>) {
    let lines = Lines::of(text);
    let file: File = match toml::from_str(text) {
        Ok(file) => file,
        Err(error) => {
            return (vec![], vec![lines.toml(&error)]);
        }
    };
    let mut problems = vec![];
    let listed = file.peer.iter().filter_map(|entry| read(entry, &lines, &mut problems)).collect();
    (listed, problems)
}

/// None when something is wrong with it; all of that is then among the problems.
fn read(entry: &Entry, lines: &Lines, problems: &mut Vec<Problem>) -> Option<Listed> {
    let before = problems.len();
    let line = lines.at(entry.key.span().start);
    let peer = entry.key.get_ref().parse::<Key32>().unwrap_or_else(|error| {
        problems.push(Problem { line, text: format!("key: {error}") });
        Key32([1; 32])
    });
    if peer == Key32([0; 32]) {
        problems.push(Problem { line, text: "key: all zero".into() });
    }
    let mut allowed_ips = vec![];
    for network in entry.allowed_ips.get_ref() {
        match network.get_ref().parse::<Cidr>() {
            Ok(network) => allowed_ips.push(network),
            Err(text) => {
                problems.push(Problem { line: lines.at(network.span().start), text: format!("allowed_ips: {text}") })
            }
        }
    }
    let count = entry.allowed_ips.get_ref().len();
    if !(1..=ALLOWED_IPS_LIMIT).contains(&count) {
        let line = lines.at(entry.allowed_ips.span().start);
        problems.push(Problem {
            line,
            text: format!("allowed_ips: {count} networks, 1 to {ALLOWED_IPS_LIMIT} are needed"),
        });
    }
    (problems.len() == before).then_some(Listed { line, peer: Peer { peer, allowed_ips } })
}

/// What the server would refuse, by the very rules of the server.
pub fn check(listed: &[Listed], config: &Config) -> Vec<Problem> {
    let mut problems = vec![];
    let most = config.peers.most as usize;
    // the server's own key is not known here, and nobody has it but the server
    let mut peers = Peers::new(Key32([0; 32]), config.wireguard.addresses.clone(), most);
    let mut seen: BTreeMap<Key32, usize> = BTreeMap::new();
    for Listed { line, peer } in listed {
        if let Some(first) = seen.get(&peer.peer) {
            problems.push(Problem { line: *line, text: format!("key is the same as in line {first}") });
            continue;
        }
        match peers.check(&peer.peer, &peer.allowed_ips) {
            Ok(()) => {
                peers.added(peer.peer, peer.allowed_ips.clone());
                seen.insert(peer.peer, *line);
            }
            Err(refusal) => {
                let text = format!("{}{}", refusal.words(), whose(peer, listed, *line));
                problems.push(Problem { line: *line, text });
                if refusal.0 == "peer-full" {
                    break;
                }
            }
        }
    }
    problems
}

/// `: 10.66.0.7/32 and line 3`, when another peer's network is in the way.
fn whose(peer: &Peer, listed: &[Listed], line: usize) -> String {
    let earlier = listed.iter().take_while(|other| other.line < line);
    for other in earlier.filter(|other| other.peer.peer != peer.peer) {
        let clash = |network: &&Cidr| other.peer.allowed_ips.iter().any(|theirs| theirs.overlaps(network));
        if let Some(network) = peer.allowed_ips.iter().find(clash) {
            return format!(": {network} and line {}", other.line);
        }
    }
    String::new()
}

/// Reads and checks a file; all problems are one error.
pub fn load(path: &Path, config: Option<&Config>) -> Result<Vec<Peer>> {
    let bytes = crate::files::read(path, FILE_LIMIT)?;
    let text = lines::text(path, &bytes)?;
    let (listed, mut problems) = parse(text);
    if let Some(config) = config {
        problems.extend(check(&listed, config));
    }
    if problems.is_empty() {
        return Ok(listed.into_iter().map(|listed| listed.peer).collect());
    }
    Err(lines::error(path, problems, "correct the file; nothing was sent"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Key32 {
        Key32([byte; 32])
    }

    fn entry(byte: u8, networks: &str) -> String {
        format!("[[peer]]\nkey = \"{}\"\nallowed_ips = [{networks}]\n", key(byte))
    }

    fn config() -> Config {
        serde_json::from_str(r#"{"wireguard":{"addresses":["10.66.0.1/24","fd66::1/64"]},"peers":{"most":3}}"#).unwrap()
    }

    fn problems(text: &str) -> Vec<(usize, String)> {
        let (listed, mut problems) = parse(text);
        problems.extend(check(&listed, &config()));
        problems.sort();
        problems.into_iter().map(|problem| (problem.line, problem.text)).collect()
    }

    #[test]
    fn good_files() {
        let text =
            entry(1, "\"10.66.0.7/32\", \"fd66::7/128\"") + "name = \"laptop\"\n\n" + &entry(2, "\"10.66.0.8/32\"");
        let (listed, problems) = parse(&text);
        assert_eq!((problems, check(&listed, &config())), (vec![], vec![]));
        assert_eq!((listed[0].line, listed[1].line), (2, 7));
        assert_eq!((listed[0].peer.peer, listed[0].peer.allowed_ips.len()), (key(1), 2));
        assert_eq!(parse("# nobody yet\n"), (vec![], vec![]));
    }

    #[test]
    fn all_problems_at_once_with_their_lines() {
        let text = [
            entry(1, "\"10.66.0.7/32\""),
            entry(0, "\"10.66.0.8\""),
            entry(2, ""),
            entry(1, "\"10.66.0.9/32\""),
            entry(3, "\"10.66.0.7/32\""),
            entry(4, "\n  \"10.66.0.10/32\",\n  \"10.67.0.0/32\",\n"),
            entry(5, "\"10.66.0.1/32\"").replace(&key(5).to_string(), "AAAA"),
        ]
        .concat();
        let found = problems(&text);
        let lines: Vec<usize> = found.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [5, 6, 9, 11, 14, 17, 23], "{found:#?}");
        assert!(found[3].1.contains("line 2") && found[4].1.ends_with(": 10.66.0.7/32 and line 2"), "{found:#?}");
    }

    #[test]
    fn no_more_than_the_configuration_allows() {
        let text: String = (1..=6).map(|n| entry(n, &format!("\"10.66.0.{}/32\"", n + 1))).collect();
        let found = problems(&text);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert_eq!(found[0].0, 11);
        assert!(found[0].1.contains("peers.most"));
    }

    #[test]
    fn other_toml_is_refused_where_it_begins() {
        for (text, line) in [
            ("[[peer]]\nkey = \"x\n", 2),
            ("\n[[peers]]\n", 2),
            ("[[peer]]\nkey = \"\"\nallowed_ips = []\nendpoint = \"\"\n", 4),
            ("[[peer]]\nallowed_ips = []\n", 1),
            ("[[peer]]\nkey = 7\nallowed_ips = []\n", 2),
        ] {
            let (listed, problems) = parse(text);
            assert!(listed.is_empty());
            assert_eq!((problems.len(), problems[0].line), (1, line), "{text:?}: {problems:?}");
        }
    }
}
