//! One request for evidence, as bare as it gets: the verifier would say only that it could not judge.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use vitrine_attest::evidence::{EvidenceRequest, EVIDENCE_PATH, VERSION};
use vitrine_attest::Sha256;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// M2.
    Evidence(Vec<u8>),
    /// A refusal: status and code.
    Code(u16, String),
    /// The connection was refused, closed or left alone.
    Nobody,
}

impl Answer {
    /// The TPM failed.
    pub fn tpm() -> Self {
        Self::Code(503, "tpm".into())
    }
}

/// M1 to the server at this address; how long to wait for each part of its answer.
pub fn ask(url: &str, nonce: Sha256, patience: Duration) -> Answer {
    let address = url.strip_prefix("http://").unwrap().parse().unwrap();
    exchange(address, nonce, patience).map_or(Answer::Nobody, |answer| read(&answer))
}

fn exchange(address: SocketAddr, nonce: Sha256, patience: Duration) -> std::io::Result<Vec<u8>> {
    let body = serde_json::to_vec(&EvidenceRequest { v: VERSION, nonce }).unwrap();
    let head = format!("POST {EVIDENCE_PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
    let mut stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.write_all(&[head.as_bytes(), &body].concat())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    if answer.is_empty() {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(answer)
}

fn read(answer: &[u8]) -> Answer {
    let (status, body) = vitrine_qemu::http::parse(answer).unwrap();
    let value: serde_json::Value = serde_json::from_slice(body).unwrap();
    match value["code"].as_str() {
        Some(code) => Answer::Code(status, code.into()),
        None => {
            assert!(status == 200 && value["attest"].is_string(), "{status} {value}");
            Answer::Evidence(body.to_vec())
        }
    }
}
