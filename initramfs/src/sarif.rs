//! Findings in SARIF 2.1.0 (OASIS Static Analysis Results Interchange Format), for code hosts and editors.
//!
//! It takes findings and a rule table of any maker, so that everything that finds things writes the same form.

use crate::policy::RuleText;
use crate::report::Finding;
use serde_json::{json, Value};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// One run of one tool. Rules that only findings name (`waiver.unused`) are added to the table.
pub fn sarif(tool: &str, version: &str, rules: &[RuleText<'_>], findings: &[Finding]) -> Value {
    let mut table: Vec<RuleText<'_>> = rules.to_vec();
    for finding in findings {
        if !table.iter().any(|rule| rule.id == finding.rule) {
            table.push(RuleText { id: &finding.rule, why: &finding.why, mend: &finding.mend });
        }
    }
    let results: Vec<Value> = findings.iter().map(|finding| result(finding, &table)).collect();
    let rules: Vec<Value> = table.iter().map(rule).collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": tool, "version": version, "rules": rules } },
            "columnKind": "utf16CodeUnits",
            "results": results,
        }],
    })
}

/// `reportingDescriptor` (§3.49).
fn rule(rule: &RuleText<'_>) -> Value {
    json!({
        "id": rule.id,
        "shortDescription": { "text": rule.why },
        "help": { "text": rule.mend },
    })
}

/// `result` (§3.27).
fn result(finding: &Finding, table: &[RuleText<'_>]) -> Value {
    // the caller put every finding's rule into the table
    let index = table.iter().position(|rule| rule.id == finding.rule).unwrap_or(0);
    let mut location = json!({ "artifactLocation": { "uri": uri(&finding.path) } });
    if let Some(line) = finding.line {
        location["region"] = json!({ "startLine": line.max(1) });
    }
    let mut result = json!({
        "ruleId": finding.rule,
        "ruleIndex": index,
        "kind": if finding.unjudged() { "open" } else { "fail" },
        "level": if finding.unjudged() { "none" } else { "error" },
        "message": { "text": format!("{}: {}", finding.what, finding.why) },
        "locations": [{ "physicalLocation": location }],
    });
    if let Some(sha256) = finding.sha256 {
        result["partialFingerprints"] = json!({ "fileSha256/v1": sha256 });
    }
    if let Some(reason) = &finding.waived {
        result["suppressions"] = json!([{ "kind": "external", "status": "accepted", "justification": reason }]);
    }
    result
}

/// A path relative to the tree's root as a URI reference (RFC 3986 §4.2).
fn uri(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/@+".contains(&byte);
    let mut out = String::new();
    for byte in path.trim_start_matches('/').bytes() {
        match plain(byte) {
            true => out.push(char::from(byte)),
            false => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: RuleText<'static> = RuleText { id: "a.b", why: "because", mend: "mend it" };

    /// What SARIF 2.1.0 requires of the objects that are used (§3.13, §3.14, §3.18, §3.19, §3.27, §3.29, §3.49).
    #[test]
    fn required_structure() {
        let mut waived = Finding::new(RULE, "/etc/a b#", "x");
        waived.waived = Some("reason".into());
        waived.line = Some(3);
        let unjudged = Finding::new(RuleText { id: "judge.archive", why: "w", mend: "m" }, "initramfs", "cut");
        let log = sarif("vitrine", "1.2.3", &[RULE], &[waived, unjudged]);
        assert_eq!((log["version"].as_str(), log["$schema"].as_str()), (Some("2.1.0"), Some(SCHEMA)));
        let run = &log["runs"][0];
        let driver = &run["tool"]["driver"];
        assert_eq!(driver["name"], "vitrine");
        let rules = driver["rules"].as_array().unwrap();
        assert_eq!(rules.len(), 2, "a rule that only a finding names is missing");
        assert!(rules.iter().all(|rule| rule["id"].is_string() && rule["shortDescription"]["text"].is_string()));
        for result in run["results"].as_array().unwrap() {
            assert!(result["message"]["text"].is_string());
            let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(rules[index]["id"], result["ruleId"]);
            // §3.27.10: a level other than "none" needs kind "fail"
            assert_eq!(result["kind"] == "fail", result["level"] == "error");
            let place = &result["locations"][0]["physicalLocation"];
            assert!(place["artifactLocation"]["uri"].is_string());
            assert!(place.get("region").is_none_or(|region| region["startLine"].as_u64() >= Some(1)));
        }
        let first = &run["results"][0];
        assert_eq!(first["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "etc/a%20b%23");
        assert_eq!(first["suppressions"][0]["kind"], "external");
        assert!(run["results"][1].get("suppressions").is_none());
    }
}
