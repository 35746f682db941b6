//! Finished answers, bounded in number, bytes and time.

use crate::answer::Answer;
use crate::key::Key;
use crate::limits;
use indexmap::IndexMap;
use std::rc::Rc;
use std::time::Instant;

pub struct Cache {
    answers: IndexMap<Box<[u8]>, Rc<Answer>>,
    /// Entries at most.
    most: usize,
    /// Bytes of all entries.
    bytes: usize,
    /// State of the generator that picks whom to throw out; it keeps nothing secret.
    random: u64,
}

/// Entries that are compared before the one that ends first is thrown out.
const SAMPLES: usize = 8;

impl Cache {
    pub fn new(entries: u32) -> Self {
        let random = getrandom::u64().unwrap_or(0) | 1;
        Self { answers: IndexMap::new(), most: entries as usize, bytes: 0, random }
    }

    pub fn get(&self, key: &Key, now: Instant) -> Option<&Rc<Answer>> {
        self.answers.get(key.bytes()).filter(|answer| answer.is_fresh(now))
    }

    /// Keeps an answer until its time is over; one without a time is not kept.
    pub fn put(&mut self, key: &Key, answer: Rc<Answer>) {
        let size = cost(key.bytes(), &answer);
        let most_bytes = self.most.saturating_mul(limits::BYTES_PER_ENTRY);
        if answer.lifetime() == 0 || self.most == 0 || size > most_bytes {
            return;
        }
        self.remove(key.bytes());
        while self.answers.len() >= self.most || self.bytes + size > most_bytes {
            self.evict();
        }
        self.bytes += size;
        self.answers.insert(key.bytes().into(), answer);
    }

    /// Throws out what is too old.
    pub fn sweep(&mut self, now: Instant) {
        let bytes = &mut self.bytes;
        self.answers.retain(|key, answer| {
            let keep = answer.is_fresh(now);
            if !keep {
                *bytes -= cost(key, answer);
            }
            keep
        });
        if self.answers.is_empty() {
            self.answers = IndexMap::new();
        }
    }

    pub fn len(&self) -> usize {
        self.answers.len()
    }

    pub fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    fn remove(&mut self, key: &[u8]) {
        if let Some((key, answer)) = self.answers.swap_remove_entry(key) {
            self.bytes -= cost(&key, &answer);
        }
    }

    /// Throws out one of a few entries taken at random, the one that would end first.
    fn evict(&mut self) {
        let mut victim = self.pick();
        for _ in 1..SAMPLES {
            let other = self.pick();
            if self.answers[other].expires() < self.answers[victim].expires() {
                victim = other;
            }
        }
        if let Some((key, answer)) = self.answers.swap_remove_index(victim) {
            self.bytes -= cost(&key, &answer);
        }
    }

    /// A place in the map, which is not empty (xorshift64*).
    fn pick(&mut self) -> usize {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        (self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as usize % self.answers.len()
    }
}

fn cost(key: &[u8], answer: &Answer) -> usize {
    key.len() + answer.size()
}
