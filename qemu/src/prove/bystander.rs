//! Somebody who stays while the others leave: a server with users has living connections, and in their pages of memory
//! lie those that are over. Nothing of theirs is searched.

use super::server::Server;
use super::traffic::Person;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc::{channel, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;
use vitrine_attest::{Error, Result};

/// Between two packets: WireGuard never takes them for idle.
const PAUSE: Duration = Duration::from_secs(5);
/// For a packet through the tunnel; one that is lost is no failure.
const PATIENCE: Duration = Duration::from_secs(10);
const PORT: u16 = 4001;

/// Ends when dropped.
pub struct Bystander {
    person: Person,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Bystander {
    /// Comes, and keeps one connection open over which something goes every five seconds; each time there is a new flow
    /// of datagrams as well. To be called in the outside.
    ///
    /// # Errors
    /// When the tunnel does not work.
    pub fn come(server: &Server<'_>) -> Result<Self> {
        let mut person = Person::by_ipv4(9)?;
        person.come(server)?;
        let failed = |e: std::io::Error| Error::host(format!("the user who stays: {e}"), "");
        let there = TcpListener::bind((person.destination, PORT)).map_err(failed)?;
        let far = UdpSocket::bind((person.destination, PORT)).map_err(failed)?;
        let target = (person.destination, PORT);
        let client = person.client()?;
        let mut near = client.within(|| TcpStream::connect(target))?.map_err(failed)?;
        let (mut other, _) = there.accept().map_err(failed)?;
        for stream in [&near, &other] {
            stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
        }
        // Each has a flow of its own: made here, where the user's host is
        let any = || UdpSocket::bind((IpAddr::from(Ipv4Addr::UNSPECIFIED), 0));
        let flows = client.within(|| (0..200).map(|_| any()).collect::<std::io::Result<Vec<_>>>())?.map_err(failed)?;
        let (stop, stopped) = channel();
        let thread = std::thread::spawn(move || {
            let _listening = (there, far);
            for flow in flows.iter().cycle() {
                let _ = flow.send_to(b"here", target);
                let _ = near.write_all(b"here").and_then(|()| other.read_exact(&mut [0; 4]));
                if stopped.recv_timeout(PAUSE) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        });
        Ok(Self { person, stop: Some(stop), thread: Some(thread) })
    }

    pub fn destination(&self) -> IpAddr {
        self.person.destination
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
