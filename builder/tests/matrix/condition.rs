//! The conditions: what is other about a build, how that is made, and the question that shows it.

use crate::setting::{is_root, Setting, Tried};
use crate::whole::text;
use std::path::Path;
use std::process::Command;

/// One row of the matrix.
#[derive(Debug)]
pub struct Condition {
    pub name: &'static str,
    /// A shell script that prints what is other, run like the build and in its folder.
    pub ask: &'static str,
    /// Before the folder is filled: where it lies, and how commands are started there.
    pub before: fn(&mut Setting) -> Tried<()>,
    /// After that.
    pub after: fn(&mut Setting) -> Tried<()>,
}

const fn by(name: &'static str, ask: &'static str, before: fn(&mut Setting) -> Tried<()>) -> Condition {
    Condition { name, ask, before, after: |_| Ok(()) }
}

/// What needs a right comes before what takes it away: all of them together are one condition, too.
pub const CONDITIONS: [Condition; 16] = [
    by("folder and length of its path", "pwd", |setting| {
        let folder = setting.base.join("with a space").join(long()).join("c".repeat(100));
        setting.lie_in(folder);
        Ok(())
    }),
    by("host name", "uname -n", |setting| {
        let words: &[&str] =
            if is_root() { &["unshare", "--uts"] } else { &["unshare", "--user", "--map-root-user", "--uts"] };
        setting.start_with(words);
        setting.start_with(&["sh", "-c", "hostname another-host; exec \"$@\"", "-"]);
        Ok(())
    }),
    by("processors", "nproc", |setting| {
        setting.start_with(&[has("taskset")?, "-c", "0"]);
        Ok(())
    }),
    by("kernel's version, by its own word", "uname -r", |setting| {
        setting.start_with(&[has("setarch")?, "x86_64", "--uname-2.6"]);
        Ok(())
    }),
    by("memory layout, bit 40000: fixed", "cat /proc/self/personality", |setting| {
        // it sets the whole personality(2): alone, it would take back what the row above has set
        setting.start_with(&[has("setarch")?, "x86_64", "--uname-2.6", "--addr-no-randomize"]);
        Ok(())
    }),
    by("file system: tmpfs", "stat -f -c %T .", |setting| {
        let shm = Path::new("/dev/shm");
        let dir = tempfile::Builder::new().prefix("vitrine-matrix").tempdir_in(shm);
        let dir = dir.map_err(|e| format!("{}: {e}", shm.display()))?;
        setting.lie_in(dir.path().join("world"));
        setting.elsewhere = Some(dir);
        Ok(())
    }),
    by("file system: XFS", "stat -f -c %T .", xfs),
    Condition {
        after: |setting| {
            // files that are links to the seed's are let alone by a copy in between
            let script = "mv \"$1\" \"$1.old\" && cp -r \"$1.old\" \"$1\" && rm -r \"$1.old\" && \
                          find \"$1\" -exec touch -h -d 1999-09-09 {} +";
            setting.outside(&["sh", "-c", script, "-", text(&setting.folder)])
        },
        ..by("dates of the inputs", "date -r lock.toml +%F", |_| Ok(()))
    },
    Condition { after: reversed, ..by("directory order", "ls -U programs", disordered) },
    Condition {
        after: |setting| setting.outside(&["chown", "-hR", "65534:65534", text(&setting.folder)]),
        ..by("user", "id -u", |setting| {
            root_alone()?;
            setting.start_with(&[has("setpriv")?, "--reuid", "65534", "--regid", "65534", "--clear-groups"]);
            Ok(())
        })
    },
    by("umask", "umask", |setting| {
        setting.start_with(&["sh", "-c", "umask 0077; exec \"$@\"", "-"]);
        Ok(())
    }),
    by("clock", "date +%F", |setting| {
        // it keeps a semaphore there, named by its process number: those of other builds are not its own
        setting.mount_with("mount -t tmpfs -o mode=1777 tmpfs /dev/shm; exec \"$@\"", &[])?;
        setting.start_with(&[has("faketime")?, "-f", "@2041-05-05 12:00:00"]);
        Ok(())
    }),
    by("time zone", "date +%z", |setting| {
        setting.environment.push(("TZ", "LINT-14".into()));
        Ok(())
    }),
    by("locale", "echo ${LC_ALL-none}", |setting| {
        setting.environment.extend([("LC_ALL", "tr_TR.UTF-8".into()), ("LANGUAGE", "tr".into())]);
        Ok(())
    }),
    by("SOURCE_DATE_EPOCH, RUSTFLAGS", "echo ${SOURCE_DATE_EPOCH-none}, ${RUSTFLAGS-none}", |setting| {
        setting.environment.extend([("SOURCE_DATE_EPOCH", "1".into()), ("RUSTFLAGS", "-Copt-level=0".into())]);
        Ok(())
    }),
    by("limit of open files", "ulimit -n", |setting| {
        setting.start_with(&["sh", "-c", "ulimit -n 256; exec \"$@\"", "-"]);
        Ok(())
    }),
];

/// The program's own name, when the machine has it.
fn has(program: &str) -> Tried<&str> {
    let found = Command::new("sh").args(["-c", "command -v \"$0\"", program]).output().map_err(|e| e.to_string())?;
    found.status.success().then_some(program).ok_or_else(|| format!("this machine has no {program}: tools/deps.sh"))
}

fn root_alone() -> Tried<()> {
    is_root().then_some(()).ok_or_else(|| "root alone can do that".into())
}

/// All that the build sees of its folder comes through a FUSE file system that lists folders backwards.
fn disordered(_: &mut Setting) -> Tried<()> {
    root_alone()?;
    has("disorderfs")?;
    if !Path::new("/dev/fuse").exists() {
        return Err("this machine has no /dev/fuse".into());
    }
    Ok(())
}

fn reversed(setting: &mut Setting) -> Tried<()> {
    let view = setting.base.join("reversed").join(long());
    std::fs::create_dir_all(&view).map_err(|e| e.to_string())?;
    setting.mount_with(
        "disorderfs -q --multi-user=yes --shuffle-dirents=no --reverse-dirents=yes -o allow_other \"$1\" \"$2\"; shift 2; exec \"$@\"",
        &[text(&setting.folder.clone()), text(&view)],
    )?;
    setting.lie_in(view);
    Ok(())
}

/// In a file on the first file system, as large as it gets full.
fn xfs(setting: &mut Setting) -> Tried<()> {
    root_alone()?;
    has("mkfs.xfs")?;
    let (disk, place) = (setting.base.join("disk"), setting.base.join("mounted"));
    std::fs::create_dir_all(&place).map_err(|e| e.to_string())?;
    setting.outside(&["truncate", "-s", "6G", text(&disk)])?;
    setting.outside(&["mkfs.xfs", "-q", text(&disk)])?;
    setting.mount_with("mount -t xfs -o loop \"$1\" \"$2\"; shift 2; exec \"$@\"", &[text(&disk), text(&place)])?;
    setting.lie_in(place.join("world"));
    Ok(())
}

/// Part of a path.
fn long() -> String {
    "b".repeat(100)
}
