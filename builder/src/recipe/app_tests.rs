//! Recipes with a program of the operator's own: both shapes, and what is neither.

use super::*;
use crate::recipe::{Memory, Recipe};
use std::path::PathBuf;
use vitrine_attest::{Blame, Error};

const RECIPE: &str = r#"
name = "x"
version = "1"
[debian]
suite = "trixie"
packages = ["libc6"]
[app]
files = "srv"
command = ["/usr/bin/python3", "-I", "-B", "/srv/lib/server.py"]
port = 8000
[config]
wireguard.addresses = ["10.66.0.1/24"]
[config.gateway]
port = 443
routes = [{ prefix = "/", upstream = "a" }]
upstreams.a = { addresses = ["127.0.0.1:8000"], name = "localhost", protocol = "plain" }
"#;

/// Of files beside the recipe, in memory.
fn load(text: &str) -> Result<Recipe, Error> {
    let files = [
        ("r/x.toml", text),
        ("r/srv/lib/server.py", "pass\n"),
        ("r/srv/notes", "text\n"),
        ("r/bin/server", "\x7fELF"),
        ("r/src/server.py", "pass\n"),
        ("r/app.waivers.toml", "[[waiver]]\nrule = \"a\"\npath = \"b\"\nreason = \"c\"\n"),
    ];
    let files = files.map(|(path, text)| (PathBuf::from(path), text.as_bytes().to_vec()));
    Recipe::load_from(&Memory(files.into()), Path::new("r/x.toml"), &[])
}

fn with(from: &str, to: &str) -> Result<Recipe, Error> {
    assert!(RECIPE.contains(from), "{from}");
    load(&RECIPE.replace(from, to))
}

const BINARY: &str = "files = \"bin\"\nsources = \"src\"\ncommand = [\"/srv/server\"]";

#[test]
fn an_interpreter_runs_what_is_audited() {
    let recipe = load(RECIPE).unwrap();
    let (input, app) = (recipe.app_input.unwrap(), recipe.config.app.unwrap());
    assert_eq!(input.program, AppProgram::Interpreted);
    assert_eq!(input.files.keys().collect::<Vec<_>>(), ["lib/server.py", "notes"]);
    assert_eq!((app.port, app.limits, app.command.len()), (8000, AppLimits::default(), 4));
    assert_eq!(recipe.image.programs, ["vitrine-init", "vitrine-agent", "vitrine-gateway", "vitrine-launcher"]);
    let listed = format!("{}  lib/server.py\n{}  notes\n", Sha256::of(b"pass\n"), Sha256::of(b"text\n"));
    assert_eq!(input.sources_digest(), Sha256::of(listed.as_bytes()));
    let waived = with("port = 8000", "port = 8000\nwaivers = \"app.waivers.toml\"").unwrap().app_input.unwrap();
    assert_eq!(waived.waivers[0].reason, "c");
    assert_ne!(waived.digest(), input.digest());
}

#[test]
fn a_binary_names_its_sources() {
    let command = RECIPE.lines().find(|line| line.starts_with("command")).unwrap();
    let text = RECIPE.replace("files = \"srv\"\n", "").replace(command, BINARY);
    let input = load(&text).unwrap().app_input.unwrap();
    assert_eq!((input.program, input.sources().len()), (AppProgram::Binary, 1));
    let error = load(&text.replace("sources = \"src\"\n", "")).unwrap_err();
    assert!(error.what.contains("r/x.toml:") && error.what.contains("app.sources: the program is a binary"), "{error}");
    let error = load(&text.replace("/srv/server", "/srv/none")).unwrap_err();
    assert!(error.what.contains("app.command: app.files holds no none"), "{error}");
}

/// The merged recipe that a build leaves says the same again.
#[test]
fn read_back() {
    let recipe = load(RECIPE).unwrap();
    let again = load(&recipe.to_toml().unwrap()).unwrap();
    assert_eq!(again, recipe);
}

#[test]
fn refusals() {
    let script = "\"/srv/lib/server.py\"";
    for (from, to, part) in [
        ("files = \"srv\"", "files = \"none\"", "app.files: r/none: not in the archive"),
        ("files = \"srv\"", "files = \"../..\"", "app.files"),
        ("files = \"srv\"", "folder = \"srv\"", "folder"),
        ("port = 8000\n", "port = 8000\nsources = \"src\"\n", "app.sources: an interpreter runs app.files"),
        ("port = 8000\n", "port = 8000\nwaivers = \"none\"\n", "app.waivers: r/none"),
        ("port = 8000\n", "port = 8001\n", "app: nobody calls it"),
        ("port = 8000\n", "port = 80\n", "app.port is 80"),
        ("port = 8000\n", "port = 8000\ninclude = [\"usr/bin/x\"]\n", "app.include: \"usr/bin/x\""),
        ("port = 8000\n", "port = 8000\nexclude = [\"/../x\"]\n", "app.exclude: \"/../x\""),
        ("port = 8000\n", "port = 8000\nenvironment.LD_PRELOAD = \"/x\"\n", "LD_PRELOAD"),
        ("\"-I\", \"-B\", ", "\"-c\", \"import os\", ", "the first word after the interpreter"),
        ("\"-I\", \"-B\", ", "\"-cimport os\", ", "the first word after the interpreter"),
        ("\"-I\", \"-B\", ", "\"-m\", ", "the first word after the interpreter"),
        (script, "\"/srv/none.py\"", "the first word after the interpreter"),
        (script, "\"/srv/notes\"", "takes /srv/notes for data"),
        ("\"/usr/bin/python3\", \"-I\", \"-B\", ", "", "a script below /srv cannot be started"),
        ("[config]\n", "[config]\napp = { command = [\"/x\"], port = 8000 }\n", "config.app is set by [app]"),
        ("[config]\n", "[image]\nfiles.\"/app/srv/x\" = \"src/server.py\"\n[config]\n", "lies in the root of [app]"),
    ] {
        let error = with(from, to).expect_err(part);
        assert_eq!(error.blame, Blame::Input, "{error}");
        assert!(error.what.contains(part), "no {part:?} in: {error}");
    }
    let bare = RECIPE.replace("[app]\nfiles = \"srv\"\n", "[config.app]\n");
    assert!(load(&bare).unwrap_err().what.contains("config.app is set by [app], which is missing"));
}
