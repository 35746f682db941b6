//! The table with its chains.

use super::fields::Fields;
use super::message::{acknowledgements, messages, Message, ACKNOWLEDGE, CHAIN, RULE, TABLE};
use super::refuse;
use super::rule;
use serde::Serialize;
use std::fmt;
use vitrine_attest::Result;

/// NLM_F_REQUEST | NLM_F_CREATE, and for rules NLM_F_APPEND.
const CREATE: u16 = 0x401;
const APPEND: u16 = 0xc01;

/// What a batch sets up: one table of family `inet`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Table {
    pub name: String,
    pub chains: Vec<ReadChain>,
}

/// One chain. Its rules are in the syntax of nftables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReadChain {
    pub name: String,
    /// `filter`, `nat`, `route`
    pub kind: String,
    /// `prerouting`, `input`, `forward`, `output`, `postrouting`
    pub hook: String,
    pub priority: i32,
    /// `accept`, `drop`
    pub policy: String,
    pub rules: Vec<String>,
}

/// Reads a batch.
///
/// # Errors
/// Names the first thing that is broken, unknown, there twice, or left over.
pub fn decode(batch: &[u8]) -> Result<Table> {
    acknowledgements(batch)?;
    let mut messages = messages(batch)?.into_iter();
    let Some(Message { kind: TABLE, flags: CREATE, attributes }) = messages.next() else {
        return refuse("it does not begin with a table");
    };
    let mut fields = Fields::read(attributes, "table")?;
    let mut table = Table { name: fields.name(1)?.into(), chains: vec![] };
    fields.end()?;
    for message in messages {
        match (message.kind, message.flags & !ACKNOWLEDGE) {
            (CHAIN, CREATE) => {
                let chain = chain(&table, message.attributes)?;
                table.chains.push(chain);
            }
            (RULE, APPEND) => add_rule(&mut table, message.attributes)?,
            (kind, flags) => return refuse(format_args!("message of kind {kind:#x} with flags {flags:#x}")),
        }
    }
    Ok(table)
}

fn chain(table: &Table, attributes: &[u8]) -> Result<ReadChain> {
    let mut fields = Fields::read(attributes, "chain")?;
    let (of, name) = (fields.name(1)?, fields.name(3)?);
    let mut place = fields.nested(4)?;
    let (hook, priority) = (place.number(1)?, place.number(2)?.cast_signed());
    place.end()?;
    let (policy, kind) = (fields.number(5)?, fields.name(7)?);
    fields.end()?;
    if of != table.name || table.chains.iter().any(|chain| chain.name == name) {
        return refuse(format_args!("chain {name} is there twice, or in another table"));
    }
    let word = |words: &[&str], number: u32| {
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        words
            .get(index)
            .map_or_else(|| refuse(format_args!("chain {name}: unknown number {number}")), |w| Ok(w.to_string()))
    };
    Ok(ReadChain {
        name: name.into(),
        kind: match kind {
            "filter" | "nat" | "route" => kind.into(),
            other => return refuse(format_args!("chain {name} is of the unknown type {other}")),
        },
        hook: word(&["prerouting", "input", "forward", "output", "postrouting"], hook)?,
        priority,
        policy: word(&["drop", "accept"], policy)?,
        rules: vec![],
    })
}

fn add_rule(table: &mut Table, attributes: &[u8]) -> Result<()> {
    let mut fields = Fields::read(attributes, "rule")?;
    let (of, name) = (fields.name(1)?, fields.name(2)?);
    let text = rule::text(fields.bytes(4)?)?;
    fields.end()?;
    match table.chains.iter_mut().find(|chain| chain.name == name) {
        Some(chain) if of == table.name => chain.rules.push(text),
        _ => return refuse(format_args!("a rule is for chain {name}, which is not there")),
    }
    Ok(())
}

/// `nft -f` takes it.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "table inet {} {{", self.name)?;
        for chain in &self.chains {
            writeln!(f, "  chain {} {{", chain.name)?;
            let ReadChain { kind, hook, priority, policy, .. } = chain;
            writeln!(f, "    type {kind} hook {hook} priority {priority}; policy {policy};")?;
            for rule in &chain.rules {
                writeln!(f, "    {rule}")?;
            }
            writeln!(f, "  }}")?;
        }
        writeln!(f, "}}")
    }
}
