//! Init played by the test, with good lines and bad ones.

use super::*;
use crate::init::Answer;
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use vitrine_attest::boot::{BootFacts, BootKeys};
use vitrine_attest::digest::Key32;
use vitrine_attest::Sha256;

fn pair() -> (Channel, UnixStream) {
    let (ours, init) = UnixStream::pair().unwrap();
    init.set_read_timeout(Some(PATIENCE)).unwrap();
    (Channel::new(ours).unwrap(), init)
}

fn sample() -> Introduction {
    Introduction {
        config_digest: Sha256::of(b"config"),
        keys: BootKeys {
            wg_pub: Key32([1; 32]),
            channel_pub: Key32([2; 32]),
            sign_pub: Key32([3; 32]),
            tls_spki: Sha256::of(b"tls"),
        },
        rotated: vec![],
        image_id: "exit 1 00".into(),
        facts: BootFacts::sealed(),
        port: 8787,
        firmware_log: vec![1, 2, 3],
        measured_already: false,
        violation: None,
        attached: None,
    }
}

fn key(generation: u32) -> RotatedKey {
    RotatedKey { generation, wg_pub: Key32([7; 32]), signature: [9; 64] }
}

fn rotated(keys: &[RotatedKey]) -> String {
    format!("{}\n", json!({ "rotated": keys }))
}

fn line(init: &UnixStream) -> String {
    let mut text = String::new();
    BufReader::new(init.try_clone().unwrap()).read_line(&mut text).unwrap();
    text
}

#[test]
fn introduction_then_measured_then_serve() {
    let (mut channel, mut init) = pair();
    let text = serde_json::to_value(sample()).unwrap();
    init.write_all(format!("{text}\n{{\"serve\":true}}\n").as_bytes()).unwrap();
    assert_eq!(channel.introduction().unwrap(), sample());
    channel.measured().unwrap();
    assert_eq!(line(&init), "{\"measured\":true}\n");
    channel.failed(Failure::PcrNotZero).unwrap();
    assert_eq!(line(&init), "{\"failed\":\"pcr15-not-zero\"}\n");
    channel.wait_serve(&mut News::default()).unwrap();
}

#[test]
fn a_restart_is_announced() {
    let (mut channel, mut init) = pair();
    let attached = Some(Sha256::of(b"papers"));
    let restarted = Introduction { measured_already: true, attached, rotated: vec![key(4), key(5)], ..sample() };
    init.write_all(format!("{}\n", serde_json::to_string(&restarted).unwrap()).as_bytes()).unwrap();
    assert_eq!(channel.introduction().unwrap(), restarted);
}

#[test]
fn other_first_lines_are_refused() {
    let good = serde_json::to_string(&sample()).unwrap();
    let table = [
        ("end of file", String::new()),
        ("no newline", good.clone()),
        ("empty line", "\n".into()),
        ("not JSON", "hello\n".into()),
        ("another word", "{\"serve\":true}\n".into()),
        ("unknown field", good.replace("{\"config_digest\"", "{\"x\":1,\"config_digest\"") + "\n"),
        ("doubled field", good.replace("\"port\":8787", "\"port\":8787,\"port\":8787") + "\n"),
        ("port 0", good.replace("8787", "0") + "\n"),
        ("port too large", good.replace("8787", "65536") + "\n"),
        ("short digest", good.replacen("config_digest\":\"", "config_digest\":\"0", 1) + "\n"),
        ("too many rotated keys", good.replacen('{', &format!("{{\"rotated\":{},", json!(vec![key(1); 3])), 1) + "\n"),
        ("long name", good.replace("exit 1 00", &"x".repeat(1025)) + "\n"),
    ];
    for (defect, text) in table {
        let (mut channel, mut init) = pair();
        init.write_all(text.as_bytes()).unwrap();
        drop(init);
        assert_eq!(channel.introduction().err(), Some(Failure::Channel), "{defect} was taken");
    }
}

#[test]
fn a_line_without_end_is_bounded() {
    let (mut channel, mut init) = pair();
    let flood = std::thread::spawn(move || while init.write_all(&[b' '; 1 << 16]).is_ok() {});
    assert_eq!(channel.introduction().err(), Some(Failure::Channel));
    drop(channel);
    flood.join().unwrap();
}

#[test]
fn keys_that_rotate_before_the_network_is_up() {
    let (mut channel, mut init) = pair();
    init.write_all(format!("{}{}{{\"serve\":true}}\n", rotated(&[key(1)]), rotated(&[key(1), key(2)])).as_bytes())
        .unwrap();
    let mut news = News::default();
    channel.wait_serve(&mut news).unwrap();
    assert_eq!(news, News { rotated: vec![key(1), key(2)], ..News::default() });
}

/// What the watch found is told once, before the network is up or after it, and stays.
#[test]
fn a_violation_is_for_ever() {
    let found = "{\"violation\":\"watch.files\"}\n";
    let (mut channel, mut init) = pair();
    init.write_all(format!("{found}{{\"serve\":true}}\n").as_bytes()).unwrap();
    let mut news = News::default();
    channel.wait_serve(&mut news).unwrap();
    assert_eq!(news.violation, Some(Rule::Files));
    assert_eq!(channel.into_init(news, || {}).unwrap().violation(), Some(Rule::Files));

    let (channel, mut init) = pair();
    let heard = channel.into_init(News::default(), || {}).unwrap();
    assert_eq!(heard.violation(), None);
    init.write_all(found.as_bytes()).unwrap();
    until(|| heard.violation() == Some(Rule::Files), "what init has found is not known");
}

#[test]
fn serve_false_is_not_serve() {
    let many = rotated(&[key(1), key(2), key(3)]);
    for text in [
        "{\"serve\":false}\n",
        "{\"serve\":1}\n",
        "{\"answer\":\"\"}\n",
        "{\"attach\":null}\n",
        "{\"x\":true}\n",
        &many,
        "",
    ] {
        let (mut channel, mut init) = pair();
        init.write_all(text.as_bytes()).unwrap();
        drop(init);
        assert_eq!(channel.wait_serve(&mut News::default()).err(), Some(Failure::Channel), "{text:?} was taken");
    }
}

#[test]
fn one_order_at_a_time() {
    let (channel, mut init) = pair();
    let asked = channel.into_init(News::default(), || {}).unwrap();
    let first = std::thread::spawn(|| asked.order(b"one"));
    assert_eq!(line(&init), "{\"order\":\"b25l\"}\n");
    assert_eq!(asked.order(b"two"), None);
    init.write_all(b"{\"refused\":\"order-unsealed\"}\n").unwrap();
    assert_eq!(first.join().unwrap(), Some(Answer::Refused("order-unsealed".into())));
    let third = std::thread::spawn(|| asked.order(b"three"));
    assert_eq!(line(&init), "{\"order\":\"dGhyZWU=\"}\n");
    init.write_all(b"{\"answer\":\"AQI=\"}\n").unwrap();
    assert_eq!(third.join().unwrap(), Some(Answer::Sealed(vec![1, 2])));
}

#[test]
fn rotated_keys_are_the_last_ones_told() {
    let (channel, mut init) = pair();
    let heard = channel.into_init(News { rotated: vec![key(1)], ..News::default() }, || {}).unwrap();
    assert_eq!(heard.rotated(), [key(1)]);
    init.write_all(rotated(&[key(1), key(2)]).as_bytes()).unwrap();
    until(|| heard.rotated() == [key(1), key(2)], "the keys of init are not known");
    init.write_all(rotated(&[]).as_bytes()).unwrap();
    until(|| heard.rotated().is_empty(), "keys that ended live on");
}

#[test]
fn words_that_make_no_sense_end_the_line() {
    static LOST: [AtomicBool; 5] = [const { AtomicBool::new(false) }; 5];
    let lost: [fn(); 5] = [
        || LOST[0].store(true, Ordering::SeqCst),
        || LOST[1].store(true, Ordering::SeqCst),
        || LOST[2].store(true, Ordering::SeqCst),
        || LOST[3].store(true, Ordering::SeqCst),
        || LOST[4].store(true, Ordering::SeqCst),
    ];
    let many = rotated(&[key(1), key(2), key(3)]);
    let words = ["{\"answer\":\"\"}\n", "{\"refused\":\"x\"}\n", "{\"serve\":true}\n", "{}\n", &many];
    for (n, word) in words.into_iter().enumerate() {
        let (channel, mut init) = pair();
        channel.into_init(News::default(), lost[n]).unwrap();
        init.write_all(word.as_bytes()).unwrap();
        until(|| LOST[n].load(Ordering::SeqCst), word);
    }
}

fn until(holds: impl Fn() -> bool, otherwise: &str) {
    for _ in 0..100 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("{otherwise}");
}
