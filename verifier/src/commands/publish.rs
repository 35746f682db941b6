//! `vitrine-verify publish`

use super::{log, signing, Done};
use crate::cli::Publish;
use crate::files;
use crate::log::{find, By, Place, Placed, Snapshot, Writer};
use crate::policy::read_log_policy;
use serde_json::json;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use vitrine_attest::dsse::{self, Envelope};
use vitrine_attest::entry::Entry;
use vitrine_attest::log_index::Key;
use vitrine_attest::statement::Statement;
use vitrine_attest::tile::ENTRY_LIMIT;
use vitrine_attest::tlog_proof::{self, Proof};
use vitrine_attest::vkey::{NoteKey, TEXT_LIMIT};
use vitrine_attest::{Error, Result, Sha256};

/// In the output folder of `vitrine build`.
const RELEASE: &str = "release.dsse.json";
const ZERO_LOG: &str = "zero-log.dsse.json";
const IMAGE: &str = "6-image.unsigned.efi";
/// Largest image in bytes; ours have some twenty million.
const IMAGE_LIMIT: usize = 1 << 30;

/// A statement that will be an entry.
struct Paper {
    path: PathBuf,
    envelope: Envelope,
    entry: Entry,
    /// Its canonical envelope: what the log holds.
    bytes: Vec<u8>,
}

pub fn run(args: &Publish) -> Result<Done> {
    let keys: Vec<NoteKey> = args.key.iter().map(|path| key(path)).collect::<Result<_>>()?;
    let papers = papers(args)?;
    let release = signed(args, &papers, &keys)?;
    about_image(&args.out, release)?;
    let trust = args.log_policy.as_deref().map(read_log_policy).transpose()?;
    let mut writer = Writer::open(&args.log)?;
    let place = Place::of_folder(&args.log)?;
    let log_keys = writer.config().public()?;
    in_order(&place, &log_keys, release, &papers[0])?;
    let batch: Vec<&[u8]> = papers.iter().map(|paper| paper.bytes.as_slice()).collect();
    let placed = writer.append(&batch)?;
    log::indexed(&writer);
    let snapshot = Snapshot::read(&place, &log_keys)?;
    let mut proofs = vec![];
    for (paper, placed) in papers.iter().zip(&placed) {
        let (entry, path) = snapshot.entry(&place, placed.index)?;
        let text = tlog_proof::to_text(None, placed.index, &path, &snapshot.note);
        let proof = Proof::parse(text.as_bytes()).map_err(Error::bug)?;
        proof.check(&entry, &log_keys).map_err(Error::bug)?;
        if let Some(trust) = &trust {
            trust.trust.judge(&proof.note, &proof.checkpoint).map_err(|missing| {
                Error::artefact(
                    format!("the log has the entries, and its checkpoint is not what your customers demand: {missing}"),
                    "correct the log's witnesses or the log policy, run `vitrine-verify log refresh`, then this again",
                )
            })?;
        }
        let file = beside(&paper.path);
        files::publish(&file, text.as_bytes(), "make room beside the statement, then run this again")?;
        proofs.push(file);
    }
    Ok(Done::ok(told(args, &snapshot, &papers, &placed, &proofs)?))
}

fn key(path: &Path) -> Result<NoteKey> {
    NoteKey::from_file(&files::read(path, TEXT_LIMIT)?).map_err(|e| e.within(path.display()))
}

/// The release first.
fn papers(args: &Publish) -> Result<Vec<Paper>> {
    let zero_log = args.out.join(ZERO_LOG);
    let beside = zero_log.exists().then_some(zero_log);
    let paths = [args.out.join(RELEASE)].into_iter().chain(beside).chain(args.also.iter().cloned());
    paths.map(paper).collect()
}

fn paper(path: PathBuf) -> Result<Paper> {
    let envelope = signing::envelope(&path)?;
    let bytes = envelope.to_json()?;
    if bytes.len() > ENTRY_LIMIT {
        let what = format!("{} has {} bytes, more than the {ENTRY_LIMIT} of an entry", path.display(), bytes.len());
        return Err(Error::input(what, "make the statement shorter: a log has room for so much"));
    }
    let entry = Entry::of(&envelope).map_err(|e| e.within(path.display()))?;
    Ok(Paper { path, envelope, entry, bytes })
}

/// That each is signed by whom it has to be. Gives the release.
fn signed<'p>(args: &Publish, papers: &'p [Paper], keys: &[NoteKey]) -> Result<&'p Statement> {
    for paper in &papers[1..] {
        // a rebuild's verdict is somebody else's, and worth what that one is
        if !matches!(paper.entry, Entry::RebuildVerdict(_)) {
            dsse::k_of_n(&paper.envelope, keys, 1).map_err(|e| e.within(paper.path.display()))?;
        }
    }
    let first = &papers[0];
    dsse::k_of_n(&first.envelope, keys, args.threshold.into()).map_err(|e| e.within(first.path.display()))?;
    let Entry::Release(release) = &first.entry else {
        let what = format!("{} is no release: {}", first.path.display(), first.entry.kind());
        return Err(Error::input(what, "give the output folder of `vitrine build`"));
    };
    let today = signing::today()?.to_string();
    // dates of this form compare like texts
    if let Some(last) = release.predicate.not_after.as_deref().filter(|last| *last < today.as_str()) {
        return Err(Error::input(
            format!("the release may not be used after {last}, which is over"),
            "build it again with a later `not_after`",
        ));
    }
    Ok(release)
}

/// That the image that lies there is the one that the statement is about.
fn about_image(out: &Path, release: &Statement) -> Result<()> {
    let path = out.join(IMAGE);
    let got = Sha256::of(&files::read(&path, IMAGE_LIMIT)?);
    let expected = release.subject.first().and_then(|subject| subject.digest.get("sha256"));
    if expected != Some(&got) {
        return Err(Error::artefact(
            format!("{} is not the image of the statement: it has the SHA-256 {got}", path.display()),
            "build again: something has changed the folder",
        ));
    }
    Ok(())
}

/// That it follows on the releases of the same name that the log has: a greater sequence number, or the very same statement.
fn in_order(place: &Place, keys: &[NoteKey], release: &Statement, paper: &Paper) -> Result<()> {
    let (name, seq) = (&release.predicate.image.name, release.predicate.seq);
    let wanted = Key::Name(name.clone());
    // an index that is damaged is no ground not to publish
    let found = find(place, keys, &wanted, By::Index).or_else(|_| find(place, keys, &wanted, By::Entries))?;
    for hit in found.hits {
        let Ok((envelope, Entry::Release(earlier))) = Entry::read(&hit.entry) else { continue };
        let earlier = earlier.predicate.seq;
        // signed by one more, it is the same statement
        if earlier < seq || envelope.payload == paper.envelope.payload {
            continue;
        }
        return Err(Error::artefact(
            format!(
                "entry {} of the log is \"{name}\" with the sequence number {earlier}, and this release has {seq}",
                hit.index
            ),
            "build it with a greater `seq`: verifiers refuse to go back",
        ));
    }
    Ok(())
}

/// `release.dsse.json` → `release.tlog-proof`.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name = name.strip_suffix(".dsse.json").or_else(|| name.strip_suffix(".json")).unwrap_or(&name);
    path.with_file_name(format!("{name}.tlog-proof"))
}

fn told(
    args: &Publish,
    snapshot: &Snapshot,
    papers: &[Paper],
    placed: &[Placed],
    proofs: &[PathBuf],
) -> Result<String> {
    let origin = &snapshot.checkpoint.origin;
    let each = papers.iter().zip(placed).zip(proofs);
    if args.json {
        let entries: Vec<_> = each
            .map(|((paper, placed), proof)| {
                json!({
                    "duplicate": placed.duplicate, "index": placed.index, "kind": paper.entry.kind(), "leaf": placed.leaf,
                    "proof": proof.display().to_string(), "statement": paper.path.display().to_string(),
                })
            })
            .collect();
        return Ok(format!("{}\n", json!({"checkpoint": snapshot.note, "entries": entries, "log": origin, "v": 1})));
    }
    let mut text = String::new();
    for ((paper, placed), proof) in each {
        let was = if placed.duplicate { ", as before" } else { "" };
        let _ = writeln!(
            text,
            "{} is entry {} of {origin}{was}\n  {}",
            paper.path.display(),
            placed.index,
            proof.display()
        );
    }
    let _ =
        writeln!(text, "Publish these proofs beside the statements; whoever has both needs no connection to the log.");
    Ok(text)
}
