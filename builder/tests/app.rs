//! Whole builds of an image with a program of the operator's own, from the store alone. Skipped where the programs or packages
//! are missing, as in `build.rs`.

mod whole;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use vitrine_attest::app_facts::AppProgram;
use vitrine_attest::dsse::{self, Envelope};
use whole::{keys, lock, names, possible, programs, root, succeed, text, vitrine};

/// A recipe beside its folders, and programs with one that starts the operator's.
struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    /// `None`: no whole build is possible here.
    fn new() -> Option<Self> {
        let bench = possible().then(|| Self { dir: tempfile::tempdir().unwrap() })?;
        let recipe = r#"
name = "own"
inherits = ["gateway.toml"]
[app]
files = "bin"
sources = "src"
command = ["/srv/server"]
port = 8000
[config.gateway]
upstreams.api = { addresses = ["127.0.0.1:8000"], name = "localhost", protocol = "plain" }
"#;
        for parent in ["base.toml", "gateway.toml"] {
            fs::copy(root().join("recipes").join(parent), bench.at(parent)).unwrap();
        }
        for folder in ["bin/data", "src", "programs"] {
            fs::create_dir_all(bench.at(folder)).unwrap();
        }
        fs::write(bench.at("own.toml"), recipe).unwrap();
        fs::write(bench.at("src/main.go"), "package main\n\nfunc main() {}\n").unwrap();
        fs::write(bench.at("bin/data/prices"), "1\n").unwrap();
        for program in fs::read_dir(programs()).unwrap().map(|entry| entry.unwrap().path()) {
            fs::copy(&program, bench.at("programs").join(program.file_name().unwrap())).unwrap();
        }
        // any program does: none is started here
        let any = Path::new(&programs()).join("vitrine-init");
        fs::copy(&any, bench.at("bin/server")).unwrap();
        fs::copy(&any, bench.at("programs/vitrine-launcher")).unwrap();
        // of a whole toolchain, when there is one, it is none
        let _ = fs::remove_file(bench.at("programs/programs.json"));
        Some(bench)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn build(&self, out: &str, more: &[&str]) -> Command {
        let mut command = vitrine(&["build", "-q", "--offline"]);
        command.arg(self.at("own.toml")).arg("--lock").arg(lock()).arg("--programs").arg(self.at("programs"));
        command.arg("--out").arg(self.at(out)).args(more);
        command
    }

    fn image(&self, out: &str) -> Vec<u8> {
        fs::read(self.at(out).join("6-image.unsigned.efi")).unwrap()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_binary_goes_into_a_layer_of_its_own_and_into_the_statement() {
    let Some(bench) = Bench::new() else { return };
    succeed(bench.build("a", &["--keys", text(keys())]));
    let tree = fs::read_to_string(bench.at("a/3-tree.txt")).unwrap();
    let line =
        |path: &str| tree.lines().find(|line| line.ends_with(&format!(" {path}"))).unwrap_or_default().to_string();
    assert!(line("/app/srv/server").starts_with("100555 0:0") && line("/app/srv/server").contains(" app "), "{tree}");
    assert!(line("/app/srv/data/prices").starts_with("100444 0:0"), "{tree}");
    assert!(line("/usr/lib/vitrine/launcher").contains(" programs "), "{tree}");
    let inspected = vitrine(&["inspect", "--json", text(&bench.at("a/image.efi"))]).output().unwrap();
    let inspected: serde_json::Value = serde_json::from_slice(&inspected.stdout).unwrap();
    let layers = inspected["image"]["layers"].as_array().unwrap();
    let layers: Vec<_> = layers.iter().map(|layer| layer["name"].as_str().unwrap()).collect();
    assert_eq!(layers, ["modules", "distribution", "programs", "app", "configuration"]);

    let envelope = Envelope::from_json(&fs::read(bench.at("a/release.dsse.json")).unwrap()).unwrap();
    let app = dsse::read_unverified(&envelope).unwrap().predicate.app.unwrap();
    let report = fs::read(bench.at("a/app-audit.json")).unwrap();
    assert_eq!((app.program, app.audit.errors), (AppProgram::Binary, 0));
    assert_eq!(app.audit.report, vitrine_attest::Sha256::of(&report));
    // whoever has the tree computes the digest again
    let mut lines = String::new();
    for line in tree.lines().filter(|line| line.contains(" /app/") && !line.starts_with("040")) {
        let words: Vec<&str> = line.split(' ').collect();
        let path = line.split(" /app").nth(1).unwrap().split(" -> ").next().unwrap();
        match line.split_once(" -> ") {
            Some((_, target)) => lines += &format!("{} -> {target}  {path}\n", words[0]),
            None => lines += &format!("{} {}  {path}\n", words[0], words[3]),
        }
    }
    assert_eq!(app.files, vitrine_attest::Sha256::of(lines.as_bytes()));
}

/// Modes and order on the disk, and whether it comes from an archive, make no difference; a byte does.
#[test]
fn the_same_files_give_the_same_image() {
    let Some(bench) = Bench::new() else { return };
    succeed(bench.build("a", &["--unsigned"]));
    let image = bench.image("a");
    fs::set_permissions(bench.at("bin/server"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(bench.at("bin/data/prices"), fs::Permissions::from_mode(0o777)).unwrap();
    fs::create_dir(bench.at("bin/empty")).unwrap();
    succeed(bench.build("b", &["--unsigned"]));
    assert!(bench.image("b") == image, "modes of the disk are in the image");

    let mut vendor = vitrine(&["vendor", "--offline", "-q"]);
    vendor.arg(bench.at("own.toml")).arg("--lock").arg(lock()).arg("--programs").arg(bench.at("programs"));
    succeed({
        vendor.arg("--out").arg(bench.at("own.tar"));
        vendor
    });
    let mut again = vitrine(&["build", "-q", "--unsigned", "--from"]);
    again.arg(bench.at("own.tar")).arg("--out").arg(bench.at("c")).env_remove("VITRINE_PROGRAMS");
    succeed(again);
    assert!(bench.image("c") == image, "the archive's image is another one");

    fs::write(bench.at("bin/data/prices"), "2\n").unwrap();
    succeed(bench.build("a", &["--unsigned"]));
    assert!(bench.image("a") != image, "an old image was kept");
    // sources are no part of the image, and still another build
    let report = fs::read(bench.at("a/app-audit.json")).unwrap();
    fs::write(bench.at("src/more.go"), "package main\n").unwrap();
    succeed(bench.build("a", &["--unsigned"]));
    assert!(fs::read(bench.at("a/app-audit.json")).unwrap() != report, "the old report was kept");
}

#[test]
fn what_the_audit_refuses_or_cannot_judge_ends_the_build() {
    let Some(bench) = Bench::new() else { return };
    let built = |out: &str| {
        let output = bench.build(out, &["--unsigned"]).output().unwrap();
        (output.status.code(), said(&output))
    };
    let left = ["1-recipe.toml", "2-lock.toml", "app-audit.json"];
    fs::write(bench.at("src/main.go"), "package main\n\nimport \"log\"\n\nfunc main() { log.Println(1) }\n").unwrap();
    let (code, errors) = built("a");
    assert!(code == Some(1) && errors.contains("the source audit refuses") && errors.contains("main.go:5"), "{errors}");
    assert_eq!(names(&bench.at("a")), left);
    fs::write(bench.at("src/main.go"), "package main\n").unwrap();
    fs::write(bench.at("src/main.c"), "int main;\n").unwrap();
    let (code, errors) = built("b");
    assert!(code == Some(2) && errors.contains("could not judge") && errors.contains("main.c"), "{errors}");
    assert_eq!(names(&bench.at("b")), left);
    fs::remove_file(bench.at("src/main.c")).unwrap();
    fs::write(bench.at("src/main.go"), "text\n").unwrap();
    fs::rename(bench.at("src/main.go"), bench.at("src/main.txt")).unwrap();
    let (code, errors) = built("c");
    assert!(code == Some(2) && errors.contains("found no code"), "{errors}");
}
