//! Rules against facts.

use crate::fact::{Arg, Fact, Kind};
use crate::language::Language;
use crate::pattern::Pattern;
use crate::rules::{Rule, Switch};

/// Whether a rule is for this language: by the first part of its id.
pub fn concerns(rule: &Rule, language: Language) -> bool {
    matches!(rule.id.split('.').next(), Some(prefix) if prefix == language.name() || prefix == "any")
}

/// Whether a fact of this kind can hit the rule at all.
pub fn looks_at(rule: &Rule, kind: Kind) -> bool {
    !patterns(rule, kind).is_empty() || (kind == Kind::Call && !rule.methods.is_empty())
}

fn patterns(rule: &Rule, kind: Kind) -> &[Pattern] {
    match kind {
        Kind::Call => &rule.calls,
        Kind::Decorator => &rule.decorators,
        Kind::Import => &rule.imports,
        Kind::Assign => &rule.assigns,
        Kind::Return => &rule.returns,
        Kind::Command => &rule.commands,
        Kind::Redirect => &rule.redirects,
        Kind::Dependency => &rule.dependencies,
        Kind::Define => &[],
    }
}

/// What of a fact matches a rule, in words; `None` when it does not.
pub fn hit(rule: &Rule, fact: &Fact) -> Option<String> {
    let patterns = patterns(rule, fact.kind);
    let name = match fact.kind {
        Kind::Assign => assigned(patterns, fact)?,
        Kind::Call => fact.names.iter().find(|name| any(patterns, name)).or_else(|| method(rule, fact))?.clone(),
        _ => fact.names.iter().find(|name| any(patterns, name))?.clone(),
    };
    let held = !any(&rule.except, &name)
        && (rule.args.is_empty() || fact.args.iter().any(|arg| has(&rule.args, arg)))
        && !fact.args.iter().any(|arg| has(&rule.no_args, arg))
        && (rule.mentions.is_empty() || fact.mentions.iter().any(|name| any(&rule.mentions, name)))
        && (!rule.handler || fact.handler);
    held.then(|| words(fact, &name))
}

/// What a fact of this kind has to be named to switch something off.
pub fn switch_of(switch: &Switch, kind: Kind) -> Option<&Pattern> {
    match kind {
        Kind::Call => switch.call.as_ref(),
        Kind::Define => switch.define.as_ref(),
        Kind::Command => switch.command.as_ref(),
        Kind::Assign => switch.assign.as_ref(),
        _ => None,
    }
}

/// Whether a fact switches something off.
pub fn switches(switch: &Switch, fact: &Fact) -> bool {
    let Some(pattern) = switch_of(switch, fact.kind) else { return false };
    let one = (fact.kind == Kind::Assign).then(|| fact.args.first()).flatten();
    let named = |name: &String| match one {
        Some(value) => pattern.matches(&format!("{name}={}", value.text)),
        None => pattern.matches(name),
    };
    let given = |wanted: &Pattern| fact.args.iter().any(|arg| argument(wanted, arg));
    fact.names.iter().any(named) && switch.args.iter().all(given)
}

fn any(patterns: &[Pattern], name: &str) -> bool {
    patterns.iter().any(|pattern| pattern.matches(name))
}

fn has(patterns: &[Pattern], arg: &Arg) -> bool {
    patterns.iter().any(|pattern| argument(pattern, arg))
}

/// `0=*` looks at the first argument, `*=a` at any, `name=…` at a named one. No text is built for a mismatch.
fn argument(pattern: &Pattern, arg: &Arg) -> bool {
    let by_name = |name: &str| name == arg.name || name == "*";
    pattern.text().split_once('=').is_some_and(|(name, _)| by_name(name))
        && pattern.matches(&format!("{}={}", arg.name, arg.text))
}

fn assigned(patterns: &[Pattern], fact: &Fact) -> Option<String> {
    let value = fact.args.first().map_or("", |arg| arg.text.as_str());
    let full = |name: &String| format!("{name}={value}");
    fact.names.iter().map(full).find(|text| any(patterns, text))
}

/// `logger.info` with a logger of somebody else's making.
fn method<'a>(rule: &Rule, fact: &'a Fact) -> Option<&'a String> {
    if rule.methods.is_empty() {
        return None;
    }
    let fits = |name: &&String| {
        let Some((receiver, method)) = name.rsplit_once('.') else { return false };
        any(&rule.methods, method) && any(&rule.receivers, &receiver.replace('~', "").to_ascii_lowercase())
    };
    fact.names.iter().find(fits).or_else(|| Some(&fact.raw).filter(fits))
}

/// `calls logging.getLogger("x").info`
fn words(fact: &Fact, name: &str) -> String {
    let name = name.replace('~', "");
    match fact.kind {
        Kind::Call => format!("uses {name}"),
        Kind::Decorator => format!("is decorated with {name}"),
        Kind::Import => format!("imports {name}"),
        Kind::Assign => format!("sets {name}"),
        Kind::Return => format!("gives back what an error says, in {name}"),
        Kind::Command => format!("runs {name}"),
        Kind::Redirect => format!("writes to {name}"),
        Kind::Dependency => format!("depends on {name}"),
        Kind::Define => format!("defines {name}"),
    }
}
