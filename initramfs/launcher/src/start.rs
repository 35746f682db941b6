//! The one line from init.

use std::io::Read;
use vitrine_attest::inside::{AppStart, LINE_LIMIT};

/// Reads the line; it is the only one, so nothing may follow it. None: there was no such line.
pub fn read(mut socket: impl Read) -> Option<AppStart> {
    let mut line = Vec::new();
    let mut chunk = [0; 4096];
    while !line.contains(&b'\n') {
        let length = socket.read(&mut chunk).ok()?;
        if length == 0 || line.len() + length > LINE_LIMIT {
            return None;
        }
        line.extend_from_slice(&chunk[..length]);
    }
    serde_json::from_slice(line.strip_suffix(b"\n")?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_and_nothing_else() {
        let line = b"{\"app\":{\"command\":[\"/srv/app\"],\"port\":8000}}\n";
        assert_eq!(read(&line[..]).unwrap().app.command, ["/srv/app"]);
        for bad in
            [&line[..line.len() - 1], b"", b"{}\n", b"\n", &[&line[..], b"x"].concat(), &vec![b'x'; LINE_LIMIT + 1]]
        {
            assert!(read(bad).is_none());
        }
    }
}
