//! What each profile may call, as tables.

use crate::condition::{Condition, Is, Masked, Null};
use crate::{Profile, Tcp, PROGRAM_FD};

/// A system call and the ways in which it may be made; no way at all means: any arguments.
#[derive(Debug, Clone, Copy)]
pub struct Call(pub i64, pub &'static [&'static [Condition]]);

const fn any(number: i64) -> Call {
    Call(number, &[])
}

/// Everything a profile may call. Calling others over TCP is among it when there is a port to call, or UDP.
pub fn allowed(profile: Profile, tcp: Tcp<'_>) -> impl Iterator<Item = Call> {
    let tables: &[&[Call]] = match profile {
        Profile::Agent => &[BASE, CLOSED, THREADS, SERVER, STREAMS],
        Profile::Resolver => &[BASE, CLOSED, THREADS, SERVER, ASKING, EVENTS],
        Profile::Gateway => &[BASE, CLOSED, THREADS, SERVER, STREAMS, EVENTS],
        Profile::Metrics => &[BASE, CLOSED, SERVER, STREAMS],
        Profile::App => &[BASE, THREADS, SERVER, STREAMS, EVENTS, FOREIGN],
    };
    let calls_others = profile == Profile::Resolver || !tcp.connect.is_empty();
    let calling: &[Call] = if calls_others { CALLING } else { &[] };
    tables.iter().flat_map(|table| table.iter().copied()).chain(calling.iter().copied())
}

/// PROT_EXEC, third argument: nothing that was written can be run.
const NOT_EXECUTABLE: &[&[Condition]] = &[&[Masked(2, libc::PROT_EXEC as u32, 0)]];
/// AT_EMPTY_PATH, fourth argument: a descriptor is looked at, not a path. glibc's `fstat`.
const DESCRIPTOR_ONLY: &[&[Condition]] = &[&[Masked(3, libc::AT_EMPTY_PATH as u32, libc::AT_EMPTY_PATH as u32)]];

/// Memory, clocks, descriptors that are open.
const BASE: &[Call] = &[
    any(libc::SYS_read),
    any(libc::SYS_write),
    any(libc::SYS_readv),
    any(libc::SYS_writev),
    any(libc::SYS_close),
    any(libc::SYS_lseek),
    any(libc::SYS_fstat),
    Call(libc::SYS_mprotect, NOT_EXECUTABLE),
    any(libc::SYS_munmap),
    any(libc::SYS_mremap),
    any(libc::SYS_madvise),
    any(libc::SYS_brk),
    any(libc::SYS_futex),
    any(libc::SYS_getrandom),
    any(libc::SYS_clock_gettime),
    any(libc::SYS_clock_getres),
    any(libc::SYS_clock_nanosleep),
    any(libc::SYS_nanosleep),
    any(libc::SYS_gettimeofday),
    any(libc::SYS_poll),
    any(libc::SYS_ppoll),
    any(libc::SYS_rt_sigaction),
    any(libc::SYS_rt_sigprocmask),
    any(libc::SYS_rt_sigreturn),
    any(libc::SYS_restart_syscall),
    any(libc::SYS_sigaltstack),
    any(libc::SYS_getpid),
    any(libc::SYS_gettid),
    any(libc::SYS_sched_yield),
    any(libc::SYS_sched_getaffinity),
    // Reading a limit, not setting one
    Call(libc::SYS_prlimit64, &[&[Null(2)]]),
    Call(
        libc::SYS_fcntl,
        &[
            &[Is(1, libc::F_GETFL as u32)],
            &[Is(1, libc::F_SETFL as u32)],
            &[Is(1, libc::F_GETFD as u32)],
            &[Is(1, libc::F_SETFD as u32)],
            &[Is(1, libc::F_DUPFD_CLOEXEC as u32)],
        ],
    ),
    any(libc::SYS_exit),
    any(libc::SYS_exit_group),
];

/// Programs of ours: no file is opened or looked for, and nothing is loaded.
const CLOSED: &[Call] = &[
    Call(libc::SYS_newfstatat, DESCRIPTOR_ONLY),
    Call(libc::SYS_mmap, NOT_EXECUTABLE),
    Call(libc::SYS_ioctl, &[&[Is(1, libc::FIONBIO as u32)]]),
];

/// All ways to open a file for writing, to make one, or one without a name (O_TMPFILE has O_DIRECTORY in it, which alone is fine).
const WRITING: u32 =
    (libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC | libc::O_APPEND | (libc::O_TMPFILE & !libc::O_DIRECTORY)) as u32;

/// A program that we have not written: it finds and reads files of its root, loads libraries, and asks who it is. It cannot make a
/// file, not even one in memory (`memfd_create`), nor a process; what it maps to run comes from a file and cannot be written.
const FOREIGN: &[Call] = &[
    // Once: the launcher's descriptor is gone after it, and above the limit of what can be opened
    Call(libc::SYS_execveat, &[&[Is(0, PROGRAM_FD as u32), Is(4, libc::AT_EMPTY_PATH as u32)]]),
    Call(
        libc::SYS_mmap,
        &[
            &[Masked(2, libc::PROT_EXEC as u32, 0)],
            &[
                Masked(2, (libc::PROT_EXEC | libc::PROT_WRITE) as u32, libc::PROT_EXEC as u32),
                Masked(3, (libc::MAP_ANONYMOUS | libc::MAP_SHARED) as u32, 0),
            ],
        ],
    ),
    Call(libc::SYS_open, &[&[Masked(1, WRITING, 0)]]),
    Call(libc::SYS_openat, &[&[Masked(2, WRITING, 0)]]),
    any(libc::SYS_newfstatat),
    any(libc::SYS_stat),
    any(libc::SYS_lstat),
    any(libc::SYS_statx),
    any(libc::SYS_access),
    any(libc::SYS_faccessat),
    any(libc::SYS_faccessat2),
    any(libc::SYS_readlink),
    any(libc::SYS_readlinkat),
    any(libc::SYS_getdents64),
    any(libc::SYS_getcwd),
    any(libc::SYS_chdir),
    any(libc::SYS_pread64),
    any(libc::SYS_preadv),
    any(libc::SYS_fadvise64),
    any(libc::SYS_sendfile),
    // Whether a descriptor is passed on to another program: there is none
    Call(
        libc::SYS_ioctl,
        &[&[Is(1, libc::FIONBIO as u32)], &[Is(1, libc::FIONREAD as u32)], &[Is(1, FIOCLEX)], &[Is(1, FIONCLEX)]],
    ),
    any(libc::SYS_dup),
    any(libc::SYS_pipe),
    any(libc::SYS_pipe2),
    any(libc::SYS_select),
    any(libc::SYS_pselect6),
    any(libc::SYS_epoll_create),
    any(libc::SYS_accept),
    any(libc::SYS_getpeername),
    any(libc::SYS_timerfd_create),
    any(libc::SYS_timerfd_settime),
    any(libc::SYS_setitimer),
    any(libc::SYS_arch_prctl),
    any(libc::SYS_set_tid_address),
    any(libc::SYS_getuid),
    any(libc::SYS_geteuid),
    any(libc::SYS_getgid),
    any(libc::SYS_getegid),
    any(libc::SYS_getppid),
    any(libc::SYS_uname),
    any(libc::SYS_sysinfo),
    any(libc::SYS_getrlimit),
    any(libc::SYS_getrusage),
    any(libc::SYS_times),
    any(libc::SYS_time),
    any(libc::SYS_umask),
    any(libc::SYS_mincore),
    // Within the process; Landlock's scope ends at it
    any(libc::SYS_tgkill),
];

/// asm-generic/ioctls.h; libc names them for other systems only.
const FIONCLEX: u32 = 0x5450;
const FIOCLEX: u32 = 0x5451;

/// Threads of this process, no process: CLONE_THREAD has to be there. `clone3` hides its flags behind a pointer, so
/// it is not here.
const THREADS: &[Call] = &[
    Call(libc::SYS_clone, &[&[Masked(0, libc::CLONE_THREAD as u32, libc::CLONE_THREAD as u32)]]),
    any(libc::SYS_set_robust_list),
    any(libc::SYS_rseq),
    Call(libc::SYS_prctl, &[&[Is(0, libc::PR_SET_NAME as u32)]]),
];

/// MSG_FASTOPEN would open a connection without `connect`, past the eyes of Landlock.
const fn no_fastopen(argument: u8) -> Condition {
    Masked(argument, libc::MSG_FASTOPEN as u32, 0)
}

/// Options of sockets. Not among them: attaching BPF programs to a socket.
const OPTIONS: &[&[Condition]] = &[
    &[Is(1, libc::SOL_SOCKET as u32), Is(2, libc::SO_REUSEADDR as u32)],
    &[Is(1, libc::SOL_SOCKET as u32), Is(2, libc::SO_REUSEPORT as u32)],
    &[Is(1, libc::SOL_SOCKET as u32), Is(2, libc::SO_RCVTIMEO as u32)],
    &[Is(1, libc::SOL_SOCKET as u32), Is(2, libc::SO_SNDTIMEO as u32)],
    &[Is(1, libc::SOL_SOCKET as u32), Is(2, libc::SO_RCVBUF as u32)],
    &[Is(1, libc::SOL_SOCKET as u32), Is(2, libc::SO_SNDBUF as u32)],
    &[Is(1, libc::SOL_SOCKET as u32), Is(2, libc::SO_KEEPALIVE as u32)],
    &[Is(1, libc::SOL_SOCKET as u32), Is(2, libc::SO_LINGER as u32)],
    &[Is(1, libc::IPPROTO_TCP as u32), Is(2, libc::TCP_NODELAY as u32)],
    &[Is(1, libc::IPPROTO_TCP as u32), Is(2, libc::TCP_KEEPIDLE as u32)],
    &[Is(1, libc::IPPROTO_TCP as u32), Is(2, libc::TCP_KEEPINTVL as u32)],
    &[Is(1, libc::IPPROTO_TCP as u32), Is(2, libc::TCP_KEEPCNT as u32)],
    &[Is(1, libc::IPPROTO_TCP as u32), Is(2, libc::TCP_USER_TIMEOUT as u32)],
    &[Is(1, libc::IPPROTO_IPV6 as u32), Is(2, libc::IPV6_V6ONLY as u32)],
    // The address a question came to is the one its answer has to come from
    &[Is(1, libc::IPPROTO_IPV6 as u32), Is(2, libc::IPV6_RECVPKTINFO as u32)],
    &[Is(1, libc::IPPROTO_IP as u32), Is(2, libc::IP_PKTINFO as u32)],
    // No path MTU discovery for answers over UDP: a forged ICMP message cannot make them be cut
    &[Is(1, libc::IPPROTO_IP as u32), Is(2, libc::IP_MTU_DISCOVER as u32)],
    &[Is(1, libc::IPPROTO_IPV6 as u32), Is(2, libc::IPV6_MTU_DISCOVER as u32)],
];

/// Listening and answering.
const SERVER: &[Call] = &[
    any(libc::SYS_bind),
    any(libc::SYS_listen),
    any(libc::SYS_accept4),
    any(libc::SYS_getsockname),
    any(libc::SYS_getsockopt),
    Call(libc::SYS_setsockopt, OPTIONS),
    any(libc::SYS_shutdown),
    any(libc::SYS_recvfrom),
    any(libc::SYS_recvmsg),
    Call(libc::SYS_sendto, &[&[no_fastopen(3)]]),
    Call(libc::SYS_sendmsg, &[&[no_fastopen(2)]]),
];

/// Low bits of `socket`'s second argument; the high ones are SOCK_CLOEXEC and SOCK_NONBLOCK.
const TYPE: u32 = 0xf;

/// TCP sockets and no others.
const STREAMS: &[Call] = &[Call(
    libc::SYS_socket,
    &[
        &[Is(0, libc::AF_INET as u32), Masked(1, TYPE, libc::SOCK_STREAM as u32)],
        &[Is(0, libc::AF_INET6 as u32), Masked(1, TYPE, libc::SOCK_STREAM as u32)],
    ],
)];

const CALLING: &[Call] = &[any(libc::SYS_connect)];

/// TCP and UDP sockets, and asking others with them.
const ASKING: &[Call] = &[
    Call(
        libc::SYS_socket,
        &[
            &[Is(0, libc::AF_INET as u32), Masked(1, TYPE, libc::SOCK_STREAM as u32)],
            &[Is(0, libc::AF_INET6 as u32), Masked(1, TYPE, libc::SOCK_STREAM as u32)],
            &[Is(0, libc::AF_INET as u32), Masked(1, TYPE, libc::SOCK_DGRAM as u32)],
            &[Is(0, libc::AF_INET6 as u32), Masked(1, TYPE, libc::SOCK_DGRAM as u32)],
        ],
    ),
    any(libc::SYS_getpeername),
    any(libc::SYS_recvmmsg),
    Call(libc::SYS_sendmmsg, &[&[no_fastopen(3)]]),
];

/// The event loop of an asynchronous program, and the pair of sockets by which it wakes itself.
const EVENTS: &[Call] = &[
    any(libc::SYS_epoll_create1),
    any(libc::SYS_epoll_ctl),
    any(libc::SYS_epoll_wait),
    any(libc::SYS_epoll_pwait),
    any(libc::SYS_epoll_pwait2),
    any(libc::SYS_eventfd2),
    Call(libc::SYS_socketpair, &[&[Is(0, libc::AF_UNIX as u32)]]),
];
