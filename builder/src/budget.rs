//! `image.budget`: how large an image may become before its build fails, and what a person then wants to know.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt::{self, Write as _};
use std::str::FromStr;
use vitrine_attest::{Error, Result};
use vitrine_initramfs::{LayerSize, Node, Tree};

/// Files that are named when the budget does not hold.
const MOST_FILES: usize = 10;

/// Bytes, written `20 MB`. Units are those of the SI (kB, MB, GB: powers of 1000) and of IEC 80000-13 (KiB, MiB, GiB).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Budget(pub u64);

const UNITS: [(&str, u64); 7] = [
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1000),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

impl FromStr for Budget {
    type Err = String;
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let wrong = || format!("{text:?} is no size: write it like \"20 MB\" or \"19.5 MiB\"");
        let (number, unit) = text.split_once(' ').ok_or_else(wrong)?;
        let (_, unit) = UNITS.into_iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        let digits = |text: &str| text.len() <= 9 && text.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(part) || (part.is_empty() && number.contains('.')) {
            return Err(wrong());
        }
        let scale = 10u128.pow(part.len() as u32);
        let joined: u128 = format!("{whole}{part}").parse().map_err(|_| wrong())?;
        let bytes = u64::try_from(joined * u128::from(unit) / scale).map_err(|_| wrong())?;
        (bytes > 0).then_some(Self(bytes)).ok_or_else(wrong)
    }
}

/// In the largest unit that divides it.
impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(_, unit): &&(&str, u64)| self.0.is_multiple_of(*unit);
        let (name, unit) = UNITS.iter().find(fits).unwrap_or(&("B", 1));
        write!(f, "{} {name}", self.0 / unit)
    }
}

impl Serialize for Budget {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Budget {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Where the bytes of an image are.
#[derive(Debug)]
pub struct Sizes {
    /// Of the kernel, as it lies in the image.
    pub kernel: usize,
    pub layers: Vec<LayerSize>,
    /// The largest files of the tree before compression, with their origin; the largest first.
    pub largest: Vec<(String, usize)>,
}

impl Sizes {
    pub fn largest(tree: &Tree) -> Vec<(String, usize)> {
        let files = tree.iter().filter(|(_, entry)| matches!(entry.node, Node::File(_)));
        let mut files: Vec<_> =
            files.map(|(path, entry)| (format!("{path} ({})", entry.origin), entry.bytes().len())).collect();
        files.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        files.truncate(MOST_FILES);
        files
    }

    /// Compares the whole unsigned image with the budget.
    ///
    /// # Errors
    /// Blame Artefact, when it has more bytes: says where they are.
    pub fn check(&self, image: usize, budget: Option<Budget>) -> Result<()> {
        match budget {
            Some(budget) if image as u64 > budget.0 => Err(Error::artefact(
                format!("the image has {}, its budget is {budget}\n{}", megabytes(image), self.table().trim_end()),
                "leave something out, or raise image.budget in the recipe",
            )),
            _ => Ok(()),
        }
    }

    /// ```text
    ///   kernel                 12.10 MB
    ///   layer modules           0.59 MB packed    2.69 MB raw
    ///   /usr/lib/x86_64-linux-gnu/libcrypto.so.3 (libssl3t64 3.5.4-1)   5.31 MB
    /// ```
    fn table(&self) -> String {
        let mut out = String::new();
        // writing to a String cannot fail
        let _ = writeln!(out, "  {:<20} {:>9}", "kernel", megabytes(self.kernel));
        for layer in self.layers.iter().filter(|layer| layer.files > 0) {
            let (name, packed, raw) = (format!("layer {}", layer.name), megabytes(layer.packed), megabytes(layer.raw));
            let _ = writeln!(out, "  {name:<20} {packed:>9} packed, {raw:>9} raw");
        }
        let _ = writeln!(out, "  largest files, before compression:");
        for (name, size) in &self.largest {
            let _ = writeln!(out, "  {:>9}  {name}", megabytes(*size));
        }
        out
    }
}

/// `20.53 MB`; what rounds to the budget and is over it must not look as if it were not.
fn megabytes(bytes: usize) -> String {
    let hundredths = bytes.div_ceil(10_000);
    format!("{}.{:02} MB", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vitrine_initramfs::{Content, ImagePath, Layer};

    #[test]
    fn sizes_as_people_write_them() {
        for (text, bytes) in [
            ("20 MB", 20_000_000),
            ("19.5 MiB", 20_447_232),
            ("1 B", 1),
            ("0.5 kB", 500),
            ("1 GiB", 1 << 30),
            ("999999999 GB", 999_999_999_000_000_000),
        ] {
            assert_eq!(text.parse(), Ok(Budget(bytes)), "{text}");
            assert_eq!(Budget(bytes).to_string().parse(), Ok(Budget(bytes)), "{text}");
        }
        for bad in [
            "20",
            "20MB",
            "20 mb",
            "20 Mb",
            "-1 MB",
            "0 MB",
            "1e3 MB",
            ". MB",
            "1. MB",
            ".5 MB",
            "1.2.3 MB",
            "",
            " MB",
            "9999999999 GB",
            "20  MB",
            "0.0001 B",
        ] {
            assert!(bad.parse::<Budget>().unwrap_err().contains("no size"), "{bad:?} was taken");
        }
        assert_eq!(Budget(20_000_000).to_string(), "20 MB");
        assert_eq!(Budget(3 << 20).to_string(), "3 MiB");
    }

    #[test]
    fn one_byte_over_names_layers_and_files() {
        let mut tree = Tree::new();
        for (path, size) in [("/small", 1), ("/large", 3_000_000)] {
            let path = ImagePath::parse(path).unwrap();
            tree.add_file(path, Content::new(vec![0; size]), 0o444, Layer::Distribution, "p 1").unwrap();
        }
        let layers = vec![LayerSize { name: "distribution", raw: 3_000_400, packed: 1_234_567, files: 2 }];
        let sizes = Sizes { kernel: 12_000_000, layers, largest: Sizes::largest(&tree) };
        sizes.check(20_000_000, Some(Budget(20_000_000))).unwrap();
        sizes.check(usize::MAX, None).unwrap();
        let error = sizes.check(20_000_001, Some(Budget(20_000_000))).unwrap_err();
        assert_eq!(error.exit_code(), 1);
        for part in
            ["has 20.01 MB, its budget is 20 MB", "layer distribution", "1.24 MB packed", "3.00 MB  /large (p 1)"]
        {
            assert!(error.what.contains(part), "{part:?} is not in {error}");
        }
        assert!(error.hint.contains("image.budget"));
    }
}
