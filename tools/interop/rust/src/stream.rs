//! The stream of all proofs, in both directions.

use crate::folder::{Hash, MISSING};
use crate::Result;
use std::io::{BufReader, BufWriter, Read, Write};

/// What a peer says to one proof.
pub trait Judge {
    fn sizes(&self) -> usize;
    fn inclusion(&self, index: usize, size: usize, hashes: &[Hash]) -> bool;
    fn consistency(&self, old: usize, size: usize, hashes: &[Hash]) -> bool;
}

/// Every proof, and again with one bit spoilt.
pub fn judge(judge: &impl Judge) -> Result<String> {
    let mut input = BufReader::with_capacity(1 << 20, std::io::stdin().lock());
    let (mut counts, mut spoilt) = ([0; 2], 0);
    loop {
        let mut head = [0; 6];
        fill(&mut input, &mut head[..1])?;
        if head[0] == b'e' {
            fill(&mut input, &mut head[..3])?;
            break;
        }
        fill(&mut input, &mut head[1..])?;
        let [kind, a, b, c, d, count] = head;
        let (first, size) = (usize::from(u16::from_be_bytes([a, b])), usize::from(u16::from_be_bytes([c, d])));
        let mut hashes = vec![[0; 32]; count.into()];
        hashes.iter_mut().try_for_each(|hash| fill(&mut input, hash))?;
        let holds = |hashes: &[Hash]| match kind {
            b'i' => first < size && judge.inclusion(first, size, hashes),
            b'c' => first <= size && judge.consistency(first, size, hashes),
            _ => false,
        };
        let name = format!("proof {} {first} {size}", char::from(kind));
        if size >= judge.sizes() || !holds(&hashes) {
            return Err(format!("{name} does not hold"));
        }
        counts[usize::from(kind == b'c')] += 1;
        if !hashes.is_empty() {
            let bit: usize = (spoilt * 37) % (hashes.len() * 256);
            hashes[bit / 256][bit % 256 / 8] ^= 1 << (bit % 8);
            if holds(&hashes) {
                return Err(format!("{name} holds with bit {bit} spoilt"));
            }
            spoilt += 1;
        }
    }
    let all = (judge.sizes() - 1) * judge.sizes() / 2;
    if counts != [all, all] {
        return Err(format!("{counts:?} proofs, not {all} of each kind"));
    }
    Ok(format!("{all} inclusion and {all} consistency proofs; {spoilt} spoilt refused"))
}

fn fill(input: &mut impl Read, bytes: &mut [u8]) -> Result<()> {
    input.read_exact(bytes).map_err(|e| format!("{MISSING}: standard input: {e}"))
}

pub struct Out(BufWriter<std::io::Stdout>);

impl Out {
    pub fn new() -> Self {
        Self(BufWriter::with_capacity(1 << 20, std::io::stdout()))
    }

    pub fn record(&mut self, kind: u8, first: usize, size: usize, hashes: &[u8]) -> Result<()> {
        let [a, b] = (first as u16).to_be_bytes();
        let [c, d] = (size as u16).to_be_bytes();
        let head = [kind, a, b, c, d, (hashes.len() / 32) as u8];
        self.0.write_all(&head).and_then(|()| self.0.write_all(hashes)).map_err(|e| e.to_string())
    }

    pub fn end(mut self) -> Result<String> {
        self.0.flush().map_err(|e| e.to_string())?;
        Ok("end".into())
    }
}
