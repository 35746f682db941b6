//! What the guest shows to anybody: its screen, its console, its evidence, its metrics, its answers to nonsense.

use super::memory::{Counts, Hunt};
use super::report::Searched;
use super::server::Server;
use crate::world::{self, Client, GUEST6};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;
use vitrine_attest::{Error, Result, Sha256};

/// All answers so far. They are searched at the end, for everything.
#[derive(Default)]
pub struct Interfaces(Vec<(String, Vec<u8>)>);

impl Interfaces {
    pub fn keep(&mut self, name: &str, bytes: impl Into<Vec<u8>>) {
        self.0.push((name.into(), bytes.into()));
    }

    /// Asks for evidence, and what the server answers to requests that are none; from outside and from the tunnel.
    ///
    /// # Errors
    /// When it gives no evidence any more.
    pub fn ask(&mut self, server: &Server<'_>, client: &Client, when: &str) -> Result<()> {
        self.keep(&format!("evidence, {when}"), server.record()?);
        let port = server.agent_port();
        for path in ["", "metrics", "v1/evidence", "v1/order", "%2e%2e/etc/passwd", "debug/pprof"] {
            let url = format!("http://[{GUEST6}]:{port}/{path}");
            let said = world::run("curl", &["--silent", "--include", "--max-time", "20", &url]);
            self.keep(&format!("/{path}, {when}"), said.out + &said.err);
        }
        let metrics =
            client.run("curl", &["--silent", "--include", "--max-time", "20", "http://10.66.0.1:9469/metrics"]);
        self.keep(&format!("metrics, {when}"), metrics.out);
        Ok(())
    }

    pub fn search(&self, hunt: &Hunt) -> Vec<Searched> {
        let searched = |(name, bytes): &(String, Vec<u8>)| Searched {
            name: name.clone(),
            bytes: bytes.len() as u64,
            copies: Counts::of(&hunt.in_bytes(bytes)),
            complaint: None,
        };
        self.0.iter().map(searched).collect()
    }
}

/// Pictures that are taken of one screen: a cursor blinks.
const PICTURES: usize = 8;
const BETWEEN: Duration = Duration::from_millis(170);

/// Hashes of what is on the screen for a second.
///
/// # Errors
/// When QEMU does not draw it.
pub fn screen(server: &mut Server<'_>) -> Result<BTreeSet<Sha256>> {
    let file = server.guest.folder().join("screen.ppm");
    let mut pictures = BTreeSet::new();
    for _ in 0..PICTURES {
        server.guest.qmp().execute("screendump", json!({ "filename": file }))?;
        let bytes = std::fs::read(&file).map_err(|e| Error::host(format!("the screen: {e}"), ""))?;
        pictures.insert(Sha256::of(&bytes));
        std::thread::sleep(BETWEEN);
    }
    Ok(pictures)
}
