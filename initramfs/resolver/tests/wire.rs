//! Our own wire code, without a network.
#![allow(clippy::disallowed_macros)]

use hickory_proto::op::{Edns, Message, OpCode, Query};
use hickory_proto::rr::rdata::{A, CNAME};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use std::rc::Rc;
use std::time::{Duration, Instant};
use vitrine_resolver::answer::Answer;
use vitrine_resolver::blocklist::Blocklist;
use vitrine_resolver::cache::Cache;
use vitrine_resolver::key::Key;
use vitrine_resolver::question::{read, Packet, Question, Rcode};
use vitrine_resolver::special::is_special;
use vitrine_resolver::{limits, Transport};

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

fn packet(text: &str) -> Vec<u8> {
    let mut message = Message::query();
    message.metadata.id = 7;
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(name(text), RecordType::A));
    let mut edns = Edns::new();
    edns.set_max_payload(1400).set_dnssec_ok(true);
    message.set_edns(edns);
    message.to_vec().unwrap()
}

fn question(text: &str) -> Question {
    match read(&packet(text)) {
        Packet::Question(question) => question,
        _ => panic!("{text} is no question"),
    }
}

fn message(text: &str, ttl: u32) -> Vec<u8> {
    let mut message = Message::response(0, OpCode::Query);
    message.add_query(Query::query(name(text), RecordType::A));
    message.add_answer(Record::from_rdata(name(text), ttl, RData::CNAME(CNAME(name("target.example.")))));
    message.add_answer(Record::from_rdata(name("target.example."), ttl + 5, RData::A(A::new(192, 0, 2, 1))));
    message.to_vec().unwrap()
}

/// xorshift64: the same numbers every time.
fn random() -> impl FnMut() -> usize {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 16) as usize
    }
}

#[test]
fn a_question_is_read() {
    let question = question("wWw.Example.");
    assert_eq!((question.id, question.kind, question.class), (7, 1, 1));
    assert!(question.recursion_desired && question.dnssec_ok() && !question.checking_disabled);
    assert_eq!(question.edns.unwrap().payload, 1400);
    assert_eq!(question.name.bytes(), b"\x03wWw\x07Example\0");
    assert_eq!(Key::of(&question).name(), b"\x03www\x07example\0");
}

#[test]
fn broken_questions_are_refused() {
    let good = packet("www.example.");
    let change = |at: usize, to: u8| {
        let mut packet = good.clone();
        packet[at] = to;
        packet
    };
    let code = |packet: &[u8]| match read(packet) {
        Packet::Refuse(_, code) => Some(code),
        Packet::Question(_) | Packet::Ignore => None,
    };
    assert_eq!(code(&change(2, 0x28)), Some(Rcode::NotImp));
    for (at, to) in [(5, 0), (5, 2), (7, 1), (11, 2), (12, 0xc0), (12, 64), (12, 63)] {
        assert_eq!(code(&change(at, to)), Some(Rcode::FormErr), "byte {at} = {to}");
    }
    assert!(matches!(read(&change(2, 0x81)), Packet::Ignore), "an answer");
    for length in 0..12 {
        assert!(matches!(read(&good[..length]), Packet::Ignore));
    }
    for length in 12..good.len() {
        assert_eq!(code(&good[..length]), Some(Rcode::FormErr), "cut at {length}");
    }
    // a name of 255 bytes is the longest
    for (labels, good) in [([63, 63, 63, 61], true), ([63, 63, 63, 62], false)] {
        let mut packet = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in labels {
            packet.push(label);
            packet.extend(vec![b'a'; label.into()]);
        }
        packet.extend([0, 0, 1, 0, 1]);
        assert_eq!(matches!(read(&packet), Packet::Question(_)), good, "{labels:?}");
    }
}

/// Invariant: never a panic, never an answer that is longer than its transport allows, and whatever is written for a
/// question can be read again.
#[test]
fn random_bytes() {
    let mut random = random();
    let now = Instant::now();
    let mut out = Vec::new();
    let good = packet("www.example.");
    let wire = message("www.example.", 60);
    for round in 0..200_000 {
        let mut bytes = if round % 2 == 0 { good.clone() } else { wire.clone() };
        for _ in 0..random() % 5 {
            let at = random() % bytes.len();
            bytes[at] = random() as u8;
        }
        bytes.truncate(random() % (bytes.len() + 1));
        if let Packet::Question(question) = read(&bytes) {
            let _ = is_special(&question.name);
            let failure = Answer::failure(&question, vitrine_resolver::reply::Ede::Bogus, 60, now);
            failure.write(&question, Transport::Udp, now, &mut out);
            assert!(out.len() <= limits::UDP_ANSWER);
            vitrine_resolver::reply::any(&question, Transport::Encrypted, &mut out);
            assert!(out.len() < 1000);
        }
        if let Some(answer) = Answer::new(bytes.clone(), 300, now) {
            assert!(answer.lifetime() <= 300);
        }
    }
}

#[test]
fn answers_age() {
    let now = Instant::now();
    let answer = Answer::new(message("www.example.", 60), 300, now).unwrap();
    assert_eq!(answer.lifetime(), 60);
    let asked = question("WWW.example.");
    let mut out = Vec::new();
    for (later, first, second) in [(0, 60, 65), (10, 50, 55), (62, 0, 3)] {
        answer.write(&asked, Transport::Udp, now + Duration::from_secs(later), &mut out);
        let read = Message::from_vec(&out).unwrap();
        assert_eq!((read.answers[0].ttl, read.answers[1].ttl), (first, second));
        assert_eq!((read.metadata.id, read.queries[0].name.to_string().as_str()), (7, "WWW.example."));
    }
    assert!(answer.is_fresh(now + Duration::from_secs(59)) && !answer.is_fresh(now + Duration::from_secs(60)));
    // lowered, in the answer too
    let answer = Answer::new(message("www.example.", 86400), 30, now).unwrap();
    answer.write(&asked, Transport::Udp, now, &mut out);
    assert!(Message::from_vec(&out).unwrap().answers.iter().all(|record| record.ttl == 30));
    // encrypted: padded
    answer.write(&asked, Transport::Encrypted, now, &mut out);
    assert_eq!(out.len(), limits::PADDING);
}

#[test]
fn the_cache_is_bounded() {
    let now = Instant::now();
    let mut cache = Cache::new(100);
    for number in 0..1000 {
        let text = format!("n{number}.example.");
        let answer = Answer::new(message(&text, 10 + number % 50), 300, now).unwrap();
        cache.put(&Key::of(&question(&text)), Rc::new(answer));
        assert!(cache.len() <= 100);
    }
    assert_eq!(cache.len(), 100);
    let last = question("n999.example.");
    assert!(cache.get(&Key::of(&last), now).is_some());
    assert!(cache.get(&Key::of(&last), now + Duration::from_secs(3600)).is_none(), "too old is not given out");
    cache.sweep(now + Duration::from_secs(3600));
    assert!(cache.is_empty());
    let mut none = Cache::new(0);
    none.put(&Key::of(&last), Rc::new(Answer::new(message("n999.example.", 10), 300, now).unwrap()));
    assert!(none.is_empty());
}

/// A million names: what the file takes, and found.
#[test]
fn a_large_blocklist() {
    let mut names: Vec<String> = (0..1_000_000).map(|n| format!("tracker-{n}.ads{}.example", n % 7)).collect();
    names.sort_unstable();
    let text = names.join("\n") + "\n";
    assert!(text.len() < 64 << 20);
    let list = Blocklist::new(text.into_bytes()).unwrap();
    for (text, blocked) in [
        ("tracker-0.ads0.example.", true),
        ("x.y.TRACKER-999999.ads0.Example.", true),
        ("tracker-1.ads0.example.", false),
        ("ads0.example.", false),
        ("example.", false),
        (".", false),
    ] {
        assert_eq!(list.blocks(&question(text).name), blocked, "{text}");
    }
    let every = names.iter().step_by(997).all(|text| list.blocks(&question(&format!("{text}.")).name));
    assert!(every);
}

#[test]
fn blocklists_of_another_form_are_refused() {
    for bad in ["a", "a\n\nb\n", "b\na\n", "a\na\n", "A\n", "a.\n", "\n"] {
        assert!(Blocklist::new(bad.into()).is_err(), "{bad:?}");
    }
    assert!(!Blocklist::new(vec![]).unwrap().blocks(&question("a.").name));
    let list = Blocklist::new(b"a\na.b\nab\n".to_vec()).unwrap();
    for (text, blocked) in
        [("a.", true), ("a.b.", true), ("ab.", true), ("b.", false), ("c.a.b.", true), ("aa.", false)]
    {
        assert_eq!(list.blocks(&question(text).name), blocked, "{text}");
    }
}

#[test]
fn special_names() {
    for (text, special) in [
        ("localhost.", true),
        ("a.LOCALHOST.", true),
        ("notlocalhost.", false),
        ("test.example.", false),
        ("home.arpa.", true),
        ("1.16.172.in-addr.arpa.", true),
        ("1.31.172.in-addr.arpa.", true),
        ("1.32.172.in-addr.arpa.", false),
        ("172.in-addr.arpa.", false),
        ("64.100.in-addr.arpa.", true),
        ("128.100.in-addr.arpa.", false),
        ("110.in-addr.arpa.", false),
        ("x.d.f.ip6.arpa.", true),
        ("8.b.d.0.1.0.0.2.ip6.arpa.", true),
        ("9.b.d.0.1.0.0.2.ip6.arpa.", false),
        (".", false),
    ] {
        assert_eq!(is_special(&question(text).name), special, "{text}");
    }
}
