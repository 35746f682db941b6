//! `HOST:PORT`, as WireGuard's configuration takes it.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;
use vitrine_attest::Error;

/// A name, an IPv4 address, or an IPv6 address in brackets, and a UDP port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub host: String,
    pub port: u16,
}

impl FromStr for Endpoint {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || {
            Error::input(
                format!("--endpoint {text} is no HOST:PORT"),
                "write it like vpn.example.org:51820 or [2001:db8::7]:51820",
            )
        };
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?;
        let good = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(address) => address.parse::<Ipv6Addr>().is_ok(),
            None => !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-".contains(&b)),
        };
        good.then(|| Self { host: host.into(), port }).ok_or_else(wrong)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        for good in ["vpn.example.org:51820", "203.0.113.7:1", "[2001:db8::7]:65535"] {
            assert_eq!(good.parse::<Endpoint>().unwrap().to_string(), good);
        }
        for bad in ["a", "a:", "a:0", "a:65536", ":1", "2001:db8::7:1", "[x]:1", "a b:1", "a\nPostUp = x:1"] {
            assert_eq!(bad.parse::<Endpoint>().unwrap_err().exit_code(), 2, "{bad} was taken");
        }
    }
}
