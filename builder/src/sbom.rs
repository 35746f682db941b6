//! The bill of materials: CycloneDX 1.6, JSON. Same image, same bytes: no time stamp, no random serial number.
//!
//! ```json
//! {"$schema":"http://cyclonedx.org/schema/bom-1.6.schema.json","bomFormat":"CycloneDX","specVersion":"1.6",
//!  "serialNumber":"urn:uuid:…","version":1,"metadata":{"component":{…}},
//!  "components":[{"bom-ref":"pkg:deb/debian/libc6@2.41-12?arch=amd64","type":"library",…}]}
//! ```

use serde_json::{json, Value};
use vitrine_attest::digest::hex;
use vitrine_attest::statement::{Input, Release};
use vitrine_attest::{Error, Result, Sha256};

/// `kind` of an input that is a Debian package.
pub const DEB: &str = "deb";
/// `kind` of an input that is one of our own programs.
pub const PROGRAM: &str = "program";
/// `kind` of an input that is a file of the recipe: `image.files`.
pub const FILE: &str = "file";

/// The bill of one release, in pretty JSON with a newline at the end.
pub fn write(release: &Release) -> Result<Vec<u8>> {
    let bill = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": serial_number(release),
        "version": 1,
        "metadata": {
            "component": {
                "bom-ref": release.fingerprint.to_string(),
                "type": "operating-system",
                "name": release.image.name,
                "version": release.image.version,
                "properties": [
                    {"name": "vitrine:fingerprint", "value": release.fingerprint.to_string()},
                    {"name": "vitrine:authenticode", "value": release.image.authenticode},
                    {"name": "vitrine:lock", "value": release.image.lock},
                ],
            },
        },
        "components": release.inputs.iter().map(component).chain(own_program(release)).collect::<Vec<_>>(),
    });
    let mut bytes =
        serde_json::to_vec_pretty(&bill).map_err(|e| Error::bug(format!("bill of materials has no JSON form: {e}")))?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn component(input: &Input) -> Value {
    let (kind, purl) = match input.kind.as_str() {
        DEB => ("library", format!("pkg:deb/debian/{}@{}?arch=amd64", input.name, percent(&input.version))),
        FILE => ("file", format!("pkg:generic{}@{}", input.name, percent(&input.version))),
        _ => ("application", format!("pkg:generic/{}@{}", input.name, percent(&input.version))),
    };
    json!({
        "bom-ref": purl,
        "type": kind,
        "name": input.name,
        "version": input.version,
        "purl": purl,
        "hashes": [{"alg": "SHA-256", "content": input.sha256}],
    })
}

/// A program of the operator's own: everything in its root has one hash, see [`vitrine_attest::app_facts::AppFacts::files`].
fn own_program(release: &Release) -> Option<Value> {
    let app = release.app.as_ref()?;
    Some(json!({
        "bom-ref": "app",
        "type": "application",
        "name": "app",
        "version": release.image.version,
        "properties": [
            {"name": "vitrine:app-files", "value": app.files},
            {"name": "vitrine:app-sources", "value": app.sources},
        ],
    }))
}

/// Package URL specification, "Character encoding": all but unreserved characters of RFC 3986 §2.3 and `:`.
fn percent(version: &str) -> String {
    let mut out = String::new();
    for byte in version.bytes() {
        match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'.' | b'_' | b'~' | b':' => out.push(byte as char),
            _ => out.push_str(&format!("%{}", hex(&[byte]).to_uppercase())),
        }
    }
    out
}

/// A UUID of version 8 (RFC 9562 §5.8) over the fingerprint.
fn serial_number(release: &Release) -> String {
    let mut bytes = Sha256::of_parts(&[b"vitrine sbom v1\0", &release.fingerprint.0 .0]).0;
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = hex(&bytes[..16]);
    let (a, b, c, d, e) = (&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]);
    format!("urn:uuid:{a}-{b}-{c}-{d}-{e}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::tests::sample;

    #[test]
    fn form() {
        let bytes = write(&sample()).unwrap();
        assert_eq!(bytes, write(&sample()).unwrap());
        let bill: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(bill["specVersion"], "1.6");
        let serial = bill["serialNumber"].as_str().unwrap();
        assert_eq!((serial.len(), &serial[23..24]), (45, "8"));
        assert_eq!(bill["components"][0]["purl"], "pkg:deb/debian/libc6@2.41-12%2Bb1?arch=amd64");
        assert_eq!(bill["components"][1]["type"], "application");
        assert_eq!(bill["components"].as_array().unwrap().len(), 2, "an image without a program of the operator's own");
        assert_eq!(bill["components"][0]["hashes"][0]["content"], Sha256::ZERO.to_string());
    }
}
