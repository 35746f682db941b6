//! Private keys and tokens in any file.

use crate::policy::Secret;
use memchr::memmem;

/// Fewest base64 digits that make a PEM marker a key and not just the marker's text in a program.
const KEY_BODY: usize = 40;

/// A PEM or OpenSSH private key (RFC 7468; RFC 5208; PROTOCOL.key): its marker, a line end, and base64.
pub fn private_key(bytes: &[u8]) -> Option<String> {
    const BEGIN: &[u8] = b"-----BEGIN ";
    const END: &[u8] = b"PRIVATE KEY-----";
    // "OPENSSH ", "ENCRYPTED ", "RSA ": the longest label before PRIVATE KEY that is in use
    const LABEL: usize = 16;
    memmem::find_iter(bytes, BEGIN).find_map(|at| {
        let rest = &bytes[at + BEGIN.len()..];
        let label = memmem::find(&rest[..rest.len().min(LABEL + END.len())], END)?;
        let body = rest[label + END.len()..].iter().skip_while(|byte| byte.is_ascii_whitespace());
        // headers of encrypted keys ("Proc-Type: …") count as a body, too
        let is_body = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+/=:,-\r\n ".contains(byte);
        (body.take_while(is_body).take(KEY_BODY).count() >= KEY_BODY)
            .then(|| format!("holds a private key ({}PRIVATE KEY)", String::from_utf8_lossy(&rest[..label])))
    })
}

/// Whether a secret of this form begins at `at`, where its first bytes were found.
pub fn is_secret(bytes: &[u8], at: usize, secret: &Secret) -> bool {
    let before = bytes.get(at.wrapping_sub(1)).copied();
    if secret.line_start {
        let line = bytes[..at].iter().rev().take_while(|byte| **byte != b'\n');
        if !line.take(LINE_START).all(|byte| matches!(byte, b' ' | b'\t' | b'\r')) {
            return false;
        }
    } else if before.is_some_and(|byte| byte.is_ascii_alphanumeric()) {
        return false;
    }
    let mut rest = &bytes[at + secret.begin.len()..];
    if secret.assigned {
        let blank =
            |rest: &[u8]| rest.iter().take(BLANKS).take_while(|b| matches!(b, b' ' | b'\t' | b'"' | b'\'')).count();
        rest = &rest[blank(rest)..];
        match rest.first() {
            Some(b'=' | b':') => rest = &rest[1..],
            _ => return false,
        }
        rest = &rest[blank(rest)..];
    }
    let set = Set::new(&secret.of);
    let longest = secret.most.unwrap_or(secret.least);
    let length = rest.iter().take(longest.saturating_add(1)).take_while(|byte| set.has(**byte)).count();
    length >= secret.least && secret.most.is_none_or(|most| length <= most)
}

/// White space before a setting, and around its sign, that is looked at, in bytes.
const LINE_START: usize = 64;
const BLANKS: usize = 16;

/// `A-Za-z0-9+/`
struct Set([bool; 256]);

impl Set {
    fn new(text: &str) -> Self {
        let mut set = [false; 256];
        let bytes = text.as_bytes();
        let mut at = 0;
        while let Some(first) = bytes.get(at) {
            let last = match (bytes.get(at + 1), bytes.get(at + 2)) {
                (Some(b'-'), Some(last)) => {
                    at += 2;
                    *last
                }
                _ => *first,
            };
            (*first..=last).for_each(|byte| set[usize::from(byte)] = true);
            at += 1;
        }
        Self(set)
    }

    fn has(&self, byte: u8) -> bool {
        self.0[usize::from(byte)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_texts_about_keys() {
        let body = "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v4VpguoRK9JLsLMREScVpe\n";
        for label in ["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "] {
            let key = format!("x -----BEGIN {label}PRIVATE KEY-----\n{body}");
            assert!(private_key(key.as_bytes()).unwrap().contains(label), "{label}");
        }
        for harmless in
            ["-----BEGIN PUBLIC KEY-----\n", "-----BEGIN PRIVATE KEY-----\0", "-----BEGIN CERTIFICATE-----\n"]
        {
            assert_eq!(private_key(format!("{harmless}\0{body}").as_bytes()), None, "{harmless}");
        }
        assert_eq!(private_key(b"-----BEGIN "), None);
    }

    #[test]
    fn forms_of_secrets() {
        let aws = Secret {
            begin: "AKIA".into(),
            of: "A-Z0-9".into(),
            least: 16,
            most: Some(16),
            assigned: false,
            line_start: false,
        };
        let key = Secret {
            begin: "PrivateKey".into(),
            of: "A-Za-z0-9+/".into(),
            least: 43,
            most: None,
            assigned: true,
            line_start: true,
        };
        for (secret, text, want) in [
            (&aws, "AKIAABCDEFGHIJKLMNOP ", true),
            (&aws, "AKIAABCDEFGHIJKLMNOPQ ", false),
            (&aws, "AKIAABCD", false),
            (&aws, "xAKIAABCDEFGHIJKLMNOP ", false),
            (&key, "PrivateKey = aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=", true),
            (&key, "  PrivateKey=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=", true),
            (&key, "#PrivateKey=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=", false),
            (&key, "PrivateKey = ", false),
            (&key, "PrivateKey", false),
        ] {
            let at = memmem::find(text.as_bytes(), secret.begin.as_bytes()).unwrap();
            assert_eq!(is_secret(text.as_bytes(), at, secret), want, "{text}");
        }
    }
}
