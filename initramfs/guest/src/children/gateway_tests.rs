use super::super::channel::Channel;
use super::super::process::Process;
use super::*;
use rustix::process::Pid;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::process::Command;

const CONFIG: &str = r#"{"wireguard":{"addresses":["10.66.0.1/24"]},"gateway":{
    "routes":[{"prefix":"/v1/","upstream":"api"}],"upstreams":{"api":{"addresses":["192.0.2.1:443"],"name":"api.example"}}}}"#;

fn gateway(now: Instant) -> Gateway {
    Gateway::new(&serde_json::from_str(CONFIG).unwrap(), TlsKey(vec![1]), now).unwrap()
}

/// What becomes of a gateway that says `line`.
fn after(line: &str) -> (bool, Vec<Count>) {
    let now = Instant::now();
    let mut gateway = gateway(now);
    let mut process = Command::new("sleep").arg("60").spawn().unwrap();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let running =
        Child { process: Process::of(Pid::from_child(&process)).unwrap(), channel: Channel::new(ours.into()) };
    gateway.keeper.started(Ok(running), now);
    theirs.write_all(line.as_bytes()).unwrap();
    gateway.receive(now);
    process.kill().unwrap();
    process.wait().unwrap();
    (gateway.keeper.is_up(), gateway.counts().to_vec())
}

fn line(upstream: &str, class: &str) -> String {
    format!(r#"{{"upstream":"{upstream}","class":{class},"count":7}}"#)
}

#[test]
fn none_without_configuration() {
    let config: Config = serde_json::from_str(r#"{"wireguard":{"addresses":["10.66.0.1/24"]}}"#).unwrap();
    assert!(Gateway::new(&config, TlsKey(vec![]), Instant::now()).is_none());
}

#[test]
fn counts_of_known_classes() {
    let (ok, slow) = (line("api", r#"{"outcome":"ok"}"#), line("", r#"{"latency":4}"#));
    let (up, counts) = after(&format!("{{\"counts\":[{ok},{slow}]}}\n"));
    assert!(up);
    assert_eq!(counts.iter().map(|count| count.count).collect::<Vec<_>>(), [7, 7]);
}

#[test]
fn anything_else_ends_it() {
    let ok = r#"{"outcome":"ok"}"#;
    let counts = |lines: &str| format!("{{\"counts\":[{lines}]}}\n");
    for bad in [
        counts(&line("198.51.100.7", ok)),
        counts(&line("api", r#"{"latency":5}"#)),
        counts(&line("api", r#"{"size":5}"#)),
        counts(&[line("api", ok), line("api", ok)].join(",")),
        counts(&line("api", r#"{"outcome":"GET /secret"}"#)),
        "{\"blocked\":1}\n".into(),
        "x\n".into(),
    ] {
        assert_eq!(after(&bad), (false, vec![]), "{bad}");
    }
}
