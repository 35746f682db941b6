//! The table of attempts.

use super::errors::fate;
use super::Fate;
use std::ffi::CStr;
use std::ptr::null;

pub struct Attempt {
    pub name: &'static str,
    pub run: fn() -> Fate,
}

macro_rules! table {
    ($($name:literal => $run:expr,)*) => { &[$(Attempt { name: $name, run: || $run }),*] };
}

/// In the order of `docs/sandbox.md`.
pub const ATTEMPTS: &[Attempt] = table! {
    // Seeing traffic
    "packet-socket" => socket(libc::AF_PACKET, libc::SOCK_RAW, ALL_FRAMES),
    "packet-socket-cooked" => socket(libc::AF_PACKET, libc::SOCK_DGRAM, ALL_FRAMES),
    "raw-socket" => socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_UDP),
    "raw-socket-six" => socket(libc::AF_INET6, libc::SOCK_RAW, libc::IPPROTO_UDP),
    "tun-device" => open(c"/dev/net/tun", libc::O_RDWR),
    // Code in the kernel, and looking into it
    "bpf-program" => bpf_program(),
    "bpf-map" => bpf_map(),
    "perf" => perf(),
    "module-from-file" => module_from_file(),
    "module-from-memory" => call(libc::SYS_init_module, [address(&EMPTY), 64, text(c"")]),
    "module-removal" => call(libc::SYS_delete_module, [text(c"wireguard"), libc::O_NONBLOCK as usize, 0]),
    "kexec" => call(libc::SYS_kexec_load, [0, 0, 0]),
    "io-uring" => call(libc::SYS_io_uring_setup, [1, address(&EMPTY), 0]),
    "userfaultfd" => call(libc::SYS_userfaultfd, [0, 0, 0]),
    "port-access" => call(libc::SYS_iopl, [3, 0, 0]),
    "memory-device" => open(c"/dev/mem", libc::O_RDONLY),
    "port-device" => open(c"/dev/port", libc::O_RDONLY),
    "kernel-memory" => open(c"/proc/kcore", libc::O_RDONLY),
    "kernel-symbols" => open(c"/proc/kallsyms", libc::O_RDONLY),
    // Records that somebody could read
    "dmesg-syslog" => dmesg(),
    "dmesg-device" => open(c"/dev/kmsg", libc::O_RDONLY | libc::O_NONBLOCK),
    "dmesg-write" => open(c"/dev/kmsg", libc::O_WRONLY),
    "audit-socket" => socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_AUDIT),
    "acct" => call(libc::SYS_acct, [text(c"/tmp/acct"), 0, 0]),
    "core-limit" => core_limit(),
    "core-dump" => core_dump(),
    "core-pattern" => open(c"/proc/sys/kernel/core_pattern", libc::O_WRONLY),
    "dynamic-debug-proc" => open(c"/proc/dynamic_debug/control", libc::O_WRONLY),
    "dynamic-debug-debugfs" => open(c"/sys/kernel/debug/dynamic_debug/control", libc::O_WRONLY),
    "pstore" => open(c"/sys/fs/pstore", libc::O_RDONLY),
    "sysrq" => open(c"/proc/sysrq-trigger", libc::O_WRONLY),
    // Settings
    "proc-sys-write" => open(c"/proc/sys/net/ipv4/ip_forward", libc::O_WRONLY),
    "proc-sys-read" => open(c"/proc/sys/kernel/modules_disabled", libc::O_RDONLY),
    "proc-net" => open(c"/proc/net/tcp", libc::O_RDONLY),
    "proc-self-net" => open(c"/proc/self/net/tcp", libc::O_RDONLY),
    "sys-kernel" => open(c"/sys/kernel/profiling", libc::O_WRONLY),
    "sys-network" => open(c"/sys/class/net/outer/statistics/rx_bytes", libc::O_RDONLY),
    // File systems and disks
    "remount-root" => mount(None, c"/", None, libc::MS_REMOUNT),
    "remount-bind" => mount(None, c"/", None, libc::MS_REMOUNT | libc::MS_BIND),
    "remount-proc" => mount(None, c"/proc", None, libc::MS_REMOUNT),
    "mount-tmpfs" => mount(Some(c"tmpfs"), c"/tmp", Some(c"tmpfs"), 0),
    "mount-proc" => mount(Some(c"proc"), c"/tmp", Some(c"proc"), 0),
    "mount-sysfs" => mount(Some(c"sysfs"), c"/tmp", Some(c"sysfs"), 0),
    "mount-debugfs" => mount(Some(c"debugfs"), c"/tmp", Some(c"debugfs"), 0),
    "mount-tracefs" => mount(Some(c"tracefs"), c"/tmp", Some(c"tracefs"), 0),
    "mount-bind" => mount(Some(c"/"), c"/tmp", None, libc::MS_BIND),
    "mount-new-interface" => call(libc::SYS_fsopen, [text(c"tmpfs"), 0, 0]),
    "unmount" => call(libc::SYS_umount2, [text(c"/tmp"), libc::MNT_DETACH as usize, 0]),
    "write-root" => open(c"/probe", libc::O_CREAT | libc::O_WRONLY),
    "write-program" => open(c"/init", libc::O_WRONLY),
    "write-configuration" => open(c"/etc/vitrine/config.json", libc::O_WRONLY),
    "write-run" => open(c"/run/probe", libc::O_CREAT | libc::O_WRONLY),
    "write-dev" => open(c"/dev/probe", libc::O_CREAT | libc::O_WRONLY),
    "block-device-node" => call(libc::SYS_mknod, [text(c"/dev/probe-block"), BLOCK, 0x0800]),
    "block-device-node-tmp" => call(libc::SYS_mknod, [text(c"/tmp/probe-block"), BLOCK, 0x0800]),
    "block-device-open" => open(c"/dev/sda", libc::O_RDONLY),
    "swapon" => call(libc::SYS_swapon, [text(c"/tmp"), 0, 0]),
    // Other processes, other rights
    "ptrace-child" => ptrace_child(),
    "read-child-memory" => read_child_memory(),
    "tpm" => open(c"/dev/tpmrm0", libc::O_RDWR),
    "tpm-of-the-agent" => open(c"/run/agent/dev/tpmrm0", libc::O_RDWR),
    "tpm-raw" => open(c"/dev/tpm0", libc::O_RDWR),
    "capabilities" => capabilities(),
    "user-namespace" => call(libc::SYS_unshare, [libc::CLONE_NEWUSER as usize, 0, 0]),
    "mount-namespace" => call(libc::SYS_unshare, [libc::CLONE_NEWNS as usize, 0, 0]),
    "network-namespace" => call(libc::SYS_unshare, [libc::CLONE_NEWNET as usize, 0, 0]),
    // By what PID 1 keeps open for the watch
    "kept-settings" => by_kept(c"sys/kernel/core_pattern", libc::O_WRONLY),
    "kept-write" => by_kept(c"1/oom_score_adj", libc::O_WRONLY),
    "kept-memory" => by_kept(c"1/mem", libc::O_RDONLY),
    // The machine
    "clock" => clock(),
    "reboot-keys" => reboot_keys(),
    "host-name" => call(libc::SYS_sethostname, [text(c"probe"), 5, 0]),
};

/// ETH_P_ALL in network order.
const ALL_FRAMES: i32 = (libc::ETH_P_ALL as u16).to_be() as i32;
/// A block device that everybody may read and write.
const BLOCK: usize = (libc::S_IFBLK | 0o666) as usize;
/// Enough zeros for every structure that is passed empty.
static EMPTY: [u64; 32] = [0; 32];

fn address<T>(value: &T) -> usize {
    std::ptr::from_ref(value) as usize
}

fn text(text: &'static CStr) -> usize {
    text.as_ptr() as usize
}

fn call(number: i64, [a, b, c]: [usize; 3]) -> Fate {
    // SAFETY: addresses are of constants or of locals that outlive the call; the process is there to be lost
    fate(unsafe { libc::syscall(number, a, b, c, 0, 0) })
}

fn open(path: &'static CStr, flags: i32) -> Fate {
    // SAFETY: the path is a constant
    fate(unsafe { libc::open(path.as_ptr(), flags | libc::O_CLOEXEC, 0o600) }.into())
}

/// Below every descriptor that this process has. One that is not open, or no folder, leads nowhere.
fn by_kept(path: &'static CStr, flags: i32) -> Fate {
    let mut worst = Fate::Refused;
    for number in 0..256 {
        // SAFETY: a number and a constant
        let opened = unsafe { libc::openat(number, path.as_ptr(), flags | libc::O_CLOEXEC) };
        let is_open = opened >= 0 || std::io::Error::last_os_error().raw_os_error() != Some(libc::EBADF);
        match fate(opened.into()) {
            Fate::Allowed => return Fate::Allowed,
            Fate::Unclear if is_open => worst = Fate::Unclear,
            Fate::Unclear | Fate::Refused => {}
        }
    }
    worst
}

fn socket(domain: i32, kind: i32, protocol: i32) -> Fate {
    // SAFETY: numbers only
    fate(unsafe { libc::socket(domain, kind, protocol) }.into())
}

fn mount(source: Option<&'static CStr>, target: &'static CStr, kind: Option<&'static CStr>, flags: u64) -> Fate {
    let pointer = |text: Option<&'static CStr>| text.map_or(null(), CStr::as_ptr);
    // SAFETY: the texts are constants
    fate(unsafe { libc::mount(pointer(source), target.as_ptr(), pointer(kind), flags, null()) }.into())
}

/// BPF_PROG_LOAD of `r0 = 0; exit` as a socket filter: the least that the kernel could take.
fn bpf_program() -> Fate {
    const PROGRAM_LOAD: usize = 5;
    static CODE: [u64; 2] = [0xb7, 0x95];
    let license = c"GPL";
    // union bpf_attr: type[4] = BPF_PROG_TYPE_SOCKET_FILTER, instructions[4], pointer[8], license[8], …
    let mut attributes = [0u64; 16];
    attributes[0] = 1 | 2 << 32;
    attributes[1] = address(&CODE) as u64;
    attributes[2] = license.as_ptr() as u64;
    call(libc::SYS_bpf, [PROGRAM_LOAD, address(&attributes), size_of_val(&attributes)])
}

/// BPF_MAP_CREATE of an array of one number.
fn bpf_map() -> Fate {
    // type[4] = BPF_MAP_TYPE_ARRAY, key size[4], value size[4], entries[4]
    let mut attributes = [0u64; 16];
    attributes[0] = 2 | 4 << 32;
    attributes[1] = 8 | 1 << 32;
    call(libc::SYS_bpf, [0, address(&attributes), size_of_val(&attributes)])
}

/// Counting of the processor's clock, kernel included, on all processes of processor 0.
fn perf() -> Fate {
    // struct perf_event_attr: type[4] = PERF_TYPE_SOFTWARE, size[4], config[8] = PERF_COUNT_SW_CPU_CLOCK
    let mut attributes = [0u64; 16];
    attributes[0] = 1 | 128 << 32;
    // SAFETY: attributes outlive the call
    fate(unsafe { libc::syscall(libc::SYS_perf_event_open, address(&attributes), -1, 0, -1, 0) })
}

/// The first module of the image, as PID 1 loaded it. Where there is none, an empty file: the kernel looks at rights
/// first.
fn module_from_file() -> Fate {
    let list = crate::read::small_file("/etc/vitrine/modules", 64 << 10).unwrap_or_default();
    let first = list.split(|&c| c == b'\n').next().unwrap_or_default();
    let file = std::fs::File::open(String::from_utf8_lossy(first).as_ref());
    let number = file.as_ref().map_or(0, std::os::fd::AsRawFd::as_raw_fd);
    call(libc::SYS_finit_module, [number as usize, text(c""), 0])
}

/// SYSLOG_ACTION_READ_ALL.
fn dmesg() -> Fate {
    let buffer = [0u8; 256];
    call(libc::SYS_syslog, [3, address(&buffer), buffer.len()])
}

fn core_limit() -> Fate {
    let limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: limit outlives the call
    fate(unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const limit) }.into())
}

/// A process that crashes: whether the kernel says that it dumped core. Raising the limit is tried first.
fn core_dump() -> Fate {
    core_limit();
    with_child(
        || {
            // SAFETY: crashes this process, as it is meant to
            unsafe { libc::kill(libc::getpid(), libc::SIGSEGV) };
        },
        |child| {
            let mut status = 0;
            // SAFETY: status outlives the call
            let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
            if waited != child {
                return Fate::Unclear;
            }
            if libc::WCOREDUMP(status) {
                Fate::Allowed
            } else {
                Fate::Refused
            }
        },
    )
}

fn ptrace_child() -> Fate {
    with_child(sleep, |child| {
        // SAFETY: numbers only
        fate(unsafe { libc::ptrace(libc::PTRACE_SEIZE, child, 0, 0) })
    })
}

fn read_child_memory() -> Fate {
    with_child(sleep, |child| {
        let mut found = [0u8; 8];
        let ours = libc::iovec { iov_base: found.as_mut_ptr().cast(), iov_len: found.len() };
        let theirs = libc::iovec { iov_base: address(&EMPTY) as *mut _, iov_len: found.len() };
        // SAFETY: both descriptions and the buffer outlive the call
        fate(unsafe { libc::process_vm_readv(child, &raw const ours, 1, &raw const theirs, 1, 0) } as i64)
    })
}

fn sleep() {
    std::thread::sleep(std::time::Duration::from_secs(60));
}

/// Runs something beside a child of this process. That no child can be made is a refusal as well.
fn with_child(inside: impl FnOnce(), beside: impl FnOnce(i32) -> Fate) -> Fate {
    // SAFETY: one thread; the child leaves by `_exit`
    match unsafe { libc::fork() } {
        -1 => fate(-1),
        0 => {
            inside();
            // SAFETY: ends the process
            unsafe { libc::_exit(0) }
        }
        child => {
            let found = beside(child);
            // SAFETY: a number; the child is ours, or reaped and then nobody has its number so soon
            unsafe { libc::kill(child, libc::SIGKILL) };
            found
        }
    }
}

/// capset(2) of everything, version 3.
fn capabilities() -> Fate {
    let header: [u32; 2] = [0x2008_0522, 0];
    let all = [u32::MAX, u32::MAX, 0, u32::MAX, u32::MAX, 0];
    call(libc::SYS_capset, [address(&header), address(&all), 0])
}

/// Sets the clock to what it is.
fn clock() -> Fate {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: now outlives both calls
    unsafe {
        libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut now);
        fate(libc::clock_settime(libc::CLOCK_REALTIME, &raw const now).into())
    }
}

/// Changes what Ctrl-Alt-Delete does; reboots nothing.
fn reboot_keys() -> Fate {
    // SAFETY: a number
    fate(unsafe { libc::reboot(libc::RB_DISABLE_CAD) }.into())
}
