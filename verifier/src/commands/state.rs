//! `vitrine-verify state`: what is remembered of servers.

use super::Done;
use crate::cli::{ForgetArgs, ListArgs, Name, State, StateAction};
use crate::clock::date;
use crate::memory::{place, Book, Record, ServerId, Store};
use serde_json::json;
use std::fmt::Write as _;
use vitrine_attest::canonical::to_canonical_json;
use vitrine_attest::event_log::printable;
use vitrine_attest::{Error, Result};

pub fn run(args: &State) -> Result<Done> {
    match &args.action {
        StateAction::List(args) => list(args),
        StateAction::Forget(args) => forget(args),
    }
}

fn list(args: &ListArgs) -> Result<Done> {
    let store = Store::at(&place(args.place.state.as_deref())?)?;
    let book = store.lock()?.read()?;
    if args.json {
        let value = json!({ "v": 1, "servers": book.servers, "logs": book.logs });
        return Ok(Done::ok(format!("{}\n", String::from_utf8_lossy(&to_canonical_json(&value)?))));
    }
    let mut text = format!("{} in {}\n", servers(book.servers.len()), store.path().display());
    for (id, record) in &book.servers {
        text.push_str(&words(id, record));
    }
    for (origin, seen) in &book.logs {
        let _ = writeln!(
            text,
            "\nLog {}\n  {:<14} {} entries, root {}",
            printable(origin),
            "Largest",
            seen.size,
            seen.root
        );
    }
    Ok(Done::ok(text))
}

fn servers(count: usize) -> String {
    format!("{count} server{}", if count == 1 { "" } else { "s" })
}

fn words(id: &ServerId, record: &Record) -> String {
    let Record { first_seen, last_seen, address, boot, release } = record;
    let mut text = format!("\n{id}\n");
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<14} {}", printable(&value));
    };
    line("Address", address.clone());
    line("Accepted", format!("first {}, last {}", date(*first_seen), date(*last_seen)));
    line("Image", format!("{} {}, sequence number {}", release.image, release.version, release.seq));
    line("Release key", release.key.clone());
    line("Boot", format!("{} resets, {} restarts, key {}", boot.reset_count, boot.restart_count, boot.keys.wg_pub));
    line("TPM firmware", boot.firmware_version.clone());
    for (pcr, value) in &boot.firmware.0 {
        line(&pcr.to_string(), value.to_string());
    }
    text
}

fn forget(args: &ForgetArgs) -> Result<Done> {
    let store = Store::at(&place(args.place.state.as_deref())?)?;
    let locked = store.lock()?;
    let mut book = locked.read()?;
    let ids = named(&book, &args.server);
    let log = match &args.server {
        Name::Address(name) => book.logs.remove(name).map(|_| name.clone()),
        Name::Tpm(_) => None,
    };
    if ids.is_empty() && log.is_none() {
        let what = format!("no such server or log is remembered in {}", store.path().display());
        return Err(Error::input(what, "see `vitrine-verify state list`"));
    }
    for id in &ids {
        book.servers.remove(id);
    }
    locked.write(&book)?;
    let list: Vec<String> = ids.iter().map(ToString::to_string).chain(log).collect();
    Ok(Done::ok(format!("forgotten: {}\n", list.join(", "))))
}

fn named(book: &Book, name: &Name) -> Vec<ServerId> {
    let fits = |id: &ServerId, record: &Record| match name {
        Name::Tpm(named) => id == named,
        Name::Address(address) => record.address == *address,
    };
    book.servers.iter().filter(|(id, record)| fits(id, record)).map(|(id, _)| *id).collect()
}
