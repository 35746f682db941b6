//! The sandbox that programs are compiled in, as a command inside it sees it.
//!
//! The command is a shell of the host with the libraries that it is linked to. Where the machine allows no user
//! namespaces the tests say that they were skipped at home, and fail in CI.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use vitrine_builder::toolchain::{run, Bind, Ended, Plan};

const VITRINE: &str = env!("CARGO_BIN_EXE_vitrine");

struct World {
    dir: tempfile::TempDir,
    plan: Plan,
}

/// Copies a program of the host and all that `ldd` names, under the same paths.
fn bring(program: &str, root: &Path) {
    let output = Command::new("ldd").arg(program).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let libraries = text.split_whitespace().filter(|word| word.starts_with('/'));
    for path in libraries.chain([program]) {
        let place = root.join(&path[1..]);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::copy(path, place).unwrap();
    }
}

fn world(script: &str) -> World {
    let dir = tempfile::tempdir().unwrap();
    let (root, work) = (dir.path().join("root"), dir.path().join("work"));
    for folder in ["proc", "dev", "tmp", "build", "cargo"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    ["/bin/sh", "/bin/cat", "/bin/ls", "/bin/sleep"].iter().for_each(|program| bring(program, &root));
    fs::create_dir_all(work.join("build")).unwrap();
    let bind = |to: &str, writable| Bind { from: work.join("build"), to: to.into(), writable };
    let plan = Plan {
        root,
        binds: vec![bind("/build", true), bind("/cargo", false)],
        environment: BTreeMap::from([("PATH".to_string(), "/bin".to_string()), ("TZ".into(), "UTC".into())]),
        command: ["/bin/sh", "-c", script].map(String::from).into(),
        folder: "/build".into(),
        scratch: work,
    };
    World { dir, plan }
}

/// `None` when the machine does not allow it.
fn possible(world: &World) -> Option<Ended> {
    match run(Path::new(VITRINE), &world.plan, &mut |_| ()) {
        Ok(ended) => Some(ended),
        Err(error) => {
            assert!(error.what.contains("namespaces") || error.what.contains("/proc"), "{error}");
            assert!(!error.hint.is_empty());
            assert!(std::env::var_os("CI").is_none(), "CI has to allow user namespaces: {error}");
            eprintln!("skipped: {error}");
            None
        }
    }
}

#[test]
fn a_small_world() {
    let script = "
        echo folder $PWD; echo tree $(ls /); echo devices $(ls /dev);
        while read line; do case $line in *:*) echo interface ${line%%:*};; esac; done < /proc/net/dev
        while read name rest; do case $name in Cap*|NoNewPrivs:|Uid:) echo $name $rest;; esac; done < /proc/self/status
        read host < /proc/sys/kernel/hostname; echo host $host; umask; echo number $$";
    let world = world(script);
    let Some(Ended { code, said }) = possible(&world) else { return };
    assert_eq!(code, 0, "{said}");
    for line in [
        "folder /build",
        "devices full null urandom zero",
        "host vitrine",
        "0022",
        "number 1",
        "NoNewPrivs: 1",
        "CapEff: 0000000000000000",
        "CapPrm: 0000000000000000",
        "CapBnd: 0000000000000000",
    ] {
        assert!(said.lines().any(|found| found.trim() == line), "{line:?} is not in\n{said}");
    }
    assert!(said.lines().any(|line| line.starts_with("Uid: 0")), "{said}");
    // a loopback that is down, no way out; nothing of the host's root
    let interfaces: Vec<&str> = said.lines().filter(|line| line.starts_with("interface")).collect();
    assert!(interfaces.iter().all(|line| *line == "interface lo"), "{said}");
    let tree = said.lines().find(|line| line.starts_with("tree")).unwrap();
    assert!(
        tree.contains("build") && !["home", "root", "var", "work", "mnt"].iter().any(|name| tree.contains(name)),
        "{tree}"
    );
}

#[test]
fn the_environment_is_the_plans_alone() {
    std::env::set_var("VITRINE_LEAK", "yes");
    let Some(ended) = possible(&world("while read -r pair; do echo $pair; done < /proc/1/environ; set")) else {
        return;
    };
    assert!(ended.said.contains("TZ='UTC'") || ended.said.contains("TZ=UTC"), "{}", ended.said);
    assert!(!ended.said.contains("VITRINE_LEAK") && !ended.said.contains("HOME="), "{}", ended.said);
}

#[test]
fn only_what_is_writable_is_written() {
    let script = "echo x > /build/made; for place in / /cargo /bin /dev; do (echo x > $place/made) 2>/dev/null && echo wrote $place; done
        echo x > /tmp/made && echo temporary";
    let world = world(script);
    let Some(ended) = possible(&world) else { return };
    assert!(ended.said.contains("temporary") && !ended.said.contains("wrote"), "{}", ended.said);
    assert_eq!(fs::read_to_string(world.dir.path().join("work/build/made")).unwrap(), "x\n");
    assert!(!world.dir.path().join("root/tmp/made").exists());
}

#[test]
fn a_failure_is_handed_on() {
    let Some(ended) = possible(&world("echo one; echo two >&2; exit 7")) else { return };
    assert_eq!((ended.code, ended.said.as_str()), (7, "one\ntwo"));
    let mut broken = world("");
    broken.plan.command = vec!["/bin/none".into()];
    let error = run(Path::new(VITRINE), &broken.plan, &mut |_| ()).unwrap_err();
    assert!(error.what.contains("/bin/none cannot be run"), "{error}");
}

/// As when `vitrine` is killed: its end of the pipe is closed, nobody else tells the keeper.
#[test]
fn an_orphan_is_killed_and_cleared_away() {
    use std::os::unix::process::CommandExt as _;
    let world = world("echo ready; sleep 1000");
    if possible(&World { plan: Plan { command: vec!["/bin/ls".into()], ..world.plan.clone() }, ..self::world("") })
        .is_none()
    {
        return;
    }
    let text = serde_json::to_string(&world.plan).unwrap();
    let mut keeper = Command::new(VITRINE);
    let mut keeper =
        keeper.arg0("vitrine-sandbox-keeper").arg(text).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = std::io::BufReader::new(keeper.stderr.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut said, &mut line).unwrap();
    assert_eq!(line, "ready\n");
    let work: PathBuf = world.plan.scratch.clone();
    assert!(work.exists());
    drop(keeper.stdin.take());
    let begun = Instant::now();
    while keeper.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(60), "the keeper does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(!work.exists());
    // nothing of the sandbox holds the pipe any more
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut said, &mut rest).unwrap();
    assert_eq!(rest, "");
}
