//! Cuts configuration files into statements in one normal form, so that rules can name settings whatever their
//! spelling.
//!
//! Normal form: lower case, key and value with one space between, no quotes, white space as one space:
//! ```text
//! Log-Queries = "yes"   # comment     log-queries yes                    Pairs
//! [query_log] file = 'q.log'          [query_log] file q.log             Sections
//! -net/ipv4/x = 1                     net.ipv4.x 1                       Sysctl
//! channel a { file "q.log"; };        channel a / file q.log             Braces
//! ```

use crate::policy::Syntax;

/// One statement and the line it begins in, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    pub line: u32,
    pub text: String,
}

/// Longest statement that is looked at, in bytes; what is behind it is cut off.
const LONGEST: usize = 4096;

/// All statements of a file. Bytes that are no UTF-8 become U+FFFD.
pub fn statements(bytes: &[u8], syntax: Syntax) -> Vec<Statement> {
    let text = String::from_utf8_lossy(bytes);
    let mut out = Vec::new();
    let mut section = String::new();
    let mut in_comment = false;
    for (number, line) in text.lines().enumerate() {
        let line_number = u32::try_from(number + 1).unwrap_or(u32::MAX);
        let line = match syntax {
            Syntax::Braces => without_block_comments(line, &mut in_comment),
            _ => line.to_string(),
        };
        let line = before_comment(&line, syntax).trim();
        if syntax == Syntax::Sections {
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                section = format!("[{}] ", name.trim_matches(['[', ']', ' ']));
                continue;
            }
        }
        for part in parts(line, syntax) {
            let normal = normal(part, syntax);
            if !normal.is_empty() {
                let text = format!("{section}{normal}").to_lowercase();
                out.push(Statement { line: line_number, text });
            }
        }
    }
    out
}

fn parts(line: &str, syntax: Syntax) -> Vec<&str> {
    match syntax {
        Syntax::Braces => line.split(['{', '}', ';']).collect(),
        Syntax::Lua => line.split(';').collect(),
        _ => vec![line],
    }
}

fn before_comment(line: &str, syntax: Syntax) -> &str {
    let start = line.trim_start();
    match syntax {
        Syntax::Lua => line.split("--").next().unwrap_or_default(),
        // a `#` inside a value is part of it in most of these forms; at the start, or after a space, it is none
        Syntax::Pairs | Syntax::Sections | Syntax::Sysctl if start.starts_with(['#', ';']) => "",
        Syntax::Words | Syntax::Braces if start.starts_with('#') => "",
        Syntax::Braces if start.starts_with("//") => "",
        _ => {
            let end = [" #", "\t#", " //"].iter().filter_map(|mark| line.find(mark)).min();
            &line[..end.unwrap_or(line.len())]
        }
    }
}

fn without_block_comments(line: &str, inside: &mut bool) -> String {
    let mut out = String::new();
    let mut rest = line;
    loop {
        if *inside {
            match rest.split_once("*/") {
                Some((_, after)) => (rest, *inside) = (after, false),
                None => return out,
            }
        }
        match rest.split_once("/*") {
            Some((before, after)) => {
                out += before;
                (rest, *inside) = (after, true);
            }
            None => return out + rest,
        }
    }
}

fn normal(part: &str, syntax: Syntax) -> String {
    let mut end = part.len().min(LONGEST);
    while !part.is_char_boundary(end) {
        end -= 1;
    }
    let part = part[..end].trim();
    let separated = match syntax {
        Syntax::Pairs | Syntax::Sections | Syntax::Sysctl => separate(part, syntax),
        _ => part.to_string(),
    };
    let bare: String = separated.chars().filter(|c| !matches!(c, '"' | '\'')).collect();
    let bare = bare.trim_end_matches([';', ',']);
    bare.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The first `=`, or the first `:` before it, becomes a space.
fn separate(part: &str, syntax: Syntax) -> String {
    let at = match syntax {
        Syntax::Sysctl => part.find('='),
        _ => part.find(['=', ':']),
    };
    let Some(at) = at else { return part.to_string() };
    // `Key ?= value` and YAML's `- key: value`
    let (key, value) = (part[..at].trim_end_matches(['?', '+', ' ']), &part[at + 1..]);
    let key = key.trim_start_matches("- ").trim();
    match syntax {
        Syntax::Sysctl => format!("{} {value}", key.trim_start_matches('-').replace('/', ".")),
        _ => format!("{key} {value}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str, syntax: Syntax) -> Vec<String> {
        statements(text.as_bytes(), syntax).into_iter().map(|s| s.text).collect()
    }

    #[test]
    fn one_form_for_many_spellings() {
        for (text, syntax, want) in [
            ("Log-Queries = \"NO\"  # x", Syntax::Pairs, vec!["log-queries no"]),
            ("  log-queries: yes\n#log: x\n;x", Syntax::Pairs, vec!["log-queries yes"]),
            ("log-queries", Syntax::Pairs, vec!["log-queries"]),
            ("- level: debug", Syntax::Pairs, vec!["level debug"]),
            ("[query_log]\nfile = 'q.log'\n[a]", Syntax::Sections, vec!["[query_log] file q.log"]),
            ("[[a]]\nb = 1", Syntax::Sections, vec!["[a] b 1"]),
            ("-net/ipv4/x = 1\nkernel.y=2 3", Syntax::Sysctl, vec!["net.ipv4.x 1", "kernel.y 2 3"]),
            (
                "logging { channel a { file \"q\" versions 3; }; }; // x",
                Syntax::Braces,
                vec!["logging", "channel a", "file q versions 3"],
            ),
            ("a /* b\nlog\n*/ c", Syntax::Braces, vec!["a", "c"]),
            ("UUID=1 /  ext4 rw 0 1 # root", Syntax::Words, vec!["uuid=1 / ext4 rw 0 1"]),
            ("verbose(true) -- log", Syntax::Lua, vec!["verbose(true)"]),
        ] {
            assert_eq!(texts(text, syntax), want, "{text}");
        }
    }

    #[test]
    fn lines_are_counted_and_odd_bytes_do_no_harm() {
        assert_eq!(statements(b"\n\xff\xfe\na: b", Syntax::Pairs)[1], Statement { line: 3, text: "a b".into() });
        let long = format!("a = {}", "é".repeat(LONGEST));
        assert!(texts(&long, Syntax::Pairs)[0].len() <= LONGEST);
    }
}
