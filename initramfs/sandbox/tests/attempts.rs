//! Real processes that seal themselves and then try something. This program is its own child: called with the name
//! of a profile and of an attempt it tries that, otherwise it goes through the table.
#![allow(clippy::disallowed_macros)] // a test may print

use std::io::{Error, Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitCode};
use vitrine_sandbox::{seal, Profile, Tcp};

/// What becomes of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Works,
    /// The call gives an error.
    Refused,
    /// SIGSYS.
    Killed,
}
use Fate::{Killed, Refused, Works};

const PROFILES: [(&str, Profile); 4] = [
    ("agent", Profile::Agent),
    ("resolver", Profile::Resolver),
    ("gateway", Profile::Gateway),
    ("metrics", Profile::Metrics),
];

struct Attempt {
    name: &'static str,
    /// Of agent, resolver, gateway, metrics.
    fate: [Fate; 4],
    /// Whether it worked.
    run: fn(&Ports) -> bool,
}

/// One port to listen on, one of somebody else who listens, and one that is not granted.
struct Ports {
    own: u16,
    theirs: u16,
    other: u16,
}

/// A raw system call with at most three arguments.
#[allow(unsafe_code)]
fn call(number: i64, a: usize, b: usize, c: usize) -> bool {
    // SAFETY: the callers pass null pointers, numbers, or pointers to constants that live as long as the program;
    // a sealed process can at most be refused or killed.
    (unsafe { libc::syscall(number, a, b, c, 0, 0, 0) }) >= 0
}

fn socket(domain: i32, kind: i32) -> bool {
    call(libc::SYS_socket, domain as usize, kind as usize, 0)
}

/// BPF_STMT(BPF_RET, 0) as a socket filter.
#[allow(unsafe_code)]
fn attach_filter() -> bool {
    use std::os::fd::AsRawFd as _;
    let socket = TcpListener::bind("[::1]:0").or_else(|_| TcpListener::bind("127.0.0.1:0"));
    // Landlock may refuse the port already; a socket of the parent would do as well
    let fd = socket.as_ref().map_or(0, |socket| socket.as_raw_fd());
    let mut code = [libc::sock_filter { code: 6, jt: 0, jf: 0, k: 0 }];
    let program = libc::sock_fprog { len: 1, filter: code.as_mut_ptr() };
    let size = std::mem::size_of_val(&program) as libc::socklen_t;
    // SAFETY: program and its instructions live until the call returns.
    let result = unsafe {
        libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, std::ptr::from_ref(&program).cast(), size)
    };
    result == 0 || Error::last_os_error().raw_os_error() != Some(libc::ENOSYS)
}

fn threads(_: &Ports) -> bool {
    std::thread::Builder::new().name("t".into()).spawn(|| 7).is_ok_and(|thread| thread.join().is_ok_and(|n| n == 7))
}

/// Listens on the granted port, and answers somebody who is there already.
fn serve(ports: &Ports) -> bool {
    TcpListener::bind(("127.0.0.1", ports.own)).is_ok_and(|listener| {
        listener.set_nonblocking(true).is_ok()
            && listener.accept().is_err_and(|e| e.raw_os_error() == Some(libc::EAGAIN))
    })
}

fn ask(ports: &Ports) -> bool {
    let mut byte = [0];
    TcpStream::connect(("127.0.0.1", ports.theirs))
        .is_ok_and(|mut stream| stream.write_all(b"?").is_ok() && stream.read_exact(&mut byte).is_ok() && byte == *b"!")
}

/// Memory that can be written and then run.
#[allow(unsafe_code)]
fn executable_memory(_: &Ports) -> bool {
    let protection = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
    // SAFETY: new memory that nobody uses
    let memory =
        unsafe { libc::mmap(std::ptr::null_mut(), 4096, protection, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0) };
    memory != libc::MAP_FAILED
}

const ATTEMPTS: &[Attempt] = &[
    Attempt { name: "thread", fate: [Works, Works, Works, Refused], run: threads },
    Attempt { name: "memory", fate: [Works; 4], run: |_| std::hint::black_box(vec![1u8; 8 << 20]).len() == 8 << 20 },
    Attempt {
        name: "clock",
        fate: [Works; 4],
        run: |_| {
            std::thread::sleep(std::time::Duration::from_millis(1));
            true
        },
    },
    Attempt { name: "serve-tcp", fate: [Works; 4], run: serve },
    Attempt {
        name: "serve-other-port",
        fate: [Refused; 4],
        run: |p| TcpListener::bind(("127.0.0.1", p.other)).is_ok(),
    },
    Attempt { name: "ask-tcp", fate: [Refused, Works, Works, Refused], run: ask },
    Attempt { name: "ask-other-port", fate: [Refused; 4], run: |p| TcpStream::connect(("127.0.0.1", p.other)).is_ok() },
    Attempt { name: "udp", fate: [Refused, Works, Refused, Refused], run: |_| UdpSocket::bind("127.0.0.1:0").is_ok() },
    Attempt {
        name: "event-loop",
        fate: [Refused, Works, Works, Refused],
        run: |_| call(libc::SYS_epoll_create1, 0, 0, 0),
    },
    Attempt { name: "open-file", fate: [Refused; 4], run: |_| std::fs::File::open("/proc/self/status").is_ok() },
    Attempt { name: "open-device", fate: [Refused; 4], run: |_| std::fs::File::open("/dev/null").is_ok() },
    Attempt { name: "list-folder", fate: [Refused; 4], run: |_| std::fs::read_dir("/").is_ok() },
    Attempt {
        name: "make-file",
        fate: [Refused; 4],
        run: |_| std::fs::File::create("/tmp/vitrine-sandbox-test").is_ok(),
    },
    Attempt { name: "packet-socket", fate: [Refused; 4], run: |_| socket(libc::AF_PACKET, libc::SOCK_RAW) },
    Attempt { name: "raw-socket", fate: [Refused; 4], run: |_| socket(libc::AF_INET, libc::SOCK_RAW) },
    Attempt { name: "netlink-socket", fate: [Refused; 4], run: |_| socket(libc::AF_NETLINK, libc::SOCK_RAW) },
    Attempt { name: "unix-socket", fate: [Refused; 4], run: |_| socket(libc::AF_UNIX, libc::SOCK_STREAM) },
    Attempt { name: "socket-filter", fate: [Refused; 4], run: |_| attach_filter() },
    Attempt { name: "executable-memory", fate: [Refused; 4], run: executable_memory },
    Attempt { name: "fork", fate: [Refused; 4], run: |_| call(libc::SYS_clone, libc::SIGCHLD as usize, 0, 0) },
    Attempt { name: "kill", fate: [Refused; 4], run: |_| call(libc::SYS_kill, 1, 0, 0) },
    Attempt {
        name: "raise-limit",
        fate: [Refused; 4],
        run: |_| {
            static LIMIT: libc::rlimit64 = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
            call(libc::SYS_prlimit64, 0, libc::RLIMIT_CORE as usize, std::ptr::from_ref(&LIMIT) as usize)
        },
    },
    Attempt {
        name: "dumpable",
        fate: [Refused; 4],
        run: |_| call(libc::SYS_prctl, libc::PR_SET_DUMPABLE as usize, 1, 0),
    },
    Attempt {
        name: "fastopen",
        fate: [Refused; 4],
        run: |_| {
            // Without the flag the error would be EBADF or EFAULT
            // sendto has its flags in the fourth argument: sendmsg has them in the third
            call(libc::SYS_sendmsg, usize::MAX, 0, libc::MSG_FASTOPEN as usize)
                || Error::last_os_error().raw_os_error() != Some(libc::ENOSYS)
        },
    },
    Attempt { name: "exec", fate: [Killed; 4], run: |_| call(libc::SYS_execve, 0, 0, 0) },
    Attempt { name: "ptrace", fate: [Killed; 4], run: |_| call(libc::SYS_ptrace, libc::PTRACE_TRACEME as usize, 0, 0) },
    Attempt { name: "bpf", fate: [Killed; 4], run: |_| call(libc::SYS_bpf, 0, 0, 0) },
    Attempt { name: "perf", fate: [Killed; 4], run: |_| call(libc::SYS_perf_event_open, 0, 0, 0) },
    Attempt { name: "module", fate: [Killed; 4], run: |_| call(libc::SYS_finit_module, 0, 0, 0) },
    Attempt { name: "mount", fate: [Killed; 4], run: |_| call(libc::SYS_mount, 0, 0, 0) },
    Attempt {
        name: "namespace",
        fate: [Killed; 4],
        run: |_| call(libc::SYS_unshare, libc::CLONE_NEWUSER as usize, 0, 0),
    },
    Attempt { name: "kernel-log", fate: [Killed; 4], run: |_| call(libc::SYS_syslog, 3, 0, 0) },
    Attempt { name: "user", fate: [Killed; 4], run: |_| call(libc::SYS_setuid, 0, 0, 0) },
    Attempt { name: "io-uring", fate: [Killed; 4], run: |_| call(libc::SYS_io_uring_setup, 1, 0, 0) },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[1..] {
        ["attempt", profile, name, own, theirs, other] => attempt(profile, name, [own, theirs, other]),
        _ => table(),
    }
}

/// What nobody needs rights for. Unsealed it works, so that being refused means something.
const UNSEALED: [&str; 11] = [
    "thread",
    "udp",
    "event-loop",
    "ask-other-port",
    "open-file",
    "open-device",
    "list-folder",
    "unix-socket",
    "netlink-socket",
    "executable-memory",
    "fork",
];

/// The child: 0 when it worked, 3 when it was refused.
fn attempt(profile: &str, name: &str, ports: [&str; 3]) -> ExitCode {
    let [own, theirs, other] = ports.map(|port| port.parse().expect("a port"));
    let attempt = ATTEMPTS.iter().find(|attempt| attempt.name == name).expect("an attempt");
    let profile = PROFILES.into_iter().find(|(known, _)| *known == profile);
    if let Some((_, profile)) = profile {
        let granted = [theirs];
        let connect: &[u16] = if matches!(profile, Profile::Resolver | Profile::Gateway) { &granted } else { &[] };
        if seal(profile, Tcp { bind: &[own], connect }).is_err() {
            return ExitCode::from(4);
        }
    }
    ExitCode::from(if (attempt.run)(&Ports { own, theirs, other }) { 0 } else { 3 })
}

fn table() -> ExitCode {
    let (answering, silent) = (answering_port(), TcpListener::bind("127.0.0.1:0").expect("a port"));
    let other = silent.local_addr().expect("an address").port();
    let mut wrong = 0;
    for attempt in ATTEMPTS {
        for ((profile, _), expected) in PROFILES.into_iter().zip(attempt.fate) {
            let found = run(profile, attempt.name, [free_port(), answering, other]);
            if found != Some(expected) {
                println!("{profile} {}: {found:?} instead of {expected:?}", attempt.name);
                wrong += 1;
            }
        }
    }
    for name in UNSEALED {
        let found = run("unsealed", name, [free_port(), answering, other]);
        if found != Some(Works) {
            println!("unsealed {name}: {found:?}: the attempt is wrong");
            wrong += 1;
        }
    }
    println!("{} attempts by {} profiles, {wrong} wrong", ATTEMPTS.len(), PROFILES.len());
    ExitCode::from(u8::from(wrong > 0))
}

/// None: the child could not be sealed, or died of something else.
fn run(profile: &str, name: &str, ports: [u16; 3]) -> Option<Fate> {
    let own = std::env::current_exe().expect("this program");
    let status = Command::new(own).args(["attempt", profile, name]).args(ports.map(|p| p.to_string())).status();
    let status = status.expect("this program starts");
    match (status.code(), status.signal()) {
        (Some(0), _) => Some(Works),
        (Some(3), _) => Some(Refused),
        (None, Some(libc::SIGSYS)) => Some(Killed),
        other => {
            println!("{profile} {name}: ended with {other:?}");
            None
        }
    }
}

/// Answers `!` to everybody, for as long as this program runs.
fn answering_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0]).and_then(|_| stream.write_all(b"!"));
        }
    });
    port
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}
