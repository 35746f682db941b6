//! The four paths with a software quoter and a test that plays init.

use super::*;
use crate::channel::{Channel, News};
use crate::queue::Limits;
use crate::tpm::Quote;
use serde_json::json;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;
use vitrine_attest::boot::{BootFacts, BootKeys};
use vitrine_attest::digest::Key32;
use vitrine_attest::evidence::ACTIVATE_DOMAIN;
use vitrine_attest::inside::ToAgent;
use vitrine_attest::Sha256;
use zeroize::Zeroizing;

/// Signs nothing: hands back extraData as the attest, and opens only the credential `[1]`.
struct Mock(Result<(), Fault>);

impl Quoter for Mock {
    fn quote(&mut self, extra_data: &Sha256) -> Result<Quote, Fault> {
        self.0.map(|()| Quote { attest: extra_data.0.to_vec(), signature: vec![7] })
    }
    fn activate(&mut self, credential: &[u8], _: &[u8]) -> Result<Zeroizing<[u8; 32]>, Fault> {
        if credential == [1] {
            Ok(Zeroizing::new([5; 32]))
        } else {
            Err(Fault::Request)
        }
    }
}

fn rotated_key() -> RotatedKey {
    RotatedKey { generation: 1, wg_pub: Key32([8; 32]), signature: [9; 64] }
}

fn service(quoter: Mock) -> (Service<Mock>, UnixStream) {
    let (ours, init) = UnixStream::pair().unwrap();
    let introduction = Introduction {
        config_digest: Sha256::of(b"config"),
        keys: BootKeys {
            wg_pub: Key32([1; 32]),
            channel_pub: Key32([2; 32]),
            sign_pub: Key32([3; 32]),
            tls_spki: Sha256::of(b"tls"),
        },
        rotated: vec![],
        image_id: "exit 1 00".into(),
        facts: BootFacts::sealed(),
        port: 1,
        firmware_log: vec![9; 5],
        measured_already: false,
        violation: None,
        attached: None,
    };
    let identity = Identity { ek_cert: vec![1], ek_pub: vec![2], ak_pub: vec![3], ak_name: vec![4] };
    let limits = Limits { wait: Duration::from_secs(2), hang: Duration::from_secs(9) };
    let queue = Queue::start(quoter, limits, || {}).unwrap();
    let init_line =
        Channel::new(ours).unwrap().into_init(News { rotated: vec![rotated_key()], ..News::default() }, || {}).unwrap();
    let introduction = Arc::new(introduction);
    (Service { introduction, identity, runtime_log: vec![], queue, gathering: Gathering::new(), init: init_line }, init)
}

fn ask(service: &Service<Mock>, path: &str, body: &str) -> (u16, String) {
    said(service.answer(Method::Post, path, body.as_bytes()))
}

fn get(service: &Service<Mock>, path: &str) -> (u16, String) {
    said(service.answer(Method::Get, path, b""))
}

fn said(response: Response) -> (u16, String) {
    (response.status, String::from_utf8(response.body).unwrap())
}

#[test]
fn evidence_binds_the_nonce_and_the_rotated_keys() {
    let (service, _init) = service(Mock(Ok(())));
    let nonce = Sha256::of(b"nonce");
    let (status, body) = ask(&service, EVIDENCE_PATH, &json!({"v": 2, "nonce": nonce}).to_string());
    let evidence: Evidence = serde_json::from_str(&body).unwrap();
    assert_eq!((status, evidence.v, evidence.nonce), (200, 2, nonce));
    assert_eq!(evidence.rotated, [rotated_key()]);
    assert_eq!(
        evidence.attest,
        binding(&service.introduction, Challenge::Nonce(nonce), &[rotated_key()]).extra_data().0
    );
    assert_ne!(evidence.attest, binding(&service.introduction, Challenge::Nonce(nonce), &[]).extra_data().0);
    assert_eq!((evidence.firmware_log, evidence.ek_cert, evidence.signature), (vec![9; 5], vec![1], vec![7]));
}

/// From the moment init says so, all evidence holds it.
#[test]
fn evidence_tells_what_the_watch_found() {
    let (service, mut init) = service(Mock(Ok(())));
    let log = || {
        let m1 = json!({"v": 2, "nonce": Sha256::ZERO}).to_string();
        serde_json::from_str::<Evidence>(&ask(&service, EVIDENCE_PATH, &m1).1).unwrap().runtime_log
    };
    assert_eq!(log(), []);
    init.write_all(b"{\"violation\":\"watch.mounts\"}\n").unwrap();
    while service.init.violation().is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(log(), [Rule::Mounts.event()]);
}

#[test]
fn bad_messages() {
    let (service, _init) = service(Mock(Ok(())));
    let nonce = Sha256::ZERO.to_string();
    let m1 = |v: u32| json!({"v": v, "nonce": nonce}).to_string();
    let message = "{\"code\":\"message\"}";
    let nested = "[".repeat(8000);
    let table = [
        ("unknown path", "/", m1(2), 404, "{\"code\":\"not-found\"}"),
        ("path with a slash more", "/v1/evidence/", m1(2), 404, "{\"code\":\"not-found\"}"),
        ("path with a query", "/v1/evidence?a", m1(2), 404, "{\"code\":\"not-found\"}"),
        ("empty", EVIDENCE_PATH, String::new(), 400, message),
        ("not JSON", EVIDENCE_PATH, "nonce".into(), 400, message),
        ("nested without end", EVIDENCE_PATH, nested, 400, message),
        ("no nonce", EVIDENCE_PATH, "{\"v\":2}".into(), 400, message),
        ("short nonce", EVIDENCE_PATH, m1(2).replace("00\"", "\""), 400, message),
        ("upper-case nonce", EVIDENCE_PATH, m1(2).replace("00\"", "AA\""), 400, message),
        ("unknown field", EVIDENCE_PATH, m1(2).replace('{', "{\"x\":1,"), 400, message),
        ("something behind", EVIDENCE_PATH, m1(2) + "x", 400, message),
        ("version 1", EVIDENCE_PATH, m1(1), 400, "{\"code\":\"message-version\"}"),
        ("evidence request on the other path", ACTIVATE_PATH, m1(2), 400, message),
        ("empty order", ORDER_PATH, String::new(), 400, message),
    ];
    for (defect, path, body, status, code) in table {
        assert_eq!(ask(&service, path, &body), (status, code.to_owned()), "{defect}");
    }
}

#[test]
fn faults_of_the_tpm() {
    let m1 = json!({"v": 2, "nonce": Sha256::ZERO}).to_string();
    for (fault, code) in [(Fault::Tpm, "tpm"), (Fault::Busy, "busy")] {
        let (service, _init) = service(Mock(Err(fault)));
        assert_eq!(ask(&service, EVIDENCE_PATH, &m1), (503, format!("{{\"code\":\"{code}\"}}")));
    }
}

/// HMAC-SHA256 by hand (RFC 2104 §2), so that the crate's use is checked by something else.
fn hmac(key: [u8; 32], text: &[u8]) -> Sha256 {
    let pad = |byte: u8| {
        let mut block = [byte; 64];
        key.iter().zip(&mut block).for_each(|(k, b)| *b ^= k);
        block
    };
    Sha256::of_parts(&[&pad(0x5c), &Sha256::of_parts(&[&pad(0x36), text]).0])
}

#[test]
fn activation_proves_the_secret_and_the_request() {
    let (service, _init) = service(Mock(Ok(())));
    let m3 = json!({"v": 2, "transcript": Sha256::ZERO, "credential": "AQ==", "secret": ""}).to_string();
    let (status, body) = ask(&service, ACTIVATE_PATH, &m3);
    let response: ActivationResponse = serde_json::from_str(&body).unwrap();
    let expected = hmac([5; 32], &[ACTIVATE_DOMAIN, &Sha256::of(m3.as_bytes()).0].concat());
    assert_eq!((status, response.v, response.proof), (200, 2, expected));
    let other = m3.replace("AQ==", "Ag==");
    assert_eq!(ask(&service, ACTIVATE_PATH, &other), (400, "{\"code\":\"credential\"}".into()));
}

#[test]
fn orders_go_to_init_and_its_word_comes_back() {
    let (service, init) = service(Mock(Ok(())));
    let mut writer = init.try_clone().unwrap();
    let table = [
        ("{\"answer\":\"c2VjcmV0\"}", 200, "secret"),
        ("{\"refused\":\"order-unsealed\"}", 403, "{\"code\":\"order-unsealed\"}"),
        ("{\"refused\":\"two words\"}", 403, "{\"code\":\"order\"}"),
        ("{\"refused\":\"\"}", 403, "{\"code\":\"order\"}"),
    ];
    let says: Vec<String> = table.iter().map(|(says, ..)| (*says).to_owned()).collect();
    let init = std::thread::spawn(move || {
        let mut lines = BufReader::new(init).lines();
        for says in says {
            assert_eq!(lines.next().unwrap().unwrap(), "{\"order\":\"c2VhbGVk\"}");
            writer.write_all(format!("{says}\n").as_bytes()).unwrap();
        }
    });
    for (says, status, body) in table {
        assert_eq!(ask(&service, ORDER_PATH, "sealed"), (status, body.to_owned()), "{says}");
    }
    init.join().unwrap();
}

#[test]
fn only_orders_and_attachments_may_be_long() {
    let (service, _init) = service(Mock(Ok(())));
    assert_eq!((service.limit(ORDER_PATH), service.limit(EVIDENCE_PATH), service.limit("/")), (32768, 8192, 8192));
    assert_eq!(service.limit(ATTACHMENTS_PATH), 49152);
}

#[test]
fn one_path_is_read() {
    let (service, _init) = service(Mock(Ok(())));
    for path in [EVIDENCE_PATH, ACTIVATE_PATH, ORDER_PATH] {
        assert_eq!(get(&service, path), (405, "{\"code\":\"method\"}".into()), "{path}");
    }
    for path in ["/", ATTACHMENTS_PATH, "/v1/attachments/", "/v1/attachments?a"] {
        assert_eq!(get(&service, path), (404, "{\"code\":\"not-found\"}".into()), "{path}");
    }
}

/// By whoever brings them, and only those that the owner's order names; the evidence stays what it was, to the byte.
#[test]
fn attachments_are_handed_out_and_touch_no_evidence() {
    let (service, mut init) = service(Mock(Ok(())));
    let m1 = json!({"v": 2, "nonce": Sha256::of(b"nonce")}).to_string();
    let m2 = ask(&service, EVIDENCE_PATH, &m1);
    assert_eq!(m2.0, 200);
    let refused = (403, "{\"code\":\"attachments-not-ordered\"}".to_owned());
    let none = (404, "{\"code\":\"not-found\"}".to_owned());
    assert_eq!(
        (ask(&service, ATTACHMENTS_PATH, "papers"), get(&service, ATTACHMENTS_PATH)),
        (refused.clone(), none.clone())
    );
    let digest = Sha256::of(b"papers");
    let mut says = |word: ToAgent| {
        let line = serde_json::to_string(&word).unwrap();
        // the keys that follow show that the line before was heard
        let keys = if service.init.rotated().is_empty() { vec![rotated_key()] } else { vec![] };
        let told = serde_json::to_string(&ToAgent::Rotated(keys.clone())).unwrap();
        init.write_all(format!("{line}\n{told}\n").as_bytes()).unwrap();
        while service.init.rotated() != keys {
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    says(ToAgent::Attach(Some(digest)));
    assert_eq!(ask(&service, ATTACHMENTS_PATH, ""), refused);
    assert_eq!(ask(&service, ATTACHMENTS_PATH, "papers "), refused);
    assert_eq!(get(&service, ATTACHMENTS_PATH), none);
    assert_eq!(ask(&service, ATTACHMENTS_PATH, "papers"), (200, format!("{{\"attached\":\"{digest}\"}}")));
    assert_eq!(get(&service, ATTACHMENTS_PATH), (200, "papers".into()));
    says(ToAgent::Attach(Some(digest)));
    assert_eq!(get(&service, ATTACHMENTS_PATH), (200, "papers".into()));
    assert_eq!(ask(&service, EVIDENCE_PATH, &m1), m2, "the evidence has changed");
    says(ToAgent::Attach(None));
    assert_eq!((ask(&service, ATTACHMENTS_PATH, "papers"), get(&service, ATTACHMENTS_PATH)), (refused, none));
}
