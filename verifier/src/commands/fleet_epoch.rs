//! `vitrine-verify fleet-epoch`

use super::{signing, Done};
use crate::cli::{CheckRecord, FleetEpoch, FleetEpochAction, MakeEpoch, MakeRecord};
use crate::{files, servers};
use serde::{Deserialize, Serialize};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use vitrine_attest::canonical::to_canonical_json;
use vitrine_attest::dsse::Envelope;
use vitrine_attest::event_log::printable;
use vitrine_attest::fleet_epoch::{self, check_record, Book, Entry, RecordFile};
use vitrine_attest::statement::{Statement, Subject};
use vitrine_attest::vkey::{NoteKey, TEXT_LIMIT};
use vitrine_attest::{predicate, Error, Result, Sha256};

const STATEMENT: &str = "fleet-epoch.dsse.json";
const BOOK: &str = "book.json";
const RECORDS: &str = "records";
/// Largest book, in bytes: 65,536 places with 600 bytes each.
const BOOK_LIMIT: usize = 64 << 20;

pub fn run(args: &FleetEpoch) -> Result<Done> {
    match &args.action {
        FleetEpochAction::Make(args) => make(args),
        FleetEpochAction::Record(args) => record(args),
        FleetEpochAction::Check(args) => check(args),
    }
}

/// `book.json`: in the order of the leaves.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BookFile {
    v: u32,
    entries: Vec<Entry>,
}

fn make(args: &MakeEpoch) -> Result<Done> {
    let servers = servers::read(&args.servers, args.epoch)?;
    let key = signing::key(&args.key_file)?;
    let records = servers.iter().map(|(_, record)| record.clone()).collect();
    let book = Book::make(args.epoch, args.capacity, records, salt)?;
    let root = book.root();
    let epoch = fleet_epoch::FleetEpoch {
        epoch: args.epoch,
        root,
        capacity: args.capacity,
        from: args.from.clone(),
        until: args.until.clone(),
    };
    let subject = vec![Subject::new(&format!("fleet-epoch-{}", args.epoch), root)];
    let envelope = predicate::sign(subject, epoch, &key)?.to_json()?;
    let digest = Sha256::of(&envelope);
    folder(&args.out_dir)?;
    folder(&args.out_dir.join(RECORDS))?;
    let kept = to_canonical_json(&BookFile { v: 1, entries: book.entries().to_vec() })?;
    files::write_secret(&args.out_dir.join(BOOK), &kept)?;
    for (name, record) in &servers {
        let place = args.out_dir.join(RECORDS).join(format!("{name}.json"));
        files::write_secret(&place, &of(&book, record.server, digest)?)?;
    }
    // last: what is published has its book
    files::publish(&args.out_dir.join(STATEMENT), &envelope, "choose another place with --out-dir")?;
    let folder = args.out_dir.display();
    Ok(Done::ok(format!(
        "epoch {}: {} servers in {} places, root {root}\npublish {folder}/{STATEMENT}; keep {folder}/{BOOK} secret; \
         give each customer the own file of {folder}/{RECORDS}\n",
        args.epoch,
        servers.len(),
        args.capacity
    )))
}

fn record(args: &MakeRecord) -> Result<Done> {
    let wrong = |what: String| Error::input(format!("{}: {what}", args.book.display()), "give the epoch's book.json");
    let bytes = files::read_secret(&args.book, BOOK_LIMIT)?;
    let kept: BookFile = serde_json::from_slice(&bytes).map_err(|e| wrong(e.to_string()))?;
    if kept.v != 1 {
        return Err(wrong(format!("version {} is unknown", kept.v)));
    }
    let book = Book::of(kept.entries)?;
    let envelope = signing::envelope(&args.statement)?;
    let statement: Statement<fleet_epoch::FleetEpoch> = predicate::read(&envelope.payload)?;
    if statement.predicate.root != book.root() {
        return Err(wrong("it is the book of another epoch than the statement".into()));
    }
    files::write_secret(&args.out, &of(&book, Some(args.server), digest(&envelope)?)?)?;
    Ok(Done::ok(format!("{} written\n", args.out.display())))
}

fn check(args: &CheckRecord) -> Result<Done> {
    let file = RecordFile::from_json(&files::read(&args.record, fleet_epoch::FILE_LIMIT)?)?;
    let envelope = signing::envelope(&args.statement)?;
    let key = NoteKey::from_file(&files::read(&args.key, TEXT_LIMIT)?)?;
    let statement = predicate::verify::<fleet_epoch::FleetEpoch>(&envelope, key.key())
        .map_err(|e| e.within(args.statement.display()))?;
    let record = check_record(&statement, &digest(&envelope)?, &file)?;
    let epoch = &statement.predicate;
    let (Some(server), Some(release)) = (record.server, record.release) else {
        return Err(Error::bug("a record was taken that names nobody"));
    };
    let of =
        if record.customer.is_empty() { String::new() } else { format!("\ncustomer {}", printable(&record.customer)) };
    Ok(Done::ok(format!(
        "in epoch {} of {}, {} to {}\nserver   {server}\nruns     {release}{of}\n\
         not shown: that the server you use is this one (compare with `vitrine-verify state list`), that no other\n\
         customer was given the same record, and that the list is complete\n",
        epoch.epoch,
        key.name(),
        epoch.from,
        epoch.until
    )))
}

fn of(book: &Book, server: Option<Sha256>, statement: Sha256) -> Result<Vec<u8>> {
    let index = book.entries().iter().position(|entry| entry.record.server.is_some() && entry.record.server == server);
    let file = index.and_then(|index| book.file(index, statement));
    let file = file.ok_or_else(|| Error::input("the book has no such server", "give --server as the list names it"))?;
    to_canonical_json(&file)
}

fn digest(envelope: &Envelope) -> Result<Sha256> {
    envelope.to_json().map(|bytes| Sha256::of(&bytes))
}

fn salt() -> Result<Sha256> {
    let mut salt = Sha256::ZERO;
    getrandom::fill(&mut salt.0)
        .map_err(|e| Error::host(format!("no random numbers: {e}"), "see why the system gives none"))?;
    Ok(salt)
}

/// For this user alone. A folder that is there already may hold the book of another epoch.
fn folder(path: &Path) -> Result<()> {
    let failed =
        |e: std::io::Error| Error::input(format!("{}: {e}", path.display()), "name a new folder with --out-dir");
    std::fs::DirBuilder::new().mode(0o700).create(path).map_err(failed)
}
