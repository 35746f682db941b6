//! The outer archive of a `.deb`: ar, as deb(5) describes it.

use std::io::{self, BufRead, Read};
use vitrine_attest::{Error, Result};

const MAGIC: &[u8] = b"!<arch>\n";
/// Length of one member's header, in bytes (ar.h).
const HEADER: usize = 60;
/// A `.deb` has three members; deb(5) allows a few more that begin with `_`.
const MOST_MEMBERS: usize = 16;

/// One member while it is read: its name without padding, and its bytes.
pub struct Member<'r> {
    pub name: String,
    /// Bytes that the header promises.
    pub size: u64,
    /// Ends with the member, or before it when the archive is cut.
    pub body: &'r mut dyn BufRead,
}

/// Hands over the members, one after the other. What is left of a body is skipped.
///
/// # Errors
/// When the archive is truncated or cannot be read, a header is malformed, there are more members than a package ever
/// has; and whatever `visit` says.
pub fn each(mut reader: &mut dyn BufRead, mut visit: impl FnMut(Member<'_>) -> Result<()>) -> Result<()> {
    let mut magic = [0; MAGIC.len()];
    reader.read_exact(&mut magic).map_err(unread("does not begin with the ar magic"))?;
    if magic != MAGIC {
        return Err(broken("does not begin with the ar magic"));
    }
    let mut count = 0;
    while let Some((name, size)) = header(reader)? {
        if count == MOST_MEMBERS {
            return Err(broken("has more than 16 members"));
        }
        count += 1;
        let mut body = (&mut reader).take(size);
        visit(Member { name, size, body: &mut body })?;
        io::copy(&mut body, &mut io::sink()).map_err(unread("ends inside a member"))?;
        if body.limit() > 0 {
            return Err(broken("ends inside a member"));
        }
        if size % 2 == 1 {
            // members begin at even offsets; the last one may lack its padding
            io::copy(&mut (&mut reader).take(1), &mut io::sink()).map_err(unread("ends inside a member"))?;
        }
    }
    Ok(())
}

/// Name and size of the next member, or nothing at the end.
fn header(reader: &mut dyn BufRead) -> Result<Option<(String, u64)>> {
    if reader.fill_buf().map_err(unread("ends inside a member's header"))?.is_empty() {
        return Ok(None);
    }
    let mut header = [0; HEADER];
    reader.read_exact(&mut header).map_err(unread("ends inside a member's header"))?;
    if &header[58..] != b"`\n" {
        return Err(broken("has a member header without its end mark"));
    }
    let name = text(&header[..16])?;
    let digits = text(&header[48..58])?;
    let plain = digits.bytes().all(|b| b.is_ascii_digit());
    let size = digits.parse().ok().filter(|_| plain).ok_or_else(|| broken("has a member size that is no number"))?;
    Ok(Some((name.strip_suffix('/').unwrap_or(name).to_string(), size)))
}

fn text(field: &[u8]) -> Result<&str> {
    std::str::from_utf8(field).map(str::trim_end).map_err(|_| broken("has a member header that is not text"))
}

/// A cut archive, or a disk that does not give its bytes.
fn unread(how: &str) -> impl Fn(io::Error) -> Error + '_ {
    move |error| match error.kind() {
        io::ErrorKind::UnexpectedEof => broken(how),
        _ => Error::host(format!("the package file cannot be read: {error}"), "check the disk"),
    }
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

    fn members(bytes: &[u8]) -> Result<Vec<(String, u64)>> {
        let mut found = Vec::new();
        each(&mut &bytes[..], |member| {
            found.push((member.name, member.size));
            Ok(())
        })?;
        Ok(found)
    }

    #[test]
    fn round_trip() {
        let bytes = write(&[("debian-binary", b"2.0\n"), ("a", b"odd"), ("b", b"even")]);
        let expected = [("debian-binary", 4), ("a", 3), ("b", 4)].map(|(name, size)| (name.to_string(), size));
        assert_eq!(members(&bytes).unwrap(), expected);
        let mut read = Vec::new();
        each(&mut &bytes[..], |member| {
            member.body.read_to_end(&mut read).unwrap();
            Ok(())
        })
        .unwrap();
        assert_eq!(read, b"2.0\noddeven");
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
