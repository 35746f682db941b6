//! Patterns for paths and names: `*` and `?` stay within one part of a path, `**` crosses parts.

/// Whether the whole text matches the pattern. Takes time proportional to pattern × text, whatever they hold.
pub fn matches(pattern: &str, text: &str) -> bool {
    let literal = pattern.find(['*', '?']).unwrap_or(pattern.len());
    if !text.as_bytes().starts_with(&pattern.as_bytes()[..literal]) {
        return false;
    }
    let (pattern, text) = (&pattern.as_bytes()[literal..], &text.as_bytes()[literal..]);
    // reached[i]: the pattern so far matches the first i bytes of the text
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    let mut at = 0;
    while at < pattern.len() {
        let crossing = pattern[at..].starts_with(b"**");
        reached = match pattern[at] {
            b'*' => star(&reached, text, crossing),
            byte => single(&reached, text, byte),
        };
        at += if crossing { 2 } else { 1 };
    }
    reached[text.len()]
}

/// Whether it holds a wildcard at all.
pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?'])
}

fn star(reached: &[bool], text: &[u8], crossing: bool) -> Vec<bool> {
    let mut next = reached.to_vec();
    for i in 0..text.len() {
        next[i + 1] |= next[i] && (crossing || text[i] != b'/');
    }
    next
}

fn single(reached: &[bool], text: &[u8], byte: u8) -> Vec<bool> {
    let mut next = vec![false; reached.len()];
    for i in 0..text.len() {
        next[i + 1] = reached[i] && (text[i] == byte || (byte == b'?' && text[i] != b'/'));
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_and_bad_twins() {
        for (pattern, good, bad) in [
            ("/boot/vmlinuz-*", "/boot/vmlinuz-6.12", "/boot/vmlinuz-6/x"),
            ("/a/**", "/a/b/c", "/b"),
            ("/a/*", "/a/b", "/a/b/c"),
            ("syslog*", "syslogd", "rsyslogd"),
            ("*.ko", "a.ko", "a.ko.xz"),
            ("a?c", "abc", "ac"),
            ("**/x", "a/b/x", "x"),
            ("plain", "plain", "plainer"),
        ] {
            assert!(matches(pattern, good), "{pattern} {good}");
            assert!(!matches(pattern, bad), "{pattern} {bad}");
        }
    }

    #[test]
    fn many_stars_end_soon() {
        assert!(!matches(&"*a".repeat(200), &"a".repeat(150)));
    }
}
