use super::*;
use crate::config::Config;

fn config(gateway: &str) -> Result<Config, String> {
    let text = format!(r#"{{"wireguard":{{"addresses":["10.66.0.1/24"]}},"gateway":{gateway}}}"#);
    serde_json::from_str(&text).map_err(|e| e.to_string())
}

fn problems(gateway: &str) -> Vec<String> {
    config(gateway).unwrap().problems()
}

/// The smallest one, with `more` among its fields.
fn small(more: &str) -> String {
    format!(
        r#"{{"routes":[{{"prefix":"/v1/","upstream":"a"}}],"upstreams":{{"a":{{"addresses":["192.0.2.1:443"],"name":"api.example"}}}}{more}}}"#
    )
}

#[test]
fn smallest() {
    assert_eq!(problems(&small("")), Vec::<String>::new());
    let config = config(&small("")).unwrap();
    assert_eq!(Config::from_canonical(&config.canonical().unwrap()).unwrap(), config);
    let gateway = config.gateway.unwrap();
    assert_eq!((gateway.port, gateway.reach), (443, vec![Reach::Outside, Reach::Tunnel]));
}

#[test]
fn refused() {
    for (more, word) in [
        (r#","port":0"#, "gateway.port"),
        (r#","reach":[]"#, "gateway.reach"),
        (r#","reach":["tunnel","tunnel"]"#, "gateway.reach"),
        (r#","port":8787"#, "both want TCP port 8787"),
        (r#","headers":{"request":["Accept"]}"#, "lower case"),
        (r#","headers":{"request":["x-forwarded-for"]}"#, "who a client is"),
        (r#","headers":{"response":["transfer-encoding"]}"#, "one connection"),
        (r#","limits":{"connections":0}"#, "limits.connections"),
        (r#","limits":{"requests":20000}"#, "limits.requests"),
        (r#","limits":{"header":"2m"}"#, "limits.header"),
        (r#","limits":{"total":"2d"}"#, "limits.total"),
    ] {
        let found = problems(&small(more));
        assert!(found.len() == 1 && found[0].contains(word), "{more}: {found:?}");
    }
}

#[test]
fn routes_have_one_spelling_and_lead_somewhere() {
    let with = |route: &str| {
        problems(&format!(
            r#"{{"routes":[{route}],"upstreams":{{"a":{{"addresses":["192.0.2.1:443"],"name":"api.example"}}}}}}"#
        ))
    };
    for prefix in ["", "v1", "/a//b", "/a/../b", "/./a", "/a%2fb", "/a?b", "/a b", "/ü"] {
        assert_eq!(with(&format!(r#"{{"prefix":"{prefix}","upstream":"a"}}"#)).len(), 1, "{prefix:?}");
    }
    assert_eq!(with(r#"{"prefix":"/","upstream":"b"}"#).len(), 1);
    assert_eq!(with(r#"{"prefix":"/","upstream":"a","methods":["CONNECT"]}"#).len(), 1);
    assert_eq!(with(r#"{"prefix":"/","upstream":"a"},{"prefix":"/","upstream":"a"}"#).len(), 1);
    assert_eq!(with(r#"{"prefix":"/","upstream":"a","methods":["POST"]}"#), Vec::<String>::new());
}

#[test]
fn plain_http_stays_near() {
    let with = |address: &str, more: &str| {
        problems(&format!(
            r#"{{"routes":[{{"prefix":"/","upstream":"a"}}],"upstreams":{{"a":{{"addresses":["{address}"],"name":"app"{more}}}}}}}"#
        ))
    };
    let plain = r#","protocol":"plain""#;
    for near in ["127.0.0.1:8000", "[::1]:8000", "10.66.0.9:80"] {
        assert_eq!(with(near, plain), Vec::<String>::new(), "{near}");
    }
    for far in ["10.67.0.9:80", "192.0.2.1:80", "[2001:db8::1]:80"] {
        assert_eq!(with(far, plain).len(), 1, "{far}");
    }
    assert_eq!(with("127.0.0.1:8000", r#","protocol":"plain","trust":"AA==""#).len(), 1);
    for wrong in ["192.0.2.1:0", "0.0.0.0:1", "224.0.0.1:1"] {
        assert_eq!(with(wrong, "").len(), 1, "{wrong}");
    }
}

#[test]
fn other_fields_are_refused() {
    assert!(config(&small(r#","log":"/var/log/x""#)).is_err());
    assert!(config(&small(r#","limits":{"bodies":1}"#)).is_err());
}
