//! Canonical JSON (RFC 8785), limited to what our forms hold: no floating-point numbers.

use crate::{Error, Result};
use serde::Serialize;
use serde_json::Value;

/// Serializes to canonical JSON: keys sorted by UTF-16 code units, no white space, one spelling per value.
///
/// # Errors
/// When the value holds a number that is not an integer (§3.2.2.3 would need ECMAScript's number form).
pub fn to_canonical_json<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    let value = serde_json::to_value(value).map_err(|e| Error::bug(format!("value has no JSON form: {e}")))?;
    let mut out = Vec::new();
    write(&value, &mut out)?;
    Ok(out)
}

fn write(value: &Value, out: &mut Vec<u8>) -> Result<()> {
    match value {
        Value::Number(number) if !(number.is_i64() || number.is_u64()) => {
            return Err(Error::input(
                format!("number {number} is not an integer"),
                "write it as a whole number or as a string",
            ));
        }
        Value::Array(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write(item, out)?;
            }
            out.push(b']');
        }
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            // ASCII has the same order in both encodings
            if entries.iter().all(|(key, _)| key.is_ascii()) {
                entries.sort_unstable_by_key(|(key, _)| *key);
            } else {
                entries.sort_by_cached_key(|(key, _)| key.encode_utf16().collect::<Vec<_>>());
            }
            out.push(b'{');
            for (i, (key, item)) in entries.into_iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_scalar(key, out)?;
                out.push(b':');
                write(item, out)?;
            }
            out.push(b'}');
        }
        scalar => write_scalar(scalar, out)?,
    }
    Ok(())
}

/// serde_json's string escapes are those of RFC 8785 §3.2.2.2.
fn write_scalar<T: Serialize + ?Sized>(scalar: &T, out: &mut Vec<u8>) -> Result<()> {
    serde_json::to_writer(out, scalar).map_err(|e| Error::bug(format!("value has no JSON form: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sorted_and_tight() {
        let value = json!({"b": [1, true, null, "é\n"], "a": {"z": -1, "y": {}}});
        let text = String::from_utf8(to_canonical_json(&value).unwrap()).unwrap();
        assert_eq!(text, r#"{"a":{"y":{},"z":-1},"b":[1,true,null,"é\n"]}"#);
    }

    /// RFC 8785 §3.2.3: U+E000 comes after a character that UTF-16 writes with surrogates, and before it in UTF-8.
    #[test]
    fn keys_in_the_order_of_utf_16() {
        let value = json!({"\u{e000}": 1, "\u{1f600}": 2, "a\"": 3});
        let text = String::from_utf8(to_canonical_json(&value).unwrap()).unwrap();
        assert_eq!(text, "{\"a\\\"\":3,\"\u{1f600}\":2,\"\u{e000}\":1}");
    }

    #[test]
    fn floats_are_refused() {
        assert!(to_canonical_json(&json!({"a": 0.5})).is_err());
    }
}
