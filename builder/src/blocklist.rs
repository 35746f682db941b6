//! `image.blocklist`: a list of names as people publish it, and the one form in which it goes into an image.
//!
//! ```text
//! # ads                          →
//! 0.0.0.0 Ads.Example.NET          ads.example.net
//! tracker.example.                 tracker.example
//! ```
//! In the image: lower case, no final dot, each name once, sorted by bytes, one a line (LF).

use std::net::IpAddr;
use vitrine_attest::{Error, Result};

/// More would fill the memory of a small server with names nobody asks for.
const MOST_NAMES: usize = 2_000_000;
/// Bytes in the image; the resolver keeps them in memory and takes no more.
const LARGEST: usize = 48 << 20;
/// Errors that are worth printing.
const MOST_ERRORS: usize = 10;
/// Bytes of a name as text, and of one part of it (RFC 1035 §2.3.4).
const LONGEST_NAME: usize = 253;
const LONGEST_LABEL: usize = 63;

/// Brings a list into the form of the image.
///
/// # Errors
/// Blame Input: the first lines that are no names, with their numbers; no name at all; more than two million.
pub fn normalise(file: &str, bytes: &[u8]) -> Result<Vec<u8>> {
    let (mut names, mut wrong) = (Vec::new(), Vec::new());
    for (number, line) in (1..).zip(bytes.split(|&byte| byte == b'\n')) {
        match read_line(line) {
            Ok(found) => names.extend(found),
            Err(why) if wrong.len() < MOST_ERRORS => wrong.push(format!("{file}:{number}: {why}")),
            Err(_) => wrong.push(String::new()),
        }
    }
    if !wrong.is_empty() {
        let more = wrong.len().saturating_sub(MOST_ERRORS);
        wrong.truncate(MOST_ERRORS);
        if more > 0 {
            wrong.push(format!("and {more} more lines"));
        }
        return Err(Error::input(
            wrong.join("\n"),
            "write one name a line, or lines of a hosts file such as 0.0.0.0 ads.example",
        ));
    }
    names.sort_unstable();
    names.dedup();
    if names.is_empty() || names.len() > MOST_NAMES {
        return Err(Error::input(
            format!("{file} holds {} names, it has to be 1 to {MOST_NAMES}", names.len()),
            "choose another list, or take image.blocklist out of the recipe",
        ));
    }
    names.push(String::new()); // for the final LF
    let list = names.join("\n").into_bytes();
    match list.len() {
        0..=LARGEST => Ok(list),
        size => Err(Error::input(
            format!("{file} would have {size} bytes in the image, at most {LARGEST} are possible"),
            "choose another list",
        )),
    }
}

/// The names of one line, without its comment.
fn read_line(line: &[u8]) -> std::result::Result<Vec<String>, String> {
    let line = line.split(|&byte| byte == b'#').next().unwrap_or_default();
    let line = std::str::from_utf8(line).map_err(|_| "not UTF-8 text".to_string())?;
    let mut words = line.split_ascii_whitespace().peekable();
    let Some(first) = words.peek() else { return Ok(vec![]) };
    match first.parse::<IpAddr>() {
        Ok(address) if address.is_unspecified() || address.is_loopback() => {
            words.next();
            // localhost, broadcasthost, 0.0.0.0: what hosts files say about the machine itself
            words.filter(|word| word.contains('.') && !is_address(word)).map(name).collect()
        }
        Ok(address) => Err(format!("{address} is an address, not a name")),
        Err(_) => {
            let found = words.map(name).collect::<std::result::Result<Vec<_>, _>>()?;
            match found.len() {
                1 => Ok(found),
                _ => Err("more than one name".into()),
            }
        }
    }
}

/// Also with the final dot of a name: `0.0.0.0.`
fn is_address(word: &str) -> bool {
    word.strip_suffix('.').unwrap_or(word).parse::<IpAddr>().is_ok()
}

/// Letters, digits, `-` and `_` in parts of 1 to 63; internationalised names stay as they are (`xn--…`).
fn name(text: &str) -> std::result::Result<String, String> {
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    let label = |label: &str| (1..=LONGEST_LABEL).contains(&label.len()) && label.bytes().all(plain);
    if is_address(text) {
        return Err(format!("{name} is an address, not a name"));
    }
    match name.len() <= LONGEST_NAME && name.split('.').all(label) {
        true => Ok(name),
        false => Err(format!("{text:?} is no name")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form() {
        let list = b"# list\r\n\r\nB.example\r\n0.0.0.0 Ads.Example.NET. other.example # two\n\
            ::1 localhost ip6-loopback\n0.0.0.0 0.0.0.0\na.example.\n\tb.example\nxn--bcher-kva.example\n_x.a-b.example";
        let expected = "_x.a-b.example\na.example\nads.example.net\nb.example\nother.example\nxn--bcher-kva.example\n";
        let found = normalise("list", list).unwrap();
        assert_eq!(String::from_utf8(found.clone()).unwrap(), expected);
        assert_eq!(normalise("list", &found).unwrap(), found, "it is its own form");
    }

    #[test]
    fn wrong_lines_are_named() {
        let long = "a.".repeat(130);
        for bad in [
            "||ads.example^",
            "*.ads.example",
            "a..b",
            ".",
            ".a",
            "bücher.example",
            "a b",
            "192.0.2.1 a.example",
            &long,
        ] {
            let text = format!("good.example\n\n{bad}\nalso.good\n");
            let error = normalise("list.txt", text.as_bytes()).expect_err(bad);
            assert!(error.what.starts_with("list.txt:3: "), "{error}");
        }
        assert!(normalise("list.txt", b"a\n\xff\n").unwrap_err().what.starts_with("list.txt:2: not UTF-8"));
        let error = normalise("list.txt", "/x\n".repeat(12).as_bytes()).unwrap_err();
        assert!(error.what.contains("list.txt:10:") && error.what.ends_with("and 2 more lines"), "{error}");
    }

    /// A fuzzer's: a final dot made names of addresses, and the list was not its own form.
    #[test]
    fn addresses_with_a_final_dot() {
        let error = normalise("list", b"#0.0 hosts\n1.0.0.0.#.1.t .#.1.t hosts\n0.0.0.0").unwrap_err();
        assert!(error.what.starts_with("list:2: 1.0.0.0 is an address"), "{error}");
        assert_eq!(normalise("list", b"0.0.0.0 0.0.0.0. a.example\n").unwrap(), b"a.example\n");
    }

    #[test]
    fn sizes() {
        assert!(normalise("list", b"# nothing\n").unwrap_err().what.contains("holds 0 names"));
        let many: String = (0..=MOST_NAMES).map(|n| format!("n{n}\n")).collect();
        assert!(normalise("list", many.as_bytes()).unwrap_err().what.contains("2000001 names"));
    }
}
