//! Shell: commands, their words, and where their output goes.

use crate::extract::line;
use crate::fact::{short, Fact, Kind};
use tree_sitter::Node;

/// Words of a command that are looked at.
const WORDS: usize = 64;
/// Commands that run another one, which follows behind their own options.
const WRAPPERS: &[&str] = &[
    "exec",
    "sudo",
    "doas",
    "env",
    "nohup",
    "nice",
    "ionice",
    "setsid",
    "command",
    "builtin",
    "time",
    "timeout",
    "stdbuf",
    "su-exec",
    "gosu",
    "tini",
    "dumb-init",
    "chroot",
    "npx",
    "bunx",
    "poetry",
    "uv",
    "pipenv",
    "pdm",
    "hatch",
    "xargs",
    "busybox",
    "pnpm",
    "yarn",
    "npm",
    "cross-env",
    "dotenv",
    "catchsegv",
    "unshare",
    "setpriv",
    "runuser",
];
/// Places that keep nothing.
const NOWHERE: &[&str] = &["/dev/null", "/dev/full", "-"];

/// Facts of one node of a shell script.
pub fn facts(text: &str, node: Node<'_>, sink: &mut dyn FnMut(Fact)) {
    match node.kind() {
        "command" => command(text, node, sink),
        "file_redirect" => redirect(text, node, sink),
        _ => {}
    }
}

fn plain(text: &str, node: Node<'_>) -> String {
    let text = text.get(node.byte_range()).unwrap_or_default();
    short(text).replace(['"', '\''], "")
}

fn command(text: &str, node: Node<'_>, sink: &mut dyn FnMut(Fact)) {
    let Some(name) = node.child_by_field_name("name") else { return };
    let mut words = vec![plain(text, name)];
    let mut cursor = node.walk();
    words.extend(node.children_by_field_name("argument", &mut cursor).take(WORDS).map(|word| plain(text, word)));
    // a path's last part; a wrapper's words may hold one more command
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let name = word.rsplit('/').next().unwrap_or(word).to_string();
        let rest = words.get(at + 1..).unwrap_or_default();
        sink(Fact::new(Kind::Command, &name, line(node)).with_words(rest.iter().map(String::as_str)));
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        at = match stem {
            "python" | "pypy" => match rest.iter().position(|word| word == "-m") {
                Some(flag) => at + flag + 2,
                None => return,
            },
            _ if WRAPPERS.contains(&stem) => {
                let own = |word: &&String| {
                    word.starts_with('-') || word.contains('=') || *word == "run" || *word == "exec" || *word == "--"
                };
                let own = rest.iter().take_while(own).count();
                at + own + 1
            }
            _ => return,
        };
    }
}

fn redirect(text: &str, node: Node<'_>, sink: &mut dyn FnMut(Fact)) {
    let whole = text.get(node.byte_range()).unwrap_or_default();
    let Some(destination) = node.child_by_field_name("destination") else { return };
    let to = plain(text, destination);
    let writes = whole.trim_start_matches(|c: char| c.is_ascii_digit() || c == '&').starts_with('>');
    if writes && !NOWHERE.contains(&to.as_str()) && !to.bytes().all(|byte| byte.is_ascii_digit()) {
        sink(Fact::new(Kind::Redirect, to, line(node)));
    }
}
