//! Writes small seeds into `corpus/<target>/`: generated ones, and of this machine the kernel's tables and a small library.
//! Targets without one here begin from nothing.

#[allow(dead_code)]
#[path = "../../attest/src/pe/testpe.rs"]
mod testpe;

use base64::{engine::general_purpose::STANDARD, Engine as _};
use std::fs;
use std::path::Path;
use vitrine_attest::evidence::Evidence;
use vitrine_attest::ml_dsa::SecretKey;
use vitrine_attest::note::cosign_ml_dsa;
use vitrine_attest::secure_boot::signature_list;
use vitrine_attest::vkey::{Kind, NoteKey};
use vitrine_attest::Sha256;
use vitrine_builder::lock::Lock;
use vitrine_builder::vendor::{Manifest, Member};

fn main() -> std::io::Result<()> {
    for (number, (target, seed)) in seeds()
        .into_iter()
        .chain(kit())
        .chain(anchors())
        .chain(processors())
        .chain(kernel_tables())
        .chain(library())
        .enumerate()
    {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(format!("seed-{number}")), seed)?;
    }
    Ok(())
}

/// The example of golang.org/x/mod/sumdb/note.
const NOTE: &str = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n\
    \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

/// As in docs/formats/log.md.
const LOG_POLICY: &str = "log log.example/vitrine+ffae069f+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs\nwitness w1 witness.example/w1+a1fed9ff+BMG/B0poktQFAAxr9swQKa0uZY0gSpoz4/NkbhKBtUIV\nwitness w7 other.example/w7+ba5b81a9+BAnpdRlsE8Evt8f1+7ers+xz3kZf5++2CuNUxZtAQRe+\ngroup both all w1 w7\nquorum both\n";

const FLEET: &str = "version = 1\n[defaults]\nstatement = [\"a\", \"b\"]\nkey = \"k\"\npolicy = \"p\"\nek_roots = \"r\"\naccept_level = \"L2\"\ninterval = \"5m\"\ntimeout = \"30s\"\nconcurrency = 8\nstate = \"s\"\n[[server]]\nname = \"one\"\nurl = \"http://[2001:db8::7]:8787\"\ninterval = \"1m\"\n[[server]]\nname = \"two\"\nurl = \"http://203.0.113.7:8787\"\nstatement = \"c\"\n";

const MONITOR: &str = "version = 1\nstate = \"s\"\nevery = \"10m\"\n[[log]]\nplace = \"http://log.example/vitrine\"\npolicy = \"p\"\nmore_witnesses = \"m\"\nmax_age = \"26h\"\nrelease_keys = [\"k\", \"l\"]\nthreshold = 2\nimages = [\"exit\"]\nrebuilders = [\"r\"]\nrebuild_verdicts = \"v\"\nmirrors = [\"folder\"]\ntime = \"5m\"\n[[server]]\nname = \"z\"\nurl = \"http://203.0.113.7:8787\"\nek_roots = \"e\"\naccept_level = \"L1\"\ntimeout = \"30s\"\n";
/// As in docs/formats/monitor.md.
const EVIDENCE: &str = r#"{"about":"log.example","at":5,"kind":"split-view","shown":{"fork":{"larger":"b","prefix":{"proof":[],"root":"0000000000000000000000000000000000000000000000000000000000000000"},"smaller":"a"}},"v":1,"what":"w"}"#;

/// The witness of the target `note`.
fn witness() -> NoteKey {
    let secret = SecretKey::from_seed([7; 32].into());
    NoteKey::of_kind(Kind::MlDsa44, "witness.example/w1", secret.public()).expect("a key")
}

/// A checkpoint that it has cosigned.
fn cosigned(root: &str) -> Vec<u8> {
    let text = format!("log.example\n3\n{root}\n");
    let secret = SecretKey::from_seed([7; 32].into());
    let line = cosign_ml_dsa(&text, "witness.example/w1", &secret, 1_763_600_000, &[0; 32]).expect("a checkpoint");
    format!("{text}\n{line}").into()
}

/// A vendor archive with one package, for the lock of the target `lock`.
fn vendor(lock: &str) -> Vec<u8> {
    let package = Sha256::of(b"hello");
    let mut lock = Lock::parse(lock.as_bytes()).expect("a lock");
    lock.packages[0].sha256 = package;
    let lock = lock.to_toml().expect("a lock").into_bytes();
    let recipe = b"name = \"exit\"\n".to_vec();
    let files = [("lock.toml", lock), ("packages/debian/pool/libc6.deb", b"hello".to_vec()), ("recipe/a.toml", recipe)];
    let members = files.iter().map(|(name, bytes)| Member::of(*name, bytes)).collect();
    let recipe = "recipe/a.toml".to_string();
    let manifest = Manifest { version: 1, vitrine: "0".into(), recipe, set: vec![("a".into(), "b".into())], members };
    let open = |member: &Member| -> vitrine_attest::Result<Box<dyn std::io::Read>> {
        let bytes = files.iter().find(|(name, _)| *name == member.name).map(|(_, bytes)| bytes.clone());
        Ok(Box::new(std::io::Cursor::new(bytes.unwrap_or_default())))
    };
    let mut out = Vec::new();
    let failed = |e: &std::io::Error| vitrine_attest::Error::bug(e.to_string());
    vitrine_builder::vendor::write(&mut out, &manifest, &open, &failed).expect("it fits");
    out
}

fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let key = "A".repeat(43) + "=";
    let zero = "0".repeat(64);
    let config = r#"{"attestation":{"port":8787},"forward":"nat","network":{"mode":"dhcp"},"wireguard":{"addresses":["10.66.0.1/24"],"mtu":1420,"ports":[51820],"rotation":{"every":"30d","overlap":"2d","ports":[51821]}}}"#;
    let order = format!(
        r#"{{"op":{{"sync":{{"part":1,"parts":1,"peers":[{{"allowed_ips":["10.0.0.2/32"],"peer":"{}="}}]}}}},"seq":7,"v":2}}"#,
        "AQEB".repeat(10) + "AQE"
    );
    let keys = format!(r#"{{"wg_pub":"{key}","channel_pub":"{key}","sign_pub":"{key}","tls_spki":"{zero}"}}"#);
    let rotated = format!(r#"{{"generation":1,"wg_pub":"{key}","signature":"{}=="}}"#, "A".repeat(86));
    let inside = format!(r#"{{"rotated":[{rotated}]}}"#);
    let watch = serde_json::to_string(&vitrine_attest::watch::Rule::Files.event()).expect("an event has a JSON form");
    let evidence = format!(
        r#"{{"v":2,"nonce":"{zero}","ek_cert":"","ek_pub":"AAE=","ak_pub":"AAE=","attest":"AAE=","signature":"AAE=","firmware_log":"","runtime_log":[{{"seq":0,"pcr":15,"digest":"{zero}","body":"AA=="}},{watch}],"keys":{keys},"rotated":[{rotated}],"image_id":"exit 1 {zero}","batch":{{"size":3,"index":2,"path":["{zero}"]}}}}"#
    );
    let lock = format!(
        "version = 1\nrecipe = \"{zero}\"\n[[release]]\narchive = \"debian\"\nsuite = \"trixie\"\ninrelease_sha256 = \"{zero}\"\nsigned_by = \"ab\"\ndate = \"x\"\n[[package]]\nname = \"libc6\"\nversion = \"2.41-12\"\narchitecture = \"amd64\"\narchive = \"debian\"\nfile = \"pool/libc6.deb\"\nsize = 5\nsha256 = \"{zero}\"\n"
    );
    let index = format!("Package: a\nVersion: 1:2-3\nArchitecture: amd64\nDepends: b (>= 1) | c\nProvides: d (= 2)\nFilename: pool/a.deb\nSize: 5\nSHA256: {zero}\n\nPackage: b\nVersion: 2\nArchitecture: all\nFilename: pool/b.deb\nSize: 5\nSHA256: {zero}\n");
    let release = format!("Suite: stable\nCodename: trixie\nDate: Sat, 12 Sep 2026 07:55:41 UTC\nAcquire-By-Hash: yes\nSHA256:\n {zero} 5 main/binary-amd64/Packages.xz\n");
    let recipe = "name = \"exit\"\nversion = \"1\"\n[debian]\nsuite = \"trixie\"\npackages = [\"libc6\"]\n[image]\ncmdline = \"quiet\"\n[config]\nwireguard.addresses = [\"10.66.0.1/24\"]\n";
    let os_release = format!("ID=vitrine\nNAME=\"Vitrine\"\nIMAGE_ID=exit\nIMAGE_VERSION=1\nVITRINE_LOCK={zero}\n");
    let checkpoint = format!("PeterNeumann\n7\n{key}\n\n{}", NOTE.split_once("\n\n").map_or("", |(_, lines)| lines));
    let revocation = format!(
        r#"{{"_type":"https://in-toto.io/Statement/v1","predicate":{{"date":"2026-11-22","fingerprint":"vitrine1:{zero}","reason":"mistake","seq":3,"text":"x"}},"predicateType":"urn:vitrine:revocation:v1","subject":[{{"digest":{{"sha256":"{zero}"}},"name":"x"}}]}}"#
    );
    let record_file = format!(
        r#"{{"index":1,"path":["{zero}"],"record":{{"customer":"c","epoch":7,"pad":"00","release":"vitrine1:{zero}","server":"{zero}","v":1}},"salt":"{zero}","statement":"{zero}","v":1}}"#
    );
    vec![
        ("add_checkpoint", format!("old 5\n{key}\n{key}\n\n{checkpoint}").into()),
        ("add_checkpoint", checkpoint.into()),
        ("add_checkpoint", b"1482\n".to_vec()),
        ("append", testpe::build(&[(".text", b"stub"), (".sdmagic", MAGIC)])),
        ("blocklist", b"# hosts\n0.0.0.0 ads.example\ntracker.example.\n".to_vec()),
        ("card_queue", card_queue()),
        ("config", config.into()),
        ("dnscrypt", certificate()),
        ("gateway_chunks", b"5\r\nhello\r\n0\r\nx: y\r\n\r\n\x03".to_vec()),
        ("gateway_head", b"POST /v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec()),
        ("gateway_path", b"/v1/a%20b/%2e%2e;x?c=d".to_vec()),
        ("deb", deb()),
        ("dhcp", lease()),
        ("evidence", evidence.into()),
        ("firewall", firewall(config)),
        ("fleet", FLEET.into()),
        ("foreign", cpio()),
        ("frames", record()),
        ("guest_text", b"\x1b[2J\x1b[01;01HBdsDxe: \x1b[1mfailed\x1b[0m\r\nvitrine-init: serving\r\n".to_vec()),
        ("guest_text", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody".to_vec()),
        ("inside", inside.into()),
        ("lock", lock.clone().into()),
        ("needles", b"\x01\x80aAbBabz\x00bAbBabzaAbBabzbAbBabz".to_vec()),
        ("log_index", [&b"vitrine-log-index-bucket v1\n0 0 1\n"[..], &[7; 40]].concat()),
        ("log_index", [&b"vitrine-log-index v1\n3 6 0\n"[..], &[7; 32]].concat()),
        ("log_index", format!("log.example/index\nvitrine-log-index v1\n3\n{key}\n{key}\n").into()),
        ("log_commit", format!("vitrine-log-commit v1\n{}\n{NOTE}", NOTE.len()).into()),
        ("log_commit", commit()),
        ("note", NOTE.as_bytes().to_vec()),
        ("note", format!("{{\"v\":1,\"beacon\":{:?},\"m2\":\"\"}}", NOTE.replace('\u{2014}', "-")).into()),
        ("order", br#"{"op":{"attach":null},"seq":7,"v":2}"#.to_vec()),
        ("note", cosigned(&key)),
        ("vendor", vendor(&lock)),
        ("vkey", witness().to_string().into()),
        ("tlog_policy", format!("{LOG_POLICY}witness pq {}\n", witness()).into()),
        ("order", order.into()),
        ("os_release", os_release.into()),
        ("monitor", MONITOR.into()),
        ("monitor", EVIDENCE.into()),
        ("packages", index.into()),
        ("pe", uki()),
        ("read_back", cpio()),
        ("policy", vitrine_verifier::policy::EXAMPLE.into()),
        ("question", b"\x12\x34\x01\x20\0\x01\0\0\0\0\0\x01\x03www\x04good\x07vitrine\0\0\x01\0\x01\0\0\x29\x04\xd0\0\0\x80\0\0\0".to_vec()),
        ("recipe", recipe.into()),
        ("release", release.into()),
        ("roots", b"# one\n-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n\x30\x81\x03\x02\x01\x01\0\0".to_vec()),
        ("scrape", b"GET /metrics?x=1 HTTP/1.1\r\nHost: 10.66.0.1:9469\r\n\r\n".to_vec()),
        ("secure_boot", signature_list([9; 16], b"certificate")),
        ("enrol", signature_list([9; 16], b"certificate")),
        ("source", b"\0import logging as l\nlog = l.getLogger('x')\n@app.get('/')\ndef f(q):\n    log.info(f'{q}')\n".to_vec()),
        ("state", state(&keys)),
        ("statement", revocation.into()),
        ("statement", record_file.into()),
        ("sysusers", b"u root 0:0 \"Super User\" /root\ng tty 5\nu sshd -:65534\nm sshd tty\nr - 500-900\n".to_vec()),
        ("tlog_policy", LOG_POLICY.into()),
        ("tlog_proof", format!("c2sp.org/tlog-proof@v1\nextra AAAA\nindex 1\n{key}\n{key}\n\nlog.example\n3\n{key}\n\n\u{2014} log.example AAAAAAA=\n").into()),
        ("vars", vars()),
    ]
}

/// What a TPM in software said, from the genuine cases of the adversary's test kit, each part for its reader.
fn kit() -> Vec<(&'static str, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../attest/testkit");
    let read = |name: &str| fs::read(folder.join(name)).expect("a file of the repository");
    let evidence = |name: &str| {
        let case: serde_json::Value = serde_json::from_slice(&read(name)).expect("a saved record");
        STANDARD.decode(case["m2"].as_str().expect("an answer")).expect("base64")
    };
    let statement = vitrine_attest::dsse::Envelope::from_json(&read("trust/release.dsse.json")).expect("an envelope");
    let attachments = vitrine_attest::attachments::Attachments::new(statement.clone(), Some("proof".into()), vec![]);
    let bundle =
        vitrine_verifier::bundle::Bundle::new("x", &read("cases/genuine.json"), statement, Some(b"proof".to_vec()));
    let mut seeds = vec![
        ("bundle", bundle.and_then(|bundle| bundle.to_file()).expect("a small bundle")),
        ("attachments", attachments.to_bytes().expect("small ones")),
        ("dsse", read("trust/release.dsse.json")),
        ("statement", read("trust/release.dsse.json")),
        ("ek", read("trust/ek-roots.pem")),
        ("roots", read("trust/ek-roots.pem")),
        ("vkey", read("trust/release.pub")),
    ];
    for name in
        ["genuine", "genuine-batch", "genuine-rotated-key", "genuine-rsa-attestation-key", "genuine-startup-locality"]
    {
        let m2 = evidence(&format!("cases/{name}.json"));
        let parts: Evidence = serde_json::from_slice(&m2).expect("genuine evidence");
        seeds.extend([
            ("evidence", m2),
            ("event_log", parts.firmware_log),
            ("tpm_attest", parts.attest),
            ("tpm_signature", parts.signature),
            ("tpm_public", parts.ak_pub),
            ("tpm_public", parts.ek_pub),
            ("ek", parts.ek_cert.clone()),
            ("roots", parts.ek_cert),
        ]);
    }
    seeds
}

/// Reports of real processors, each behind the number by which the target chooses the reader.
fn processors() -> Vec<(&'static str, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../verifier/tests/cpu/vectors");
    let read = |name: &str| fs::read(folder.join(name)).expect("a file of the repository");
    let report: Vec<u8> = read("report_milan.hex")
        .chunks(2)
        .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    let file = br#"{"v":1,"kind":"sev-snp","report":"AAAA","chain":["MAA="]}"#.to_vec();
    let behind = |number: u8, bytes: Vec<u8>| ("cpu_evidence", [vec![number], bytes].concat());
    vec![behind(0, file), behind(1, report), behind(2, read("vcek_milan.der")), behind(3, read("tdx_quote"))]
}

/// A commit record with one entry.
fn commit() -> Vec<u8> {
    let entry = b"\0\x03one";
    let stage = format!("vitrine-log-stage v1\n2 1 {}\n", vitrine_attest::Sha256::of(entry));
    [format!("vitrine-log-commit v1\n{}\n{NOTE}{stage}", NOTE.len()).as_bytes(), entry].concat()
}

/// An anchored head and a timestamp, from the tests' vectors; for `evm_proof`, behind the number by which it chooses the reader.
fn anchors() -> Vec<(&'static str, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../verifier/tests/anchor/vectors");
    let read = |name: &str| fs::read(folder.join(name)).expect("a file of the repository");
    let stamp = read("checkpoint.ots");
    let behind = |number: u8, bytes: &[u8]| ("evm_proof", [&[number], bytes].concat());
    vec![
        ("ots", stamp[65..].to_vec()),
        ("ots", stamp),
        behind(0, b"\xc8\x83cat\x83dog"),
        behind(1, &read("header.json")),
        behind(2, &read("proof.json")),
        behind(3, &[&[15, 0xec, 0xa1, 0x20][..], &[7; 32], b"\x89some text\x00"].concat()),
    ]
}

/// A state file with one server.
fn state(keys: &str) -> Vec<u8> {
    let zero = "0".repeat(64);
    let release = format!(r#"{{"fingerprint":"vitrine1:{zero}","image":"exit","key":"a","seq":7,"version":"1"}}"#);
    let boot = format!(
        r#"{{"ak_name":"000b","clock":9,"firmware":{{"0":"{zero}"}},"firmware_version":"1","keys":{keys},"reset_count":3,"restart_count":0}}"#
    );
    let record = format!(r#"{{"address":"http://a","boot":{boot},"first_seen":1,"last_seen":2,"release":{release}}}"#);
    let record: vitrine_verifier::memory::Record = serde_json::from_str(&record).expect("a record of this version");
    let id = vitrine_verifier::memory::ServerId(vitrine_attest::Sha256::ZERO);
    vitrine_verifier::memory::Book { servers: [(id, record)].into(), ..Default::default() }
        .to_bytes()
        .expect("a book has a JSON form")
}

/// Tables of the kernel that runs this, each behind the number by which the target chooses the reader.
fn kernel_tables() -> Vec<(&'static str, Vec<u8>)> {
    let tables = [
        (0, "self/mountinfo"),
        (1, "net/protocols"),
        (1, "net/ptype"),
        (2, "net/netlink"),
        (3, "devices"),
        (3, "swaps"),
        (5, "self/stat"),
        (5, "self/status"),
    ];
    let read = |(number, name): (u8, &str)| {
        let table = fs::read(Path::new("/proc").join(name)).ok()?;
        Some(("watch", [&[number], &table[..]].concat()))
    };
    let attribute = [6, 9, 0, 3, 0, b'o', b'u', b't', b'e', b'r', 0, 0, 0, 4, 0, 18, 0x80];
    let message = b"\x04a.c:1 [wireguard]wg_receive =_ \"=p \\042quoted\\042\"";
    let made = [("watch", attribute.to_vec()), ("watch", message.to_vec())];
    tables.into_iter().filter_map(read).chain(made).collect()
}

/// The smallest ELF file that every Debian has: an empty library of glibc's.
fn library() -> Option<(&'static str, Vec<u8>)> {
    Some(("elf", fs::read("/lib/x86_64-linux-gnu/libdl.so.2").ok()?))
}

/// One frame of each kind that a guest sends, as QEMU writes them down.
fn record() -> Vec<u8> {
    let mut record = [&0xa1b2_c3d4_u32.to_le_bytes()[..], &[0; 20]].concat();
    let ports = |from: u16, to: u16| [from.to_be_bytes(), to.to_be_bytes(), [0; 2], [0; 2]].concat();
    let frames = [
        four(17, [203, 0, 113, 1], &ports(51820, 40000)),
        four(6, [198, 51, 100, 177], &ports(33000, 80)),
        four(17, [198, 51, 100, 1], &ports(5000, 53)),
        four(17, [255; 4], &ports(68, 67)),
        four(1, [203, 0, 113, 1], &[3, 3, 0, 0]),
        six(58, &[135, 0, 0, 0]),
        six(0, &[58, 0, 5, 2, 0, 0, 1, 0, 143, 0, 0, 0]),
        six(44, &[17, 0, 0, 8, 0, 0, 0, 1]),
        ethernet(0x0806, &[0, 1, 8, 0, 6, 4, 0, 1]),
    ];
    for frame in frames {
        record.extend([0; 8]);
        record.extend((frame.len() as u32).to_le_bytes().repeat(2));
        record.extend(frame);
    }
    record
}

fn ethernet(kind: u16, packet: &[u8]) -> Vec<u8> {
    [&[0xff; 6], &[0x52, 0x54, 0, 0x12, 0x34, 0x56][..], &kind.to_be_bytes(), packet].concat()
}

fn four(protocol: u8, to: [u8; 4], inner: &[u8]) -> Vec<u8> {
    let header = [&[0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0, 203, 0, 113, 10][..], &to].concat();
    ethernet(0x0800, &[&header, inner].concat())
}

fn six(next: u8, inner: &[u8]) -> Vec<u8> {
    let header = [&[0x60, 0, 0, 0, 0, 0, next, 255][..], &[0xfe; 16], &[0xff; 16]].concat();
    ethernet(0x86dd, &[&header, inner].concat())
}

/// A queue of four entries at 0, what the driver offers at 64: two buffers, the second of two parts.
fn card_queue() -> Vec<u8> {
    let entry = |address: u64, length: u32, flags: u16, next: u16| {
        [&address.to_le_bytes()[..], &length.to_le_bytes(), &flags.to_le_bytes(), &next.to_le_bytes()].concat()
    };
    let table = [entry(0x1000, 1526, 2, 0), entry(0x2000, 12, 3, 2), entry(0x3000, 1514, 2, 0), entry(0, 0, 0, 0)];
    let offers: Vec<u8> = [0u16, 2, 0, 1, 0, 0].into_iter().flat_map(u16::to_le_bytes).collect();
    [&[2, 0, 0, 0, 0, 64, 0][..], &table.concat(), &offers].concat()
}

/// An offer, a grant, and a refusal after an hour.
fn lease() -> Vec<u8> {
    let options =
        [&[54, 4, 10, 0, 2, 2, 1, 4, 255, 255, 255, 0, 3, 4, 10, 0, 2, 2, 51, 4, 0, 0, 14, 16, 255][..]].concat();
    let message = |kind: u8, wait: u8| {
        let body = [&[10, 0, 2, 15], &options[..]].concat();
        [&[kind, wait, body.len() as u8][..], &body].concat()
    };
    [message(3, 0), message(1, 11), message(2, 0)].concat()
}

/// The fields that a DNSCrypt provider signs; the target signs them.
fn certificate() -> Vec<u8> {
    [&[9; 32][..], &[8; 8], &[0, 0, 0, 1], &[0; 4], &[0xff; 4]].concat()
}

fn firewall(config: &str) -> Vec<u8> {
    let config = serde_json::from_str(config).expect("a configuration of ours");
    vitrine_firewall::encode(&vitrine_firewall::ruleset(&config)).bytes
}

const MAGIC: &[u8] = b"#### LoaderInfo: systemd-stub 257.1 ####";

fn uki() -> Vec<u8> {
    let kernel = testpe::build(&[(".text", b"kernel")]);
    testpe::build(&[
        (".text", b"stub"),
        (".sdmagic", MAGIC),
        (".osrel", b"ID=vitrine\n"),
        (".cmdline", b"quiet"),
        (".initrd", b"initramfs"),
        (".linux", &kernel),
    ])
}

/// A package with one file, packed not at all.
fn deb() -> Vec<u8> {
    let tar = |path: &str, body: &[u8]| {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(body.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, path, body).and_then(|()| builder.into_inner()).expect("memory takes it")
    };
    let mut out = b"!<arch>\n".to_vec();
    let members = [
        ("debian-binary", b"2.0\n".to_vec()),
        ("control.tar", tar("control", b"Package: a\nVersion: 1\n")),
        ("data.tar", tar("usr/lib/a", b"a")),
    ];
    for (name, body) in members {
        out.extend(format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 100644, body.len()).bytes());
        out.extend(body);
    }
    out
}

/// A folder, a file in it, a trailer (newc).
fn cpio() -> Vec<u8> {
    let mut out = Vec::new();
    for (name, mode, body) in
        [("etc", 0o040755u32, &b""[..]), ("etc/a", 0o100644, &b"text"[..]), ("TRAILER!!!", 0, &b""[..])]
    {
        let fields = [0, mode, 0, 0, 1, 0, body.len() as u32, 0, 0, 0, 0, name.len() as u32 + 1, 0];
        out.extend(b"070701");
        out.extend(fields.iter().flat_map(|field| format!("{field:08x}").into_bytes()));
        out.extend(name.bytes().chain([0]));
        out.resize(out.len().next_multiple_of(4), 0);
        out.extend(body);
        out.resize(out.len().next_multiple_of(4), 0);
    }
    out
}

/// A volume of 256 bytes with one variable named `a`.
fn vars() -> Vec<u8> {
    let mut volume = vec![0; 16];
    volume.extend([0x8d, 0x2b, 0xf1, 0xff, 0x96, 0x76, 0x8b, 0x4c, 0xa9, 0x85, 0x27, 0x47, 0x07, 0x5b, 0x4f, 0x50]);
    volume.extend([0; 8]);
    volume.extend(b"_FVH\0\0\0\0");
    volume.extend(72u16.to_le_bytes());
    volume.resize(72, 0);
    let sum = volume.chunks(2).fold(0u16, |sum, w| sum.wrapping_add(u16::from_le_bytes([w[0], w[1]])));
    volume[50..52].copy_from_slice(&sum.wrapping_neg().to_le_bytes());
    volume.extend([0x78, 0x2c, 0xf3, 0xaa, 0x7b, 0x94, 0x9a, 0x43, 0xa1, 0x80, 0x2e, 0x14, 0x4e, 0xc3, 0x77, 0x92]);
    volume.extend(184u32.to_le_bytes());
    volume.extend([0x5a, 0xfe, 0, 0, 0, 0, 0, 0]);
    volume.extend([0xaa, 0x55, 0x3f, 0, 7, 0, 0, 0]);
    volume.extend([0; 28]);
    volume.extend([4, 0, 0, 0, 3, 0, 0, 0]);
    volume.extend([7; 16]);
    volume.extend(b"a\0\0\0xyz\xff");
    volume.resize(256, 0xff);
    volume
}
