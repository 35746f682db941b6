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
wireguard.ports = [4500]
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
    assert_eq!(recipe.config.wireguard.ports, [4500]);
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
        [("version", "2"), ("config.wireguard.mtu", "1300"), ("config.owner", owner), ("image.modules", "[\"a\"]")];
    let recipe = load(&[("exit.toml", &own)], &set).unwrap();
    assert_eq!((recipe.version.as_str(), recipe.config.wireguard.mtu), ("2", 1300));
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
    refused(&[("exit.toml", BASE)], "exit.toml: missing field `name`");
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
        ("config.wireguard.ports", "[0]", "config.wireguard.ports: port 0 does not exist"),
        ("config.resolver", "{ cache = { ttl = \"10m\" } }", "config.resolver.cache.ttl: at most 5m"),
        ("image.programs", "[\"vitrine-init\"]", "image.programs lacks vitrine-agent"),
        ("image.blocklist", "list.txt", "image.blocklist needs a config.resolver"),
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

/// The lines of a refusal, without the folder.
fn complaints(files: &[(&str, &str)]) -> Vec<String> {
    let dir = folder(files);
    let error = Recipe::load(&dir.path().join(files[0].0), &[]).expect_err("a broken recipe was taken");
    let folder = format!("{}/", dir.path().display());
    error.what.lines().map(|line| line.replace(&folder, "")).collect()
}

/// Wrong types, unknown fields, missing fields and unusable values of all files in one go, each with its line.
#[test]
fn everything_wrong_is_said_at_once() {
    let own = r#"name = "exit"
inherits = ["base.toml"]
colour = "red"
[image]
level = "high"
[config]
wireguard.ports = [0, 1, 1]
wireguard.mtu = 70000
wireguard.rotation = { every = "1w", overlap = "1h", ports = [2] }
network = { mode = "static", addresses = ["192.0.2.2/24"], gatway4 = "192.0.2.1" }
attestation.port = 0
metrics.level = "L2"
peers.dedicated = true
janitor.tick = "2h"
[config.resolver]
transports = ["plain", "carrier-pigeon"]
cache.ttl = "1h"
upstream = { mode = "forward", servers = [{ protocol = "dot", address = "192.0.2.53" }] }
"#;
    let base = format!("{BASE}[release]\nnot_after = \"soon\"\n");
    let found = complaints(&[("exit.toml", own), ("base.toml", &base)]);
    let expected = [
        ("base.toml:17", "no date"),
        ("exit.toml:3", "unknown field `colour`"),
        ("exit.toml:5", "invalid type: string \"high\""),
        ("exit.toml:7", "port 0 does not exist"),
        ("exit.toml:7", "named twice"),
        ("exit.toml:8", "70000"),
        ("exit.toml:9", "1w"),
        ("exit.toml:9", "as many as wireguard.ports"),
        ("exit.toml:10", "gatway4"),
        ("exit.toml:11", "attestation.port is 0"),
        ("exit.toml:12", "metrics.level is L2 on a dedicated server"),
        ("exit.toml:14", "janitor.tick"),
        ("exit.toml:16", "carrier-pigeon"),
        ("exit.toml:17", "resolver.cache.ttl"),
        ("exit.toml:18", "socket address"),
    ];
    for (place, part) in expected {
        assert!(
            found.iter().any(|line| line.starts_with(&format!("{place}: ")) && line.contains(part)),
            "no {place} {part} in\n{}",
            found.join("\n")
        );
    }
    assert_eq!(found.len(), expected.len(), "{}", found.join("\n"));
}

/// What had to be replaced to read on is not complained about a second time.
#[test]
fn required_fields_of_the_wrong_type() {
    let own =
        "name = 7\nversion = 1\n[debian]\nsuite = 1\npackages = \"libc6\"\n[config]\nwireguard.addresses = \"x\"\n";
    let found = complaints(&[("exit.toml", own)]);
    let lines: Vec<_> = found.iter().map(|line| line.split(": ").next().unwrap()).collect();
    assert_eq!(lines, ["exit.toml:1", "exit.toml:2", "exit.toml:4", "exit.toml:5", "exit.toml:7"], "{found:#?}");
    let found = complaints(&[("exit.toml", "name = \"Exit\"\n[config]\nwireguard.mtu = 1\n")]);
    let missing = ["version", "debian", "addresses"].map(|field| format!("missing field `{field}`"));
    assert!(missing.iter().all(|part| found.iter().any(|line| line.contains(part))), "{found:#?}");
    assert!(
        found.contains(&"exit.toml:1: name \"Exit\" has to be 1–64 of a–z, 0–9 and -, a letter or digit first".into())
    );
    assert!(found.iter().any(|line| line.starts_with("exit.toml:3: config.wireguard.mtu is 1")), "{found:#?}");
}

/// A dedicated server's metrics would be a log of a person.
#[test]
fn dedicated_servers_refuse_the_second_level() {
    let own = format!("name = \"dedicated\"\n{BASE}");
    let set = |level| [("config.peers.dedicated", "true"), ("config.metrics.level", level)];
    let error = load(&[("x.toml", &own)], &set("L2")).unwrap_err();
    assert!(error.what.starts_with("--set config.metrics.level: config.metrics.level is L2"), "{error}");
    for level in ["L0", "L1"] {
        load(&[("x.toml", &own)], &set(level)).unwrap();
    }
}

#[test]
fn programs_follow_the_configuration() {
    let own = format!("name = \"exit\"\n{BASE}");
    let programs = |set: &[(&str, &str)]| load(&[("x.toml", &own)], set).unwrap().image.programs;
    assert_eq!(programs(&[("config.resolver", "{}")]), ["vitrine-init", "vitrine-agent", "vitrine-resolver"]);
    let gateway =
        r#"{routes=[{prefix="/",upstream="a"}],upstreams={a={addresses=["192.0.2.1:443"],name="a.example"}}}"#;
    assert_eq!(programs(&[("config.gateway", gateway)]), ["vitrine-init", "vitrine-agent", "vitrine-gateway"]);
    assert_eq!(programs(&[("config.metrics.level", "L1")]), ["vitrine-init", "vitrine-agent", "vitrine-metrics"]);
    let more = "[\"vitrine-init\", \"vitrine-agent\", \"vitrine-probe\"]";
    assert_eq!(programs(&[("image.programs", more)]), ["vitrine-init", "vitrine-agent", "vitrine-probe"]);
}

/// The list lies beside the recipe that names it, wherever the one is that inherits from that.
#[test]
fn blocklists_are_hashed_into_the_configuration() {
    let dir = folder(&[("exit.toml", "name = \"exit\"\ninherits = [\"lists/base.toml\"]\n")]);
    fs::create_dir(dir.path().join("lists")).unwrap();
    let base =
        BASE.replace("[image]", "[image]\nblocklist = \"ads.txt\"").replace("[config]", "[config]\nresolver = {}");
    fs::write(dir.path().join("lists/base.toml"), base).unwrap();
    let load = |set: &[(String, String)]| Recipe::load(&dir.path().join("exit.toml"), set);
    let missing = load(&[]).unwrap_err();
    assert!(
        missing.what.contains("base.toml:8: image.blocklist: ") && missing.what.contains("cannot be read"),
        "{missing}"
    );
    fs::write(dir.path().join("lists/ads.txt"), "0.0.0.0 B.example\na.example\n").unwrap();
    let recipe = load(&[]).unwrap();
    let digest = Sha256::of(b"a.example\nb.example\n");
    assert_eq!(recipe.blocklist.as_deref(), Some(&b"a.example\nb.example\n"[..]));
    assert_eq!(recipe.config.resolver.unwrap().blocklist, Some(digest));
    let set = |digest: Sha256| load(&[("config.resolver.blocklist".into(), digest.to_string())]);
    set(digest).unwrap();
    assert!(set(Sha256::ZERO).unwrap_err().what.contains("is for another list"));
    fs::write(dir.path().join("lists/ads.txt"), "a.example\n||b.example^\n").unwrap();
    let wrong = load(&[]).unwrap_err();
    assert!(wrong.what.contains("ads.txt:2: ") && wrong.what.contains("is no name"), "{wrong}");
}

/// The shipped recipes are what the firewall's golden files were made from.
#[test]
fn shipped_recipes_have_the_golden_rules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for name in ["exit", "dedicated", "resolver"] {
        let recipe = Recipe::load(&root.join(format!("recipes/{name}.toml")), &[]).unwrap();
        let golden = root.join(format!("initramfs/firewall/tests/golden/{name}.nft"));
        let batch = vitrine_firewall::encode(&vitrine_firewall::ruleset(&recipe.config));
        let found = vitrine_firewall::decode(&batch.bytes).unwrap().to_string();
        assert_eq!(found, fs::read_to_string(golden).unwrap(), "{name}");
    }
}

#[test]
fn files_come_from_beside_the_recipe_that_names_them() {
    let dir = tempfile::tempdir().unwrap();
    let base = BASE.replace("[image]", "[image]\nfiles = { \"/etc/a.conf\" = \"a.conf\" }");
    std::fs::create_dir(dir.path().join("parent")).unwrap();
    std::fs::write(dir.path().join("parent/base.toml"), base).unwrap();
    let child = dir.path().join("child.toml");
    let write = |files: &str| {
        let text = format!("name = \"child\"\ninherits = [\"parent/base.toml\"]\n[image.files]\n{files}");
        std::fs::write(&child, text).unwrap();
        Recipe::load(&child, &[])
    };
    assert!(write("").unwrap_err().what.contains("a.conf cannot be read"));
    std::fs::write(dir.path().join("parent/a.conf"), "a").unwrap();
    std::fs::write(dir.path().join("b.conf"), "b").unwrap();
    let recipe = write("\"/etc/b.conf\" = \"b.conf\"\n").unwrap();
    assert_eq!(recipe.files.keys().map(String::as_str).collect::<Vec<_>>(), ["/etc/a.conf", "/etc/b.conf"]);
    assert_eq!(recipe.files["/etc/b.conf"], b"b");
    for path in ["etc/b.conf", "/etc/../b.conf", "/"] {
        assert!(write(&format!("\"{path}\" = \"b.conf\"\n")).unwrap_err().what.contains("absolute"), "{path}");
    }
}

#[test]
fn whole_packages_and_systemd() {
    let image = |more: &str| BASE.replace("[image]\n", &format!("[image]\n{more}\n"));
    let own = |more: &str| format!("name = \"s\"\n{}", image(more)).replace("\"libc6\"", "\"libc6\", \"systemd\"");
    let recipe = load(&[("s.toml", &own("whole = [\"systemd\"]\npid1 = \"systemd\""))], &[]).unwrap();
    assert_eq!((recipe.image.whole.as_slice(), recipe.image.pid1), (&["systemd".to_string()][..], Pid1::Systemd));
    let plain = load(&[("s.toml", &own(""))], &[]).unwrap();
    assert_eq!(plain.image.pid1, Pid1::Vitrine);
    assert!(!plain.to_toml().unwrap().contains("pid1"), "a recipe without it reads as before");
    refused(&[("s.toml", &own("whole = [\"bash\"]"))], "\"bash\" of image.whole is not in debian.packages");
    refused(&[("s.toml", &own("pid1 = \"systemd\""))], "image.pid1 is \"systemd\", which has to be in image.whole");
    refused(&[("s.toml", &own("pid1 = \"sysvinit\""))], "unknown variant `sysvinit`");
}

/// What a parent allows, a child may change; what is no size is refused with its line.
#[test]
fn budgets() {
    let own = |budget: &str| {
        let head = format!("name = \"exit\"\ninherits = [\"base.toml\"]\n[image]\nbudget = {budget}\n");
        load(&[("exit.toml", head.as_str()), ("base.toml", BASE)], &[])
    };
    let recipe = own("\"20 MB\"").unwrap();
    assert_eq!(recipe.image.budget.map(|budget| budget.0), Some(20_000_000));
    assert!(recipe.to_toml().unwrap().contains("budget = \"20 MB\""));
    let child = "name = \"dev\"\ninherits = [\"exit.toml\"]\n[image]\nbudget = \"1 GiB\"\n";
    let exit = "name = \"exit\"\ninherits = [\"base.toml\"]\n[image]\nbudget = \"20 MB\"\n";
    let recipe = load(&[("dev.toml", child), ("exit.toml", exit), ("base.toml", BASE)], &[]).unwrap();
    assert_eq!(recipe.image.budget.map(|budget| budget.0), Some(1 << 30));
    for bad in ["20", "\"20\"", "\"0 MB\"", "\"20 mb\"", "[\"20 MB\"]"] {
        let error = own(bad).unwrap_err();
        assert!(error.what.starts_with("exit.toml:4: ") || error.what.contains("exit.toml:4: "), "{bad}: {error}");
    }
}
