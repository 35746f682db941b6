//! Where a bucket is, as the person writes it and as `log.json` keeps it.

use crate::log::BucketAt;
use ureq::http::Uri;
use vitrine_attest::{Error, Result};

/// Longest name of a bucket, and longest prefix, in bytes: names of objects have at most 1024.
const NAME_LIMIT: usize = 63;
const PREFIX_LIMIT: usize = 512;

impl BucketAt {
    /// Reads `s3://bucket/prefix`.
    ///
    /// # Errors
    /// When a part of it is none.
    pub fn parse(text: &str, endpoint: &str, region: &str) -> Result<Self> {
        let hint = "write it as s3://BUCKET or s3://BUCKET/PREFIX";
        let rest =
            text.strip_prefix("s3://").ok_or_else(|| Error::input(format!("{text} is no bucket's address"), hint))?;
        let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_end_matches('/');
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let endpoint = endpoint.strip_suffix('/').unwrap_or(endpoint);
        let at = Self { endpoint: endpoint.into(), name: name.into(), prefix, region: region.into() };
        at.check()?;
        Ok(at)
    }

    /// That nothing in it has to be encoded to stand in an address: what is signed is then what is sent. Gives host and port.
    pub(super) fn check(&self) -> Result<String> {
        let wrong = |what: String, hint: &str| Err(Error::input(what, hint.to_owned()));
        let host_like = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.');
        if !(3..=NAME_LIMIT).contains(&self.name.len()) || !self.name.bytes().all(host_like) {
            return wrong(format!("\"{}\" is no name of a bucket", self.name), "see the rules of your provider");
        }
        let plain = |part: &str| {
            !matches!(part, "" | "." | "..")
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        };
        let parts = self.prefix.strip_suffix('/').unwrap_or(&self.prefix);
        let slash = self.prefix.is_empty() || self.prefix.ends_with('/');
        if !slash || self.prefix.len() > PREFIX_LIMIT || !(parts.is_empty() || parts.split('/').all(plain)) {
            let what = format!("\"{}\" is no prefix for a log", self.prefix);
            return wrong(what, "take letters, digits, - _ . and single slashes");
        }
        if self.region.is_empty() || self.region.len() > NAME_LIMIT || !self.region.bytes().all(host_like) {
            return wrong(format!("\"{}\" is no region", self.region), "take that of your provider, such as us-east-1");
        }
        self.host()
    }

    /// Over plain HTTP anybody in between could acknowledge a write that never was: only to this machine.
    fn host(&self) -> Result<String> {
        let bad = |why: &str, hint: &str| Error::input(format!("{}: {why}", self.endpoint), hint.to_owned());
        let form = "write the endpoint as https://HOST or https://HOST:PORT, without the bucket";
        let uri: Uri = self.endpoint.parse().map_err(|_| bad("this is no address", form))?;
        let authority = uri.authority().ok_or_else(|| bad("there is no host in it", form))?;
        let here = matches!(authority.host(), "127.0.0.1" | "[::1]" | "localhost");
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if here => {}
            Some("http") => {
                let hint = "put TLS before the store, or a tunnel whose end is on this machine";
                return Err(bad("plain HTTP would let anybody in between acknowledge what was never written", hint));
            }
            _ => return Err(bad("this is no https:// address", form)),
        }
        if authority.as_str().contains('@')
            || self.endpoint != format!("{}://{authority}", uri.scheme_str().unwrap_or(""))
        {
            return Err(bad("only host and port can be named", form));
        }
        Ok(authority.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let at = BucketAt::parse("s3://logs/a/b/", "https://s3.example.org/", "eu-1").unwrap();
        assert_eq!(
            (at.name.as_str(), at.prefix.as_str(), at.endpoint.as_str()),
            ("logs", "a/b/", "https://s3.example.org")
        );
        assert_eq!(BucketAt::parse("s3://logs", "http://127.0.0.1:9000", "eu-1").unwrap().prefix, "");
        for (text, endpoint, region) in [
            ("logs/a", "https://s3.example", "r"),
            ("s3://lo", "https://s3.example", "r"),
            ("s3://Logs", "https://s3.example", "r"),
            ("s3://logs/a//b", "https://s3.example", "r"),
            ("s3://logs/../b", "https://s3.example", "r"),
            ("s3://logs/a%2fb", "https://s3.example", "r"),
            ("s3://logs/a?b", "https://s3.example", "r"),
            ("s3://logs", "http://s3.example", "r"),
            ("s3://logs", "ftp://s3.example", "r"),
            ("s3://logs", "https://s3.example/base", "r"),
            ("s3://logs", "https://u@s3.example", "r"),
            ("s3://logs", "https://s3.example?x", "r"),
            ("s3://logs", "https://s3.example", ""),
            ("s3://logs", "https://s3.example", "a/b"),
        ] {
            assert_eq!(
                BucketAt::parse(text, endpoint, region).unwrap_err().exit_code(),
                2,
                "{text} {endpoint} {region}"
            );
        }
    }
}
