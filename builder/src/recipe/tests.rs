use super::*;
use std::fs;
use vitrine_attest::Blame;

const BASE: &str = r#"
version = "1"
[debian]
suite = "trixie"
packages = ["libc6", "linux-image-amd64"]
without.kmod = "modules are loaded by init"
[image]
modules = ["wireguard"]
cmdline = "quiet audit=0"
[config]
wireguard.addresses = ["10.66.0.1/24"]
[[waiver]]
rule = "a"
path = "/b"
reason = "c"
"#;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

fn load(files: &[(&str, &str)], set: &[(&str, &str)]) -> Result<Recipe> {
    let dir = folder(files);
    let set: Vec<_> = set.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    Recipe::load(&dir.path().join(files[0].0), &set)
}

fn refused(files: &[(&str, &str)], part: &str) {
    let error = load(files, &[]).expect_err(part);
    assert_eq!(error.blame, Blame::Input, "{error}");
    assert!(error.to_string().contains(part), "no {part:?} in: {error}");
    assert!(!error.hint.is_empty());
}

#[test]
fn child_over_parent() {
    let child = r#"
name = "exit"
inherits = ["base.toml"]
[debian]
packages.add = ["busybox-static"]
without.perl = "a reason"
[image]
modules = ["tun"]
cmdline.add = "console=ttyS0"
[config]
wireguard.port = 4500
[[waiver]]
rule = "d"
path = "/e"
reason = "f"
[release]
not_after = 2027-11-20
"#;
    let recipe = load(&[("exit.toml", child), ("base.toml", BASE)], &[]).unwrap();
    assert_eq!(recipe.debian.packages, ["libc6", "linux-image-amd64", "busybox-static"]);
    assert_eq!(recipe.debian.without.len(), 2);
    assert_eq!(recipe.image.modules, ["tun"]);
    assert_eq!(recipe.image.cmdline, "quiet audit=0 console=ttyS0");
    assert_eq!(recipe.config.wireguard.port, 4500);
    assert_eq!(recipe.config.wireguard.addresses.len(), 1);
    assert_eq!(recipe.waivers.len(), 2);
    assert_eq!(recipe.release.not_after.as_deref(), Some("2027-11-20"));
    assert_eq!(recipe.image.programs, ["vitrine-init", "vitrine-agent"]);
}

#[test]
fn set_wins_and_keeps_the_kind() {
    let own = format!("name = \"exit\"\n{BASE}");
    let owner = "Wu0AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let set =
        [("version", "2"), ("config.wireguard.port", "99"), ("config.owner", owner), ("image.modules", "[\"a\"]")];
    let recipe = load(&[("exit.toml", &own)], &set).unwrap();
    assert_eq!((recipe.version.as_str(), recipe.config.wireguard.port), ("2", 99));
    assert_eq!(recipe.config.owner.unwrap().to_string(), owner);
    assert_eq!(recipe.image.modules, ["a"]);
    let error = load(&[("exit.toml", &own)], &[("config.prot", "1")]).unwrap_err();
    assert!(error.what.contains("--set config.prot: unknown field"), "{error}");
    assert!(load(&[("exit.toml", &own)], &[("a..b", "1")]).is_err());
}

#[test]
fn merged_form_is_read_back() {
    let own = format!("name = \"exit\"\n{BASE}");
    let mut first =
        load(&[("exit.toml", &own)], &[("config.network", "{ mode = \"static\", addresses = [\"192.0.2.2/24\"] }")])
            .unwrap();
    let text = first.to_toml().unwrap();
    let mut second = load(&[("1-recipe.toml", &text)], &[]).unwrap();
    (first.file, second.file) = (PathBuf::new(), PathBuf::new());
    assert_eq!(first, second);
    assert_eq!(second.to_toml().unwrap(), text);
    assert_eq!(first.debian.digest().unwrap(), second.debian.digest().unwrap());
}

#[test]
fn unknown_fields_name_file_and_line() {
    let own = "name = \"exit\"\ninherits = [\"base.toml\"]\n\n[config]\nwireguard.porf = 1\n";
    refused(&[("exit.toml", own), ("base.toml", BASE)], "exit.toml:5: unknown field `porf`");
    let own = "name = \"exit\"\ninherits = [\"base.toml\"]\n";
    let base = format!("{BASE}more = 1\n");
    let line = base.lines().count();
    refused(&[("exit.toml", own), ("base.toml", &base)], &format!("base.toml:{line}: unknown field `more`"));
    refused(&[("exit.toml", "nam = \"x\"\n"), ("base.toml", BASE)], "exit.toml:1: unknown field `nam`");
}

#[test]
fn wrong_types_and_values_name_file_and_line() {
    let own = "name = \"exit\"\ninherits = [\"base.toml\"]\n[config]\nwireguard.addresses = [\n  \"fd66::1/64\",\n  \"10.0.0.1/99\"]\n";
    refused(&[("exit.toml", own), ("base.toml", BASE)], "exit.toml:4: \"99\" is no prefix");
    refused(&[("exit.toml", "name = 7\ninherits = [\"base.toml\"]"), ("base.toml", BASE)], "exit.toml:1: ");
    refused(&[("exit.toml", "name =")], "exit.toml:1: not TOML");
    refused(&[("exit.toml", "name = 1.5")], "exit.toml:1: a recipe holds no fractions");
    refused(&[("exit.toml", "inherits = 1")], "exit.toml:1: `inherits`");
    refused(&[("exit.toml", BASE)], "missing field `name`");
}

#[test]
fn inheritance_ends() {
    refused(&[("a.toml", "inherits = [\"b.toml\"]"), ("b.toml", "inherits = [\"a.toml\"]")], "inherits from itself");
    refused(&[("a.toml", "inherits = [\"a.toml\"]")], "inherits from itself");
    refused(&[("a.toml", "inherits = [\"none.toml\"]")], "none.toml cannot be read");
    let ladder: Vec<_> = (0..10)
        .map(|n| (format!("{n}.toml"), format!("inherits = [\"{}.toml\", \"{}.toml\"]", n + 1, n + 1)))
        .collect();
    let ladder: Vec<_> = ladder.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect();
    refused(&ladder, "generations");
}

#[test]
fn unusable_values_are_all_reported() {
    for (key, value, part) in [
        ("name", "Exit 1", "name"),
        ("version", "1 2", "version"),
        ("debian.architecture", "arm64", "only amd64"),
        ("debian.suite", "../x", "no name of a suite"),
        ("debian.packages", "[\"../x\"]", "no package name"),
        ("debian.packages", "[\"kmod\"]", "in debian.without"),
        ("debian.without.perl", "\" \"", "has no reason"),
        ("image.include", "[\"/a/../b\"]", "absolute path"),
        ("image.include", "[\"a\"]", "absolute path"),
        ("image.kernel", "/", "absolute path"),
        ("image.cmdline", "a\nb", "one line"),
        ("image.level", "23", "1 to 22"),
        ("image.modules", "[\"/x\"]", "module"),
        ("release.not_after", "soon", "no date"),
        ("config.wireguard.port", "0", "config.wireguard.port is 0"),
    ] {
        let own = format!("name = \"exit\"\n{BASE}");
        let error = load(&[("exit.toml", &own)], &[(key, value)]).expect_err(key);
        assert!(error.what.contains(part), "{key}: {error}");
    }
}

/// Whatever bytes stand in a recipe: an error or a recipe, never a panic.
#[test]
fn altered_recipes_never_panic() {
    let good = format!("name = \"exit\"\n{BASE}").into_bytes();
    let dir = folder(&[]);
    let path = dir.path().join("x.toml");
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        fs::write(&path, &bad).unwrap();
        let _ = Recipe::load(&path, &[]);
        fs::write(&path, &good[..at]).unwrap();
        let _ = Recipe::load(&path, &[]);
    }
}
