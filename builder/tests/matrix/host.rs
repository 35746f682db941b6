//! Another distribution as host: a root file system that the builder made from a lock, and nothing else of this machine.

use crate::setting::{Setting, Tried};
use crate::whole::{root, succeed, target, text, vitrine};
use std::fs;
use std::path::{Path, PathBuf};
use vitrine_attest::Sha256;
use vitrine_builder::archive::{fetch_packages, Mirrors, GONE};
use vitrine_builder::lock::Lock;
use vitrine_builder::progress::Progress;
use vitrine_builder::store::Store;
use vitrine_builder::toolchain::make_root;

/// Recipes, and what the row is called.
pub const HOSTS: [(&str, &str); 2] =
    [("host-bookworm", "another host: Debian 12"), ("host-trixie", "another host: Debian 13")];
/// Shows that it is another one: the version alone may be this machine's, too.
pub const ASK: &str = "echo Debian $(cat /etc/debian_version), $(ls /usr/bin | wc -l) programs";

/// The folder is the root's `/build`, the old root is gone: not chroot(2) alone, in which no user namespace can be made. `-n`: who
/// is root in a user namespace only may not write to /run/mount.
const ENTER: &str = "
    mount --bind \"$1\" \"$1\"
    mount --bind \"$2\" \"$1/build\"
    mount --rbind /dev \"$1/dev\"
    mount -t proc proc \"$1/proc\"
    mount -t tmpfs -o mode=1777 tmpfs \"$1/tmp\"
    cd \"$1\"
    mount -o remount,bind,ro \"$1\"
    shift 2
    mount -n --move . /
    exec chroot . \"$@\"";

/// Lets the setting's commands run in the root of this recipe.
pub fn enter(recipe: &str, setting: &mut Setting) -> Tried<()> {
    let root = made(recipe)?;
    setting.seen = "/build".into();
    setting.enter_with(ENTER, &[text(&root), text(&setting.folder.clone())])?;
    let output = setting.run(&[&setting.at("vitrine"), "--version"]);
    match output.status.success() {
        true => Ok(()),
        // built on a newer distribution than this one
        false => Err(format!("the program does not run there: {}", crate::setting::said(&output))),
    }
}

/// The root, below the target folder, where it is checked before its next use.
fn made(recipe: &str) -> Tried<PathBuf> {
    let folder = target().join("hosts").join(recipe);
    fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
    // two runs at once: the second finds what the first has made
    let one = fs::File::create(folder.join("lock")).map_err(|e| e.to_string())?;
    rustix::fs::flock(&one, rustix::fs::FlockOperation::LockExclusive).map_err(|e| e.to_string())?;
    let store = Store::open(None).map_err(|e| e.to_string())?;
    let lock = fetched(recipe, &folder, &store)?;
    let digest = Sha256::of(lock.to_toml().map_err(|e| e.to_string())?.as_bytes());
    make_root(&lock, digest, &folder, &store, &Progress::hidden()).map_err(|e| e.to_string())
}

/// Fetched by the committed lock; by a fresh one when the mirrors have dropped what that names.
fn fetched(recipe: &str, folder: &Path, store: &Store) -> Tried<Lock> {
    let fresh = folder.join("lock.toml");
    let committed = root().join(format!("recipes/{recipe}.lock.toml"));
    let lock = Lock::load(if fresh.exists() { &fresh } else { &committed }).map_err(|e| e.to_string())?;
    if fetch_packages(&lock.packages, None, store, &Progress::hidden()).is_ok() {
        return Ok(lock);
    }
    let mirrors = Mirrors::find(&[]).map_err(|e| e.to_string())?;
    match fetch_packages(&lock.packages, Some(&mirrors), store, &Progress::hidden()) {
        Ok(()) => Ok(lock),
        Err(e) if e.what.contains(GONE) && !fresh.exists() => {
            succeed(vitrine(&[
                "lock",
                "-q",
                text(&root().join(format!("recipes/{recipe}.toml"))),
                "--out",
                text(&fresh),
            ]));
            fetched(recipe, folder, store)
        }
        Err(e) => Err(e.to_string()),
    }
}
