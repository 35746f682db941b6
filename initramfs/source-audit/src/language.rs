//! Which language a file is in, by its name and its first line.

use tree_sitter::Language as Grammar;

/// Bytes that tell what a file without an extension is.
pub const HEAD_BYTES: usize = 256;

/// What the audit can judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Language {
    Go,
    JavaScript,
    Python,
    Rust,
    Shell,
}

impl Language {
    pub const ALL: [Self; 5] = [Self::Go, Self::JavaScript, Self::Python, Self::Rust, Self::Shell];
}

/// What a file is to the audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    Code(Language, Dialect),
    /// Dockerfile, Procfile, systemd unit, package.json: commands or dependencies in a form of their own.
    Manifest(Manifest),
    /// Code in a language that the audit cannot judge: `java`.
    Other(&'static str),
    /// Text or data: not looked at.
    Data,
}

/// Which parser of a language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Plain,
    TypeScript,
    Tsx,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manifest {
    Cargo,
    Dockerfile,
    GoMod,
    Npm,
    Procfile,
    PyProject,
    Requirements,
    Unit,
}

impl Language {
    /// As rule ids begin.
    pub fn name(self) -> &'static str {
        match self {
            Self::Go => "go",
            Self::JavaScript => "javascript",
            Self::Python => "python",
            Self::Rust => "rust",
            Self::Shell => "shell",
        }
    }

    pub fn grammar(self, dialect: Dialect) -> Grammar {
        match (self, dialect) {
            (Self::Go, _) => tree_sitter_go::LANGUAGE.into(),
            (Self::JavaScript, Dialect::TypeScript) => tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into(),
            (Self::JavaScript, Dialect::Tsx) => tree_sitter_typescript::LANGUAGE_TSX.into(),
            (Self::JavaScript, Dialect::Plain) => tree_sitter_javascript::LANGUAGE.into(),
            (Self::Python, _) => tree_sitter_python::LANGUAGE.into(),
            (Self::Rust, _) => tree_sitter_rust::LANGUAGE.into(),
            (Self::Shell, _) => tree_sitter_bash::LANGUAGE.into(),
        }
    }
}

/// Extensions of languages that run, and that nothing here can read. A name, then its extensions.
const OTHER: &[(&str, &[&str])] = &[
    ("ada", &["adb", "ads"]),
    ("assembler", &["asm", "s"]),
    ("binary", &["a", "class", "dll", "dylib", "exe", "jar", "node", "o", "pyc", "pyd", "so", "wasm", "whl"]),
    ("c", &["c", "h"]),
    ("clojure", &["clj", "cljs"]),
    ("cpp", &["cc", "cpp", "cxx", "hh", "hpp", "hxx"]),
    ("crystal", &["cr"]),
    ("csharp", &["cs"]),
    ("cython", &["pxd", "pyx"]),
    ("d", &["d"]),
    ("dart", &["dart"]),
    ("elixir", &["ex", "exs"]),
    ("erlang", &["erl"]),
    ("fsharp", &["fs", "fsx"]),
    ("haskell", &["hs"]),
    ("java", &["java"]),
    ("julia", &["jl"]),
    ("kotlin", &["kt", "kts"]),
    ("lisp", &["lisp", "scm", "rkt"]),
    ("lua", &["lua"]),
    ("nim", &["nim"]),
    ("notebook", &["ipynb"]),
    ("objective-c", &["m", "mm"]),
    ("ocaml", &["ml", "mli"]),
    ("perl", &["pl", "pm"]),
    ("php", &["php"]),
    ("powershell", &["ps1"]),
    ("r", &["r"]),
    ("ruby", &["rb", "gemspec"]),
    ("scala", &["scala"]),
    ("sql", &["sql"]),
    ("svelte", &["svelte"]),
    ("swift", &["swift"]),
    ("tcl", &["tcl"]),
    ("vue", &["vue"]),
    ("zig", &["zig"]),
    ("archive", &["7z", "bz2", "egg", "gz", "rar", "tar", "tgz", "xz", "zip", "zst"]),
];

/// Languages that `--without` may name.
pub fn others() -> impl Iterator<Item = &'static str> {
    OTHER.iter().map(|(name, _)| *name)
}

/// By name; `head` is the file's first bytes, for files without an extension.
pub fn sort(name: &str, head: &[u8]) -> Sort {
    if let Some(manifest) = manifest(name) {
        return Sort::Manifest(manifest);
    }
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    let by_name = match extension.as_deref() {
        Some("py" | "pyi" | "pyw" | "wsgi") => Some((Language::Python, Dialect::Plain)),
        Some("js" | "mjs" | "cjs" | "jsx" | "es6") => Some((Language::JavaScript, Dialect::Plain)),
        Some("ts" | "mts" | "cts") => Some((Language::JavaScript, Dialect::TypeScript)),
        Some("tsx") => Some((Language::JavaScript, Dialect::Tsx)),
        Some("go") => Some((Language::Go, Dialect::Plain)),
        Some("rs") => Some((Language::Rust, Dialect::Plain)),
        Some("sh" | "bash" | "zsh" | "ksh" | "dash") => Some((Language::Shell, Dialect::Plain)),
        _ => None,
    };
    if let Some((language, dialect)) = by_name {
        return Sort::Code(language, dialect);
    }
    let other = extension.as_deref().and_then(|e| OTHER.iter().find(|(_, list)| list.contains(&e)));
    match other {
        Some((name, _)) => Sort::Other(name),
        None => by_head(head),
    }
}

fn manifest(name: &str) -> Option<Manifest> {
    let lower = name.to_ascii_lowercase();
    Some(match lower.as_str() {
        "cargo.toml" => Manifest::Cargo,
        "go.mod" => Manifest::GoMod,
        "package.json" => Manifest::Npm,
        "procfile" => Manifest::Procfile,
        "pyproject.toml" => Manifest::PyProject,
        "containerfile" => Manifest::Dockerfile,
        _ if lower == "dockerfile" || lower.starts_with("dockerfile.") || lower.ends_with(".dockerfile") => {
            Manifest::Dockerfile
        }
        _ if lower.starts_with("requirements") && lower.ends_with(".txt") => Manifest::Requirements,
        _ if [".service", ".socket", ".timer", ".mount", ".path"].iter().any(|end| lower.ends_with(end)) => {
            Manifest::Unit
        }
        _ => return None,
    })
}

/// The interpreter of a script's first line, or the magic number of a program.
fn by_head(head: &[u8]) -> Sort {
    if head.starts_with(b"\x7fELF") || head.starts_with(b"\0asm") || head.starts_with(b"MZ") {
        return Sort::Other("binary");
    }
    let Some(line) = head.strip_prefix(b"#!") else { return Sort::Data };
    let line = String::from_utf8_lossy(line.split(|byte| *byte == b'\n').next().unwrap_or_default()).into_owned();
    let mut words = line.split_whitespace().map(|word| word.rsplit('/').next().unwrap_or(word));
    let mut program = words.next().unwrap_or_default();
    if program == "env" {
        program = words.find(|word| !word.starts_with('-') && !word.contains('=')).unwrap_or_default();
    }
    match program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.') {
        "python" | "pypy" => Sort::Code(Language::Python, Dialect::Plain),
        "node" | "nodejs" | "bun" => Sort::Code(Language::JavaScript, Dialect::Plain),
        "deno" | "ts-node" | "tsx" => Sort::Code(Language::JavaScript, Dialect::TypeScript),
        "sh" | "bash" | "dash" | "ash" | "zsh" | "ksh" | "busybox" => Sort::Code(Language::Shell, Dialect::Plain),
        "perl" => Sort::Other("perl"),
        "ruby" => Sort::Other("ruby"),
        "php" => Sort::Other("php"),
        "lua" | "luajit" => Sort::Other("lua"),
        _ => Sort::Other("script"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_apart() {
        let python = Sort::Code(Language::Python, Dialect::Plain);
        assert_eq!(sort("a.py", b""), python);
        assert_eq!(sort("run", b"#!/usr/bin/env -S python3.12 -u\n"), python);
        assert_eq!(sort("a.TSX", b""), Sort::Code(Language::JavaScript, Dialect::Tsx));
        assert_eq!(sort("A.java", b""), Sort::Other("java"));
        assert_eq!(sort("tool", b"\x7fELF\x02"), Sort::Other("binary"));
        assert_eq!(sort("tool", b"#!/usr/bin/awk -f\n"), Sort::Other("script"));
        assert_eq!(sort("README", b"hello"), Sort::Data);
        assert_eq!(sort("requirements-dev.txt", b""), Sort::Manifest(Manifest::Requirements));
    }
}
