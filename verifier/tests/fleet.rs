//! `watch FLEET.toml` as an operator runs it: good servers, hostile ones, ones that come and go, and two thousand of them.

mod mock;
mod person;

use mock::Scene;
use person::{cannot_judge, serve, serve_scene, serve_scene_on, text, Person, Served};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{channel, Receiver};
use std::time::{Duration, Instant};

/// For one line: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// `extra`: lines of [defaults].
fn fleet(person: &Person, extra: &str, servers: &[(&str, &str)]) {
    let head = format!(
        "version = 1\n[defaults]\nstatement = \"statement\"\nkey = \"key\"\nek_roots = \"roots\"\ntimeout = \"60s\"\n{extra}\n"
    );
    let server = |(name, url): &(&str, &str)| format!("[[server]]\nname = \"{name}\"\nurl = \"{url}\"\n");
    let servers: String = servers.iter().map(server).collect();
    std::fs::write(person.path("fleet.toml"), head + &servers).unwrap();
}

/// The program while it runs; it is killed when a test fails.
struct Watch {
    child: Child,
    lines: Receiver<String>,
}

impl Watch {
    fn start(person: &Person, line: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_vitrine-verify"))
            .args(line.split_whitespace())
            .current_dir(person.path(""))
            .env("XDG_STATE_HOME", person.path("state-home"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (tell, lines) = channel();
        let stdout = child.stdout.take().unwrap();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = tell.send(line);
            }
        });
        Self { child, lines }
    }

    /// The next line as JSON.
    fn next(&self) -> Value {
        let line = self.lines.recv_timeout(PATIENCE).expect("a line in time");
        serde_json::from_str(&line).expect("a line of JSON")
    }

    #[track_caller]
    fn expect(&self, server: &str, event: &str) -> Value {
        let line = self.next();
        assert_eq!((&line["server"], &line["event"]), (&server.into(), &event.into()), "{line}");
        line
    }

    /// Exit code, and the largest resident set in MiB.
    fn ended(&mut self) -> (Option<i32>, u64) {
        let mut most = 0;
        loop {
            most = most.max(resident(&self.child).unwrap_or(0));
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status.code(), most);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Asks it to end, as a service manager does.
    fn end(mut self) -> Option<i32> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("it does not end");
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Takes connections and does this with each.
fn rude(with: impl Fn(&mut std::net::TcpStream) + Send + Copy + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let _ = stream.read(&mut [0; 4096]);
                with(&mut stream);
            });
        }
    });
    url
}

#[test]
fn good_and_hostile_servers_side_by_side() {
    let scene = Scene::good();
    let person = Person::of(&scene);
    let served = serve_scene(scene);
    let stranger = serve_scene(Scene::good());
    // a byte at a time, for ever
    let loris = rude(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
        while stream.write_all(b" ").is_ok() {
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    let endless = rude(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[b'['; 65536]).is_ok() {}
    });
    let redirect = rude(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n");
    });
    let page = serve(|_, _| Some((200, b"<html>\x1b[2J it works</html>".to_vec())));
    let error = serve(|_, _| Some((500, br#"{"code":"tpm-failed"}"#.to_vec())));
    let nobody = format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let servers = [
        ("good", served.url.as_str()),
        ("another vendor's", &stranger.url),
        ("loris", &loris),
        ("endless", &endless),
        ("redirect", &redirect),
        ("web page", &page),
        ("broken TPM", &error),
        ("nobody", &nobody),
    ];
    fleet(&person, "no_state = true\nconcurrency = 8", &servers);
    // only the slow one is not waited for
    let whole = std::fs::read_to_string(person.path("fleet.toml")).unwrap();
    let slow = format!("name = \"loris\"\ntimeout = \"2s\"\nurl = \"{loris}\"\n");
    let whole = whole.replace(&format!("name = \"loris\"\nurl = \"{loris}\"\n"), &slow);
    std::fs::write(person.path("fleet.toml"), whole).unwrap();

    let output = person.run("watch fleet.toml --once --json --metrics m.prom --html page.html");
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<Value> = text(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), servers.len(), "{lines:#?}");
    let of = |name: &str| lines.iter().find(|line| line["server"] == name).unwrap();
    for (name, event, field, says) in [
        ("good", "accepted", "wireguard", "V1dX"),
        ("another vendor's", "rejected", "reasons", "V03 ek-chain-untrusted"),
        ("loris", "unreachable", "why", "did not answer in time"),
        ("endless", "unreachable", "why", "more than 4194304 bytes"),
        ("redirect", "unreachable", "why", "status 302"),
        ("web page", "rejected", "reasons", "V02 evidence-malformed"),
        ("broken TPM", "unreachable", "why", "tpm-failed"),
        ("nobody", "unreachable", "why", "cannot be asked"),
    ] {
        let line = of(name);
        assert!(line["event"] == event && line[field].to_string().contains(says), "{name}: {line}");
        assert!(line["at"].as_str().unwrap().ends_with('Z') && line["v"] == 1);
    }
    let metrics = std::fs::read_to_string(person.path("m.prom")).unwrap();
    for line in [
        "vitrine_fleet_servers{state=\"accepted\"} 1",
        "vitrine_fleet_servers{state=\"rejected\"} 2",
        "vitrine_fleet_servers{state=\"unreachable\"} 5",
        "vitrine_fleet_servers{state=\"waiting\"} 0",
        "vitrine_fleet_server_state{server=\"web page\",state=\"rejected\"} 1",
        "vitrine_fleet_look_seconds_count 8",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in\n{metrics}");
    }
    let html = std::fs::read_to_string(person.path("page.html")).unwrap();
    assert!(
        html.contains("2 servers are rejected") && html.contains("another vendor&#39;s") && !html.contains('\u{1b}')
    );
    let left: Vec<_> = std::fs::read_dir(person.path("")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".part")), "{left:?}");
}

#[test]
fn exit_codes_and_ipv6() {
    let scene = Scene::good();
    let person = Person::of(&scene);
    let served = match TcpListener::bind("[::1]:0") {
        Ok(listener) => serve_scene_on(listener, scene),
        Err(_) => {
            assert!(std::env::var_os("CI").is_none(), "IPv6 on the loopback interface is needed in CI");
            eprintln!("an IPv4 address instead: there is no IPv6 here");
            serve_scene(scene)
        }
    };
    fleet(&person, "no_state = true", &[("six", &served.url)]);
    let output = person.run("watch fleet.toml --once");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains(" six accepted WireGuard key "), "{}", text(&output));
    let nobody = format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    fleet(&person, "no_state = true", &[("six", &served.url), ("nobody", &nobody)]);
    assert_eq!(person.run("watch fleet.toml --once").status.code(), Some(2));
    // two vendors' roots are missing: nobody can judge
    let whole = std::fs::read_to_string(person.path("fleet.toml")).unwrap();
    std::fs::write(person.path("fleet.toml"), whole.replace("ek_roots = \"roots\"\n", "")).unwrap();
    let output = person.run("watch fleet.toml --once");
    assert!(output.status.code() == Some(2) && text(&output).contains("six could-not-judge skipped: V03"));
}

#[test]
fn mistakes_are_told_at_once() {
    let person = Person::of(&Scene::good());
    fleet(&person, "interval = \"0s\"", &[("a", "http://a:1"), ("a", "https://a")]);
    let output = person.run("watch fleet.toml");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && output.stdout.is_empty(), "{errors}");
    for part in ["fleet.toml: 3 problems", "line 7: interval", "line 12: name: \"a\" is listed twice", "line 13: url"] {
        assert!(errors.contains(part), "{part}: {errors}");
    }
    fleet(&person, "", &[("a", "http://a:1")]);
    cannot_judge(&person.run("watch fleet.toml --metrics no/such/m"), "no/such/m");
    std::fs::write(person.path("statement"), b"{}").unwrap();
    cannot_judge(&person.run("watch fleet.toml"), "statement");
}

#[test]
fn away_and_back_rebooted_and_ended() {
    let scene = Scene::good();
    let person = Person::of(&scene);
    let served = serve_scene(scene);
    fleet(&person, "interval = \"1s\"\nstate = \"book\"", &[("one", &served.url)]);
    let watch = Watch::start(&person, "watch fleet.toml --json --html page.html");
    let accepted = watch.expect("one", "accepted");
    assert_eq!(accepted["url"], served.url);
    served.inside.lock().unwrap().before = |_| panic!("this thread serves no more");
    assert!(watch.expect("one", "unreachable")["why"].as_str().unwrap().contains("cannot be asked"));
    // another process takes the port: the same machine
    let port: u16 = served.url.rsplit(':').next().unwrap().parse().unwrap();
    let scene = std::mem::replace(
        &mut served.inside.lock().unwrap_or_else(std::sync::PoisonError::into_inner).scene,
        Scene::good(),
    );
    let listener = loop {
        match TcpListener::bind(("127.0.0.1", port)) {
            Ok(listener) => break listener,
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    };
    let served = serve_scene_on(listener, scene);
    watch.expect("one", "recovered");
    served.inside.lock().unwrap().scene.reboot(0x21);
    watch.expect("one", "rebooted");
    // a copy of the TPM is put back
    served.inside.lock().unwrap().scene.parts.reset_count -= 1;
    let rejected = watch.expect("one", "rejected");
    assert!(rejected["reasons"][0].as_str().unwrap().contains("V16"), "{rejected}");
    assert_eq!(watch.end(), Some(1));
    let html = std::fs::read_to_string(person.path("page.html")).unwrap();
    assert!(html.contains("1 server is rejected") && html.contains("V16 reset-count-went-back"));
    let list = text(&person.run("state list --state book"));
    assert!(list.starts_with("1 server") && list.contains("key ISEh"), "{list}");
}

#[test]
fn statements_change_while_it_runs() {
    let mut scene = Scene::good();
    let person = Person::of(&scene);
    let before = std::fs::read(person.path("statement")).unwrap();
    scene.statement.predicate.seq = 2;
    scene.configure(|config| config.resolver = Some(Default::default()));
    let served = serve_scene(scene);
    fleet(&person, "interval = \"1s\"\nno_state = true", &[("one", &served.url)]);
    let watch = Watch::start(&person, "watch fleet.toml --json");
    watch.expect("one", "rejected");
    std::fs::write(person.path("statement"), b"{").unwrap();
    let refused = watch.next();
    assert_eq!(refused["event"], "files-refused");
    assert!(refused["why"].as_str().unwrap().contains("counts on"), "{refused}");
    // as it is written by whoever is careful
    let new = served.inside.lock().unwrap().scene.envelope().to_json().unwrap();
    std::fs::write(person.path("new"), new).unwrap();
    std::fs::rename(person.path("new"), person.path("statement")).unwrap();
    assert_eq!(watch.next()["event"], "files-changed");
    watch.expect("one", "accepted");
    assert_eq!(watch.end(), Some(0));
    // during a roll-out a server may fit either
    std::fs::write(person.path("old"), before).unwrap();
    let whole = std::fs::read_to_string(person.path("fleet.toml")).unwrap();
    let both = whole.replace("statement = \"statement\"", "statement = [\"old\", \"statement\"]");
    std::fs::write(person.path("fleet.toml"), both).unwrap();
    assert_eq!(person.run("watch fleet.toml --once").status.code(), Some(0));
}

/// Its operator puts a revocation into the folder, and the fleet is rejected without a restart.
#[test]
fn a_revocation_arrives_while_it_runs() {
    use ed25519_dalek::pkcs8::EncodePrivateKey as _;
    use std::os::unix::fs::PermissionsExt as _;
    let scene = Scene::good();
    let person = Person::of(&scene);
    std::fs::write(person.path("k1"), scene.release_key.to_pkcs8_pem(Default::default()).unwrap().as_bytes()).unwrap();
    std::fs::set_permissions(person.path("k1"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let served = serve_scene(scene);
    std::fs::create_dir(person.path("revocations")).unwrap();
    let extra = "interval = \"1s\"\nno_state = true\nrevocations = \"revocations\"";
    fleet(&person, extra, &[("one", &served.url)]);
    let watch = Watch::start(&person, "watch fleet.toml --json");
    watch.expect("one", "accepted");
    let made =
        person.run("revoke --statement statement --reason mistake --seq 1 --key-file k1 --out revocations/r.json");
    assert_eq!(made.status.code(), Some(0));
    assert_eq!(watch.next()["event"], "files-changed");
    let line = watch.expect("one", "rejected");
    assert!(line.to_string().contains("revoked"), "{line}");
    assert_eq!(watch.end(), Some(1));
    // a policy that wants rebuilds: none are given, then a folder without any
    std::fs::write(
        person.path("policy"),
        include_str!("../src/policy/example.toml")
            .replace("# [rebuild]", "[rebuild]")
            .replace("# verdicts", "verdicts")
            .replace("# keys = [\"example.net", "keys = [\"example.net"),
    )
    .unwrap();
    for more in ["", "\nrebuild_verdicts = \"revocations\""] {
        fleet(&person, &format!("no_state = true\npolicy = \"policy\"{more}"), &[("one", &served.url)]);
        let output = person.run("watch fleet.toml --once");
        let reason = if more.is_empty() { "V31 rebuild-verdicts-missing" } else { "V31 rebuild-verdict-unreadable" };
        assert!(output.status.code() == Some(1) && text(&output).contains(reason), "{}", text(&output));
    }
}

#[test]
fn workers_share_what_is_remembered() {
    const COUNT: usize = 24;
    let served: Vec<Served> = (0..COUNT).map(|_| serve_scene(Scene::good())).collect();
    let person = Person::of(&Scene::good());
    let roots: Vec<Vec<u8>> =
        served.iter().map(|served| served.inside.lock().unwrap().scene.tpm.ca().to_vec()).collect();
    std::fs::write(person.path("roots"), roots.concat()).unwrap();
    let names: Vec<String> = (0..COUNT).map(|n| format!("s{n}")).collect();
    let servers: Vec<(&str, &str)> =
        names.iter().map(String::as_str).zip(served.iter().map(|s| s.url.as_str())).collect();
    // one of them under two names
    let servers = [servers.as_slice(), &[("again", served[0].url.as_str())]].concat();
    fleet(&person, "state = \"book\"\nconcurrency = 16", &servers);
    let output = person.run("watch fleet.toml --once");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert_eq!(text(&output).matches(" accepted ").count(), COUNT + 1);
    assert!(text(&person.run("state list --state book")).starts_with(&format!("{COUNT} servers")));
    // what a fleet remembers counts for `check`, too
    served[3].inside.lock().unwrap().scene.parts.reset_count -= 1;
    let one = person.check(&served[3].url, "--ek-roots roots --state book");
    assert!(one.status.code() == Some(1) && text(&one).contains("reset-count-went-back"), "{}", text(&one));
    // a state file that cannot be written: nothing is accepted
    std::fs::remove_file(person.path("book")).unwrap();
    std::fs::create_dir(person.path("book")).unwrap();
    cannot_judge(&person.run("watch fleet.toml --once"), "book is no file");
}

/// Largest resident set of a process so far, in MiB; none when it has ended.
fn resident(child: &Child) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib / 1024)
}

#[test]
fn two_thousand_servers_in_bounded_memory() {
    const COUNT: usize = 2000;
    /// MiB, of a build for tests.
    const MOST: u64 = 64;
    let scene = Scene::good();
    let person = Person::of(&scene);
    let served = serve_scene_on(TcpListener::bind("0.0.0.0:0").unwrap(), scene);
    let port = served.url.rsplit(':').next().unwrap();
    // every address of 127.0.0.0/8 leads here
    let names: Vec<(String, String)> =
        (0..COUNT).map(|n| (format!("s{n}"), format!("http://127.1.{}.{}:{port}", n / 250, n % 250 + 1))).collect();
    let servers: Vec<(&str, &str)> = names.iter().map(|(name, url)| (name.as_str(), url.as_str())).collect();
    fleet(&person, "no_state = true\nconcurrency = 32", &servers);
    let begun = Instant::now();
    let mut watch = Watch::start(&person, "watch fleet.toml --once --json --metrics m.prom --html page.html");
    let (code, most) = watch.ended();
    eprintln!("{COUNT} servers: {most} MiB, {:?}", begun.elapsed());
    assert_eq!(code, Some(0));
    let accepted = watch.lines.iter().filter(|line| line.contains("\"event\":\"accepted\"")).count();
    assert_eq!(accepted, COUNT);
    assert_eq!(served.inside.lock().unwrap().looks as usize, COUNT, "each is asked once");
    assert!(most > 0 && most < MOST, "{most} MiB");
    let metrics = std::fs::read_to_string(person.path("m.prom")).unwrap();
    assert!(metrics.contains("vitrine_fleet_servers{state=\"accepted\"} 2000\n"));
}

/// Every server sends as much as is read, in the form that takes most to read.
#[test]
fn a_hostile_fleet_in_bounded_memory() {
    const AT_ONCE: u64 = 16;
    let scene = Scene::good();
    let person = Person::of(&scene);
    let mut evidence = scene.evidence();
    evidence.firmware_log = vec![0; 3_100_000];
    let body = serde_json::to_vec(&evidence).unwrap();
    assert!((4_100_000..4 << 20).contains(&body.len()));
    let body: &'static [u8] = body.leak();
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                // its evidence is judged, not only read
                let (status, body) = match person::request(&mut stream).0.as_str() {
                    "/v1/evidence" => (200, body),
                    _ => (400, b"{}".as_slice()),
                };
                let head =
                    format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
            });
        }
    });
    let names: Vec<(String, String)> =
        (1..=48).map(|n| (format!("s{n}"), format!("http://127.2.0.{n}:{port}"))).collect();
    let servers: Vec<(&str, &str)> = names.iter().map(|(name, url)| (name.as_str(), url.as_str())).collect();
    fleet(&person, &format!("no_state = true\nconcurrency = {AT_ONCE}"), &servers);
    let mut watch = Watch::start(&person, "watch fleet.toml --once --json");
    let (code, most) = watch.ended();
    eprintln!("48 servers with 4 MiB each, {AT_ONCE} at once: {most} MiB");
    assert_eq!(code, Some(1));
    assert_eq!(watch.lines.iter().filter(|line| line.contains("\"event\":\"rejected\"")).count(), 48);
    // M2, what it was while it was read, and M4 at most; the rest of the program takes less than 32
    assert!(most > 0 && most < 32 + AT_ONCE * 16, "{most} MiB");
}
