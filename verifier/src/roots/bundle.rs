//! Files of certificates as people and makers have them: PEM and DER, mixed, with text between and padding behind.

use base64::{engine::general_purpose::STANDARD, Engine as _};

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";
/// Labels of one certificate (RFC 7468 §5, and what openssl writes besides: the trusted form has more behind it).
const LABELS: [&[u8]; 3] = [b"CERTIFICATE", b"X509 CERTIFICATE", b"TRUSTED CERTIFICATE"];
/// Labels that hold certificates in a wrapping of their own.
const WRAPPED: [&[u8]; 2] = [b"PKCS7", b"CMS"];

/// Tag of a certificate's outermost element (X.690).
const SEQUENCE: u8 = 0x30;

/// All certificates, in order. What is read as text is skipped; what is neither text nor a certificate is an error, so
/// that no certificate is lost unseen.
///
/// A DER certificate is told from text by its first two bytes: `30 82` and its like are no text.
pub fn certificates(bytes: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let mut found = Vec::new();
    let mut rest = unpadded(bytes);
    while let [first, ..] = rest {
        rest = if *first == SEQUENCE && rest.get(1).is_some_and(|length| *length >= 0x80) {
            let (certificate, after) = sequence(rest).ok_or("it is cut off, or neither PEM nor whole DER")?;
            found.push(certificate.to_vec());
            after
        } else if rest.starts_with(BEGIN) {
            let (label, body, after) = block(rest).ok_or("a PEM block has no end")?;
            if LABELS.contains(&label) {
                found.push(decode(body)?);
            } else if WRAPPED.contains(&label) {
                return Err("its certificates are wrapped: take them out with `openssl pkcs7 -print_certs`".into());
            }
            after
        } else {
            skip_text(rest)?
        };
        rest = unpadded(rest);
    }
    Ok(found)
}

/// The SEQUENCE that begins here, whole, and what follows it. Its length takes one to four bytes more than the two; what
/// is in it is for others to read.
fn sequence(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[SEQUENCE, first], rest) = bytes.split_first_chunk()? else { return None };
    let (head, length) = match first {
        0..=0x7f => (2, usize::from(first)),
        0x81..=0x84 => {
            let digits = rest.get(..usize::from(first & 0x0f))?;
            (2 + digits.len(), digits.iter().fold(0, |value, &byte| value << 8 | usize::from(byte)))
        }
        _ => return None,
    };
    bytes.split_at_checked(head.checked_add(length)?)
}

/// Without what stands before a certificate or behind the last one: line ends, and zeros or ones as in NV memory.
fn unpadded(bytes: &[u8]) -> &[u8] {
    let padding = |byte: &&u8| byte.is_ascii_whitespace() || matches!(**byte, 0 | 0xff);
    &bytes[bytes.iter().take_while(padding).count()..]
}

/// Label and body of the PEM block that begins here, and what follows it.
fn block(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (label, rest) = split(bytes.get(BEGIN.len()..)?, DASHES)?;
    let (body, rest) = split(rest, END)?;
    let (ended, rest) = split(rest, DASHES)?;
    (ended == label).then_some((label, body, rest))
}

fn decode(body: &[u8]) -> Result<Vec<u8>, String> {
    let digits: Vec<u8> = body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let bytes = STANDARD.decode(digits).map_err(|e| format!("a PEM block is no base64: {e}"))?;
    let (certificate, _) = sequence(&bytes).ok_or("a PEM block is not whole DER")?;
    Ok(certificate.to_vec())
}

/// What follows this line, or the PEM block in it.
fn skip_text(bytes: &[u8]) -> Result<&[u8], String> {
    let end = bytes.iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |at| at + 1);
    let end = find(&bytes[..end], BEGIN).unwrap_or(end);
    match std::str::from_utf8(&bytes[..end]) {
        Ok(text) if !text.contains('\0') => Ok(&bytes[end..]),
        _ => Err("there is something in it that is neither text, PEM nor DER".into()),
    }
}

fn split<'a>(bytes: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let index = find(bytes, at)?;
    Some((&bytes[..index], &bytes[index + at.len()..]))
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A SEQUENCE that is long enough to be told from text.
    fn der(byte: u8) -> Vec<u8> {
        [&[0x30, 0x81, 200][..], &[byte; 200]].concat()
    }

    fn pem(label: &str, der: &[u8]) -> String {
        let digits = STANDARD.encode(der);
        let lines: Vec<&str> = digits.as_bytes().chunks(64).map(|l| std::str::from_utf8(l).unwrap()).collect();
        format!("-----BEGIN {label}-----\r\n{}\r\n-----END {label}-----\r\n", lines.join("\r\n"))
    }

    fn read(parts: &[&[u8]]) -> Result<Vec<u8>, String> {
        // each made certificate is filled with one byte
        certificates(&parts.concat()).map(|list| list.iter().map(|certificate| certificate[3]).collect())
    }

    #[test]
    fn mixed() {
        let (one, two, three) = (pem("CERTIFICATE", &der(1)), der(2), pem("X509 CERTIFICATE", &der(3)));
        let (one, three) = (one.as_bytes(), three.as_bytes());
        for (parts, found) in [
            (vec![one, &two, three], vec![1, 2, 3]),
            (vec![&two, one, &two, three, b"text"], vec![2, 1, 2, 3]),
            (vec![b"# comment\n0 s:CN = x\n", one, b"\xef\xbb\xbfmore ", three], vec![1, 3]),
            (vec![&two, &[0; 40]], vec![2]),
            (vec![&two, &[0xff; 40], &two, b"\n\n"], vec![2, 2]),
            (vec![one.trim_ascii_end(), &two], vec![1, 2]),
            (vec![b"# text right before a block: ", one], vec![1]),
        ] {
            assert_eq!(read(&parts), Ok(found), "{}", parts.concat().escape_ascii());
        }
    }

    #[test]
    fn other_blocks() {
        let key = pem("PRIVATE KEY", &der(9));
        let trusted = pem("TRUSTED CERTIFICATE", &[der(4), vec![0x30, 2, 5, 0]].concat());
        assert_eq!(read(&[key.as_bytes(), trusted.as_bytes()]), Ok(vec![4]));
        for label in ["PKCS7", "CMS"] {
            assert!(read(&[pem(label, &der(1)).as_bytes()]).unwrap_err().contains("openssl pkcs7"));
        }
    }

    #[test]
    fn nothing_is_lost_unseen() {
        let whole = pem("CERTIFICATE", &der(1));
        for bad in [
            &der(1)[..200],
            &whole.as_bytes()[..whole.len() - 9],
            whole.replace("END CERTIFICATE", "END X").as_bytes(),
            whole.replacen('A', "!", 1).as_bytes(),
            pem("CERTIFICATE", b"hello").as_bytes(),
            &[b"text without a line end ", der(1).as_slice()].concat(),
            "-----BEGIN CERTIFICATE-----".as_bytes(),
            b"\x30\x80\x00\x00",
            "\u{feff}x".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>().as_slice(),
        ] {
            assert!(read(&[bad]).is_err(), "{} was taken", bad.escape_ascii());
        }
        assert_eq!(read(&[b"hello"]), Ok(vec![]));
    }
}
