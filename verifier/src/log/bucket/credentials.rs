//! Credentials of a bucket: from the environment, else from a file that its owner alone may read. Never from arguments, which
//! every program of the machine can see.
//!
//! ```text
//! # DIR/credentials, mode 0600
//! AWS_ACCESS_KEY_ID=AKIA…
//! AWS_SECRET_ACCESS_KEY=wJal…
//! ```

use super::sign::Credentials;
use crate::files;
use std::path::Path;
use vitrine_attest::{Error, Result};
use zeroize::Zeroizing;

const ID: &str = "AWS_ACCESS_KEY_ID";
const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
const TOKEN: &str = "AWS_SESSION_TOKEN";
/// Largest file in bytes; tokens have up to two thousand.
const LIMIT: usize = 16 << 10;

const HINT: &str =
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN), or write them as NAME=VALUE, a line \
    each, into the file `credentials` of the log's folder, mode 0600";

impl Credentials {
    /// # Errors
    /// When there are none, or others can read them.
    pub fn find(folder: &Path) -> Result<Self> {
        // an environment that is not text is none
        let of_environment =
            |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty()).map(Zeroizing::new);
        if of_environment(ID).is_some() || of_environment(SECRET).is_some() {
            return Self::of(of_environment).map_err(|why| Error::input(format!("in the environment {why}"), HINT));
        }
        let path = folder.join("credentials");
        if !path.exists() {
            return Err(Error::input("there are no credentials for the bucket", HINT));
        }
        let bytes = files::read_secret(&path, LIMIT)?;
        let wrong = |why: String| Error::input(format!("{}: {why}", path.display()), HINT);
        let text = std::str::from_utf8(&bytes).map_err(|_| wrong("it is no text".into()))?;
        let mut found: Vec<(&str, &str)> = vec![];
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            match line.split_once('=') {
                Some((name @ (ID | SECRET | TOKEN), value)) if !found.iter().any(|(before, _)| *before == name) => {
                    found.push((name, value));
                }
                // without the line: it may be the secret
                _ => return Err(wrong(format!("line {number} is none of NAME=VALUE, or comes twice"))),
            }
        }
        let of_file = |name: &str| {
            found.iter().find(|(there, _)| *there == name).map(|(_, value)| Zeroizing::new((*value).to_owned()))
        };
        Self::of(of_file).map_err(|why| wrong(format!("in it {why}")))
    }

    fn of(value: impl Fn(&str) -> Option<Zeroizing<String>>) -> std::result::Result<Self, String> {
        let usable = |name: &str| match value(name) {
            Some(value) if !value.is_empty() && value.bytes().all(|b| b.is_ascii_graphic()) => Ok(Some(value)),
            Some(_) => Err(format!("{name} has characters that it cannot have")),
            None => Ok(None),
        };
        let id = usable(ID)?.ok_or_else(|| format!("{ID} is missing"))?;
        // it goes into the header between these
        if id.contains(['/', ',', '=']) {
            return Err(format!("{ID} has characters that it cannot have"));
        }
        let secret = usable(SECRET)?.ok_or_else(|| format!("{SECRET} is missing"))?;
        Ok(Self { id: id.to_string(), secret, token: usable(TOKEN)? })
    }
}
