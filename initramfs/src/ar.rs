//! The outer archive of a `.deb`: ar, as deb(5) describes it.

use vitrine_attest::{Error, Result};

const MAGIC: &[u8] = b"!<arch>\n";
/// Length of one member's header, in bytes (ar.h).
const HEADER: usize = 60;
/// A `.deb` has three members; deb(5) allows a few more that begin with `_`.
const MOST_MEMBERS: usize = 16;

/// One member: its name without padding, and its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member<'a> {
    pub name: &'a str,
    pub data: &'a [u8],
}

/// Lists the members.
///
/// # Errors
/// When the archive is truncated, a header is malformed, or there are more members than a package ever has.
pub fn members(bytes: &[u8]) -> Result<Vec<Member<'_>>> {
    let mut rest = bytes.strip_prefix(MAGIC).ok_or_else(|| broken("does not begin with the ar magic"))?;
    let mut members = Vec::new();
    while !rest.is_empty() {
        if members.len() == MOST_MEMBERS {
            return Err(broken("has more than 16 members"));
        }
        let (member, after) = one(rest)?;
        members.push(member);
        rest = after;
    }
    Ok(members)
}

fn one(bytes: &[u8]) -> Result<(Member<'_>, &[u8])> {
    let (header, body) = bytes.split_at_checked(HEADER).ok_or_else(|| broken("ends inside a member's header"))?;
    if &header[58..] != b"`\n" {
        return Err(broken("has a member header without its end mark"));
    }
    let name = text(&header[..16])?;
    let size: usize = text(&header[48..58])?.parse().map_err(|_| broken("has a member size that is no number"))?;
    let (data, after) = body.split_at_checked(size).ok_or_else(|| broken("ends inside a member"))?;
    // members begin at even offsets; the last one may lack its padding
    let after = if size % 2 == 1 { after.get(1..).unwrap_or_default() } else { after };
    Ok((Member { name: name.strip_suffix('/').unwrap_or(name), data }, after))
}

fn text(field: &[u8]) -> Result<&str> {
    std::str::from_utf8(field).map(str::trim_end).map_err(|_| broken("has a member header that is not text"))
}

fn broken(how: &str) -> Error {
    Error::artefact(
        format!("the package file {how}"),
        "fetch it again: remove it from the store and run the command anew",
    )
}

#[cfg(test)]
pub(crate) fn write(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    for (name, data) in members {
        out.extend(format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 100644, data.len()).bytes());
        out.extend_from_slice(data);
        if data.len() % 2 == 1 {
            out.push(b'\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        let bytes = write(&[("debian-binary", b"2.0\n"), ("a", b"odd"), ("b", b"even")]);
        let members = members(&bytes).unwrap();
        assert_eq!(
            members.iter().map(|m| (m.name, m.data.len())).collect::<Vec<_>>(),
            [("debian-binary", 4), ("a", 3), ("b", 4)]
        );
    }

    #[test]
    fn every_truncation_is_refused_or_ends_between_members() {
        let bytes = write(&[("debian-binary", b"2.0\n"), ("control.tar", b"xyz!")]);
        for length in 0..bytes.len() {
            let whole = [8, 72].contains(&length);
            assert_eq!(members(&bytes[..length]).is_ok(), whole, "cut at {length}");
        }
    }

    #[test]
    fn lies_about_sizes() {
        for size in ["9999999999", "-1", "0x10", "", "4294967296"] {
            let mut bytes = write(&[("a", b"data")]);
            bytes[8 + 48..8 + 58].copy_from_slice(format!("{size:<10}").as_bytes());
            assert!(members(&bytes).is_err(), "size {size:?} was taken");
        }
        assert!(members(&write(&vec![("a", b"".as_slice()); 17])).is_err());
    }
}
