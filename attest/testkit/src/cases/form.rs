//! Evidence that cannot be read, or can be read in two ways.

use super::{done, whole, Files, Group};
use crate::firmware::Event;
use crate::Stage;
use vitrine_attest::canonical::to_canonical_json;
use vitrine_attest::evidence::Evidence;
use vitrine_attest::Result;

pub const ALL: Group = &[
    ("evidence-empty", |stage| text(stage, |_| String::new())),
    ("evidence-is-a-web-page", |stage| text(stage, |_| "<html>busy</html>".into())),
    ("evidence-cut-off", |stage| text(stage, |json| json[..json.len() - 300].into())),
    ("evidence-followed-by-more", |stage| text(stage, |json| json + "{}")),
    ("evidence-unknown-field", |stage| text(stage, |json| json.replacen('{', r#"{"trusted":true,"#, 1))),
    ("evidence-field-twice", |stage| text(stage, |json| json.replacen('{', r#"{"image_id":"exit 1.0 other","#, 1))),
    ("evidence-field-missing", |stage| text(stage, |json| json.replacen(r#""runtime_log":"#, r#""runtime":"#, 1))),
    ("evidence-nested-deeply", |stage| {
        text(stage, |json| json.replacen(r#""rotated""#, r#""r""#, 1).replacen('{', &nested(), 1))
    }),
    ("evidence-not-utf-8", |stage| {
        let draft = stage.genuine()?;
        let mut json = to_canonical_json(&draft.evidence)?;
        let at = json.windows(8).position(|w| w == b"exit 1.0").unwrap_or_default();
        json[at] = 0xff;
        whole(draft.finish_with(json)?)
    }),
    ("evidence-version-1", |stage| done(stage.sent(|e| e.v = 1))),
    ("evidence-version-3", |stage| done(stage.sent(|e| e.v = 3))),
    ("evidence-base64-with-white-space", |stage| {
        text(stage, |json| json.replacen(r#""attest":""#, r#""attest":"\n"#, 1))
    }),
    ("evidence-key-of-31-bytes", |stage| {
        let key = format!(r#""wg_pub":"{}""#, stage.boot.record.keys.wg_pub);
        text(stage, |json| json.replacen(&key, r#""wg_pub":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==""#, 1))
    }),
    ("evidence-key-as-a-list", |stage| {
        let key = format!(r#""wg_pub":"{}""#, stage.boot.record.keys.wg_pub);
        text(stage, |json| json.replacen(&key, r#""wg_pub":[1,2,3]"#, 1))
    }),
    ("ek-pub-followed-by-a-byte", |stage| sent(stage, |e| e.ek_pub.push(0))),
    ("ek-pub-modulus-of-another-length", |stage| sent(stage, |e| e.ek_pub[50] = 0x10)),
    ("ak-pub-cut-off", |stage| sent(stage, |e| e.ak_pub.truncate(40))),
    ("ak-pub-is-a-symmetric-key", |stage| sent(stage, |e| e.ak_pub[..2].copy_from_slice(&[0, 0x25]))),
    ("attest-empty", |stage| sent(stage, |e| e.attest.clear())),
    ("attest-cut-off", |stage| sent(stage, |e| e.attest.truncate(100))),
    ("signature-empty", |stage| sent(stage, |e| e.signature.clear())),
    ("signature-followed-by-a-byte", |stage| sent(stage, |e| e.signature.push(0))),
    ("signature-by-hmac", |stage| sent(stage, |e| e.signature[..2].copy_from_slice(&[0, 5]))),
    ("runtime-log-of-65-events", |stage| sent(stage, |e| e.runtime_log = vec![e.runtime_log[2].clone(); 65])),
    ("firmware-log-of-4097-events", |stage| {
        let mut log = stage.boot.log.clone();
        let empty = Event { digests: vec![], ..Event::informs(0, b"") };
        log.events.resize(4097, empty);
        done(stage.sent(|e| e.firmware_log = log.bytes()))
    }),
];

/// Lists in lists, deeper than any reader that calls itself can go.
fn nested() -> String {
    format!(r#"{{"rotated":{}{},"#, "[".repeat(5000), "]".repeat(5000))
}

fn sent(stage: &Stage, change: impl FnOnce(&mut Evidence)) -> Result<Files> {
    done(stage.sent(change))
}

/// M2 with its text changed.
fn text(stage: &Stage, change: impl FnOnce(String) -> String) -> Result<Files> {
    let draft = stage.genuine()?;
    let json = String::from_utf8_lossy(&to_canonical_json(&draft.evidence)?).into_owned();
    whole(draft.finish_with(change(json).into_bytes())?)
}
