//! Archives with what the programs are compiled from: a workspace of empty crates, and crates of a few bytes.

use super::*;
use crate::toolchain::{Ingredients, PROGRAMS as COMPILED};
use crate::vendor::{CARGO_LOCK, CRATES, SOURCE, TOOLCHAIN_LOCK};

const NEEDED: &str = "compiler/crates/needed-1.0.0.crate";

impl Shop {
    /// The workspace has a crate that no program needs, with a dependency of its own.
    fn workspace(&self) -> PathBuf {
        let root = self.dir.path().join("workspace");
        let names: Vec<&str> = COMPILED.iter().map(|(_, name, _)| *name).chain(["tool"]).collect();
        let mut lock = String::from("version = 4\n");
        for name in &names {
            fs::create_dir_all(root.join(name).join("src")).unwrap();
            fs::write(root.join(name).join("Cargo.toml"), format!("[package]\nname = \"{name}\"\n")).unwrap();
            fs::write(root.join(name).join("src/main.rs"), "fn main() {}").unwrap();
            let needs = if *name == "tool" { "useless" } else { "needed" };
            lock += &format!("[[package]]\nname = \"{name}\"\nversion = \"0.1.0\"\ndependencies = [\"{needs}\"]\n");
        }
        for name in ["needed", "useless"] {
            let sum = self.store.put(name.as_bytes()).unwrap();
            lock +=
                &format!("[[package]]\nname = \"{name}\"\nversion = \"1.0.0\"\nsource = \"registry+https://index\"\n");
            lock += &format!("checksum = \"{sum}\"\n");
        }
        fs::write(root.join("Cargo.toml"), format!("[workspace]\nmembers = {names:?}\n")).unwrap();
        fs::write(root.join("Cargo.lock"), lock).unwrap();
        root
    }

    fn ingredients(&self) -> Ingredients {
        let recipe = Recipe::load(&self.recipe(), &self.set).unwrap();
        let mut toolchain = self.lock(&recipe);
        toolchain.packages[0].name = "cargo-web".into();
        Ingredients::read(toolchain, &self.workspace()).unwrap()
    }

    fn record(&self, of: &Ingredients) -> Record {
        let crates: String = of.crates.iter().map(|one| format!("{}  {}\n", one.sha256, one.label())).collect();
        let (toolchain, source) = (of.toolchain().unwrap(), of.sources.digest());
        Record::new(toolchain, source, Sha256::of(crates.as_bytes()), "x86_64-unknown-linux-gnu")
    }

    fn with_compiler(&self, of: &Ingredients, record: Option<&Record>) -> vitrine_attest::Result<Contents> {
        let files = Recorder::default();
        let recipe = Recipe::load_from(&files, &self.recipe(), &self.set)?;
        let locked = Locked::new(recipe.clone(), self.lock(&recipe))?;
        let program = |name: &str| Program::new(name, "/x", b"\x7fELF".to_vec());
        let programs = ["vitrine-init", "vitrine-agent"].map(program);
        let programs = Programs { programs: &programs, record, compiler: Some((of, &self.store)) };
        Contents::gather(&locked, files.into_files(), &self.set, programs)
    }

    fn whole(&self) -> Vec<u8> {
        let of = self.ingredients();
        let path = self.dir.path().join("whole.tar");
        self.with_compiler(&of, Some(&self.record(&of))).unwrap().save(&path, &self.store).unwrap();
        fs::read(path).unwrap()
    }
}

#[test]
fn carried_along_and_taken_out() {
    let shop = Shop::new();
    let bytes = shop.whole();
    assert!(bytes == Shop::new().whole(), "the same bytes from another folder");
    let store = shop.empty_store("compiler");
    let vendored = read(&mut &bytes[..], &store, &[Part::Compiler]).unwrap();
    assert_eq!(vendored.manifest.version, 2);
    let (found, given) = (vendored.compiler.unwrap(), shop.ingredients());
    assert_eq!(
        (found.sources.digest(), &found.crates, &found.pinned),
        (given.sources.digest(), &given.crates, &given.pinned)
    );
    assert_eq!(found.lock.to_toml().unwrap(), given.lock.to_toml().unwrap());
    assert_eq!(store.read(&found.crates[0].sha256).unwrap(), b"needed");
    found.gather(None, None, &store, &crate::progress::Progress::hidden()).unwrap();
    let names: Vec<&str> =
        vendored.manifest.members.iter().map(|m| m.name.as_str()).filter(|n| n.contains("crate")).collect();
    assert_eq!(names, [NEEDED], "not that of a crate which no program needs");
    assert!(!vendored.manifest.members.iter().any(|m| m.name.starts_with("compiler/source/tool")));
}

/// Who builds the image alone has no use for the compiler's files: they are checked, and go nowhere.
#[test]
fn only_the_wanted_part_is_kept() {
    let shop = Shop::new();
    let bytes = shop.whole();
    let store = shop.empty_store("image");
    read(&mut &bytes[..], &store, &[Part::Image]).unwrap();
    assert!(store.path(&Sha256::of(b"needed")).is_none());
    let mut forged = Forged::of_bytes(&bytes, &shop.store);
    let at = forged.members.iter().position(|(name, _)| name == NEEDED).unwrap();
    forged.members[at].1[0] ^= 1;
    assert!(read(&mut &forged.bytes()[..], &store, &[Part::Image]).unwrap_err().what.contains("was altered"));
}

#[test]
fn altered_missing_and_further_members() {
    let shop = Shop::new();
    let whole = shop.whole();
    let store = shop.empty_store("refused");
    let refused = |change: &dyn Fn(&mut Forged), part: &str| {
        let mut forged = Forged::of_bytes(&whole, &shop.store);
        change(&mut forged);
        forged.refit();
        let error = read(&mut &forged.bytes()[..], &store, &Part::ALL).map(|_| part).expect_err(part);
        assert!(error.what.contains(part) && error.exit_code() == 1, "no {part:?} in {error}");
        assert_eq!(left_over(&store), 0);
    };
    let without = |name: &'static str| move |forged: &mut Forged| forged.members.retain(|(n, _)| n != name);
    let with = |name: &'static str, bytes: &'static [u8]| move |forged: &mut Forged| forged.set(name, bytes);
    refused(&without(NEEDED), "is missing, though a program needs it");
    refused(&without(CARGO_LOCK), "is no package of the lock, or no crate");
    refused(&without(TOOLCHAIN_LOCK), "is no package of the lock, or no crate");
    refused(&without("compiler/packages/debian/pool/main/x/base_2.41-12_amd64.deb"), "is missing, though the lock");
    refused(&without("compiler/source/Cargo.toml"), "does not hold the sources");
    refused(&without("compiler/source/vitrine-guest/src/main.rs"), "from other sources");
    refused(&without("programs/programs.json"), "programs.json is missing");
    refused(&with(NEEDED, b"other"), "is no package of the lock, or no crate of Cargo.lock");
    refused(&with("compiler/crates/useless-1.0.0.crate", b"useless"), "is needed by none of the programs");
    refused(&with("compiler/crates/more-1.0.0.crate", b"more"), "is no package of the lock, or no crate");
    refused(&with("compiler/source/vitrine-guest/src/main.rs", b"fn main() { }"), "from other sources");
    refused(&with("compiler/source/.cargo/config.toml", b""), "is no source of the programs");
    refused(&with("compiler/source/../../x", b""), "no plain relative path");
    refused(&with("compiler/crates/a/b.crate", b""), "nothing of this name belongs");
    refused(&with("compiler/x", b""), "nothing of this name belongs");
    refused(&with(CARGO_LOCK, b"x"), "Cargo.lock: ");
    refused(&|forged| forged.manifest.version = 1, "is not the form of its members");
}

#[test]
fn every_bit_of_it_counts() {
    let shop = Shop::new();
    let (bytes, store) = (shop.whole(), shop.empty_store("altered"));
    for at in (0..bytes.len()).step_by(97) {
        let mut altered = bytes.clone();
        altered[at] ^= 1 << (at % 8);
        assert!(read(&mut &altered[..], &store, &Part::ALL).is_err(), "byte {at}");
    }
    assert_eq!(left_over(&store), 0);
}

#[test]
fn sizes_are_limited() {
    let shop = Shop::new();
    let whole = shop.whole();
    for (name, size) in [(NEEDED, 1 << 30), (CARGO_LOCK, 1 << 25), ("compiler/source/Cargo.toml", 1 << 25)] {
        let mut forged = Forged::of_bytes(&whole, &shop.store);
        let member = forged.manifest.members.iter_mut().find(|m| m.name == name).unwrap();
        member.size = size;
        let error = read(&mut &forged.bytes()[..], &shop.store, &Part::ALL).unwrap_err();
        assert!(error.what.contains("at most"), "{error}");
    }
    let mut forged = Forged::of_bytes(&whole, &shop.store);
    let many =
        (0..20).map(|n| Member { name: format!("{SOURCE}tool/src/{n}.rs"), size: 16 << 20, sha256: Sha256::ZERO });
    forged.manifest.members.extend(many);
    forged.manifest.members.sort();
    let error = read(&mut &forged.bytes()[..], &shop.store, &Part::ALL).unwrap_err();
    assert!(error.what.contains("besides packages and crates"), "{error}");
    assert!(NEEDED.starts_with(CRATES));
}

/// An archive that cannot make its own programs is not written.
#[test]
fn programs_of_other_inputs_are_not_carried_away() {
    let shop = Shop::new();
    let of = shop.ingredients();
    let record = shop.record(&of);
    assert!(shop.with_compiler(&of, None).unwrap_err().what.contains("a host's build"));
    for (other, part) in [
        (Record { toolchain: Sha256::ZERO, ..record.clone() }, "another toolchain"),
        (Record { source: Sha256::ZERO, ..record.clone() }, "other sources"),
        (Record { crates: Sha256::ZERO, ..record.clone() }, "other crates"),
    ] {
        let error = shop.with_compiler(&of, Some(&other)).unwrap_err();
        assert!(error.what.contains(part) && error.exit_code() == 2, "{error}");
    }
}
