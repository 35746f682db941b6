//! The owner, who may give orders.

use crate::cli::{OwnerArgs, Trust};
use crate::clock::now;
use crate::commands::accepted::Accepted;
use crate::commands::trust::Trusted;
use crate::secret_key;
use ed25519_dalek::SigningKey;
use vitrine_attest::config::Config;
use vitrine_attest::digest::Key32;
use vitrine_attest::event_log::printable;
use vitrine_attest::evidence::{ORDER_PATH, REQUEST_LIMIT};
use vitrine_attest::order::{seal_order, Answer, Operation, Order, VERSION};
use vitrine_attest::{peers, Error, Result};

/// The owner's key, read and compared with the configuration before the server is asked: a wrong key is a mistake of
/// the person.
pub struct Owner {
    key: SigningKey,
    /// Of the statement; none when its signature does not hold. The check will then say so.
    pub config: Option<Config>,
}

impl Owner {
    pub fn read(args: &OwnerArgs) -> Result<Self> {
        let key = secret_key::read(&args.owner_key, "give the `owner.key` of `vitrine keygen`")?;
        let config = stated(&args.trust)?;
        if let Some(config) = &config {
            check_named(config, &key)?;
        }
        Ok(Self { key, config })
    }

    /// From now on orders can be given.
    pub fn of(self, accepted: Accepted) -> Line {
        Line { owner: self.key, accepted, last_seq: 0 }
    }
}

fn stated(trust: &Trust) -> Result<Option<Config>> {
    let trusted = Trusted::read(trust)?;
    let statement = trusted.promise().statement().as_ref();
    Ok(statement.ok().map(|statement| statement.predicate.config.clone()))
}

fn check_named(config: &Config, key: &SigningKey) -> Result<()> {
    match config.owner {
        Some(named) if named == Key32(key.verifying_key().to_bytes()) => Ok(()),
        Some(named) => Err(Error::input(
            format!("this is not the owner's key: the configuration names {named}"),
            "give the secret key that belongs to it",
        )),
        None => Err(Error::input(
            "the configuration names no owner: this server takes no orders",
            "build an image with `owner` in its configuration",
        )),
    }
}

/// From the owner to PID 1 of a server that was just accepted.
pub struct Line {
    owner: SigningKey,
    pub accepted: Accepted,
    last_seq: u64,
}

impl Line {
    /// Gives one order and reads the sealed answer.
    ///
    /// # Errors
    /// When the order was refused, or the answer is not PID 1's: then nobody knows whether it was carried out.
    pub fn give(&mut self, op: Operation) -> Result<Answer> {
        let order = Order { v: VERSION, seq: self.sequence()?, op };
        let Accepted { server, keys, .. } = &self.accepted;
        let sealed = seal_order(&order, &self.owner, &keys.channel)?;
        let answer = server.post(ORDER_PATH, "application/octet-stream", &sealed.bytes, REQUEST_LIMIT)?;
        match answer.status {
            200..=299 => refused(sealed.reply.open(&answer.body)?),
            400..=499 => Err(Error::artefact(
                format!("the server could not open the order: {}", answer.code()),
                "nobody signed this answer; it may have rebooted since the check: run the command again",
            )),
            _ => Err(Error::host(format!("the server gave no answer to the order: {}", answer.code()), "try again")),
        }
    }

    /// Unix time in nanoseconds: rises without being remembered anywhere.
    fn sequence(&mut self) -> Result<u64> {
        let now = u64::try_from(now()?.as_nanos())
            .map_err(|_| Error::host("this computer's clock is after the year 2554", "set the clock"))?;
        self.last_seq = now.max(self.last_seq + 1);
        Ok(self.last_seq)
    }
}

/// An authentic answer that says no.
fn refused(answer: Answer) -> Result<Answer> {
    let Some(code) = &answer.code else { return Ok(answer) };
    let (words, hint) = match code.as_str() {
        "order-replay" => ("it has taken an order with a later time", "set this computer's clock, then try again"),
        "order-not-owner" => ("you are not its owner", "give the owner's key"),
        "kernel" => ("its kernel could not do it", "send the whole set with `vitrine-verify peers sync`, or reboot it"),
        other => (peers::words(other), "correct key and networks, then send it again"),
    };
    Err(Error::artefact(format!("the server refused the order: {words} ({})", printable(code)), hint))
}
