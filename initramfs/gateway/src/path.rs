//! Which targets of requests are passed on: those that every server reads in the same way.
//!
//! The path decides the route, and the upstream reads it again. Where the two could differ (`..`, `//`, an encoded slash, `;`), one
//! who is kept from `/admin` could get there by another spelling, so such a path is refused, and never mended. The query is not
//! looked at by anybody here; it has to be printable ASCII (RFC 3986 §2) and is passed on as it is.

/// Whether path and query, as they came, have one reading only.
///
/// Refused: what does not begin with `/`; empty (`//`), `.` and `..` segments; bytes outside RFC 3986's `pchar`, and `;`; escapes of
/// letters, digits, `-._~`, `/`, `\`, `;`, control characters (RFC 3986 §6.2.2.2 has one spelling for each of these); an escaped escape
/// (`%252e`); what is not UTF-8 when it is decoded; fragments.
pub fn is_plain(target: &str) -> bool {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    path.starts_with('/')
        && segments(path)
        && decoded(path)
        && query.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
}

fn segments(path: &str) -> bool {
    let last = path.split('/').count() - 1;
    // the first is what stands before the first slash; the last may be empty: `/v1/`
    path.split('/').enumerate().skip(1).all(|(n, segment)| match segment {
        "" => n == last,
        "." | ".." => false,
        _ => true,
    })
}

/// RFC 3986 §3.3 without `;`, which some servers take for the end of a segment, and without `%`.
const fn literal(byte: u8) -> bool {
    unreserved(byte)
        || matches!(byte, b'/' | b':' | b'@' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b'=')
}

const fn unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// The literal bytes are right, and so are the escapes and what they stand for.
fn decoded(path: &str) -> bool {
    if path.bytes().all(literal) {
        return true;
    }
    let mut bytes = path.bytes();
    let mut plain = Vec::with_capacity(path.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            if !literal(byte) {
                return false;
            }
            plain.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        let (Some(high), Some(low)) = (digit(bytes.next()), digit(bytes.next())) else { return false };
        let Ok(byte) = u8::try_from(high << 4 | low) else { return false };
        if unreserved(byte) || byte.is_ascii_control() || matches!(byte, b'/' | b'\\' | b';') {
            return false;
        }
        plain.push(byte);
    }
    std::str::from_utf8(&plain).is_ok() && !escaped_twice(&plain)
}

/// A server that decodes twice would see something else.
fn escaped_twice(plain: &[u8]) -> bool {
    plain.windows(3).any(|three| three[0] == b'%' && three[1..].iter().all(u8::is_ascii_hexdigit))
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn what_is_passed_on() {
        for target in [
            "/",
            "/v1",
            "/v1/",
            "/v1/models/a-b_c.d~e",
            "/v1/x:generate",
            "/a@b/c,d=e/(f)/!$&'*+",
            "/a%20b/%C3%A4%E2%82%AC",
            "/100%25",
            "/a...b/.../.well-known/x",
            "/v1?",
            "/v1?a=b&c=../..//%2f%2e;x=\"{}|\\^`?",
        ] {
            assert!(is_plain(target), "{target}");
        }
    }

    #[test]
    fn what_is_not() {
        for target in [
            "",
            "*",
            "v1",
            "?a",
            "//",
            "//v1",
            "/v1//x",
            "/v1//",
            "/.",
            "/..",
            "/v1/.",
            "/v1/..",
            "/v1/./x",
            "/v1/../x",
            "/v1/..;/x",
            "/v1;a=b",
            "/v1/%2e%2e/x",
            "/v1/%2E",
            "/v1%2fx",
            "/v1%2Fx",
            "/v1%5cx",
            "/v1\\x",
            "/v1/%61dmin",
            "/%7Euser",
            "/v1/%3b",
            "/%00",
            "/a%0d%0ab",
            "/a%7f",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a%+1",
            "/%252e%252e",
            "/%25%32%65",
            "/%c0%ae",
            "/%ff",
            "/%ed%a0%80",
            "/a b",
            "/a\tb",
            "/a\"b",
            "/a<b",
            "/a{b}",
            "/a|b",
            "/a^b",
            "/a`b",
            "/ä",
            "/a#b",
            "/a?b#c",
            "/a?b c",
            "/a?\u{e4}",
            "/a?\u{7f}",
        ] {
            assert!(!is_plain(target), "{target}");
        }
    }
}
