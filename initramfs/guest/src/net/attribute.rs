//! Netlink attributes as bytes: `length[2] ‖ type[2] ‖ value ‖ padding to 4`, native byte order (linux/netlink.h).
//! For the few messages whose values must not be copied, or that the codecs do not know.

use crate::stop::{OrStop as _, Step, Stop};

/// `nlattr`.
const HEADER: usize = 4;
/// The upper two bits of a type say "nested" and "network byte order".
const TYPE: u16 = 0x3fff;
const NESTED: u16 = 0x8000;

/// Type and value.
type Attribute<'a> = (u16, &'a [u8]);

/// Cuts a byte string into attributes: their types, without the two flags, and their values.
///
/// # Errors
/// `attribute` once, as the last item, when a length lies.
pub fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = Step<Attribute<'_>>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let Some((attribute, rest)) = cut(bytes) else {
            bytes = &[];
            return Some(Err(Stop("attribute")));
        };
        bytes = rest;
        Some(Ok(attribute))
    })
}

fn cut(bytes: &[u8]) -> Option<(Attribute<'_>, &[u8])> {
    let length = usize::from(number(bytes.get(..2)?)?);
    let kind = number(bytes.get(2..4)?)? & TYPE;
    let value = bytes.get(HEADER..length)?;
    let rest = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some(((kind, value), rest))
}

fn number(bytes: &[u8]) -> Option<u16> {
    bytes.try_into().ok().map(u16::from_ne_bytes)
}

/// The value of the first attribute of this type.
pub fn find(bytes: &[u8], kind: u16) -> Step<Option<&[u8]>> {
    for attribute in attributes(bytes) {
        let (found, value) = attribute?;
        if found == kind {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

/// Appends one attribute.
///
/// # Errors
/// `attribute` when the value is over 65,531 bytes.
pub fn push(to: &mut Vec<u8>, kind: u16, value: &[u8]) -> Step {
    let length = u16::try_from(HEADER + value.len()).or_stop("attribute")?;
    to.extend(length.to_ne_bytes());
    to.extend(kind.to_ne_bytes());
    to.extend(value);
    to.resize(to.len().next_multiple_of(4), 0);
    Ok(())
}

/// Appends one attribute that holds others.
pub fn push_nested(to: &mut Vec<u8>, kind: u16, value: &[u8]) -> Step {
    push(to, kind | NESTED, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut bytes = Vec::new();
        push(&mut bytes, 1, b"a").unwrap();
        push_nested(&mut bytes, 2, b"").unwrap();
        push(&mut bytes, 3, b"abcd").unwrap();
        assert_eq!(bytes.len(), 8 + 4 + 8);
        let found: Step<Vec<_>> = attributes(&bytes).collect();
        assert_eq!(found.unwrap(), [(1, &b"a"[..]), (2, b""), (3, b"abcd")]);
        assert_eq!(find(&bytes, 3).unwrap(), Some(&b"abcd"[..]));
        assert_eq!(find(&bytes, 4).unwrap(), None);
        assert!(push(&mut bytes, 1, &[0; 65_532]).is_err());
    }

    /// The padding after the last value may be missing, as the kernel's own reader allows.
    #[test]
    fn missing_padding() {
        let found: Step<Vec<_>> = attributes(&[5, 0, 1, 0, b'a']).collect();
        assert_eq!(found.unwrap(), [(1, &b"a"[..])]);
    }

    #[test]
    fn lying_lengths_end_the_list() {
        for bad in [&[5, 0, 1][..], &[3, 0, 1, 0], &[0, 0, 0, 0], &[9, 0, 1, 0, 1, 2, 3, 4], &[255, 255, 1, 0]] {
            assert_eq!(attributes(bad).collect::<Vec<_>>(), [Err(Stop("attribute"))], "{bad:?}");
        }
        let after_a_good_one = [4, 0, 1, 0, 9, 0, 2, 0];
        assert_eq!(attributes(&after_a_good_one).count(), 2);
    }
}
