//! `vitrine build`

use super::sources::Sources;
use super::Outcome;
use crate::authenticode::Signer;
use crate::cli::{Build, OutsideSigner};
use crate::derived::Derived;
use crate::keys;
use crate::out::{self, Out};
use crate::pipeline::{self, Signing};
use crate::progress::Progress;
use crate::record::{self, Folder, Record};
use crate::steps::Workshop;
use serde_json::json;
use std::path::Path;
use vitrine_attest::dsse::{self, Envelope};
use vitrine_attest::expected::Prediction;
use vitrine_attest::{Error, Result, Sha256};

/// Bytes of a statement, or of a prediction.
const SMALL: u64 = 16 << 20;

pub fn run(args: &Build, progress: &Progress) -> Result<Outcome> {
    // keys first: a wrong folder is found out before anything is fetched or replaced
    let signing = match (&args.keys, args.unsigned) {
        (Some(keys), false) => Some(signing(keys, &args.outside)?),
        _ => None,
    };
    let out = Out::begin(&args.out)?;
    let sources = match (&args.from, &args.recipe) {
        (Some(archive), _) => {
            refuse_programs(args.options.programs.as_deref())?;
            Sources::vendored(archive, &args.options.set.set, progress)?
        }
        (None, Some(recipe)) => Sources::gather(recipe, &args.options, progress)?,
        (None, None) => return Err(Error::input("there is nothing to build", "name a recipe, or give --from FILE")),
    };
    if sources.locked.recipe().config.owner.is_none() {
        progress.note("config.owner is missing: nobody can add peers to this server");
    }
    let key = record::key(&sources.locked, &sources.programs, &sources.compiled_from(), signing.as_ref())?;
    let cache = Derived::new(&sources.store, progress);
    if !key.is_some_and(|key| done_before(key, &cache, &out, progress)) {
        make(sources, signing.as_ref(), &out, progress, key)?;
    }
    match signing {
        Some(_) => release(&out),
        None => unsigned(&out),
    }
}

/// The environment may name programs for every build; who names them for this one wants something else.
fn refuse_programs(named: Option<&Path>) -> Result<()> {
    let variable = std::env::var_os("VITRINE_PROGRAMS");
    match named.filter(|folder| variable.as_deref() != Some(folder.as_os_str())) {
        None => Ok(()),
        Some(_) => Err(Error::input(
            "an archive has the programs of its image in it",
            "leave --programs out, or unpack the archive with tar and build its recipe",
        )),
    }
}

/// Whether the folder holds what this build would make.
fn done_before(key: Sha256, cache: &Derived, out: &Out, progress: &Progress) -> bool {
    let Some(record) = Record::find(cache, key) else { return false };
    match record.compare(out) {
        Folder::Same => progress.step("nothing has changed, and every file is what the last build left"),
        Folder::Empty => return false,
        Folder::Differs(name) => {
            let path = out.path(name);
            progress.note(&format!("{} is not what the last build left: everything is made again", path.display()));
            return false;
        }
    }
    true
}

fn make(
    sources: Sources,
    signing: Option<&Signing>,
    out: &Out,
    progress: &Progress,
    key: Option<Sha256>,
) -> Result<()> {
    let compiled_from = sources.compiled_from();
    let with = Workshop { store: &sources.store, programs: &sources.programs, compiled_from: &compiled_from, progress };
    std::thread::scope(|scope| {
        scope.spawn(|| sources.store.sweep());
        match signing {
            Some(signing) => pipeline::release(sources.locked, &with, signing, out).map(drop),
            None => pipeline::unsigned(sources.locked, &with, out).map(drop),
        }
    })?;
    match key {
        Some(key) => Record::of(out).keep(&Derived::new(&sources.store, progress), key),
        None => Ok(()),
    }
}

fn unsigned(out: &Out) -> Result<Outcome> {
    let prediction: Prediction = serde_json::from_slice(&out::read(&out.path(out::PCRS), SMALL)?)
        .map_err(|e| Error::bug(format!("a prediction cannot be read back: {e}")))?;
    let (image, digest) = (out.path(out::UNSIGNED).display().to_string(), prediction.authenticode);
    let text = format!("{image}\nnot signed; Authenticode digest {digest}\n");
    Outcome::new(text, &json!({ "image": image, "authenticode": digest, "signed": false }))
}

fn release(out: &Out) -> Result<Outcome> {
    let envelope = Envelope::from_json(&out::read(&out.path(out::STATEMENT), SMALL)?)?;
    let statement = dsse::read_unverified(&envelope)?; // we have just signed it, or hashed the file that we signed
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
