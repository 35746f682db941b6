//! Lines of a text that go.

use memchr::memmem;

/// The text without the lines that hold one of `texts`; `None` when no line does. Comments stay: they do nothing.
///
/// A line that ends in a backslash and the next one are one line, as in unit and PAM files (systemd.syntax(7),
/// pam.conf(5)). Bytes need not be UTF-8, and every other byte stays as it is.
pub fn without(bytes: &[u8], texts: &[String]) -> Option<Vec<u8>> {
    let mut kept = Vec::with_capacity(bytes.len());
    for line in logical_lines(bytes) {
        let comment = matches!(line.trim_ascii_start().first(), Some(b'#' | b';') | None);
        let held = texts.iter().any(|text| memmem::find(line, text.as_bytes()).is_some());
        if comment || !held {
            kept.extend_from_slice(line);
        }
    }
    (kept.len() != bytes.len()).then_some(kept)
}

/// Pieces that each end after a line feed which no backslash precedes; together they are the text.
fn logical_lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let ends = |at: &usize| *at == 0 || rest[*at - 1] != b'\\';
        let end = memchr::memchr_iter(b'\n', rest).find(ends).map_or(rest.len(), |at| at + 1);
        let (line, after) = rest.split_at(end);
        rest = after;
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(text: &str, texts: &[&str]) -> Option<String> {
        let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
        without(text.as_bytes(), &texts).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn lines_go_and_everything_else_stays() {
        let text = "# /var/log is made below\nd /var/log 0755\nd /run/x\n f /var/log/wtmp\nlast";
        assert_eq!(edited(text, &["/var/log"]).unwrap(), "# /var/log is made below\nd /run/x\nlast");
        assert_eq!(edited(text, &["/srv"]), None);
        assert_eq!(edited("a /var/log", &["/var/log"]).unwrap(), "", "a last line without its end");
        assert_eq!(edited("", &["x"]), None);
    }

    #[test]
    fn continued_lines_go_together() {
        let text = "session optional \\\n pam_lastlog.so\nsession required pam_unix.so\n";
        assert_eq!(edited(text, &["pam_lastlog"]).unwrap(), "session required pam_unix.so\n");
        assert_eq!(edited(text, &["optional"]).unwrap(), "session required pam_unix.so\n");
    }

    #[test]
    fn bytes_that_are_no_text_stay() {
        let kept = without(b"\xff\xfe\nwtmp\n\0", &["wtmp".into()]).unwrap();
        assert_eq!(kept, b"\xff\xfe\n\0");
    }

    #[test]
    fn twice_is_once() {
        let once = edited("x\ny\\\nx\n", &["x"]).unwrap();
        assert_eq!(edited(&once, &["x"]), None);
    }
}
