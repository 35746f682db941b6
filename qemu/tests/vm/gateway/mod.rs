//! A gateway, its clients, and what stands behind it: one boot, most promises about an API that forgets.

mod metrics;
mod proxy;

use crate::images::Images;
use crate::server::{provision, Provisioned};
use crate::world::{World, GUEST};
use proxy::Proxy;
use std::time::{Duration, Instant};
use vitrine_qemu::verify::Outcome;
use vitrine_qemu::world::{Api, PAUSE, PIECES, THINKS};

/// What the operator's program tries beside reading its own files.
const ATTEMPTS: usize = 19;
/// Of the test's recipe.
const FORGET_AFTER: Duration = Duration::from_secs(5);

#[test]
fn gateway_server() {
    let Some(images) = Images::find() else { return };
    World::run(|world| {
        let upstream = Api::start(&images.path("upstream")).unwrap();
        let mut server = provision(world, &images, "gateway");
        server.step("two_worlds_of_requests", metrics::two_worlds_of_requests);
        server.step("a_request_and_its_answer", |server| a_request_and_its_answer(server, &upstream));
        server.step("another_image_gets_nothing", |server| another_image_gets_nothing(server, &upstream));
        server.step("errors_say_one_word", errors_say_one_word);
        server.step("uploads", uploads);
        server.step("the_operators_program_can_do_nothing_else", the_operators_program_can_do_nothing_else);
        server.step("the_operators_program_forgets", the_operators_program_forgets);
        let proxy = Proxy::start(&server);
        server.step("answers_arrive_piece_by_piece", |_| answers_arrive_piece_by_piece(&proxy));
        server.step("first_byte_is_not_late", |_| first_byte_is_not_late(&images, &proxy));
        server.step("a_large_body_needs_no_memory", |_| a_large_body_needs_no_memory(&proxy, 128 << 20));
        server.step("from_inside_the_tunnel", from_inside_the_tunnel);
        drop(proxy);
        server.end();
    });
}

/// The shipped example: Debian's Python in the same sandbox, and bodies through it both ways.
#[test]
fn an_interpreter_behind_the_gateway() {
    let Some(images) = Images::find() else { return };
    World::run(|world| {
        let mut server = provision(world, &images, "app");
        server.step("an_interpreter_echoes", |server| {
            for (body, more) in [("canary", &[][..]), ("grüße", &["--include"])] {
                let outcome = fetch(server, "/any/path?q=1", &[&["-d", body], more].concat());
                assert!(outcome.exit_code == 0 && outcome.stdout.ends_with(body), "{outcome:?}");
            }
        });
        server.end();
    });
}

#[test]
#[ignore = "minutes; make prove runs it"]
fn a_gigabyte_through_the_gateway() {
    let Some(images) = Images::find() else { return };
    World::run(|world| {
        let _upstream = Api::start(&images.path("upstream")).unwrap();
        let mut server = provision(world, &images, "gateway");
        let proxy = Proxy::start(&server);
        server.step("a_large_body_needs_no_memory", |_| a_large_body_needs_no_memory(&proxy, 1 << 30));
        drop(proxy);
        server.end();
    });
}

/// `vitrine-verify fetch https://…PATH MORE`, with the statement of the image that runs.
fn fetch(server: &Provisioned, path: &str, more: &[&str]) -> Outcome {
    server.verify(&["fetch", &url(path)], more)
}

fn url(path: &str) -> String {
    format!("https://{GUEST}{path}")
}

/// What is passed on is what the configuration names, both ways.
fn a_request_and_its_answer(server: &Provisioned, upstream: &Api) {
    let headers = [
        "-H",
        "authorization: Bearer canary",
        "-H",
        "x-forwarded-for: 192.0.2.9",
        "-H",
        "user-agent: me",
        "-H",
        "cookie: a=b",
    ];
    let before = upstream.heads().len();
    let outcome = fetch(server, "/v1/head?q=1", &headers);
    assert_eq!(outcome.exit_code, 0, "{outcome:?}");
    let seen = outcome.stdout.to_ascii_lowercase();
    assert!(seen.starts_with("get /v1/head?q=1 http/1.1\r\n"), "{seen}");
    assert!(
        seen.contains("\r\nauthorization: bearer canary\r\n") && seen.contains("\r\nhost: api.vitrine\r\n"),
        "{seen}"
    );
    for hidden in ["192.0.2", "203.0.113", "user-agent", "cookie", "forwarded", "via:"] {
        assert!(!seen.contains(hidden), "{hidden}: {seen}");
    }
    assert_eq!(upstream.heads().len(), before + 1, "asked once");
    let outcome = fetch(server, "/v1/other", &["--include"]);
    assert!(
        outcome.stdout.contains("418") && !outcome.stdout.contains("x-internal") && !outcome.stdout.contains("cookie"),
        "{outcome:?}"
    );
}

/// A client that was given another image's statement refuses the server, and the gateway and its upstream see nothing of the request.
fn another_image_gets_nothing(server: &Provisioned, upstream: &Api) {
    let before = upstream.heads().len();
    let outcome = server.verify_as("exit", server.running.guest.url(), &["fetch", &url("/v1/head")], &[]);
    assert_eq!((outcome.exit_code, outcome.stdout.as_str()), (1, ""), "{outcome:?}");
    assert_eq!(upstream.heads().len(), before);
}

fn errors_say_one_word(server: &Provisioned) {
    for (path, more, status) in [
        ("/other", &[][..], "404"),
        ("/v1/../v2", &[], "400"),
        ("/stranger/x", &["-X", "POST"], "405"),
        ("/stranger/x", &[], "502"),
        ("/silent/x", &[], "502"),
    ] {
        let outcome = fetch(server, path, &[&["--include"], more].concat());
        let (head, body) = outcome.stdout.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{outcome:?}"));
        assert!(head.lines().next().is_some_and(|line| line.contains(status)), "{path}: {outcome:?}");
        let word: serde_json::Value = serde_json::from_str(body).unwrap();
        let word = word["error"].as_str().unwrap();
        assert!(word.len() < 32 && word.bytes().all(|c| c.is_ascii_lowercase() || c == b'-'), "{path}: {body}");
    }
    let broken = fetch(server, "/v1/break", &[]);
    assert_ne!(broken.exit_code, 0, "half an answer is none: {broken:?}");
}

fn uploads(server: &Provisioned) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("body");
    std::fs::write(&file, vec![b'y'; 5_000_000]).unwrap();
    let outcome = fetch(server, "/v1/count", &["-d", &format!("@{}", file.display())]);
    assert_eq!((outcome.exit_code, outcome.stdout.as_str()), (0, "5000000"), "{outcome:?}");
}

/// A program (`qemu/tests/recipes/files/nosy`) that tries to keep what it was sent, and says what it could do.
fn the_operators_program_can_do_nothing_else(server: &Provisioned) {
    let outcome = fetch(server, "/app/try", &["-d", "canary"]);
    assert_eq!(outcome.exit_code, 0, "{outcome:?}");
    let (works, refused): (Vec<_>, Vec<_>) = outcome.stdout.lines().partition(|line| line.ends_with(": works"));
    assert_eq!((works, refused.len()), (vec!["own files: works"], ATTEMPTS), "{outcome:?}");
    assert!(refused.iter().all(|line| line.ends_with(": refused")), "{refused:?}");
    // it answers, with what it was sent
    let outcome = fetch(server, "/app/echo", &["-d", "canary"]);
    assert_eq!((outcome.exit_code, outcome.stdout.as_str()), (0, "canary"), "{outcome:?}");
}

/// What it has in its memory goes when nobody has asked for `forget_after`, and the next request finds another one.
fn the_operators_program_forgets(server: &Provisioned) {
    let remembered = || {
        let outcome = fetch(server, "/app/remembered", &[]);
        assert_eq!(outcome.exit_code, 0, "{outcome:?}");
        outcome.stdout
    };
    fetch(server, "/app/echo", &["-d", "canary"]);
    assert_ne!(remembered(), "0", "asked at once");
    let late = Instant::now() + Duration::from_secs(120);
    while {
        std::thread::sleep(2 * FORGET_AFTER);
        remembered() != "0"
    } {
        assert!(Instant::now() < late, "it forgets nothing");
    }
}

/// Each event arrives before the next one is sent.
fn answers_arrive_piece_by_piece(proxy: &Proxy) {
    let times = proxy.pieces("/v1/stream");
    assert_eq!(times.len(), PIECES, "{times:?}");
    for pair in times.windows(2) {
        assert!(pair[1].saturating_sub(pair[0]) > PAUSE / 2, "two at once: {times:?}");
    }
}

/// At most a fifth later than without a gateway, when the upstream thinks for a second; the connections are there already.
fn first_byte_is_not_late(images: &Images, proxy: &Proxy) {
    proxy.time_to_first_byte("/v1/head");
    let (direct, through) = (direct(images), proxy.time_to_first_byte("/v1/slow"));
    eprintln!("── first byte: {direct:?} directly, {through:?} through proxy and gateway");
    assert!(direct >= THINKS && through.as_secs_f64() < 1.2 * direct.as_secs_f64(), "{direct:?} {through:?}");
}

fn direct(images: &Images) -> Duration {
    let ca = images.path("upstream/ca.pem").display().to_string();
    let words = ["--cacert", &ca, "--resolve", "api.vitrine:8443:198.51.100.80", "-w", "%{time_starttransfer}"];
    let said = crate::world::run(
        "curl",
        &[&["--silent", "-o", "/dev/null", "https://api.vitrine:8443/v1/slow"], &words[..]].concat(),
    );
    Duration::from_secs_f64(said.expect_success().trim().parse().unwrap())
}

/// The gateway may have 104 MiB at most (`RLIMIT_DATA`), most of it for requests that are not there: more than that passes through.
fn a_large_body_needs_no_memory(proxy: &Proxy, bytes: u64) {
    let begin = Instant::now();
    assert_eq!(proxy.length(&format!("/v1/large?{bytes}")), bytes);
    let rate = bytes as f64 / begin.elapsed().as_secs_f64() / 1e6;
    eprintln!("── {bytes} bytes through proxy and gateway: {rate:.1} MB/s");
}

/// The same port on the server's address in the tunnel, and nothing beyond it.
fn from_inside_the_tunnel(server: &Provisioned) {
    let user = crate::world::User::number(2);
    server.add(&user);
    let client = user.connect(server.keys.wireguard, server.running.guest.wireguard());
    let answer = client.curl(&["--insecure", "--include", "https://10.66.0.1/other"]).expect_success();
    assert!(answer.contains("404") && answer.contains("\"error\""), "{answer}");
    client.curl(&["--max-time", "5", "http://198.51.100.80/"]).expect_failure();
}
