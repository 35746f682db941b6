//! Who makes the RSA signature.

use super::Certificate;
use ring::rand::SystemRandom;
use ring::rsa::KeyPair;
use ring::signature::RSA_PKCS1_SHA256;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::PrivatePkcs8KeyDer;
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use vitrine_attest::{Error, Result};
use zeroize::Zeroizing;

/// Longest signature that is read from a command or a file, in bytes: RSA-8192 gives 1,024.
const SIGNATURE_LIMIT: u64 = 1024;

/// One of three ways to a signature.
#[derive(Debug)]
pub enum Signer {
    /// A private key in a file.
    Key(Box<Key>),
    /// A command, run by `sh -c`: it gets the bytes on stdin and prints the raw signature on stdout.
    Command { command: String, certificate: Certificate },
    /// A signature made elsewhere.
    Detached { signature: Vec<u8>, certificate: Certificate },
}

/// An RSA private key and its certificate.
pub struct Key {
    pair: KeyPair,
    certificate: Certificate,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key") // nothing of the private key
    }
}

impl Key {
    /// `key` is PKCS#8 PEM, `certificate` PEM or DER.
    ///
    /// # Errors
    /// When either cannot be read, or the key has fewer than 2,048 bits.
    pub fn new(key: &[u8], certificate: &[u8]) -> Result<Self> {
        let bad = |what: String| Error::input(what, "make new keys with `vitrine keygen --out DIR`");
        let der = PrivatePkcs8KeyDer::from_pem_slice(key).map_err(|e| bad(format!("private key: {e}")))?;
        let pair = KeyPair::from_pkcs8(der.secret_pkcs8_der()).map_err(|e| bad(format!("private key: {e}")))?;
        Ok(Self { pair, certificate: Certificate::parse(certificate)? })
    }
}

impl Signer {
    pub fn certificate(&self) -> &Certificate {
        match self {
            Self::Key(key) => &key.certificate,
            Self::Command { certificate, .. } | Self::Detached { certificate, .. } => certificate,
        }
    }

    /// RSASSA-PKCS1-v1_5 with SHA-256 over `message`, verified with the certificate.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        let signature = self.sign_unverified(message)?;
        self.certificate().verify(message, &signature)?;
        Ok(signature)
    }

    fn sign_unverified(&self, message: &[u8]) -> Result<Vec<u8>> {
        match self {
            Self::Key(key) => {
                let mut signature = Zeroizing::new(vec![0; key.pair.public().modulus_len()]);
                // the random numbers blind the computation; they do not reach the signature
                key.pair
                    .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
                    .map_err(|_| Error::host("RSA signing failed", "try again: the system gave no random numbers"))?;
                Ok(signature.to_vec())
            }
            Self::Command { command, .. } => run(command, message),
            Self::Detached { signature, .. } => Ok(signature.clone()),
        }
    }
}

/// Runs the signing command. Its stderr is the terminal's, so that it can ask for a PIN.
fn run(command: &str, message: &[u8]) -> Result<Vec<u8>> {
    let failed = |what: String| {
        Error::host(
            format!("the signing command {what}: {command}"),
            "it gets the bytes to sign on stdin and must print the raw RSA signature, nothing else",
        )
    };
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| failed(format!("cannot be started ({e})")))?;
    // a few hundred bytes fit every pipe; a command that does not read them ends with an error below
    let written = child.stdin.take().map(|mut stdin| stdin.write_all(message));
    let mut signature = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout
            .take(SIGNATURE_LIMIT + 1)
            .read_to_end(&mut signature)
            .map_err(|e| failed(format!("gave no readable output ({e})")))?;
    }
    let status = child.wait().map_err(|e| failed(format!("was lost ({e})")))?;
    if signature.len() as u64 > SIGNATURE_LIMIT {
        return Err(failed("printed more than a signature".into()));
    }
    if !status.success() {
        return Err(failed(format!("failed ({status})")));
    }
    match written {
        Some(Err(e)) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(failed(format!("took no input ({e})"))),
        _ => Ok(signature),
    }
}
