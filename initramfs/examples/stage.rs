//! Stages, masks, screens and packs a folder of `.deb` files, with times: for measuring, and for trying a rule.
//!
//! ```text
//! cargo run --release -p vitrine-initramfs --example stage -- DEBS CACHE MODULE[,MODULE…] [--dev] [INCLUDE | IMAGE_PATH=PROGRAM]…
//! ```

use std::path::{Path, PathBuf};
use std::time::Instant;
use vitrine_attest::statement::Waiver;
use vitrine_attest::{Error, Result, Sha256};
use vitrine_initramfs::{
    mask, pack, screen, stage, Cache, Compression, Content, Context, Package, Policy, Program, Selection,
};

/// A cache of plain files, without locks and checks: good enough to measure with.
struct Folder(PathBuf);

impl Cache for Folder {
    fn get(&self, kind: &str, key: Sha256) -> Option<Content> {
        std::fs::read(self.0.join(format!("{kind}-{key}"))).ok().map(Content::new)
    }
    fn put(&self, kind: &str, key: Sha256, content: &Content) {
        let _ = std::fs::write(self.0.join(format!("{kind}-{key}")), &*content.bytes);
    }
}

/// The command line of `reference/dataplane.md`.
const CMDLINE: &str = "audit=0 loglevel=0 quiet init_on_alloc=1 init_on_free=1 slab_nomerge page_alloc.shuffle=1 \
    randomize_kstack_offset=1 lockdown=confidentiality module.sig_enforce=1 nohibernate noresume erst_disable \
    hest_disable oops=panic panic=-1 panic_print=0 debugfs=off vsyscall=none";

struct Deb {
    path: PathBuf,
    name: String,
    version: String,
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let [_, debs, cache, modules, include @ ..] = args.as_slice() else {
        return Err("usage: stage DEBS CACHE MODULE[,MODULE…] [INCLUDE…]".into());
    };
    let modules: Vec<String> = modules.split(',').map(String::from).collect();
    run(Path::new(debs), cache, modules, include.to_vec()).map_err(|e| e.to_string().into())
}

fn run(debs: &Path, cache: &str, modules: Vec<String>, mut include: Vec<String>) -> Result<()> {
    let dev = include.iter().any(|arg| arg == "--dev");
    include.retain(|arg| arg != "--dev");
    let io = |e: std::io::Error| Error::host(e.to_string(), "");
    std::fs::create_dir_all(cache).map_err(io)?;
    let cache = Folder(PathBuf::from(cache));
    let mut found: Vec<Deb> = std::fs::read_dir(debs).map_err(io)?.filter_map(|e| deb(e.ok()?.path())).collect();
    found.sort_by(|a, b| a.path.cmp(&b.path));
    let loads: Vec<_> = found.iter().map(|deb| || std::fs::read(&deb.path).map_err(io)).collect();
    let packages: Vec<Package> = found
        .iter()
        .zip(&loads)
        // the real hash is the builder's work; for a cache key the file's name is enough here
        .map(|(d, load)| Package {
            name: &d.name,
            version: &d.version,
            sha256: Sha256::of(d.path.to_string_lossy().as_bytes()),
            load,
        })
        .collect();
    let (programs, include): (Vec<String>, Vec<String>) = include.into_iter().partition(|arg| arg.contains('='));
    let selection = Selection {
        programs: programs.iter().filter_map(|arg| arg.split_once('=')).map(program).collect::<Result<_>>()?,
        include,
        modules: modules.clone(),
        kernel: "/boot/vmlinuz-*".into(),
        stub: "/usr/lib/systemd/boot/efi/linuxx64.efi.stub".into(),
        ..Selection::default()
    };
    let start = Instant::now();
    let staged = stage(&packages, &selection, &Policy::standard(), &cache, &|line| eprintln!("  {line}"))?;
    eprintln!("stage {:?}: {} entries, kernel {}", start.elapsed(), staged.tree.len(), staged.kernel_release);
    println!("{}", staged.tree.listing());
    let start = Instant::now();
    let policy = Policy::standard();
    let (tree, masked) = mask(staged.tree, &policy);
    let context = Context { cmdline: Some(CMDLINE.into()), dev, modules, ..Context::default() };
    let result = screen(tree, &context, &policy, &waivers());
    eprintln!("mask and screen {:?}: {} masked", start.elapsed(), masked.len());
    for masked in masked {
        println!("masked {} {} {:?}", masked.rule, masked.path, masked.action);
    }
    let screened = match result {
        Ok((screened, _)) => screened,
        Err(report) => {
            println!("{report}");
            return Err(Error::artefact("the screen has findings", "see above"));
        }
    };
    for compression in [Compression::Zstd(9), Compression::Gzip(6)] {
        let start = Instant::now();
        let archive = pack(&screened, compression, &cache, None)?;
        eprintln!("pack {:?} {:?}: {} bytes", compression, start.elapsed(), archive.bytes.len());
        for layer in archive.layers {
            eprintln!(
                "  {:<14}{:>10} raw {:>10} packed {:>5} entries",
                layer.name, layer.raw, layer.packed, layer.files
            );
        }
    }
    Ok(())
}

fn program((path, host): (&str, &str)) -> Result<Program> {
    let bytes = std::fs::read(host).map_err(|e| Error::host(format!("{host}: {e}"), ""))?;
    Ok(Program::new(host.rsplit('/').next().unwrap_or_default(), path, bytes))
}

/// What `recipes/base.toml` waives.
fn waivers() -> Vec<Waiver> {
    vec![Waiver {
        rule: "log.import".into(),
        path: "/usr/lib/x86_64-linux-gnu/libcrypto.so.3".into(),
        reason: "BIO_s_log is in the library and never called".into(),
    }]
}

/// Name and version from a file name as apt writes it: `libc6_2.41-12_amd64.deb`, `%3a` for `:`.
fn deb(path: PathBuf) -> Option<Deb> {
    let stem = path.file_name()?.to_str()?.strip_suffix(".deb")?.to_string();
    let mut parts = stem.split('_');
    let (name, version) = (parts.next()?.to_string(), parts.next()?.replace("%3a", ":"));
    Some(Deb { path, name, version })
}
