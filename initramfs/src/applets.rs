//! The applets in a busybox or toybox, read from the program itself, whatever its file is called.
//!
//! busybox holds its applets' names as one run of NUL-ended names in order (`applet_names`,
//! include/applet_tables.h). toybox holds them as separate texts: there each name that is asked for is looked up.

use memchr::memmem;

/// Fewest names in order that make a run the table of a busybox: the smallest useful ones have some twenty.
const LEAST_RUN: usize = 8;
/// Longest name of an applet, in bytes; the longest known is `remove-shell`'s neighbourhood.
const LONGEST: usize = 24;
/// Names of which at least two stand in every table that could do harm, to tell it from other sorted lists.
const COMMON: [&[u8]; 8] = [b"ash", b"cat", b"echo", b"hush", b"ls", b"mount", b"sh", b"syslogd"];
/// What every busybox and toybox says about itself.
const MARKS: [&[u8]; 3] = [b"BusyBox v", b"busybox", b"toybox"];
/// Fewest of [`COMMON`] that make a program without a table a toybox.
const LEAST_COMMON: usize = 3;

/// The names among `wanted` that this program has as applets.
pub fn applets<'w>(bytes: &[u8], wanted: &'w [String]) -> Vec<&'w str> {
    if !MARKS.iter().any(|mark| memmem::find(bytes, mark).is_some()) {
        return Vec::new();
    }
    let has: Box<dyn Fn(&str) -> bool> = match table(bytes) {
        Some(names) => Box::new(move |name: &str| names.binary_search(&name.as_bytes()).is_ok()),
        None if COMMON.iter().filter(|name| stands(bytes, name)).count() < LEAST_COMMON => return Vec::new(),
        None => Box::new(|name: &str| stands(bytes, name.as_bytes())),
    };
    wanted.iter().map(String::as_str).filter(|name| has(name)).collect()
}

/// Whether a name stands there as a text of its own.
fn stands(bytes: &[u8], name: &[u8]) -> bool {
    memmem::find(bytes, &[b"\0", name, b"\0"].concat()).is_some()
}

/// The longest run of names in order, when it looks like a table of applets.
fn table(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut best: Vec<&[u8]> = Vec::new();
    let mut run: Vec<&[u8]> = Vec::new();
    for name in bytes.split(|byte| *byte == 0) {
        if run.last().is_some_and(|last| name <= *last) || !is_name(name) {
            if run.len() > best.len() && like_applets(&run) {
                best = std::mem::take(&mut run);
            }
            run.clear();
        }
        if is_name(name) {
            run.push(name);
        }
    }
    if run.len() > best.len() && like_applets(&run) {
        best = run;
    }
    (!best.is_empty()).then_some(best)
}

fn is_name(name: &[u8]) -> bool {
    let usable = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-[".contains(byte);
    (1..=LONGEST).contains(&name.len()) && name.iter().all(usable)
}

fn like_applets(run: &[&[u8]]) -> bool {
    run.len() >= LEAST_RUN && COMMON.iter().filter(|name| run.binary_search(name).is_ok()).count() >= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"x\0[\0[[\0ash\0cat\0chmod\0klogd\0logger\0ls\0mount\0syslogd\0Usage\0";

    fn found(bytes: &[u8], wanted: &[&str]) -> Vec<String> {
        let wanted: Vec<String> = wanted.iter().map(|name| (*name).to_string()).collect();
        applets(bytes, &wanted).into_iter().map(String::from).collect()
    }

    #[test]
    fn tables_of_busybox_and_texts_of_toybox() {
        let busybox = [TABLE, b"BusyBox v1.37"].concat();
        assert_eq!(found(&busybox, &["syslogd", "telnetd", "klogd"]), ["syslogd", "klogd"]);
        assert_eq!(found(TABLE, &["syslogd"]), Vec::<String>::new(), "no busybox at all");
        let toybox = b"toybox 0.8\0zcat\0logger\0acpi\0ls\0cat\0mount\0";
        assert_eq!(found(toybox, &["logger", "syslogd"]), ["logger"]);
        assert_eq!(found(b"toybox\0logger\0cat\0", &["logger"]), Vec::<String>::new(), "another program");
        assert_eq!(found(b"busybox", &["logger"]), Vec::<String>::new());
        assert_eq!(found(b"", &["logger"]), Vec::<String>::new());
    }
}
