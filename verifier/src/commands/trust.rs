//! Reads what the person trusts: statement, proof, key, policies, roots.

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
use vitrine_attest::tlog_proof::PROOF_LIMIT;
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
        let statement = args.statement.as_deref().ok_or_else(|| {
            let hint = "give --statement FILE; only a file made by `vitrine-verify bundle` has its statement in it";
            Error::input("there is no statement to judge by", hint)
        })?;
        Self::of(args, &Papers::read(statement, args.proof.as_deref())?)
    }

    /// The same with statement and proof from a bundle.
    ///
    /// # Errors
    /// Also when the person names another statement or proof.
    pub fn with_bundle(args: &Trust, papers: &Papers) -> Result<Self> {
        for (given, name) in [(&args.statement, "--statement"), (&args.proof, "--proof")] {
            if given.is_some() {
                let what = format!("a bundle has its own: {name} would be beside it");
                return Err(Error::input(what, format!("leave {name} out, or check the evidence without the bundle")));
            }
        }
        Self::of(args, papers)
    }

    fn of(args: &Trust, papers: &Papers) -> Result<Self> {
        let policy = policy(args.policy.as_deref(), args.log_policy.as_deref())?;
        let promise = papers.promise(args.key.as_deref(), &policy)?;
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

/// What the operator publishes about a release, whoever has handed it on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Papers {
    pub envelope: Envelope,
    /// That it stands in a log; not read yet.
    pub proof: Option<Vec<u8>>,
}

impl Papers {
    /// # Errors
    /// When a file cannot be read, or holds no envelope.
    pub fn read(statement: &Path, proof: Option<&Path>) -> Result<Self> {
        let envelope = Envelope::from_json(&files::read(statement, ENVELOPE_LIMIT)?).map_err(within(statement))?;
        Ok(Self { envelope, proof: proof.map(|path| files::read(path, PROOF_LIMIT)).transpose()? })
    }

    /// With the key that the statement has to be signed with: the given one, or one of the policy's.
    ///
    /// # Errors
    /// When there is no key, or a proof that nobody could judge.
    pub fn promise(&self, key: Option<&Path>, policy: &Policy) -> Result<Arc<Promise>> {
        if self.proof.is_some() && policy.log.is_none() {
            return Err(Error::input(
                "there is a proof of a log, and nobody said which logs and witnesses count",
                "give --log-policy FILE, or a table [log] in your policy; docs/verify.md, \"Demand that it is public\"",
            ));
        }
        let key = match key {
            Some(path) => NoteKey::from_file(&files::read(path, TEXT_LIMIT)?).map_err(within(path))?,
            None => signer(policy, &self.envelope)?,
        };
        Ok(Arc::new(Promise::new(self.envelope.clone(), key).with_proof(self.proof.clone())))
    }
}

/// The person's policy, and the log policy beside it.
///
/// # Errors
/// Also when both name logs: one of them would be left out of sight.
pub fn policy(policy: Option<&Path>, log: Option<&Path>) -> Result<Policy> {
    let mut policy = policy.map(policy::read).transpose()?.unwrap_or_default();
    let Some(path) = log else { return Ok(policy) };
    if policy.log.is_some() {
        let hint = "leave the log policy out, or take [log] out of the policy";
        return Err(Error::input(format!("{}: the policy has a table [log] already", path.display()), hint));
    }
    policy.log = Some(policy::read_log_policy(path)?);
    Ok(policy)
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
