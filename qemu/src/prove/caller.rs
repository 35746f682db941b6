//! Who calls a gateway from outside, with canaries in everything: paths, queries, bodies, keys, headers that are passed on and such
//! that are dropped, letters beyond ASCII.

mod streams;

use super::canary::{self, Canary, Kind, Value};
use crate::world::{self, tool, Api, GUEST, GUEST6};
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{Child, Stdio};
use std::time::Duration;
use vitrine_attest::digest::hex;
use vitrine_attest::{Error, Result};

/// For one program on a busy machine, in seconds.
const PATIENCE: &str = "60";
/// Each request is made so often: the gateway has several threads.
const ROUNDS: usize = 4;

/// A caller, and what only they have.
pub struct Caller {
    outer: IpAddr,
    /// The gateway as a URL has it.
    base: String,
    path: Vec<u8>,
    body: Vec<u8>,
    credential: String,
    /// Stands behind letters beyond ASCII.
    unicode: String,
    /// In headers that the gateway drops.
    dropped: String,
    /// In what goes wrong.
    word: String,
    wrong: Vec<u8>,
    /// There is a program of the operator's own.
    app: bool,
    /// Reads events for ever.
    listening: Option<Child>,
}

impl Caller {
    /// # Errors
    /// When the kernel has no random bytes.
    pub fn by_ipv6(port: u16, app: bool) -> Result<Self> {
        Self::new(canary::address(canary::ENDPOINTS)?.into(), format!("https://[{GUEST6}]:{port}"), app)
    }

    /// # Errors
    /// When the kernel has no random bytes.
    pub fn by_ipv4(port: u16, app: bool) -> Result<Self> {
        Self::new(canary::endpoint4()?.into(), format!("https://{GUEST}:{port}"), app)
    }

    fn new(outer: IpAddr, base: String, app: bool) -> Result<Self> {
        let [path, body, wrong] = [canary::token()?, canary::token()?, canary::token()?];
        let [credential, unicode, dropped, word] =
            [canary::label()?, canary::label()?, canary::label()?, canary::label()?];
        Ok(Self { outer, base, path, body, credential, unicode, dropped, word, wrong, app, listening: None })
    }

    /// All that is looked for because of them; `api` answers them.
    ///
    /// # Errors
    /// Our own bug.
    pub fn canaries(&self, api: &Api) -> Result<Vec<Canary>> {
        let mut all = vec![Canary::of_hex(Kind::Answer, api.token())?];
        all.extend(
            [&self.path, &self.body, &self.wrong].map(|bytes| Canary::new(Kind::Payload, Value::Bytes(bytes.clone()))),
        );
        let texts = [&self.unicode, &self.dropped, &self.word];
        all.extend(texts.map(|text| Canary::new(Kind::Payload, Value::Text(text.clone()))));
        all.push(Canary::new(Kind::Credential, Value::Text(self.credential.clone())));
        match self.outer {
            IpAddr::V4(outer) => {
                all.push(Canary::address(Kind::Endpoint4, outer));
                let pair = |from: Ipv4Addr, to| Canary::new(Kind::Endpoint4, Value::Pair(from, to));
                all.extend([pair(outer, GUEST), pair(GUEST, outer)]);
            }
            outer => all.push(Canary::address(Kind::Endpoint, outer)),
        }
        Ok(all)
    }

    /// What is sent as a body.
    fn field(&self) -> String {
        format!("{{\"prompt\":\"grüße-{}\",\"key\":\"{}\"}}", self.unicode, hex(&self.body))
    }

    /// Requests that are answered, over HTTP/1.1 and HTTP/2, and 100 MB in one of them.
    ///
    /// # Errors
    /// When one is not: then nothing is proven.
    pub fn act(&self, api: &Api) -> Result<()> {
        let (path, body, field) = (hex(&self.path), hex(&self.body), self.field());
        let unicode = format!("gr%C3%BC%C3%9Fe-{}", self.unicode);
        for version in ["--http1.1", "--http2"].iter().cycle().take(2 * ROUNDS) {
            let answers = [
                self.call(&[version, &self.at(&format!("/v1/echo/{path}/{unicode}?q={body}"))])
                    .succeeded("a request to the gateway")?,
                self.call(&[version, "--data-binary", &field, &self.at(&format!("/v1/echo/{path}"))])
                    .succeeded("a body")?,
            ];
            if self.app {
                let path = self.at(&format!("/app/{path}/{unicode}?q={body}"));
                self.call(&[version, "--fail", "--data-binary", &field, &path]).succeeded("the operator's program")?;
            }
            if answers.iter().any(|answer| answer != api.token()) {
                return Err(Error::bug(format!("other answers: {answers:?}")));
            }
        }
        let events = self.call(&["--no-buffer", &self.at("/v1/stream")]).succeeded("a stream")?;
        if events.matches("data: ").count() != world::PIECES {
            return Err(Error::host(format!("not all events: {events}"), ""));
        }
        match self.outer {
            IpAddr::V6(_) => self.uploads(),
            IpAddr::V4(_) => self.downloads(),
        }
    }

    /// Requests that go wrong: no route, no upstream, a wrong certificate, an answer that repeats the request, one that breaks
    /// off, bodies that break off, and what is no HTTP.
    ///
    /// # Errors
    /// When the upstream's own error does not come through.
    pub fn err(&self) -> Result<()> {
        let wrong = hex(&self.wrong);
        let body = format!("{wrong} {}", self.word);
        for _ in 0..ROUNDS {
            let said = self.call(&["--data-binary", &body, &self.at(&format!("/v1/fail/{wrong}"))]);
            if !said.out.contains(&body) {
                return Err(Error::host(format!("the upstream's error did not come: {}{}", said.out, said.err), ""));
            }
            // The failures of these are the point of them
            for path in ["nowhere", "silent", "stranger", "v1/../x", "v1/break", "v1//x", "v1/%2e%2e", "v1/%ff"] {
                self.call(&["--path-as-is", "--data-binary", &body, &self.at(&format!("/{path}/{wrong}"))]);
            }
            self.call(&["--request", &wrong, &self.at("/v1/echo")]);
            self.call(&["--header", &format!("x-{wrong}: {}", "x".repeat(20_000)), &self.at("/v1/echo")]);
            self.call(&[
                "--header",
                "Content-Length: 5",
                "--header",
                "Transfer-Encoding: chunked",
                "--data-binary",
                &body,
                &self.at("/v1/echo"),
            ]);
            for version in ["--http1.1", "--http2"] {
                self.break_off(version, &body)?;
            }
        }
        self.no_tls(&body);
        Ok(())
    }

    /// Bytes of nobody's protocol.
    fn no_tls(&self, words: &str) {
        let server: Option<SocketAddr> = self.base.strip_prefix("https://").and_then(|address| address.parse().ok());
        let Some(server) = server else { return };
        for _ in 0..ROUNDS {
            if let Ok(mut stream) = std::net::TcpStream::connect_timeout(&server, Duration::from_secs(5)) {
                let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
                let _ = stream.write_all(format!("POST /{words} HTTP/1.1\r\n\r\n{words}").as_bytes());
                let _ = stream.read(&mut [0; 64]);
            }
        }
    }

    fn at(&self, path: &str) -> String {
        [&self.base, path].concat()
    }

    /// For curl: who calls, and what each request of theirs has.
    fn words(&self, words: &[&str]) -> Vec<String> {
        let always = ["--silent", "--show-error", "--insecure", "--max-time", PATIENCE].map(String::from);
        let from = ["--interface".into(), self.outer.to_string()];
        let headers = [
            format!("Authorization: Bearer {}", self.credential),
            format!("X-Forwarded-For: {}", self.dropped),
            format!("User-Agent: {}", self.dropped),
            format!("Cookie: who={}", self.dropped),
        ];
        let headers = headers.into_iter().flat_map(|header| ["--header".into(), header]);
        always.into_iter().chain(from).chain(headers).chain(words.iter().map(ToString::to_string)).collect()
    }

    fn call(&self, words: &[&str]) -> world::Said {
        let words = self.words(words);
        world::run("curl", &words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// With its input and output to us.
    fn start(&self, words: &[&str]) -> Result<Child> {
        let mut command = tool("curl");
        command.args(self.words(words));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        command.spawn().map_err(|e| Error::host(format!("curl: {e}"), "install curl"))
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        self.vanish();
    }
}

/// `timeout` passes it on to the program.
fn end(child: &mut Child) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
    let _ = child.wait();
}
