//! The one line from init.

use crate::stop::{OrStop as _, Step, Stop};
use serde::de::DeserializeOwned;
use std::io::Read;
use vitrine_attest::inside::LINE_LIMIT;

/// Reads the line, a form of [`vitrine_attest::inside`]; it is the only one, so nothing may follow it.
///
/// # Errors
/// `start-line`: none, too long, or of another form.
pub fn read<T: DeserializeOwned>(mut socket: impl Read) -> Step<T> {
    let mut line = Vec::new();
    let mut chunk = [0; 4096];
    while !line.contains(&b'\n') {
        let length = socket.read(&mut chunk).or_stop("start-line")?;
        if length == 0 || line.len() + length > LINE_LIMIT {
            return Err(Stop("start-line"));
        }
        line.extend_from_slice(&chunk[..length]);
    }
    let line = line.strip_suffix(b"\n").or_stop("start-line")?;
    serde_json::from_slice(line).or_stop("start-line")
}

#[cfg(test)]
mod tests {
    use super::*;
    use vitrine_attest::inside::AppStart;

    #[test]
    fn one_line_and_nothing_else() {
        let line = b"{\"app\":{\"command\":[\"/srv/app\"],\"port\":8000}}\n";
        assert_eq!(read::<AppStart>(&line[..]).unwrap().app.command, ["/srv/app"]);
        for bad in
            [&line[..line.len() - 1], b"", b"{}\n", b"\n", &[&line[..], b"x"].concat(), &vec![b'x'; LINE_LIMIT + 1]]
        {
            assert_eq!(read::<AppStart>(bad).err(), Some(Stop("start-line")));
        }
    }
}
