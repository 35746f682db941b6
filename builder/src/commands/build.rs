//! `vitrine build`

use super::sources::Sources;
use super::Outcome;
use crate::authenticode::Signer;
use crate::cli::{Build, OutsideSigner};
use crate::keys;
use crate::out::{self, Out};
use crate::pipeline::{self, Signing};
use crate::progress::Progress;
use crate::steps::Workshop;
use serde_json::json;
use std::path::Path;
use vitrine_attest::{Error, Result};

pub fn run(args: &Build, progress: &Progress) -> Result<Outcome> {
    // keys first: a wrong folder is found out before anything is fetched or replaced
    let signing = match (&args.keys, args.unsigned) {
        (Some(keys), false) => Some(signing(keys, &args.outside)?),
        _ => None,
    };
    let out = Out::begin(&args.out)?;
    let sources = Sources::gather(&args.inputs.recipe, &args.inputs.options, progress)?;
    if sources.locked.recipe().config.owner.is_none() {
        progress.note("config.owner is missing: nobody can add peers to this server");
    }
    let with = Workshop { store: &sources.store, programs: &sources.programs, progress };
    match signing {
        Some(signing) => release(pipeline::release(sources.locked, &with, &signing, &out)?, &out),
        None => {
            let predicted = pipeline::unsigned(sources.locked, &with, &out)?;
            let (image, digest) = (out.path(out::UNSIGNED).display().to_string(), predicted.prediction().authenticode);
            let text = format!("{image}\nnot signed; Authenticode digest {digest}\n");
            Outcome::new(text, &json!({ "image": image, "authenticode": digest, "signed": false }))
        }
    }
}

fn release(stated: crate::steps::Stated, out: &Out) -> Result<Outcome> {
    let statement = stated.statement();
    let release = &statement.predicate;
    let image = out.path(out::IMAGE).display().to_string();
    let text = format!(
        "{image}\n{}\nimage {} {}, inputs: {}, waivers: {}\n",
        release.fingerprint,
        release.image.name,
        release.image.version,
        release.inputs.len(),
        release.waivers.len()
    );
    Outcome::new(
        text,
        &json!({
            "image": image,
            "signed": true,
            "fingerprint": release.fingerprint,
            "authenticode": release.image.authenticode,
            "config_digest": release.config_digest,
            "lock": release.image.lock,
            "unsigned": statement.subject,
        }),
    )
}

fn signing(keys: &Path, outside: &OutsideSigner) -> Result<Signing> {
    let image = match (&outside.sign_with, &outside.cert) {
        (Some(command), Some(certificate)) => {
            Signer::Command { command: command.clone(), certificate: keys::certificate(certificate)? }
        }
        (None, Some(_)) => {
            return Err(Error::input(
                "--cert names the certificate of an outside signer",
                "give --sign-with COMMAND too",
            ))
        }
        _ => keys::image_signer(keys)?,
    };
    let enrolled = keys::variables(&keys.join(keys::SECURE_BOOT))?;
    Ok(Signing { image, statement: keys::release_key(keys)?, enrolled })
}
