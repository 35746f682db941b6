//! A log in a folder, of which the test has every key: it can sign what no log should.

use super::{now, secret, ORIGIN};
use base64::{engine::general_purpose::STANDARD, Engine as _};
use std::path::Path;
use vitrine_attest::merkle::leaf;
use vitrine_attest::note::sign;
use vitrine_attest::tile::{push_entry, to_bytes, Edge, Tile};
use vitrine_attest::vkey::{Kind, NoteKey};

pub(crate) struct MadeLog {
    pub entries: Vec<Vec<u8>>,
    /// Of the log's key.
    pub seed: u8,
}

const WITNESSES: [u8; 2] = [20, 21];

pub(crate) fn witness(seed: u8) -> NoteKey {
    NoteKey::of_kind(Kind::Cosignature, &format!("witness.example/w{seed}"), secret(seed).verifying_key()).unwrap()
}

impl MadeLog {
    pub(crate) fn new(entries: Vec<Vec<u8>>) -> Self {
        Self { entries, seed: 10 }
    }

    pub(crate) fn key(&self) -> NoteKey {
        NoteKey::new(ORIGIN, secret(self.seed).verifying_key()).unwrap()
    }

    pub(crate) fn policy(&self) -> String {
        let witnesses: String = WITNESSES.map(|seed| format!("witness w{seed} {}\n", witness(seed))).concat();
        format!("log {}\n{witnesses}group both all w20 w21\nquorum both\n", self.key())
    }

    /// The signed checkpoint of its first entries, cosigned at these times.
    pub(crate) fn note(&self, size: usize, times: &[u64]) -> String {
        let mut edge = Edge::default();
        self.entries[..size].iter().for_each(|entry| edge.push(leaf(entry), |_, _| {}));
        let body = format!("{ORIGIN}\n{size}\n{}\n", STANDARD.encode(edge.root().0));
        let mut note = format!("{body}\n{}", sign(&body, ORIGIN, &secret(self.seed), None).unwrap());
        for (seed, time) in WITNESSES.into_iter().zip(times) {
            note += &sign(&body, witness(seed).name(), &secret(seed), Some(*time)).unwrap();
        }
        note
    }

    /// Its first entries as a folder that is served.
    pub(crate) fn publish(&self, folder: &Path, size: usize, times: &[u64]) {
        let _ = std::fs::remove_dir_all(folder);
        let write = |path: &str, bytes: &[u8]| {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        };
        let mut edge = Edge::default();
        for entry in &self.entries[..size] {
            edge.push(leaf(entry), |tile, hashes| write(&tile.path(), &to_bytes(hashes)));
        }
        for (tile, hashes) in edge.partial() {
            write(&tile.path(), &to_bytes(hashes));
        }
        for (index, part) in self.entries[..size].chunks(256).enumerate() {
            let mut bundle = vec![];
            part.iter().for_each(|entry| push_entry(&mut bundle, entry).unwrap());
            write(&Tile::of_tree(0, index as u64, size as u64).unwrap().entries_path(), &bundle);
        }
        write("checkpoint", self.note(size, times).as_bytes());
    }

    pub(crate) fn fresh(&self, folder: &Path) {
        self.publish(folder, self.entries.len(), &[now() - 60, now() - 30]);
    }
}
