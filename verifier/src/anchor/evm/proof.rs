//! What a node answers to `eth_getProof`: nodes of two tries, from the root of all accounts to the contract's, and from the
//! root of its storage to the words of a head. Only the nodes are used; whatever else the node says is not looked at.

use super::header::{quantity, Header};
use super::rlp::item;
use super::trie::{follow, NODE_LIMIT, PATH_LIMIT};
use super::{slots, unprefixed, Address, Word};
use serde::Deserialize;
use serde_json::Value;
use vitrine_attest::Sha256;

/// Largest file with a proof, in bytes: three paths of the longest kind, as hex, and some room.
pub const PROOF_FILE_LIMIT: usize = 3 * PATH_LIMIT * NODE_LIMIT * 2 + (64 << 10);

/// Nodes of the paths, root first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateProof {
    account: Vec<Vec<u8>>,
    storage: Vec<(Word, Vec<Vec<u8>>)>,
}

/// A log's head in the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    pub size: u64,
    /// Of the block that took it, seconds since 1970.
    pub time: u64,
    pub root: Sha256,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Form {
    account_proof: Vec<String>,
    storage_proof: Vec<SlotForm>,
}

#[derive(Deserialize)]
struct SlotForm {
    key: String,
    proof: Vec<String>,
}

impl StateProof {
    /// Reads JSON: the result of `eth_getProof`, alone or as the `result` of an answer.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() > PROOF_FILE_LIMIT {
            return Err(format!("the proof's file has more than {PROOF_FILE_LIMIT} bytes"));
        }
        let answer: Value = serde_json::from_slice(bytes).map_err(|e| format!("the proof's JSON: {e}"))?;
        let result = answer.get("result").unwrap_or(&answer);
        let form = Form::deserialize(result).map_err(|e| format!("the proof's JSON: {e}"))?;
        if form.storage_proof.len() > 16 {
            return Err("the proof is of more than 16 words of storage".into());
        }
        let storage = form.storage_proof.iter().map(|slot| Ok((word(&slot.key)?, nodes(&slot.proof)?)));
        Ok(Self { account: nodes(&form.account_proof)?, storage: storage.collect::<Result<_, String>>()? })
    }

    /// The head that `publisher` has anchored of a log (`origin`: the hash of its name) in `contract`, as of this block. The
    /// account's code has to have this hash: another contract's storage could say anything.
    ///
    /// Does **not** prove that the block is in the chain: that, the person has said by its hash.
    ///
    /// # Errors
    /// When the proof does not lead from the header to the head, or there is none.
    pub fn head(
        &self,
        header: &Header,
        contract: &Address,
        code: &Word,
        publisher: &Address,
        origin: &Word,
    ) -> Result<Head, String> {
        let account = follow(&header.state_root, &contract.0, &self.account)
            .map_err(|e| format!("the path to the account: {e}"))?
            .ok_or_else(|| format!("there is no account {contract} at block {}", header.number))?;
        let (storage, code_hash) = storage_and_code(account).map_err(|e| format!("the account: {e}"))?;
        if code_hash != *code {
            return Err(format!("the code at {contract} is not that of the anchor contract"));
        }
        let [first, second] = slots(publisher, origin);
        let (numbers, root) = (self.word_at(&storage, &first)?, self.word_at(&storage, &second)?);
        if numbers == [0; 32] {
            return Err(format!("{publisher} has anchored no head of this log at block {}", header.number));
        }
        let (unused, time, size) = (&numbers[..16], &numbers[16..24], &numbers[24..]);
        if unused.iter().any(|&byte| byte != 0) {
            return Err("the head's word has bits that the contract does not set".into());
        }
        let number = |bytes: &[u8]| bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte));
        Ok(Head { size: number(size), time: number(time), root: Sha256(root) })
    }

    /// A word of the storage with this root; what is not there is zero.
    fn word_at(&self, storage: &Word, slot: &Word) -> Result<Word, String> {
        let nodes = self.storage.iter().find(|(key, _)| key == slot).map(|(_, nodes)| nodes);
        let nodes =
            nodes.ok_or("the proof is not of the words in which this head would lie: other publisher or log?")?;
        match follow(storage, slot, nodes).map_err(|e| format!("the path to a word of the head: {e}"))? {
            None => Ok([0; 32]),
            Some(value) => item(value)?.word().map_err(|e| format!("a word of the head: {e}")),
        }
    }
}

/// An account: nonce, balance, root of its storage, hash of its code (Yellow Paper, 4.1).
fn storage_and_code(account: &[u8]) -> Result<(Word, Word), String> {
    match item(account)?.members(4)?.as_slice() {
        [nonce, balance, storage, code] => {
            nonce.number()?;
            balance.word()?;
            Ok((storage.array()?, code.array()?))
        }
        other => Err(format!("it has {} fields", other.len())),
    }
}

fn nodes(texts: &[String]) -> Result<Vec<Vec<u8>>, String> {
    if texts.len() > PATH_LIMIT || texts.iter().any(|text| text.len() > 2 * NODE_LIMIT + 2) {
        return Err(format!("a path has more than {PATH_LIMIT} nodes, or one of more than {NODE_LIMIT} bytes"));
    }
    texts.iter().map(|text| unprefixed(text).map_err(|e| format!("a node of the proof: {e}"))).collect()
}

/// The number of a word of storage; some nodes leave out zeros before it.
fn word(text: &str) -> Result<Word, String> {
    let digits = quantity(text).map_err(|e| format!("a key of the proof: {e}"))?;
    let mut word = [0; 32];
    let at = 32usize.checked_sub(digits.len()).ok_or("a key of the proof has more than 32 bytes")?;
    word[at..].copy_from_slice(&digits);
    Ok(word)
}

#[cfg(test)]
mod tests {
    use super::super::origin;
    use super::super::rlp::{of_bytes, of_list};
    use super::super::trie::tests::Maker;
    use super::*;
    use vitrine_attest::digest::hex;

    const CONTRACT: Address = Address([0xc0; 20]);
    const PUBLISHER: Address = Address([0x11; 20]);
    const CODE: Word = [0xcd; 32];

    fn log() -> Word {
        origin("log.example/vitrine")
    }

    /// A state with the contract, whose storage has these words in the places of a head, and the proof of them.
    fn state(words: [&[u8]; 2]) -> (Header, StateProof) {
        let slots = slots(&PUBLISHER, &log());
        let mut pairs = vec![(vec![5; 32], of_bytes(&[1])), (vec![6; 32], of_bytes(&[7; 32]))];
        pairs.extend(slots.iter().zip(words).filter(|(_, w)| !w.is_empty()).map(|(s, w)| (s.to_vec(), of_bytes(w))));
        let pairs: Vec<_> = pairs.iter().map(|(key, value)| (&key[..], value.clone())).collect();
        let storage = Maker::of(&pairs);
        let account = |root: &Word| of_list(&[of_bytes(&[1]), of_bytes(&[]), of_bytes(root), of_bytes(&CODE)]);
        let others: Vec<[u8; 20]> = (0..40).map(|n| [n; 20]).collect();
        let mut accounts: Vec<(&[u8], Vec<u8>)> = others.iter().map(|key| (&key[..], account(&[9; 32]))).collect();
        accounts.push((&CONTRACT.0, account(&storage.root())));
        let accounts = Maker::of(&accounts);
        let proof = StateProof {
            account: accounts.path(&CONTRACT.0),
            storage: slots.iter().map(|slot| (*slot, storage.path(slot))).collect(),
        };
        (Header { number: 7, time: 99, state_root: accounts.root() }, proof)
    }

    fn numbers(time: u8, size: u8) -> Vec<u8> {
        [&[time][..], &[0; 7], &[size]].concat()
    }

    fn head_of(header: &Header, proof: &StateProof) -> Result<Head, String> {
        proof.head(header, &CONTRACT, &CODE, &PUBLISHER, &log())
    }

    #[test]
    fn a_head_that_is_there() {
        let (header, proof) = state([&numbers(3, 5), &[0xab; 32]]);
        assert_eq!(head_of(&header, &proof), Ok(Head { size: 5, time: 3, root: Sha256([0xab; 32]) }));
    }

    #[test]
    fn heads_that_are_not() {
        let (header, proof) = state([&numbers(3, 5), &[0xab; 32]]);
        let refused = |what: Result<Head, String>, why: &str| {
            let error = what.unwrap_err();
            assert!(error.contains(why), "{error}, not {why}");
        };
        refused(proof.head(&header, &CONTRACT, &[0; 32], &PUBLISHER, &log()), "not that of the anchor");
        refused(proof.head(&header, &CONTRACT, &CODE, &Address([2; 20]), &log()), "other publisher");
        refused(proof.head(&header, &CONTRACT, &CODE, &PUBLISHER, &origin("other")), "other publisher");
        refused(proof.head(&header, &Address([77; 20]), &CODE, &PUBLISHER, &log()), "account");
        refused(head_of(&Header { state_root: [0; 32], ..header }, &proof), "path to the account");
        let (empty, nothing) = state([&[], &[]]);
        refused(head_of(&empty, &nothing), "anchored no head");
        refused(head_of(&empty, &proof), "path to the account");
        let (odd, extra) = state([&[7; 17], &[0xab; 32]]);
        refused(head_of(&odd, &extra), "bits");
        let mut crossed = proof.clone();
        crossed.storage[0].1 = proof.storage[1].1.clone();
        refused(head_of(&header, &crossed), "path to a word");
        let (_, other) = state([&numbers(3, 6), &[0xab; 32]]);
        let mut mixed = proof.clone();
        mixed.storage = other.storage;
        refused(head_of(&header, &mixed), "path to a word");
    }

    #[test]
    fn json() {
        let (header, proof) = state([&numbers(3, 5), &[0xab; 32]]);
        let texts = |nodes: &[Vec<u8>]| nodes.iter().map(|node| format!("0x{}", hex(node))).collect::<Vec<_>>();
        let slot = |(key, nodes): &(Word, Vec<Vec<u8>>)| serde_json::json!({"key": format!("0x{}", hex(key)), "value": "0x0", "proof": texts(nodes)});
        let result = serde_json::json!({"accountProof": texts(&proof.account), "codeHash": "0x00",
            "storageProof": proof.storage.iter().map(slot).collect::<Vec<_>>()});
        for json in [result.to_string(), serde_json::json!({"id": 1, "result": result}).to_string()] {
            let read = StateProof::parse(json.as_bytes()).unwrap();
            assert_eq!(read, proof);
            assert!(head_of(&header, &read).is_ok());
        }
        assert_eq!(word("0x0").unwrap(), [0; 32]);
        let good = result.to_string();
        for bad in [
            "".into(),
            "{}".into(),
            r#"{"error":{"code":1}}"#.into(),
            good.replacen("0x", "", 1),
            good.replacen("0xf", "0xg", 1),
            good.replace(r#""key":"0x"#, r#""key":"0xff"#),
            good.replacen("0x", &format!("0x{}", "00".repeat(NODE_LIMIT)), 1),
        ] {
            assert!(StateProof::parse(bad.as_bytes()).is_err(), "{bad} was taken");
        }
    }
}
