//! The little of DER (X.690 §8, §10) that an Authenticode signature needs: exact writing, bounded reading.

use vitrine_attest::{Error, Result};

pub const INTEGER: u8 = 0x02;
pub const BIT_STRING: u8 = 0x03;
pub const OCTET_STRING: u8 = 0x04;
pub const NULL: u8 = 0x05;
pub const OID: u8 = 0x06;
pub const SEQUENCE: u8 = 0x30;
pub const SET: u8 = 0x31;

/// `[n]`, constructed: EXPLICIT tags, and IMPLICIT ones over SEQUENCE or SET.
pub const fn context(n: u8) -> u8 {
    0xa0 | n
}

/// `[n] IMPLICIT` over a string type.
pub const fn context_primitive(n: u8) -> u8 {
    0x80 | n
}

/// Tag, length in the shortest form, the parts joined.
pub fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|p| p.len()).sum();
    let mut out = Vec::with_capacity(length + 6);
    out.push(tag);
    if length < 0x80 {
        out.push(length as u8);
    } else {
        let bytes = length.to_be_bytes();
        let digits = &bytes[length.leading_zeros() as usize / 8..];
        out.push(0x80 | digits.len() as u8);
        out.extend_from_slice(digits);
    }
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

/// `SET OF`: the elements in the order of their encodings (X.690 §11.6).
pub fn set_of(tag: u8, mut elements: Vec<Vec<u8>>) -> Vec<u8> {
    elements.sort();
    tlv(tag, &elements.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

/// One element: its tag, its contents, and its whole encoding.
#[derive(Debug, Clone, Copy)]
pub struct Element<'a> {
    pub tag: u8,
    pub content: &'a [u8],
    pub whole: &'a [u8],
}

/// Reads elements one after the other.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tag of the next element.
    pub fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The next element. Only one-byte tags and definite lengths of up to four bytes, in the shortest form.
    pub fn next(&mut self) -> Result<Element<'a>> {
        let (tag, first) = match *self.0 {
            [tag, first, ..] if tag & 0x1f != 0x1f => (tag, first),
            _ => return Err(malformed("an element has no tag and length")),
        };
        let (header, length) = match first {
            0..=0x7f => (2, usize::from(first)),
            0x81..=0x84 => {
                let digits =
                    self.0.get(2..2 + usize::from(first & 0x7f)).ok_or_else(|| malformed("a length is cut"))?;
                let length = digits.iter().fold(0, |n, &d| n << 8 | usize::from(d));
                if digits[0] == 0 || length < 0x80 {
                    return Err(malformed("a length is not in its shortest form"));
                }
                (2 + digits.len(), length)
            }
            _ => return Err(malformed("a length has a form that DER does not have")),
        };
        let whole = self.0.get(..header + length).ok_or_else(|| malformed("an element is longer than the data"))?;
        self.0 = &self.0[whole.len()..];
        Ok(Element { tag, content: &whole[header..], whole })
    }

    /// The next element, which must have this tag.
    pub fn expect(&mut self, tag: u8) -> Result<Element<'a>> {
        let element = self.next()?;
        if element.tag != tag {
            return Err(malformed(&format!("tag {:#04x} stands where {tag:#04x} must", element.tag)));
        }
        Ok(element)
    }

    /// Refuses data behind the last element.
    pub fn end(&self) -> Result<()> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(malformed("there are more data than its form has"))
        }
    }
}

fn malformed(what: &str) -> Error {
    Error::input(format!("malformed DER: {what}"), "give a file in PEM or DER form, as `vitrine keygen` writes it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths() {
        assert_eq!(tlv(NULL, &[]), [5, 0]);
        assert_eq!(tlv(OCTET_STRING, &[&[0; 0x7f]])[..2], [4, 0x7f]);
        assert_eq!(tlv(OCTET_STRING, &[&[0; 0x80]])[..3], [4, 0x81, 0x80]);
        assert_eq!(tlv(OCTET_STRING, &[&[0; 0x200], &[0; 1]])[..4], [4, 0x82, 2, 1]);
    }

    #[test]
    fn sets_are_sorted() {
        assert_eq!(set_of(SET, vec![vec![4, 1, 9], vec![2, 1, 9]]), [0x31, 6, 2, 1, 9, 4, 1, 9]);
    }

    #[test]
    fn what_is_written_is_read() {
        for length in [0, 1, 0x7f, 0x80, 0xff, 0x100, 0x1_0000] {
            let bytes = tlv(OCTET_STRING, &[&vec![1; length]]);
            let mut reader = Reader::new(&bytes);
            let element = reader.expect(OCTET_STRING).unwrap();
            assert_eq!((element.content.len(), element.whole.len()), (length, bytes.len()));
            reader.end().unwrap();
        }
    }

    #[test]
    fn refused_forms() {
        let cases: [(&str, &[u8]); 7] = [
            ("empty", &[]),
            ("no length", &[4]),
            ("too long", &[4, 2, 0]),
            ("indefinite", &[0x30, 0x80, 0, 0]),
            ("not shortest", &[4, 0x81, 1, 0]),
            ("leading zero", &[4, 0x82, 0, 0x80]),
            ("long tag", &[0x1f, 0x81, 0]),
        ];
        for (name, bytes) in cases {
            assert!(Reader::new(bytes).next().is_err(), "{name} was taken");
        }
    }
}
