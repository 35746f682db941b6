//! Kernel settings, as a table. Sources: the kernel's Documentation/admin-guide/sysctl and networking/ip-sysctl.

use crate::stop::{OrStop, Step, Stop};
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use vitrine_attest::config::{Clients, Config, Forward};

/// Whether an image may boot on a kernel that does not know the setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    Required,
    /// Missing from some kernels; without it there is nothing to switch off.
    Optional,
}
use Presence::{Optional, Required};

/// Name below /proc/sys, value, presence.
pub struct Setting(pub &'static str, pub &'static str, pub Presence);

/// Before any module is loaded, so that every interface is born with these defaults.
/// `net.*.conf.default` is copied into an interface when it appears.
const BEFORE_MODULES: &[Setting] = &[
    Setting("kernel/dmesg_restrict", "1", Required),
    Setting("kernel/kptr_restrict", "2", Required),
    Setting("kernel/perf_event_paranoid", "3", Required),
    Setting("kernel/kexec_load_disabled", "1", Optional),
    Setting("kernel/sysrq", "0", Required),
    // An empty pattern and no pid: no core dump is written (core(5))
    Setting("kernel/core_uses_pid", "0", Required),
    Setting("kernel/core_pattern", "", Required),
    Setting("fs/suid_dumpable", "0", Required),
    Setting("kernel/yama/ptrace_scope", "3", Required),
    // No helper program: the kernel cannot ask for a module
    Setting("kernel/modprobe", "", Required),
    Setting("kernel/unprivileged_bpf_disabled", "1", Required),
    Setting("net/core/bpf_jit_harden", "2", Optional),
    Setting("kernel/io_uring_disabled", "2", Optional),
    Setting("user/max_user_namespaces", "0", Required),
    Setting("vm/unprivileged_userfaultfd", "0", Optional),
    Setting("dev/tty/ldisc_autoload", "0", Optional),
    Setting("vm/swappiness", "0", Required),
    Setting("net/ipv4/tcp_no_metrics_save", "1", Required),
    // The gateway's callers are not tracked, so errors about packets that are too big do not reach it: TCP finds out by itself
    Setting("net/ipv4/tcp_mtu_probing", "1", Required),
    // Outgoing packets wait in one queue. The usual fq_codel sorts them by their addresses, and leaves these on the stack
    // of WireGuard's worker (`__skb_get_hash_net`)
    Setting("net/core/default_qdisc", "pfifo_fast", Required),
    // Each client's inner IPv6 address is a neighbour on the tunnel's interface. Below this number of entries the kernel
    // clears none away, ever. It looks about every quarter of a minute, for those that were not used for as many seconds:
    // tunnels, which come later, inherit this; the outer interface gets its minute back
    Setting("net/ipv4/neigh/default/gc_thresh1", "0", Required),
    Setting("net/ipv6/neigh/default/gc_thresh1", "0", Required),
    Setting("net/ipv4/neigh/default/gc_stale_time", "10", Required),
    Setting("net/ipv6/neigh/default/gc_stale_time", "10", Required),
    // The resolver listens on 53, 853 and 443 without any capability; nobody else in the image may listen
    Setting("net/ipv4/ip_unprivileged_port_start", "0", Required),
    Setting("net/ipv6/conf/all/accept_source_route", "-1", Required),
    Setting("net/ipv6/conf/default/accept_source_route", "-1", Required),
];

/// Forwarding comes first: switching it resets `accept_redirects` of IPv4.
const FORWARDING: &[Setting] =
    &[Setting("net/ipv4/ip_forward", "1", Required), Setting("net/ipv6/conf/all/forwarding", "1", Required)];

/// IPv4 and IPv6 behaviour of all interfaces, existing and future.
const INTERFACES: &[Setting] = &[
    Setting("net/ipv4/conf/all/accept_redirects", "0", Required),
    Setting("net/ipv4/conf/default/accept_redirects", "0", Required),
    Setting("net/ipv4/conf/all/secure_redirects", "0", Required),
    Setting("net/ipv4/conf/default/secure_redirects", "0", Required),
    Setting("net/ipv4/conf/all/send_redirects", "0", Required),
    Setting("net/ipv4/conf/default/send_redirects", "0", Required),
    Setting("net/ipv4/conf/all/accept_source_route", "0", Required),
    Setting("net/ipv4/conf/default/accept_source_route", "0", Required),
    Setting("net/ipv4/conf/all/log_martians", "0", Required),
    Setting("net/ipv4/conf/default/log_martians", "0", Required),
    // No reverse path filter: the tunnels check each packet's source against its peer's networks, the firewall what
    // comes in from outside, and a question for a lease would not get its answer. Where the kernel looks a source up
    // all the same, it does so with the packet's mark, as for the answer (`tunnels.rs`)
    Setting("net/ipv4/conf/all/rp_filter", "0", Required),
    Setting("net/ipv4/conf/default/rp_filter", "0", Required),
    Setting("net/ipv4/conf/all/src_valid_mark", "1", Required),
    // Neighbours outside learn nothing of the tunnel's address
    Setting("net/ipv4/conf/all/arp_ignore", "1", Required),
    Setting("net/ipv4/conf/all/arp_announce", "2", Required),
    Setting("net/ipv4/icmp_echo_ignore_broadcasts", "1", Required),
    Setting("net/ipv6/conf/all/accept_redirects", "0", Required),
    Setting("net/ipv6/conf/default/accept_redirects", "0", Required),
    // Router advertisements are for the outer interface alone, see `outer_interface`
    Setting("net/ipv6/conf/all/accept_ra", "0", Required),
    Setting("net/ipv6/conf/default/accept_ra", "0", Required),
];

/// They exist once nf_conntrack is loaded.
const AFTER_MODULES: &[Setting] = &[
    Setting("net/netfilter/nf_conntrack_timestamp", "0", Required),
    Setting("net/netfilter/nf_conntrack_acct", "0", Required),
    Setting("net/netfilter/nf_conntrack_events", "0", Required),
    Setting("net/netfilter/nf_conntrack_log_invalid", "0", Required),
    // How long the table remembers, in seconds: the shortest times that RFC 5382 REQ-5 (TCP: 2 h 4 min, 4 min while it
    // opens or closes) and RFC 4787 REQ-5 (UDP: 2 min) let a NAT have, where the kernel's own are longer; those of
    // Linux for the rest. The kernel's 5 days for TCP would fill the table with clients that are gone
    Setting("net/netfilter/nf_conntrack_tcp_timeout_established", "7440", Required),
    Setting("net/netfilter/nf_conntrack_tcp_timeout_max_retrans", "240", Required),
    Setting("net/netfilter/nf_conntrack_tcp_timeout_unacknowledged", "240", Required),
    Setting("net/netfilter/nf_conntrack_generic_timeout", "120", Required),
    Setting("net/netfilter/nf_conntrack_udp_timeout", "30", Required),
    Setting("net/netfilter/nf_conntrack_udp_timeout_stream", "120", Required),
    Setting("net/netfilter/nf_conntrack_icmp_timeout", "30", Required),
    Setting("net/netfilter/nf_conntrack_icmpv6_timeout", "30", Required),
    // Connections that live on while a client's sleep made the table forget them are taken up again
    Setting("net/netfilter/nf_conntrack_tcp_loose", "1", Required),
    // Gone since Linux 6.0, which never assigns helpers by itself
    Setting("net/netfilter/nf_conntrack_helper", "0", Optional),
];

/// IPv6 of the outer interface is left to the kernel: SLAAC from router advertisements (RFC 4862), which a forwarding
/// host takes only with `accept_ra=2`.
const OUTER: &[Setting] = &[
    Setting("net/ipv6/conf/outer/accept_ra", "2", Required),
    Setting("net/ipv4/neigh/outer/gc_stale_time", "60", Required),
    Setting("net/ipv6/neigh/outer/gc_stale_time", "60", Required),
];

const LOCK: &[Setting] = &[Setting("kernel/modules_disabled", "1", Required)];

/// Connections that the table holds at least: 20 MiB of kernel memory when it is full. A machine of 512 MiB would have
/// 4096 by the kernel's own reckoning; from 4 GiB on it is 262,144, which stays.
const LEAST_CONNECTIONS: u32 = 65_536;
const CONNECTIONS: &str = "net/netfilter/nf_conntrack_max";

/// Everything that has to hold before modules make interfaces.
pub fn before_modules(config: &Config) -> Step {
    apply(BEFORE_MODULES)?;
    if forwards(config) {
        apply(FORWARDING)?;
    }
    apply(INTERFACES)
}

/// Whether packets go from one interface to another: to the outside, or between clients.
fn forwards(config: &Config) -> bool {
    config.forward != Forward::None || config.firewall.clients == Clients::Together
}

/// What modules brought, then the lock: from here on no code can enter the kernel until the next boot.
pub fn after_modules() -> Step {
    apply(AFTER_MODULES)?;
    if number(CONNECTIONS)? < LEAST_CONNECTIONS {
        write(CONNECTIONS, &LEAST_CONNECTIONS.to_string()).or_stop("sysctl")?;
    }
    apply(LOCK)
}

/// Called while the interface is still down.
pub fn outer_interface() -> Step {
    apply(OUTER)
}

/// Every setting that was made once the network is open; for the watch.
pub fn all(config: &Config) -> impl Iterator<Item = &'static Setting> {
    let forwarding = if forwards(config) { FORWARDING } else { &[] };
    [BEFORE_MODULES, forwarding, INTERFACES, AFTER_MODULES, LOCK, OUTER].into_iter().flatten()
}

fn apply(table: &[Setting]) -> Step {
    table.iter().try_for_each(|Setting(name, value, presence)| match write(name, value) {
        Ok(()) => Ok(()),
        Err(ErrorKind::NotFound) if *presence == Optional => Ok(()),
        Err(_) => {
            crate::stop::show(name);
            Err(Stop("sysctl"))
        }
    })
}

/// Writes one setting. An empty value still needs one write, so each gets a line feed.
fn write(name: &str, value: &str) -> Result<(), ErrorKind> {
    let path = ["/proc/sys/", name].concat();
    let mut file = OpenOptions::new().write(true).open(path).map_err(|error| error.kind())?;
    file.write_all([value, "\n"].concat().as_bytes()).map_err(|error| error.kind())
}

fn number(name: &str) -> Step<u32> {
    let text = crate::read::small_file(["/proc/sys/", name].concat(), 32).or_stop("sysctl")?;
    std::str::from_utf8(text.trim_ascii()).ok().and_then(|text| text.parse().ok()).or_stop("sysctl")
}

/// `kernel.modules_disabled` as the kernel reports it now.
pub fn modules_locked() -> Step<bool> {
    let value = crate::read::small_file("/proc/sys/kernel/modules_disabled", 16).or_stop("facts")?;
    Ok(value.trim_ascii() == b"1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_relative_and_unique() {
        let mut names: Vec<_> = [BEFORE_MODULES, FORWARDING, INTERFACES, AFTER_MODULES].into_iter().flatten().collect();
        names.sort_by_key(|setting| setting.0);
        for pair in names.windows(2) {
            assert_ne!(pair[0].0, pair[1].0);
        }
        assert!(names.iter().all(|setting| !setting.0.starts_with('/') && !setting.0.contains("..")));
    }

    #[test]
    fn forwarding_follows_the_configuration() {
        let forwards = |text: &str| {
            let text = format!(r#"{{"wireguard":{{"addresses":["10.66.0.1/24"]}}{text}}}"#);
            super::forwards(&serde_json::from_str(&text).unwrap())
        };
        assert!(forwards("") && forwards(r#","forward":"routed6""#));
        assert!(!forwards(r#","forward":"none""#));
        assert!(forwards(r#","forward":"none","firewall":{"clients":"together"}"#));
    }

    /// The kernel of this machine judges what no choice of its builder can have left out.
    #[test]
    fn the_kernel_knows_the_settings() {
        let all = [BEFORE_MODULES, FORWARDING, INTERFACES, AFTER_MODULES].into_iter().flatten();
        for Setting(name, _, _) in all.filter(|setting| setting.0.starts_with("net/ipv4/")) {
            assert!(std::path::Path::new("/proc/sys").join(name).exists(), "{name}");
        }
    }

    #[test]
    fn what_the_data_plane_promises_is_required() {
        let all: Vec<_> = [BEFORE_MODULES, INTERFACES, AFTER_MODULES].into_iter().flatten().collect();
        for promised in ["kernel/core_pattern", "net/netfilter/nf_conntrack_acct", "net/ipv4/conf/all/log_martians"] {
            assert!(all.iter().any(|s| s.0 == promised && s.2 == Required), "{promised}");
        }
    }
}
