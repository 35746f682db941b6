//! AWS Signature Version 4, in a header, for requests without a query: all that is needed here. By hand, for it is fifty lines
//! over an HMAC that is here already, and the crate that does it brings forty others (parsers of addresses, calendars).

use hmac::{Hmac, Mac as _};
use vitrine_attest::digest::hex;
use vitrine_attest::{Error, Result, Sha256};
use zeroize::Zeroizing;

/// Who asks. The secret half is in no text that this program writes.
pub(super) struct Credentials {
    pub id: String,
    pub secret: Zeroizing<String>,
    /// Of credentials that end.
    pub token: Option<Zeroizing<String>>,
}

/// What is signed of a request.
pub(super) struct Signed<'r> {
    pub method: &'r str,
    /// As it is sent, with `%` where it has to be.
    pub path: &'r str,
    /// In lower case, in the order of their names; among them `host`, `x-amz-content-sha256` and `x-amz-date`.
    pub headers: &'r [(&'r str, &'r str)],
    pub body: Sha256,
}

impl Signed<'_> {
    /// The value of the header `authorization`. `moment`: that of `x-amz-date`, `20130524T000000Z`.
    ///
    /// # Errors
    /// When the moment is none.
    pub fn authorization(&self, credentials: &Credentials, region: &str, moment: &str) -> Result<String> {
        let day = moment.get(..8).ok_or_else(|| Error::bug("no moment"))?;
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let lines: String = self.headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
        let request = format!("{}\n{}\n\n{lines}\n{names}\n{}", self.method, self.path, self.body);
        let scope = format!("{day}/{region}/s3/aws4_request");
        let text = format!("AWS4-HMAC-SHA256\n{moment}\n{scope}\n{}", Sha256::of(request.as_bytes()));
        let mut key = Zeroizing::new(format!("AWS4{}", *credentials.secret).into_bytes());
        for word in [day, region, "s3", "aws4_request"] {
            key = Zeroizing::new(mac(&key, word)?.to_vec());
        }
        let signature = hex(&mac(&key, &text)?);
        Ok(format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope},SignedHeaders={names},Signature={signature}",
            credentials.id
        ))
    }
}

fn mac(key: &[u8], text: &str) -> Result<[u8; 32]> {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key).map_err(|e| Error::bug(e.to_string()))?;
    mac.update(text.as_bytes());
    Ok(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Examples of the Amazon S3 API Reference, "Signature Calculations for the Authorization Header".
    #[test]
    fn the_examples_of_the_reference() {
        let credentials = Credentials {
            id: "AKIAIOSFODNN7EXAMPLE".into(),
            secret: Zeroizing::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into()),
            token: None,
        };
        let (host, moment) = ("examplebucket.s3.amazonaws.com", "20130524T000000Z");
        let nothing = Sha256::of(b"");
        let get = Signed {
            method: "GET",
            path: "/test.txt",
            headers: &[
                ("host", host),
                ("range", "bytes=0-9"),
                ("x-amz-content-sha256", &nothing.to_string()),
                ("x-amz-date", moment),
            ],
            body: nothing,
        };
        let line = get.authorization(&credentials, "us-east-1", moment).unwrap();
        assert_eq!(
            line,
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
            SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,\
            Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        );
        let body = Sha256::of(b"Welcome to Amazon S3.");
        let put = Signed {
            method: "PUT",
            path: "/test%24file.text",
            headers: &[
                ("date", "Fri, 24 May 2013 00:00:00 GMT"),
                ("host", host),
                ("x-amz-content-sha256", &body.to_string()),
                ("x-amz-date", moment),
                ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ],
            body,
        };
        let line = put.authorization(&credentials, "us-east-1", moment).unwrap();
        assert!(line.ends_with("=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"), "{line}");
    }
}
