//! A bad file and its good twin for each rule.

mod fixtures;

use super::*;
use crate::cache::Content;
use crate::fixture::{program, relocatable, Wants};
use crate::tree::Layer;

const CMDLINE: &str = "audit=0 loglevel=0 quiet init_on_alloc=1 init_on_free=1 slab_nomerge lockdown=confidentiality \
                       module.sig_enforce=1 nohibernate noresume erst_disable hest_disable debugfs=off";

fn context() -> Context<'static> {
    Context { cmdline: Some(CMDLINE.into()), ..Context::default() }
}

fn tree(files: &[(&str, Vec<u8>)]) -> Tree {
    let mut tree = Tree::new();
    for (path, bytes) in files {
        let path = ImagePath::parse(path).unwrap();
        tree.add_file(path, Content::new(bytes.clone()), 0o555, Layer::Distribution, "p 1").unwrap();
    }
    tree
}

fn findings(files: &[(&str, Vec<u8>)], context: &Context<'_>, waivers: &[Waiver]) -> Vec<Finding> {
    match screen(tree(files), context, &Policy::standard(), waivers) {
        Ok((_, report)) => report.findings,
        Err(report) => report.findings,
    }
}

fn imports(names: &[&str]) -> Vec<u8> {
    program(&Wants { soname: Some("libx.so"), imports: names, ..Wants::default() })
}

fn module(imports: &[&str]) -> Vec<u8> {
    [relocatable(b"vermagic=6.12\0", imports), b"~Module signature appended~\n".to_vec()].concat()
}

/// A program that holds a text.
fn saying(text: &str) -> Vec<u8> {
    let mut bytes = program(&Wants { interpreter: Some("/ld"), ..Wants::default() });
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

#[test]
fn words_of_the_command_line() {
    let found = |cmdline: String| -> Vec<String> {
        let context = Context { cmdline: Some(cmdline), ..Context::default() };
        findings(&[], &context, &[]).into_iter().map(|f| format!("{} {}", f.rule, f.what)).collect()
    };
    assert_eq!(found(CMDLINE.into()), Vec::<String>::new());
    for required in CMDLINE.split(' ').filter(|word| !word.is_empty()) {
        let left: Vec<&str> = CMDLINE.split_whitespace().filter(|word| *word != required).collect();
        let found = found(left.join(" "));
        assert!(found.len() == 1 && found[0].ends_with(&format!("lacks {required}")), "{required}: {found:?}");
    }
    for bad in [
        "console=ttyS0",
        "audit=1",
        "init_on_free=0",
        "init-on-free=0",
        "loglevel=7",
        "dyndbg=\"file x +p\"",
        "wireguard.dyndbg=+p",
        "crashkernel=256M",
        "netconsole=@/",
        "init=/bin/sh",
        "rdinit=/bin/sh",
        "systemd.debug_shell",
        "lockdown=none",
        "debug",
        "ignore-loglevel",
        "root=/dev/vda1",
        "ramoops.mem_address=1",
        "earlyprintk=serial",
        "printk.devkmsg=on",
    ] {
        assert!(!found(format!("{CMDLINE} {bad}")).is_empty(), "{bad} passed");
    }
    for good in ["panic=-1", "console_msg_format=x", "mitigations=auto", "consoleblank=0"] {
        assert_eq!(found(format!("{CMDLINE} {good}")), Vec::<String>::new(), "{good}");
    }
}

#[test]
fn a_development_image_may_have_a_console_and_a_shell_and_nothing_else() {
    let dev = Context { cmdline: Some(format!("{CMDLINE} console=ttyS0")), dev: true, ..Context::default() };
    let found = findings(&[("/usr/bin/busybox", b"x".to_vec())], &dev, &[]);
    assert!(found.iter().all(|f| f.waived.is_some()) && found.len() == 2, "{found:?}");
    let found = findings(&[("/usr/sbin/sshd", b"x".to_vec())], &dev, &[]);
    assert!(found.iter().any(|f| f.waived.is_none()));
    let production = Context { dev: false, ..dev };
    assert!(findings(&[], &production, &[]).iter().all(|f| f.waived.is_none()));
}

#[test]
fn builtin_modules_are_named_too() {
    let context = Context { modules: vec!["virtio-blk".into(), "tpm_crb".into()], ..context() };
    let found = findings(&[], &context, &[]);
    assert_eq!((found.len(), found[0].rule.as_str(), found[0].path.as_str()), (1, "module.never", MODULE_LIST));
}

#[test]
fn waivers() {
    let waiver =
        |rule: &str, path: &str, reason: &str| Waiver { rule: rule.into(), path: path.into(), reason: reason.into() };
    let files = [("/lib.so", imports(&["openlog"]))];
    let good = waiver("log.import", "/lib.so", "never called");
    let (screened, report) =
        screen(tree(&files), &context(), &Policy::standard(), std::slice::from_ref(&good)).unwrap();
    assert_eq!(screened.tree().len(), 1);
    assert_eq!(report.findings[0].waived.as_deref(), Some("never called"));
    for (bad, rule) in [
        (waiver("log.import", "/other.so", "x"), "waiver.unused"),
        (waiver("log.daemon", "/lib.so", "x"), "waiver.unused"),
        (waiver("log.import", "/lib.so", " "), "waiver.reason"),
    ] {
        let report = screen(tree(&files), &context(), &Policy::standard(), &[good.clone(), bad]).unwrap_err();
        assert_eq!(report.open().map(|f| f.rule.as_str()).collect::<Vec<_>>(), [rule]);
    }
}

#[test]
fn the_report_is_deterministic_and_round_trips() {
    let files = [("/b", imports(&["syslog"])), ("/a", imports(&["openlog"]))];
    let report = || screen(tree(&files), &context(), &Policy::standard(), &[]).unwrap_err();
    let json = serde_json::to_string(&report()).unwrap();
    assert_eq!(json, serde_json::to_string(&report()).unwrap());
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), *report());
    assert_eq!(report().findings.iter().map(|f| f.path.as_str()).collect::<Vec<_>>(), ["/a", "/b"]);
    assert!(report().to_string().starts_with("log.import  found: 2\n  why:  "), "{}", report());
}

/// A verdict is remembered for the same bytes, place, rules and program, and for nothing else.
#[test]
fn large_files_are_judged_once() {
    use crate::cache::MemoryCache;
    let large = |text: &str| [saying(text), vec![0; 300 << 10]].concat();
    let cache = MemoryCache::default();
    let memo = |maker: &[u8]| Some(Memo { cache: &cache, maker: Sha256::of(maker) });
    let with = |maker: &[u8]| Context { memo: memo(maker), kernel: Some(b"no kernel"), ..context() };
    let plain = Context { kernel: Some(b"no kernel"), ..context() };
    let bad = [("/usr/sbin/rsyslogd", large("x")), ("/usr/bin/x", large("y"))];
    let wanted = findings(&bad, &plain, &[]);
    assert!(wanted.len() >= 2, "{wanted:?}");
    for maker in [b"one", b"one", b"two"] {
        assert_eq!(findings(&bad, &with(maker), &[]), wanted);
    }
    assert_eq!(cache.count(), 6, "two files and a kernel, by two programs");
    // the same bytes at another place are judged there
    let moved = [("/usr/bin/harmless", large("x"))];
    assert_eq!(findings(&moved, &with(b"one"), &[]), findings(&moved, &plain, &[]));
    assert_eq!(cache.count(), 7);
    // small files are looked at each time
    findings(&[("/usr/bin/small", saying("x"))], &with(b"one"), &[]);
    assert_eq!(cache.count(), 7);
    // with other rules nothing is remembered
    let fewer = Policy::parse("mask = []", &[]).unwrap();
    let other = screen(tree(&bad), &with(b"one"), &fewer, &[]);
    assert_eq!(other.map(|(_, report)| report.findings.len()).unwrap_or_default(), 0);
    assert_eq!(cache.count(), 10);
}
