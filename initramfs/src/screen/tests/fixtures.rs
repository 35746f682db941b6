//! A bad file and its good twin for each rule. A rule without a row here fails a test.

use super::*;
use crate::decompress::tests::pack;
use crate::decompress::Packer;
use crate::foreign::Unjudged;
use crate::item::{Item, What};
use crate::kernel_code::tests::bzimage_with;
use crate::unpack::Coding;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Rule, path and bytes of the bad file, path and bytes of its good twin.
type Twins = (&'static str, String, Vec<u8>, String, Vec<u8>);

fn program_named(rule: &'static str, bad: &str, good: &str) -> Twins {
    (rule, format!("/usr/sbin/{bad}"), saying(""), format!("/usr/sbin/{good}"), saying(""))
}

/// A program that holds a text, and one that does not.
fn says(rule: &'static str, bad: &str, good: &str) -> Twins {
    (rule, "/usr/bin/a".into(), saying(bad), "/usr/bin/a".into(), saying(good))
}

fn calls(rule: &'static str, bad: &str, good: &str) -> Twins {
    (rule, "/usr/lib/a".into(), imports(&[bad]), "/usr/lib/a".into(), imports(&[good]))
}

fn ko(name: &str) -> String {
    format!("/usr/lib/modules/6.12/kernel/{name}.ko")
}

fn module_named(rule: &'static str, bad: &str, good: &str) -> Twins {
    (rule, ko(bad), module(&[]), ko(good), module(&[]))
}

fn module_calls(rule: &'static str, bad: &str, good: &str) -> Twins {
    (rule, ko("renamed"), module(&[bad]), ko("renamed"), module(&[good]))
}

fn at(rule: &'static str, bad: &str, good: &str) -> Twins {
    (rule, bad.into(), b"x".to_vec(), good.into(), b"x".to_vec())
}

fn script(text: &str) -> Vec<u8> {
    format!("#!/bin/a\n{text}\n").into_bytes()
}

/// The same path with two texts.
fn text(rule: &'static str, path: &str, bad: &str, good: &str) -> Twins {
    (rule, path.into(), bad.as_bytes().to_vec(), path.into(), good.as_bytes().to_vec())
}

fn files() -> Vec<Twins> {
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n", "A".repeat(64));
    let applets = |names: &str| saying(&format!("\0ash\0cat\0chmod\0cp\0{names}ls\0mount\0mv\0sh\0\nBusyBox v1"));
    let (clean, logger, telnetd) = (applets(""), applets("klogd\0logger\0"), applets("getty\0httpd\0"));
    let key = "A".repeat(43);
    let unit = |name: &str| format!("/usr/lib/systemd/system/{name}");
    vec![
        program_named("log.daemon", "rsyslogd", "syslogger"),
        says("log.daemon-content", "/dev/log", "/dev/lo"),
        ("log.daemon-content", "/a".into(), b"#!/x\necho > /dev/kmsg".to_vec(), "/a".into(), b"see /dev/kmsg".to_vec()),
        calls("log.import", "__syslog_chk", "puts"),
        calls("log.import", "sd_journal_print", "sd_notify"),
        calls("log.records", "pututxline", "getutxline"),
        says("log.records-content", "/var/log/wtmp", "/var/lib/wtmp"),
        says("log.library", "log/syslog.(*Writer)", "log/slog"),
        calls("capture.tool", "pcap_open_live", "pca"),
        program_named("capture.tool", "tcpdump", "tcpdumped"),
        program_named("login.remote", "sshd", "sshx"),
        says("login.remote-content", "/etc/ssh/sshd_config", "/etc/ssl"),
        program_named("shell", "dash", "dashed"),
        says("shell", "GNU bash, version", "BASH_VERSION"),
        program_named("interpreter", "python3.13", "pythia"),
        module_named("module.never", "nft_log", "nft_ct"),
        module_named("module.never", "usb-storage", "usbnet"),
        text("module.never", "/usr/lib/modules/6.12/modules.builtin", "kernel/x/nvme.ko\n", "kernel/x/tpm.ko\n"),
        module_calls("module.disk", "__register_blkdev", "register_netdev"),
        module_calls("module.file-system", "register_filesystem", "unregister_filesystem"),
        module_calls("module.file-access", "kernel_write", "kernel_param_lock"),
        module_calls("module.log", "nf_log_register", "nf_log_packet"),
        ("module.unsigned", ko("a"), relocatable(b"", &[]), ko("a"), module(&[])),
        at("module.list", "/etc/modules-load.d/x.conf", "/etc/vitrine/modules"),
        at("loader.preload", "/etc/ld.so.preload", "/etc/ld.so.conf"),
        text("key.private", "/etc/key", &pem, &pem.replace("PRIVATE", "PUBLIC")),
        at("key.private", "/etc/x/id_ed25519", "/etc/x/id_ed25519.pub"),
        ("elf.unreadable", "/a".into(), b"\x7fELFxxxx".to_vec(), "/a".into(), b"\x7fEL".to_vec()),
        // busybox is refused by its own text, too: the twins differ in applets only
        ("log.applet", "/a".into(), logger, "/a".into(), clean.clone()),
        ("login.applet", "/a".into(), telnetd, "/a".into(), clean),
        at("service.unmasked", "/usr/lib/systemd/system/rsyslog.service", "/usr/lib/systemd/system/vitrine.service"),
        at("service.unmasked", "/etc/systemd/user/emergency.service", "/etc/systemd/system/x.service"),
        at(
            "service.unmasked",
            "/usr/lib/systemd/system-generators/x",
            "/usr/lib/x86_64-linux-gnu/perl-base/IO/File.pm",
        ),
        (
            "interpreter",
            "/usr/bin/python3.11".into(),
            script("exit"),
            "/var/lib/dpkg/info/python3-gi.postinst".into(),
            script("exit"),
        ),
        at("service.unmasked", "/usr/lib/systemd/user/sound.target", "/usr/lib/systemd/user/session.slice"),
        at("service.unmasked", "/usr/lib/systemd/systemd-logind", "/usr/share/doc/systemd/NEWS"),
        at("service.unmasked", "/usr/sbin/agetty", "/usr/sbin/useradd"),
        at("service.unmasked", "/etc/init.d/ssh", "/etc/default/ssh"),
        at("service.unmasked", "/usr/share/dbus-1/system-services/a.service", "/usr/share/dbus-1/interfaces/a.xml"),
        at("service.unmasked", "/usr/lib/tmpfiles.d/dbus.conf", "/usr/lib/tmpfiles.d/x11.conf"),
        at("service.unmasked", "/usr/lib/systemd/user-preset/90-systemd.preset", "/usr/share/man/man8/sshd.8"),
        ("tool.client", "/usr/bin/script".into(), script("exit"), "/usr/share/bug/apt/script".into(), script("exit")),
        (
            "log.daemon-content",
            "/usr/share/bug/a".into(),
            script("x >/dev/kmsg"),
            "/usr/share/bug/b".into(),
            script("x"),
        ),
        at("service.unit", &unit("telegraf.service"), &unit("telegram.service")),
        text("service.output", &unit("a.service"), "[Service]\nStandardOutput=journal\n", "StandardOutput=null\n"),
        text("service.output", &unit("a.service"), "StandardError=append:/x\n", "StandardError=inherit\n"),
        text("service.default-output", "/etc/systemd/system.conf", "LogTarget=kmsg\n", "LogTarget=null\n"),
        text(
            "service.activation",
            "/usr/share/dbus-1/system-services/a",
            "SystemdService=syslog.service",
            "SystemdService=a.service",
        ),
        text("service.socket", &unit("a.socket"), "ListenDatagram=/run/systemd/journal/dev-log", "ListenStream=/run/a"),
        at("cron.job", "/etc/cron.d/a", "/etc/chron.d/a"),
        text("cron.rotation", "/b/logrotate.conf", "/x/a {\n rotate 4\n}", "# nothing\n"),
        program_named("agent.remote", "cloudflared", "cloudless"),
        program_named("report.sender", "telegraf", "telegram"),
        program_named("report.exporter", "node_exporter", "node_importer"),
        says("report.labels", "# HELP x{public_key=\"", "# HELP x{class=\""),
        says("report.labels", "# HELP x{path=\"", "# HELP x{outcome=\""),
        says("report.labels", "promhttp {peer=\"", "{peer=\""),
        says("report.label-words", "promhttp client_ip", "promhttp class"),
        text("report.configuration", "/a/promtail.yaml", "url: http://loki/x", "class: busy"),
        program_named("dump.handler", "makedumpfile", "makefile"),
        program_named("tool.client", "journalctl", "journal"),
        program_named("tool.client", "utmpdump", "dump"),
        text("mount.fstab", "/etc/fstab", "UUID=1 / ext4 rw 0 1\n", "none /tmp tmpfs size=1m 0 0\n"),
        text("mount.unit", "/x/a.mount", "[Mount]\nWhat=/dev/vda1\n", "[Mount]\nWhat=tmpfs\nType=tmpfs\n"),
        text("mount.crypttab", "/etc/crypttab", "swap /dev/vda2 none\n", "# swap /dev/vda2 none\n"),
        text("mount.journal-storage", "/x/journald.conf", "[Journal]\nStorage=volatile\n", "[Journal]\nStorage=none\n"),
        text(
            "mount.tmpfiles",
            "/usr/lib/tmpfiles.d/a.conf",
            "f /var/log/wtmp 0664 root utmp -",
            "d /run/a 0755 root root -",
        ),
        text("log.configuration", "/x/auditd.conf", "log_file = /x", "# log_file = /x"),
        text("login.pam", "/etc/pam.d/x", "session optional pam_lastlog.so", "session required pam_unix.so"),
        text(
            "login.inetd",
            "/etc/inetd.conf",
            "telnet stream tcp nowait root /x",
            "# telnet stream tcp nowait root /x",
        ),
        text("sysctl.core", "/etc/sysctl.d/a.conf", "kernel.core_pattern=/x/core", "kernel.core_pattern=\n"),
        text("sysctl.core", "/etc/sysctl.conf", "kernel/core_pattern = |/x %p", "kernel.core_pattern = |/bin/false"),
        text(
            "sysctl.network-log",
            "/etc/sysctl.d/a.conf",
            "net/ipv4/conf/all/log_martians=1",
            "net.ipv4.conf.all.log_martians=0",
        ),
        text(
            "sysctl.network-log",
            "/etc/sysctl.d/a.conf",
            "net.netfilter.nf_conntrack_acct=1",
            "net.netfilter.nf_conntrack_acct=0",
        ),
        text("sysctl.kernel-log", "/etc/sysctl.d/a.conf", "kernel.printk = 7 4 1 7", "kernel.printk = 0 0 0 0"),
        ("filter.batch", "/etc/a.batch".into(), b"log".to_vec(), "/etc/a.batch".into(), batch()),
        text(
            "filter.nft",
            "/etc/nftables.conf",
            "chain a { tcp dport 1 log prefix \"x\" accept; }",
            "chain a { tcp dport 1 accept; }",
        ),
        text("filter.nft", "/x/a.nft", "set a { flags dynamic,timeout; }", "set a { flags interval; }"),
        text("filter.nft", "/x/a.nft", "udp dport 1 queue num 1", "# queue num 1"),
        text("filter.iptables", "/etc/iptables/rules.v4", "-A INPUT -j LOG --log-prefix x", "-A INPUT -j DROP"),
        text("filter.iptables", "/etc/iptables/rules.v4", "-A INPUT -m recent --set", "-A INPUT -m state --state NEW"),
        text("filter.firewalld", "/etc/firewalld/firewalld.conf", "LogDenied=all", "LogDenied=off"),
        program_named("dns.names", "dnsmasq", "dnsmask"),
        text("dns.unbound", "/x/unbound.conf", "server:\n log-queries: yes", "server:\n log-queries: no"),
        text("dns.unbound", "/x/unbound.conf", "logfile: \"/x\"", "logfile: \"\""),
        text("dns.unbound-main", "/etc/unbound/unbound.conf", "verbosity: 0", "use-syslog: no\nverbosity: 0"),
        text("dns.dnsmasq", "/etc/dnsmasq.conf", "log-queries=NO", "# log-queries"),
        text("dns.dnsmasq", "/etc/dnsmasq.d/a", "log-queries", "cache-size=100"),
        text("dns.named", "/x/named.conf", "options { querylog yes; };", "options { querylog no; };"),
        text(
            "dns.named",
            "/x/named.conf",
            "logging { channel q { file \"q\" versions 3; }; };",
            "logging { category default { null; }; };",
        ),
        text(
            "dns.knot-resolver",
            "/etc/knot-resolver/config.yaml",
            "logging:\n  level: debug",
            "logging:\n  level: crit",
        ),
        text("dns.kresd-lua", "/x/kresd.conf", "log_level('debug')", "log_level('crit')"),
        text("dns.dnscrypt-proxy", "/x/dnscrypt-proxy.toml", "[query_log]\nfile = 'q'", "[query_log]\nformat = 'tsv'"),
        text("dns.hickory", "/x/hickory.toml", "[[zones]]\nlog_clients = true", "[[zones]]\nlog_clients = false"),
        text("dns.pdns-recursor", "/x/recursor.conf", "quiet=no", "quiet=yes"),
        text("dns.pdns-lua", "/x/recursor.lua", "protobufServer(\"10.0.0.1\")", "-- protobufServer(\"10.0.0.1\")"),
        text("dns.resolved", "/x/Corefile", ".:53 {\n log\n}", ".:53 {\n forward . 9.9.9.9\n}"),
        text("vpn.log", "/etc/openvpn/a.conf", "verb 3", "verb 0"),
        text("vpn.hook", "/etc/wireguard/wg0.conf", "PostUp = logger %i", "MTU = 1420"),
        text("web.log", "/etc/nginx/nginx.conf", "access_log /x;", "access_log off;"),
        text(
            "key.wireguard",
            "/x",
            &format!("[Interface]\nPrivateKey = {key}=\n"),
            "[Interface]\n# PrivateKey = none\n",
        ),
        text("key.age", "/x", &format!("AGE-SECRET-KEY-1{}", "Q".repeat(58)), "AGE-SECRET-KEY-1QQ"),
        at("key.file", "/etc/shadow", "/etc/passwd"),
        text("token", "/x", "id=AKIAABCDEFGHIJKLMNOP\n", "id=AKIAABCDEFGHIJKLMNO\n"),
        text("token", "/x", "Authorization: Bearer abcdefghijklmnopqrstuvwx", "Authorization: Bearer $TOKEN"),
        at("token", "/root/.netrc", "/root/netrc.md"),
    ]
}

/// A batch as the builder makes it.
fn batch() -> Vec<u8> {
    let config: vitrine_attest::config::Config =
        serde_json::from_str(r#"{"wireguard":{"addresses":["10.66.0.1/24"]}}"#).unwrap();
    vitrine_firewall::encode(&vitrine_firewall::ruleset(&config)).bytes
}

/// Files whose good twin is still found by another rule, for what both have in common.
const COMMON: [(&str, &str); 2] = [("log.applet", "shell"), ("login.applet", "shell")];

fn found_by(path: &str, bytes: &[u8], mode: u32) -> BTreeSet<String> {
    let item = Item { path: path.into(), mode, owner: (0, 0), what: What::File(Cow::Borrowed(bytes)), sha256: None };
    found_in(&item)
}

fn found_in(item: &Item<'_>) -> BTreeSet<String> {
    let policy = Policy::standard();
    let judge = Judge::new(&policy, false, false);
    let mut seen = Seen::default();
    judge.item(item, &mut seen);
    seen.findings.into_iter().map(|finding| finding.rule).collect()
}

#[test]
fn every_file_and_line_rule_has_a_bad_file_and_a_good_twin() {
    let (files, mut wrong) = (files(), Vec::new());
    for (rule, bad_path, bad, good_path, good) in &files {
        let found = found_by(bad_path, bad, 0o100_644);
        if !found.contains(*rule) {
            wrong.push(format!("{rule}: the bad twin {bad_path} passed: {found:?}"));
        }
        let mut found = found_by(good_path, good, 0o100_644);
        // A mask may take a good file as well: then its own rule asks for it, and that is not what is tested here
        found.retain(|other| {
            let masked = other == "service.unmasked" && *rule != "service.unmasked";
            !COMMON.contains(&(rule, other.as_str())) && !masked
        });
        if !found.is_empty() {
            wrong.push(format!("{rule}: the good twin {good_path} was found by {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let mut seen: BTreeSet<&str> = files.iter().map(|row| row.0).collect();
    // the two that a file's bytes cannot show: see the next test
    seen.extend(["mode.special", "node.disk"]);
    let policy = Policy::standard();
    let ids = policy.files.iter().map(|rule| rule.id.as_str()).chain(policy.lines.iter().map(|rule| rule.id.as_str()));
    let without: Vec<&str> = ids.filter(|id| !seen.contains(id)).collect();
    assert!(without.is_empty(), "rules without a fixture: {without:?}");
}

#[test]
fn modes_nodes_links_and_what_cannot_be_read() {
    assert!(found_by("/a", b"x", 0o104_755).contains("mode.special"));
    assert!(found_by("/a", b"x", 0o100_755).is_empty());
    let item = |what| Item { path: "/dev/x".into(), mode: 0o060_600, owner: (0, 0), what, sha256: None };
    assert!(found_in(&item(What::Block(8, 0))).contains("node.disk"));
    assert!(found_in(&item(What::Char(1, 3))).is_empty());
    assert!(found_in(&item(What::Unread("EIO".into()))).contains("judge.file"));
    let link = |path: &'static str, target: &'static str| Item {
        path: path.into(),
        ..item(What::Link(Cow::Borrowed(target)))
    };
    assert!(found_in(&link("/bin/sh", "busybox")).contains("shell"));
    assert!(found_in(&link("/usr/lib/systemd/system/rsyslog.service", "/dev/null")).is_empty(), "a masked unit");
    assert!(found_in(&link("/usr/lib/tmpfiles.d/dbus.conf", "/dev/null")).is_empty(), "masked as well");
    assert!(found_in(&link("/etc/systemd/system/syslog.service", "x")).contains("service.unmasked"));
    assert!(found_in(&link("/usr/bin/lastb", "last")).contains("tool.client"));
    assert!(found_in(&link("/usr/share/bash-completion/completions/lastb", "last")).is_empty(), "a completion");
    assert!(found_in(&link("/usr/lib/systemd/systemd-journal-x", "x")).contains("log.daemon"));
    let wish = "/usr/lib/systemd/system/sysinit.target.wants/systemd-journal-flush.service";
    assert!(!found_in(&link(wish, "../systemd-journal-flush.service")).contains("log.daemon"), "a unit is wanted");
}

/// Modules as distributions pack them are judged by what is inside.
#[test]
fn packed_modules() {
    let disk = module(&["__register_blkdev"]);
    for (end, packer) in [(".xz", Packer::Xz), (".zst", Packer::Zstd), (".gz", Packer::Gzip)] {
        let path = format!("{}{end}", ko("renamed"));
        assert!(found_by(&path, &pack(&disk, packer), 0o100_644).contains("module.disk"), "{end}");
        assert!(found_by(&path, b"damaged", 0o100_644).contains("judge.file"), "{end}");
    }
}

/// The kernel itself: texts, built-in parameters, configuration.
#[test]
fn every_kernel_and_config_rule_has_twins() {
    let policy = Policy::standard();
    let judge = Judge::new(&policy, false, true);
    let found = |kernel: &[u8]| -> BTreeSet<String> {
        let mut seen = Seen::default();
        judge.kernel(KERNEL, &bzimage_with(kernel, Coding::Zstd), Sha256::ZERO, &mut seen);
        seen.findings.into_iter().map(|finding| finding.rule).collect()
    };
    let quiet = b"\x7fELF\0virtio_pci.force_legacy\0tpm.suspend_pcr\0";
    assert!(found(quiet).is_empty());
    for (rule, bad) in [
        ("kernel.disk", b"\0nvme_core.io_timeout\0".as_slice()),
        ("kernel.file-system", b"\0EXT4-fs (%s): mounted\0"),
        ("kernel.log", b"\0netconsole.netconsole\0"),
    ] {
        assert_eq!(found(&[quiet, bad].concat()), BTreeSet::from([rule.to_string()]), "{rule}");
        assert!(policy.kernels.iter().any(|known| known.id == rule));
    }
    assert_eq!(policy.kernels.len(), 3, "a kernel rule has no fixture");
    let required: Vec<&str> = policy.configs.iter().flat_map(|rule| &rule.required).map(String::as_str).collect();
    let good = required.join("\n");
    let config = |text: &str| found_by("/boot/config-6.12", text.as_bytes(), 0o100_644);
    assert!(config(&good).is_empty());
    for rule in &policy.configs {
        for bad in &rule.forbidden {
            assert!(config(&format!("{good}\n{bad}")).contains(&rule.id), "{bad}");
        }
        for lacking in &rule.required {
            assert!(config(&good.replace(lacking.as_str(), "# not set")).contains(&rule.id), "{lacking}");
        }
    }
    // the same, carried inside a kernel
    let inside = [b"\0IKCFG_ST".as_slice(), &pack(b"CONFIG_EXT4_FS=y\n", Packer::Gzip)].concat();
    assert!(found(&[quiet, inside.as_slice()].concat()).contains("config.file-system"));
}

/// Each way of not being able to judge is a finding and exit code 2, and no waiver turns it into silence unnoticed.
#[test]
fn every_judge_rule_is_reached() {
    let policy = Policy::standard();
    let empty = Tree::new();
    let report = |context: &Context<'_>| screen_subject(&TreeSubject::of(&empty), context, &policy, &[]).report;
    for rule in ["judge.archive", "judge.image", "judge.mount", "judge.bounds", "judge.file"] {
        let unjudged = vec![Unjudged { rule, path: "x".into(), what: "cut".into() }];
        let report = report(&Context { unjudged, ..context() });
        assert_eq!((report.exit_code(), report.findings[0].rule.as_str()), (2, rule));
        assert!(!report.findings[0].why.is_empty() && !report.findings[0].mend.is_empty(), "{rule} has no words");
    }
    let no_cmdline = Context { cmdline: None, ..context() };
    assert_eq!((report(&no_cmdline).exit_code(), report(&no_cmdline).findings[0].rule.as_str()), (2, "judge.cmdline"));
    let asked = report(&Context { without: vec!["cmdline".into()], ..no_cmdline });
    assert_eq!((asked.exit_code(), asked.without.as_slice()), (0, ["cmdline".to_string()].as_slice()));
    let kernel = report(&Context { kernel: Some(b"no kernel"), ..context() });
    assert_eq!((kernel.exit_code(), kernel.findings[0].rule.as_str()), (2, "judge.kernel"));
    assert_eq!(policy.judges.len(), 7, "a judge rule has no fixture");
}

/// ELF files with absurd headers are "could not judge", and never end the program.
#[test]
fn absurd_elf_headers() {
    let good = saying("x");
    for at in (16..64).step_by(2) {
        for value in [0u8, 0x7f, 0xff] {
            let mut bad = good.clone();
            bad[at..at + 2].fill(value);
            found_by("/a", &bad, 0o100_755);
        }
    }
    let mut absurd = good;
    absurd[32..40].fill(0xff);
    assert!(found_by("/a", &absurd, 0o100_755).contains("elf.unreadable"));
}

/// The inventory of formats: of modules and of the kernel, with the file's hash, and no part of the report.
#[test]
fn formats_with_addresses() {
    let kernel = bzimage_with(b"\x7fELF\0\x013drop %pI4\0", Coding::Xz);
    let files = [(ko("wg"), module(&["\0peer %pISpfsc\0"]))];
    let files: Vec<(&str, Vec<u8>)> = files.iter().map(|(path, bytes)| (path.as_str(), bytes.clone())).collect();
    let tree = tree(&files);
    let screening = |printk| {
        let context = Context { kernel: Some(&kernel), printk, ..context() };
        screen_subject(&TreeSubject::of(&tree), &context, &Policy::standard(), &[])
    };
    let with = screening(true);
    let shown: Vec<(&str, &[String])> = with.printk.iter().map(|f| (f.path.as_str(), f.formats.as_slice())).collect();
    assert_eq!(shown[1], (KERNEL, ["drop %pI4".to_string()].as_slice()));
    assert!(shown[0].1[0].contains("%pISpfsc") && with.printk[1].sha256 == Sha256::of(&kernel));
    assert_eq!(with.report.compliance_hash(), screening(false).report.compliance_hash());
}
