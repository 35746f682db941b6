//! `vitrine-verify anchor ots-export`, `ots-add`, `ots-check`

use super::{keys, named, not_proven, read, Done};
use crate::anchor::bitcoin::{Header, HEADER_BYTES};
use crate::anchor::ots::{Attestation, OtsFile, ANSWER_LIMIT, OTS_LIMIT};
use crate::cli::{OtsAdd, OtsCheck, OtsExport};
use crate::clock::timestamp;
use crate::files;
use crate::server::{agent, random};
use std::path::Path;
use std::time::Duration;
use vitrine_attest::digest::{hex, unhex};
use vitrine_attest::{Error, Result, Sha256};

/// Calendars answer in a second or two.
const DEADLINE: Duration = Duration::from_secs(30);
const ELSEWHERE: &str = "choose another place with --out";

pub fn export(args: &OtsExport) -> Result<Done> {
    let (bytes, checkpoint) = read(&args.checkpoint, None)?;
    let mut nonce = [0; 16];
    nonce.copy_from_slice(&random()?[..16]);
    let calendar = args.calendar.trim_end_matches('/');
    let mut file = OtsFile::request(Sha256::of(&bytes), nonce, calendar)
        .map_err(|e| Error::input(e, "give the calendar's address with --calendar"))?;
    let commitment = file.pending().remove(0).0;
    if let Some(url) = &args.post {
        let answer = post(url, &commitment)?;
        file.add(&commitment, &answer).map_err(|e| Error::artefact(format!("{url}: {e}"), "ask another calendar"))?;
    }
    files::publish(&args.out, &file.to_bytes(), ELSEWHERE)?;
    let mut text = format!("{}\n", named(&checkpoint));
    match args.post {
        Some(_) => text += &format!("{} has the calendar's answer.\n", args.out.display()),
        None => text += &format!("commitment {}\n", hex(&commitment)),
    }
    text += &match args.post {
        Some(_) => file.pending().iter().map(again).collect(),
        None => format!("POST these 32 bytes to {calendar}/digest, and add what it answers with anchor ots-add.\n"),
    };
    Ok(Done::ok(text))
}

/// How a calendar is asked again that has promised something.
fn again((commitment, calendar): &(Vec<u8>, &str)) -> String {
    format!("Ask again in some hours: GET {calendar}/timestamp/{}\n", hex(commitment))
}

/// What a calendar answers to a digest.
fn post(url: &str, commitment: &[u8]) -> Result<Vec<u8>> {
    if !url.starts_with("http://") {
        return Err(Error::input(
            format!("{url}: this program speaks http:// only"),
            "leave out --post, send the commitment with another program, and use anchor ots-add",
        ));
    }
    let url = format!("{}/digest", url.trim_end_matches('/'));
    let failed = |e: ureq::Error| Error::host(format!("{url}: {e}"), "try again, or ask another calendar");
    let request = agent().post(&url).config().timeout_global(Some(DEADLINE)).build();
    let mut response =
        request.header("accept", "application/vnd.opentimestamps.v1").send(commitment).map_err(failed)?;
    match response.status().as_u16() {
        200 => response.body_mut().with_config().limit(ANSWER_LIMIT as u64).read_to_vec().map_err(failed),
        status => Err(Error::host(format!("{url}: status {status}"), "try again, or ask another calendar")),
    }
}

fn parse(path: &Path) -> Result<OtsFile> {
    let hint = "take the file as anchor ots-export or the usual client wrote it";
    OtsFile::parse(&files::read(path, OTS_LIMIT)?)
        .map_err(|e| Error::artefact(format!("{}: {e}", path.display()), hint))
}

pub fn add(args: &OtsAdd) -> Result<Done> {
    let mut file = parse(&args.timestamp)?;
    let place = match (&args.commitment, file.pending().as_slice()) {
        (Some(commitment), _) => unhex(commitment)
            .map_err(|e| Error::input(format!("--commitment: {e}"), "give it as ots-add or ots-export printed it"))?,
        (None, [(message, _)]) => message.clone(),
        (None, []) => return Err(Error::input("the timestamp waits for no calendar", "nothing is to be added to it")),
        (None, several) => {
            let list = several.iter().map(|(message, calendar)| format!("\n  {} {calendar}", hex(message)));
            let what = format!("the timestamp waits for several answers:{}", list.collect::<String>());
            return Err(Error::input(what, "say which with --commitment"));
        }
    };
    let answer = files::read(&args.answer, ANSWER_LIMIT)?;
    let hint = "take the calendar's answer to exactly this commitment, as it came";
    file.add(&place, &answer).map_err(|e| Error::artefact(format!("{}: {e}", args.answer.display()), hint))?;
    files::publish(&args.timestamp, &file.to_bytes(), "make its folder writable")?;
    let mut text: String = file.attestations().iter().map(|attested| format!("{}\n", told(attested.by))).collect();
    text += &file.pending().iter().map(again).collect::<String>();
    Ok(Done::ok(text))
}

fn told(attestation: &Attestation) -> String {
    match attestation {
        Attestation::Pending(calendar) => format!("waits for {calendar}"),
        Attestation::Bitcoin(height) => format!("leads to block {height} of Bitcoin"),
        Attestation::Other(tag, _) => format!("has an attestation of another kind, {}", hex(tag)),
    }
}

pub fn check(args: &OtsCheck) -> Result<Done> {
    let keys = args.key.as_deref().map(keys).transpose()?;
    let headers = args.block_header.iter().map(|text| header(text)).collect::<Result<Vec<_>>>()?;
    if args.height.is_some() && headers.len() != 1 {
        return Err(Error::input("a height was given for several headers", "give one --block-header with --height"));
    }
    let (bytes, checkpoint) = read(&args.checkpoint, keys.as_deref())?;
    let file = parse(&args.timestamp)?;
    let reject =
        |what: String| Err(Error::artefact(what, "compare the files and headers: one is not what you take it for"));
    if file.digest != Sha256::of(&bytes) {
        return reject(format!("{} is a timestamp of other bytes than this checkpoint's", args.timestamp.display()));
    }
    let all = file.attestations();
    let mut blocks = Vec::new();
    for attested in &all {
        let (Attestation::Bitcoin(height), Some(root)) = (attested.by, &attested.message) else { continue };
        if let Some(header) = headers.iter().find(|header| header.merkle_root[..] == root[..]) {
            if args.height.is_none_or(|demanded| demanded == *height) {
                return Ok(Done::ok(accepted(&named(&checkpoint), header, *height, keys.is_some())));
            }
        }
        blocks.push(height.to_string());
    }
    if blocks.is_empty() {
        let why: String = all.iter().map(|attested| format!("\n  {}", told(attested.by))).collect();
        let what = format!("nothing leads from this checkpoint to a block of Bitcoin:{why}");
        return Err(Error::input(what, "ask the calendar again, and add its answer with anchor ots-add"));
    }
    reject(format!("the timestamp leads to Bitcoin's block {}, which is none of your headers", blocks.join(", ")))
}

fn accepted(what: &str, header: &Header, height: u64, signed: bool) -> String {
    let block = format!("block {} of Bitcoin", header.block_hash());
    format!(
        "{what}\nexisted by {} (time in the header, right to about two hours): {block} has it (height {height}, as the timestamp \
         says)\n{}",
        timestamp(header.time.into()),
        not_proven(signed, &block)
    )
}

/// A header in hex, or in a file as hex or bytes.
fn header(text: &str) -> Result<Header> {
    let hint = "give the 80 bytes of the block's header, such as `bitcoin-cli getblockheader HASH false` prints";
    let bytes = if text.len() == 2 * HEADER_BYTES && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        text.as_bytes().to_vec()
    } else {
        files::read(Path::new(text), 4 * HEADER_BYTES)?
    };
    let bytes = match std::str::from_utf8(&bytes) {
        Ok(digits) if bytes.len() != HEADER_BYTES => unhex(&digits.trim_end().to_ascii_lowercase())
            .map_err(|e| Error::input(format!("the header: {e}"), hint))?,
        _ => bytes,
    };
    Header::parse(&bytes).map_err(|e| Error::input(e, hint))
}
