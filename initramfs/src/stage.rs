//! Stage: the chosen files of the packages, what they link to, the modules, our programs, the configuration.

use crate::app::{self, AppSelection};
use crate::cache::{Cache, Content};
use crate::kernel;
use crate::libraries;
use crate::mask::{mask, Masked};
use crate::modules::{Catalogue, Module};
use crate::path::ImagePath;
use crate::policy::Policy;
use crate::sources::{Form, Package, Sources};
use crate::take::Taker;
use crate::tree::{Layer, Tree, OWN};
use crate::users;
use std::collections::BTreeSet;
use vitrine_attest::{Error, Result};

/// Where the guest's init reads which modules to load: absolute paths, one a line, dependencies first.
pub const MODULE_LIST: &str = "/etc/vitrine/modules";

/// Folders that are there for init to mount something on, and to put its links into. They are empty:
/// `/dev` becomes a devtmpfs (the archive holds no device nodes, `/dev/console` neither), `/proc` and `/sys` the
/// kernel's own, `/run`, `/tmp` and `/var/log` small tmpfs.
pub const MOUNT_POINTS: [&str; 8] = ["/dev", "/etc", "/proc", "/run", "/sys", "/tmp", "/var", "/var/log"];

/// What a recipe wants in its image.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Paths, patterns, folders (with a final `/`) of packages.
    pub include: Vec<String>,
    /// Packages that are taken with all their files.
    pub whole: Vec<String>,
    /// Kernel modules by name.
    pub modules: Vec<String>,
    /// Path or pattern of the kernel, such as `/boot/vmlinuz-*`. It is not put into the tree.
    pub kernel: String,
    /// Path or pattern of the systemd-stub. It is not put into the tree.
    pub stub: String,
    pub programs: Vec<Program>,
    pub files: Vec<TextFile>,
    /// A program of the operator's own.
    pub app: Option<AppSelection>,
}

/// One of our own programs: layer `programs`, mode 0555.
#[derive(Debug, Clone)]
pub struct Program {
    /// Where it goes in the image.
    pub path: String,
    pub content: Content,
    /// `vitrine-init`
    pub name: String,
}

impl Program {
    pub fn new(name: &str, path: &str, bytes: Vec<u8>) -> Self {
        Self { path: path.into(), content: Content::new(bytes), name: name.into() }
    }
}

/// A file made from the recipe: layer `configuration`.
#[derive(Debug, Clone)]
pub struct TextFile {
    pub path: String,
    pub bytes: Vec<u8>,
    /// Permission bits only.
    pub mode: u32,
}

/// What [`stage`] gives.
#[derive(Debug)]
pub struct Staged {
    pub tree: Tree,
    /// The kernel image as the package has it, signature included.
    pub kernel: Content,
    /// `uname -r`
    pub kernel_release: String,
    pub stub: Content,
    /// Names of the packages that gave something: a file, a module, the kernel, the stub.
    pub contributed: BTreeSet<String>,
    /// What the mask took out before libraries were looked for.
    pub masked: Vec<Masked>,
}

/// Takes the chosen files out of the packages, masks them, and adds what is left of them needs. So a library that only
/// a masked program needed never comes in; what libraries bring is masked later, with the whole tree.
///
/// # Errors
/// A damaged or altered package; something the recipe names that no package has; a file that may not be in an image;
/// a library that is missing or too old. Each names the path and the package.
pub fn stage(
    packages: &[Package],
    selection: &Selection,
    policy: &Policy,
    cache: &dyn Cache,
    progress: &dyn Fn(&str),
) -> Result<Staged> {
    let sources = Sources::open(packages, cache, progress)?;
    let mut taker = Taker::new(&sources);
    add_own(&mut taker.tree, selection)?;
    for package in &selection.whole {
        taker.whole(package)?;
    }
    for wanted in &selection.include {
        taker.include(wanted)?;
    }
    let mut masked = std::mem::take(&mut taker.plain);
    let (mut tree, taken_out) = mask(std::mem::take(&mut taker.tree), policy);
    masked.extend(taken_out);
    if !selection.whole.is_empty() {
        users::add(&mut tree)?;
    }
    taker.tree = tree;
    // the kernel is half of all bytes that are read and hashed here
    let (closed, kernel) = std::thread::scope(|scope| {
        let kernel = scope.spawn(|| single(&sources, &selection.kernel, "kernel"));
        let closed = libraries::close(&mut taker);
        (closed, kernel.join().unwrap_or_else(|_| Err(Error::bug("the kernel was not read"))))
    });
    closed?;
    let (kernel, kernel_package) = kernel?;
    let (stub, stub_package) = single(&sources, &selection.stub, "stub")?;
    let kernel_release = kernel::release(&kernel.bytes)?;
    let Taker { mut tree, mut contributed, .. } = taker;
    contributed.extend([kernel_package, stub_package]);
    let modules = Catalogue::new(&sources, &kernel_release)?.close(&selection.modules, progress)?;
    add_modules(&mut tree, &mut contributed, modules)?;
    if let Some(app) = &selection.app {
        let (root, gave) = app::root(&sources, app)?;
        app::graft(&mut tree, &root)?;
        contributed.extend(gave);
    }
    progress(&format!("staged {} entries from {} packages", tree.len(), contributed.len()));
    Ok(Staged { tree, kernel, kernel_release, stub, contributed, masked })
}

fn add_own(tree: &mut Tree, selection: &Selection) -> Result<()> {
    for path in MOUNT_POINTS {
        tree.add_directory(ImagePath::parse(path)?, Layer::Configuration, OWN)?;
    }
    for program in &selection.programs {
        let (path, origin) = (place(&program.path)?, format!("program {}", program.name));
        tree.add_file(path, program.content.clone(), 0o555, Layer::Programs, &origin)?;
    }
    for file in &selection.files {
        let content = Content::new(file.bytes.clone());
        tree.add_file(place(&file.path)?, content, file.mode, Layer::Configuration, "recipe")?;
    }
    Ok(())
}

fn place(path: &str) -> Result<ImagePath> {
    Ok(ImagePath::parse(path)?.merged().0)
}

/// The one file that a pattern names, and its package.
fn single(sources: &Sources<'_>, pattern: &str, what: &str) -> Result<(Content, String)> {
    let paths = sources.matching(pattern);
    let [path] = paths.as_slice() else {
        let found: Vec<&str> = paths.iter().map(ImagePath::as_str).collect();
        let (what, hint) = match paths.len() {
            0 => (
                format!("no package of the lock has the {what} {pattern}"),
                "add its package to [debian] packages and run `vitrine lock`",
            ),
            _ => (format!("the {what} {pattern} is ambiguous: {}", found.join(", ")), "name one of them in the recipe"),
        };
        return Err(Error::input(what, hint));
    };
    let found = sources.find(path)?.ok_or_else(|| Error::bug(format!("{path} was listed and is gone")))?;
    let content = sources.read(path, found, Form::Stored)?;
    Ok((content, sources.package_name(found).to_string()))
}

fn add_modules(tree: &mut Tree, contributed: &mut BTreeSet<String>, modules: Vec<Module>) -> Result<()> {
    let list: String = modules.iter().map(|module| format!("{}\n", module.path)).collect();
    let path = ImagePath::parse(MODULE_LIST)?;
    tree.add_file(path, Content::new(list.into_bytes()), 0o444, Layer::Configuration, "recipe")?;
    for module in modules {
        contributed.insert(module.package);
        tree.add_file(module.path, module.content, 0o444, Layer::Modules, &module.origin)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::MemoryCache;
    use crate::fixture::{bzimage, deb, module, program, Tar, Wants};
    use crate::sources::Load;
    use crate::unpack::{pack, Coding};
    use vitrine_attest::Sha256;

    fn linux() -> Vec<u8> {
        let tar = Tar::new()
            .file("boot/vmlinuz-6.12", 0o644, &bzimage("6.12"))
            .file("usr/lib/modules/6.12/kernel/a.ko.xz", 0o644, &pack(&module("6.12", "b", ""), Coding::Xz))
            .file("usr/lib/modules/6.12/kernel/b.ko.xz", 0o644, &pack(&module("6.12", "", ""), Coding::Xz));
        deb("linux", "6.12", Coding::Xz, tar)
    }

    fn libc() -> Vec<u8> {
        let libc = program(&Wants { soname: Some("libc.so.6"), ..Wants::default() });
        deb("libc6", "2.41", Coding::Zstd, Tar::new().file("usr/lib/x86_64-linux-gnu/libc.so.6", 0o755, &libc))
    }

    fn stub() -> Vec<u8> {
        deb("systemd-boot-efi", "257", Coding::Gzip, Tar::new().file("usr/lib/x.stub", 0o644, b"MZ"))
    }

    fn selection() -> Selection {
        let agent = program(&Wants { needed: &["libc.so.6"], ..Wants::default() });
        Selection {
            include: vec![],
            whole: vec![],
            modules: vec!["a".into()],
            kernel: "/boot/vmlinuz-*".into(),
            stub: "/usr/lib/x.stub".into(),
            programs: vec![Program::new("vitrine-agent", "/usr/lib/vitrine/agent", agent)],
            files: vec![TextFile { path: "/etc/os-release".into(), bytes: b"ID=vitrine\n".to_vec(), mode: 0o444 }],
            app: None,
        }
    }

    fn staged(selection: &Selection, cache: &dyn Cache) -> Result<Staged> {
        let (linux, libc, stub) = (linux(), libc(), stub());
        let loads: [&dyn Load; 3] = [&|| Ok(linux.clone()), &|| Ok(libc.clone()), &|| Ok(stub.clone())];
        let packages = [
            Package { name: "linux", version: "6.12", sha256: Sha256::of(b"1"), load: loads[0] },
            Package { name: "libc6", version: "2.41", sha256: Sha256::of(b"2"), load: loads[1] },
            Package { name: "systemd-boot-efi", version: "257", sha256: Sha256::of(b"3"), load: loads[2] },
        ];
        stage(&packages, selection, &Policy::standard(), cache, &|_| ())
    }

    #[test]
    fn whole_tree_cold_and_warm() {
        let cache = MemoryCache::default();
        let cold = staged(&selection(), &cache).unwrap();
        assert_eq!((cold.kernel_release.as_str(), cold.stub.bytes.as_slice()), ("6.12", b"MZ".as_slice()));
        assert_eq!(
            cold.contributed.iter().map(String::as_str).collect::<Vec<_>>(),
            ["libc6", "linux", "systemd-boot-efi"]
        );
        let list = cold.tree.get(&ImagePath::parse(MODULE_LIST).unwrap()).unwrap();
        assert_eq!(list.bytes(), b"/usr/lib/modules/6.12/kernel/b.ko\n/usr/lib/modules/6.12/kernel/a.ko\n");
        for path in MOUNT_POINTS.into_iter().chain(["/usr/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib/vitrine/agent"]) {
            assert!(cold.tree.get(&ImagePath::parse(path).unwrap()).is_some(), "{path}");
        }
        assert!(cold.tree.get(&ImagePath::parse("/boot").unwrap()).is_none());
        let warm = staged(&selection(), &cache).unwrap();
        assert_eq!(warm.tree, cold.tree);
        assert_eq!(warm.tree.listing(), cold.tree.listing());
    }

    /// Masked before libraries are looked for: what only a masked program needs has to be nowhere.
    #[test]
    fn a_whole_package_is_taken_masked_and_gets_its_users() {
        let daemon = program(&Wants { needed: &["libgone.so.1"], ..Wants::default() });
        let tar = Tar::new()
            .file("usr/sbin/rsyslogd", 0o755, &daemon)
            .file("usr/bin/tool", 0o4755, b"t")
            .link("usr/bin/alias", "tool")
            .link("etc/mtab", "../proc/self/mounts")
            .file("etc/os-release", 0o644, b"ID=debian\n")
            .file("usr/lib/sysusers.d/a.conf", 0o644, b"u root 0\nu a -\n");
        let (whole, linux, stub) = (deb("whole", "1", Coding::Plain, tar), linux(), stub());
        let (load_whole, load_linux, load_stub) = (|| Ok(whole.clone()), || Ok(linux.clone()), || Ok(stub.clone()));
        let packages = [
            Package { name: "whole", version: "1", sha256: Sha256::of(b"1"), load: &load_whole },
            Package { name: "linux", version: "6.12", sha256: Sha256::of(b"2"), load: &load_linux },
            Package { name: "systemd-boot-efi", version: "257", sha256: Sha256::of(b"3"), load: &load_stub },
        ];
        let staged = |whole: &str| {
            let selection = Selection { whole: vec![whole.into()], programs: vec![], ..selection() };
            stage(&packages, &selection, &Policy::standard(), &crate::cache::NoCache, &|_| ())
        };
        let Staged { tree, masked, .. } = staged("whole").unwrap();
        let get = |path: &str| tree.get(&ImagePath::parse(path).unwrap());
        assert!(get("/usr/sbin/rsyslogd").is_none() && get("/usr/bin/alias").is_some() && get("/etc/mtab").is_some());
        assert_eq!(get("/usr/bin/tool").unwrap().mode, 0o555);
        assert_eq!(get("/etc/os-release").unwrap().bytes(), b"ID=vitrine\n", "the recipe's own file stays");
        let passwd = String::from_utf8_lossy(get("/etc/passwd").unwrap().bytes()).into_owned();
        assert!(passwd.starts_with("root:*:0:0:") && passwd.contains("\na:*:999:999:"), "{passwd}");
        let rules: Vec<(&str, &str)> = masked.iter().map(|m| (m.rule.as_str(), m.path.as_str())).collect();
        assert_eq!(rules, [("mask.special-mode", "/usr/bin/tool"), ("mask.syslog", "/usr/sbin/rsyslogd")]);
        let what = staged("none").unwrap_err().what;
        assert!(what.contains("no package none"), "{what}");
    }

    #[test]
    fn refusals_name_what_is_missing() {
        let with = |change: &dyn Fn(&mut Selection)| {
            let mut selection = selection();
            change(&mut selection);
            staged(&selection, &crate::cache::NoCache).unwrap_err().what
        };
        for (what, why) in [
            (with(&|s| s.kernel = "/boot/bzImage*".into()), "no package of the lock has the kernel /boot/bzImage*"),
            (with(&|s| s.kernel = "/usr/lib/modules/6.12/kernel/?.ko.xz".into()), "is ambiguous"),
            (with(&|s| s.kernel = "/usr/lib/x.stub".into()), "no Linux bzImage"),
            (with(&|s| s.stub = "/none".into()), "no package of the lock has the stub /none"),
            (with(&|s| s.modules = vec!["zz".into()]), "has no module zz"),
            (with(&|s| s.include = vec!["/usr/bin/none".into()]), "no package of the lock has /usr/bin/none"),
            (with(&|s| s.files[0].mode = 0o4755), "set-user-ID"),
            (with(&|s| s.files[0].path = "/usr/lib/vitrine/agent".into()), "is there twice"),
            (with(&|s| s.files[0].path = "etc/x".into()), "is not absolute"),
        ] {
            assert!(what.contains(why), "{what:?} lacks {why:?}");
        }
    }
}
