//! Whole builds of the shipped recipe, from the store alone: how to start them, and whether that is possible.
#![allow(dead_code)] // each test program uses a part of it

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

pub fn target() -> PathBuf {
    // target/debug/vitrine
    Path::new(env!("CARGO_BIN_EXE_vitrine")).ancestors().nth(2).unwrap().to_owned()
}

/// VITRINE_TEST_RECIPE names another one that fits the same lock.
pub fn recipe() -> PathBuf {
    std::env::var_os("VITRINE_TEST_RECIPE").map_or_else(|| root().join("recipes/exit.toml"), PathBuf::from)
}

/// A fresh lock of `make images` wins over the committed one, whose packages may be gone from the mirrors.
pub fn lock() -> PathBuf {
    let fresh = target().join("vm/exit.lock.toml");
    if fresh.exists() {
        return fresh;
    }
    root().join("recipes/exit.lock.toml")
}

pub fn programs() -> OsString {
    std::env::var_os("VITRINE_PROGRAMS").unwrap_or_else(|| target().join("image-programs").into())
}

pub fn vitrine(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vitrine"));
    command.args(args).stdin(Stdio::null());
    command
}

/// `vitrine build recipes/exit.toml --offline --out OUT …`
pub fn build(out: &Path, more: &[&str]) -> Command {
    let mut command = telling(out, more);
    command.arg("-q");
    command
}

/// The same, with its notes on standard error.
pub fn telling(out: &Path, more: &[&str]) -> Command {
    let mut command = vitrine(&["build", "--offline"]);
    command.arg(recipe()).arg("--lock").arg(lock()).arg("--programs").arg(programs()).arg("--out").arg(out).args(more);
    command
}

/// Whether a whole build is possible here, found out once.
pub fn possible() -> bool {
    static POSSIBLE: OnceLock<bool> = OnceLock::new();
    *POSSIBLE.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let output = build(dir.path(), &["--unsigned"]).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        let lacking = errors.contains("lacks") || errors.contains("make programs");
        assert!(output.status.success() || lacking, "{errors}");
        assert!(!lacking || std::env::var_os("CI").is_none(), "CI has to have run `make images`: {errors}");
        if lacking {
            eprintln!("skipped: run `make images` first: {errors}");
        }
        !lacking
    })
}

pub fn keys() -> &'static Path {
    static KEYS: OnceLock<tempfile::TempDir> = OnceLock::new();
    let dir = KEYS.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        succeed(vitrine(&["keygen", "-q", "--out", dir.path().to_str().unwrap()]));
        dir
    });
    dir.path()
}

pub fn succeed(mut command: Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    output
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

pub fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name != ".vitrine-build");
    names.sort();
    names
}

/// A store at this path with the same packages and no derived data.
pub fn empty_cache(cache: &Path) -> PathBuf {
    fs::create_dir_all(cache).unwrap();
    let store = vitrine_builder::store::Store::open(None).unwrap();
    std::os::unix::fs::symlink(store.root().join("sha256"), cache.join("sha256")).unwrap();
    cache.to_owned()
}
