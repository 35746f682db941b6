//! Where and how one build of the matrix runs.

use crate::ground::Ground;
use crate::whole::text;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Why something was not tried.
pub type Tried<T> = Result<T, String>;

/// A place of its own for one build, and the programs that start it.
#[derive(Debug)]
pub struct Setting {
    /// A folder for whatever it needs besides.
    pub base: PathBuf,
    /// Recipe, lock, packages, programs and results lie here.
    pub folder: PathBuf,
    /// The same folder, as the build sees it.
    pub seen: PathBuf,
    /// Starts of command lines that mount something, in a mount namespace that ends with the command.
    pub mounts: Vec<String>,
    /// … and those that change the rest.
    pub inside: Vec<String>,
    /// Variables of the build.
    pub environment: Vec<(&'static str, String)>,
    /// Somewhere that is not below the ground.
    pub elsewhere: Option<tempfile::TempDir>,
}

impl Setting {
    pub fn new(ground: &Ground, name: &str) -> Self {
        let base = ground.path().join(name.replace(' ', "-"));
        std::fs::create_dir_all(&base).unwrap();
        let folder = base.join("world");
        let environment = vec![("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin".to_string())];
        Self { base, seen: folder.clone(), folder, mounts: vec![], inside: vec![], environment, elsewhere: None }
    }

    /// The folder, which must not be there yet.
    pub fn lie_in(&mut self, folder: PathBuf) {
        self.seen.clone_from(&folder);
        self.folder = folder;
    }

    pub fn start_with(&mut self, words: &[&str]) {
        self.inside.extend(words.iter().map(|word| word.to_string()));
    }

    /// A script gets its arguments, and `"$@"` at its end is the rest of the command line.
    pub fn mount_with(&mut self, script: &str, arguments: &[&str]) -> Tried<()> {
        self.mounts.extend(namespaced(script, arguments)?);
        Ok(())
    }

    /// The same for what the test itself does not see.
    pub fn enter_with(&mut self, script: &str, arguments: &[&str]) -> Tried<()> {
        self.inside.extend(namespaced(script, arguments)?);
        Ok(())
    }

    /// Fills the folder from the seed: files that nobody writes to may be links to the seed's.
    pub fn fill(&self, seed: &Path) -> Tried<()> {
        let script = "mkdir -p \"$2\"; for one in \"$1\"/*; do \
            cp -rl \"$one\" \"$2\" 2>/dev/null || { rm -rf \"$2/${one##*/}\"; cp -r --reflink=auto \"$one\" \"$2\"; }; done; \
            mkdir \"$2/home\"";
        self.outside(&["sh", "-ec", script, "-", text(seed), text(&self.folder)])
    }

    /// A path below the folder, as the build sees it.
    pub fn at(&self, name: &str) -> String {
        text(&self.seen.join(name)).to_string()
    }

    /// Runs a command where the folder can be seen, but as the user and in the way of the test itself.
    pub fn outside(&self, words: &[&str]) -> Tried<()> {
        let (program, rest) = split(&self.mounts, words);
        let output = Command::new(program).args(rest).stdin(Stdio::null()).output().map_err(|e| e.to_string())?;
        match output.status.success() {
            true => Ok(()),
            false => Err(format!("{}: {}", words.join(" "), said(&output))),
        }
    }

    /// Runs a command as the build.
    pub fn run(&self, words: &[&str]) -> Output {
        let start: Vec<String> = self.mounts.iter().chain(&self.inside).cloned().collect();
        let (program, rest) = split(&start, words);
        let mut command = Command::new(&program);
        command.args(rest).env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        for (name, below) in [("HOME", "home"), ("VITRINE_CACHE", "store")] {
            command.env(name, self.seen.join(below));
        }
        command.stdin(Stdio::null()).output().unwrap_or_else(|e| panic!("{program}: {e}"))
    }

    /// What a shell script prints there, on one line; what it complains about where it fails.
    pub fn ask(&self, script: &str) -> String {
        let output = self.run(&["sh", "-c", &format!("cd {:?} && {script}", self.seen)]);
        let text = String::from_utf8_lossy(&output.stdout);
        let words: Vec<&str> = text.split_whitespace().collect();
        match output.status.success() {
            true => words.join(" "),
            false => format!("({})", said(&output)),
        }
    }

    /// Copies a result to where it can be compared.
    pub fn bring(&self, name: &str) -> Tried<PathBuf> {
        let to = self.base.join(format!("brought-{name}"));
        self.outside(&["cp", "-r", text(&self.folder.join(name)), text(&to)])?;
        Ok(to)
    }
}

fn split(start: &[String], words: &[&str]) -> (String, Vec<String>) {
    let mut all: Vec<String> = start.to_vec();
    all.extend(words.iter().map(|word| word.to_string()));
    (all.remove(0), all)
}

/// The last two lines of its errors: what happened, and what to do.
pub fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text.trim().lines().collect();
    let code = output.status.code().map_or("a signal".to_string(), |code| code.to_string());
    match lines.len() {
        0 => format!("ended with {code}, without a word"),
        many => lines[many.saturating_sub(2)..].join("; "),
    }
}

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn namespaced(script: &str, arguments: &[&str]) -> Tried<Vec<String>> {
    let shell = ["sh", "-ec", script, "-"];
    Ok(namespaces()?.iter().chain(&shell).chain(arguments).map(|word| word.to_string()).collect())
}

/// A mount and process namespace; for anybody but root a user namespace, too.
fn namespaces() -> Tried<&'static [&'static str]> {
    const ALL: [&str; 6] = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--"];
    const USER: [&str; 8] =
        ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child", "--"];
    let words: &[&str] = if is_root() { &ALL } else { &USER };
    let output = Command::new(words[0]).args(&words[1..]).arg("true").output().map_err(|e| format!("unshare: {e}"))?;
    match output.status.success() {
        true => Ok(words),
        false => Err(said(&output)),
    }
}
