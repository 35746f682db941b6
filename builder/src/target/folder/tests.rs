//! Folders with everything that a walk could trip over.

use super::*;
use rustix::fs::{mkfifoat, CWD};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{symlink, PermissionsExt as _};

fn seen(folder: &Folder) -> Vec<(String, String)> {
    let mut seen = Vec::new();
    for number in 0..folder.len() {
        folder.visit(number, &mut |item| {
            let what = match &item.what {
                What::Folder => "folder".to_string(),
                What::File(bytes) => format!("file {}", bytes.len()),
                What::Link(target) => format!("-> {target}"),
                What::Unread(why) => why.clone(),
                _ => "other".to_string(),
            };
            seen.push((item.path.to_string(), what));
        });
    }
    seen
}

#[test]
fn links_loops_pipes_and_odd_names() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    fs::create_dir_all(root.join("etc/deep")).unwrap();
    fs::write(dir.path().join("secret"), "outside").unwrap();
    fs::write(root.join("etc/a"), "inside").unwrap();
    symlink("loop", root.join("loop")).unwrap();
    symlink("..", root.join("etc/deep/up")).unwrap();
    symlink("../../secret", root.join("etc/out")).unwrap();
    symlink("/etc", root.join("abs")).unwrap();
    let odd = std::ffi::OsStr::from_bytes(b"odd\xff\n");
    fs::write(root.join(odd), "x").unwrap();
    mkfifoat(CWD, root.join("pipe"), Mode::RUSR).unwrap();
    let folder = Folder::open(&root, false).unwrap();
    assert_eq!(folder.unjudged(), []);
    let want = [
        ("/abs", "-> /etc"),
        ("/etc", "folder"),
        ("/etc/a", "file 6"),
        ("/etc/deep", "folder"),
        ("/etc/deep/up", "-> .."),
        ("/etc/out", "-> ../../secret"),
        ("/loop", "-> loop"),
        ("/odd\\xff\\n", "file 1"),
        ("/pipe", "other"),
    ];
    assert_eq!(seen(&folder), want.map(|(path, what)| (path.to_string(), what.to_string())));
}

/// Someone puts a link where a folder was when it was listed: it is not followed.
#[test]
fn a_folder_that_became_a_link_is_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    fs::create_dir_all(root.join("etc")).unwrap();
    fs::create_dir(dir.path().join("other")).unwrap();
    fs::write(root.join("etc/a"), "inside").unwrap();
    fs::write(dir.path().join("other/a"), "outside, and longer").unwrap();
    let folder = Folder::open(&root, false).unwrap();
    fs::rename(root.join("etc"), root.join("gone")).unwrap();
    symlink("../other", root.join("etc")).unwrap();
    let seen = seen(&folder);
    assert!(seen.iter().any(|(path, what)| path == "/etc/a" && what.starts_with("cannot be read")), "{seen:?}");
    fs::remove_file(root.join("etc")).unwrap();
    assert!(!self::seen(&folder).iter().any(|(path, _)| path == "/etc/a"), "a file that is gone is no finding");
}

#[test]
fn large_and_unreadable_files_are_said() {
    let dir = tempfile::tempdir().unwrap();
    let sparse = fs::File::create(dir.path().join("large")).unwrap();
    sparse.set_len(FILE_LIMIT + 1).unwrap();
    fs::write(dir.path().join("locked"), "x").unwrap();
    fs::set_permissions(dir.path().join("locked"), fs::Permissions::from_mode(0o0)).unwrap();
    let seen = seen(&Folder::open(dir.path(), false).unwrap());
    assert!(seen[0].1.contains("at most"), "{seen:?}");
    // root may read everything
    let root = rustix::process::geteuid().is_root();
    assert_eq!(seen[1].1.starts_with("cannot be read"), !root, "{seen:?}");
    assert!(Folder::open(&dir.path().join("none"), false).is_err());
}

/// `/dev/pts` is a file system of its own wherever there are terminals.
#[test]
fn the_kernels_own_file_systems_are_not_entered() {
    let folder = Folder::open(Path::new("/dev"), false).unwrap();
    assert!(folder.skipped().iter().any(|path| path == "/pts"), "{:?}", folder.skipped());
    assert!(!folder.paths.iter().any(|path| path.starts_with(b"pts/")));
}
