//! Nothing is left running and nothing is left behind: after Ctrl-C, after SIGTERM, and after kill -9.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Boots something that is no image: the firmware finds nothing to start and the wait goes on.
fn boot(folder: &Path) -> Option<Child> {
    let installed = |program: &str| Command::new(program).arg("--version").output().is_ok();
    if !installed("qemu-system-x86_64") || !installed("swtpm") || !Path::new("/usr/share/OVMF").exists() {
        eprintln!("skipped: needs the packages qemu-system-x86, swtpm, swtpm-tools and ovmf");
        return None;
    }
    let image = folder.join("image.efi");
    std::fs::write(&image, b"no image").unwrap();
    let temporary = folder.join("tmp");
    std::fs::create_dir_all(&temporary).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_vitrine-qemu"))
        .args(["boot", "--no-secure-boot"])
        .arg(image)
        .env("TMPDIR", &temporary)
        .env("XDG_CACHE_HOME", folder.join("cache"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let found = wait(|| running(folder).iter().any(|line| line.contains("qemu-system")));
    assert!(found, "QEMU did not start: {:?}", child.try_wait());
    Some(child)
}

fn wait(mut ready: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + Duration::from_secs(60);
    while Instant::now() < deadline {
        if ready() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}

/// Command lines of QEMU and swtpm that work in this folder.
fn running(folder: &Path) -> Vec<String> {
    let text = |entry: std::fs::DirEntry| std::fs::read(entry.path().join("cmdline")).ok();
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(text)
        .map(|bytes| String::from_utf8_lossy(&bytes).replace('\0', " "))
        .filter(|line| line.starts_with("qemu-system") || line.starts_with("swtpm"))
        .filter(|line| line.contains(folder.to_str().unwrap()))
        .collect()
}

fn scratch_folders(folder: &Path) -> usize {
    std::fs::read_dir(folder.join("tmp")).unwrap().count()
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn after_ctrl_c_and_sigterm_nothing_is_left() {
    for name in ["-INT", "-TERM"] {
        let folder = tempfile::tempdir().unwrap();
        let Some(mut child) = boot(folder.path()) else { return };
        signal(&child, name);
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(2), "{name}");
        assert_eq!(running(folder.path()), Vec::<String>::new(), "{name}");
        assert_eq!(scratch_folders(folder.path()), 0, "{name}");
    }
}

/// The kernel kills the children; the folder goes with the next run.
#[test]
fn after_kill_9_nothing_is_left_running() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut child) = boot(folder.path()) else { return };
    signal(&child, "-KILL");
    child.wait().unwrap();
    assert!(wait(|| running(folder.path()).is_empty()), "{:?}", running(folder.path()));
    assert_eq!(scratch_folders(folder.path()), 1);
    let mut next = boot(folder.path()).unwrap();
    assert_eq!(scratch_folders(folder.path()), 1, "the next run removes the old folder and makes its own");
    signal(&next, "-INT");
    next.wait().unwrap();
    assert_eq!(scratch_folders(folder.path()), 0);
}
