//! What a report says before anything was looked at.

use super::egress::Egress;
use super::fit::Fit;
use super::report::{Host, Image, Report, Verdict};
use super::run::Options;
use super::server::Subject;
use crate::firmware::Firmware;
use crate::machine::{QEMU, QEMU_PACKAGE};
use crate::process::version;
use std::collections::BTreeMap;
use vitrine_attest::Result;

/// A report of which nothing is judged yet.
///
/// # Errors
/// When QEMU, swtpm or the firmware is missing.
pub fn report(options: &Options, subject: &Subject, fit: Fit) -> Result<Report> {
    Ok(Report {
        v: 1,
        verdict: Verdict::NotJudged,
        classes: BTreeMap::new(),
        image: image(subject),
        host: host()?,
        reduced: options.reduced,
        busy: options.busy,
        canaries: BTreeMap::new(),
        moments: Vec::new(),
        disks: Vec::new(),
        media: Vec::new(),
        interfaces: Vec::new(),
        egress: Egress::default(),
        plain: Vec::new(),
        driven: Vec::new(),
        doubts: Vec::new(),
        left_out: left_out(options.reduced, fit),
        not_proven: NOT_PROVEN.map(String::from).into(),
    })
}

fn image(subject: &Subject) -> Image {
    let release = &subject.release;
    Image {
        name: release.image.name.clone(),
        version: release.image.version.clone(),
        fingerprint: release.fingerprint,
        authenticode: release.image.authenticode,
    }
}

fn host() -> Result<Host> {
    Ok(Host {
        qemu: version(QEMU, QEMU_PACKAGE)?,
        swtpm: version("swtpm", "swtpm")?,
        firmware: Firmware::find()?.code_sha256.to_string(),
        memory_mib: 1024,
    })
}

/// What users and strangers do in a run.
pub fn driven(fit: Fit) -> Vec<String> {
    let exit = DRIVEN.iter().filter(|_| fit.exit);
    let gateway = CALLS.iter().filter(|_| fit.gateway.is_some());
    let app = fit.app.then_some(&APP);
    exit.chain(gateway).chain(app).chain(&ALWAYS).map(ToString::to_string).collect()
}

const APP: &str =
    "bodies through the gateway to the operator's own program, which is ended when nobody has called for its `forget_after`";

const CALLS: [&str; 8] = [
    "requests to the gateway with a credential, path, query and body, HTTP/1.1 and HTTP/2, from outside by IPv6 and IPv4 and from the tunnel; letters beyond ASCII; headers that are passed on and such that are dropped",
    "100 MB up and 100 MB down, full of canaries",
    "events that are read one by one, and a reader who is killed in the middle",
    "an upstream that answers with an error which repeats the request in its reason, headers and body, one that breaks off, one that is silent, one whose certificate is not right",
    "no route, a path in another spelling, one that is no UTF-8, a method that is none, a header that is too large",
    "two lengths for one body",
    "bodies that break off when their client is killed, over HTTP/1.1 and HTTP/2",
    "what is no TLS",
];

const DRIVEN: [&str; 6] = [
    "pages with a credential, datagrams, pings with a pattern; over IPv6 and IPv4, inside and outside",
    "names over UDP, TCP, TLS and HTTPS, signed and not",
    "names that do not exist, whose signature is wrong, whose server is silent, in a zone without them",
    "a port nobody listens on, a private address, a hop limit that ends on the way",
    "packets in several fragments",
    "datagrams to a port that answers with an ICMP error",
];

const ALWAYS: [&str; 6] = [
    "WireGuard messages of no type, of each type with rubbish in it, too short, too long",
    "a handshake with a key that the server does not know",
    "requests for evidence that are none, orders that are none, headers that lie",
    "users who vanish without a word",
    "an owner who removes users",
    "a power cut with a user in the middle of something (QEMU killed)",
];

/// What is never shown by self.
const NOT_PROVEN: [&str; 9] = [
    "what a hypervisor, a management controller or whoever holds the machine copies out of its memory",
    "what routers and name servers outside record",
    "forms that are not searched: encrypted, compressed or hashed copies, single IPv4 addresses and ports in binary",
    "connection times as the kernel counts them: they are numbers like any others; only the clients' own time stamps are searched",
    "byte counters: numbers like any others",
    "copies in the card's, the processor's and the TPM's own memory, which QEMU does not have or does not show",
    "real cards: receive buffers are those of virtio-net",
    "a server with thousands of users at once: there are more freed objects beside living ones than are overwritten in one go",
    "that another client cannot tell by an answer's time to live that a name was asked for less than the cache's time ago",
];

fn left_out(reduced: bool, fit: Fit) -> Vec<String> {
    let mut all = vec![
        "a resolver that crashes: nothing outside can make it; children that are killed are in the VM test of the probe image".to_string(),
        "a kernel panic: nothing outside can make one; it ends in the same reset".to_string(),
    ];
    if fit.resolves && !fit.names {
        all.push("names that resolve: the image trusts the Internet's root, so all that are asked fail".to_string());
    }
    if reduced {
        all.extend([
            "the search 60 s after the last packet".to_string(),
            "the reset and the boot after it".to_string(),
        ]);
    }
    all
}
