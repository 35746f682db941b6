//! What is kept, and what is not taken.

use super::*;

fn world() -> (tempfile::TempDir, Store, Vec<(&'static str, Vec<u8>)>) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(Some(dir.path())).unwrap();
    let programs = PROGRAMS.map(|(name, _, _)| (name, name.as_bytes().to_vec())).into();
    (dir, store, programs)
}

const INPUTS: Inputs = Inputs { toolchain: Sha256::ZERO, source: Sha256::ZERO, crates: &[] };

fn store_all(store: &Store, programs: &[(&str, Vec<u8>)]) {
    let key = INPUTS.key().unwrap();
    programs
        .iter()
        .for_each(|(name, bytes)| store.cache_put(KIND, &place(key, name), &Content::new(bytes.clone())).unwrap());
}

#[test]
fn kept_by_inputs() {
    let (_dir, store, programs) = world();
    assert!(kept(&store, &INPUTS).unwrap().is_none());
    store_all(&store, &programs[1..]);
    assert!(kept(&store, &INPUTS).unwrap().is_none(), "one is missing");
    store_all(&store, &programs);
    let found = kept(&store, &INPUTS).unwrap().unwrap();
    assert!(found.kept && found.programs == programs);
    assert_eq!(found.record.programs["vitrine-init"], Sha256::of(b"vitrine-init"));
    let other = Inputs { source: Sha256::of(b"other"), ..INPUTS };
    assert!(kept(&store, &other).unwrap().is_none());
}

#[test]
fn a_flipped_byte_is_found() {
    let (dir, store, programs) = world();
    store_all(&store, &programs);
    let path = dir.path().join("cache/programs").join(place(INPUTS.key().unwrap(), "vitrine-init").to_string());
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, bytes).unwrap();
    assert!(kept(&store, &INPUTS).unwrap().is_none());
    store_all(&store, &programs);
    assert!(kept(&store, &INPUTS).unwrap().is_some());
}

#[test]
fn a_room_is_for_one_and_leaves_nothing() {
    let (dir, store, _) = world();
    let progress = Progress::hidden();
    let room = Room::take(&store, Sha256::ZERO, &progress).unwrap();
    fs::write(room.work.join("x"), "").unwrap();
    let work = room.work.clone();
    let second = OpenOptions::new().write(true).open(room.folder.join("lock")).unwrap();
    assert!(flock(&second, FlockOperation::NonBlockingLockExclusive).is_err());
    drop(room);
    assert!(!work.exists() && dir.path().join("toolchain").exists());
    fs::create_dir_all(work.join("left by a power cut")).unwrap();
    let room = Room::take(&store, Sha256::ZERO, &progress).unwrap();
    assert_eq!(fs::read_dir(&room.work).unwrap().count(), 0);
}

#[test]
fn another_crate_than_pinned_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let entry = |version: &str| {
        let sum = Sha256::of(version.as_bytes());
        format!(
            "[[package]]\nname = \"a\"\nversion = \"{version}\"\nchecksum = \"{sum}\"\n\
             source = \"registry+https://index\"\n"
        )
    };
    let before = CargoLock::parse((entry("1.0.0") + &entry("2.0.0")).as_bytes()).unwrap();
    let path = dir.path().join("Cargo.lock");
    fs::write(&path, entry("2.0.0")).unwrap();
    unchanged(&path, &before).unwrap();
    fs::write(&path, entry("2.0.1")).unwrap();
    assert!(unchanged(&path, &before).unwrap_err().what.contains("a-2.0.1"));
}
