//! QEMU's record of a guest's frames, as `vitrine-qemu prove` judges it. Invariants, for any bytes:
//! - reading never panics; what it gives are frames of the record, in their order, and no byte is in two of them;
//! - every frame that the guest's card has sent has a purpose: none is left out, none is counted twice;
//! - a record that is cut holds the first frames of the whole one, and nothing else;
//! - a canary in a frame that nobody declared is always told.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::net::IpAddr;
use std::sync::LazyLock;
use vitrine_qemu::machine::Ports;
use vitrine_qemu::prove::canary::{Canary, Kind, Value};
use vitrine_qemu::prove::egress::{Declared, Egress, Purpose};
use vitrine_qemu::prove::fuzzing::{frames, parse, sent_by, Packet};
use vitrine_qemu::prove::memory::Hunt;

const CARD: [u8; 6] = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
const CANARY: &[u8] = b"a-payload-of-a-user";

static HUNT: LazyLock<Hunt> = LazyLock::new(|| {
    Hunt::new(&[Canary::new(Kind::Payload, Value::Bytes(CANARY.to_vec()))]).expect("a canary that can be searched")
});
static DECLARED: LazyLock<Declared> = LazyLock::new(|| Declared {
    gateway: Some(443),
    ports: Ports::default(),
    destinations: [IpAddr::from([198, 51, 100, 177])].into(),
    upstreams: [IpAddr::from([198, 51, 100, 1])].into(),
});

fuzz_target!(|data: &[u8]| {
    whole(data);
    one(data);
});

fn whole(data: &[u8]) {
    let Ok(read) = frames(data) else { return };
    let mut free = data.as_ptr() as usize;
    for frame in &read {
        let begin = frame.as_ptr() as usize;
        assert!(begin >= free && begin + frame.len() <= data.as_ptr() as usize + data.len());
        free = begin + frame.len();
    }
    let sent = read.iter().filter(|record| sent_by(CARD, record).is_some()).count();
    let judged = Egress::judge(data, &DECLARED, &HUNT).expect("it can be read");
    assert_eq!(judged.frames.values().sum::<usize>(), sent);
    assert!(judged.violations.len() <= 10 && judged.wrong() >= judged.violations.len());
    let cut = frames(&data[..data.len() - data.len() / 3]).unwrap_or_default();
    assert!(read.starts_with(&cut));
}

/// The bytes as one frame of the card, with a canary behind them.
fn one(data: &[u8]) {
    let frame = [&[0; 6], &CARD[..], data, CANARY].concat();
    assert_eq!(sent_by(CARD, &frame), Some(&frame[..]));
    let mut record = [&0xa1b2_c3d4_u32.to_le_bytes()[..], &[0; 20 + 8]].concat();
    record.extend((frame.len() as u32).to_le_bytes().repeat(2));
    record.extend(&frame);
    let judged = Egress::judge(&record, &DECLARED, &HUNT).expect("a record of one frame");
    let [(purpose, 1)] = judged.frames.iter().map(|(p, n)| (*p, *n)).collect::<Vec<_>>()[..] else {
        panic!("{judged:?}");
    };
    assert_eq!(purpose == Purpose::Violation, judged.violations.len() == 1);
    assert!(parse(&frame) != Packet::Other || purpose == Purpose::Violation);
    let may_hold = matches!(purpose, Purpose::Client | Purpose::Icmp);
    assert!(may_hold || judged.misplaced.get(&Kind::Payload).is_some_and(|copies| *copies > 0), "{judged:?}");
}
