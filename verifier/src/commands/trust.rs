//! Reads what the person trusts: statement, key, roots.

use crate::case::Inputs;
use crate::cli::Trust;
use crate::clock::now;
use crate::exchange::Exchange;
use crate::files;
use crate::policy::{self, Policy};
use crate::promise::Promise;
use crate::roots;
use crate::verdict::Level;
use std::path::Path;
use std::sync::Arc;
use vitrine_attest::dsse::{self, Envelope, ENVELOPE_LIMIT};
use vitrine_attest::ek::Roots;
use vitrine_attest::vkey::{NoteKey, TEXT_LIMIT};
use vitrine_attest::{Error, Result};

/// The files, read before anybody is asked, so that a mistake costs no conversation.
pub struct Trusted {
    promise: Arc<Promise>,
    policy: Policy,
    roots: Option<Roots>,
}

impl Trusted {
    pub fn read(args: &Trust) -> Result<Self> {
        let policy = args.policy.as_deref().map(policy::read).transpose()?.unwrap_or_default();
        let promise = promise(&args.statement, args.key.as_deref(), &policy)?;
        let roots = args.ek_roots.as_deref().map(roots::read).transpose()?;
        Ok(Self { promise, roots, policy })
    }

    /// The lowest level that is accepted.
    ///
    /// # Errors
    /// When the person asks for less than the person's policy.
    pub fn level(&self, asked: Option<Level>) -> Result<Level> {
        level(&self.policy, asked)
    }

    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    pub fn promise(&self) -> &Promise {
        &self.promise
    }

    pub fn inputs(self, exchange: Exchange) -> Result<Inputs> {
        let now = now()?.as_secs();
        Ok(Inputs { exchange, promise: self.promise, roots: self.roots, now })
    }
}

/// The statement with the key that it has to be signed with: the given one, or one of the policy's.
pub fn promise(statement: &Path, key: Option<&Path>, policy: &Policy) -> Result<Arc<Promise>> {
    let envelope = Envelope::from_json(&files::read(statement, ENVELOPE_LIMIT)?).map_err(within(statement))?;
    let key = match key {
        Some(path) => NoteKey::from_file(&files::read(path, TEXT_LIMIT)?).map_err(within(path))?,
        None => signer(policy, &envelope)?,
    };
    Ok(Arc::new(Promise::new(envelope, key)))
}

/// The lowest level that is accepted.
///
/// # Errors
/// When the person asks for less than the person's policy.
pub fn level(policy: &Policy, asked: Option<Level>) -> Result<Level> {
    match (asked, policy.level) {
        (Some(asked), Some(least)) if asked < least => Err(Error::input(
            format!("--accept-level {asked} is less than the policy's {least}"),
            "leave --accept-level out, or change `level` in the policy",
        )),
        (Some(level), _) | (None, Some(level)) => Ok(level),
        (None, None) => Ok(Level::L2),
    }
}

fn within(path: &Path) -> impl FnOnce(Error) -> Error {
    let path = path.display().to_string();
    move |e| e.within(path)
}

/// The key of the policy that has signed the statement; the first one when none has, which V21 then says.
fn signer(policy: &Policy, envelope: &Envelope) -> Result<NoteKey> {
    let keys = &policy.statement.keys;
    let signed = |key: &&NoteKey| dsse::verify_payload(envelope, key.key()).is_ok();
    keys.iter().find(signed).or(keys.first()).cloned().ok_or_else(|| {
        Error::input("nobody said who may sign the statement", "give --key FILE, or `keys` in the policy's [statement]")
    })
}
