//! The one program that a rule accepts below `/app`: what the measured configuration starts there.

use super::Seen;
use crate::app::APP_ROOT;
use crate::item::Item;
use crate::policy::{FileRule, Policy};
use serde::Deserialize;

/// The configuration, in every image.
const CONFIG: &str = "/etc/vitrine/config.json";
/// Where the finding is shown as accepted.
const REASON: &str = "the program that the measured configuration starts as [app], below /app and nowhere else";

#[derive(Deserialize)]
struct Config {
    app: Option<App>,
}

#[derive(Deserialize)]
struct App {
    command: Vec<String>,
}

/// The program's path in the image, when this thing is the configuration and starts one.
pub fn program(item: &Item<'_>) -> Option<String> {
    if item.path != CONFIG {
        return None;
    }
    let config: Config = serde_json::from_slice(item.bytes()).ok()?;
    config.app?.command.first().map(|program| format!("{APP_ROOT}{program}"))
}

/// Marks the findings about it that its rules accept.
pub fn accept(seen: &mut Seen, policy: &Policy) {
    let Some(program) = &seen.app else { return };
    let accepts = |rule: &FileRule, id: &str| rule.app && rule.id == id;
    for finding in seen.findings.iter_mut().filter(|finding| finding.path == *program && finding.waived.is_none()) {
        if policy.files.iter().any(|rule| accepts(rule, &finding.rule)) {
            finding.waived = Some(REASON.into());
        }
    }
}

#[cfg(test)]
#[path = "app_tests.rs"]
mod tests;
