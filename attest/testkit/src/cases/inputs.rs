//! Sessions that are genuine, and a person who gives too little: no verifier may call that accepted.

use super::{done, Files, Group};
use vitrine_attest::canonical::to_canonical_json;

pub const ALL: Group = &[
    ("no-ek-roots-given", |stage| done(stage.genuine())),
    ("no-activation-bare-evidence", |stage| {
        Ok(Files { session: to_canonical_json(&stage.genuine()?.evidence)?, ..Files::default() })
    }),
    ("statement-file-empty", |stage| Ok(Files { statement: Some(vec![]), ..done(stage.genuine())? })),
    ("statement-file-without-signatures", |stage| {
        let mut envelope = vitrine_attest::dsse::sign(&stage.statement, &stage.release_key)?;
        envelope.signatures.clear();
        Ok(Files { statement: Some(envelope.to_json()?), ..done(stage.genuine())? })
    }),
    ("session-file-cut-off", |stage| {
        let mut files = done(stage.genuine())?;
        files.session.truncate(files.session.len() / 2);
        Ok(files)
    }),
    ("session-file-empty", |_| Ok(Files::default())),
];
