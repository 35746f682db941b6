//! Step 3: the files of the image.

use super::{Audited, Origin, Workshop};
use crate::lock::{Lock, Locked, LockedPackage};
use crate::out::{self, Leaves, Left};
use crate::recipe::{Recipe, SRV};
use crate::sbom::{DEB, FILE};
use crate::store::Store;
use crate::{inspect, osrelease, programs, userland};
use std::collections::BTreeSet;
use std::io::BufRead;
use vitrine_attest::config::Config;
use vitrine_attest::evidence::ImageId;
use vitrine_attest::statement::Input;
use vitrine_attest::{Error, Result, Sha256};
use vitrine_initramfs::{app_digest, AppSelection, Content, Load, Package, Policy, Selection, TextFile};

/// Files of the image, the kernel and the stub.
#[derive(Debug)]
pub struct Staged {
    pub(super) origin: Origin,
    pub(super) os_release: String,
    pub(super) inner: vitrine_initramfs::Staged,
}

impl Staged {
    /// Takes the recipe's files out of the locked packages, and adds our programs and what the recipe says.
    ///
    /// # Errors
    /// Names the path, package or module that is missing, altered, or may not be in an image.
    pub fn new(audited: Audited, with: &Workshop) -> Result<Self> {
        let Audited { locked, app } = audited;
        let id = image_id(&locked);
        let os_release = osrelease::write(&id)?;
        let selection = selection(&locked, &os_release, with)?;
        let loaders: Vec<_> =
            locked.lock().packages.iter().map(|package| Stored { store: with.store, package }).collect();
        let packages: Vec<_> = locked
            .lock()
            .packages
            .iter()
            .zip(&loaders)
            .map(|(p, load)| Package { name: &p.name, version: &p.version, sha256: p.sha256, load })
            .collect();
        let tell = |text: &str| with.progress.step(text);
        let inner = vitrine_initramfs::stage(&packages, &selection, &Policy::standard(), &with.cache(), &tell)?;
        drop(packages);
        drop(loaders);
        let mut inputs: Vec<_> = programs::inputs(with.programs).chain(with.compiled_from.iter().cloned()).collect();
        inputs.extend(debs(locked.lock(), &inner.contributed));
        inputs.extend(own_files(&locked));
        inputs.sort();
        let app = app.map(|app| app.facts(app_digest(&inner.tree).unwrap_or(Sha256::ZERO)));
        Ok(Self { origin: Origin { locked, id, inputs, app }, os_release, inner })
    }
}

impl Leaves for Staged {
    fn files(&self) -> Result<Left<'_>> {
        Ok(vec![(out::TREE, self.inner.tree.listing().into_bytes().into())])
    }
}

/// What the image will say of itself.
fn image_id(locked: &Locked) -> ImageId {
    let recipe = locked.recipe();
    ImageId { name: recipe.name.clone(), version: recipe.version.clone(), lock: locked.digest() }
}

/// A package in the store, checked while it is read.
struct Stored<'a> {
    store: &'a Store,
    package: &'a LockedPackage,
}

impl Load for Stored<'_> {
    fn load(&self, read: &mut dyn FnMut(&mut dyn BufRead) -> Result<()>) -> Result<()> {
        self.store.stream(&self.package.sha256, read)
    }
}

fn debs<'a>(lock: &'a Lock, contributed: &'a BTreeSet<String>) -> impl Iterator<Item = Input> + 'a {
    lock.packages.iter().filter(|p| contributed.contains(&p.name)).map(|p| Input {
        kind: DEB.into(),
        name: p.name.clone(),
        version: p.version.clone(),
        sha256: p.sha256,
    })
}

fn own_files(locked: &Locked) -> impl Iterator<Item = Input> + '_ {
    let recipe = locked.recipe();
    recipe.files.iter().map(|(path, bytes)| Input {
        kind: FILE.into(),
        name: path.clone(),
        version: recipe.version.clone(),
        sha256: Sha256::of(bytes),
    })
}

/// Does nothing by itself: audit is built into Debian's kernel, and `audit=0` on the measured command line turns it
/// off. It says the same to whoever looks for this line.
const MODPROBE: &str = "\
# Nothing in this image reads this file: init loads the list in /etc/vitrine/modules, then locks module loading.
# Audit is off by audit=0 on the measured command line.
install audit /bin/false
";

/// The packet filter's bytes, once read back: what cannot be read by `vitrine inspect` is not built.
fn firewall(config: &Config) -> Result<Vec<u8>> {
    let bytes = vitrine_firewall::encode(&vitrine_firewall::ruleset(config)).bytes;
    vitrine_firewall::decode(&bytes)
        .map_err(|e| Error::input(e.what, "name fewer networks in config.firewall.reach and config.metrics.from"))?;
    Ok(bytes)
}

fn selection(locked: &Locked, os_release: &str, with: &Workshop) -> Result<Selection> {
    let recipe = locked.recipe();
    let file = |path: &str, bytes: Vec<u8>| TextFile { path: path.into(), bytes, mode: 0o444 };
    let blocklist = recipe.blocklist.iter().map(|list| file("/etc/vitrine/blocklist", list.clone()));
    Ok(Selection {
        include: recipe.image.include.clone(),
        whole: recipe.image.whole.clone(),
        modules: recipe.image.modules.clone(),
        kernel: recipe.image.kernel.clone(),
        stub: recipe.image.stub.clone(),
        programs: with.programs.to_vec(),
        files: [
            file("/etc/os-release", os_release.as_bytes().to_vec()),
            file("/etc/modprobe.d/vitrine.conf", MODPROBE.as_bytes().to_vec()),
            file("/etc/vitrine/config.json", recipe.config.canonical()?),
            file(inspect::FIREWALL, firewall(&recipe.config)?),
        ]
        .into_iter()
        .chain(blocklist)
        .chain(userland::files(recipe.image.pid1))
        .chain(recipe.files.iter().map(|(path, bytes)| file(path, bytes.clone())))
        .collect(),
        app: app(recipe),
    })
}

/// The root of the operator's program.
fn app(recipe: &Recipe) -> Option<AppSelection> {
    let (spec, input) = recipe.app.as_ref().zip(recipe.app_input.as_ref())?;
    let files = input.files.iter().map(|(path, bytes)| (format!("{SRV}/{path}"), Content::new(bytes.clone())));
    Some(AppSelection {
        files: files.collect(),
        include: spec.include.clone(),
        exclude: spec.exclude.clone(),
        program: spec.command.first().cloned().unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A filter that PID 1 could not load is refused at build.
    #[test]
    fn too_many_networks() {
        let mut config: Config = serde_json::from_str(r#"{"wireguard":{"addresses":["10.66.0.1/24"]}}"#).unwrap();
        let network = |n: usize| format!("10.{}.{}.0/24", n / 256, n % 256).parse().unwrap();
        config.firewall.reach = (0..100).map(network).collect();
        firewall(&config).unwrap();
        config.firewall.reach = (0..1000).map(network).collect();
        let error = firewall(&config).unwrap_err();
        assert!(error.what.contains("at most") && error.hint.contains("config.firewall.reach"), "{error}");
    }
}
