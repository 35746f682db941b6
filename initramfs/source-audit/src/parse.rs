//! The parsers, with a bound on the work that one file may make.

use crate::extract;
use crate::fact::Fact;
use crate::language::{Dialect, Language};
use tree_sitter::{Node, ParseOptions, Parser, Tree};

/// Calls of the parser's progress function, each about a hundred operations: ten times what 4 MiB of ordinary code
/// takes. A count, not a time: the same file gives the same answer on a slow machine.
const WORK: u32 = 2_000_000;
/// Bytes that are handed to the parser at a time.
const CHUNK: usize = 64 << 10;

/// Why a file, or a part of one, could not be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The parser made no sense of this line.
    Line(u32),
    /// It takes too much work.
    Work,
}

/// Hands the facts of a text to `sink`.
///
/// # Errors
/// What could not be judged; the rest was.
pub fn read(language: Language, dialect: Dialect, text: &str, sink: &mut dyn FnMut(Fact)) -> Result<(), Trouble> {
    let tree = tree(language, dialect, text).ok_or(Trouble::Work)?;
    if !extract::facts(language, &tree, text, sink) {
        return Err(Trouble::Work);
    }
    match first_error(tree.root_node()) {
        Some(line) => Err(Trouble::Line(line)),
        None => Ok(()),
    }
}

fn tree(language: Language, dialect: Dialect, text: &str) -> Option<Tree> {
    let mut parser = Parser::new();
    parser.set_language(&language.grammar(dialect)).ok()?;
    let mut left = WORK;
    let mut progress = |_: &tree_sitter::ParseState| {
        left = left.saturating_sub(1);
        left == 0
    };
    let options = ParseOptions::new().progress_callback(&mut progress);
    let bytes = text.as_bytes();
    let mut chunk = |at: usize, _| &bytes[at.min(bytes.len())..(at + CHUNK).min(bytes.len())];
    parser.parse_with_options(&mut chunk, None, Some(options))
}

/// Line of the first place that the parser skipped or made up, counted from 1.
fn first_error(root: Node<'_>) -> Option<u32> {
    if !root.has_error() {
        return None;
    }
    let mut cursor = root.walk();
    loop {
        let node = cursor.node();
        if node.is_error() || node.is_missing() {
            return Some(extract::line(node));
        }
        let inside = node.has_error() && cursor.goto_first_child();
        if !inside && !cursor.goto_next_sibling() && !crate::bind::up(&mut cursor) {
            return Some(extract::line(root));
        }
    }
}
