//! Trust anchors (RFC 4033 §2): those of the configuration, or IANA's.

use crate::stop::{OrStop as _, Step, Stop};
use base64::prelude::{Engine as _, BASE64_STANDARD};
use hickory_proto::dnssec::{Algorithm, PublicKeyBuf, TrustAnchors};
use std::sync::Arc;

/// Reads `<flags> <protocol> <algorithm> <base64>` (RFC 4034 §2.2); none: IANA's, built in.
///
/// # Errors
/// `trust-anchor`: a line of another form, a key that is no zone key (flag 256) or no DNSSEC key (protocol 3).
pub fn read(lines: &[String]) -> Step<Arc<TrustAnchors>> {
    if lines.is_empty() {
        return Ok(Arc::new(TrustAnchors::default()));
    }
    let mut anchors = TrustAnchors::empty();
    for line in lines {
        anchors.insert(&key(line).or_stop("trust-anchor")?);
    }
    Ok(Arc::new(anchors))
}

fn key(line: &str) -> Step<PublicKeyBuf> {
    let mut fields = line.split_ascii_whitespace();
    let mut field = || fields.next().or_stop("trust-anchor");
    let flags: u16 = field()?.parse().or_stop("trust-anchor")?;
    let protocol: u8 = field()?.parse().or_stop("trust-anchor")?;
    let algorithm = Algorithm::from_u8(field()?.parse().or_stop("trust-anchor")?);
    // the base64 of a long key may have spaces (RFC 4034 §2.2)
    let text: String = fields.collect();
    let bytes = BASE64_STANDARD.decode(text).or_stop("trust-anchor")?;
    if flags & 0x100 == 0 || protocol != 3 || bytes.is_empty() || !algorithm.is_supported() {
        return Err(Stop("trust-anchor"));
    }
    Ok(PublicKeyBuf::new(bytes, algorithm))
}
