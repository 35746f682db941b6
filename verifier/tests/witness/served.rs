//! Witnesses as programs of their own: what they sign, refuse and remember.

use super::*;

#[test]
fn growth_repeats_and_restarts() {
    let (log, place) = (Log::new("a", 300), place());
    let running = place.serve();
    assert_eq!(place.size(), None);
    let mut last = now();
    for (old, new) in [(0, 0), (0, 1), (1, 1), (1, 5), (5, 5), (5, 300), (300, 300)] {
        let time = place.cosigned(&running.add(&log.request(old, new)), &log.text(new));
        assert!((last..=now()).contains(&time), "{old} to {new}");
        assert_eq!(place.size(), Some(new as u64));
        last = time;
    }
    // a fresh cosignature of the same checkpoint: the log is not frozen
    std::thread::sleep(Duration::from_millis(1100));
    let again = place.cosigned(&running.add(&log.request(300, 300)), &log.text(300));
    assert!(again > last);
    assert_eq!(running.end(Signal::TERM), Some(0));
    let kept = place.shown()["logs"][LOG]["last"].clone();
    assert_eq!((kept["time"].as_u64(), kept["note"].as_str()), (Some(again), Some(log.note(300).as_str())));
    let running = place.serve();
    let behind = running.add(&log.request(5, 300));
    assert_eq!((behind.status, behind.body.as_str()), (409, "300\n"));
    place.cosigned(&running.add(&log.request(300, 300)), &log.text(300));
    assert_eq!(running.end(Signal::INT), Some(0));
    assert!(done(&["show"], &place.folder).contains("Entries  300"));
}

#[test]
fn refusals_by_status() {
    let (log, fork, place) = (Log::new("a", 9), Log::new("b", 9), place());
    let running = place.serve();
    place.cosigned(&running.add(&log.request(0, 5)), &log.text(5));
    let good = log.request(5, 9);
    let stranger = Log { secret: SigningKey::from_bytes(&[2; 32]), ..Log::new("a", 9) };
    for (status, body) in [
        (404, good.replace(LOG, "log.example/other")),
        (403, stranger.request(5, 9)),
        (403, good.replacen(&format!("{LOG}\n9\n"), &format!("{LOG}\n10\n"), 1)),
        (400, to_text(6, &[], &log.note(5))),
        (422, to_text(5, &[], &log.note(9))),
        (422, to_text(5, &log.proof(4, 9), &log.note(9))),
        (422, fork.request(5, 9)),
        (422, to_text(5, &[Sha256::ZERO], &log.note(5))),
        (400, String::new()),
        (400, "old 5\n".into()),
        (400, good.replace("old 5", "old 05")),
        (400, good.replace('\n', "\r\n")),
        (413, format!("{good}{}", "x".repeat(64 << 10))),
        (413, "x".repeat(500_000)),
    ] {
        let answer = running.add(&body);
        assert_eq!(answer.status, status, "{body}: {}", answer.body);
    }
    for body in [log.request(0, 9), log.request(4, 9), log.request(6, 9), log.request(9, 9), fork.request(5, 5)] {
        let answer = running.add(&body);
        assert_eq!((answer.status, answer.body.as_str()), (409, "5\n"), "{body}");
        assert!(answer.head.contains("content-type: text/x.tlog.size"), "{}", answer.head);
    }
    assert_eq!(running.ask("POST", "/", &good).status, 404);
    assert_eq!(running.ask("GET", "/add-checkpoint", "").status, 405);
    assert_eq!(running.ask("PUT", "/add-checkpoint", &good).status, 405);
    assert_eq!(place.size(), Some(5), "a refusal has changed what is known");
    place.cosigned(&running.add(&good), &log.text(9));
}

/// A log changes its key: the witness trusts both, and one is enough.
#[test]
fn two_keys_of_one_log() {
    let (log, place) = (Log::new("a", 9), place());
    let rotated = Log { secret: SigningKey::from_bytes(&[2; 32]), ..Log::new("a", 9) };
    let running = place.serve();
    place.cosigned(&running.add(&log.request(0, 5)), &log.text(5));
    assert_eq!(running.add(&rotated.request(5, 9)).status, 403);
    let file = place.folder.join("new.pub");
    std::fs::write(&file, format!("{}\n", rotated.key())).unwrap();
    let add = ["add-log", "--key", file.to_str().unwrap()];
    assert!(refused(&add, &place.folder).contains("another witness works"));
    drop(running);
    assert!(done(&add, &place.folder).contains("2 keys"));
    assert!(done(&add, &place.folder).contains("trusted before"));
    let running = place.serve();
    place.cosigned(&running.add(&rotated.request(5, 9)), &log.text(9));
}

#[test]
fn folders_that_are_refused() {
    let place = place();
    assert!(refused(&["init", "--name", NAME], &place.folder).contains("already"));
    assert!(refused(&["add-log", "--key", &place.key.to_string()], &place.folder).contains("key of a witness"));
    assert!(refused(&["add-log", "--key", "nonsense"], &place.folder).contains("nonsense"));
    assert!(refused(&["serve"], &place.folder.join("none")).contains("witness init"));
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    let running = place.serve();
    assert!(refused(&serve, &place.folder).contains("another witness"));
    drop(running);
    let state = place.folder.join("state.json");
    let whole = std::fs::read_to_string(&state).unwrap();
    for damaged in [whole[..30].to_owned(), whole.replace("vitrine+", "vitrine2+"), String::new()] {
        std::fs::write(&state, damaged).unwrap();
        let error = refused(&serve, &place.folder);
        assert!(error.contains("damaged") && error.contains("make a new witness"), "{error}");
    }
    std::fs::remove_file(&state).unwrap();
    assert!(refused(&serve, &place.folder).contains("make a new witness"));
}

/// What was answered is remembered, however the witness ends: killed after each answer, and in the middle of many.
#[test]
fn killed_witnesses_remember() {
    let (log, place) = (Log::new("a", 40), place());
    for size in 0..4 {
        let running = place.serve();
        place.cosigned(&running.add(&log.request(size, size + 1)), &log.text(size + 1));
        running.end(Signal::KILL);
        assert_eq!(place.size(), Some(size as u64 + 1));
    }
    let mut size = 4;
    while size < 40 {
        let running = place.serve();
        let pid = Pid::from_child(&running.child);
        let killer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(15));
            let _ = kill_process(pid, Signal::KILL);
        });
        // answers until there are none
        while size < 40 && answered(&running, &log.request(size, size + 1)) {
            size += 1;
        }
        killer.join().unwrap();
        drop(running);
        let kept = place.size().unwrap() as usize;
        assert!(kept == size || kept == size + 1, "{size} were answered, {kept} are remembered");
        size = kept;
    }
}

/// Whether a cosignature came: not so when the witness was killed meanwhile.
fn answered(running: &Running, body: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(running.url.strip_prefix("http://").unwrap()) else { return false };
    let head = format!(
        "POST /add-checkpoint HTTP/1.1\r\nhost: w\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut answer = String::new();
    let asked = stream.write_all(format!("{head}{body}").as_bytes());
    asked.is_ok() && stream.read_to_string(&mut answer).is_ok() && answer.contains(" 200 ") && answer.contains(NAME)
}

#[test]
fn a_slow_client_holds_nobody_up() {
    let (log, place) = (Log::new("a", 21), place());
    let running = place.serve();
    let request = log.request(0, 1);
    let slow: Vec<TcpStream> = (0..60)
        .map(|n| {
            let mut stream = running.connect();
            let head = format!("POST /add-checkpoint HTTP/1.1\r\nhost: w\r\ncontent-length: {}\r\n\r\n", request.len());
            let begun = [&b"POST /add"[..], head.as_bytes(), format!("{head}old 0\n").as_bytes()][n % 3].to_vec();
            stream.write_all(&begun).unwrap();
            stream
        })
        .collect();
    let begun = Instant::now();
    for size in 0..20 {
        place.cosigned(&running.add(&log.request(size, size + 1)), &log.text(size + 1));
    }
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    drop(slow);
}

/// Two requests that both begin at what is known: one is granted, and the other sees it. Whatever the order, no size is ever
/// given back.
#[test]
fn racing_requests() {
    let (log, place) = (Log::new("a", 100), place());
    let running = place.serve();
    let mut size = 0;
    while size + 5 <= 100 {
        let bodies = [log.request(size, size + 2), log.request(size, size + 5)];
        let answers: Vec<Answered> = std::thread::scope(|scope| {
            let threads = bodies.each_ref().map(|body| scope.spawn(|| running.add(body)));
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let granted: Vec<usize> = [2, 5]
            .into_iter()
            .zip(&answers)
            .filter(|(_, answer)| answer.status == 200)
            .map(|(n, _)| size + n)
            .collect();
        assert_eq!(granted.len(), 1, "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
        let other = answers.iter().find(|answer| answer.status != 200).unwrap();
        assert_eq!((other.status, other.body.clone()), (409, format!("{}\n", granted[0])));
        size = granted[0];
        assert_eq!(place.size(), Some(size as u64));
    }
}
