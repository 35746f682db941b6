//! The forms of the rules, as `recipes/policy/*.toml` write them.

use serde::Deserialize;

/// What is taken out of a tree.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaskRule {
    pub id: String,
    pub why: String,
    #[serde(default)]
    pub remove: Vec<String>,
    /// Of these, what runs or is started: what the screen names in a tree that was not masked.
    #[serde(default)]
    pub runs: Vec<String>,
    /// Patterns of systemd unit names.
    #[serde(default)]
    pub null: Vec<String>,
    #[serde(default)]
    pub edit: Vec<Edit>,
}

/// Lines that go out of files which have to stay.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// Patterns of paths.
    pub files: Vec<String>,
    /// Texts; a line that holds one of them goes.
    pub lines: Vec<String>,
}

/// What a file may not be. See the head of `screen.toml`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FileRule {
    pub id: String,
    pub why: String,
    pub mend: String,
    /// Accepted in a development image.
    pub dev: bool,
    /// Accepted of the program that the measured configuration starts below `/app`.
    pub app: bool,
    /// Of programs, libraries, and links.
    pub names: Vec<String>,
    /// Names of any file.
    pub data: Vec<String>,
    pub paths: Vec<String>,
    /// Unit names; one that is masked by a link to `/dev/null` is none.
    pub units: Vec<String>,
    /// What `mask.toml` would take out, of units and of what runs.
    pub masks: bool,
    pub text: Vec<String>,
    /// `text` counts in scripts, too.
    pub scripts: bool,
    /// `text` counts only in a program that holds one of these, too.
    pub with: Vec<String>,
    pub imports: Vec<String>,
    /// Applets of a busybox or toybox.
    pub applets: Vec<String>,
    /// Names of kernel modules, in files and among those built into a kernel.
    pub modules: Vec<String>,
    pub module_imports: Vec<String>,
    pub secrets: Vec<Secret>,
    pub content: Option<ContentCheck>,
}

/// A secret: these bytes, then at least so many out of a set.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secret {
    /// `AKIA`, `AGE-SECRET-KEY-1`. Upper and lower case differ.
    pub begin: String,
    /// Characters and ranges: `A-Za-z0-9+/`.
    pub of: String,
    pub least: usize,
    /// How many out of the set may follow at most; none: any number.
    #[serde(default)]
    pub most: Option<usize>,
    /// White space and one of `=:` may stand between.
    #[serde(default)]
    pub assigned: bool,
    /// Only at the start of a line, white space aside.
    #[serde(default)]
    pub line_start: bool,
}

/// Checks that patterns cannot say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContentCheck {
    /// A private key in PEM or OpenSSH form, with its body.
    PrivateKey,
    /// Set-user-ID, set-group-ID, sticky.
    SpecialMode,
    /// A kernel module without an appended signature.
    UnsignedModule,
    /// An ELF file that cannot be parsed.
    Unreadable,
    /// The measured batch of packet filter rules holds something that the strict reader does not know.
    FirewallBatch,
    /// A device node of a disk.
    BlockDevice,
}

/// How a text file is cut into statements. See [`crate::statements`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Syntax {
    /// `key = value` or `key: value`, comments `#` and `;`.
    Pairs,
    /// The same below `[section]`, whose name goes before the key.
    Sections,
    /// Words as they are, comments `#`.
    Words,
    /// `a { b c; }`, comments `#`, `//` and `/* */`.
    Braces,
    /// `sysctl.conf`: `-net/ipv4/x = 1` is `net.ipv4.x 1`.
    Sysctl,
    /// Lua, comments `--`.
    Lua,
}

/// What a statement of a text file may not say.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineRule {
    pub id: String,
    pub why: String,
    pub mend: String,
    #[serde(default)]
    pub dev: bool,
    /// Patterns of names; of whole paths where one begins with `/` or `**`.
    pub files: Vec<String>,
    pub syntax: Syntax,
    /// The first statement that is found is enough.
    #[serde(default)]
    pub once: bool,
    /// Patterns of statements in normal form; here `*` crosses everything.
    #[serde(default)]
    pub forbidden: Vec<String>,
    /// Exceptions to `forbidden`.
    #[serde(default)]
    pub allowed: Vec<String>,
    /// Each has to be said in every such file, because the default is another one.
    #[serde(default)]
    pub required: Vec<String>,
}

/// What the kernel command line has to have and may not have.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WordRule {
    pub id: String,
    pub why: String,
    pub mend: String,
    #[serde(default)]
    pub dev: bool,
    #[serde(default)]
    pub required: Vec<String>,
    #[serde(default)]
    pub forbidden: Vec<String>,
}

/// What a kernel's configuration has to have and may not have.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigRule {
    pub id: String,
    pub why: String,
    pub mend: String,
    /// `CONFIG_MODULE_SIG=y`
    #[serde(default)]
    pub required: Vec<String>,
    #[serde(default)]
    pub forbidden: Vec<String>,
}

/// What may not be part of a kernel itself.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KernelRule {
    pub id: String,
    pub why: String,
    pub mend: String,
    /// Texts of the unpacked kernel.
    #[serde(default)]
    pub text: Vec<String>,
    /// Names before the dot of built-in parameters, such as `nvme_core` of `nvme_core.io_timeout`.
    #[serde(default)]
    pub parameters: Vec<String>,
}

/// A way in which something could not be judged; its findings come from code.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JudgeRule {
    pub id: String,
    pub why: String,
    pub mend: String,
}
