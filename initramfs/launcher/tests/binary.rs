//! The program as it is shipped becomes Python, which then tries everything that it must not be able to do.
#![allow(clippy::disallowed_macros, clippy::disallowed_methods)] // a test may print

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Answers one connection with what `attempts` gives.
const SERVER: &str = r#"
import os, socket, sys, threading
port = int(sys.argv[1])
def attempt(name, what):
    try:
        what()
        return name + " works\n"
    except OSError as error:
        return name + " refused\n"
def serve(answer):
    with socket.create_server(("127.0.0.1", port)) as server:
        client, _ = server.accept()
        client.sendall(answer.encode())
        client.close()
"#;

struct Program {
    child: Child,
    init: UnixStream,
    port: u16,
}

impl Program {
    /// `app`: more of the configuration.
    fn start(script: &str, app: serde_json::Value) -> Self {
        let python = std::fs::canonicalize("/usr/bin/python3").expect("apt-get install python3-minimal");
        let port = free_port();
        let command = [python.to_str().unwrap(), "-I", "-B", "-c", &format!("{SERVER}{script}"), &port.to_string()]
            .map(String::from);
        let mut start = serde_json::json!({ "command": command, "port": port });
        start.as_object_mut().unwrap().extend(app.as_object().unwrap().clone());
        let (child, init) = launch(&(serde_json::json!({ "app": start }).to_string() + "\n"));
        Self { child, init, port }
    }

    /// What it answers.
    fn says(&self) -> String {
        let late = Instant::now() + Duration::from_secs(60);
        loop {
            if let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)) {
                let mut answer = String::new();
                stream.read_to_string(&mut answer).unwrap();
                return answer;
            }
            assert!(Instant::now() < late, "it does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Its end, and whatever it said to init.
    fn end(mut self) -> (ExitStatus, Vec<u8>) {
        let (status, mut said) = (self.child.wait().unwrap(), Vec::new());
        self.init.read_to_end(&mut said).unwrap();
        (status, said)
    }
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// A shell puts the socket onto descriptor 3, and /dev/null onto the first three, as init does.
fn launch(line: &str) -> (Child, UnixStream) {
    let (mut init, theirs) = UnixStream::pair().unwrap();
    let child = Command::new("sh")
        .args(["-c", "exec \"$0\" 3<&0 </dev/null >/dev/null 2>/dev/null", env!("CARGO_BIN_EXE_vitrine-launcher")])
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .env("SECRET_OF_THE_HOST", "yes")
        .spawn()
        .unwrap();
    init.write_all(line.as_bytes()).unwrap();
    (child, init)
}

#[test]
fn a_server_works_and_nothing_else_does() {
    let folder = tempfile::tempdir().unwrap();
    let (path, other) = (folder.path().join("log"), free_port());
    let script = format!(
        r#"
def threads():
    threading.Thread(target=lambda: None).start()
def libraries():
    import _ctypes
answer = "".join([
    attempt("threads", threads),
    attempt("files", lambda: open(os.__file__).read()),
    attempt("folders", lambda: os.listdir("/usr")),
    attempt("libraries", libraries),
    attempt("output", lambda: (print("GET /secret", flush=True), os.write(2, b"GET /secret"))),
    attempt("write", lambda: open("{path}", "w")),
    attempt("append", lambda: open("{path}", "a")),
    attempt("read-write", lambda: os.open("/dev/shm", os.O_RDWR | os.O_TMPFILE)),
    attempt("folder", lambda: os.mkdir("{path}")),
    attempt("memfd", lambda: os.memfd_create("log")),
    attempt("fork", os.fork),
    attempt("spawn", lambda: os.posix_spawn("/bin/true", ["true"], {{}})),
    attempt("connect", lambda: socket.create_connection(("127.0.0.1", {other}))),
    attempt("other-port", lambda: socket.create_server(("127.0.0.1", {other}))),
    attempt("udp", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)),
    attempt("unix", lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)),
    attempt("again", lambda: os.execve(16384, ["x"], {{}})),
    attempt("many-files", lambda: [os.open("/dev/null", os.O_RDONLY) for _ in range(64)]),
    str(sorted(os.environ.items())) + "\n",
])
for number in range(3, 64):
    try: os.close(number)
    except OSError: pass
serve(answer)
"#,
        path = path.display()
    );
    let settings = serde_json::json!({ "environment": { "MODE": "plain" }, "limits": { "files": 32 } });
    let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, other)).unwrap();
    let program = Program::start(&script, settings);
    let wanted = "threads works\nfiles works\nfolders works\nlibraries works\noutput works\nwrite refused\nappend refused\n\
        read-write refused\nfolder refused\nmemfd refused\nfork refused\nspawn refused\nconnect refused\nother-port refused\n\
        udp refused\nunix refused\nagain refused\nmany-files refused\n";
    let said = program.says();
    let environment = said.strip_prefix(wanted).unwrap_or_else(|| panic!("{said}"));
    assert!(environment.contains("('MODE', 'plain')") && !environment.contains("SECRET_OF_THE_HOST"), "{environment}");
    let (status, said) = program.end();
    assert!(status.success() && said.is_empty(), "{status} {said:?}");
    assert!(!path.exists());
}

/// No program of a server of requests does these by accident.
#[test]
fn what_opens_a_door_kills_it() {
    for deed in ["os.execv('/bin/true', ['true'])", "os.setuid(0)", "os.chroot('/')"] {
        let program = Program::start(&format!("{deed}\nserve('alive')\n"), serde_json::json!({}));
        let (status, _) = program.end();
        assert_eq!(status.signal(), Some(31), "{deed}: {status}"); // SIGSYS
    }
}

#[test]
fn what_cannot_be_run_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("python");
    std::os::unix::fs::symlink(std::fs::canonicalize("/usr/bin/python3").unwrap(), &link).unwrap();
    let app = |program: &str| format!("{{\"app\":{{\"command\":[{program:?}],\"port\":8000}}}}\n");
    for line in
        [app("/nowhere"), app("/etc/passwd"), app("/usr"), app(link.to_str().unwrap()), "{}\n".into(), "x".into()]
    {
        let (mut child, init) = launch(&line);
        init.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(1), "{line}");
    }
}
