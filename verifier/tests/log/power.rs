//! Power fails between any two system calls of an append.
//!
//! The calls of a real run are traced, and a model of a file system that keeps no more than it has to (a file's bytes after fsync(2)
//! of the file, a name after fsync(2) of its folder) says what can be on disk after each of them. From each such disk the log has to go
//! on, and what was acknowledged has to be there. The model's file system has no order of its own, unlike ext4 and XFS, which are kinder.

use super::{copy, entries, files, good, head, text, verify, Log};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use vitrine_attest::Sha256;

/// What a path is: a folder, or a file with this number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Node {
    Folder,
    File(usize),
}

/// Bytes as they are seen, and as they are on disk.
#[derive(Debug, Clone, Default)]
struct Content {
    seen: Vec<u8>,
    disk: Option<Vec<u8>>,
}

#[derive(Debug, Clone, Default)]
struct Model {
    root: PathBuf,
    seen: BTreeMap<PathBuf, Node>,
    disk: BTreeMap<PathBuf, Node>,
    contents: Vec<Content>,
    open: BTreeMap<i64, PathBuf>,
    /// Something was written to standard output.
    acknowledged: bool,
}

/// What becomes of that which was not synchronised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Loss {
    /// All of it is gone.
    All,
    /// Of the names that are not on disk, only this one has reached it.
    AllBut(usize),
    /// Names are there, bytes are not.
    Bytes,
    /// Names are there, and the first half of the bytes.
    Half,
    /// Nothing is lost.
    Nothing,
}

type Image = BTreeMap<PathBuf, Option<Vec<u8>>>;

impl Model {
    fn of(folder: &Path) -> Self {
        let mut model = Self { root: folder.to_owned(), ..Self::default() };
        model.seen.insert(folder.to_owned(), Node::Folder);
        for (path, bytes) in files(folder) {
            let path = folder.join(path);
            for above in path.ancestors().skip(1).take_while(|above| *above != folder) {
                model.seen.insert(above.to_owned(), Node::Folder);
            }
            model.seen.insert(path, Node::File(model.contents.len()));
            model.contents.push(Content { seen: bytes.clone(), disk: Some(bytes) });
        }
        model.seen.insert(folder.join("work"), Node::Folder); // there is nothing in it
        model.disk = model.seen.clone();
        model
    }

    /// One line of the trace. False: it changes nothing.
    fn call(&mut self, line: &str) -> bool {
        let Some((call, result)) = line.rsplit_once(" = ") else { return false };
        let Some(result) = result.split(' ').next().and_then(|number| number.parse::<i64>().ok()).filter(|n| *n >= 0)
        else {
            return false;
        };
        let (name, args) = call.split_once('(').unwrap();
        let name = name.rsplit(' ').next().unwrap();
        let texts = strings(args);
        let path = |n: usize| PathBuf::from(String::from_utf8(texts[n].clone()).unwrap());
        let fd = || args.split([',', ')']).next().unwrap().trim().parse::<i64>().ok();
        match name {
            "openat" => {
                let path = path(0);
                if args.contains("O_CREAT") && !self.seen.contains_key(&path) {
                    self.seen.insert(path.clone(), Node::File(self.contents.len()));
                    self.contents.push(Content::default());
                }
                if args.contains("O_TRUNC") {
                    panic!("files are never cut: {line}");
                }
                self.open.insert(result, path);
            }
            "write" => match fd() {
                Some(1) => self.acknowledged = true,
                Some(2) => {}
                other => {
                    let path = &self.open[&other.unwrap()];
                    let Some(Node::File(file)) = self.seen.get(path) else { panic!("{line}") };
                    self.contents[*file].seen.extend(&texts[0][..result as usize]);
                }
            },
            "fsync" | "fdatasync" => {
                let path = self.open[&fd().unwrap()].clone();
                match self.seen[&path] {
                    Node::File(file) => self.contents[file].disk = Some(self.contents[file].seen.clone()),
                    Node::Folder => {
                        let inside = |name: &PathBuf| name.parent() == Some(&path);
                        self.disk.retain(|name, _| !inside(name));
                        self.disk.extend(
                            self.seen.iter().filter(|(name, _)| inside(name)).map(|(n, node)| (n.clone(), *node)),
                        );
                    }
                }
            }
            "rename" => {
                let node = self.seen.remove(&path(0)).unwrap();
                self.seen.insert(path(1), node);
            }
            "linkat" => _ = self.seen.insert(path(1), self.seen[&path(0)]),
            "unlink" => _ = self.seen.remove(&path(0)),
            "unlinkat" => {
                let path = fd().map_or_else(|| path(0), |fd| self.open[&fd].join(path(0)));
                self.seen.remove(&path);
            }
            "mkdir" => _ = self.seen.insert(path(0), Node::Folder),
            "close" => _ = self.open.remove(&fd().unwrap()),
            other => panic!("the model does not know {other}: {line}"),
        }
        !matches!(name, "openat" | "close") || args.contains("O_CREAT")
    }

    /// Names that are not on disk as they are seen.
    fn pending(&self) -> impl Iterator<Item = (PathBuf, Option<Node>)> + '_ {
        let names: BTreeSet<&PathBuf> = self.seen.keys().chain(self.disk.keys()).collect();
        let differs = |name: &&PathBuf| self.seen.get(*name) != self.disk.get(*name);
        names.into_iter().filter(differs).map(|name| (name.clone(), self.seen.get(name).copied()))
    }

    fn image(&self, loss: Loss) -> Image {
        let names = match loss {
            Loss::All => self.disk.clone(),
            Loss::AllBut(n) => {
                let mut names = self.disk.clone();
                if let Some((name, node)) = self.pending().nth(n) {
                    match node {
                        Some(node) => _ = names.insert(name, node),
                        None => _ = names.remove(&name),
                    }
                }
                names
            }
            Loss::Bytes | Loss::Half | Loss::Nothing => self.seen.clone(),
        };
        let bytes = |file: usize| {
            let Content { seen, disk } = &self.contents[file];
            match (loss, disk) {
                (Loss::Nothing, _) => seen.clone(),
                (_, Some(disk)) => disk.clone(),
                (Loss::Half, None) => seen[..seen.len() / 2].to_vec(),
                (_, None) => vec![],
            }
        };
        // a name is found when all folders above it are
        let there = |path: &Path| {
            path.ancestors()
                .skip(1)
                .take_while(|above| above.starts_with(&self.root))
                .all(|above| names.contains_key(above))
        };
        names
            .iter()
            .filter(|(path, _)| there(path))
            .map(|(path, node)| match node {
                Node::Folder => (path.clone(), None),
                Node::File(file) => (path.clone(), Some(bytes(*file))),
            })
            .collect()
    }
}

/// What stands in quotation marks, all of it as `\x2f`.
fn strings(args: &str) -> Vec<Vec<u8>> {
    let digits = |text: &str| text.split("\\x").skip(1).map(|hex| u8::from_str_radix(hex, 16).unwrap()).collect();
    args.split('"').skip(1).step_by(2).map(digits).collect()
}

fn lay_down(image: &Image, from: &Path, to: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let _ = std::fs::remove_dir_all(to);
    for (path, bytes) in image {
        let place = to.join(path.strip_prefix(from).unwrap());
        match bytes {
            None => std::fs::create_dir_all(&place).unwrap(),
            Some(bytes) => {
                std::fs::write(&place, bytes).unwrap();
                let secret = place.extension().is_some_and(|end| end == "key");
                let mode = if secret { 0o600 } else { 0o644 };
                std::fs::set_permissions(&place, std::fs::Permissions::from_mode(mode)).unwrap();
            }
        }
    }
}

#[test]
fn power_fails_at_any_moment() {
    if Command::new("strace").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "strace is missing");
        eprintln!("skipped: strace is missing");
        return;
    }
    let log = Log::new();
    log.lines(&entries(254), 254);
    let more = ["a", "b", "c", "d"].map(|name| log.beside(name, format!("more {name}")));
    let start = head(&log.dir.join("public/checkpoint"));
    let run = log.dir.with_file_name("run");
    copy(&log.dir, &run);
    let mut model = Model::of(&run);
    let trace = log.dir.with_file_name("trace");
    let calls = "trace=openat,write,fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat,rmdir,close,\
        truncate,ftruncate,pwrite64,writev,symlink,symlinkat";
    let output = Command::new("strace")
        .env_remove("LD_LIBRARY_PATH") // cargo's many folders
        .args(["-f", "-qq", "-xx", "-s", "10000000", "-e", calls, "-o"])
        .arg(&trace)
        .arg(env!("CARGO_BIN_EXE_vitrine-verify"))
        .args(["log", "append"])
        .arg(&run)
        .args(&more)
        .output()
        .unwrap();
    good(&output);
    let end = head(&run.join("public/checkpoint"));
    let told = std::fs::read_to_string(&trace).unwrap();
    let mut disks: BTreeMap<Image, (bool, String)> = BTreeMap::new();
    let mut points = 0;
    for line in told.lines() {
        if !model.call(line) {
            continue;
        }
        points += 1;
        let each = (0..model.pending().count()).map(Loss::AllBut);
        for loss in [Loss::All, Loss::Bytes, Loss::Half, Loss::Nothing].into_iter().chain(each) {
            let state =
                (model.acknowledged, format!("{loss:?} is lost after {}", line.chars().take(120).collect::<String>()));
            disks.entry(model.image(loss)).and_modify(|(acknowledged, _)| *acknowledged |= state.0).or_insert(state);
        }
    }
    assert_eq!(model.image(Loss::Nothing).values().flatten().count(), files(&run).len(), "the model has lost its way");
    let seen: BTreeSet<u64> = disks
        .iter()
        .map(|(image, (acknowledged, context))| {
            let dir = log.dir.with_file_name("disk");
            lay_down(image, &run, &dir);
            go_on(&dir, &more, *acknowledged, &start, &end, context)
        })
        .collect();
    assert_eq!(seen, BTreeSet::from([start.0, end.0]), "all of them were the same");
    eprintln!("{points} moments, {} disks", disks.len());
    assert!(points > 50 && disks.len() > 65, "{points} moments, {} disks", disks.len());
}

/// Gives the size that was published when the power came back.
fn go_on(
    dir: &Path,
    more: &[String],
    acknowledged: bool,
    start: &(u64, String),
    end: &(u64, String),
    context: &str,
) -> u64 {
    let seen = head(&dir.join("public/checkpoint"));
    assert!(seen == *end || (seen == *start && !acknowledged), "acknowledged and lost: {context}");
    let state = verify(&["log", "fsck", dir.to_str().unwrap()]);
    assert_eq!(state.status.code(), Some(0), "{context}\n{}", text(&state.stdout));
    if seen == *end {
        // by its index, or without it
        let found = verify(&["log", "find", dir.to_str().unwrap(), "--digest", &Sha256::of(b"more a").to_string()]);
        assert_eq!(found.status.code(), Some(0), "{context}\n{}", text(&found.stderr));
    }
    let mut args = vec!["log", "append", dir.to_str().unwrap()];
    args.extend(more.iter().map(String::as_str));
    let again = verify(&args);
    assert!(again.status.success(), "{context}\nthen: {}", text(&again.stderr));
    assert_eq!(head(&dir.join("public/checkpoint")), *end, "{context}");
    let state = verify(&["log", "fsck", dir.to_str().unwrap()]);
    assert_eq!(state.status.code(), Some(0), "{context}\nat last: {}", text(&state.stdout));
    assert!(text(&state.stdout).contains(&format!("{} in its index", end.0)), "{context}\n{}", text(&state.stdout));
    seen.0
}
