//! Which headers pass, either way: those that the configuration names, and no others.

use crate::stop::{OrStop as _, Step};
use hyper::header::{HeaderMap, HeaderName, CONNECTION};

/// The names of one direction.
#[derive(Debug, Clone)]
pub struct Allowed(Vec<HeaderName>);

impl Allowed {
    /// # Errors
    /// `headers`: a word that is no header's name.
    pub fn new(names: &[String]) -> Step<Self> {
        let names = names.iter().map(|name| HeaderName::from_bytes(name.as_bytes()).or_stop("headers"));
        Ok(Self(names.collect::<Step<_>>()?))
    }

    /// What passes. A header that `Connection` names is for one connection only, whatever the configuration says
    /// (RFC 9110 §7.6.1).
    pub fn pass(&self, from: &HeaderMap) -> HeaderMap {
        let mut to = HeaderMap::with_capacity(self.0.len() + 2);
        for name in &self.0 {
            if from.contains_key(name) && !nominated(from, name) {
                for value in from.get_all(name) {
                    to.append(name, value.clone());
                }
            }
        }
        to
    }
}

fn nominated(headers: &HeaderMap, name: &HeaderName) -> bool {
    let words = headers.get_all(CONNECTION).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    words.into_iter().any(|word| word.trim_ascii().eq_ignore_ascii_case(name.as_str().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect::<Vec<_>>()
            .into_iter()
            .fold(HeaderMap::new(), |mut map, (name, value)| {
                map.append(name, value);
                map
            })
    }

    #[test]
    fn only_what_is_named() {
        let allowed = Allowed::new(&["accept".into(), "x-a".into()]).unwrap();
        let from = map(&[
            ("accept", "a"),
            ("accept", "b"),
            ("user-agent", "c"),
            ("x-forwarded-for", "d"),
            ("x_a", "e"),
            ("cookie", "f"),
        ]);
        assert_eq!(allowed.pass(&from), map(&[("accept", "a"), ("accept", "b")]));
    }

    #[test]
    fn what_belongs_to_the_connection_stays() {
        let allowed = Allowed::new(&["accept".into(), "x-a".into()]).unwrap();
        let from = map(&[("accept", "a"), ("x-a", "b"), ("connection", "close, X-A"), ("connection", "keep-alive")]);
        assert_eq!(allowed.pass(&from), map(&[("accept", "a")]));
    }

    #[test]
    fn names() {
        assert!(Allowed::new(&["a b".into()]).is_err() && Allowed::new(&[String::new()]).is_err());
    }
}
