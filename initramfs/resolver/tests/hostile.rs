//! Authorities that send garbage, lies, loops and nothing: the asker gets SERVFAIL in time, and others their answers.
#![allow(clippy::disallowed_macros)]
mod common;

use common::authority::Authority;
use common::client::{addresses, ede, question};
use common::hostile::Hostile;
use common::world::World;
use common::{recursive, Running};
use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, CNAME, NS};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use std::time::{Duration, Instant};

/// A client's patience, and a little.
const IN_TIME: Duration = Duration::from_millis(5500);

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// The question's ID and question, as an authority would answer them.
fn reply(packet: &[u8]) -> Option<Message> {
    let question = Message::from_vec(packet).ok()?;
    let mut answer = Message::response(question.metadata.id, OpCode::Query);
    answer.metadata.authoritative = true;
    answer.add_query(question.queries.first()?.clone());
    Some(answer)
}

fn one(answer: Option<Message>) -> Vec<Vec<u8>> {
    answer.map(|message| message.to_vec().unwrap()).into_iter().collect()
}

fn fails_in_time(resolver: &Running, text: &str) {
    let begin = Instant::now();
    let answer = resolver.ask(text, RecordType::A);
    let took = begin.elapsed();
    assert_eq!(answer.metadata.response_code, ResponseCode::ServFail, "{text} {answer:?}");
    assert!(answer.answers.is_empty(), "{text}");
    assert!(took < IN_TIME, "{text} took {took:?}");
}

/// Whatever happened, honest names work.
fn still_works(resolver: &Running) {
    let answer = resolver.ask("www.example.org.", RecordType::A);
    assert_eq!(addresses(&answer), ["192.0.2.1"], "{:?}", ede(&answer));
}

#[test]
fn garbage_and_silence() {
    let world = World::start();
    let n = world.network;
    let _garbage = Hostile::start(n, 10, |packet| {
        let mut cut = packet.to_vec();
        cut.truncate(7);
        // cut off, random, the ID and then nonsense, a name that points at itself
        let mut nonsense = packet[..2].to_vec();
        nonsense.extend([0x84, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xc0, 0x0c]);
        vec![vec![], cut, vec![0xff; 600], nonsense]
    });
    let _wrong_id = Hostile::start(n, 11, |packet| {
        let answer = reply(packet).map(|mut answer| {
            let asked = answer.queries[0].name.clone();
            answer.metadata.id ^= 1;
            answer.add_answer(Record::from_rdata(asked, 300, RData::A(A::new(192, 0, 2, 99))));
            answer
        });
        one(answer)
    });
    let _silent = Hostile::start(n, 12, |_| vec![]);
    let _huge = Hostile::start(n, 13, |packet| {
        let mut answer = packet.to_vec();
        answer[2] |= 0x84;
        answer.resize(60_000, 0xc0);
        vec![answer]
    });
    let resolver = Running::start(world.host(53), recursive(&world));
    std::thread::scope(|scope| {
        for zone in ["garbage", "wrongid", "silent", "huge"] {
            let resolver = &resolver;
            scope.spawn(move || fails_in_time(resolver, &format!("www.{zone}.org.")));
        }
        // meanwhile
        still_works(&resolver);
    });
    still_works(&resolver);
}

#[test]
fn loops() {
    let world = World::start();
    // delegates every name to itself, one label further down
    let address = world.host(14);
    let referral = Hostile::start(world.network, 14, move |packet| {
        let answer = reply(packet).map(|mut answer| {
            let asked = answer.queries[0].name.clone();
            let server = name("ns.referral.org.");
            answer.metadata.authoritative = false;
            answer.add_authority(Record::from_rdata(asked, 300, RData::NS(NS(server.clone()))));
            answer.add_additional(Record::from_rdata(server, 300, RData::A(A(address))));
            answer
        });
        one(answer)
    });
    let resolver = Running::start(world.host(53), recursive(&world));
    fails_in_time(&resolver, "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.referral.org.");
    assert!(referral.count() < 200, "one question, a bounded number of packets");
    // two zones that hold each other's servers
    fails_in_time(&resolver, "www.ring1.org.");
    // aliases in a circle: an end, whatever the code
    let begin = Instant::now();
    let answer = resolver.ask("loop1.example.org.", RecordType::A);
    assert!(begin.elapsed() < IN_TIME && addresses(&answer).is_empty() && answer.answers.len() < 10);
    still_works(&resolver);
}

/// An endless chain of aliases, made as it is asked for.
#[test]
fn endless_aliases() {
    let world = World::start();
    let chain = Hostile::start(world.network, 10, |packet| {
        let answer = reply(packet).map(|mut answer| {
            let asked = answer.queries[0].name.clone();
            let next: u32 = asked
                .iter()
                .next()
                .unwrap_or_default()
                .iter()
                .filter(|byte| byte.is_ascii_digit())
                .fold(0, |n, b| n * 10 + u32::from(b - 48));
            let target = name(&format!("a{}.garbage.org.", next + 1));
            answer.add_answer(Record::from_rdata(asked, 300, RData::CNAME(CNAME(target))));
            answer
        });
        one(answer)
    });
    let resolver = Running::start(world.host(53), recursive(&world));
    fails_in_time(&resolver, "a0.garbage.org.");
    assert!(chain.count() < 400);
    still_works(&resolver);
}

/// Says true things about itself and false ones about others.
#[test]
fn poison() {
    let world = World::start();
    let evil = A::new(192, 0, 2, 66);
    let _poison = Hostile::start(world.network, 16, move |packet| {
        let answer = reply(packet).map(|mut answer| {
            let asked = answer.queries[0].name.clone();
            let kind = answer.queries[0].query_type;
            if kind == RecordType::A {
                answer.add_answer(Record::from_rdata(asked, 300, RData::A(A::new(192, 0, 2, 50))));
            }
            answer.add_answer(Record::from_rdata(name("www.plain.org."), 300, RData::A(evil)));
            answer.add_authority(Record::from_rdata(name("plain.org."), 300, RData::NS(NS(name("ns.poison.org.")))));
            answer.add_additional(Record::from_rdata(name("ns.plain.org."), 300, RData::A(evil)));
            answer
        });
        one(answer)
    });
    let resolver = Running::start(world.host(53), recursive(&world));
    let answer = resolver.ask("www.poison.org.", RecordType::A);
    assert!(!addresses(&answer).contains(&evil.to_string()), "what was not asked for was given out");
    assert_eq!(addresses(&resolver.ask("www.plain.org.", RecordType::A)), ["192.0.2.7"]);
}

#[test]
fn slow_answers_hold_nobody_up() {
    let world = World::start();
    let text = format!(
        "@ 300 IN SOA ns h 1 3600 600 86400 30\n@ 300 IN NS ns\nns 300 IN A {}\nwww 300 IN A 192.0.2.77\n",
        world.host(15)
    );
    let mut zone = common::zone::zone("slow.org.", &text, None);
    let records = std::mem::take(zone.records_get_mut());
    let authority = Authority { origin: name("slow.org."), records };
    let slow = Hostile::start(world.network, 15, move |packet| {
        std::thread::sleep(Duration::from_millis(120));
        one(authority.answer(packet))
    });
    let resolver = Running::start(world.host(53), recursive(&world));
    std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..5).map(|_| scope.spawn(|| resolver.ask("www.slow.org.", RecordType::A))).collect();
        let begin = Instant::now();
        still_works(&resolver);
        assert!(begin.elapsed() < Duration::from_secs(2));
        for thread in waiting {
            let answer = thread.join().unwrap();
            assert_eq!(addresses(&answer), ["192.0.2.77"], "{:?}", ede(&answer));
        }
    });
    assert!(slow.count() < 20, "the same question is asked once");
}

/// Questions made at random from good ones: no crash, and an answer to whoever asks properly afterwards.
#[test]
fn hostile_askers() {
    let world = World::start();
    let resolver = Running::start(world.host(53), recursive(&world));
    let good = question("www.example.org.", RecordType::A).to_vec().unwrap();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..5000 {
        let mut packet = good.clone();
        for _ in 0..random() % 4 {
            let at = random() as usize % packet.len();
            packet[at] = random() as u8;
        }
        packet.truncate(random() as usize % (packet.len() + 1));
        socket.send_to(&packet, (resolver.address, common::PORTS.plain)).unwrap();
    }
    std::thread::sleep(Duration::from_millis(300));
    still_works(&resolver);
}
