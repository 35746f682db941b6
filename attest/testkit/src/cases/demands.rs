//! What a person may demand beyond the protocol: several signers (V25), a public log (V29), no revocation (V30), rebuilds by others
//! (V31). The session is the genuine one: nothing about the server is wrong.
//!
//! Keys of the log, its witnesses, the second signer and those who rebuild are made of a number: their secrets are no secrets.

use super::{Files, Group};
use crate::Stage;
use base64::{engine::general_purpose::STANDARD, Engine as _};
use ed25519_dalek::SigningKey;
use vitrine_attest::note::sign;
use vitrine_attest::rebuild_verdict::{Builder, Compared, RebuildVerdict};
use vitrine_attest::revocation::{Reason, Revocation};
use vitrine_attest::tlog_proof::to_text;
use vitrine_attest::vkey::{Kind, NoteKey};
use vitrine_attest::{dsse, merkle, predicate, Error, Result, Sha256};

const LOG: &str = "log.kit.example";
/// 2020-01-02T00:00:00Z, when two of the three witnesses saw the log.
const SEEN: u64 = 1_577_923_200;
/// 2999-01-01T00:00:00Z.
const YET_TO_COME: u64 = 32_472_144_000;
/// Where the statement stands in the log, and how much there is.
const INDEX: usize = 2;
const ENTRIES: usize = 5;

/// Whose key a number gives.
const LOG_KEY: u8 = 101;
const WITNESSES: [u8; 3] = [102, 103, 104];
const SECOND_SIGNER: u8 = 110;
const REBUILDERS: [u8; 2] = [120, 121];
const STRANGER: u8 = 130;

pub const ALL: Group = &[
    // several signers
    ("genuine-of-two-signers", |stage| two_signers(stage, SECOND_SIGNER)),
    ("signed-by-one-of-two", |stage| Ok(Files { demands: vec![policy(threshold(stage)?)], ..Files::default() })),
    ("signed-by-one-and-a-stranger", |stage| two_signers(stage, STRANGER)),
    ("signed-twice-by-one-of-two", |stage| {
        let mut envelope = dsse::sign(&stage.statement, &stage.release_key)?;
        envelope.signatures.push(envelope.signatures[0].clone());
        Ok(Files { statement: Some(envelope.to_json()?), demands: vec![policy(threshold(stage)?)], ..Files::default() })
    }),
    ("release-key-not-named", |_| {
        let keys = format!("[statement]\nkeys = [\"{}\"]\n", named("second.kit.example", SECOND_SIGNER)?);
        Ok(Files { demands: vec![policy(keys)], ..Files::default() })
    }),
    // a public log
    ("genuine-logged", |stage| logged(stage, "", |_| {})),
    ("proof-missing", |_| Ok(Files { demands: vec![policy(log_table("")?)], ..Files::default() })),
    ("proof-cut-off", |stage| {
        let mut files = logged(stage, "", |_| {})?;
        let proof = files.demands.iter_mut().find(|(name, _)| *name == PROOF).ok_or_else(|| Error::bug("no proof"))?;
        proof.1.truncate(60);
        Ok(files)
    }),
    ("proof-without-a-log-policy", |stage| {
        let mut files = logged(stage, "", |_| {})?;
        files.demands.retain(|(name, _)| *name == PROOF);
        Ok(files)
    }),
    ("proof-of-another-statement", |stage| logged(stage, "", |log| log.entry = b"another statement".to_vec())),
    ("proof-of-another-place", |stage| logged(stage, "", |log| log.index = INDEX + 1)),
    ("log-of-another-name", |stage| logged(stage, "", |log| log.origin = "other.kit.example")),
    ("log-signed-by-a-stranger", |stage| logged(stage, "", |log| log.signer = STRANGER)),
    ("log-checkpoint-altered", |stage| logged(stage, "", |log| log.turned = Some(LOG))),
    ("witness-cosignature-altered", |stage| logged(stage, "", |log| log.turned = Some("witness.kit.example/104"))),
    ("witnesses-too-few", |stage| logged(stage, "", |log| log.witnesses.truncate(1))),
    ("witness-twice-for-two", |stage| logged(stage, "", |log| log.witnesses[1] = log.witnesses[0])),
    ("witness-is-a-stranger", |stage| logged(stage, "", |log| log.witnesses[1].0 = STRANGER)),
    ("witnesses-of-the-future", |stage| {
        logged(stage, "", |log| log.witnesses.iter_mut().for_each(|w| w.1 = YET_TO_COME))
    }),
    ("proof-of-2020", |stage| logged(stage, "max_age = \"30d\"", |_| {})),
    // revocations
    ("genuine-another-release-revoked", |stage| {
        revoked(stage, None, |_, it| it.statement = Some(Sha256::of(b"another release")))
    }),
    ("genuine-revoked-by-a-stranger", |stage| {
        revoked(stage, Some(STRANGER), |stage, it| it.fingerprint = Some(stage.statement.predicate.fingerprint))
    }),
    ("revoked-by-fingerprint", |stage| {
        revoked(stage, None, |stage, it| it.fingerprint = Some(stage.statement.predicate.fingerprint))
    }),
    ("revoked-by-digest", |stage| {
        let digest = Sha256::of(&stage.signed(&stage.statement)?);
        revoked(stage, None, |_, it| it.statement = Some(digest))
    }),
    ("revoked-by-the-second-signer", |stage| {
        let revoked = revoked(stage, Some(SECOND_SIGNER), |stage, it| {
            it.fingerprint = Some(stage.statement.predicate.fingerprint)
        })?;
        let keys = format!(
            "[statement]\nkeys = [\"{}\", \"{}\"]\n",
            stage.key_text()?.trim(),
            named("second.kit.example", SECOND_SIGNER)?
        );
        Ok(Files { demands: [revoked.demands, vec![policy(keys)]].concat(), ..Files::default() })
    }),
    ("revocation-cut-off", |stage| {
        let mut files = revoked(stage, None, |_, it| it.statement = Some(Sha256::of(b"another release")))?;
        files.demands[0].1.truncate(100);
        Ok(files)
    }),
    ("revocation-is-a-release", |stage| {
        Ok(Files { demands: vec![(REVOCATION, stage.signed(&stage.statement)?)], ..Files::default() })
    }),
    // rebuilds by others
    ("genuine-rebuilt-twice", |stage| rebuilt(stage, [(REBUILDERS[0], true), (REBUILDERS[1], true)])),
    ("rebuilds-missing", |_| Ok(Files { demands: vec![policy(rebuild_table()?)], ..Files::default() })),
    ("rebuilt-twice-by-one", |stage| rebuilt(stage, [(REBUILDERS[0], true), (REBUILDERS[0], true)])),
    ("rebuilt-by-a-stranger", |stage| rebuilt(stage, [(REBUILDERS[0], true), (STRANGER, true)])),
    ("rebuilt-with-another-image", |stage| rebuilt(stage, [(REBUILDERS[0], true), (REBUILDERS[1], false)])),
    ("rebuild-verdict-cut-off", |stage| {
        let mut files = rebuilt(stage, [(REBUILDERS[0], true), (REBUILDERS[1], true)])?;
        let last = files.demands.last_mut().ok_or_else(|| Error::bug("no verdict"))?;
        last.1.truncate(100);
        Ok(files)
    }),
    ("rebuild-verdict-of-another-image", |stage| {
        let mut files = rebuilt(stage, [(REBUILDERS[0], true), (REBUILDERS[1], true)])?;
        files.demands.truncate(2);
        files.demands.push((VERDICTS[1], verdict(Sha256::of(b"another image"), REBUILDERS[1], true)?));
        Ok(files)
    }),
];

const PROOF: &str = "tlog-proof";
const REVOCATION: &str = "revocation.json";
const VERDICTS: [&str; 2] = ["verdict-1.json", "verdict-2.json"];

fn secret(number: u8) -> SigningKey {
    SigningKey::from_bytes(&Sha256::of(&[b"testkit key ", &[number][..]].concat()).0)
}

fn named(name: &str, number: u8) -> Result<NoteKey> {
    NoteKey::new(name, secret(number).verifying_key())
}

fn witness_name(number: u8) -> String {
    format!("witness.kit.example/{number}")
}

fn policy(tables: String) -> (&'static str, Vec<u8>) {
    ("policy.toml", format!("version = 1\n{tables}").into_bytes())
}

/// The release key and the second signer's, both.
fn threshold(stage: &Stage) -> Result<String> {
    let (first, second) = (stage.key_text()?, named("second.kit.example", SECOND_SIGNER)?);
    Ok(format!("[statement]\nkeys = [\"{}\", \"{second}\"]\nthreshold = 2\n", first.trim()))
}

fn two_signers(stage: &Stage, second: u8) -> Result<Files> {
    let envelope = dsse::add_signature(&dsse::sign(&stage.statement, &stage.release_key)?, &secret(second))?;
    Ok(Files { statement: Some(envelope.to_json()?), demands: vec![policy(threshold(stage)?)], ..Files::default() })
}

/// The log, and two of three witnesses.
fn log_table(more: &str) -> Result<String> {
    let mut lines = format!("log {}\n", named(LOG, LOG_KEY)?);
    for number in WITNESSES {
        let key = NoteKey::of_kind(Kind::Cosignature, &witness_name(number), secret(number).verifying_key())?;
        lines += &format!("witness w{number} {key}\n");
    }
    lines += "group most 2 w102 w103 w104\nquorum most\n";
    Ok(format!("[log]\n{more}\npolicy = \"\"\"\n{lines}\"\"\"\n"))
}

/// What a proof is made of.
struct Log {
    entry: Vec<u8>,
    index: usize,
    origin: &'static str,
    signer: u8,
    /// Who, and when.
    witnesses: Vec<(u8, u64)>,
    /// One bit of the signature in this name is turned.
    turned: Option<&'static str>,
}

fn logged(stage: &Stage, more: &str, change: impl FnOnce(&mut Log)) -> Result<Files> {
    let mut log = Log {
        entry: stage.signed(&stage.statement)?,
        index: INDEX,
        origin: LOG,
        signer: LOG_KEY,
        witnesses: vec![(WITNESSES[0], SEEN), (WITNESSES[2], SEEN)],
        turned: None,
    };
    change(&mut log);
    Ok(Files { demands: vec![policy(log_table(more)?), (PROOF, log.proof()?.into_bytes())], ..Files::default() })
}

impl Log {
    fn proof(&self) -> Result<String> {
        let leaf =
            |n| if n == INDEX { merkle::leaf(&self.entry) } else { merkle::leaf(format!("entry {n}").as_bytes()) };
        let leaves: Vec<Sha256> = (0..ENTRIES).map(leaf).collect();
        let (root, path) = (merkle::root(&leaves), merkle::path(&leaves, INDEX));
        let (root, path) = root.zip(path).ok_or_else(|| Error::bug("a tree without a root"))?;
        let body = format!("{}\n{ENTRIES}\n{}\n", self.origin, STANDARD.encode(root.0));
        let mut lines = sign(&body, self.origin, &secret(self.signer), None)?;
        for (number, time) in &self.witnesses {
            lines += &sign(&body, &witness_name(*number), &secret(*number), Some(*time))?;
        }
        if let Some(name) = self.turned {
            lines = turned(&lines, name)?;
        }
        Ok(to_text(None, self.index as u64, &path, &format!("{body}\n{lines}")))
    }
}

/// With the last bit of this signer's signature turned.
fn turned(lines: &str, name: &str) -> Result<String> {
    let bent = |line: &str| -> Option<String> {
        let (start, digits) = line.trim_end().rsplit_once(' ')?;
        let mut bytes = STANDARD.decode(digits).ok()?;
        *bytes.last_mut()? ^= 1;
        Some(format!("{start} {}\n", STANDARD.encode(bytes)))
    };
    let is_theirs = |line: &str| line.contains(&format!(" {name} "));
    let each = lines.split_inclusive('\n').map(|line| if is_theirs(line) { bent(line) } else { Some(line.into()) });
    each.collect::<Option<String>>().ok_or_else(|| Error::bug("a line that is no signature"))
}

/// A revocation, by the release key if by nobody else.
fn revoked(stage: &Stage, by: Option<u8>, change: impl FnOnce(&Stage, &mut Revocation)) -> Result<Files> {
    let mut revocation = Revocation {
        fingerprint: None,
        statement: None,
        reason: Reason::Vulnerability,
        text: "the kit's".into(),
        date: date()?,
        seq: 1,
    };
    change(stage, &mut revocation);
    let key = by.map_or_else(|| stage.release_key.clone(), secret);
    let envelope = predicate::sign(stage.statement.subject.clone(), revocation, &key)?;
    Ok(Files { demands: vec![(REVOCATION, envelope.to_json()?)], ..Files::default() })
}

fn date() -> Result<vitrine_attest::calendar::Date> {
    "2026-01-01".parse().map_err(Error::bug)
}

/// Two different ones who rebuild.
fn rebuild_table() -> Result<String> {
    let key = |at: usize| named("rebuild.kit.example", REBUILDERS[at]);
    Ok(format!("[rebuild]\nverdicts = 2\nkeys = [\"{}\", \"{}\"]\n", key(0)?, key(1)?))
}

/// Two verdicts: by whom, and whether the image was the same.
fn rebuilt(stage: &Stage, verdicts: [(u8, bool); 2]) -> Result<Files> {
    let subject = stage.statement.subject.iter().find_map(|subject| subject.sha256());
    let expected = subject.ok_or_else(|| Error::bug("the statement has no subject"))?;
    let mut demands = vec![policy(rebuild_table()?)];
    for (name, (by, equal)) in VERDICTS.into_iter().zip(verdicts) {
        demands.push((name, verdict(expected, by, equal)?));
    }
    Ok(Files { demands, ..Files::default() })
}

fn verdict(expected: Sha256, by: u8, equal: bool) -> Result<Vec<u8>> {
    let got = if equal { expected } else { Sha256::of(b"what somebody else got") };
    let verdict = RebuildVerdict {
        statement: Sha256::of(b"the statement that was read"),
        image: Compared { expected, got },
        equal,
        first_difference: (!equal).then(|| "3-tree.txt".into()),
        builder: Builder {
            vitrine: "vitrine 0.1.0".into(),
            distribution: "Debian GNU/Linux 13".into(),
            kernel: "6.12.41".into(),
            cores: 2,
        },
        date: date()?,
    };
    let subject = vec![vitrine_attest::statement::Subject::new("image", expected)];
    predicate::sign(subject, verdict, &secret(by))?.to_json()
}
