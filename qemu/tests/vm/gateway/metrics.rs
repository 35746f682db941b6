//! What metrics tell of requests: the same, whoever asks for whatever.

use super::Provisioned;
use crate::world::{run, Client, User, GUEST};
use std::time::{Duration, Instant};

/// Requests of a world: more than the floor of a hundred, also without those that the gateway's first line to PID 1 has.
const REQUESTS: usize = 210;
/// The gateway tells every ten seconds, and `metrics.tick` of the recipe are ten more.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_secs(2);

/// Who asks, and for what.
struct Habits {
    address: &'static str,
    version: &'static str,
    path: &'static str,
    headers: [&'static str; 2],
    body: String,
}

fn ada() -> Habits {
    let headers = ["Authorization: Bearer ada-4711", "X-Forwarded-For: 192.0.2.55"];
    let body = "{\"prompt\":\"grüße an bob\"}".into();
    Habits { address: "192.0.2.11", version: "--http1.1", path: "/v1/slow/chat?key=one", headers, body }
}

fn bob() -> Habits {
    let headers = ["Authorization: Basic Ym9iOmJvYg==", "Accept: text/event-stream"];
    let (path, body) = ("/v1/slow/a/much/longer/%E2%82%AC/path", "an answer for ada ".repeat(40));
    Habits { address: "192.0.2.77", version: "--http2", path, headers, body }
}

/// As many requests by two clients, with other addresses, protocols, paths, queries, headers, keys and bodies: every byte of the page
/// is equal, and another one than that of no requests. Before anything else is asked of the gateway.
///
/// The processor's class is left out: under QEMU's translator it depends on what else this machine does.
pub fn two_worlds_of_requests(server: &Provisioned) {
    let user = User::number(9);
    server.add(&user);
    let reader = user.connect(server.keys.wireguard, server.running.guest.wireguard());
    let idle = page(&reader);
    let pages = [ada(), bob()].map(|habits| {
        ask(&habits);
        let busy = until(&reader, |page| page != idle);
        until(&reader, |page| page == idle);
        busy
    });
    assert_eq!(pages[0], pages[1]);
    for line in [
        "vitrine_gateway_requests{upstream=\"api\",outcome=\"ok\",class=\"hundreds\"} 1",
        "vitrine_gateway_latency{upstream=\"api\",class=\"medium\"} 1",
        "vitrine_gateway_size{upstream=\"api\",class=\"tiny\"} 1",
    ] {
        assert!(pages[0].contains(line) && !idle.contains(line), "{line}: {}", pages[0]);
    }
    for trace in ["192.0.2", "198.51", "chat", "key", "path", "ada", "bob", ".vitrine"] {
        assert!(!pages[0].contains(trace), "{trace} is in {}", pages[0]);
    }
}

/// All of a world's requests, many at a time. Each takes a second, so that how quick they are does not depend on this machine.
fn ask(habits: &Habits) {
    let (base, tail) = habits.path.split_once("slow").unwrap();
    // curl counts up in place of the brackets
    let url = format!("https://{GUEST}{base}slow/[1-{REQUESTS}]{tail}");
    let always =
        ["--silent", "--insecure", "--parallel", "--parallel-max", "25", "--output", "/dev/null", "--write-out"];
    let [first, second] = habits.headers;
    let own = [habits.version, "--interface", habits.address, "--header", first, "--header", second];
    let said = run("curl", &[&always[..], &["%{http_code}\n"], &own, &["--data-binary", &habits.body, &url]].concat());
    let answers = said.expect_success();
    assert_eq!(answers.lines().filter(|line| *line == "200").count(), REQUESTS, "{answers}");
}

fn until(reader: &Client, right: impl Fn(&str) -> bool) -> String {
    let begin = Instant::now();
    loop {
        let page = page(reader);
        if right(&page) {
            return page;
        }
        assert!(begin.elapsed() < PATIENCE, "{page}");
        std::thread::sleep(LOOK);
    }
}

fn page(reader: &Client) -> String {
    let page = reader.curl(&["--fail", "http://10.66.0.1:9469/metrics"]).expect_success();
    page.lines().filter(|line| !line.contains("vitrine_cpu")).map(|line| format!("{line}\n")).collect()
}
