//! What every build of the matrix starts from, in one folder: copies, so that nothing else can change it meanwhile.
//!
//! ```text
//! seed/vitrine  seed/recipes/  seed/lock.toml  seed/programs/  seed/keys/  seed/store/sha256/
//! ```

use crate::whole::{keys, lock, root, succeed, text};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use vitrine_builder::archive::{fetch_packages, Mirrors};
use vitrine_builder::lock::{Lock, LockedPackage};
use vitrine_builder::progress::Progress;
use vitrine_builder::store::Store;

#[derive(Debug)]
pub struct Ground {
    dir: tempfile::TempDir,
}

impl Ground {
    /// For builds of the exit recipe, with these programs or with such as are compiled later.
    pub fn new(programs: Option<&Path>) -> Self {
        let ground = Self::empty();
        let seed = ground.seed();
        copy(&root().join("recipes"), &seed.join("recipes"));
        fs::copy(lock(), seed.join("lock.toml")).unwrap();
        if let Some(programs) = programs {
            copy(programs, &seed.join("programs"));
        }
        copy(keys(), &seed.join("keys"));
        take(&Lock::load(&lock()).unwrap().packages, &seed.join("store"));
        ground
    }

    /// With the program alone.
    fn empty() -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::Builder::new().prefix("vitrine-matrix").tempdir().unwrap();
        // other users go through it
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let ground = Self { dir };
        fs::create_dir_all(ground.seed()).unwrap();
        fs::copy(env!("CARGO_BIN_EXE_vitrine"), ground.seed().join("vitrine")).unwrap();
        ground
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn seed(&self) -> PathBuf {
        self.path().join("seed")
    }
}

/// `cp -r`
pub fn copy(from: &Path, to: &Path) {
    let mut command = Command::new("cp");
    command.args(["-r", "--reflink=auto", text(from), text(to)]);
    succeed(command);
}

/// Packages into a store of their own, out of the user's; fetched where that lacks them.
fn take(packages: &[LockedPackage], store: &Path) {
    let user = Store::open(None).unwrap();
    if fetch_packages(packages, None, &user, &Progress::hidden()).is_err() {
        let mirrors = Mirrors::find(&[]).unwrap_or_else(|e| panic!("{e}"));
        fetch_packages(packages, Some(&mirrors), &user, &Progress::hidden()).unwrap_or_else(|e| panic!("{e}"));
    }
    for package in packages {
        let from = user.path(&package.sha256).unwrap();
        let to = store.join(from.strip_prefix(user.root()).unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    }
}

/// The shipped sources, as git tracks them, or those that VITRINE_REPRODUCE_SOURCE names.
pub fn sources(to: &Path) {
    if let Some(other) = std::env::var_os("VITRINE_REPRODUCE_SOURCE") {
        return copy(Path::new(&other), to);
    }
    fs::create_dir_all(to).unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "git ls-files -z | tar -c --null -T - | tar -x -C \"$0\"", text(to)]).current_dir(root());
    succeed(command);
}
