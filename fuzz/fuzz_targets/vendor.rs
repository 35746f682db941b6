//! Vendor archives. Invariants, for any bytes:
//! - reading never panics, and puts nothing on the shelf but what the archive's locks name, under their hashes;
//! - an archive has one spelling: what was read, written again, is the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use vitrine_attest::{Error, Result, Sha256};
use vitrine_builder::vendor::{read, write, Part, Shelf};

#[derive(Default)]
struct Memory(RefCell<BTreeMap<Sha256, Vec<u8>>>);

impl Shelf for Memory {
    type Slot = Vec<u8>;
    fn slot(&self, _: &Sha256, _: u64) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }
    fn keep(&self, slot: Vec<u8>, sha256: &Sha256) -> Result<()> {
        assert_eq!(Sha256::of(&slot), *sha256);
        self.0.borrow_mut().insert(*sha256, slot);
        Ok(())
    }
    fn failed(&self, error: &io::Error) -> Error {
        Error::bug(error.to_string())
    }
}

fuzz_target!(|data: &[u8]| {
    let shelf = Memory::default();
    let Ok(vendored) = read(&mut &data[..], &shelf, &Part::ALL) else { return };
    let packages = shelf.0.into_inner();
    let compiler = vendored.compiler.iter();
    let named = compiler.clone().flat_map(|of| of.lock.packages.iter()).chain(&vendored.lock.packages).map(|p| p.sha256);
    let named: BTreeSet<Sha256> = named.chain(compiler.flat_map(|of| of.crates.iter()).map(|one| one.sha256)).collect();
    assert!(packages.keys().all(|sha256| named.contains(sha256)));
    let open = |member: &vitrine_builder::vendor::Member| -> Result<Box<dyn Read>> {
        let bytes = vendored.file(&member.name).map(<[u8]>::to_vec).or_else(|| packages.get(&member.sha256).cloned());
        Ok(Box::new(io::Cursor::new(bytes.expect("it was read"))))
    };
    let mut again = Vec::new();
    write(&mut again, &vendored.manifest, &open, &|e| Error::bug(e.to_string())).expect("it was read");
    assert_eq!(again, data);
    if let Ok(recipe) = vendored.recipe(&[]) {
        assert!(recipe.to_toml().is_ok());
    }
});
