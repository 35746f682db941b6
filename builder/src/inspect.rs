//! What is in an image, or in an output folder, read from the bytes alone.

use crate::{osrelease, out};
use serde::Serialize;
use std::path::Path;
use vitrine_attest::config::Config;
use vitrine_attest::pe::Pe;
use vitrine_attest::section::{contents, stub_version};
use vitrine_attest::{Error, Result, Sha256};
use vitrine_firewall::{decode, encode, ruleset, Table};
use vitrine_initramfs::{read_back, ImagePath, Limits, ReadBack, Segment, APP_ROOT};

/// Where PID 1 finds the packet filter.
pub const FIREWALL: &str = "/etc/vitrine/firewall.batch";

/// Largest file that is read, in bytes.
const FILE_LIMIT: u64 = 2 << 30;

/// An image.
#[derive(Debug, Clone, Serialize)]
pub struct Image {
    pub size: usize,
    pub sha256: Sha256,
    /// What the firmware measures; the same before and after signing.
    pub authenticode: Sha256,
    pub signatures: usize,
    pub stub_version: u32,
    /// As the server will say it: name, version, lock.
    pub image_id: String,
    pub os_release: String,
    pub cmdline: String,
    pub kernel_release: String,
    pub sections: Vec<Section>,
    /// Files, folders and links in the initramfs.
    pub entries: usize,
    /// The initramfs by layer.
    pub layers: Vec<Layer>,
    pub config: Config,
    pub config_digest: Sha256,
    /// The packet filter, read from its bytes.
    pub firewall: Table,
    /// Whether these are the bytes that this version makes from the configuration.
    pub firewall_is_of_config: bool,
}

#[derive(Debug, Clone, Serialize)]
pub struct Section {
    pub name: String,
    /// Bytes as loaded.
    pub size: usize,
    pub sha256: Sha256,
}

/// One segment of the initramfs.
#[derive(Debug, Clone, Serialize)]
pub struct Layer {
    pub name: String,
    /// Bytes in the image.
    pub packed: usize,
    /// Bytes of the cpio archive.
    pub unpacked: usize,
}

/// One file of an output folder.
#[derive(Debug, Clone, Serialize)]
pub struct File {
    pub name: String,
    pub size: u64,
    pub sha256: Sha256,
}

/// What [`inspect`] gives.
#[derive(Debug, Clone, Serialize)]
pub struct Inspection {
    pub image: Image,
    /// Empty when an image was given.
    pub files: Vec<File>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

/// Reads an image, or an output folder with its image.
pub fn inspect(path: &Path) -> Result<Inspection> {
    if !path.is_dir() {
        let image = image(&out::read(path, FILE_LIMIT)?).map_err(|e| e.within(path.display()))?;
        return Ok(Inspection { image, files: vec![], fingerprint: None });
    }
    let file =
        [out::IMAGE, out::UNSIGNED].map(|name| path.join(name)).into_iter().find(|p| p.exists()).ok_or_else(|| {
            Error::input(format!("there is no image in {}", path.display()), "give the folder of `vitrine build --out`")
        })?;
    let image = image(&out::read(&file, FILE_LIMIT)?).map_err(|e| e.within(file.display()))?;
    let mut files = Vec::new();
    for name in out::FILES {
        let path = path.join(name);
        if path.exists() {
            let bytes = out::read(&path, FILE_LIMIT)?;
            files.push(File { name: name.into(), size: bytes.len() as u64, sha256: Sha256::of(&bytes) });
        }
    }
    let fingerprint = path.join(out::FINGERPRINT);
    let fingerprint = match fingerprint.exists() {
        true => Some(String::from_utf8_lossy(&out::read(&fingerprint, 1024)?).trim_end().to_string()),
        false => None,
    };
    Ok(Inspection { image, files, fingerprint })
}

/// Reads an image from its bytes.
///
/// # Errors
/// When it is not an image of ours: no stub, no os-release, an initramfs without a configuration.
pub fn image(bytes: &[u8]) -> Result<Image> {
    let pe = Pe::parse(bytes)?;
    let text = |name: &str| -> Result<String> {
        let data = contents(&pe, name)?.unwrap_or_default();
        String::from_utf8(data.to_vec()).map_err(|_| Error::artefact(format!("section {name} is not text"), HINT))
    };
    let os_release = text(".osrel")?;
    let initrd = read_back(contents(&pe, ".initrd")?.unwrap_or_default(), Limits::default())?;
    let config = Config::from_canonical(file(&initrd, "/etc/vitrine/config.json")?)?;
    let firewall = file(&initrd, FIREWALL)?;
    Ok(Image {
        size: bytes.len(),
        sha256: Sha256::of(bytes),
        authenticode: pe.authenticode(),
        signatures: pe.signatures()?.len(),
        stub_version: stub_version(&pe)?,
        image_id: osrelease::read(&os_release)?.to_string(),
        os_release,
        cmdline: text(".cmdline")?,
        kernel_release: text(".uname")?,
        sections: sections(&pe)?,
        entries: initrd.entries.len(),
        layers: layers(&initrd),
        config_digest: config.digest()?,
        firewall: decode(firewall)?,
        firewall_is_of_config: encode(&ruleset(&config)).bytes == firewall,
        config,
    })
}

/// A file that every image has.
fn file<'a>(initrd: &'a ReadBack, path: &str) -> Result<&'a [u8]> {
    let path = ImagePath::parse(path)?;
    initrd.bytes(&path).ok_or_else(|| Error::artefact(format!("the image has no {path}"), HINT))
}

/// The builder writes one segment for each layer that is not empty, in this order. Most images have no program of the operator's own.
fn layers(initrd: &ReadBack) -> Vec<Layer> {
    use vitrine_initramfs::Layer as Part;
    let app = ImagePath::parse(APP_ROOT).is_ok_and(|root| initrd.entries.contains_key(&root));
    let parts: Vec<Part> = Part::ALL.into_iter().filter(|part| *part != Part::App || app).collect();
    let whole = initrd.segments.len() == parts.len();
    let name = |index: usize| match parts.get(index) {
        Some(layer) if whole => layer.name().to_string(),
        _ => format!("segment {index}"),
    };
    let layer = |(index, s): (usize, &Segment)| Layer { name: name(index), packed: s.packed, unpacked: s.raw };
    initrd.segments.iter().enumerate().map(layer).collect()
}

const HINT: &str = "give an image made by `vitrine build`";

fn sections(pe: &Pe<'_>) -> Result<Vec<Section>> {
    pe.sections()
        .iter()
        .map(|section| {
            let data = pe.contents(section)?;
            Ok(Section { name: section.name.clone(), size: data.len(), sha256: Sha256::of(data) })
        })
        .collect()
}
