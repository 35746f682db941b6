use crate::config::Config;

/// Whether a configuration with this app can be used; the gateway calls 127.0.0.1:8000.
fn problems(app: &str) -> Vec<String> {
    let gateway = r#"{"routes":[{"prefix":"/","upstream":"a"}],"upstreams":{"a":{"addresses":["127.0.0.1:8000"],"name":"localhost","protocol":"plain"}}}"#;
    let text = format!(r#"{{"wireguard":{{"addresses":["10.66.0.1/24"]}},"gateway":{gateway},"app":{app}}}"#);
    serde_json::from_str::<Config>(&text).unwrap().problems()
}

#[test]
fn smallest() {
    assert_eq!(problems(r#"{"command":["/srv/app"],"port":8000}"#), Vec::<String>::new());
}

#[test]
fn refused() {
    for (app, word) in [
        (r#"{"command":[],"port":8000}"#, "app.command"),
        (r#"{"command":["srv/app"],"port":8000}"#, "from / on"),
        (r#"{"command":["/srv/../app"],"port":8000}"#, "from / on"),
        (r#"{"command":["/srv/app","a\u0000b"],"port":8000}"#, "no zero"),
        (r#"{"command":["/srv/app"],"port":8001}"#, "nobody calls it"),
        (r#"{"command":["/srv/app"],"port":8000,"environment":{"LD_PRELOAD":"/srv/x"}}"#, "LD_PRELOAD"),
        (r#"{"command":["/srv/app"],"port":8000,"environment":{"SSLKEYLOGFILE":"/x"}}"#, "SSLKEYLOGFILE"),
        (r#"{"command":["/srv/app"],"port":8000,"environment":{"A=B":"x"}}"#, "A=B"),
        (r#"{"command":["/srv/app"],"port":8000,"forget_after":"2h"}"#, "forget_after"),
        (r#"{"command":["/srv/app"],"port":8000,"limits":{"files":20000}}"#, "limits.files"),
        (r#"{"command":["/srv/app"],"port":8000,"limits":{"memory":1}}"#, "limits.memory"),
        (r#"{"command":["/srv/app"],"port":8000,"limits":{"threads":0}}"#, "limits.threads"),
    ] {
        let found = problems(app);
        assert!(found.len() == 1 && found[0].contains(word), "{app}: {found:?}");
    }
}

#[test]
fn nobody_else_has_its_port() {
    let text = r#"{"wireguard":{"addresses":["10.66.0.1/24"]},"attestation":{"port":8000},
        "gateway":{"routes":[{"prefix":"/","upstream":"a"}],"upstreams":{"a":{"addresses":["127.0.0.1:8000"],"name":"localhost","protocol":"plain"}}},
        "app":{"command":["/srv/app"],"port":8000}}"#;
    let found = serde_json::from_str::<Config>(text).unwrap().problems();
    assert_eq!(found, ["app.port and attestation.port both want TCP port 8000"]);
}
