//! A whole archive of made-up packages, and a store to fetch it into.

use super::server::{Serve, Server};
use super::signer::Signer;
use crate::archive::{make_lock, Mirrors};
use crate::lock::{Lock, Locked};
use crate::progress::Progress;
use crate::recipe::Recipe;
use crate::store::Store;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::PathBuf;
use vitrine_attest::{Result, Sha256};

/// alpha depends on beta and gamma; gamma is left out by the recipe. Sizes let downloads be cut in the middle.
const PACKAGES: [(&str, &str, usize); 2] = [("alpha", "beta (>= 1), gamma", 300_000), ("beta", "", 100)];
pub const PATH: &str = "/dists/trixie/main/binary-amd64/Packages.xz";
pub const RELEASE: &str = "/dists/trixie/InRelease";
pub const RECIPE: &str = r#"
name = "test"
version = "1"
[debian]
suite = "trixie"
packages = ["alpha"]
without.gamma = "a test"
[config]
wireguard.addresses = ["10.66.0.1/24"]
"#;

pub struct Archive {
    pub signer: Signer,
    pub files: BTreeMap<String, Serve>,
    /// The release file's text, unsigned.
    pub release: String,
}

/// The same bytes in every run.
pub fn deb(name: &str, size: usize) -> Vec<u8> {
    let mut state = Sha256::of(name.as_bytes());
    let mut bytes = Vec::new();
    while bytes.len() < size {
        bytes.extend_from_slice(&state.0);
        state = Sha256::of(&state.0);
    }
    bytes.truncate(size);
    bytes
}

pub fn pool(name: &str) -> String {
    format!("/pool/main/{name}_1.0_amd64.deb")
}

pub fn xz(text: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    liblzma::read::XzEncoder::new(text, 1).read_to_end(&mut packed).unwrap();
    packed
}

impl Archive {
    pub fn new() -> Self {
        let mut index = String::new();
        let mut files = BTreeMap::new();
        for (name, depends, size) in PACKAGES {
            let bytes = deb(name, size);
            index += &format!(
                "Package: {name}\nVersion: 1.0\nArchitecture: amd64\nDepends: {depends}\nFilename: {}\nSize: {size}\n\
                 SHA256: {}\n\n",
                &pool(name)[1..],
                Sha256::of(&bytes)
            );
            files.insert(pool(name), Serve::Whole(bytes));
        }
        let packed = xz(index.as_bytes());
        let release = format!(
            "Suite: stable\nCodename: trixie\nDate: Sat, 12 Sep 2026 07:55:41 UTC\nAcquire-By-Hash: yes\nSHA256:\n {} {} {}\n",
            Sha256::of(&packed),
            packed.len(),
            PATH.trim_start_matches("/dists/trixie/")
        );
        let by_hash = format!("/dists/trixie/main/binary-amd64/by-hash/SHA256/{}", Sha256::of(&packed));
        files.insert(by_hash, Serve::Whole(packed.clone()));
        files.insert(PATH.into(), Serve::Whole(packed));
        let mut archive = Self { signer: Signer::new(), files, release };
        archive.sign();
        archive
    }

    pub fn sign(&mut self) {
        let signed = self.signer.sign(&self.release);
        self.set(RELEASE, Serve::Whole(signed.into_bytes()));
    }

    pub fn set(&mut self, path: &str, serve: Serve) {
        self.files.insert(path.into(), serve);
    }

    /// Serves the package index by its name only, as mirrors without by-hash do.
    pub fn drop_by_hash(&mut self) {
        self.files.retain(|path, _| !path.contains("by-hash"));
    }

    pub fn serve(&self) -> Server {
        Server::start(self.files.clone())
    }
}

/// A store, a keyring and a recipe in a scratch folder.
pub struct Client {
    pub dir: tempfile::TempDir,
    pub store: Store,
    pub keyring: PathBuf,
    pub recipe: Recipe,
    pub progress: Progress,
}

impl Client {
    pub fn new(keyring: &[u8]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(Some(&dir.path().join("store"))).unwrap();
        std::fs::write(dir.path().join("keyring.gpg"), keyring).unwrap();
        std::fs::write(dir.path().join("test.toml"), RECIPE).unwrap();
        let recipe = Recipe::load(&dir.path().join("test.toml"), &[]).unwrap();
        Self { store, keyring: dir.path().join("keyring.gpg"), recipe, progress: Progress::hidden(), dir }
    }

    pub fn lock(&self, servers: &[&Server]) -> Result<Lock> {
        make_lock(&self.recipe.debian, &mirrors(servers), &self.store, &self.keyring, &self.progress)
    }

    pub fn locked(&self, server: &Server) -> Locked {
        Locked::new(self.recipe.clone(), self.lock(&[server]).unwrap()).unwrap()
    }

    pub fn fetch(&self, locked: &Locked, servers: &[&Server]) -> Result<()> {
        crate::archive::fetch(locked, Some(&mirrors(servers)), &self.store, &self.progress)
    }

    /// Downloads that are left over.
    pub fn parts(&self) -> usize {
        std::fs::read_dir(self.store.root().join("partial")).unwrap().count()
    }
}

pub fn mirrors(servers: &[&Server]) -> Mirrors {
    Mirrors::of(&servers.iter().map(|server| server.url.clone()).collect::<Vec<_>>()).unwrap()
}
