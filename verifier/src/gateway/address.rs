//! Where a gateway is.

use hyper::Uri;
use rustls::pki_types::ServerName;
use vitrine_attest::config::Attestation;
use vitrine_attest::{Error, Result};

const HTTPS_PORT: u16 = 443;
const HINT: &str = "write it as https://HOST/PATH, https://HOST:PORT/PATH or https://[IPV6]:PORT/PATH";

/// `https://host[:port]/path?query`, in its parts.
#[derive(Debug, Clone)]
pub struct Address {
    /// IPv6 addresses in brackets.
    host: String,
    port: u16,
    /// What TLS calls it. It goes over the line (SNI) unless it is an address, and proves nothing.
    name: ServerName<'static>,
    /// The Host header (RFC 9112 §3.2): without the port when that is 443.
    authority: String,
    /// Path and query, as they go over the line.
    target: Uri,
}

impl Address {
    /// # Errors
    /// When it is no `https://` address, or somebody's name stands in it.
    pub fn parse(url: &str) -> Result<Self> {
        let bad = |why: &str| Error::input(format!("{url}: {why}"), HINT);
        let uri: Uri = url.parse().map_err(|_| bad("this is no address"))?;
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") => {
                return Err(bad("over plain HTTP nobody knows who reads it; only https:// is bound to the evidence"))
            }
            _ => return Err(bad("this is no https:// address")),
        }
        let given =
            uri.authority().filter(|given| !given.host().is_empty()).ok_or_else(|| bad("there is no host in it"))?;
        if given.as_str().contains('@') {
            return Err(bad("there is a user's name in it; give a header with -H instead"));
        }
        let (host, port) =
            (given.host().to_owned(), port(given.as_str(), given.host()).ok_or_else(|| bad("no such port"))?);
        let name = ServerName::try_from(bare(&host).to_owned()).map_err(|_| bad("this is no name of a host"))?;
        let authority = if port == HTTPS_PORT { host.clone() } else { format!("{host}:{port}") };
        // printed, a query alone gets its slash
        let target = uri.path_and_query().map_or("/".into(), ToString::to_string);
        let target = target.parse().map_err(|_| bad("there is no such path"))?;
        Ok(Self { host, port, name, authority, target })
    }

    /// Where its evidence is, if nobody says otherwise: the same host, plain HTTP, the port of a configuration that names none.
    pub fn attestation(&self) -> String {
        format!("http://{}:{}", self.host, Attestation::PORT)
    }

    /// Host and port to connect to; the host without brackets.
    pub fn place(&self) -> (&str, u16) {
        (bare(&self.host), self.port)
    }

    pub fn name(&self) -> ServerName<'static> {
        self.name.clone()
    }

    pub fn authority(&self) -> &str {
        &self.authority
    }

    pub fn target(&self) -> &Uri {
        &self.target
    }

    /// Without path and query: they may be secret.
    pub fn shown(&self) -> String {
        format!("https://{}", self.authority)
    }

    /// Whether nothing but host and port is named.
    pub fn is_bare(&self) -> bool {
        self.target == "/"
    }
}

fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// None: it is none. `http::Uri` reads a port that is too large, or empty, as no port.
fn port(authority: &str, host: &str) -> Option<u16> {
    match authority.strip_prefix(host)?.strip_prefix(':') {
        None => Some(HTTPS_PORT),
        Some(port) => port.parse().ok().filter(|port| *port != 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts() {
        let table = [
            ("https://a.example", ("a.example", 443), "a.example", "/", "http://a.example:8787"),
            ("https://a.example:443/x?y=z", ("a.example", 443), "a.example", "/x?y=z", "http://a.example:8787"),
            ("https://10.0.0.1:8443/", ("10.0.0.1", 8443), "10.0.0.1:8443", "/", "http://10.0.0.1:8787"),
            ("https://[2001:db8::7]:1/a", ("2001:db8::7", 1), "[2001:db8::7]:1", "/a", "http://[2001:db8::7]:8787"),
            ("https://[::1]?q", ("::1", 443), "[::1]", "/?q", "http://[::1]:8787"),
        ];
        for (url, place, authority, target, attestation) in table {
            let address = Address::parse(url).unwrap();
            assert_eq!((address.place(), address.authority()), (place, authority), "{url}");
            assert_eq!(
                (address.target().to_string(), address.attestation()),
                (target.into(), attestation.into()),
                "{url}"
            );
        }
    }

    #[test]
    fn what_is_no_address() {
        let table = [
            "http://a/",
            "a",
            "https://",
            "https://u@a/",
            "https://a:0/",
            "https://a:99999/",
            "https://a:/",
            "https://a:b/",
            "https:///x",
            "https://a b/",
            "https://[::1/",
            "ftp://a/",
            "https://a_/\u{7f}",
            "https://-/",
        ];
        for url in table {
            let refused = Address::parse(url).map(|_| ()).unwrap_err();
            assert_eq!((refused.exit_code(), refused.hint.as_str()), (2, HINT), "{url} was taken");
        }
    }
}
