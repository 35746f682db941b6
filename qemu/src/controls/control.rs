//! One mutation control: `qemu/controls/NAME.toml`.

use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use toml::{Table, Value};
use vitrine_attest::{Error, Result};

/// The server that a variant is a variant of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// For masks and screen; nothing is booted. Verifiers refuse an image of this name.
    Screened,
    /// For the behavioural proof, which orders and checks it like any other server. Its name is a usual one; it is signed
    /// with keys that are made for it and deleted with it.
    Proven(Server),
}

/// What the behavioural proof boots.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Server {
    #[default]
    Exit,
    Gateway,
}

impl Base {
    /// In the folder of controls, or beside it.
    pub fn file(self) -> &'static str {
        match self {
            Self::Screened => "base.toml",
            Self::Proven(Server::Exit) => "proof.toml",
            Self::Proven(Server::Gateway) => "../tests/recipes/prove-gateway.toml",
        }
    }

    /// The same of its lock: no control takes a file of another package into a gateway.
    pub fn lock(self) -> &'static str {
        match self {
            Self::Screened | Self::Proven(Server::Exit) => "base.lock.toml",
            Self::Proven(Server::Gateway) => "../../recipes/gateway.lock.toml",
        }
    }

    fn image_name(self, control: &str) -> String {
        match self {
            Self::Screened => format!("dev-control-{control}"),
            Self::Proven(_) => format!("control-{control}"),
        }
    }
}

/// Who has to catch a mutation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// It is taken out of the tree.
    Mask,
    /// The build is refused.
    Screen,
    /// The behavioural proof counts something.
    Proof,
}

impl Layer {
    pub fn name(self) -> &'static str {
        match self {
            Self::Mask => "mask",
            Self::Screen => "screen",
            Self::Proof => "proof",
        }
    }
}

/// A mutation. Sample:
/// ```toml
/// what = "a packet filter that can log"
/// why = "a log rule writes addresses of both sides"
///
/// [image]                     # laid over base.toml, like a recipe
/// modules.add = ["nft_log"]
///
/// [[caught_by]]               # each of them has to
/// layer = "screen"
/// rules = ["module.never"]    # one of them has to; of the proof: a class, such as "E3"
/// ```
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Control {
    #[serde(skip)]
    pub name: String,
    pub what: String,
    pub why: String,
    #[serde(default)]
    image: Table,
    /// A feature of our programs that shipped builds never have: `control-…`.
    #[serde(default)]
    pub feature: Option<String>,
    /// What the proof boots: `exit` where nothing is said, or `gateway`.
    #[serde(default)]
    pub server: Server,
    pub caught_by: Vec<Expected>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    pub layer: Layer,
    pub rules: Vec<String>,
    /// Mask: these paths have to be gone.
    #[serde(default)]
    pub paths: Vec<String>,
}

/// An exception in a recipe.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Waiver {
    pub rule: String,
    pub path: String,
    pub reason: &'static str,
}

impl Control {
    /// All controls in a folder, sorted by name.
    ///
    /// # Errors
    /// Blame Input, when a file cannot be read or is none, or there is none.
    pub fn all(folder: &Path) -> Result<Vec<Self>> {
        let hint = "give the folder with --folder, such as qemu/controls";
        let unreadable = |e: std::io::Error| Error::input(format!("{}: {e}", folder.display()), hint);
        let mut paths = Vec::new();
        for entry in fs::read_dir(folder).map_err(unreadable)? {
            paths.push(entry.map_err(unreadable)?.path());
        }
        let wanted = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let exit = Base::Proven(Server::Exit);
            let not_one = [Base::Screened.file(), exit.file(), exit.lock()];
            name.ends_with(".toml") && !not_one.contains(&&*name)
        };
        paths.retain(wanted);
        paths.sort();
        match paths.is_empty() {
            true => Err(Error::input(format!("{}: there are no controls", folder.display()), hint)),
            false => paths.iter().map(|path| Self::read(path)).collect(),
        }
    }

    /// No mutation at all: what the proof has to let pass.
    pub fn unchanged(server: Server) -> Self {
        let none = String::new;
        let (image, feature, caught_by) = (Table::new(), None, Vec::new());
        Self { name: "unchanged".into(), what: none(), why: none(), image, feature, server, caught_by }
    }

    fn read(path: &Path) -> Result<Self> {
        let refuse = |what: String| Error::input(format!("{}: {what}", path.display()), "correct the control");
        let text = fs::read_to_string(path).map_err(|e| refuse(e.to_string()))?;
        let mut control: Self = toml::from_str(&text).map_err(|e| refuse(e.to_string()))?;
        control.name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if control.caught_by.is_empty() {
            return Err(refuse("nobody is expected to catch it".into()));
        }
        if control.feature.as_ref().is_some_and(|feature| !feature.starts_with("control-")) {
            return Err(refuse("a feature has to begin with control-".into()));
        }
        Ok(control)
    }

    /// `dev-control-nft-log`
    pub fn image_name(&self, base: Base) -> String {
        base.image_name(&self.name)
    }

    /// The variant's recipe. Paths in it are absolute: it may lie anywhere.
    ///
    /// # Errors
    /// When the folder cannot be found.
    pub fn recipe(&self, folder: &Path, base: Base, waivers: &[Waiver]) -> Result<String> {
        let folder = folder
            .canonicalize()
            .map_err(|e| Error::input(format!("{}: {e}", folder.display()), "give the folder with --folder"))?;
        let absolute = |name: &str| Value::String(folder.join(name).display().to_string());
        let mut image = self.image.clone();
        if let Some(Value::Table(files)) = image.get_mut("files") {
            for (_, source) in files.iter_mut() {
                *source = absolute(source.as_str().unwrap_or_default());
            }
        }
        let mut recipe = Table::new();
        recipe.insert("name".into(), Value::String(self.image_name(base)));
        recipe.insert("inherits".into(), Value::Array(vec![absolute(base.file())]));
        recipe.insert("image".into(), Value::Table(image));
        if !waivers.is_empty() {
            let list = Value::try_from(waivers).map_err(|e| Error::bug(format!("waivers have no TOML form: {e}")))?;
            recipe.insert("waiver".into(), list);
        }
        toml::to_string(&recipe).map_err(|e| Error::bug(format!("a control has no TOML form: {e}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("controls")
    }

    #[test]
    fn each_mutation_of_the_reference_has_a_control() {
        let names: Vec<String> = Control::all(&folder()).unwrap().into_iter().map(|control| control.name).collect();
        let wanted = [
            "busybox-syslogd",
            "core-pattern",
            "dnsmasq-log-queries",
            "dyndbg",
            "efi-pstore",
            "exporter-endpoint",
            "exporter-path",
            "gateway-keep-request",
            "init-on-free",
            "janitor-off",
            "journald-volatile",
            "netconsole",
            "nft-log",
            "resolver-panic-name",
            "tcpdump",
            "unbound-log-queries",
        ];
        assert_eq!(names, wanted);
    }

    #[test]
    fn a_variant_is_named_so_that_verifiers_refuse_it() {
        let waiver = Waiver { rule: "a".into(), path: "/b".into(), reason: "a control" };
        for control in Control::all(&folder()).unwrap() {
            assert!(vitrine_attest::evidence::is_dev_name(&control.image_name(Base::Screened)), "{}", control.name);
            let recipe = control.recipe(&folder(), Base::Screened, std::slice::from_ref(&waiver)).unwrap();
            let recipe: Table = toml::from_str(&recipe).unwrap();
            assert_eq!(recipe["waiver"].as_array().unwrap().len(), 1);
            assert!(Path::new(recipe["inherits"][0].as_str().unwrap()).is_absolute());
        }
    }

    #[test]
    fn wrong_controls_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Control::all(dir.path()).is_err());
        let write = |text: &str| {
            fs::write(dir.path().join("a.toml"), text).unwrap();
            Control::all(dir.path())
        };
        let good = "what = \"a\"\nwhy = \"b\"\n[[caught_by]]\nlayer = \"screen\"\nrules = [\"x\"]\n";
        assert_eq!(write(good).unwrap()[0].name, "a");
        assert!(write("what = \"a\"\nwhy = \"b\"\ncaught_by = []\n").is_err());
        assert!(write(&good.replace("screen", "nobody")).is_err());
        assert!(write(&format!("feature = \"probe\"\n{good}")).is_err());
        assert_eq!(write(&format!("server = \"gateway\"\n{good}")).unwrap()[0].server, Server::Gateway);
        assert!(write(&format!("server = \"nothing\"\n{good}")).is_err());
    }
}
