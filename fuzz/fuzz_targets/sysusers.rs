//! `sysusers.d` of packages. Invariants, for any bytes:
//! - reading them never panics and is deterministic;
//! - every line of what comes out has the fields of passwd(5) and group(5), and nobody has a password.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_initramfs::fuzzing::Users;

fuzz_target!(|data: &[u8]| {
    let read = || Users::read([("x.conf", data)].into_iter()).map(|users| (users.passwd(), users.group()));
    let Ok((passwd, group)) = read() else { return };
    assert_eq!(read().ok(), Some((passwd.clone(), group.clone())));
    for (text, fields) in [(passwd, 7), (group, 4)] {
        for line in text.lines() {
            let parts: Vec<&str> = line.split(':').collect();
            assert_eq!((parts.len(), parts[1]), (fields, "*"), "{line}");
        }
    }
});
