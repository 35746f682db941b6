//! The little DER (X.690) that webpki does not give: where a certificate ends, its key, two extensions.
//!
//! Everything read here is read again, more strictly, by webpki; this reader only has to be bounded.

use crate::calendar::days;

pub const INTEGER: u8 = 0x02;
pub const BIT_STRING: u8 = 0x03;
pub const OCTET_STRING: u8 = 0x04;
pub const OID: u8 = 0x06;
pub const BOOLEAN: u8 = 0x01;
pub const SEQUENCE: u8 = 0x30;
pub const UTC_TIME: u8 = 0x17;
pub const GENERALIZED_TIME: u8 = 0x18;
/// `[3] EXPLICIT`: the extensions of a TBSCertificate (RFC 5280 §4.1).
pub const EXTENSIONS: u8 = 0xA3;
/// `[0] EXPLICIT`: the version of a TBSCertificate.
pub const VERSION: u8 = 0xA0;

/// Elements in a row.
#[derive(Clone, Copy)]
pub struct Elements<'a>(pub &'a [u8]);

/// One element: its tag, its content, and all of its bytes.
#[derive(Clone, Copy)]
pub struct Element<'a> {
    pub tag: u8,
    pub content: &'a [u8],
    pub whole: &'a [u8],
}

impl<'a> Elements<'a> {
    /// The content of the next element, when it has this tag.
    pub fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let element = ahead.next().filter(|element| element.tag == tag)?;
        *self = ahead;
        Some(element.content)
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    /// None at the end, and for what is no element with a definite length of at most four bytes.
    fn next(&mut self) -> Option<Element<'a>> {
        let (&tag, &first) = (self.0.first()?, self.0.get(1)?);
        let (head, length) = match first {
            0..=0x7f => (2, usize::from(first)),
            0x81..=0x84 => {
                let count = usize::from(first & 0x0f);
                let bytes = self.0.get(2..2 + count)?;
                (2 + count, bytes.iter().fold(0, |value, &byte| value << 8 | usize::from(byte)))
            }
            _ => return None,
        };
        let whole = self.0.get(..head.checked_add(length)?)?;
        self.0 = &self.0[whole.len()..];
        Some(Element { tag, content: &whole[head..], whole })
    }
}

/// The first element of tag SEQUENCE, whole, and what follows it.
pub fn split_sequence(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let whole = Elements(bytes).next().filter(|element| element.tag == SEQUENCE)?.whole;
    Some((whole, &bytes[whole.len()..]))
}

/// Value of one extension of a certificate (the content of its OCTET STRING), if it has it.
pub fn extension<'a>(certificate: &'a [u8], oid: &[u8]) -> Option<&'a [u8]> {
    let tbs = Elements(Elements(certificate).expect(SEQUENCE)?).expect(SEQUENCE)?;
    let list = Elements(tbs).find(|element| element.tag == EXTENSIONS)?.content;
    Elements(Elements(list).expect(SEQUENCE)?).find_map(|extension| {
        let mut fields = Elements(extension.content);
        if fields.expect(OID)? != oid {
            return None;
        }
        fields.expect(BOOLEAN);
        fields.expect(OCTET_STRING)
    })
}

/// The first and the last second of a certificate's validity, since 1970, UTC (RFC 5280 §4.1.2.5); none when they are not
/// written as there: whole seconds and `Z`.
pub fn validity(certificate: &[u8]) -> Option<(u64, u64)> {
    let mut tbs = Elements(Elements(Elements(certificate).expect(SEQUENCE)?).expect(SEQUENCE)?);
    tbs.expect(VERSION);
    // serial number, signature algorithm, issuer
    let mut times = Elements(tbs.nth(3).filter(|element| element.tag == SEQUENCE)?.content);
    let both = (time(times.next()?)?, time(times.next()?)?);
    times.0.is_empty().then_some(both)
}

fn time(element: Element<'_>) -> Option<u64> {
    let text = std::str::from_utf8(element.content).ok()?.strip_suffix('Z')?;
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, rest) = match (element.tag, text.len()) {
        (UTC_TIME, 12) => {
            let year: u64 = text[..2].parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, &text[2..])
        }
        (GENERALIZED_TIME, 14) => (text[..4].parse().ok()?, &text[4..]),
        _ => return None,
    };
    let field = |at: usize, range: std::ops::RangeInclusive<u64>| {
        rest[at..at + 2].parse::<u64>().ok().filter(|value| range.contains(value))
    };
    let (month, day) = (field(0, 1..=12)?, field(2, 1..=31)?);
    let (hour, minute, second) = (field(4, 0..=23)?, field(6, 0..=59)?, field(8, 0..=59)?);
    Some(days(year, month, day)? * 86_400 + hour * 3600 + minute * 60 + second)
}

/// `SubjectPublicKeyInfo` of a certificate, whole (RFC 5280 §4.1): the sixth element, the version not counted.
pub fn public_key_info(certificate: &[u8]) -> Option<&[u8]> {
    let mut tbs = Elements(Elements(Elements(certificate).expect(SEQUENCE)?).expect(SEQUENCE)?);
    tbs.expect(VERSION);
    tbs.nth(5).filter(|element| element.tag == SEQUENCE).map(|element| element.whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths() {
        let long = [&[0x30, 0x82, 1, 0][..], &[7; 256], &[9, 9]].concat();
        let (whole, rest) = split_sequence(&long).unwrap();
        assert_eq!((whole.len(), rest), (260, &[9, 9][..]));
        for bad in
            [&[][..], &[0x30], &[0x30, 2, 1], &[0x30, 0x80, 0, 0], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], &[2, 0]]
        {
            assert!(split_sequence(bad).is_none(), "{bad:?} was taken");
        }
    }

    /// Values from `date -u -d … +%s`.
    #[test]
    fn times() {
        let read = |tag, text: &str| time(Element { tag, content: text.as_bytes(), whole: &[] });
        for (tag, text, seconds) in [
            (UTC_TIME, "700101000000Z", 0),
            (UTC_TIME, "491231235959Z", 2_524_607_999),
            (UTC_TIME, "000229120000Z", 951_825_600),
            (GENERALIZED_TIME, "20251120005320Z", 1_763_600_000),
            (GENERALIZED_TIME, "21000301000000Z", 4_107_542_400),
            (GENERALIZED_TIME, "99991231235959Z", 253_402_300_799),
        ] {
            assert_eq!(read(tag, text), Some(seconds), "{text}");
        }
        for (tag, bad) in [
            (UTC_TIME, "500101000000Z"),
            (UTC_TIME, "20251120005320Z"),
            (GENERALIZED_TIME, "251120005320Z"),
            (UTC_TIME, "251120005320"),
            (UTC_TIME, "251120005320+"),
            (UTC_TIME, "251320005320Z"),
            (UTC_TIME, "25112000532-Z"),
            (GENERALIZED_TIME, "20251120005320.5Z"),
            (UTC_TIME, "251120245320Z"),
            (SEQUENCE, "251120005320Z"),
        ] {
            assert_eq!(read(tag, bad), None, "{bad}");
        }
    }

    #[test]
    fn garbage_ends_quietly() {
        for length in 0..64u8 {
            let bytes: Vec<u8> = (0..length).map(|i| i.wrapping_mul(37) ^ 0x30).collect();
            let _ = (extension(&bytes, &[1]), public_key_info(&bytes), split_sequence(&bytes), validity(&bytes));
        }
    }
}
