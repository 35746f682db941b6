//! Roots of made-up packages.

use super::*;
use crate::lock::tests::sample;
use vitrine_attest::Blame;

/// (path, kind, body or target); kinds as in tar: `0` file, `2` link, `5` folder.
type Entry<'a> = (&'a str, tar::EntryType, &'a str);
use tar::EntryType::{Directory, Regular, Symlink};

fn pack(entries: &[Entry]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, kind, body) in entries {
        let mut header = tar::Header::new_gnu();
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(if path.contains("bin") { 0o4755 } else { 0o644 });
        let body = match kind {
            Regular => body.as_bytes(),
            Symlink => {
                header.set_link_name(body).unwrap();
                b""
            }
            _ => b"",
        };
        header.set_size(body.len() as u64);
        header.set_cksum();
        builder.append(&header, body).unwrap();
    }
    builder.into_inner().unwrap()
}

/// deb(5)
fn deb(name: &str, entries: &[Entry]) -> Vec<u8> {
    let control = format!("Package: {name}\nVersion: 1\n");
    let control = pack(&[("./control", Regular, &control)]);
    let mut out = b"!<arch>\n".to_vec();
    for (member, data) in [("debian-binary", b"2.0\n".to_vec()), ("control.tar", control), ("data.tar", pack(entries))]
    {
        out.extend(format!("{member:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 100644, data.len()).bytes());
        out.extend_from_slice(&data);
        if data.len() % 2 == 1 {
            out.push(b'\n');
        }
    }
    out
}

struct World {
    dir: tempfile::TempDir,
    store: Store,
    lock: Lock,
}

impl World {
    fn new(packages: &[&[Entry]]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(Some(&dir.path().join("store"))).unwrap();
        let mut lock = sample();
        let one = lock.packages.remove(0);
        lock.packages.clear();
        for (number, entries) in packages.iter().enumerate() {
            let name = format!("p{number}");
            let sha256 = store.put(&deb(&name, entries)).unwrap();
            lock.packages.push(LockedPackage { name, sha256, ..one.clone() });
        }
        Self { dir, store, lock }
    }

    fn make(&self) -> Result<PathBuf> {
        self.make_told().0
    }

    /// The root, and whether it was made anew after it had been there.
    fn make_told(&self) -> (Result<PathBuf>, bool) {
        let progress = Progress::hidden();
        let root = make(&self.lock, Sha256::ZERO, self.dir.path(), &self.store, &progress);
        (root, !progress.notes().is_empty())
    }
}

const PLAIN: &[Entry] = &[
    ("./usr/", Directory, ""),
    ("./usr/bin/ld", Regular, "linker"),
    ("./usr/bin/cc", Symlink, "ld"),
    ("./lib/", Directory, ""),
    ("./lib/libc.so", Regular, "libc"),
    ("./usr/share/doc/p/copyright", Regular, "words"),
];

#[test]
fn files_links_and_modes() {
    let world = World::new(&[PLAIN]);
    let root = world.make().unwrap();
    let list = listing(&root).unwrap();
    for line in
        ["f755 /usr/bin/ld ", "l /usr/bin/cc ld\n", "f644 /usr/lib/libc.so ", "l /lib usr/lib\n", "d755 /proc\n"]
    {
        assert!(list.contains(line), "{line:?} is not in\n{list}");
    }
    assert!(!list.contains("copyright"), "{list}");
    assert_eq!(fs::read(root.join("lib/libc.so")).unwrap(), b"libc");
}

#[test]
fn kept_until_a_byte_changes() {
    let world = World::new(&[PLAIN]);
    let root = world.make().unwrap();
    let made = fs::metadata(root.join("usr/bin/ld")).unwrap().modified().unwrap();
    assert!(!world.make_told().1);
    assert_eq!(fs::metadata(root.join("usr/bin/ld")).unwrap().modified().unwrap(), made);
    fs::write(root.join("usr/bin/ld"), "lInker").unwrap();
    assert!(world.make_told().1);
    assert_eq!(fs::read(root.join("usr/bin/ld")).unwrap(), b"linker");
    fs::write(root.join("usr/bin/more"), "").unwrap();
    assert!(world.make_told().1);
    assert!(!root.join("usr/bin/more").exists());
    fs::remove_dir_all(&root).unwrap();
    assert!(world.make().unwrap().join("usr/bin/ld").exists());
}

#[test]
fn what_an_interrupted_unpacking_left_is_no_root() {
    let world = World::new(&[PLAIN]);
    fs::create_dir_all(world.dir.path().join("root.partial/usr")).unwrap();
    fs::write(world.dir.path().join("root.partial/usr/evil"), "").unwrap();
    fs::create_dir_all(world.dir.path().join("root")).unwrap();
    let root = world.make().unwrap();
    assert!(root.join("usr/bin/ld").exists() && !root.join("usr/evil").exists());
}

#[test]
fn refusals() {
    let cases: [(&[&[Entry]], &str); 6] = [
        (&[&[("./usr/l", Symlink, "../../etc/passwd")]], "points outside"),
        (&[&[("../x", Regular, "")]], ".."),
        (&[&[("./dev/sda", tar::EntryType::Block, "")]], "is a device"),
        (&[&[("./usr/a", Regular, "1")], &[("./usr/a", Regular, "2")]], "/usr/a is in two packages"),
        (&[&[("./usr/a", Symlink, "b")], &[("./usr/a", Symlink, "c")]], "/usr/a is in two packages"),
        // a link of one package in the way of another's folder: nothing is written through it
        (&[&[("./usr/a", Symlink, "/tmp")], &[("./usr/a/b", Regular, "2")]], "/usr/a is in two packages"),
    ];
    for (packages, why) in cases {
        let world = World::new(packages);
        let error = world.make().unwrap_err();
        assert!(error.what.contains(why) && error.blame == Blame::Artefact, "{error}");
        assert!(!world.dir.path().join("root").exists());
    }
    let same: &[&[Entry]] = &[&[("./usr/a", Regular, "1")], &[("./usr/a", Regular, "1")]];
    assert!(World::new(same).make().is_ok());
}
