//! Logs that ask their witnesses, good ones and such that lie, are slow or not there.

use super::*;

#[test]
fn a_log_asks_its_witnesses() {
    let (log, places) = (Log::new("a", 300), [place(), place(), place()]);
    let running = places.each_ref().map(Place::serve);
    // each remembers another size of them: right, too small, too large
    let at = |old: [u64; 3]| -> Vec<WitnessAt> { (0..3).map(|n| places[n].at(&running[n], old[n])).collect() };
    for (old, size) in [([0, 0, 0], 5), ([5, 0, 7], 9), ([9, 9, 400], 300), ([300, 0, 1], 300)] {
        let times = asked(&at(old), &log, size, PATIENT);
        assert!(times.iter().all(|time| time.as_ref().is_ok_and(|time| now() - time < 60)), "{times:?}");
        assert!(places.iter().all(|place| place.size() == Some(size as u64)));
    }
    let mut prove = |_: u64| -> Result<Vec<Sha256>> { Ok(vec![]) };
    // cosignatures of others are not sent on: the note with them is as good
    let mut lines = String::new();
    for outcome in cosign(&server::agent(), &at([300; 3]), &log.note(300), &mut prove, PATIENT) {
        lines += &outcome.result.unwrap().line;
    }
    let whole = format!("{}{lines}", log.note(300));
    let keys: Vec<NoteKey> = places.iter().map(|place| place.key.clone()).chain([log.key()]).collect();
    assert_eq!(Note::parse(whole.as_bytes()).unwrap().signers(&keys).unwrap().len(), 4);
    assert!(cosign(&server::agent(), &at([300; 3]), &whole, &mut prove, PATIENT).iter().all(|o| o.result.is_ok()));
}

/// A restored backup asks before it signs; a fork is told from one.
#[test]
fn the_fork_guard() {
    let (log, fork, place) = (Log::new("a", 300), Log::new("b", 300), place());
    let running = place.serve();
    let at = [place.at(&running, 0)];
    let known = |log: &Log, size| known_sizes(&server::agent(), &at, &log.note(size), PATIENT).remove(0).result;
    assert_eq!(known(&log, 5), Ok(0));
    assert!(asked(&at, &log, 200, PATIENT)[0].is_ok());
    assert_eq!([known(&log, 150), known(&log, 200), known(&log, 300)], [Ok(200), Ok(200), Ok(200)]);
    assert_eq!(known(&fork, 200), Err(Failure::Conflict));
    assert_eq!(asked(&at, &log, 150, PATIENT), [Err(Failure::Ahead { size: 200 })]);
    assert_eq!(asked(&at, &fork, 200, PATIENT), [Err(Failure::Conflict)]);
    assert_eq!(asked(&at, &fork, 300, PATIENT), [Err(Failure::Refused { status: 422 })]);
    let stranger = Log { secret: SigningKey::from_bytes(&[2; 32]), ..Log::new("a", 300) };
    assert_eq!(asked(&at, &stranger, 300, PATIENT), [Err(Failure::Refused { status: 403 })]);
    assert_eq!(place.size(), Some(200));
    // the witness has kept what proves the fork, for anybody who has the log's key
    let kept = place.shown()["logs"][LOG]["fork"].clone();
    for (name, note) in [("known", log.note(200)), ("other", fork.note(200))] {
        assert_eq!(kept[name].as_str(), Some(note.as_str()));
        assert_eq!(Note::parse(note.as_bytes()).unwrap().signers(&[log.key()]).unwrap().len(), 1);
    }
    assert!(done(&["show"], &place.folder).contains("FORKED"));
    drop(running);
    assert!(asked(&[place.at(&place.serve(), 200)], &log, 300, PATIENT)[0].is_ok(), "the known history goes on");
}

/// Answers each connection's request with these bytes, and tells how often it was asked.
fn liar(answer: impl Fn(usize) -> Vec<u8> + Send + 'static) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let (mut line, mut length) = (String::new(), 0);
            while line != "\r\n" {
                line.clear();
                if stream.read_line(&mut line).unwrap_or(0) == 0 {
                    break;
                }
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            let _ = stream.read_exact(&mut body);
            let _ = stream.get_mut().write_all(&answer(counted.fetch_add(1, Ordering::SeqCst)));
        }
    });
    (url, count)
}

fn http(status: u16, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// What a witness with key 9 at this address comes to.
fn told(url: &str, log: &Log, size: usize) -> std::result::Result<u64, Failure> {
    let at = [WitnessAt { key: own(9), url: url.into(), old: 0 }];
    asked(&at, log, size, Duration::from_secs(3)).remove(0)
}

#[test]
fn witnesses_that_lie() {
    let log = Log::new("a", 9);
    let line = |text: &str, seed: u8, time| sign(text, NAME, &SigningKey::from_bytes(&[seed; 32]), time).unwrap();
    let (text, other) = (log.text(9), log.text(8));
    let good = line(&text, 9, Some(now()));
    let answering = |answer: Vec<u8>| told(&liar(move |_| answer.clone()).0, &log, 9);
    assert!(answering(http(200, &good)).is_ok());
    let wrong_bytes = format!("{}AAAA=\n", &good[..good.len() - 7]);
    for body in [
        String::new(),
        "<html>\n".into(),
        wrong_bytes,
        line(&other, 9, Some(now())),
        line(&text, 8, Some(now())),
        line(&text, 9, None),
        line(&text, 9, Some(now() - 2 * 3600)),
        line(&text, 9, Some(now() + 2 * 3600)),
        line(&text, 9, Some(0)),
        format!("{good}{}", line(&other, 9, Some(now()))),
    ] {
        let result = answering(http(200, &body));
        assert!(matches!(result, Err(Failure::BadSignature(_))), "{body}: {result:?}");
    }
    for body in [10 << 20, 80 << 10] {
        let result = answering(http(200, &"x".repeat(body)));
        assert_eq!(result, Err(Failure::Unreachable("it sent more than 65536 bytes".into())));
    }
    assert_eq!(answering(http(409, "12\n")), Err(Failure::Ahead { size: 12 }));
    assert_eq!(answering(http(409, "9\n")), Err(Failure::Conflict));
    assert_eq!(answering(http(409, "0\n")), Err(Failure::Refused { status: 409 }));
    assert!(matches!(answering(http(409, "many\n")), Err(Failure::Unreachable(_))));
    assert_eq!(answering(http(301, "")), Err(Failure::Refused { status: 301 }));
    // always elsewhere: asked twice, not for ever
    let (url, count) = liar(|n| http(409, &format!("{}\n", n % 2 + 3)));
    assert_eq!(told(&url, &log, 9), Err(Failure::Refused { status: 409 }));
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[test]
fn witnesses_that_are_down_or_slow() {
    let (log, place) = (Log::new("a", 9), place());
    let closed = format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let running = place.serve();
    let (ill, times) = liar(|_| http(503, ""));
    let good = sign(&log.text(9), NAME, &SigningKey::from_bytes(&[9; 32]), Some(now())).unwrap();
    let (recovering, _) = liar(move |n| if n < 2 { http(503, "") } else { http(200, &good) });
    let at = |url: &str| WitnessAt { key: own(9), url: url.into(), old: 0 };
    let silent_url = format!("http://{}", silent.local_addr().unwrap());
    let witnesses = [
        at(&closed),
        at(&silent_url),
        at(&ill),
        at(&recovering),
        at("https://w.example"),
        at("nonsense"),
        place.at(&running, 0),
    ];
    let begun = Instant::now();
    let results = asked(&witnesses, &log, 9, Duration::from_secs(3));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(matches!(results[0], Err(Failure::Unreachable(_))), "{results:?}");
    assert!(matches!(results[1], Err(Failure::Unreachable(_))), "{results:?}");
    assert_eq!(results[2], Err(Failure::Refused { status: 503 }));
    assert!((2..20).contains(&times.load(Ordering::SeqCst)), "asked again, not without a pause");
    assert!(results[3].is_ok() && results[6].is_ok(), "{results:?}");
    match cfg!(feature = "https") {
        true => assert!(matches!(results[4], Err(Failure::Unreachable(_))), "no such name: {results:?}"),
        false => assert!(matches!(&results[4], Err(Failure::Address(why)) if why.contains("no TLS"))),
    }
    assert!(matches!(&results[5], Err(Failure::Address(_))));
    let mut prove = |_: u64| -> Result<Vec<Sha256>> { Ok(vec![]) };
    let unsigned = format!("{}\n", log.text(9));
    let ours = cosign(&server::agent(), &witnesses, &unsigned, &mut prove, Duration::from_secs(3));
    assert!(ours.iter().all(|outcome| matches!(outcome.result, Err(Failure::Ours(_)))));
}
