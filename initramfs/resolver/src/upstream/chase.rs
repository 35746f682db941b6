//! Aliases, one step at a time.
//!
//! hickory validates what a message says about the name that was asked. When the message says "nothing of that type"
//! about the name that an alias leads to, the proof is for another name, and it calls a good answer bogus. So a
//! bogus answer is asked for once more: is there an alias, and what is behind it?

use super::verdict::{Failure, Found};
use hickory_proto::op::Query;
use hickory_proto::rr::{Name, RData, Record, RecordType};

/// Aliases that are followed; more is a loop or a joke.
const LONGEST: usize = 8;

/// Calls `ask` for the question, and after a bogus answer for the aliases on the way.
///
/// # Errors
/// Those of the last question that was asked.
pub async fn follow<F>(query: Query, ask: impl Fn(Query) -> F) -> Result<Found, Failure>
where
    F: std::future::Future<Output = Result<Found, Failure>>,
{
    let mut chain: Vec<Record> = Vec::new();
    let mut secure = true;
    let mut name = query.name.clone();
    for _ in 0..LONGEST {
        let failure = match ask(Query::query(name.clone(), query.query_type)).await {
            Ok(found) => return Ok(joined(chain, secure, found)),
            Err(failure @ (Failure::Bogus | Failure::Indeterminate)) => failure,
            Err(other) => return Err(other),
        };
        if query.query_type == RecordType::CNAME || query.query_type == RecordType::DS {
            return Err(failure);
        }
        let alias = ask(Query::query(name.clone(), RecordType::CNAME)).await.map_err(|_| failure)?;
        name = target(&alias, &name).ok_or(failure)?;
        secure &= alias.secure;
        chain.extend(alias.answers);
    }
    Err(Failure::Network)
}

fn target(alias: &Found, name: &Name) -> Option<Name> {
    alias.answers.iter().find_map(|record| match &record.data {
        RData::CNAME(target) if record.name == *name => Some(target.0.clone()),
        _ => None,
    })
}

fn joined(mut chain: Vec<Record>, secure: bool, mut found: Found) -> Found {
    chain.append(&mut found.answers);
    found.answers = chain;
    found.secure &= secure;
    found
}
