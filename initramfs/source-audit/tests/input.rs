//! Bad input: what cannot be judged is listed and is never let through.

use std::fs;
use std::os::unix::fs::{symlink, PermissionsExt as _};
use std::path::Path;
use tempfile::TempDir;
use vitrine_source_audit::{audit, audit_files, is_code, waivers, Audit, Level, Options, Rules};

fn tree(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    folder
}

fn judge(folder: &Path, options: &Options) -> Audit {
    audit(folder, options, &Rules::standard()).unwrap()
}

/// Code 2, and this path with these words.
fn not_judged(folder: &TempDir, path: &str, words: &str) {
    let audit = judge(folder.path(), &Options::default());
    assert_eq!(audit.exit_code(), 2, "{audit}");
    assert!(audit.not_judged.iter().any(|not| not.path == path && not.why.contains(words)), "{audit}");
}

#[test]
fn a_clean_tree_is_let_through() {
    let folder = tree(&[("a.py", b"def f(x):\n    return x\n"), ("README", b"print(1)"), (".git/x.py", b"print(1)")]);
    let audit = judge(folder.path(), &Options::default());
    assert_eq!((audit.exit_code(), audit.data), (0, 1), "{audit}");
}

#[test]
fn invalid_text_is_not_judged() {
    not_judged(&tree(&[("a.py", b"x = '\xff'\n")]), "a.py", "UTF-8");
}

#[test]
fn what_the_parser_skips_is_not_judged() {
    not_judged(&tree(&[("a.py", b"x = 1\ndef (((:\n")]), "a.py", "line 2");
    not_judged(&tree(&[("package.json", b"{\n,")]), "package.json", "line 2");
    not_judged(&tree(&[("Cargo.toml", b"[")]), "Cargo.toml", "line 1");
}

#[test]
fn links_out_and_loops_are_not_judged_and_end() {
    let folder = tree(&[("a/b.py", b"x = 1\n")]);
    symlink("..", folder.path().join("a/up")).unwrap();
    symlink("b.py", folder.path().join("a/again.py")).unwrap();
    assert_eq!(judge(folder.path(), &Options::default()).exit_code(), 0);
    symlink("loop", folder.path().join("loop")).unwrap();
    not_judged(&folder, "loop", "nowhere");
    symlink("/etc", folder.path().join("etc")).unwrap();
    not_judged(&folder, "etc", "out of the tree");
}

#[test]
fn an_enormous_file_is_not_read() {
    let folder = tree(&[("ok.py", b"x = 1\n")]);
    fs::File::create(folder.path().join("big.js")).unwrap().set_len(3 << 30).unwrap();
    not_judged(&folder, "big.js", "MiB");
    let pipe = folder.path().join("pipe.py");
    assert!(std::process::Command::new("mkfifo").arg(pipe).status().unwrap().success());
    not_judged(&folder, "pipe.py", "no file");
}

#[test]
fn an_unreadable_file_is_not_judged() {
    let folder = tree(&[("a.py", b"x = 1\n")]);
    let path = folder.path().join("a.py");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o0)).unwrap();
    if fs::read(&path).is_err() {
        not_judged(&folder, "a.py", "cannot be read");
    } else {
        // a superuser reads everything: a folder in the place of a file's name cannot be read as one
        symlink("missing", folder.path().join("b.py")).unwrap();
        not_judged(&folder, "b.py", "nowhere");
    }
}

#[test]
fn deep_nesting_ends() {
    for (name, open, close) in [("a.py", "(", ")"), ("a.js", "f(() => ", ")"), ("a.rs", "", ""), ("a.go", "[", "]")] {
        let text = match name {
            "a.rs" => format!("fn f() {{ {} }}", "vec![".repeat(20_000) + &"]".repeat(20_000) + ";"),
            "a.go" => format!("package p\nvar x = {}1{}", open.repeat(5_000), close.repeat(5_000)),
            _ => format!("{}1{}\n", open.repeat(20_000), close.repeat(20_000)),
        };
        judge(tree(&[(name, text.as_bytes())]).path(), &Options::default());
    }
    let chain = format!("x = a{}\n", ".b()".repeat(50_000));
    judge(tree(&[("chain.py", chain.as_bytes())]).path(), &Options::default());
    let wide = format!("x = [{}]\nprint(x)\n", "a, ".repeat(200_000));
    let audit = judge(tree(&[("wide.py", wide.as_bytes())]).path(), &Options::default());
    assert_eq!(audit.exit_code(), 1, "{audit}");
}

#[test]
fn other_languages_are_listed_unless_left_out_by_name() {
    let folder = tree(&[("a.py", b"x = 1\n"), ("lib/x.rb", b"puts 1\n"), ("m.so", b"\x7fELF")]);
    not_judged(&folder, "lib/x.rb", "ruby");
    not_judged(&folder, "m.so", "binary");
    let without =
        |names: &[&str]| Options { without: names.iter().map(|n| n.to_string()).collect(), ..Options::default() };
    let audit = judge(folder.path(), &without(&["ruby", "binary"]));
    assert_eq!(audit.exit_code(), 0);
    assert!(audit.to_string().starts_with("left out by the caller: binary, ruby\n"), "{audit}");
    assert!(vitrine_source_audit::audit(folder.path(), &without(&["python"]), &Rules::standard()).is_err());
}

#[test]
fn vendored_code_is_judged_but_switches_nothing_off() {
    let off = b"import logging\nlogging.getLogger('werkzeug').disabled = True\n";
    let app = b"from flask import Flask\napp = Flask(__name__)\napp.logger.disabled = True\napp.run()\n";
    let folder = tree(&[("app.py", app), (".venv/lib/x.py", off), ("node_modules/x/i.js", b"console.log(1)\n")]);
    let audit = judge(folder.path(), &Options::default());
    let rules: Vec<&str> = audit.open(Level::Error).map(|finding| finding.rule.as_str()).collect();
    assert_eq!(rules, ["python.flask-server", "javascript.console"], "{audit}");
}

#[test]
fn waivers_need_a_reason_and_a_use() {
    let folder = tree(&[("a.py", b"print(1)\n")]);
    let judged = |text: &str| {
        let options = Options { waivers: waivers(text).unwrap(), ..Options::default() };
        judge(folder.path(), &options)
    };
    let waiver =
        |rule: &str, reason: &str| format!("[[waiver]]\nrule = \"{rule}\"\npath = \"a.py\"\nreason = \"{reason}\"\n");
    assert_eq!(judged(&waiver("python.print", "a tool for the operator")).exit_code(), 0);
    assert_eq!(judged(&waiver("python.print", " ")).exit_code(), 1);
    let unused = judged(&(waiver("python.print", "x") + &waiver("python.file", "x")));
    assert_eq!(unused.exit_code(), 1);
    assert!(unused.to_string().contains("waiver.unused"), "{unused}");
    assert!(waivers("[[waiver]]\nrule = \"x\"\n").is_err());
}

#[test]
fn a_finding_for_review_is_neither_accepted_nor_refused() {
    assert_eq!(judge(tree(&[("a.py", b"eval(x)\n")]).path(), &Options::default()).exit_code(), 2);
}

#[test]
fn reports_are_deterministic() {
    let folder = tree(&[("b.py", b"print(1)\nprint(2)\n"), ("a.js", b"console.log(1)\n"), ("c.rb", b"1\n")]);
    let text = |audit: Audit| serde_json::to_string(&audit).unwrap();
    let first = text(judge(folder.path(), &Options::default()));
    assert_eq!(first, text(judge(folder.path(), &Options::default())));
    assert!(first.contains("\"path\":\"b.py\",\"line\":2"), "{first}");
}

/// Files in memory, as a build reads them, are judged like a folder: paths, limits, vendored folders, what is no code.
#[test]
fn files_in_memory_are_judged_like_a_folder() {
    let large = vec![b'#'; 5 << 20];
    let files: &[(&str, &[u8])] = &[
        ("a/b.py", b"import logging\nlogging.info(1)\n"),
        ("a-b.py", b"print(1)\n"),
        ("vendor/x.py", b"print(1)\n"),
        ("large.py", &large),
        ("large.txt", &large),
        ("bad.py", b"\xff"),
        ("tool", b"\x7fELF"),
        ("requirements.txt", b"sentry-sdk\n"),
    ];
    let options = Options { without: ["sql".to_string()].into(), ..Options::default() };
    let folder = judge(tree(files).path(), &options);
    let memory = files.iter().map(|(path, bytes)| ((*path).to_string(), bytes.to_vec())).collect();
    assert_eq!(audit_files(&memory, &options, &Rules::standard()).unwrap(), folder);
    assert!(folder.not_judged.len() == 3 && folder.exit_code() == 1, "{folder}");
    let unknown = Options { without: ["cobol".to_string()].into(), ..Options::default() };
    assert!(audit_files(&memory, &unknown, &Rules::standard()).is_err());
    assert!(is_code("a/run", b"#!/usr/bin/python3\n") && !is_code("a/notes", b"text") && !is_code("a.rb", b"x"));
}
