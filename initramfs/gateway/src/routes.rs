//! Which upstream answers a path.

use crate::stop::{OrStop as _, Step};
use hyper::Method;
use vitrine_attest::config::{Gateway, METHODS};

/// The configuration's routes, longest first.
#[derive(Debug, Clone)]
pub struct Routes(Vec<Route>);

#[derive(Debug, Clone)]
struct Route {
    prefix: String,
    /// Number of the upstream, by name.
    upstream: usize,
    methods: Vec<Method>,
}

/// What the routes say to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Number of the upstream in the order of the configuration's map.
    To(usize),
    Nowhere,
    /// There is a route, but not for this method.
    NotSo(usize),
}

impl Routes {
    /// # Errors
    /// `routes`: an upstream that is not there, or a word that is no method.
    pub fn new(gateway: &Gateway) -> Step<Self> {
        let mut routes = gateway.routes.iter().map(|route| {
            let upstream = gateway.upstreams.keys().position(|name| *name == route.upstream).or_stop("routes")?;
            let named = route.methods.iter().map(String::as_str);
            let methods: Vec<&str> = if route.methods.is_empty() { METHODS.to_vec() } else { named.collect() };
            let methods: Result<_, _> =
                methods.into_iter().map(|method| Method::from_bytes(method.as_bytes())).collect();
            Ok(Route { prefix: route.prefix.clone(), upstream, methods: methods.or_stop("routes")? })
        });
        let mut routes: Vec<Route> = routes.by_ref().collect::<Step<_>>()?;
        routes.sort_by_key(|route| std::cmp::Reverse(route.prefix.len()));
        Ok(Self(routes))
    }

    /// For a path that [`crate::path::is_plain`].
    pub fn find(&self, path: &str, method: &Method) -> Way {
        match self.0.iter().find(|route| fits(&route.prefix, path)) {
            None => Way::Nowhere,
            Some(route) if route.methods.contains(method) => Way::To(route.upstream),
            Some(route) => Way::NotSo(route.upstream),
        }
    }
}

/// Whole segments: `/v1` fits `/v1` and `/v1/x`, `/v1/` only what is below.
fn fits(prefix: &str, path: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| prefix.ends_with('/') || rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes() -> Routes {
        let text = r#"
            routes = [{ prefix = "/", upstream = "b", methods = ["GET"] }, { prefix = "/v1", upstream = "a" },
                      { prefix = "/v1/below/", upstream = "c" }]
            [upstreams.a]
            addresses = ["192.0.2.1:443"]
            name = "a.example"
            [upstreams.b]
            addresses = ["192.0.2.2:443"]
            name = "b.example"
            [upstreams.c]
            addresses = ["192.0.2.3:443"]
            name = "c.example"
        "#;
        Routes::new(&toml::from_str(text).unwrap()).unwrap()
    }

    #[test]
    fn the_longest_that_fits_whole_segments() {
        let routes = routes();
        let ways = [
            ("/v1", 0),
            ("/v1/", 0),
            ("/v1/x", 0),
            ("/v10", 1),
            ("/", 1),
            ("/v", 1),
            ("/v1/below", 0),
            ("/v1/below/", 2),
            ("/v1/below/x", 2),
            ("/V1", 1),
        ];
        for (path, upstream) in ways {
            assert_eq!(routes.find(path, &Method::GET), Way::To(upstream), "{path}");
        }
    }

    #[test]
    fn methods() {
        let routes = routes();
        assert_eq!(routes.find("/x", &Method::POST), Way::NotSo(1));
        assert_eq!(routes.find("/v1/x", &Method::POST), Way::To(0));
        for method in [
            Method::TRACE,
            Method::CONNECT,
            Method::from_bytes(b"get").unwrap(),
            Method::from_bytes(b"PROPFIND").unwrap(),
        ] {
            assert_eq!(routes.find("/v1/x", &method), Way::NotSo(0), "{method}");
        }
        assert_eq!(Routes(vec![]).find("/", &Method::GET), Way::Nowhere);
    }
}
