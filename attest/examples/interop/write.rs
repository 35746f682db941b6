//! What peers are to judge.

use crate::{base64, entries, tiles, tree};
use ed25519_dalek::SigningKey;
use serde_json::json;
use std::fs;
use std::path::Path;
use vitrine_attest::digest::hex;
use vitrine_attest::note::sign;
use vitrine_attest::statement::{Statement, Subject};
use vitrine_attest::tile::{push_entry, to_bytes, Edge, Tile};
use vitrine_attest::vkey::{Kind, NoteKey};
use vitrine_attest::{dsse, merkle, tlog_proof, Error, Result, Sha256};

/// Sizes of trees are 0 to this: four full tiles and one leaf.
const ENTRIES: usize = 1025;
/// Entries of the log that is written as tiles: the first size range whose paths have an `x001`, and three levels.
const LOG_ENTRIES: u32 = 256_300;
const ORIGIN: &str = "log.example/vitrine";
const WITNESSES: [&str; 2] = ["witness.example/w1", "witness.example/w2"];
/// Of the cosignatures, in seconds.
const TIME: u64 = 1_763_600_000;

pub fn all(folder: &Path) -> Result<String> {
    put(folder, "entries", (0..ENTRIES).map(|n| base64(entry(n)) + "\n").collect::<String>())?;
    let entries = entries(folder)?;
    let tiles = tiles(&entries);
    let mut tree = tree(ENTRIES, &tiles);
    let roots = (0..=ENTRIES as u64).map(|size| tree.root(size)).collect::<Result<Vec<_>>>()?;
    let lines: Vec<String> =
        roots.iter().enumerate().map(|(size, root)| format!("{size} {}\n", base64(root.0))).collect();
    put(folder, "roots", lines.concat())?;
    put(folder, "keys", format!("{}\n{}\n{}\n", key(0)?, key(1)?, key(2)?))?;

    for size in [0, 1, 2, 3, 255, 256, 257, 1000, ENTRIES] {
        put(folder, &format!("notes/{size}"), note(size as u64, roots[size], 3)?)?;
    }
    for (index, size) in [(0, 1), (0, 2), (1, 2), (2, 3), (255, 256), (256, 257), (511, 1000), (0, 1025), (1024, 1025)]
    {
        let path = tree.inclusion(index, size as u64)?;
        let note = note(size as u64, roots[size], 3)?;
        put(folder, &format!("tlog-proofs/{index}-of-{size}"), tlog_proof::to_text(None, index, &path, &note))?;
        put(folder, &format!("extra/{index}-of-{size}"), tlog_proof::to_text(Some(b"extra"), index, &path, &note))?;
    }
    log(folder)?;
    #[cfg(feature = "ml-dsa")]
    ml_dsa(folder, &roots)?;
    let envelope = envelope()?;
    put(folder, "envelope", envelope.to_json()?)?;
    put(folder, "envelope.key", hex(secret(9).verifying_key().as_bytes()))?;
    rekor(folder, &envelope)?;
    Ok(format!("{ENTRIES} entries, {} roots, a log of {LOG_ENTRIES} entries, notes, proofs, an envelope", roots.len()))
}

/// 0 to 299 bytes of every value: entries are no texts.
fn entry(n: usize) -> Vec<u8> {
    let blocks = (0..10_u8).flat_map(|block| Sha256::of(&[&n.to_be_bytes()[..], &[block]].concat()).0);
    blocks.take(n * 7 % 300).collect()
}

fn log(folder: &Path) -> Result<()> {
    let (mut edge, mut bundle, mut full, mut written) = (Edge::default(), vec![], vec![], Ok(()));
    let write = |tile: Tile, hashes: &[Sha256], bundle: &mut Vec<u8>| -> Result<()> {
        put(folder, &format!("log/{}", tile.path()), to_bytes(hashes))?;
        if tile.level == 0 {
            put(folder, &format!("log/{}", tile.entries_path()), std::mem::take(bundle))?;
        }
        Ok(())
    };
    for n in 0..LOG_ENTRIES {
        let entry = format!("entry {n}");
        push_entry(&mut bundle, entry.as_bytes()).map_err(Error::bug)?;
        edge.push(merkle::leaf(entry.as_bytes()), |tile, hashes| full.push((tile, hashes.to_vec())));
        for (tile, hashes) in full.drain(..) {
            written = written.and_then(|()| write(tile, &hashes, &mut bundle));
        }
    }
    for (tile, hashes) in edge.partial() {
        written = written.and_then(|()| write(tile, hashes, &mut bundle));
    }
    written?;
    put(folder, "log/checkpoint", note(u64::from(LOG_ENTRIES), edge.root(), 1)?)
}

fn envelope() -> Result<dsse::Envelope> {
    let predicate = json!({ "rule": "interop", "not_proven": "that anybody reads this" });
    dsse::sign(
        &Statement::about(vec![Subject::new("entry", Sha256::of(b"entry"))], "urn:vitrine:interop:v1", predicate),
        &secret(9),
    )
}

/// An entry in the form of sigstore's log about the envelope, logged by us: `rekor/{body,proof}`.
fn rekor(folder: &Path, envelope: &dsse::Envelope) -> Result<()> {
    let signature = json!({ "signature": base64(&envelope.signatures[0].sig), "verifier": "" });
    let payload = json!({ "algorithm": "sha256", "value": hex(&Sha256::of(&envelope.payload).0) });
    let spec = json!({ "payloadHash": payload, "signatures": [signature] });
    let body = json!({ "apiVersion": "0.0.1", "kind": "dsse", "spec": spec }).to_string();
    let (index, mut logged) = (137, (0..300).map(entry).collect::<Vec<_>>());
    logged[index] = body.clone().into_bytes();
    let tiles = tiles(&logged);
    let mut tree = tree(logged.len(), &tiles);
    let size = logged.len() as u64;
    let path = tree.inclusion(index as u64, size)?;
    put(folder, "rekor/body", body)?;
    let note = note(size, tree.root(size)?, 1)?;
    put(folder, "rekor/proof", tlog_proof::to_text(None, index as u64, &path, &note))
}

/// A checkpoint, signed by the first `signers` of the log and its witnesses.
fn note(size: u64, root: Sha256, signers: usize) -> Result<String> {
    let text = format!("{ORIGIN}\n{size}\n{}\n", base64(root.0));
    let by_log = sign(&text, ORIGIN, &secret(0), None);
    let by_witnesses = (1..).zip(WITNESSES).map(|(n, name)| sign(&text, name, &secret(n), Some(TIME + u64::from(n))));
    let lines = std::iter::once(by_log).chain(by_witnesses).take(signers).collect::<Result<String>>()?;
    Ok(format!("{text}\n{lines}"))
}

/// Checkpoints with the log's signature and those of two witnesses of ML-DSA-44, the first without chance, the second with it.
#[cfg(feature = "ml-dsa")]
fn ml_dsa(folder: &Path, roots: &[Sha256]) -> Result<()> {
    use vitrine_attest::{ml_dsa::SecretKey, note::cosign_ml_dsa};
    let seed = |n: u8| Sha256::of(&[b"interop seed ", &[n][..]].concat()).0;
    let secrets = [0, 1].map(|n| SecretKey::from_seed(seed(n).into()));
    let keys =
        WITNESSES.iter().zip(&secrets).map(|(name, secret)| NoteKey::of_kind(Kind::MlDsa44, name, secret.public()));
    let keys = keys.map(|key| Ok(format!("{}\n", key?))).collect::<Result<String>>()?;
    put(folder, "ml-dsa/keys", format!("{}\n{keys}", key(0)?))?;
    put(folder, "ml-dsa/seeds", format!("{}\n{}\n", hex(&seed(0)), hex(&seed(1))))?;
    for size in [0, 1, 255, 256, ENTRIES] {
        let text = format!("{ORIGIN}\n{size}\n{}\n", base64(roots[size].0));
        let mut lines = sign(&text, ORIGIN, &secret(0), None)?;
        for (name, (secret, hedge)) in WITNESSES.iter().zip(secrets.iter().zip([[0; 32], roots[size].0])) {
            lines += &cosign_ml_dsa(&text, name, secret, TIME, &hedge)?;
        }
        put(folder, &format!("ml-dsa/notes/{size}"), format!("{text}\n{lines}"))?;
    }
    Ok(())
}

/// Keys of this test alone, made of their number.
fn secret(n: u8) -> SigningKey {
    SigningKey::from_bytes(&Sha256::of(&[b"interop key ", &[n][..]].concat()).0)
}

fn key(n: u8) -> Result<NoteKey> {
    match n {
        0 => NoteKey::new(ORIGIN, secret(0).verifying_key()),
        n => NoteKey::of_kind(Kind::Cosignature, WITNESSES[usize::from(n) - 1], secret(n).verifying_key()),
    }
}

pub fn put(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> Result<()> {
    let path = folder.join(name);
    let failed = |e: std::io::Error| Error::host(format!("{}: {e}", path.display()), "");
    fs::create_dir_all(path.parent().unwrap_or(folder)).map_err(failed)?;
    fs::write(&path, bytes).map_err(failed)
}
