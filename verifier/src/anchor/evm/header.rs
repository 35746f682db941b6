//! Headers of blocks: whose hash the person trusts, and which has the root of all accounts.

use super::rlp::{item, of_bytes, of_list};
use super::{keccak, unprefixed, BlockHash, Word};
use serde_json::Value;

/// Largest file with a header, in bytes. As JSON with a long list of transactions it has some 100 KiB.
pub const HEADER_FILE_LIMIT: usize = 1 << 20;
/// Longest header in bytes; today's have about 650.
const HEADER_LIMIT: usize = 4096;
/// Fields of a header: 15 at first, more with every other change of the protocol.
const FIELDS: std::ops::RangeInclusive<usize> = 15..=32;

/// What is of use here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub number: u64,
    /// Seconds since 1970, as the block's maker says.
    pub time: u64,
    pub state_root: Word,
}

impl Header {
    /// Reads a file: the header's RLP, as bytes or as `0x…`, or the JSON that a node answers to `eth_getBlockByHash`.
    ///
    /// # Errors
    /// When it is none, or of a block with another hash.
    pub fn of_block(bytes: &[u8], block: &BlockHash) -> Result<Self, String> {
        if bytes.len() > HEADER_FILE_LIMIT {
            return Err(format!("the header's file has more than {HEADER_FILE_LIMIT} bytes"));
        }
        let rlp = match bytes.first() {
            Some(b'{') => of_json(bytes)?,
            Some(b'0') => {
                let text = std::str::from_utf8(bytes).map_err(|_| "the header is no text")?;
                unprefixed(text.trim_end()).map_err(|e| format!("the header: {e}"))?
            }
            _ => bytes.to_vec(),
        };
        let hash = BlockHash(keccak(&[&rlp]));
        if hash != *block {
            return Err(format!("the header is of block {hash}, not {block}"));
        }
        Self::parse(&rlp)
    }

    /// # Errors
    /// When these bytes are no header.
    pub fn parse(rlp: &[u8]) -> Result<Self, String> {
        if rlp.len() > HEADER_LIMIT {
            return Err(format!("the header has more than {HEADER_LIMIT} bytes"));
        }
        let fields = item(rlp)?.members(*FIELDS.end())?;
        if !FIELDS.contains(&fields.len()) {
            return Err(format!("the header has {} fields", fields.len()));
        }
        for (name, length, at) in [("parent's hash", 32, 0), ("bloom filter", 256, 6)] {
            if fields[at].bytes()?.len() != length {
                return Err(format!("the header's {name} has not {length} bytes"));
            }
        }
        Ok(Self { state_root: fields[3].array()?, number: fields[8].number()?, time: fields[11].number()? })
    }
}

/// Fields in their order, and whether each is a number. Those after the 15th came later: a header has some of them, none left
/// out between. A wrong guess cannot do harm: the hash would be another.
const NAMES: [(&str, bool); 22] = [
    ("parentHash", false),
    ("sha3Uncles", false),
    ("miner", false),
    ("stateRoot", false),
    ("transactionsRoot", false),
    ("receiptsRoot", false),
    ("logsBloom", false),
    ("difficulty", true),
    ("number", true),
    ("gasLimit", true),
    ("gasUsed", true),
    ("timestamp", true),
    ("extraData", false),
    ("mixHash", false),
    ("nonce", false),
    ("baseFeePerGas", true),
    ("withdrawalsRoot", false),
    ("blobGasUsed", true),
    ("excessBlobGas", true),
    ("parentBeaconBlockRoot", false),
    ("requestsHash", false),
    ("blockAccessListHash", false),
];

/// The RLP of the header that a node tells as JSON, alone or as the `result` of an answer.
fn of_json(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let answer: Value = serde_json::from_slice(bytes).map_err(|e| format!("the header's JSON: {e}"))?;
    let block = answer.get("result").unwrap_or(&answer);
    let mut fields = Vec::new();
    for (name, number) in NAMES {
        let text = match block.get(name) {
            None | Some(Value::Null) if fields.len() < *FIELDS.start() => {
                return Err(format!("the header has no {name}"))
            }
            None | Some(Value::Null) => break,
            Some(value) => value.as_str().ok_or_else(|| format!("the header's {name} is no text"))?,
        };
        let value = if number { quantity(text) } else { unprefixed(text) };
        fields.push(of_bytes(&value.map_err(|e| format!("the header's {name}: {e}"))?));
    }
    Ok(of_list(&fields))
}

/// A number as JSON has it: `0x` and digits without zeros before them.
pub(super) fn quantity(text: &str) -> Result<Vec<u8>, String> {
    let digits = text.strip_prefix("0x").ok_or("it does not begin with 0x")?.trim_start_matches('0');
    unprefixed(&format!("0x{}{digits}", if digits.len() % 2 == 1 { "0" } else { "" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields() -> Vec<Vec<u8>> {
        let mut fields = vec![of_bytes(&[1; 32]); 15];
        fields[3] = of_bytes(&[3; 32]);
        fields[6] = of_bytes(&[0; 256]);
        fields[8] = of_bytes(&[0x12, 0x34]);
        fields[11] = of_bytes(&[0x65, 0, 0, 0]);
        fields
    }

    #[test]
    fn a_header_is_read_when_its_hash_is_the_trusted_one() {
        let rlp = of_list(&fields());
        let block = BlockHash(keccak(&[&rlp]));
        let header = Header { number: 0x1234, time: 0x6500_0000, state_root: [3; 32] };
        assert_eq!(Header::of_block(&rlp, &block), Ok(header));
        let text = format!("0x{}\n", vitrine_attest::digest::hex(&rlp));
        assert_eq!(Header::of_block(text.as_bytes(), &block), Ok(header));
        assert!(Header::of_block(&rlp, &BlockHash([0; 32])).unwrap_err().contains(&block.to_string()));
        assert!(Header::of_block(&rlp[1..], &block).is_err());
        assert!(Header::of_block(b"", &block).is_err());
    }

    #[test]
    fn what_is_no_header() {
        type Spoil = fn(&mut Vec<Vec<u8>>);
        let spoils: [Spoil; 6] = [
            |fields| fields.truncate(14),
            |fields| fields.resize(33, of_bytes(b"x")),
            |fields| fields[3] = of_bytes(&[3; 31]),
            |fields| fields[6] = of_bytes(&[0; 255]),
            |fields| fields[8] = of_bytes(&[0, 1]),
            |fields| fields[11] = of_list(&[]),
        ];
        assert!(Header::parse(&of_list(&fields())).is_ok());
        for spoil in spoils {
            let mut bad = fields();
            spoil(&mut bad);
            assert!(Header::parse(&of_list(&bad)).is_err(), "{bad:02x?}");
        }
        assert!(Header::parse(&of_bytes(&[7; 600])).is_err());
    }

    /// Ethereum's first block, as every node tells it.
    #[test]
    fn the_first_block_of_ethereum() {
        let json = format!(
            r#"{{"jsonrpc":"2.0","id":1,"result":{{"difficulty":"0x400000000","extraData":"0x11bbe8db4e347b4e8c937c1c8370e4b5ed33adb3db69cbdb7a38e1e50b1b82fa","gasLimit":"0x1388","gasUsed":"0x0","hash":"0x0","logsBloom":"0x{}","miner":"0x{}","mixHash":"0x{}","nonce":"0x0000000000000042","number":"0x0","parentHash":"0x{}","receiptsRoot":"0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421","sha3Uncles":"0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347","stateRoot":"0xd7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544","timestamp":"0x0","transactionsRoot":"0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"}}}}"#,
            "0".repeat(512),
            "0".repeat(40),
            "0".repeat(64),
            "0".repeat(64)
        );
        let block: BlockHash = "0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3".parse().unwrap();
        let header = Header::of_block(json.as_bytes(), &block).unwrap();
        assert_eq!((header.number, header.time), (0, 0));
        for bad in [
            json.replace("0x1388", "0x1389"),
            json.replace("miner", "m"),
            json.replace("\"0x1388\"", "5000"),
            json.replace("0x1388", "1388"),
            json.replace("0x1388", "0x13g8"),
            "{".into(),
        ] {
            assert!(Header::of_block(bad.as_bytes(), &block).is_err(), "{bad}");
        }
    }
}
