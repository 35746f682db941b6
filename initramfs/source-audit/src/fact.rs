//! What the readers of the languages take out of a file: the only thing that rules look at.

/// One thing that the code does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    pub kind: Kind,
    /// Resolved names: several where a name was given several values. `logging.getLogger("x").info`
    pub names: Vec<String>,
    /// The name as it stands in the text.
    pub raw: String,
    /// Counted from 1.
    pub line: u32,
    pub args: Vec<Arg>,
    /// Names that stand in the arguments, functions inside them left out.
    pub mentions: Vec<String>,
    /// In, or on, a function that answers requests.
    pub handler: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Call,
    Decorator,
    Import,
    /// `names` is the target; the value is the one argument.
    Assign,
    Return,
    /// A function is defined.
    Define,
    Command,
    Redirect,
    Dependency,
}

impl Kind {
    pub const ALL: [Self; 9] = [
        Self::Call,
        Self::Decorator,
        Self::Import,
        Self::Assign,
        Self::Return,
        Self::Define,
        Self::Command,
        Self::Redirect,
        Self::Dependency,
    ];
}

/// An argument, by name or by position, with its text: at most [`ARG_BYTES`], on one line, strings in double quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arg {
    /// `access_log` or `0`
    pub name: String,
    pub text: String,
}

/// Bytes of an argument that are looked at: flags and modes are short.
pub const ARG_BYTES: usize = 160;
/// Arguments of a call that are looked at.
pub const ARGS: usize = 32;

impl Fact {
    pub fn new(kind: Kind, name: impl Into<String>, line: u32) -> Self {
        let name = name.into();
        Self {
            kind,
            names: vec![name.clone()],
            raw: name,
            line,
            args: Vec::new(),
            mentions: Vec::new(),
            handler: false,
        }
    }

    /// With arguments by position.
    pub fn with_words<'a>(mut self, words: impl Iterator<Item = &'a str>) -> Self {
        let arg = |(at, text): (usize, &str)| Arg { name: at.to_string(), text: short(text) };
        self.args = words.take(ARGS).enumerate().map(arg).collect();
        self
    }
}

/// On one line, cut, with double quotes.
pub fn short(text: &str) -> String {
    let mut end = text.len().min(ARG_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].split_whitespace().collect::<Vec<_>>().join(" ").replace(['\'', '`'], "\"")
}
