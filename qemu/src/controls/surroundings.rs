//! The small Internet that a variant is built for: whom it trusts there, and what stands behind it.

use super::Server;
use std::fs;
use std::path::{Path, PathBuf};
use vitrine_attest::{Error, Result};

/// Upstreams of `qemu/tests/recipes/prove-gateway.toml`.
const UPSTREAMS: [&str; 3] = ["api", "silent", "stranger"];

#[derive(Debug, Clone)]
pub struct Surroundings {
    /// Zones of `tools/test-zones.sh`.
    pub names: PathBuf,
    /// What `tools/test-ca.sh` left.
    pub upstream: PathBuf,
    /// The program that a gateway carries, as `tools/test-images.sh` compiles it.
    pub app: PathBuf,
}

impl Surroundings {
    /// What the recipe has to have before it is whole, as `--set` takes it.
    ///
    /// # Errors
    /// When the program's folder is not there.
    pub fn of_recipe(&self, server: Server) -> Result<Vec<String>> {
        match server {
            Server::Exit => Ok(Vec::new()),
            Server::Gateway => {
                let hint = "run `make images`, and name its folder with --app";
                let app = self.app.canonicalize();
                let app = app.map_err(|e| Error::input(format!("{}: {e}", self.app.display()), hint))?;
                Ok(vec![format!("app.files={}", app.display())])
            }
        }
    }

    /// What its trust is put into: the root of the zones, or the only CA for what stands behind a gateway.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn trust(&self, server: Server) -> Result<Vec<String>> {
        match server {
            Server::Exit => {
                let anchor = read(&self.names.join("anchor"), "make the zones with tools/test-zones.sh")?;
                Ok(vec![format!("config.resolver.upstream.trust_anchors=[\"{anchor}\"]")])
            }
            Server::Gateway => {
                let hint = "make it with tools/test-ca.sh, and name its folder with --upstream";
                let ca = read(&self.upstream.join("ca.der.base64"), hint)?;
                Ok(UPSTREAMS.map(|name| format!("config.gateway.upstreams.{name}.trust={ca}")).into())
            }
        }
    }
}

pub fn read(path: &Path, hint: &str) -> Result<String> {
    let text = fs::read_to_string(path).map_err(|e| Error::input(format!("{}: {e}", path.display()), hint))?;
    Ok(text.trim().to_owned())
}
