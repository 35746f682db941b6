//! The artefacts that all tests share.

use std::fs;
use std::path::{Path, PathBuf};
use vitrine_attest::config::Config;
use vitrine_attest::dsse::Envelope;
use vitrine_attest::expected::Prediction;
use vitrine_attest::secure_boot::Variables;
use vitrine_attest::statement::Statement;
use vitrine_qemu::boot::SecureBoot;

/// `keys/`, `names/` and the images `exit/`, `dev/`, `server/`, `dedicated/`, `gateway/`, `probe/`, `saboteur/` and `enroller/`, as `tools/test-images.sh`
/// leaves them.
pub struct Images {
    folder: PathBuf,
}

impl Images {
    /// None, with a message, where they were not built.
    pub fn find() -> Option<Self> {
        let beside = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it lies in the target folder").join("vm");
        let folder = std::env::var_os("VITRINE_VM").map_or(beside, PathBuf::from);
        if folder.join("exit/image.efi").is_file() && folder.join("dev/image.efi").is_file() {
            return Some(Self { folder });
        }
        assert!(std::env::var_os("CI").is_none(), "no images in {}: run `make images`", folder.display());
        eprintln!("skipped: no images in {}; run `make images`", folder.display());
        None
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// The configuration in an image's statement.
    pub fn config(&self, image: &str) -> Config {
        let envelope = Envelope::from_json(&self.read(&format!("{image}/release.dsse.json"))).unwrap();
        let statement: Statement = serde_json::from_slice(&envelope.payload).unwrap();
        statement.predicate.config
    }

    /// The exit image as shipped.
    pub fn exit(&self) -> Vec<u8> {
        self.read("exit/image.efi")
    }

    pub fn prediction(&self) -> Prediction {
        serde_json::from_slice(&self.read("exit/8-pcrs.json")).unwrap()
    }

    pub fn secure_boot(&self) -> SecureBoot {
        let variables: Variables = serde_json::from_slice(&self.read("keys/secure-boot.json")).unwrap();
        SecureBoot::On(variables)
    }
}
