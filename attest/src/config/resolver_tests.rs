use super::*;

const HEX: &str = "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8";
const BASE64: &str = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=";

fn server(fields: &str) -> serde_json::Result<ForwardServer> {
    serde_json::from_str(&format!(r#"{{"address":"192.0.2.53:443",{fields}}}"#))
}

fn problems(fields: &str) -> Vec<String> {
    let upstream = Upstream::Forward { servers: vec![server(fields).unwrap()], trust_anchors: vec![] };
    let mut problems = Vec::new();
    Resolver { upstream, ..Resolver::default() }.problems(&mut problems);
    problems
}

fn dnscrypt(name: &str, rest: &str) -> Vec<String> {
    problems(&format!(r#""protocol":"dnscrypt","name":"{name}"{rest}"#))
}

#[test]
fn a_providers_key_has_two_forms_and_one_spelling() {
    let colons: Vec<String> =
        HEX.to_uppercase().as_bytes().chunks(4).map(|c| String::from_utf8_lossy(c).into()).collect();
    for text in [HEX, BASE64, &colons.join(":")] {
        let key: ProviderKey = text.parse().unwrap();
        assert_eq!(key.to_string(), BASE64);
        assert!(key.is_usable());
        assert_eq!(serde_json::to_string(&key).unwrap(), format!("{BASE64:?}"));
    }
    for bad in ["", ":", &HEX[2..], &HEX.replace('a', "g"), &BASE64[..43], &format!("{HEX}00")] {
        assert!(bad.parse::<ProviderKey>().is_err(), "{bad} was taken");
    }
}

#[test]
fn dnscrypt_needs_a_key_and_a_providers_name() {
    let key = format!(r#","key":"{HEX}""#);
    assert_eq!(dnscrypt("2.dnscrypt-cert.example", &key), [""; 0]);
    let long = format!("2.dnscrypt-cert.{}", "x".repeat(64));
    for name in ["dns.example", "2.dnscrypt-cert.", "2.dnscrypt-cert.a..b", "1.dnscrypt-cert.example", &long] {
        let found = dnscrypt(name, &key);
        assert!(found.len() == 1 && found[0].contains("name is the provider's"), "{name}: {found:?}");
    }
    let found = dnscrypt("2.dnscrypt-cert.example", "");
    assert!(found.len() == 1 && found[0].contains("dnscrypt needs key"), "{found:?}");
    // anybody can sign for the neutral point; and 2 is the y of no point
    for byte in ["01", "02"] {
        let weak = format!(r#","key":"{byte}{}""#, "00".repeat(31));
        let found = dnscrypt("2.dnscrypt-cert.example", &weak);
        assert!(found.len() == 1 && found[0].contains("no Ed25519 public key"), "{found:?}");
    }
}

#[test]
fn trust_and_key_belong_to_different_protocols() {
    let found = dnscrypt("2.dnscrypt-cert.example", &format!(r#","key":"{HEX}","trust":"AAAA""#));
    assert!(found.len() == 1 && found[0].contains("trust is for dot and doh"), "{found:?}");
    for protocol in ["dot", "doh"] {
        let found = problems(&format!(r#""protocol":"{protocol}","name":"dns.example","key":"{HEX}""#));
        assert!(found.len() == 1 && found[0].contains("key is for dnscrypt"), "{found:?}");
    }
}
