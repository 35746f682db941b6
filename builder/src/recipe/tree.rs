//! TOML values that remember in which file and line they stand, and how two of them merge.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use toml::de::{DeTable, DeValue};
use toml::{Table, Value};
use vitrine_attest::{Error, Result};

/// Nesting that a recipe may have; more would only serve to exhaust the stack.
const DEPTH_LIMIT: usize = 16;

/// `recipes/exit.toml:7`, or `--set config.owner` without a line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub file: String,
    pub line: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        match self.line {
            Some(line) => write!(f, ":{line}"),
            None => Ok(()),
        }
    }
}

/// A value with its place.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub node: Node,
    pub place: Place,
}

#[derive(Debug, Clone)]
pub(super) enum Node {
    /// A string, number or boolean. Dates are kept as strings: `not_after = 2027-11-20` needs no quotes.
    Scalar(Value),
    List(Vec<Placed>),
    Table(BTreeMap<String, Placed>),
}

impl Placed {
    /// Parses one file's text.
    pub fn parse(file: &str, text: &str) -> Result<Self> {
        let table = DeTable::parse(text).map_err(|e| {
            let place = Place { file: file.into(), line: e.span().map(|span| line_of(text, span.start)) };
            Error::input(
                format!("{place}: not TOML: {}", e.message().trim_end().replace('\n', ": ")),
                format!("correct {file}"),
            )
        })?;
        let place = Place { file: file.into(), line: None };
        Ok(Self { node: Node::from_table(table.get_ref(), &Source { file, text }, 0)?, place })
    }

    /// Lays `other` over `self`; `other` wins.
    pub fn merge(&mut self, other: Placed) -> Result<()> {
        match (&mut self.node, other.node) {
            (Node::Table(mine), Node::Table(theirs)) => {
                for (key, value) in theirs {
                    merge_entry(mine, key, value)?;
                }
            }
            (Node::List(mine), Node::Table(theirs)) if is_add(&theirs) => {
                let (added, place) = take_add(theirs, other.place);
                let Node::List(added) = added else {
                    return Err(wrong_add(&place, "a list"));
                };
                mine.extend(added);
            }
            (Node::Scalar(Value::String(mine)), Node::Table(theirs)) if is_add(&theirs) => {
                let (added, place) = take_add(theirs, other.place);
                let Node::Scalar(Value::String(added)) = added else {
                    return Err(wrong_add(&place, "text"));
                };
                *mine = format!("{mine} {added}").trim().to_string();
            }
            (_, node) => *self = Placed { node, place: other.place },
        }
        Ok(())
    }
}

fn merge_entry(table: &mut BTreeMap<String, Placed>, key: String, value: Placed) -> Result<()> {
    match table.get_mut(&key) {
        None => {
            table.insert(key, value);
        }
        Some(mine) => match (&mut mine.node, value.node) {
            // exceptions add up: a child that has one of its own does not silently lose its parent's
            (Node::List(mine), Node::List(theirs)) if key == "waiver" => mine.extend(theirs),
            (_, node) => mine.merge(Placed { node, place: value.place })?,
        },
    }
    Ok(())
}

fn is_add(table: &BTreeMap<String, Placed>) -> bool {
    table.len() == 1 && table.contains_key("add")
}

fn take_add(mut table: BTreeMap<String, Placed>, place: Place) -> (Node, Place) {
    match table.remove("add") {
        Some(added) => (added.node, added.place),
        None => (Node::Table(table), place),
    }
}

fn wrong_add(place: &Place, wanted: &str) -> Error {
    Error::input(format!("{place}: `.add` needs {wanted}, like the value it adds to"), format!("correct {place}"))
}

struct Source<'a> {
    file: &'a str,
    text: &'a str,
}

impl Source<'_> {
    fn place(&self, span: Range<usize>) -> Place {
        Place { file: self.file.into(), line: Some(line_of(self.text, span.start)) }
    }
}

impl Node {
    fn from_table(table: &DeTable<'_>, source: &Source<'_>, depth: usize) -> Result<Self> {
        let mut entries = BTreeMap::new();
        for (key, value) in table {
            let place = source.place(key.span());
            let node = Self::from_value(value.get_ref(), source, &place, depth + 1)?;
            entries.insert(key.get_ref().to_string(), Placed { node, place });
        }
        Ok(Self::Table(entries))
    }

    fn from_value(value: &DeValue<'_>, source: &Source<'_>, place: &Place, depth: usize) -> Result<Self> {
        if depth > DEPTH_LIMIT {
            return Err(Error::input(format!("{place}: nested too deeply"), format!("correct {place}")));
        }
        Ok(match value {
            DeValue::Table(table) => Self::from_table(table, source, depth)?,
            DeValue::Array(items) => {
                let placed = items.iter().map(|item| {
                    let place = source.place(item.span());
                    Ok(Placed { node: Self::from_value(item.get_ref(), source, &place, depth + 1)?, place })
                });
                Self::List(placed.collect::<Result<_>>()?)
            }
            DeValue::String(text) => Self::Scalar(Value::String(text.to_string())),
            DeValue::Boolean(b) => Self::Scalar(Value::Boolean(*b)),
            DeValue::Datetime(date) => Self::Scalar(Value::String(date.to_string())),
            DeValue::Integer(n) => {
                let parsed = i64::from_str_radix(n.as_str(), n.radix());
                let number = parsed.map_err(|_| {
                    Error::input(format!("{place}: {} is out of range", n.as_str()), format!("correct {place}"))
                })?;
                Self::Scalar(Value::Integer(number))
            }
            DeValue::Float(_) => {
                let what = format!("{place}: a recipe holds no fractions");
                return Err(Error::input(what, "write a whole number or text"));
            }
        })
    }

    fn to_value(&self) -> Value {
        match self {
            Self::Scalar(value) => value.clone(),
            Self::List(items) => Value::Array(items.iter().map(|item| item.node.to_value()).collect()),
            Self::Table(entries) => {
                Value::Table(entries.iter().map(|(key, item)| (key.clone(), item.node.to_value())).collect())
            }
        }
    }
}

impl Placed {
    /// The plain table, without places.
    pub fn to_value(&self) -> Table {
        match self.node.to_value() {
            Value::Table(table) => table,
            _ => Table::new(), // `parse` only makes tables
        }
    }

    /// `--set key=value`. What is text stays text; otherwise the value is read as TOML, or else taken as text.
    pub fn set(&mut self, key: &str, value: &str) -> Result<()> {
        let place = Place { file: format!("--set {key}"), line: None };
        let steps: Vec<&str> = key.split('.').collect();
        if steps.iter().any(|step| step.is_empty()) || steps.len() > DEPTH_LIMIT {
            return Err(Error::input(
                format!("--set {key}: not a key of a recipe"),
                "write it like --set config.wireguard.mtu=1380",
            ));
        }
        let mut here = self;
        for step in steps {
            if !matches!(here.node, Node::Table(_)) {
                here.node = Node::Table(BTreeMap::new());
            }
            let Node::Table(table) = &mut here.node else {
                return Err(Error::bug("a table is no table"));
            };
            let empty = || Placed { node: Node::Table(BTreeMap::new()), place: place.clone() };
            here = table.entry(step.to_string()).or_insert_with(empty);
        }
        let is_text = matches!(&here.node, Node::Scalar(Value::String(_)));
        let text = Node::Scalar(Value::String(value.to_string()));
        here.node = match DeValue::parse(value) {
            Ok(parsed) if !is_text => {
                let source = Source { file: &place.file, text: value };
                Node::from_value(parsed.get_ref(), &source, &place, 0).unwrap_or(text)
            }
            _ => text,
        };
        here.place = place;
        Ok(())
    }

    /// Where the value at a path stands, or what is nearest above it.
    pub fn place_of(&self, path: &[String]) -> &Place {
        let mut here = self;
        for step in path {
            match here.child(step) {
                Some(child) => here = child,
                None => break,
            }
        }
        &here.place
    }

    /// The value at a path.
    pub fn at(&self, path: &[String]) -> Option<&Self> {
        path.iter().try_fold(self, |here, step| here.child(step))
    }

    fn child(&self, step: &str) -> Option<&Self> {
        match &self.node {
            Node::Table(entries) => entries.get(step),
            Node::List(items) => items.get(step.parse::<usize>().ok()?),
            Node::Scalar(_) => None,
        }
    }

    /// Takes the value at a path out, or puts another one there. Whether anything changed.
    pub fn replace(&mut self, path: &[String], with: Option<Node>) -> bool {
        let Some((step, above)) = path.split_last() else { return false };
        let mut here = self;
        for step in above {
            let next = match &mut here.node {
                Node::Table(entries) => entries.get_mut(step),
                Node::List(items) => step.parse().ok().and_then(|n: usize| items.get_mut(n)),
                Node::Scalar(_) => None,
            };
            let Some(next) = next else { return false };
            here = next;
        }
        let place = here.place.clone();
        match (&mut here.node, with) {
            (Node::Table(entries), Some(node)) => {
                entries.insert(step.clone(), Self { node, place });
                true
            }
            (Node::Table(entries), None) => entries.remove(step).is_some(),
            (Node::List(items), _) => match step.parse() {
                Ok(n) if n < items.len() => {
                    items.remove(n);
                    true
                }
                _ => false,
            },
            (Node::Scalar(_), _) => false,
        }
    }
}

/// The path of the key or value that a span of TOML text is about.
pub(super) fn path_of(text: &str, span: Option<Range<usize>>) -> Option<Vec<String>> {
    path_at(DeTable::parse(text).ok()?.get_ref(), &span?)
}

/// The path of the smallest key or value around a span; none when it is about the whole text.
fn path_at(table: &DeTable<'_>, about: &Range<usize>) -> Option<Vec<String>> {
    let mut best: Option<(usize, Vec<String>)> = None;
    let mut note = |span: Range<usize>, path: &[String]| {
        let around = span.start <= about.start && about.end <= span.end;
        if around && best.as_ref().is_none_or(|(size, _)| span.len() <= *size) {
            best = Some((span.len(), path.to_vec()));
        }
    };
    walk_table(table, &mut Vec::new(), &mut note);
    best.map(|(_, path)| path)
}

fn walk_table(table: &DeTable<'_>, path: &mut Vec<String>, note: &mut impl FnMut(Range<usize>, &[String])) {
    for (key, value) in table {
        path.push(key.get_ref().to_string());
        note(key.span(), path);
        walk_value(value.span(), value.get_ref(), path, note);
        path.pop();
    }
}

fn walk_value(
    span: Range<usize>,
    value: &DeValue<'_>,
    path: &mut Vec<String>,
    note: &mut impl FnMut(Range<usize>, &[String]),
) {
    note(span, path);
    match value {
        DeValue::Table(table) => walk_table(table, path, note),
        DeValue::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push(index.to_string());
                walk_value(item.span(), item.get_ref(), path, note);
                path.pop();
            }
        }
        _ => {}
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.as_bytes().iter().take(offset).filter(|&&b| b == b'\n').count()
}
