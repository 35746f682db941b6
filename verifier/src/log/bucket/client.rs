//! A bucket over HTTP: read an object, make one that is not there, replace one that is still as it was read.
//!
//! An answer that does not come says nothing about what was done. So each of the three can be tried again: a read is one, a name is
//! made once whoever asks, and what replaced the expected one is read before anybody says that it did not.

use super::sign::{Credentials, Signed};
use crate::clock::{now, timestamp};
use crate::log::{BucketAt, Folder};
use crate::server;
use std::sync::Arc;
use std::time::Duration;
use ureq::tls::{parse_pem, PemItem, RootCerts, TlsConfig};
use ureq::Agent;
use vitrine_attest::{Error, Result, Sha256};
use zeroize::Zeroizing;

/// For one request, with all of its bytes: a change of 64 MiB over a slow line.
const DEADLINE: Duration = Duration::from_secs(60);
const CONNECT: Duration = Duration::from_secs(10);
/// Before a request is tried again, in milliseconds.
const PAUSES: [u64; 4] = [50, 200, 800, 2000];
/// Of an answer that is no object.
const ANSWER_LIMIT: usize = 16 << 10;
const CA_LIMIT: usize = 1 << 20;

/// One bucket and prefix, with the right to write.
#[derive(Clone)]
pub struct Bucket(Arc<Inner>);

struct Inner {
    at: BucketAt,
    host: String,
    credentials: Credentials,
    agent: Agent,
}

/// Without its credentials.
impl std::fmt::Debug for Bucket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Bucket").field(&self.0.at).finish_non_exhaustive()
    }
}

/// What the store calls one state of an object (`ETag`); nothing is read out of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag(String);

impl Tag {
    /// Of no object.
    pub(super) fn wrong() -> Self {
        Self(format!("\"{:032x}\"", 1))
    }
}

#[derive(Debug, Clone)]
pub struct Object {
    pub bytes: Vec<u8>,
    pub tag: Tag,
}

/// When an object may be written.
#[derive(Debug, Clone, Copy)]
pub(super) enum When<'t> {
    Absent,
    Still(&'t Tag),
}

/// How a replacement ended.
#[derive(Debug)]
pub enum Swap {
    Done(Tag),
    /// Somebody else was first.
    Lost(Object),
}

/// What a store says to one conditional write.
#[derive(Debug)]
pub(super) enum Put {
    Done(Option<Tag>),
    /// The condition does not hold: nothing was written.
    Refused,
    /// Another write of the same object is under way: nothing was written, and nobody knows what will stand there.
    Busy,
}

/// Why there is no answer that says what was done.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The request may or may not have been carried out, now or later.
    Unknown(String),
    /// It was not, and will not be the next time either.
    Final(Error),
}

struct Answer {
    status: u16,
    tag: Option<Tag>,
    body: Vec<u8>,
}

impl Bucket {
    /// # Errors
    /// When there are no credentials, or `ca.pem` in the folder holds no certificates.
    pub fn open(at: &BucketAt, folder: &Folder) -> Result<Self> {
        let host = at.check()?;
        let credentials = Credentials::find(folder.path())?;
        let roots = match folder.ca().exists() {
            true => authorities(&crate::files::read(&folder.ca(), CA_LIMIT)?)
                .map_err(|e| e.within(folder.ca().display()))?,
            false => RootCerts::WebPki,
        };
        let agent = Agent::new_with_config(
            Agent::config_builder()
                .max_redirects(0)
                .http_status_as_error(false)
                .proxy(None)
                .user_agent("vitrine-verify")
                .timeout_connect(Some(CONNECT))
                .timeout_global(Some(DEADLINE))
                .max_idle_connections_per_host(16)
                .tls_config(TlsConfig::builder().root_certs(roots).build())
                .build(),
        );
        Ok(Self(Arc::new(Inner { at: at.clone(), host, credentials, agent })))
    }

    /// An object of at most `limit` bytes. None: there is no such object.
    ///
    /// # Errors
    /// When it cannot be had, or is longer.
    pub fn get(&self, name: &str, limit: usize) -> Result<Option<Object>> {
        self.again(name, || self.get_once(name, limit))
    }

    /// Makes an object that must not be changed ever after; one that is there already has to have the same bytes.
    ///
    /// # Errors
    /// [`vitrine_attest::Blame::Artefact`] when it has others.
    pub fn create(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.again(name, || {
            let trouble = match self.put(name, bytes, When::Absent) {
                Ok(Put::Done(_)) => return Ok(()),
                Ok(Put::Refused | Put::Busy) => "somebody else is writing it".into(),
                Err(Trouble::Unknown(why)) => why,
                Err(other) => return Err(other),
            };
            // of an earlier try of ours, of this one, or of others who lay out the same change
            match self.get_once(name, bytes.len().max(ANSWER_LIMIT))? {
                Some(object) if object.bytes == bytes => Ok(()),
                Some(_) => Err(Trouble::Final(Error::artefact(
                    format!("{} is there with other bytes than it must have", self.name(name)),
                    "somebody has changed the log's objects: run `vitrine-verify log fsck`, and do not append until you know why",
                ))),
                None => Err(Trouble::Unknown(trouble)),
            }
        })
    }

    /// Replaces an object that is still what `before` says; `limit`: of what may stand there instead.
    ///
    /// # Errors
    /// When nobody can say how it ended. It may yet be carried out: read the object before anything is done that it forbids.
    pub fn swap(&self, name: &str, bytes: &[u8], before: &Tag, limit: usize) -> Result<Swap> {
        self.again(name, || {
            let trouble = match self.put(name, bytes, When::Still(before)) {
                Ok(Put::Done(Some(tag))) => return Ok(Swap::Done(tag)),
                Ok(Put::Done(None) | Put::Refused | Put::Busy) => "somebody else is writing it".into(),
                Err(Trouble::Unknown(why)) => why,
                Err(other) => return Err(other),
            };
            // an earlier try of ours may have been carried out, or this one
            match self.get_once(name, limit)? {
                Some(object) if object.bytes == bytes => Ok(Swap::Done(object.tag)),
                Some(object) if object.tag != *before => Ok(Swap::Lost(object)),
                Some(_) => Err(Trouble::Unknown(trouble)),
                None => Err(Trouble::Final(Error::artefact(
                    format!("{} is not there any more", self.name(name)),
                    "somebody has removed the log's objects: append nothing until you know why",
                ))),
            }
        })
    }

    /// Tries a few times, while nobody knows what happened.
    fn again<T>(&self, name: &str, once: impl Fn() -> std::result::Result<T, Trouble>) -> Result<T> {
        let mut pauses = PAUSES.iter();
        loop {
            let why = match once() {
                Ok(done) => return Ok(done),
                Err(Trouble::Final(error)) => return Err(error),
                Err(Trouble::Unknown(why)) => why,
            };
            let Some(pause) = pauses.next() else {
                return Err(Error::host(
                    format!("{}: {why}", self.name(name)),
                    "nothing that was acknowledged is lost: run the same command again when the store answers",
                ));
            };
            std::thread::sleep(Duration::from_millis(*pause));
        }
    }

    fn get_once(&self, name: &str, limit: usize) -> std::result::Result<Option<Object>, Trouble> {
        let answer = self.send("GET", name, &[], None, limit)?;
        match (answer.status, answer.tag) {
            (200, Some(tag)) => Ok(Some(Object { bytes: answer.body, tag })),
            (200, None) => Err(Trouble::Final(self.unfit("an object has no ETag"))),
            (404 | 410, _) if code(&answer.body) != "NoSuchBucket" => Ok(None),
            (status, _) => Err(self.status(name, status, &answer.body)),
        }
    }

    /// One request, tried once.
    pub(super) fn put(&self, name: &str, bytes: &[u8], when: When<'_>) -> std::result::Result<Put, Trouble> {
        let (content_type, caching) = kind(name);
        let condition = match when {
            When::Absent => ("if-none-match", "*"),
            When::Still(tag) => ("if-match", tag.0.as_str()),
        };
        let headers = [("cache-control", caching), ("content-type", content_type), condition];
        let answer = self.send("PUT", name, &headers, Some(bytes), ANSWER_LIMIT)?;
        match answer.status {
            200 | 201 | 204 => Ok(Put::Done(answer.tag)),
            412 => Ok(Put::Refused),
            409 if code(&answer.body) != "InvalidBucketState" => Ok(Put::Busy),
            // If-Match on what is not there
            404 if code(&answer.body) == "NoSuchKey" => Ok(Put::Refused),
            status => Err(self.status(name, status, &answer.body)),
        }
    }

    fn send(
        &self,
        method: &'static str,
        name: &str,
        more: &[(&str, &str)],
        body: Option<&[u8]>,
        limit: usize,
    ) -> std::result::Result<Answer, Trouble> {
        let Inner { at, host, credentials, agent } = &*self.0;
        let seconds = now().map_err(Trouble::Final)?.as_secs();
        let moment: String = timestamp(seconds).chars().filter(|c| !matches!(c, '-' | ':')).collect();
        let digest = Sha256::of(body.unwrap_or_default());
        let (path, digits) = (format!("/{}/{}{name}", at.name, at.prefix), digest.to_string());
        let mut headers = vec![("host", host.as_str()), ("x-amz-content-sha256", &digits), ("x-amz-date", &moment)];
        headers.extend(more);
        headers.extend(credentials.token.as_ref().map(|token| ("x-amz-security-token", token.as_str())));
        headers.sort_unstable();
        let signed = Signed { method, path: &path, headers: &headers, body: digest };
        let line = signed.authorization(credentials, &at.region, &moment).map_err(Trouble::Final)?;
        let line = Zeroizing::new(line);
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", at.endpoint))
            .header("authorization", line.as_str());
        for (name, value) in &headers {
            request = request.header(*name, *value);
        }
        let ours = |e: ureq::http::Error| Trouble::Final(Error::bug(e.to_string()));
        let sent = match body {
            Some(body) => agent.run(request.body(body).map_err(ours)?),
            None => agent.run(request.body(()).map_err(ours)?),
        };
        let mut response = sent.map_err(|e| self.failed(&e))?;
        let status = response.status().as_u16();
        let tag = response.headers().get("etag").and_then(|tag| tag.to_str().ok()).map(|tag| Tag(tag.into()));
        let body = match server::body(&mut response, limit) {
            Ok(body) => body,
            // the status line said all that counts
            Err(_) if method == "PUT" => vec![],
            Err(ureq::Error::BodyExceedsLimit(_)) => {
                let what = format!("{} has more than {limit} bytes", self.name(name));
                let hint = "somebody has changed the log's objects: run `vitrine-verify log fsck`";
                return Err(Trouble::Final(Error::artefact(what, hint)));
            }
            Err(error) => return Err(self.failed(&error)),
        };
        Ok(Answer { status, tag, body })
    }

    /// The words of a transport error hold no header.
    fn failed(&self, error: &ureq::Error) -> Trouble {
        match error {
            error if server::of_tls(error) => Trouble::Final(Error::host(
                format!("{}: {error}", self.0.at.endpoint),
                "check the endpoint; of a store with a CA of its own, give that with `log init --ca`, or as ca.pem in the log's folder",
            )),
            other => Trouble::Unknown(other.to_string()),
        }
    }

    fn status(&self, name: &str, status: u16, body: &[u8]) -> Trouble {
        let what = format!("{}: {} (status {status})", self.name(name), code(body));
        let hint = match (status, code(body).as_str()) {
            (409 | 412 | 429 | 500.., _) if status != 501 => {
                return Trouble::Unknown(format!("{} (status {status})", code(body)))
            }
            (_, "RequestTimeout") => return Trouble::Unknown(what),
            (_, "NoSuchBucket") => "make the bucket first, or check its name",
            (_, "RequestTimeTooSkewed") => "set this computer's clock",
            (301 | 307 | 400, "PermanentRedirect" | "TemporaryRedirect" | "AuthorizationHeaderMalformed") => {
                "check --region and --endpoint: the bucket is elsewhere"
            }
            (401 | 403, _) => {
                "check the credentials, and that they may get and put objects and list the bucket (without that a \
                store does not say that an object is missing)"
            }
            (501, _) => "this store cannot write under a condition: no log can be kept in it",
            _ => "ask the store's operator",
        };
        Trouble::Final(Error::host(what, hint))
    }

    /// That the store is not one that a log can be kept in.
    pub(super) fn unfit(&self, why: &str) -> Error {
        Error::host(
            format!("{} cannot keep a log: {why}", self.0.at.endpoint),
            "take a store that writes under If-Match and If-None-Match, each of many writes at once: in another, two \
            machines would fork the log",
        )
    }

    /// For people.
    pub fn name(&self, name: &str) -> String {
        format!("s3://{}/{}{name}", self.0.at.name, self.0.at.prefix)
    }
}

/// The certificates of a PEM file.
pub(super) fn authorities(pem: &[u8]) -> Result<RootCerts> {
    let wrong = || Error::input("there is no certificate in it", "give the store's CA as a PEM file");
    let all: Vec<_> = parse_pem(pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(Ok(certificate)),
            Ok(_) => None,
            Err(_) => Some(Err(wrong())),
        })
        .collect::<Result<_>>()?;
    if all.is_empty() {
        return Err(wrong());
    }
    Ok(RootCerts::new_with_certs(&all))
}

/// How a web server should hand it on.
fn kind(name: &str) -> (&'static str, &'static str) {
    match name {
        "checkpoint" | crate::log::index::NOTE => ("text/plain; charset=utf-8", "max-age=2"),
        name if name.starts_with("private/") => ("application/octet-stream", "no-store"),
        _ => ("application/octet-stream", "public, max-age=31536000, immutable"),
    }
}

/// What stands in `<Code>` of an answer that is an error; safe to print.
fn code(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")).map(|(code, _)| code);
    match code {
        Some(code) if code.len() <= 64 && code.bytes().all(|b| b.is_ascii_alphanumeric()) => code.into(),
        _ => "no reason is given".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_safe_to_print() {
        assert_eq!(code(b"<Error><Code>NoSuchKey</Code></Error>"), "NoSuchKey");
        for bad in ["", "<Code>", "<Code>a b</Code>", "<Code>\x1b[2J</Code>", "</Code><Code>"] {
            assert_eq!(code(bad.as_bytes()), "no reason is given", "{bad}");
        }
    }

    #[test]
    fn certificates() {
        for bad in [
            "",
            "x",
            "-----BEGIN CERTIFICATE-----\nAAAA\n",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        ] {
            assert!(authorities(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
