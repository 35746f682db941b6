//! The resolver inside the tunnel, asked by `kdig` and `curl`.

use super::Provisioned;
use crate::world::{self, Client, GUEST, OTHER, WEB};
use std::time::Duration;
use vitrine_attest::digest::Key32;

const NAME: &str = "www.good.vitrine";

pub fn dns_over_udp_and_tcp(client: &Client) {
    for transport in ["+notcp", "+tcp"] {
        let said = client.dig(&[transport, NAME, "A"]).expect_success();
        assert!(said.contains("NOERROR") && said.contains(WEB), "{said}");
    }
    let said = client.run("kdig", &["@fd66::1", "+timeout=20", NAME, "AAAA"]).expect_success();
    assert!(said.contains("2001:db8:51::80"), "{said}");
    let page = client.curl(&[&format!("http://{NAME}/")]).expect_success();
    assert!(page.contains(&GUEST.to_string()), "a name, looked up by curl itself: {page}");
}

/// RFC 7858; the key in the certificate is the one that the quote binds, and another one is refused.
pub fn dns_over_tls_with_the_attested_key(server: &Provisioned, client: &Client) {
    let said = client.dig(&["+tls", &pin(server), NAME, "A"]).expect_success();
    assert!(said.contains(WEB) && said.contains("TLS"), "{said}");
    let wrong = format!("+tls-pin={}", Key32([7; 32]));
    client.dig(&["+tls", &wrong, NAME, "A"]).expect_failure();
}

/// For `kdig`: the attested key and no other.
pub fn pin(server: &Provisioned) -> String {
    format!("+tls-pin={}", Key32(server.keys.tls_spki.0))
}

/// RFC 8484, by curl, which looks up the name of a page that way.
pub fn dns_over_https_with_the_attested_key(server: &Provisioned, client: &Client) {
    let pin = format!("sha256//{}", Key32(server.keys.tls_spki.0));
    let query = "https://10.66.0.1/dns-query?dns=AAABAAABAAAAAAAAA3d3dwRnb29kB3ZpdHJpbmUAAAEAAQ";
    let words = ["--insecure", "--pinnedpubkey", &pin, "--output", "/dev/null", "--write-out"];
    let form = "%{http_code} %{content_type} %{size_download}";
    let said = client.curl(&[&words[..], &[form, query]].concat()).expect_success();
    assert!(said.starts_with("200 application/dns-message "), "{said}");
    assert_ne!(said, "200 application/dns-message 0");
    let said = client.dig(&["+https", NAME, "A"]).expect_success();
    assert!(said.contains(WEB), "{said}");
}

/// Signed and right: the answer says so (AD, RFC 4035 §3.2.3).
pub fn dnssec_good(client: &Client) {
    let said = client.dig(&["+dnssec", NAME, "A"]).expect_success();
    assert!(flags(&said).contains(" ad") && said.contains("RRSIG") && said.contains(WEB), "{said}");
    let said = client.dig(&["+adflag", "alias.good.vitrine", "A"]).expect_success();
    assert!(flags(&said).contains(" ad") && said.contains(WEB), "{said}");
    let said = client.dig(&["+dnssec", "nothing.good.vitrine", "A"]).expect_success();
    assert!(said.contains("NXDOMAIN") && flags(&said).contains(" ad"), "{said}");
}

/// Signed and changed since: no answer, though the name server gives one.
pub fn dnssec_bogus(client: &Client) {
    let said = client.dig(&["www.bogus.vitrine", "A"]).expect_success();
    assert!(said.contains("SERVFAIL") && !said.contains(OTHER), "{said}");
    let direct = world::run("kdig", &["@198.51.100.3", "+short", "www.bogus.vitrine", "A"]).expect_success();
    assert_eq!(direct.trim(), OTHER);
}

/// Not signed at all, and the parent zone proves that: an answer without AD.
pub fn dnssec_absent(client: &Client) {
    let said = client.dig(&["+dnssec", "www.plain.vitrine", "A"]).expect_success();
    assert!(said.contains("NOERROR") && said.contains(WEB) && !flags(&said).contains(" ad"), "{said}");
}

/// Names of the baked-in list do not exist, names beside them do.
pub fn blocklist(client: &Client) {
    for name in ["ads.good.vitrine", "deeper.ads.good.vitrine", "ADS.good.VITRINE"] {
        let said = client.dig(&[name, "A"]).expect_success();
        assert!(said.contains("NXDOMAIN") && !said.contains(OTHER), "{said}");
    }
    let said = client.dig(&["other.good.vitrine", "A"]).expect_success();
    assert!(said.contains(OTHER), "{said}");
}

pub fn any_is_refused(client: &Client) {
    let said = client.dig(&["+notcp", NAME, "ANY"]).expect_success();
    assert!(!said.contains(WEB), "an answer to ANY: {said}");
}

/// A zone whose name server never answers: a failure in good time, and others are answered meanwhile.
pub fn silent_upstream(client: &Client) {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let said =
                client.run("kdig", &["@10.66.0.1", "+timeout=60", "+retry=0", "x.silent.vitrine"]).expect_success();
            assert!(said.contains("SERVFAIL"), "{said}");
        });
        std::thread::sleep(Duration::from_secs(1));
        let said = client.dig(&["+timeout=5", NAME, "A"]).expect_success();
        assert!(said.contains(WEB), "{said}");
    });
}

/// `resolver.forget_after` is 10 s in the test recipe: it ends itself, and another one answers the next question.
pub fn resolver_forgets_and_answers_again(client: &Client) {
    let ttl = |client: &Client| {
        let said = client.dig(&["+noall", "+answer", "other.good.vitrine", "A"]).expect_success();
        said.split_whitespace().nth(1).and_then(|ttl| ttl.parse::<u32>().ok()).unwrap_or_else(|| panic!("{said}"))
    };
    ttl(client);
    std::thread::sleep(Duration::from_secs(3));
    assert!(ttl(client) < 300, "it was kept, so its time to live has gone down");
    std::thread::sleep(Duration::from_secs(16));
    assert_eq!(ttl(client), 300, "it was forgotten, so it was asked for again");
}

/// From the outside nobody can ask it.
pub fn resolver_is_not_open() {
    for words in [["+notcp", "+timeout=2"], ["+tcp", "+timeout=2"], ["+tls", "+timeout=2"]] {
        let target = format!("@{GUEST}");
        world::run("kdig", &[&[target.as_str(), "+retry=0"], &words[..], &[NAME]].concat()).expect_failure();
    }
}

/// The header's flags: `;; Flags: qr rd ra ad; QUERY: 1; …`.
fn flags(said: &str) -> &str {
    said.lines().find(|line| line.contains("Flags:")).unwrap_or_default().split("QUERY").next().unwrap_or_default()
}
