//! Archives of made-up packages: written, read, and with one defect each.

use super::header::{header, padding, BLOCK, END};
use super::{open, read, Contents, Manifest, Member, Part, Programs, Vendored, LOCK, MANIFEST};
use crate::lock::{Lock, Locked, LockedPackage};
use crate::recipe::{Recipe, Recorder};
use crate::store::Store;
use crate::toolchain::Record;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use vitrine_attest::{Blame, Error, Sha256};
use vitrine_initramfs::Program;

mod compiler;

const BASE: &str = "version = \"1\"\n[debian]\nsuite = \"trixie\"\npackages = [\"base\", \"libc6\"]\n";
const OWN: &str = "name = \"test\"\ninherits = [\"../base.toml\"]\n[image]\nfiles.\"/etc/motd\" = \"files/motd\"\n\
    [config]\nwireguard.addresses = [\"10.66.0.1/24\"]\n";

/// A recipe with a parent in the folder above and a file of its own, a store with its packages, two programs.
struct Shop {
    dir: tempfile::TempDir,
    store: Store,
    set: Vec<(String, String)>,
}

impl Shop {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("tree/own/files")).unwrap();
        fs::write(dir.path().join("tree/base.toml"), BASE).unwrap();
        fs::write(dir.path().join("tree/own/test.toml"), OWN).unwrap();
        fs::write(dir.path().join("tree/own/files/motd"), "no logs").unwrap();
        let store = Store::open(Some(&dir.path().join("store"))).unwrap();
        let set = vec![("config.wireguard.mtu".into(), "1380".into())];
        Self { dir, store, set }
    }

    fn recipe(&self) -> PathBuf {
        self.dir.path().join("tree/own/test.toml")
    }

    fn lock(&self, recipe: &Recipe) -> Lock {
        let mut lock = crate::lock::tests::sample();
        lock.recipe = recipe.debian.digest().unwrap();
        for package in &mut lock.packages {
            let bytes = package.name.repeat(1000).into_bytes();
            (package.size, package.sha256) = (bytes.len() as u64, self.store.put(&bytes).unwrap());
        }
        lock
    }

    fn contents(&self) -> vitrine_attest::Result<Contents> {
        let files = Recorder::default();
        let recipe = Recipe::load_from(&files, &self.recipe(), &self.set)?;
        let lock = self.lock(&recipe);
        let locked = Locked::new(recipe, lock)?;
        let program = |name: &str| Program::new(name, "/x", b"\x7fELF".to_vec());
        let programs = ["vitrine-init", "vitrine-agent"].map(program);
        let record = Record::new(Sha256::of(b"toolchain"), Sha256::of(b"source"), Sha256::of(b"crates"), "target");
        Contents::gather(
            &locked,
            files.into_files(),
            &self.set,
            Programs { programs: &programs, record: Some(&record), compiler: None },
        )
    }

    fn archive(&self) -> PathBuf {
        let path = self.dir.path().join("test.tar");
        self.contents().unwrap().save(&path, &self.store).unwrap();
        path
    }

    fn empty_store(&self, name: &str) -> Store {
        Store::open(Some(&self.dir.path().join(name))).unwrap()
    }
}

fn left_over(store: &Store) -> usize {
    fs::read_dir(store.root().join("partial")).unwrap().count()
}

fn stored(store: &Store) -> usize {
    fs::read_dir(store.root().join("sha256")).unwrap().count()
}

#[test]
fn there_and_back() {
    let shop = Shop::new();
    let path = shop.archive();
    let store = shop.empty_store("other");
    let mut vendored = open(&path, &store, Part::Image).unwrap();
    let recipe = vendored.recipe(&[]).unwrap();
    let expected = Recipe::load(&shop.recipe(), &shop.set).unwrap();
    assert_eq!(recipe.to_toml().unwrap(), expected.to_toml().unwrap());
    assert_eq!((recipe.files, recipe.config.wireguard.mtu), (expected.files, 1380));
    assert_eq!(vendored.record().unwrap().unwrap().toolchain, Sha256::of(b"toolchain"));
    let programs = vendored.programs(&recipe.image.programs).unwrap();
    assert_eq!(programs.iter().map(|p| p.path.as_str()).collect::<Vec<_>>(), ["/init", "/usr/lib/vitrine/agent"]);
    for package in &vendored.lock.packages {
        assert_eq!(store.read_package(package).unwrap(), package.name.repeat(1000).into_bytes());
    }
    assert_eq!(left_over(&store), 0);
    assert_eq!(vendored.manifest.recipe, "recipe/own/test.toml");
    let names: Vec<&str> = vendored.manifest.members.iter().map(|m| m.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "README.txt",
            "lock.toml",
            "packages/debian/pool/main/x/base_2.41-12_amd64.deb",
            "packages/debian/pool/main/x/libc6_2.41-12_amd64.deb",
            "programs/programs.json",
            "programs/vitrine-agent",
            "programs/vitrine-init",
            "recipe/base.toml",
            "recipe/own/files/motd",
            "recipe/own/test.toml",
        ]
    );
}

#[test]
fn the_same_bytes_from_another_folder() {
    let (a, b) = (Shop::new(), Shop::new());
    assert!(fs::read(a.archive()).unwrap() == fs::read(b.archive()).unwrap());
    assert_eq!(fs::read(a.archive()).unwrap().len() % BLOCK, 0);
}

/// GNU tar lists and unpacks it as it is meant.
#[test]
fn anybodys_tar_unpacks_it() {
    let shop = Shop::new();
    let (path, out) = (shop.archive(), shop.dir.path().join("unpacked"));
    fs::create_dir(&out).unwrap();
    let tar = |args: &[&str]| {
        let output = Command::new("tar").args(args).arg("-f").arg(&path).env("TZ", "UTC").output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let listing = tar(&["--numeric-owner", "-tv"]);
    assert!(listing.starts_with("-rw-r--r-- 0/0 "), "{listing}");
    assert!(listing.lines().all(|line| line.contains(" 0/0 ") && line.contains(" 1970-01-01 00:00 ")), "{listing}");
    assert!(listing.contains("-rwxr-xr-x 0/0               4 1970-01-01 00:00 programs/vitrine-init"), "{listing}");
    tar(&["-x", "-C", out.to_str().unwrap()]);
    assert_eq!(fs::read_to_string(out.join("recipe/own/files/motd")).unwrap(), "no logs");
    let recipe = Recipe::load(&out.join("recipe/own/test.toml"), &shop.set).unwrap();
    assert!(Locked::new(recipe, Lock::load(&out.join(LOCK)).unwrap()).is_ok());
}

/// What is read is exactly what was written: one altered bit anywhere, one byte less or more, and it is refused.
#[test]
fn every_bit_counts() {
    let shop = Shop::new();
    let bytes = fs::read(shop.archive()).unwrap();
    let mut at = 0;
    while at < bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 1 << (at % 8);
        let store = shop.empty_store("altered");
        let error = read(&mut &altered[..], &store, &Part::ALL).map(|_| at).expect_err("an altered bit was taken");
        // a version is no lie: it says which program to use
        assert!(error.blame == Blame::Artefact || error.what.contains("version "), "byte {at}: {error}");
        assert_eq!(left_over(&store), 0);
        at += 37;
    }
    for end in (0..bytes.len()).step_by(211) {
        let error = read(&mut &bytes[..end], &shop.empty_store("cut"), &Part::ALL).map(|_| end).expect_err("cut off");
        assert!(error.blame == Blame::Artefact && error.what.contains("cut off"), "{error}");
    }
    for more in [vec![0], vec![1], vec![0; BLOCK]] {
        let longer = [bytes.clone(), more].concat();
        assert!(read(&mut &longer[..], &shop.empty_store("more"), &Part::ALL).is_err());
    }
}

/// Members by name, to be put together again in a wrong way.
struct Forged {
    manifest: Manifest,
    members: Vec<(String, Vec<u8>)>,
}

impl Forged {
    fn of(shop: &Shop) -> Self {
        Self::of_bytes(&fs::read(shop.archive()).unwrap(), &shop.store)
    }

    fn of_bytes(bytes: &[u8], store: &Store) -> Self {
        let Vendored { manifest, .. } = read(&mut &bytes[..], store, &Part::ALL).unwrap();
        let mut at = BLOCK + manifest.to_toml().unwrap().len().next_multiple_of(BLOCK);
        let take = |member: &Member| {
            let from = at + BLOCK;
            at = from + (member.size as usize).next_multiple_of(BLOCK);
            (member.name.clone(), bytes[from..from + member.size as usize].to_vec())
        };
        let members = manifest.members.iter().map(take).collect();
        Self { manifest, members }
    }

    /// With a manifest that fits the members, as a forger would make it.
    fn refit(&mut self) {
        self.manifest.members = self.members.iter().map(|(name, bytes)| Member::of(name, bytes)).collect();
    }

    fn set(&mut self, name: &str, bytes: &[u8]) {
        self.members.retain(|(n, _)| n != name);
        self.members.push((name.into(), bytes.to_vec()));
        self.members.sort();
        self.refit();
    }

    fn bytes(&self) -> Vec<u8> {
        let text = self.manifest.to_toml().unwrap().into_bytes();
        let mut out = Vec::new();
        for (name, bytes) in std::iter::once(&(MANIFEST.to_string(), text)).chain(&self.members) {
            let block = header(name, bytes.len() as u64).unwrap_or([7; BLOCK]);
            out.extend([&block[..], bytes, &[0; BLOCK][..padding(bytes.len() as u64)]].concat());
        }
        out.extend(END);
        out
    }

    fn refused(&self, shop: &Shop, part: &str) -> Error {
        let store = shop.empty_store("forged");
        let before = stored(&store);
        let error = read(&mut &self.bytes()[..], &store, &Part::ALL).map(|_| part).expect_err(part);
        assert!(error.what.contains(part) && !error.hint.is_empty(), "no {part:?} in {error}");
        assert_eq!((left_over(&store), stored(&store)), (0, before), "{part}");
        error
    }
}

#[test]
fn members_that_do_not_belong() {
    let shop = Shop::new();
    for (name, part) in [
        ("extra.txt", "nothing of this name belongs"),
        ("programs/sub/vitrine-init", "nothing of this name belongs"),
        ("recipe/../../etc/passwd", "no plain relative path"),
        ("/etc/passwd", "no plain relative path"),
        ("recipe//x", "no plain relative path"),
        ("recipe/a\u{1b}[2J", "no plain relative path"),
        ("packages/debian/pool/a.deb", "is no package of the lock"),
    ] {
        let mut forged = Forged::of(&shop);
        forged.set(name, b"x");
        assert_eq!(forged.refused(&shop, part).exit_code(), 1);
    }
}

#[test]
fn missing_members() {
    let shop = Shop::new();
    for (name, part) in [
        ("lock.toml", "lacks lock.toml"),
        ("recipe/own/test.toml", "its recipe"),
        ("packages/debian/pool/main/x/base_2.41-12_amd64.deb", "is missing, though the lock names it"),
    ] {
        let mut forged = Forged::of(&shop);
        forged.members.retain(|(n, _)| n != name);
        forged.refit();
        let error = read(&mut &forged.bytes()[..], &shop.store, &Part::ALL).map(|_| part).expect_err(part);
        assert!(error.what.contains(part), "no {part:?} in {error}");
    }
    let mut forged = Forged::of(&shop);
    forged.members.retain(|(n, _)| n != "programs/vitrine-init");
    forged.refit();
    let mut vendored = read(&mut &forged.bytes()[..], &shop.store, &Part::ALL).unwrap();
    let names = vendored.recipe(&[]).unwrap().image.programs;
    vendored.record().unwrap();
    assert!(vendored.programs(&names).unwrap_err().what.contains("vitrine-init is missing"));
    let mut forged = Forged::of(&shop);
    forged.set("programs/vitrine-spy", b"\x7fELF");
    let mut vendored = read(&mut &forged.bytes()[..], &shop.store, &Part::ALL).unwrap();
    vendored.record().unwrap();
    assert!(vendored.programs(&names).unwrap_err().what.contains("vitrine-spy is no program that the recipe needs"));
}

/// Links, folders, other owners, another order: none is what the writer writes.
#[test]
fn headers_of_another_kind() {
    let shop = Shop::new();
    let good = Forged::of(&shop).bytes();
    let at = header_of(&good, "lock.toml");
    for (offset, bytes) in
        [(156, &b"2"[..]), (156, b"5"), (156, b"L"), (108, b"0001750"), (100, b"0004755"), (329, b"1")]
    {
        let mut altered = good.clone();
        altered[at + offset..at + offset + bytes.len()].copy_from_slice(bytes);
        checksum(&mut altered[at..at + BLOCK]);
        let error =
            read(&mut &altered[..], &shop.store, &Part::ALL).map(|_| offset).expect_err("another header was taken");
        assert!(error.what.contains("lock.toml is not the next member"), "{error}");
    }
    let mut forged = Forged::of(&shop);
    forged.members.swap(0, 1);
    assert!(read(&mut &forged.bytes()[..], &shop.store, &Part::ALL)
        .unwrap_err()
        .what
        .contains("is not the next member"));
    forged.refit();
    assert!(read(&mut &forged.bytes()[..], &shop.store, &Part::ALL).unwrap_err().what.contains("not in order"));
}

fn header_of(archive: &[u8], name: &str) -> usize {
    (0..archive.len()).step_by(BLOCK).find(|&at| archive[at..].starts_with(format!("{name}\0").as_bytes())).unwrap()
}

fn checksum(block: &mut [u8]) {
    block[148..156].copy_from_slice(b"        ");
    let sum: u32 = block.iter().map(|&b| u32::from(b)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

#[test]
fn manifests_that_lie() {
    let shop = Shop::new();
    let mut forged = Forged::of(&shop);
    forged.manifest.version = 3;
    let error = read(&mut &forged.bytes()[..], &shop.store, &Part::ALL).unwrap_err();
    assert!(
        error.exit_code() == 2 && error.what.contains("version 3 of the form") && error.hint.contains("newer"),
        "{error}"
    );
    let mut forged = Forged::of(&shop);
    forged.manifest.members[1].sha256 = Sha256::ZERO;
    forged.refused(&shop, "lock.toml was altered: expected 0000");
    let mut forged = Forged::of(&shop);
    forged.manifest.members[0].size = 1 << 40;
    forged.refused(&shop, "at most");
    let mut forged = Forged::of(&shop);
    forged.manifest.members[2].size = 1 << 30;
    forged.refused(&shop, "is not the next member");
    let mut forged = Forged::of(&shop);
    let many = |n: usize| Member { name: format!("recipe/{n:06}"), size: 0, sha256: Sha256::of(b"") };
    forged.manifest.members.splice(6..6, (0..30_000).map(many));
    forged.refused(&shop, "more than 25000 members");
    let error = read(&mut &b"hello"[..], &shop.store, &Part::ALL).unwrap_err();
    assert!(error.what.contains("cut off"), "{error}");
    let error = read(&mut &[b'x'; 4096][..], &shop.store, &Part::ALL).unwrap_err();
    assert!(error.what.contains("this is no vendor archive"), "{error}");
}

/// A foreign lock cannot bring a package under another hash than its own.
#[test]
fn a_package_with_other_bytes() {
    let shop = Shop::new();
    let mut forged = Forged::of(&shop);
    let name = forged.members[2].0.clone();
    let mut bytes = forged.members[2].1.clone();
    bytes[0] ^= 1;
    forged.members[2].1 = bytes.clone();
    forged.refused(&shop, "was altered");
    forged.set(&name, &bytes);
    forged.refused(&shop, "is no package of the lock");
}

#[test]
fn two_imports_at_once_and_a_killed_one() {
    let shop = Shop::new();
    let path = shop.archive();
    let store = shop.empty_store("shared");
    let killed = store.partial(&Sha256::ZERO).with_extension("1.0.intake");
    fs::write(&killed, "half").unwrap();
    std::thread::scope(|scope| {
        let both = [0, 1].map(|_| scope.spawn(|| open(&path, &store, Part::Image).map(|_| ())));
        both.into_iter().for_each(|one| one.join().unwrap().unwrap());
    });
    assert!(!killed.exists() && left_over(&store) == 0);
    let package: LockedPackage = open(&path, &store, Part::Image).unwrap().lock.packages.remove(0);
    assert!(store.read_package(&package).is_ok());
}

/// `/dev/full` answers every write with ENOSPC.
#[test]
fn a_full_disk_leaves_nothing() {
    let shop = Shop::new();
    let out = shop.dir.path().join("out.tar");
    std::os::unix::fs::symlink("/dev/full", shop.dir.path().join(".partial-out.tar")).unwrap();
    let error = shop.contents().unwrap().save(&out, &shop.store).unwrap_err();
    assert!(error.exit_code() == 2, "{error}");
    assert!(!out.exists() && !shop.dir.path().join(".partial-out.tar").exists());
}

#[test]
fn a_stored_package_that_was_altered() {
    let shop = Shop::new();
    let contents = shop.contents().unwrap();
    let sha = contents.manifest.members[2].sha256;
    fs::write(shop.store.path(&sha).unwrap(), "base".repeat(999) + "bass").unwrap();
    let out = shop.dir.path().join("out.tar");
    let error = contents.save(&out, &shop.store).unwrap_err();
    assert!(error.blame == Blame::Artefact && error.what.contains("base_2.41-12_amd64.deb was altered"), "{error}");
    assert!(!out.exists());
    assert!(shop.store.path(&sha).is_none(), "it is set aside, so that the next try fetches it again");
}

/// What a path leads to counts, not how: the archive has the files that were read, under the names that were asked for.
#[test]
fn folders_that_are_links() {
    let shop = Shop::new();
    let (tree, elsewhere) = (shop.dir.path().join("tree"), shop.dir.path().join("elsewhere"));
    fs::rename(&tree, &elsewhere).unwrap();
    fs::create_dir(&tree).unwrap();
    std::os::unix::fs::symlink("../elsewhere/own", tree.join("own")).unwrap();
    let vendored = open(&shop.archive(), &shop.store, Part::Image).unwrap();
    let expected = Recipe::load(&shop.recipe(), &shop.set).unwrap();
    assert_eq!(vendored.recipe(&[]).unwrap().to_toml().unwrap(), expected.to_toml().unwrap());
}

/// Files that would not be found again by whoever unpacks the archive elsewhere.
#[test]
fn recipes_that_cannot_be_carried_away() {
    let outside = tempfile::NamedTempFile::new().unwrap();
    let absolute = format!("files/motd\"\nfiles.\"/etc/other\" = \"{}", outside.path().display());
    let shop = Shop::new();
    fs::write(shop.recipe(), OWN.replace("files/motd", &absolute)).unwrap();
    let error = shop.contents().unwrap_err();
    assert!(error.what.contains("cannot be carried away") && error.hint.contains("relative"), "{error}");

    let mut shop = Shop::new();
    let file = Path::new("/proc/self/cmdline");
    shop.set.push(("image.files".into(), format!("{{ \"/etc/x\" = \"{}\" }}", file.display())));
    assert!(shop.contents().unwrap_err().what.contains("cannot be carried away"), "by --set");
}
