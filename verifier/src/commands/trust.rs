//! Reads what the person trusts: statement, proof, key, policies, roots.

use crate::case::Inputs;
use crate::cli::Trust;
use crate::clock::now;
use crate::exchange::Exchange;
use crate::files;
use crate::policy::{self, Policy};
use crate::promise::{Giver, Givers, Promise};
use crate::roots;
use crate::verdict::Level;
use std::path::Path;
use std::sync::Arc;
use vitrine_attest::attachments::Attachments;
use vitrine_attest::dsse::{self, Envelope, ENVELOPE_LIMIT};
use vitrine_attest::ek::Roots;
use vitrine_attest::tlog_proof::{Proof, PROOF_LIMIT};
use vitrine_attest::vkey::{NoteKey, TEXT_LIMIT};
use vitrine_attest::{Error, Result};

/// What a person gives, before it is known by which statement a server is judged. Read before anybody is asked, so that a mistake
/// costs no conversation.
pub struct Files {
    envelope: Option<Envelope>,
    proof: Option<Vec<u8>>,
    key: Option<NoteKey>,
    policy: Policy,
    roots: Option<Roots>,
}

impl Files {
    /// # Errors
    /// When one cannot be used.
    pub fn read(args: &Trust) -> Result<Self> {
        let policy = policy(args.policy.as_deref(), args.log_policy.as_deref())?;
        let files = Self {
            envelope: args.statement.as_deref().map(read_envelope).transpose()?,
            proof: args.proof.as_deref().map(read_proof).transpose()?,
            key: args.key.as_deref().map(read_key).transpose()?,
            roots: args.ek_roots.as_deref().map(roots::read).transpose()?,
            policy,
        };
        judgeable(files.proof.as_deref(), &files.policy)?;
        Ok(files)
    }

    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Whether a server has to be asked for statement or proof: for a proof only when the person demands one.
    pub fn lack_something(&self) -> bool {
        let demanded = self.policy.log.as_ref().is_some_and(|log| log.required);
        self.envelope.is_none() || (self.proof.is_none() && demanded)
    }

    /// With what is there.
    ///
    /// # Errors
    /// When there is no statement.
    pub fn alone(self) -> Result<Trusted> {
        let none = || {
            let hint = "give --statement FILE; only a file made by `vitrine-verify bundle` has its statement in it";
            Error::input("there is no statement to judge by", hint)
        };
        let envelope = self.envelope.clone().ok_or_else(none)?;
        let papers = Papers::by(Giver::File, envelope, self.proof.clone());
        self.with(&papers)
    }

    /// With what the server hands out in the place of what is lacking: judged like files, by the person's own keys and policy.
    ///
    /// # Errors
    /// When there is no statement.
    pub fn and_from(self, server: &str, handed: Option<&Attachments>) -> Result<Trusted> {
        // a proof that nobody can judge, and nobody has asked for, is left aside
        let judged = self.policy.log.is_some();
        let papers = Papers::complete(server, self.envelope.clone(), self.proof.clone(), handed, judged)?;
        self.with(&papers)
    }

    /// With statement and proof from elsewhere.
    ///
    /// # Errors
    /// When there is no key, or a proof that nobody could judge.
    pub fn with(self, papers: &Papers) -> Result<Trusted> {
        let promise = papers.promise_by(self.key, &self.policy)?;
        Ok(Trusted { promise, policy: self.policy, roots: self.roots })
    }
}

/// Everything that a server is judged by.
pub struct Trusted {
    promise: Arc<Promise>,
    policy: Policy,
    roots: Option<Roots>,
}

impl Trusted {
    pub fn read(args: &Trust) -> Result<Self> {
        Files::read(args)?.alone()
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
    pub givers: Givers,
}

impl Papers {
    /// Both from one.
    pub fn by(giver: Giver, envelope: Envelope, proof: Option<Vec<u8>>) -> Self {
        let givers = Givers::of(giver, proof.as_deref());
        Self { envelope, proof, givers }
    }

    /// # Errors
    /// When a file cannot be read, or holds no envelope.
    pub fn read(statement: &Path, proof: Option<&Path>) -> Result<Self> {
        Ok(Self::by(Giver::File, read_envelope(statement)?, proof.map(read_proof).transpose()?))
    }

    /// What the person has, and in its place what the server hands out; its proof only when one is wanted.
    ///
    /// # Errors
    /// When nobody has a statement.
    pub fn complete(
        server: &str,
        envelope: Option<Envelope>,
        proof: Option<Vec<u8>>,
        handed: Option<&Attachments>,
        want_proof: bool,
    ) -> Result<Self> {
        let (envelope, statement_by) = match (envelope, handed) {
            (Some(own), _) => (own, Giver::File),
            (None, Some(handed)) => (handed.statement.clone(), Giver::Server),
            (None, None) => {
                let what = format!("there is no statement to judge by: {server} hands out none");
                let hint =
                    "give --statement FILE, or ask the operator to hand it to the server (`vitrine-verify attach`)";
                return Err(Error::input(what, hint));
            }
        };
        let theirs = handed.and_then(|handed| handed.proof.as_ref()).filter(|_| want_proof);
        let (proof, proof_by) = match (proof, theirs) {
            (Some(own), _) => (Some(own), Some(Giver::File)),
            (None, Some(theirs)) => (Some(theirs.clone().into_bytes()), Some(Giver::Server)),
            (None, None) => (None, None),
        };
        Ok(Self { envelope, proof, givers: Givers { statement: statement_by, proof: proof_by } })
    }

    /// A mistake that would only show at the one who checks them. Who has signed the proof is judged there.
    ///
    /// # Errors
    /// When the proof is for something else than the statement.
    pub fn belong_together(&self) -> Result<()> {
        let Some(proof) = &self.proof else { return Ok(()) };
        let hint = "give the release.tlog-proof of this statement";
        let proof = Proof::parse(proof).map_err(|why| Error::input(why, hint))?;
        match proof.stands(&self.envelope.to_json()?) {
            true => Ok(()),
            false => Err(Error::input("the proof is not for this statement", hint)),
        }
    }

    /// With the key that the statement has to be signed with: the given one, or one of the policy's.
    ///
    /// # Errors
    /// When there is no key, or a proof that nobody could judge.
    pub fn promise(&self, key: Option<&Path>, policy: &Policy) -> Result<Arc<Promise>> {
        self.promise_by(key.map(read_key).transpose()?, policy)
    }

    fn promise_by(&self, key: Option<NoteKey>, policy: &Policy) -> Result<Arc<Promise>> {
        judgeable(self.proof.as_deref(), policy)?;
        let key = match key {
            Some(key) => key,
            None => signer(policy, &self.envelope)?,
        };
        Ok(Arc::new(Promise::new(self.envelope.clone(), key).with_proof(self.proof.clone()).given_by(self.givers)))
    }
}

/// Before the files of somebody who checks a bundle are read.
///
/// # Errors
/// When the person names another statement or proof.
pub fn nothing_beside_a_bundle(args: &Trust) -> Result<()> {
    for (given, name) in [(&args.statement, "--statement"), (&args.proof, "--proof")] {
        if given.is_some() {
            let what = format!("a bundle has its own: {name} would be beside it");
            return Err(Error::input(what, format!("leave {name} out, or check the evidence without the bundle")));
        }
    }
    Ok(())
}

/// Whether somebody could judge it, if there is one.
fn judgeable(proof: Option<&[u8]>, policy: &Policy) -> Result<()> {
    if proof.is_some() && policy.log.is_none() {
        return Err(Error::input(
            "there is a proof of a log, and nobody said which logs and witnesses count",
            "give --log-policy FILE, or a table [log] in your policy; docs/verify.md, \"Demand that it is public\"",
        ));
    }
    Ok(())
}

/// # Errors
/// When the file cannot be read, or holds no envelope.
pub fn read_envelope(path: &Path) -> Result<Envelope> {
    Envelope::from_json(&files::read(path, ENVELOPE_LIMIT)?).map_err(within(path))
}

/// # Errors
/// When the file cannot be read.
pub fn read_proof(path: &Path) -> Result<Vec<u8>> {
    files::read(path, PROOF_LIMIT)
}

fn read_key(path: &Path) -> Result<NoteKey> {
    NoteKey::from_file(&files::read(path, TEXT_LIMIT)?).map_err(within(path))
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
