//! The authorities: a root, `org.`, and zones below it, each on an address of its own.

use super::authority::Authority;
use super::zone::{tamper, zone, Key, Zone};
use super::{host, network, AUTHORITIES};
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::{Name, RData};
use hickory_server::zone_handler::ZoneHandler as _;
use std::net::{Ipv4Addr, SocketAddr};

pub struct World {
    pub network: [u8; 3],
    /// The root's key.
    pub anchor: String,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

const SOA: &str = "@ 300 IN SOA ns hostmaster 1 3600 600 86400 30\n";

impl World {
    pub fn host(&self, number: u8) -> Ipv4Addr {
        host(self.network, number)
    }

    pub fn start() -> Self {
        let network = network();
        let (zones, anchor) = zones(network);
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let (ready, wait) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                for (number, mut zone) in zones {
                    let records = std::mem::take(zone.records_get_mut());
                    let origin = Name::from(zone.origin().clone());
                    let address = SocketAddr::new(host(network, number).into(), AUTHORITIES);
                    Authority { origin, records }.serve(address).await;
                }
                ready.send(()).unwrap();
                let _ = stopped.await;
            });
        });
        wait.recv().unwrap();
        Self { network, anchor, stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap();
    }
}

/// A delegation with glue.
fn delegate(name: &str, address: Ipv4Addr) -> String {
    format!("{name}. 300 IN NS ns.{name}.\nns.{name}. 300 IN A {address}\n")
}

fn apex(address: Ipv4Addr) -> String {
    format!("{SOA}@ 300 IN NS ns\nns 300 IN A {address}\n")
}

fn zones(network: [u8; 3]) -> (Vec<(u8, Zone)>, String) {
    let at = |number| host(network, number);
    let (root, org, example, bogus, tampered) =
        (Key::new("."), Key::new("org."), Key::new("example.org."), Key::new("bogus.org."), Key::new("tampered.org."));
    let anchor = root.anchor();
    let root_text = apex(at(1)) + &delegate("org", at(2)) + &org.ds();
    let org_text = apex(at(2))
        + &delegate("example.org", at(3))
        + &example.ds()
        + &delegate("bogus.org", at(4))
        + &bogus.ds()
        + &delegate("plain.org", at(5))
        + &delegate("tampered.org", at(6))
        + &tampered.ds()
        + &delegate("garbage.org", at(10))
        + &delegate("wrongid.org", at(11))
        + &delegate("silent.org", at(12))
        + &delegate("huge.org", at(13))
        + &delegate("referral.org", at(14))
        + &delegate("slow.org", at(15))
        + &delegate("poison.org", at(16))
        // one of two servers is silent
        + &delegate("half.org", at(12))
        + &format!("ns.half.org. 300 IN A {}\n", at(7))
        // each other's servers, without an address anywhere
        + "ring1.org. 300 IN NS ns.ring2.org.\nring2.org. 300 IN NS ns.ring1.org.\n";
    let example_text = apex(at(3))
        + &format!(
            "\
www 300 IN A 192.0.2.1
www 300 IN AAAA 2001:db8::1
short 2 IN A 192.0.2.2
long 86400 IN A 192.0.2.3
v4 300 IN A 192.0.2.4
alias 300 IN CNAME www
alias4 300 IN CNAME v4
away 300 IN CNAME www.plain.org.
gone 300 IN CNAME nothing
deep 300 IN CNAME alias
loop1 300 IN CNAME loop2
loop2 300 IN CNAME loop1
*.wild 300 IN A 192.0.2.5
txt 300 IN TXT \"hello\"
{}{}{}",
            big("big", 8),
            big("medium", 3),
            (0..200).map(|n| format!("n{n} 300 IN A 192.0.2.{}\n", n % 250 + 1)).collect::<String>()
        );
    let bogus_text = apex(at(4)) + "www 300 IN A 192.0.2.6\n";
    let plain_text = apex(at(5)) + "www 300 IN A 192.0.2.7\nv4 300 IN A 192.0.2.7\nalias 300 IN CNAME v4\n";
    let tampered_text = apex(at(6)) + "www 300 IN A 192.0.2.8\ngood 300 IN A 192.0.2.9\n";
    let half_text = apex(at(7)) + "www 300 IN A 192.0.2.10\n";
    let mut tampered_zone = zone("tampered.org.", &tampered_text, Some(tampered));
    tamper(&mut tampered_zone, "www.tampered.org.", RData::A(A::new(192, 0, 2, 66)));
    let zones = vec![
        (1, zone(".", &root_text, Some(root))),
        (2, zone("org.", &org_text, Some(org))),
        (3, zone("example.org.", &example_text, Some(example))),
        // another key than the one that its parent vouches for
        (4, zone("bogus.org.", &bogus_text, Some(Key::new("bogus.org.")))),
        (5, zone("plain.org.", &plain_text, None)),
        (6, tampered_zone),
        (7, zone("half.org.", &half_text, None)),
    ];
    (zones, anchor)
}

/// Many long texts: over 1232 bytes.
fn big(name: &str, count: usize) -> String {
    (0..count).map(|n| format!("{name} 300 IN TXT \"{n}{}\"\n", "x".repeat(200))).collect()
}
