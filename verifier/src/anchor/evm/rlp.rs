//! Ethereum's encoding of lists of byte strings (RLP, Yellow Paper, appendix B). One value has one spelling; others are refused.

/// A byte string or a list, where it stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item<'a> {
    pub list: bool,
    /// Without its head.
    pub payload: &'a [u8],
    /// With it.
    pub whole: &'a [u8],
}

impl<'a> Item<'a> {
    /// The bytes of a byte string.
    ///
    /// # Errors
    /// When it is a list.
    pub fn bytes(&self) -> Result<&'a [u8], String> {
        if self.list {
            return Err("there is a list where bytes are expected".into());
        }
        Ok(self.payload)
    }

    /// Exactly `N` bytes.
    ///
    /// # Errors
    /// When they are others, or it is a list.
    pub fn array<const N: usize>(&self) -> Result<[u8; N], String> {
        let bytes = self.bytes()?;
        bytes.try_into().map_err(|_| format!("there are {} bytes where {N} are expected", bytes.len()))
    }

    /// A number: big-endian, without zeros before it.
    ///
    /// # Errors
    /// When it is none, or larger than 64 bits.
    pub fn number(&self) -> Result<u64, String> {
        let word = self.word()?;
        if word[..24].iter().any(|&byte| byte != 0) {
            return Err("a number has more than 64 bits".into());
        }
        Ok(word[24..].iter().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    /// A number of up to 256 bits, padded.
    ///
    /// # Errors
    /// When it is none, or larger.
    pub fn word(&self) -> Result<[u8; 32], String> {
        let bytes = self.bytes()?;
        if bytes.len() > 32 || bytes.first() == Some(&0) {
            return Err("a number has zeros before it, or more than 256 bits".into());
        }
        let mut word = [0; 32];
        word[32 - bytes.len()..].copy_from_slice(bytes);
        Ok(word)
    }

    /// The members of a list, at most `limit`.
    ///
    /// # Errors
    /// When it is no list, has more, or one of them cannot be read. What is inside them is not looked at.
    pub fn members(&self, limit: usize) -> Result<Vec<Item<'a>>, String> {
        if !self.list {
            return Err("there are bytes where a list is expected".into());
        }
        let (mut items, mut rest) = (Vec::new(), self.payload);
        while !rest.is_empty() {
            if items.len() == limit {
                return Err(format!("a list has more than {limit} members"));
            }
            let (item, after) = first(rest)?;
            items.push(item);
            rest = after;
        }
        Ok(items)
    }
}

/// The one item that these bytes are.
///
/// # Errors
/// When they are none, or more.
pub fn item(bytes: &[u8]) -> Result<Item<'_>, String> {
    match first(bytes)? {
        (item, []) => Ok(item),
        (_, rest) => Err(format!("{} bytes are left after the item", rest.len())),
    }
}

fn first(bytes: &[u8]) -> Result<(Item<'_>, &[u8]), String> {
    let &tag = bytes.first().ok_or("an item is missing")?;
    let (list, head, length) = match tag {
        0x00..=0x7f => (false, 0, 1),
        0x80..=0xb7 => (false, 1, usize::from(tag - 0x80)),
        0xb8..=0xbf => (false, 1 + usize::from(tag - 0xb7), long(bytes, tag - 0xb7)?),
        0xc0..=0xf7 => (true, 1, usize::from(tag - 0xc0)),
        0xf8..=0xff => (true, 1 + usize::from(tag - 0xf7), long(bytes, tag - 0xf7)?),
    };
    let end = head.checked_add(length).filter(|&end| end <= bytes.len()).ok_or("an item is cut off")?;
    let item = Item { list, payload: &bytes[head..end], whole: &bytes[..end] };
    if tag == 0x81 && item.payload[0] < 0x80 {
        return Err("a single byte is spelt in two".into());
    }
    Ok((item, &bytes[end..]))
}

/// A length of `count` bytes after the tag.
fn long(bytes: &[u8], count: u8) -> Result<usize, String> {
    let digits = bytes.get(1..=usize::from(count)).ok_or("a length is cut off")?;
    let length = digits.iter().try_fold(0usize, |length, &byte| Some(length.checked_mul(256)? | usize::from(byte)));
    let length = length.ok_or("a length is too large")?;
    if digits[0] == 0 || length < 56 {
        return Err("a length is spelt too long".into());
    }
    Ok(length)
}

/// A byte string.
pub fn of_bytes(bytes: &[u8]) -> Vec<u8> {
    match bytes {
        &[byte] if byte < 0x80 => vec![byte],
        _ => [head(0x80, bytes.len()), bytes.to_vec()].concat(),
    }
}

/// A list of items that are encoded already.
pub fn of_list(items: &[Vec<u8>]) -> Vec<u8> {
    let payload = items.concat();
    [head(0xc0, payload.len()), payload].concat()
}

fn head(kind: u8, length: usize) -> Vec<u8> {
    let digits: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|&byte| byte == 0).collect();
    match length {
        0..=55 => vec![kind + length as u8],
        _ => [vec![kind + 55 + digits.len() as u8], digits].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for length in [0, 1, 2, 55, 56, 255, 256, 70_000] {
            for fill in [0, 0x7f, 0x80] {
                let bytes = vec![fill; length];
                let encoded = of_bytes(&bytes);
                assert_eq!(item(&encoded).unwrap().bytes().unwrap(), bytes);
                let list = of_list(&[encoded.clone(), of_list(&[]), encoded.clone()]);
                let members = item(&list).unwrap().members(3).unwrap();
                assert_eq!(members.iter().map(|m| m.whole).collect::<Vec<_>>(), [&encoded[..], &[0xc0], &encoded]);
                assert!(item(&list).unwrap().members(2).is_err() && item(&list).unwrap().bytes().is_err());
                assert!(item(&encoded).unwrap().members(9).is_err());
                assert!(item(&encoded[..encoded.len() - 1]).is_err() && item(&[&encoded[..], &[0]].concat()).is_err());
            }
        }
    }

    /// The examples of the specification.
    #[test]
    fn known_spellings() {
        assert_eq!(of_bytes(b"dog"), b"\x83dog");
        assert_eq!(of_list(&[of_bytes(b"cat"), of_bytes(b"dog")]), b"\xc8\x83cat\x83dog");
        assert_eq!(item(b"\x82\x04\x00").unwrap().number().unwrap(), 1024);
        assert_eq!(item(b"\x80").unwrap().number().unwrap(), 0);
    }

    #[test]
    fn other_spellings_are_refused() {
        for bad in [
            &b""[..],
            b"\x81\x7f",
            b"\xb8\x37",
            b"\xb9\x00\x38",
            b"\xbf\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\xf8\x01\x80",
            b"\xc1",
            b"\x80\x80",
        ] {
            assert!(item(bad).is_err(), "{bad:02x?} was taken");
        }
        let short = [&b"\xb8\x37"[..], &[7; 55]].concat();
        assert!(item(&short).is_err());
        for bad in [&b"\x00"[..], b"\x82\x00\x01", b"\x89\x01\0\0\0\0\0\0\0\0", b"\xc0"] {
            assert!(item(bad).unwrap().number().is_err(), "{bad:02x?} was taken");
        }
    }
}
