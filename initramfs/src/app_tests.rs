//! Roots of programs: what comes in, what stays out, what is refused.

use super::*;
use crate::cache::NoCache;
use crate::fixture::{deb, program, Tar, Wants};
use crate::sources::Package;
use crate::unpack::Coding;

const LIB: &str = "usr/lib/x86_64-linux-gnu";

/// An interpreter with a module that opens a database.
fn packages() -> Tar {
    let wants = Wants { interpreter: Some("/lib64/ld.so"), needed: &["libc.so.6"], ..Wants::default() };
    let module = program(&Wants { soname: Some("_sqlite3.so"), needed: &["libsqlite3.so.0"], ..Wants::default() });
    Tar::new()
        .file("usr/bin/python3", 0o755, &program(&wants))
        .file("usr/bin/data", 0o644, &program(&wants))
        .link("usr/bin/python", "python3")
        .file("usr/lib/py/os.py", 0o644, b"pass\n")
        .file("usr/lib/py/log/syslog.py", 0o644, b"pass\n")
        .file("usr/lib/py/load/_sqlite3.so", 0o644, &module)
        .link("usr/lib/py/site.py", "/etc/site.py")
        .file("etc/site.py", 0o644, b"pass\n")
        .file(&format!("{LIB}/libc.so.6"), 0o755, &program(&Wants { soname: Some("libc.so.6"), ..Wants::default() }))
        .file(&format!("{LIB}/ld.so"), 0o755, &program(&Wants::default()))
        .link("usr/lib64/ld.so", "../lib/x86_64-linux-gnu/ld.so")
}

fn selection() -> AppSelection {
    AppSelection {
        files: vec![("/srv/server.py".into(), Content::new(b"pass\n".to_vec()))],
        include: vec!["/usr/bin/python3".into(), "/usr/lib/py/**".into()],
        exclude: vec!["/usr/lib/py/log/**".into(), "**/_sqlite3.so".into()],
        program: "/usr/bin/python3".into(),
    }
}

fn grafted(app: &AppSelection) -> Result<Tree> {
    let bytes = deb("p", "1", Coding::Plain, packages());
    let load = || Ok(bytes.clone());
    let packages = [Package { name: "p", version: "1", sha256: Sha256::ZERO, load: &load }];
    let sources = Sources::open(&packages, &NoCache, &|_| ())?;
    let (root, contributed) = root(&sources, app)?;
    assert!(contributed.len() <= 1);
    let mut tree = Tree::new();
    graft(&mut tree, &root)?;
    Ok(tree)
}

fn refusal(change: impl FnOnce(&mut AppSelection)) -> String {
    let mut app = selection();
    change(&mut app);
    grafted(&app).unwrap_err().what
}

#[test]
fn everything_lies_below_app_and_what_is_excluded_brings_nothing() {
    let tree = grafted(&selection()).unwrap();
    let show = |(path, entry): (&ImagePath, &Entry)| match &entry.node {
        Node::Link(target) => Some(format!("{path} -> {target}")),
        Node::File(_) => Some(format!("{path} {:o}", entry.mode)),
        Node::Directory => None,
    };
    assert_eq!(
        tree.iter().filter_map(show).collect::<Vec<_>>(),
        [
            "/app/etc/site.py 444",
            "/app/lib64 -> usr/lib64",
            "/app/srv/server.py 444",
            "/app/usr/bin/python3 555",
            "/app/usr/lib/py/os.py 444",
            "/app/usr/lib/py/site.py -> ../../../etc/site.py",
            "/app/usr/lib/x86_64-linux-gnu/ld.so 555",
            "/app/usr/lib/x86_64-linux-gnu/libc.so.6 555",
            "/app/usr/lib64/ld.so -> ../lib/x86_64-linux-gnu/ld.so",
        ]
    );
    assert!(tree.iter().all(|(_, entry)| entry.layer == Layer::App));
    assert!(tree.get(&ImagePath::parse("/app/usr/lib/py/log").unwrap()).is_none());
}

#[test]
fn a_static_program_needs_nothing() {
    let program = Content::new(program(&Wants::default()));
    let app = AppSelection {
        files: vec![("/srv/server".into(), program.clone()), ("/srv/data/run".into(), Content::new(b"#!/x".to_vec()))],
        program: "/srv/server".into(),
        ..AppSelection::default()
    };
    let tree = grafted(&app).unwrap();
    let mode = |path: &str| tree.get(&ImagePath::parse(path).unwrap()).unwrap().mode;
    assert_eq!((mode("/app/srv/server"), mode("/app/srv/data/run"), tree.len()), (0o555, 0o555, 5));
    let digest = app_digest(&tree).unwrap();
    let lines = format!("100555 {}  /srv/data/run\n100555 {}  /srv/server\n", Sha256::of(b"#!/x"), program.sha256);
    assert_eq!(digest, Sha256::of(lines.as_bytes()));
    assert_eq!(app_digest(&Tree::new()), None);
}

fn link(app: &mut AppSelection, program: &str) {
    app.include.push(program.into());
    app.program = program.into();
}

#[test]
fn refusals() {
    for (what, part) in [
        (refusal(|app| app.program = "/usr/bin/python".into()), "no program /usr/bin/python in"),
        (refusal(|app| link(app, "/usr/bin/python")), "/usr/bin/python is a link to python3"),
        (refusal(|app| link(app, "/usr/bin/data")), "/usr/bin/data cannot be executed"),
        (refusal(|app| app.program = "/srv/server.py".into()), "/srv/server.py is no program"),
        (refusal(|app| app.program = "/srv".into()), "no program /srv in"),
        (refusal(|app| app.include.push("/usr/bin/none".into())), "no package of the lock has /usr/bin/none"),
        (refusal(|app| app.include.push("/usr/none/**".into())), "no package of the lock has /usr/none/**"),
        (refusal(|app| app.exclude.push("/usr/lib/py/typo.py".into())), "typo.py fits nothing"),
        (refusal(|app| app.exclude.truncate(1)), "needs libsqlite3.so.0"),
    ] {
        assert!(what.contains(part), "{what:?} lacks {part:?}");
    }
}
