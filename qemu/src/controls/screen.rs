//! The masks and the screen, asked by the shipped `vitrine screen`.

use super::control::Base;
use super::variant::{Findings, Variants};
use super::{Control, Expected, Judge, Layer, Verdict};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use vitrine_attest::{Error, Result};

/// Runs the screen on variants.
pub struct ScreenJudge<'a> {
    variants: &'a Variants<'a>,
    /// Where recipes of what the screen refuses are left, with waivers: for the layers behind it.
    waived: Option<&'a Path>,
}

impl<'a> ScreenJudge<'a> {
    pub fn new(variants: &'a Variants<'a>, waived: Option<&'a Path>) -> Self {
        Self { variants, waived }
    }

    /// With a waiver for exactly what was found, the same variant has to pass: then nothing else is wrong with it.
    fn waive(&self, control: &Control) -> Result<()> {
        let Some(folder) = self.waived else { return Ok(()) };
        let recipe = self.variants.waived(control, Base::Screened)?;
        let path = folder.join(format!("{}.toml", control.image_name(Base::Screened)));
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, recipe))
            .map_err(|e| Error::input(format!("{}: {e}", path.display()), "give --waived a folder to write to"))
    }
}

impl Judge for ScreenJudge<'_> {
    fn layers(&self) -> &'static [Layer] {
        &[Layer::Mask, Layer::Screen]
    }

    fn judge(&self, control: &Control, expected: &Expected) -> Result<Verdict> {
        if let Some(missing) = self.variants.missing(control) {
            return Ok(missing);
        }
        let (code, findings) = self.variants.screen(control, Base::Screened, &[])?;
        if expected.layer == Layer::Mask {
            return Ok(masked(expected, &findings));
        }
        let verdict = refused(expected, code, &findings);
        if matches!(verdict, Verdict::Caught(_)) {
            self.waive(control)?;
        }
        Ok(verdict)
    }
}

/// Every path that the control names is gone, by one of the rules.
fn masked(expected: &Expected, findings: &Findings) -> Verdict {
    let gone = |path: &&String| {
        findings.masked.iter().any(|masked| masked.path == **path && expected.rules.contains(&masked.rule))
    };
    match expected.paths.iter().find(|path| !gone(path)) {
        Some(path) => Verdict::Missed(format!("{path} is still there")),
        None => Verdict::Caught(expected.rules.clone()),
    }
}

/// Refused, by one of the rules; what a development image may have does not count.
fn refused(expected: &Expected, code: i32, findings: &Findings) -> Verdict {
    let open = findings.findings.iter().filter(|finding| finding.waived.is_none());
    let found: BTreeSet<&String> = open.map(|finding| &finding.rule).collect();
    let hit: Vec<String> = found.iter().filter(|rule| expected.rules.contains(rule)).map(|r| r.to_string()).collect();
    match (code, hit.is_empty()) {
        (1, false) => Verdict::Caught(hit),
        (0, _) => Verdict::Missed("let through".into()),
        _ => Verdict::Missed(format!(
            "exit code {code}, found: {}",
            found.iter().map(|rule| rule.as_str()).collect::<Vec<_>>().join(", ")
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(layer: Layer) -> Expected {
        Expected { layer, rules: vec!["r".into()], paths: vec!["/p".into()] }
    }

    fn findings(json: &str) -> Findings {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn only_an_open_finding_of_the_expected_rule_counts() {
        let of = |code, json: &str| refused(&expected(Layer::Screen), code, &findings(json));
        let good = r#"{"findings":[{"rule":"r","path":"/p"}],"masked":[]}"#;
        assert_eq!(of(1, good), Verdict::Caught(vec!["r".into()]));
        assert!(matches!(of(0, good), Verdict::Missed(_)));
        assert!(matches!(of(2, good), Verdict::Missed(_)));
        assert!(matches!(of(1, &good.replace("\"r\"", "\"other\"")), Verdict::Missed(_)));
        let waived = good.replace("\"/p\"", "\"/p\",\"waived\":\"a development image\"");
        assert!(matches!(of(1, &waived), Verdict::Missed(_)));
    }

    #[test]
    fn each_path_has_to_be_masked() {
        let of = |json: &str| masked(&expected(Layer::Mask), &findings(json));
        let good = r#"{"findings":[],"masked":[{"rule":"r","path":"/p"}]}"#;
        assert_eq!(of(good), Verdict::Caught(vec!["r".into()]));
        assert!(matches!(of(&good.replace("/p", "/q")), Verdict::Missed(_)));
        assert!(matches!(of(&good.replace("\"r\"", "\"s\"")), Verdict::Missed(_)));
    }
}
