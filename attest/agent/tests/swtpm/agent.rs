//! The agent as init starts it: a socket on fd 3, an empty environment, nothing to print to.

use crate::machine::Machine;
use serde_json::{json, Value};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

/// Init's end of the line.
pub struct Init(BufReader<UnixStream>);

impl Init {
    pub fn read(&mut self) -> Value {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("the agent said {line:?}"))
    }

    pub fn write(&mut self, word: &Value) {
        self.0.get_mut().write_all(format!("{word}\n").as_bytes()).unwrap();
    }

    pub fn hang_up(&self) {
        self.0.get_ref().shutdown(Shutdown::Both).unwrap();
    }
}

/// A running agent. Ended when dropped, and it must not have printed anything by then.
pub struct Agent {
    process: Child,
    init: UnixStream,
    port: u16,
    output: std::path::PathBuf,
}

impl Agent {
    /// Starts it and gives its first word.
    pub fn start(machine: &Machine, hello: &Value) -> (Self, Value) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(PATIENCE)).unwrap();
        let output = machine.folder.join("output");
        // the shell moves the socket from 0 to 3, which std cannot do without unsafe code
        let process = Command::new("/bin/sh")
            .args(["-c", "exec \"$0\" 3<&0 0</dev/null >>\"$1\" 2>&1"])
            .arg(env!("CARGO_BIN_EXE_vitrine-agent"))
            .arg(&output)
            .env_clear()
            .env("VITRINE_TCTI", &machine.tcti)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .spawn()
            .unwrap();
        let port = u16::try_from(hello["port"].as_u64().unwrap()).unwrap();
        let agent = Self { process, init: ours, port, output };
        let mut init = agent.init();
        init.write(hello);
        let word = init.read();
        (agent, word)
    }

    pub fn measured(machine: &Machine, hello: &Value) -> Self {
        let (agent, word) = Self::start(machine, hello);
        assert_eq!(word, json!({"measured": true}));
        agent
    }

    /// Lets it serve and waits until it listens.
    pub fn serve(&mut self) {
        self.init().write(&json!({"serve": true}));
        for _ in 0..500 {
            if self.listens() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the agent does not listen");
    }

    pub fn listens(&self) -> bool {
        TcpStream::connect(("127.0.0.1", self.port)).is_ok()
    }

    pub fn init(&self) -> Init {
        Init(BufReader::new(self.init.try_clone().unwrap()))
    }

    /// One request on a connection of its own: status and body.
    pub fn post(&self, path: &str, body: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").expect("no headers");
        let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).expect("no status line");
        (status.parse().unwrap(), body.to_owned())
    }

    /// Waits for its end.
    pub fn exit_code(&mut self) -> i32 {
        for _ in 0..500 {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status.code().expect("ended by a signal");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the agent goes on");
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let printed = std::fs::read_to_string(&self.output).unwrap_or_default();
        if !std::thread::panicking() {
            assert_eq!(printed, "", "the agent printed something");
        }
    }
}
