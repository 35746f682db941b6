//! The kernel command line.

use crate::glob;
use crate::policy::WordRule;

/// Every way in which a command line breaks the rule, in words.
pub fn hits(rule: &WordRule, cmdline: &str) -> Vec<String> {
    let words: Vec<&str> = cmdline.split_whitespace().collect();
    let mut what = Vec::new();
    for required in &rule.required {
        if !words.contains(&required.as_str()) {
            what.push(format!("lacks {required}"));
        }
        what.extend(
            words.iter().filter(|word| contradicts(required, word)).map(|word| format!("has {word}, not {required}")),
        );
    }
    let forbidden =
        |word: &str| rule.forbidden.iter().any(|pattern| glob::matches(&pattern.replace('*', "**"), &dashed(word)));
    what.extend(words.iter().filter(|word| forbidden(word)).map(|word| format!("has {word}")));
    what
}

/// The kernel takes `-` and `_` in a parameter's name as the same (kernel/params.c, `parameq`), and quotes.
fn dashed(word: &str) -> String {
    let word = word.replace('"', "");
    match word.split_once('=') {
        Some((key, value)) => format!("{}={value}", key.replace('-', "_")),
        None if word == "-b" => word,
        None => word.replace('-', "_"),
    }
}

/// Same key, other value: the last one on the command line would win.
fn contradicts(required: &str, word: &str) -> bool {
    let word = dashed(word);
    let (Some((key, value)), Some((other_key, other_value))) = (required.split_once('='), word.split_once('=')) else {
        return false;
    };
    key == other_key && value != other_value
}
