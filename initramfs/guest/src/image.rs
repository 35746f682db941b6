//! What the image says of itself: its name, and the configuration it was built with.

use crate::read::small_file;
use crate::stop::{OrStop, Step, Stop};
use vitrine_attest::config::Config;
use vitrine_attest::evidence::{is_dev_name, ImageId};
use vitrine_attest::Sha256;

const CONFIG: &str = "/etc/vitrine/config.json";
/// Bytes. The configuration holds no peers, so it stays small.
const CONFIG_LIMIT: usize = 64 << 10;
const OS_RELEASE: &str = "/etc/os-release";
/// Bytes.
const OS_RELEASE_LIMIT: usize = 4 << 10;

/// Both are read from the unpacked image, which the firmware and the kernel have measured.
#[derive(Debug)]
pub struct Image {
    pub id: ImageId,
    pub config: Config,
    pub config_digest: Sha256,
}

impl Image {
    /// Reads and checks both files.
    pub fn read() -> Step<Self> {
        let id = parse_os_release(&small_file(OS_RELEASE, OS_RELEASE_LIMIT).or_stop("os-release")?)?;
        if is_dev_name(&id.name) {
            crate::stop::this_is_a_dev_image();
        }
        let bytes = small_file(CONFIG, CONFIG_LIMIT).or_stop("config-missing")?;
        let config = Config::from_canonical(&bytes).or_stop("config-form")?;
        config.problems().is_empty().then_some(()).or_stop("config-problem")?;
        Ok(Self { id, config, config_digest: Sha256::of(&bytes) })
    }
}

/// `IMAGE_ID`, `IMAGE_VERSION` and `VITRINE_LOCK` of an os-release file (os-release(5)), each exactly once.
fn parse_os_release(bytes: &[u8]) -> Step<ImageId> {
    let text = std::str::from_utf8(bytes).or_stop("os-release")?;
    let field = |name: &str| {
        let mut values = text.lines().filter_map(|line| line.split_once('=')).filter(|(key, _)| *key == name);
        match (values.next(), values.next()) {
            (Some((_, value)), None) => word(value),
            _ => Err(Stop("os-release")),
        }
    };
    let lock = field("VITRINE_LOCK")?.parse().or_stop("os-release")?;
    Ok(ImageId { name: field("IMAGE_ID")?.into(), version: field("IMAGE_VERSION")?.into(), lock })
}

/// A value of one word, with or without double quotes. A blank inside would make two image ids read the same.
fn word(value: &str) -> Step<&str> {
    let bare = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
    let good = !bare.is_empty() && bare.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_.~+:".contains(&c));
    good.then_some(bare).or_stop("os-release")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> String {
        let lock = Sha256::of(b"lock");
        format!("ID=vitrine\nNAME=\"Vitrine\"\nIMAGE_ID=exit\nIMAGE_VERSION=\"0.1.0\"\nVITRINE_LOCK={lock}\n")
    }

    #[test]
    fn image_id() {
        let id = parse_os_release(sample().as_bytes()).unwrap();
        assert_eq!(id, ImageId { name: "exit".into(), version: "0.1.0".into(), lock: Sha256::of(b"lock") });
    }

    #[test]
    fn missing_doubled_or_odd_fields_are_refused() {
        let good = sample();
        let bad = [
            good.replace("IMAGE_ID", "IMAGE_IDS"),
            good.clone() + "IMAGE_ID=other\n",
            good.replace("=exit", "=exit 1"),
            good.replace("=exit", "="),
            good.replace("VITRINE_LOCK=", "VITRINE_LOCK=0"),
        ];
        for text in bad {
            assert_eq!(parse_os_release(text.as_bytes()), Err(Stop("os-release")), "{text}");
        }
    }
}
